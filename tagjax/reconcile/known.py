"""Facts as decisions ask for them, and the matches that were found so far."""

from collections.abc import Mapping
from typing import Any

from tagjax.reconcile.config import ReconcileConfig
from tagjax.reconcile.decisions import MACHINE, STATES, Match, Reason, TwoSenses
from tagjax.reconcile.facts import Facts

Row = Mapping[str, Any]
"""A row of EVIDENCE, as {column: cell}."""


class Known:
    """Facts, as they are asked for."""

    def __init__(self, facts: Facts, config: ReconcileConfig):
        self.facts, self.config, self.vocabulary = facts, config, facts.vocabulary
        self.row: dict[tuple[str, str], Row] = {}
        self.first: dict[tuple[str, str], Row] = {}
        """{(tag, tag system): row of the first candidate there}."""
        self.untold: dict[str, int] = {}
        """{tag of which nothing can be told: its artists}."""
        told = set()
        for row in facts.rows:
            if row["target"] is None:
                self.untold[row["source"]] = row["source_artists"]
                continue
            told.add(row["source"])
            self.row[row["source"], row["target"]] = row
            if row["rank"] == 1:
                self.first[row["source"], self.system(row["target"])] = row
        self.untold = {tag: count for tag, count in self.untold.items() if tag not in told}
        self.pairs = facts.people.on_pairs()
        paired = {tag for pair in self.surest() for tag in pair}
        split = facts.people.choices.split
        self.senses: tuple[TwoSenses, ...] = tuple(
            sense for sense in facts.senses if split.get(sense.tag, sense.tag not in paired)
        )
        self.divided = {sense.tag for sense in self.senses}
        self.divided |= {tag for tag, is_split in split.items() if is_split}

    def system(self, tag: str) -> str:
        """The tag system of a tag."""
        return self.vocabulary.system_of(tag)

    def name(self, tag: str) -> str:
        """A tag without its prefix."""
        return self.vocabulary.names[self.vocabulary.index[tag]]

    def mutual(self, first: str, second: str) -> float:
        """The smaller probability of both directions that two tags are the same; 0 if unknown."""
        return min(
            (self.row[pair]["same"] if pair in self.row else 0.0)
            for pair in ((first, second), (second, first))
        )

    def both_first(self, row: Row) -> bool:
        """Whether each tag of a pair is the other's first candidate, and likeliest the same."""
        back = self.first.get((row["target"], self.system(row["source"])))
        return (
            back is not None
            and back["target"] == row["source"]
            and row["rank"] == 1
            and row["relation"] == back["relation"] == "same"
        )

    def accepted(self, first: str, second: str) -> bool:
        """Whether evidence accepts that two tags are the same."""
        pairs = ((first, second), (second, first))
        accepted = [bool(self.row[pair]["accepted"]) for pair in pairs if pair in self.row]
        mutual = self.mutual(first, second)
        sure = all(accepted) or (any(accepted) and mutual >= self.config.mutual)
        sure = sure or self.config.sure <= min(mutual, 0.999)
        return len(accepted) == 2 and sure

    def surest(self) -> list[tuple[str, str]]:
        """Pairs of tags of two systems that evidence accepts."""
        return [
            pair
            for pair, row in self.row.items()
            if self.both_first(row)
            and self.accepted(*pair)
            and self.system(pair[0]) != self.system(pair[1])
        ]

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
