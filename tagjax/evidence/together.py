"""What tracks that two catalogues share say: the tags that stand on the same tracks.

Nothing is heard here, so tables of annotations are enough. What speaks for the same is learnt
without a label: two thinned copies of one catalogue, each of which keeps every annotation with the
same probability, independently, are two catalogues whose counterparts are known. (Halves by artist
share no track, so they could not teach this.)
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import scipy.sparse
import scipy.stats

from tagjax.evidence import choice
from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.questions import NONE
from tagjax.similarity.observations import tracks_of

Array = npt.NDArray[np.float64]

_KEPT = 0.5
"""Share of the annotations that a thinned copy keeps: about the cosine of true pairs then."""
_TAUGHT, _TESTED = 200, 2000
"""Largest number of tags of each system that ask; all others are candidates all the same."""
LEAST_TRACKS = 3
"""Common tracks that a tag needs, so that something can be told from them."""
_OFFSET = 5.0
"""Added to ranks, so that the first few count nearly alike (reciprocal rank fusion has 60)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """Two catalogues on the same tracks.

    Attributes:
      first: {0, 1} sparse [tracks, Q], tags of the one, and
      second: {0, 1} sparse [tracks, C], of the other.
    """

    first: scipy.sparse.csr_array
    second: scipy.sparse.csr_array

    def cosine(self) -> Array:
        """Cosine of the columns, [Q, C]: fdist on the common tracks; 0 for a tag without any."""
        counts = np.outer(tracks_of(self.first), tracks_of(self.second))
        return (self.first.T @ self.second).toarray() / np.sqrt(np.maximum(counts, 1))

    def evidence(self) -> Array:
        """What speaks for pairs of tags, [Q, C, 7].

        The cosine, the candidate's rank for the query and the query's for the candidate, both
        together (mutual rank), and how many tracks say so.
        """
        cosine = self.cosine()
        rows, columns = (
            _OFFSET + scipy.stats.rankdata(-cosine, method="max", axis=axis) for axis in (1, 0)
        )
        first, second = tracks_of(self.first)[:, None], tracks_of(self.second)[None]
        return np.stack(
            [
                cosine,
                -np.log(rows),
                -np.log(columns),
                1 / rows + 1 / columns,
                np.log1p((self.first.T @ self.second).toarray()),
                np.log(np.maximum(np.minimum(first, second), 1)),
                -np.abs(np.log((first + 1) / (second + 1))),
            ],
            axis=2,
        )


def learn(
    catalogues: list[scipy.sparse.csr_array],
    config: EvidenceConfig = EvidenceConfig(),  # noqa: B008 (frozen)
) -> choice.Tested | None:
    """Learns from thinned copies of each catalogue; None if no tag has enough tracks.

    Args:
      catalogues: {0, 1} sparse [tracks, tags] each.
      config: see there.
    """
    teaching, testing = (
        [
            question
            for number, tags in enumerate(catalogues)
            for question in _questions(tags, config, [config.seed, number, asked], asked)
        ]
        for asked in (_TAUGHT, _TESTED)
    )
    if not teaching or not testing:
        return None
    model = choice.fit([question[:2] for question in teaching], config.penalty)
    return choice.test(model, testing)


def _questions(
    tags: scipy.sparse.csr_array, config: EvidenceConfig, seed: list[int], asked: int
) -> Iterator[tuple[Array, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Evidence, partners and queries of one pair of thinned copies; nothing if it is too thin."""
    rng = np.random.default_rng(seed)
    pair = Pair(_thinned(tags, rng), _thinned(tags, rng))
    queries = np.flatnonzero(tracks_of(pair.first) >= LEAST_TRACKS)
    queries = np.sort(rng.permutation(queries)[:asked])
    there = tracks_of(pair.second) > 0
    there &= rng.random(len(there)) >= config.without_partner
    candidates = np.flatnonzero(there)
    if len(queries) and len(candidates) > 1:
        place = np.full(len(there), NONE)
        place[candidates] = np.arange(len(candidates))
        left = Pair(pair.first, scipy.sparse.csr_array(pair.second[:, candidates]))
        yield left.evidence()[queries], place[queries], queries


def _thinned(tags: scipy.sparse.csr_array, rng: np.random.Generator) -> scipy.sparse.csr_array:
    cells = tags.tocoo()
    kept = rng.random(len(cells.data)) < _KEPT
    rows, columns = (coordinates[kept] for coordinates in cells.coords)
    return scipy.sparse.csr_array((np.ones(int(kept.sum())), (rows, columns)), tags.shape)


def with_unheard(heard: Array, unheard: npt.NDArray[np.bool_], share: float) -> Array:
    """Gives candidates of which nothing was heard the chance they had before.

    Args:
      heard: float64 [Q, C + 1], none in the last column; 0 for these candidates.
      unheard: bool [C].
      share: of the queries without partner, before anything was heard.
    """
    chance = (1 - share) / max(len(unheard), 1)
    found = heard * (1 - chance * unheard.sum())
    found[:, :-1][:, unheard] = chance
    return found


def fuse(heard: Array, together: Array, share: float) -> Array:
    """Probabilities from two independent sources (Bayes' rule, all candidates alike before).

    Args:
      heard: float64 [Q, C + 1], none in the last column, and
      together: float64 [Q, C + 1].
      share: of the queries without partner, before either spoke, in (0, 1).
    """
    before = np.full(heard.shape[1], (1 - share) / max(heard.shape[1] - 1, 1))
    before[-1] = share
    found = heard * together / before
    return found / found.sum(axis=1, keepdims=True)
