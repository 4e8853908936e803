"""Ranking metrics: hit rate, mean average precision, mean reciprocal rank.

Conventions
- Each candidate of a query has a score; some candidates are relevant. Higher scores rank first.
- Ties count against us, whatever the order of the candidates: the rank of a candidate is the
  number of candidates that score at least as high. So average precision is scikit-learn's
  `label_ranking_average_precision_score`. There is a hit among the first k if and only if fewer
  than k irrelevant candidates score at least as high as the best relevant one.
- A NaN score ranks below every number. A relevant candidate with a NaN score is never found: it
  gives no hit, no precision, and the reciprocal rank 0.
- A query without relevant candidates, or without any (the only tag of its system), says nothing.
  The tasks leave it out, and list and count it as unanswerable. If the only candidate is
  relevant, its rank is 1.
- A mean has the interval 1.96 sigma / sqrt(n) (95 %, sigma with ddof 0, as in the paper's
  tables). A hit rate also has Wilson's interval, which is valid even if every query is a hit.
  Values are fractions. The mean over no queries is None.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Summary = dict[str, Any]
"""{"mean": float | None, "ci95": float | None, "n": int}; a hit rate also has "wilson95"."""

_FEW = 16  # up to this many relevant candidates, counting is quicker than sorting


def score_query(scores: npt.NDArray[np.float64], relevant: npt.NDArray) -> tuple[float, float]:
    """Ranks one query.

    Args:
      scores: float [C], one score for each candidate; NaN for a tag that is no candidate or has no
        score.
      relevant: indices of the relevant candidates, int [R], R > 0.

    Returns:
      The rank of the first relevant candidate (from 1; infinite if it is never found), and
      the average precision, 1/R sum_r (relevant at or above r) / (all at or above r).

    Raises:
      ValueError: no candidate is relevant.

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
    """Average precision of a duplicate at rank r in a list that starts with the tag itself.

    This is the paper's MAP of deduplication (Table 3): (1 + 2 / (r + 1)) / 2.

    >>> self_included([1, 3]).tolist()
    [1.0, 0.75]

    Reference: Table 3 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    return (1 + 2 / (np.asarray(first_rank, dtype=np.float64) + 1)) / 2


def interval(values: npt.ArrayLike) -> Summary:
    """Mean and 95 % interval of values [n]: {"mean", "ci95", "n"}; both are None without values.

    >>> interval([1, 1, 0, 1])["mean"], round(interval([1, 1, 0, 1])["ci95"], 3)
    (0.75, 0.424)

    Reference: Tables 2 and 3 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    if n == 0:
        return {"mean": None, "ci95": None, "n": 0}
    ci95 = 1.96 * float(values.std()) / np.sqrt(n)
    return {"mean": float(values.mean()), "ci95": float(ci95), "n": n}


def wilson95(hits: float, n: int) -> list[float] | None:
    """Wilson's 95 % interval [low, high] of a hit rate; None without queries.

    Args:
      hits: number of hits. If it is not a whole number, the interval covers those of the whole
        numbers below and above.
      n: number of independent queries.

    >>> [round(end, 3) for end in wilson95(39, 39)]
    [0.91, 1.0]

    Reference: Wilson, 1927, https://doi.org/10.1080/01621459.1927.10502953
    """
    import scipy.stats  # Imported here because it takes a second.

    if n == 0:
        return None
    ends = (math.floor(round(hits, 6)), math.ceil(round(hits, 6)))
    low, high = (scipy.stats.binomtest(k, n).proportion_ci(method="wilson") for k in ends)
    return [float(low.low), float(high.high)]


def hit_rate(hits: npt.ArrayLike, pairs: npt.ArrayLike | None = None) -> Summary:
    """The share of hits with its `interval`, and Wilson's interval as "wilson95".

    Args:
      hits: bool [n].
      pairs: [n], for each query the pair to which it belongs. The two queries of a pair mostly
        have the same result, so `wilson95` counts a pair once; "pairs" is the number of pairs.

    >>> found = hit_rate([True, True, False, True])
    >>> found["mean"], [round(end, 2) for end in found["wilson95"]]
    (0.75, [0.3, 0.95])

    Reference: Tables 2 and 3 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
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
    """Hit rates, MAP and MRR of n queries.

    Args:
      first_rank: [n], rank of the first relevant candidate: see `score_query`.
      precision: [n], average precision: see `score_query`.
      ks: numbers of candidates among which a hit rate looks.
      pairs: see `hit_rate`.

    Returns:
      {"hr@1", "hr@2", "map", "mrr"}: see `hit_rate` and `interval`.

    >>> summarise([1, 1, 2, 4], [1, 1, 1 / 2, 1 / 4])["hr@1"]["mean"]
    0.5

    Reference: Tables 2 and 3 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    rank = np.asarray(first_rank, dtype=np.float64)
    hits = {f"hr@{k}": hit_rate(rank <= k, pairs) for k in ks}
    return {**hits, "map": interval(precision), "mrr": interval(1 / rank)}
