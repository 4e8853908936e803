"""How long a file of sound is: measured, as headers are often wrong.

Known liars are WAV files that were written through a pipe, Ogg streams cut out of a broadcast, MP3
files with a variable bit rate and no Xing header, or with that of the file they were cut from.
"""

import contextlib
import functools
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import BinaryIO

import soundfile

from tagjax.base import mpeg, streams

_LONGEST = 1 << 40
"""Frames; a header that says more says that it does not know."""
_BLOCK = 1024
"""Frames that are decoded at once: of a block with an error in it, none would be counted."""
_TAIL = 0.5
"""Seconds at the end that must be there for a header to be believed."""


class SoundError(Exception):
    """A file that holds no sound that can be decoded; its message is the reason."""


class MissingFileError(SoundError):
    """There is no such file."""


def check_file(path: str | os.PathLike[str]) -> None:
    """Refuses what is no file with something in it; a named pipe would be waited for for ever.

    Raises:
      MissingFileError: no such file.
      SoundError: not a file, an empty one, or one that may not be looked at.
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
    """Seconds of sound that can be decoded, of all streams where several are joined.

    Of MP3 the frames are counted, unless a Xing header agrees with the bytes on disk. Of other
    formats the header is believed if the last half second that it promises is there; else the
    whole file is decoded. A file that is damaged on its way counts as far as it can be decoded.

    Args:
      path: of a file in any format that libsndfile knows by its content.

    Raises:
      SoundError: as `check_file`; not decodable; no samples.
    """
    check_file(path)
    with quiet():
        try:
            seconds = _all_seconds(path)
        except SoundError:
            raise
        except OSError as error:
            raise SoundError(f"cannot be read: {error.strerror}") from None
        except Exception as error:  # Nobody knows what decoders raise of any file.
            raise SoundError(f"{type(error).__name__}: {error}") from error
    if not seconds:
        raise SoundError("no samples")
    return seconds


@contextlib.contextmanager
def opened(path: str | os.PathLike[str] | BinaryIO) -> Iterator[soundfile.SoundFile]:
    """The file at a path, or one that is open, to be decoded.

    Raises:
      SoundError: libsndfile cannot decode it, here or inside the block.
    """
    with decoding(), soundfile.SoundFile(path) as file:
        yield file


@contextlib.contextmanager
def decoding() -> Iterator[None]:
    """Turns what soundfile says of a file into a `SoundError`."""
    try:
        yield
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


def _all_seconds(path: str | os.PathLike[str]) -> float:
    """Seconds of all that is found in a file; 0 if there is nothing.

    libsndfile refuses some joined files; what is wrong with a file of one stream it says itself.
    """
    kind, is_plain = "", False
    with contextlib.suppress(SoundError), opened(path) as file:
        kind = file.format
        is_plain = kind == "FLAC" and streams.is_plain(path, file, ())
    seconds = None
    if kind == "MP3":
        seconds = _mpeg_seconds(path)
    elif not is_plain:
        with contextlib.suppress(SoundError), decoding():
            parts = streams.parts(path, kind)
            seconds = sum(_seconds(functools.partial(_opened_part, part)) for part in parts)
    return seconds or _seconds(functools.partial(opened, path))


def _seconds(opener: Callable[[], AbstractContextManager[soundfile.SoundFile]]) -> float:
    """Seconds of what libsndfile finds in a file that is opened anew as often as needed."""
    with opener() as file:
        rate, frames = file.samplerate, file.frames
        if not rate:
            raise SoundError("no sample rate")
        if 0 < frames < _LONGEST and _ends_at(file, frames):
            return frames / rate
    with opener() as file:
        return _decoded(file) / rate


@contextlib.contextmanager
def _opened_part(part: streams.Part) -> Iterator[soundfile.SoundFile]:
    content, _ = part.cut(0.0, part.seconds)
    with content, opened(content) as file:
        yield file


def _ends_at(file: soundfile.SoundFile, frames: int) -> bool:
    """Whether the last samples that the header promises are there."""
    tail = min(frames, round(_TAIL * file.samplerate) or 1)
    try:
        file.seek(frames - tail)
        return len(file.read(tail, dtype="float32")) == tail
    except (soundfile.LibsndfileError, RuntimeError, ValueError):  # Of a place behind the end.
        return False


def _decoded(file: soundfile.SoundFile) -> int:
    """Frames until the end, or until the first that cannot be decoded."""
    frames = 0
    try:
        while number := len(file.read(_BLOCK, dtype="float32")):
            frames += number
    except (soundfile.LibsndfileError, RuntimeError):
        pass
    return frames


def _mpeg_seconds(path: str | os.PathLike[str]) -> float | None:
    """Seconds of the frames of an MP3 file, each at its own rate.

    None where the header can be believed, and where frames cannot be told apart, as those of free
    format, whose headers do not say how long they are.
    """
    if mpeg.is_counted(path):
        return None
    found = mpeg.sections(path)
    size = sum(section.places[-1] - section.places[0] for section in found)
    if size < mpeg.sound_bytes(path) // 2:
        return None
    return sum(section.seconds for section in found)
