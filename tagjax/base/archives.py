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

_BUFFER = 1 << 16
_READ = 1 << 12  # Bytes at a time, so that `zipfile` unpacks little of a bzip2 member at once.


def unheard(count: int) -> None:
    """Reports no progress."""


class DamagedError(InputError):
    """An archive that is damaged or cut off; `reason` says so without naming the file."""

    def __init__(self, path: PathLike, form: str, error: Exception) -> None:
        is_cut = isinstance(error, EOFError) and "end-of-stream" in str(error)
        why = str(error) or type(error).__name__
        self.reason = f"the {form} is cut off" if is_cut else f"the {form} is broken ({why})"
        super().__init__(f"{path}: not a {form} file that can be read ({why})")


@contextlib.contextmanager
def unpacked(
    path: PathLike, progress: Callable[[int], object] = unheard, suffix: str = ".csv"
) -> Iterator[IO[bytes]]:
    """Opens a file for reading and unpacks it if it is packed.

    A gzip, xz or bzip2 file gives its content, a zip file the one table in it. Nothing is written
    to disk, and little more is unpacked than is read.

    Args:
      path: path of the file.
      progress: called with numbers of bytes as they are read from disk.
      suffix: with which the name of the file in a zip ends.

    Raises:
      DamagedError: the archive is damaged, cut off or encrypted (raised when the damage is
        reached), or a zip file does not hold exactly one file with the suffix.
      InputError: packed in a form that is not read.
      OSError: the file cannot be opened.
    """
    with _Counted(path, progress) as raw, io.BufferedReader(raw, _BUFFER) as file:
        begin = file.read(16)
        file.seek(0)
        for sign, name in _OTHER_FORMS.items():
            if begin.startswith(sign):
                raise InputError(f"{path}: a {name} file; unpack it, or pack it with gzip or xz")
        form = next((form for form, (sign, _) in _FORMS.items() if sign.match(begin)), None)
        if form is None:
            yield file
            return
        packed = _Packed(path, form, file, suffix)
        with contextlib.closing(packed):
            yield io.BufferedReader(packed)


class _Counted(io.FileIO):
    """A file that tells how far it has been read, each byte once."""

    def __init__(self, path: PathLike, progress: Callable[[int], object]) -> None:
        super().__init__(path)
        self._progress, self._reached = progress, 0

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        place = self.tell()
        if place > self._reached:
            self._progress(place - self._reached)
            self._reached = place
        return count or 0


class _Packed(io.RawIOBase):
    """The content of an archive; any error while reading it becomes a `DamagedError`."""

    def __init__(self, path: PathLike, form: str, file: IO[bytes], suffix: str) -> None:
        self._path, self._form = path, form
        with self._refusing():
            stream = _FORMS[form][1](file)
            is_zip = isinstance(stream, zipfile.ZipFile)
            self._stream = _member(stream, suffix) if is_zip else stream

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # A damaged archive raises a dozen kinds of exceptions.
            raise DamagedError(self._path, self._form, error) from None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with self._refusing():
            data = self._stream.read(min(len(buffer), _READ))
        buffer[: len(data)] = data
        return len(data)


def _member(archive: zipfile.ZipFile, suffix: str) -> IO[bytes]:
    """The one file with the suffix in a zip."""
    names = [name for name in archive.namelist() if name.endswith(suffix)]
    names = [name for name in names if not name.startswith("__MACOSX/")]
    if len(names) != 1:
        raise ValueError(f"{len(names)} {suffix[1:].upper()} files in it; expected one")
    return archive.open(names[0])


_FORMS: dict[str, tuple[re.Pattern[bytes], Callable[[IO[bytes]], Any]]] = {
    "zip": (re.compile(rb"PK(\x03\x04|\x05\x06)"), zipfile.ZipFile),
    "gzip": (re.compile(rb"\x1f\x8b\x08"), lambda file: gzip.GzipFile(fileobj=file)),
    "xz": (re.compile(rb"\xfd7zXZ\x00"), lzma.LZMAFile),
    # A block follows, or the end of an empty file; `BZh1` alone may be the name of a column.
    "bzip2": (re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), bz2.BZ2File),
}
"""{form: (pattern of the first bytes, function that opens it)}."""
_OTHER_FORMS = {b"7z\xbc\xaf": "7z", b"(\xb5/\xfd": "zstd", b"Rar!\x1a": "rar"}
