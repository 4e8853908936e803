"""From annotated catalogues to a manifest: sections 2.1, 2.2, 3.2 and 4 of the paper.

The functions are pure, and the sampling is seeded. Tracks, groups, artists and tags are numbered in
the order of their sorted names, so nothing depends on the order of rows. Every step has its own
random generator (from `seed` and the step), so changing one choice leaves the other draws as they
were.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tagjax.base.errors import InputError
from tagjax.catalogue import corpus as corpora
from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.catalogue.corpus import Corpus
from tagjax.manifest.lists import Excerpts, Manifest
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import EXPERIMENTS, Vocabulary

PARTS = ("train", "validation", "test")
UPSAMPLE_TO = ("commonest", "max_occurrences")

_LABELS, _SPLIT, _BALANCE, _POSITIONS, _HALVES = range(5)


def _one_of(name: str, values: Sequence[str], valid: Sequence[str]) -> None:
    for value in values:
        if value not in valid:
            raise InputError(f"{name}={value!r}: unknown; valid: {', '.join(valid)}")


class EmptyPartError(InputError):
    """A catalogue is too small for the requested parts."""


@dataclasses.dataclass(frozen=True)
class SamplingConfig:
    """Choices of the sampling. BUILD_NOTES.md gives reasons where the paper leaves a choice open.

    Attributes:
      top_tags: number of tags kept in each catalogue, those with most tracks; None for all.
      min_tracks: tags with fewer tracks are dropped.
      max_occurrences: largest number of excerpts that a tag may label over all parts, K of section
        2.2; each part gets its share.
      seg_duration: length of an excerpt in seconds.
      train, validation, test: shares of the parts; not used with folds.
      seed: seed of all draws.
      upsample: parts in which rare tags get further excerpts; with folds, "train" means the
        `fold_k_upsampled` parts. The authors' released test list has one excerpt for each track.
      upsample_to: a rare tag gets excerpts up to the number of the part's "commonest" tag, or up to
        "max_occurrences". Both are the same in a large catalogue, where the commonest reaches K.
      max_excerpts_per_track: largest number of excerpts of a track, after upsampling; None for no
        limit but `min_shift`.
      min_shift: smallest distance between the starts of two excerpts of a track, in seconds.

    >>> config = SamplingConfig(top_tags=100, max_occurrences=500)
    >>> config.train, config.validation, config.test
    (0.7, 0.1, 0.2)

    Reference: section 2.2 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    top_tags: int | None = None
    min_tracks: int = 1
    max_occurrences: int = 2000
    seg_duration: float = 30.0
    train: float = 0.7
    validation: float = 0.1
    test: float = 0.2
    seed: int = 0
    upsample: tuple[str, ...] = ("train",)
    upsample_to: str = "commonest"
    max_excerpts_per_track: int | None = 10
    min_shift: float = 1.0

    def __post_init__(self):
        for name in ("top_tags", "min_tracks", "max_excerpts_per_track"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name}={value}: must be at least 1")
        if min(self.shares) <= 0 or abs(sum(self.shares) - 1) > 1e-6:
            raise InputError(
                f"train={self.train}, validation={self.validation}, test={self.test}: "
                "shares must be above 0 and sum to 1"
            )
        if self.max_occurrences < 1:
            raise InputError(f"max_occurrences={self.max_occurrences}: must be at least 1")
        if not 0 < self.seg_duration < np.inf:
            raise InputError(f"seg_duration={self.seg_duration}: must be a number of seconds > 0")
        if not 0.001 <= self.min_shift < np.inf:
            raise InputError(f"min_shift={self.min_shift}: must be at least 0.001 s")
        if self.seed < 0:
            raise InputError(f"seed={self.seed}: must not be negative")
        _one_of("upsample", self.upsample, PARTS)
        _one_of("upsample_to", [self.upsample_to], UPSAMPLE_TO)

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of train, validation and test."""
        return self.train, self.validation, self.test


def draw_labels(
    group: np.ndarray, tag: np.ndarray, popularity: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draws one label for each group (album), P(tag) proportional to 1 / popularity (section 2.2).

    If Rock is on 1000 tracks and Punk on 100, an album with both is Rock with probability 1/11 and
    Punk with 10/11. Each tag draws an exponential variable with its rate, and the smallest wins.

    Args:
      group: int [n], the group of each (group, tag) pair; ascending, from 0 without gaps.
      tag: int [n], the tag of each pair.
      popularity: [tags], number of tracks in the whole data set that have the tag.
      rng: the source of chance.

    Returns:
      int64 [groups]: the label of each.
    """
    arrival = rng.exponential(size=len(tag)) * np.maximum(popularity, 1)[tag]
    order = np.lexsort((arrival, group))
    first = np.searchsorted(group, np.arange(group[-1] + 1 if len(group) else 0))
    return tag[order[first]].astype(np.int64)


def split_groups(
    group: np.ndarray,
    feature: np.ndarray,
    shares: Sequence[float],
    rng: np.random.Generator,
    passes: int = 3,
) -> np.ndarray:
    """Splits groups (artists) into parts, with each feature (tag) as near to the shares as can be.

    The method is greedy. Groups are placed from the largest to the smallest. Each goes where it
    adds least to the chi-square distance between the parts' counts and their shares of every
    feature and of the total. Further passes move each group to its best place given all others. The
    time is linear in the number of occurrences.

    Args:
      group: int [n], the group of each occurrence; numbers from 0 without gaps.
      feature: int [n], the feature of each occurrence.
      shares: shares of the parts, with the sum 1.
      rng: breaks ties between groups of one size.
      passes: number of times that every group is placed.

    Returns:
      int64 [groups]: the part of each group.
    """
    n_groups, n_features = int(group.max()) + 1, int(feature.max()) + 1
    keys, counts = np.unique(group * n_features + feature, return_counts=True)
    bounds = np.searchsorted(keys, np.arange(n_groups + 1) * n_features).tolist()
    sizes = np.bincount(group)
    order = np.lexsort((rng.permutation(n_groups), -sizes)).tolist()
    totals = np.append(np.bincount(feature), len(group)).tolist()
    features, counts, sizes = (keys % n_features).tolist(), counts.tolist(), sizes.tolist()
    have = [[0] * len(totals) for _ in shares]
    scale = [1.0 / share for share in shares]
    part = [-1] * n_groups
    for _ in range(passes):
        for g in order:
            here = slice(bounds[g], bounds[g + 1])
            occurs = [*zip(features[here], counts[here], strict=True), (n_features, sizes[g])]
            if part[g] >= 0:
                held = have[part[g]]
                for f, c in occurs:
                    held[f] -= c
            costs = [
                weight * sum(c * (2 * held[f] + c) / totals[f] for f, c in occurs)
                for held, weight in zip(have, scale, strict=True)
            ]
            part[g] = costs.index(min(costs))
            held = have[part[g]]
            for f, c in occurs:
                held[f] += c
    return np.array(part, dtype=np.int64)


def split_by_artist(
    artist: np.ndarray, label: np.ndarray, shares: Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    """The part of each track: no artist is in two parts, and labels are spread evenly (2.1.3).

    Args:
      artist: int [tracks], numbers from 0 without gaps.
      label: int [tracks].
      shares: shares of the parts, with the sum 1; (.7, .1, .2) in the paper.
      rng: the source of chance.

    Returns:
      int64 [tracks].
    """
    return split_groups(artist, label, shares, rng)[artist]


def folds_by_artist(
    artist: np.ndarray, label: np.ndarray, folds: int, rng: np.random.Generator
) -> np.ndarray:
    """The fold of each track, by `split_by_artist` with `folds` equal shares."""
    return split_by_artist(artist, label, [1.0 / folds] * folds, rng)


def balance(
    label: np.ndarray,
    capacity: np.ndarray,
    most: int,
    upsample_to: int | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """How many excerpts to take of each track, so that labels occur equally often (2.2).

    A label on more than `most` tracks keeps a random choice of them, with one excerpt each. A rarer
    label gets second excerpts of all its tracks, then third ones, and so on up to their capacity. A
    random choice of tracks gets those of the last round.

    Args:
      label: int [tracks].
      capacity: int [tracks], number of excerpts that each track can give, at least 1.
      most: largest number of occurrences of a label.
      upsample_to: desired number of occurrences, cut to `most`; None for no upsampling.
      rng: the source of chance.

    Returns:
      int64 [tracks]: number of excerpts to take, 0 for a track that is left out.
    """
    copies = np.zeros(len(label), np.int64)
    order = np.argsort(label, kind="stable")
    bounds = np.flatnonzero(np.diff(label[order], prepend=-1, append=-1))
    for begin, end in itertools.pairwise(bounds):
        tracks = rng.permutation(order[begin:end])
        copies[tracks[:most]] = 1
        left = min(upsample_to or 0, most) - len(tracks)
        while left > 0 and (able := tracks[capacity[tracks] > copies[tracks]]).size:
            copies[rng.permutation(able)[:left] if left < able.size else able] += 1
            left -= able.size
    return copies


def excerpt_starts(
    slack: np.ndarray, position: np.ndarray, copies: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where the excerpts of each track begin.

    The first begins at random between 0 and `slack`, the latest start from which an excerpt still
    fits (section 2.1). The other n - 1 follow in steps of slack / n, and go on at the beginning
    when they reach the end. So each is as random as the first, and any two are at least slack / n
    apart. Starts are rounded down to 1e-4 s.

    Args:
      slack: float64 [tracks], seconds: duration - seg_duration, 0 if that is negative.
      position: float64 [tracks], uniform draws from [0, 1).
      copies: int [tracks].

    Returns:
      (track int64 [n], copy int64 [n], start float64 [n] seconds), by track and copy.
    """
    track = np.repeat(np.arange(len(copies)), copies)
    copy = np.arange(len(track)) - np.repeat(np.cumsum(copies) - copies, copies)
    start = (position[track] + copy / copies[track]) % 1.0 * slack[track]
    return track, copy, np.floor(start * 1e4) / 1e4


def make_manifest(
    catalogues: Sequence[Catalogue],
    tracks: Tracks | None = None,
    config: SamplingConfig = SamplingConfig(),
    experiment: str = "taxonomy",
    folds: int = 0,
) -> Manifest:
    """Samples the manifest of one experiment.

    Each part is balanced by itself. With folds, `fold_k` and `fold_k_upsampled` are balanced over
    all folds together.

    Args:
      catalogues: catalogues with distinct prefixes.
      tracks: where the audio is; annotated tracks that are missing in it are left out and counted.
        None: nothing is known about the audio.
      config: the choices.
      experiment: one of `EXPERIMENTS`.
      folds: 0 for train, validation and test.

    Raises:
      InputError: an unknown experiment, too few or like-named catalogues, nothing left to
        sample, or too few artists for the parts.

    >>> ids = tuple(f"t{k}" for k in range(12))
    >>> artists = tuple(f"r{k % 6}" for k in range(12))
    >>> tags = (("rock", "pop"), ("jazz",)) * 6
    >>> catalogue = Catalogue("", ids, artists, ("",) * 12, tags)
    >>> manifest = make_manifest([catalogue], folds=3)
    >>> [name for name in manifest.parts if len(manifest.parts[name])]
    ['fold_0', 'fold_1', 'fold_2']
    >>> manifest.parts["fold_0"].tags[0]
    ('pop', 'rock')

    Reference: Hennequin, Royo-Letelier, Moussallam, ISMIR 2018,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    _check_request(catalogues, experiment, folds)
    corpus, truth, counts = _corpus(catalogues, tracks, config, experiment)
    drawn = _draw(corpus, config, folds)
    tags = corpus.group_tags()
    parts = {
        name: _excerpts(corpus, tags, drawn, rows, config.seg_duration)
        for name, rows in _parts(corpus, drawn, folds)
    }
    _check_parts(parts, corpus, config, folds)
    return Manifest(
        parts=parts,
        vocabulary=_occurring(corpus, drawn.track),
        experiment=experiment,
        seed=config.seed,
        folds=folds,
        config={
            **dataclasses.asdict(config),
            "annotates": [catalogue.annotates for catalogue in catalogues],
        },
        counts={**counts, **_counts(corpus, config, drawn)},
        truth=truth,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Drawn:
    """The random choices.

    Attributes:
      label: int64 [tracks].
      part: int64 [tracks], the place of the part or fold.
      copies: int64 [tracks], number of excerpts after balancing.
      track, copy: int64 [excerpts], sorted by track; the first copy of a track is 0.
      start: float64 [excerpts], seconds.
    """

    label: np.ndarray
    part: np.ndarray
    copies: np.ndarray
    track: np.ndarray
    copy: np.ndarray
    start: np.ndarray


def _draw(corpus: Corpus, config: SamplingConfig, folds: int) -> _Drawn:
    label = draw_labels(
        corpus.pair_group, corpus.pair_tag, corpus.popularity(), _rng(config, _LABELS)
    )[corpus.group]
    # Tracks in two catalogues are spread over the parts as if they had one more label.
    kind = np.where(corpus.overlap, len(corpus.vocabulary), label)
    if folds:
        part = folds_by_artist(corpus.artist, kind, folds, _rng(config, _SPLIT))
    else:
        part = split_by_artist(corpus.artist, kind, config.shares, _rng(config, _SPLIT))
    slack = np.maximum(np.nan_to_num(corpus.duration - config.seg_duration), 0.0)
    copies = _copies(config, corpus, label, part, slack, bool(folds))
    position = _rng(config, _POSITIONS).random(len(corpus))
    # With folds, every track is predicted, also those that balancing leaves out of training.
    taken = np.maximum(copies, 1) if folds else copies
    return _Drawn(label, part, copies, *excerpt_starts(slack, position, taken))


def _check_request(catalogues: Sequence[Catalogue], experiment: str, folds: int) -> None:
    _one_of("experiment", [experiment], EXPERIMENTS)
    if experiment == "translation" and len(catalogues) < 2:
        raise InputError(
            "experiment=translation: needs two catalogues, with a prefix each: "
            "--annotations=a.csv,b.csv --prefix=a:,b:"
        )
    if folds == 1 or folds < 0:
        raise InputError(f"folds={folds}: must be at least 2, or 0 for train, validation, test")


def _corpus(
    catalogues: Sequence[Catalogue],
    tracks: Tracks | None,
    config: SamplingConfig,
    experiment: str,
) -> tuple[Corpus, Truth, dict[str, int]]:
    """The tracks with the tags that are kept (split for deduplication), the truth, and counts."""
    everything, counts = corpora.gather(catalogues, tracks)
    corpus = corpora.select_tags(everything, config.top_tags, config.min_tracks)
    counts |= {
        "tags_found": len(everything.vocabulary),
        "tags_kept": len(corpus.vocabulary),
        "tracks_without_kept_tag": len(everything) - len(corpus),
    }
    if experiment != "deduplication":
        return corpus, Truth(), counts
    artist, tag = corpus.artist_tags()
    half = split_groups(artist, tag, (0.5, 0.5), _rng(config, _HALVES))
    corpus, pairs = corpora.duplicate_tags(corpus, half)
    counts["tags_in_one_half_only"] = len(corpus.vocabulary) - 2 * len(pairs)
    return corpus, Truth(duplicates=pairs), counts


def _parts(corpus: Corpus, drawn: _Drawn, folds: int) -> Iterator[tuple[str, np.ndarray]]:
    """(part, bool [excerpts]: whether the part has them), in the order of the files."""
    owner, shared = drawn.part[drawn.track], corpus.overlap[drawn.track]
    trained = drawn.copies[drawn.track] > 0
    for index, name in enumerate([f"fold_{k}" for k in range(folds)] or PARTS):
        inside = (owner == index) & ~shared
        if not folds:
            yield name, inside
            continue
        yield name, inside & trained & (drawn.copy == 0)
        yield f"{name}_upsampled", inside & (drawn.copy > 0)
        if not trained.all():
            yield f"{name}_downsampled", inside & ~trained
        if corpus.overlap.any():
            yield f"{name}_overlap", (owner == index) & shared
    if corpus.overlap.any() and not folds:
        yield "overlap", shared


def _check_parts(
    parts: Mapping[str, Excerpts], corpus: Corpus, config: SamplingConfig, folds: int
) -> None:
    for name in [f"fold_{k}" for k in range(folds)] or PARTS:
        if not len(parts[name]):
            raise EmptyPartError(
                f"part {name} is empty: {corpus.artist.max() + 1} artists are too few for "
                + (f"{folds} folds; take fewer" if folds else "three parts; take --folds=K")
                + f", or max_occurrences={config.max_occurrences} leaves nothing for its share; "
                "raise it"
            )


def _occurring(corpus: Corpus, track: np.ndarray) -> Vocabulary:
    """The tags of these tracks, sorted."""
    groups = np.zeros(len(corpus.album), bool)
    groups[corpus.group[track]] = True
    found = np.unique(corpus.pair_tag[groups[corpus.pair_group]]).tolist()
    return corpus.vocabulary.select(sorted(corpus.vocabulary.tags[tag] for tag in found))


def _counts(corpus: Corpus, config: SamplingConfig, drawn: _Drawn) -> dict[str, int]:
    labels = np.unique(drawn.label[~corpus.overlap])
    return {
        "overlap_tracks": int(corpus.overlap.sum()),
        "tracks_downsampled": int((drawn.copies == 0).sum()),
        "excerpts_upsampled": int((drawn.copies - 1).clip(0).sum()),
        "tracks_of_unknown_duration": int(np.isnan(corpus.duration).sum()),
        "tracks_shorter_than_excerpt": int((corpus.duration < config.seg_duration).sum()),
        "tags_never_label": len(corpus.vocabulary) - len(labels),
    }


def _rng(config: SamplingConfig, purpose: int) -> np.random.Generator:
    return np.random.default_rng([config.seed, purpose])


def _copies(
    config: SamplingConfig,
    corpus: Corpus,
    label: np.ndarray,
    part: np.ndarray,
    slack: np.ndarray,
    folded: bool,
) -> np.ndarray:
    """Excerpts to take of each track, balanced in each part, or over all folds together."""
    capacity = np.maximum(np.floor(slack / config.min_shift), 1).astype(np.int64)
    if config.max_excerpts_per_track is not None:
        capacity = np.minimum(capacity, config.max_excerpts_per_track)
    copies = np.ones(len(corpus), np.int64)
    rng = _rng(config, _BALANCE)
    shares = {"train": 1.0} if folded else dict(zip(PARTS, config.shares, strict=True))
    for index, (name, share) in enumerate(shares.items()):
        inside = np.flatnonzero(~corpus.overlap & (folded | (part == index)))
        most = int(config.max_occurrences * share + 1e-6)
        target = None
        if name in config.upsample:
            commonest = int(np.bincount(label[inside]).max(initial=0))
            target = most if config.upsample_to == "max_occurrences" else min(most, commonest)
        copies[inside] = balance(label[inside], capacity[inside], most, target, rng)
    return copies


def _excerpts(
    corpus: Corpus,
    tags: Sequence[tuple[str, ...]],
    drawn: _Drawn,
    rows: np.ndarray,
    duration: float,
) -> Excerpts:
    """The excerpts selected by `rows` (bool [excerpts]); `tags` are those of the groups."""
    track = drawn.track[rows]

    def pick(column: Sequence[Any], places: np.ndarray) -> tuple[Any, ...]:
        return tuple([column[place] for place in places.tolist()])

    return Excerpts(
        sng_id=pick(corpus.track_id, track),
        label=pick(corpus.vocabulary.tags, drawn.label[track]),
        seg_start=drawn.start[rows],
        seg_duration=np.full(len(track), duration),
        artist_id=pick(corpus.artist_id, track),
        album_id=pick(corpus.album_id, track),
        tags=pick(tags, corpus.group[track]),
        path=None if corpus.path is None else pick(corpus.path, track),
    )
