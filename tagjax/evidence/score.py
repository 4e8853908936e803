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

from tagjax.similarity import embeddings

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class ScoreConfig:
    """Choices of the two-covariance score.

    Attributes:
      dimensions: principal components that are kept of the features.
      shrinkage: share of the covariance within tags that is replaced by its mean variance.
    """

    dimensions: int = 40
    shrinkage: float = 0.3


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


def two_covariance(
    features: npt.NDArray,
    tags: scipy.sparse.csr_array,
    artist: npt.NDArray[np.int64],
    ridge: float,
    config: ScoreConfig | None = None,
) -> Array:
    """Log-likelihood ratio that two tags share one mean, for all pairs.

    W is the covariance of artists within a tag, T that of the tags. Both are diagonalised together;
    then the ratio is a sum over dimensions with variance 1 within and tau between:
    the means of two tags with n_1 and n_2 artists have variances tau + 1/n_1 and tau + 1/n_2, and
    covariance tau if they are the same.

    Args:
      features: float [tracks, D], centred.
      tags: M, sparse [tracks, N].
      artist: int64 [tracks], numbers from 0.
      ridge: of the regression, in tracks; see `embeddings.fr`.
      config: see there.

    Returns:
      float64 [N, N], symmetric; NaN in the rows and columns of tags without tracks, and everywhere
      where no tag has two artists, as then nothing is known of the spread within a tag.
    """
    config = config or ScoreConfig()
    found = np.full((tags.shape[1],) * 2, np.nan)
    components = principal(features, config.dimensions)
    means = artist_means(components, tags, artist, embeddings.regress(components, tags, ridge))
    count = np.bincount(means.tag, minlength=tags.shape[1])
    there = np.flatnonzero(count)
    freedom = len(means.tag) - len(there)
    if not freedom or not components.any():
        return found
    averaging = scipy.sparse.csr_array(
        (1.0 / count[means.tag], (means.tag, np.arange(len(means.tag)))),
        (len(count), len(means.tag)),
    )
    centre = averaging @ means.vectors
    apart = means.vectors - centre[means.tag]
    within = apart.T @ apart / freedom
    mean_variance = np.trace(within) / len(within)
    within = (1 - config.shrinkage) * within + config.shrinkage * mean_variance * np.eye(
        len(within)
    )
    offsets = centre[there] - centre[there].mean(axis=0)
    between = offsets.T @ offsets / len(there) - within * np.mean(1 / count[there])
    spread, directions = scipy.linalg.eigh(between, within)
    ratios = _ratios(offsets @ directions, count[there], np.maximum(spread, 1e-6))
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
