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
  tables). A hit rate has Wilson's interval, too, which also holds where every query is a hit.
  Values are fractions. The mean of no query is None.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Summary = dict[str, Any]
"""{"mean": float | None, "ci95": float | None, "n": int}, of a hit rate also "wilson95"."""

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

    >>> score_query(np.array([0.9, 0.5, 0.7]), np.array([2]))
    (2.0, 0.5)

    Reference: https://scikit-learn.org/stable/modules/model_evaluation.html#label-ranking-average-precision
    """
    if len(relevant) == 0:
        raise ValueError("a query without relevant candidate has no rank")
    found = np.sort(scores[relevant])
    found = found[~np.isnan(found)]
    if len(found) == 0:
        return np.inf, 0.0
    if len(found) <= _FEW:
        above = np.array([np.count_nonzero(scores >= score) for score in found])
    else:
        finite = np.sort(scores[~np.isnan(scores)])
        above = len(finite) - np.searchsorted(finite, found, side="left")
    among = len(found) - np.searchsorted(found, found, side="left")
    return float(1 + above[-1] - among[-1]), float((among / above).sum() / len(relevant))


def self_included(first_rank: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Average precision of a duplicate at rank r in a list that opens with the tag itself.

    The paper's deduplication MAP (Table 3): (1 + 2 / (r + 1)) / 2.

    >>> self_included([1, 3]).tolist()
    [1.0, 0.75]
    """
    return (1 + 2 / (np.asarray(first_rank, dtype=np.float64) + 1)) / 2


def interval(values: npt.ArrayLike) -> Summary:
    """Mean and 95 % interval of values [n]: {"mean", "ci95", "n"}, None for no value.

    The interval is that of the paper's tables (sections 3 and 4).

    >>> interval([1, 1, 0, 1])["mean"], round(interval([1, 1, 0, 1])["ci95"], 3)
    (0.75, 0.424)
    """
    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    if n == 0:
        return {"mean": None, "ci95": None, "n": 0}
    ci95 = 1.96 * float(values.std()) / np.sqrt(n)
    return {"mean": float(values.mean()), "ci95": float(ci95), "n": n}


def wilson95(hits: float, n: int) -> list[float] | None:
    """Wilson's 95 % interval [low, high] of a hit rate; None where there is no query.

    Args:
      hits: of the n queries; where that is no whole number, the interval holds for both beside.
      n: independent queries.

    >>> [round(end, 3) for end in wilson95(39, 39)]
    [0.91, 1.0]

    Reference: Wilson, 1927, https://doi.org/10.1080/01621459.1927.10502953
    """
    import scipy.stats  # It takes a second to import; whoever only ranks need not wait for it.

    if n == 0:
        return None
    ends = (math.floor(round(hits, 6)), math.ceil(round(hits, 6)))
    low, high = (scipy.stats.binomtest(k, n).proportion_ci(method="wilson") for k in ends)
    return [float(low.low), float(high.high)]


def hit_rate(hits: npt.ArrayLike, pairs: npt.ArrayLike | None = None) -> Summary:
    """The share of hits (HR@k of Tables 2 and 3): `interval`, and Wilson's as "wilson95".

    Args:
      hits: bool [n].
      pairs: [n], for each query the pair that it is one side of. What is true of one side is
        mostly true of the other, so `wilson95` counts a pair once; "pairs" is their number.

    >>> found = hit_rate([True, True, False, True])
    >>> found["mean"], [round(end, 2) for end in found["wilson95"]]
    (0.75, [0.3, 0.95])
    """
    found = interval(hits)
    if pairs is None:
        return {**found, "wilson95": wilson95(int(np.count_nonzero(hits)), found["n"])}
    number = len(np.unique(pairs))
    return {**found, "wilson95": wilson95((found["mean"] or 0) * number, number), "pairs": number}


def summarise(
    first_rank: npt.ArrayLike,
    precision: npt.ArrayLike,
    ks: Sequence[int] = (1, 2),
    pairs: npt.ArrayLike | None = None,
) -> dict[str, Summary]:
    """Hit rates, MAP and MRR of n queries, as in Tables 2 and 3.

    Args:
      first_rank: [n], and
      precision: [n], as `score_query` gives them.
      ks: of the hit rates.
      pairs: see `hit_rate`.

    Returns:
      {"hr@1", "hr@2", "map", "mrr"}: see `hit_rate` and `interval`.

    >>> summarise([1, 1, 2, 4], [1, 1, 1 / 2, 1 / 4])["hr@1"]["mean"]
    0.5
    """
    rank = np.asarray(first_rank, dtype=np.float64)
    hits = {f"hr@{k}": hit_rate(rank <= k, pairs) for k in ks}
    return {**hits, "map": interval(precision), "mrr": interval(1 / rank)}
