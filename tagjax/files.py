"""Reading and writing of the tables and records between the stages.

A file is written beside its place and renamed into it, so a reader never sees half of
one; a table is checked as it is read, so that a mistake is named with file and row.
"""

import contextlib
import csv
import fcntl
import json
import os
import pathlib
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tagjax.errors import InputError

PathLike = str | os.PathLike[str]


@contextlib.contextmanager
def atomic_path(path: PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary path beside `path`; renamed into place if the block succeeds.

    Parent folders are made. On an exception the temporary file is removed and nothing
    that was there before has changed.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = pathlib.Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(folder: PathLike, advice: str) -> Iterator[None]:
    """Holds a folder, which is made if absent, for this process alone.

    The lock is the kernel's, on the folder itself: it ends with the process, however that
    ends, and leaves no file.

    Raises:
      InputError: another process holds it; `advice` says what to do then.
    """
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{folder}: another process is at work there; {advice}") from None
        except OSError:
            pass  # A file system without locks: nothing can be held.
        yield
    finally:
        os.close(handle)


def read_table(path: PathLike, required: Sequence[str]) -> dict[str, list[str]]:
    """Reads a UTF-8 CSV file with a header into columns of strings.

    Args:
      path: the file; a byte-order mark and CRLF line ends are fine.
      required: columns that must be there; others are returned too.

    Returns:
      {column: values in file order}.

    Raises:
      InputError: no such file, not UTF-8, no or a doubled header, a required column
        missing, or a row whose number of cells is not the header's.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, None)
            if not header:
                raise InputError(f"{path}: empty; expected a header with {', '.join(required)}")
            doubled = sorted({name for name in header if header.count(name) > 1})
            if doubled:
                raise InputError(f"{path}:1: column {doubled[0]!r} occurs twice; rename one")
            missing = [name for name in required if name not in header]
            if missing:
                raise InputError(
                    f"{path}:1: column {missing[0]!r} is missing; found {', '.join(header)}"
                )
            rows = []
            for row in reader:
                if len(row) != len(header):
                    if not row:
                        continue
                    raise InputError(
                        f"{path}:{reader.line_num}: {len(row)} cells, but the header has "
                        f"{len(header)}; quote cells that hold commas"
                    )
                rows.append(row)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start}); convert it first") from None
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}") from None
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    return {name: list(column) for name, column in zip(header, columns, strict=True)}


def write_table(path: PathLike, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes a UTF-8 CSV file with LF line ends, atomically."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


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


def write_json(path: PathLike, value: Any) -> None:
    """Writes `value` as indented JSON, atomically; NaN and infinities are refused."""
    with atomic_path(path) as temporary:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
