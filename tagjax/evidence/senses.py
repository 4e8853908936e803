"""Senses: a tag that is two things, as `hardcore` is punk and rave.

The artists of such a tag fall into two groups, each with a mean of its own. The evidence for it is
a Bayes factor: two means against one, in the dimensions in which tags differ. Chance finds two
groups in any cloud of artists, so the factor is compared with that of as many draws from a single
normal cloud. Artists of a single tag fall into groups too, as some are mislabelled. But the senses
of a tag have other names elsewhere: two other tags together tell its artists better than its own
mean does, or any one other tag. A broad tag falls into groups as well. What tells it apart is the
company: the groups of a broad tag lie nearest to one tag, to tags below it, or to siblings.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

from tagjax.base.progress import Progress, silently
from tagjax.evidence.config import SENSE_ARTISTS, EvidenceConfig
from tagjax.evidence.relation import containment
from tagjax.evidence.score import TagSpace, log_ratios, tag_space
from tagjax.similarity.observations import Observations

Array = npt.NDArray[np.float64]

_RIDGE = 1e9
"""So large that other tags explain nothing: genres would explain in what two senses differ."""
_MANY, _DRAWS, _FEW_DRAWS = 100, 12, 3
"""Draws of a single cloud; few do for many artists, as theirs hardly differ."""
_STARTS = 3
"""Principal directions to start from; six find no better groups."""
_GAIN = 0.1
"""Smallest gain of the logarithm for which it is worth going on."""
_LEAST_SHARE = 0.25
"""Smallest share of a tag's artists that make a sense, beside `SENSE_ARTISTS`."""
_SURE = 3.0
"""Surprise from which on a tag is no longer taken for one: e^3 to 1."""
_KINDS = ("two senses", "broad", "one")
_MISLABELLED = 0.05
"""Share of artists that sound like any tag."""
_CANDIDATES = 20
"""Other tags among which two are looked for; forty find no better ones."""
_TWO_TAGS = 25.0
"""Mixture from which on a tag is two; of single styles a tenth are above 21."""


@dataclasses.dataclass(frozen=True, eq=False)
class Senses:
    """The two groups into which a tag's artists fall best.

    Attributes:
      tag: its place.
      surprise: Bayes factor of two groups against one, less that of a single cloud, in logarithms.
      artists: two arrays, int64: the artists of each group.
      nearest: the tag that each group sounds most like, of any system.
      same: score that both groups are the same; below 0 speaks against it.
      mixture: logarithm of how much better two other tags tell the artists than one does.
      kind: "two senses" if all of this says so; "broad" if the groups differ but, in some tag
        system, both lie nearest to one tag, to a tag and its parent, to siblings, or to tags below
        this one; or "one".
    """

    tag: int
    surprise: float
    artists: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
    nearest: tuple[int, int]
    same: float
    mixture: float
    kind: str


def find_senses(
    observed: Observations,
    config: EvidenceConfig = EvidenceConfig(),  # noqa: B008 (frozen)
    progress: Progress = silently,
) -> list[Senses]:
    """Looks at every tag with enough artists; two senses come first, then broad tags.

    Args:
      observed: the tracks.
      config: see there.
      progress: gets the tags.
    """
    space = tag_space(observed, observed.tags, _RIDGE, config.score)
    if space is None:
        return []
    rng, known = np.random.default_rng(config.seed), containment(observed)
    tags = np.flatnonzero(space.count >= config.senses_artists).tolist()
    found = []
    for tag in progress(tags, "look for senses", len(tags)):
        found.append(_look(observed, tag, space, known, rng))
    return sorted(found, key=lambda senses: (_KINDS.index(senses.kind), -senses.mixture))


def _look(
    observed: Observations,
    tag: int,
    space: TagSpace,
    known: npt.NDArray[np.int8],
    rng: np.random.Generator,
) -> Senses:
    """The two groups of a tag."""
    vectors = space.means.vectors[space.means.tag == tag]
    draws = _DRAWS if len(vectors) <= _MANY else _FEW_DRAWS
    chance = rng.standard_normal((draws, *vectors.shape)) + space.centre[tag]
    side, factor = two_groups(np.concatenate([vectors[None], chance]), space.spread)
    return _described(observed, space, tag, float(factor[0] - factor[1:].mean()), side[0], known)


def two_groups(clouds: Array, spread: Array) -> tuple[npt.NDArray[np.int64], Array]:
    """The best division of a tag's artists in two, for several such clouds of artists.

    The best groups lie on two sides of a plane. So artists are put in order along a direction and
    cut where the factor is largest. The direction from one group to the other comes next, until
    nothing is gained. The first directions are the principal ones.

    Args:
      clouds: float64 [K, artists, D], at least 6 artists, with variance 1 within a group.
      spread: float64 [D], variance of the means of groups.

    Returns:
      0 or 1 for each artist, [K, artists], and the logarithm of the Bayes factor of two groups
      against one, float64 [K].

    >>> clouds = np.array([[[-3.0], [-3.1], [-3.2], [3.0], [3.1], [3.2]]])
    >>> side, factor = two_groups(clouds, np.array([9.0]))
    >>> bool(side[0, 0] != side[0, -1]), bool(factor[0] > 10)
    (True, True)

    Reference: principal directions as first ones are of Ding and He 2004,
    https://doi.org/10.1145/1015330.1015408
    """
    along = _principal(clouds * np.sqrt(spread / (1 + spread)))
    cloud = np.repeat(np.arange(len(clouds)), along.shape[1])
    along = along.reshape(len(cloud), -1)
    side, best = np.zeros(along.shape, np.int64), np.full(len(cloud), -np.inf)
    going, total = np.arange(len(cloud)), clouds.sum(axis=1)
    while len(going):
        order = np.argsort(along, axis=1)
        first, value, direction = _cut(
            clouds[cloud[going, None], order], total[cloud[going]], spread
        )
        better = value > best[going] + _GAIN
        going = going[better]
        best[going] = value[better]
        side[going] = np.argsort(order[better], axis=1) >= first[better, None]
        along = (clouds[cloud[going]] @ direction[better, :, None])[:, :, 0]
    starts = best.reshape(len(clouds), -1)
    chosen = starts.argmax(axis=1) + np.arange(len(clouds)) * starts.shape[1]
    return side[chosen], best[chosen] - _of_group(total, clouds.shape[1], spread)


def _principal(clouds: Array) -> Array:
    """Places along the first principal directions: [K, artists, D] to [K, k, artists]."""
    offsets = clouds - clouds.mean(axis=1, keepdims=True)
    vectors = np.linalg.eigh(offsets.transpose(0, 2, 1) @ offsets)[1]
    return vectors[:, :, -_STARTS:].transpose(0, 2, 1) @ offsets.transpose(0, 2, 1)


def _cut(ordered: Array, total: Array, spread: Array) -> tuple[npt.NDArray[np.int64], Array, Array]:
    """Cuts each cloud in two where it is best.

    Args:
      ordered: float64 [K, artists, D]; the first artists become one group, the others the other.
      total: float64 [K, D], sum over a cloud's artists.
      spread: float64 [D].

    Returns:
      Number of artists in the first group [K], the log-likelihood [K], and the direction from the
      expected mean of the first group to that of the second, [K, D].
    """
    clouds, artists, _ = ordered.shape
    least = max(SENSE_ARTISTS, int(np.ceil(_LEAST_SHARE * artists)))
    count = np.arange(least, artists - least + 1)
    below = np.cumsum(ordered[:, : artists - least], axis=1)[:, least - 1 :]
    groups = ((below, count), (total[:, None] - below, artists - count))
    value = np.sum([_of_group(sums, number, spread) for sums, number in groups], axis=0)
    best, rows = value.argmax(axis=1), np.arange(clouds)
    first, second = (
        sums[rows, best] * spread / (1 + number[best, None] * spread) for sums, number in groups
    )
    return count[best], value[rows, best], second - first


def _of_group(total: Array, count: npt.ArrayLike, spread: Array) -> Array:
    """Log-likelihood of one mean, up to what does not depend on the groups.

    Args:
      total: float64 [..., n, D], sums over groups' artists.
      count: [n] or one, their numbers.
      spread: float64 [D].

    Returns:
      float64 [..., n].
    """
    scale = 1 + np.asarray(count)[..., None] * spread
    squares = np.einsum("...d,...d->...", total**2, spread / scale)
    return 0.5 * (squares - np.log(scale).sum(axis=-1))


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
    mixture = _mixture(space, tag)
    kind = "two senses" if mixture >= _TWO_TAGS else "one"
    kind = "one" if surprise < _SURE or not same < 0 else "broad" if company else kind
    first, second = others[near.argmax(axis=1)].tolist() if len(others) else (tag, tag)
    return Senses(tag, surprise, (groups[0], groups[1]), (first, second), same, mixture, kind)


def _mixture(space: TagSpace, tag: int) -> float:
    """Log-likelihood of a tag's artists if each is of one of two other tags, less that of one tag.

    Density of an artist x of a tag with n others and mean m, with w = tau / (1 + n tau):
    N(x; n w m, 1 + w). The one tag is any other, or this one without the artist. An artist may be
    mislabelled, and then has the density N(x; 0, 1 + tau) of any tag.
    """
    vectors, spread = space.means.vectors[space.means.tag == tag], space.spread
    others = np.flatnonzero(space.count)
    others = others[others != tag]
    if len(others) < 2:
        return 0.0
    sums = space.centre[others] * space.count[others, None]
    precise, shift = _predicted(sums, space.count[others], spread)
    logs = np.empty((len(vectors), len(others) + 2))
    logs[:, :-2] = vectors @ (precise * shift).T - vectors**2 @ precise.T / 2
    logs[:, :-2] -= (precise * shift**2 - np.log(precise)).sum(axis=1) / 2
    rest = vectors.sum(axis=0) - vectors, np.zeros_like(vectors)
    for column, sums, number in ((-2, rest[0], len(vectors) - 1), (-1, rest[1], 0)):
        scale, mean = _predicted(sums, np.array([number]), spread)
        logs[:, column] = (np.log(scale) - scale * (vectors - mean) ** 2).sum(axis=1) / 2
    density = np.exp(logs - logs.max(axis=1, keepdims=True))
    density[:, :-1] *= 1 - _MISLABELLED
    wrong = np.maximum(_MISLABELLED * density[:, -1:], 1e-300)
    every, each = density[:, :-1], density[:, :-2]
    one = np.log(every + wrong).sum(axis=0).max()
    share = (each / (each.sum(axis=1, keepdims=True) + wrong)).sum(axis=0)
    near = each[:, np.argsort(-share, kind="stable")[:_CANDIDATES]]
    first, second = np.triu_indices(near.shape[1], 1)
    two = np.log((near[:, first] + near[:, second]) / 2 + wrong).sum(axis=0).max()
    return float(two - one)


def _predicted(total: Array, count: npt.NDArray[np.int64], spread: Array) -> tuple[Array, Array]:
    """(1 / variance, mean) [N, D] of the next artist of tags, from sums over their artists."""
    weight = spread / (1 + count[:, None] * spread)
    return 1 / (1 + weight), weight * total
