"""Observations: the sound of a track as a vector, with its tags and its artist.

The vectors are the classifier's answers for tracks it has not learnt from, or any other table of
vectors by track. A track counts once, whatever the number of its excerpts. Tracks with tags of two
catalogues are left out, so that likeness is heard and not co-annotated (section 4).
"""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from tagjax.base.errors import InputError
from tagjax.similarity.embeddings import ROWS, Rows
from tagjax.vocabulary.vocabulary import Vocabulary


class NoTracksError(InputError):
    """No track has tags of one system only."""


@dataclasses.dataclass(frozen=True, eq=False)
class Observations:
    """Tracks, a row each.

    Attributes:
      vocabulary: the N_t tags.
      features: float32 [tracks, D], less their mean.
      mean: float32 [D], what was subtracted.
      roots: whether features are square roots of probabilities.
      tags: sparse float64 [tracks, N_t], 1 where a track has a tag.
      artist: int64 [tracks], from 0, none left out; where artists are unknown, a number a track.
      artists_known: whether `artist` tells artists from one another.
      track_id: their names.
      owner: int64 [D], the tag whose output unit a feature is, -1 for none.
    """

    vocabulary: Vocabulary
    features: npt.NDArray[np.float32]
    mean: npt.NDArray[np.float32]
    roots: bool
    tags: scipy.sparse.csr_array
    artist: npt.NDArray[np.int64]
    artists_known: bool
    track_id: tuple[str, ...]
    owner: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.track_id)

    def raw(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What fm averages of some rows of `features`: probabilities; of other vectors the rows."""
        return np.square(features + self.mean) if self.roots else features

    def components(self, dimensions: int) -> npt.NDArray[np.float32]:
        """The first principal components of the features, float32 [tracks, dimensions or D]."""
        if dimensions not in self._components:
            products = np.asarray(self.features.T @ self.features, np.float64)
            vectors = np.linalg.eigh(products)[1][:, ::-1][:, :dimensions]
            self._components[dimensions] = self.features @ vectors.astype(np.float32)
        return self._components[dimensions]

    @functools.cached_property
    def _components(self) -> dict[int, npt.NDArray[np.float32]]:
        return {}


def tracks_of(tags: scipy.sparse.csr_array) -> npt.NDArray[np.int64]:
    """Number of tracks of each tag, int64 [N_t]."""
    return np.bincount(tags.indices, minlength=tags.shape[1]).astype(np.int64)


def artists_of(
    tags: scipy.sparse.csr_array, artist: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Number of artists of each tag, int64 [N_t]."""
    size = (int(artist.max(initial=-1)) + 1, len(artist))
    tracks = scipy.sparse.csr_array((np.ones(len(artist)), (artist, np.arange(len(artist)))), size)
    return tracks_of(tracks @ tags)


def observe(
    features: npt.NDArray | Rows,
    occurrences: Any,
    vocabulary: Vocabulary,
    track_id: Sequence[str],
    artist_id: Sequence[str] | None = None,
    units: Sequence[str] | None = None,
) -> Observations:
    """Makes observations of excerpts.

    Excerpts of one track become their mean. Halves of a tag become the whole tag again. Tracks with
    tags of several systems are left out. An artist with tracks in several systems counts in one of
    them, chosen by a hash of the name: else two tags would be alike because the artist is.

    Args:
      features: float [excerpts, D]; may be a memory map.
      occurrences: {0, 1} [excerpts, N_t], dense or sparse.
      vocabulary: the N_t tags.
      track_id: of each excerpt.
      artist_id: of each excerpt; None, or all empty, where artists are unknown.
      units: the D whole tags whose probabilities the features are, some perhaps unknown here; of
        these square roots are taken (distances become Hellinger's). None: any other features;
        these are scaled to unit variance.

    Raises:
      InputError: numbers of rows that differ, features that are not finite, or no track left.

    >>> observed = observe(np.eye(3), np.eye(3), Vocabulary.of(["a", "b", "c"]), ["x", "y", "z"])
    >>> len(observed), observed.artists_known
    (3, False)
    """
    features, occurrences = _rows(features), _rows(occurrences)
    counts = (features.shape[0], occurrences.shape[0], len(track_id))
    if len({*counts}) > 1:
        raise InputError(
            "{} rows of features, {} of tags, {} track ids; give one row an excerpt".format(*counts)
        )
    names, place = np.unique(np.asarray(track_id, dtype=str), return_inverse=True)
    vocabulary, merging = whole(vocabulary)
    tags = _averaging(place, len(names)) @ sparse_rows(occurrences) @ merging
    tags.data[:] = 1.0
    artist, known = _artists(artist_id, place, len(names))
    keep = _of_one_system(tags, vocabulary, artist, known)
    if not keep.any():
        raise NoTracksError("no track is left that has tags of one system only")
    means = track_means(features, place, len(names), np.float32)[keep]
    if units is not None:
        np.sqrt(np.maximum(means, 0, out=means), out=means)
    if not np.isfinite(means).all():
        raise InputError(
            f"the features of track {str(names[keep][_bad_row(means)])!r} are not finite"
        )
    mean = means.mean(axis=0)
    means -= mean
    if units is None:
        scale = means.std(axis=0)
        means /= np.where(scale > 0, scale, 1)
    rows = np.flatnonzero(keep)
    return Observations(
        vocabulary,
        means,
        mean,
        units is not None,
        scipy.sparse.csr_array(tags[rows]),
        np.unique(artist[keep], return_inverse=True)[1].astype(np.int64),
        known is not None,
        tuple(names[keep].tolist()),
        np.array([vocabulary.index.get(unit, -1) for unit in units or [""] * means.shape[1]]),
    )


def _rows(matrix: Any) -> Any:
    """A matrix that has a shape and slices: a list becomes an array."""
    return matrix if hasattr(matrix, "shape") else np.asarray(matrix)


def sparse_rows(occurrences: Any) -> scipy.sparse.csr_array:
    """Occurrences as a sparse matrix of ones, float64, a block of rows at a time."""
    if scipy.sparse.issparse(occurrences):
        tags = scipy.sparse.csr_array(occurrences, dtype=np.float64)
        tags.eliminate_zeros()
        return tags
    blocks = [
        scipy.sparse.csr_array(np.asarray(occurrences[start : start + ROWS]) != 0, dtype=np.float64)
        for start in range(0, len(occurrences), ROWS)
    ]
    return scipy.sparse.csr_array(scipy.sparse.vstack(blocks, format="csr"))


def whole(vocabulary: Vocabulary) -> tuple[Vocabulary, scipy.sparse.csr_array]:
    """Whole tags, and the matrix [N_t, whole] that sums the halves of each."""
    names = list(dict.fromkeys(vocabulary.whole))
    place = {name: k for k, name in enumerate(names)}
    columns = [place[name] for name in vocabulary.whole]
    cells = (np.ones(len(columns)), (np.arange(len(columns)), columns))
    merging = scipy.sparse.csr_array(cells, (len(columns), len(names)))
    return Vocabulary.of(names, vocabulary.systems), merging


def _averaging(place: npt.NDArray, tracks: int) -> scipy.sparse.csr_array:
    """The matrix [tracks, excerpts] whose product is the mean over each track's excerpts."""
    weights = 1.0 / np.bincount(place, minlength=tracks)[place]
    return scipy.sparse.csr_array((weights, (place, np.arange(len(place)))), (tracks, len(place)))


def track_means(
    matrix: npt.NDArray | Rows,
    place: npt.NDArray,
    tracks: int,
    dtype: npt.DTypeLike = np.float64,
) -> npt.NDArray:
    """Means over each track's excerpts, [tracks, D], a block of excerpts at a time.

    Args:
      matrix: numbers of excerpts, [excerpts, D].
      place: int [excerpts], the track of each.
      tracks: their number.
      dtype: of the result.
    """
    means = np.zeros((tracks, matrix.shape[1]), dtype)
    share = (1 / np.bincount(place, minlength=tracks)).astype(dtype)[place]
    for start in range(0, len(matrix), ROWS):
        rows = place[start : start + ROWS]
        block = np.asarray(matrix[start : start + ROWS], dtype)
        np.add.at(means, rows, block * share[start : start + ROWS, None])
    return means


def averaged(matrix: npt.NDArray | Rows, track_id: npt.NDArray) -> npt.NDArray | Rows:
    """Rows of one track become their mean, float64; a matrix with a row a track stays itself."""
    names, place = np.unique(track_id, return_inverse=True)
    return matrix if len(names) == len(track_id) else track_means(matrix, place, len(names))


def _artists(
    artist_id: Sequence[str] | None, place: npt.NDArray, tracks: int
) -> tuple[npt.NDArray[np.int64], list[str] | None]:
    """(number of each track's artist, their names or None where artists are unknown)."""
    if artist_id is None or not any(artist_id):
        return np.arange(tracks), None
    first = np.unique(place, return_index=True)[1]
    return numbered([artist_id[row] for row in first.tolist()])


def numbered(artist_id: Sequence[str]) -> tuple[npt.NDArray[np.int64], list[str]]:
    """(number of each track's artist, their names); an unknown one, "", counts one a track."""
    names = [name or f"\0{row}" for row, name in enumerate(artist_id)]
    known, artist = np.unique(np.array(names, str), return_inverse=True)
    return artist.astype(np.int64), known.tolist()


def _of_one_system(
    tags: scipy.sparse.csr_array,
    vocabulary: Vocabulary,
    artist: npt.NDArray[np.int64],
    known: list[str] | None,
) -> npt.NDArray[np.bool_]:
    """Tracks to keep, bool [tracks]: with tags of one system, which is their artist's."""
    number = {system: k for k, system in enumerate(vocabulary.systems)}
    system = np.array([number[name] for name in vocabulary.system])
    members = np.eye(len(number))[system]
    has = (tags @ members) > 0
    keep = np.asarray(has.sum(axis=1) == 1)
    if known is None or len(number) < 2:
        return keep
    home = has.argmax(axis=1)
    there = np.zeros((len(known), len(number)), bool)
    there[artist[keep], home[keep]] = True
    side = there.argmax(axis=1)
    for k in np.flatnonzero(there.sum(axis=1) > 1).tolist():
        choices = np.flatnonzero(there[k])
        digest = hashlib.sha256(known[k].encode()).digest()
        side[k] = choices[int.from_bytes(digest[:8], "big") % len(choices)]
    return keep & (side[artist] == home)


def _bad_row(means: npt.NDArray) -> int:
    return int(np.argmin(np.isfinite(means).all(axis=1)))
