"""Tag translation."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tagjax.base.errors import InputError
from tagjax.similarity.matrix import Similarity
from tagjax.tasks import TaskConfig, translate, translation
from tagjax.vocabulary.translation import RELATIONS, Relation
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

SYSTEMS = ("", "mumu:")
TAGS = ("bop", "r and b", "genre:rock", "dub", "mumu:bebop", "mumu:r&b", "mumu:rock", "mumu:dub")


def matrix_of(cross):
    """A similarity whose first half are the targets: cross is [sources, targets]."""
    n = len(cross)
    matrix = np.eye(2 * n)
    matrix[n:, :n], matrix[:n, n:] = cross, np.transpose(cross)
    return Similarity(Vocabulary.of(TAGS, SYSTEMS), matrix)


def of(*relations):
    return Truth(translation=relations)


CROSS = np.array(
    [
        [0.90, 0.10, 0.20, 0.30],  # bebop: bop, another name
        [0.11, 0.80, 0.21, 0.31],  # r&b
        [0.12, 0.13, 0.70, 0.32],  # rock
        [0.14, 0.85, 0.22, 0.05],  # dub: r and b
    ]
)


def test_string_matching_stands_in_for_a_missing_truth():
    result = translate(matrix_of(CROSS))
    assert result.extra["truth"] == "string_match"
    assert result.metrics["hr@1"]["n"] == 3
    assert result.metrics["hr@1"]["mean"] == pytest.approx(2 / 3)
    assert result.unanswerable == ("mumu:bebop",)
    assert result.errors.rows == (("mumu:dub", "r and b", 0.85, "dub", 4, 0.05, False),)
    # Every source has its list, also where nothing is known of it.
    assert ("mumu:bebop", 1, "bop", 0.9, False) in result.ranked.rows
    assert len(result.ranked.rows) == 16


def test_a_table_of_truth_counts_all_but_related():
    truth = of(
        Relation("mumu:bebop", "bop", "narrow"),
        Relation("mumu:dub", "r and b", "related"),
        Relation("mumu:dub", "dub", "exact"),
        Relation("mumu:rock", "genre:rock", "related"),
        Relation("mumu:gone", "dub", "exact"),
    )
    result = translate(matrix_of(CROSS), truth)
    assert result.extra["truth"] == "table"
    assert result.metrics["hr@1"] == {
        "mean": 0.5,
        "ci95": pytest.approx(0.693, abs=1e-3),
        "n": 2,
        "wilson95": pytest.approx([0.0945, 0.9055], abs=1e-4),
    }
    assert result.unanswerable == ("mumu:r&b", "mumu:rock")
    assert any("mumu:gone" in note for note in result.notes)
    every = translate(matrix_of(CROSS), truth, TaskConfig(relations=RELATIONS)).metrics
    assert every["hr@1"] == {
        "mean": 1,
        "ci95": 0,
        "n": 3,
        "wilson95": pytest.approx([3 / (3 + 1.959964**2), 1]),  # n / (n + z^2)
    }


def test_table_4_takes_each_targets_nearest_source_and_drops_agreeing_names():
    result = translate(matrix_of(CROSS))
    # dub's nearest is rock; rock's own nearest agrees in name and is dropped, as is no other.
    assert result.tables["nearest"].rows == (
        ("mumu:bebop", "bop", 0.90),
        ("mumu:dub", "r and b", 0.85),
        ("mumu:rock", "dub", 0.32),
    )
    assert result.tables["same_name"].rows == (
        ("mumu:dub", "dub", 0.05),
        ("mumu:rock", "genre:rock", 0.70),
        ("mumu:r&b", "r and b", 0.80),
    )
    one = translate(matrix_of(CROSS), config=TaskConfig(top=1))
    assert len(one.tables["nearest"].rows) == 1


def test_equally_near_sources_are_taken_by_name():
    cross = CROSS.copy()
    cross[3, 0] = 0.90  # dub is as near to bop as bebop is
    rows = translate(matrix_of(cross)).tables["nearest"].rows
    assert rows[0] == ("mumu:bebop", "bop", 0.90)


def test_a_perfect_translation_is_one():
    truth = of(*(Relation(f"mumu:{x}", y) for x, y in (("bebop", "bop"), ("dub", "dub"))))
    result = translate(matrix_of(np.eye(4)), truth)
    assert {value["mean"] for value in result.metrics.values()} == {1}


def test_direction_follows_the_truth_or_the_config():
    reverse = translate(matrix_of(CROSS), of(Relation("bop", "mumu:bebop")))
    assert reverse.ranked.rows[0] == ("bop", 1, "mumu:bebop", 0.9, True)
    chosen = translate(matrix_of(CROSS), config=TaskConfig(source=""))
    assert chosen.ranked.rows[0][0] == "bop"
    with pytest.raises(InputError, match="'x:'"):
        translate(matrix_of(CROSS), config=TaskConfig(source="x:"))
    with pytest.raises(InputError, match="two systems"):
        translate(Similarity(Vocabulary.of(TAGS), matrix_of(CROSS).matrix))


def test_a_tag_without_data_is_missed_and_not_listed():
    cross = CROSS.copy()
    cross[1] = np.nan
    result = translate(matrix_of(cross))
    assert ("mumu:r&b", None, None, "r and b", None, None, False) in result.errors.rows
    assert all(row[0] != "mumu:r&b" for row in result.tables["same_name"].rows)


@hypothesis.given(st.integers(0, 500), st.booleans(), st.permutations(range(8)))
@hypothesis.settings(max_examples=40, deadline=None)
def test_neither_rescaling_nor_the_order_of_tags_matters(seed, tied, order):
    rng = np.random.default_rng(seed)
    cross = rng.integers(3, size=(4, 4)) / 3 if tied else rng.random((4, 4))
    whole = matrix_of(cross)
    other = matrix_of(rng.random((4, 4)))
    truth = of(
        Relation("mumu:bebop", "bop"),
        Relation("mumu:bebop", "dub", "close"),
        Relation("mumu:rock", "genre:rock"),
        Relation("mumu:dub", "r and b"),
    )

    def evaluate(one, rescale=lambda x: x):
        one = Similarity(one.vocabulary, rescale(one.matrix))
        return translate(one, truth, cooccurrence=other)

    expected = evaluate(whole)
    shuffled = evaluate(whole.reordered([TAGS[i] for i in order]))
    assert {k: v["mean"] for k, v in shuffled.metrics.items()} == pytest.approx(
        {k: v["mean"] for k, v in expected.metrics.items()}
    )
    assert set(shuffled.ranked.rows) == set(expected.ranked.rows)
    assert set(shuffled.errors.rows) == set(expected.errors.rows)
    assert shuffled.tables == expected.tables
    rescaled = evaluate(whole, lambda matrix: np.exp(4 * matrix) - 2)
    assert rescaled.metrics == expected.metrics
    assert rescaled.extra["agreement"] == pytest.approx(expected.extra["agreement"])
    for name in ("nearest", "same_name"):
        pairs = [row[:2] for row in expected.tables[name].rows]
        assert [row[:2] for row in rescaled.tables[name].rows] == pairs


def test_a_system_of_one_tag():
    tags = ("bop", "dub", "mumu:bebop")
    matrix = np.array([[1, 0.1, 0.2], [0.1, 1, 0.9], [0.2, 0.9, 1]])
    truth = of(Relation("mumu:bebop", "bop"))
    whole = Similarity(Vocabulary.of(tags, SYSTEMS), matrix)
    forth = translate(whole, truth)
    assert forth.metrics["mrr"] == {"mean": 0.5, "ci95": 0, "n": 1}
    back = translate(whole, of(Relation("bop", "mumu:bebop")))
    assert back.metrics["map"] == {"mean": 1, "ci95": 0, "n": 1}  # the only candidate
    assert back.unanswerable == ("dub",)
    none = translate(whole.reordered(tags[:2]), truth)
    assert none.metrics["map"] == {"mean": None, "ci95": None, "n": 0}


def test_a_single_tag_with_a_prefix_is_told_how_to_be_a_system():
    tags = ("a", "b", "mumu:a")
    with pytest.raises(InputError, match="mumu: is of a single tag; name them: --systems=,mumu:"):
        translate(Similarity(tags, np.eye(3)))
    regrouped = Vocabulary.guess(tags).regrouped(["", "mumu:"])
    assert translate(Similarity(regrouped, np.eye(3))).metrics["mrr"]["n"] == 1
    with pytest.raises(InputError, match="finds only 'no prefix'; give the tags of one a prefix"):
        translate(Similarity(("a", "genre:b"), np.eye(2)))
    with pytest.raises(InputError, match="finds only 'no prefix'; name them: --systems=,mumu:"):
        translate(Similarity(Vocabulary.of(TAGS), np.eye(8)))


def test_every_tag_left_out_is_in_a_table():
    tags = (*(f"mumu:{letter}" for letter in "abcdefghijklm"), "a")
    got = translate(Similarity(Vocabulary.of(tags, SYSTEMS), np.eye(len(tags))))
    assert got.tables["without_translation"].rows == tuple((tag,) for tag in tags[1:13])
    assert any("(12)" in note and "*_without_translation.csv" in note for note in got.notes)


def test_relations_out_of_the_way_do_not_count():
    truth = of(
        Relation("elsewhere", "unknown"),
        Relation("mumu:bebop", "bop"),
        Relation("mumu:bebop", "mumu:dub"),  # no candidate
        Relation("bop", "mumu:bebop"),  # the other way round
    )
    result = translate(matrix_of(CROSS), truth)
    assert result.metrics["map"] == {"mean": 1, "ci95": 0, "n": 1}


@hypothesis.given(st.integers(0, 1000))
@hypothesis.settings(max_examples=30, deadline=None)
def test_rank_correlation_is_that_of_ranks_counted_by_hand(seed):
    rng = np.random.default_rng(seed)
    one, other = rng.integers(0, 6, (2, 5, 7)).astype(float)
    other[rng.random((5, 7)) < 0.2] = np.nan
    both = ~np.isnan(other)
    ranks = [
        [np.sum(values < value) + (np.sum(values == value) + 1) / 2 for value in values]
        for values in (one[both], other[both])
    ]
    got = translation.spearman(one, other)
    assert got["pairs"] == both.sum()
    assert got["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1])


def test_rank_correlation_of_nothing_or_a_constant_is_none():
    assert translation.spearman(np.ones((2, 2)), np.eye(2))["spearman"] is None
    empty = translation.spearman(np.full((2, 2), np.nan), np.eye(2))
    assert empty == {"spearman": None, "pairs": 0}


def test_rank_correlation_of_very_many_pairs_is_sampled():
    rng = np.random.default_rng(0)
    one = rng.random((300, 300))
    other = one + rng.random((300, 300))
    whole = translation.spearman(one, other)
    part = translation.spearman(one, other, limit=20_000)
    assert (whole["pairs"], part["pairs"]) == (90_000, 20_000)
    assert part["spearman"] == pytest.approx(whole["spearman"], abs=0.02)


def test_pairs_only_one_similarity_finds():
    audio = np.array([[0.9, 0.5, 0.1], [0.1, 0.2, 0.3], [0.4, 0.3, 0.2]])
    cooccurrence = np.array([[0.0, 0.1, 0.2], [0.1, 0.2, 0.3], [np.nan] * 3])
    names = (["x", "y", "z"], ["a", "b", "c"])
    assert translation.one_sided(audio, cooccurrence, names, depth=1).rows == (
        ("x", "a", "audio", 0.9, 1, 0.0, 3),
        ("x", "c", "cooccurrence", 0.1, 3, 0.2, 1),
    )
    assert translation.one_sided(audio, cooccurrence, names, depth=3).rows == ()


def test_audio_and_cooccurrence_are_compared_whatever_their_order():
    other = matrix_of(CROSS).reordered(TAGS[::-1])
    result = translate(matrix_of(CROSS), cooccurrence=other)
    assert result.extra["agreement"] == {"spearman": pytest.approx(1), "pairs": 16}
    assert result.tables["one_sided"].rows == ()
