"""What common tracks say, against counting and Bayes' rule by hand."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse
import scipy.stats
from evident import QUICK

from tagjax.evidence import bothways, choice, together
from tagjax.evidence.inputs import common
from tagjax.evidence.questions import NONE
from tagjax.evidence.weigh import weigh
from tagjax.similarity import embeddings
from tagjax.vocabulary.vocabulary import Vocabulary


def matrix(seed=0, tracks=400, tags=15, share=0.1):
    rng = np.random.default_rng(seed)
    return scipy.sparse.csr_array((rng.random((tracks, tags)) < share).astype(float))


def noisy(tags, seed, order, lost=0.3, added=0.005):
    """The same tags as another catalogue gives them: in another order, some lost, some wrong."""
    rng = np.random.default_rng(seed)
    cells = tags.toarray()[:, order]
    kept = (cells > 0) & (rng.random(cells.shape) >= lost)
    return scipy.sparse.csr_array((kept | (rng.random(cells.shape) < added)).astype(float))


def evidence_of(first, second, queries=None):
    queries = np.arange(first.shape[1]) if queries is None else queries
    blocks = [*together.Pair(first, second).evidence(queries)]
    np.testing.assert_array_equal(np.concatenate([some for some, _ in blocks]), queries)
    return np.concatenate([evidence for _, evidence in blocks])


def test_the_cosine_is_that_of_fdist():
    first, second = matrix(), matrix(1, tags=4)
    both = scipy.sparse.hstack([first, second]).toarray()
    expected = embeddings.cosine(embeddings.fdist(both))[:15, 15:]
    np.testing.assert_allclose(evidence_of(first, second)[..., 0], expected)
    none = scipy.sparse.csr_array((400, 2))
    assert not evidence_of(first, none)[..., 0].any()
    assert np.isfinite(evidence_of(none, second)).all()


def test_evidence_is_that_of_the_whole_matrices(monkeypatch):
    """Blocks of queries and ranks of shared cells alone, against dense NumPy; many ties."""
    monkeypatch.setattr(together, "_QUERIES", 4)
    first, second = matrix(tracks=60, share=0.05), matrix(1, tracks=60, tags=9, share=0.05)
    counts = first.sum(axis=0)[:, None], second.sum(axis=0)
    number = (first.T @ second).toarray()
    cosine = number / np.sqrt(np.maximum(counts[0] * counts[1], 1))
    assert len(np.unique(cosine)) < (cosine > 0).sum(), "ties"
    rows, columns = (5 + scipy.stats.rankdata(-cosine, "max", axis=axis) for axis in (1, 0))
    least = np.log(np.maximum(np.minimum(*counts), 1))
    ratio = -np.abs(np.log((counts[0] + 1) / (counts[1] + 1)))
    parts = [cosine, -np.log(rows), -np.log(columns), 1 / rows + 1 / columns, np.log1p(number)]
    expected = np.stack([*parts, least, ratio], axis=2)
    np.testing.assert_allclose(evidence_of(first, second), expected, rtol=1e-14)
    some = np.array([1, 4, 5, 8, 13, 14])
    np.testing.assert_allclose(evidence_of(first, second, some), expected[some], rtol=1e-14)


def test_totals_are_those_of_the_whole_evidence():
    first, second = matrix(tracks=60, share=0.05), matrix(1, tracks=60, tags=9, share=0.05)
    rng = np.random.default_rng(0)
    model = choice.ChoiceModel(rng.normal(size=7), 1.0, np.zeros(7), np.ones(7), 0.1)
    some = np.array([0, 2, 3, 8, 14])
    expected = bothways.totals(model, evidence_of(first, second)[some])
    found = together.Pair(first, second).totals(model, some)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_evidence_has_ranks_by_counting():
    pair = together.Pair(matrix(), matrix(1, tags=4))
    evidence = evidence_of(pair.first, pair.second)
    cosine = evidence[..., 0]
    assert evidence.shape == (15, 4, 7)
    for q in range(15):
        for c in range(4):
            row = 5 + (cosine[q] >= cosine[q, c]).sum()
            column = 5 + (cosine[:, c] >= cosine[q, c]).sum()
            expected = [-np.log(row), -np.log(column), 1 / row + 1 / column]
            np.testing.assert_allclose(evidence[q, c, 1:4], expected)
            shared = (pair.first.toarray()[:, q] * pair.second.toarray()[:, c]).sum()
            assert evidence[q, c, 4] == pytest.approx(np.log1p(shared))


def test_thinned_copies_keep_about_half_of_the_annotations_each_on_its_own():
    tags, rng = matrix(tracks=4000), np.random.default_rng(0)
    copies = [together._thinned(tags, rng).toarray() for _ in range(2)]
    for copy in copies:
        assert not (copy > tags.toarray()).any()
        assert copy.sum() == pytest.approx(tags.nnz / 2, rel=0.05)
    assert (copies[0] * copies[1]).sum() == pytest.approx(tags.nnz / 4, rel=0.1)


def test_a_candidate_that_is_taken_away_ranks_nowhere():
    config = dataclasses.replace(QUICK, without_partner=0.5)
    (question,) = together._questions(matrix(), config, [0, 0], 200)
    ((evidence, partner, tag),) = question.blocks()
    assert 3 <= (partner == NONE).sum() <= 12
    np.testing.assert_array_equal(tag, range(15))
    assert evidence.shape == (15, 15 - (partner == NONE).sum(), 7)
    # Every query has a first candidate, whether its partner is there or not.
    np.testing.assert_allclose(evidence[..., 1].max(axis=1), -np.log(6))


def test_too_few_tracks_teach_nothing():
    assert together.learn([matrix(tracks=3)]) is None
    assert together.learn([]) is None


def test_two_sources_are_fused_by_bayes_rule():
    heard, said = np.array([[0.6, 0.2, 0.2]]), np.array([[0.5, 0.1, 0.4]])
    # Before: (0.4, 0.4, 0.2). Products over it: 0.75, 0.05, 0.4.
    np.testing.assert_allclose(
        together.fuse(heard, said, 0.2), [[0.75 / 1.2, 0.05 / 1.2, 0.4 / 1.2]]
    )
    before = np.array([[0.4, 0.4, 0.2]])
    np.testing.assert_allclose(together.fuse(before, said, 0.2), said)


def test_a_candidate_that_was_not_heard_has_the_chance_it_had():
    found = together.with_unheard(np.array([[0.5, 0.0, 0.5]]), np.array([False, True]), 0.2)
    np.testing.assert_allclose(found, [[0.3, 0.4, 0.3]])
    np.testing.assert_array_equal(
        together.with_unheard(found, np.array([False, False]), 0.2), found
    )


def weighed(order, seed=0, **given):
    first = matrix(seed, tracks=1500, tags=24, share=0.06)
    second = noisy(first, seed + 1, order)
    tags = [*(f"a:{k}" for k in range(24)), *(f"b:{k}" for k in order)]
    vocabulary = Vocabulary.of(tags, ["a:", "b:"])
    both = scipy.sparse.csr_array(scipy.sparse.hstack([first, second], format="csr"))
    return weigh(None, common(vocabulary, both), QUICK, **given)


def test_known_pairs_are_found_on_shared_tracks():
    found = weighed(np.random.default_rng(5).permutation(24))
    assert (found.heard, found.observed, found.senses) == (None, None, ())
    for pair in (("a:", "b:"), ("b:", "a:")):
        answers = found.answers[pair]
        np.testing.assert_allclose(answers.probability["same"].sum(axis=1) + answers.none, 1)
        assert answers.share < 0.1
    first = [row for row in found.rows() if row[2] == 1]
    assert len(first) == 48
    assert all(row[0][2:] == row[1][2:] for row in first)
    assert {row[3] for row in first} == {"same"}
    assert np.mean([row[4] for row in first]) > 0.8
    assert {row[6:9] for row in first} == {(None, None, None)}


@pytest.mark.parametrize("removed", [0, 8, 16])
def test_the_share_without_counterpart_is_estimated(removed):
    """A tag whose counterpart is gone is told from one whose counterpart is there."""
    shares = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(24)[removed:]
        answers = weighed(order, seed).answers["a:", "b:"]
        shares.append(answers.share)
        there = np.isin(answers.queries, order)
        if removed:
            assert answers.none[~there].min() > answers.none[there].max()
    assert np.mean(shares) == pytest.approx(removed / 24, abs=0.1)


def test_a_given_share_moves_the_probabilities_but_not_the_list():
    order = np.arange(24)[8:]
    answers = [weighed(order, share=share).answers["a:", "b:"] for share in (0.01, None, 0.9)]
    none = [found.none.mean() for found in answers]
    assert none == sorted(none)
    for found in answers:
        np.testing.assert_array_equal(found.p_value, answers[1].p_value)
    assert answers[2].share == 0.9
    model = together.learn([matrix()]).model
    assert 0 < model.prior < 0.5
    assert isinstance(model, bothways.BothWays)
