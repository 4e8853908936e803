import numpy as np
import pytest
import soundfile
import sounds

from tagjax.base import mpeg


def mp3(path, seconds=10.0, rate=44100, channels=1, **more):
    sound = sounds.ladder(seconds, rate, channels=channels)
    sound += np.random.default_rng(0).normal(0, 0.05, sound.shape)
    return sounds.encoded(path, sound, rate, "MP3", "MPEG_LAYER_III", **more)


def described(path, until=np.inf):
    return [(one.rate, one.channels, len(one.places) - 1) for one in mpeg.sections(path, until)]


@pytest.mark.parametrize(
    ("four", "length", "rate", "channels", "samples"),
    [
        ("ff fb 90 00", 417, 44100, 2, 1152),  # MPEG 1, layer III, 128 kbit/s.
        ("ff fb 92 c0", 418, 44100, 1, 1152),  # The same with padding, mono.
        ("ff f3 44 c0", 96, 24000, 1, 576),  # MPEG 2, layer III, 32 kbit/s.
        ("ff e3 18 c4", 72, 8000, 1, 576),  # MPEG 2.5, layer III, 8 kbit/s.
        ("ff fd c0 00", 835, 44100, 2, 1152),  # Layer II, 256 kbit/s.
        ("ff ff a4 00", 320, 48000, 2, 384),  # Layer I, 320 kbit/s.
    ],
)
def test_headers_of_the_standard(four, length, rate, channels, samples):
    found = mpeg.header(bytes.fromhex(four))
    assert (found.length, *found.format) == (length, rate, channels, samples)


@pytest.mark.parametrize("four", ["ff fb 00 00", "ff fb f0 00", "ff fb 9c 00", "ff eb 90 00"])
def test_what_is_no_header(four):
    """Free format, bit rate 15, sample rate 3, version 1; ADTS AAC; and too little of one."""
    assert mpeg.header(bytes.fromhex(four)) is None
    assert mpeg.header(bytes.fromhex("ff f1 50 80")) is None
    assert mpeg.header(b"\xff\xfb\x90") is None


@pytest.mark.parametrize("rate", [8000, 22050, 24000, 32000, 44100, 48000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_all_frames_of_an_mp3(tmp_path, rate, channels, mode):
    path = tmp_path / "a.mp3"
    mp3(path, rate=rate, channels=channels, bitrate_mode=mode)
    (section,) = mpeg.sections(path)
    assert (section.rate, section.channels) == (rate, channels)
    # Encoders pad at both ends.
    assert 0 <= section.seconds * rate - soundfile.info(path).frames <= 4096
    assert section.places[-1] == path.stat().st_size


def test_no_more_is_looked_at_than_asked_for(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(mp3(path) + mp3(path, rate=24000))
    assert described(path, 5.0) == [(44100, 1, 192)]
    assert [rate for rate, *_ in described(path, 12.0)] == [44100, 24000]


def test_what_is_no_frame_is_passed_over(tmp_path):
    path = tmp_path / "a.mp3"
    content = sounds.without_xing(mp3(path))
    starts = sounds.mpeg_frames(content)
    rng = np.random.default_rng(0)
    tag = b"ID3\x04\0\0\0\x10\0\0" + rng.bytes(0x10 << 14)
    noise = rng.bytes(300_000) + b"\xff\xfb\x90\x64" * 3 + b"ID3\x03ID3" + rng.bytes(1000)
    end = b"TAG" + bytes(125)
    parts = content[: starts[100]], content[starts[100] : starts[200]], content[starts[200] :]
    path.write_bytes(tag + parts[0] + noise + parts[1] + tag + tag + parts[2] + end)
    assert described(path) == [(44100, 1, n) for n in (100, 100, len(starts) - 201)]
    # A tag without an end, or of a size that no tag has.
    path.write_bytes(parts[0] + b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + parts[1])
    assert described(path) == [(44100, 1, 100)]
    path.write_bytes(parts[0] + b"ID3\x04\0\0\xff\xff\xff\xff" + parts[1])
    assert described(path) == [(44100, 1, 100)] * 2
    path.write_bytes(noise)
    assert described(path) == []


def test_a_bit_that_flips_in_a_header_is_no_change_of_format(tmp_path):
    path = tmp_path / "a.mp3"
    content = mp3(path)
    starts = sounds.mpeg_frames(content)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        damaged = bytearray(content)
        damaged[starts[rng.integers(10, 200)] + rng.integers(1, 4)] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        found = described(path)
        assert {one[:2] for one in found} == {(44100, 1)}
        assert sum(one[2] for one in found) >= len(starts) - 2 - 4


@pytest.mark.parametrize("rate", [44100, 24000])
@pytest.mark.parametrize("level", [0.5, 0.99])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_cut_frames_decode_to_what_is_there(tmp_path, rate, mode, level):
    """Against a decode of the whole file, which begins at its first frame if it has no Xing."""
    path = tmp_path / "a.mp3"
    more = {"bitrate_mode": mode, "compression_level": level}
    path.write_bytes(sounds.without_xing(mp3(path, 12.0, rate, 2, **more)))
    (section,) = mpeg.sections(path)
    whole = tmp_path / "whole.mp3"
    whole.write_bytes(path.read_bytes() + bytes(1 << 20))  # So that none is left undecoded.
    with soundfile.SoundFile(whole) as file:
        file.seekable = lambda: False
        expected = file.read(round(section.seconds * rate), dtype="float32")
    assert len(expected) == round(section.seconds * rate)
    for start, stop in ((0.0, 1.0), (0.013, 0.5), (3.3, 7.7), (11.0, section.seconds)):
        content, at = section.cut(start, stop)
        with soundfile.SoundFile(content) as file:
            assert file.frames >= round((at + stop - start) * rate) - 1
            file.seekable = lambda: False
            file.read(round(at * rate))
            found = file.read(round((stop - start) * rate), dtype="float32")
        first = round(start * rate)
        assert len(found) == round((stop - start) * rate)
        np.testing.assert_allclose(found, expected[first : first + len(found)], atol=1e-5)


def test_a_count_is_believed_if_the_bytes_are_there(tmp_path):
    path = tmp_path / "a.mp3"
    content = mp3(path)
    assert mpeg.is_counted(path)
    path.write_bytes(content + b"TAG" + bytes(125))
    assert mpeg.is_counted(path)
    for other in (content * 2, content[: len(content) // 2], sounds.without_xing(content), b"x"):
        path.write_bytes(other)
        assert not mpeg.is_counted(path)
