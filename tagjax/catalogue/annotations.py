"""Catalogues of annotated tracks, and where their audio is.

This module reads the tables from which a manifest is made. Ids and names are cleaned here, once
(`base.text`). Words such as `nan` or `unknown album` mean that there is no album or artist. A
mistake raises an `InputError` that names file and line; the header is line 1.
"""

import collections
import dataclasses
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.tables import Table, check_paths, number, read_table
from tagjax.base.text import clean, cleaned, is_none
from tagjax.vocabulary.vocabulary import TAG_SEPARATOR as SEPARATOR

if TYPE_CHECKING:
    import pandas

ANNOTATES = ("album", "track")
"""What a source may annotate."""

_COLUMNS = ("track_id", "artist_id", "album_id", "tags")
_LONGEST_WORD = 80
"""In letters. A longer name is not a word for "none"."""

_MOST_TRACKS, _MOST_ARTISTS, _LARGEST_SHARE = 50, 10, 0.1
"""Limits above which there is a warning: tracks on an album, artists on an album, and the share of
a catalogue's tracks that are by one artist."""

_LONG = 9000.0
"""In seconds. If half of the tracks are longer, the durations are likely to be milliseconds."""


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """Annotated tracks in one tag system; row i of every column is one track.

    Attributes:
      prefix: prefix of the tag system, put before each of its tags in a manifest ("" for none).
      track_id: unique in the catalogue; the same id in two catalogues is the same track.
      artist_id: never empty; the same id in two catalogues is the same artist.
      album_id: "" for a track that is not on a known album.
      tags: the track's tags without prefix: at least one, and no repeats.
      artist: names, for `tagjax.catalogue.matching`; "" if a name is not known, None if the table
        has no such column.
      title: titles, likewise.
      annotates: "album", where the source annotates albums (Discogs, MuMu): the tracks of an album
        share all of its tags; or "track" (a music library, FMA): a track's tags are its own.

    >>> catalogue = Catalogue("a:", ("t1",), ("r1",), ("l1",), (("dub", "ska"),))
    >>> len(catalogue), catalogue.annotates
    (1, 'album')

    Reference: section 2.1 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    prefix: str
    track_id: tuple[str, ...]
    artist_id: tuple[str, ...]
    album_id: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]
    artist: tuple[str, ...] | None = None
    title: tuple[str, ...] | None = None
    annotates: str = "album"

    def __len__(self) -> int:
        return len(self.track_id)

    @classmethod
    def from_frame(
        cls, frame: "pandas.DataFrame", prefix: str = "", annotates: str | None = None
    ) -> "Catalogue":
        """The catalogue of a pandas frame with the columns of `read_catalogue`.

        Args:
          frame: one row for each track; `tags` are lists, or strings with `|` between tags. Missing
            values are empty cells.
          prefix: prefix of the tag system.
          annotates: as `read_catalogue`.

        Raises:
          InputError: as `read_catalogue`; rows are counted from 0.

        >>> import pandas
        >>> frame = pandas.DataFrame(
        ...     {
        ...         "track_id": [1, 2],
        ...         "artist_id": ["r1", "r2"],
        ...         "album_id": ["l1", None],
        ...         "tags": [["rock", "pop"], ["jazz"]],
        ...     }
        ... )
        >>> catalogue = Catalogue.from_frame(frame)
        >>> catalogue.track_id, catalogue.album_id, catalogue.tags
        (('1', '2'), ('l1', ''), (('rock', 'pop'), ('jazz',)))

        Reference: section 2.1 of the paper,
        https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
        """
        return _catalogue("frame", _frame_table(frame, _COLUMNS), prefix, annotates)


@dataclasses.dataclass(frozen=True, eq=False)
class Tracks:
    """Where the audio is.

    Attributes:
      track_id: unique ids.
      path: paths of the audio files, relative to the audio folder.
      duration: float64 [n], seconds; NaN if unknown.

    >>> tracks = Tracks(("t1",), ("dub/t1.mp3",), np.array([187.4]))
    >>> tracks.duration
    array([187.4])

    Reference: section 2.1 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    track_id: tuple[str, ...]
    path: tuple[str, ...]
    duration: np.ndarray

    def __len__(self) -> int:
        return len(self.track_id)

    @classmethod
    def from_frame(cls, frame: "pandas.DataFrame") -> "Tracks":
        """The tracks of a pandas frame with the columns of `read_tracks`.

        Raises:
          InputError: as `read_tracks`; rows are counted from 0.

        >>> import pandas
        >>> frame = pandas.DataFrame({"track_id": [7], "path": ["a/7.mp3"], "duration_s": [31.5]})
        >>> Tracks.from_frame(frame).duration
        array([31.5])

        Reference: section 2.1 of the paper,
        https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
        """
        return _tracks("frame", _frame_table(frame, ("track_id", "path")))


def read_catalogue(path: PathLike, prefix: str = "", annotates: str | None = None) -> Catalogue:
    """Reads a CSV file with the columns `track_id,artist_id,album_id,tags[,artist,title]`.

    Tags are separated by `|`; repeats in a row are dropped. The names in `artist` and `title` may
    be empty, and so may `album_id`. The tracks of an album may be annotated differently. A column
    `annotates` says whether the source annotates albums or tracks. It has the same word in every
    row, `album` or `track`.

    Args:
      path: the file.
      prefix: prefix of the tag system.
      annotates: "album" or "track", whatever the table says; None takes the table's word, or
        "album" if it has none.

    Warns:
      UserWarning: words that were taken to mean no album; an album of more than 50 tracks or 10
        artists; an artist with more than a tenth of the catalogue, and three times the mean.

    Raises:
      InputError: a missing column, no rows, an empty id or tag, a track id that occurs twice, or
        another word in `annotates`.

    >>> with open("annotations.csv", "w") as file:
    ...     print("track_id,artist_id,album_id,tags", "t1,r1,l1,dub|ska", sep="\\n", file=file)
    >>> read_catalogue("annotations.csv", prefix="a:").tags
    (('dub', 'ska'),)

    Reference: section 2.1 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    return _catalogue(str(path), read_table(path, _COLUMNS), prefix, annotates)


def read_catalogues(
    paths: Sequence[PathLike], prefixes: Sequence[str] = (), annotates: Sequence[str] = ()
) -> list[Catalogue]:
    """Reads catalogues, each with its prefix; a single catalogue needs none.

    Args:
      paths: the files.
      prefixes: prefixes of their tag systems.
      annotates: as `read_catalogue`, one for each catalogue, with "" for None; may be empty.

    Raises:
      InputError: as `read_catalogue`; no path, or not one prefix for each catalogue.
    """
    if not paths:
        raise InputError("--annotations: name an annotation table (or two: a.csv,b.csv)")
    given = list(prefixes) or [""]
    if len(given) != len(paths):
        raise InputError(
            f"--prefix={','.join(prefixes)}: {len(paths)} catalogues need as many prefixes "
            f"(such as {','.join('abcdefgh'[k % 8] + ':' for k in range(len(paths)))})"
        )
    levels = list(annotates) or [""] * len(paths)
    if len(levels) != len(paths) or not {*levels} <= {"", *ANNOTATES}:
        raise InputError(
            f"--annotates={','.join(annotates)}: say {' or '.join(ANNOTATES)} for each of the "
            f"{len(paths)} catalogues (nothing between commas for what its table says)"
        )
    return [
        read_catalogue(path, prefix, level or None)
        for path, prefix, level in zip(paths, given, levels, strict=True)
    ]


def read_tracks(path: PathLike) -> Tracks:
    """Reads a CSV file with the columns `track_id,path`, and `duration_s` where it is known.

    Further columns are ignored. An empty `duration_s` means that the duration is unknown.

    Warns:
      UserWarning: some durations are longer than 2.5 hours.

    Raises:
      InputError: a missing column, no rows, an empty id or path, a track id that occurs twice, a
        path that leaves the audio folder or is of Windows, a duration that is not a positive
        number, or half of them longer than 2.5 hours, as milliseconds would be.

    >>> with open("tracks.csv", "w") as file:
    ...     print("track_id,path,duration_s", "t1,dub/t1.mp3,187.4", sep="\\n", file=file)
    >>> read_tracks("tracks.csv").path
    ('dub/t1.mp3',)

    Reference: section 2.1 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    return _tracks(str(path), read_table(path, ("track_id", "path")))


def _catalogue(name: str, table: Table, prefix: str, annotates: str | None) -> Catalogue:
    """The catalogue of a table; messages about the whole table use `name`."""
    track, artist = _ids(name, table), cleaned(table["artist_id"])
    nobody = {"", *_words(artist)}
    blank = [row for row, cell in enumerate(artist) if cell in nobody]
    if blank:
        word = artist[blank[0]]
        what = f"artist_id={word!r} is no artist" if word else "empty artist_id"
        more = f" ({len(blank)} have none)" if len(blank) > 1 else ""
        raise InputError(f"{table.at(blank[0])}: {what}; every track needs its artist{more}")
    intern: dict[str, str] = {}
    catalogue = Catalogue(
        clean(prefix),
        tuple(track),
        tuple(artist),
        tuple(_albums(name, cleaned(table["album_id"]))),
        _tags(name, table, intern),
        **{
            column: tuple(intern.setdefault(cell, cell) for cell in cleaned(table[column]))
            for column in ("artist", "title")
            if column in table
        },
        annotates=annotates or _annotates(table),
    )
    _warn_of_crowds(name, catalogue)
    return catalogue


def _tracks(name: str, table: Table) -> Tracks:
    track = _ids(name, table)
    _check_filled(name, table, "path", "every track needs its audio file")
    check_paths(table)
    cells = table.get("duration_s", [""] * len(table["path"]))
    duration = np.empty(len(cells))
    for row, cell in enumerate(cells):
        duration[row] = number(cell)
        if cell and not 0.0 < duration[row] < np.inf:
            raise InputError(
                f"{table.at(row)}: duration_s={cell!r} is not a positive number of seconds; "
                "leave it empty if it is unknown"
            )
    _check_unit(table, duration)
    return Tracks(tuple(track), tuple(table["path"]), duration)


def _check_unit(table: Table, duration: np.ndarray) -> None:
    """Asks whether very long tracks are given in milliseconds."""
    (long,) = np.nonzero(duration > _LONG)
    if not len(long):
        return
    first = f"{table.at(long[0])}: duration_s={table['duration_s'][long[0]]!r} is "
    first += f"{duration[long[0]] / 3600:.1f} hours"
    if 2 * len(long) > np.count_nonzero(~np.isnan(duration)):
        raise InputError(
            f"{first}, and half of the tracks are as long: milliseconds? Write seconds, or leave "
            "the cells empty"
        )
    warnings.warn(f"{first} (one of {len(long)} so long); milliseconds?", stacklevel=2)


def _frame_table(frame: "pandas.DataFrame", required: Sequence[str]) -> Table:
    """The columns of a pandas frame as cells of text."""
    import pandas

    missing = [column for column in required if column not in frame]
    if missing:
        found = ", ".join(map(str, frame.columns))
        raise InputError(f"frame: column {missing[0]!r} is missing; found {found}")

    def text(value: Any) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, list | tuple | set | frozenset | np.ndarray):
            parts = [*map(text, sorted(value) if isinstance(value, set | frozenset) else value)]
            if any(SEPARATOR in part for part in parts):
                raise InputError(f"frame: {parts} has a {SEPARATOR} in a tag; replace it")
            return SEPARATOR.join(parts)
        if pandas.isna(value):
            return ""
        whole = isinstance(value, float) and value.is_integer()
        return str(int(value) if whole else value)

    known = {*required, "duration_s", "artist", "title", "annotates"} & {*frame.columns}
    columns = {column: [*map(text, frame[column].tolist())] for column in known}
    return Table("frame", columns, range(len(frame)))


def _ids(name: str, table: Table) -> Sequence[str]:
    """The cleaned column `track_id`, without empty or repeated ids."""
    _check_filled(name, table, "track_id", "every row needs one")
    column = cleaned(table["track_id"])
    if len(set(column)) < len(column):
        seen: dict[str, int] = {}
        for row, value in enumerate(column):
            if seen.setdefault(value, row) != row:
                raise InputError(
                    f"{table.at(row)}: track_id {value!r} was already in row "
                    f"{table.lines[seen[value]]}; keep one row a track"
                )
    return column


def _check_filled(name: str, table: Table, column: str, advice: str) -> None:
    cells = table[column]
    if not cells:
        raise InputError(f"{name}: has a header but no rows")
    blank = next((row for row, cell in enumerate(cells) if not clean(cell)), None)
    if blank is not None:
        raise InputError(f"{table.at(blank)}: empty {column}; {advice}")


def _words(column: Sequence[str]) -> set[str]:
    """Those of the cells that are words for "none"; "" is not among them."""
    short = {cell for cell in set(column) if 0 < len(cell) <= _LONGEST_WORD}
    return {cell for cell in short if is_none(cell)}


def _albums(name: str, column: Sequence[str]) -> Sequence[str]:
    """The column with "" in place of words that mean no album."""
    words = _words(column)
    if not words:
        return column
    tracks = sum(cell in words for cell in column)
    warnings.warn(
        f"{name}: {tracks} tracks are on no album, as album_id is "
        f"{', '.join(map(repr, sorted(words)))}",
        stacklevel=2,
    )
    return ["" if cell in words else cell for cell in column]


def _tags(name: str, table: Table, intern: dict[str, str]) -> tuple[tuple[str, ...], ...]:
    """The tags of every row; each distinct cell is split once."""
    known: dict[str, tuple[str, ...]] = {}
    for cell in set(table["tags"]):
        tags = [intern.setdefault(tag, tag) for tag in map(clean, cell.split(SEPARATOR))]
        known[cell] = tuple(dict.fromkeys(tags))
    if any("" in tags for tags in known.values()):
        row, cell = next((r, c) for r, c in enumerate(table["tags"]) if "" in known[c])
        raise InputError(f"{table.at(row)}: empty tag in tags={cell!r}; name it, or drop the track")
    words = sorted(_words(tuple(intern)))
    if words:
        warnings.warn(
            f"{name}: {', '.join(map(repr, words))} among the tags; drop what is no tag",
            stacklevel=2,
        )
    return tuple([known[cell] for cell in table["tags"]])


def _annotates(table: Table) -> str:
    """What the table annotates, by its column `annotates`; "album" without that column."""
    cells = table.get("annotates")
    if not cells:
        return ANNOTATES[0]
    first = clean(cells[0]).lower()
    for row, cell in enumerate(cells):
        word = clean(cell).lower()
        if word not in ANNOTATES:
            raise InputError(
                f"{table.at(row)}: annotates={cell!r}; write {' or '.join(ANNOTATES)}, the same "
                "in every row"
            )
        if word != first:
            raise InputError(
                f"{table.at(row)}: annotates={cell!r}, but {cells[0]!r} in row {table.lines[0]}; "
                "write the same in every row"
            )
    return first


def _warn_of_crowds(name: str, catalogue: Catalogue) -> None:
    """Warns of an album or artist that is too large to be a real one."""
    tracks = collections.Counter(catalogue.album_id)
    tracks.pop("", None)
    large = {album for album, count in tracks.items() if count > _MOST_ARTISTS}
    pairs = zip(catalogue.album_id, catalogue.artist_id, strict=True)
    artists = collections.Counter(album for album, _ in {p for p in pairs if p[0] in large})
    odd = [a for a in large if tracks[a] > _MOST_TRACKS or artists[a] > _MOST_ARTISTS]
    if odd:
        album = max(odd, key=lambda album: (artists[album], tracks[album], album))
        more = f" ({len(odd) - 1} more are as large)" if len(odd) > 1 else ""
        warnings.warn(
            f"{name}: album {album!r} has {tracks[album]} tracks by {artists[album]} artists; if "
            f"it is no album, leave its album_id empty{more}",
            stacklevel=2,
        )
    by_artist = collections.Counter(catalogue.artist_id)
    artist, count = max(by_artist.items(), key=lambda item: (item[1], item[0]))
    if count > max(_LARGEST_SHARE, 3 / len(by_artist)) * len(catalogue):
        warnings.warn(
            f"{name}: artist {artist!r} has {count} of {len(catalogue)} tracks, which all go to "
            "the same part; if it is no artist, name those of the tracks",
            stacklevel=2,
        )
