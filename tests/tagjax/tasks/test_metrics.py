"""Ranking metrics against scikit-learn, SciPy and counting by hand."""

import hypothesis
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import strategies as st

from tagjax.tasks import metrics

# Few distinct values, so that there are ties.
SCORES = st.lists(st.integers(-4, 4), min_size=1, max_size=40)
QUERIES = SCORES.flatmap(
    lambda scores: st.tuples(
        st.just(np.array(scores, dtype=np.float64)),
        st.sets(st.integers(0, len(scores) - 1), min_size=1).map(lambda s: np.array(sorted(s))),
    )
)


@hypothesis.given(QUERIES)
def test_average_precision_is_scikit_learns(query):
    scores, relevant = query
    truth = np.zeros((1, len(scores)), dtype=int)
    truth[0, relevant] = 1
    expected = sklearn.metrics.label_ranking_average_precision_score(truth, scores[None])
    assert metrics.score_query(scores, relevant)[1] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("relevant", [1, 15, 16, 17, 18, 40, 60])
def test_many_relevant_candidates_are_scored_as_few_are(relevant):
    rng = np.random.default_rng(relevant)
    scores = rng.integers(12, size=60).astype(np.float64)
    chosen = rng.permutation(60)[:relevant]
    truth = np.zeros((1, 60), dtype=int)
    truth[0, chosen] = 1
    first, precision = metrics.score_query(scores, chosen)
    lraps = sklearn.metrics.label_ranking_average_precision_score(truth, scores[None])
    assert precision == pytest.approx(lraps, abs=1e-12)
    irrelevant = np.delete(scores, chosen)
    assert first == 1 + np.count_nonzero(irrelevant >= scores[chosen].max())


@hypothesis.given(QUERIES, st.integers(1, 41))
def test_a_hit_at_k_survives_the_worst_order_of_ties(query, k):
    scores, relevant = query
    mask = np.zeros(len(scores), dtype=bool)
    mask[relevant] = True
    worst = sorted(zip(-scores, mask, strict=True))  # ties: the irrelevant first
    hit = any(is_relevant for _, is_relevant in worst[:k])
    assert (metrics.score_query(scores, relevant)[0] <= k) == hit


@hypothesis.given(QUERIES, st.randoms(use_true_random=False))
def test_only_the_order_of_scores_counts_and_not_that_of_candidates(query, random):
    scores, relevant = query
    expected = metrics.score_query(scores, relevant)
    for rescaled in (scores * 7 - 3, np.exp(scores), scores**3):
        assert metrics.score_query(rescaled, relevant) == pytest.approx(expected)
    order = list(range(len(scores)))
    random.shuffle(order)
    moved = np.array([order.index(i) for i in relevant])
    assert metrics.score_query(scores[order], moved) == pytest.approx(expected)


@hypothesis.given(QUERIES, st.integers(0, 5))
def test_nan_is_below_everything_and_not_there(query, extra):
    scores, relevant = query
    padded = np.concatenate([scores, np.full(extra, np.nan)])
    assert metrics.score_query(padded, relevant) == pytest.approx(
        metrics.score_query(scores, relevant)
    )


def test_a_relevant_nan_is_never_found():
    scores = np.array([np.nan, 0.1, np.nan])
    assert metrics.score_query(scores, np.array([0])) == (np.inf, 0)
    first, precision = metrics.score_query(scores, np.array([0, 1]))
    assert (first, precision) == (1, 0.5)  # found at once, but only one of two
    summary = metrics.summarise([np.inf], [0.0])
    assert [summary[key]["mean"] for key in ("hr@1", "hr@2", "map", "mrr")] == [0, 0, 0, 0]


def test_perfect_is_one_and_all_equal_is_worst():
    assert metrics.score_query(np.array([0.9, 0.1, 0.5]), np.array([0])) == (1, 1)
    assert metrics.score_query(np.zeros(10), np.array([3])) == (10, 0.1)


def test_without_truth_there_is_no_rank():
    with pytest.raises(ValueError, match="without relevant"):
        metrics.score_query(np.ones(3), np.array([], dtype=int))


def test_interval_is_the_papers():
    # Table 2: 85.1 +- 4.6 is 200 of 235 styles; Table 3: 92.8 +- 2.3 is 464 of 500 tags.
    for hits, n, mean, ci95 in ((200, 235, 85.1, 4.6), (464, 500, 92.8, 2.3)):
        found = metrics.interval([1.0] * hits + [0.0] * (n - hits))
        assert round(100 * found["mean"], 1) == mean
        assert round(100 * found["ci95"], 1) == ci95
        assert found["n"] == n


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (39, 39), (200, 235), (1, 2)])
def test_wilsons_interval_is_that_of_its_formula(hits, n):
    z, p = 1.959963984540054, hits / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    expected = [max(middle - half, 0), min(middle + half, 1)]
    assert metrics.wilson95(hits, n) == pytest.approx(expected, abs=1e-12)
    found = metrics.hit_rate([True] * hits + [False] * (n - hits))
    assert found["wilson95"] == pytest.approx(expected, abs=1e-12)
    assert {key: found[key] for key in ("mean", "ci95", "n")} == metrics.interval(
        [1] * hits + [0] * (n - hits)
    )


def test_a_pair_is_counted_once():
    hits, pairs = [True, True, False, False, True, False], ["a", "a", "b", "b", "c", "c"]
    found = metrics.hit_rate(hits, pairs)
    assert (found["mean"], found["n"], found["pairs"]) == (0.5, 6, 3)
    # 1.5 of 3 pairs: as wide as one and two of three together.
    assert found["wilson95"] == [metrics.wilson95(1, 3)[0], metrics.wilson95(2, 3)[1]]
    assert metrics.hit_rate(hits, range(6))["wilson95"] == metrics.hit_rate(hits)["wilson95"]


def test_no_query_has_no_mean():
    assert metrics.interval([]) == {"mean": None, "ci95": None, "n": 0}
    assert metrics.summarise([], [])["map"] == {"mean": None, "ci95": None, "n": 0}
    assert metrics.summarise([], [])["hr@1"]["wilson95"] is None


@pytest.mark.parametrize("rank", [1, 2, 7])
def test_self_included_is_average_precision_of_the_list_with_the_tag_itself(rank):
    others = np.linspace(0.9, 0.1, 10)
    truth = np.zeros((1, 11), dtype=int)
    truth[0, [0, rank]] = 1
    scores = np.concatenate([[1.0], others])[None]
    expected = sklearn.metrics.label_ranking_average_precision_score(truth, scores)
    assert metrics.self_included(rank) == pytest.approx(expected)
