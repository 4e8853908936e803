"""Atomic writing of files, folders locked for one process, JSON and text.

A file is written under another name in the same folder and then renamed, so a reader never sees
half of it.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

from tagjax.base.errors import InputError

PathLike = str | os.PathLike[str]


@contextlib.contextmanager
def atomic_path(path: PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`, which is renamed to `path` if the block succeeds.

    Parent folders are made. On an exception the temporary file is removed, and a file that was at
    `path` before stays as it was.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _new_beside(path)
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _new_beside(path: pathlib.Path) -> pathlib.Path:
    """An empty file with a new name and the usual permissions of a new file there."""
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        with contextlib.suppress(FileExistsError):
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
            return temporary


@contextlib.contextmanager
def locked(folder: PathLike, advice: str) -> Iterator[None]:
    """Locks a folder for this process; the folder is made if absent.

    The kernel holds the lock on the folder itself. The lock ends with the process, however the
    process ends, and leaves no file.

    Raises:
      InputError: another process holds the lock; the message ends with `advice`.
    """
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another process is at work there; {advice}") from None
        except OSError:
            pass  # The file system has no locks.
        yield
    finally:
        os.close(handle)


def total_size(paths: Iterable[PathLike]) -> int:
    """Bytes of the files together.

    Raises:
      InputError: no such file.
    """
    total = 0
    for path in paths:
        if not pathlib.Path(path).is_file():
            raise InputError(f"{path}: no such file")
        total += os.path.getsize(path)
    return total


def read_json(path: PathLike) -> Any:
    """Reads a JSON file.

    Raises:
      InputError: no such file, or not JSON.
    """
    path = pathlib.Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    except RecursionError:
        raise InputError(f"{path}: not JSON of ours (nested too deeply)") from None


def write_json(path: PathLike, value: Any) -> None:
    """Writes `value` as indented JSON, atomically; NaN and infinities are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: PathLike, text: str) -> None:
    """Writes a UTF-8 file with the line ends of `text`, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
