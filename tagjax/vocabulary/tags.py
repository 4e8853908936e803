"""Names of tags: their system, level, artificial duplicates, and when two names agree.

A tag is one string: the prefix of its tag system (`mumu:`, `a:`, or none), then `genre:`
if it is a genre and not a style, then its name, then `_1` or `_2` if it was artificially
duplicated (section 3.2). Which prefixes are systems is always given as a list; the longest
that fits decides, and the empty prefix takes what is left.
"""

import collections
import re
import unicodedata
from collections.abc import Iterable, Sequence

GENRE = "genre:"

_DUPLICATE = re.compile(r"(.+)_([12])", re.DOTALL)


def system_of(tag: str, systems: Sequence[str]) -> str:
    """The prefix among `systems` that the tag carries.

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
    """The tag systems of a similarity whose file does not name them.

    A system is a prefix `name:` (other than `genre:`) that at least two tags carry; tags
    without one make the system "". So ("", "mumu:") for the release's translation data.
    """
    heads = [tag[: tag.find(":") + 1] for tag in tags]
    counts = collections.Counter(heads)
    prefixes = {head for head in counts if head not in ("", GENRE, ":") and counts[head] > 1}
    rest = {""} if not prefixes or any(head not in prefixes for head in heads) else set()
    return tuple(sorted(rest | prefixes))


def split_duplicate(tag: str) -> tuple[str, int]:
    """The tag an artificial duplicate was made from, and its number: `rock_1` to (`rock`, 1).

    A tag that is no duplicate has number 0.
    """
    match = _DUPLICATE.fullmatch(tag)
    return (match[1], int(match[2])) if match else (tag, 0)


def normalise(name: str) -> str:
    """The name in which string matching compares tags (section 4), of a name without prefix.

    Lower case, `&` as `and`, and nothing but letters and digits.

    >>> normalise("R&B"), normalise("genre:r and b")
    ('randb', 'randb')
    """
    name = unicodedata.normalize("NFC", name.removeprefix(GENRE)).lower()
    return "".join(letter for letter in name.replace("&", "and") if letter.isalnum())


def spellings(name: str) -> tuple[str, ...]:
    """A normalised name as it may have survived a file that lost its non-ASCII letters.

    The name itself, then without accents, then without the letters that had them.

    >>> spellings("musiqueconcrète")
    ('musiqueconcrète', 'musiqueconcrete', 'musiqueconcrte')
    """
    if name.isascii():
        return (name,) if name else ()
    folded = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    lost = name.encode("ascii", "ignore").decode()
    return tuple(dict.fromkeys(spelling for spelling in (name, folded, lost) if spelling))
