"""Similarity and embedding files, in the form of the authors' release.

A similarity is a square CSV table whose first column (header empty or `tag`) and header
name the tags, with columns in any order; a tag without data has an empty (NaN) row and
column. An embedding is a CSV table with a column a tag and no index; it may be zipped.
Both are what `pandas.read_csv` reads, with `index_col=0` for a similarity.
"""

import contextlib
import csv
import dataclasses
import io
import math
import pathlib
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np
import numpy.typing as npt

from tagjax import embeddings
from tagjax.errors import InputError
from tagjax.files import PathLike, atomic_path

TOLERANCE = 1e-6  # of symmetry; the release prints 12 digits of float32 values


@dataclasses.dataclass(frozen=True, eq=False)
class Similarity:
    """How alike the tags are.

    Attributes:
      tags: N names, each once.
      matrix: float64 [N, N], symmetric, rows and columns in the order of `tags`; the row and
        column of a tag without data are NaN.
    """

    tags: tuple[str, ...]
    matrix: npt.NDArray[np.float64]

    def __post_init__(self):
        if self.matrix.shape != (len(self.tags), len(self.tags)):
            raise ValueError(f"{len(self.tags)} tags but a matrix {self.matrix.shape}")
        if len(set(self.tags)) != len(self.tags):
            raise ValueError("a tag occurs twice")

    def reordered(self, tags: Sequence[str]) -> "Similarity":
        """The same for these tags (all or some of its own) in this order.

        Raises:
          KeyError: a tag it does not have.
        """
        if tuple(tags) == self.tags:
            return self
        index = {tag: i for i, tag in enumerate(self.tags)}
        order = [index[tag] for tag in tags]
        return Similarity(tuple(tags), self.matrix[np.ix_(order, order)])


def read_similarity(path: PathLike) -> Similarity:
    """Reads a similarity CSV file; its tags are in the order of its rows.

    Raises:
      InputError: no such file, not UTF-8, not square, a tag that occurs twice or only among
        rows or columns, a cell that is no finite number (or empty where the tag has data),
        or a matrix that is not symmetric to 1e-6.
    """
    with _rows(path) as rows:
        header = _header(path, rows)[1:]
        _check_names(path, header)
        place = {tag: i for i, tag in enumerate(header)}
        matrix = np.empty((len(header), len(header)))
        tags: list[str] = []
        lines: list[int] = []
        for line, cells in rows:
            if cells[0] not in place:
                raise InputError(f"{path}:{line}: tag {cells[0]!r} has a row but no column")
            if len(tags) == len(header):
                raise InputError(f"{path}:{line}: more rows than the {len(header)} columns")
            matrix[len(tags)] = _numbers(path, line, header, cells[1:])
            tags.append(cells[0])
            lines.append(line)
    _check_names(path, tags, lines)
    if len(tags) < len(header):
        absent = next(tag for tag in header if tag not in set(tags))
        raise InputError(
            f"{path}: not square: {len(tags)} rows and {len(header)} columns; tag {absent!r} has "
            "a column but no row"
        )
    if tags != header:
        matrix = matrix[:, [place[tag] for tag in tags]]
    _check_matrix(path, tags, lines, matrix)
    return Similarity(tuple(tags), matrix)


def write_similarity(path: PathLike, similarity: Similarity) -> None:
    """Writes a similarity CSV file, numbers to their last digit and NaN as an empty cell."""
    with _writer(path) as writer:
        writer.writerow(["", *similarity.tags])
        for tag, row in zip(similarity.tags, similarity.matrix, strict=True):
            writer.writerow([tag, *_cells(row)])


def read_similarities(folder: PathLike) -> dict[str, Similarity]:
    """Reads whichever of `{fw,fc,fm,fdist}_tag_similarity.csv` a folder holds.

    Returns:
      {embedding: similarity}, in that order, all with the first one's order of tags.

    Raises:
      InputError: none is there, one is faulty, or their tags differ.
    """
    folder = pathlib.Path(folder)
    paths = {name: similarity_path(folder, name) for name in embeddings.NAMES}
    present = {name: path for name, path in paths.items() if path.is_file()}
    if not present:
        what = "holds none of" if folder.is_dir() else "no such folder; expected one with"
        names = ", ".join(path.name for path in paths.values())
        raise InputError(f"{folder}: {what} {names}")
    found: dict[str, Similarity] = {}
    for name, path in present.items():
        similarity = read_similarity(path)
        if found:
            first = next(iter(found))
            differing = set(similarity.tags) ^ set(found[first].tags)
            if differing:
                raise InputError(
                    f"{path}: not the tags of {present[first]}; {min(differing)!r} is in one "
                    "only; keep similarities of different tags in folders of their own"
                )
            similarity = similarity.reordered(found[first].tags)
        found[name] = similarity
    return found


def similarity_path(folder: PathLike, embedding: str) -> pathlib.Path:
    """Where a folder has the similarity of `fw`, `fc`, `fm` or `fdist`."""
    return pathlib.Path(folder) / f"{embedding}_tag_similarity.csv"


def embedding_path(folder: PathLike, embedding: str) -> pathlib.Path:
    """Where a folder has the embedding `fw`, `fc`, `fm` or `fdist`."""
    return pathlib.Path(folder) / f"{embedding}_tag_embedding.csv"


def read_embedding(path: PathLike) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Reads an embedding CSV file (or the one file in a .zip).

    Returns:
      The tags, and their vectors: float64 [D, N], a column a tag; empty cells are NaN.

    Raises:
      InputError: no such file, not UTF-8, no row, a tag that occurs twice, or a cell that is
        no finite number.
    """
    with _rows(path) as rows:
        header = _header(path, rows)
        _check_names(path, header)
        vectors = [_numbers(path, line, header, cells) for line, cells in rows]
    if not vectors:
        raise InputError(f"{path}: no row under the header")
    return tuple(header), np.stack(vectors)


def write_embedding(
    path: PathLike,
    tags: Sequence[str],
    embedding: npt.NDArray,
    max_rows: int | None = None,
    seed: int = 0,
) -> None:
    """Writes an embedding CSV file row by row (the array may be a memory map).

    Args:
      path: the file.
      tags: N names.
      embedding: [D, N]; float32 values are written to the digits that float32 has.
      max_rows: if D is larger, only so many rows, drawn by `seed`, in their order (the
        release keeps 20,000 of f_c).
      seed: of that draw.
    """
    if embedding.ndim != 2 or embedding.shape[1] != len(tags):
        raise ValueError(f"{len(tags)} tags but an embedding {embedding.shape}")
    chosen = np.arange(len(embedding))
    if max_rows is not None and max_rows < len(chosen):
        chosen = np.sort(np.random.default_rng(seed).choice(len(chosen), max_rows, replace=False))
    with _writer(path) as writer:
        writer.writerow(tags)
        for i in chosen:
            writer.writerow(_cells(embedding[i]))


@contextlib.contextmanager
def _writer(path: PathLike) -> Iterator:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield csv.writer(file, lineterminator="\n")


def _cells(row: npt.NDArray) -> list:
    values = row.astype("U").tolist() if row.dtype == np.float32 else row.tolist()
    return ["" if value == "nan" or value != value else value for value in values]


@contextlib.contextmanager
def _rows(path: PathLike) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """The rows of a CSV file, header included, each with its line number and as many cells."""
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with contextlib.ExitStack() as stack:
        try:
            raw: IO[bytes] = stack.enter_context(path.open("rb"))
            if path.suffix == ".zip":
                archive = stack.enter_context(zipfile.ZipFile(raw))
                names = [name for name in archive.namelist() if name.endswith(".csv")]
                if len(names) != 1:
                    raise InputError(f"{path}: {len(names)} CSV files in it; expected one")
                raw = stack.enter_context(archive.open(names[0]))
            file = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
            yield _checked_rows(path, csv.reader(file, strict=True))
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not UTF-8 (byte {error.start}); convert it") from None
        except zipfile.BadZipFile:
            raise InputError(f"{path}: not a zip file") from None


def _checked_rows(path: pathlib.Path, reader) -> Iterator[tuple[int, list[str]]]:
    width = None
    try:
        for cells in reader:
            if not cells:
                continue
            if width is None:
                width = len(cells)
            if len(cells) != width:
                raise InputError(
                    f"{path}:{reader.line_num}: {len(cells)} cells, but the header has {width}"
                )
            yield reader.line_num, cells
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: {error}") from None


def _header(path: PathLike, rows: Iterator[tuple[int, list[str]]]) -> list[str]:
    _, header = next(rows, (0, []))
    if not header:
        raise InputError(f"{path}: empty; expected a header of tags")
    return header


def _check_names(path: PathLike, names: Sequence[str], lines: Sequence[int] | None = None) -> None:
    if not names:
        raise InputError(f"{path}: no tag in it")
    seen: set[str] = set()
    for i, name in enumerate(names):
        line = lines[i] if lines else 1
        if not name.strip():
            raise InputError(f"{path}:{line}: an empty tag; name it or take it out")
        if name in seen:
            raise InputError(f"{path}:{line}: tag {name!r} occurs twice")
        seen.add(name)


def _numbers(
    path: PathLike, line: int, header: Sequence[str], cells: Sequence[str]
) -> npt.NDArray[np.float64]:
    try:
        values = np.array([float(cell) if cell else math.nan for cell in cells])
    except ValueError:
        values = None
    if values is None or np.isinf(values).any():
        for tag, cell in zip(header, cells, strict=True):
            try:
                bad = bool(cell) and math.isinf(float(cell))
            except ValueError:
                bad = True
            if bad:
                raise InputError(f"{path}:{line}: {cell!r} under {tag!r} is not a finite number")
    return values  # type: ignore[return-value]


def _check_matrix(
    path: PathLike, tags: Sequence[str], lines: Sequence[int], matrix: npt.NDArray[np.float64]
) -> None:
    empty = np.isnan(matrix).sum(axis=1) >= len(tags) - 1  # whatever its diagonal says
    for i, row in enumerate(matrix):
        missing = np.isnan(row) & ~empty & (not empty[i])
        if missing.any():
            j = int(np.argmax(missing))
            raise InputError(
                f"{path}:{lines[i]}: no number under {tags[j]!r}; fill it, or leave the whole row "
                "and column of a tag empty"
            )
        differing = np.abs(row - matrix[:, i]) > TOLERANCE
        if differing.any():
            j = int(np.argmax(differing))
            raise InputError(
                f"{path}:{lines[i]}: not symmetric: {row[j]} under {tags[j]!r}, but "
                f"{matrix[j, i]} the other way round"
            )
