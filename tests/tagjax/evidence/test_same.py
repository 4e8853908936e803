"""Which tags mean the same, learnt on halves of other tags."""

import dataclasses

import numpy as np
import pytest
from evident import QUICK, observed

from tagjax.base.errors import InputError
from tagjax.evidence import same
from tagjax.evidence.sources import gather


@pytest.fixture(scope="module")
def heard():
    return observed()


@pytest.fixture(scope="module")
def judge(heard):
    return same.learn(heard, QUICK)


def test_counterparts_in_the_other_catalogue_are_found(heard, judge):
    sources = gather(heard, heard.tags, QUICK)
    queries, candidates = (np.array(heard.vocabulary.members(system)) for system in ("a:", "b:"))
    found = same.hear(judge, sources, queries, candidates, QUICK)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_array_equal(found.argmax(axis=1), np.arange(6))
    assert found.max(axis=1).min() > 0.5


def test_what_it_says_of_itself_comes_from_splits_that_did_not_teach(heard, judge):
    tested = judge.choice
    assert len(tested.known) == len(tested.right) == len(tested.tag)
    assert {*tested.tag.tolist()} <= {*range(12)}
    # Each of two test splits asks every tag from both sides.
    assert len(tested.tag) == 2 * 2 * 12
    assert tested.right.mean() > 0.6
    assert 0 < tested.model.prior < 0.6


def test_the_splits_are_passed_on(heard):
    seen = []

    def progress(items, what, total):
        for item in items:
            seen.append((item, what, total))
            yield item

    same.learn(heard, QUICK, progress)
    assert seen == [(number, "learn from halves", 4) for number in range(4)]


def test_nothing_is_said_of_tags_with_too_few_artists(heard, judge):
    sources = gather(heard, heard.tags, QUICK)
    artists = sources.artists.copy()
    artists[[0, 7]] = 1
    few = dataclasses.replace(sources, artists=artists)
    queries, candidates = np.arange(6), np.arange(6, 12)
    found = same.hear(judge, few, queries, candidates, QUICK)
    assert np.isnan(found[0]).all()
    assert not found[1:, 1].any()
    np.testing.assert_allclose(found[1:].sum(axis=1), 1)
    artists[6:] = 1
    assert np.isnan(same.hear(judge, few, queries, candidates, QUICK)).all()


def test_a_query_is_never_its_own_candidate(heard, judge):
    sources, tags = gather(heard, heard.tags, QUICK), np.arange(6)
    found = same.hear(judge, sources, tags, tags, QUICK)
    assert not np.diagonal(found[:, :-1]).any()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    alone = same.hear(judge, sources, tags[:1], tags[:1], QUICK)
    np.testing.assert_array_equal(alone, [[0, 1]])


def test_without_halves_one_line_says_what_is_missing():
    with pytest.raises(InputError, match="no tag system has tags of 4 artists"):
        same.learn(observed(artists=2, tracks=60), QUICK)
