"""Sound in a file that its header does not speak of, found and made readable for libsndfile.

Files are joined (one MP3, FLAC or Ogg stream behind another, of a broadcast or of a whole album),
and headers say too little: those that are written through a pipe, before the length is known, or by
a recorder that was switched off. libsndfile reads no further than the first header says.
"""

import dataclasses
import io
import itertools
import mmap
import os
import re
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Literal, NamedTuple

import soundfile

from tagjax.base import mpeg

_CHUNKS: dict[bytes, tuple[Literal["little", "big"], int, int, bytes]] = {
    b"RIFF": ("little", 12, 4, b"data"),
    b"RF64": ("little", 12, 4, b"data"),
    b"RIFX": ("big", 12, 4, b"data"),
    b"FORM": ("big", 12, 4, b"SSND"),
    b"caff": ("big", 8, 8, b"data"),
}
"""{magic: (byte order, place of the first chunk, bytes of a size, chunk with the sound)}."""
_DS64 = 20
"""Where in RF64 (EBU Tech 3306) the sizes of the file and of its sound are, in 64 bits."""
_AU: dict[bytes, Literal["little", "big"]] = {b".snd": "big", b"dns.": "little"}
_AU_UNKNOWN = b"\xff" * 4
"""The size of an AU file that says that it does not know it."""
_JUNK = 1 << 16
"""Bytes behind the sound, which may be tags of any kind, or zeros."""
_FLAC_WINDOW = 1 << 16
"""Bytes in which a frame is looked for."""
_FLAC_PLACES = (0.13, 0.29, 0.41, 0.53, 0.68, 0.83, 1.0)
"""Shares of a file at which frames are looked at."""
_FLAC_SAMPLES = (1 << 36) - 1
"""Bits of the number of samples in the header."""
_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Sound that is all the bytes from `begin` to `end` of a file, some of them corrected.

    Attributes:
      path: of the file.
      rate: Hz.
      channels: their number.
      seconds: of sound.
      begin: of its first byte.
      end: of the byte behind it; None is the end of the file.
      corrected: {place from `begin`: bytes that are to be there}.
    """

    path: str | os.PathLike[str]
    rate: int
    channels: int
    seconds: float
    begin: int = 0
    end: int | None = None
    corrected: Mapping[int, bytes] = dataclasses.field(default_factory=dict)

    def cut(self, start: float, stop: float) -> tuple[BinaryIO, float]:
        """A file with the sound from `start` to `stop`, and the second in it that is `start`."""
        del stop
        return _opened(self.path, self.begin, self.end, self.corrected), start


Part = mpeg.Section | Stretch
"""Sound of one format that lies together in a file."""


def is_plain(
    path: str | os.PathLike[str], file: soundfile.SoundFile, sections: Sequence[mpeg.Section]
) -> bool:
    """Whether libsndfile can be trusted with what it finds where.

    All frames of an MP3 must have one format: the others would be played at a wrong speed. A FLAC
    file must be one stream: in joined ones libFLAC seeks a second of one and may find that of
    another.

    Args:
      path: of the file.
      file: the same, open.
      sections: of an MP3, as far as they matter.

    Raises:
      OSError: the file cannot be read.
    """
    if file.format == "FLAC":
        return _is_one_flac(path, file.frames)
    own = file.samplerate, file.channels
    return all((section.rate, section.channels) == own for section in sections)


def parts(path: str | os.PathLike[str], kind: str) -> list[Part]:
    """All the sound of a file, in order; nothing if libsndfile finds all of it by itself.

    MPEG audio is always looked through, unless its frames do not say how long they are. Of Ogg and
    FLAC joined streams are found, of WAV, AIFF, CAF, AU and FLAC wrong lengths.

    Args:
      path: of the file.
      kind: its format in libsndfile's words, such as MP3.

    Raises:
      OSError: the file cannot be read.
      soundfile.LibsndfileError: what was found cannot be decoded.
    """
    if kind == "MP3":
        return list(mpeg.sections(path))
    with open(path, "rb") as file:
        magic = file.read(4)
    if magic == b"OggS":
        return _links(path)
    if magic == b"fLaC":
        return _flacs(path)
    if magic in _AU:
        return _aus(path, _AU[magic])
    return _chunked(path) if magic in _CHUNKS else []


def _opened(
    path: str | os.PathLike[str], begin: int, end: int | None, corrected: Mapping[int, bytes]
) -> BinaryIO:
    """The bytes from `begin` to `end`, corrected."""
    if not begin and end is None:
        whole = _mapped(path)
        for place, value in corrected.items():
            whole[place : place + len(value)] = value
        return whole  # type: ignore[return-value]  # It has all methods that count here.
    with open(path, "rb") as file:
        file.seek(begin)
        return io.BytesIO(file.read() if end is None else file.read(end - begin))


def _mapped(path: str | os.PathLike[str]) -> mmap.mmap:
    """A file, not read into memory; what is written into it stays with us."""
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)


def _stretch(
    path: str | os.PathLike[str],
    begin: int = 0,
    end: int | None = None,
    corrected: Mapping[int, bytes] | None = None,
) -> Stretch:
    """With what libsndfile says of it."""
    with (
        _opened(path, begin, end, corrected or {}) as content,
        soundfile.SoundFile(content) as file,
    ):
        seconds = file.frames / file.samplerate
        return Stretch(path, file.samplerate, file.channels, seconds, begin, end, corrected or {})


def _joined(path: str | os.PathLike[str], begins: list[int]) -> list[Part]:
    return [_stretch(path, *ends) for ends in itertools.pairwise([*begins, os.path.getsize(path)])]


def _links(path: str | os.PathLike[str]) -> list[Part]:
    """The streams of a chained Ogg file (RFC 3533, section 4); nothing if there is one."""
    begins, place, was_first = [], 0, False
    with _mapped(path) as data:
        while (place := data.find(b"OggS\0", place)) >= 0 and place + 27 <= len(data):
            is_first, segments = bool(data[place + 5] & 2), data[place + 26]
            if is_first and not was_first:
                begins.append(place)
            was_first = is_first
            place += 27 + segments + sum(data[place + 27 : place + 27 + segments])
    return _joined(path, begins) if len(begins) > 1 else []


def _flacs(path: str | os.PathLike[str]) -> list[Part]:
    """Joined FLAC streams, or one with the length that its last frame tells, if that is another."""
    with _mapped(path) as data:
        begins = [match.start() for match in _FLAC.finditer(data)]
    if len(begins) > 1:
        return _joined(path, begins)
    last = _flac_frame(path, os.path.getsize(path))
    with open(path, "rb") as file:
        total = int.from_bytes(file.read(26)[18:], "big")
    if last is None or last.behind == total & _FLAC_SAMPLES:
        return []
    known = total & ~_FLAC_SAMPLES
    whole = _stretch(path, corrected={18: (known | last.behind).to_bytes(8, "big")})
    with whole.cut(0.0, 0.0)[0] as content, soundfile.SoundFile(content) as file:
        try:
            file.seek(last.first)
            if len(file.read(last.behind - last.first)) == last.behind - last.first:
                return [whole]
        except soundfile.LibsndfileError:
            pass
    return [_stretch(path, corrected={18: (known | last.first).to_bytes(8, "big")})]


def _is_one_flac(path: str | os.PathLike[str], samples: int) -> bool:
    """Whether a few frames are of one format, and numbered in their order up to the last one."""
    size = os.path.getsize(path)
    frames = [_flac_frame(path, round(size * share)) for share in _FLAC_PLACES]
    found = [frame for frame in frames if frame is not None]
    numbers = [frame.behind for frame in found]
    return (
        numbers == sorted(numbers)
        and numbers[-1:] in ([], [samples])
        and len({frame.format for frame in found}) < 2
    )


class _FlacFrame(NamedTuple):
    """Header of a FLAC frame."""

    first: int
    """Number of its first sample."""
    behind: int
    """Number of the sample behind it."""
    format: tuple[int, int]
    """Codes of the sample rate and of the number of channels."""


def _flac_frame(path: str | os.PathLike[str], end: int) -> _FlacFrame | None:
    """The last frame before `end`."""
    with open(path, "rb") as file:
        fixed = int.from_bytes(file.read(10)[8:], "big")
        begin = max(0, end - _FLAC_WINDOW)
        file.seek(begin)
        data = file.read(end - begin)
    place = len(data)
    while (place := data.rfind(b"\xff", 0, place)) >= 0:
        found = _flac_header(data[place : place + 16].ljust(16), fixed)
        if found is not None:
            return found
    return None


def _flac_header(head: bytes, fixed: int) -> _FlacFrame | None:
    """The frame that begins so (RFC 9639, section 9.1); None if none does.

    Args:
      head: its first 16 bytes, which is as long as a header can be.
      fixed: samples of a block of the stream.
    """
    if head[1] not in (0xF8, 0xF9):
        return None
    code, rate, ones = head[2] >> 4, head[2] & 15, 8 - (head[4] ^ 0xFF).bit_length()
    if not code or rate == 15 or ones in (1, 8):
        return None
    number, place = head[4] & 0xFF >> ones, 4 + max(1, ones)  # Coded as UTF-8 codes letters.
    for byte in head[5:place]:
        number = number << 6 | byte & 0x3F
    if code in (6, 7):
        block = int.from_bytes(head[place : place + code - 5], "big") + 1
        place += code - 5
    else:
        block = 192 if code == 1 else 576 << code - 2 if code < 6 else 256 << code - 8
    place += (rate > 11) + (rate > 12)
    if _crc8(head[:place]) != head[place]:
        return None
    first = number if head[1] & 1 else number * fixed
    channels = head[3] >> 4
    return _FlacFrame(first, first + block, (rate, 1 if channels > 7 else channels))


def _crc8(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ (0x107 if crc & 0x80 else 0)
    return crc


class _Chunks:
    """The chunks of a file: a name, the size, and as many bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.size = file, file.seek(0, os.SEEK_END)
        file.seek(0)
        self.magic = file.read(4)
        self.order, self.first, self.width, self.wanted = _CHUNKS[self.magic]

    def at(self, place: int) -> tuple[bytes, int, int]:
        """Name and size of the chunk at a place, and the place behind it."""
        self._file.seek(min(place, self.size))
        name, size = self._file.read(4), int.from_bytes(self._file.read(self.width), self.order)
        even = size & 1 if self.width == 4 else 0
        return name, size, place + 4 + self.width + size + even

    def sound_size(self, place: int) -> int:
        """Bytes of sound that the file says it has, of the chunk at a place."""
        if self.magic != b"RF64":
            return self.at(place)[1]
        self._file.seek(_DS64 + 8)
        return int.from_bytes(self._file.read(8), self.order)

    def files(self) -> list[int]:
        """Where files begin that are joined; the end of the last, if that is the end of all."""
        begins = [0]
        while self.width == 4 and self.at(begins[-1])[0] == self.magic:
            begins.append(self.at(begins[-1])[2])
        return begins

    def sound(self) -> int | None:
        """Where the chunk with the sound is."""
        place = self.first
        while place < self.size:
            name, _, end = self.at(place)
            if name == self.wanted:
                return place
            place = end
        return None


def _chunked(path: str | os.PathLike[str]) -> list[Part]:
    """Joined files of chunks, or one in which what follows the sound is no chunk, so sound too."""
    with open(path, "rb") as file:
        chunks = _Chunks(file)
        files, place = chunks.files(), chunks.sound()
        if len(files) > 2:
            return _joined(path, files[:-1])
        if place is None:
            return []
        size, begin = chunks.sound_size(place), place + 4 + chunks.width
        left = chunks.size - begin
        if size > left:
            if chunks.width == 4 and chunks.magic != b"RF64":
                return []  # libsndfile reads to the end.
        else:
            name, following, _ = chunks.at(begin + size + (size & 1 if chunks.width == 4 else 0))
            is_chunk = len(name) == 4 and all(32 <= letter < 127 for letter in name)
            is_junk = left - size < (_JUNK if size else 1)
            if is_junk or (is_chunk and following <= chunks.size - begin - size):
                return []
    if chunks.magic == b"RF64":
        sizes = (chunks.size - 8, left)
        return [_stretch(path, corrected={_DS64: b"".join(n.to_bytes(8, "little") for n in sizes)})]
    value = min(left, (1 << 8 * chunks.width) - 1).to_bytes(chunks.width, chunks.order)
    return [_stretch(path, corrected={place + 4: value})]


def _aus(path: str | os.PathLike[str], order: Literal["little", "big"]) -> list[Part]:
    """Joined AU files, or one whose size is not what is there."""
    whole, begins, sizes = os.path.getsize(path), [0], []
    with open(path, "rb") as file:
        while file.read(4) in _AU:
            head, size = (int.from_bytes(file.read(4), order) for _ in range(2))
            sizes.append((head, size))
            begins.append(begins[-1] + max(head, 24) + size)
            file.seek(begins[-1])
    if len(sizes) > 1:
        return _joined(path, begins[: len(sizes)])
    ((head, size),) = sizes
    left = whole - head
    is_right = size.to_bytes(4, order) == _AU_UNKNOWN or size <= left < size + (
        _JUNK if size else 1
    )
    return [] if is_right else [_stretch(path, corrected={8: _AU_UNKNOWN})]
