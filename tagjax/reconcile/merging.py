"""Which tags of one system are merged: what people say first, then spelling, then evidence."""

import collections
import dataclasses
import itertools
from collections.abc import Iterable

from tagjax.base.errors import InputError
from tagjax.reconcile import doubtful, spelling
from tagjax.reconcile.blocked import find_blocked
from tagjax.reconcile.decisions import Match, Reason
from tagjax.reconcile.known import Board, Known
from tagjax.reconcile.people import Said

_ALIKE = 0.99
"""Confidence of tags that differ in spelling alone, and"""
_LIKELY = 0.7
"""of initials, and with and without the word music, and"""
_DOUBTFUL = 0.5
"""of other names that may be one."""


class Groups:
    """Tags that are merged, with no pair in a group that may not be."""

    def __init__(self, known: Known):
        self._known = known
        self._group = {tag: [tag] for tag in known.vocabulary.tags}
        self.notes: list[str] = []

    def obstacle(self, first: str, second: str, by_people: bool) -> Said | str:
        """What people said against merging two groups, or the tag of two senses; "" if nothing."""
        pairs = itertools.product(self._group[first], self._group[second])
        for pair in pairs:
            said = self._known.pairs.get(frozenset(pair))
            if said is None or (said.verdict == "positive" and said.relation == "exact"):
                continue
            if said.verdict == "negative" and said.relation not in ("exact", "close"):
                continue
            if not by_people or said.verdict != "unsure":
                return said
        if by_people:
            return ""
        divided = self._known.divided.intersection(self._group[first] + self._group[second])
        return min(divided, default="")

    def join(self, first: str, second: str) -> None:
        """Makes two groups one."""
        small, large = sorted((self._group[first], self._group[second]), key=len)
        if small is not large:
            large += small
            self._group |= dict.fromkeys(small, large)

    def together(self, first: str, second: str) -> bool:
        """Whether two tags are in one group."""
        return self._group[first] is self._group[second]

    def canonical(self) -> dict[str, str]:
        """{tag: the tag of its group with the most tracks}."""
        names = dict(zip(self._known.vocabulary.tags, self._known.vocabulary.names, strict=True))
        tracks = self._known.facts.tracks
        return {
            tag: min(group, key=lambda each: spelling.rank(each, names, tracks))
            for tag, group in self._group.items()
        }


def merge(known: Known, board: Board) -> Groups:
    """Merges tags within each system: what people say first, then spelling, then evidence."""
    groups = Groups(known)
    exact = [
        said
        for said in known.facts.people.said
        if said.verdict == "positive" and said.relation == "exact" and said.target is not None
    ]
    for said in _implied(known, exact):
        obstacle = groups.obstacle(said.source, str(said.target), by_people=True)
        if isinstance(obstacle, Said):
            raise InputError(
                f"{obstacle.place}: contradicts {said.place}, by which {said.source!r} and "
                f"{said.target!r} are the same; drop one of these rows"
            )
        if said not in exact:
            groups.notes.append(
                f"{said.source!r} and {said.target!r} are merged, as people say that both are the "
                f"same as one tag of another catalogue ({said.place})."
            )
        groups.join(said.source, str(said.target))
    for match in (*_spelt_alike(known), *_duplicates(known)):
        assert match.target is not None
        if match.state == "accepted":
            obstacle = groups.obstacle(match.source, match.target, by_people=False)
            if not obstacle or groups.together(match.source, match.target):
                groups.join(match.source, match.target)
            else:
                why = f"{obstacle!r} may be of two senses"
                if isinstance(obstacle, Said):
                    why = f"{obstacle.by} keeps {obstacle.source!r} and {obstacle.target!r} apart"
                match = dataclasses.replace(match, state="review", note=f"not merged: {why}")
        board.put(match)
    return groups


def _implied(known: Known, exact: list[Said]) -> Iterable[Said]:
    """Pairs within a system that people say are the same, or that follow from what they say."""
    graph: dict[str, list[tuple[str, Said]]] = collections.defaultdict(list)
    for said in exact:
        assert said.target is not None
        graph[said.source].append((said.target, said))
        graph[said.target].append((said.source, said))
        if known.system(said.source) == known.system(said.target):
            yield said
    for start in known.vocabulary.tags:
        seen, left = {start}, [(start, "")]
        while left and start in graph:
            tag, way = left.pop()
            for other, said in graph[tag]:
                if other not in seen:
                    seen.add(other)
                    places = f"{way}, {said.place}" if way else said.place
                    left.append((other, places))
                    apart = known.system(tag) != known.system(other)
                    if apart and known.system(start) == known.system(other) and start < other:
                        yield dataclasses.replace(said, source=start, target=other, place=places)


def _spelt_alike(known: Known) -> Iterable[Match]:
    """Merges of tags of one system that differ in spelling alone, or that may."""
    for group in spelling.find_groups(known.vocabulary, known.facts.tracks):
        first = group.tags[0]
        for tag, kinds in zip(group.tags[1:], group.kinds[1:], strict=True):
            reasons = (Reason("spelling", ", ".join(kinds)), *known.reasons(tag, first))
            match = Match(tag, first, "exact", _ALIKE, "accepted", reasons)
            if _objects(known, tag, first):
                confidence = max(known.mutual(tag, first), 0.01)
                note = "one spelling, but they sound different"
                match = dataclasses.replace(match, confidence=confidence, state="review", note=note)
            yield match
    yield from _maybe_alike(known)


def _maybe_alike(known: Known) -> Iterable[Match]:
    """Tags of one system whose names are near, unless they are no genres or sound different."""
    blocked = find_blocked(known.vocabulary, known.facts.artist_names)
    for doubt in doubtful.find_doubts(known.vocabulary, known.facts.tracks):
        pair = doubt.tag, doubt.target
        if doubt.relation == "broad" and (
            known.facts.taxonomy is not None or pair in known.row or pair[::-1] in known.row
        ):
            continue
        if not blocked.keys() & {*pair} and not _objects(known, *pair):
            confidence = _LIKELY if doubt.kind in ("initials", "music") else _DOUBTFUL
            reasons = (Reason("spelling", doubt.kind), *known.reasons(*pair))
            note = doubtful.WHY[doubt.kind]
            yield Match(*pair, doubt.relation, confidence, "review", reasons, note=note)


def _objects(known: Known, first: str, second: str) -> bool:
    """Whether the sound speaks clearly against two tags being the same."""
    row = known.row.get((first, second)) or known.row.get((second, first))
    if row is None or row["score"] is None or not known.heard(first, second):
        return False
    likely = max(known.mutual(first, second), row["same"])
    return row["score"] < known.config.objection and likely < 0.05


def _duplicates(known: Known) -> Iterable[Match]:
    """Merges of tags of one system that evidence takes for the same, the surest first."""
    found = []
    for (first, second), row in known.row.items():
        if known.system(first) != known.system(second) or not first < second:
            continue
        confidence = known.duplicate(first, second) if known.both_first(row) else 0.0
        if confidence < known.config.duplicate:
            continue
        note = known.apart(first, second)
        if note and confidence < known.config.review:
            continue
        listed = known.likely(row) and known.accepted(first, second)
        sure = not note and (listed or confidence >= known.config.sure)
        state = "accepted" if sure else "review"
        few, many = sorted((first, second), key=lambda tag: (known.facts.tracks[tag], tag))
        reasons = known.reasons(few, many)
        found.append(Match(few, many, "exact", confidence, state, reasons, note=note))
    return sorted(found, key=lambda match: -match.confidence)
