"""Facts from annotations and evidence."""

import types

import numpy as np

from tagjax import Catalogue, Vocabulary
from tagjax.evidence.senses import Senses
from tagjax.evidence.weigh import COLUMNS
from tagjax.reconcile.decisions import TwoSenses
from tagjax.reconcile.facts import gather_facts

NAMES = tuple(f"t{k}" for k in range(6))
CATALOGUE = Catalogue("", NAMES, tuple(f"artist {k}" for k in range(6)), NAMES, (("a", "b"),) * 6)


def evidence(kind, vocabulary=("a", "b")):
    """What gathering looks at of evidence in which tag a falls in two."""
    groups = (np.array([0, 1, 2]), np.array([3, 4]))
    tags = Vocabulary.of(vocabulary)
    other = len(vocabulary) - 1
    return types.SimpleNamespace(
        vocabulary=tags,
        observed=types.SimpleNamespace(artist=np.arange(5), track_id=NAMES[1:]),
        senses=(Senses(0, 30.0, groups, (other, 0), -9.0, 30.0, kind),),
        rows=lambda: [("a", tags.tags[other], 1, *[None] * (len(COLUMNS) - 3))],
        notes=("heard",),
    )


def test_two_senses_are_named_by_artists():
    facts = gather_facts([CATALOGUE], evidence("two senses"))
    artists = (("artist 1", "artist 2", "artist 3"), ("artist 4", "artist 5"))
    assert facts.senses == [TwoSenses("a", artists, ("b", "a"))]
    assert facts.rows[0]["target"] == "b"
    assert facts.notes == ("heard",)
    assert gather_facts([CATALOGUE], evidence("broad")).senses == []
    assert gather_facts([CATALOGUE], evidence("one")).senses == []


def test_evidence_on_tags_that_are_gone_is_left_out():
    facts = gather_facts([CATALOGUE], evidence("two senses", ("a", "gone")))
    assert facts.rows == []
    assert facts.vocabulary.tags == ("a", "b")
