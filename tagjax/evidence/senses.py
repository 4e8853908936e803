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
import sklearn.cluster
import threadpoolctl

from tagjax.base.progress import Progress, silently
from tagjax.evidence.config import SENSE_ARTISTS, EvidenceConfig
from tagjax.evidence.relation import containment
from tagjax.evidence.score import TagSpace, log_ratios, tag_space
from tagjax.similarity.observations import Observations

Array = npt.NDArray[np.float64]

_MANY, _DRAWS, _FEW_DRAWS = 100, 12, 3
"""Draws of a single cloud; few do for many artists, as theirs hardly differ."""
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
            found.append(_look(observed, tag, space, known, rng))
    return sorted(found, key=lambda senses: (senses.kind == "one", senses.same))


def _look(
    observed: Observations,
    tag: int,
    space: TagSpace,
    known: npt.NDArray[np.int8],
    rng: np.random.Generator,
) -> Senses:
    """The two groups of a tag."""
    rows = np.flatnonzero(space.means.tag == tag)
    side, factor = two_groups(space.means.vectors[rows], space.spread)
    shape = (len(rows), len(space.spread))
    chance = [
        two_groups(rng.standard_normal(shape) + space.centre[tag], space.spread)[1]
        for _ in range(_DRAWS if len(rows) <= _MANY else _FEW_DRAWS)
    ]
    return _described(observed, space, tag, factor - float(np.mean(chance)), side, known)


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
    best = -np.inf
    for _ in range(4 * len(side)):
        best, values = _if_changed(vectors, side, spread, least)
        better = np.flatnonzero(values > best + 1e-9)
        if not len(better):
            break
        better = better[np.argsort(-values[better], kind="stable")]
        # The best quarter of the changes at once, unless the best one alone does more.
        several = side.copy()
        several[better[: max(1, len(better) // 4)]] ^= 1
        if not _if_changed(vectors, several, spread, least)[0] > values[better[0]]:
            several = side.copy()
            several[better[0]] ^= 1
        side = several
    one = _of_group(vectors.sum(axis=0), len(vectors), spread)
    return side, best - one


def _if_changed(
    vectors: Array, side: npt.NDArray[np.int64], spread: Array, least: int
) -> tuple[float, Array]:
    """The log-likelihood of a division, and [artists] what it were if one of them changed sides.

    Groups that are too small are as good as none.
    """
    count = np.bincount(side, minlength=2)
    total = [vectors[side == group].sum(axis=0) for group in (0, 1)]
    now = sum(_of_group(total[group], int(count[group]), spread) for group in (0, 1))
    squares, values = vectors**2, np.empty(len(side))
    for group in (0, 1):
        leaving, other = side == group, 1 - group
        left = _with_each(
            vectors[leaving], squares[leaving], -1, total[group], count[group], spread
        )
        into = _with_each(vectors[leaving], squares[leaving], 1, total[other], count[other], spread)
        values[leaving] = left + into
        smaller = min(count[group] - 1, count[other] + 1)
        if smaller < least:
            values[leaving] = -1e9 + smaller
    return (now if count.min() >= least else -1e9 + float(count.min())), values


def _of_group(total: Array, count: int, spread: Array) -> float:
    """Log-likelihood of one mean, up to what does not depend on the groups.

    Args:
      total: float64 [D], sum over a group's artists.
      count: their number.
      spread: float64 [D].
    """
    return 0.5 * float(spread / (1 + count * spread) @ total**2 - np.log1p(count * spread).sum())


def _with_each(
    vectors: Array, squares: Array, sign: int, total: Array, count: int, spread: Array
) -> Array:
    """`_of_group` of a group with each one artist more (sign 1) or less (-1): float64 [artists]."""
    many = count + sign
    weight = spread / (1 + many * spread)
    found = weight @ total**2 + 2 * sign * (vectors @ (weight * total)) + squares @ weight
    return 0.5 * (found - np.log1p(many * spread).sum())


def _described(
    observed: Observations,
    space: TagSpace,
    tag: int,
    surprise: float,
    side: npt.NDArray[np.int64],
    known: npt.NDArray[np.int8],
) -> Senses:
    """What the groups of a tag are like, as two tags in its place."""
    rows = np.flatnonzero(space.means.tag == tag)
    groups = tuple(space.means.artist[rows][side == group] for group in (0, 1))
    means = np.stack([space.means.vectors[rows][side == group].mean(axis=0) for group in (0, 1)])
    count = np.bincount(side, minlength=2)
    others = np.flatnonzero(space.count)
    others = others[others != tag]
    near = log_ratios((means, count), (space.centre[others], space.count[others]), space.spread)
    same = float(log_ratios((means[:1], count[:1]), (means[1:], count[1:]), space.spread)[0, 0])
    system = np.array([observed.vocabulary.system[place] for place in others.tolist()])
    pairs = [
        others[np.where(system == name, near, -np.inf).argmax(axis=1)].tolist()
        for name in observed.vocabulary.systems
        if (system == name).any()
    ]
    company = any(
        first == second or known[first, second] or (known[tag, [first, second]] == -1).all()
        for first, second in pairs
    )
    kind = "one" if surprise < _SURE or not same < 0 else "broad" if company else "two senses"
    first, second = others[near.argmax(axis=1)].tolist() if len(others) else (tag, tag)
    return Senses(tag, surprise, (groups[0], groups[1]), (first, second), same, kind)
