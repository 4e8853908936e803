"""Which tag is below which, within a tag system.

Where the catalogue has no taxonomy, a tag is below another if most of its tracks have that too, and
few of the reverse (Sanderson and Croft 1999, https://doi.org/10.1145/312624.312679).
"""

import collections
import dataclasses
import graphlib
from collections.abc import Collection, Mapping

import numpy as np
import scipy.sparse

from tagjax.base.errors import InputError
from tagjax.reconcile.config import ReconcileConfig
from tagjax.reconcile.facts import Facts
from tagjax.similarity.observations import tracks_of
from tagjax.vocabulary.taxonomy import place

PERSON, TAXONOMY = 3.0, 2.0
"""Weights of links that a person or a taxonomy names; others have shares of tracks."""

Links = dict[str, dict[str, float]]
"""{tag: {broader tag: weight}}."""


@dataclasses.dataclass(frozen=True)
class Tree:
    """Which tag is below which.

    Attributes:
      links: without circles, and without what follows from others.
      notes: which links were dropped, a sentence each.
    """

    links: Links
    notes: tuple[str, ...]

    def parents(self) -> dict[str, tuple[str, ...]]:
        """{tag: broader tags, the likeliest first}."""
        return {
            tag: tuple(sorted(above, key=lambda parent: (-above[parent], parent)))
            for tag, above in self.links.items()
        }


def find_tree(
    facts: Facts,
    canonical: Mapping[str, str],
    blocked: Collection[str] = (),
    config: ReconcileConfig = ReconcileConfig(),  # noqa: B008 (frozen)
) -> Tree:
    """The tree of each tag system: of its taxonomy if it has one, of its annotations otherwise.

    Args:
      facts: see there.
      canonical: {tag: the tag that stands for it}.
      blocked: tags that are no genres; none is above or below another for its tracks.
      config: see there.

    Raises:
      InputError: people put a tag below itself.

    >>> from tagjax import Catalogue
    >>> from tagjax.reconcile.facts import gather_facts
    >>> names = tuple("abcdef")
    >>> tags = (("dub", "reggae"),) * 3 + (("reggae",),) * 3
    >>> facts = gather_facts([Catalogue("", names, names, names, tags)])
    >>> find_tree(facts, {"dub": "dub", "reggae": "reggae"}).parents()
    {'dub': ('reggae',)}
    """
    links = _named_by_taxonomy(facts, canonical)
    settled = {facts.vocabulary.system_of(tag) for tag in links}
    contained = _contained(facts, canonical, blocked, config)
    for child, above in contained.items():
        if facts.vocabulary.system_of(child) not in settled:
            links[child] = above
    _heed(facts, canonical, links)
    notes: list[str] = []
    _refuse_circles(facts, canonical)
    _break_circles(links, notes)
    return Tree(_likeliest(_reduced(links), config.parents), tuple(notes))


def _named_by_taxonomy(facts: Facts, canonical: Mapping[str, str]) -> Links:
    if facts.taxonomy is None:
        return {}
    links: Links = collections.defaultdict(dict)
    for style, genres in place(facts.taxonomy, facts.vocabulary).parents.items():
        for genre in genres:
            if canonical[style] != canonical[genre]:
                links[canonical[style]][canonical[genre]] = TAXONOMY
    return dict(links)


def _contained(
    facts: Facts, canonical: Mapping[str, str], blocked: Collection[str], config: ReconcileConfig
) -> Links:
    """Links by the tracks of tags and of what was merged into them."""
    if not facts.tags.nnz:
        return {}
    vocabulary = facts.vocabulary
    kept = [tag for tag in vocabulary.tags if canonical[tag] == tag and tag not in blocked]
    column = {tag: number for number, tag in enumerate(kept)}
    merged = [
        (vocabulary.index[tag], column[canonical[tag]])
        for tag in vocabulary.tags
        if canonical[tag] in column
    ]
    rows, columns = np.array(merged, np.int64).reshape(-1, 2).T
    shape = (len(vocabulary), len(kept))
    merging = scipy.sparse.csr_array((np.ones(len(merged)), (rows, columns)), shape)
    tags = scipy.sparse.csr_array(facts.tags @ merging)
    tags.data[:] = 1.0
    count, by_tag = tracks_of(tags), scipy.sparse.csc_array(tags)
    both = scipy.sparse.coo_array(tags.T @ tags)
    links: Links = collections.defaultdict(dict)
    for child, parent, number in zip(*both.coords, both.data, strict=True):
        first, second = kept[child], kept[parent]
        if (
            child != parent
            and number >= config.parent_tracks
            and number >= config.contained * count[child]
            and number < config.contained * count[parent]
            and count[parent] >= config.wider * count[child]
            and vocabulary.system_of(first) == vocabulary.system_of(second)
            and _artists_of_both(facts, by_tag, child, parent) >= config.parent_artists
        ):
            links[first][second] = float(number / count[child])
    return dict(links)


def _artists_of_both(facts: Facts, tags: scipy.sparse.csc_array, child: int, parent: int) -> float:
    """Number of artists of the tracks with two tags; infinite if artists are unknown.

    An album may carry anything, so one artist is not enough.
    """
    if facts.artist is None:
        return np.inf
    first, second = (
        tags.indices[tags.indptr[column] : tags.indptr[column + 1]] for column in (child, parent)
    )
    return len(np.unique(facts.artist[np.intersect1d(first, second)]))


def _heed(facts: Facts, canonical: Mapping[str, str], links: Links) -> None:
    """Adds and removes the links that people named."""
    system_of = facts.vocabulary.system_of
    for said in facts.people.said:
        if said.target is None or said.relation not in ("broad", "narrow"):
            continue
        pair = (said.source, said.target)
        child, parent = pair if said.relation == "broad" else pair[::-1]
        if system_of(child) != system_of(parent):
            continue
        child, parent = canonical[child], canonical[parent]
        if said.verdict == "positive":
            if child == parent:
                raise InputError(
                    f"{said.place}: {said.source!r} and {said.target!r} are the same by other rows "
                    "of people; drop this row, or those"
                )
            links.setdefault(child, {})[parent] = PERSON
        else:
            links.get(child, {}).pop(parent, None)


def _refuse_circles(facts: Facts, canonical: Mapping[str, str]) -> None:
    """Refuses circles in what people say, across catalogues too."""
    right = [s for s in facts.people.said if s.verdict == "positive" and s.target is not None]
    leader = dict(canonical)
    for said in right:
        if said.relation == "exact":
            old, new = leader[said.source], leader[str(said.target)]
            leader = {tag: new if its == old else its for tag, its in leader.items()}
    links: Links = collections.defaultdict(dict)
    places: dict[tuple[str, str], str] = {}
    for said in right:
        if said.relation in ("broad", "narrow"):
            pair = leader[said.source], leader[str(said.target)]
            child, parent = pair if said.relation == "broad" else pair[::-1]
            links[child][parent] = PERSON
            places[child, parent] = said.place
    if circle := _circle(links):
        rows = ", ".join(
            places[pair] for pair in zip(circle, [*circle[1:], circle[0]], strict=True)
        )
        raise InputError(
            f"{rows}: put tags below each other in a circle, {' < '.join([*circle, circle[0]])}; "
            "drop one of these rows"
        )


def _break_circles(links: Links, notes: list[str]) -> None:
    """Drops the weakest link of each circle."""
    while circle := _circle(links):
        _, child, parent = min(
            (links[child][parent], child, parent)
            for child, parent in zip(circle, [*circle[1:], circle[0]], strict=True)
        )
        shown = " < ".join([*circle, circle[0]])
        del links[child][parent]
        notes.append(f"{child!r} is not put below {parent!r}, as that makes a circle: {shown}.")


def _circle(links: Links) -> list[str]:
    """Tags each of which is below the next, and the last below the first; [] if there are none."""
    try:
        graphlib.TopologicalSorter(links).prepare()
    except graphlib.CycleError as error:
        return error.args[1][:0:-1]
    return []


def _reduced(links: Links) -> Links:
    """The links without those to a tag that is above another parent."""
    above = {tag: ancestors(links, tag) for tag in links}
    found = {}
    for tag, parents in links.items():
        implied = {far for parent in parents for far in above.get(parent, ())}
        kept = {parent: weight for parent, weight in parents.items() if parent not in implied}
        if kept:
            found[tag] = kept
    return found


def _likeliest(links: Links, most: int) -> Links:
    """The heaviest links of each tag; those of people and of a taxonomy all stay."""
    found = {}
    for tag, above in links.items():
        order = sorted(above, key=lambda parent: (-above[parent], parent))
        kept = [p for place, p in enumerate(order) if place < most or above[p] >= TAXONOMY]
        found[tag] = {parent: above[parent] for parent in kept}
    return found


def ancestors(links: Mapping[str, Collection[str]], tag: str) -> set[str]:
    """All tags above a tag."""
    found: set[str] = set()
    left = [*links.get(tag, ())]
    while left:
        parent = left.pop()
        if parent not in found:
            found.add(parent)
            left += links.get(parent, ())
    return found
