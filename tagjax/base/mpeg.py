"""Frames of MPEG audio (MP3 and layers I and II), found by their headers without decoding.

ISO/IEC 11172-3 and 13818-3; MPEG 2.5 halves the sample rates once more.
"""

import dataclasses
import functools
import io
import itertools
import math
import os
import re
import struct
from typing import BinaryIO, NamedTuple

_BLOCK = 1 << 18
"""Bytes read at once."""
_AHEAD = 1 << 14
"""Bytes of a few frames."""
_CHAIN = 4
"""Frames that must follow each other before bytes are believed to be frames."""
_PREROLL = 96
"""Frames cut before those that are wanted, which need the bits that earlier ones had to spare: up
to 511 bytes of MPEG 1, 255 of MPEG 2, where frames of 8 kbit/s hold 3 of stereo."""
_TOLERANCE = 0.02
"""Share of the bytes by which a Xing header may miss the sound on disk."""

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBITS = {
    (1, 3): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 3): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""{(1 for MPEG 1 or 2 for 2 and 2.5, layer bits): kbit/s of index 1 to 14}."""


_SYNC = re.compile(rb"\xff[\xe2-\xff]|ID3[\x02-\x04]")
"""How a frame or an ID3v2 tag begins."""


class Format(NamedTuple):
    """What all frames of a section have in common."""

    rate: int
    """Hz."""
    channels: int
    samples: int
    """Of a frame, for each channel."""


class Header(NamedTuple):
    """Header of one frame."""

    length: int
    """Bytes of the frame, header included."""
    format: Format
    xing: int
    """Where in the frame a Xing header would be."""


@functools.lru_cache(maxsize=1 << 14)
def header(four: bytes) -> Header | None:
    """The frame that begins with these four bytes; None if none does.

    >>> header(bytes([0xFF, 0xFB, 0x90, 0x64]))
    Header(length=417, format=Format(rate=44100, channels=2, samples=1152), xing=36)
    """
    if len(four) < 4 or four[0] != 0xFF or four[1] < 0xE0:
        return None
    version, layer = four[1] >> 3 & 3, four[1] >> 1 & 3
    bits, rate = four[2] >> 4, four[2] >> 2 & 3
    if version == 1 or not layer or rate == 3 or not 0 < bits < 15:
        return None
    full, mono = version == 3, four[3] >> 6 == 3
    hertz = _RATES[version][rate]
    kbits = _KBITS[1 if full else 2, layer][bits - 1]
    padding = four[2] >> 1 & 1
    samples = 384 if layer == 3 else 1152 if full or layer == 2 else 576
    if layer == 3:  # Layer I, in slots of four bytes.
        length = (12000 * kbits // hertz + padding) * 4
    else:
        length = 125 * samples * kbits // hertz + padding
    side = (17 if mono else 32) if full else (9 if mono else 17)
    return Header(length, Format(hertz, 1 if mono else 2, samples), 4 + side)


@dataclasses.dataclass(frozen=True)
class Section:
    """Frames of one format that follow each other without a gap.

    Attributes:
      path: of their file.
      format: of the frames.
      places: where in the file each begins, and where the last one ends.
    """

    path: str | os.PathLike[str]
    format: Format
    places: list[int]

    @property
    def rate(self) -> int:
        """Hz."""
        return self.format.rate

    @property
    def channels(self) -> int:
        """1 or 2."""
        return self.format.channels

    @property
    def seconds(self) -> float:
        """Of sound."""
        return (len(self.places) - 1) * self.format.samples / self.format.rate

    @property
    def rate_of_bytes(self) -> float:
        """Bytes a second."""
        return (self.places[-1] - self.places[0]) / self.seconds

    def cut(self, start: float, stop: float) -> tuple[BinaryIO, float]:
        """A file of some frames, and the second in it that is `start`.

        Zeros behind them make the file so long that a decoder that estimates its length from its
        first frame and its bytes does not stop early.
        """
        hertz = self.format.rate / self.format.samples
        first = max(0, math.floor(start * hertz) - _PREROLL)
        last = max(first, min(len(self.places) - 1, math.ceil(stop * hertz) + 1))
        frames = self.places[first : last + 1]
        with open(self.path, "rb") as file:
            file.seek(frames[0])
            data = file.read(frames[-1] - frames[0])
        size = max((b - a for a, b in itertools.pairwise(frames)), default=0) * (last - first)
        return io.BytesIO(data.ljust(size, b"\0")), start - first / hertz


class _Window:
    """The part of a file that is being looked at."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begin, self.data = 0, b""

    def index(self, place: int) -> int:
        """Where in `data` the byte at `place` is; a few frames behind it are there too."""
        at = place - self._begin
        if not 0 <= at < len(self.data) - _AHEAD:
            self._file.seek(place)
            self._begin, self.data = place, self._file.read(_BLOCK)
            at = 0
        return at


def sections(path: str | os.PathLike[str], until: float = math.inf) -> list[Section]:
    """The frames of a file, in order; what is no frame is passed over.

    Args:
      path: of the file.
      until: seconds of sound after which no more sections are looked for.

    Raises:
      OSError: the file cannot be read.
    """
    found: list[Section] = []
    with open(path, "rb") as file:
        window, place, left = _Window(file), 0, until
        while left > 0 and (begin := _next_chain(window, place)) is not None:
            found.append(_followed(path, window, begin, left))
            place = found[-1].places[-1]
            left -= found[-1].seconds
    return [section for section in found if len(section.places) > 1]


def _next_chain(window: _Window, place: int) -> int | None:
    """Where the next frames begin, at or behind `place`; None where there are none."""
    while True:
        at = window.index(place)
        data = window.data
        last = len(data) - at <= _AHEAD  # All that is left of the file.
        stop = len(data) if last else len(data) - _AHEAD
        for match in _SYNC.finditer(data, at, stop + 3):
            begin = match.start()
            if size := _id3_size(data[begin : begin + 10]):
                place += begin - at + size
                break
            if _is_chain(data, begin):
                return place + begin - at
        else:
            if last:
                return None
            place += stop - at


def _is_chain(data: bytes, at: int) -> bool:
    """Whether `_CHAIN` frames of one format follow each other."""
    wanted = None
    for _ in range(_CHAIN):
        found = header(data[at : at + 4])
        if found is None or wanted not in (None, found.format):
            return False
        wanted = found.format
        at += found.length
    return True


def _id3_size(head: bytes) -> int:
    """Bytes of the ID3v2 tag that begins with these ten; 0 if none does."""
    if head[:3] != b"ID3" or len(head) < 10 or max(head[6:10]) > 0x7F:
        return 0
    size = functools.reduce(lambda size, byte: size << 7 | byte, head[6:10], 0)
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _followed(path: str | os.PathLike[str], window: _Window, place: int, seconds: float) -> Section:
    """The frames from `place` on until one is of another format, or at least `seconds` of them."""
    at = window.index(place)
    first = header(window.data[at : at + 4])
    assert first
    if has_xing(window.data[at : at + first.length], first):
        place, at = place + first.length, at + first.length  # Holds no sound.
    limit = min(1 << 40, seconds * first.format.rate / first.format.samples)
    places: list[int] = []
    lengths: dict[bytes, int] = {}
    data = window.data
    while len(places) < limit:
        four = data[at : at + 4]
        length = lengths.get(four)
        if length is None:
            if len(four) < 4:
                at = window.index(place)
                data = window.data
                four = data[at : at + 4]
            found = header(four)
            if found is None or found.format != first.format:
                break
            lengths[four] = length = found.length
        places.append(place)
        place += length
        at += length
    return Section(path, first.format, [*places, place])


def has_xing(frame: bytes, head: Header) -> bool:
    """Whether a frame holds a Xing or VBRI header, and so no sound."""
    return frame[head.xing : head.xing + 4] in (b"Xing", b"Info") or frame[36:40] == b"VBRI"


def is_counted(path: str | os.PathLike[str]) -> bool:
    """Whether the first frame counts the frames and bytes, and the bytes are those on disk.

    Raises:
      OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        window = _Window(file)
        begin = _next_chain(window, 0)
        if begin is None:
            return False
        at = window.index(begin)  # May read other data.
        frame = window.data[at : at + _AHEAD]
    head = header(frame[:4])
    assert head
    if frame[head.xing : head.xing + 4] in (b"Xing", b"Info"):
        flags, frames, size = struct.unpack_from(">III", frame, head.xing + 4)
        frames = frames if flags & 3 == 3 else 0
    elif frame[36:40] == b"VBRI":
        size, frames = struct.unpack_from(">II", frame, 46)
    else:
        return False
    on_disk = sound_bytes(path) - begin
    return bool(frames) and abs(size - on_disk) <= max(head.length, _TOLERANCE * on_disk)


def sound_bytes(path: str | os.PathLike[str]) -> int:
    """Bytes before the tags at the end: ID3v1, and APEv2 before it.

    Raises:
      OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 160))
        tail = file.read()
    if tail[-128:-125] == b"TAG":
        tail, end = tail[:-128], end - 128
    footer = tail[-32:]
    if footer[:8] == b"APETAGEX":
        size = int.from_bytes(footer[12:16], "little") + (32 if footer[23] & 0x80 else 0)
        end = max(0, end - size)
    return end
