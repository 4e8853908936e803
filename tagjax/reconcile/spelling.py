"""Tags of one tag system that differ in spelling alone.

Nothing is heard and nothing is guessed: two names are alike if they become equal once case,
accents, punctuation, the words for `&`, plural and order of words are left aside. What is between
slashes stays apart (`Funk / Soul` is no `Funk Soul`), as do numbers (`80s`, `90s`), signs that are
part of a name (`C`, `C++`), and genres and styles (`genre:rock`, `rock`).
"""

import collections
import dataclasses
import html
import itertools
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from tagjax.vocabulary.tags import GENRE
from tagjax.vocabulary.vocabulary import Vocabulary

KINDS = ("case", "accents", "ampersand", "punctuation", "plural", "word order")
"""What names may differ in and still be the same."""

INITIALS = "initials"
"""`DnB` and `Drum and Bass`: likely the same, but initials are a guess."""

_QUOTES = str.maketrans(dict.fromkeys("’‘`´ʼ′", "'"))
_AND = re.compile(r"\s*&\s*|(?<=\w)\s*\+\s*(?=\w)|\s*'n'\s*|\s+'?n'?\s+|\s+and\s+", re.IGNORECASE)
_N = "\0"
"""Stands for `and` while a name is taken apart."""
_SINGULAR = frozenset({
    "beats", "blues", "brass", "christmas", "classics", "news", "roots", "sales", "series",
    "species", "texas",
})  # fmt: skip
"""Words in -s that are no plural, or one that means something else."""
_SHORTEST = 4
"""Letters of a word that may be a plural."""
_INITIALS = range(2, 6)
"""Letters of a name that may be initials."""


@dataclasses.dataclass(frozen=True)
class SpellingGroup:
    """Tags of one system with names that are alike.

    Attributes:
      tags: whole tags, the one that stands for them first.
      kinds: for each tag, in what it differs from the first: some of `KINDS`, or `INITIALS`.
      proposed: whether a person has to say yes first.
    """

    tags: tuple[str, ...]
    kinds: tuple[tuple[str, ...], ...]
    proposed: bool = False


def find_groups(vocabulary: Vocabulary, tracks: Mapping[str, int]) -> list[SpellingGroup]:
    """The groups of tags that differ in spelling alone, system by system.

    Args:
      vocabulary: the whole tags.
      tracks: {tag: number of its tracks}; the tag with the most stands for its group.

    >>> names = ["Drum & Bass", "drum n bass", "DnB", "Chip Tune", "chiptunes", "80s", "90s"]
    >>> for group in find_groups(Vocabulary.of(names), {"Drum & Bass": 9, "chiptunes": 5}):
    ...     print(group.tags, group.kinds[1], group.proposed)
    ('Drum & Bass', 'drum n bass') ('case', 'ampersand') False
    ('chiptunes', 'Chip Tune') ('case', 'punctuation', 'plural') False
    ('Drum & Bass', 'DnB') ('initials',) True
    """
    found = []
    for system in vocabulary.systems:
        names = {vocabulary.tags[k]: vocabulary.names[k] for k in vocabulary.members(system)}
        groups = alike(names, lambda name: keys(name))
        ordered = [sorted(group, key=lambda tag: rank(tag, names, tracks)) for group in groups]
        for tags in ordered:
            if len(tags) > 1:
                kinds = [differences(names[tags[0]], names[tag]) for tag in tags]
                found.append(SpellingGroup(tuple(tags), tuple(kinds)))
        found += _initials(ordered, names)
    return found


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


def keys(name: str, kinds: Collection[str] = KINDS) -> frozenset[str]:
    """What is left of a name when differences of some kinds are left aside.

    Two names that share one of these keys differ in those kinds at most. A name of signs only has
    none.

    >>> sorted(keys("Drum 'n' Basses"))
    ['drumandbass', 'drumnbass', '~\\x00 bass drum']
    """
    mark, bare = (GENRE, name[len(GENRE) :]) if name.startswith(GENRE) else ("", name)
    words = _words(bare, kinds)
    if not any(letter.isalnum() for word in words for letter in word):
        return frozenset()
    gap = "" if "punctuation" in kinds else " "
    found = {_together(words, gap, ["and", "n"][number]) for number in range(1 + (_N in words))}
    parts = [word for word in words if word not in (_N, "/")]
    if "word order" in kinds and len(parts) > 1:
        found.add("~" + " ".join(sorted(words)))
    return frozenset(mark + key for key in found)


def differences(name: str, other: str) -> tuple[str, ...]:
    """The kinds in which two names that are alike differ: those without which they are not.

    >>> differences("Hip Hop", "hip-hop")
    ('case', 'punctuation')
    """
    found = []
    for kind in KINDS:
        others = [each for each in KINDS if each != kind]
        if not keys(name, others) & keys(other, others):
            found.append(kind)
    return tuple(found)


def _words(name: str, kinds: Collection[str]) -> list[str]:
    """The words of a name, with `/` and the mark for `and` among them."""
    if "accents" in kinds:
        name = _without_accents(unicodedata.normalize("NFKC", name))
    if "case" in kinds:
        name = name.casefold()
    if "punctuation" in kinds:
        name = name.replace("_", " ")
    if "ampersand" in kinds:
        name = _AND.sub(f" {_N} ", html.unescape(name).translate(_QUOTES))
    if "punctuation" in kinds:
        name = name.translate(_QUOTES).replace("'", "")
        name = "".join(map(_sign, name))
    words = name.split()
    return [_singular(word) for word in words] if "plural" in kinds else words


def _sign(letter: str) -> str:
    """A letter, digit or sign that counts; white space for any other."""
    if letter == "/":
        return " / "
    return letter if unicodedata.category(letter)[0] in "LMN" or letter in f"+#{_N}" else " "


def _together(words: Sequence[str], gap: str, word_for_and: str) -> str:
    """The words in one; a border between digits stays."""
    spelt = [word_for_and if word == _N else word for word in words]
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
    """Orders the tags of a group: most tracks, then capital letters as in a title, then by name."""
    name = names[tag].removeprefix(GENRE)
    shouted = name.isupper() and len(name) not in _INITIALS
    return -tracks.get(tag, 0), shouted, name.islower(), name


def _initials(groups: Sequence[Sequence[str]], names: Mapping[str, str]) -> list[SpellingGroup]:
    """Short names that are the initials of exactly one group, to be looked at by a person."""
    by_initials: dict[str, list[int]] = collections.defaultdict(list)
    for number, group in enumerate(groups):
        found = {key for tag in group for key in _initials_of(names[tag])}
        for key in found:
            by_initials[key].append(number)
    proposals = []
    for number, group in enumerate(groups):
        fitting: set[int] = set()
        for tag in group:
            words = _words(names[tag], KINDS)
            if len([word for word in words if word != _N]) == 1 or _N in words:
                short = _together(words, "", "n")
                if len(short) in _INITIALS:
                    fitting |= {place for place in by_initials[short] if place != number}
        if len(fitting) == 1:
            whole = groups[fitting.pop()][0]
            kinds: tuple[tuple[str, ...], ...] = ((), (INITIALS,))
            proposals.append(SpellingGroup((whole, group[0]), kinds, True))
    return proposals


def _initials_of(name: str) -> set[str]:
    """The initials of a name of two words or more, with `n` or nothing for `and`."""
    if name.startswith(GENRE):
        return set()
    words = _words(name, [kind for kind in KINDS if kind != "plural"])
    parts = [word for word in words if word != _N]
    if len(parts) < 2 or "/" in parts or min(map(len, parts)) < 2:
        return set()
    return {"".join("n" if word == _N else word[0] for word in words), "".join(w[0] for w in parts)}
