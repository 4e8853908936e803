import collections

import librosa
import numpy as np
import pytest
import soundfile

from tagjax.examples import frontend
from tagjax.examples.audio import AudioConfig, AudioError, read_excerpt, read_log_mel

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


@pytest.mark.parametrize("suffix", FORMATS)
def test_only_the_excerpt_is_decoded(tmp_path, suffix, reads):
    container, codec, rate, _ = FORMATS[suffix]
    path = save(tmp_path / f"a.{suffix}", tone(rate, 20), rate, container, codec)
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
    assert np.abs(read_excerpt(path, 0.0, 2.0)[0][500:-500]).max() < 1e-3


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
    "silent_40s.ogg": ("whole", "whole"),
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
        assert bool(mel.any()) == (name != "silent_40s.ogg")
        if name == "8khz_8bit.wav":
            above = librosa.mel_frequencies(98, fmin=0, fmax=11025)[:-2] > 4200
            assert mel[1:-1, above].max() < 0.02 * mel[1:-1].max()


def test_all_broken_and_unusual_files_are_in_the_table(shared):
    found = {path.name for path in (shared / "corpus" / "bad").iterdir()}
    assert found - {"README.md"} == set(BAD)


def test_a_length_that_the_header_promises_is_not_believed(shared):
    path = shared / "corpus" / "bad" / "truncated.mp3"
    assert soundfile.info(path).duration > 30
    with pytest.raises(AudioError, match="past the end"):
        read_excerpt(path, 20.0, 10.0)
