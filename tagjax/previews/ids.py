"""The song ids that previews are fetched for."""

import itertools
import pathlib
import re
from collections.abc import Iterable, Sequence

from tagjax.errors import InputError
from tagjax.files import PathLike, read_table
from tagjax.manifest import Manifest

_ID = re.compile("[1-9][0-9]{0,18}")


def is_id(text: str) -> bool:
    """Whether it is a positive whole number as Deezer's ids are; so it is a safe file name."""
    return _ID.fullmatch(text) is not None


def read_ids(path: PathLike) -> list[str]:
    """Reads song ids from a text file, one a line, or from column `sng_id` of a CSV file.

    Returns:
      Each id once, in the order of the file.

    Raises:
      InputError: no such file, no id in it, or one that is no positive whole number.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 (byte {error.start}); convert it first") from None
    if not lines:
        raise InputError(f"{path}: empty; expected song ids, one a line")
    if "," in lines[0] or lines[0].strip('" ') == "sng_id":
        return _checked(path, read_table(path, ("sng_id",))["sng_id"], 2)
    return _checked(path, lines, 1)


def manifest_ids(folder: PathLike, made: Manifest) -> list[str]:
    """The song ids of all parts of a manifest that was read from `folder`, each once.

    Raises:
      InputError: an id that is no positive whole number, or none at all.
    """
    for name, part in made.parts.items():
        if not all(map(is_id, part.sng_id)):  # Rows as they are in the file, repeats and all.
            path = pathlib.Path(folder) / f"{name}.csv"
            _checked(path, read_table(path, ("sng_id",))["sng_id"], 2)
    rows = itertools.chain.from_iterable(part.sng_id for part in made.parts.values())
    ids = list(dict.fromkeys(rows))
    if not ids:
        raise InputError(f"{folder}: its parts have no rows")
    return ids


def tracks_by_tag(made: Manifest) -> dict[str, list[str]]:
    """{tag: ids of its tracks, each once}, by all of a track's tags, or its labels alone."""
    tracks: dict[str, dict[str, None]] = {tag: {} for tag in made.vocabulary}
    for part in made.parts.values():
        tags: Sequence[Iterable[str]] = part.tags or [(label,) for label in part.label]
        for sng_id, own in zip(part.sng_id, tags, strict=True):
            for tag in own:
                tracks.setdefault(tag, {})[sng_id] = None
    return {tag: list(found) for tag, found in tracks.items()}


def _checked(path: pathlib.Path, cells: Sequence[str], first: int) -> list[str]:
    """The ids, each once; `first` is the row of the first cell."""
    stripped = [cell.strip() for cell in cells]
    for row, cell in enumerate(stripped, first):
        if not is_id(cell):
            raise InputError(
                f"{path}:{row}: sng_id={cell[:40]!r} is no id of a song, which is a positive "
                "whole number; correct it, or drop the row"
            )
    if not stripped:
        raise InputError(f"{path}: has no rows; expected song ids")
    return list(dict.fromkeys(stripped))
