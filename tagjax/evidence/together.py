"""What tracks that two catalogues share say: the tags that stand on the same tracks.

Nothing is heard here, so tables of annotations are enough. What speaks for the same is learnt
without a label: two thinned copies of one catalogue, each of which keeps every annotation with the
same probability, independently, are two catalogues whose counterparts are known. (Halves by artist
share no track, so they could not teach this.)
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse

from tagjax.evidence import bothways, choice
from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.questions import NONE
from tagjax.similarity.observations import tracks_of

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_KEPT = 0.5
"""Share of the annotations that a thinned copy keeps: about the cosine of true pairs then."""
_TAUGHT, _TESTED = 200, 2000
"""Largest number of tags of each system that ask; all others are candidates all the same."""
LEAST_TRACKS = 3
"""Common tracks that a tag needs, so that something can be told from them."""
_OFFSET = 5.0
"""Added to ranks, so that the first few count nearly alike (reciprocal rank fusion has 60)."""
_QUERIES = 128
"""So many queries at a time: their evidence for 10,000 candidates takes 70 MiB."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """Two catalogues on the same tracks.

    Attributes:
      first: {0, 1} sparse [tracks, Q], tags of the one, and
      second: {0, 1} sparse [tracks, C], of the other.
    """

    first: scipy.sparse.csr_array
    second: scipy.sparse.csr_array

    def evidence(self, queries: Ints) -> Iterator[tuple[Ints, Array]]:
        """What speaks for pairs of tags, a few queries at a time.

        The cosine (fdist on the common tracks, 0 without any), the candidate's rank for the query
        and the query's for the candidate, both together (mutual rank), and how many tracks say so.
        Most pairs share no track. They come last in all ranks, so only the others are ranked.

        Args:
          queries: int64 [n], places in `first`; all of `first` are ranked.

        Yields:
          Some of the queries, int64 [q], and their evidence, float64 [q, C, 7].
        """
        count, others = tracks_of(self.first), tracks_of(self.second)
        shared, values, apart = self._cells
        column = shared.indices
        for start in range(0, len(queries), _QUERIES):
            some = queries[start : start + _QUERIES]
            found = np.empty((len(some), len(others), 7))
            found[..., :5] = apart
            for place, query in enumerate(some.tolist()):
                cells = slice(*shared.indptr[query : query + 2])
                found[place, column[cells], :5] = values[cells]
            found[..., 5:] = _of_counts(count[some][:, None], others)
            yield some, found

    def totals(self, model: choice.ChoiceModel, queries: Ints) -> Array:
        """`bothways.totals` of some queries.

        Pairs that share no track differ in their counts alone, so each count is looked at once.
        """
        count, others = tracks_of(self.first)[queries], tracks_of(self.second)
        shared, values, apart = self._cells
        numbers, place, often = np.unique(count, return_inverse=True, return_counts=True)
        far = np.empty((len(numbers), len(others), 7))
        far[..., :5], far[..., 5:] = apart, _of_counts(numbers[:, None], others)
        alone = np.exp(model.utilities(far))
        found = 1 + often @ alone
        for query, own in zip(queries.tolist(), place.tolist(), strict=True):
            cells = slice(*shared.indptr[query : query + 2])
            columns = shared.indices[cells]
            near = np.concatenate([values[cells], far[own, columns, 5:]], axis=1)
            found[columns] += np.exp(model.utilities(near)) - alone[own, columns]
        return np.log(found)

    @functools.cached_property
    def _cells(self) -> tuple[scipy.sparse.csr_array, Array, Array]:
        """Common tracks of pairs [Q, C], evidence of those with any [n, 5], of others [5]."""
        count, others = tracks_of(self.first), tracks_of(self.second)
        shared = scipy.sparse.csr_array(self.first.T.tocsr() @ self.second)
        (row, column), number = shared.tocoo().coords, shared.data
        cosine = number / np.sqrt(count[row] * others[column])
        ranks = _of_ranks(_ranks(row, cosine), _ranks(column, cosine))
        values = np.stack([cosine, *ranks, np.log1p(number)], axis=1)
        return shared, values, np.array([0, *_of_ranks(shared.shape[1], shared.shape[0]), 0])


def _ranks(group: Ints, values: Array) -> Ints:
    """How many values of its own group are at least as large as each value."""
    keys = group - 1j * values  # NumPy orders complex numbers by their real parts first.
    ordered = np.sort(keys)
    before = np.searchsorted(ordered.real, group)
    return np.searchsorted(ordered, keys, side="right") - before


def _of_counts(first: Ints, second: Ints) -> Array:
    """Logarithms of the smaller number of tracks, and of the ratio, minus its size: [..., 2]."""
    least = np.log(np.maximum(np.minimum(first, second), 1))
    return np.stack([least, -np.abs(np.log((first + 1) / (second + 1)))], axis=-1)


def _of_ranks(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Array, Array, Array]:
    rows, columns = _OFFSET + np.asarray(first), _OFFSET + np.asarray(second)
    return -np.log(rows), -np.log(columns), 1 / rows + 1 / columns


def learn(
    catalogues: list[scipy.sparse.csr_array],
    config: EvidenceConfig = EvidenceConfig(),  # noqa: B008 (frozen)
    decided: Sequence[choice.Question] = (),
) -> bothways.Tested | None:
    """Learns from thinned copies of each catalogue; None if no tag has enough tracks.

    Args:
      catalogues: {0, 1} sparse [tracks, tags] each.
      config: see there.
      decided: what people decided, as `decided.questions` gives it.
    """
    taught, tested = (
        [
            question
            for number, tags in enumerate(catalogues)
            for question in _questions(tags, config, [config.seed, number, asked], asked)
        ]
        for asked in (_TAUGHT, _TESTED)
    )
    if not taught or not tested:
        return None
    teaching, testing = ([part.round() for part in asked] for asked in (taught, tested))
    return bothways.test(bothways.fit(teaching, config.penalty, decided), testing)


@dataclasses.dataclass(frozen=True, eq=False)
class _Questions:
    """Thinned copies of a catalogue.

    Attributes:
      pair: the tags of one copy, and those of the other that are candidates.
      rivals: int64 [R], the tags that may ask, and
      queries: int64 [Q], those of them that do.
      place: int64 [tags], of each tag among the candidates, or `NONE`.
    """

    pair: Pair
    rivals: Ints
    queries: Ints
    place: Ints

    def round(self) -> bothways.Round:
        """The questions."""
        return bothways.Round(lambda model: self.pair.totals(model, self.rivals), self.blocks)

    def blocks(self) -> Iterator[tuple[Array, Ints, Ints]]:
        """Evidence, partners and queries, a few queries at a time."""
        for queries, evidence in self.pair.evidence(self.queries):
            yield evidence, self.place[queries], queries


def _questions(
    tags: scipy.sparse.csr_array, config: EvidenceConfig, seed: list[int], asked: int
) -> Iterator[_Questions]:
    """What one pair of thinned copies asks; nothing if it is too thin."""
    rng = np.random.default_rng(seed)
    pair = Pair(_thinned(tags, rng), _thinned(tags, rng))
    rivals = np.flatnonzero(tracks_of(pair.first) >= LEAST_TRACKS)
    queries = np.sort(rng.permutation(rivals)[:asked])
    there = tracks_of(pair.second) > 0
    there &= rng.random(len(there)) >= config.without_partner
    candidates = np.flatnonzero(there)
    if len(queries) and len(candidates) > 1:
        place = np.full(len(there), NONE)
        place[candidates] = np.arange(len(candidates))
        left = scipy.sparse.csr_array(pair.second[:, candidates])
        yield _Questions(Pair(pair.first, left), rivals, queries, place)


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


def fuse(heard: Array, together: Array, share: float, weight: float = 1.0) -> Array:
    """Probabilities from two sources (Bayes' rule, all candidates alike before).

    Args:
      heard: float64 [Q, C + 1], none in the last column, and
      together: float64 [Q, C + 1].
      share: of the queries without partner, before either spoke, in (0, 1).
      weight: power of what the second source says; 1 takes both for independent.
    """
    before = np.full(heard.shape[1], (1 - share) / max(heard.shape[1] - 1, 1))
    before[-1] = share
    found = heard * (together / before) ** weight
    return found / found.sum(axis=1, keepdims=True)
