"""Facts from annotations and evidence."""

import types

import numpy as np

from tagjax import Catalogue, Vocabulary
from tagjax.evidence.senses import Senses
from tagjax.evidence.weigh import COLUMNS
from tagjax.reconcile.decisions import TwoSenses
from tagjax.reconcile.facts import SURPRISE, gather_facts

NAMES = tuple(f"t{k}" for k in range(6))
CATALOGUE = Catalogue("", NAMES, tuple(f"artist {k}" for k in range(6)), NAMES, (("a", "b"),) * 6)


def evidence(surprise, kind, vocabulary=("a", "b")):
    """What gathering looks at of evidence in which tag a falls in two."""
    groups = (np.array([0, 1, 2]), np.array([3, 4]))
    tags = Vocabulary.of(vocabulary)
    other = len(vocabulary) - 1
    return types.SimpleNamespace(
        vocabulary=tags,
        observed=types.SimpleNamespace(artist=np.arange(5), track_id=NAMES[1:]),
        senses=(Senses(0, surprise, groups, (other, 0), -9.0, surprise, kind),),
        rows=lambda: [("a", tags.tags[other], 1, *[None] * (len(COLUMNS) - 3))],
        notes=("heard",),
    )


def test_senses_are_named_by_artists_if_they_are_clear():
    facts = gather_facts([CATALOGUE], evidence(SURPRISE, "two senses"))
    artists = (("artist 1", "artist 2", "artist 3"), ("artist 4", "artist 5"))
    assert facts.senses == [TwoSenses("a", artists, ("b", "a"))]
    assert facts.rows[0]["target"] == "b"
    assert facts.notes == ("heard",)
    assert gather_facts([CATALOGUE], evidence(SURPRISE - 1, "two senses")).senses == []
    assert gather_facts([CATALOGUE], evidence(99, "one")).senses == []


def test_broad_tags_are_noted_if_they_are_very_divided():
    assert gather_facts([CATALOGUE], evidence(99, "broad")).broad == {"a": ("b", "a")}
    assert gather_facts([CATALOGUE], evidence(SURPRISE, "broad")).broad == {}


def test_evidence_on_tags_that_are_gone_is_left_out():
    facts = gather_facts([CATALOGUE], evidence(99, "broad", ("a", "gone")))
    assert facts.rows == []
    assert facts.broad == {}
    assert facts.vocabulary.tags == ("a", "b")
