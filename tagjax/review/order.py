"""Which pair a person decides next: the one whose answer is least sure and touches most tracks."""

import math
from collections.abc import Iterable, Mapping

from tagjax.reconcile.decisions import MACHINE, Match
from tagjax.review.people_store import Key, key_of

_LEAST = 0.05
"""Likelier or less likely than so, or 1 less so, a pair is sure enough not to be asked."""
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


def is_open(match: Match) -> bool:
    """Whether a person is asked about a pair.

    What is up for review is asked; so are candidates that may well be right, and pairs that the
    machine took for the same though they may well be wrong.

    >>> [is_open(Match("a", "b", "exact", p, "accepted")) for p in (0.8, 0.99)]
    [True, False]
    """
    if match.target is None or match.by != MACHINE:
        return False
    if match.state == "review":
        return True
    unsure = _LEAST <= match.confidence <= 1 - _LEAST
    if match.state == "accepted":
        return unsure and match.relation in ("exact", "close")
    return unsure and match.state == "candidate"


def offered(pairs: Mapping[Key, Match], tracks: Mapping[str, int]) -> list[Key]:
    """The pairs to be decided, the most useful first.

    Args:
      pairs: {pair: its match}.
      tracks: {tag: number of its tracks}.

    >>> matches = [Match("a", "b", "exact", p, "review") for p in (0.5, 0.9)]
    >>> pairs = {("a", "b"): matches[1], ("a", "c"): matches[0]}
    >>> offered(pairs, {"a": 3, "b": 2, "c": 9})
    [('a', 'c'), ('a', 'b')]
    """
    found = [(key, match) for key, match in pairs.items() if is_open(match)]
    found.sort(key=lambda pair: (-usefulness(pair[1], tracks), pair[0]))
    return [key for key, _ in found]


def usefulness(match: Match, tracks: Mapping[str, int]) -> float:
    """How unsure a match is, times the tracks that its answer touches.

    These are the tracks of the rarer tag: at most so many get another tag.
    """
    affected = min(tracks.get(tag, 0) for tag in (match.source, match.target) if tag)
    floor = _FLOOR if match.state == "review" else 0.0
    return max(unsureness(match.confidence), floor) * (1 + affected)
