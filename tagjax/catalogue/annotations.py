"""Catalogues of annotated tracks, and the truth tables that go with them.

Readers of the files left of the manifest. A mistake in a file is an `InputError` that
names file and line; the header is line 1.
"""

import dataclasses
import graphlib
from collections.abc import Sequence

import numpy as np

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.tables import Table, number, read_table

SEPARATOR = "|"


@dataclasses.dataclass(frozen=True)
class Catalogue:
    """Annotated tracks in one tag system; row i of every column is one track.

    Attributes:
      prefix: of the tag system, put before every tag of it in a manifest ("" for none).
      track_id: unique in the catalogue; the same id in two catalogues is the same track.
      artist_id: never empty; one name space over all catalogues.
      album_id: "" for a track that is on no known album.
      tags: the track's tags without prefix, at least one, none twice.
      artist: names, for `tagjax.catalogue.matching`; "" where it is not known, None where the
        table has none.
      title: likewise.
    """

    prefix: str
    track_id: tuple[str, ...]
    artist_id: tuple[str, ...]
    album_id: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]
    artist: tuple[str, ...] | None = None
    title: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.track_id)


@dataclasses.dataclass(frozen=True, eq=False)
class Tracks:
    """Where the audio is.

    Attributes:
      track_id: unique.
      path: of the audio file, relative to the audio folder.
      duration: float64 [n], seconds; NaN where it is unknown.
    """

    track_id: tuple[str, ...]
    path: tuple[str, ...]
    duration: np.ndarray

    def __len__(self) -> int:
        return len(self.track_id)


def read_catalogue(path: PathLike, prefix: str = "") -> Catalogue:
    """Reads a CSV file with the columns `track_id,artist_id,album_id,tags[,artist,title]`.

    Tags are separated by `|`; white space around a tag and repeats in a row are dropped.
    The names in `artist` and `title` may be empty.
    The tracks of an album may be annotated differently, and `album_id` may be empty.

    Raises:
      InputError: a missing column, no rows, an empty id or tag, a track id that occurs twice.
    """
    table = read_table(path, ("track_id", "artist_id", "album_id", "tags"))
    _check_ids(path, table, "track_id")
    _check_filled(path, table, "artist_id", "every track needs its artist")
    intern: dict[str, str] = {}
    tags = []
    for row, cell in enumerate(table["tags"]):
        names = [intern.setdefault(tag, tag) for tag in map(str.strip, cell.split(SEPARATOR))]
        if "" in names:
            raise InputError(
                f"{table.at(row)}: empty tag in tags={cell!r}; name it, or drop the track"
            )
        tags.append(tuple(dict.fromkeys(names)))
    named = {
        name: tuple(intern.setdefault(cell, cell) for cell in map(str.strip, table[name]))
        for name in ("artist", "title")
        if name in table
    }
    return Catalogue(
        prefix,
        tuple(table["track_id"]),
        tuple(table["artist_id"]),
        tuple(table["album_id"]),
        tuple(tags),
        **named,
    )


def read_catalogues(paths: Sequence[PathLike], prefixes: Sequence[str] = ()) -> list[Catalogue]:
    """Reads catalogues, each with its prefix; a single one may have none.

    Raises:
      InputError: as `read_catalogue`; no path, or not a prefix a catalogue.
    """
    if not paths:
        raise InputError("--annotations: name an annotation table (or two: a.csv,b.csv)")
    given = list(prefixes) or [""]
    if len(given) != len(paths):
        raise InputError(
            f"--prefix={','.join(prefixes)}: {len(paths)} catalogues need as many prefixes "
            f"(such as {','.join('abcdefgh'[k % 8] + ':' for k in range(len(paths)))})"
        )
    return [read_catalogue(path, prefix) for path, prefix in zip(paths, given, strict=True)]


def read_tracks(path: PathLike) -> Tracks:
    """Reads a CSV file with the columns `track_id,path`, and `duration_s` where it is known.

    Further columns are not looked at. An empty `duration_s` is an unknown one.

    Raises:
      InputError: a missing column, no rows, an empty id or path, a track id that occurs
        twice, a path that leaves the audio folder, or a duration that is not a positive number.
    """
    table = read_table(path, ("track_id", "path"))
    _check_ids(path, table, "track_id")
    _check_filled(path, table, "path", "every track needs its audio file")
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
    return Tracks(tuple(table["track_id"]), tuple(table["path"]), duration)


def read_taxonomy(path: PathLike, prefix: str = "") -> tuple[tuple[str, str], ...]:
    """Reads true (style, genre) pairs of one tag system; a style may have several genres.

    Args:
      path: a CSV file with the columns `style,genre`.
      prefix: of the tag system, put before every name.

    Raises:
      InputError: a missing column, no rows, an empty name, a repeated pair, a cycle.
    """
    table = read_table(path, ("style", "genre"))
    pairs = _truth_rows(path, table, ("style", "genre"))
    graph: dict[str, set[str]] = {}
    for style, genre in pairs:
        graph.setdefault(style, set()).add(genre)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        cycle = error.args[1][::-1]
        row = pairs.index((cycle[0], cycle[1]))
        raise InputError(
            f"{table.at(row)}: the taxonomy goes in a circle: {' > '.join(cycle)}; "
            "remove one of these pairs"
        ) from None
    return tuple((prefix + style, prefix + genre) for style, genre in pairs)


def read_translation(
    path: PathLike, prefixes: Sequence[str] = ()
) -> tuple[tuple[str, str, str], ...]:
    """Reads true (source, target, relation) triples between two tag systems.

    Args:
      path: a CSV file with the columns `source,target,relation`, tags with their prefixes;
        or `X_tag,Y_tag,relation`, tags without, where `X:` and `Y:` are prefixes. The first
        tag column is the source. Further columns are not looked at.
      prefixes: of the tag systems.

    Raises:
      InputError: a missing column, no rows, an empty name, a repeated pair, a column named
        after no prefix.
    """
    table = read_table(path, ("relation",))
    names = [name for name in table if name.endswith("_tag")]
    if "source" in table and "target" in table:
        names, systems = ["source", "target"], ["", ""]
    elif len(names) == 2:
        systems = [name.removesuffix("_tag") + ":" for name in names]
        for name, system in zip(names, systems, strict=True):
            if system not in prefixes:
                raise InputError(
                    f"{path}:1: column {name!r} is of the tag system {system!r}, but the "
                    f"prefixes are {', '.join(map(repr, prefixes)) or 'none'}"
                )
    else:
        raise InputError(
            f"{path}:1: expected the columns source,target,relation or X_tag,Y_tag,relation "
            f"(X:, Y: prefixes); found {', '.join(table)}"
        )
    rows = _truth_rows(path, table, names)
    _check_filled(path, table, "relation", "exact, broad, narrow, close or related")
    return tuple(
        (systems[0] + source, systems[1] + target, relation)
        for (source, target), relation in zip(rows, table["relation"], strict=True)
    )


def read_duplicates(path: PathLike, prefixes: Sequence[str] = ("",)) -> tuple[tuple[str, str], ...]:
    """Reads pairs of tags that are known to mean the same.

    Args:
      path: a CSV file with the columns `tag,duplicate`, tags with their prefixes; or with a
        third column `system` (a prefix, with or without its colon), tags without.
      prefixes: of the tag systems.

    Raises:
      InputError: a missing column, no rows, an empty name, a repeated pair, an unknown system.
    """
    table = read_table(path, ("tag", "duplicate"))
    rows = _truth_rows(path, table, ("tag", "duplicate"))
    systems = table.get("system", [""] * len(rows))
    full = []
    for row, ((tag, duplicate), system) in enumerate(zip(rows, systems, strict=True)):
        prefix = system if system in prefixes or not system else f"{system}:"
        if system and prefix not in prefixes:
            raise InputError(
                f"{table.at(row)}: unknown system {system!r}; the prefixes are "
                f"{', '.join(map(repr, prefixes))}"
            )
        full.append((prefix + tag, prefix + duplicate))
    return tuple(full)


def check_paths(table: Table) -> None:
    """Refuses a `path` that is not below the audio folder: absolute, or with `..` in it.

    A list that someone else made would otherwise name any file of this machine as music.

    Raises:
      InputError: one is.
    """
    for row, path in enumerate(table["path"]):
        parts = path.split("/")
        if not parts[0] or ".." in parts:
            raise InputError(
                f"{table.at(row)}: path={path!r} is not below the audio folder; name the folder "
                "that holds all of the audio, and paths in it"
            )


def _check_filled(path: PathLike, table: Table, name: str, advice: str) -> None:
    column = table[name]
    if not column:
        raise InputError(f"{path}: has a header but no rows")
    blank = next((row for row, value in enumerate(column) if not value.strip()), None)
    if blank is not None:
        raise InputError(f"{table.at(blank)}: empty {name}; {advice}")


def _check_ids(path: PathLike, table: Table, name: str) -> None:
    column = table[name]
    _check_filled(path, table, name, "every row needs one")
    if len(set(column)) < len(column):
        seen: dict[str, int] = {}
        for row, value in enumerate(column):
            if value in seen:
                raise InputError(
                    f"{table.at(row)}: {name} {value!r} was already in row "
                    f"{table.lines[seen[value]]}; keep one row a track"
                )
            seen[value] = row


def _truth_rows(path: PathLike, table: Table, names: Sequence[str]) -> list[tuple[str, str]]:
    """The two columns as pairs, none empty, none twice."""
    for name in names:
        _check_filled(path, table, name, "name it, or drop the row")
    pairs = list(zip(*(table[name] for name in names), strict=True))
    seen: set[tuple[str, str]] = set()
    for row, pair in enumerate(pairs):
        if pair in seen:
            raise InputError(f"{table.at(row)}: the pair {', '.join(pair)} occurs twice; drop one")
        seen.add(pair)
    return pairs
