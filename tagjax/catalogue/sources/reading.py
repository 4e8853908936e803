"""Reads large files as streams: packed files, and CSV files as rows. Errors name the line."""

import bz2
import csv
import gzip
import lzma
import os
import pathlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.catalogue.sources.records import Progress

_STEP = 1 << 16
_PACKED: dict[bytes, tuple[str, Callable[[BinaryIO], Any]]] = {
    b"\x1f\x8b": ("gzip", lambda raw: gzip.GzipFile(fileobj=raw)),
    b"BZh": ("bzip2", bz2.BZ2File),
    b"\xfd7zXZ\0": ("xz", lzma.LZMAFile),
}
"""{first bytes: (form, function that opens it)}."""
_OTHER_PACKED = {b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7z", b"(\xb5/\xfd": "zstd", b"Rar!": "rar"}


def size(paths: Sequence[PathLike]) -> int:
    """Total size of the files in bytes.

    Raises:
      InputError: a file does not exist, or cannot be looked at.
    """
    total = 0
    for path in paths:
        if not pathlib.Path(path).is_file():
            raise InputError(f"{path}: no such file")
        total += os.path.getsize(path)
    return total


class BrokenError(Exception):
    """A packed file is cut off or damaged; the message says which of the two, and its form."""


def pieces(path: PathLike, size: int, progress: Progress) -> Iterator[bytes]:
    """The content of a file in pieces. Files packed with gzip, bzip2 or xz are unpacked.

    The form is recognised by the content.

    Args:
      path: path of the file.
      size: largest number of bytes in a piece.
      progress: called with the number of bytes read from disk.

    Raises:
      InputError: packed in a form that is not read.
      BrokenError: the packed file is cut off or damaged.
    """
    with open(path, "rb") as raw:
        begin = raw.read(8)
        raw.seek(0)
        for sign, name in _OTHER_PACKED.items():
            if begin.startswith(sign):
                raise InputError(f"{path}: a {name} file; unpack it, or pack it with gzip or xz")
        forms = (form for sign, form in _PACKED.items() if begin.startswith(sign))
        form, opened = next(forms, ("file", lambda raw: raw))
        stream, reported = opened(raw), 0
        while True:
            try:
                piece = stream.read(size)
            except EOFError:
                raise BrokenError(f"the {form} is cut off") from None
            except (OSError, zlib.error, lzma.LZMAError) as error:
                raise BrokenError(f"the {form} is broken ({error})") from None
            progress(raw.tell() - reported)
            reported = raw.tell()
            if not piece:
                return
            yield piece


def lines(path: PathLike, progress: Progress) -> Iterator[str]:
    """The lines of a UTF-8 file with their ends; a byte-order mark is dropped.

    Raises:
      InputError: no such file, or not UTF-8.
    """
    size([path])
    byte, reported = 0, 0
    with open(path, "rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                name = os.path.basename(path)
                raise InputError(
                    f"{path}:{number}: not UTF-8 (byte {byte + error.start}); convert it, such as "
                    f"with iconv -f latin1 -t utf-8 {name} > utf8_{name}"
                ) from None
            byte += len(raw)
            if byte - reported >= _STEP:
                progress(byte - reported)
                reported = byte
            yield text
    progress(byte - reported)


def rows(path: PathLike, progress: Progress, spaced: bool = False) -> Iterator[tuple[int, list]]:
    """The rows of a CSV file as (line on which the row ends, cells); empty ones are skipped.

    Args:
      path: path of the file.
      progress: called with the number of bytes read.
      spaced: whether a space follows each comma between cells.

    Raises:
      InputError: no such file, not UTF-8, or quotes that do not close.
    """
    reader = csv.reader(lines(path, progress), strict=True, skipinitialspace=spaced)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}; see the quotes before it") from None


def check_width(path: PathLike, line: int, row: Sequence[str], width: int) -> None:
    """Refuses a row with more or fewer cells than the header.

    Raises:
      InputError: the number of cells differs.
    """
    if len(row) != width:
        raise InputError(
            f"{path}:{line}: {len(row)} cells, but the header has {width}; "
            "quote cells that hold commas"
        )


def table(
    path: PathLike, required: Sequence[str], progress: Progress
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV file with a header as (line, {column: cell}).

    Raises:
      InputError: as `rows`; no header, a column missing or doubled, a row of another width.
    """
    stream = rows(path, progress)
    line, header = next(stream, (1, []))
    if not header:
        raise InputError(f"{path}: empty; expected a header with {', '.join(required)}")
    for name in header:
        if header.count(name) > 1:
            raise InputError(f"{path}:{line}: column {name!r} occurs twice; rename one")
    for name in required:
        if name not in header:
            raise InputError(
                f"{path}:{line}: column {name!r} is missing; found {', '.join(header)}"
            )
    for line, row in stream:
        check_width(path, line, row, len(header))
        yield line, dict(zip(header, row, strict=True))
