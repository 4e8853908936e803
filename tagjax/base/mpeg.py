"""Frames of MPEG audio (MP3 and layers I and II), found by their headers without decoding.

ISO/IEC 11172-3 and 13818-3; MPEG 2.5 halves the sample rates once more.
"""

import dataclasses
import functools
import io
import math
import os
import re
from typing import BinaryIO, NamedTuple

import numpy as np

_BLOCK = 1 << 18
"""Bytes read at once."""
_AHEAD = 1 << 14
"""Bytes of a few frames."""
_CHAIN = 4
"""Frames that must follow each other before bytes are believed to be frames."""
_PREROLL = 32
"""Frames decoded before those that are wanted, which need the bits that earlier ones had to spare:
up to 511 bytes of MPEG 1, 255 of MPEG 2, or 23 frames of the lowest bit rate."""

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
      places: int64 [frames + 1], where in the file each begins, and where the last one ends.
    """

    path: str | os.PathLike[str]
    format: Format
    places: np.ndarray

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
        size = int(np.diff(frames).max(initial=0)) * (last - first)
        return io.BytesIO(data.ljust(size, b"\0")), start - first / hertz


class _Window:
    """The part of a file that is being looked at."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begin, self.data = 0, b""

    def index(self, place: int) -> int:
        """Where in `data` the byte at `place` is; a few frames behind it are there too."""
        at = place - self._begin
        if not 0 <= at <= len(self.data) - _AHEAD:
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
    with open(path, "rb", buffering=0) as file:
        window, place, left = _Window(file), 0, until
        while left > 0 and (begin := _next_chain(window, place)) is not None:
            found.append(_followed(path, window, begin, left))
            place = int(found[-1].places[-1])
            left -= found[-1].seconds
    return [section for section in found if len(section.places) > 1]


def _next_chain(window: _Window, place: int) -> int | None:
    """Where the next frames begin, at or behind `place`; None where there are none."""
    while True:
        at = window.index(place)
        data = window.data
        if data[at : at + 3] == b"ID3" and len(data) >= at + 10:
            place += _id3_size(data[at : at + 10])
            continue
        if len(data) - at <= 4:
            return None
        last = len(data) - at < _AHEAD  # No more than this is left of the file.
        stop = len(data) if last else len(data) - _AHEAD + 1
        for match in _SYNC.finditer(data, at, stop):
            if _is_chain(data, match.start()):
                return place + match.start() - at
            if data[match.start() : match.start() + 3] == b"ID3":
                stop = match.start()
                break
        else:
            if last:
                return None
        place += stop - at


_SYNC = re.compile(rb"\xff[\xe2-\xff]|ID3[\x02-\x04]", re.DOTALL)


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
    """Bytes of the ID3v2 tag that begins with these ten."""
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _followed(
    path: str | os.PathLike[str], window: _Window, place: int, seconds: float
) -> Section:
    """The frames from `place` on until one is of another format, or at least `seconds` of them."""
    at = window.index(place)
    first = header(window.data[at : at + 4])
    assert first
    if has_xing(window.data[at : at + first.length], first):
        place, at = place + first.length, at + first.length  # Holds no sound.
    limit = min(1 << 40, seconds * first.format.rate / first.format.samples)
    places, lengths = [], dict[bytes, int]()
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
    return Section(path, first.format, np.array([*places, place], np.int64))


def has_xing(frame: bytes, head: Header) -> bool:
    """Whether a frame holds a Xing or VBRI header, and so no sound."""
    return (
        frame[head.xing : head.xing + 4] in (b"Xing", b"Info") or frame[36:40] == b"VBRI"
    )
