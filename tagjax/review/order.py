"""Which pair a person decides next: the one whose answer is least sure and touches most tracks."""

import math
from collections.abc import Iterable, Mapping

from tagjax.reconcile.decisions import Match
from tagjax.review.people_store import Key, key_of

OPEN = ("review", "candidate")
"""States of pairs that nobody decided, the ones that come first first."""

_LEAST = 0.05
"""A candidate that is less likely is not offered."""
_FLOOR = 0.3
"""Unsureness of a pair that is up for review for another reason than its probability."""


def unsureness(probability: float) -> float:
    """1 where yes and no are alike, 0 where the answer is known.

    >>> unsureness(0.5), unsureness(1.0), round(unsureness(0.9), 2)
    (1.0, 0.0, 0.47)
    """
    shares = [share for share in (probability, 1 - probability) if share > 0]
    return -sum(share * math.log2(share) for share in shares) + 0.0


def primary(matches: Iterable[Match]) -> dict[Key, Match]:
    """{pair: its match}, the one of both directions whose state comes first, then the surest."""
    found: dict[Key, Match] = {}
    for match in matches:  # They are in the order of their states.
        found.setdefault(key_of(match.source, match.target), match)
    return found


def offered(pairs: Mapping[Key, Match], tracks: Mapping[str, int]) -> list[Key]:
    """The pairs to be decided, the most useful first.

    Those up for review come first. Candidates follow that may well be the right ones.

    Args:
      pairs: {pair: its match}.
      tracks: {tag: number of its tracks}.

    >>> matches = [Match("a", "b", "exact", p, "review") for p in (0.5, 0.9)]
    >>> pairs = {("a", "b"): matches[1], ("a", "c"): matches[0]}
    >>> offered(pairs, {"a": 3, "b": 2, "c": 9})
    [('a', 'c'), ('a', 'b')]
    """
    ranked = []
    for key, match in pairs.items():
        if match.state not in OPEN or match.target is None:
            continue
        review = match.state == "review"
        if review or _LEAST <= match.confidence <= 1 - _LEAST:
            ranked.append((not review, -usefulness(match, tracks), key))
    return [key for *_, key in sorted(ranked)]


def usefulness(match: Match, tracks: Mapping[str, int]) -> float:
    """How unsure a match is, times the tracks that its answer touches."""
    affected = min(tracks.get(tag, 0) for tag in (match.source, match.target) if tag)
    floor = _FLOOR if match.state == "review" else 0.0
    return max(unsureness(match.confidence), floor) * (1 + affected)
