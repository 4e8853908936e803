"""Writes a source as the tables that `launch.split` reads, in bounded memory and atomically."""

import collections
import dataclasses
import os
import pathlib
import tempfile
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from tagjax.base import text
from tagjax.base.errors import InputError, one_line
from tagjax.base.files import PathLike, read_json, write_json
from tagjax.base.tables import Writer, harmless
from tagjax.catalogue.annotations import SEPARATOR
from tagjax.catalogue.sources.records import (
    Annotation,
    NoGenre,
    Noted,
    Outside,
    Rejected,
    Row,
    cleaned,
    tags_of,
    tidy,
    with_separators,
)
from tagjax.vocabulary.tags import GENRE

RECORD = "annotations.json"
TABLES = {
    "annotations": ("track_id", "artist_id", "album_id", "tags", "annotates"),
    "tracks": ("track_id", "path", "duration_s", "recording_id"),
    "taxonomy": ("style", "genre"),
    "rejected": ("file", "row", "reason"),
    "non_genres": ("text", "reason", "times"),
}
"""Columns of the tables; `annotations` may have further columns after them."""

_LARGEST_NUMBER = 1 << 28


@dataclasses.dataclass(frozen=True)
class Form:
    """Which tables a source fills, and how.

    Attributes:
      annotates: what its tags describe, "album" or "track".
      columns: further columns of annotations.csv: artist, title, album.
      files: whether it knows where the audio is.
      pairs: (style, genre) pairs, not yet tidied.
    """

    annotates: str = "track"
    columns: tuple[str, ...] = ()
    files: bool = False
    pairs: Iterable[tuple[str, str]] = ()


@dataclasses.dataclass
class Counts:
    """How many rows were kept and left out.

    Attributes:
      tracks: number of annotated tracks.
      tags: {tag: number of tracks}.
      silent: number of annotated files whose audio cannot be decoded.
      rejected: {reason: number of rows that were left out}.
      noted: {reason: number of parts of rows that were left out}.
      no_genres: {(text, reason): number of times}, for texts in genre fields that are not genres.
      outside: number of rows that were not requested.
      separators: number of tags that held `|`.
      pairs: number of (style, genre) pairs.
    """

    tracks: int = 0
    tags: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    silent: int = 0
    rejected: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    noted: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    no_genres: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    outside: int = 0
    separators: int = 0
    pairs: int = 0


class Seen:
    """Remembers ids, and whether an id occurs again with the same tags.

    Ids that are numbers index an array of bytes, each of which holds a checksum of the tags. The 18
    million releases of Discogs take some 40 MB. Other ids are kept in a dictionary.
    """

    def __init__(self) -> None:
        self._numbers = bytearray()
        self._names: dict[str, int] = {}

    def again(self, name: str, tags: Sequence[str]) -> str:
        """Why the id cannot be taken; "" if it is new. The id is then remembered."""
        mark = 1 + zlib.crc32(SEPARATOR.join(sorted(tags)).encode()) % 255
        if name.isascii() and name.isdecimal() and name[0] != "0" and len(name) < 10:
            number = int(name)
            if number < _LARGEST_NUMBER:
                if number >= len(self._numbers):
                    self._numbers.extend(bytes(number + 1 - len(self._numbers) + number // 8))
                before, self._numbers[number] = self._numbers[number], mark
                return self._text(before, mark)
        before = self._names.get(name, 0)
        self._names[name] = mark
        return self._text(before, mark)

    @staticmethod
    def _text(before: int, mark: int) -> str:
        if not before:
            return ""
        same = "with the same tags" if before == mark else "with other tags"
        return f"the track was there before, {same}; the first is kept"


def check_place(folder: PathLike, record: Mapping[str, Any], overwrite: bool) -> None:
    """Refuses a folder that holds anything but annotations with this record.

    Raises:
      InputError: it holds files that are not ours; or it holds annotations of another source, input
        or config, and `overwrite` is false.
    """
    folder = pathlib.Path(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder")
    ours = {RECORD, *(f"{name}.csv" for name in TABLES)}
    others = sorted({path.name for path in folder.iterdir()} - ours)
    if others:
        raise InputError(f"{folder}: holds {others[0]}, which is not ours; name another folder")
    if overwrite or not any(folder.iterdir()):
        return
    path = folder / RECORD
    old = read_json(path) if path.is_file() else {}
    for name, value in record.items():
        if old.get(name) != value:
            raise InputError(
                f"{folder}: holds annotations with {name}={old.get(name)!r}, not {value!r}; "
                "name another folder, or say --overwrite"
            )


def write(
    folder: PathLike,
    rows: Iterable[Row],
    form: Form,
    record: Mapping[str, Any],
    strict: bool = False,
    overwrite: bool = False,
) -> Counts:
    """Writes the tables into a temporary folder, which is then renamed to `folder`.

    Names and ids are cleaned here (`text.clean`); words for "none" become "". A row without id,
    artist or tag, and a row that repeats an id, is left out and listed in rejected.csv. A `|` in a
    tag becomes `/` and is counted. rejected.csv is always written. taxonomy.csv is written if there
    are pairs, tracks.csv if the source has files, and non_genres.csv if a genre field held a text
    that is not a genre.

    Args:
      folder: folder to make; one with the same record is replaced.
      rows: rows of the source, read once.
      form: which tables to write.
      record: origin of the annotations: source, input, config.
      strict: whether the first row that would be left out is an error.
      overwrite: whether to replace annotations with another record.

    Raises:
      InputError: as the source; no row is left; a row is left out and `strict` is true; or as
        `check_place`.
    """
    folder = pathlib.Path(os.path.abspath(folder))
    check_place(folder, record, overwrite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        new_folder = pathlib.Path(temporary) / "made"
        new_folder.mkdir()
        counts = Counts()
        with _Tables(new_folder) as tables:
            _write_rows(tables, rows, form, counts, strict)
            _check_some(record, counts)
            _write_taxonomy(tables, form.pairs, counts)
            _write_no_genres(tables, counts)
        write_json(new_folder / RECORD, {**record, "counts": _plain_counts(counts)})
        if folder.exists():
            os.rename(folder, pathlib.Path(temporary) / "old")
        os.rename(new_folder, folder)
    return counts


def _write_rows(
    tables: "_Tables", rows: Iterable[Row], form: Form, counts: Counts, strict: bool
) -> None:
    seen = Seen()
    tables.open("annotations", form.columns)
    tables.open("rejected")
    if form.files:
        tables.open("tracks")
    for row in rows:
        if isinstance(row, Annotation):
            tags = tags_of(row)
            row = _checked(cleaned(row), tags, seen)
        if isinstance(row, Outside):
            counts.outside += 1
        elif isinstance(row, NoGenre):
            counts.no_genres[row.name, row.reason] += 1
        elif isinstance(row, Rejected):
            if strict:
                raise InputError(f"{_at(row)}: {row.text}; mend it, or leave out --strict")
            (counts.noted if isinstance(row, Noted) else counts.rejected)[row.reason] += 1
            tables.write("rejected", (row.file, row.row or "", row.text), for_people=True)
        else:
            _note_separators(row, counts, strict)
            _write_track(tables, row, tags, form, counts)


def _write_track(
    tables: "_Tables", row: Annotation, tags: Sequence[str], form: Form, counts: Counts
) -> None:
    counts.tracks += 1
    counts.tags.update(tags)
    names = [getattr(row, column) for column in form.columns]
    ids = (row.track_id, row.artist_id, row.album_id)
    tables.write("annotations", (*ids, SEPARATOR.join(tags), form.annotates, *names))
    if form.files and row.path:
        duration = "" if row.duration is None else f"{row.duration:.3f}"
        tables.write("tracks", (row.track_id, row.path, duration, row.recording_id))
    counts.silent += form.files and not row.path


def _note_separators(row: Annotation, counts: Counts, strict: bool) -> None:
    """Counts tags that hold the separator of our tables, and warns of the first."""
    found = with_separators(row)
    if found and not counts.separators:
        line = (
            f"{f'{row.file}:{row.row}' if row.row else row.file}: tag {text.clean(found[0])!r} "
            f"holds {SEPARATOR}, which separates tags in our tables; written {tidy(found[0])!r}"
        )
        if strict:
            raise InputError(f"{line} without --strict")
        warnings.warn(line, stacklevel=2)
    counts.separators += len(found)


def _checked(row: Annotation, tags: Sequence[str], seen: Seen) -> Annotation | Rejected:
    """The row if it has an id, an artist and a tag and its id is new; else why it is left out."""
    if not row.track_id:
        return Rejected(row.file, row.row, "no id")
    detail = "" if row.track_id == row.file else f"track {row.track_id}"
    missing = " and ".join(["no artist"] * (not row.artist_id) + ["no tag"] * (not tags))
    reason = missing or seen.again(row.track_id, tags)
    return Rejected(row.file, row.row, reason, detail) if reason else row


def _write_taxonomy(tables: "_Tables", pairs: Iterable[tuple[str, str]], counts: Counts) -> None:
    unique = dict.fromkeys((tidy(style), GENRE + tidy(genre)) for style, genre in pairs)
    counts.pairs = len(unique)
    if unique:
        tables.open("taxonomy")
        for pair in unique:
            tables.write("taxonomy", pair)


def _write_no_genres(tables: "_Tables", counts: Counts) -> None:
    """Writes the texts in genre fields that are not genres, the most frequent first."""
    if counts.no_genres:
        tables.open("non_genres")
        for (name, reason), times in counts.no_genres.most_common():
            tables.write("non_genres", (name, reason, times), for_people=True)


def _check_some(record: Mapping[str, Any], counts: Counts) -> None:
    if counts.tracks:
        return
    why = "it has no rows"
    if counts.rejected:
        reasons = ", ".join(f"{number:,} {name}" for name, number in counts.rejected.most_common(3))
        why = f"all {counts.rejected.total():,} rows left out: {reasons}"
    elif counts.outside:
        why = f"none of its {counts.outside:,} rows is of what was asked for"
    raise InputError(f"{record['input']}: an empty catalogue; {why}")


def _plain_counts(counts: Counts) -> dict[str, Any]:
    return {
        "tracks": counts.tracks,
        "tags": len(counts.tags),
        "rejected": dict(counts.rejected.most_common()),
        "noted": dict(counts.noted.most_common()),
        "non_genres": counts.no_genres.total(),
        "outside": counts.outside,
        "separators": counts.separators,
        "pairs": counts.pairs,
    }


def _at(row: Rejected) -> str:
    return f"{row.file}:{row.row}" if row.row else row.file


class _Tables:
    """CSV files in a folder, open together."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._files: dict[str, TextIO] = {}
        self._writers: dict[str, Writer] = {}

    def __enter__(self) -> "_Tables":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def open(self, name: str, further: Sequence[str] = ()) -> None:
        file = (self._folder / f"{name}.csv").open("w", encoding="utf-8", newline="")
        self._files[name] = file
        self._writers[name] = Writer(file)
        self.write(name, (*TABLES[name], *further))

    def write(self, name: str, cells: Sequence[Any], for_people: bool = False) -> None:
        if for_people:
            cells = [harmless(one_line(c) if isinstance(c, str) else c) for c in cells]
        self._writers[name].writerow(cells)


def report(counts: Counts) -> Iterator[str]:
    """The counts as lines of text."""
    yield f"tracks: {counts.tracks:,} with {len(counts.tags):,} tags"
    common = ", ".join(f"{tag} {number:,}" for tag, number in counts.tags.most_common(5))
    yield f"most common: {common}"
    if counts.silent:
        yield f"of these without audio that can be decoded, not in tracks.csv: {counts.silent:,}"
    if counts.pairs:
        yield f"taxonomy: {counts.pairs:,} pairs of style and genre"
    if counts.separators:
        yield f"tags with {SEPARATOR} in them, written with /: {counts.separators:,}"
    if counts.no_genres:
        common = ", ".join(repr(name) for (name, _), _ in counts.no_genres.most_common(5))
        yield (
            f"in genre fields, but no genres: {len(counts.no_genres):,} texts "
            f"({common}), left out {counts.no_genres.total():,} times, listed in non_genres.csv; "
            "--keep_non_genres keeps them"
        )
    if counts.outside:
        yield f"rows that were not asked for: {counts.outside:,}"
    if counts.rejected:
        yield f"left out: {counts.rejected.total():,} rows, listed in rejected.csv"
        yield from _by_reason(counts.rejected)
    if counts.noted:
        yield f"parts of rows left out, also listed in rejected.csv: {counts.noted.total():,}"
        yield from _by_reason(counts.noted)


def _by_reason(counts: collections.Counter) -> Iterator[str]:
    for reason, number in counts.most_common():
        yield f"  {number:,}: {reason}"
