"""What each source says of pairs of tags, as numbers that a model can weigh."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import scipy.sparse
import scipy.stats

from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.score import two_covariances
from tagjax.similarity import embeddings
from tagjax.similarity.halves import mean_features
from tagjax.similarity.observations import Observations, artists_of, tracks_of

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Sources:
    """What is heard of N tags and their pairs.

    Attributes:
      similar: {source: float64 [N, N]}, such as "fr 5", "score 60", "fm"; NaN where unknown. If
        tags are split in two groups, [split, N - split].
      tracks: int64 [N], and
      artists: int64 [N], which speak for each tag.
      spread: float64 [N], variance of the features of a tag's tracks, summed over features: a broad
        tag spreads.
      split: number of tags in the first group, if only pairs across two groups are known; else 0.
    """

    similar: Mapping[str, Array]
    tracks: npt.NDArray[np.int64]
    artists: npt.NDArray[np.int64]
    spread: Array
    split: int = 0

    def _cells(
        self, queries: npt.NDArray[np.int64], candidates: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray, ...]:
        return np.ix_(queries, candidates - self.split)

    def pairs(self, queries: npt.NDArray[np.int64], candidates: npt.NDArray[np.int64]) -> Array:
        """Evidence for pairs of a query and a candidate.

        Each source gives three numbers: its similarity (arcsinh, so that no score outweighs all),
        and minus the logarithms of the candidate's rank for the query and of the query's rank for
        the candidate. A pair that is first both ways stands out from one that is merely near. The
        last number is the logarithm of the tracks of the weaker side.

        Args:
          queries: int64 [Q], and
          candidates: int64 [C], places of tags.

        Returns:
          float64 [Q, C, 3 * sources + 1]. What is unknown counts as the least similar, and so does
          a query as a candidate of its own: no other one must stand behind it.
        """
        cells, columns = self._cells(queries, candidates), []
        itself = queries[:, None] == candidates
        for values in self.similar.values():
            known = _filled(np.where(itself, np.nan, values[cells]))
            columns.append(np.arcsinh(known))
            for axis in (1, 0):
                columns.append(-np.log(scipy.stats.rankdata(-known, method="max", axis=axis)))
        tracks = np.minimum(self.tracks[queries][:, None], self.tracks[candidates])
        columns.append(np.log(np.maximum(tracks, 1)))
        return np.stack(columns, axis=2)

    def some_pairs(
        self,
        queries: npt.NDArray[np.int64],
        candidates: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int64],
    ) -> Array:
        """`pairs` of some of the queries, though all of them are ranked: [rows, C, F]."""
        return self.pairs(queries, candidates)[rows]

    def contrasts(self, queries: npt.NDArray[np.int64], candidates: npt.NDArray[np.int64]) -> Array:
        """What tells relations apart: each source's similarity, and how much more one spreads.

        Returns:
          float64 [Q, C, sources + 1]; the last is the log ratio of spreads, candidate to query. The
          numbers of tracks are no part of it: they say how popular a tag is, not how it sounds.
        """
        cells = self._cells(queries, candidates)
        columns = [np.arcsinh(_filled(values[cells])) for values in self.similar.values()]
        spread = np.log(np.maximum(self.spread, 1e-3))
        return np.stack([*columns, spread[candidates] - spread[queries][:, None]], axis=2)


def gather(
    observed: Observations,
    tags: scipy.sparse.csr_array,
    config: EvidenceConfig = EvidenceConfig(),  # noqa: B008 (frozen)
    split: int = 0,
) -> Sources:
    """All sources for tags of observed tracks, which may be halves or merged ones.

    Args:
      observed: the tracks.
      tags: sparse [tracks, N].
      config: see there.
      split: if not 0, only pairs of one of the first `split` tags with another are looked at.
    """
    tracks, similar = tracks_of(tags), {}
    sums = embeddings.sums_by_tag(tags, observed.features)
    together = (tags.T @ tags).toarray()
    for ridge in config.ridges:
        added = embeddings.solve_ridge(together.copy(), sums.copy(), ridge)
        similar[f"fr {ridge:g}"] = _cosine(added, split)
    scores = two_covariances(observed, tags, config.score_ridges, config.score, split or None)
    for ridge, score in zip(config.score_ridges, scores, strict=True):
        similar[f"score {ridge:g}"] = score
    similar["fm"] = _cosine(mean_features(observed, tags), split)
    spread = _spread(observed, tags, sums, np.maximum(tracks, 1))
    return Sources(similar, tracks, artists_of(tags, observed.artist), spread, split)


def _cosine(vectors: Array, split: int) -> Array:
    """Cosine of rows, of all pairs or only across the split; NaN for a row of zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        unit = vectors / np.where(lengths > 0, lengths, np.nan)
    return unit[: split or None] @ unit[split:].T


def _spread(
    observed: Observations, tags: scipy.sparse.csr_array, sums: Array, count: npt.NDArray[np.int64]
) -> Array:
    lengths = np.einsum("kd,kd->k", observed.features, observed.features, dtype=np.float64)
    centre = sums / count[:, None]
    around = tags.T @ lengths / count - np.einsum("nd,nd->n", centre, centre)
    return np.maximum(around, 0) * count / np.maximum(count - 1, 1)


def _filled(values: Array) -> Array:
    return np.where(np.isnan(values), np.nanmin(values, initial=0.0), values)
