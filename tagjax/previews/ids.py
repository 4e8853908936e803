"""The ids of the songs whose previews are fetched."""

import itertools
import pathlib
import re
from collections.abc import Iterable, Sequence

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.tables import Table, not_utf8, read_table
from tagjax.manifest.lists import Manifest

_ID = re.compile("[1-9][0-9]{0,18}")


def is_id(text: str) -> bool:
    """Whether the text is a positive integer, as Deezer's ids are, and so is a safe file name."""
    return _ID.fullmatch(text) is not None


def read_ids(path: PathLike) -> list[str]:
    """Reads song ids from the lines of a text file, or from column `sng_id` of a CSV file.

    Returns:
      Each id once, in the order of the file.

    Raises:
      InputError: there is no such file, it has no ids, or one is not a positive integer.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        text = path.read_text(encoding="utf-8-sig").rstrip()
    except UnicodeDecodeError:
        with path.open("rb") as raw:
            raise not_utf8(path, raw) from None
    if not text:
        raise InputError(f"{path}: empty; expected song ids, one a line")
    lines = text.split("\n")  # An editor counts lines like this.
    if "," in lines[0] or lines[0].strip('" ') == "sng_id":
        table = read_table(path, ("sng_id",))
    else:
        table = Table(path, {"sng_id": lines}, range(1, len(lines) + 1))
    ids = [cell.strip() for cell in table["sng_id"]]
    for row, cell in enumerate(ids):
        if not is_id(cell):
            raise _no_id(table.at(row), cell)
    if not ids:
        raise InputError(f"{path}: has no rows; expected song ids")
    return list(dict.fromkeys(ids))


def manifest_ids(folder: PathLike, made: Manifest) -> list[str]:
    """The song ids of all parts of a manifest that was read from `folder`, each once.

    Raises:
      InputError: an id is not a positive integer, or there are no ids.
    """
    for name, part in made.parts.items():
        for row, cell in enumerate(part.sng_id):
            if not is_id(cell):
                raise _no_id(f"{pathlib.Path(folder) / name}.csv:{part.line_of(row)}", cell)
    rows = itertools.chain.from_iterable(part.sng_id for part in made.parts.values())
    ids = list(dict.fromkeys(rows))
    if not ids:
        raise InputError(f"{folder}: its parts have no rows")
    return ids


def tracks_by_tag(made: Manifest) -> dict[str, list[str]]:
    """{tag: ids of its tracks, each once}, by all tags of a track, or else by its labels."""
    tracks: dict[str, dict[str, None]] = {tag: {} for tag in made.vocabulary.tags}
    for part in made.parts.values():
        tags: Sequence[Iterable[str]] = part.tags or [(label,) for label in part.label]
        for sng_id, track_tags in zip(part.sng_id, tags, strict=True):
            for tag in track_tags:
                tracks.setdefault(tag, {})[sng_id] = None
    return {tag: list(found) for tag, found in tracks.items()}


def _no_id(position: str, cell: str) -> InputError:
    """The error for a cell at `file:line`."""
    return InputError(
        f"{position}: sng_id={cell[:40]!r} is not the id of a song, a positive whole number; "
        "correct it, or drop the row"
    )
