"""The choices of evidence."""

import dataclasses
import math

from tagjax.base.errors import InputError
from tagjax.evidence.score import ScoreConfig

SENSE_ARTISTS = 3
"""Artists that make a sense of a tag: fewer may be mislabelled."""

_MOST_NAMES = 100
"""e^100 times: nothing that is heard weighs against equal names."""


@dataclasses.dataclass(frozen=True)
class EvidenceConfig:
    """How evidence is gathered and how probabilities are learnt from it.

    Attributes:
      ridges: ridges of the regressions behind fr, in tracks.
      score_ridges: ridges of the regressions behind the two-covariance score, in tracks.
      score: see `ScoreConfig`.
      splits: number of splits into halves to learn from; as many others calibrate.
      asked: queries after which no further ones are made; a large catalogue needs few splits.
      least_artists: artists that a tag needs; with fewer, nothing can be told from its sound.
      without_partner: share of the halves whose partner is taken away, so that "none" is learnt.
      merged: share of the candidates that are two tags in one, so that a broader tag is not taken
        for the same.
      duplicates: share of the tags that have a duplicate in their own tag system, before anything
        is heard.
      common_weight: how much common tracks count beside sound; 1 would take them for independent of
        it, but what sounds like a tag also stands beside it.
      decision_weight: queries of halves that one decision of a person counts for.
      penalty: half of it times the squared weights is added to the mean negative log-likelihood.
      names: equal names are e^names times likelier the same from the start, names half alike
        e^(names/2) times; 0 does not look at names. Halves cannot teach it: they have one name.
      accept_fdr: share of wrong pairs that the list of accepted ones may hold.
      listed: candidates that are listed for each tag.
      clips: tracks to hear for and against each pair.
      senses_artists: artists that a tag needs to be looked at for two senses.
      seed: seed of all draws.

    >>> EvidenceConfig(accept_fdr=0.1).accept_fdr
    0.1

    Reference: `accept_fdr` is of Jin and Candes 2023, https://jmlr.org/papers/v24/22-1176.html
    """

    ridges: tuple[float, ...] = (5.0, 20.0)
    score_ridges: tuple[float, ...] = (5.0, 60.0)
    score: ScoreConfig = ScoreConfig()
    splits: int = 6
    asked: int = 1500
    least_artists: int = 2
    without_partner: float = 0.1
    merged: float = 0.05
    duplicates: float = 0.2
    common_weight: float = 0.25
    decision_weight: int = 1
    penalty: float = 0.1
    names: float = 0.0
    accept_fdr: float = 0.05
    listed: int = 10
    clips: int = 3
    senses_artists: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        at_least_one = ("splits", "asked", "least_artists", "listed", "clips", "decision_weight")
        least = dict.fromkeys(at_least_one, 1) | {"seed": 0, "penalty": 0, "names": 0}
        for name, smallest in (least | {"senses_artists": 2 * SENSE_ARTISTS}).items():
            if not smallest <= getattr(self, name) < math.inf:
                raise InputError(f"{name}={getattr(self, name)}: must be at least {smallest}")
        for name in ("without_partner", "merged", "duplicates", "accept_fdr"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: must be in [0, 1)")
        if not 0 <= self.common_weight <= 1:
            raise InputError(f"common_weight={self.common_weight}: must be in [0, 1]")
        if self.names > _MOST_NAMES:
            raise InputError(f"names={self.names}: must be at most {_MOST_NAMES}")
        if self.without_partner + self.merged >= 1:
            raise InputError(
                f"without_partner={self.without_partner} and merged={self.merged}: must be below 1 "
                "together"
            )
        for name in ("ridges", "score_ridges"):
            values = getattr(self, name)
            if not values or not all(0 < value < math.inf for value in values):
                raise InputError(f"{name}={','.join(map(str, values))}: must be above 0")
