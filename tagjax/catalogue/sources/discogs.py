"""Discogs data dumps: releases or masters, as XML, or XML in gzip, bzip2, xz or zip.

`discogs_YYYYMMDD_releases.xml.gz` and `discogs_YYYYMMDD_masters.xml.gz` from
https://data.discogs.com. These elements are read, all others are skipped:

    <releases>
      <release id="1" status="Accepted">
        <artists><artist><id>1</id><name>The Persuader</name></artist></artists>
        <title>...</title>
        <genres><genre>Electronic</genre></genres>
        <styles><style>Deep House</style></styles>
        <master_id is_main_release="true">5427</master_id>
      </release>
    </releases>

`<masters>` has the same in `<master id="...">`, without status and master_id. Neither the order
of the elements matters nor how they are broken into lines.
"""

import dataclasses
from collections.abc import Iterator
from xml.parsers import expat

from tagjax.base import text
from tagjax.base.archives import DamagedError, unpacked
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, total_size
from tagjax.catalogue.sources.records import Annotation, Noted, Progress, Rejected, Row
from tagjax.catalogue.sources.xmlbytes import Mender

_CHUNK = 1 << 18
_NONE = text.NONE | {"0"}
"""Dumps since 2018 write 0 for "no master"."""
_NO_ARTISTS = {"355", "118760"}
"""`Unknown Artist` and `No Artist`."""
_ROOTS = {"releases": "release", "masters": "master"}
_SECTIONS = ("artists", "title", "genres", "styles", "master_id")
_FIELDS = {
    (3, "title"): "title",
    (3, "master_id"): "master_id",
    (4, "genre"): "genre",
    (4, "style"): "style",
    (5, "id"): "artist_id",
    (5, "name"): "artist",
}


@dataclasses.dataclass(frozen=True)
class Config:
    """Nothing to choose."""


def size(path: PathLike) -> int:
    """Bytes of the dump as it is on disk.

    Raises:
      InputError: no such file.
    """
    return total_size([path])


def read(path: PathLike, config: Config, progress: Progress) -> Iterator[Row]:
    """One row for each release or master, in constant memory.

    track_id is the id of the release. album_id is its master, so that the pressings of an album
    stay together. A release without a master has `r` and its own id, because masters and releases
    have the same numbers. artist_id is the first artist. 194 (`Various`) is an artist like others,
    as in Discogs, but `Unknown Artist` means no artist. The title is that of the release. If
    releases have a status, only `Accepted` ones are taken. Characters that XML forbids are removed
    and listed.

    Args:
      path: path of the dump; a packed one is recognised by its content.
      config: has no effect.
      progress: called with the number of bytes read from disk.

    Raises:
      InputError: no such file; the file is packed in another form, cut off or broken; or its XML is
        malformed, cut off or not a dump of releases or masters. The message names the line of XML.
    """
    del config
    total_size([path])
    handler, mender = _Handler(str(path)), Mender()
    try:
        with unpacked(path, progress, ".xml") as file:
            while piece := file.read(_CHUNK):
                handler.feed(mender.feed(piece))
                yield from handler.taken()
                yield from _forbidden(path, mender)
    except DamagedError as error:
        raise handler.error(error.reason) from None
    handler.feed(mender.close())
    handler.close()
    yield from handler.taken()
    yield from _forbidden(path, mender)


def _forbidden(path: PathLike, mender: Mender) -> Iterator[Row]:
    for line, what in mender.found():
        yield Noted(str(path), line, "characters that XML forbids, removed", repr(what))


class _Handler:
    """Takes the fields of a row from the XML, without building a tree of the rest."""

    def __init__(self, file: str):
        self._file = file
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._fed = 0
        self._depth = 0
        self._record = ""
        self._skipped = ""
        self._text: list[str] = []
        self._attributes: dict[str, str] = {}
        self._found: dict[str, list[str]] = {}
        self._line = 0
        self._rows: list[Row] = []

    def error(self, what: str, line: int | None = None) -> InputError:
        """The error at the line that the parser has reached."""
        return InputError(
            f"{self._file}:{line or self._parser.CurrentLineNumber}: {what}; download the dump "
            "again and compare its checksum"
        )

    def feed(self, chunk: bytes) -> None:
        """Parses a piece."""
        try:
            self._parser.Parse(chunk, False)
        except expat.ExpatError as error:
            self._refuse(error, chunk)
        self._fed += len(chunk)

    def close(self) -> None:
        """Ends the input."""
        try:
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            if self._depth == 0:
                raise InputError(f"{self._file}: no XML in it; download the dump again") from None
            raise self.error("the XML is cut off", error.lineno) from None

    def taken(self) -> list[Row]:
        """The rows that are complete, each once."""
        rows, self._rows = self._rows, []
        return rows

    def _refuse(self, error: expat.ExpatError, chunk: bytes) -> None:
        what = (
            f"malformed XML ({expat.ErrorString(error.code)}, byte {self._parser.ErrorByteIndex})"
        )
        whole = chunk.lstrip(bytes(range(0x80, 0xC0)))  # A letter may be cut by the chunk's start.
        try:
            whole.decode()
        except UnicodeDecodeError as broken:
            if broken.reason != "unexpected end of data":
                byte = self._fed + len(chunk) - len(whole) + broken.start
                what = f"not UTF-8 (byte {byte})"
        raise self.error(what, error.lineno) from None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            if tag not in _ROOTS:
                raise InputError(
                    f"{self._file}:{self._parser.CurrentLineNumber}: <{tag}> is no dump of "
                    "releases or masters; take discogs_*_releases.xml.gz or _masters.xml.gz"
                )
            self._record = _ROOTS[tag]
        elif self._depth == 2:
            self._attributes, self._found = attributes, {}
            self._line = self._parser.CurrentLineNumber
        elif self._depth == 3 and tag not in _SECTIONS:
            # Most of a dump is in such elements; the parser then only looks for their end.
            self._skipped = tag
            self._parser.StartElementHandler = None
            self._parser.EndElementHandler = self._end_skipped
        elif (self._depth, tag) in _FIELDS:
            self._text = []
            self._parser.CharacterDataHandler = self._text.append

    def _end_skipped(self, tag: str) -> None:
        if tag == self._skipped:
            self._depth -= 1
            self._parser.StartElementHandler = self._start
            self._parser.EndElementHandler = self._end

    def _end(self, tag: str) -> None:
        field = _FIELDS.get((self._depth, tag))
        if field:
            self._parser.CharacterDataHandler = None
            self._found.setdefault(field, []).append("".join(self._text).strip())
        elif self._depth == 2 and tag == self._record:
            self._rows.append(self._row())
        self._depth -= 1

    def _row(self) -> Row:
        def first(field: str) -> str:
            return next(iter(self._found.get(field, ())), "")

        number, status = self._attributes.get("id", ""), self._attributes.get("status")
        if status not in (None, "Accepted"):
            return Rejected(self._file, self._line, "not accepted", f"{number} is {status}")
        artist, master = (text.known(first(name), _NONE) for name in ("artist_id", "master_id"))
        return Annotation(
            self._file,
            self._line,
            track_id=number,
            artist_id="" if artist in _NO_ARTISTS else artist,
            genres=tuple(self._found.get("genre", ())),
            styles=tuple(self._found.get("style", ())),
            album_id=master or f"{'r' * (self._record == 'release')}{number}",
            artist=first("artist"),
            title=first("title"),
        )
