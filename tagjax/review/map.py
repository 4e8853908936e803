"""The map of the tags: t-SNE, as in Figure 1 of the paper."""

import numpy as np
import numpy.typing as npt
import scipy.sparse

from tagjax.reconcile.facts import Facts
from tagjax.similarity.matrix import Similarity

_FIRST = 0.9
"""Cosine of tags that are the same for certain."""


def lay_out(facts: Facts) -> tuple[npt.NDArray[np.float64], str]:
    """Places of the tags: float64 [N, 2], and what a reader has to know of them.

    Two tags are as near as the most that is known of them: the cosine of their tracks, that of
    their sound, or the probability that they are the same. Nothing has a place if no two tags have
    anything in common.
    """
    from tagjax.report.figures import layout  # With all of matplotlib.

    tags = scipy.sparse.csr_array(facts.tags)
    both = np.asarray((tags.T @ tags).todense(), np.float64)
    counts = np.sqrt(np.maximum(np.diagonal(both), 1))
    near = both / counts[:, None] / counts
    np.fill_diagonal(near, 0.0)
    index = facts.vocabulary.index
    for row in facts.rows:
        if row["target"] is not None:
            first, second = index[row["source"]], index[row["target"]]
            known = max(row["fr"] or 0.0, _FIRST * (row["same"] or 0.0), near[first, second])
            near[first, second] = near[second, first] = min(known, 1.0)
    heard = any(row["fr"] is not None for row in facts.rows)
    if not near.any():
        return np.full((len(index), 2), np.nan), "no two tags have a track in common, so no map"
    np.fill_diagonal(near, 1.0)
    note = "" if heard else "drawn by the tracks that tags have in common"
    return layout(Similarity(facts.vocabulary, near)), note
