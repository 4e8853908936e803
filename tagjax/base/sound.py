"""Measures how long an audio file is, because headers are often wrong.

Wrong lengths are known in WAV files that were written through a pipe, in Ogg streams cut out of a
broadcast, and in MP3 files with a variable bit rate that have no Xing header, or still have that of
the file they were cut from.
"""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from typing import BinaryIO

import soundfile

from tagjax.base import mpeg, streams

_LONGEST = 1 << 40
"""In frames. A header with a larger number does not know the length."""
_BLOCK = 1024
"""Frames decoded at once. A block with an error in it is not counted at all."""
_TAIL = 0.5
"""Seconds before the promised end that must be decodable for a header to be believed."""

_SYSTEM_FOLDERS = frozenset(
    {"@eadir", "__macosx", "#recycle", "@recycle", "$recycle.bin", "recycler", "lost+found"}
    | {"system volume information", "#snapshot", "@tmp", "@sharebin"}
)


class SoundError(Exception):
    """The file holds no sound that can be decoded; the message is the reason."""


class MissingFileError(SoundError):
    """The file does not exist."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder with this name is not somebody's music.

    True for names that begin with a dot, and for folders of network drives, wastebaskets and
    archives of macOS.

    >>> [is_hidden(name) for name in (".trash", "@eaDir", "__MACOSX", "Best of")]
    [True, True, True, False]
    """
    return name.startswith(".") or name.casefold() in _SYSTEM_FOLDERS


def check_file(path: str | os.PathLike[str]) -> None:
    """Refuses a path that is not a regular file with content; reading a named pipe never ends.

    Raises:
      MissingFileError: no such file.
      SoundError: not a file, an empty file, or no permission to look at it.
    """
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: NUL
        raise MissingFileError("no such file") from None
    except OSError as error:
        raise SoundError(f"cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise SoundError("not a file")
    if not found.st_size:
        raise SoundError("empty file")


def duration(path: str | os.PathLike[str]) -> float:
    """Seconds of sound that can be decoded.

    MP3 frames are counted, unless a Xing header agrees with the bytes on disk. The header of
    another format is believed if the last half second that it promises can be decoded. If not, the
    whole file is decoded. A damaged file counts up to the damage.

    Args:
      path: a file in any format that libsndfile recognises by its content.

    Raises:
      SoundError: as `check_file`; the file cannot be decoded, or has no samples.
    """
    check_file(path)
    with quiet(), opened(path) as file:
        rate, frames = file.samplerate, file.frames
        if not rate:
            raise SoundError("no sample rate")
        seconds = _mpeg_seconds(path) if file.format == "MP3" else None
        if seconds is None and file.format in ("WAV", "AIFF", "CAF"):
            seconds = sum(part.seconds for part in streams.parts(path, file.format)) or None
        if seconds is None:
            believed = 0 < frames < _LONGEST and _ends_at(file, frames)
            seconds = (frames if believed else _decoded(path)) / rate
    if not seconds:
        raise SoundError("no samples")
    return seconds


@contextlib.contextmanager
def opened(path: str | os.PathLike[str] | BinaryIO) -> Iterator[soundfile.SoundFile]:
    """Opens a path, or a file that is open already, for decoding.

    Raises:
      SoundError: libsndfile cannot decode it, on opening or inside the block.
    """
    try:
        with soundfile.SoundFile(path) as file:
            yield file
    except TypeError:  # soundfile wants to be told the format of a .raw file.
        raise SoundError("no header") from None
    except (soundfile.LibsndfileError, RuntimeError) as error:
        reason = getattr(error, "error_string", str(error)).strip().rstrip(".")
        if "does not exist" in reason:  # libsndfile says so of a text file that is named .mp3.
            reason = "Format not recognised"
        raise SoundError(reason) from None


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps C libraries from writing to stderr, as mpg123 does for every odd frame."""
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
    """Whether the last samples that the header promises can be decoded."""
    tail = min(frames, round(_TAIL * file.samplerate) or 1)
    try:
        file.seek(frames - tail)
        return len(file.read(tail, dtype="float32")) == tail
    except (soundfile.LibsndfileError, RuntimeError):
        return False


def _decoded(path: str | os.PathLike[str]) -> int:
    """Number of frames up to the end, or up to the first that cannot be decoded."""
    frames = 0
    with opened(path) as file:
        try:
            while number := len(file.read(_BLOCK, dtype="float32")):
                frames += number
        except (soundfile.LibsndfileError, RuntimeError):
            pass
    return frames


def _mpeg_seconds(path: str | os.PathLike[str]) -> float | None:
    """Duration of the frames of an MP3 file in seconds, each at its own rate.

    None if the header can be believed, or if frames cannot be told apart. The latter is so for free
    format, whose headers do not say how long the frames are.
    """
    if mpeg.is_counted(path):
        return None
    found = mpeg.sections(path)
    size = sum(section.places[-1] - section.places[0] for section in found)
    if size < mpeg.sound_bytes(path) // 2:
        return None
    return sum(section.seconds for section in found)
