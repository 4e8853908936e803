"""The origin of the audio in a folder: the table `provenance.csv` in that folder.

Any program that fills an audio folder may write the table. The examples need two of its columns:
`path`, relative to the folder, and `source`. A file whose source is not `LOCAL` is not a whole
track.
"""

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from tagjax.base import files
from tagjax.base.tables import read_table, write_table

FILE = "provenance.csv"
COLUMNS = (
    *("sng_id", "path", "source", "duration_s", "fetched_at"),
    *("title", "artist", "artist_id", "album_id"),
)
LOCAL = "local file"
"""The `source` of a whole track of the user's own."""


def read_provenance(folder: files.PathLike) -> dict[str, str]:
    """{path: source} of the files in an audio folder that are not whole tracks.

    A folder without the table holds only whole tracks.

    Raises:
      InputError: as `read_table`.
    """
    path = pathlib.Path(folder) / FILE
    if not path.exists():
        return {}
    table = read_table(path, ("path", "source"))
    rows = zip(table["path"], table["source"], strict=True)
    return {file: source for file, source in rows if source != LOCAL}


def write_provenance(folder: files.PathLike, rows: Iterable[Sequence[Any]]) -> None:
    """Writes the table; rows have the cells of `COLUMNS`, with None for unknown values."""
    cells = (["" if cell is None else cell for cell in row] for row in rows)
    write_table(pathlib.Path(folder) / FILE, COLUMNS, cells)
