"""MuMu: the Million Song Dataset's songs with the genres of their Amazon albums.

The input is the folder `MuMu_dataset` of https://zenodo.org/records/831189, or its CSV file alone.
These files are read:

    MuMu_dataset_multi-label.csv
        amazon_id,album_mbid,MSD_track_id,recording_mbid,artist_mbid,genres
        B00ZZZ0000,<uuid>,TRAAAAA128F0000000,<uuid>,<uuid>,"Rock,Alternative Rock"
    amazon_metadata_MuMu.json (optional, for names)
        [{"amazon_id": "B00ZZZ0000", "artist": "...", "title": "...", ...}, ...]

The CSV file must have MSD_track_id, artist_mbid, genres, and either amazon_id or album_mbid.
"""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

from tagjax.base import text
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, read_json, total_size
from tagjax.base.tables import stream_table
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
    return total_size([_labels(path)])


def read(path: PathLike, config: Config, progress: Progress) -> Iterator[Row]:
    """One row for each song in the CSV file.

    track_id is MSD_track_id, and artist_id is artist_mbid. album_id is the Amazon album, because
    MuMu annotates those, or else album_mbid. The genres, separated by commas, are one system
    without levels, as in the authors' release, so none gets the prefix `genre:`. Artist and title
    are those of the album, from the JSON file. A song on two albums has two rows with one id, and
    the writer keeps the first.

    Args:
      path: path of the folder or the CSV file; the JSON file must be beside the CSV file.
      config: has no effect.
      progress: called with the number of bytes read from the CSV file.

    Raises:
      InputError: no such file, not UTF-8, a column is missing, a row of another width, or the JSON
        is not a list of albums.
    """
    del config
    labels = _labels(path)
    names = _names(labels.with_name(METADATA))
    checked = False
    for line, row in stream_table(labels, ("MSD_track_id", "artist_mbid", "genres"), progress):
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
