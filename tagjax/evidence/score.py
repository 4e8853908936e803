"""Same or not: what a tag itself sounds like, and the two-covariance score.

A tag takes on the sound of the tags it is used with. What separates "the same thing" from "a kind
of it" is what a tag *adds* to the sound of its tracks, all other tags held equal: a regression.

The score is that of speaker verification (Brummer and de Villiers, "The speaker partitioning
problem", Odyssey 2010, https://www.isca-archive.org/odyssey_2010/brummer10_odyssey.html), with
artists in the part of utterances. It knows how many artists speak for a tag, and it has a zero:
below it the nearest tag is no match.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse

from tagjax.base.errors import InputError
from tagjax.similarity import embeddings
from tagjax.similarity.observations import Observations

Array = npt.NDArray[np.float64]


_NOTHING = 1e-12
"""Share of the variance that is rounding: features are float32."""


@dataclasses.dataclass(frozen=True)
class ScoreConfig:
    """Choices of the two-covariance score.

    Attributes:
      dimensions: principal components that are kept of the features.
      shrinkage: share of the covariance within tags that is replaced by its mean variance.
    """

    dimensions: int = 40
    shrinkage: float = 0.3

    def __post_init__(self) -> None:
        if self.dimensions < 1:
            raise InputError(f"dimensions={self.dimensions}: must be at least 1")
        if not 0 < self.shrinkage <= 1:
            raise InputError(f"shrinkage={self.shrinkage}: must be in (0, 1]")


@dataclasses.dataclass(frozen=True, eq=False)
class ArtistMeans:
    """What a tag sounds like with each of its artists.

    Attributes:
      tag: int64 [pairs], and
      artist: int64 [pairs]: whose mean a row is, ordered by tag.
      vectors: float64 [pairs, D].
    """

    tag: npt.NDArray[np.int64]
    artist: npt.NDArray[np.int64]
    vectors: Array


def artist_means(
    features: npt.NDArray, tags: scipy.sparse.csr_array, artist: npt.NDArray[np.int64]
) -> tuple[ArtistMeans, scipy.sparse.csr_array]:
    """(mean features of each artist's tracks with a tag, the mean of their other tags).

    If B is what tags add to features, z_ta - B' m_ta is what the other tags leave of a tag's sound.

    Args:
      features: z, float [tracks, D].
      tags: M, sparse [tracks, N].
      artist: int64 [tracks].

    Returns:
      z_ta as vectors, and m_ta in the rows of a sparse float64 [pairs, N].
    """
    rows = np.repeat(np.arange(tags.shape[0]), np.diff(tags.indptr))
    width = np.int64(artist.max() + 1 if len(artist) else 1)
    keys, pair, counts = np.unique(
        tags.indices * width + artist[rows], return_inverse=True, return_counts=True
    )
    averaging = scipy.sparse.csr_array(
        (1.0 / counts[pair], (pair, rows)), (len(keys), tags.shape[0])
    )
    tag, pairs = keys // width, np.arange(len(keys) + 1)
    itself = scipy.sparse.csr_array((np.ones(len(tag)), tag, pairs), (len(tag), tags.shape[1]))
    heard = ArtistMeans(tag, keys % width, np.asarray(averaging @ features, np.float64))
    return heard, averaging @ tags - itself


@dataclasses.dataclass(frozen=True, eq=False)
class TagSpace:
    """Dimensions in which artists vary by 1 within a tag, and tags by `spread` among themselves.

    Attributes:
      heard: mean components of each artist's tracks with a tag, and
      others: of their other tags; see `artist_means`.
      count: int64 [N], artists of each tag.
      centre: float64 [N, D], mean over a tag's artists; zero for a tag without any.
      spread: tau, float64 [D], variance between tags.
      additions: float64 [N, d], what each tag adds to the d principal components.
      middle: float64 [d], mean over tags, and
      directions: float64 [d, D], by which components come into these dimensions.
    """

    heard: ArtistMeans
    others: scipy.sparse.csr_array
    count: npt.NDArray[np.int64]
    centre: Array
    spread: Array
    additions: Array
    middle: Array
    directions: Array

    @functools.cached_property
    def means(self) -> ArtistMeans:
        """What each tag sounds like with each artist, in these dimensions."""
        vectors = self.heard.vectors - self.others @ self.additions - self.middle
        return dataclasses.replace(self.heard, vectors=vectors @ self.directions)

    def of_tracks(self, observed: Observations, rows: npt.NDArray[np.int64], tag: int) -> Array:
        """What a tag sounds like in tracks: what their tags leave unexplained, plus its own part.

        Args:
          observed: the tracks, with the tags of this space.
          rows: int64 [n], tracks with the tag.
          tag: its place.

        Returns:
          float64 [n, D].
        """
        components = observed.components(len(self.middle))[rows]
        own = components - observed.tags[rows] @ self.additions + self.additions[tag]
        return (own - self.middle) @ self.directions


def tag_space(
    observed: Observations,
    tags: scipy.sparse.csr_array,
    ridge: float,
    config: ScoreConfig = ScoreConfig(),
) -> TagSpace | None:
    """Diagonalises the covariances within and between tags together.

    Args:
      observed: the tracks.
      tags: M, sparse [tracks, N]: their tags, or halves of these.
      ridge: of the regression, in tracks; see `embeddings.fr`.
      config: see there.

    Returns:
      The space; None if the spread within a tag is unknown, because no tag has two artists or its
      artists do not differ.
    """
    return next(_tag_spaces(observed, tags, [ridge], config))


def _tag_spaces(
    observed: Observations,
    tags: scipy.sparse.csr_array,
    ridges: Sequence[float],
    config: ScoreConfig,
) -> Iterator[TagSpace | None]:
    """The space of each ridge.

    With z_ta and m_ta of `artist_means`, x_ta = z_ta - B' m_ta is what a tag sounds like with an
    artist. Sums of z, of m and of their products are those of x for any B.
    """
    components = observed.components(config.dimensions)
    heard, others = artist_means(components, tags, observed.artist)
    z, pairs, count = heard.vectors, len(heard.tag), np.bincount(heard.tag, minlength=tags.shape[1])
    there = np.flatnonzero(count)
    ends = np.append(0, np.cumsum(count))
    averaging = scipy.sparse.csr_array(
        (1 / count[heard.tag], np.arange(pairs), ends), (len(count), pairs)
    )
    mean_z, mean_m = averaging @ z, averaging @ others
    zz, mz, mm = z.T @ z, others.T @ z, others.T @ others
    sums, together = embeddings.sums_by_tag(tags, components), (tags.T @ tags).toarray()
    for ridge in ridges:
        additions = embeddings.solve_ridge(together.copy(), sums, ridge)
        centre = mean_z - mean_m @ additions
        cross = mz.T @ additions
        xx = zz - cross - cross.T + additions.T @ (mm @ additions)
        middle = centre[there].mean(axis=0)
        found = _diagonal(xx, centre[there], count[there], config)
        if found is None:
            yield None
            continue
        spread, directions = found
        centre[there] -= middle
        yield TagSpace(
            heard, others, count, centre @ directions, spread, additions, middle, directions
        )


def _diagonal(
    products: Array, centre: Array, count: npt.NDArray[np.int64], config: ScoreConfig
) -> tuple[Array, Array] | None:
    """(variance between tags, directions) in which both covariances are diagonal; None if unknown.

    Args:
      products: sum of x x' over all pairs of tag and artist, [d, d].
      centre: mean of x of each tag that has artists, [n, d].
      count: their artists, [n].
      config: see `ScoreConfig`.
    """
    freedom = count.sum() - len(count)
    if not freedom:
        return None
    within = (products - (centre.T * count) @ centre) / freedom
    variance = np.trace(within) / len(within)
    if variance <= _NOTHING * np.trace(products) / (count.sum() * len(within)):
        return None
    within = (1 - config.shrinkage) * within + config.shrinkage * variance * np.eye(len(within))
    offsets = centre - centre.mean(axis=0)
    between = offsets.T @ offsets / len(count) - within * np.mean(1 / count)
    spread, directions = scipy.linalg.eigh(between, within)
    return np.maximum(spread, 1e-6), directions


def two_covariance(
    observed: Observations,
    tags: scipy.sparse.csr_array,
    ridge: float,
    config: ScoreConfig = ScoreConfig(),
    split: int | None = None,
) -> Array:
    """Log-likelihood ratio that two tags share one mean, for all pairs.

    In the dimensions of a `TagSpace` the means of two tags with n_1 and n_2 artists have variances
    tau + 1/n_1 and tau + 1/n_2, and covariance tau if they are the same.

    Args:
      observed, tags, ridge, config: see `tag_space`.
      split: None for all pairs; else only pairs of one of the first `split` tags with another.

    Returns:
      float64 [N, N], symmetric, or [split, N - split]. NaN in the rows and columns of tags without
      tracks, and everywhere where there is no such space.
    """
    return next(two_covariances(observed, tags, [ridge], config, split))


def two_covariances(
    observed: Observations,
    tags: scipy.sparse.csr_array,
    ridges: Sequence[float],
    config: ScoreConfig = ScoreConfig(),
    split: int | None = None,
) -> Iterator[Array]:
    """`two_covariance` for each ridge."""
    rows = np.arange(tags.shape[1] if split is None else split)
    columns = np.arange(0 if split is None else split, tags.shape[1])
    for space in _tag_spaces(observed, tags, ridges, config):
        found = np.full((len(rows), len(columns)), np.nan)
        if space is not None:
            there = space.count > 0
            chosen = rows[there[rows]], columns[there[columns]]
            first, second = ((space.centre[side], space.count[side]) for side in chosen)
            found[np.ix_(there[rows], there[columns])] = log_ratios(first, second, space.spread)
        yield found


def log_ratios(
    first: tuple[Array, npt.NDArray], second: tuple[Array, npt.NDArray], spread: Array
) -> Array:
    """Sum over dimensions of the log-likelihood ratios: float64 [N, C].

    Args:
      first: means [N, D] of tags, in dimensions with variance 1 within a tag, and artists [N].
      second: the same of C tags.
      spread: tau, [D], variance between tags.
    """
    (means, count), (others, their_count) = first, second
    total = np.zeros((len(means), len(others)))
    for values, other_values, tau in zip(means.T, others.T, spread, strict=True):
        own, other = tau + 1 / count, tau + 1 / their_count
        shared = np.outer(tau / own, tau / other)
        total -= np.log(1 - shared)
        apart = np.add.outer(values**2 / own, other_values**2 / other)
        apart -= np.outer(values, 2 / tau * other_values)
        apart *= shared
        apart /= 1 - shared
        total -= apart
    return total / 2
