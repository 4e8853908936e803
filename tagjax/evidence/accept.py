"""Which pairs to accept, so that few of the accepted ones are wrong.

Conformal selection (Jin and Candes 2023, https://jmlr.org/papers/v24/22-1176.html): the first
candidate of each query is compared with first candidates, known to be wrong, of questions whose
answers are known. Benjamini and Hochberg's procedure picks the list. It keeps its promise for
queries that are exchangeable with those questions, that is for halves; across catalogues the rate
is to be observed.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def p_values(
    probability: npt.ArrayLike,
    known: npt.ArrayLike,
    right: npt.ArrayLike,
    tag: npt.ArrayLike,
) -> Array:
    """P-values that the first candidate of a query is wrong.

    p_j = (1 + the number of known queries that are wrong and at least as sure) / (1 + known).

    Args:
      probability: [Q], of the first candidate of each query.
      known: [K], of the first candidates of queries whose answers are known.
      right: bool [K], whether these are right.
      tag: [K], the tag that asks; all queries of a tag count as one.

    Returns:
      float64 [Q] in (0, 1].

    >>> p_values([0.9, 0.2], [0.8, 0.5, 0.3], [True, False, True], [0, 1, 2]).tolist()
    [0.25, 0.5]
    """
    known, right = np.asarray(known, np.float64), np.asarray(right, bool)
    _, place, counts = np.unique(np.asarray(tag), return_inverse=True, return_counts=True)
    weight = np.where(right, 0.0, 1 / counts[place]) if len(known) else np.empty(0)
    order = np.argsort(-known, kind="stable")
    above = np.append(0.0, np.cumsum(weight[order]))
    asked = np.asarray(probability, np.float64)
    number = np.searchsorted(-known[order], -asked, side="right")
    return np.minimum((1 + above[number]) / (1 + len(counts)), 1.0)


def accept(p: npt.ArrayLike, fdr: float = 0.05) -> npt.NDArray[np.bool_]:
    """The queries to accept at a false-discovery rate (Benjamini and Hochberg 1995).

    Args:
      p: [Q] p-values.
      fdr: share of wrong ones among those accepted, in expectation.

    >>> accept([0.01, 0.02, 0.5], 0.05).tolist()
    [True, True, False]

    Reference: https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
    """
    p = np.asarray(p, np.float64)
    if not len(p):
        return np.zeros(0, bool)
    ordered = np.sort(p)
    passing = np.flatnonzero(ordered <= fdr * np.arange(1, len(p) + 1) / len(p))
    return p <= ordered[passing[-1]] if len(passing) else np.zeros(len(p), bool)
