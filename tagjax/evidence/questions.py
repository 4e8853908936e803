"""Questions whose answers are known, made from any catalogue without a label.

Every tag is split in two by artist. The halves on one side ask for their partners on the other.
Some partners are taken away: their queries have no answer. Some are merged with a tag that sounds
like them: that is a broader tag and not the same.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse

from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.sources import Sources, gather
from tagjax.similarity import embeddings, halves
from tagjax.similarity.observations import Observations, tracks_of

NONE = -1
"""Stands for the partner of a query that has none."""
_NEAR = 4
"""A tag is merged with one of so many that sound most like it."""


@dataclasses.dataclass(frozen=True, eq=False)
class Questions:
    """Queries of one tag system with the same candidates.

    Attributes:
      sources: of the halves, and of what became of the other ones.
      queries: int64 [Q], and
      candidates: int64 [C]: places in `sources`.
      partner: int64 [Q], place of the true candidate among `candidates`, or `NONE`.
      tag: int64 [Q], the tag of each query; a tag counts once however often it asks.
      made_of: for each candidate the tags in it, two for a merged one.
    """

    sources: Sources
    queries: npt.NDArray[np.int64]
    candidates: npt.NDArray[np.int64]
    partner: npt.NDArray[np.int64]
    tag: npt.NDArray[np.int64]
    made_of: tuple[tuple[int, ...], ...]


def ask(
    observed: Observations,
    number: int,
    config: EvidenceConfig = EvidenceConfig(),  # noqa: B008 (frozen)
    near: npt.NDArray | None = None,
    sides: Sequence[int] = (0, 1),
) -> Iterator[Questions]:
    """The questions of one split, for each tag system and side.

    Args:
      observed: the tracks.
      number: of the split.
      config: see there.
      near: `nearness` of the tracks, if it is known already.
      sides: whose halves ask, 0 or 1 or both.
    """
    size, vocabulary = len(observed.vocabulary), observed.vocabulary
    splitting = halves.HalvesConfig(least_artists=config.least_artists, seed=config.seed)
    split = halves.draw(observed, number, splitting)
    there = tracks_of(split.tags).reshape(2, -1) > 0
    near = nearness(observed) if near is None else near
    for side in sides:
        rng = np.random.default_rng([config.seed, number, side])
        asking, answering = (split.tags[:, k * size : (k + 1) * size] for k in (side, 1 - side))
        made_of: list[tuple[int, ...]] = []
        for system in vocabulary.systems:
            members = [tag for tag in vocabulary.members(system) if there[1 - side, tag]]
            made_of += _candidates(members, near, config, rng)
        if not made_of:
            continue
        columns = [asking, _unions(answering, made_of)]
        both = scipy.sparse.csr_array(scipy.sparse.hstack(columns, format="csr"))
        sources = gather(observed, both, config, size)
        for system in vocabulary.systems:
            members = vocabulary.members(system)
            queries = np.array([tag for tag in members if split.usable[tag]], np.int64)
            chosen = [k for k, parts in enumerate(made_of) if vocabulary.system[parts[0]] == system]
            if not len(queries) or len(chosen) < 2:
                continue
            alone = {made_of[k]: place for place, k in enumerate(chosen)}
            yield Questions(
                sources,
                queries,
                np.array(chosen, np.int64) + size,
                np.array([alone.get((tag,), NONE) for tag in queries.tolist()]),
                queries,
                tuple(made_of[k] for k in chosen),
            )


def nearness(observed: Observations) -> npt.NDArray:
    """How alike whole tags sound, by fm: float64 [N, N]; with it tags are merged."""
    return embeddings.cosine(halves.mean_features(observed, observed.tags).T)


def _candidates(
    members: list[int], near: npt.NDArray, config: EvidenceConfig, rng: np.random.Generator
) -> Iterator[tuple[int, ...]]:
    """What becomes of the tags of a system on the side that answers: places of those in each."""
    left = rng.permutation(members).tolist()
    while left:
        tag = left.pop()
        fate = rng.random()
        if fate < config.without_partner:
            continue
        if fate < config.without_partner + config.merged and left:
            order = sorted(left, key=lambda other: -np.nan_to_num(near[tag, other]))
            other = order[rng.integers(min(_NEAR, len(order)))]
            left.remove(other)
            yield tag, other
        else:
            yield (tag,)


def _unions(tags: scipy.sparse.csr_array, made_of: list[tuple[int, ...]]) -> scipy.sparse.csr_array:
    """A column for each candidate, {0, 1}: 1 where a track has one of its tags."""
    columns = np.repeat(np.arange(len(made_of)), [len(parts) for parts in made_of])
    cells = (np.ones(len(columns)), (np.concatenate(made_of), columns))
    found = tags @ scipy.sparse.csr_array(cells, (tags.shape[1], len(made_of)))
    found.data[:] = 1.0
    return found
