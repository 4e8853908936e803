"""The choices of reconciling."""

import dataclasses
import math

from tagjax.base.errors import InputError


@dataclasses.dataclass(frozen=True)
class ReconcileConfig:
    """How evidence becomes decisions.

    Attributes:
      sure: probability, in both directions, from which two tags are accepted as the same if each is
        the other's first candidate. What evidence accepts in both directions
        (`EvidenceConfig.accept_fdr`) is accepted too; 1 leaves all to that list.
      review: probability from which a pair that may be the same is put up for review.
      duplicate: the same for two tags of one system, each the nearest of the other, that nothing
        tells apart; so likely is a duplicate before anything is heard (`EvidenceConfig`).
      relation: probability from which a broader, narrower or related tag is put up for review.
      named: probability from which tags of the same name are accepted as the same.
      none: probability from which a tag is said to have no counterpart.
      contained: share of a tag's tracks that have another tag, from which that is its parent.
      wider: times as many tracks a parent has.
      parents: broader tags of a tag at most, the likeliest; more are chance.
      parent_tracks: tracks with both tags that a parent needs.
      parent_artists: artists with both tags that a parent needs, if artists are known.
      heard_artists: artists that both tags need, so that their sound can object.
      objection: score of their sound below which tags of one spelling are not merged.
      shared: share of a tag's tracks; if more have the other tag too, the two are not duplicates
        for the sound alone, as somebody told them apart.

    >>> ReconcileConfig(contained=0.8).contained
    0.8

    Reference: `contained` is of Sanderson and Croft 1999, https://doi.org/10.1145/312624.312679
    """

    sure: float = 0.65
    review: float = 0.3
    duplicate: float = 0.2
    relation: float = 0.5
    named: float = 0.5
    none: float = 0.95
    contained: float = 0.7
    wider: float = 1.5
    parents: int = 3
    parent_tracks: int = 3
    parent_artists: int = 2
    heard_artists: int = 4
    objection: float = -10.0
    shared: float = 0.3

    def __post_init__(self) -> None:
        for name in (
            "sure",
            "review",
            "duplicate",
            "relation",
            "named",
            "none",
            "contained",
            "shared",
        ):
            if not 0 < getattr(self, name) <= 1:
                raise InputError(f"{name}={getattr(self, name)}: must be above 0 and at most 1")
        for name in ("wider", "parents", "parent_tracks", "parent_artists", "heard_artists"):
            if not 1 <= getattr(self, name) < math.inf:
                raise InputError(f"{name}={getattr(self, name)}: must be at least 1")
        if self.contained <= 0.5:
            raise InputError(f"contained={self.contained}: must be above .5")
        if not math.isfinite(self.objection):
            raise InputError(f"objection={self.objection}: must be a number")
