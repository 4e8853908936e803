"""Same or not: what a tag itself sounds like, and the two-covariance score.

A tag takes on the sound of the tags it is used with. What separates "the same thing" from "a kind
of it" is what a tag *adds* to the sound of its tracks, all other tags held equal: a regression.

The score is that of speaker verification (Brummer and de Villiers, "The speaker partitioning
problem", Odyssey 2010, https://www.isca-archive.org/odyssey_2010/brummer10_odyssey.html), with
artists in the part of utterances. It knows how many artists speak for a tag, and it has a zero:
below it the nearest tag is no match.
"""

import dataclasses

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse

from tagjax.base.errors import InputError
from tagjax.similarity import embeddings

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


def principal(features: npt.NDArray, dimensions: int) -> npt.NDArray[np.float32]:
    """The first principal components of centred features: float32 [tracks, dimensions or D]."""
    covariance = np.asarray(features.T @ features, np.float64)
    _, vectors = np.linalg.eigh(covariance)
    return features @ vectors[:, ::-1][:, :dimensions].astype(np.float32)


@dataclasses.dataclass(frozen=True, eq=False)
class ArtistMeans:
    """What a tag sounds like with each of its artists.

    Attributes:
      tag: int64 [pairs], and
      artist: int64 [pairs]: whose mean a row is, ordered by tag.
      vectors: float64 [pairs, D]: x_ta = mean over the artist's tracks of (z_k - B' m_k), plus b_t.
    """

    tag: npt.NDArray[np.int64]
    artist: npt.NDArray[np.int64]
    vectors: Array


def artist_means(
    features: npt.NDArray,
    tags: scipy.sparse.csr_array,
    artist: npt.NDArray[np.int64],
    additions: Array,
) -> ArtistMeans:
    """The residual plus the tag's own part, averaged over each artist's tracks with the tag.

    Args:
      features: float [tracks, D].
      tags: M, sparse [tracks, N].
      artist: int64 [tracks].
      additions: B, float64 [N, D], of a regression on these features.
    """
    rows = np.repeat(np.arange(tags.shape[0]), np.diff(tags.indptr))
    width = np.int64(artist.max() + 1 if len(artist) else 1)
    keys, pair, counts = np.unique(
        tags.indices * width + artist[rows], return_inverse=True, return_counts=True
    )
    averaging = scipy.sparse.csr_array(
        (1.0 / counts[pair], (pair, rows)), (len(keys), tags.shape[0])
    )
    tag = keys // width
    heard = np.asarray(averaging @ features, np.float64)
    expected = (averaging @ tags) @ additions
    return ArtistMeans(tag, keys % width, heard - expected + additions[tag])


@dataclasses.dataclass(frozen=True, eq=False)
class TagSpace:
    """Dimensions in which artists vary by 1 within a tag, and tags by `spread` among themselves.

    Attributes:
      means: what each tag sounds like with each artist, in these dimensions.
      count: int64 [N], artists of each tag.
      centre: float64 [N, D], mean over a tag's artists; zero for a tag without any.
      spread: tau, float64 [D], variance between tags.
      residual: float32 [tracks, D], what a track's tags leave unexplained.
      additions: float64 [N, D], what each tag adds. Residual and addition of a tag together are
        what the tag sounds like in a track.
    """

    means: ArtistMeans
    count: npt.NDArray[np.int64]
    centre: Array
    spread: Array
    residual: npt.NDArray[np.float32]
    additions: Array


def tag_space(
    features: npt.NDArray,
    tags: scipy.sparse.csr_array,
    artist: npt.NDArray[np.int64],
    ridge: float,
    config: ScoreConfig = ScoreConfig(),
) -> TagSpace | None:
    """Diagonalises the covariances within and between tags together.

    Args:
      features: float [tracks, D], centred.
      tags: M, sparse [tracks, N].
      artist: int64 [tracks], numbers from 0.
      ridge: of the regression, in tracks; see `embeddings.fr`.
      config: see there.

    Returns:
      The space; None if the spread within a tag is unknown, because no tag has two artists or its
      artists do not differ.
    """
    components = principal(features, config.dimensions)
    additions = embeddings.regress(components, tags, ridge)
    means = artist_means(components, tags, artist, additions)
    count = np.bincount(means.tag, minlength=tags.shape[1])
    there = np.flatnonzero(count)
    freedom = len(means.tag) - len(there)
    if not freedom or not components.any():
        return None
    centre = np.zeros((len(count), components.shape[1]))
    np.add.at(centre, means.tag, means.vectors / count[means.tag][:, None])
    apart = means.vectors - centre[means.tag]
    within = apart.T @ apart / freedom
    variance = np.trace(within) / len(within)
    if variance <= _NOTHING * np.square(means.vectors).mean():
        return None
    within = (1 - config.shrinkage) * within + config.shrinkage * variance * np.eye(len(within))
    middle = centre[there].mean(axis=0)
    offsets = centre[there] - middle
    between = offsets.T @ offsets / len(there) - within * np.mean(1 / count[there])
    spread, directions = scipy.linalg.eigh(between, within)
    centre[there] -= middle
    vectors = (means.vectors - middle) @ directions
    return TagSpace(
        dataclasses.replace(means, vectors=vectors),
        count,
        centre @ directions,
        np.maximum(spread, 1e-6),
        ((components - tags @ additions - middle) @ directions).astype(np.float32),
        additions @ directions,
    )


def two_covariance(
    features: npt.NDArray,
    tags: scipy.sparse.csr_array,
    artist: npt.NDArray[np.int64],
    ridge: float,
    config: ScoreConfig = ScoreConfig(),
) -> Array:
    """Log-likelihood ratio that two tags share one mean, for all pairs.

    In the dimensions of a `TagSpace` the means of two tags with n_1 and n_2 artists have variances
    tau + 1/n_1 and tau + 1/n_2, and covariance tau if they are the same.

    Args:
      features, tags, artist, ridge, config: see `tag_space`.

    Returns:
      float64 [N, N], symmetric; NaN in the rows and columns of tags without tracks, and everywhere
      where there is no such space.
    """
    found = np.full((tags.shape[1],) * 2, np.nan)
    space = tag_space(features, tags, artist, ridge, config)
    if space is not None:
        there = np.flatnonzero(space.count)
        ratios = _ratios(space.centre[there], space.count[there], space.spread)
        found[np.ix_(there, there)] = ratios
    return found


def _ratios(means: Array, count: npt.NDArray, spread: Array) -> Array:
    """Sum over dimensions of the log-likelihood ratios: float64 [N, N].

    Args:
      means: [N, D], of the tags, in dimensions with variance 1 within a tag.
      count: int [N], artists of each.
      spread: tau, [D], variance between tags.
    """
    total = np.zeros((len(means),) * 2)
    for values, tau in zip(means.T, spread, strict=True):
        own = tau + 1 / count
        product = np.outer(own, own)
        determinant = product - tau**2
        square = values**2
        same = own[None] * square[:, None] + own[:, None] * square[None]
        same = (same - 2 * tau * np.outer(values, values)) / determinant
        other = (square / own)[:, None] + (square / own)[None]
        total -= 0.5 * (np.log(determinant / product) + same - other)
    return total
