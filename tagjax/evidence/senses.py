"""Senses: a tag that is two things, as `hardcore` is punk and rave.

The artists of such a tag fall into two groups, each with a mean of its own. The evidence for it is
a Bayes factor: two means against one, in the dimensions in which tags differ. Chance finds two
groups in any cloud of artists, so the factor is compared with that of as many draws from a single
normal cloud. A broad tag falls into groups as well. What tells them apart is the company: the
groups of a broad tag lie nearest to one tag, to tags below it, or to siblings.
"""

import dataclasses

import numpy as np
import numpy.typing as npt
import scipy.sparse
import sklearn.cluster
import threadpoolctl

from tagjax.base.progress import Progress, silently
from tagjax.evidence.config import SENSE_ARTISTS, EvidenceConfig
from tagjax.evidence.relation import containment
from tagjax.evidence.score import TagSpace, tag_space, two_covariance
from tagjax.similarity.observations import Observations

Array = npt.NDArray[np.float64]

_DRAWS = 12
_LEAST_SHARE = 0.25
"""Smallest share of a tag's artists that make a sense, beside `SENSE_ARTISTS`."""
_SURE = 3.0
"""Surprise from which on a tag is no longer taken for one: e^3 to 1."""


@dataclasses.dataclass(frozen=True, eq=False)
class Senses:
    """The two groups into which a tag's artists fall best.

    Attributes:
      tag: its place.
      surprise: Bayes factor of two groups against one, less that of a single cloud, in logarithms.
      artists: two arrays, int64: the artists of each group.
      nearest: the tag that each group sounds most like, of any system.
      same: score that both groups are the same; below 0 speaks against it.
      kind: "two senses"; "broad" if, in some tag system, both groups lie nearest to one tag, to a
        tag and its parent, to siblings, or to tags below this one; or "one".
    """

    tag: int
    surprise: float
    artists: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
    nearest: tuple[int, int]
    same: float
    kind: str


def find_senses(
    observed: Observations,
    config: EvidenceConfig = EvidenceConfig(),  # noqa: B008 (frozen)
    progress: Progress = silently,
) -> list[Senses]:
    """Looks at every tag with enough artists; those whose groups differ most come first.

    Args:
      observed: the tracks.
      config: see there.
      progress: gets the tags.
    """
    ridge = config.score_ridges[0]
    space = tag_space(observed, observed.tags, ridge, config.score)
    if space is None:
        return []
    rng, known = np.random.default_rng(config.seed), containment(observed)
    tags = np.flatnonzero(space.count >= config.senses_artists).tolist()
    found = []
    with threadpoolctl.threadpool_limits(1):  # Small matrices: threads would wait for each other.
        for tag in progress(tags, "look for senses", len(tags)):
            found.append(_look(observed, tag, space, known, rng, config))
    return sorted(found, key=lambda senses: (senses.kind == "one", senses.same))


def _look(
    observed: Observations,
    tag: int,
    space: TagSpace,
    known: npt.NDArray[np.int8],
    rng: np.random.Generator,
    config: EvidenceConfig,
) -> Senses:
    """The two groups of a tag."""
    rows = np.flatnonzero(space.means.tag == tag)
    side, factor = two_groups(space.means.vectors[rows], space.spread)
    shape = (len(rows), len(space.spread))
    chance = [
        two_groups(rng.standard_normal(shape) + space.centre[tag], space.spread)[1]
        for _ in range(_DRAWS)
    ]
    artists = space.means.artist[rows]
    groups = (artists[side == 0], artists[side == 1])
    return _described(observed, tag, factor - float(np.mean(chance)), groups, known, config)


def two_groups(vectors: Array, spread: Array) -> tuple[npt.NDArray[np.int64], float]:
    """The best division of a tag's artists in two.

    Args:
      vectors: float64 [artists, D], at least 6, with variance 1 within a group.
      spread: float64 [D], variance of the means of groups.

    Returns:
      0 or 1 for each artist, and the logarithm of the Bayes factor of two groups against one.
    """
    least = max(SENSE_ARTISTS, int(np.ceil(_LEAST_SHARE * len(vectors))))
    weighted = vectors * np.sqrt(spread / (1 + spread))
    clusters = sklearn.cluster.KMeans(2, n_init=6, random_state=0).fit(weighted)
    side = clusters.labels_.astype(np.int64)
    best, better = _of_groups(vectors, side, spread, least), True
    while better:
        better = False
        for place in range(len(side)):
            side[place] ^= 1
            value = _of_groups(vectors, side, spread, least)
            if value > best + 1e-9:
                best, better = value, True
            else:
                side[place] ^= 1
    return side, best - _of_one(vectors, spread)


def _of_one(vectors: Array, spread: Array) -> float:
    """Log-likelihood of one mean, up to what does not depend on the groups."""
    count, total = len(vectors), vectors.sum(axis=0)
    kept = spread / (1 + count * spread)
    return float(0.5 * (kept * total**2 - np.log1p(count * spread)).sum())


def _of_groups(vectors: Array, side: npt.NDArray, spread: Array, least: int) -> float:
    smaller = min(int((side == 0).sum()), int((side == 1).sum()))
    if smaller < least:
        return -1e9 + smaller
    return sum(_of_one(vectors[side == group], spread) for group in (0, 1))


def _described(
    observed: Observations,
    tag: int,
    surprise: float,
    groups: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    known: npt.NDArray[np.int8],
    config: EvidenceConfig,
) -> Senses:
    """What the groups of a tag are like, as two tags in its place."""
    others = [place for place in range(len(observed.vocabulary)) if place != tag]
    column = observed.tags[:, [tag]].toarray()[:, 0]
    parts = [column * np.isin(observed.artist, group) for group in groups]
    together = scipy.sparse.csr_array(
        scipy.sparse.hstack(
            [observed.tags[:, others], scipy.sparse.csr_array(np.stack(parts, axis=1))],
            format="csr",
        )
    )
    score = two_covariance(observed, together, config.score_ridges[0], config.score)
    size = len(others)
    near = np.where(np.isnan(score[size:, :size]), -np.inf, score[size:, :size])
    same = float(score[size, size + 1])
    system = np.array([observed.vocabulary.system[place] for place in others])
    pairs = [
        tuple(
            others[int(place)] for place in np.where(system == name, near, -np.inf).argmax(axis=1)
        )
        for name in observed.vocabulary.systems
        if (system == name).any()
    ]
    company = any(
        first == second or known[first, second] or (known[tag, [first, second]] == -1).all()
        for first, second in pairs
    )
    kind = "one" if surprise < _SURE or not same < 0 else "broad" if company else "two senses"
    first, second = (others[int(place)] for place in near.argmax(axis=1)) if size else (tag, tag)
    return Senses(tag, surprise, groups, (first, second), same, kind)
