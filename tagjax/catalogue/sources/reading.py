"""Large files as streams: packed ones, and CSV files as rows, every mistake with its line."""

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
"""{first bytes: (form, what opens it)}."""
_OTHER_PACKED = {b"PK\x03\x04": "zip", b"7z\xbc\xaf": "7z", b"(\xb5/\xfd": "zstd", b"Rar!": "rar"}


def size(paths: Sequence[PathLike]) -> int:
    """Bytes of the files together.

    Raises:
      InputError: one is not there, or cannot be looked at.
    """
    total = 0
    for path in paths:
        if not pathlib.Path(path).is_file():
            raise InputError(f"{path}: no such file")
        total += os.path.getsize(path)
    return total


class BrokenError(Exception):
    """A packed file that is cut off or damaged; the message says which, and of what form."""


def pieces(path: PathLike, size: int, progress: Progress) -> Iterator[bytes]:
    """The content of a file in pieces; gzip, bzip2 and xz are unpacked, known by their content.

    Args:
      path: of the file.
      size: bytes of a piece, at most.
      progress: told of the bytes read on disk.

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
        stream, told = opened(raw), 0
        while True:
            try:
                piece = stream.read(size)
            except EOFError:
                raise BrokenError(f"the {form} is cut off") from None
            except (OSError, zlib.error, lzma.LZMAError) as error:
                raise BrokenError(f"the {form} is broken ({error})") from None
            progress(raw.tell() - told)
            told = raw.tell()
            if not piece:
                return
            yield piece


def lines(path: PathLike, progress: Progress) -> Iterator[str]:
    """The lines of a UTF-8 file with their ends; a byte-order mark is dropped.

    Raises:
      InputError: no such file, or not UTF-8.
    """
    size([path])
    byte, told = 0, 0
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
            if byte - told >= _STEP:
                progress(byte - told)
                told = byte
            yield text
    progress(byte - told)


def rows(path: PathLike, progress: Progress, spaced: bool = False) -> Iterator[tuple[int, list]]:
    """The rows of a CSV file as (line on which the row ends, cells); empty ones are skipped.

    Args:
      path: of the file.
      progress: told of the bytes read.
      spaced: there is a space behind the commas that separate cells.

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
    """Refuses a row that has not as many cells as the header.

    Raises:
      InputError: it has not.
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
