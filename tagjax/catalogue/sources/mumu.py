"""MuMu: the Million Song Dataset's songs with the genres of their Amazon albums.

The folder `MuMu_dataset` of https://zenodo.org/records/831189, or its CSV file alone. Read are

    MuMu_dataset_multi-label.csv
        amazon_id,album_mbid,MSD_track_id,recording_mbid,artist_mbid,genres
        B00ZZZ0000,<uuid>,TRAAAAA128F0000000,<uuid>,<uuid>,"Rock,Alternative Rock"
    amazon_metadata_MuMu.json (where it is there: for names)
        [{"amazon_id": "B00ZZZ0000", "artist": "...", "title": "...", ...}, ...]

Of the CSV only MSD_track_id, artist_mbid, genres and one of amazon_id, album_mbid are needed.
"""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

from tagjax.base import text
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, read_json
from tagjax.catalogue.sources import reading
from tagjax.catalogue.sources.records import Annotation, Progress, Row

LABELS = "MuMu_dataset_multi-label.csv"
METADATA = "amazon_metadata_MuMu.json"


@dataclasses.dataclass(frozen=True)
class Config:
    """Nothing to choose."""


def size(path: PathLike) -> int:
    """Bytes of the CSV file.

    Raises:
      InputError: no such file.
    """
    return reading.size([_labels(path)])


def read(path: PathLike, config: Config, progress: Progress) -> Iterator[Row]:
    """One row a song of the CSV file.

    track_id is MSD_track_id; album_id the Amazon album, as that is what was annotated (else
    album_mbid); artist_id is artist_mbid. The genres, separated by commas, are one system
    without levels, as in the authors' release, so none gets the prefix `genre:`. Artist and
    title are the album's, from the JSON file. A song on two albums is two rows of one id, of
    which the writer keeps the first.

    Args:
      path: of the folder or the CSV file; the JSON file is looked for beside it.
      config: of no effect.
      progress: told of the bytes read of the CSV file.

    Raises:
      InputError: no such file, not UTF-8, a column missing, rows of another width, JSON that is
        no list of albums.
    """
    del config
    labels = _labels(path)
    names = _names(labels.with_name(METADATA))
    checked = False
    for line, row in reading.table(labels, ("MSD_track_id", "artist_mbid", "genres"), progress):
        if not checked and not {"amazon_id", "album_mbid"} & row.keys():
            raise InputError(f"{labels}:1: column 'amazon_id' is missing; found {', '.join(row)}")
        checked = True
        amazon = text.known(row.get("amazon_id", ""))
        artist, title = names.get(amazon, ("", ""))
        yield Annotation(
            str(labels),
            line,
            track_id=row["MSD_track_id"],
            artist_id=row["artist_mbid"],
            styles=tuple(map(text.known, row["genres"].split(","))),
            album_id=amazon or row.get("album_mbid", ""),
            artist=artist,
            title=title,
            recording_id=row.get("recording_mbid", ""),
        )


def _labels(path: PathLike) -> pathlib.Path:
    path = pathlib.Path(path)
    return path / LABELS if path.is_dir() else path


def _names(path: pathlib.Path) -> dict[str, tuple[str, str]]:
    """{amazon_id: (artist, title)}; empty without the file."""
    if not path.is_file():
        return {}
    albums = read_json(path)
    if not isinstance(albums, list) or not all(isinstance(album, dict) for album in albums):
        raise InputError(f"{path}: expected a list of albums; it is optional, so take it away")

    def cell(album: dict[str, Any], name: str) -> str:
        value = album.get(name)
        return text.clean(value) if isinstance(value, str) else ""

    return {
        cell(album, "amazon_id"): (cell(album, "artist"), cell(album, "title")) for album in albums
    }
