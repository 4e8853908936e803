"""Tables: CSV files that are checked as they are read, and written so that they read back the same.

An error names the file and the row.
"""

import array
import contextlib
import csv
import io
import itertools
import math
import os
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import IO, Any

from tagjax.base.archives import unheard, unpacked
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, atomic_path

LONGEST_LINE = 1 << 26
"""In characters. A longer line is not part of a table and would only fill the memory."""

LONGEST_CELL = 1 << 24
"""In characters. FMA has whole biographies in cells."""
csv.field_size_limit(LONGEST_CELL)  # For the whole process, whichever file is read first.

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\|(?:.*\\)?\.\.\\")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Table(dict[str, list[str]]):
    """{column: cells}, with the line on which each row begins."""

    def __init__(self, path: PathLike, columns: dict[str, list[str]], lines: Sequence[int]):
        super().__init__(columns)
        self.path, self.lines = path, lines

    def at(self, row: int) -> str:
        """`file:line` of a row, for messages."""
        return f"{self.path}:{self.lines[row]}"


def number(cell: str) -> float:
    """The value of a decimal number in ASCII; NaN for any other text.

    `1e400` is infinite. `1_000`, `nan`, `inf` and digits of other scripts give NaN, although Python
    takes them for numbers.
    """
    cell = cell.strip(" ")
    return float(cell) if len(cell) < 400 and _NUMBER.fullmatch(cell) else math.nan


def check_paths(table: Table) -> None:
    """Refuses a `path` that may lead out of the audio folder: absolute, with `..`, or of Windows.

    Otherwise a list that someone else made could name any file of this machine as music. A file
    name may hold a backslash on this system. So a backslash is refused only if at least half of the
    paths hold one and no `/`.

    Raises:
      InputError: a path is refused.
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
    """The lines of a text file, with their line ends.

    Raises:
      InputError: a line is longer than `LONGEST_LINE`, or holds a NUL.
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
    """The error that says at which line and byte a file, open at its start, is not UTF-8."""
    count = 0
    for line, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE), b""), 1):
        try:
            raw.decode()
        except UnicodeDecodeError as error:
            name = os.path.basename(path)
            return InputError(
                f"{path}:{line}: not UTF-8 (byte {count + error.start}); convert it, such as with "
                f"iconv -f latin1 -t utf-8 {name} > utf8_{name}"
            )
        count += len(raw)
    return InputError(f"{path}: not UTF-8; convert it")


@contextlib.contextmanager
def open_rows(
    path: PathLike,
    progress: Callable[[int], object] = unheard,
    comment: str = "",
    spaced: bool = False,
    delimiter: str = ",",
) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """The rows of a UTF-8 CSV file as a stream; the header is first, and all have the same width.

    The file may be packed (see `archives.unpacked`). It may have a byte-order mark and CRLF line
    ends. Empty lines are skipped.

    Args:
      path: path of the file.
      progress: called with numbers of bytes as they are read from disk.
      comment: with which lines begin that are skipped; "" if there are none.
      spaced: whether a space follows each comma between cells.
      delimiter: stands between cells.

    Yields:
      (line on which the row begins, cells), ...

    Raises:
      InputError: no such file, a damaged archive, not UTF-8, a row with more or fewer cells than
        the header, a line longer than `LONGEST_LINE`, a cell longer than `LONGEST_CELL`, or a NUL.
    """
    if not pathlib.Path(path).is_file():
        raise InputError(f"{path}: no such file")
    with (
        unpacked(path, progress) as raw,
        io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file,
    ):
        text = lines(file, path)
        if comment:
            text = ("\n" if line.startswith(comment) else line for line in text)
        reader = csv.reader(text, strict=True, skipinitialspace=spaced, delimiter=delimiter)
        yield _rows(path, reader, "tabs" if delimiter == "\t" else "commas")


def _rows(path: PathLike, reader: Any, delimiters: str) -> Iterator[tuple[int, list[str]]]:
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
                    f"that hold {delimiters}"
                )
            yield begin, cells
    except UnicodeDecodeError:
        with unpacked(path) as raw:
            raise not_utf8(path, raw) from None
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}; see the quotes before it") from None


def _header(
    path: PathLike, rows: Iterator[tuple[int, list[str]]], required: Sequence[str]
) -> list[str]:
    """The first row, checked."""
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
    return header


def stream_table(
    path: PathLike, required: Sequence[str], progress: Callable[[int], object] = unheard
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a header, as (line on which the row begins, {column: cell}).

    Args:
      path: the file, packed or not (see `open_rows`).
      required: columns that must exist.
      progress: called with numbers of bytes as they are read from disk.

    Raises:
      InputError: as `read_table`.
    """
    with open_rows(path, progress) as rows:
        header = _header(path, rows, required)
        for line, row in rows:
            yield line, dict(zip(header, row, strict=True))


def read_table(path: PathLike, required: Sequence[str]) -> Table:
    """Reads a CSV file with a header into columns of strings.

    Args:
      path: the file, packed or not (see `open_rows`).
      required: columns that must exist; others are returned too.

    Returns:
      {column: values in file order}.

    Raises:
      InputError: as `open_rows`; no header, a column that occurs twice, or a required column is
        missing.
    """
    with open_rows(path) as rows:
        header = _header(path, rows, required)
        cells, begins = [], array.array("Q")  # One list for each row would fill the memory.
        for begin, row in rows:
            cells += row
            begins.append(begin)
    named = {name: cells[place :: len(header)] for place, name in enumerate(header)}
    return Table(path, named, begins)


class Writer:
    """Writes rows of CSV with LF line ends, so that they read back the same."""

    def __init__(self, file: IO[str]) -> None:
        self._plain = csv.writer(file, lineterminator="\n")
        self._quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def writerow(self, row: Iterable[Any]) -> None:
        """Writes a row. Cells with a CR are quoted, because `csv` alone would end the row there."""
        cells = list(row)
        odd = any("\r" in cell for cell in cells if isinstance(cell, str))
        (self._quoting if odd else self._plain).writerow(cells)


def harmless(cell: Any) -> Any:
    """The cell as a spreadsheet can show it: text like `=1+1` gets a `'` before it."""
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
      header: names of the columns.
      rows: cells of each row.
      for_people: whether people open the file in a spreadsheet and no program reads it back; its
        cells are then made `harmless`.
    """
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = Writer(file)
        for row in itertools.chain([header], rows):
            writer.writerow(map(harmless, row) if for_people else row)
