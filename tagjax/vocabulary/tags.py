"""Names of tags: their system, level, artificial duplicates, and when two names agree.

A tag is one string: the prefix of its tag system (`mumu:`, `a:`, or none), then `genre:`
if it is a genre and not a style, then its name, then `_1` or `_2` if it was artificially
duplicated (section 3.2). The prefixes of the systems are always given as a list. The longest
prefix that fits a tag is its system, and the empty prefix fits every tag.
"""

import collections
import re
import unicodedata
from collections.abc import Iterable, Sequence

GENRE = "genre:"

_DUPLICATE = re.compile(r"(.+)_([12])", re.DOTALL)


def system_of(tag: str, systems: Sequence[str]) -> str:
    """The longest prefix among `systems` with which the tag begins.

    Raises:
      ValueError: none fits.
    """
    fitting = [system for system in systems if tag.startswith(system)]
    if not fitting:
        raise ValueError(f"tag {tag!r} is of none of the systems {', '.join(systems)}")
    return max(fitting, key=len)


def strip(tag: str, systems: Sequence[str] = ("",)) -> str:
    """The tag without the prefix of its system: `mumu:jazz` to `jazz`."""
    return tag[len(system_of(tag, systems)) :]


def is_genre(tag: str, systems: Sequence[str] = ("",)) -> bool:
    """Whether the tag is a genre (`genre:rock`), not a style."""
    return strip(tag, systems).startswith(GENRE)


def detect_systems(tags: Iterable[str]) -> tuple[str, ...]:
    """Guesses the tag systems of a similarity whose file does not name them.

    A system is a prefix `name:` (other than `genre:`) of at least two tags. Tags without such a
    prefix belong to the system "". The release's translation data give ("", "mumu:").
    """
    heads = [tag[: tag.find(":") + 1] for tag in tags]
    counts = collections.Counter(heads)
    prefixes = {head for head in counts if head not in ("", GENRE, ":") and counts[head] > 1}
    rest = {""} if not prefixes or any(head not in prefixes for head in heads) else set()
    return tuple(sorted(rest | prefixes))


def split_duplicate(tag: str) -> tuple[str, int]:
    """The tag from which an artificial duplicate was made, and its number: `rock_1` is (`rock`, 1).

    A tag that is not a duplicate has the number 0.
    """
    match = _DUPLICATE.fullmatch(tag)
    return (match[1], int(match[2])) if match else (tag, 0)


def normalise(name: str) -> str:
    """The form in which string matching compares names of tags (section 4).

    The name must be without prefix of a system. The form is in lower case, has `and` for `&`, and
    holds nothing but letters and digits.

    >>> normalise("R&B"), normalise("genre:r and b")
    ('randb', 'randb')
    """
    name = unicodedata.normalize("NFC", name.removeprefix(GENRE)).lower()
    return "".join(letter for letter in name.replace("&", "and") if letter.isalnum())


def spellings(name: str) -> tuple[str, ...]:
    """The spellings that a normalised name may have in a file that lost its non-ASCII letters.

    They are the name itself, the name without accents, and the name without the accented letters.

    >>> spellings("musiqueconcrète")
    ('musiqueconcrète', 'musiqueconcrete', 'musiqueconcrte')
    """
    if name.isascii():
        return (name,) if name else ()
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    lost = name.encode("ascii", "ignore").decode()
    return tuple(dict.fromkeys(spelling for spelling in (name, folded, lost) if spelling))
