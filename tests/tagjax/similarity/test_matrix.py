"""A similarity as a value."""

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics.pairwise

from tagjax.base.errors import InputError
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = ("b", "a", "c", "genre:d")
MATRIX = np.array([[1, 0.2, 0.7, 0.2], [0.2, 1, 0, 0.4], [0.7, 0, 1, 0.5], [0.2, 0.4, 0.5, 1]])


def test_a_vocabulary_is_kept_and_of_tags_it_is_guessed():
    vocabulary = Vocabulary.of(("Jazz: Bop", "Jazz: Cool"))
    assert Similarity(vocabulary, np.eye(2)).vocabulary is vocabulary
    assert Similarity(vocabulary.tags, np.eye(2)).vocabulary.systems == ("Jazz:",)
    assert Similarity(["x_1", "x_2"], [[1, 0], [0, 1]]).vocabulary.half == (1, 2)


def test_reordered_takes_the_vocabulary_along():
    vocabulary = Vocabulary.of(("Jazz: Bop", "x: y", "z_1"), halves=True)
    similarity = Similarity(vocabulary, MATRIX[:3, :3]).reordered(["z_1", "Jazz: Bop"])
    assert similarity.vocabulary == vocabulary.select(["z_1", "Jazz: Bop"])
    np.testing.assert_array_equal(similarity.matrix, [[1, 0.7], [0.7, 1]])
    with pytest.raises(KeyError, match="nowhere"):
        similarity.reordered(["nowhere"])


def test_the_nearest_come_first_and_ties_by_name():
    similarity = Similarity(TAGS, MATRIX)
    assert similarity.nearest("b") == [("c", 0.7), ("a", 0.2), ("genre:d", 0.2)]
    assert similarity.nearest("b", 1) == [("c", 0.7)]
    assert similarity.nearest("b", 0) == []
    matrix = MATRIX.copy()
    matrix[2] = matrix[:, 2] = np.nan
    assert Similarity(TAGS, matrix).nearest("b", 1) == [("a", 0.2)]
    assert Similarity(TAGS, matrix).nearest("c") == []


def test_a_misspelt_tag_is_told_what_there_is():
    with pytest.raises(InputError, match="no tag 'genre:dd' among the 4; there is 'genre:d'"):
        Similarity(TAGS, MATRIX).nearest("genre:dd")
    with pytest.raises(InputError, match=r"no tag 'zzz' among the 4$"):
        Similarity(TAGS, MATRIX).nearest("zzz")


def test_a_frame_has_tags_on_both_sides():
    frame = Similarity(TAGS, MATRIX).to_frame()
    pd.testing.assert_frame_equal(frame, pd.DataFrame(MATRIX, list(TAGS), list(TAGS)))
    assert frame.loc["genre:d", "a"] == 0.4


def test_predictions_have_a_similarity():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), 20).astype(np.float32)
    m = (rng.random((20, 4)) < 0.5).astype(np.uint8)
    got = Similarity.from_predictions(p, ["a", "b", "c"])
    expected = sklearn.metrics.pairwise.cosine_similarity(p.T.astype(np.float64))
    np.testing.assert_allclose(got.matrix, expected, atol=1e-12)
    # Tags of the occurrences may be others than the classes.
    got = Similarity.from_predictions(p, TAGS, m, embedding="fm")
    means = np.stack([p[m[:, k] == 1].mean(axis=0, dtype=np.float64) for k in range(4)])
    expected = sklearn.metrics.pairwise.cosine_similarity(means)
    np.testing.assert_allclose(got.matrix, expected, atol=1e-12)
    assert got.tags == TAGS
    for wrong in ("fw", "fm"):
        with pytest.raises(InputError, match=f"{wrong} needs"):
            Similarity.from_predictions(p, ["a", "b", "c"], embedding=wrong)
    with pytest.raises(ValueError, match="4 tags but a matrix"):
        Similarity.from_predictions(p, TAGS)


def test_a_matrix_of_other_tags_is_refused():
    with pytest.raises(ValueError, match="4 tags but a matrix"):
        Similarity(TAGS, np.eye(3))
    with pytest.raises(ValueError, match="'a' occurs twice"):
        Similarity(("a", "a"), np.eye(2))
