"""Names of tags of one system that may mean the same, or one a part of the other.

A name says no more than that: a person has to decide.
"""

import collections
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

from tagjax.catalogue.sources.genrefields import known_genres
from tagjax.reconcile.spelling import (
    AND,
    INITIALS,
    KINDS,
    LIST,
    in_one,
    keys,
    rank,
    spellings,
    words_of,
)
from tagjax.vocabulary.tags import GENRE
from tagjax.vocabulary.vocabulary import Vocabulary

WHY = {
    "initials": "initials are a guess",
    "word order": "the order of genres may matter",
    "list": "a list may be one name",
    "music": "they differ in the word music",
    "one letter": "they differ in one letter",
    "part": "several genres in one name",
    "last word": "one name ends in the other",
}
"""{how two names are alike: what that says}."""
_MUSIC = frozenset(("music", "musik", "musique", "musica"))
_LETTERS = 7
"""Letters of a name that may be misspelt; shorter ones are often near another name."""
_ADDED = 5
"""Letters of a name that may have one more (March, Marsch)."""
_VOWELS = "aeiouy"


@dataclasses.dataclass(frozen=True)
class Doubt:
    """Two tags that may be the same, or one below the other.

    Attributes:
      tag: one of them, and
      target: the one that would stand for both, or be above it.
      kind: how they are alike: one of `WHY`.
    """

    tag: str
    target: str
    kind: str

    @property
    def relation(self) -> str:
        """`exact` or `broad`."""
        return "broad" if self.kind in ("part", "last word") else "exact"


def find_doubts(vocabulary: Vocabulary, tracks: Mapping[str, int]) -> list[Doubt]:
    """Pairs of tags whose names are near, system by system; those that are alike count as one tag.

    Args:
      vocabulary: the whole tags.
      tracks: {tag: number of its tracks}.

    >>> names = ["DnB", "Drum & Bass", "Pop Folk", "Folk Pop", "Soul", "Soul Music", "Pyschobilly"]
    >>> for doubt in find_doubts(Vocabulary.of([*names, "Psychobilly"]), {"DnB": 1, "Soul": 3}):
    ...     print(doubt)
    Doubt(tag='DnB', target='Drum & Bass', kind='initials')
    Doubt(tag='Pop Folk', target='Folk Pop', kind='word order')
    Doubt(tag='Soul Music', target='Soul', kind='music')
    Doubt(tag='Pyschobilly', target='Psychobilly', kind='one letter')
    >>> find_doubts(Vocabulary.of(["Death Metal", "Metal"]), {})
    [Doubt(tag='Death Metal', target='Metal', kind='last word')]
    """
    names = dict(zip(vocabulary.tags, vocabulary.names, strict=True))
    found: dict[frozenset[str], Doubt] = {}
    for system in vocabulary.systems:
        groups = spellings(vocabulary, system, tracks)
        spelt = [[names[tag] for tag in group] for group in groups]
        for kind, first, second in _pairs(spelt):
            pair = [groups[first][0], groups[second][0]]
            if kind not in ("initials", "part", "last word"):
                pair.sort(key=lambda tag: rank(tag, names, tracks))
            doubt = Doubt(pair[1], pair[0], kind)
            found.setdefault(frozenset((doubt.tag, doubt.target)), doubt)
    return list(found.values())


def _pairs(groups: Sequence[Sequence[str]]) -> Iterator[tuple[str, int, int]]:
    """(kind, places of two groups) of names, the one in full or the broader one first."""
    for first, second in _initials(groups):
        yield "initials", first, second
    for kind, key in (("word order", _ordered), ("list", _listed), ("music", _no_music)):
        places: dict[str, list[int]] = collections.defaultdict(list)
        for place, group in enumerate(groups):
            for found in dict.fromkeys(map(key, group)):
                places[found].append(place)
        places.pop("", None)
        for alike in places.values():
            yield from ((kind, alike[0], other) for other in alike[1:])
    for first, second in _one_letter(groups):
        yield "one letter", first, second
    yield from _broader(groups)


def _ordered(name: str) -> str:
    return next((key for key in keys(name) if key.removeprefix(GENRE).startswith("~")), "")


def _listed(name: str) -> str:
    """The name without signs of a list; "" if it is too short to be known by that."""
    mark, words = _taken(name)
    short = "".join(word for word in words if word not in (AND, LIST))
    return mark + short if len(short) >= max(INITIALS) else ""


def _no_music(name: str) -> str:
    mark, words = _taken(name)
    return mark + in_one(left) if (left := [word for word in words if word not in _MUSIC]) else ""


def _taken(name: str) -> tuple[str, list[str]]:
    mark = GENRE if name.startswith(GENRE) else ""
    return mark, words_of(name.removeprefix(GENRE))


def _broader(groups: Sequence[Sequence[str]]) -> Iterator[tuple[str, int, int]]:
    """(kind, group that is a part of the names of another one, that other one)."""
    place_of = {key: place for place, group in enumerate(groups) for key in map(_whole, group)}
    for place, group in enumerate(groups):
        for name in group:
            mark, words = _taken(name)
            parts = " ".join(words).split(f" {LIST} ")
            if len(parts) > 1:
                kind, most = "part", 0 if _is_known(name) else len(parts)
            elif AND not in words and words[:1] != ["post"]:
                kind, most = "last word", 1
                parts = [" ".join(words[k:]) for k in range(1, len(words))]
            else:
                continue
            near = [place_of.get(mark + in_one(part.split()), place) for part in parts]
            found = dict.fromkeys(other for other in near if other != place)
            yield from ((kind, other, place) for other in [*found][:most])


def _is_known(name: str) -> bool:
    return name.removeprefix(GENRE).casefold() in known_genres()


def _whole(name: str) -> str:
    mark, words = _taken(name)
    return mark + in_one(words) if words else ""


def _initials(groups: Sequence[Sequence[str]]) -> Iterator[tuple[int, int]]:
    """Groups with a short name that is the initials of exactly one other group."""
    by_initials: dict[str, set[int]] = collections.defaultdict(set)
    for place, group in enumerate(groups):
        for name in group:
            for short in _initials_of(name):
                by_initials[short].add(place)
    for place, group in enumerate(groups):
        whole = set[int]()
        for name in group:
            words = words_of(name)
            if AND in words or len(words) == 1:
                short = in_one(words, word_for_and="n")
                if len(short) in INITIALS:
                    whole |= by_initials[short] - {place}
        if len(whole) == 1:
            yield whole.pop(), place


def _initials_of(name: str) -> set[str]:
    """The initials of a name of two words or more, with `n` or nothing for `and`."""
    if name.startswith(GENRE):
        return set()
    words = words_of(name, [kind for kind in KINDS if kind != "plural"])
    parts = [word for word in words if word != AND]
    if len(parts) < 2 or LIST in parts or min(map(len, parts)) < 2:
        return set()
    return {
        "".join("n" if word == AND else word[0] for word in words),
        "".join(w[0] for w in parts),
    }


def _one_letter(groups: Sequence[Sequence[str]]) -> Iterator[tuple[int, int]]:
    """Groups of which names differ in a letter more, two that are swapped, or another vowel.

    Another consonant is another word (funk, punk). Two genres of Discogs are not misspelt.
    """
    places: dict[str, int] = {}
    for place, group in enumerate(groups):
        for name in group:
            mark, words = _taken(name)
            word = in_one(words) if words else ""
            if len(word) >= _ADDED and word.isalpha():
                places[mark + word] = place
    known = [any(map(_is_known, group)) for group in groups]
    for word, place in places.items():
        for variant in _variants(word):
            other = places.get(variant, place)
            if other != place and not (known[place] and known[other]):
                yield place, other


def _variants(word: str) -> Iterator[str]:
    """The word without a letter; a long one also with two letters swapped or another vowel."""
    for k, letter in enumerate(word):
        before, after = word[:k], word[k + 1 :]
        yield before + after
        if len(word) < _LETTERS:
            continue
        if after:
            yield before + after[0] + letter + after[1:]
        if letter in _VOWELS:
            yield from (before + vowel + after for vowel in _VOWELS)
