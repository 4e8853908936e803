"""The map of the tags: t-SNE, as in Figure 1 of the paper."""

import numpy as np
import numpy.typing as npt
import scipy.sparse

from tagjax.reconcile.facts import Facts
from tagjax.similarity.matrix import Similarity

_FIRST = 0.9
"""Cosine of tags that are the same for certain."""


def lay_out(facts: Facts) -> npt.NDArray[np.float64]:
    """Places of the tags: float64 [N, 2].

    Two tags are as near as the most that is known of them: the cosine of their tracks, that of
    their sound, or the probability that they are the same.
    """
    from tagjax.report.figures import layout  # With all of matplotlib.

    tags = scipy.sparse.csr_array(facts.tags)
    both = np.asarray((tags.T @ tags).todense(), np.float64)
    counts = np.sqrt(np.maximum(np.diagonal(both), 1))
    near = both / counts[:, None] / counts
    index = facts.vocabulary.index
    for row in facts.rows:
        if row["target"] is not None:
            first, second = index[row["source"]], index[row["target"]]
            known = max(row["fr"] or 0.0, _FIRST * (row["same"] or 0.0), near[first, second])
            near[first, second] = near[second, first] = min(known, 1.0)
    np.fill_diagonal(near, 1.0)
    return layout(Similarity(facts.vocabulary, near))
