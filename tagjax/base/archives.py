"""Files that may be packed. They are recognised by their content and unpacked as streams.

The name of a file proves nothing: the authors' `fdist_tag_embedding.csv.zip` is a gzip file.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, Any

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike

SUFFIXES = (".zip", ".gz", ".xz", ".bz2")
"""Usual endings of the names of packed files."""

_READ = 1 << 12  # Bytes at a time, so that `zipfile` unpacks little of a bzip2 member at once.


@contextlib.contextmanager
def unpacked(path: PathLike) -> Iterator[IO[bytes]]:
    """Opens a file for reading and unpacks it if it is packed.

    A gzip, xz or bzip2 file gives its content, a zip file the one CSV file in it. Nothing is
    written to disk, and little more is unpacked than is read.

    Raises:
      InputError: the archive is damaged (raised when the damage is reached) or encrypted, or a zip
        file does not hold exactly one CSV file.
      OSError: the file cannot be opened.
    """
    with open(path, "rb") as file:
        begin = file.read(16)
        file.seek(0)
        form = next((form for form, (sign, _) in _FORMS.items() if sign.match(begin)), None)
        if form is None:
            yield file
            return
        packed = _Packed(path, form, file)
        with contextlib.closing(packed):
            yield io.BufferedReader(packed)


class _Packed(io.RawIOBase):
    """The content of an archive; any error while reading it becomes an `InputError`."""

    def __init__(self, path: PathLike, form: str, file: IO[bytes]) -> None:
        self._path, self._form = path, form
        with self._refusing():
            self._stream = _FORMS[form][1](file)

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # A damaged archive raises a dozen kinds of exceptions.
            reason = str(error) or type(error).__name__
            refused = f"{self._path}: not a {self._form} file that can be read ({reason})"
            raise InputError(refused) from None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with self._refusing():
            data = self._stream.read(min(len(buffer), _READ))
        buffer[: len(data)] = data
        return len(data)


def _member(file: IO[bytes]) -> IO[bytes]:
    """The one CSV file in a zip."""
    archive = zipfile.ZipFile(file)
    names = [name for name in archive.namelist() if name.endswith(".csv")]
    names = [name for name in names if not name.startswith("__MACOSX/")]
    if len(names) != 1:
        raise ValueError(f"{len(names)} CSV files in it; expected one")
    return archive.open(names[0])


_FORMS: dict[str, tuple[re.Pattern[bytes], Callable[[IO[bytes]], Any]]] = {
    "zip": (re.compile(rb"PK(\x03\x04|\x05\x06)"), _member),
    "gzip": (re.compile(rb"\x1f\x8b\x08"), lambda file: gzip.GzipFile(fileobj=file)),
    "xz": (re.compile(rb"\xfd7zXZ\x00"), lzma.LZMAFile),
    # A block follows, or the end of an empty file; `BZh1` alone may be the name of a column.
    "bzip2": (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), bz2.BZ2File),
}
"""{form: (pattern of the first bytes, function that opens it)}."""
