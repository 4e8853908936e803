"""What to listen to: the tracks that speak most for a pair of tags being the same, and against it.

A track speaks for the pair if the other tag's mean explains it better than the tags at large do. It
is what an artist of one tag would add to the two-covariance score of the pair.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from tagjax.evidence.score import TagSpace
from tagjax.similarity.observations import Observations

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Clip:
    """A track to hear.

    Attributes:
      track_id: of the track.
      tag: place of the tag that it has.
      gain: by how much it raises the log-likelihood ratio of the pair; below 0 against it.
    """

    track_id: str
    tag: int
    gain: float


def clips_of(
    observed: Observations, space: TagSpace, first: int, second: int, number: int = 3
) -> tuple[list[Clip], list[Clip]]:
    """(for, against): the tracks of either tag that say most, no artist twice.

    Args:
      observed: the tracks.
      space: of their tags; see `score.tag_space`.
      first, second: places of two tags.
      number: of tracks each; fewer if there are fewer artists.
    """
    clips, artists = [], []
    for tag, other in ((first, second), (second, first)):
        rows = observed.tags[:, [tag]].tocoo().coords[0]
        vectors = space.of_tracks(observed, rows, tag)
        gains = _gain(vectors, space.centre[other], int(space.count[other]), space.spread)
        for row, gain in zip(rows.tolist(), gains.tolist(), strict=True):
            clips.append(Clip(observed.track_id[row], tag, gain))
            artists.append(int(observed.artist[row]))
    order = np.argsort([-clip.gain for clip in clips], kind="stable").tolist()
    best = _by_artist(order, artists, number)
    taken = {artists[place] for place in best}
    worst = _by_artist([k for k in order[::-1] if artists[k] not in taken], artists, number)
    return [clips[k] for k in best], [clips[k] for k in worst]


def _gain(vectors: Array, centre: Array, count: int, spread: Array) -> Array:
    """log p(vector | the tag with this mean of `count` artists) - log p(vector | any tag)."""
    kept = spread * count / (1 + spread * count)
    mean, variance = kept * centre, 1 + spread / (1 + spread * count)
    at_large = 1 + spread
    own = (vectors - mean) ** 2 / variance + np.log(variance)
    other = vectors**2 / at_large + np.log(at_large)
    return 0.5 * (other - own).sum(axis=1)


def _by_artist(order: list[int], artists: list[int], number: int) -> list[int]:
    seen: set[int] = set()
    found: list[int] = []
    for place in order:
        if artists[place] not in seen and len(found) < number:
            seen.add(artists[place])
            found.append(place)
    return found
