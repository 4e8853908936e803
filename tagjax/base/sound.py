"""How long a file of sound is: measured, as headers are often wrong.

Known liars are WAV files that were written through a pipe, Ogg streams cut out of a broadcast, MP3
files with a variable bit rate and no Xing header, or with that of the file they were cut from.
"""

import contextlib
import mmap
import os
import stat
import sys
from collections.abc import Iterator
from typing import NamedTuple

import soundfile

_LONGEST = 1 << 40
"""Frames; a header that says more says that it does not know."""
_BLOCK = 1024
"""Frames that are decoded at once: of a block with an error in it, none would be counted."""
_TAIL = 0.5
"""Seconds at the end that must be there for a header to be believed."""
_TOLERANCE = 0.02
"""Share of the bytes by which a Xing header may miss the sound on disk."""

_SYSTEM_FOLDERS = frozenset(
    {"@eadir", "__macosx", "#recycle", "@recycle", "$recycle.bin", "recycler", "lost+found"}
    | {"system volume information", "#snapshot", "@tmp", "@sharebin"}
)


class SoundError(Exception):
    """A file that holds no sound that can be decoded; its message is the reason."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is none that a person put there to be heard.

    Names that begin with a dot, and folders of network drives, wastebaskets and archives of macOS.

    >>> [is_hidden(name) for name in (".trash", "@eaDir", "__MACOSX", "Best of")]
    [True, True, True, False]
    """
    return name.startswith(".") or name.casefold() in _SYSTEM_FOLDERS


def check_file(path: str | os.PathLike[str]) -> None:
    """Refuses what is no file with something in it; a named pipe would be waited for for ever.

    Raises:
      SoundError: no such file, not a file, an empty one, or one that may not be looked at.
    """
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: NUL
        raise SoundError("no such file") from None
    except OSError as error:
        raise SoundError(f"cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise SoundError("not a file")
    if not found.st_size:
        raise SoundError("empty file")


def duration(path: str | os.PathLike[str]) -> float:
    """Seconds of sound that can be decoded.

    Of MP3 the frames are counted, unless a Xing header agrees with the bytes on disk. Of other
    formats the header is believed if the last half second that it promises is there; else the
    whole file is decoded. A file that is damaged on its way counts as far as it can be decoded.

    Args:
      path: of a file in any format that libsndfile knows by its content.

    Raises:
      SoundError: as `check_file`; not decodable; no samples.
    """
    check_file(path)
    with quiet(), opened(path) as file:
        rate, frames = file.samplerate, file.frames
        if not rate:
            raise SoundError("no sample rate")
        seconds = _mpeg_seconds(path) if file.format == "MP3" else None
        if seconds is None:
            believed = 0 < frames < _LONGEST and _ends_at(file, frames)
            seconds = (frames if believed else _decoded(path)) / rate
    if not seconds:
        raise SoundError("no samples")
    return seconds


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[soundfile.SoundFile]:
    """The file, open to be decoded.

    Raises:
      SoundError: libsndfile cannot decode it, here or inside the block.
    """
    try:
        with soundfile.SoundFile(path) as file:
            yield file
    except TypeError:  # soundfile asks what a .raw file holds.
        raise SoundError("no header") from None
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = getattr(error, "error_string", str(error)).strip().rstrip(".")
        if "does not exist" in reason:  # libsndfile's word for text that is named .mp3.
            reason = "Format not recognised"
        raise SoundError(reason) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps C libraries from writing to stderr, as mpg123 does of every odd frame."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # There is no stderr.
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _ends_at(file: soundfile.SoundFile, frames: int) -> bool:
    """Whether the last samples that the header promises are there."""
    tail = min(frames, round(_TAIL * file.samplerate) or 1)
    try:
        file.seek(frames - tail)
        return len(file.read(tail, dtype="float32")) == tail
    except (soundfile.LibsndfileError, RuntimeError):
        return False


def _decoded(path: str | os.PathLike[str]) -> int:
    """Frames until the end, or until the first that cannot be decoded."""
    frames = 0
    with opened(path) as file:
        try:
            while number := len(file.read(_BLOCK, dtype="float32")):
                frames += number
        except (soundfile.LibsndfileError, RuntimeError):
            pass
    return frames


class MpegHeader(NamedTuple):
    """Header of one MPEG audio frame."""

    length: int
    """Bytes of the frame, header included."""
    samples: int
    """For each channel."""
    rate: int
    """Hz."""
    xing: int
    """Where a Xing header would be in the frame."""


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


def _header(second: int, third: int, fourth: int) -> MpegHeader | None:
    """The frame that bytes 2 to 4 of its header describe; None if they are no header."""
    version, layer = second >> 3 & 3, second >> 1 & 3
    bits, rate = third >> 4, third >> 2 & 3
    if second < 0xE0 or version == 1 or not layer or rate == 3 or not 0 < bits < 15:
        return None
    full = version == 3
    hertz = _RATES[version][rate]
    kbits = _KBITS[1 if full else 2, layer][bits - 1]
    padding = third >> 1 & 1
    side = (17 if fourth >> 6 == 3 else 32) if full else (9 if fourth >> 6 == 3 else 17)
    if layer == 3:  # Layer I, in slots of four bytes.
        return MpegHeader((12000 * kbits // hertz + padding) * 4, 384, hertz, 4 + side)
    samples = 1152 if full or layer == 2 else 576
    return MpegHeader(125 * samples * kbits // hertz + padding, samples, hertz, 4 + side)


_HEADERS = {
    bytes([second, third]): header
    for second in range(0xE0, 0x100)
    for third in range(0x100)
    if (header := _header(second, third, 0))
}


def _mpeg_seconds(path: str | os.PathLike[str]) -> float | None:
    """Seconds of the frames of an MP3 file, each at its own rate.

    None where the header can be believed, and where frames cannot be told apart, as those of free
    format, whose headers do not say how long they are.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begin = _next_frame(data, _behind_id3(data))
        return None if begin < 0 or _xing_agrees(data, begin) else _scanned(data, begin)


def _behind_id3(data: mmap.mmap) -> int:
    """Where the ID3v2 tags at the beginning end."""
    place = 0
    while data[place : place + 3] == b"ID3" and len(data) >= place + 10:
        size = 0
        for byte in data[place + 6 : place + 10]:
            size = size << 7 | byte & 0x7F
        place += 10 + size + (10 if data[place + 5] & 0x10 else 0)
    return place


def _next_frame(data: mmap.mmap, place: int) -> int:
    """Where the next frame begins that another one, or the end, follows; -1 where none does."""
    while (place := data.find(b"\xff", place)) >= 0:
        header = _HEADERS.get(data[place + 1 : place + 3])
        if header:
            behind = place + header.length
            if behind == len(data) or (
                data[behind : behind + 1] == b"\xff" and data[behind + 1 : behind + 3] in _HEADERS
            ):
                return place
        place += 1
    return -1


def _xing_agrees(data: mmap.mmap, begin: int) -> bool:
    """Whether the first frame counts the frames and bytes, and the bytes are those on disk."""
    header = _header(*data[begin + 1 : begin + 4])
    assert header
    place = begin + header.xing
    flags = int.from_bytes(data[place + 4 : place + 8], "big")
    if data[place : place + 4] in (b"Xing", b"Info") and flags & 3 == 3:
        bytes_at, frames_at = place + 12, place + 8
    elif data[begin + 36 : begin + 40] == b"VBRI":
        bytes_at, frames_at = begin + 46, begin + 50
    else:
        return False
    frames, size = (int.from_bytes(data[at : at + 4], "big") for at in (frames_at, bytes_at))
    on_disk = _end(data) - begin
    return bool(frames) and abs(size - on_disk) <= max(header.length, _TOLERANCE * on_disk)


def _end(data: mmap.mmap) -> int:
    """Where the tags at the end begin: ID3v1, and APEv2 before it."""
    end = len(data)
    if data[max(0, end - 128) :][:3] == b"TAG":
        end -= 128
    footer = data[max(0, end - 32) : end]
    if footer[:8] == b"APETAGEX":
        size = int.from_bytes(footer[12:16], "little") + (32 if footer[23] & 0x80 else 0)
        end = max(0, end - size)
    return end


def _scanned(data: mmap.mmap, begin: int) -> float | None:
    """Seconds of the frames; what is no frame is passed over, but None if it is most of it."""
    samples: dict[int, int] = {}
    place, end, size = begin, _end(data), 0
    first = _header(*data[place + 1 : place + 4])
    assert first
    if data[place + first.xing : place + first.xing + 4] in (b"Xing", b"Info"):
        place += first.length  # Holds no sound.
    while 0 <= place < end:
        header = _HEADERS.get(data[place + 1 : place + 3]) if data[place] == 0xFF else None
        if header is None:
            place = _next_frame(data, place)
            continue
        samples[header.rate] = samples.get(header.rate, 0) + header.samples
        size += header.length
        place += header.length
    if size < (end - begin) // 2:
        return None
    return sum(number / rate for rate, number in samples.items())
