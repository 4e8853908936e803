"""The integrity conditions of SKOS, checked with rdflib on what it reads of our Turtle."""

import dataclasses
import itertools

import decided
import pytest
from hypothesis import HealthCheck, given, settings

from tagjax.reconcile import skos
from tagjax.reconcile.decisions import Decisions, Match, TwoSenses
from tagjax.vocabulary.vocabulary import Vocabulary

rdflib = pytest.importorskip("rdflib", reason="needs rdflib: pip install rdflib")
SKOS = rdflib.SKOS


def graph_of(decisions):
    graph = rdflib.Graph()
    graph.parse(data=skos.export(decisions).files["vocabulary.ttl"], format="turtle")
    return graph


def closure(pairs):
    """The transitive closure of pairs."""
    pairs = set(pairs)
    while new := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
        pairs |= new
    return pairs


def broken(graph):
    """The conditions of https://www.w3.org/TR/skos-reference/ that do not hold, and ours."""
    found = []
    for concept in graph.subjects(rdflib.RDF.type, SKOS.Concept):
        preferred = [*graph.objects(concept, SKOS.prefLabel)]
        if set(preferred) & set(graph.objects(concept, SKOS.altLabel)):
            found.append("S13")
        if len(preferred) != 1 or len([*graph.objects(concept, SKOS.inScheme)]) != 1:
            found.append("S14")
    related = set(graph.subject_objects(SKOS.relatedMatch))
    related |= {(b, a) for a, b in related}
    across = set(graph.subject_objects(SKOS.broadMatch))
    across |= {(b, a) for a, b in graph.subject_objects(SKOS.narrowMatch)}
    broader = closure(across | set(graph.subject_objects(SKOS.broader)))
    if related & (broader | {(b, a) for a, b in broader}):
        found.append("S27")
    if any(a == b for a, b in broader):
        found.append("a circle")
    exact = set(graph.subject_objects(SKOS.exactMatch))
    exact = closure(exact | {(b, a) for a, b in exact})
    if exact & (related | across | {(b, a) for a, b in across}):
        found.append("S46")
    scheme = dict(graph.subject_objects(SKOS.inScheme))
    if any(a != b and scheme[a] == scheme[b] for a, b in exact):
        found.append("two concepts of a scheme are one")
    return found


@settings(max_examples=200, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(decided.decisions(("", "b:", "c d:")))
def test_the_conditions_hold_whatever_was_decided(decisions):
    graph = graph_of(decisions)
    assert broken(graph) == []
    concepts = set(graph.subjects(rdflib.RDF.type, SKOS.Concept))
    canonical = {*decisions.canonical.values()}
    assert len(concepts) == len(canonical) + len(decisions.senses)
    labels = {str(label) for label in graph.objects(None, SKOS.prefLabel)}
    labels |= {str(label) for label in graph.objects(None, SKOS.altLabel)}
    system = decisions.vocabulary.system_of
    assert labels >= {tag[len(system(tag)) :] for tag in decisions.canonical}
    assert labels >= {name[len(system(tag)) :] for tag, name in decisions.called.items()}


SYSTEMS = Vocabulary.of(["a:x", "a:y", "b:x", "b:y", "c:x"], ["a:", "b:", "c:"])


def decisions(*matches, parents=None, **more):
    return Decisions(
        SYSTEMS,
        *({}, {}),
        tuple(Match(*match, "accepted") for match in matches),
        {tag: tag for tag in SYSTEMS.tags},
        parents or {},
        **more,
    )


@pytest.mark.parametrize(
    ("matches", "kept"),
    [
        ([("a:x", "b:x", "exact", 0.9), ("a:x", "b:y", "exact", 0.8)], 1),
        ([("a:x", "b:x", "exact", 0.7), ("b:x", "a:x", "exact", 0.7)], 2),
        ([("a:x", "b:x", "exact", 0.7), ("a:x", "b:x", "broad", 0.9)], 1),
        ([("a:x", "b:x", "broad", 0.7), ("b:x", "a:x", "broad", 0.9)], 1),
        ([("a:x", "b:x", "broad", 0.7), ("b:x", "a:x", "narrow", 0.9)], 2),
        ([("a:x", "b:x", "related", 0.7), ("a:x", "b:x", "narrow", 0.9)], 1),
        (
            [
                ("a:x", "b:x", "exact", 0.9),
                ("b:x", "c:x", "exact", 0.9),
                ("c:x", "a:y", "exact", 0.8),
            ],
            2,
        ),
        ([("a:x", "b:x", "close", 0.9), ("a:x", "b:y", "close", 0.8)], 2),
    ],
)
def test_what_does_not_fit_is_left_out_and_counted(matches, kept):
    made = decisions(*matches)
    graph = graph_of(made)
    links = [
        graph.subject_objects(SKOS[f"{r}Match"])
        for r in ("exact", "close", "broad", "narrow", "related")
    ]
    assert len([*itertools.chain(*links)]) == kept
    dropped = len(matches) - kept
    text = f"vocabulary.ttl leaves out {dropped} matches that do not fit the others"
    assert skos.export(made).notes == ((text,) if dropped else ())


def test_what_is_not_accepted_or_within_a_system_is_no_match():
    match = Match("a:x", "b:x", "exact", 1.0, "review")
    none = Match("a:y", None, "none", 1.0, "accepted")
    made = dataclasses.replace(decisions(("a:x", "a:y", "related", 1.0)), matches=(match, none))
    assert "Match" not in skos.export(made).files["vocabulary.ttl"]


def test_a_sense_is_matched_if_it_is_known_which():
    senses = TwoSenses("a:x", (("r",), ("s",)), ("b:y", "b:x"))
    made = decisions(
        ("a:x", "b:x", "exact", 0.9),
        ("a:x", "c:x", "exact", 0.9),
        parents={"a:y": ("a:x",)},
        senses=(senses,),
    )
    graph = graph_of(made)
    (pair,) = graph.subject_objects(SKOS.exactMatch)
    assert [str(uri) for uri in pair] == [
        "https://tagjax.invalid/a/x#2",
        "https://tagjax.invalid/b/x",
    ]
    first = rdflib.URIRef("https://tagjax.invalid/a/x#1")
    assert {str(label) for label in graph.objects(first, SKOS.prefLabel)} == {"x (y)"}
    assert {str(label) for label in graph.objects(first, SKOS.altLabel)} == {"x"}
    assert skos.export(made).notes == (
        "vocabulary.ttl leaves out 1 parents of tags of two senses",
        "vocabulary.ttl leaves out 1 matches of tags of two senses",
    )


def test_a_library():
    graph = graph_of(decided.library("lib:"))
    base = "https://tagjax.invalid/lib"
    merged = rdflib.URIRef(f"{base}/Drum%20%26%20Bass")
    assert {str(name) for name in graph.objects(merged, SKOS.altLabel)} == {
        *("drum and bass", "DnB", "Drum'n'Bass"),
    }
    renamed = rdflib.URIRef(f"{base}/Hip%20Hop")
    assert [str(name) for name in graph.objects(renamed, SKOS.prefLabel)] == ["Rap, $Hip% (\\1)"]
    assert {str(name) for name in graph.objects(renamed, SKOS.altLabel)} == {
        *("Hip Hop", "Hip-Hop", "hiphop"),
    }
    above = rdflib.URIRef(f"{base}/Black%20Metal")
    assert {str(uri) for uri in graph.objects(above, SKOS.broader)} == {
        f"{base}/Metal",
        f"{base}/Rock",
    }
    assert [str(note) for note in graph.objects(None, SKOS.note)] == [
        "not a genre: a number",
        "not a genre: a use",
    ]
    assert [str(uri) for uri in graph.subjects(rdflib.RDF.type, SKOS.ConceptScheme)] == [base]
    assert broken(graph) == []


def test_what_is_broken_is_found():
    """The check itself: a graph that breaks each condition."""
    text = skos.export(decisions()).files["vocabulary.ttl"]
    for line, condition in (
        ('<{a}/x> skos:altLabel "x"', "S13"),
        ('<{a}/x> skos:prefLabel "z"', "S14"),
        ("<{a}/x> skos:relatedMatch <{b}/x> ; skos:narrowMatch <{b}/x>", "S27"),
        ("<{a}/x> skos:exactMatch <{b}/x> ; skos:broadMatch <{b}/x>", "S46"),
        ("<{a}/x> skos:broader <{a}/x>", "a circle"),
        ("<{a}/x> skos:exactMatch <{b}/x>, <{b}/y>", "two concepts of a scheme are one"),
    ):
        graph = rdflib.Graph()
        base = "https://tagjax.invalid"
        graph.parse(data=f"{text}\n{line.format(a=f'{base}/a', b=f'{base}/b')} .", format="turtle")
        assert broken(graph) == [condition]
