"""What decisions are made from: annotations, evidence, and what people said."""

import dataclasses
import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from tagjax.base.text import clean
from tagjax.catalogue.annotations import Catalogue
from tagjax.evidence.weigh import COLUMNS, Evidence
from tagjax.reconcile.decisions import TwoSenses
from tagjax.reconcile.people import People
from tagjax.similarity.observations import artists_of, tracks_of
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True, eq=False)
class Facts:
    """What is known of the tags of one or several systems.

    Attributes:
      vocabulary: the N whole tags.
      tags: {0, 1} sparse [tracks, N].
      artist: int64 [tracks], from 0; None where artists are unknown.
      rows: of EVIDENCE (`evidence.weigh.COLUMNS`), as {column: cell}.
      senses: tags whose artists fall in two.
      people: what people decided.
      taxonomy: parents as the catalogues themselves name them; None if they do not.
      artist_names: names of artists that are also tags of their own tracks.
      notes: what a reader has to know, a sentence each.
    """

    vocabulary: Vocabulary
    tags: scipy.sparse.csr_array
    artist: npt.NDArray[np.int64] | None = None
    rows: Sequence[Mapping[str, Any]] = ()
    senses: Sequence[TwoSenses] = ()
    people: People = People()
    taxonomy: Taxonomy | None = None
    artist_names: Collection[str] = ()
    notes: tuple[str, ...] = ()

    @functools.cached_property
    def tracks(self) -> dict[str, int]:
        """{tag: number of its tracks}."""
        return dict(zip(self.vocabulary.tags, tracks_of(self.tags).tolist(), strict=True))

    @functools.cached_property
    def artists(self) -> dict[str, int]:
        """{tag: number of its artists}; empty where artists are unknown."""
        if self.artist is None:
            return {}
        counts = artists_of(self.tags, self.artist).tolist()
        return dict(zip(self.vocabulary.tags, counts, strict=True))


def gather_facts(
    catalogues: Sequence[Catalogue],
    evidence: Evidence | None = None,
    people: People = People(),  # noqa: B008 (frozen)
    taxonomy: Taxonomy | None = None,
) -> Facts:
    """The facts of annotated tracks.

    Args:
      catalogues: one for each tag system. All their tags are decided on, heard or not.
      evidence: on the same tags, or some of them.
      people: what people decided.
      taxonomy: of tags with their prefixes.

    >>> catalogue = Catalogue("", ("t1", "t2"), ("r1", "r2"), ("", ""), (("Dub",), ("dub", "Ska")))
    >>> facts = gather_facts([catalogue])
    >>> facts.tracks, facts.artists["Ska"]
    ({'Dub': 1, 'Ska': 1, 'dub': 1}, 1)
    """
    tagged: dict[str, set[str]] = {}
    artist_of: dict[str, str] = {}
    names: set[str] = set()
    for catalogue in catalogues:
        shown = catalogue.artist or catalogue.artist_id
        columns = (catalogue.track_id, catalogue.artist_id, shown, catalogue.tags)
        for track, artist, name, own in zip(*columns, strict=True):
            tagged.setdefault(track, set()).update(catalogue.prefix + tag for tag in own)
            artist_of.setdefault(track, artist)
            if clean(name).casefold() in {tag.casefold() for tag in own}:
                names.add(name)
    found = sorted({tag for own in tagged.values() for tag in own})
    vocabulary = Vocabulary.of(found, [catalogue.prefix for catalogue in catalogues] or [""])
    cells = [(row, vocabulary.index[tag]) for row, own in enumerate(tagged.values()) for tag in own]
    rows, columns_of = np.array(cells, np.int64).reshape(-1, 2).T
    tags = scipy.sparse.csr_array(
        (np.ones(len(cells)), (rows, columns_of)), (len(tagged), len(vocabulary))
    )
    artists = np.unique([artist_of[track] for track in tagged], return_inverse=True)[1]
    known = {*vocabulary.tags}
    return Facts(
        vocabulary,
        tags,
        artists.astype(np.int64),
        [row for row in named_rows(evidence) if known >= {row["source"], row["target"]} - {None}],
        [sense for sense in _two_senses(evidence, artist_of) if sense.tag in known],
        people,
        taxonomy,
        names,
        evidence.notes if evidence else (),
    )


def named_rows(evidence: Evidence | None) -> list[dict[str, Any]]:
    """The rows of EVIDENCE as {column: cell}."""
    rows = evidence.rows() if evidence else []
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def _two_senses(evidence: Evidence | None, artist_of: Mapping[str, str]) -> list[TwoSenses]:
    """The tags that evidence takes for two things, the most divided first.

    Args:
      evidence: see there.
      artist_of: {track id: artist id}.
    """
    if evidence is None or evidence.observed is None:
        return []
    observed, tags = evidence.observed, evidence.vocabulary.tags
    names = dict(zip(observed.artist.tolist(), observed.track_id, strict=True))
    named = {code: artist_of.get(track, track) for code, track in names.items()}
    found = []
    for senses in evidence.senses:
        if senses.kind == "two senses":
            first, second = (tuple(named[code] for code in group) for group in senses.artists)
            nearest = (tags[senses.nearest[0]], tags[senses.nearest[1]])
            found.append(TwoSenses(tags[senses.tag], (first, second), nearest))
    return found
