"""FMA, the Free Music Archive's data set: `fma_metadata` and its hierarchy of genres.

The input is the folder unpacked from `fma_metadata.zip` (https://github.com/mdeff/fma). These files
are read:

    tracks.csv: two header rows, then one that only names the index
        ,album,album,artist,artist,set,track,track,track
        ,id,title,id,name,subset,duration,genres,title
        track_id,,,,,,,,
        2,1,AWOL - A Way Of Life,1,AWOL,small,168,[21],Food
    genres.csv
        genre_id,#tracks,parent,title,top_level
        21,12201,0,Hip-Hop,21

tracks.csv must have artist/id and track/genres; all other columns are optional. The audio of track
2 is `000/000002.mp3` in the folder of `fma_small.zip`, `fma_large.zip` or another.
"""

import dataclasses
import pathlib
import re
from collections.abc import Iterator

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, total_size
from tagjax.base.tables import open_rows, stream_table
from tagjax.catalogue.sources.hierarchy import Hierarchy, checked
from tagjax.catalogue.sources.records import Annotation, Outside, Progress, Rejected, Row

SUBSETS = ("small", "medium", "large", "full")
CLIP = 30.0
"""Length in seconds of the audio in all subsets but `full`."""

_NEEDED = (("artist", "id"), ("track", "genres"))
_GENRES = re.compile(r"\[\s*(?:\d+\s*(?:,\s*\d+\s*)*)?\]")


@dataclasses.dataclass(frozen=True)
class Config:
    """Which part of FMA to take.

    Attributes:
      subset: fma: small, medium, large or full; each includes the one before. `full` has the same
        tracks as `large`, but in full length instead of clips of 30 s.
    """

    subset: str = "large"

    def __post_init__(self) -> None:
        if self.subset not in SUBSETS:
            raise InputError(f"--subset={self.subset}: one of {', '.join(SUBSETS)}")


def size(path: PathLike) -> int:
    """Bytes of tracks.csv.

    Raises:
      InputError: no such file.
    """
    folder = _folder(path)
    total_size([folder / "genres.csv"])
    return total_size([folder / "tracks.csv"])


def taxonomy(path: PathLike, config: Config) -> tuple[tuple[str, str], ...]:
    """(style, genre) names: each genre below the top of the hierarchy with those at the top.

    Raises:
      InputError: as `read_hierarchy`.
    """
    del config
    return read_hierarchy(path).pairs()


def read_hierarchy(path: PathLike) -> Hierarchy:
    """The hierarchy in genres.csv; the parent 0 means that there is none.

    Raises:
      InputError: no such file, not UTF-8, a column is missing, a row without title, an id that
        occurs twice, an unknown parent, or a cycle. The message has the line.
    """
    file = _folder(path) / "genres.csv"
    title: dict[str, str] = {}
    parents: dict[str, tuple[str, ...]] = {}
    place: dict[str, str] = {}
    for line, row in stream_table(file, ("genre_id", "parent", "title")):
        number, name = row["genre_id"].strip(), row["title"].strip()
        if not number or not name:
            raise InputError(f"{file}:{line}: empty genre_id or title; name it or drop the row")
        if number in title:
            raise InputError(
                f"{file}:{line}: genre_id {number} was already at {place[number]}; drop one"
            )
        title[number], place[number] = name, f"{file}:{line}"
        above = row["parent"].strip()
        parents[number] = () if above in ("", "0") else (above,)
    return checked(title, parents, place)


def read(path: PathLike, config: Config, progress: Progress) -> Iterator[Row]:
    """One row for each track of the subset.

    A track has the genres of track/genres and all genres above them. Those at the top of the
    hierarchy become genres, all others styles. Its album_id is album/id, or "" if that is negative.
    Its duration is track/duration, but at most 30 s in subsets of clips. The title is the track's.

    Args:
      path: path of the folder, or of tracks.csv in it.
      config: the subset; tracks of a larger one are `Outside`.
      progress: called with the number of bytes read from tracks.csv.

    Raises:
      InputError: as `read_hierarchy`; the header is not FMA's.
    """
    tree = read_hierarchy(path)
    file = _folder(path) / "tracks.csv"
    included = SUBSETS[: SUBSETS.index(config.subset) + 1]
    with open_rows(file, progress) as rows:
        (_, upper), (_, lower) = next(rows, (1, [])), next(rows, (2, []))
        header = list(zip(upper, lower, strict=False))
        place = {column: number for number, column in reversed(list(enumerate(header)))}
        for column in _NEEDED:
            if column not in place:
                raise InputError(
                    f"{file}:1: column {'/'.join(column)} is missing in the two header rows; take "
                    "tracks.csv of fma_metadata.zip as it is"
                )
        for line, row in rows:
            if row[0].strip() == "track_id":
                continue
            cells = {column: row[number].strip() for column, number in place.items()}
            if cells.get(("set", "subset"), "small") not in included:
                yield Outside()
            else:
                yield _row(str(file), line, row[0].strip(), cells, tree, config)


def _row(
    file: str,
    line: int,
    number: str,
    cells: dict[tuple[str, str], str],
    tree: Hierarchy,
    config: Config,
) -> Row:
    if not number.isdecimal():
        return Rejected(file, line, "the track's id is not a number", repr(number))
    text = cells["track", "genres"]
    if text and not _GENRES.fullmatch(text):
        return Rejected(file, line, "genres are not like [21, 103]", text)
    genres = tuple(re.findall(r"\d+", text))
    unknown = [genre for genre in genres if genre not in tree.title]
    if unknown:
        return Rejected(file, line, "genre is not in genres.csv", ", ".join(unknown))
    above, below = tree.levels(genres)
    artist, album = cells["artist", "id"], cells.get(("album", "id"), "")
    return Annotation(
        file,
        line,
        track_id=number,
        artist_id="" if artist.startswith("-") else artist,
        genres=above,
        styles=below,
        album_id="" if album.startswith("-") else album,
        artist=cells.get(("artist", "name"), ""),
        title=cells.get(("track", "title"), ""),
        album=cells.get(("album", "title"), ""),
        path=f"{int(number):06d}"[:3] + f"/{int(number):06d}.mp3",
        duration=_duration(cells.get(("track", "duration"), ""), config.subset),
    )


def _duration(text: str, subset: str) -> float | None:
    """Duration of the audio file in seconds; None if the cell is not a positive number."""
    try:
        whole = float(text)
    except ValueError:
        whole = 0.0
    if not 0.0 < whole < float("inf"):
        return None
    return whole if subset == "full" else min(whole, CLIP)


def _folder(path: PathLike) -> pathlib.Path:
    path = pathlib.Path(path)
    return path.parent if path.is_file() else path
