"""Tag deduplication."""

import itertools
import tracemalloc

import hypothesis
import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import strategies as st

from tagjax.similarity.matrix import Similarity
from tagjax.tasks import TaskConfig, deduplicate, deduplication
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = tuple(f"{name}_{half}" for name in ("ska", "dub", "emo", "genre:rock") for half in (1, 2))


def random(n, seed=0, levels=None):
    rng = np.random.default_rng(seed)
    values = rng.random((n, n)) if levels is None else rng.integers(levels, size=(n, n)) / levels
    matrix = np.triu(values, 1) + np.triu(values, 1).T
    np.fill_diagonal(matrix, 1)
    return matrix


def test_a_perfect_similarity_is_one():
    matrix = np.kron(np.eye(4), np.ones((2, 2)))
    result = deduplicate(Similarity(TAGS, matrix))
    assert {value["mean"] for value in result.metrics.values()} == {1}
    assert {value["n"] for value in result.metrics.values()} == {8}
    assert result.errors.rows == ()


@hypothesis.given(st.integers(0, 200), st.sampled_from([None, 4]))
@hypothesis.settings(max_examples=30, deadline=None)
def test_both_maps_are_scikit_learns_with_and_without_the_tag_itself(seed, levels):
    matrix = random(8, seed, levels) * 0.9  # below the tag itself
    np.fill_diagonal(matrix, 1)
    result = deduplicate(Similarity(TAGS, matrix))
    truth = np.kron(np.eye(4), np.ones((2, 2))).astype(int)
    with_itself = sklearn.metrics.label_ranking_average_precision_score(truth, matrix)
    others = ~np.eye(8, dtype=bool)
    without = sklearn.metrics.label_ranking_average_precision_score(
        truth[others].reshape(8, 7), matrix[others].reshape(8, 7)
    )
    assert result.metrics["map"]["mean"] == pytest.approx(without)
    assert result.metrics["mrr"]["mean"] == pytest.approx(without)
    assert result.metrics["map_self_included"]["mean"] == pytest.approx(with_itself)


@hypothesis.given(
    st.integers(0, 200),
    st.sampled_from([None, 4]),
    st.sets(st.integers(0, 7), max_size=3),
    st.permutations(range(8)),
)
@hypothesis.settings(max_examples=40, deadline=None)
def test_neither_rescaling_nor_the_order_of_tags_matters(seed, levels, empty, order):
    matrix = random(8, seed, levels)
    for i in empty:
        matrix[i] = matrix[:, i] = np.nan
    one = deduplicate(Similarity(TAGS, matrix))
    other = deduplicate(Similarity(tuple(TAGS[i] for i in order), matrix[np.ix_(order, order)]))
    for key, value in one.metrics.items():
        assert other.metrics[key].get("wilson95") == value.get("wilson95")
        assert other.metrics[key]["mean"] == pytest.approx(value["mean"])
        assert other.metrics[key]["ci95"] == pytest.approx(value["ci95"])
    assert set(other.errors.rows) == set(one.errors.rows)
    assert set(other.ranked.rows) == set(one.ranked.rows)
    assert other.tables["suspected"] == one.tables["suspected"]
    rescaled = deduplicate(Similarity(TAGS, np.exp(3 * matrix) - 9))
    assert rescaled.metrics == one.metrics
    assert [row[:3] for row in rescaled.ranked.rows] == [row[:3] for row in one.ranked.rows]


@hypothesis.given(st.integers(0, 200), st.sets(st.integers(0, 7), min_size=1, max_size=7))
@hypothesis.settings(max_examples=30, deadline=None)
def test_a_tag_without_data_is_missed_and_misses(seed, empty):
    matrix = np.kron(np.eye(4), np.ones((2, 2))) + random(8, seed) / 2
    for i in empty:
        matrix[i] = matrix[:, i] = np.nan
    result = deduplicate(Similarity(TAGS, matrix))
    missed = empty | {i ^ 1 for i in empty}
    assert {row[0] for row in result.errors.rows} == {TAGS[i] for i in missed}
    for key in ("hr@1", "hr@2", "map", "mrr"):
        assert result.metrics[key]["mean"] == pytest.approx(1 - len(missed) / 8)
        assert result.metrics[key]["n"] == 8
    # Never found is the limit of ever lower ranks: half a hit, the tag itself.
    assert result.metrics["map_self_included"]["mean"] == pytest.approx(1 - len(missed) / 16)
    assert all(row[4] is None for row in result.errors.rows)


def test_one_tag_has_no_candidate_and_one_pair_no_other():
    alone = deduplicate(Similarity(("ska_1",), np.eye(1)))
    assert alone.unanswerable == ("ska_1",)
    assert alone.ranked.rows == alone.errors.rows == ()
    assert {value["n"] for value in alone.metrics.values()} == {0}
    pair = deduplicate(Similarity(("ska_1", "ska_2"), np.eye(2)))
    assert {value["mean"] for value in pair.metrics.values()} == {1}


def test_tags_without_other_half_are_candidates_but_no_queries():
    tags = ("ska_1", "ska_2", "lone_1", "plain")
    matrix = np.full((4, 4), 0.1)
    matrix[0, 3] = matrix[3, 0] = 0.9
    result = deduplicate(Similarity(Vocabulary.of(tags, halves=True), matrix))
    assert result.metrics["hr@1"]["n"] == 2
    assert result.unanswerable == ("lone_1", "plain")
    assert result.errors.rows[0][:3] == ("ska_1", "plain", 0.9)
    assert any("lone_1, plain" in note for note in result.notes)


@pytest.mark.parametrize("pairs", [1, 3, 5, 100])
def test_suspected_pairs_are_the_highest_of_all_but_the_halves(pairs):
    n = 600  # more than one block of rows
    names = [f"t{i:03}" for i in range(n // 2)]
    tags = tuple(f"{name}_{half}" for name in names for half in (1, 2))
    matrix = random(n, 3)
    table = deduplication.suspected(Similarity(tags, matrix), pairs)
    blocks = matrix.reshape(n // 2, 2, n // 2, 2).max(axis=(1, 3))
    expected = sorted(
        ((names[i], names[j], blocks[i, j]) for i, j in itertools.combinations(range(n // 2), 2)),
        key=lambda row: -row[2],
    )
    assert list(table.rows) == expected[:pairs]


@hypothesis.given(st.integers(0, 300), st.integers(1, 12), st.permutations(range(9)))
@hypothesis.settings(max_examples=40, deadline=None)
def test_equally_suspected_pairs_are_taken_by_name(seed, pairs, order):
    tags = ("b_1", "b_2", "a_1", "a_2", "a", "d_1", "c_1", "c_2", "e")
    matrix = random(9, seed, levels=3)
    best = {}
    for i, j in itertools.combinations(range(9), 2):
        pair = tuple(sorted((tags[i].split("_")[0], tags[j].split("_")[0])))
        if pair[0] != pair[1]:
            best[pair] = max(best.get(pair, 0), matrix[i, j])
    expected = sorted(((*pair, best[pair]) for pair in best), key=lambda r: (-r[2], r[:2]))
    vocabulary = Vocabulary.of(tags, halves=True)
    shuffled = Similarity(vocabulary, matrix).reordered([tags[i] for i in order])
    assert list(deduplication.suspected(shuffled, pairs).rows) == expected[:pairs]


def test_many_equal_pairs_take_no_memory_of_their_own():
    n = 3000
    tags = tuple(f"t{i // 2:04}_{i % 2 + 1}" for i in range(n))
    one = Similarity(tags, np.eye(n))
    tracemalloc.start()
    table = deduplication.suspected(one, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row[:2] for row in table.rows] == [("t0000", f"t{i:04}") for i in (1, 2, 3)]
    assert peak < one.matrix.nbytes


def test_suspected_pairs_ignore_nan_and_may_be_fewer():
    matrix = random(3)
    matrix[1] = matrix[:, 1] = np.nan
    table = deduplication.suspected(Similarity(("c", "b", "a"), matrix), 10)
    assert table.rows == (("a", "c", matrix[0, 2]),)


def test_known_duplicates_are_ranked_without_the_other_half():
    tags = ("bossa nova_1", "bossa nova_2", "bossanova_1", "bossanova_2", "samba_1", "samba_2")
    matrix = np.full((6, 6), 0.1)
    matrix[0, 1] = matrix[1, 0] = 0.95  # the other half, out of the contest
    matrix[0, 3] = matrix[3, 0] = 0.9
    matrix[1, 4] = matrix[4, 1] = 0.8
    matrix[1, 2] = matrix[2, 1] = 0.7
    truth = Truth(duplicates=(("bossa nova", "bossanova"), ("dub", "dubb")))
    result = deduplicate(Similarity(tags, matrix), truth)
    rows = {row[0]: row for row in result.tables["listed"].rows}
    assert rows["bossa nova_1"] == ("bossa nova_1", "bossanova_2", 1, 0.9)
    assert rows["bossa nova_2"] == ("bossa nova_2", "bossanova_1", 2, 0.7)
    assert set(rows) == set(tags[:4])
    assert result.extra["listed"]["hr@1"] == {
        "mean": 0.75,
        "ci95": pytest.approx(1.96 * np.sqrt(0.75 * 0.25 / 4)),
        "n": 4,
        "pairs": 1,
        "wilson95": pytest.approx([0, 1]),  # Of one pair, half found: anything may be.
    }
    assert any("dub/dubb" in note for note in result.notes)


def test_lists_keep_to_their_length():
    config = TaskConfig(listed=3, pairs=2)
    result = deduplicate(Similarity(TAGS, random(8)), config=config)
    assert len(result.ranked.rows) == 8 * 3
    assert len(result.tables["suspected"].rows) == 2
    full = deduplicate(Similarity(TAGS, random(8)))
    assert full.metrics == result.metrics
    assert [row for row in full.ranked.rows if row[1] <= 3] == list(result.ranked.rows)


def test_a_tag_is_ranked_among_the_tags_of_its_own_catalogue():
    tags = [f"{system}{tag}_{half}" for system in "ab" for tag in ("x", "y") for half in (1, 2)]
    tags = [f"{tag[0]}:{tag[1:]}" for tag in tags]
    matrix = np.kron(np.ones((2, 2)), np.kron(np.eye(2), np.ones((2, 2)))) * 0.9  # a:x like b:x
    matrix[1, 0] = matrix[0, 1] = 0.8  # a:x_1 is nearer to its translation than to a:x_2
    np.fill_diagonal(matrix, 1)
    result = deduplicate(Similarity(tags, matrix))
    assert Vocabulary.guess(tags).systems == ("a:", "b:")
    assert result.metrics["hr@1"]["mean"] == 1
    assert result.metrics["hr@1"]["n"] == 8
    assert result.systems["b:"]["hr@1"]["n"] == 4
    assert result.extra["among_all"]["hr@1"]["mean"] == 0  # Ties count against us.
    assert {row[2][:2] for row in result.ranked.rows if row[0].startswith("a:")} == {"a:"}
    assert {row[:2] for row in result.tables["suspected"].rows} == {("a:x", "a:y"), ("b:x", "b:y")}
    assert any("own tag system" in note for note in result.notes)


def test_known_duplicates_are_ranked_in_the_catalogue_of_the_duplicate():
    tags = ("a:x", "a:y", "a:z", "b:x", "b:y")
    matrix = np.eye(5)
    matrix[0, 3] = matrix[3, 0] = 0.9  # of another catalogue: no candidate
    matrix[0, 1] = matrix[1, 0] = 0.5
    vocabulary = Vocabulary.of(tags, ("a:", "b:"))
    result = deduplicate(Similarity(vocabulary, matrix), Truth(duplicates=(("a:x", "a:y"),)))
    assert [row[2] for row in result.tables["listed"].rows] == [1, 1]


def test_wilsons_interval_counts_a_pair_once():
    result = deduplicate(Similarity(TAGS, np.kron(np.eye(4), np.ones((2, 2)))))
    found = result.metrics["hr@1"]
    assert (found["n"], found["pairs"]) == (8, 4)
    # Wilson's lower end of k = n is n / (n + z^2): 4 / (4 + 3.8415).
    assert found["wilson95"] == pytest.approx([0.5101, 1], abs=1e-4)
    assert found["ci95"] == 0


def test_half_a_pair_widens_the_interval_on_both_sides():
    matrix = np.kron(np.eye(4), np.ones((2, 2))) * 0.9
    matrix[0, 2] = matrix[2, 0] = 0.95
    matrix[2, 3] = matrix[3, 2] = 0.99  # ska_1 finds dub_1 first; dub_1 its other half.
    np.fill_diagonal(matrix, 1)
    found = deduplicate(Similarity(TAGS, matrix)).metrics["hr@1"]
    assert found["mean"] == 7 / 8
    three, four = (scipy.stats.binomtest(k, 4).proportion_ci(method="wilson") for k in (3, 4))
    assert found["wilson95"] == pytest.approx([three.low, four.high])


def test_without_halves_nothing_is_scored():
    result = deduplicate(Similarity(("ska", "dub"), np.eye(2)))
    assert result.metrics["hr@1"] == {
        "mean": None,
        "ci95": None,
        "n": 0,
        "pairs": 0,
        "wilson95": None,
    }
    assert any("No tag was split in two" in note for note in result.notes)
    assert result.tables["suspected"].rows == (("dub", "ska", 0.0),)
