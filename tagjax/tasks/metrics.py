"""Ranking metrics: hit rate, mean average precision, mean reciprocal rank.

Conventions
- A query has candidates with a score each, some of them relevant; higher scores rank first.
- Ties count against us, whatever the order of the candidates: the rank of a candidate is the
  number of candidates that score at least as high. Average precision is therefore
  scikit-learn's `label_ranking_average_precision_score`; and there is a hit among the first k
  if and only if fewer than k irrelevant candidates score at least as high as the best
  relevant one.
- A NaN score ranks below every number, and a relevant candidate that has it is never found:
  no hit, no precision, reciprocal rank 0.
- A query without relevant candidate (or without any: the only tag of its system) says nothing;
  the tasks leave it out, and list and count it as unanswerable. A single candidate that is
  relevant has rank 1.
- A mean has the interval 1.96 sigma / sqrt(n) (95 %, sigma with ddof 0, as in the paper's
  tables). Values are fractions. The mean of no query is None.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Summary = dict[str, Any]  # {"mean": float | None, "ci95": float | None, "n": int}

_FEW = 16  # relevant candidates up to which counting is quicker than sorting


def score_query(scores: npt.NDArray[np.float64], relevant: npt.NDArray) -> tuple[float, float]:
    """Ranks one query.

    Args:
      scores: float [C], one a candidate; NaN for what is no candidate or has no score.
      relevant: indices of the relevant ones, int [R], R > 0.

    Returns:
      The rank of the first relevant candidate (from 1; infinite if it is never found), and
      the average precision, 1/R sum_r (relevant at or above r) / (all at or above r).

    Raises:
      ValueError: nothing is relevant.
    """
    if len(relevant) == 0:
        raise ValueError("a query without relevant candidate has no rank")
    own = np.sort(scores[relevant])
    own = own[~np.isnan(own)]
    if len(own) == 0:
        return np.inf, 0.0
    if len(own) <= _FEW:
        above = np.array([np.count_nonzero(scores >= score) for score in own])
    else:
        finite = np.sort(scores[~np.isnan(scores)])
        above = len(finite) - np.searchsorted(finite, own, side="left")
    found = len(own) - np.searchsorted(own, own, side="left")
    return float(1 + above[-1] - found[-1]), float((found / above).sum() / len(relevant))


def self_included(first_rank: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Average precision of a duplicate at rank r in a list that opens with the tag itself.

    The paper's deduplication MAP (Table 3): (1 + 2 / (r + 1)) / 2.
    """
    return (1 + 2 / (np.asarray(first_rank, dtype=np.float64) + 1)) / 2


def interval(values: npt.ArrayLike) -> Summary:
    """Mean and 95 % interval of values [n]: {"mean", "ci95", "n"}, None for no value."""
    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    if n == 0:
        return {"mean": None, "ci95": None, "n": 0}
    ci95 = 1.96 * float(values.std()) / np.sqrt(n)
    return {"mean": float(values.mean()), "ci95": float(ci95), "n": n}


def summarise(
    first_rank: npt.ArrayLike, precision: npt.ArrayLike, ks: Sequence[int] = (1, 2)
) -> dict[str, Summary]:
    """Hit rates, MAP and MRR of n queries.

    Args:
      first_rank: [n], and
      precision: [n], as `score_query` gives them.
      ks: of the hit rates.

    Returns:
      {"hr@1", "hr@2", "map", "mrr"}: see `interval`.
    """
    rank = np.asarray(first_rank, dtype=np.float64)
    hits = {f"hr@{k}": interval(rank <= k) for k in ks}
    return {**hits, "map": interval(precision), "mrr": interval(1 / rank)}
