"""The table of decisions, where its figures are known beforehand."""

import pytest

from benchmarks import decisions
from tagjax import Catalogue
from tagjax.reconcile.facts import gather_facts
from tagjax.vocabulary.translation import Relation
from tagjax.vocabulary.truth import Truth

NAMES = tuple(f"t{k}" for k in range(4))


def pair(*tags):
    return frozenset(tags)


def test_decisions_are_counted_against_the_truth():
    tags = (("dub", "Dub"), ("Ska", "ska"), ("pop",), ("rock",))
    facts = gather_facts([Catalogue("", NAMES, NAMES, NAMES, tags)])
    found = decisions.score(facts, Truth(duplicates=(("dub", "Dub"), ("pop", "rock"))), {"pop"})
    assert found.accepted.keys() == {pair("dub", "Dub"), pair("Ska", "ska")}
    assert found.true == found.duplicates == {pair("dub", "Dub"), pair("pop", "rock")}
    assert [tags for tags, _ in found.wrong()] == [pair("Ska", "ska")]
    pooled = decisions.Score()
    for name in ("one", "two"):
        pooled.add(name, found)
    row = pooled.row("all").split()
    assert row[:5] == ["all", "4", "2", "=", "50"]
    assert "2, 0 asked, of 4" in pooled.row("all")


def test_some_tags_of_the_first_system_are_looked_at_alone():
    tags = tuple((name,) for name in ("dub", "ska", "pop", "rock"))
    catalogues = [Catalogue(prefix, NAMES, NAMES, NAMES, tags) for prefix in ("a:", "b:")]
    truth = Truth(translation=(Relation("a:dub", "b:dub"), Relation("a:ska", "b:pop", "related")))
    found = decisions.score(gather_facts(catalogues), truth, some=True)
    assert found.true == {pair("a:dub", "b:dub")}
    assert found.accepted.keys() <= {pair("a:dub", "b:dub")}


def test_the_interval_is_wilsons():
    assert decisions.wilson(9, 10) == pytest.approx((59.6, 98.2), abs=0.1)
    assert decisions.wilson(0, 0) == (0.0, 100.0)


def test_tags_of_two_senses_are_read(tmp_path):
    rows = ("what,system,tag,senses", "polysemous,a,hardcore,x|y", "other,a,dance,x|y")
    (tmp_path / "oddities.csv").write_text("\n".join(rows) + "\n")
    assert decisions.two_senses(tmp_path) == {"a:hardcore"}
