"""Taxonomy learning."""

import hypothesis
import numpy as np
import pytest
import sklearn.metrics
from hypothesis import strategies as st

from tagjax.similarity.matrix import Similarity
from tagjax.tasks import learn_taxonomy
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = ("ska", "dub", "punk", "emo", "genre:reggae", "genre:rock", "genre:electronic")
TRUTH = Truth(
    Taxonomy(
        {
            "Ska": frozenset({"Reggae", "Rock"}),
            "Dub": frozenset({"Reggae", "Electronic"}),
            "Punk": frozenset({"Rock"}),
            "Emo": frozenset({"Rock"}),
        }
    )
)


def symmetric(n, seed=0):
    values = np.random.default_rng(seed).permutation(n * n).reshape(n, n) / (n * n)
    matrix = np.triu(values, 1) + np.triu(values, 1).T
    np.fill_diagonal(matrix, 1)
    return matrix


def means(result):
    return {key: value["mean"] for key, value in result.metrics.items()}


def test_a_perfect_similarity_is_one():
    matrix = np.zeros((7, 7))
    for style, genres in {0: (4, 5), 1: (4, 6), 2: (5,), 3: (5,)}.items():
        for genre in genres:
            matrix[style, genre] = matrix[genre, style] = 0.9
    result = learn_taxonomy(Similarity(TAGS, matrix), TRUTH)
    assert means(result) == {"hr@1": 1, "hr@2": 1, "map": 1, "mrr": 1}
    assert result.errors.rows == ()
    assert result.unanswerable == ()


def test_metrics_are_scikit_learns_over_styles_by_genres():
    matrix = symmetric(7)
    result = learn_taxonomy(Similarity(TAGS, matrix), TRUTH)
    truth = np.array([[1, 1, 0], [1, 0, 1], [0, 1, 0], [0, 1, 0]])
    expected = sklearn.metrics.label_ranking_average_precision_score(truth, matrix[:4, 4:])
    assert means(result)["map"] == pytest.approx(expected)
    first = [truth[i][np.argmax(matrix[i, 4:])] for i in range(4)]
    assert means(result)["hr@1"] == np.mean(first)
    assert len(result.errors.rows) == 4 - sum(first)


@hypothesis.given(st.integers(0, 99), st.permutations(range(7)))
@hypothesis.settings(max_examples=25)
def test_neither_rescaling_nor_the_order_of_tags_matters(seed, order):
    matrix = symmetric(7, seed)
    expected = learn_taxonomy(Similarity(TAGS, matrix), TRUTH)
    shuffled = Similarity(tuple(TAGS[i] for i in order), matrix[np.ix_(order, order)])
    assert means(learn_taxonomy(shuffled, TRUTH)) == pytest.approx(means(expected))
    rescaled = learn_taxonomy(Similarity(TAGS, np.exp(5 * matrix)), TRUTH)
    assert rescaled.metrics == expected.metrics
    rows = sorted(row[:3] for row in expected.ranked.rows)
    assert sorted(r[:3] for r in learn_taxonomy(shuffled, TRUTH).ranked.rows) == rows


def test_ties_are_broken_against_us_and_then_by_name():
    result = learn_taxonomy(Similarity(TAGS, np.ones((7, 7))), TRUTH)
    assert means(result)["hr@1"] == 0
    punk = [row for row in result.ranked.rows if row[0] == "punk"]
    assert [row[2] for row in punk] == ["genre:electronic", "genre:reggae", "genre:rock"]
    assert [row[1] for row in punk] == [1, 2, 3]


def test_errors_say_what_was_found_and_whether_the_truth_is_second():
    matrix = symmetric(7)
    matrix[2, 4:] = matrix[4:, 2] = (0.9, 0.8, 0.1)  # punk: reggae before rock
    matrix[3, 4:] = matrix[4:, 3] = (0.9, 0.1, 0.8)  # emo: rock last
    rows = {row[0]: row for row in learn_taxonomy(Similarity(TAGS, matrix), TRUTH).errors.rows}
    assert rows["punk"] == ("punk", "genre:reggae", 0.9, "genre:rock", 2, 0.8, True)
    assert rows["emo"] == ("emo", "genre:reggae", 0.9, "genre:rock", 3, 0.1, False)


def test_a_style_without_data_is_a_miss_and_without_truth_is_told():
    tags = (*TAGS, "klezmer", "genre:pop")
    matrix = symmetric(9)
    matrix[2] = matrix[:, 2] = np.nan
    result = learn_taxonomy(Similarity(tags, matrix), TRUTH)
    assert result.metrics["hr@1"]["n"] == 4
    missed = next(row for row in result.errors.rows if row[0] == "punk")
    assert missed == ("punk", None, None, "genre:rock", None, None, False)
    assert result.unanswerable == ("klezmer",)
    assert result.tables["without_parent"].rows == (("klezmer",),)
    assert result.tables["without_style"].rows == (("genre:pop",),)
    assert any("klezmer" in note for note in result.notes)
    assert any("genre:pop" in note for note in result.notes)
    assert any(row[0] == "klezmer" for row in result.ranked.rows)


def test_candidates_are_the_genres_of_the_styles_own_system():
    tags = ("a:ska", "a:genre:rock", "b:ska", "b:genre:rock", "b:genre:reggae")
    truth = Truth(Taxonomy.of([("a:ska", "a:genre:rock"), ("b:ska", "b:genre:reggae")]))
    matrix = np.full((5, 5), 0.1)
    matrix[0, 4] = matrix[4, 0] = 0.9  # of the other system: no candidate
    matrix[2, 3] = matrix[3, 2] = 0.5
    result = learn_taxonomy(Similarity(Vocabulary.of(tags, ("a:", "b:")), matrix), truth)
    assert result.metrics["hr@1"] == {
        "mean": 0.5,
        "ci95": pytest.approx(0.693, abs=1e-3),
        "n": 2,
        "wilson95": pytest.approx([0.0945, 0.9055], abs=1e-4),
    }
    assert result.systems["a:"]["hr@1"]["mean"] == 1
    assert result.systems["b:"]["hr@1"]["mean"] == 0
    assert result.systems["b:"]["hr@2"]["mean"] == 1


@hypothesis.given(st.integers(0, 99), st.sets(st.integers(0, 6), max_size=4))
@hypothesis.settings(max_examples=30, deadline=None)
def test_with_nan_rows_every_style_is_as_scikit_learn_has_it(seed, empty):
    matrix = symmetric(7, seed)
    for i in empty:
        matrix[i] = matrix[:, i] = np.nan
    result = learn_taxonomy(Similarity(TAGS, matrix), TRUTH)
    expected = []
    for i, row in enumerate(np.array([[1, 1, 0], [1, 0, 1], [0, 1, 0], [0, 1, 0]])):
        known = ~np.isnan(matrix[i, 4:])
        share = row[known].sum() / row.sum()  # of its genres, those that can be found
        found = (
            sklearn.metrics.label_ranking_average_precision_score(
                row[None, known], matrix[i : i + 1, 4:][:, known]
            )
            if share
            else 0.0
        )
        expected.append(share * found)
    assert means(result)["map"] == pytest.approx(np.mean(expected))
    assert result.metrics["map"]["n"] == 4


def test_a_system_with_one_genre_or_one_style():
    tags = ("ska", "genre:reggae")
    result = learn_taxonomy(Similarity(tags, np.eye(2)), TRUTH)
    assert means(result) == {"hr@1": 1, "hr@2": 1, "map": 1, "mrr": 1}
    assert result.unanswerable == ()


def test_without_genres_there_is_no_query():
    result = learn_taxonomy(Similarity(("ska", "dub"), np.eye(2)), TRUTH)
    assert result.metrics["map"] == {"mean": None, "ci95": None, "n": 0}
    assert result.unanswerable == ("ska", "dub")


def test_the_table_says_what_is_a_genre():
    tags = ("Jazz: Bop", "Jazz: Cool", "Swing", "Jazz", "Classical", "Classical: Opera")
    truth = Truth(Taxonomy.of([(tag, "Jazz") for tag in tags[:3]] + [(tags[5], "Classical")]))
    near = np.eye(6)
    near[[0, 1, 2, 5], [3, 3, 4, 4]] = near[[3, 3, 4, 4], [0, 1, 2, 5]] = 0.9
    result = learn_taxonomy(Similarity(Vocabulary.of(tags), near), truth)
    assert result.metrics["hr@1"]["mean"] == 0.75
    assert result.metrics["hr@1"]["n"] == 4
    (error,) = result.errors.rows
    assert error[:4] == ("Swing", "Classical", 0.9, "Jazz")


def test_halves_find_the_genres_of_their_half():
    tags = [f"{tag}_{half}" for tag in ("ska", "genre:reggae", "genre:rock") for half in (1, 2)]
    near = np.eye(6)
    near[0, 3] = near[3, 0] = 0.9  # of the other half: no candidate
    near[0, 2] = near[2, 0] = near[1, 5] = near[5, 1] = 0.5
    result = learn_taxonomy(
        Similarity(Vocabulary.of(tags, halves=True), near), Truth(Taxonomy.of([("Ska", "Reggae")]))
    )
    assert result.metrics["hr@1"]["n"] == 2
    assert [row[:2] for row in result.errors.rows] == [("ska_2", "genre:rock_2")]
    ranked = result.to_frame()
    assert list(ranked[ranked["query"] == "ska_1"].candidate) == ["genre:reggae_1", "genre:rock_1"]


def test_without_a_table_it_is_discogs():
    tags = ("dub", "genre:reggae", "genre:rock")
    assert learn_taxonomy(Similarity(tags, symmetric(3))).metrics["hr@1"]["n"] == 1
