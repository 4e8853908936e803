"""What the page of decisions shows, section by section, as values that a template prints."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tagjax.base.text import short
from tagjax.reconcile.decisions import MACHINE, STATES, Decisions, Match, TwoSenses
from tagjax.reconcile.people import INVERSE
from tagjax.reconcile.usefulness import usefulness

KINDS = {
    "people": "Decided by people",
    "spelling": "By spelling",
    "sound": "By sound",
}
"""{why tags were merged: the heading}."""

SIGNS = {
    "exact": "the same as",
    "close": "nearly the same as",
    "broad": "below",
    "narrow": "above",
    "related": "akin to",
    "none": "without counterpart",
}
"""{relation: how a reader says what the source is to the target}."""

_SOURCES = {
    "joint": ("all together", "the probability by all evidence, in this direction"),
    "sound": ("sound", "how alike they sound, from 0 to 1"),
    "together": ("same tracks", "how often they stand on the same tracks, from 0 to 1"),
    "spelling": ("spelling", "what the names differ in"),
    "person": ("a person", "what a person said"),
}
_VERDICTS = {"positive": "says yes", "negative": "says no", "unsure": "is not sure"}
_LONGEST = 80
_UNLIKELY = 0.005
"""Probability below which only the first rival is named."""
_LEVELS = 12
"""Levels of the tree that are indented; what is deeper stands at the last of them."""


@dataclasses.dataclass(frozen=True)
class Side:
    """A tag with what a reader wants to know of it.

    Attributes:
      tag: the whole tag.
      prefix: of its catalogue.
      name: without the prefix, shortened if it is long.
      tracks: number of its tracks; None if unknown.
      artists: number of its artists; None if unknown.
    """

    tag: str
    prefix: str
    name: str
    tracks: int | None
    artists: int | None


@dataclasses.dataclass(frozen=True)
class Said:
    """What one source says of a pair: its name, its value as text, and what the value means."""

    source: str
    value: str
    meaning: str


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two tags, and what is said of them.

    Attributes:
      first: a tag.
      second: another; None if it has no counterpart.
      sign: what the first is to the second, in words.
      confidence: probability of that; None if unknown.
      said: what each source says.
      note: one sentence, or "".
      rivals: for either tag its next candidates: (tag, ((candidate, probability), …)).
      by: the person who decided, or "".
    """

    first: Side
    second: Side | None
    sign: str
    confidence: float | None = None
    said: tuple[Said, ...] = ()
    note: str = ""
    rivals: tuple[tuple[Side, tuple[tuple[Side, float], ...]], ...] = ()
    by: str = ""


@dataclasses.dataclass(frozen=True)
class Node:
    """A tag in the tree.

    Attributes:
      side: the tag.
      level: number of tags above it, at most 12.
      share: of its tracks that have the broader tag; None if a taxonomy or a person put it there.
      also: other tags that it is below.
      merged: tags that were merged into it.
      objections: (tag that the sound puts it below, probability).
    """

    side: Side
    level: int
    share: float | None
    also: tuple[Side, ...]
    merged: tuple[Side, ...]
    objections: tuple[tuple[Side, float], ...]


@dataclasses.dataclass(frozen=True)
class Tally:
    """How many tags, or pairs, became what; the numbers of `reconcile.files.lines`.

    Attributes:
      tags: all tags.
      merged: tags that another stands for.
      nested: tags with a broader one.
      same: tags with the same tag in another catalogue.
      left: other tags, if there are several catalogues.
      senses: tags of two senses.
      review: pairs to be reviewed.
      untold: tags of which nothing can be told.
      blocked: tags that are no genres.
      people: tags that people decided on.
    """

    tags: int
    merged: int
    nested: int
    same: int
    left: int
    senses: int
    review: int
    untold: int
    blocked: int
    people: int


class Verdicts:
    """Decisions, as the sections of the page ask for them."""

    def __init__(
        self, decisions: Decisions, rows: Sequence[Mapping[str, Any]] = (), rivals: int = 2
    ):
        self.decisions = decisions
        self._rivals = rivals
        self._of: dict[str, list[Match]] = collections.defaultdict(list)
        order = sorted(decisions.matches, key=lambda m: (STATES.index(m.state), -m.confidence))
        self._matches = order
        for match in order:
            for tag in (match.source, match.target):
                if tag is not None:
                    self._of[tag].append(match)
        self._rows: dict[str, list[Mapping[str, Any]]] = collections.defaultdict(list)
        for row in rows:
            if row["target"] is not None and row["same"] is not None:
                self._rows[row["source"]].append(row)
        self._group: dict[str, list[str]] = collections.defaultdict(list)
        for tag, canonical in decisions.canonical.items():
            self._group[canonical].append(tag)
        self._counterparts = self._find_counterparts()

    @property
    def several(self) -> bool:
        """Whether there are several catalogues."""
        return len(self.decisions.vocabulary.systems) > 1

    def side(self, tag: str) -> Side:
        """A tag with its counts."""
        vocabulary = self.decisions.vocabulary
        prefix = vocabulary.system_of(tag) if tag in vocabulary.index else ""
        tracks, artists = self.decisions.tracks.get(tag), self.decisions.artists.get(tag)
        return Side(tag, prefix, short(tag[len(prefix) :], _LONGEST), tracks, artists)

    def tally(self) -> Tally:
        """The numbers at the top of the page."""
        decisions = self.decisions
        return Tally(
            tags=len(decisions.vocabulary),
            merged=sum(tag != its for tag, its in decisions.canonical.items()),
            nested=sum(bool(above) for above in decisions.parents.values()),
            same=len(self._counterparts),
            left=len(decisions.vocabulary) - len(self._counterparts) if self.several else 0,
            senses=len(decisions.senses),
            review=len(self._once("review")),
            untold=sum(1 for _ in self._untold()),
            blocked=len(decisions.blocked),
            people=len({match.source for match in decisions.matches if match.by != MACHINE}),
        )

    def merged(self) -> dict[str, list[Pair]]:
        """{one of `KINDS`: merged tags with those that stand for them}, the most tracks first."""
        found: dict[str, list[Pair]] = {kind: [] for kind in KINDS}
        for tag, canonical in self.decisions.canonical.items():
            if tag != canonical:
                kind, pair = self._merge(tag, canonical)
                found[kind].append(pair)
        return {kind: sorted(pairs, key=_size, reverse=True) for kind, pairs in found.items()}

    def same(self) -> tuple[list[Pair], list[Pair]]:
        """Accepted pairs of two catalogues, the surest first: the same, and otherwise related."""
        pairs = [match for match in self._once("accepted") if self._apart(match)]
        alike = [self._pair(match) for match in pairs if match.relation in ("exact", "close")]
        return alike, [self._pair(m) for m in pairs if m.relation not in ("exact", "close")]

    def review(self) -> list[Pair]:
        """Pairs to be reviewed, the most useful first."""
        found = self._once("review")
        found.sort(key=lambda match: -usefulness(match, self.decisions.tracks))
        return [self._pair(match) for match in found]

    def people(self) -> dict[str, list[Pair]]:
        """{what people said: the pairs}."""
        heads = {"accepted": "Right", "rejected": "Wrong", "unsure": "Not sure"}
        return {
            head: [
                self._pair(match) if match.target is not None else self._alone(match)
                for match in self._matches
                if match.by != MACHINE and match.state == state
            ]
            for state, head in heads.items()
        }

    def alone(self) -> tuple[list[Pair], list[Pair], list[Pair]]:
        """Tags without an accepted counterpart, the most tracks first.

        Returns:
          Those that surely have none, others with their nearest candidate, and those of which
          nothing can be told.
        """
        untold = {match.source: match for match in self._untold()}
        none = {
            match.source: match
            for match in self._matches
            if match.target is None and match.state == "accepted"
        }
        left = [tag for tag in self.decisions.vocabulary.tags if tag not in self._counterparts]
        left = [tag for tag in left if self.several and tag not in untold]
        return (
            self._sorted(self._alone(none[tag]) for tag in left if tag in none),
            self._sorted(self._nearest(tag) for tag in left if tag not in none),
            self._sorted(map(self._alone, untold.values())),
        )

    def objections(self) -> list[Pair]:
        """Where the sound puts a tag below another than the tree does, the surest first."""
        return [self._pair(match) for match in self._objecting()]

    def tree(self) -> dict[str, list[Node]]:
        """{catalogue: its tags that are above or below others, each below its first parent}."""
        below: dict[str, list[str]] = collections.defaultdict(list)
        for child, above in self.decisions.parents.items():
            if above:
                below[above[0]].append(child)
        children = {child for its in below.values() for child in its}
        objections: dict[str, list[tuple[Side, float]]] = collections.defaultdict(list)
        for match in self._objecting():
            other = (self.side(str(match.target)), match.confidence)
            objections[self.decisions.canonical.get(match.source, match.source)].append(other)
        found: dict[str, list[Node]] = collections.defaultdict(list)
        roots = sorted(below.keys() - children, key=_alphabetical, reverse=True)
        stack = [(tag, 0) for tag in roots]
        while stack:
            tag, level = stack.pop()
            found[self._system(tag)].append(self._node(tag, level, objections.get(tag, ())))
            lower = min(level + 1, _LEVELS)
            stack += [(k, lower) for k in sorted(below[tag], key=_alphabetical, reverse=True)]
        return {
            system: found[system] for system in self.decisions.vocabulary.systems if system in found
        }

    def senses(self, artists: int) -> list[dict[str, Any]]:
        """Tags of two senses, with so many artists of each."""
        return [
            {"side": self.side(senses.tag), "senses": self._senses(senses, artists)}
            for senses in self.decisions.senses
        ]

    def blocked(self) -> list[tuple[Side, str]]:
        """Tags that are no genres, and why; the most tracks first."""
        found = [(self.side(tag), why) for tag, why in self.decisions.blocked.items()]
        return sorted(found, key=lambda each: (-(each[0].tracks or 0), each[0].tag))

    def index(self) -> Iterator[tuple[Side, list[tuple[str, tuple[Side, ...], float | None]]]]:
        """Each tag, and what became of it: (words, tags, probability)."""
        reviewed = collections.defaultdict(list)
        for match in self._once("review"):
            for tag, other in ((match.source, match.target), (match.target, match.source)):
                reviewed[tag].append((other, match.confidence))
        untold = {match.source for match in self._untold()}
        divided = {senses.tag: senses.nearest for senses in self.decisions.senses}
        for tag in sorted(self.decisions.vocabulary.tags, key=_alphabetical):
            became: list[tuple[str, tuple[Side, ...], float | None]] = []
            canonical = self.decisions.canonical[tag]
            above = self.decisions.parents.get(tag, ())
            if tag in self.decisions.blocked:
                became.append((f"no genre: {self.decisions.blocked[tag]}", (), None))
            if canonical != tag:
                became.append(("merged into", (self.side(canonical),), None))
            if canonical in self.decisions.called:
                became.append((f"called {self.decisions.called[canonical]}", (), None))
            if tag in self._counterparts:
                other, confidence = self._counterparts[tag]
                became.append(("the same as", (self.side(other),), confidence))
            if above:
                became.append(("below", tuple(map(self.side, above[:3])), None))
            if tag in divided:
                became.append(("of two senses:", tuple(map(self.side, divided[tag])), None))
            if tag in reviewed:
                other, confidence = reviewed[tag][0]
                became.append(("to be reviewed with", (self.side(str(other)),), confidence))
            if tag in untold:
                became.append(("cannot be told", (), None))
            yield self.side(tag), became

    def _once(self, state: str) -> list[Match]:
        """The pairs in a state, each once: the narrower tag first, or that of the first system."""
        found: dict[frozenset[str], Match] = {}
        for match in self._matches:
            if match.state == state and match.target is not None:
                key = frozenset((match.source, match.target))
                old, new = found.get(key), self._turned(match)
                better = old is None or (new == match and old.relation == new.relation)
                if better and (old is None or new.confidence >= old.confidence):
                    found[key] = new
        return [*found.values()]

    def _turned(self, match: Match) -> Match:
        """A match in the direction in which the page shows it."""
        systems = self.decisions.vocabulary.systems
        places = [self._system(tag) for tag in (match.source, match.target)]
        turn = match.relation == "narrow"
        if match.relation not in INVERSE and places[0] != places[1]:
            turn = systems.index(places[0]) > systems.index(places[1])
        if not turn or match.target is None:
            return match
        relation = INVERSE.get(match.relation, match.relation)
        return dataclasses.replace(
            match, source=match.target, target=match.source, relation=relation
        )

    def _system(self, tag: str | None) -> str:
        return self.decisions.vocabulary.system_of(str(tag))

    def _apart(self, match: Match) -> bool:
        """Whether a match is of two catalogues."""
        return match.target is not None and self._system(match.source) != self._system(match.target)

    def _pair(self, match: Match) -> Pair:
        assert match.target is not None
        return Pair(
            self.side(match.source),
            self.side(match.target),
            SIGNS[match.relation],
            match.confidence,
            _said(match),
            match.note,
            self._rivals_of(match.source, match.target),
            match.by if match.by != MACHINE else "",
        )

    def _alone(self, match: Match) -> Pair:
        """A tag without counterpart."""
        known = match.confidence if match.state != "candidate" else None
        by = match.by if match.by != MACHINE else ""
        side = self.side(match.source)
        return Pair(side, None, SIGNS["none"], known, _said(match), match.note, by=by)

    def _nearest(self, tag: str) -> Pair:
        """A tag with its likeliest candidate in another catalogue."""
        for match in self._of[tag]:
            if self._apart(match) and match.state != "rejected":
                turn = match.source != tag
                relation = INVERSE.get(match.relation, match.relation) if turn else match.relation
                other = match.source if turn else str(match.target)
                turned = dataclasses.replace(match, source=tag, target=other, relation=relation)
                return self._pair(turned)
        return Pair(self.side(tag), None, "")

    def _merge(self, tag: str, canonical: str) -> tuple[str, Pair]:
        """Why a tag was merged, and the pair."""
        group = {*self._group[canonical]}
        ways = [
            match
            for match in self._of[tag]
            if match.state == "accepted"
            and match.relation == "exact"
            and {match.source, str(match.target)} <= group
        ]
        by_people = [match for match in ways if match.by != MACHINE]
        direct = [match for match in ways if canonical in (match.source, match.target)]
        best = next(iter(by_people or direct or ways), None)
        if best is None:
            note = "follows from what people say of both"
            return "people", Pair(self.side(tag), self.side(canonical), SIGNS["exact"], note=note)
        spelt = any(reason.source == "spelling" for reason in best.reasons)
        kind = "people" if best.by != MACHINE else "spelling" if spelt else "sound"
        through = best.source if best.target == tag else str(best.target)
        note = best.note if through == canonical else f"by way of {through}"
        pair = dataclasses.replace(best, source=tag, target=canonical, note=note)
        return kind, self._pair(pair)

    def _rivals_of(
        self, first: str, second: str
    ) -> tuple[tuple[Side, tuple[tuple[Side, float], ...]], ...]:
        """The next candidates of two tags for each other's place."""
        canonical, found = self.decisions.canonical, []
        for tag, other in ((first, second), (second, first)):
            ends = {canonical[tag], canonical[other]}
            rows = [
                row
                for row in self._rows.get(tag, ())
                if self._system(row["target"]) == self._system(other)
                and canonical[row["target"]] not in ends
            ]
            rows.sort(key=lambda row: -row["same"])
            near = [(self.side(row["target"]), row["same"]) for row in rows[: self._rivals]]
            likely = [each for each in near if each[1] >= _UNLIKELY] or near[:1]
            if likely:
                found.append((self.side(tag), tuple(likely)))
        return tuple(found)

    def _untold(self) -> Iterator[Match]:
        """Tags of which nothing can be told."""
        for match in self._matches:
            if match.state == "candidate" and match.target is None and match.note:
                yield match

    def _objecting(self) -> list[Match]:
        """Matches by which a tag that has its place in the tree is below another."""
        canonical, parents = self.decisions.canonical, self.decisions.parents
        within = [match for match in self._once("review") if not self._apart(match)]
        return [
            match
            for match in within
            if match.relation == "broad"
            and {reason.source for reason in match.reasons} != {"spelling"}
            and (above := parents.get(canonical[match.source]))
            and canonical[str(match.target)] not in above
        ]

    def _find_counterparts(self) -> dict[str, tuple[str, float]]:
        """{tag: (the same tag in another catalogue, probability)}, the surest of each."""
        found: dict[str, tuple[str, float]] = {}
        for match in self._matches:
            alike = match.state == "accepted" and match.relation in ("exact", "close")
            if alike and self._apart(match):
                assert match.target is not None
                found.setdefault(match.source, (match.target, match.confidence))
                found.setdefault(match.target, (match.source, match.confidence))
        return found

    def _node(self, tag: str, level: int, objections: Iterable[tuple[Side, float]]) -> Node:
        above = self.decisions.parents.get(tag, ())
        links = {
            match.target: match
            for match in self._of[tag]
            if match.source == tag and match.relation == "broad" and match.state == "accepted"
        }
        link = links.get(above[0]) if above else None
        counted = link is not None and any(r.source == "together" for r in link.reasons)
        share = link.confidence if link is not None and counted else None
        merged = tuple(self.side(other) for other in self._group[tag] if other != tag)
        also = tuple(map(self.side, above[1:]))
        return Node(self.side(tag), level, share, also, merged, tuple(objections))

    def _senses(self, senses: TwoSenses, artists: int) -> list[dict[str, Any]]:
        return [
            {
                "nearest": self.side(nearest),
                "artists": [short(artist) for artist in group[:artists]],
                "total": len(group),
            }
            for nearest, group in zip(senses.nearest, senses.artists, strict=True)
        ]

    def _sorted(self, pairs: Iterable[Pair]) -> list[Pair]:
        return sorted(pairs, key=lambda pair: (-(pair.first.tracks or 0), pair.first.tag))


def _said(match: Match) -> tuple[Said, ...]:
    """What each source says, in words."""
    found = []
    for reason in match.reasons:
        name, meaning = _SOURCES.get(reason.source, (reason.source, reason.measure))
        if reason.source == "person":
            value = _VERDICTS.get(reason.measure, reason.measure)
        elif reason.source == "spelling":
            value = "the same name" if reason.measure == "equal" else reason.measure
        elif reason.value is None:
            value = reason.measure
        elif reason.source == "joint":
            value = percent(reason.value)
        else:
            value = f"{reason.value:.2f}"
        if reason.measure == "share of its tracks" and reason.value is not None:
            name, value = "tracks", f"{percent(reason.value)} have both"
            meaning = "share of the tracks of the narrower tag that have the broader one too"
        found.append(Said(name, value, f"{meaning} ({reason.measure})"))
    return tuple(found)


def percent(probability: float) -> str:
    """A probability for a reader; one that is not certain is never rounded to 0 or 100.

    >>> [percent(value) for value in (0.874, 0.9996, 0.0031, 1.0)]
    ['87 %', '> 99.9 %', '0.3 %', '100 %']
    """
    shown = 100 * probability
    if 1 <= shown <= 99 or shown in (0, 100):
        return f"{shown:.0f} %"
    if shown < 0.1 or shown > 99.9:
        return "< 0.1 %" if shown < 1 else "> 99.9 %"
    return f"{shown:.1f} %"


def _size(pair: Pair) -> tuple[int, str]:
    return (pair.first.tracks or 0, pair.first.tag)


def _alphabetical(tag: str) -> tuple[str, str]:
    return (tag.casefold(), tag)
