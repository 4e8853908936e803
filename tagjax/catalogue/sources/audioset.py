"""AudioSet: an ontology of sounds, and segments of videos with its labels.

The input is a folder with `ontology.json` (https://github.com/audioset/ontology) and any of
`eval_segments.csv`, `balanced_train_segments.csv`, `unbalanced_train_segments.csv`:

    [{"id": "/m/0y4f8", "name": "Vocal music", "child_ids": [...], "restrictions": [], ...}, ...]

    # Segments csv created Sun Mar  5 10:54:31 2017
    # num_ytids=20371, num_segs=20371, num_unique_labels=527, num_positive_labels=51804
    # YTID, start_seconds, end_seconds, positive_labels
    --PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"
"""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Any

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, read_json, total_size
from tagjax.base.tables import open_rows
from tagjax.catalogue.sources.hierarchy import Hierarchy, checked
from tagjax.catalogue.sources.records import Annotation, Outside, Progress, Rejected, Row

ONTOLOGY = "ontology.json"
SEGMENTS = "*_segments.csv"


@dataclasses.dataclass(frozen=True)
class Config:
    """Which part of AudioSet to take.

    Attributes:
      root: audioset: name of a class of the ontology; only classes below it become tags. Empty
        takes all classes.
    """

    root: str = "Music genre"


def size(path: PathLike) -> int:
    """Bytes of the segment files.

    Raises:
      InputError: no ontology or no segments.
    """
    total_size([pathlib.Path(path) / ONTOLOGY])
    return total_size(_segments(path))


def taxonomy(path: PathLike, config: Config) -> tuple[tuple[str, str], ...]:
    """(style, genre) names; a genre is directly below the root, a style further down.

    Raises:
      InputError: as `read_ontology`.
    """
    return _below(*read_ontology(path), config.root).pairs()


def read_ontology(path: PathLike) -> tuple[Hierarchy, str]:
    """The ontology of the folder, and the file from which it was read.

    Raises:
      InputError: no such file, not an ontology, an id that occurs twice, an unknown child, or a
        cycle. The message has the number of the entry, from 1.
    """
    file = pathlib.Path(path) / ONTOLOGY
    entries = read_json(file)
    if not isinstance(entries, list):
        raise InputError(f"{file}: expected a list of classes; take ontology.json of AudioSet")
    title: dict[str, str] = {}
    place: dict[str, str] = {}
    for number, entry in enumerate(entries, start=1):
        _check_entry(entry, f"{file}: entry {number}")
        if entry["id"] in title:
            raise InputError(f"{file}: entry {number}: id {entry['id']} occurs twice; drop one")
        title[entry["id"]] = entry["name"]
        place[entry["id"]] = f"{file}: entry {number}"
    above: dict[str, list[str]] = {node: [] for node in title}
    for entry in entries:
        for child in entry["child_ids"]:
            if child not in title:
                raise InputError(
                    f"{place[entry['id']]}: {entry['name']!r} has the child {child}, which is not "
                    "there; take the whole ontology.json"
                )
            above[child].append(entry["id"])
    return checked(title, {node: tuple(ids) for node, ids in above.items()}, place), str(file)


def read(path: PathLike, config: Config, progress: Progress) -> Iterator[Row]:
    """One row for each segment with a label below the root.

    track_id is `YTID_MILLISECONDS`, the video and the start. The artist is not known, so the video
    stands for it: no video is in two parts, but a musician may be. A segment has its labels and all
    classes above them, up to the root. Classes directly below the root are genres, others styles.
    The audio is not part of AudioSet. Segments are 10 s long.

    Args:
      path: path of the folder.
      config: the root; segments without a label below it are `Outside`.
      progress: called with the number of bytes read from the segment files.

    Raises:
      InputError: as `read_ontology`; no such root, no segment files, a row of another width.
    """
    whole, file = read_ontology(path)
    tree = _below(whole, file, config.root)
    for segments in _segments(path):
        with open_rows(segments, progress, comment="#", spaced=True) as rows:
            for line, row in rows:
                if len(row) != 4:
                    raise InputError(f"{segments}:{line}: {len(row)} cells; AudioSet's have 4")
                yield _row(str(segments), line, row, whole, tree)


def _row(file: str, line: int, row: list[str], whole: Hierarchy, tree: Hierarchy) -> Row:
    video, start, _, cell = (text.strip() for text in row)
    try:
        milliseconds = round(1000.0 * float(start))
    except (ValueError, OverflowError):
        return Rejected(file, line, "start_seconds is not a number", repr(start))
    labels = tuple(label.strip() for label in cell.split(",") if label.strip())
    unknown = [label for label in labels if label not in whole.title]
    if unknown:
        return Rejected(file, line, "label is not in ontology.json", ", ".join(unknown))
    inside = tuple(label for label in labels if label in tree.title)
    if labels and not inside:
        return Outside()
    above, below = tree.levels(inside)
    return Annotation(
        file, line, f"{video}_{milliseconds}" if video else "", video, above, below, video
    )


def _below(whole: Hierarchy, file: str, root: str) -> Hierarchy:
    """The part of the hierarchy below a class, without the class itself."""
    if not root:
        return whole
    roots = {node for node, name in whole.title.items() if name == root}
    inside = {
        node for node in whole.title if node not in roots and roots & {*whole.ancestors(node)}
    }
    if not inside:
        raise InputError(f"--root={root}: no class of {file} with classes below it; see its names")
    return Hierarchy(
        {node: whole.title[node] for node in whole.title if node in inside},
        {node: tuple(n for n in whole.parents[node] if n in inside) for node in inside},
    )


def _check_entry(entry: Any, place: str) -> None:
    good = (
        isinstance(entry, dict)
        and all(isinstance(entry.get(key), str) and entry[key].strip() for key in ("id", "name"))
        and isinstance(entry.get("child_ids"), list)
    )
    if not good:
        raise InputError(f"{place}: no id, name and child_ids; take ontology.json of AudioSet")


def _segments(path: PathLike) -> list[pathlib.Path]:
    found = sorted(pathlib.Path(path).glob(SEGMENTS))
    if not found:
        raise InputError(f"{path}: no {SEGMENTS} in it, such as balanced_train_segments.csv")
    return found
