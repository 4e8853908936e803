"""Finds sound that a file's header does not mention, and makes it readable for libsndfile.

libsndfile reads no further than the first header says. That misses sound in two cases. Some files
are joined: one MP3, FLAC or Ogg stream follows another, as in a broadcast or a whole album. Some
headers give too short a length: the file was written through a pipe before the length was known, or
the recorder was switched off.
"""

import dataclasses
import io
import itertools
import mmap
import os
import re
from collections.abc import Mapping
from typing import BinaryIO, Literal

import soundfile

from tagjax.base import mpeg

_CHUNKS: dict[bytes, tuple[Literal["little", "big"], int, int, bytes]] = {
    b"RIFF": ("little", 12, 4, b"data"),
    b"RIFX": ("big", 12, 4, b"data"),
    b"FORM": ("big", 12, 4, b"SSND"),
    b"caff": ("big", 8, 8, b"data"),
}
"""{magic: (byte order, offset of the first chunk, bytes of a size, chunk with the sound)}."""
_FLAC_WINDOW = 1 << 16
"""Number of bytes searched for a frame."""
_FLAC_SAMPLES = (1 << 36) - 1
"""Mask of the header's bits that hold the number of samples."""
_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Sound in the bytes from `begin` to `end` of a file, some of which are corrected.

    Attributes:
      path: path of the file.
      rate: sample rate in Hz.
      channels: number of channels.
      seconds: duration of the sound.
      begin: offset of the first byte.
      end: offset after the last byte; None is the end of the file.
      corrected: {offset from `begin`: the right bytes}.
    """

    path: str | os.PathLike[str]
    rate: int
    channels: int
    seconds: float
    begin: int = 0
    end: int | None = None
    corrected: Mapping[int, bytes] = dataclasses.field(default_factory=dict)

    def cut(self, start: float, stop: float) -> tuple[BinaryIO, float]:
        """A file with the sound from `start` to `stop`, and where `start` is in it, in seconds."""
        del stop
        return _opened(self.path, self.begin, self.end, self.corrected), start


Part = mpeg.Section | Stretch
"""A part of a file with sound of one format."""


def is_plain(path: str | os.PathLike[str], file: soundfile.SoundFile, until: float) -> bool:
    """Whether libsndfile can be trusted with what it finds before `until` seconds.

    All MP3 frames up to there must have one format, because libsndfile would play the others at a
    wrong speed. A FLAC file must be one stream, because libFLAC may seek into the wrong one of
    joined streams.

    Raises:
      OSError: the file cannot be read.
    """
    if file.format == "MP3":
        expected = file.samplerate, file.channels
        return all((s.rate, s.channels) == expected for s in mpeg.sections(path, until))
    return file.format != "FLAC" or _is_one_flac(path, file.frames)


def parts(path: str | os.PathLike[str], kind: str) -> list[Part]:
    """All the sound of a file, in order; nothing if libsndfile finds all of it by itself.

    MPEG audio is always searched, unless its frames do not say how long they are. Joined streams
    are found in Ogg and FLAC files, wrong lengths in WAV, AIFF, CAF and FLAC files.

    Args:
      path: path of the file.
      kind: libsndfile's name of the format, such as MP3.

    Raises:
      OSError: the file cannot be read.
      soundfile.LibsndfileError: a part that was found cannot be decoded.
    """
    if kind == "MP3":
        return list(mpeg.sections(path))
    with open(path, "rb") as file:
        magic = file.read(4)
    if magic == b"OggS":
        return _links(path)
    if magic == b"fLaC":
        return _flacs(path)
    return _chunked(path) if magic in _CHUNKS else []


def _opened(
    path: str | os.PathLike[str], begin: int, end: int | None, corrected: Mapping[int, bytes]
) -> BinaryIO:
    """The bytes from `begin` to `end`, corrected."""
    with open(path, "rb") as file:
        if not begin and end is None:  # Not read into memory; corrections do not reach the disk.
            whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            for place, value in corrected.items():
                whole[place : place + len(value)] = value
            return whole  # type: ignore[return-value]  # It has all methods that are used here.
        file.seek(begin)
        return io.BytesIO(file.read() if end is None else file.read(end - begin))


def _stretch(
    path: str | os.PathLike[str],
    begin: int = 0,
    end: int | None = None,
    corrected: Mapping[int, bytes] | None = None,
) -> Stretch:
    """The stretch, with the rate, channels and length that libsndfile reports."""
    with (
        _opened(path, begin, end, corrected or {}) as content,
        soundfile.SoundFile(content) as file,
    ):
        seconds = file.frames / file.samplerate
        return Stretch(path, file.samplerate, file.channels, seconds, begin, end, corrected or {})


def _joined(path: str | os.PathLike[str], begins: list[int]) -> list[Part]:
    return [_stretch(path, *ends) for ends in itertools.pairwise([*begins, os.path.getsize(path)])]


def _links(path: str | os.PathLike[str]) -> list[Part]:
    """The streams of a chained Ogg file (RFC 3533, section 4); nothing if there is only one."""
    with open(path, "rb") as file:
        data = file.read()
    begins, place, was_first = [], 0, False
    while (place := data.find(b"OggS\0", place)) >= 0 and place + 27 <= len(data):
        is_first, segments = bool(data[place + 5] & 2), data[place + 26]
        if is_first and not was_first:
            begins.append(place)
        was_first = is_first
        place += 27 + segments + sum(data[place + 27 : place + 27 + segments])
    return _joined(path, begins) if len(begins) > 1 else []


def _flacs(path: str | os.PathLike[str]) -> list[Part]:
    """Joined FLAC streams, or one stream whose length is corrected by its last frame."""
    with open(path, "rb") as file:
        begins = [match.start() for match in _FLAC.finditer(file.read())]
    if len(begins) > 1:
        return _joined(path, begins)
    last = _flac_frame(path, os.path.getsize(path))
    with open(path, "rb") as file:
        total = int.from_bytes(file.read(26)[18:], "big")
    if last is None or last[1] == total & _FLAC_SAMPLES:
        return []
    known = total & ~_FLAC_SAMPLES
    whole = _stretch(path, corrected={18: (known | last[1]).to_bytes(8, "big")})
    with whole.cut(0.0, 0.0)[0] as content, soundfile.SoundFile(content) as file:
        try:
            file.seek(last[0])
            if len(file.read(last[1] - last[0])) == last[1] - last[0]:
                return [whole]
        except soundfile.LibsndfileError:
            pass
    return [_stretch(path, corrected={18: (known | last[0]).to_bytes(8, "big")})]


def _is_one_flac(path: str | os.PathLike[str], samples: int) -> bool:
    """Whether the numbers of a few frames ascend, and the last one ends at `samples`."""
    size = os.path.getsize(path)
    frames = [_flac_frame(path, size * quarter // 4) for quarter in (1, 2, 3, 4)]
    numbers = [frame[1] for frame in frames if frame is not None]
    return numbers == sorted(numbers) and numbers[-1:] in ([], [samples])


def _flac_frame(path: str | os.PathLike[str], end: int) -> tuple[int, int] | None:
    """Numbers of the first sample of the last frame before `end`, and of the sample after it."""
    with open(path, "rb") as file:
        fixed = int.from_bytes(file.read(10)[8:], "big")
        begin = max(0, end - _FLAC_WINDOW)
        file.seek(begin)
        data = file.read(end - begin)
    place = len(data)
    while (place := data.rfind(b"\xff", 0, place)) >= 0:
        found = _flac_numbers(data[place : place + 16], fixed)
        if found is not None:
            return found
    return None


def _flac_numbers(head: bytes, fixed: int) -> tuple[int, int] | None:
    """Numbers of a frame's first sample, and of the sample after it (RFC 9639, section 9.1).

    Args:
      head: the first 16 bytes of the frame.
      fixed: samples in a block of the stream.
    """
    if len(head) < 16 or head[1] not in (0xF8, 0xF9):
        return None
    ones = 8 - (head[4] ^ 0xFF).bit_length()  # The number is coded like a letter in UTF-8.
    number, place = head[4] & 0xFF >> ones, 4 + max(1, ones)
    for byte in head[5:place]:
        number = number << 6 | byte & 0x3F
    code, rate = head[2] >> 4, head[2] & 15
    if code in (6, 7):
        block = int.from_bytes(head[place : place + code - 5], "big") + 1
        place += code - 5
    else:
        block = 192 if code == 1 else 576 << code - 2 if code < 6 else 256 << code - 8
    place += (rate > 11) + (rate > 12)
    if ones in (1, 8) or not code or rate == 15 or _crc8(head[:place]) != head[place]:
        return None
    first = number if head[1] & 1 else number * fixed
    return first, first + block


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ (0x107 if crc & 0x80 else 0)
    return crc


def _chunked(path: str | os.PathLike[str]) -> list[Part]:
    """Joined files of chunks, or one file whose sound goes on past the length in its header.

    The bytes after the sound are sound too if they do not begin a chunk.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        magic = file.read(4)
        order, place, width, sound_name = _CHUNKS[magic]

        def chunk(place: int) -> tuple[bytes, int]:
            file.seek(place)
            return file.read(4), int.from_bytes(file.read(width), order)

        begins = [0]
        while width == 4 and chunk(begins[-1])[0] == magic:
            begins.append(begins[-1] + 8 + _even(chunk(begins[-1])[1]))
        if len(begins) > 2:
            return _joined(path, begins[:-1])
        name, length = chunk(place)
        while name != sound_name:
            place += 4 + width + (_even(length) if width == 4 else length)
            if place >= size:
                return []
            name, length = chunk(place)
        begin = place + 4 + width
        left = size - begin
        if length >= left - 1 and (width == 4 or length <= left):
            return []  # libsndfile reads to the end.
        name, following = chunk(begin + _even(min(length, left)))
    is_chunk = len(name) == 4 and all(32 <= letter < 127 for letter in name)
    if is_chunk and following <= left - length:
        return []
    value = min(left, (1 << 8 * width) - 1)
    return [_stretch(path, corrected={place + 4: value.to_bytes(width, order)})]


def _even(length: int) -> int:
    return length + (length & 1)
