"""Predictions of excerpts that the classifier was not trained on (section 2.4).

A folder with `probabilities.npy` (P, float32 [N_s, N_c], rows sum to 1), `occurrences.npy`
(M, uint8 [N_s, N_c], the full annotations), `excerpts.csv` (whose rows these are), `tags.txt`
(whose columns) and `labels.csv` (what the model, or each fold's, was trained on). The arrays are
memory-mapped, never wholly in memory.
"""

import contextlib
import dataclasses
import os
import pathlib
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.tables import read_table, write_table

COLUMNS = ("sng_id", "label", "part", "artist_id", "album_id", "tags")
LABEL_COLUMNS = ("model", "tag", "excerpts", "artists")
_ARRAYS = {"probabilities": np.float32, "occurrences": np.uint8}


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """What a model was trained on.

    Attributes:
      excerpts: int64 [N_c], those with the tag as their label.
      artists: int64 [N_c], their artists; None where the data set does not know them.
    """

    excerpts: np.ndarray
    artists: np.ndarray | None

    @classmethod
    def of(cls, pairs: Iterable[tuple[int, str]], tags: int) -> "Labels":
        """Counts (place of the label, artist) of excerpts; all artists "" if unknown.

        >>> counted = Labels.of([(0, "x"), (0, "x"), (2, "y")], 3)
        >>> counted.excerpts.tolist(), counted.artists.tolist()
        ([2, 0, 1], [1, 0, 1])
        """
        excerpts, artists = np.zeros(tags, np.int64), np.zeros(tags, np.int64)
        seen = set()
        for label, artist in pairs:
            excerpts[label] += 1
            seen.add((label, artist))
        for label, _ in seen:
            artists[label] += 1
        return cls(excerpts, artists if any(artist for _, artist in seen) else None)


@dataclasses.dataclass(frozen=True)
class Predictions:
    """The content of a predictions folder.

    Attributes:
      tags: the N_c tags of the columns.
      probabilities: float32 [N_s, N_c], memory-mapped.
      occurrences: uint8 [N_s, N_c], memory-mapped; all zero in a column that no track has.
      excerpts: {column: N_s values}, the columns of `COLUMNS`.
      labels: what each model was trained on; none where an older run did not record it.
    """

    tags: tuple[str, ...]
    probabilities: np.ndarray
    occurrences: np.ndarray
    excerpts: dict[str, list[str]]
    labels: tuple[Labels, ...] = ()


class Writer:
    """Writes a predictions folder row by row; see `writing`."""

    def __init__(self, folder: pathlib.Path, tags: Sequence[str], rows: int) -> None:
        """Makes the arrays for `rows` excerpts in `folder`."""
        self._tags = {tag: i for i, tag in enumerate(tags)}
        shape = (rows, len(tags))
        array = np.lib.format.open_memmap
        self._probabilities = array(folder / "probabilities.npy", "w+", np.float32, shape)
        self._occurrences = array(folder / "occurrences.npy", "w+", np.uint8, shape)
        self.excerpts: list[tuple[str, ...]] = []

    def add(self, probabilities: np.ndarray, excerpt: Sequence[str]) -> None:
        """Adds a row: float32 [N_c], and the excerpt's values of `COLUMNS`."""
        row = len(self.excerpts)
        self._probabilities[row] = probabilities
        _, label, _, _, _, tags = excerpt
        for tag in tags.split("|") if tags else [label]:
            self._occurrences[row, self._tags[tag]] = 1
        self.excerpts.append(tuple(excerpt))

    def flush(self) -> None:
        """Puts the arrays on disk."""
        self._probabilities.flush()
        self._occurrences.flush()


@contextlib.contextmanager
def writing(
    folder: PathLike, tags: Sequence[str], rows: int, labels: Sequence[Labels] = ()
) -> Iterator[Writer]:
    """Yields a `Writer`; the folder appears when the block ends, whole or not at all.

    Args:
      folder: the place of it.
      tags: N_c names of columns.
      rows: N_s, which the block has to write.
      labels: what each model was trained on, if known.
    """
    folder = pathlib.Path(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        writer = Writer(temporary, tags, rows)
        yield writer
        writer.flush()
        if len(writer.excerpts) != rows:
            raise RuntimeError(f"{folder}: {len(writer.excerpts)} rows written of {rows}")
        write_table(temporary / "excerpts.csv", COLUMNS, writer.excerpts)
        (temporary / "tags.txt").write_text("".join(f"{t}\n" for t in tags), encoding="utf-8")
        if labels:
            write_table(temporary / "labels.csv", LABEL_COLUMNS, _label_rows(tags, labels))
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _label_rows(tags: Sequence[str], labels: Sequence[Labels]) -> Iterator[tuple]:
    """Rows of `labels.csv`; unknown artists are empty."""
    for number, counted in enumerate(labels):
        artists = [""] * len(tags) if counted.artists is None else counted.artists.tolist()
        for tag, excerpts, some in zip(tags, counted.excerpts.tolist(), artists, strict=True):
            yield number, tag, excerpts, some


def _read_labels(path: pathlib.Path, tags: Sequence[str]) -> tuple[Labels, ...]:
    """The content of `labels.csv`; nothing where there is none.

    Raises:
      InputError: it is damaged.
    """
    if not path.exists():
        return ()
    table = read_table(path, LABEL_COLUMNS)
    models = len(table["tag"]) // len(tags)
    damaged = InputError(f"{path}: damaged; make the predictions anew")
    numbers = [str(k) for k in range(models) for _ in tags]
    if not models or table["tag"] != [*tags] * models or table["model"] != numbers:
        raise damaged
    known = any(table["artists"])
    try:
        excerpts = np.array(table["excerpts"], np.int64).reshape(models, -1)
        artists = np.array(table["artists"] if known else [0], np.int64)
    except ValueError:
        raise damaged from None
    if (excerpts < 0).any() or (artists < 0).any():
        raise damaged
    return tuple(
        Labels(some, artists.reshape(models, -1)[k] if known else None)
        for k, some in enumerate(excerpts)
    )


def read(folder: PathLike) -> Predictions:
    """Opens a predictions folder.

    Raises:
      InputError: a file is missing or no array, or the shapes do not agree.
    """
    folder = pathlib.Path(folder)
    excerpts = read_table(folder / "excerpts.csv", COLUMNS)
    try:
        text = (folder / "tags.txt").read_text(encoding="utf-8")
        tags = tuple(text.removesuffix("\n").split("\n"))
        arrays = [np.lib.format.open_memmap(folder / f"{name}.npy", "r") for name in _ARRAYS]
    except Exception as error:  # NumPy's parser of headers raises anything on a broken one.
        raise InputError(f"{folder}: {error}; make the predictions again") from None
    if len({*tags}) < len(tags):
        raise InputError(f"{folder}/tags.txt: a tag occurs twice")
    for (name, kind), array in zip(_ARRAYS.items(), arrays, strict=True):
        if array.dtype != kind:
            raise InputError(f"{folder / name}.npy: {array.dtype}, not {np.dtype(kind)}")
        if array.shape != (len(excerpts["sng_id"]), len(tags)):
            raise InputError(
                f"{folder / name}.npy: shape {array.shape}, but excerpts.csv has "
                f"{len(excerpts['sng_id'])} rows and tags.txt {len(tags)} tags"
            )
    labels = _read_labels(folder / "labels.csv", tags)
    return Predictions(tags, arrays[0], arrays[1], excerpts, labels)


def merge(folders: Sequence[PathLike], folder: PathLike) -> None:
    """Joins predictions of several models, such as those of the folds, into one folder.

    Raises:
      InputError: their tags differ.
    """
    opened = [read(path) for path in folders]
    for predicted, path in zip(opened, folders, strict=True):
        if predicted.tags != opened[0].tags:
            raise InputError(f"{path}/tags.txt differs from {folders[0]}/tags.txt")
    rows = sum(len(predicted.probabilities) for predicted in opened)
    # All models or none: what one of them was trained on says nothing of the others.
    known = all(predicted.labels for predicted in opened)
    labels = [found for predicted in opened for found in predicted.labels] if known else []
    with writing(folder, opened[0].tags, rows, labels) as writer:
        for predicted in opened:
            table = zip(*(predicted.excerpts[name] for name in COLUMNS), strict=True)
            for probabilities, excerpt in zip(predicted.probabilities, table, strict=True):
                writer.add(probabilities, excerpt)


def occurrences_of(
    track_ids: Sequence[str], annotations: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, ...], np.ndarray]:
    """M of another annotation of the predicted tracks, whose tags the classifier may not know.

    Args:
      track_ids: N_s ids, as in `Predictions.excerpts["sng_id"]`.
      annotations: {track id: its tags}; tracks that are not among `track_ids` are left out.

    Returns:
      (tags in alphabetic order, uint8 [N_s, number of tags]).
    """
    track_tags = [annotations.get(track, ()) for track in track_ids]
    tags = tuple(sorted({tag for some_tags in track_tags for tag in some_tags}))
    places = {tag: i for i, tag in enumerate(tags)}
    matrix = np.zeros((len(track_ids), len(tags)), np.uint8)
    for row, some_tags in enumerate(track_tags):
        matrix[row, [places[tag] for tag in some_tags]] = 1
    return tags, matrix
