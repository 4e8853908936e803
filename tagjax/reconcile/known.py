"""Facts as decisions ask for them, and the matches that were found so far."""

import collections
from collections.abc import Mapping
from typing import Any

from tagjax.reconcile.config import ReconcileConfig
from tagjax.reconcile.decisions import MACHINE, STATES, Match, Reason, TwoSenses
from tagjax.reconcile.facts import Facts
from tagjax.reconcile.parents import find_tree
from tagjax.vocabulary.tags import GENRE

Row = Mapping[str, Any]
"""A row of EVIDENCE, as {column: cell}."""


class Known:
    """Facts, as they are asked for."""

    def __init__(self, facts: Facts, config: ReconcileConfig):
        self.facts, self.config, self.vocabulary = facts, config, facts.vocabulary
        self.row: dict[tuple[str, str], Row] = {}
        self.first: dict[tuple[str, str], Row] = {}
        """{(tag, tag system): row of the first candidate there}."""
        self.takers: dict[str, list[Row]] = collections.defaultdict(list)
        """{tag: rows of other systems whose first candidate it is}."""
        self.untold: dict[str, int] = {}
        """{tag of which nothing can be told: its artists}."""
        self.pairs = facts.people.on_pairs()
        self.has_sound = any(row["fr"] is not None for row in facts.rows)
        told = set()
        for row in facts.rows:
            if row["target"] is None:
                self.untold[row["source"]] = row["source_artists"]
                continue
            told.add(row["source"])
            self.row[row["source"], row["target"]] = row
            place_of = row["source"], self.system(row["target"])
            best = self.first.get(place_of)
            if not self._refused(row) and (best is None or row["rank"] < best["rank"]):
                self.first[place_of] = row
        for row in self.first.values():
            self.takers[row["target"]].append(row)
        self.twin = self._twins()
        self.untold = {tag: count for tag, count in self.untold.items() if tag not in told}
        whole, split = set[str](), facts.people.choices.split
        if facts.senses:
            links = find_tree(facts, {tag: tag for tag in facts.vocabulary.tags}, (), config).links
            whole = {tag for pair in self.surest() for tag in pair}.union(*links.values())
        self.senses: tuple[TwoSenses, ...] = tuple(
            sense for sense in facts.senses if split.get(sense.tag, sense.tag not in whole)
        )
        self.divided = {sense.tag for sense in self.senses}
        self.divided |= {tag for tag, is_split in split.items() if is_split}

    def _refused(self, row: Row) -> bool:
        """Whether a person says that the tags of a row are not the same."""
        said = self.pairs.get(frozenset((row["source"], row["target"])))
        alike = said is not None and said.relation in ("exact", "close")
        return said is not None and said.verdict == "negative" and alike

    def is_first(self, row: Row) -> bool:
        """Whether a target is its source's first candidate, after those that people refused."""
        return self.first.get((row["source"], self.system(row["target"]))) is row

    def system(self, tag: str) -> str:
        """The tag system of a tag."""
        return self.vocabulary.system_of(tag)

    def name(self, tag: str) -> str:
        """A tag without its prefix."""
        return self.vocabulary.names[self.vocabulary.index[tag]]

    def _twins(self) -> dict[str, tuple[str, float]]:
        """{tag: the tag of its system that may be the same, with the probability of that}."""
        return {
            pair[0]: (pair[1], self.duplicate(*pair))
            for pair, row in self.row.items()
            if self.system(pair[0]) == self.system(pair[1])
            and self.both_first(row)
            and not self.apart(*pair)
        }

    def mutual(self, first: str, second: str) -> float:
        """The smaller probability of both directions that two tags are the same; 0 if unknown."""
        return min(self._same(first, second), self._same(second, first))

    def _same(self, source: str, target: str) -> float:
        """Probability that two tags are the same, as the source says.

        If the target may be the same as another tag, the source's answer is split between them, so
        what falls to the other counts too, as far as the two are one (total probability).
        """
        found = self.row[source, target]["same"] if (source, target) in self.row else 0.0
        other, one = self.twin.get(target, ("", 0.0))
        if (source, other) in self.row and self.system(source) != self.system(target):
            found += one * self.row[source, other]["same"]
        return found

    def duplicate(self, first: str, second: str) -> float:
        """Probability that two tags of one system are the same.

        If both have one first candidate in another system, it is no more than one's counterpart,
        unless they are the same (Bayes' rule).
        """
        same = min(self.row[pair]["same"] for pair in ((first, second), (second, first)))
        for system in self.vocabulary.systems:
            rows = self.first.get((first, system)), self.first.get((second, system))
            if rows[0] and rows[1] and rows[0]["target"] == rows[1]["target"]:
                one, two = rows[0]["same"], rows[1]["same"]
                both = same * (one * two + (1 - one) * (1 - two))
                same = both / (both + (1 - same) * (1 - one * two))
        return same

    def apart(self, first: str, second: str) -> str:
        """Why two tags of a system that sound the same are still two; "" if nothing says so."""
        if level := self.level(first, second):
            return level
        index, tags = self.vocabulary.index, self.facts.tags
        columns = [tags[:, [index[tag]]] for tag in (first, second)]
        both = int(columns[0].multiply(columns[1]).sum())
        least = min(self.facts.tracks[first], self.facts.tracks[second])
        if both > self.config.shared * least:
            return f"{both} tracks have both, so somebody told them apart"
        return ""

    def both_first(self, row: Row) -> bool:
        """Whether each tag of a pair is the other's first candidate in its system."""
        back = self.first.get((row["target"], self.system(row["source"])))
        return back is not None and back["target"] == row["source"] and self.is_first(row)

    def likely(self, row: Row) -> bool:
        """Whether that is so, and in both directions "the same" is likelier than all else."""
        if not self.both_first(row):
            return False
        return row["relation"] == self.row[row["target"], row["source"]]["relation"] == "same"

    def accepted(self, first: str, second: str) -> bool:
        """Whether two tags are surely the same, if each is the other's first candidate."""
        pairs = ((first, second), (second, first))
        listed = all(pair in self.row and self.row[pair]["accepted"] for pair in pairs)
        return listed or self.mutual(first, second) >= self.config.sure

    def surest(self) -> list[tuple[str, str]]:
        """Pairs of tags of two systems that evidence accepts."""
        return [
            pair
            for pair, row in self.row.items()
            if self.likely(row)
            and self.accepted(*pair)
            and self.system(pair[0]) != self.system(pair[1])
        ]

    def level(self, first: str, second: str) -> str:
        """Says that one of two tags is a genre and the other a style; "" if both are alike."""
        marked = {self.name(tag).startswith(GENRE) for tag in (first, second)}
        return "one is a genre, the other a style" if len(marked) > 1 else ""

    def rival(self, tag: str, other: str, canonical: Mapping[str, str]) -> str:
        """The likeliest third tag that may be the same as `tag`, as `other` is; "" without any.

        Its probability is at least `review`. A style is no rival of a genre, nor is a tag that
        may be a duplicate of `other`.
        """
        twin, one = self.twin.get(other, ("", 0.0))
        rivals = [
            (row["same"], row["source"])
            for row in self.takers[tag]
            if row["same"] >= self.config.review
            and self.system(row["source"]) == self.system(other)
            and canonical[row["source"]] != canonical[other]
            and not self.level(row["source"], other)
            and not (twin == row["source"] and one >= self.config.review)
        ]
        return max(rivals, default=(0.0, ""))[1]

    def heard(self, *tags: str) -> bool:
        """Whether enough artists speak for each of some tags."""
        least = self.config.heard_artists
        return all(
            self.facts.artists.get(tag, least) >= least and tag not in self.untold for tag in tags
        )

    def reasons(self, first: str, second: str, column: str = "same") -> tuple[Reason, ...]:
        """What the sources say of a pair."""
        row = self.row.get((first, second)) or self.row.get((second, first))
        if row is None:
            return ()
        if (first, second) not in self.row:
            column = {"broad": "narrow", "narrow": "broad"}.get(column, column)
        said = (
            ("joint", "probability", row[column]),
            ("sound", "cosine of fr", row["fr"]),
            ("together", "cosine on common tracks", row["together"]),
        )
        return tuple(
            Reason(source, measure, min(max(value, 0.0), 1.0))
            for source, measure, value in said
            if value is not None and (source != "together" or row["common_tracks"])
        )


class Board:
    """The matches so far; a pair that people decided is theirs."""

    def __init__(self, known: Known):
        self._known = known
        self._matches: dict[tuple[str, str | None], Match] = {}

    def put(self, match: Match) -> None:
        """Adds a match, unless there is one of that pair and direction that says more."""
        key = (match.source, match.target)
        if match.by == MACHINE and frozenset(key) in self._known.pairs:
            return
        old = self._matches.get(key)
        if old is not None and old.by != MACHINE == match.by:
            return
        if old is None or STATES.index(match.state) < STATES.index(old.state):
            self._matches[key] = match

    def has(self, source: str, target: str) -> bool:
        """Whether there is a match of that pair and direction."""
        return (source, target) in self._matches

    def all(self) -> tuple[Match, ...]:
        """All matches, the accepted ones first, the surest of each state first."""
        return tuple(
            sorted(
                self._matches.values(),
                key=lambda match: (
                    STATES.index(match.state),
                    -match.confidence,
                    match.source,
                    match.target or "",
                ),
            )
        )
