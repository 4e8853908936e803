"""What people decided teaches; names count for who asks for them."""

import dataclasses

import numpy as np
import pytest
from evident import NAMES, QUICK, catalogues

from tagjax.base.errors import InputError
from tagjax.evidence import names
from tagjax.evidence.decided import Decided, questions, read_decisions
from tagjax.evidence.inputs import of_catalogues
from tagjax.evidence.weigh import weigh
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = Vocabulary.of(["a:dub", "a:ska", "b:dub", "b:ska"], ["a:", "b:"])


def written(tmp_path, *rows):
    path = tmp_path / "decisions.csv"
    path.write_text("\n".join(["source,target,relation", *rows]) + "\n")
    return path


def test_reads_pairs_and_whether_they_are_the_same(tmp_path):
    path = written(tmp_path, "a:dub,b:dub,exact", "b:ska,a:ska, close", "a:dub,a:ska,none")
    found = read_decisions(path, TAGS)
    assert found == (Decided(0, 2, True), Decided(3, 1, True), Decided(0, 1, False))


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("a:emo,b:dub,exact", r"decisions\.csv:2: unknown tag 'a:emo'; write it with its prefix"),
        ("a:dub,b:dub,same", r"decisions\.csv:2: unknown relation 'same'; one of exact"),
        ("a:dub,,exact", r"decisions\.csv:2: empty target"),
        ("a:dub,b:ska,exact\nb:ska,a:dub,none", r"decisions\.csv:3"),
    ],
)
def test_bad_rows_are_refused_by_name(tmp_path, row, match):
    with pytest.raises(InputError, match=match):
        read_decisions(written(tmp_path, row), TAGS)


def same(found, source, target):
    first, second = (found.vocabulary.index[tag] for tag in (source, target))
    answers = found.answers[source[:2], target[:2]]
    row, column = (
        np.flatnonzero(places == tag)[0]
        for places, tag in ((answers.queries, first), (answers.candidates, second))
    )
    return answers.probability["same"][row, column]


@pytest.mark.parametrize("heard", [True, False])
def test_decisions_teach(heard):
    """The same pairs are judged right, then wrong: what is like them follows."""
    given, features = catalogues(shared=60)
    inputs = of_catalogues(given, features if heard else None)
    vocabulary = (inputs[0] or inputs[1]).vocabulary
    pairs = [[vocabulary.index[f"{s}:{name}"] for s in "ab"] for name in NAMES[:4]]
    found = {
        verdict: weigh(*inputs, QUICK, decisions=tuple(Decided(*pair, verdict) for pair in pairs))
        for verdict in (True, False)
    }
    plain = weigh(*inputs, QUICK)
    for name in NAMES:
        pair = f"a:{name}", f"b:{name}"
        assert same(found[False], *pair) < same(plain, *pair)
        assert same(found[False], *pair) < same(found[True], *pair)


def test_a_decision_weighs_as_much_as_the_config_says():
    inputs = of_catalogues(*catalogues())
    pair = [inputs[0].vocabulary.index[tag] for tag in ("a:bop", "b:bop")]
    judged = (Decided(*pair, False),)
    light, heavy = (
        weigh(*inputs, dataclasses.replace(QUICK, decision_weight=k), decisions=judged)
        for k in (1, 50)
    )
    assert same(heavy, "a:bop", "b:bop") < same(light, "a:bop", "b:bop")


def test_several_decisions_are_each_the_question_of_that_pair():
    """Evidence here is the query's place, then the candidate's; systems are interleaved."""
    places = {"a:": np.array([0, 2, 4]), "b:": np.array([1, 3])}

    def evidence(queries, candidates, rows):
        return np.stack(np.broadcast_arrays(queries[rows][:, None], candidates), axis=2)

    decisions = [Decided(2, 3, True), Decided(1, 0, False)]
    found = questions(decisions, places, evidence, weight=2)
    seen = [(x.tolist(), partner.tolist()) for x, partner in found]
    once = [
        ([[[2, 1], [2, 3]]], [1]),
        ([[[0, 1]]], [-1]),
        ([[[3, 0], [3, 2], [3, 4]]], [1]),
        ([[[1, 0]]], [-1]),
    ]
    assert seen == 2 * once


def test_names_are_alike_whatever_case_and_order():
    found = names.alike(["Drum & Bass", "genre:Rock"], ["bass and drum", "rock", "polka"])
    assert found.shape == (2, 3)
    assert found[0, 0] == found[1, 1] == 1
    assert found[0, 2] < 0.5


def test_names_count_only_for_who_asks():
    """Two names are swapped in one catalogue: the sound knows, and a strong prior overrules it."""
    given, features = catalogues()
    swap = {"dub": "ska", "ska": "dub"}
    rows = [tuple(swap.get(tag, tag) for tag in own) for own in given[1].tags]
    given[1] = dataclasses.replace(given[1], tags=tuple(rows))
    inputs = of_catalogues(given, features)
    plain, named = (weigh(*inputs, dataclasses.replace(QUICK, names=k)) for k in (0.0, 20.0))
    assert same(plain, "a:dub", "b:ska") > same(plain, "a:dub", "b:dub")
    assert same(named, "a:dub", "b:ska") < same(named, "a:dub", "b:dub")
    told = named.answers["a:", "b:"]
    np.testing.assert_allclose(told.probability["same"].sum(axis=1) + told.none, 1)


def test_common_tracks_of_one_artist_tell_nothing():
    given, _ = catalogues(shared=60)
    alone = [dataclasses.replace(c, artist_id=("x",) * len(c.track_id)) for c in given]
    unknown = [dataclasses.replace(c, artist_id=("",) * len(c.track_id)) for c in given]
    for catalogue, told in ((alone, False), (unknown, True)):
        found = weigh(*of_catalogues(catalogue), QUICK)
        assert {row[3] != "untold" for row in found.rows()} == {told}
        assert set(found.artists.tolist()) == {1} if not told else min(found.artists) > 1
