"""Tracks that two catalogues share, found by artist and title (section 4).

The paper leaves the tracks that are in both catalogues out of training, and compares annotations on
them. Catalogues without common ids are matched by name. Two tracks are the same if their normalised
artist and title agree and no other track of either catalogue has that name.

The functions are pure. Their time is linear in the number of tracks.
"""

import dataclasses
import functools
import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.catalogue.linking import lowest_linked

_MARKS = re.compile("[\u0300-\u036f]")  # of Latin, Greek, Cyrillic; not of が or कि
_NOT_DECOMPOSED = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"}
)
_FEATURED = re.compile(
    r"\s*[(\[](?:feat|ft|featuring)\b[^)\]]*[)\]]"
    r"|(?<=\S)\s+(?:feat|ft|featuring)\b\.?\s*[^\s.()\[\]][^()\[\]]*"  # Little Feat is a band
)
_NUMBERED = re.compile(r"(?<=\S)\s*\(\d+\)\**$|(?<=\S)\*+$")
_SUFFIX = re.compile(r"(?<=\S)\s*(?:\(([^()]*)\)|\[([^\[\]]*)\]|\s[-–—]\s+([^-–—]*))\s*$")
_WORD = re.compile(r"\w+")


@dataclasses.dataclass(frozen=True)
class MatchingConfig:
    """When two names are the same. Names are always compared in NFKD, without case.

    Attributes:
      accents: ignore accents: `Bjork` is `Björk`. Many tables have lost them.
      ampersand: `&` is `and`, as in the names of tags.
      punctuation: compare only letters and digits: `AC/DC` is `ACDC`, `Hip-Hop` is `Hip Hop`. A
        name without any (`!!!`) stays as it is.
      featured: `A feat. B` is `A`, and a title loses its `(feat. B)`. Some catalogues write guests
        in the artist, some in the title, and some nowhere.
      numbered: `Nirvana (2)` and `Nirvana*` are `Nirvana`. Discogs marks namesakes and variants
        like this, other tables do not. Namesakes with a common title are rare.
      articles: words that may precede the name of an artist, or follow it after a comma: `The
        Beatles`, `Beatles, The`.
      versions: words of a suffix of a title, in brackets or after a dash. A suffix with only such
        words and numbers is dropped: `(2011 Remastered Version)` is the same recording. `live`,
        `remix`, `acoustic` and `demo` name another recording, which sounds different, and stay.
      nobody: names that mean no artist. Their tracks match nothing, and their ids stay.
      most_names: an artist_id with more different names than this is a collection (the "artist" of
        a compilation), and does not make its names one artist.
    """

    accents: bool = True
    ampersand: bool = True
    punctuation: bool = True
    featured: bool = True
    numbered: bool = True
    articles: tuple[str, ...] = ("the",)
    versions: tuple[str, ...] = (
        "remaster", "remastered", "digital", "digitally", "version", "edition", "deluxe", "album",
        "single", "original", "mono", "stereo", "explicit", "clean", "bonus", "track",
    )  # fmt: skip
    nobody: tuple[str, ...] = (
        "various", "various artists", "va", "unknown", "unknown artist", "no artist",
    )  # fmt: skip
    most_names: int = 20


@dataclasses.dataclass(frozen=True, eq=False)
class Unified:
    """Catalogues in which the same track, and the same artist, has the same id.

    Attributes:
      catalogues: the given ones, with a new track_id and artist_id.
      renamed: {track id in a later catalogue: its id in the first catalogue with the track}.
      counts: `tracks_matched_by_id`; `tracks_matched_by_name`; `names_ambiguous`, the names in
        several catalogues that several tracks of one catalogue have; `names_settled_by_album`, the
        ambiguous names that an album settled; `tracks_without_name`; `artists_matched_by_name`, the
        number of ids that were replaced by another; `artist_ids_of_collections`.
    """

    catalogues: tuple[Catalogue, ...]
    renamed: Mapping[str, str]
    counts: Mapping[str, int]


def artist_key(name: str, config: MatchingConfig = MatchingConfig()) -> str:
    """The form in which names of artists are compared; "" if the name means no artist."""
    name = _folded(name, config)
    if config.numbered:
        name = _NUMBERED.sub("", name.rstrip())
    if config.featured:
        name = _FEATURED.sub("", name)
    name = name.strip()
    for article in config.articles:
        if name.startswith(f"{article} "):
            name = name[len(article) + 1 :]
        elif name.endswith(f", {article}"):
            name = name[: -len(article) - 2]
    key = _letters(name, config)
    return "" if key in _nobody(config) else key


def title_key(name: str, config: MatchingConfig = MatchingConfig()) -> str:
    """The form in which titles are compared; "" for an empty title."""
    name = _folded(name, config)
    if config.featured:
        name = _FEATURED.sub("", name) or name
    while match := _SUFFIX.search(name):
        words = _WORD.findall(next(filter(None, match.groups()), ""))
        named = [word for word in words if not word.isdigit()]
        if not named or not set(named) <= set(config.versions):
            break
        name = name[: match.start()]
    return _letters(name.strip(), config)


def unify(catalogues: Sequence[Catalogue], config: MatchingConfig = MatchingConfig()) -> Unified:
    """Gives tracks and artists with the same name the same id in all catalogues.

    Tracks with the same id are the same track, whatever their names. A name of several tracks of
    one catalogue (a song and its live version, two takes) is ambiguous. It matches only tracks with
    the same album_id. Tracks with one name on one album of one catalogue are one song, and the
    first of them counts.

    Args:
      catalogues: catalogues with `artist` and `title`; one without is matched by id alone.
      config: when names are the same.
    """
    artists = [_keys(catalogue.artist, artist_key, config) for catalogue in catalogues]
    renamed, counts = _match(catalogues, artists, config)
    head_of_id, head_of_name, found = _artists(catalogues, artists, config)

    def head(artist: str, key: str) -> str:
        return head_of_name.get(key, artist) if key else head_of_id.get(artist, artist)

    unified = [
        dataclasses.replace(
            catalogue,
            track_id=tuple([renamed.get(track, track) for track in catalogue.track_id]),
            artist_id=tuple(itertools.starmap(head, _named(catalogue, keys))),
        )
        for catalogue, keys in zip(catalogues, artists, strict=True)
    ]
    return Unified(tuple(unified), renamed, {**counts, **found})


def follow(tracks: Tracks, renamed: Mapping[str, str]) -> Tracks:
    """Adds rows to the table of tracks: the audio of renamed tracks whose new id has none."""
    known = set(tracks.track_id)
    lost = {old: new for old, new in renamed.items() if new not in known}
    if not lost:
        return tracks
    rows: dict[str, int] = {}
    for row, track in enumerate(tracks.track_id):
        if track in lost:
            rows.setdefault(lost[track], row)
    picked = list(rows.values())
    return Tracks(
        (*tracks.track_id, *rows),
        (*tracks.path, *(tracks.path[row] for row in picked)),
        np.concatenate([tracks.duration, tracks.duration[picked]]),
    )


def _folded(name: str, config: MatchingConfig) -> str:
    if not name.isascii():
        name = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
        if config.accents:
            name = _MARKS.sub("", name).translate(_NOT_DECOMPOSED)
    else:
        name = name.lower()
    return name.replace("&", " and ") if config.ampersand and "&" in name else name


class _Kept(dict[int, int | None]):
    """A table for `str.translate` that keeps letters, digits and their marks, and nothing else."""

    def __missing__(self, code: int) -> int | None:
        self[code] = code if unicodedata.category(chr(code))[0] in "LNM" else None
        return self[code]


_KEPT = _Kept()


def _letters(name: str, config: MatchingConfig) -> str:
    if not config.punctuation:
        return " ".join(name.split())
    return name.translate(_KEPT) or "".join(name.split())


@functools.cache
def _nobody(config: MatchingConfig) -> frozenset[str]:
    return frozenset(_letters(name, config) for name in config.nobody)


def _keys(names: Sequence[str] | None, key, config: MatchingConfig) -> list[str] | None:
    """The key of every name, each computed once."""
    if names is None:
        return None
    known = {name: key(name, config) for name in dict.fromkeys(names)}
    return [known[name] for name in names]


def _named(catalogue: Catalogue, keys: Sequence[str] | None) -> Iterable[tuple[str, str]]:
    """(artist_id, key of the name or "") of every track."""
    return zip(catalogue.artist_id, keys or itertools.repeat("", len(catalogue)), strict=True)


@dataclasses.dataclass(frozen=True, eq=False)
class _Nodes:
    """Tracks of all catalogues, each once, in order.

    Attributes:
      track_id: unique ids.
      holders: the catalogues that have each track, as bits.
      name: keys of artist and title; None if one of them is missing.
      album_id: the album in the first catalogue that has the track.
      nameless: number of rows without a name.
    """

    track_id: list[str]
    holders: list[int]
    name: list[tuple[str, str] | None]
    album_id: list[str]
    nameless: int


def _nodes(
    catalogues: Sequence[Catalogue],
    artists: Sequence[list[str] | None],
    config: MatchingConfig,
) -> _Nodes:
    node: dict[str, int] = {}
    holders: list[int] = []
    names: list[tuple[str, str] | None] = []
    albums: list[str] = []
    nameless = 0
    for index, (catalogue, artist) in enumerate(zip(catalogues, artists, strict=True)):
        title = _keys(catalogue.title, title_key, config)
        pairs: Iterable[tuple[str, str]] = itertools.repeat(("", ""), len(catalogue))
        if artist is not None and title is not None:
            pairs = zip(artist, title, strict=True)
        rows = zip(catalogue.track_id, catalogue.album_id, pairs, strict=True)
        for track, album, pair in rows:
            name = pair if all(pair) else None
            nameless += name is None
            at = node.setdefault(track, len(holders))
            if at == len(holders):
                holders.append(1 << index)
                names.append(name)
                albums.append(album)
            else:
                holders[at] |= 1 << index
                names[at] = names[at] or name
    return _Nodes(list(node), holders, names, albums, nameless)


def _match(
    catalogues: Sequence[Catalogue],
    artists: Sequence[list[str] | None],
    config: MatchingConfig,
) -> tuple[dict[str, str], dict[str, int]]:
    """{track id: its id in the first catalogue that has the track}, and counts."""
    nodes = _nodes(catalogues, artists, config)
    renamed: dict[str, str] = {}
    ambiguous = settled = 0
    for members in _namesakes(nodes):
        songs = _songs(members, nodes)
        matches = [songs]
        if not _apart(songs, nodes.holders):
            matches = _by_album(songs, nodes)
            ambiguous += 1
            settled += bool(matches)
        for head, *others in matches:
            renamed |= {nodes.track_id[at]: nodes.track_id[head] for at in others}
    counts = {
        "tracks_matched_by_id": sum(bool(bits & (bits - 1)) for bits in nodes.holders),
        "tracks_matched_by_name": len(renamed),
        "names_ambiguous": ambiguous,
        "names_settled_by_album": settled,
        "tracks_without_name": nodes.nameless,
    }
    return renamed, counts


def _namesakes(nodes: _Nodes) -> Iterable[list[int]]:
    """Groups of tracks with one name that are not all in one catalogue."""
    first: dict[tuple[str, str], int] = {}
    groups: dict[tuple[str, str], list[int]] = {}
    for at, name in enumerate(nodes.name):
        if name is not None and first.setdefault(name, at) != at:
            groups.setdefault(name, [first[name]]).append(at)
    for members in groups.values():
        bits = 0
        for at in members:
            bits |= nodes.holders[at]
        if bits & (bits - 1):
            yield members


def _by_album(songs: Sequence[int], nodes: _Nodes) -> list[list[int]]:
    """Groups of songs on one album, without albums on which a catalogue has two of the songs."""
    by_album: dict[str, list[int]] = {}
    for at in songs:
        if nodes.album_id[at]:
            by_album.setdefault(nodes.album_id[at], []).append(at)
    return [m for m in by_album.values() if len(m) > 1 and _apart(m, nodes.holders)]


def _songs(members: Sequence[int], nodes: _Nodes) -> list[int]:
    """The members, without those that repeat another of the same catalogue and album."""
    first: dict[tuple[int, str], int] = {}
    for at in members:
        first.setdefault((nodes.holders[at], nodes.album_id[at] or f"\0{at}"), at)
    return list(first.values())


def _apart(members: Sequence[int], holders: Sequence[int]) -> bool:
    """Whether no catalogue has two of the members."""
    seen = 0
    for at in members:
        if seen & holders[at]:
            return False
        seen |= holders[at]
    return True


def _artists(
    catalogues: Sequence[Catalogue],
    artists: Sequence[list[str] | None],
    config: MatchingConfig,
) -> tuple[dict[str, str], dict[str, str], dict[str, int]]:
    """The first id of each artist, and counts.

    An id and a name that occur together are linked, unless the id has too many names.

    Returns:
      ({artist_id: first id}, {key of a name: first id}, counts).
    """
    names: dict[str, set[str]] = {}
    for catalogue, keys in zip(catalogues, artists, strict=True):
        for artist, key in dict.fromkeys(_named(catalogue, keys)):
            names.setdefault(artist, set()).update([key] if key else [])
    large = {artist for artist, keys in names.items() if len(keys) > config.most_names}
    order = list(names)
    key_of = dict.fromkeys(key for artist in order if artist not in large for key in names[artist])
    number = {key: len(order) + place for place, key in enumerate(key_of)}
    links = [
        (place, number[key])
        for place, artist in enumerate(order)
        if artist not in large
        for key in names[artist]
    ]
    ends = np.array(links, np.int64).reshape(-1, 2).T
    lowest = lowest_linked(len(order) + len(number), *ends).tolist()
    by_id = {artist: order[lowest[place]] for place, artist in enumerate(order)}
    by_name = {key: order[lowest[place]] for key, place in number.items()}
    merged = sum(head != artist for artist, head in by_id.items())
    counts = {"artists_matched_by_name": merged, "artist_ids_of_collections": len(large)}
    return by_id, by_name, counts
