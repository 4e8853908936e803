"""How much a person's word on a pair is worth."""

import math
from collections.abc import Mapping

from tagjax.reconcile.decisions import Match

_FLOOR = 0.3
"""Unsureness of a pair that is up for review for another reason than its probability."""


def unsureness(probability: float) -> float:
    """1 where yes and no are alike, 0 where the answer is known.

    >>> unsureness(0.5), unsureness(1.0), round(unsureness(0.9), 2)
    (1.0, 0.0, 0.47)
    """
    shares = [share for share in (probability, 1 - probability) if share > 0]
    return -sum(share * math.log2(share) for share in shares) + 0.0


def usefulness(match: Match, tracks: Mapping[str, int]) -> float:
    """How unsure a match is, times the tracks that its answer touches.

    These are the tracks of the rarer tag: at most so many get another tag.
    """
    affected = min(tracks.get(tag, 0) for tag in (match.source, match.target) if tag)
    floor = _FLOOR if match.state == "review" else 0.0
    return max(unsureness(match.confidence), floor) * (1 + affected)
