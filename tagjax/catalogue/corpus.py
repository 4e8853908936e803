"""Annotated catalogues as arrays: what `tagjax.manifest.sampling` computes with.

Tags belong to albums: an album is the tracks of one catalogue with the same album_id, and
has the union of their tags. Numbers follow the sorted names, so they do not depend on the order of
rows.
"""

import dataclasses
import itertools
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tagjax.base.errors import InputError
from tagjax.catalogue.annotations import Catalogue, Tracks


@dataclasses.dataclass(frozen=True, eq=False)
class Corpus:
    """Tracks of all catalogues, sorted by id, and the (album, tag) pairs.

    Attributes:
      track_id, artist_id, album_id: [tracks] names.
      path: [tracks], or None.
      duration: float64 [tracks], seconds; NaN where it is unknown.
      artist: int64 [tracks], from 0, none left out. Artists of one track that have different
        names in different catalogues have one number.
      album: int64 [tracks], likewise.
      overlap: bool [tracks]: in more than one catalogue.
      pair_album, pair_tag: int64 [pairs], by album, then tag; every album has a tag.
      tags: names with prefix, sorted.
      system: int64 [tags]: the catalogue.
    """

    track_id: Sequence[str]
    artist_id: Sequence[str]
    album_id: Sequence[str]
    path: Sequence[str] | None
    duration: np.ndarray
    artist: np.ndarray
    album: np.ndarray
    overlap: np.ndarray
    pair_album: np.ndarray
    pair_tag: np.ndarray
    tags: Sequence[str]
    system: np.ndarray

    def __len__(self) -> int:
        return len(self.track_id)

    def popularity(self) -> np.ndarray:
        """Number of tracks with each tag, int64 [tags]; tracks in two catalogues not counted."""
        sizes = np.bincount(self.album[~self.overlap], minlength=self.pair_album[-1] + 1)
        counts = np.bincount(self.pair_tag, sizes[self.pair_album], minlength=len(self.tags))
        return counts.astype(np.int64)

    def album_tags(self) -> list[tuple[str, ...]]:
        """Names of the tags of each album."""
        names = [self.tags[tag] for tag in self.pair_tag.tolist()]
        bounds = self._bounds().tolist()
        return [tuple(names[a:b]) for a, b in itertools.pairwise(bounds)]

    def artist_tags(self) -> tuple[np.ndarray, np.ndarray]:
        """(artist, tag) of every tag of every track, int64 [occurrences] each."""
        track, pair = _expand(self._bounds(), self.album)
        return self.artist[track], self.pair_tag[pair]

    def _bounds(self) -> np.ndarray:
        """Pairs of album a are bounds[a]:bounds[a + 1]."""
        return np.searchsorted(self.pair_album, np.arange(self.pair_album[-1] + 2))


def gather(catalogues: Sequence[Catalogue], tracks: Tracks | None) -> tuple[Corpus, dict[str, int]]:
    """Puts catalogues together by track id.

    Returns:
      The corpus, and counts of what was found and left out.

    Raises:
      InputError: no catalogue, two with the same prefix, a tag that belongs to another
        one's system by its prefix, or no annotated track in `tracks`.
    """
    prefixes = [catalogue.prefix for catalogue in catalogues]
    if not sum(map(len, catalogues)):
        raise InputError("no annotated tracks")
    if len(set(prefixes)) < len(prefixes):
        raise InputError(f"prefixes {','.join(prefixes)!r}: give each catalogue its own --prefix")
    names = [_tag_names(catalogue, prefixes) for catalogue in catalogues]
    tags = sorted(itertools.chain.from_iterable(known.values() for known in names))
    number = {tag: index for index, tag in enumerate(tags)}
    system = np.empty(len(tags), np.int64)
    lists: list[int] = []
    flat: list[int] = []
    for index, (catalogue, known) in enumerate(zip(catalogues, names, strict=True)):
        code = {tag: number[full] for tag, full in known.items()}
        system[list(code.values())] = index
        lists += map(len, catalogue.tags)
        flat += map(code.__getitem__, itertools.chain.from_iterable(catalogue.tags))

    def rows(column: str) -> list[str]:
        return list(itertools.chain.from_iterable(getattr(c, column) for c in catalogues))

    track_id, artist_id, album_id = rows("track_id"), rows("artist_id"), rows("album_id")
    track_names, track = _numbers(track_id)
    artist = _numbers(artist_id)[1]
    source = np.repeat(np.arange(len(catalogues)), [len(catalogue) for catalogue in catalogues])
    single = [f"t{t}" if not a else f"a{a}" for a, t in zip(album_id, track_id, strict=True)]
    names_of_albums, album = _numbers(single)
    album += source * len(names_of_albums)
    pairs = np.unique(np.repeat(album, lists) * len(tags) + np.array(flat, np.int64))
    pair_album, pair_tag = np.divmod(pairs, len(tags))

    first = np.unique(track, return_index=True)[1]
    overlap = np.bincount(track) > 1
    album_of, artist_of = album[first], artist[first]
    if overlap.any():
        twice = np.flatnonzero(overlap[track])
        twice = twice[np.argsort(track[twice], kind="stable")]
        artist_of = _link(artist, track, twice, artist_of)
        more = _merge(track[twice], album[twice], pair_album, pair_tag)
        album_of[overlap], pair_album, pair_tag = more
    picked = first.tolist()
    duration, path, keep = np.full(len(first), np.nan), None, np.ones(len(first), bool)
    if tracks is not None:
        at = {name: row for row, name in enumerate(tracks.track_id)}
        where = np.array([at.get(name, -1) for name in track_names])
        keep = where >= 0
        duration = np.where(keep, tracks.duration[where], np.nan)
        path = [tracks.path[row] for row in where.tolist()]
        if not keep.any():
            raise InputError(
                f"none of the {len(keep)} annotated tracks is in the table of tracks; "
                f"ids look like {track_names[0]!r} and {tracks.track_id[0]!r}"
            )
        if not keep.all():
            warnings.warn(
                f"{len(keep) - keep.sum()} of {len(keep)} annotated tracks are not in the table of "
                f"tracks and are left out, the first of them {track_names[int(keep.argmin())]!r}",
                stacklevel=2,
            )
    corpus = Corpus(
        track_id=track_names,
        artist_id=[artist_id[row] for row in picked],
        album_id=[album_id[row] for row in picked],
        path=path,
        duration=duration,
        artist=artist_of,
        album=album_of,
        overlap=overlap,
        pair_album=pair_album,
        pair_tag=pair_tag,
        tags=tags,
        system=system,
    )
    counts = {
        "annotated_tracks": len(keep),
        "tracks_without_audio": int(len(keep) - keep.sum()),
    }
    return _restrict(corpus, keep), counts


def select_tags(corpus: Corpus, top: int | None, at_least: int) -> Corpus:
    """Keeps the `top` tags of each catalogue with most tracks, and `at_least` so many tracks.

    Tracks left without a tag are dropped. Ties are broken by name. Tracks in two catalogues
    do not count.

    Raises:
      InputError: no tag is left.
    """
    popularity = corpus.popularity()
    order = np.lexsort((np.arange(len(corpus.tags)), -popularity, corpus.system))
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
    kept = dataclasses.replace(
        corpus,
        pair_album=corpus.pair_album[chosen],
        pair_tag=renumbered[corpus.pair_tag[chosen]],
        tags=[corpus.tags[tag] for tag in np.flatnonzero(keep).tolist()],
        system=corpus.system[keep],
    )
    return _restrict(kept, np.isin(corpus.album, kept.pair_album))


def duplicate_tags(corpus: Corpus, half: np.ndarray) -> tuple[Corpus, list[tuple[str, str]]]:
    """Makes of every tag t the tags t_1 and t_2, by artist (section 3.2).

    "A subtag of group 1 cannot cooccur with a subtag of group 2": so the half is the artist's,
    the same for all tags of all its tracks. Tracks of one album by artists of different halves
    are two albums from then on.

    Args:
      corpus: with plain tags.
      half: int [artists], 0 or 1.

    Returns:
      The corpus, with those new tags that occur outside the overlap, and the pairs (t_1, t_2)
      of which both do.
    """
    keys, album = np.unique(corpus.album * 2 + half[corpus.artist], return_inverse=True)
    row, pair = _expand(corpus._bounds(), keys // 2)
    both = dataclasses.replace(
        corpus,
        album=album,
        pair_album=row,
        pair_tag=corpus.pair_tag[pair] * 2 + keys[row] % 2,
        tags=[f"{tag}_{number}" for tag in corpus.tags for number in (1, 2)],
        system=np.repeat(corpus.system, 2),
    )
    there = np.flatnonzero(both.popularity().reshape(-1, 2).min(axis=1)).tolist()
    pairs = [(f"{corpus.tags[tag]}_1", f"{corpus.tags[tag]}_2") for tag in there]
    return select_tags(both, None, 1), pairs


def _tag_names(catalogue: Catalogue, prefixes: Sequence[str]) -> dict[str, str]:
    """{tag: tag with prefix} of a catalogue."""
    names = {}
    for tag in sorted(set(itertools.chain.from_iterable(catalogue.tags))):
        names[tag] = catalogue.prefix + tag
        owner = max((p for p in prefixes if names[tag].startswith(p)), key=len)
        if owner != catalogue.prefix:
            raise InputError(
                f"tag {names[tag]!r} of the catalogue with prefix {catalogue.prefix!r} looks like "
                f"one of {owner!r}; choose another --prefix"
            )
    return names


def _numbers(values: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Sorted distinct names, and the number of each value among them."""
    names = sorted(set(values))
    index = {name: number for number, name in enumerate(names)}
    return names, np.fromiter(map(index.__getitem__, values), np.int64, len(values))


def _expand(bounds: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All entries of the given rows of a ragged table: (position in `rows`, entry)."""
    sizes = np.diff(bounds)[rows]
    position = np.repeat(np.arange(len(rows)), sizes)
    entry = np.arange(len(position)) + np.repeat(bounds[rows] - (np.cumsum(sizes) - sizes), sizes)
    return position, entry


def _restrict(corpus: Corpus, keep: np.ndarray) -> Corpus:
    """The corpus with these tracks only; artists and albums are numbered anew."""
    rows = np.flatnonzero(keep)
    albums, album = np.unique(corpus.album[rows], return_inverse=True)
    inside = np.isin(corpus.pair_album, albums)

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
        album=album,
        overlap=corpus.overlap[rows],
        pair_album=np.searchsorted(albums, corpus.pair_album[inside]),
        pair_tag=corpus.pair_tag[inside],
    )


def _link(
    artist: np.ndarray, track: np.ndarray, twice: np.ndarray, artist_of: np.ndarray
) -> np.ndarray:
    """Numbers of the tracks' artists, one for those that share a track between catalogues."""
    parent = list(range(int(artist.max()) + 1))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in zip(artist[twice].tolist(), artist_of[track[twice]].tolist(), strict=True):
        one, other = sorted((root(one), root(other)))
        parent[other] = one
    return np.array([root(node) for node in range(len(parent))], np.int64)[artist_of]


def _merge(
    track: np.ndarray, album: np.ndarray, pair_album: np.ndarray, pair_tag: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Albums of the tracks in several catalogues: their albums together, as one of its own.

    Returns:
      (album of each such track, pair_album and pair_tag with the new albums' pairs).
    """
    begin, end = np.searchsorted(pair_album, [album, album + 1]).tolist()
    tags = pair_tag.tolist()
    new: dict[tuple[int, ...], int] = {}
    result, albums, more = [], [], []
    after = int(pair_album[-1]) + 1

    def union(rows: Iterable[int]) -> list[int]:
        return sorted({tag for row in rows for tag in tags[begin[row] : end[row]]})

    bounds = np.flatnonzero(np.diff(track, prepend=-1, append=-1)).tolist()
    for a, b in itertools.pairwise(bounds):
        key = tuple(album[a:b].tolist())
        if key not in new:
            new[key] = after + len(new)
            found = union(range(a, b))
            albums += [new[key]] * len(found)
            more += found
        result.append(new[key])
    return (
        np.array(result, np.int64),
        np.concatenate([pair_album, np.array(albums, np.int64)]),
        np.concatenate([pair_tag, np.array(more, np.int64)]),
    )
