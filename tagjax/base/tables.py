"""Tables: CSV files that are checked as they are read, and written so that they come back.

A mistake is named with file and row.
"""

import array
import contextlib
import csv
import io
import itertools
import math
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any

from tagjax.base.archives import unpacked
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, atomic_path

LONGEST_LINE = 1 << 26
"""Characters; a longer line is no table's, and would only fill the memory."""

LONGEST_CELL = 1 << 24
"""Characters; FMA has biographies."""
csv.field_size_limit(LONGEST_CELL)  # Of the process: the same whatever is read first.

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\|(?:.*\\)?\.\.\\")
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


def check_paths(table: Table) -> None:
    """Refuses a `path` that is not below the audio folder: absolute, with `..`, or of Windows.

    A list that someone else made would otherwise name any file of this machine as music. A file's
    name may hold a backslash here, so that alone is refused only where half of the paths hold one
    and no `/`.

    Raises:
      InputError: one is.
    """
    paths = table["path"]
    for row, path in enumerate(paths):
        parts = path.split("/")
        if not parts[0] or ".." in parts or _WINDOWS.match(path):
            raise InputError(
                f"{table.at(row)}: path={path!r} is not below the audio folder; name the folder "
                "that holds all of the audio, and paths in it"
            )
    foreign = [row for row, path in enumerate(paths) if "\\" in path and "/" not in path]
    if 0 < len(paths) <= 2 * len(foreign):
        raise InputError(
            f"{table.at(foreign[0])}: path={paths[foreign[0]]!r} has folders as Windows writes "
            "them; write / for each \\"
        )


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


@contextlib.contextmanager
def open_rows(path: PathLike) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """The rows of a UTF-8 CSV file as a stream, header first, each with as many cells.

    The file may be packed, as `archives.unpacked` has it; a byte-order mark and CRLF line ends are
    fine, and empty lines are no rows.

    Yields:
      (line on which the row begins, cells), ...

    Raises:
      InputError: no such file, a damaged archive, not UTF-8, a row whose number of cells is not the
        header's, a line longer than `LONGEST_LINE`, a cell longer than `LONGEST_CELL`, or a NUL.
    """
    if not pathlib.Path(path).is_file():
        raise InputError(f"{path}: no such file")
    with unpacked(path) as raw:
        yield _rows(path, io.TextIOWrapper(raw, encoding="utf-8-sig", newline=""))


def _rows(path: PathLike, file: IO[str]) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines(file, path), strict=True)
    width = before = 0
    try:
        for cells in reader:
            begin, before = before + 1, reader.line_num
            if not cells:
                continue
            width = width or len(cells)
            if len(cells) != width:
                raise InputError(
                    f"{path}:{begin}: {len(cells)} cells, but the header has {width}; quote cells "
                    "that hold commas"
                )
            yield begin, cells
    except UnicodeDecodeError:
        with unpacked(path) as raw:
            raise not_utf8(path, raw) from None
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}") from None


def read_table(path: PathLike, required: Sequence[str]) -> Table:
    """Reads a CSV file with a header into columns of strings.

    Args:
      path: the file, as `open_rows` takes it.
      required: columns that must be there; others are returned too.

    Returns:
      {column: values in file order}.

    Raises:
      InputError: as `open_rows`; no or a doubled header, or a required column is missing.
    """
    with open_rows(path) as rows:
        line, header = next(rows, (0, []))
        if not header:
            raise InputError(f"{path}: empty; expected a header with {', '.join(required)}")
        doubled = sorted({name for name in header if header.count(name) > 1})
        if doubled:
            raise InputError(f"{path}:{line}: column {doubled[0]!r} occurs twice; rename one")
        missing = [name for name in required if name not in header]
        if missing:
            found = ", ".join(header)
            raise InputError(f"{path}:{line}: column {missing[0]!r} is missing; found {found}")
        cells, begins = [], array.array("Q")  # Rows as lists would fill the memory.
        for begin, row in rows:
            cells += row
            begins.append(begin)
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
