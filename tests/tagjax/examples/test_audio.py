import collections
import itertools

import librosa
import numpy as np
import pytest
import soundfile
import sounds
import soxr

from tagjax.examples import frontend
from tagjax.examples.audio import (
    AudioConfig,
    AudioError,
    MissingFileError,
    PastEndError,
    read_excerpt,
    read_log_mel,
)

FORMATS = {
    "wav": ("WAV", "PCM_16", 22050, 1e-4),
    "flac": ("FLAC", "PCM_24", 44100, 1e-6),
    "aiff": ("AIFF", "PCM_16", 48000, 1e-4),
    "ogg": ("OGG", "VORBIS", 44100, 1e-3),
    "opus": ("OGG", "OPUS", 48000, 2e-2),
    "mp3": ("MP3", "MPEG_LAYER_III", 44100, 2e-2),
}
"""Container, codec, rate, and how far an excerpt may lie from the slice of the full decode."""


def tone(rate, seconds, hz=440.0, channels=1):
    """A sine that swells, so that every second is another."""
    time = np.arange(round(rate * seconds)) / rate
    mono = 0.4 * np.sin(2 * np.pi * hz * time) * (0.2 + 0.8 * time / seconds)
    return np.repeat(mono[:, None], channels, axis=1).astype(np.float32)


def save(path, audio, rate, container=None, codec=None):
    soundfile.write(path, audio, rate, format=container, subtype=codec)
    return path


@pytest.fixture
def reads(monkeypatch):
    """Frames that soundfile was asked for and gave."""
    counted = collections.Counter()
    original = soundfile.SoundFile.read

    def read(self, frames=-1, *args, **kwargs):
        data = original(self, frames, *args, **kwargs)
        counted["asked"] += frames if frames >= 0 else 10**12
        counted["given"] += len(data)
        return data

    monkeypatch.setattr(soundfile.SoundFile, "read", read)
    return counted


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_excerpt_is_the_slice_of_the_full_decode(tmp_path, suffix):
    container, codec, rate, tolerance = FORMATS[suffix]
    path = save(tmp_path / f"a.{suffix}", tone(rate, 6), rate, container, codec)
    full = soundfile.read(path, dtype="float32")[0]
    for start, duration in ((0.0, 2.0), (1.25, 2.0), (3.5, 1.0)):
        found, padded, *_ = read_excerpt(path, start, duration, sample_rate=rate)
        assert found.dtype == np.float32
        assert found.shape == (round(duration * rate),)
        assert not padded
        first = round(start * rate)
        np.testing.assert_allclose(found, full[first : first + len(found)], atol=tolerance)


@pytest.mark.parametrize("rate", [8000, 16000, 24000, 32000, 44100])
def test_mp3_of_the_lowest_bit_rates_is_right_from_the_first_sample(tmp_path, rate):
    """Its frames hold few bytes, and need those of many frames before them."""
    path = tmp_path / "a.mp3"
    sound = tone(rate, 9, channels=2)
    soundfile.write(path, sound, rate, compression_level=0.99, bitrate_mode="VARIABLE")
    full = soundfile.read(path, dtype="float32")[0].sum(axis=1)
    for start in np.arange(0.2, 7.9, 0.7):
        found = read_excerpt(path, start, 1.0, sample_rate=rate).samples
        first = round(start * rate)
        np.testing.assert_allclose(found, full[first : first + rate], atol=2e-2)


@pytest.mark.parametrize("suffix", FORMATS)
def test_only_the_excerpt_is_decoded(tmp_path, suffix, reads):
    container, codec, rate, _ = FORMATS[suffix]
    sound = tone(rate, 20) + np.random.default_rng(0).normal(0, 0.1, (20 * rate, 1))
    path = save(tmp_path / f"a.{suffix}", sound, rate, container, codec)
    read_excerpt(path, 12.0, 1.0)
    assert reads["asked"] == reads["given"] <= 1.2 * rate


@pytest.mark.parametrize("suffix", FORMATS)
def test_content_counts_not_the_name(tmp_path, suffix):
    container, codec, rate, _ = FORMATS[suffix]
    path = save(tmp_path / "song.mp3", tone(rate, 2), rate, container, codec)
    assert np.abs(read_excerpt(path, 0.0, 2.0)[0]).max() > 0.3


def test_channels_are_summed(tmp_path):
    rng = np.random.default_rng(0)
    for channels in (2, 6):
        audio = rng.uniform(-0.4, 0.4, (22050, channels)).astype(np.float32)
        path = save(tmp_path / "a.wav", audio, 22050, "WAV", "FLOAT")
        np.testing.assert_allclose(read_excerpt(path, 0.0, 1.0)[0], audio.sum(axis=1), atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 16000, 32000, 44100, 48000, 96000])
def test_resampling_keeps_frequency_level_and_length(tmp_path, rate):
    path = save(tmp_path / "a.wav", tone(rate, 3, hz=1234.0), rate, "WAV", "FLOAT")
    found, padded, *_ = read_excerpt(path, 0.0, 3.0)
    assert found.shape == (66150,)
    assert not padded
    expected = tone(22050, 3, hz=1234.0)[:, 0]
    np.testing.assert_allclose(found[500:-500], expected[500:-500], atol=2e-3)


def test_what_lies_above_half_the_new_rate_is_gone(tmp_path):
    path = save(tmp_path / "a.wav", tone(96000, 2, hz=15000.0), 96000, "WAV", "FLOAT")
    excerpt = read_excerpt(path, 0.0, 2.0, config=AudioConfig(skip_silent=False))
    assert np.abs(excerpt.samples[500:-500]).max() < 1e-3
    assert excerpt.quiet  # A network is asked about what it could hear.


def test_short_audio_is_padded_and_reported_or_refused(tmp_path):
    path = save(tmp_path / "a.wav", tone(22050, 3), 22050)
    whole, padded, *_ = read_excerpt(path, 0.0, 5.0)
    assert padded
    assert whole.shape == (5 * 22050,)
    assert not whole[3 * 22050 :].any()
    assert whole[3 * 22050 - 100 : 3 * 22050].any()
    with pytest.raises(AudioError, match=r"too short: 3.0 s of sound for 7 s"):
        read_excerpt(path, 0.0, 7.0)
    assert read_excerpt(path, 0.0, 7.0, config=AudioConfig(min_coverage=0.4))[1]
    with pytest.raises(AudioError, match=r"too short: 1.0 s"):
        read_excerpt(path, 2.0, 3.0)
    with pytest.raises(AudioError, match=r"start 3 s is past the end at 3.0 s"):
        read_excerpt(path, 3.0, 1.0)
    with pytest.raises(AudioError, match=r"start 400 s is past the end"):
        read_excerpt(path, 400.0, 1.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("channels", [1, 2])
def test_samples_that_would_spoil_the_features_are_refused(tmp_path, value, channels):
    audio = tone(22050, 2, channels=channels)
    audio[1000, channels - 1] = value
    path = save(tmp_path / "a.wav", audio, 22050, "WAV", "FLOAT")
    with pytest.raises(AudioError, match="not finite"):
        read_excerpt(path, 0.0, 2.0)
    assert np.isfinite(read_excerpt(path, 0.5, 1.5)[0]).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [(np.inf, -np.inf), (3e38, 3e38)])
def test_samples_that_have_no_sum_are_refused_without_a_warning(tmp_path, values):
    audio = tone(22050, 2, channels=2)
    audio[1000] = values
    path = save(tmp_path / "a.wav", audio, 22050, "WAV", "FLOAT")
    with pytest.raises(AudioError, match="not finite"):
        read_excerpt(path, 0.0, 2.0)


def test_files_that_are_none(tmp_path):
    (tmp_path / "noise.raw").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "noise.mp3").write_bytes(np.random.default_rng(0).bytes(5000))
    for path, reason in (
        (tmp_path / "none.mp3", "no such file"),
        (tmp_path, "not a file"),
        (tmp_path / "noise.raw", "not decodable"),
        (tmp_path / "noise.mp3", "not decodable"),
    ):
        with pytest.raises(AudioError, match=reason):
            read_excerpt(path, 0.0, 1.0)


def test_log_mel_of_a_file(tmp_path):
    path = save(tmp_path / "a.flac", tone(22050, 31), 22050)
    mel, padded = read_log_mel(path, 0.5, 30.0)
    assert mel.shape == (646, 96)
    assert not padded
    expected = frontend.log_mel(soundfile.read(path, dtype="float32")[0][11025 : 11025 + 661500])
    np.testing.assert_array_equal(mel, expected)


BAD = {
    "zero_bytes.mp3": ("empty file", "empty file"),
    "text.mp3": ("not decodable: Format not recognised", "not decodable: Format not recognised"),
    "track.mp3": ("not a file", "not a file"),
    "no_samples.wav": ("no samples", "no samples"),
    "nan_inf.wav": ("not finite", "not finite"),
    "size_field_lies.wav": ("too short: 2.0 s", "whole"),
    "three_seconds.wav": ("too short: 3.0 s", "whole"),
    "96khz_24bit.flac": ("too short: 1.0 s", "padded"),
    "six_channels.wav": ("too short: 2.0 s", "whole"),
    "truncated.mp3": ("padded", "whole"),  # 15.7 s
    "last_page_missing.opus": ("whole", "whole"),
    "silent_40s.ogg": ("silent", "silent"),
    "8khz_8bit.wav": ("whole", "whole"),
    "id3_picture.mp3": ("whole", "whole"),
    "really_mp3.wav": ("whole", "whole"),
    "A 'quoted' name – déjà vu 音楽.mp3": ("whole", "whole"),
}
"""What becomes of the first 30 s, and of the first 2 s: the reason, or `whole` or `padded`."""


@pytest.mark.parametrize("name", BAD)
def test_broken_and_unusual_files(shared, name):
    for duration, expected in zip((30.0, 2.0), BAD[name], strict=True):
        path = shared / "corpus" / "bad" / name
        if expected not in ("whole", "padded"):
            with pytest.raises(AudioError, match=expected):
                read_log_mel(path, 0.0, duration)
            continue
        mel, padded = read_log_mel(path, 0.0, duration)
        assert padded == (expected == "padded")
        assert mel.shape == (1 + round(duration * 22050) // 1024, 96)
        assert np.isfinite(mel).all()
        assert mel.any()
        if name == "8khz_8bit.wav":
            above = librosa.mel_frequencies(98, fmin=0, fmax=11025)[:-2] > 4200
            assert mel[1:-1, above].max() < 0.02 * mel[1:-1].max()


def test_all_broken_and_unusual_files_are_in_the_table(shared):
    found = {path.name for path in (shared / "corpus" / "bad").iterdir()}
    assert found - {"README.md"} == set(BAD)


def test_a_length_that_the_header_promises_is_not_believed(shared):
    path = shared / "corpus" / "bad" / "truncated.mp3"
    assert soundfile.info(path).duration > 30
    with pytest.raises(AudioError, match=r"start 20 s is past the end at 15.8 s"):
        read_excerpt(path, 20.0, 10.0)


def ladder(path, suffix, seconds=8.0, rate=None, lowest=400.0, channels=1, **more):
    """The bytes of a file whose pitch tells the second; its rate is the usual one of the codec."""
    container, codec, usual, _ = FORMATS[suffix]
    rate = rate or usual
    sound = sounds.ladder(seconds, rate, lowest, channels)
    return sounds.encoded(path, sound, rate, container, codec, **more)


def steps(excerpt, start, lowest=400.0):
    """The pitch amid each second of a track that is whole in an excerpt, in steps of a ladder."""
    seconds = len(excerpt.samples) / 22050
    wholes = range(int(np.ceil(start)), int(start + seconds))
    firsts = [round((second + 0.25 - start) * 22050) for second in wholes]
    pitches = [sounds.pitch(excerpt.samples[first : first + 11025]) for first in firsts]
    return [round((pitch - lowest) / sounds.STEP, 1) for pitch in pitches]


def test_vbr_without_a_header_is_decoded_to_its_end(tmp_path):
    """Loud first, so that the first frame makes the rest look short."""
    path = tmp_path / "a.mp3"
    sound = sounds.ladder(40.0, 44100)
    sound[: 5 * 44100] += np.random.default_rng(0).normal(0, 0.3, (5 * 44100, 1))
    sound = np.clip(sound, -1, 1)
    path.write_bytes(
        sounds.without_xing(
            sounds.encoded(path, sound, 44100, *FORMATS["mp3"][:2], bitrate_mode="VARIABLE")
        )
    )
    claimed = soundfile.info(path).duration
    assert 5 < claimed < 25
    for start, seconds in ((claimed - 2.3, 10.0), (claimed + 3.1, 5.0), (4.4, 30.0)):
        excerpt = read_excerpt(path, start, seconds)
        assert not excerpt.padded
        assert steps(excerpt, start) == list(range(int(np.ceil(start)), int(start + seconds)))
    excerpt = read_excerpt(path, 32.0, 10.0)
    assert excerpt.padded
    assert steps(excerpt, 32.0)[:7] == list(range(32, 39))
    last = np.flatnonzero(np.abs(excerpt.samples) > 0.01)[-1] / 22050
    assert last == pytest.approx(8.05, abs=0.1)
    with pytest.raises(AudioError, match=r"start 41 s is past the end at 40\.\d s"):
        read_excerpt(path, 41.0, 1.0)


JOINTS = [(None, 1), ("other", 1), (None, 2), ("other", 2)]


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(("rate", "channels"), JOINTS)
@pytest.mark.parametrize("form", ["", "no xing", "other lengths"])
def test_joined_files_are_right_or_refused(tmp_path, suffix, rate, channels, form):
    if form == "no xing" and suffix != "mp3":
        pytest.skip("only MP3 has one")
    path = tmp_path / "a"
    rate = rate and (24000 if suffix in ("opus", "mp3") else 32000)
    lengths = (10.0, 7.0, 9.0) if form == "other lengths" else (8.0, 8.0, 8.0)
    pieces = [
        ladder(path, suffix, lengths[0], None, 1000.0),
        ladder(path, suffix, lengths[1], rate, 2000.0, channels),
        ladder(path, suffix, lengths[2], None, 3000.0),
    ]
    if form == "no xing":
        pieces = [sounds.without_xing(piece) for piece in pieces]
    path.write_bytes(b"".join(pieces))
    begins = list(itertools.accumulate(lengths, initial=0.0))
    for k, begin in enumerate(begins[:3]):
        for start in (begin + 1.0, begin + lengths[k] - 3.0):
            excerpt = read_excerpt(path, start, 2.0)
            first = round(start - begin)
            assert steps(excerpt, 0.0, 1000.0 * (k + 1)) == [first, first + 1]
            assert not excerpt.padded
    for joint in begins[1:3]:
        if rate or channels > 1:
            with pytest.raises(AudioError, match=r"sample rate or channels change: .* \d+\.\d s"):
                read_excerpt(path, joint - 2.0, 4.0)
            continue
        excerpt = read_excerpt(path, joint - 2.0, 4.0)
        k = begins.index(joint)
        assert not excerpt.padded
        assert steps(excerpt, 0.0, 1000.0 * k)[:2] == [lengths[k - 1] - 2, lengths[k - 1] - 1]
        assert steps(excerpt, 0.0, 1000.0 * (k + 1))[2:] == [0, 1]
    assert read_excerpt(path, begins[3] - 3.0, 4.0).padded
    with pytest.raises(AudioError, match=r"start 26.5 s is past the end at 2[46]\.\d s"):
        read_excerpt(path, 26.5, 1.0)


@pytest.mark.parametrize(
    ("suffix", "name", "form", "sizes"),
    [
        ("wav", b"data", "<I", (0, 1000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)),
        ("aiff", b"SSND", ">I", (0, 1008, 0x7FFFFFFF, 0xFFFFFFFF)),
        ("flac", None, None, (0, 1000, 441_000, (1 << 36) - 1)),
    ],
)
def test_lengths_that_headers_get_wrong(tmp_path, suffix, name, form, sizes):
    path = tmp_path / "a"
    honest = ladder(path, suffix)
    whole = read_excerpt(path, 0.0, 8.0).samples
    for size in sizes:
        lying = sounds.chunk_size(honest, name, size, form) if name else None
        path.write_bytes(lying or sounds.flac_total(honest, size))
        for start in (0.0, 0.5, 3.0, 7.0):
            excerpt = read_excerpt(path, start, 1.0)
            first = round(start * 22050)
            np.testing.assert_allclose(
                excerpt.samples[200:-200], whole[first + 200 : first + 22050 - 200], atol=1e-2
            )
            assert not excerpt.padded
        excerpt = read_excerpt(path, 6.0, 3.0)
        assert excerpt.padded
        assert steps(excerpt, 6.0)[:2] == [6, 7]
        with pytest.raises(AudioError, match=r"start 9 s is past the end at 8.0 s"):
            read_excerpt(path, 9.0, 1.0)


@pytest.mark.parametrize("suffix", ["ogg", "opus"])
def test_ogg_pages_counted_from_another_start(tmp_path, suffix):
    """As in a stream cut out of a broadcast."""
    path = tmp_path / "a"
    honest = ladder(path, suffix)
    path.write_bytes(sounds.ogg_pages(honest, shift=100 * 48000))
    assert steps(read_excerpt(path, 0.0, 8.0), 0.0) == list(range(8))
    assert steps(read_excerpt(path, 5.5, 2.0), 5.5) == [6]
    with pytest.raises(AudioError, match=r"start 9 s is past the end at 8.0 s"):
        read_excerpt(path, 9.0, 1.0)


def music(seconds=6.0, rate=44100, seed=0):
    noise = np.random.default_rng(seed).normal(0, 0.05, round(seconds * rate))
    return (0.2 * np.sin(0.06 * np.arange(len(noise))) + noise).astype(np.float32)


def only_between(begin, end):
    sound = music()
    sound[: round(begin * 44100)] = sound[round(end * 44100) :] = 0
    return sound


NOTHING_HEARD = {
    "zeros": (np.zeros(6 * 44100), "silent"),
    "zeros in stereo": (np.zeros((6 * 44100, 2)), "silent"),
    "-80 dB": (music() * 1e-3, "nearly silent"),
    "-63 dB": (music() * 3e-3, "nearly silent"),
    "a click": (np.eye(1, 6 * 44100, 100_000)[0] * 0.9, "nearly silent"),
    "an offset": (np.full(6 * 44100, 0.1), "nearly silent"),
    "0.3 s": (only_between(2.0, 2.3), "nearly silent"),
    "antiphase": (np.stack([music(), -music()], axis=1), "channels cancel"),
    "nearly antiphase": (np.stack([music(), -0.95 * music()], axis=1), "channels cancel"),
    "antiphase in surround": (np.stack([music(), -music()] * 3, axis=1), "channels cancel"),
}
HEARD = {
    "music": music(),
    "-40 dB": music() * 0.04,
    "1 s": only_between(2.0, 3.0),
    "mono as stereo": np.stack([music()] * 2, axis=1),
    "one side": np.stack([music(), 0 * music()], axis=1),
    "two musics": np.stack([music(), music(seed=1)], axis=1),
    "half in antiphase": np.stack([music(), music() * (1 - 2 * (np.arange(6 * 44100) > 1e5))], 1),
    "one loud side in antiphase": np.stack([music(), -0.5 * music()], axis=1),
}


@pytest.mark.parametrize("kind", NOTHING_HEARD)
@pytest.mark.parametrize("codec", ["FLOAT", "PCM_16"])
def test_excerpts_in_which_nothing_is_heard(tmp_path, kind, codec):
    sound, reason = NOTHING_HEARD[kind]
    path = save(tmp_path / "a.wav", sound, 44100, "WAV", codec)
    with pytest.raises(AudioError, match=f"^{reason}"):
        read_excerpt(path, 0.5, 5.0)
    kept = read_excerpt(path, 0.5, 5.0, config=AudioConfig(skip_silent=False))
    assert kept.quiet.startswith(reason)
    assert kept.samples.shape == (5 * 22050,)


@pytest.mark.parametrize("kind", HEARD)
@pytest.mark.parametrize("codec", ["FLOAT", "PCM_16"])
def test_excerpts_in_which_something_is_heard(tmp_path, kind, codec):
    path = save(tmp_path / "a.wav", HEARD[kind], 44100, "WAV", codec)
    assert read_excerpt(path, 0.5, 5.0).quiet == ""


@pytest.mark.parametrize("suffix", FORMATS)
def test_silence_of_every_codec(tmp_path, suffix):
    container, codec, rate, _ = FORMATS[suffix]
    path = save(tmp_path / "a", np.zeros((3 * rate, 2)), rate, container, codec)
    with pytest.raises(AudioError, match="silent"):
        read_excerpt(path, 0.0, 3.0)


@pytest.mark.parametrize(
    ("scale", "channels", "loud"), [(32768, 1, True), (8, 2, True), (1, 6, False), (2, 1, False)]
)
def test_floats_far_above_full_scale_are_told(tmp_path, scale, channels, loud):
    sound = np.stack([music() / np.abs(music()).max() * scale] * channels, axis=1)
    path = save(tmp_path / "a.wav", sound, 44100, "WAV", "FLOAT")
    excerpt = read_excerpt(path, 0.0, 3.0)
    assert excerpt.loud == loud
    assert np.abs(excerpt.samples).max() > 0.5 * scale * channels  # It is not touched.


@pytest.mark.parametrize("error", [ValueError("odd\nvery odd"), MemoryError(), KeyError("a")])
def test_whatever_a_library_raises_is_a_reason(tmp_path, monkeypatch, error):
    path = save(tmp_path / "a.wav", tone(44100, 2), 44100)

    def broken(*args, **kwargs):
        raise error

    for owner, name in ((soxr, "resample"), (soundfile.SoundFile, "read")):
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, broken)
            with pytest.raises(AudioError, match=f"^{type(error).__name__}: [^\n]*$"):
                read_excerpt(path, 0.0, 1.0)
    with pytest.raises(AudioError, match="OverflowError"):
        read_excerpt(path, np.inf, 1.0)


def test_only_a_file_that_is_not_there_is_missing(tmp_path):
    path = save(tmp_path / "a.wav", tone(22050, 2), 22050)
    with pytest.raises(MissingFileError, match="no such file"):
        read_excerpt(tmp_path / "b.wav", 0.0, 1.0)
    with pytest.raises(PastEndError):
        read_excerpt(path, 5.0, 1.0)
    for other, start in ((path, 5.0), (tmp_path, 0.0)):
        with pytest.raises(AudioError) as caught:
            read_excerpt(other, start, 1.0)
        assert not isinstance(caught.value, MissingFileError)


def test_cases_of_shared(shared):
    """Their pitch is 300 Hz and 100 Hz more every second."""
    folder = shared / "cases" / "audio"

    def check(name, start):
        excerpt = read_excerpt(folder / name, start, 5.0)
        assert not excerpt.padded
        assert steps(excerpt, start, 300.0) == [2 * (start + k) for k in range(5)]

    for name in ("ffpipe.wav", "offset100.ogg", "vbr_noxing.mp3"):
        for start in (0.0, 12.0, 30.0):
            check(name, start)
        assert read_excerpt(folder / name, 35.0, 10.0).padded
        with pytest.raises(AudioError, match=r"start 45 s is past the end at 40\.\d s"):
            read_excerpt(folder / name, 45.0, 10.0)
    joined = "cat_stereo_mono.mp3"
    check(joined, 3.0)
    check(joined, 24.0)
    with pytest.raises(AudioError, match="sample rate or channels change"):
        read_excerpt(folder / joined, 5.0, 30.0)
