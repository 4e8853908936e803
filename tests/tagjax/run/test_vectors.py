"""A table of vectors from audio, with random weights in the form of the real ones."""

import pathlib
import shutil
import zipfile

import librosa
import numpy as np
import pretrained
import pytest
import soundfile

from tagjax.base.errors import InputError
from tagjax.base.tables import read_table
from tagjax.catalogue.annotations import Tracks
from tagjax.examples import frontend, patches
from tagjax.network import musicnn
from tagjax.run import vectors
from tagjax.similarity.features import read_features

RATE = 16_000
CONFIG = vectors.VectorsConfig(seconds=7.0, workers=0)
GOOD = ("mono", "stereo", "brief", "other rate")
BAD = ("silent", "short", "text", "absent")


def sound(seconds, rate=RATE, seed=0):
    rng, time = np.random.default_rng(seed), np.arange(round(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * (300 + 40 * seed) * time * (1 + 0.1 * time))
    return (0.3 * tone + rng.normal(0, 0.03, len(time))).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("vectors")
    audio = root / "music"
    audio.mkdir()
    soundfile.write(audio / "mono.wav", sound(8), RATE, "FLOAT")
    soundfile.write(audio / "stereo.wav", np.stack([sound(8)] * 2, axis=1), RATE, "FLOAT")
    soundfile.write(audio / "brief.wav", sound(8)[: 4 * RATE], RATE, "FLOAT")
    soundfile.write(audio / "other rate.wav", sound(8, 22050, 3), 22050)
    soundfile.write(audio / "silent.wav", np.zeros(8 * RATE), RATE)
    soundfile.write(audio / "short.wav", sound(2), RATE)
    (audio / "text.wav").write_text("no audio")
    pretrained.write_models(root / "weights")
    return root


@pytest.fixture(scope="module")
def weights(folder):
    with pytest.warns(UserWarning, match="not the weights of musicnn 0.1.0"):
        return vectors.read_weights(folder / "weights")


def tracks(*names):
    return Tracks(names, tuple(f"{name}.wav" for name in names), np.full(len(names), np.nan))


def librosa_patches(samples):
    mel = librosa.feature.melspectrogram(
        y=samples, sr=RATE, n_fft=512, hop_length=256, n_mels=96, pad_mode="constant"
    )
    log = np.log10(10_000 * mel + 1).T
    return log[: len(log) // 187 * 187].reshape(-1, 187, 96)


def test_the_front_end_is_librosas():
    samples = sound(7)
    found = patches.patches_of(frontend.log_mel(samples, patches.FRONT), musicnn.FRAMES)
    expected = librosa_patches(samples)
    assert found.shape == expected.shape == (2, 187, 96)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_loud_sound_does_not_overflow():
    samples = 0.9 * np.sign(sound(4))
    mel = frontend.log_mel(samples, patches.FRONT)
    assert np.expm1(mel.max()) / 1e4 > 6.55  # Times 10,000 that is more than float16 holds.
    np.testing.assert_allclose(patches.patches_of(mel, 187), librosa_patches(samples), atol=1e-4)


@pytest.fixture(scope="module")
def table(folder, weights):
    out = folder / "table" / "vectors.npz"
    listed = tracks(GOOD[0], BAD[0], *GOOD[1:], *BAD[1:])
    report = vectors.write_vectors(out, listed, folder / "music", weights, CONFIG)
    return out, report


def test_a_vector_is_the_mean_over_patches_of_both_networks(table, weights):
    ids, found = read_features(table[0])
    assert ids == GOOD
    assert found.shape == (4, 400)
    batch = librosa_patches(sound(7))
    expected = [
        musicnn.features(weights.params[name], batch).mean(axis=0) for name in ("MSD", "MTT")
    ]
    expected = np.concatenate(expected)
    np.testing.assert_allclose(found[0], expected, atol=2e-3 * np.abs(expected).max())
    assert np.abs(found[3] - found[0]).max() > 0.1


def test_channels_are_averaged_and_padding_is_not_heard(table, weights):
    _, found = read_features(table[0])
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)
    first = librosa_patches(sound(8)[: 4 * RATE])
    assert len(first) == 1
    expected = musicnn.features(weights.params["MSD"], first)[0]
    np.testing.assert_allclose(found[2, :200], expected, atol=2e-3 * np.abs(expected).max())


def test_what_cannot_be_used_is_listed_with_its_reason(table):
    out, report = table
    listed = read_table(out.with_suffix(".skipped.csv"), ("track_id", "path", "reason"))
    reasons = dict(zip(listed["track_id"], listed["reason"], strict=True))
    assert reasons == {
        "silent": "silent",
        "short": "too short: no patch of 187 frames (3 s) with sound",
        "text": "not decodable: Format not recognised",
        "absent": "no such file",
    }
    assert listed["path"] == [f"{name}.wav" for name in BAD]
    assert (report.written, report.new, report.share_skipped) == (4, 4, 0.5)
    assert list(report.lines())[-2:] == [
        f"written: {out} (4 tracks, 4 of them new)",
        f"skipped: 4 tracks (50.0 %), listed in {out.with_suffix('.skipped.csv')}",
    ]


def test_one_network_gives_its_part_alone(folder, table):
    with pytest.warns(UserWarning, match="MTT: not the weights"):
        weights = vectors.read_weights(folder / "weights" / "musicnn", ["MTT"])
    out = folder / "mtt.npz"
    vectors.write_vectors(out, tracks("mono"), folder / "music", weights, CONFIG)
    np.testing.assert_allclose(
        read_features(out)[1], read_features(table[0])[1][:1, 200:], atol=1e-6
    )


def test_after_a_kill_it_goes_on_and_the_table_is_the_same(folder, table, weights, monkeypatch):
    out, whole = folder / "killed" / "vectors.npz", vectors.vector_of
    calls = []

    def killed(params, mel):
        calls.append(len(mel))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(params, mel)

    monkeypatch.setattr(vectors, "vector_of", killed)
    with pytest.raises(KeyboardInterrupt):
        vectors.write_vectors(out, tracks(*GOOD), folder / "music", weights, CONFIG)
    assert [path.name for path in out.parent.iterdir()] == ["vectors.npz.partial"]
    report = vectors.write_vectors(out, tracks(*GOOD), folder / "music", weights, CONFIG)
    assert (len(calls), report.written, report.new) == (5, 4, 2)
    assert {path.name for path in out.parent.iterdir()} == {"vectors.npz", "vectors.skipped.csv"}
    assert out.read_bytes() == table[0].read_bytes()
    before = out.stat().st_mtime_ns
    report = vectors.write_vectors(out, tracks(*GOOD), folder / "music", weights, CONFIG)
    assert (len(calls), report.new, out.stat().st_mtime_ns) == (5, 0, before)


def test_it_is_saved_now_and_then(folder, weights, monkeypatch):
    out, seen = folder / "slow" / "vectors.npz", []
    monkeypatch.setattr(vectors, "_SAVE", 0.0)

    def watched(items, what, total):
        for item in items:
            seen.append(out.with_name("vectors.npz.partial").exists())
            yield item

    vectors.write_vectors(out, tracks("mono", "brief"), folder / "music", weights, CONFIG, watched)
    assert seen == [False, True]


def test_a_table_grows_with_the_catalogue(folder, table, weights):
    out = folder / "grown.npz"
    shutil.copy(table[0], out)
    vectors.write_vectors(out, tracks("brief", "mono"), folder / "music", weights, CONFIG)
    assert read_features(out)[0] == GOOD
    shutil.copy(folder / "music" / "mono.wav", folder / "music" / "new.wav")
    report = vectors.write_vectors(out, tracks("new", "mono"), folder / "music", weights, CONFIG)
    assert (report.written, report.new) == (5, 1)
    assert {*read_features(out)[0]} == {*GOOD, "new"}


def test_a_damaged_part_is_made_anew_and_other_tables_are_left_alone(folder, table, weights):
    out = folder / "damaged" / "vectors.npz"
    out.parent.mkdir()
    out.with_name("vectors.npz.partial").write_bytes(table[0].read_bytes()[:-100])
    report = vectors.write_vectors(out, tracks("mono"), folder / "music", weights, CONFIG)
    assert report.new == 1
    other = vectors.VectorsConfig(seconds=4.0, workers=0)
    with pytest.raises(InputError, match="made with other weights, models or seconds"):
        vectors.write_vectors(out, tracks("mono"), folder / "music", weights, other)
    np.savez(folder / "other.npz", ids=["a"], vectors=np.ones((1, 2)))
    with pytest.raises(InputError, match=r"other.npz: not a table of launch.embed"):
        vectors.write_vectors(folder / "other.npz", tracks("mono"), folder, weights, CONFIG)
    with pytest.raises(InputError, match="no track could be decoded"):
        vectors.write_vectors(folder / "none.npz", tracks("text"), folder / "music", weights)
    with pytest.raises(InputError, match="no such folder"):
        vectors.write_vectors(folder / "none.npz", tracks("text"), folder / "nowhere", weights)
    with pytest.raises(InputError, match="a patch takes 3"):
        vectors.VectorsConfig(seconds=2.9)


@pytest.mark.filterwarnings("ignore:.*not the weights")
def test_weights_come_from_a_wheel_too(folder, weights):
    wheel = folder / "musicnn.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path in sorted((folder / "weights").rglob(".*")):
            archive.write(path, path.relative_to(folder / "weights"))
    found = vectors.read_weights(wheel)
    assert found.digest == weights.digest
    np.testing.assert_array_equal(
        found.params["MTT"]["dense"]["kernel"], weights.params["MTT"]["dense"]["kernel"]
    )
    content = bytearray(wheel.read_bytes())
    content[len(content) // 2] ^= 1
    wheel.write_bytes(content)
    with pytest.raises(InputError, match="Bad CRC-32"):
        vectors.read_weights(wheel)


def test_what_is_no_weights_names_the_command(folder):
    fetch = "pip download --no-deps musicnn==0.1.0"
    for path in (folder / "nowhere.whl", folder / "music", folder / "music" / "text.wav"):
        with pytest.raises(InputError, match=fetch) as caught:
            vectors.read_weights(path)
        assert str(caught.value).startswith(str(path))
    for models in (["VGG"], []):
        with pytest.raises(InputError, match="choose from MSD, MTT"):
            vectors.read_weights(folder, models)


def test_the_real_weights_are_known_and_tell_sounds_apart(folder, recwarn):
    weights = vectors.read_weights(pretrained.real_weights())
    assert not [str(warning.message) for warning in recwarn if "weights" in str(warning.message)]
    out = folder / "real.npz"
    vectors.write_vectors(out, tracks(*GOOD), folder / "music", weights, CONFIG)
    _, found = read_features(out)
    assert found.shape == (4, 400)
    assert np.abs(found[1] - found[0]).max() < 1e-4
    assert np.abs(found[3] - found[0]).max() > 0.1


def test_the_pool_gives_the_same(folder, table, weights):
    out = pathlib.Path(folder, "pool.npz")
    config = vectors.VectorsConfig(seconds=7.0, workers=2)
    vectors.write_vectors(out, tracks(*GOOD), folder / "music", weights, config)
    assert out.read_bytes() == table[0].read_bytes()
