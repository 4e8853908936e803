"""Replaces files so that a kill leaves each old or new, and keeps what is needed to undo it.

A record of the undo file says how the old file is put together from pieces of the new one and the
bytes that the new one lacks. It is on disk before the file is touched.
"""

import base64
import contextlib
import dataclasses
import hashlib
import json
import mmap
import os
import pathlib
import shutil
import stat
from collections.abc import Callable, Iterator
from typing import Any

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike

Delta = list[list[int] | str]
"""Pieces of a file: [start, length] in another file, or bytes in base64."""

_SMALLEST_BLOCK, _MOST_BLOCKS = 256, 1 << 16
_LONGEST_STEP = 1 << 16


class NotWrittenError(Exception):
    """A file that stays as it was; the message is the reason, in a few words."""


@dataclasses.dataclass(frozen=True)
class Record:
    """How one file was changed.

    Attributes:
      library: folder of the music, absolute.
      path: of the file in it.
      genres: the values of its genre field before.
      original: the values of its field for original genres before, or None.
      old: SHA-256 of the file before.
      new: SHA-256 of the file after.
      delta: makes the file before of the one after.
    """

    library: str
    path: str
    genres: list[str]
    original: list[str] | None
    old: str
    new: str
    delta: Delta


def check_writable(path: pathlib.Path) -> None:
    """Refuses files and folders that are meant to stay as they are, even to the superuser.

    Raises:
      NotWrittenError: the file or its folder is read-only.
    """
    if not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK):
        raise NotWrittenError("the file is read-only")
    if not path.parent.stat().st_mode & 0o222 or not os.access(path.parent, os.W_OK):
        raise NotWrittenError("its folder is read-only")


def leftover(path: PathLike) -> pathlib.Path:
    """Where the new content of a file lies until it is complete; a kill may leave it there.

    The name is hidden, short, and the same for each run, so that the next one clears it away.
    """
    target = pathlib.Path(os.path.realpath(path))
    digits = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]
    return target.with_name(f".tagjax-{digits}{target.suffix}")


def rewrite(
    path: PathLike,
    change: Callable[[pathlib.Path], None],
    record: Callable[[pathlib.Path, pathlib.Path], None] = lambda old, new: None,
) -> None:
    """Changes a file by way of a copy, which takes its place when it is complete.

    Mode, times and owner stay. A link stays a link to the file.

    Args:
      path: the file.
      change: changes a copy of it.
      record: is called with the file and its changed copy before they change places.

    Raises:
      NotWrittenError: the file is read-only, or changed meanwhile.
    """
    target, temporary = pathlib.Path(os.path.realpath(path)), leftover(path)
    check_writable(target)
    before = target.stat()
    temporary.unlink(missing_ok=True)
    try:
        shutil.copyfile(target, temporary)
        change(temporary)
        shutil.copystat(target, temporary)
        with contextlib.suppress(OSError):  # Only the superuser may give files away.
            os.chown(temporary, before.st_uid, before.st_gid)
            os.chmod(temporary, stat.S_IMODE(before.st_mode))
        _to_disk(temporary)
        record(target, temporary)
        after = target.stat()
        if (after.st_mtime_ns, after.st_size) != (before.st_mtime_ns, before.st_size):
            raise NotWrittenError("another program changed it meanwhile")
        os.replace(temporary, target)
        _to_disk(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _to_disk(path: pathlib.Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def checksum(path: PathLike) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def delta_of(old: PathLike, new: PathLike) -> Delta:
    """Puts a file together from pieces of another one.

    Time is proportional to the size of both. What is in both at any place is found if it is longer
    than two blocks of 256 bytes, or of 1/65536 of the file.
    """
    with _mapped(old) as old_bytes, _mapped(new) as new_bytes:
        return _delta(old_bytes, new_bytes)


@contextlib.contextmanager
def _mapped(path: PathLike) -> Iterator[Any]:
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


def _delta(old: Any, new: Any) -> Delta:
    size = max(_SMALLEST_BLOCK, len(new) // _MOST_BLOCKS)
    blocks: dict[bytes, int] = {}
    for start in range(0, len(new) - size + 1, size):
        blocks.setdefault(new[start : start + size], start)
    pieces: Delta = []
    done = place = 0
    while place < len(old):
        there = blocks.get(old[place : place + size])
        if there is None:
            place += 1
            continue
        while place > done and there and old[place - 1] == new[there - 1]:
            place, there = place - 1, there - 1
        if place > done:
            pieces.append(base64.b64encode(old[done:place]).decode())
        length = _common(old, place, new, there)
        pieces.append([there, length])
        done = place = place + length
    if done < len(old):
        pieces.append(base64.b64encode(old[done:]).decode())
    return pieces


def _common(one: Any, first: int, other: Any, second: int) -> int:
    """How many bytes are the same from two places on."""
    count, step = 0, _SMALLEST_BLOCK
    most = min(len(one) - first, len(other) - second)
    while step := min(step, most - count):
        begin, there = first + count, second + count
        if one[begin : begin + step] == other[there : there + step]:
            count, step = count + step, min(2 * step, _LONGEST_STEP)
        else:
            step //= 2
    return count


def restore(record: Record, path: pathlib.Path) -> None:
    """Makes of the new file at a path the old one, byte for byte.

    Raises:
      NotWrittenError: the record does not give the old file; the file is read-only.
    """

    def change(copy: pathlib.Path) -> None:
        with _mapped(path) as new, copy.open("wb") as file:
            for piece in record.delta:
                if isinstance(piece, str):
                    file.write(base64.b64decode(piece))
                else:
                    file.write(new[piece[0] : piece[0] + piece[1]])
        if checksum(copy) != record.old:
            raise NotWrittenError("the undo file does not give back what it was")

    rewrite(path, change)


class UndoFile:
    """The undo file: JSON lines, one for each file that was changed."""

    def __init__(self, path: PathLike) -> None:
        self.path = pathlib.Path(path)

    def append(self, record: Record) -> None:
        """Adds a record and waits until it is on disk.

        A record that a kill has cut off is removed: its file was not touched.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self.path.exists()
        with self.path.open("ab+") as file:
            _cut_after_last_line(file)
            file.write(json.dumps(dataclasses.asdict(record)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            _to_disk(self.path.parent)

    def records(self) -> list[Record]:
        """All records, the last one first, in which order they are undone.

        Raises:
          InputError: no such file, or not one of ours.
        """
        try:
            lines = self.path.read_bytes().split(b"\n")
        except OSError as error:
            raise InputError(f"{self.path}: {error.strerror}") from None
        found = []
        for number, line in enumerate(lines[:-1], 1):  # A kill may have cut the last one off.
            try:
                values = json.loads(line)
                found.append(Record(**values))
                if not all(isinstance(values[name], str) for name in ("library", "path", "old")):
                    raise TypeError("a name is not a text")
            except (ValueError, TypeError) as error:
                raise InputError(
                    f"{self.path}:{number}: not a line of an undo file: {error}"
                ) from None
        return found[::-1]


def _cut_after_last_line(file: Any) -> None:
    end = file.seek(0, os.SEEK_END)
    place = end
    while place:
        start = max(0, place - _LONGEST_STEP)
        file.seek(start)
        newline = file.read(place - start).rfind(b"\n")
        if newline >= 0:
            place = start + newline + 1
            break
        place = start
    if place < end:
        file.truncate(place)
    file.seek(0, os.SEEK_END)
