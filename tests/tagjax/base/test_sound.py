"""Files whose headers lie, made in the test."""

import os
import struct

import numpy as np
import pytest
import soundfile

from tagjax.base import mpeg, sound

RATE = 44100


def wave(seconds, rate=RATE):
    return 0.1 * np.sin(0.05 * np.arange(round(seconds * rate)))


def write(path, seconds, form, subtype=None, rate=RATE, **more):
    soundfile.write(path, wave(seconds, rate), rate, format=form, subtype=subtype, **more)
    return path


def mp3(path, seconds, rate=RATE, **more):
    """An MP3 with a Xing header, as lame writes it."""
    return write(path, seconds, "MP3", "MPEG_LAYER_III", rate, **more)


def frames(content):
    """Where the frames of an MP3 of ours begin; the first is the Xing header."""
    place, found = 0, []
    while header := mpeg.header(content[place : place + 4]):
        found.append(place)
        place += header.length
    return [*found, len(content)]


def without_xing(path):
    content = path.read_bytes()
    path.write_bytes(content[frames(content)[1] :])
    return path


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        *(("WAV", subtype) for subtype in ("PCM_16", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM")),
        *(("AIFF", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS")),
        *(("CAF", "PCM_16"), ("W64", "PCM_16"), ("RF64", "PCM_16"), ("AU", "PCM_16")),
        ("MP3", "MPEG_LAYER_III"),
    ],
)
def test_honest_files(tmp_path, form, subtype):
    path = write(tmp_path / "x", 7.5, form, subtype, rate=48000)
    assert sound.duration(path) == pytest.approx(7.5, abs=0.1)  # ADPCM is padded to blocks.


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 1 << 30])
def test_a_wav_through_a_pipe(tmp_path, size):
    path = write(tmp_path / "x.wav", 10, "WAV", "PCM_16")
    content = bytearray(path.read_bytes())
    place = content.index(b"data")
    struct.pack_into("<I", content, place + 4, size)
    struct.pack_into("<I", content, 4, size)
    path.write_bytes(content)
    assert sound.duration(path) == pytest.approx(10.0)


def test_vbr_without_xing(tmp_path):
    quiet, loud = wave(30) * 0.0, 0.5 * np.random.default_rng(0).standard_normal(10 * RATE)
    path = tmp_path / "x.mp3"
    soundfile.write(path, np.concatenate([loud, quiet]), RATE, bitrate_mode="VARIABLE")
    without_xing(path)
    assert soundfile.info(path).duration < 20  # What a first bit rate suggests.
    assert sound.duration(path) == pytest.approx(40.0, abs=0.1)


def test_a_xing_header_of_another_length(tmp_path):
    path = mp3(tmp_path / "x.mp3", 30)
    content = path.read_bytes()
    starts = frames(content)
    path.write_bytes(content[: starts[len(starts) // 3]])  # Cut, as mp3splt does.
    assert sound.duration(path) == pytest.approx(10.0, abs=0.1)


@pytest.mark.parametrize("rate", [RATE, 24000])
def test_joined_mp3s(tmp_path, rate):
    first, second = mp3(tmp_path / "a.mp3", 10), mp3(tmp_path / "b.mp3", 20, rate)
    (tmp_path / "c.mp3").write_bytes(first.read_bytes() + second.read_bytes())
    assert sound.duration(tmp_path / "c.mp3") == pytest.approx(30.0, abs=0.2)


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        *(("OGG", "VORBIS"), ("OGG", "OPUS"), ("FLAC", "PCM_16"), ("WAV", "PCM_16")),
        *(("AIFF", "PCM_16"), ("AU", "PCM_16"), ("CAF", "PCM_16"), ("W64", "PCM_16")),
    ],
)
def test_joined_files_count_as_a_whole(tmp_path, form, subtype):
    first = write(tmp_path / "a", 10, form, subtype, 48000).read_bytes()
    second = write(tmp_path / "b", 20, form, subtype, 48000).read_bytes()
    (tmp_path / "c").write_bytes(first + second + first)
    assert sound.duration(tmp_path / "c") == pytest.approx(40.0, abs=0.2)
    if form in ("OGG", "FLAC"):  # Of a part that is cut off, what can be decoded counts.
        (tmp_path / "c").write_bytes(first + second[: len(second) // 2])
        assert sound.duration(tmp_path / "c") == pytest.approx(20.0, abs=3.0)


@pytest.mark.parametrize("form", ["AU", "RF64"])
def test_sizes_of_a_pipe(tmp_path, form):
    """Written before the length was known: 0, or all ones."""
    path = write(tmp_path / "x", 10, form, "PCM_16")
    content = bytearray(path.read_bytes())
    for size in (b"\0", b"\xff"):
        if form == "AU":
            content[8:12] = size * 4
        else:
            content[20:44] = size * 24
        path.write_bytes(content)
        assert sound.duration(path) == pytest.approx(10.0, abs=0.01)


def test_a_xing_header_that_agrees_is_believed(tmp_path, monkeypatch):
    path = mp3(tmp_path / "x.mp3", 20)
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    monkeypatch.delattr(mpeg, "sections")
    assert sound.duration(path) == pytest.approx(20.0, abs=0.01)


@pytest.mark.parametrize("seconds", [0.3, 1, 10])
@pytest.mark.parametrize("size", [20, 20_000, 400_000])
def test_tags_before_a_short_or_long_mp3(tmp_path, seconds, size):
    path = mp3(tmp_path / "x.mp3", seconds)
    tag = b"ID3\x04\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + bytes(size)
    path.write_bytes(tag + path.read_bytes())
    assert mpeg.is_counted(path)
    assert sound.duration(path) == pytest.approx(seconds, abs=0.03)


def test_tags_and_noise_between_frames_are_passed_over(tmp_path):
    path = without_xing(mp3(tmp_path / "x.mp3", 10))
    content = path.read_bytes()
    middle = frames(content)[150]
    head = b"ID3\x04\0\0\0\0\x08\0" + bytes(1024)
    noise = b"\xff\xfb" + bytes(998)
    tail = b"APETAGEX" + struct.pack("<III", 2000, 32, 0) + bytes(12) + b"TAG" + bytes(125)
    path.write_bytes(head + content[:middle] + noise + content[middle:] + tail)
    assert sound.duration(path) == pytest.approx(10.0, abs=0.2)


def test_a_flac_of_unknown_or_wrong_length(tmp_path):
    path = write(tmp_path / "x.flac", 10, "FLAC", "PCM_16")
    content = bytearray(path.read_bytes())
    for samples in (0, 100 * RATE):  # Bits 172 to 207 of the file.
        content[21] = content[21] & 0xF0
        content[22:26] = struct.pack(">I", samples)
        path.write_bytes(content)
        assert sound.duration(path) == pytest.approx(10.0, abs=0.1)


def test_a_file_cut_off_counts_as_far_as_it_goes(tmp_path):
    for form, subtype in [("FLAC", "PCM_16"), ("WAV", "PCM_16"), ("OGG", "VORBIS")]:
        path = tmp_path / f"x.{form}"
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, 20 * RATE)
        soundfile.write(path, noise, RATE, subtype, format=form)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        assert sound.duration(path) == pytest.approx(10.0, abs=0.6)


def test_ogg_pages_counted_from_another_start(tmp_path):
    path = write(tmp_path / "x.ogg", 10, "OGG", "VORBIS")
    content = bytearray(path.read_bytes())
    place = 0
    while (place := content.find(b"OggS", place)) >= 0:
        (granule,) = struct.unpack_from("<q", content, place + 6)
        if granule > 0:
            struct.pack_into("<q", content, place + 6, granule + 100 * RATE)
            struct.pack_into("<I", content, place + 22, 0)
            segments = content[place + 26]
            size = 27 + segments + sum(content[place + 27 : place + 27 + segments])
            struct.pack_into("<I", content, place + 22, crc(content[place : place + size]))
        place += 4
    path.write_bytes(content)
    assert sound.duration(path) == pytest.approx(10.0, abs=0.1)


def crc(page):
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


def test_what_is_no_sound(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp3")  # Would be waited for for ever.
    (tmp_path / "folder.mp3").mkdir()
    (tmp_path / "empty.mp3").touch()
    (tmp_path / "text.mp3").write_text("no sound at all, " * 100)
    (tmp_path / "text.raw").write_text("no sound")
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    write(tmp_path / "none.wav", 0, "WAV", "PCM_16")
    reasons = {}
    for path in tmp_path.iterdir():
        with pytest.raises(sound.SoundError) as caught:
            sound.duration(path)
        reasons[path.name] = str(caught.value)
    assert reasons == {
        "pipe.mp3": "not a file",
        "folder.mp3": "not a file",
        "empty.mp3": "empty file",
        "text.mp3": "Format not recognised",
        "text.raw": "no header",
        "loop.wav": "cannot be read: Too many levels of symbolic links",
        "none.wav": "no samples",
    }
    with pytest.raises(sound.SoundError, match="no such file"):
        sound.duration(tmp_path / "gone.mp3")


def test_c_libraries_are_silent(tmp_path, capfd):
    path = mp3(tmp_path / "x.mp3", 5)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = os.urandom(2000)
    path.write_bytes(content[:-3000])
    sound.duration(path)
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"
