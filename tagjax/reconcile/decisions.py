"""What is decided of tags: which are the same, which is below which, what is put up for review."""

import dataclasses
from collections.abc import Mapping

from tagjax.vocabulary.vocabulary import Vocabulary

RELATIONS = ("exact", "close", "broad", "narrow", "related", "none")
"""What a target is to its source: `broad` says that the target is the broader one, as in SKOS."""

STATES = ("accepted", "review", "candidate", "rejected", "unsure")
"""What became of a match: `accepted` by a person or by the rules; `review` is worth a person's
look; `candidate` is the best there is, however unlikely; people said `rejected` and `unsure`."""

MACHINE = "tagjax"
"""Who decided, if it was no person."""


@dataclasses.dataclass(frozen=True)
class Reason:
    """What one source says of a match.

    Attributes:
      source: "joint" (all evidence together), "sound", "together" (tracks of both tags),
        "spelling", or "person".
      measure: what the value is, such as "probability", "cosine of fr", "plural".
      value: in [0, 1]; None if the source says yes or no only.
    """

    source: str
    measure: str
    value: float | None = None


@dataclasses.dataclass(frozen=True)
class Match:
    """What is said of two tags.

    Attributes:
      source: a whole tag, with its prefix.
      target: another; None says that the source has no counterpart (relation "none").
      relation: one of `RELATIONS`.
      confidence: probability of this relation, in [0, 1].
      state: one of `STATES`.
      reasons: what each source says.
      by: who decided: `MACHINE`, or a person's name.
      note: one sentence for a reader, or "".
    """

    source: str
    target: str | None
    relation: str
    confidence: float
    state: str
    reasons: tuple[Reason, ...] = ()
    by: str = MACHINE
    note: str = ""


@dataclasses.dataclass(frozen=True)
class TwoSenses:
    """A tag that is two things.

    Attributes:
      tag: a whole tag.
      artists: the artist ids of each sense.
      nearest: the tag that each sense sounds most like.
    """

    tag: str
    artists: tuple[tuple[str, ...], tuple[str, ...]]
    nearest: tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Decisions:
    """All decisions on the tags of one or several tag systems.

    Attributes:
      vocabulary: the whole tags.
      tracks: {tag: number of its tracks}.
      artists: {tag: number of its artists}; no entry where artists are unknown.
      matches: pairs within a system and between systems, each pair once a direction at most.
      canonical: {tag: the tag of its own system that stands for it}, each tag; itself if it was not
        merged. A canonical tag is its own canonical tag.
      parents: {canonical tag: canonical tags of its system that are broader, the likeliest first}.
        No tag is its own ancestor.
      senses: tags that are two things; such a tag is merged with no other.
      blocked: {tag: why it is no genre}, proposed to be dropped.
      notes: what a reader has to know, a sentence each.
      called: {canonical tag: the new name, with prefix, that a person gave it}.
    """

    vocabulary: Vocabulary
    tracks: Mapping[str, int]
    artists: Mapping[str, int]
    matches: tuple[Match, ...]
    canonical: Mapping[str, str]
    parents: Mapping[str, tuple[str, ...]]
    senses: tuple[TwoSenses, ...] = ()
    blocked: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    called: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def name_of(self, tag: str) -> str:
        """The name, with prefix, by which a tag goes outside: of the one that stands for it."""
        canonical = self.canonical[tag]
        return self.called.get(canonical, canonical)
