"""Decisions as a person looks at them: a match for each pair, what people said on top."""

import functools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import scipy.sparse

from tagjax.reconcile.decide import decide
from tagjax.reconcile.decisions import MACHINE, Decisions, Match, Reason
from tagjax.reconcile.facts import Facts
from tagjax.reconcile.known import Row
from tagjax.reconcile.people import SOMEBODY, VERDICTS, People, Said
from tagjax.review.order import is_open, offered, primary
from tagjax.review.people_store import Key
from tagjax.vocabulary.vocabulary import Vocabulary

_STATES = {
    "positive": ("accepted", 1.0),
    "negative": ("rejected", 0.0),
    "unsure": ("unsure", 0.5),
}
_RELATIONS = (("exact", "same"), ("broad", "broad"), ("narrow", "narrow"), ("related", "related"))
_SHOWN = 12
WORDS = {
    "exact": "{} {} the same as {}",
    "close": "{} {} nearly the same as {}",
    "broad": "{} {} below {}",
    "narrow": "{} {} above {}",
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

    def hear(self, key: Key, said: Sequence[Said]) -> None:
        """Puts down what people say of a pair now; nothing gives back what the machine said."""
        if not said:
            old = self._machine.get(key)
            if old is not None and old.by == MACHINE:
                self.pairs[key] = old
            else:
                self.pairs.pop(key, None)
                self._machine.pop(key, None)
            return
        self.pairs[key] = match_of(min(said, key=lambda each: VERDICTS.index(each.verdict)))

    def left(self) -> int:
        """Number of pairs that are still to be decided."""
        return sum(key in self.pairs and is_open(self.pairs[key]) for key in self.order)

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


def match_of(said: Said) -> Match:
    """What a person said, as a match."""
    state, confidence = _STATES[said.verdict]
    by = said.by if said.by != MACHINE else SOMEBODY
    reasons = (Reason("person", said.verdict),)
    return Match(said.source, said.target, said.relation, confidence, state, reasons, by)


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
    links: dict[str, set[str]] = {}
    for said in people.said:
        if said.target is not None:
            links.setdefault(said.source, set()).add(said.target)
            links.setdefault(said.target, set()).add(said.source)
    while left:
        tag = left.pop()
        if tag not in tied:
            tied.add(tag)
            left += links.get(tag, ())
    some = Vocabulary.of([tag for tag in vocabulary.tags if tag in tied], vocabulary.systems)
    tied_said = tuple(each for each in people.said if {each.source, each.target} & tied)
    nothing = scipy.sparse.csr_array(np.zeros((1, len(some))))
    decide(Facts(some, nothing, people=People(tied_said)))


def changes(before: Decisions, after: Decisions, keys: Iterable[Key] = ()) -> list[str]:
    """What differs between two decisions, a line each, less some pairs that a person named."""
    named, found = {*keys}, list[str]()
    for tag, to in after.canonical.items():
        old = before.canonical.get(tag, tag)
        if to != old and to != tag:
            found.append(f"{tag} is merged into {to}")
        elif to != old:
            found.append(f"{tag} stands for itself again")
    one, two = primary(before.matches), primary(after.matches)
    settled = 0
    for key in sorted({*one, *two} - named):
        old_match, new_match = one.get(key), two.get(key)
        was = old_match.state if old_match else ""
        now = new_match.state if new_match else ""
        if now == "accepted" != was and new_match and new_match.target:
            words = WORDS.get(new_match.relation, WORDS["exact"])
            found.append(words.format(new_match.source, "is", new_match.target))
        elif was == "accepted" != now and old_match and old_match.target:
            found.append(f"{old_match.source} and {old_match.target} are not sure any more")
        settled += was == "review" != now
        if now == "review" != was and new_match and new_match.target:
            found.append(f"{new_match.source} and {new_match.target} are up for review")
    for tag in sorted(after.blocked.keys() ^ before.blocked.keys()):
        found.append(f"{tag} is {'dropped' if tag in after.blocked else 'kept'}")
    found += [f"{settled} more need no review"] * bool(settled)
    return list(dict.fromkeys(found))


def shortened(lines: Sequence[str], most: int = _SHOWN) -> list[str]:
    """The first lines, and how many more there are.

    >>> shortened(["a", "b", "c"], 1)
    ['a', '2 more changes']
    """
    left = len(lines) - most
    return [*lines[:most], *([f"{left} more change{'s' * (left > 1)}"] if left > 0 else [])]
