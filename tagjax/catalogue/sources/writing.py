"""A source to the tables that `launch.split` reads, in bounded memory and all or nothing."""

import collections
import dataclasses
import os
import pathlib
import tempfile
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, read_json, write_json
from tagjax.base.tables import Writer, harmless
from tagjax.catalogue.annotations import SEPARATOR
from tagjax.catalogue.sources.records import (
    Annotation,
    Outside,
    Rejected,
    Row,
    plain,
    tags_of,
    tidy,
    with_separators,
)
from tagjax.vocabulary.tags import GENRE

RECORD = "annotations.json"
TABLES = {
    "annotations": ("track_id", "artist_id", "album_id", "tags"),
    "tracks": ("track_id", "path", "duration_s"),
    "taxonomy": ("style", "genre"),
    "rejected": ("file", "row", "reason"),
}
"""Columns of the tables; `annotations` and `tracks` may have more behind them."""

_LARGEST_NUMBER = 1 << 28


@dataclasses.dataclass
class Counts:
    """What became of the rows.

    Attributes:
      tracks: annotated ones.
      tags: {tag: tracks}.
      rejected: {reason: rows}.
      outside: rows that were not asked for.
      separators: tags that held `|`.
      pairs: of style and genre.
    """

    tracks: int = 0
    tags: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    rejected: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    outside: int = 0
    separators: int = 0
    pairs: int = 0


class Seen:
    """Ids that were there before, and whether with the same tags.

    An id that is a number costs a byte a number up to the largest, so that Discogs's 18 million
    releases cost some 40 MB; it has a checksum of its tags in that byte. Other ids are kept.
    """

    def __init__(self) -> None:
        self._numbers = bytearray()
        self._names: dict[str, int] = {}

    def again(self, name: str, tags: Sequence[str]) -> str:
        """Why the id cannot be taken; "" if it is new, and then it is remembered."""
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
    """Refuses a folder that holds anything else.

    Raises:
      InputError: it holds files that are not ours, or annotations of another source, input or
        config without `overwrite`.
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
    columns: Sequence[str],
    files: bool,
    pairs: Iterable[tuple[str, str]],
    record: Mapping[str, Any],
    strict: bool = False,
    overwrite: bool = False,
) -> Counts:
    """Writes the tables; the folder is made beside its place and renamed into it.

    Left out and listed in rejected.csv are rows without id, artist or tag, and later rows of an
    id. A `|` in a tag becomes `/` and is counted. rejected.csv is always there, taxonomy.csv if
    there are pairs, tracks.csv with `files`.

    Args:
      folder: to be made; of the same record it is replaced.
      rows: read once, as they come.
      columns: further columns of annotations.csv: artist, title, album.
      files: whether the source knows where the audio is.
      pairs: (style, genre), untidied.
      record: what says where the annotations come from: source, input, config.
      strict: the first row that would be left out is an error.
      overwrite: replace annotations of another record.

    Raises:
      InputError: as the source; nothing is left; with `strict` a row is left out; `check_place`.
    """
    folder = pathlib.Path(os.path.abspath(folder))
    check_place(folder, record, overwrite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        made = pathlib.Path(temporary) / "made"
        made.mkdir()
        counts = Counts()
        _write_rows(made, rows, columns, files, counts, strict)
        _check_some(record, counts)
        _write_taxonomy(made, pairs, counts)
        write_json(made / RECORD, {**record, "counts": _plain_counts(counts)})
        if folder.exists():
            os.rename(folder, pathlib.Path(temporary) / "old")
        os.rename(made, folder)
    return counts


def _write_rows(
    made: pathlib.Path,
    rows: Iterable[Row],
    columns: Sequence[str],
    files: bool,
    counts: Counts,
    strict: bool,
) -> None:
    seen = Seen()
    with _Tables(made) as tables:
        tables.open("annotations", columns)
        tables.open("rejected")
        if files:
            tables.open("tracks", ("recording_id",))
        for row in rows:
            if isinstance(row, Annotation):
                tags = tags_of(row)
                row = _checked(row, tags, seen)
            if isinstance(row, Outside):
                counts.outside += 1
            elif isinstance(row, Rejected):
                if strict:
                    raise InputError(
                        f"{_at(row)}: {row.text}; mend it, or leave out --strict"
                    ) from None
                counts.rejected[row.reason] += 1
                listed = map(harmless, (row.file, row.row or "", row.text))
                tables.write("rejected", tuple(listed))
            else:
                counts.tracks += 1
                counts.tags.update(tags)
                _note_separators(row, counts, strict)
                texts = [plain(getattr(row, column)) for column in columns]
                ids = (plain(row.track_id), plain(row.artist_id), plain(row.album_id))
                tables.write("annotations", (*ids, SEPARATOR.join(tags), *texts))
                if files:
                    duration = "" if row.duration is None else f"{row.duration:.3f}"
                    tables.write("tracks", (ids[0], row.path, duration, row.recording_id))


def _note_separators(row: Annotation, counts: Counts, strict: bool) -> None:
    """Counts tags with the separator of our tables in them; the first is named."""
    found = with_separators(row)
    if found and not counts.separators:
        line = (
            f"{f'{row.file}:{row.row}' if row.row else row.file}: tag {plain(found[0])!r} holds "
            f"{SEPARATOR}, which separates tags in our tables; written {tidy(found[0])!r}"
        )
        if strict:
            raise InputError(f"{line} without --strict")
        warnings.warn(line, stacklevel=2)
    counts.separators += len(found)


def _checked(row: Annotation, tags: Sequence[str], seen: Seen) -> Annotation | Rejected:
    """The row, or why it is none."""
    name = plain(row.track_id)
    if not name:
        return Rejected(row.file, row.row, "no id")
    detail = "" if name == row.file else f"track {name}"
    if not plain(row.artist_id):
        return Rejected(row.file, row.row, "no artist", detail)
    if not tags:
        return Rejected(row.file, row.row, "no tag", detail)
    reason = seen.again(name, tags)
    return Rejected(row.file, row.row, reason, detail) if reason else row


def _write_taxonomy(made: pathlib.Path, pairs: Iterable[tuple[str, str]], counts: Counts) -> None:
    unique = dict.fromkeys((tidy(style), GENRE + tidy(genre)) for style, genre in pairs)
    counts.pairs = len(unique)
    if unique:
        with _Tables(made) as tables:
            tables.open("taxonomy")
            for pair in unique:
                tables.write("taxonomy", pair)


def _check_some(record: Mapping[str, Any], counts: Counts) -> None:
    if counts.tracks:
        return
    why = "it has no rows"
    if counts.rejected:
        reason, number = counts.rejected.most_common(1)[0]
        why = f"{number:,} of {counts.rejected.total():,} rows left out: {reason}"
    elif counts.outside:
        why = f"none of its {counts.outside:,} rows is of what was asked for"
    raise InputError(f"{record['input']}: an empty catalogue; {why}")


def _plain_counts(counts: Counts) -> dict[str, Any]:
    return {
        "tracks": counts.tracks,
        "tags": len(counts.tags),
        "rejected": dict(counts.rejected.most_common()),
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

    def write(self, name: str, cells: Sequence[Any]) -> None:
        self._writers[name].writerow(cells)


def report(counts: Counts) -> Iterator[str]:
    """The counts as lines of text."""
    yield f"tracks: {counts.tracks:,} with {len(counts.tags):,} tags"
    common = ", ".join(f"{tag} {number:,}" for tag, number in counts.tags.most_common(5))
    yield f"most common: {common}"
    if counts.pairs:
        yield f"taxonomy: {counts.pairs:,} pairs of style and genre"
    if counts.separators:
        yield f"tags with {SEPARATOR} in them, written with /: {counts.separators:,}"
    if counts.outside:
        yield f"rows that were not asked for: {counts.outside:,}"
    if counts.rejected:
        yield f"left out: {counts.rejected.total():,} rows, listed in rejected.csv"
        for reason, number in counts.rejected.most_common():
            yield f"  {number:,}: {reason}"
