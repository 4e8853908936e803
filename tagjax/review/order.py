"""Which pair a person decides next: the one whose answer is least sure and touches most tracks."""

from collections.abc import Iterable, Mapping

from tagjax.reconcile.decisions import MACHINE, Match
from tagjax.reconcile.usefulness import usefulness
from tagjax.review.documents import Key, key_of

_LEAST = 0.05
"""Likelier or less likely than so, or 1 less so, a pair is sure enough not to be asked."""


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
