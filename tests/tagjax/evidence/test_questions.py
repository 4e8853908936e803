"""Questions whose answers are known: what the halves of tags are made of."""

import numpy as np
import pytest
from evident import NAMES, QUICK, observed

from tagjax.evidence import questions
from tagjax.evidence.config import EvidenceConfig
from tagjax.similarity import halves

CONFIG = EvidenceConfig(splits=1, without_partner=0.3, merged=0.3)


@pytest.fixture(scope="module")
def heard():
    names = (*NAMES, *(name + " 2" for name in NAMES))
    return observed(names=(names, names), tracks=300, artists=60)


@pytest.fixture
def asked(heard, monkeypatch):
    """[(question, the matrix of its tags)] of some splits."""
    matrices, gather = [], questions.gather

    def kept(observed, tags, config, split):
        matrices.append(tags.toarray())
        return gather(observed, tags, config, split)

    monkeypatch.setattr(questions, "gather", kept)
    return [
        (question, matrices[-1], number)
        for number in range(4)
        for question in questions.ask(heard, number, CONFIG)
    ]


def test_each_side_of_each_system_asks(heard, asked):
    systems = [{heard.vocabulary.system[tag] for tag in q.tag.tolist()} for q, _, _ in asked]
    assert systems == [{"a:"}, {"b:"}] * 8
    for question, _, _ in asked:
        parts = [tag for parts in question.made_of for tag in parts]
        assert len({*parts}) == len(parts)
        assert {heard.vocabulary.system[tag] for tag in parts} == {
            heard.vocabulary.system[question.tag[0]]
        }


def test_no_artist_is_on_both_sides(heard, asked):
    size = len(heard.vocabulary)
    for _, matrix, _ in asked:
        sides = matrix[:, :size].any(axis=1), matrix[:, size:].any(axis=1)
        artists = [{*heard.artist[side].tolist()} for side in sides]
        assert min(map(len, artists)) > 5
        assert not artists[0] & artists[1]


def test_candidates_are_unions_of_halves_and_partners_are_the_other_half(heard, asked):
    size, kinds = len(heard.vocabulary), {"none": 0, "merged": 0, "partner": 0}
    for question, matrix, number in asked:
        split = halves.draw(heard, number, halves.HalvesConfig(seed=CONFIG.seed))
        both = split.tags.toarray()
        side = 0 if (both[:, :size] == matrix[:, :size]).all() else 1
        other = both[:, size * (1 - side) : size * (2 - side)]
        np.testing.assert_array_equal(question.queries, question.tag)
        for place, parts in zip(question.candidates, question.made_of, strict=True):
            np.testing.assert_array_equal(matrix[:, place], other[:, parts].max(axis=1))
            kinds["merged"] += len(parts) == 2
        for tag, partner in zip(question.tag.tolist(), question.partner, strict=True):
            assert (partner == questions.NONE) == ((tag,) not in question.made_of)
            if partner == questions.NONE:
                kinds["none"] += 1
            else:
                kinds["partner"] += 1
                column = matrix[:, question.candidates[partner]]
                np.testing.assert_array_equal(column, other[:, tag])
        assert split.usable[question.tag].all()
    assert min(kinds.values()) > 10
    total = kinds["none"] + kinds["partner"]
    # 0.3 are removed; of what is left, 0.3 take another one with them.
    assert kinds["none"] / total == pytest.approx(0.7, abs=0.15)


def test_without_removal_every_query_has_its_partner(heard):
    config = EvidenceConfig(without_partner=0, merged=0)
    for question in questions.ask(heard, 0, config):
        assert [question.made_of[k] for k in question.partner] == [(t,) for t in question.tag]


def test_the_same_split_asks_the_same():
    heard = observed(tracks=80)
    first, again = (list(questions.ask(heard, 1, QUICK)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert one.made_of == other.made_of
        np.testing.assert_array_equal(one.partner, other.partner)


def test_tags_of_few_artists_ask_nothing():
    assert not list(questions.ask(observed(artists=2, tracks=60), 0, QUICK))
    assert not list(questions.ask(observed(names=(("bop",),)), 0, QUICK))
