"""Decisions as a person looks at them: a match for each pair, what people said on top."""

import collections
import functools
from collections.abc import Iterable, Mapping, Sequence

import scipy.sparse

from tagjax.reconcile.decide import decide
from tagjax.reconcile.decisions import MACHINE, Decisions, Match
from tagjax.reconcile.facts import Facts
from tagjax.reconcile.known import Row
from tagjax.reconcile.people import VERDICTS, People, Said
from tagjax.review.documents import Key
from tagjax.review.order import is_open, offered, primary
from tagjax.vocabulary.vocabulary import Vocabulary

_RELATIONS = (("exact", "same"), ("broad", "broad"), ("narrow", "narrow"), ("related", "related"))
WORDS = {
    "exact": "{} {} the same as {}",
    "close": "{} {} nearly the same as {}",
    "broad": "{0} {1} a kind of {2}",
    "narrow": "{2} {1} a kind of {0}",
    "related": "{} {} related to {}",
}
"""What a relation says of a tag and another, with a verb between."""


class View:
    """Decisions with the pairs that a person may look at.

    Attributes:
      decisions: as the rules made them.
      pairs: {pair: its match}; what a person said since is in it.
      order: the pairs to be decided, the most useful first.
    """

    def __init__(self, decisions: Decisions):
        self.decisions = decisions
        self.pairs = primary(decisions.matches)
        blocked = decisions.blocked.keys()
        kept = {key: match for key, match in self.pairs.items() if not blocked & {*key}}
        self.order = offered(kept, decisions.tracks)
        self._machine = dict(self.pairs)
        self._open: dict[Key, str] | None = None

    def hear(self, key: Key, said: Sequence[Said]) -> None:
        """Puts down what people say of a pair now; nothing gives back what the machine said."""
        self._open = None
        if not said:
            old = self._machine.get(key)
            if old is not None and old.by == MACHINE:
                self.pairs[key] = old
            else:
                self.pairs.pop(key, None)
                self._machine.pop(key, None)
            return
        self.pairs[key] = min(said, key=lambda each: VERDICTS.index(each.verdict)).match()

    def open(self) -> dict[Key, str]:
        """{pair that is still to be decided: its state}, the most useful first."""
        if self._open is None:
            found = {key: self.pairs[key] for key in self.order if key in self.pairs}
            self._open = {key: match.state for key, match in found.items() if is_open(match)}
        return self._open

    @functools.cached_property
    def of_tag(self) -> Mapping[str, list[Key]]:
        """{tag: its pairs}."""
        found: dict[str, list[Key]] = {}
        for key in self.pairs:
            for tag in key:
                found.setdefault(tag, []).append(key)
        return found

    @functools.cached_property
    def children(self) -> Mapping[str, list[str]]:
        """{tag: tags right below it}."""
        found: dict[str, list[str]] = {}
        for child, parents in self.decisions.parents.items():
            for parent in parents:
                found.setdefault(parent, []).append(child)
        return found

    @functools.cached_property
    def spellings(self) -> Mapping[str, list[str]]:
        """{canonical tag: the tags merged into it}."""
        found: dict[str, list[str]] = {}
        for tag, canonical in self.decisions.canonical.items():
            if tag != canonical:
                found.setdefault(canonical, []).append(tag)
        return found


def unheard(source: str, target: str | None, row: Row | None) -> Match:
    """The match of a pair that was decided by nobody."""
    if row is None or target is None:
        relation = "none" if target is None else "exact"
        return Match(source, target, relation, 0.0, "candidate")
    shares = {name: row[column] or 0.0 for name, column in _RELATIONS}
    relation = max(shares, key=lambda name: shares[name])
    return Match(source, target, relation, shares[relation], "candidate")


def chart(match: Match, row: Row | None) -> dict[str, float]:
    """{relation: probability}, of a pair; the rest is "none"."""
    if row is None:
        shares = {name: 0.0 for name, _ in _RELATIONS}
        shares[match.relation if match.relation in shares else "exact"] = match.confidence
    else:
        shares = {name: float(row[column] or 0.0) for name, column in _RELATIONS}
    return {**shares, "none": max(0.0, 1 - sum(shares.values()))}


def contradiction(people: People, vocabulary: Vocabulary, tags: Iterable[str]) -> None:
    """Refuses what cannot all be true of some tags and of those that people tie to them.

    Raises:
      InputError: as `decide`.
    """
    tied, left = set[str](), [*tags]
    links = collections.defaultdict[str, list[str]](list)
    for said in people.said:
        if said.target is not None and said.verdict == "positive":
            links[said.source].append(said.target)
            links[said.target].append(said.source)
    while left:
        tag = left.pop()
        if tag not in tied:
            tied.add(tag)
            left += links.get(tag, ())
    some = Vocabulary.of([tag for tag in vocabulary.tags if tag in tied], vocabulary.systems)
    among = {*tied, None}
    tied_said = tuple(each for each in people.said if each.source in tied and each.target in among)
    nothing = scipy.sparse.csr_array((1, len(some)))
    decide(Facts(some, nothing, people=People(tied_said)))
