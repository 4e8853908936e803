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
      additions: float64 [N, d], what each tag adds to the d principal components.
      middle: float64 [d], mean over tags, and
      directions: float64 [d, D], by which components come into these dimensions.
    """

    means: ArtistMeans
    count: npt.NDArray[np.int64]
    centre: Array
    spread: Array
    additions: Array
    middle: Array
    directions: Array

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
    components = observed.components(config.dimensions)
    additions = embeddings.regress(components, tags, ridge)
    means = artist_means(components, tags, observed.artist, additions)
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
        additions,
        middle,
        directions,
    )


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
    rows = np.arange(tags.shape[1] if split is None else split)
    columns = np.arange(0 if split is None else split, tags.shape[1])
    found = np.full((len(rows), len(columns)), np.nan)
    space = tag_space(observed, tags, ridge, config)
    if space is not None:
        there = space.count > 0
        chosen = rows[there[rows]], columns[there[columns]]
        first, second = ((space.centre[side], space.count[side]) for side in chosen)
        found[np.ix_(there[rows], there[columns])] = log_ratios(first, second, space.spread)
    return found


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
        own, other = (tau + 1 / count)[:, None], (tau + 1 / their_count)[None]
        product = own * other
        determinant = product - tau**2
        square, other_square = (values**2)[:, None], (other_values**2)[None]
        same = other * square + own * other_square - 2 * tau * np.outer(values, other_values)
        apart = square / own + other_square / other
        total -= 0.5 * (np.log(determinant / product) + same / determinant - apart)
    return total
