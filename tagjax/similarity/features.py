"""Reads tables of vectors by track, as pretrained models give them.

Known by their content, whatever their name:

- `.npz`: arrays `ids` [N] and `vectors` [N, D], as `launch.embed` writes.
- `.npy`: vectors [N, D], with an id a line in `NAME.ids.txt` or `ids.txt` beside it.
- Parquet: the first column names the tracks, and the others are numbers, or one column of lists.
- CSV, packed or not: a header; the first column names the tracks, and the others are numbers.
"""

import contextlib
import pathlib
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.progress import Progress, silently
from tagjax.base.tables import number, open_rows
from tagjax.base.text import cleaned

Ids = tuple[str, ...]
Vectors = npt.NDArray[np.float32]

_ROWS = 1 << 12
"""Rows checked at a time."""


def read_features(path: PathLike, progress: Progress = silently) -> tuple[Ids, Vectors]:
    """Reads a table of vectors by track.

    Args:
      path: the file; see the module for its forms.
      progress: passes on the rows of a CSV file.

    Returns:
      (N track ids, float32 [N, D]), in the order of the file; N and D are at least 1.

    Raises:
      InputError: no such file, or none of these forms; pickled arrays; no rows or no numbers; ids
        and vectors that differ in number; an id that is empty or occurs twice; or a value that is
        not a finite number in float32.

    >>> np.savez("vectors.npz", ids=["t1", "t2"], vectors=np.eye(2))
    >>> ids, vectors = read_features("vectors.npz")
    >>> ids, vectors.dtype, vectors.shape
    (('t1', 't2'), dtype('float32'), (2, 2))
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with path.open("rb") as file:
        begin = file.read(6)
    if begin == b"\x93NUMPY":
        return _from_npy(path)
    if begin.startswith(b"PAR1"):
        return _from_parquet(path)
    if _holds_arrays(path):
        return _from_npz(path)
    return _from_csv(path, progress)


def read_all_features(
    paths: Sequence[PathLike], progress: Progress = silently
) -> tuple[Ids, Vectors]:
    """Reads the tables of several machines, each of its own tracks, as one.

    Args:
      paths: files of `read_features`.
      progress: passes on the rows of a CSV file.

    Raises:
      InputError: as `read_features`; tables of another width than the first; a track in two tables.
    """
    tables = [read_features(path, progress) for path in paths]
    place: dict[str, PathLike] = {}
    width = tables[0][1].shape[1]
    for path, (ids, vectors) in zip(paths, tables, strict=True):
        if vectors.shape[1] != width:
            raise InputError(
                f"{path}: {vectors.shape[1]} numbers a track, but {paths[0]} has {width}; take "
                "tables of one model"
            )
        if twice := next((name for name in ids if name in place), None):
            raise InputError(f"{path}: id {twice!r} is in {place[twice]} too; keep one")
        place.update(dict.fromkeys(ids, path))
    return tuple(place), np.concatenate([vectors for _, vectors in tables])


def _holds_arrays(path: pathlib.Path) -> bool:
    """Whether a file is a zip of arrays; a zip of anything else may be a packed CSV file."""
    # A damaged archive raises a dozen kinds of exceptions.
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as archive:
        return any(name.endswith(".npy") for name in archive.namelist())
    return path.suffix == ".npz"


def _from_npz(path: pathlib.Path) -> tuple[Ids, Vectors]:
    with _reading(path), np.load(path, allow_pickle=False) as arrays:
        names = list(arrays)
        if not {"ids", "vectors"} <= {*names}:
            raise InputError(f"{path}: needs arrays ids and vectors; has {', '.join(names)}")
        ids, vectors = arrays["ids"], arrays["vectors"]
    if ids.ndim != 1 or ids.dtype.kind not in "USiu":
        raise InputError(f"{path}: ids is {ids.dtype} {ids.shape}; give a list of text")
    texts = np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids.astype(np.str_)
    return _checked(texts.tolist(), vectors, _Places(path))


def _from_npy(path: pathlib.Path) -> tuple[Ids, Vectors]:
    with _reading(path):
        vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    candidates = (path.with_suffix(".ids.txt"), path.with_name("ids.txt"))
    beside = next((candidate for candidate in candidates if candidate.is_file()), None)
    if beside is None:
        raise InputError(f"{path}: no {candidates[0].name} beside it; write a track id a line")
    try:
        ids = beside.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise InputError(f"{beside}: not UTF-8; convert it first") from None
    return _checked(ids, vectors, _Places(path, beside, range(1, len(ids) + 1)))


@contextlib.contextmanager
def _reading(path: pathlib.Path) -> Any:
    """Turns what libraries say of a damaged or pickled file into an `InputError`."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # NumPy, zipfile and pyarrow raise anything on a damaged file.
        if "pickle" in str(error) or "Python objects" in str(error):
            reason = "holds pickled objects, which could run code; save text and numbers"
        else:
            reason = f"not a table that can be read ({error})"
        raise InputError(f"{path}: {reason}") from None


class _Places:
    """How messages name a row: by the line that its id is on, or by its number from 0."""

    def __init__(
        self,
        path: pathlib.Path,
        ids_path: pathlib.Path | None = None,
        lines: Sequence[int] | None = None,
    ) -> None:
        self.path, self._ids_path, self._lines = path, ids_path or path, lines

    def __call__(self, row: int) -> str:
        if self._lines is None:
            return f"{self.path}: row {row} (from 0)"
        return f"{self._ids_path}:{self._lines[row]}"


def _checked(ids: Sequence[str], vectors: Any, at: _Places) -> tuple[Ids, Vectors]:
    """The table, if it is one.

    Raises:
      InputError: see `read_features`.
    """
    if vectors.ndim != 2 or vectors.dtype.kind not in "fiu":
        raise InputError(
            f"{at.path}: vectors are {vectors.dtype} {vectors.shape}; give numbers, a row a track"
        )
    if len(ids) != len(vectors):
        raise InputError(f"{at.path}: {len(ids)} ids but {len(vectors)} rows of vectors")
    if not vectors.size:
        raise InputError(f"{at.path}: no {'columns of numbers' if len(ids) else 'rows'}")
    ids = tuple(cleaned(ids))
    seen: dict[str, int] = {}
    for row, name in enumerate(ids):
        if not name:
            raise InputError(f"{at(row)}: an empty id; every row needs its track")
        if seen.setdefault(name, row) != row:
            raise InputError(f"{at(row)}: id {name!r} occurs twice; keep one row a track")
    found = np.empty(vectors.shape, np.float32)
    for start in range(0, len(found), _ROWS):
        block = found[start : start + _ROWS]
        with np.errstate(over="ignore"):
            block[:] = vectors[start : start + _ROWS]
        for row, column in np.argwhere(~np.isfinite(block))[:1].tolist():
            value = vectors[start + row, column]
            raise InputError(
                f"{at(start + row)}: {value} in column {column} (from 0) of id "
                f"{ids[start + row]!r} is not a finite float32"
            )
    return ids, found


def _from_csv(path: pathlib.Path, progress: Progress) -> tuple[Ids, Vectors]:
    ids: list[str] = []
    lines: list[int] = []
    rows: list[Vectors] = []
    with open_rows(path) as content:
        line, header = next(content, (0, []))
        names = header[1:]
        if not names:
            raise InputError(f"{path}: no columns of numbers; the first column names the tracks")
        counted = names == [str(place) for place in range(len(names))]
        if not counted and all(np.isfinite(number(name)) for name in names):
            raise InputError(f"{path}:{line}: numbers in the header; put names of columns first")
        for line, cells in progress(content, f"read {path.name}", None):
            ids.append(cells[0])
            lines.append(line)
            rows.append(_numbers(f"{path}:{line}", names, cells[1:]))
    vectors = np.stack(rows) if rows else np.empty((0, len(names)), np.float32)
    return _checked(ids, vectors, _Places(path, None, lines))


def _numbers(at: str, names: Sequence[str], cells: Sequence[str]) -> Vectors:
    text = "".join(cells)
    if text.isascii() and "_" not in text:  # `float` would accept more than plain numbers.
        with contextlib.suppress(ValueError), np.errstate(over="ignore"):
            values = np.array(cells, np.float64).astype(np.float32)
            if np.isfinite(values).all():
                return values
    numbers = [number(cell) for cell in cells]
    for name, cell, value in zip(names, cells, numbers, strict=True):
        if not abs(value) <= float(np.finfo(np.float32).max):
            raise InputError(f"{at}: {cell!r} under {name!r} is not a finite number")
    return np.array(numbers, np.float32)


def _from_parquet(path: pathlib.Path) -> tuple[Ids, Vectors]:
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        raise InputError(f"{path}: Parquet needs pyarrow: pip install pyarrow") from None
    at = _Places(path)
    with _reading(path):
        ids, vectors = _parquet_columns(path, at)
    return _checked(ids, vectors, at)


def _parquet_columns(path: pathlib.Path, at: _Places) -> tuple[list[str], npt.NDArray]:
    from pyarrow import parquet, types

    table = parquet.read_table(path)
    columns, names = [column.combine_chunks() for column in table.columns], table.column_names
    if not table.num_rows or len(columns) < 2:
        raise InputError(f"{path}: no {'columns of numbers' if table.num_rows else 'rows'}")
    kind = columns[0].type
    texts = (types.is_string, types.is_large_string, types.is_integer, types.is_dictionary)
    if not any(fits(kind) for fits in texts):
        raise InputError(f"{path}: the first column, {names[0]!r}, names the tracks; it is {kind}")
    ids = ["" if cell is None else str(cell) for cell in columns[0].to_pylist()]
    if len(columns) == 2 and types.is_nested(columns[1].type):
        return ids, _lists(names[1], columns[1], at)
    for name, column in zip(names[1:], columns[1:], strict=True):
        if not (types.is_floating(column.type) or types.is_integer(column.type)):
            raise InputError(
                f"{path}: column {name!r} is {column.type}; the first column names the tracks, and "
                "all others are numbers"
            )
    return ids, np.stack([_array(column) for column in columns[1:]], axis=1)


def _array(column: Any) -> npt.NDArray:
    """A column of Parquet; empty cells become NaN."""
    return column.to_numpy(zero_copy_only=False)


def _lists(name: str, column: Any, at: _Places) -> npt.NDArray:
    """A column of lists of one length as a matrix."""
    import pyarrow.compute

    try:
        lengths = _array(pyarrow.compute.list_value_length(column))
    except pyarrow.ArrowException:
        raise InputError(f"{at.path}: column {name!r} is {column.type}; give numbers") from None
    for row in np.flatnonzero(lengths != lengths[0])[:1].tolist():
        raise InputError(f"{at(row)}: {lengths[row]} numbers, but the first has {lengths[0]}")
    return _array(column.flatten()).reshape(len(column), int(lengths[0]))
