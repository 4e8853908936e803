"""Similarity and embedding files, in the form of the authors' release.

A similarity is a square CSV table. Its header and its first column (whose header is empty or
`tag`) name the tags. Rows and columns come in any order. A tag without data has an empty (NaN) row
or column. An embedding is a CSV table with one column for each tag and no index. Either file may be
packed (`fc_tag_embedding.csv.zip`). `pandas.read_csv` reads both, with `index_col=0` for a
similarity.
"""

import contextlib
import math
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tagjax.base.archives import SUFFIXES
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, atomic_path
from tagjax.base.progress import Progress, silently
from tagjax.base.tables import Writer, number, open_rows
from tagjax.similarity import embeddings
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary import tags as names_of
from tagjax.vocabulary.vocabulary import Vocabulary

TOLERANCE = 1e-4  # for symmetry and range: well above float32's rounding, well below a mistake

_ABSENT = {"", "nan", "na", "n/a", "null", "none", "#n/a", "<na>"}  # what pandas reads as NaN
_BLOCK = 512  # rows checked at a time


def read_similarity(
    path: PathLike, systems: Sequence[str] | None = None, progress: Progress = silently
) -> Similarity:
    """Reads a similarity CSV file; the tags are in the order of the rows.

    The name of a row may lack non-ASCII letters that the name of its column has, or the other way
    round. The column's name counts. A tag has no data if its row or its column has no number
    except on the diagonal; all its similarities are then NaN.

    The file does not say what its tags are: see `Vocabulary.guess`.

    Args:
      path: the file, which may be packed with zip, gzip, xz or bzip2, whatever its name.
      systems: prefixes of the tag systems; empty if the tags have no prefixes; None to guess them.
      progress: passes on the rows.

    Raises:
      InputError: there is no such file; it is not UTF-8 or not square; a tag occurs twice, or only
        among rows or columns; a cell is not a finite number, or is empty although the tag has
        data; a similarity is outside [-1, 1] or not symmetric (both to 1e-4); or a tag belongs to
        none of the systems.

    >>> with open("similarity.csv", "w") as file:
    ...     print(",dub,ska", "dub,1,0.8", "ska,0.8,1", sep="\\n", file=file)
    >>> read_similarity("similarity.csv").nearest("dub")
    [('ska', 0.8)]

    Reference: https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    tags, matrix = _read_matrix(path, progress)
    return Similarity(_vocabulary(tags, systems), matrix)


def _vocabulary(tags: Sequence[str], systems: Sequence[str] | None) -> Vocabulary:
    """The vocabulary of a file's tags; only here is it guessed."""
    guessed = Vocabulary.guess(tags)
    return guessed if systems is None else guessed.regrouped(systems)


def _read_matrix(
    path: PathLike, progress: Progress
) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    with open_rows(path) as rows:
        header = _header(path, rows)[1:]
        _check_names(path, header)
        place = {tag: i for i, tag in enumerate(header)}
        matrix = np.empty((len(header), len(header)))
        tags: list[str] = []
        lines: list[int] = []
        for line, cells in progress(rows, f"read {pathlib.Path(path).name}", len(header)):
            tag = cells[0] if cells[0] in place else _respelt(cells[:1], header)[0]
            if tag not in place:
                raise InputError(f"{path}:{line}: tag {tag!r} has a row but no column")
            if len(tags) == len(header):
                raise InputError(f"{path}:{line}: more rows than the {len(header)} columns")
            matrix[len(tags)] = _numbers(path, line, header, cells[1:])
            tags.append(tag)
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
    _empty_without_data(matrix)
    _check_matrix(path, tags, lines, matrix)
    return tuple(tags), matrix


def write_similarity(path: PathLike, similarity: Similarity, progress: Progress = silently) -> None:
    """Writes a similarity CSV file, with all digits of the numbers and empty cells for NaN.

    This is the form of the authors' release:
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags

    >>> write_similarity("written.csv", Similarity(["dub", "ska"], [[1, 0.8], [0.8, 1]]))
    >>> print(open("written.csv").read().split())
    [',dub,ska', 'dub,1.0,0.8', 'ska,0.8,1.0']
    """
    rows = zip(similarity.tags, similarity.matrix, strict=True)
    with _writer(path) as writer:
        writer.writerow(["", *similarity.tags])
        what = f"write {pathlib.Path(path).name}"
        for tag, row in progress(rows, what, len(similarity.tags)):
            writer.writerow([tag, *_cells(row)])


def read_similarities(
    folder: PathLike, systems: Sequence[str] | None = None, progress: Progress = silently
) -> dict[str, Similarity]:
    """Reads all similarities `{fw,fc,fm,fdist}_tag_similarity.csv` of a folder.

    If the folder has `{..}_tag_embedding.csv` instead, this computes the cosine similarity of that
    embedding. Files may be packed. If a tag has lost non-ASCII letters in one of the files, it gets
    the name that it has in the first file.

    Args:
      folder: the folder.
      systems: as in `read_similarity`.
      progress: passes on the rows of each file.

    Returns:
      {embedding: similarity}, in that order, all with the vocabulary of the first one.

    Raises:
      InputError: there is no such file, a file is faulty, the tags of the files differ, or a tag
        belongs to none of the systems.

    >>> similarity = Similarity(["dub", "ska"], [[1, 0.8], [0.8, 1]])
    >>> write_similarity("fc_tag_similarity.csv", similarity)
    >>> list(read_similarities("."))
    ['fc']

    Reference: https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    folder = pathlib.Path(folder)
    present = {name: path for name in embeddings.NAMES if (path := _present(folder, name))}
    if not present:
        raise _nothing_in(folder)
    found: dict[str, Similarity] = {}
    vocabulary, first = None, next(iter(present.values()))
    for name, path in present.items():
        if path.name.startswith(similarity_path(folder, name).name):
            tags, matrix = _read_matrix(path, progress)
        else:
            tags, vectors = read_embedding(path, progress)
            matrix = embeddings.cosine(vectors)
        vocabulary = vocabulary or _vocabulary(tags, systems)
        tags = tuple(_respelt(tags, vocabulary.tags))
        differing = set(tags) ^ set(vocabulary.tags)
        if differing:
            raise InputError(
                f"{path}: not the tags of {first}; {min(differing)!r} is in one "
                "only; keep similarities of different tags in folders of their own"
            )
        similarity = Similarity(vocabulary.select(tags), matrix)
        found[name] = similarity.reordered(vocabulary.tags)
    return found


def _nothing_in(folder: pathlib.Path) -> InputError:
    """The error for a folder without similarities; it names the files that are expected."""
    paths = [similarity_path(folder, name).name for name in embeddings.NAMES]
    if not folder.is_dir():
        what = "not a folder" if folder.exists() else "no such folder"
        return InputError(f"{folder}: {what}; expected one with {', '.join(paths)}")
    below = sorted({p.parent.name for p in folder.glob("*/*_tag_similarity.csv*")})
    advice = f"; name one of the folders in it: {', '.join(below[:5])}" if below else ""
    return InputError(f"{folder}: holds none of {', '.join(paths)}{advice}")


def _present(folder: pathlib.Path, name: str) -> pathlib.Path | None:
    """The file with a similarity, or else with the embedding to compute it from."""
    for path in (similarity_path(folder, name), embedding_path(folder, name)):
        for suffix in ("", *SUFFIXES):
            packed = path.with_name(f"{path.name}{suffix}")
            if packed.is_file():
                return packed
    return None


def similarity_path(folder: PathLike, embedding: str) -> pathlib.Path:
    """Path of the similarity of `fw`, `fc`, `fm` or `fdist` in a folder."""
    return pathlib.Path(folder) / f"{embedding}_tag_similarity.csv"


def embedding_path(folder: PathLike, embedding: str) -> pathlib.Path:
    """Path of the embedding `fw`, `fc`, `fm` or `fdist` in a folder."""
    return pathlib.Path(folder) / f"{embedding}_tag_embedding.csv"


def read_embedding(
    path: PathLike, progress: Progress = silently
) -> tuple[tuple[str, ...], npt.NDArray[np.float64]]:
    """Reads an embedding CSV file, which may be packed; `progress` passes on its rows.

    Returns:
      The tags and their vectors, float64 [D, N], one column for each tag; empty cells are NaN.

    Raises:
      InputError: there is no such file, it is not UTF-8 or has no row, a tag occurs twice, or a
        cell is not a finite number.
    """
    with open_rows(path) as rows:
        header = _header(path, rows)
        _check_names(path, header)
        rows = iter(progress(rows, f"read {pathlib.Path(path).name}", None))
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
    progress: Progress = silently,
) -> None:
    """Writes an embedding CSV file row by row (the array may be a memory map).

    Args:
      path: the file.
      tags: the N tags.
      embedding: [D, N]; float32 values are written with the digits that float32 has.
      max_rows: the largest number of rows; if D is larger, this many are drawn and written in
        their order (the release keeps 20,000 of f_c).
      seed: seed of that draw.
      progress: passes on the rows.
    """
    if embedding.ndim != 2 or embedding.shape[1] != len(tags):
        raise ValueError(f"{len(tags)} tags but an embedding {embedding.shape}")
    chosen = np.arange(len(embedding))
    if max_rows is not None and max_rows < len(chosen):
        chosen = np.sort(np.random.default_rng(seed).choice(len(chosen), max_rows, replace=False))
    with _writer(path) as writer:
        writer.writerow(tags)
        for i in progress(chosen, f"write {pathlib.Path(path).name}", len(chosen)):
            writer.writerow(_cells(embedding[i]))


@contextlib.contextmanager
def _writer(path: PathLike) -> Iterator[Writer]:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield Writer(file)


def _cells(row: npt.NDArray) -> list:
    values = row.astype("U").tolist() if row.dtype == np.float32 else row.tolist()
    return ["" if value == "nan" or value != value else value for value in values]


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


def _respelt(names: Sequence[str], onto: Sequence[str]) -> list[str]:
    """The names as `onto` spells them, where only lost non-ASCII letters differ."""
    known = set(onto)
    if known.issuperset(names):
        return list(names)
    distinct = set(names)
    spelt: dict[str, set[str]] = {}
    for name in known - distinct:
        for spelling in names_of.spellings(name):
            spelt.setdefault(spelling, set()).add(name)
    found = []
    for name in names:
        fitting: set[str] = set()
        if name not in known:
            fitting = set().union(*(spelt.get(text, ()) for text in names_of.spellings(name)))
        found.append(fitting.pop() if len(fitting) == 1 else name)
    return found if len(set(found)) == len(distinct) else list(names)


def _numbers(
    path: PathLike, line: int, header: Sequence[str], cells: Sequence[str]
) -> npt.NDArray[np.float64]:
    text = "".join(cells)
    if text.isascii() and "_" not in text:  # `float` would accept more than plain numbers.
        with contextlib.suppress(ValueError):
            values = np.array([float(cell) if cell else math.nan for cell in cells])
            if not np.isinf(values).any():
                return values
    found = []
    for tag, cell in zip(header, cells, strict=True):
        absent = cell.strip().lower() in _ABSENT
        found.append(math.nan if absent else number(cell))
        if not absent and not math.isfinite(found[-1]):
            raise InputError(f"{path}:{line}: {cell!r} under {tag!r} is not a finite number")
    return np.array(found)


def _empty_without_data(matrix: npt.NDArray[np.float64]) -> None:
    """Sets row and column of each tag without data to NaN.

    A tag has no data if its row or its column has no number except on the diagonal.
    """
    absent = np.isnan(matrix)
    np.fill_diagonal(absent, True)
    alone = len(matrix) == 1
    empty = np.diagonal(np.isnan(matrix)) if alone else absent.all(axis=0) | absent.all(axis=1)
    matrix[empty] = np.nan
    matrix[:, empty] = np.nan


def _check_matrix(
    path: PathLike, tags: Sequence[str], lines: Sequence[int], matrix: npt.NDArray[np.float64]
) -> None:
    known = np.asarray(np.isfinite(matrix).any(axis=0))
    for start in range(0, len(tags), _BLOCK):
        rows = slice(start, start + _BLOCK)
        block, mirrored = matrix[rows], matrix[:, rows].T
        missing = np.isnan(block) & known[rows, None] & known
        differing = np.asarray(np.abs(block - mirrored) > TOLERANCE)
        beyond = np.asarray(np.abs(block) > 1 + TOLERANCE)
        for i, j in np.argwhere(missing | differing | beyond)[:1].tolist():
            at = f"{path}:{lines[start + i]}"
            if missing[i, j]:
                raise InputError(
                    f"{at}: no number under {tags[j]!r}; fill it, or leave the whole row and "
                    "column of a tag empty"
                )
            if beyond[i, j]:
                raise InputError(
                    f"{at}: {block[i, j]} of {tags[i]!r} and {tags[j]!r} is not a cosine "
                    "similarity; give one from -1 to 1"
                )
            raise InputError(
                f"{at}: not symmetric: {block[i, j]} under {tags[j]!r}, but {mirrored[i, j]} "
                "the other way round"
            )
