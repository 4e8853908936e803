"""Annotated catalogues as arrays, the input of `tagjax.manifest.sampling`.

Tracks that share tags and label form a group. If a source annotates albums, a group is an album:
all tracks of one catalogue with the same album_id. They get the union of their tags. If a source
annotates tracks, a group is the tracks of an album that have the same tags. The same holds for a
compilation (an album by several artists, or by `Various Artists`) of any source. Numbers follow
the sorted names, so they do not depend on the order of rows.
"""

import dataclasses
import itertools
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from tagjax.base.errors import InputError
from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.catalogue.linking import lowest_linked
from tagjax.catalogue.matching import artist_key
from tagjax.vocabulary.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """Tracks of all catalogues, sorted by id, and the (group, tag) pairs.

    Attributes:
      track_id, artist_id, album_id: [tracks] names.
      path: [tracks] paths of the audio, or None.
      duration: float64 [tracks], seconds; NaN if unknown.
      artist: int64 [tracks], numbers from 0 without gaps. If a track has different artists in
        different catalogues, these have one number.
      group: int64 [tracks], numbers from 0 without gaps.
      overlap: bool [tracks], whether the track is in more than one catalogue.
      pair_group, pair_tag: int64 [pairs], sorted by group, then tag; every group has a tag.
      album: int64 [groups], the same number for all groups of an album.
      vocabulary: the tags with prefix.
      system: int64 [tags], the place of the tag's catalogue.
    """

    track_id: Sequence[str]
    artist_id: Sequence[str]
    album_id: Sequence[str]
    path: Sequence[str] | None
    duration: np.ndarray
    artist: np.ndarray
    group: np.ndarray
    overlap: np.ndarray
    pair_group: np.ndarray
    pair_tag: np.ndarray
    album: np.ndarray
    vocabulary: Vocabulary
    system: np.ndarray

    def __len__(self) -> int:
        return len(self.track_id)

    def popularity(self) -> np.ndarray:
        """Number of tracks with each tag, int64 [tags], without tracks in two catalogues."""
        sizes = np.bincount(self.group[~self.overlap], minlength=len(self.album))
        counts = np.bincount(self.pair_tag, sizes[self.pair_group], minlength=len(self.vocabulary))
        return counts.astype(np.int64)

    def group_tags(self) -> list[tuple[str, ...]]:
        """Names of the tags of each group."""
        names = [self.vocabulary.tags[tag] for tag in self.pair_tag.tolist()]
        bounds = self._bounds().tolist()
        return [tuple(names[a:b]) for a, b in itertools.pairwise(bounds)]

    def artist_tags(self) -> tuple[np.ndarray, np.ndarray]:
        """Artist and tag for every tag of every track, int64 [occurrences] each."""
        track, pair = _expand(self._bounds(), self.group)
        return self.artist[track], self.pair_tag[pair]

    def _bounds(self) -> np.ndarray:
        """The pairs of group g are bounds[g]:bounds[g + 1]."""
        return np.searchsorted(self.pair_group, np.arange(len(self.album) + 1))


def gather(catalogues: Sequence[Catalogue], tracks: Tracks | None) -> tuple[Corpus, dict[str, int]]:
    """Joins catalogues by track id.

    Returns:
      The corpus, and counts of what was found, changed and left out.

    Raises:
      InputError: no catalogue; two catalogues with the same prefix; a tag that is, with its prefix,
        the same in two catalogues; or no annotated track in `tracks`.
    """
    prefixes = [catalogue.prefix for catalogue in catalogues]
    if not sum(map(len, catalogues)):
        raise InputError("no annotated tracks")
    if len(set(prefixes)) < len(prefixes):
        raise InputError(f"prefixes {','.join(prefixes)!r}: give each catalogue its own --prefix")
    rows = _stack(catalogues)
    group, album, pair_group, pair_tag = _groups(rows, [c.annotates for c in catalogues])
    changed = np.unique(rows.track[np.bincount(pair_group)[group] > rows.sizes])
    first = np.unique(rows.track, return_index=True)[1]
    overlap = np.bincount(rows.track) > 1
    group_of = group[first]
    if overlap.any():
        twice = np.flatnonzero(overlap[rows.track])
        twice = twice[np.argsort(rows.track[twice], kind="stable")]
        more = _merge(rows.track[twice], group[twice], pair_group, pair_tag)
        group_of[overlap], pair_group, pair_tag = more
        further = int(pair_group[-1]) + 1 - len(album)
        album = np.append(album, album.max() + 1 + np.arange(further))
    picked = first.tolist()
    track_id = [rows.track_id[row] for row in picked]
    keep, duration, path = _join_audio(track_id, tracks)
    corpus = Corpus(
        track_id=track_id,
        artist_id=[rows.artist_id[row] for row in picked],
        album_id=[rows.album_id[row] for row in picked],
        path=path,
        duration=duration,
        artist=rows.artist[first],
        group=group_of,
        overlap=overlap,
        pair_group=pair_group,
        pair_tag=pair_tag,
        album=album,
        vocabulary=rows.vocabulary,
        system=rows.system,
    )
    counts = {
        "annotated_tracks": len(keep),
        "tracks_without_audio": int(len(keep) - keep.sum()),
        "tracks_given_tags": int(keep[changed].sum()),
    }
    return _restrict(corpus, keep), counts


def select_tags(corpus: Corpus, top: int | None, at_least: int) -> Corpus:
    """Keeps the `top` most frequent tags of each catalogue that have `at_least` so many tracks.

    Tracks that have no tag left are dropped. Ties are broken by name. Tracks in two catalogues are
    not counted.

    Raises:
      InputError: no tag is left.
    """
    popularity = corpus.popularity()
    order = np.lexsort((np.arange(len(popularity)), -popularity, corpus.system))
    begin = np.searchsorted(corpus.system[order], corpus.system[order])
    keep = popularity >= max(at_least, 1)
    if top is not None:
        keep[order[np.arange(len(order)) - begin >= top]] = False
    if not keep.any():
        raise InputError(
            f"min_tracks={at_least}: no tag has so many tracks in one catalogue only; "
            f"the commonest has {popularity.max()}"
        )
    chosen = keep[corpus.pair_tag]
    renumbered = np.cumsum(keep) - 1
    tags = corpus.vocabulary.tags
    kept = dataclasses.replace(
        corpus,
        pair_group=corpus.pair_group[chosen],
        pair_tag=renumbered[corpus.pair_tag[chosen]],
        vocabulary=corpus.vocabulary.select(tags[tag] for tag in np.flatnonzero(keep).tolist()),
        system=corpus.system[keep],
    )
    return _united(_restrict(kept, np.isin(corpus.group, kept.pair_group)))


def duplicate_tags(corpus: Corpus, half: np.ndarray) -> tuple[Corpus, tuple[tuple[str, str], ...]]:
    """Splits every tag t into the tags t_1 and t_2, by artist (section 3.2).

    "A subtag of group 1 cannot cooccur with a subtag of group 2": so an artist has one half, which
    holds for all tags of all its tracks. A group with artists of both halves becomes two groups.

    Args:
      corpus: the corpus with whole tags.
      half: int [artists], 0 or 1.

    Returns:
      The corpus with the new tags that occur outside the overlap, and the pairs (t_1, t_2) in which
      both occur there.
    """
    keys, group = np.unique(corpus.group * 2 + half[corpus.artist], return_inverse=True)
    row, pair = _expand(corpus._bounds(), keys // 2)
    whole = corpus.vocabulary
    both = dataclasses.replace(
        corpus,
        group=group,
        pair_group=row,
        pair_tag=corpus.pair_tag[pair] * 2 + keys[row] % 2,
        album=corpus.album[keys // 2] * 2 + keys % 2,
        vocabulary=Vocabulary(
            tuple(f"{tag}_{number}" for tag in whole.tags for number in (1, 2)),
            whole.systems,
            tuple(system for system in whole.system for _ in (1, 2)),
            (1, 2) * len(whole),
        ),
        system=np.repeat(corpus.system, 2),
    )
    split = np.flatnonzero(both.popularity().reshape(-1, 2).min(axis=1)).tolist()
    pairs = tuple((f"{whole.tags[tag]}_1", f"{whole.tags[tag]}_2") for tag in split)
    return select_tags(both, None, 1), pairs


@dataclasses.dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of all catalogues, one catalogue after the other.

    Attributes:
      track_id, artist_id, album_id: [rows] names.
      source: int64 [rows], the place of the catalogue.
      track: int64 [rows], the place among the sorted names.
      artist: int64 [rows], one number for artists who share a track.
      sizes: int64 [rows], the number of tags.
      tag: int64 [sum of sizes], the tags of all rows in order.
      vocabulary, system: as in a `Corpus`.
    """

    track_id: list[str]
    artist_id: list[str]
    album_id: list[str]
    source: np.ndarray
    track: np.ndarray
    artist: np.ndarray
    sizes: np.ndarray
    tag: np.ndarray
    vocabulary: Vocabulary
    system: np.ndarray


def _stack(catalogues: Sequence[Catalogue]) -> _Rows:
    vocabulary, codes = _vocabulary(catalogues)
    sizes: list[int] = []
    flat: list[int] = []
    for catalogue, code in zip(catalogues, codes, strict=True):
        sizes += map(len, catalogue.tags)
        flat += map(code.__getitem__, itertools.chain.from_iterable(catalogue.tags))

    def column(name: str) -> list[str]:
        return list(itertools.chain.from_iterable(getattr(c, name) for c in catalogues))

    track_id, artist_id = column("track_id"), column("artist_id")
    track, artist = _numbers(track_id), _numbers(artist_id)
    (twice,) = np.nonzero(np.bincount(track)[track] > 1)
    if len(twice):
        first = np.unique(track, return_index=True)[1]
        same = artist[first[track[twice]]]
        artist = lowest_linked(int(artist.max()) + 1, artist[twice], same)[artist]
    place = {system: number for number, system in enumerate(vocabulary.systems)}
    return _Rows(
        track_id,
        artist_id,
        column("album_id"),
        np.repeat(np.arange(len(catalogues)), [len(catalogue) for catalogue in catalogues]),
        track,
        artist,
        np.array(sizes, np.int64),
        np.array(flat, np.int64),
        vocabulary,
        np.array([place[system] for system in vocabulary.system], np.int64),
    )


def _vocabulary(catalogues: Sequence[Catalogue]) -> tuple[Vocabulary, list[dict[str, int]]]:
    """The sorted tags with prefix, and for each catalogue {tag without prefix: its number}."""
    system: dict[str, str] = {}
    distinct = [set(itertools.chain.from_iterable(catalogue.tags)) for catalogue in catalogues]
    for catalogue, names in zip(catalogues, distinct, strict=True):
        for tag in sorted(catalogue.prefix + name for name in names):
            if system.setdefault(tag, catalogue.prefix) != catalogue.prefix:
                raise InputError(
                    f"tag {tag!r} is in the catalogue with prefix {system[tag]!r} and in that with "
                    f"{catalogue.prefix!r}; choose another --prefix"
                )
    tags = sorted(system)
    vocabulary = Vocabulary(
        tuple(tags),
        tuple(catalogue.prefix for catalogue in catalogues),
        tuple(system[tag] for tag in tags),
        (0,) * len(tags),
    )
    index = vocabulary.index
    return vocabulary, [
        {name: index[catalogue.prefix + name] for name in names}
        for catalogue, names in zip(catalogues, distinct, strict=True)
    ]


def _groups(
    rows: _Rows, annotates: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The groups of rows that share tags.

    Returns:
      (group [rows], album [groups], pair_group [pairs], pair_tag [pairs]).
    """
    ids = zip(rows.album_id, rows.track_id, strict=True)
    key = _numbers([f"a{album}" if album else f"t{track}" for album, track in ids])
    album = key + rows.source * (int(key.max()) + 1)
    apart = np.array([level == "track" for level in annotates])[rows.source]
    apart |= _on_compilation(album, rows)
    tags = np.zeros(len(album), np.int64)
    if apart.any():
        ends = np.cumsum(rows.sizes)
        bounds = zip((ends - rows.sizes)[apart].tolist(), ends[apart].tolist(), strict=True)
        flat = rows.tag.tolist()
        sets = [tuple(sorted(flat[a:b])) for a, b in bounds]
        number = {tags: place for place, tags in enumerate(sorted(set(sets)))}
        tags[apart] = [number[tags] for tags in sets]
    count = int(tags.max()) + 1
    keys, group = np.unique(album * count + tags, return_inverse=True)
    n_tags = len(rows.vocabulary)
    pairs = np.unique(np.repeat(group, rows.sizes) * n_tags + rows.tag)
    return group, keys // count, *np.divmod(pairs, n_tags)


def _on_compilation(album: np.ndarray, rows: _Rows) -> np.ndarray:
    """Whether the album of each row has several artists, or one whose name means no artist."""
    count = int(rows.artist.max()) + 1
    pairs = np.unique(album * count + rows.artist)
    albums, artists = np.unique(pairs // count, return_counts=True)
    nobody = {name for name in set(rows.artist_id) if not name.isdigit() and not artist_key(name)}
    found = np.isin(album, albums[artists > 1])
    if nobody:
        found |= [name in nobody for name in rows.artist_id]
    return found


def _join_audio(
    track_id: Sequence[str], tracks: Tracks | None
) -> tuple[np.ndarray, np.ndarray, list[str] | None]:
    """Which tracks have audio, their durations, and their paths."""
    if tracks is None:
        return np.ones(len(track_id), bool), np.full(len(track_id), np.nan), None
    row_of = {name: row for row, name in enumerate(tracks.track_id)}
    row = np.array([row_of.get(name, -1) for name in track_id])
    keep = row >= 0
    if not keep.any():
        raise InputError(
            f"none of the {len(keep)} annotated tracks is in the table of tracks; "
            f"ids look like {track_id[0]!r} and {tracks.track_id[0]!r}"
        )
    if not keep.all():
        warnings.warn(
            f"{len(keep) - keep.sum()} of {len(keep)} annotated tracks are not in the table of "
            f"tracks and are left out, the first of them {track_id[int(keep.argmin())]!r}",
            stacklevel=3,
        )
    duration = np.where(keep, tracks.duration[row], np.nan)
    return keep, duration, [tracks.path[place] for place in row.tolist()]


def _numbers(values: Sequence[str]) -> np.ndarray:
    """The place of each value among the sorted distinct values."""
    index = {name: number for number, name in enumerate(sorted(set(values)))}
    return np.fromiter(map(index.__getitem__, values), np.int64, len(values))


def _expand(bounds: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All entries of some rows of a ragged table: (position in `rows`, entry)."""
    sizes = np.diff(bounds)[rows]
    position = np.repeat(np.arange(len(rows)), sizes)
    entry = np.arange(len(position)) + np.repeat(bounds[rows] - (np.cumsum(sizes) - sizes), sizes)
    return position, entry


def _restrict(corpus: Corpus, keep: np.ndarray) -> Corpus:
    """The corpus with some tracks only; artists and groups get new numbers."""
    rows = np.flatnonzero(keep)
    groups, group = np.unique(corpus.group[rows], return_inverse=True)
    inside = np.isin(corpus.pair_group, groups)

    def pick(column: Sequence[Any]) -> Sequence[Any]:
        return column if keep.all() else [column[row] for row in rows.tolist()]

    return dataclasses.replace(
        corpus,
        track_id=pick(corpus.track_id),
        artist_id=pick(corpus.artist_id),
        album_id=pick(corpus.album_id),
        path=None if corpus.path is None else pick(corpus.path),
        duration=corpus.duration[rows],
        artist=np.unique(corpus.artist[rows], return_inverse=True)[1],
        group=group,
        overlap=corpus.overlap[rows],
        pair_group=np.searchsorted(groups, corpus.pair_group[inside]),
        pair_tag=corpus.pair_tag[inside],
        album=corpus.album[groups],
    )


def _united(corpus: Corpus) -> Corpus:
    """The corpus in which groups of one album with the same tags are joined."""
    albums, counts = np.unique(corpus.album, return_counts=True)
    candidates = np.flatnonzero(np.isin(corpus.album, albums[counts > 1])).tolist()
    if not candidates:
        return corpus
    tags, bounds, album = corpus.pair_tag.tolist(), corpus._bounds(), corpus.album.tolist()
    new = np.arange(len(album))
    first: dict[tuple[int, ...], int] = {}
    for group in candidates:
        key = (album[group], *tags[bounds[group] : bounds[group + 1]])
        new[group] = first.setdefault(key, group)
    united = dataclasses.replace(corpus, group=new[corpus.group])
    return _restrict(united, np.ones(len(corpus), bool))


def _merge(
    track: np.ndarray, group: np.ndarray, pair_group: np.ndarray, pair_tag: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Makes new groups for tracks in several catalogues, each with the tags of its groups there.

    Args:
      track: int64 [rows], ascending.
      group: int64 [rows].
      pair_group, pair_tag: as in a `Corpus`.

    Returns:
      (group of each such track, pair_group and pair_tag with the new groups' pairs).
    """
    begin, end = np.searchsorted(pair_group, [group, group + 1]).tolist()
    tags = pair_tag.tolist()
    new: dict[tuple[int, ...], int] = {}
    result: list[int] = []
    more_groups: list[int] = []
    more_tags: list[int] = []
    after = int(pair_group[-1]) + 1
    bounds = np.flatnonzero(np.diff(track, prepend=-1, append=-1)).tolist()
    for a, b in itertools.pairwise(bounds):
        key = tuple(group[a:b].tolist())
        if key not in new:
            new[key] = after + len(new)
            found = sorted({tag for row in range(a, b) for tag in tags[begin[row] : end[row]]})
            more_groups += [new[key]] * len(found)
            more_tags += found
        result.append(new[key])
    return (
        np.array(result, np.int64),
        np.concatenate([pair_group, np.array(more_groups, np.int64)]),
        np.concatenate([pair_tag, np.array(more_tags, np.int64)]),
    )
