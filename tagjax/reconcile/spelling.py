"""Tags of one tag system that differ in spelling alone.

Nothing is heard and nothing is guessed: two names are alike if they become equal once case,
accents, punctuation, the words for `&`, plural and order of words are left aside. A list stays
apart from a name (`Funk / Soul`, `Funk Soul`), as do numbers (`80s`, `90s`), signs that are part of
a name (`C`, `C++`), and genres and styles (`genre:rock`, `rock`). The order of words counts if two
of them are genres: `pop folk` is no `folk pop`. Names that may be the same are in `doubtful`.
"""

import collections
import dataclasses
import functools
import html
import itertools
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from tagjax.catalogue.sources.genrefields import known_genres
from tagjax.vocabulary.tags import GENRE
from tagjax.vocabulary.vocabulary import Vocabulary

KINDS = ("case", "accents", "ampersand", "punctuation", "plural", "word order")
"""What names may differ in and still be the same."""

_QUOTES = str.maketrans(dict.fromkeys("’‘`´ʼ′", "'"))
_AND = re.compile(r"\s*&\s*|(?<=\w)\s*\+\s*(?=\w)|\s*'n'\s*|\s+'?n'?\s+|\s+and\s+", re.IGNORECASE)
AND, LIST = "\0", "/"
"""Stand for `and`, and for a sign between the names of a list, while a name is taken apart."""
_BETWEEN = frozenset("/,;|")
_SIGNS = re.compile(f"(?:[{LIST}&{AND}] )+(?=[^ ])")
_SINGULAR = frozenset({
    "beats", "blues", "brass", "christmas", "classics", "dances", "electronics", "news", "pops",
    "roots", "sales", "series", "species", "spirituals", "texas",
})  # fmt: skip
"""Words in -s that are no plural, or one that means something else."""
_SHORTEST = 4
"""Letters of a word that may be a plural."""
INITIALS = range(2, 6)
"""Letters of a name that may be initials."""


@dataclasses.dataclass(frozen=True)
class SpellingGroup:
    """Tags of one system with names that are alike.

    Attributes:
      tags: whole tags, the one that stands for them first.
      kinds: for each tag, in what it differs from the first: some of `KINDS`.
    """

    tags: tuple[str, ...]
    kinds: tuple[tuple[str, ...], ...]


def find_groups(vocabulary: Vocabulary, tracks: Mapping[str, int]) -> list[SpellingGroup]:
    """The groups of tags that differ in spelling alone, system by system.

    Args:
      vocabulary: the whole tags.
      tracks: {tag: number of its tracks}; the tag with the most stands for its group.

    >>> names = ["Drum & Bass", "drum n bass", "DnB", "Chip Tune", "chiptunes", "80s", "90s"]
    >>> for group in find_groups(Vocabulary.of(names), {"Drum & Bass": 9, "chiptunes": 5}):
    ...     print(group.tags, group.kinds[1])
    ('Drum & Bass', 'drum n bass') ('case', 'ampersand')
    ('chiptunes', 'Chip Tune') ('case', 'punctuation', 'plural')
    """
    names = dict(zip(vocabulary.tags, vocabulary.names, strict=True))
    return [
        SpellingGroup(tags, tuple(differences(names[tags[0]], names[tag]) for tag in tags))
        for system in vocabulary.systems
        for tags in spellings(vocabulary, system, tracks)
        if len(tags) > 1
    ]


def spellings(
    vocabulary: Vocabulary, system: str, tracks: Mapping[str, int]
) -> list[tuple[str, ...]]:
    """All tags of a system, those that are alike together, the one that stands for them first."""
    names = {vocabulary.tags[k]: vocabulary.names[k] for k in vocabulary.members(system)}
    genres = _discogs_words() | _single_words(names.values())
    groups = alike(names, lambda name: keys(name, genres=genres))
    return [tuple(sorted(group, key=lambda tag: rank(tag, names, tracks))) for group in groups]


def alike(names: Mapping[str, str], keys_of: Callable[[str], Collection[str]]) -> list[list[str]]:
    """Groups of tags whose names share a key, or are joined by others that do."""
    by_key: dict[str, list[str]] = collections.defaultdict(list)
    for tag, name in names.items():
        for key in keys_of(name):
            by_key[key].append(tag)
    return joined(names, itertools.chain.from_iterable(map(itertools.pairwise, by_key.values())))


def joined(members: Iterable[str], pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The groups into which pairs join members, in the order of the first of each."""
    group = {member: [member] for member in members}
    for first, second in pairs:
        small, large = sorted((group[first], group[second]), key=len)
        if small is not large:
            large += small
            group |= dict.fromkeys(small, large)
    return list({id(some): some for some in group.values()}.values())


def keys(name: str, kinds: Collection[str] = KINDS, genres: Collection[str] = ()) -> frozenset[str]:
    """What is left of a name when differences of some kinds are left aside.

    Two names that share one of these keys differ in those kinds at most. A name of signs only has
    none.

    Args:
      name: with or without `genre:`.
      kinds: some of `KINDS`.
      genres: single words; the order of words counts where two of them stand beside each other.

    >>> sorted(keys("Drum 'n' Basses"))
    ['drumandbass', 'drumnbass', '~\\x00 bass drum']
    """
    mark, bare = (GENRE, name[len(GENRE) :]) if name.startswith(GENRE) else ("", name)
    words = words_of(bare, kinds)
    if not any(letter.isalnum() for word in words for letter in word):
        return frozenset()
    gap = "" if "punctuation" in kinds else " "
    spelt = ["and", "n"][: 1 + (AND in words)]
    found = {in_one(words, gap, word_for_and) for word_for_and in spelt}
    if "word order" in kinds and (ordered := _in_order(words, genres)):
        found.add("~" + ordered)
    return frozenset(mark + key for key in found)


def _in_order(words: Sequence[str], genres: Collection[str]) -> str:
    """The words in alphabetical order within each name of a list; "" if their order may matter."""
    signs, parts = [], list[list[str]]([[]])
    for word in words:
        if word in (AND, LIST):
            signs.append(word)
            parts.append([])
        else:
            parts[-1].append(word)
    if sum(map(len, parts)) < 2 or any(sum(word in genres for word in part) > 1 for part in parts):
        return ""
    return " ".join([*sorted(signs), *sorted(" ".join(sorted(part)) for part in parts)])


def _single_words(names: Iterable[str]) -> frozenset[str]:
    """The names of a single word, in any spelling."""
    words = (words_of(name.removeprefix(GENRE)) for name in names)
    return frozenset(found[0] for found in words if len(found) == 1)


@functools.cache
def _discogs_words() -> frozenset[str]:
    return _single_words(known_genres())


def differences(name: str, other: str) -> tuple[str, ...]:
    """The fewest kinds in which two names that are alike differ.

    >>> differences("Hip Hop", "hip-hop")
    ('case', 'punctuation')
    """
    return next(
        kinds
        for count in range(len(KINDS) + 1)
        for kinds in itertools.combinations(KINDS, count)
        if count == len(KINDS) or keys(name, kinds) & keys(other, kinds)
    )


def words_of(name: str, kinds: Collection[str] = KINDS) -> list[str]:
    """The words of a name without `genre:`, with `AND` and `LIST` among them."""
    if "accents" in kinds:
        name = _without_accents(unicodedata.normalize("NFKC", name))
    if "case" in kinds:
        name = name.casefold()
    if "punctuation" in kinds:
        name = name.replace("_", " ")
    if "ampersand" in kinds:
        name = _AND.sub(f" {AND} ", html.unescape(name).translate(_QUOTES))
    if "punctuation" in kinds:
        name = name.translate(_QUOTES).replace("'", "")
        name = " ".join("".join(map(_sign, name)).split()).strip(f" {LIST}")
        name = _SIGNS.sub(lambda run: max(run[0].split(), key=f"{LIST}&{AND}".index) + " ", name)
    words = name.split()
    return [_singular(word) for word in words] if "plural" in kinds else words


def _sign(letter: str) -> str:
    """A letter, digit or sign that counts; white space for any other."""
    if letter in _BETWEEN:
        return f" {LIST} "
    return letter if unicodedata.category(letter)[0] in "LMN" or letter in f"+#&{AND}" else " "


def in_one(words: Sequence[str], gap: str = "", word_for_and: str = "and") -> str:
    """The words in one; a border between digits stays."""
    spelt = [word_for_and if word == AND else word for word in words]
    found = spelt[0]
    for word in spelt[1:]:
        digits = found[-1:].isdecimal() and word[:1].isdecimal()
        found += (" " if digits else gap) + word
    return found


def _singular(word: str) -> str:
    """A word without the ending of the plural; oldie, oldies and oldy are one.

    Only letters of English words are looked at; `80s` stays.
    """
    low = word.casefold()
    if len(word) < _SHORTEST or not word.isalpha() or low in _SINGULAR:
        return word
    if low.endswith(("ies", "ie")) and len(low) > _SHORTEST:
        return word[: low.rindex("ie")] + "y"
    if low.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    return word[:-1] if low.endswith("s") and not low.endswith(("ss", "us", "is")) else word


def _without_accents(name: str) -> str:
    """The name without marks on Latin letters; in other scripts they make other letters."""
    found: list[str] = []
    latin = False
    for letter in unicodedata.normalize("NFD", name):
        if unicodedata.combining(letter) and latin:
            continue
        latin = letter.isascii() or "LATIN" in unicodedata.name(letter, "")
        found.append(letter)
    return unicodedata.normalize("NFC", "".join(found))


def rank(tag: str, names: Mapping[str, str], tracks: Mapping[str, int]) -> tuple:
    """Orders the tags of a group: most tracks, then a name of Discogs, then as a title."""
    name = names[tag].removeprefix(GENRE)
    shouted = name.isupper() and len(name) not in INITIALS
    return -tracks.get(tag, 0), name.casefold() not in known_genres(), shouted, name.islower(), name
