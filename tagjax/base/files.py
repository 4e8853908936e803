"""Reading and writing of the tables and records between the stages.

A file is written beside its place and renamed into it, so a reader never sees half of
one; a table is checked as it is read, so that a mistake is named with file and row.
"""

import array
import contextlib
import csv
import fcntl
import itertools
import json
import math
import os
import pathlib
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from tagjax.base.errors import InputError

PathLike = str | os.PathLike[str]
LONGEST_LINE = 1 << 26
"""Characters; a longer line is no table's, and would only fill the memory."""

LONGEST_CELL = 1 << 24
"""Characters; FMA has biographies."""
csv.field_size_limit(LONGEST_CELL)  # Of the process: the same whatever is read first.

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Table(dict[str, list[str]]):
    """{column: cells}, which knows the line on which each row begins."""

    def __init__(self, path: PathLike, columns: dict[str, list[str]], lines: Sequence[int]):
        super().__init__(columns)
        self._path, self.lines = path, lines

    def at(self, row: int) -> str:
        """`file:line` of a row, for messages."""
        return f"{self._path}:{self.lines[row]}"


def number(cell: str) -> float:
    """A decimal number in ASCII; NaN for whatever else Python would take for one.

    `1e400` is infinite; `1_000`, `nan`, `inf` and digits of other scripts are no numbers.
    """
    cell = cell.strip(" ")
    return float(cell) if len(cell) < 400 and _NUMBER.fullmatch(cell) else math.nan


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


def lines(file: IO[str], path: PathLike) -> Iterator[str]:
    """The lines of a text file with their ends.

    Raises:
      InputError: one is longer than `LONGEST_LINE`, or has a NUL.
    """
    count = 0
    while line := file.readline(LONGEST_LINE):
        count += 1
        if len(line) == LONGEST_LINE:
            raise InputError(f"{path}:{count}: no line of a table is that long; is it one?")
        if "\0" in line:
            raise InputError(f"{path}:{count}: a NUL in it; is it UTF-16, or damaged?")
        yield line


def not_utf8(path: PathLike, file: IO[bytes]) -> InputError:
    """The error that says at which line and byte a file, open at its start, is no UTF-8."""
    count = 0
    for line, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            where = f"{path}:{line}: not UTF-8 (byte {count + error.start})"
            return InputError(f"{where}; convert it first")
        count += len(raw)
    return InputError(f"{path}: not UTF-8; convert it first")


def read_table(path: PathLike, required: Sequence[str]) -> Table:
    """Reads a UTF-8 CSV file with a header into columns of strings.

    Args:
      path: the file; a byte-order mark and CRLF line ends are fine, empty lines are no rows.
      required: columns that must be there; others are returned too.

    Returns:
      {column: values in file order}.

    Raises:
      InputError: no such file, not UTF-8, no or a doubled header, a required column
        missing, a row whose number of cells is not the header's, a cell longer than `LONGEST_CELL`.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(lines(file, path), strict=True)
        try:
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
            cells, begins = [], array.array("Q")  # Of rows as lists, memory would be full.
            before = reader.line_num
            for row in reader:
                begin, before = before + 1, reader.line_num
                if len(row) != len(header):
                    if not row:
                        continue
                    raise InputError(
                        f"{path}:{begin}: {len(row)} cells, but the header has "
                        f"{len(header)}; quote cells that hold commas"
                    )
                cells += row
                begins.append(begin)
        except UnicodeDecodeError:
            with path.open("rb") as raw:
                raise not_utf8(path, raw) from None
        except csv.Error as error:
            raise InputError(f"{path}:{reader.line_num}: {error}") from None
    named = {name: cells[place :: len(header)] for place, name in enumerate(header)}
    return Table(path, named, begins)


class Writer:
    """Writes rows of CSV with LF line ends, so that they come back as they went."""

    def __init__(self, file: IO[str]) -> None:
        self._plain = csv.writer(file, lineterminator="\n")
        self._quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def writerow(self, row: Iterable[Any]) -> None:
        """Writes a row; `csv` alone would let a CR in a cell begin another."""
        cells = list(row)
        odd = any("\r" in cell for cell in cells if isinstance(cell, str))
        (self._quoting if odd else self._plain).writerow(cells)


def harmless(cell: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: text like `=1+1` gets a `'` before it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def write_table(
    path: PathLike,
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    for_people: bool = False,
) -> None:
    """Writes a UTF-8 CSV file with LF line ends, atomically.

    Args:
      path: the file.
      header: of the columns.
      rows: their cells.
      for_people: whether it may be opened in a spreadsheet, and no program reads it back: its
        cells are then made `harmless`.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = Writer(file)
        for row in itertools.chain([header], rows):
            writer.writerow(map(harmless, row) if for_people else row)


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
