"""Names of tags, and when two of them agree.

A tag is the prefix of its system, its name, and `_1` or `_2` if it is half of a tag: see
`vocabulary.Vocabulary`. A name may begin with `genre:`, by which some catalogues mark genres.
"""

import unicodedata

GENRE = "genre:"


def normalise(name: str) -> str:
    """The form in which string matching compares names of tags (section 4).

    The name must not have the prefix of a system. The form has lower case, `and` for `&`, and only
    letters and digits.

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
