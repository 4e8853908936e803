"""Tag embeddings and their cosine similarity (section 2.4 of the paper).

An embedding is a matrix with a column a tag: `fw` and `fc` have one for each of the N_c
classes of the classifier; `fm` and `fdist` for each of the N_t columns of the occurrence
matrix, which may hold tags that the classifier has never seen. Everything is summed in
float64, in chunks of rows, so that arrays may be memory-mapped and larger than memory.

A column of zeros (a tag with no track, or never predicted) has no direction: its cosine
with every tag, itself included, is NaN, as in the authors' released matrices.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

NAMES = ("fw", "fc", "fm", "fdist")


def fw(kernels: npt.NDArray | Sequence[npt.NDArray]) -> Array:
    """The weights of the last hidden layer, f_w(t_i) = W[:, i] (equation 1).

    Args:
      kernels: the dense layer's kernel, float [H, N_c], or one of each of K networks
        (folds), which are stacked: a tag's vector is then its K weight vectors in a row.

    Returns:
      float64 [H, N_c] or [K * H, N_c].

    Raises:
      ValueError: a kernel is no matrix, or the networks differ in their classes.
    """
    several = kernels if isinstance(kernels, list | tuple) else [kernels]
    matrices = [_matrix(np.asarray(kernel), "kernel") for kernel in several]
    if len({matrix.shape[1] for matrix in matrices}) != 1:
        raise ValueError(f"kernels of {len(matrices)} networks have different classes")
    return np.concatenate(matrices).astype(np.float64)


def fc(probabilities: npt.ArrayLike) -> npt.NDArray:
    """The columns of the output, f_c(t_i) = P[:, i] (equation 2).

    Args:
      probabilities: P, float [N_s, N_c], a row of class probabilities an excerpt.

    Returns:
      P itself, [N_s, N_c], unchanged and uncopied (a memory map stays one).

    Raises:
      ValueError: P is no matrix.
    """
    return _matrix(np.asanyarray(probabilities), "probabilities")


def fm(probabilities: npt.ArrayLike, occurrences: npt.ArrayLike, rows: int = 1024) -> Array:
    """The mean output over a tag's excerpts, f_m(t_i) = 1/|S_ti| sum_(s_k in S_ti) p_k (eq. 3).

    Args:
      probabilities: P, float [N_s, N_c].
      occurrences: M, {0, 1} [N_s, N_t], whether the excerpt's track has the tag. Its tags
        need not be the classes: new tags get an embedding without retraining.
      rows: excerpts summed at a time.

    Returns:
      float64 [N_c, N_t]; the column of a tag without excerpt is zero.

    Raises:
      ValueError: not matrices of as many rows.
    """
    p, m = _matrix(np.asanyarray(probabilities), "probabilities"), fdist(occurrences)
    if len(p) != len(m):
        raise ValueError(f"{len(p)} rows of probabilities but {len(m)} rows of occurrences")
    return fm_of(chunks_of(p, rows), chunks_of(m, rows))


def fm_of(probabilities: Iterable[npt.ArrayLike], occurrences: Iterable[npt.ArrayLike]) -> Array:
    """As `fm`, of matrices that come in chunks of equally many rows.

    Raises:
      ValueError: no chunk at all, or more of one than of the other.
    """
    total, count = None, None
    for p_chunk, m_chunk in zip(probabilities, occurrences, strict=True):
        p, m = np.asarray(p_chunk, np.float64), _sparse(m_chunk)
        total = m.T @ p + (0.0 if total is None else total)
        count = m.sum(axis=0) + (0.0 if count is None else count)
    if total is None or count is None:
        raise ValueError("no rows to sum")
    return total.T / np.maximum(count, 1)


def _sparse(occurrences: npt.ArrayLike) -> Any:
    """Rows of M, float64: with few tags a row, its products take few additions."""
    import scipy.sparse  # Which JAX brings; whoever only ranks need not wait for it.

    m = np.asarray(occurrences) != 0
    places = np.flatnonzero(m)  # Several times as fast as SciPy's search in two dimensions.
    columns, ends = places % m.shape[1], np.searchsorted(places, np.arange(len(m) + 1) * m.shape[1])
    return scipy.sparse.csr_array((np.ones(len(places)), columns, ends), m.shape)


def fdist(occurrences: npt.ArrayLike) -> npt.NDArray:
    """The columns of the annotation, f_dist(t_i) = M[:, i] (equation 4).

    Args:
      occurrences: M, {0, 1} [N_s, N_t].

    Returns:
      M itself, [N_s, N_t], unchanged and uncopied.

    Raises:
      ValueError: M is no matrix.
    """
    return _matrix(np.asanyarray(occurrences), "occurrences")


def chunks_of(array: npt.NDArray, rows: int = 1024) -> Iterator[Array]:
    """Yields float64 copies of `rows` rows of a matrix (or memory map) at a time."""
    for start in range(0, len(array), rows):
        yield np.asarray(array[start : start + rows], dtype=np.float64)


def gram(chunks: Iterable[npt.ArrayLike]) -> Array:
    """Inner products of all columns, E^T E, of an embedding that comes in chunks of rows.

    The embedding itself (f_c and f_dist have a row an excerpt) need never exist as a whole.

    Args:
      chunks: matrices [any number of rows, N].

    Returns:
      float64 [N, N], symmetric.

    Raises:
      ValueError: no chunk at all.
    """
    blocks = (np.asarray(chunk, dtype=np.float64) for chunk in chunks)
    return _sum(block.T @ block for block in blocks)


def gram_of_occurrences(chunks: Iterable[npt.ArrayLike]) -> Array:
    """As `gram`, of M in chunks: how many excerpts have both of two tags."""
    return _sum((m.T @ m).toarray() for m in map(_sparse, chunks))


def _sum(matrices: Iterable[Array]) -> Array:
    total: Array | None = None
    for matrix in matrices:
        total = matrix if total is None else total + matrix
    if total is None:
        raise ValueError("no rows to sum")
    return total


def cosine_of_gram(products: npt.ArrayLike) -> Array:
    """Cosine similarity (section 2.4.5) from inner products G = E^T E.

    cos(t_i, t_j) = G[i, j] / sqrt(G[i, i] G[j, j])

    Args:
      products: G, float [N, N].

    Returns:
      float64 [N, N] in [-1, 1], exactly symmetric, with ones on the diagonal; rows and
      columns of a zero (or NaN) embedding are NaN, the diagonal included.
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


def cosine(embedding: npt.ArrayLike, rows: int = 1024) -> Array:
    """Cosine similarity of the columns of an embedding [D, N]: see `cosine_of_gram`."""
    matrix = _matrix(np.asanyarray(embedding), "embedding")
    return cosine_of_gram(gram(chunks_of(matrix, rows)))


def _matrix(array: npt.NDArray, name: str) -> npt.NDArray:
    if array.ndim != 2:
        raise ValueError(f"{name}: expected a matrix, got shape {array.shape}")
    return array
