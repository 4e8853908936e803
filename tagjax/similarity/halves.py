"""Halves: known duplicates, made of any catalogue without a label.

Every tag is split in two by artist, as in section 3.2: an artist, with all of its tags, goes to
one side. Nothing is trained again. Both halves of a tag mean the same, so a method that does not
find one by the other would not find a duplicate here either. Several splits are drawn, and a tag
counts once.

Half of the splits choose the ridge of fr, and the others say how well it does.
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import scipy.sparse

from tagjax.base.errors import InputError
from tagjax.base.progress import Progress, silently
from tagjax.similarity import embeddings
from tagjax.similarity.observations import Observations, artists_of, tracks_of

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class HalvesConfig:
    """How halves are made and used.

    Attributes:
      splits: number of them; those with an even number choose, the others report.
      least_artists: artists that either half of a tag needs, so that it is asked for.
      ridges: among which fr's is chosen, in tracks.
      ridge: of fr where no tag has enough artists, so that none can be chosen.
      seed: of the splits.
    """

    splits: int = 10
    least_artists: int = 2
    ridges: tuple[float, ...] = (5.0, 10.0, 20.0, 50.0)
    ridge: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.splits < 2 or self.least_artists < 1:
            raise InputError("splits must be at least 2, and least_artists at least 1")
        if not self.ridges or min(*self.ridges, self.ridge) <= 0:
            raise InputError("ridges and ridge must be above 0")


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """One way to split all tags in two.

    Attributes:
      tags: sparse [tracks, 2 N]: the first halves of the N tags, then the second ones.
      usable: bool [N], whether both halves have enough artists.
    """

    tags: scipy.sparse.csr_array
    usable: npt.NDArray[np.bool_]


def draw(observed: Observations, number: int, config: HalvesConfig = HalvesConfig()) -> Split:
    """Draws a split: half of the artists, by chance, go to each side.

    Args:
      observed: the tracks.
      number: of the split; the same number and seed give the same split.
      config: see there.
    """
    artists = int(observed.artist.max()) + 1
    order = np.random.default_rng([config.seed, number]).permutation(artists)
    second = np.zeros(artists)
    second[order[: artists // 2]] = 1
    side = second[observed.artist]
    halves = [observed.tags.multiply(weight[:, None]) for weight in (1 - side, side)]
    tags = scipy.sparse.csr_array(scipy.sparse.hstack(halves, format="csr"))
    tags.eliminate_zeros()
    counts = artists_of(tags, observed.artist).reshape(2, -1)
    return Split(tags, counts.min(axis=0) >= config.least_artists)


@dataclasses.dataclass(frozen=True, eq=False)
class Ranks:
    """Where the other half of a tag stands among all other halves of its tag system.

    Attributes:
      tag: int64 [queries], the tag whose half asks.
      rank: float64 [queries], of its other half; infinite where it is never found. Ties count
        against us.
      found: int64 [queries], the tag of the nearest half.
    """

    tag: npt.NDArray[np.int64]
    rank: npt.NDArray[np.float64]
    found: npt.NDArray[np.int64]

    def by_tag(self, value: Callable[[Array], Array]) -> tuple[npt.NDArray[np.int64], Array]:
        """(tags, the mean over a tag's queries of a value of their ranks), so a tag counts once."""
        tags, place = np.unique(self.tag, return_inverse=True)
        return tags, np.bincount(place, value(self.rank)) / np.bincount(place)

    def mrr(self) -> float:
        """Mean reciprocal rank over tags, in [0, 1]; 0 without queries."""
        values = self.by_tag(lambda rank: 1 / rank)[1]
        return float(values.mean()) if len(values) else 0.0


def rank_halves(observed: Observations, split: Split, similarity: Array) -> Ranks:
    """Ranks each half's partner among all other halves of its tag system.

    Args:
      observed: the tracks.
      split: of their tags.
      similarity: float64 [2 N, 2 N] of its halves.

    Returns:
      Two queries a usable tag, one from each side.
    """
    vocabulary, size = observed.vocabulary, len(observed.vocabulary)
    place = {system: k for k, system in enumerate(vocabulary.systems)}
    system = np.tile([place[name] for name in vocabulary.system], 2)
    queries = np.flatnonzero(np.tile(split.usable, 2))
    rows, partners = np.arange(len(queries)), (queries + size) % (2 * size)
    scores = np.where(system[queries][:, None] == system, similarity[queries], np.nan)
    scores[rows, queries] = np.nan
    scores = np.where(np.isnan(scores), -np.inf, scores)
    truth = scores[rows, partners]
    above = (scores >= truth[:, None]).sum(axis=1).astype(np.float64)
    found = scores.argmax(axis=1) % size if len(queries) else queries
    return Ranks(queries % size, np.where(np.isinf(truth), np.inf, above), found)


def join(ranks: list[Ranks]) -> Ranks:
    """The queries of several splits as one."""
    columns = ("tag", "rank", "found")
    return Ranks(*(np.concatenate([getattr(part, name) for part in ranks]) for name in columns))


def without_own_units(features_of: Array, owner: npt.NDArray[np.int64]) -> Array:
    """Cosine of halves over all features but the output units of the pair's own two tags.

    Training shared these units: a half's tracks are called by the tag's name because tracks of its
    other half were.

    Args:
      features_of: float64 [2 N, D], a row a half.
      owner: int64 [D], the tag whose unit a feature is, -1 for none.

    Returns:
      float64 [2 N, 2 N].
    """
    size = len(features_of) // 2
    products = features_of @ features_of.T
    squares = np.diagonal(products).copy()
    dots, norms = products.copy(), np.broadcast_to(squares[:, None], products.shape).copy()
    for tag in np.unique(owner[owner >= 0]).tolist():
        units, halves = features_of[:, owner == tag], [tag, tag + size]
        both, own = units[halves] @ units.T, np.einsum("nd,nd->n", units, units)
        dots[halves] -= both
        norms[halves] -= own[halves][:, None]
        both[:, halves], own[halves] = 0, 0  # These are left out already.
        dots[:, halves] -= both.T
        norms[:, halves] -= own[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return dots / np.sqrt(np.maximum(norms, 0) * np.maximum(norms.T, 0))


def mean_features(observed: Observations, tags: scipy.sparse.csr_array) -> Array:
    """fm of tags (equation 3) over observed tracks, of features that are not centred.

    Returns:
      float64 [N, D]; the row of a tag without tracks is zero.
    """
    sums = embeddings.sums_by_tag(tags, observed.features, observed.raw)
    return sums / np.maximum(tracks_of(tags), 1)[:, None]


@dataclasses.dataclass(frozen=True, eq=False)
class Recovery:
    """How well halves find each other, by splits that chose nothing.

    Attributes:
      ridge: of fr, in tracks.
      chosen: whether the data chose it.
      ranks: {embedding: ranks}, of "fm" and "fr", and of each "without own units".
      mrr: {ridge: mean reciprocal rank on the splits that chose}.
    """

    ridge: float
    chosen: bool = False
    ranks: Mapping[str, Ranks] = dataclasses.field(default_factory=dict)
    mrr: Mapping[float, float] = dataclasses.field(default_factory=dict)


def recover(
    observed: Observations,
    config: HalvesConfig = HalvesConfig(),
    progress: Progress = silently,
) -> Recovery:
    """Chooses fr's ridge on half of the splits, and says how well fm and fr do on the others.

    Args:
      observed: the tracks.
      config: see there.
      progress: gets the splits.
    """
    splits = [draw(observed, number, config) for number in range(config.splits)]
    tried: dict[float, list[Ranks]] = {ridge: [] for ridge in config.ridges}
    for split in progress(splits[::2], "choose the ridge of fr", len(splits[::2])):
        together = (split.tags.T @ split.tags).toarray()
        sums = embeddings.sums_by_tag(split.tags, observed.features)
        for ridge in config.ridges:
            rows = embeddings.solve_ridge(together.copy(), sums, ridge)
            tried[ridge].append(rank_halves(observed, split, embeddings.cosine(rows.T)))
    mrr = {ridge: join(ranks).mrr() for ridge, ranks in tried.items()}
    chosen = any(split.usable.any() for split in splits[::2])
    ridge = max(mrr, key=lambda ridge: mrr[ridge]) if chosen else config.ridge
    found: dict[str, list[Ranks]] = {}
    for split in progress(splits[1::2], "recover halves", len(splits[1::2])):
        vectors = {
            "fm": mean_features(observed, split.tags),
            "fr": embeddings.regress(observed.features, split.tags, ridge),
        }
        for name, rows in vectors.items():
            both = {name: embeddings.cosine(rows.T)}
            if (observed.owner >= 0).any():
                both[f"{name} without own units"] = without_own_units(rows, observed.owner)
            for kind, similarity in both.items():
                found.setdefault(kind, []).append(rank_halves(observed, split, similarity))
    return Recovery(ridge, chosen, {name: join(ranks) for name, ranks in found.items()}, mrr)
