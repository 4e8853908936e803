"""Relations: what annotations contain, and how broad and narrow sound."""

import numpy as np
import pytest
import scipy.sparse
from evident import catalogues

from tagjax.catalogue.annotations import Catalogue
from tagjax.evidence import questions, relation
from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.inputs import of_catalogues

CONFIG = EvidenceConfig(splits=2, without_partner=0, merged=0)
GENRES = {"rock": ("emo", "punk", "prog"), "jazz": ("bop", "cool", "free"), "pop": ()}


@pytest.fixture(scope="module")
def heard():
    """Styles within genres: every track of a style has its genre; a genre spreads."""
    styles = [style for some in GENRES.values() for style in some]
    (catalogue,), (ids, vectors) = catalogues([[*styles, "pop"]], tracks=500, artists=90)
    tags = [
        tuple({*own, *(genre for genre, some in GENRES.items() if {*own} & {*some})})
        for own in catalogue.tags
    ]
    columns = catalogue.track_id, catalogue.artist_id, catalogue.album_id, tags
    return of_catalogues([Catalogue("a:", *columns)], (ids, vectors))[0]


def test_containment_is_that_of_a_loop(heard):
    rng = np.random.default_rng(0)
    for tags in (heard.tags.toarray(), (rng.random((40, 9)) < 0.6) * 1.0):
        tags[:, 3] = 0
        given = type("Some", (), {"tags": scipy.sparse.csr_array(tags)})
        size = tags.shape[1]

        def below(x, y, tags=tags):
            both = (tags[:, x] * tags[:, y]).sum()
            shares = [both / max(tags[:, k].sum(), 1) for k in (x, y)]
            return x != y and shares[0] >= 0.7 > shares[1]

        found = relation.containment(given)
        for x in range(size):
            for y in range(size):
                siblings = any(below(x, z) and below(y, z) for z in range(size)) and x != y
                expected = 1 if below(x, y) else -1 if below(y, x) else 2 if siblings else 0
                assert found[x, y] == expected


def test_kinds_of_candidates_are_those_of_their_parts(heard):
    place = {name: heard.vocabulary.index["a:" + name] for name in ("emo", "punk", "rock", "bop")}
    emo, punk, rock, bop = place.values()
    known = relation.containment(heard)
    made_of = ((emo,), (emo, bop), (punk, emo), (punk,), (rock,), (bop,), (punk, bop))
    asked = type("Asked", (), {"made_of": made_of, "tag": np.array([emo, rock])})
    kinds = [[relation._KINDS[kind] for kind in row] for row in relation._kinds(asked, known)]
    assert kinds[0] == ["same", "broad", "broad", "related", "broad", "unrelated", "unrelated"]
    assert kinds[1] == [
        *("narrow", "unrelated", "narrow", "narrow", "same", "unrelated", "unrelated"),
    ]


@pytest.fixture(scope="module")
def asked(heard):
    return [[*questions.ask(heard, number, CONFIG)] for number in range(4)]


def test_broad_and_narrow_come_out_in_their_direction(heard, asked):
    model = relation.learn(heard, [*asked[0], *asked[1]])
    index, right, wrong = heard.vocabulary.index, 0, 0
    for question in [*asked[2], *asked[3]]:
        contrasts = question.sources.contrasts(question.queries, question.candidates)
        found = model.probabilities(contrasts)
        for genre, styles in GENRES.items():
            for style in styles:
                for query, other, kind in ((style, genre, "broad"), (genre, style, "narrow")):
                    row = question.tag.tolist().index(index["a:" + query])
                    column = question.made_of.index((index["a:" + other],))
                    opposite = "narrow" if kind == "broad" else "broad"
                    more = found[kind][row, column] > found[opposite][row, column]
                    right, wrong = right + more, wrong + (not more)
    assert right >= 0.85 * (right + wrong)


def test_shares_sum_to_one_at_most(heard, asked):
    model = relation.learn(heard, asked[0])
    assert {*model.kinds} == {"unrelated", "same", "broad", "narrow", "related"}
    contrasts = asked[2][0].sources.contrasts(asked[2][0].queries, asked[2][0].candidates)
    kinds = model.all_kinds(contrasts)
    np.testing.assert_allclose(sum(kinds.values()), 1)
    others = model.probabilities(contrasts)
    assert list(others) == list(relation.OTHERS)
    total = sum(others.values())
    assert (total <= 1 + 1e-9).all()
    expected = 1 - kinds["unrelated"] / (1 - kinds["same"])
    np.testing.assert_allclose(total, expected, atol=1e-6)


def test_kinds_that_never_occur_have_no_share():
    (catalogue,), features = catalogues([("bop", "dub", "emo")])
    flat = of_catalogues([catalogue], features)[0]
    some = [*questions.ask(flat, 0, CONFIG)]
    model = relation.learn(flat, some)
    assert model.kinds == ("unrelated", "same")
    contrasts = some[0].sources.contrasts(some[0].queries, some[0].candidates)
    kinds = model.all_kinds(contrasts)
    np.testing.assert_allclose(kinds["same"] + kinds["unrelated"], 1)
    same = np.arange(3), some[0].partner
    assert kinds["same"][same].mean() > 0.7 > 0.5 > kinds["same"].mean()
    for name in relation.OTHERS:
        assert not kinds[name].any()
