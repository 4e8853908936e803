import struct

import numpy as np
import pytest
import soundfile
import sounds

from tagjax.base import mpeg, streams

CODECS = {
    "wav": ("WAV", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
}


def content(path, kind, seconds=5.0, rate=48000, channels=1):
    sound = sounds.ladder(seconds, rate, channels=channels)
    return sounds.encoded(path, sound, rate, *CODECS[kind])


def plain(path):
    with soundfile.SoundFile(path) as file:
        sections = mpeg.sections(path) if file.format == "MP3" else []
        return streams.is_plain(path, file, sections)


def parts(path, kind):
    found = streams.parts(path, "MP3" if kind == "mp3" else "")
    return [(one.rate, one.channels, one.seconds) for one in found]


@pytest.mark.parametrize("kind", sorted(set(CODECS) - {"mp3"}))
@pytest.mark.parametrize("seconds", [0.01, 0.3, 5.0, 5.1234])
def test_honest_files_have_nothing_to_be_found(tmp_path, kind, seconds):
    path = tmp_path / "a"
    content(path, kind, seconds)
    assert plain(path)
    assert parts(path, kind) == []


def test_numbers_of_flac_frames(tmp_path):
    """Blocks of all lengths that a last one can have, and numbers of one to three bytes."""
    rng = np.random.default_rng(0)
    path = tmp_path / "a.flac"
    lengths = [4096 * 20, *rng.integers(1, 4096 * 20, 20), 4096 * 200 + 5, 4096 * 3000 + 300]
    for rate in (48000, 44100, 37001):
        for length in lengths:
            sound = np.zeros(length)
            soundfile.write(path, sound, rate)
            assert streams._flac_frame(path, path.stat().st_size).behind == length
            assert plain(path)


@pytest.mark.parametrize("kind", sorted(set(CODECS) - {"caf", "rf64"}))
@pytest.mark.parametrize(("rate", "channels"), [(48000, 1), (24000, 1), (48000, 2)])
def test_joined_files(tmp_path, kind, rate, channels):
    path = tmp_path / "a"
    first = content(path, kind)
    second = content(path, kind, rate=rate, channels=channels)
    path.write_bytes(first + second + first)
    found = parts(path, kind)
    if kind == "mp3" and (rate, channels) == (48000, 1):
        assert plain(path)
        assert found == [(48000, 1, pytest.approx(15.0, abs=0.3))]
        return
    if kind in ("mp3", "flac"):
        assert not plain(path)
    assert [one[:2] for one in found] == [(48000, 1), (rate, channels), (48000, 1)]
    assert [one[2] for one in found] == pytest.approx([5.0] * 3, abs=0.1)


def test_joined_flacs_of_one_length_are_told_by_the_order_of_their_frames(tmp_path):
    path = tmp_path / "a.flac"
    one = content(path, "flac", 10.0)
    for count in range(2, 9):
        path.write_bytes(one * count)
        assert not plain(path), count


def test_chunks_behind_the_sound_are_none(tmp_path):
    """LIST behind `data`, of even and odd sizes; a byte that makes it even."""
    path = tmp_path / "a.wav"
    honest = content(path, "wav")
    odd = b"id3 \3\0\0\0ID3\0", b"\0", b"TAGTitle" + bytes(120), bytes(4096)
    for more in (b"LIST\4\0\0\0INFO", *odd, b"LIST\0\0\4\0" + bytes(1 << 18)):
        path.write_bytes(honest + more)
        assert parts(path, "wav") == []


@pytest.mark.parametrize(
    ("kind", "name", "form", "size"),
    [
        *(("wav", b"data", "<I", size) for size in (0, 2, 1000, 100_000)),
        *(("aiff", b"SSND", ">I", size) for size in (8, 1008)),
        *(("caf", b"data", ">q", size) for size in (1000, -1, 1 << 62)),
    ],
)
def test_sizes_that_are_too_small_or_unknown(tmp_path, kind, name, form, size):
    path = tmp_path / "a"
    path.write_bytes(sounds.chunk_size(content(path, kind), name, size, form))
    (part,) = streams.parts(path, "")
    assert (part.rate, part.channels) == (48000, 1)
    assert part.seconds == pytest.approx(5.0, abs=0.001)


@pytest.mark.parametrize("form", ["<Q", "<QQ"])  # The size of the file; that of its sound too.
@pytest.mark.parametrize("size", [0, 100, 48000, 1 << 40, (1 << 64) - 1])
def test_an_rf64_whose_64_bits_are_wrong(tmp_path, form, size):
    path = tmp_path / "a"
    data = bytearray(content(path, "rf64"))
    struct.pack_into(form, data, 28 if form == "<Q" else 20, *[size] * (len(form) - 1))
    path.write_bytes(data)
    ((*_, seconds),) = parts(path, "rf64")
    assert seconds == pytest.approx(5.0, abs=0.001)


@pytest.mark.parametrize("endian", ["BIG", "LITTLE"])
@pytest.mark.parametrize("size", [0, 100, 48000, (1 << 31) - 1])
def test_an_au_whose_size_is_wrong(tmp_path, endian, size):
    path = tmp_path / "a"
    soundfile.write(path, sounds.ladder(5.0, 48000), 48000, "PCM_16", endian, "AU")
    data = bytearray(path.read_bytes())
    struct.pack_into("<I" if endian == "LITTLE" else ">I", data, 8, size)
    path.write_bytes(data)
    assert parts(path, "au") == [(48000, 1, 5.0)]
    struct.pack_into("<I", data, 8, (1 << 32) - 1)  # libsndfile knows what this means.
    path.write_bytes(data + bytes(10))
    assert parts(path, "au") == []


@pytest.mark.parametrize("samples", [0, 1000, 48000 * 50])
def test_a_flac_that_says_another_length(tmp_path, samples):
    path = tmp_path / "a.flac"
    path.write_bytes(sounds.flac_total(content(path, "flac"), samples))
    assert parts(path, "flac") == [(48000, 1, 5.0)]


def test_a_flac_that_was_cut_ends_with_its_last_frame(tmp_path):
    path = tmp_path / "a.flac"
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 48000 * 5)
    whole = sounds.encoded(path, sound, 48000, "FLAC", "PCM_16")
    for share in (0.3, 0.5, 0.9):
        path.write_bytes(whole[: round(share * len(whole))])
        ((*_, seconds),) = parts(path, "flac")
        assert 5 * share - 0.2 < seconds < 5 * share
