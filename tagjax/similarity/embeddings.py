"""Tag embeddings and their cosine similarity (section 2.4 of the paper).

An embedding is a matrix with one column for each tag. `fw` and `fc` have a column for each of
the N_c classes of the classifier. `fm`, `fr` and `fdist` have a column for each of the N_t tags of
the occurrence matrix, among which may be tags that the classifier has never seen. `fr` is ours, the
others are the paper's. All sums are in float64, over chunks of rows, so that arrays may be
memory-mapped and larger than memory.

A column of zeros (a tag with no track, or never predicted) has no direction. Its cosine with every
tag, itself included, is NaN, as in the authors' released matrices.

To add an embedding, write its function here and name it in `EMBEDDINGS`. File names, flags,
`--help` and the report take it from there.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tagjax.base.errors import InputError

Array = npt.NDArray[np.float64]

ROWS = 4096
"""Number of rows of predictions that are in memory at once."""


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Some rows of a matrix that may be memory-mapped; a slice reads only the rows that it needs.

    Attributes:
      array: the matrix, [N_s, N].
      places: int64 [n], indices of the rows, ascending.
    """

    array: npt.NDArray
    places: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, N)."""
        return len(self.places), self.array.shape[1]

    def __getitem__(self, part: slice) -> npt.NDArray:
        some = self.places[part]
        if len(some) and some[-1] - some[0] == len(some) - 1:  # Neighbouring rows need no copy.
            return self.array[some[0] : some[-1] + 1]
        return self.array[some]


def fw(kernels: npt.NDArray | Sequence[npt.NDArray]) -> Array:
    """The weights of the last hidden layer, f_w(t_i) = W[:, i] (equation 1).

    Args:
      kernels: the dense layer's kernel, float [H, N_c], or a list of the kernels of K networks
        (folds). These are stacked: a tag's vector is then its K weight vectors in a row.

    Returns:
      float64 [H, N_c] or [K * H, N_c].

    Raises:
      ValueError: a kernel is not a matrix, or the networks have different classes.

    >>> fw(np.ones((4, 3))).shape
    (4, 3)

    Reference: section 2.4.1 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    networks = kernels if isinstance(kernels, list | tuple) else [kernels]
    matrices = [_matrix(np.asarray(kernel), "kernel") for kernel in networks]
    if len({matrix.shape[1] for matrix in matrices}) != 1:
        raise ValueError(f"kernels of {len(matrices)} networks have different classes")
    return np.concatenate(matrices).astype(np.float64)


def fc(probabilities: Any) -> Any:
    """The columns of the output, f_c(t_i) = P[:, i] (equation 2).

    Args:
      probabilities: P, float [N_s, N_c]; each row has the class probabilities of an excerpt.

    Returns:
      P itself, [N_s, N_c], unchanged and uncopied (a memory map stays one).

    Raises:
      ValueError: P is not a matrix.

    >>> fc([[0.7, 0.3], [0.1, 0.9]])[:, 0].tolist()
    [0.7, 0.1]

    Reference: section 2.4.2 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    return _matrix(probabilities, "probabilities")


def fm(probabilities: Any, occurrences: Any, rows: int = ROWS) -> Array:
    """The mean output over a tag's excerpts, f_m(t_i) = 1/|S_ti| sum_(s_k in S_ti) p_k (eq. 3).

    Args:
      probabilities: P, float [N_s, N_c].
      occurrences: M, {0, 1} [N_s, N_t], whether the excerpt's track has the tag. Its tags
        need not be the classes: new tags get an embedding without retraining.
      rows: number of excerpts to sum at a time.

    Returns:
      float64 [N_c, N_t]; the column of a tag without excerpts is zero.

    Raises:
      ValueError: an argument is not a matrix, or the numbers of rows differ.

    >>> fm([[0.75, 0.25], [0.25, 0.75]], [[1], [1]]).tolist()
    [[0.5], [0.5]]

    Reference: section 2.4.3 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    pairs = blocks(probabilities, occurrences, rows)
    total, count = added((having.T @ p, having.sum(axis=0)) for p, having in pairs)
    return total.T / np.maximum(count, 1)


def fr(probabilities: Any, occurrences: Any, ridge: float, rows: int = ROWS) -> Array:
    """What a tag adds to the sound of its excerpts, their other tags held equal: a regression.

    With g(p) = sqrt(p) of each element, centred (distances become Hellinger's), and m_k the tags of
    excerpt k:

    min over B of sum_k ||g(p_k) - mean - B m_k||^2 + ridge ||B||^2,   f_r(t_i) = B[:, i]

    In fm a tag takes on the sound of the tags that go with it; here these account for their part.

    Args:
      probabilities: P, float [N_s, N_c].
      occurrences: M, {0, 1} [N_s, N_t].
      ridge: how strongly B is drawn to zero, in excerpts: a tag of so many, alone, keeps half.
      rows: number of excerpts to sum at a time.

    Returns:
      float64 [N_c, N_t]; the column of a tag without excerpts is zero.

    Raises:
      ValueError: an argument is not a matrix, the numbers of rows differ, or ridge is not above 0.

    >>> fr([[1, 0], [0, 1]], [[1, 0], [0, 1]], ridge=1).round(2).tolist()
    [[0.25, -0.25], [-0.25, 0.25]]
    """
    heard, sums, together = added(
        (roots.sum(axis=0), having.T @ roots, (having.T @ having).toarray())
        for p, having in blocks(probabilities, occurrences, rows)
        for roots in [np.sqrt(p)]
    )
    return fr_of_sums(heard, sums, together, len(probabilities), ridge)


def added(terms: Iterable[Sequence[Any]]) -> list[Any]:
    """Sums of the first of all terms, of the second, and so on.

    >>> added([(1, 2.5), (3, 4.5)])
    [4, 7.0]
    """
    total: list[Any] = []
    for some in terms:
        total = [a + b for a, b in zip(total, some, strict=True)] if total else list(some)
    return total


def fr_of_sums(heard: Array, sums: Array, together: Array, rows: int, ridge: float) -> Array:
    """`fr` from sums over excerpts.

    Args:
      heard: of g(p), float64 [N_c].
      sums: M'g(P), float64 [N_t, N_c].
      together: M'M, float64 [N_t, N_t].
      rows: number of excerpts.
      ridge: see `fr`.

    Returns:
      float64 [N_c, N_t].
    """
    centred = sums - np.outer(np.diagonal(together), heard / rows)
    return solve_ridge(together.copy(), centred, ridge).T


def blocks(probabilities: Any, occurrences: Any, rows: int = ROWS) -> Iterator[tuple[Array, Any]]:
    """Yields P, float64, and M, sparse, in blocks of `rows` excerpts.

    Raises:
      ValueError: an argument is not a matrix, or the numbers of rows differ or are 0.
    """
    p, m = _matrix(probabilities, "probabilities"), fdist(occurrences)
    if len(p) != len(m):
        raise ValueError(f"{len(p)} rows of probabilities but {len(m)} rows of occurrences")
    if not len(p):
        raise ValueError("no rows to sum")
    for p_chunk, m_chunk in zip(chunks_of(p, rows), chunks_of(m, rows), strict=True):
        yield np.asarray(p_chunk, np.float64), _sparse(np.asarray(m_chunk) != 0)


def solve_ridge(together: Array, sums: Array, ridge: float) -> Array:
    """B = (M'M + ridge I)^-1 M'G of a ridge regression on tags.

    Args:
      together: M'M, float64 [N_t, N_t]; is overwritten.
      sums: M'G, float64 [N_t, D].
      ridge: above 0.

    Returns:
      B, float64 [N_t, D].

    Raises:
      ValueError: ridge is not above 0.

    Reference: https://docs.scipy.org/doc/scipy/reference/generated/scipy.linalg.cho_solve.html
    """
    import scipy.linalg  # Imported here because ranking alone does not need it.

    if not ridge > 0:
        raise ValueError(f"ridge={ridge}: must be above 0")
    together[np.diag_indices_from(together)] += ridge
    factor = scipy.linalg.cho_factor(together, overwrite_a=True)
    return scipy.linalg.cho_solve(factor, sums)


def regress(features: npt.NDArray, tags: Any, ridge: float) -> Array:
    """What each tag adds to features, the other tags held equal: `fr` of any vectors by track.

    Args:
      features: float [tracks, D], centred.
      tags: M, sparse [tracks, N_t].
      ridge: in tracks.

    Returns:
      float64 [N_t, D]; the row of a tag without tracks is zero.
    """
    return solve_ridge((tags.T @ tags).toarray(), sums_by_tag(tags, features), ridge)


def sums_by_tag(
    tags: Any,
    features: npt.NDArray,
    change: Callable[[npt.NDArray], npt.NDArray] = lambda rows: rows,
    rows: int = ROWS // 4,
) -> Array:
    """M'G: the features of each tag's tracks, summed.

    Args:
      tags: M, sparse [tracks, N_t].
      features: G, float [tracks, D].
      change: of some rows of the features, before they are summed.
      rows: number of tracks to sum at a time: they and the sums stay in the processor's cache.

    Returns:
      float64 [N_t, D].
    """
    found = np.zeros((tags.shape[1], features.shape[1]))
    for start in range(0, len(features), rows):
        some = slice(start, start + rows)
        found += tags[some].T @ np.asarray(change(features[some]), np.float64)
    return found


def fdist(occurrences: Any) -> Any:
    """The columns of the annotation, f_dist(t_i) = M[:, i] (equation 4).

    Args:
      occurrences: M, {0, 1} [N_s, N_t].

    Returns:
      M itself, [N_s, N_t], unchanged and uncopied.

    Raises:
      ValueError: M is not a matrix.

    >>> fdist([[1, 0], [1, 1]])[:, 0].tolist()
    [1, 1]

    Reference: section 2.4.4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    return _matrix(occurrences, "occurrences")


@dataclasses.dataclass(frozen=True)
class Embedding:
    """An embedding: its function and its description.

    Attributes:
      function: computes the embedding, [D, N], one column for each tag.
      inputs: the function's arguments, in order: "kernels" of the last layer, "probabilities" P
        of the excerpts, "occurrences" M of tags in their annotations, "ridge" of a regression. With
        "occurrences" the columns are the tags of M, which the classifier may never have seen.
      title: description of its vectors.
      equation: its equation in the paper.
    """

    function: Callable[..., Any]
    inputs: tuple[str, ...]
    title: str
    equation: str

    def of(self, inputs: Mapping[str, Any]) -> Any:
        """Computes the embedding from these inputs.

        Raises:
          InputError: an input is missing.
        """
        missing = [name for name in self.inputs if name not in inputs]
        if missing:
            raise InputError(f"{self.function.__name__} needs {' and '.join(missing)}")
        return self.function(*(inputs[name] for name in self.inputs))


EMBEDDINGS: Mapping[str, Embedding] = {
    "fw": Embedding(fw, ("kernels",), "weights of the last layer", "eq. 1"),
    "fc": Embedding(fc, ("probabilities",), "columns of the output", "eq. 2"),
    "fm": Embedding(
        fm, ("probabilities", "occurrences"), "mean output over a tag's excerpts", "eq. 3"
    ),
    "fr": Embedding(
        fr, ("probabilities", "occurrences", "ridge"), "what a tag adds to the output", "regression"
    ),
    "fdist": Embedding(
        fdist, ("occurrences",), "co-occurrence in the annotations, not audio", "eq. 4"
    ),
}
NAMES = tuple(EMBEDDINGS)


def named(name: str) -> Embedding:
    """The embedding with this name.

    Raises:
      InputError: there is no such embedding.
    """
    if name not in EMBEDDINGS:
        raise InputError(f"unknown embedding {name!r}; one of {', '.join(NAMES)}")
    return EMBEDDINGS[name]


def chunks_of(array: Any, rows: int = ROWS) -> Iterator[npt.NDArray]:
    """Yields a matrix (or memory map, or `Rows`) in chunks of `rows` rows."""
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def gram(chunks: Iterable[npt.ArrayLike]) -> Array:
    """Inner products of all columns, E^T E, of an embedding that comes in chunks of rows.

    The embedding itself need never be in memory as a whole. (f_c and f_dist have a row for each
    excerpt.)

    Args:
      chunks: matrices [any number of rows, N]. Matrices of integers and bools are mostly zeros,
        and only their other elements are multiplied.

    Returns:
      float64 [N, N], symmetric.

    Raises:
      ValueError: there is no chunk.
    """
    total: Array | None = None
    for chunk in chunks:
        block = np.asarray(chunk)
        if block.dtype.kind in "bui":
            sparse = _sparse(block)
            product = (sparse.T @ sparse).toarray()
        else:
            block = np.asarray(block, dtype=np.float64)
            product = block.T @ block
        total = product if total is None else total + product
    if total is None:
        raise ValueError("no rows to sum")
    return total


def _sparse(matrix: npt.NDArray) -> Any:
    """The matrix as a sparse one, float64; products of few tags in a row take few additions."""
    import scipy.sparse  # Imported here because ranking alone does not need it.

    m = np.asarray(matrix)
    # This is several times as fast as SciPy's search in two dimensions.
    places = np.flatnonzero(m)
    columns, ends = places % m.shape[1], np.searchsorted(places, np.arange(len(m) + 1) * m.shape[1])
    values = m.ravel()[places].astype(np.float64)
    return scipy.sparse.csr_array((values, columns, ends), m.shape)


def cosine_of_gram(products: npt.ArrayLike) -> Array:
    """Cosine similarity (section 2.4.5) from inner products G = E^T E.

    cos(t_i, t_j) = G[i, j] / sqrt(G[i, i] G[j, j])

    Args:
      products: G, float [N, N].

    Returns:
      float64 [N, N] in [-1, 1], exactly symmetric, with ones on the diagonal; rows and
      columns of a zero (or NaN) embedding are NaN, also on the diagonal.
    """
    g = np.asarray(products, dtype=np.float64)
    norms = np.sqrt(np.diagonal(g))
    similarity = np.outer(norms, norms)
    zero = ~(norms > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        np.divide(g, similarity, out=similarity)
    np.clip(similarity, -1, 1, out=similarity)
    np.fill_diagonal(similarity, 1)
    similarity[zero] = np.nan
    similarity[:, zero] = np.nan
    return similarity


def cosine(embedding: Any, rows: int = ROWS) -> Array:
    """Cosine similarity of the columns of an embedding [D, N]: see `cosine_of_gram`.

    >>> cosine([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]).tolist()
    [[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]]

    Reference: section 2.4.5 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    return cosine_of_gram(gram(chunks_of(_matrix(embedding, "embedding"), rows)))


def _matrix(given: Any, name: str) -> Any:
    """Returns a matrix, memory map or `Rows` unchanged, and anything else as an array."""
    if isinstance(given, Rows):
        return given
    array = np.asanyarray(given)
    if array.ndim != 2:
        raise ValueError(f"{name}: expected a matrix, got shape {array.shape}")
    return array
