"""The task that asks how well duplicates would be found, of a catalogue without truth."""

import numpy as np
import pytest

from tagjax import tasks
from tagjax.base.errors import InputError
from tagjax.report import listings
from tagjax.similarity import halves
from tagjax.similarity.observations import observe
from tagjax.tasks.halves import recover_halves, summarise, with_score
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = ("a:x", "a:y", "a:z", "b:x", "b:y")


@pytest.fixture(scope="module")
def observed():
    """Tags that can be told apart, but a:y and a:z, which sound the same."""
    rng = np.random.default_rng(0)
    sound = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]] * 2)[:5]
    tag = np.tile(np.arange(5), 40)
    heard = sound[tag] + 0.02 * rng.random((200, 3))
    heard /= heard.sum(axis=1, keepdims=True)
    artists = [f"r{tag[row]}{row % 35}" for row in range(200)]
    return observe(
        heard, np.eye(5)[tag], Vocabulary.of(TAGS, ("a:", "b:")), [f"t{k}" for k in range(200)],
        artists, ["", "", ""],
    )  # fmt: skip


def test_a_tag_counts_once_whatever_its_queries():
    ranks = halves.Ranks(
        np.array([0, 0, 0, 0, 1, 1]), np.array([1.0, 1, 1, 3, 2, np.inf]), np.zeros(6, np.int64)
    )
    found = summarise(ranks)
    assert found["hr@1"]["mean"] == pytest.approx((0.75 + 0) / 2)
    assert found["hr@2"]["mean"] == pytest.approx((0.75 + 0.5) / 2)
    assert found["mrr"]["mean"] == pytest.approx(((3 + 1 / 3) / 4 + (1 / 2) / 2) / 2)
    assert {summary["n"] for summary in found.values()} == {2}
    assert summarise(ranks, np.array([1]))["hr@1"] | {"wilson95": None} == {
        "mean": 0, "ci95": 0, "n": 1, "wilson95": None
    }  # fmt: skip


def test_what_sounds_alike_is_confused_and_the_rest_is_found(observed):
    recovery, similarities = with_score(observed, halves.recover(observed))
    assert set(similarities) == {"fm", "fr", "score"}
    for name in similarities:
        result = recover_halves(observed, recovery, name)
        assert result.systems["b:"]["hr@1"]["mean"] == 1
        assert result.ranked.header == ("query", "rank", "candidate", "share", "relevant")
        assert {"share", "truth_share"} < {*result.errors.header}
        ranked = {(row[0], row[2]): row[3] for row in result.ranked.rows}
        assert ranked[("a:x", "a:x")] == 1
        confused = ranked.get(("a:y", "a:z"), 0) + ranked.get(("a:z", "a:y"), 0)
        assert 0.3 < confused < 1.7
        assert {row[0] for row in result.errors.rows} <= {"a:y", "a:z"}


def test_the_score_is_a_probability_of_whole_tags(observed):
    _, similarities = with_score(observed, halves.recover(observed))
    score = similarities["score"]
    assert score.vocabulary.tags == TAGS
    assert ((score.matrix >= 0) & (score.matrix <= 1)).all()
    assert score.matrix[1, 2] > 0.5 > score.matrix[0, 1]
    np.testing.assert_allclose(score.matrix, score.matrix.T)


def test_an_evaluation_of_halves(observed):
    recovery, similarities = with_score(observed, halves.recover(observed))
    background = tasks.Background(observed=observed, recovery=recovery)
    found = tasks.evaluate("halves", similarities, background=background)
    assert found.best == "fr"
    record = found.record()
    assert record["ridge"] == recovery.ridge
    assert record["halves"]["score"] == record["embeddings"]["score"]
    tables = [*listings.errors("halves", found.results, "fm", 9)]
    tables.append(listings.ranked("halves", found.results["fm"], "fm", 9, 9))
    labels = [column.label for table in tables for column in table.columns]
    assert labels.count("share") == 2
    assert "nearest, with share" in labels
    assert not any("similarity" in label for label in labels)


def test_similarities_alone_cannot_be_split(observed):
    _, similarities = with_score(observed, halves.recover(observed))
    with pytest.raises(InputError, match=r"halves: needs a run .* --run_dir"):
        tasks.evaluate("halves", similarities)


def test_tags_of_few_artists_are_named():
    tags = Vocabulary.of(["often", "seldom"])
    rows = [[1, 0]] * 9 + [[0, 1]]
    observed = observe(np.eye(10), rows, tags, list("abcdefghij"), list("klmnopqrst"))
    result = recover_halves(observed, halves.recover(observed), "fr")
    assert result.unanswerable == ("seldom",)
    assert "too few artists for two halves, left out (1): seldom." in result.notes[0]


def test_without_artists_it_is_said():
    tags = Vocabulary.of(["p", "q"])
    observed = observe(np.eye(12), [[1, 0], [0, 1]] * 6, tags, list("abcdefghijkl"))
    notes = recover_halves(observed, halves.recover(observed), "fm").notes
    assert "Artists are unknown, so each track counts as one" in notes[0]
