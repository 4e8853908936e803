"""Exports decisions as SKOS in Turtle: a concept scheme for each tag system.

A canonical tag is a concept; the tags that were merged into it are its alternative labels. A tag of
two senses is two concepts. The integrity conditions of SKOS hold:

- S13, S14: a concept has one preferred label, and no alternative label is the same.
- S27: nothing is both related to a concept and, over any number of steps, broader or narrower.
- S46: concepts that are exact matches, over any number of steps, are no broad, narrow or related
  matches of each other.

Beyond SKOS, no two concepts of one scheme are exact matches over any number of steps, and nothing
is broader than itself. Where decisions do not fit together, the more confident ones stay.
"""

import collections
import dataclasses
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from tagjax.reconcile import names
from tagjax.reconcile.decisions import Decisions, Match, TwoSenses
from tagjax.vocabulary.vocabulary import Vocabulary

BASE = "https://tagjax.invalid/"
"""Begins all URIs. `.invalid` promises that nothing is to be found there; give your own."""

PREDICATES = {
    "exact": "skos:exactMatch",
    "close": "skos:closeMatch",
    "broad": "skos:broadMatch",
    "narrow": "skos:narrowMatch",
    "related": "skos:relatedMatch",
}
"""{relation: predicate}. The object of a broadMatch is the broader one."""

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def scheme_uri(system: str, base: str = BASE) -> str:
    """The URI of a tag system.

    >>> scheme_uri("a:")
    'https://tagjax.invalid/a'
    """
    return base + (quote(system.rstrip(":"), safe="") or "tags")


def concept_uri(vocabulary: Vocabulary, tag: str, base: str = BASE) -> str:
    """The URI of a tag: all but letters, digits and `_.-~` are percent-encoded.

    >>> concept_uri(Vocabulary.of(["a:Folk, World, & Country"], ["a:"]), "a:Folk, World, & Country")
    'https://tagjax.invalid/a/Folk%2C%20World%2C%20%26%20Country'
    """
    name = names.bare(vocabulary, tag)
    return f"{scheme_uri(vocabulary.system_of(tag), base)}/{quote(name, safe='')}"


@dataclasses.dataclass
class _Concept:
    """A concept, with the URIs of others to which it is linked."""

    scheme: str
    label: str
    others: list[str]
    note: str = ""
    broader: list[str] = dataclasses.field(default_factory=list)
    matches: list[tuple[str, str]] = dataclasses.field(default_factory=list)


def export(decisions: Decisions, base: str = BASE) -> names.Exported:
    """The file `vocabulary.ttl`.

    Matches are taken if they are accepted and between systems. A match of a merged tag is one of
    the tag that stands for it. A match or parent of a tag of two senses is taken for the sense that
    sounds most like it, if there is one.

    Args:
      decisions: on the tags of one or several systems.
      base: what all URIs begin with.

    >>> tags = Vocabulary.of(["Dub", "Techno", "techno"])
    >>> same = {"Techno": "Techno", "techno": "Techno", "Dub": "Dub"}
    >>> made = export(Decisions(tags, {}, {}, (), same, {"Techno": ("Dub",)}))
    >>> text = made.files["vocabulary.ttl"]
    >>> print(text[text.index("<https://tagjax.invalid/tags/Techno>") :].strip())
    <https://tagjax.invalid/tags/Techno> a skos:Concept ;
        skos:inScheme <https://tagjax.invalid/tags> ;
        skos:prefLabel "Techno" ;
        skos:altLabel "techno" ;
        skos:broader <https://tagjax.invalid/tags/Dub> .

    Reference: https://www.w3.org/TR/skos-reference/
    """
    links = _Links(decisions, base)
    links.add_parents()
    links.add_matches()
    notes = [f"vocabulary.ttl leaves out {count} {why}" for why, count in links.left.items()]
    return names.Exported({"vocabulary.ttl": "".join(_turtle(links, base))}, tuple(notes))


class _Links:
    """The concepts, to which links are added one by one if all conditions still hold."""

    def __init__(self, decisions: Decisions, base: str) -> None:
        self.decisions, self.vocabulary = decisions, decisions.vocabulary
        self.concepts: dict[str, _Concept] = {}
        self.left = collections.Counter[str]()
        self.senses: dict[str, TwoSenses] = {senses.tag: senses for senses in decisions.senses}
        self._uris: dict[str, tuple[str, ...]] = {}
        self._above: dict[str, set[str]] = collections.defaultdict(set)
        self._below: dict[str, set[str]] = collections.defaultdict(set)
        self._related: dict[str, set[str]] = collections.defaultdict(set)
        self._same: dict[str, frozenset[str]] = {}
        merged: dict[str, list[str]] = collections.defaultdict(list)
        for tag, to in decisions.canonical.items():
            if tag != to:
                merged[to].append(tag)
        for tag in self.vocabulary.tags:
            if decisions.canonical[tag] == tag:
                self._add_concepts(tag, merged[tag], base)

    def _add_concepts(self, tag: str, merged: list[str], base: str) -> None:
        scheme, name = self.vocabulary.system_of(tag), names.called(self.decisions, tag)
        uri, note = concept_uri(self.vocabulary, tag, base), self.decisions.blocked.get(tag, "")
        note = f"not a genre: {note}" if note else ""
        others = [names.bare(self.vocabulary, other) for other in (tag, *merged)]
        labels: tuple[str, ...] = (scheme + name,)
        self._uris[tag] = (uri,)
        if tag in self.senses:
            labels = names.sense_names(self.decisions, self.senses[tag])
            self._uris[tag] = (f"{uri}#1", f"{uri}#2")
            others = [*dict.fromkeys((name, *others))]
        for concept, whole in zip(self._uris[tag], labels, strict=True):
            label = whole[len(scheme) :]
            alternative = [other for other in others if other != label]
            self.concepts[concept] = _Concept(scheme, label, alternative, note)

    def uri(self, tag: str, other: str) -> str | None:
        """The concept of a tag that is linked to another one; None if it may be either sense."""
        tag, other = self.decisions.canonical[tag], self.decisions.canonical[other]
        if tag not in self.senses:
            return self._uris[tag][0]
        near = [self.decisions.canonical[nearest] for nearest in self.senses[tag].nearest]
        return self._uris[tag][near.index(other)] if near.count(other) == 1 else None

    def add_parents(self) -> None:
        """Adds the parents within each scheme."""
        for tag, parents in self.decisions.parents.items():
            for parent in parents:
                below, above = self.uri(tag, parent), self.uri(parent, tag)
                if below is None or above is None:
                    self.left["parents of tags of two senses"] += 1
                elif self._may_be_broader(below, above):
                    self._put_below(below, above)
                    self.concepts[below].broader.append(above)

    def add_matches(self) -> None:
        """Adds the accepted matches between schemes, the most confident first.

        Exact ones are first, as they decide which concepts are the same.
        """
        accepted = [
            match
            for match in self.decisions.matches
            if match.state == "accepted" and match.target is not None and match.relation != "none"
            if self.vocabulary.system_of(match.source) != self.vocabulary.system_of(match.target)
        ]
        accepted.sort(key=lambda match: (match.relation != "exact", -match.confidence))
        for match in accepted:
            self._add_match(match)

    def _add_match(self, match: Match) -> None:
        assert match.target is not None
        one = self.uri(match.source, match.target)
        other = self.uri(match.target, match.source)
        if one is None or other is None:
            self.left["matches of tags of two senses"] += 1
            return
        fits = {
            "exact": lambda: self._may_be_same(one, other),
            "close": lambda: True,
            "broad": lambda: self._may_be_broader(one, other),
            "narrow": lambda: self._may_be_broader(other, one),
            "related": lambda: self._may_be_related(one, other),
        }
        if not fits[match.relation]():
            self.left["matches that do not fit the others"] += 1
            return
        if match.relation == "exact":
            together = self._group(one) | self._group(other)
            self._same |= dict.fromkeys(together, together)
        elif match.relation in ("broad", "narrow"):
            below, above = (one, other) if match.relation == "broad" else (other, one)
            self._put_below(below, above)
        elif match.relation == "related":
            self._related[one].add(other)
            self._related[other].add(one)
        link = (PREDICATES[match.relation], other)
        if link not in self.concepts[one].matches:
            self.concepts[one].matches.append(link)

    def _group(self, uri: str) -> frozenset[str]:
        """The exact matches of a concept, over any number of steps, with itself."""
        return self._same.get(uri, frozenset((uri,)))

    def _put_below(self, below: str, above: str) -> None:
        self._above[below].add(above)
        self._below[above].add(below)

    def _reached(self, uri: str, steps: Mapping[str, set[str]]) -> set[str]:
        """All that is broader (`_above`) or narrower (`_below`) than a concept.

        A step may also lead to an exact match.
        """
        found, todo = set[str](), [*self._group(uri)]
        while todo:
            for near in steps.get(todo.pop(), ()):
                new = self._group(near) - found
                found |= new
                todo += new
        return found

    def _may_be_same(self, one: str, other: str) -> bool:
        together = self._group(one) | self._group(other)
        schemes = {self.concepts[uri].scheme for uri in together}
        if len(schemes) < len(together):
            return False
        near = self._reached(one, self._above) | self._reached(one, self._below)
        return other not in near

    def _may_be_broader(self, below: str, above: str) -> bool:
        upper = self._group(above) | self._reached(above, self._above)
        if below in upper:
            return False
        lower = self._group(below) | self._reached(below, self._below)
        return not any(self._related.get(uri, set()) & upper for uri in lower)

    def _may_be_related(self, one: str, other: str) -> bool:
        near = self._reached(one, self._above) | self._reached(one, self._below)
        return other not in near | self._group(one)


def _turtle(links: _Links, base: str) -> Iterator[str]:
    """The text, piece by piece."""
    yield "@prefix skos: <http://www.w3.org/2004/02/skos/core#> .\n"
    for system in links.vocabulary.systems:
        uri = scheme_uri(system, base)
        label = system.rstrip(":") or "tags"
        yield f"\n<{uri}> a skos:ConceptScheme ;\n    skos:prefLabel {_literal(label)} .\n"
    for uri, concept in links.concepts.items():
        scheme = scheme_uri(concept.scheme, base)
        lines = [f"\n<{uri}> a skos:Concept", f"skos:inScheme <{scheme}>"]
        lines += [] if concept.broader else [f"skos:topConceptOf <{scheme}>"]
        lines.append(f"skos:prefLabel {_literal(concept.label)}")
        lines += [f"skos:altLabel {_literal(name)}" for name in concept.others]
        lines += [f"skos:note {_literal(concept.note)}"] if concept.note else []
        lines += [f"skos:broader <{above}>" for above in concept.broader]
        lines += [f"{predicate} <{other}>" for predicate, other in concept.matches]
        yield " ;\n    ".join(lines) + " .\n"


def _literal(text: str) -> str:
    """A string of Turtle."""
    return '"' + re.sub(r'["\\\n\r\t]', lambda sign: _ESCAPES[sign[0]], text) + '"'
