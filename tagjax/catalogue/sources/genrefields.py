"""Splits the genre field of a file into genres, and finds texts that are not genres."""

import functools
import itertools
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence

from tagjax.base import text
from tagjax.vocabulary import taxonomy
from tagjax.vocabulary.tags import GENRE

_RATING = frozenset("★☆⭐🌟✩✪✫✬✭✮✯✰♥♡❤👍👎")
_RATED = re.compile(
    r"(?:rating|rated|score)\W*[0-9]+(?:[.,/ ][0-9]+)?|[0-9]+(?:[.,][0-9])?[ -]?stars?",
    re.IGNORECASE,
)
_URL = re.compile(
    r"(?:https?|ftp)://|\bwww\.|\w@\w+\.\w|"
    r"\b[\w-]{2,}\.(?:com|net|org|info|biz|ru|ua|pl|de|fr|br|cc|ws|tv|fm|to|me|co\.uk)\b",
    re.IGNORECASE,
)
_WORDS = """
    other others misc miscellaneous various varied undefined unclassified unclassifiable
    uncategorized uncategorised unsorted untagged default genre genres no_genre no_genre_set
    general_unclassifiable general_misc genre_unknown unknown_genre music musik musica música
    musique mp3 audio song songs track tracks test favorites favourites favorite favourite
    seen_live albums_i_own my_music
    andere anderes sonstige sonstiges verschiedenes diverses divers autre autres otro otros otras
    varios altro altri vari outro outros overig overige annat övrigt inne inny muu diğer
    другое другие прочее разное その他 其他 其它 기타
"""
_NO_GENRES = frozenset(word.replace("_", " ") for word in _WORDS.split())


NO_WORD = "no word"
"""The reason why marks such as `()` are not genres; they are never kept as tags."""


def split_genres(field: str, separators: Sequence[str], whole: Sequence[str] = ()) -> list[str]:
    """The tags in one field: `Rock; Folk, World, & Country` to [`Rock`, `Folk, World, & Country`].

    Args:
      field: text of the field.
      separators: strings that separate genres.
      whole: names that are not split, in any case; the longest that fits is taken.
    """
    pieces = (text.clean(piece) for piece, _ in _pieces(field, separators, whole))
    return [name for name in pieces if name]


def replace_genres(
    field: str,
    separators: Sequence[str],
    whole: Sequence[str],
    replace: Callable[[str], str | None],
) -> str:
    """The field with other tags: what `split_genres` finds in it is replaced, and the rest stays.

    Args:
      field: text of the field.
      separators: as `split_genres`.
      whole: as `split_genres`.
      replace: gives the new name of a tag; None takes the tag out, with the separator before it.

    >>> names = {"techno": "Techno", "Other": None}
    >>> replace_genres("Dub ;techno, Other", (";", ","), (), lambda name: names.get(name, name))
    'Dub ;Techno'
    """
    found, before, is_first = "", "", True
    for piece, separator in _pieces(field, separators, whole):
        name = text.clean(piece)
        new = replace(name) if name else name
        if new is not None:
            if new != name:
                start = piece[: len(piece) - len(piece.lstrip())]
                piece = start + new + piece[len(piece.rstrip()) :]
            found += piece.lstrip() if is_first and before else before + piece
            is_first = False
        before = separator
    return found


def _pieces(
    field: str, separators: Sequence[str], whole: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """(text of a tag as it is, the separator behind it or "") of a field."""
    names = {text.clean(name).casefold() for name in whole}
    longest = max((len(name) for name in names), default=0)
    separator = "|".join(map(re.escape, sorted(set(separators), key=len, reverse=True)))
    parts = re.split(f"({separator})", field) if separator else [field]  # name, separator, name ...
    begin = 0
    while begin < len(parts):
        end = begin + 1
        for further in range(begin + 3, len(parts) + 1, 2):
            name = text.clean("".join(parts[begin:further])).casefold()
            if len(name) > longest:
                break
            if name in names:
                end = further
        yield "".join(parts[begin:end]), "".join(parts[end : end + 1])
        begin = end + 1


def no_genre(name: str, names: Collection[str] = ()) -> str:
    """Why a text in a genre field is certainly not a genre; "" if it may be one.

    Only texts that no catalogue uses as a genre are refused. `Game`, `Soundtrack`, `Live` and `80s`
    describe music, well or badly, and are kept.

    Args:
      name: the cleaned text.
      names: names of the track's artists.

    >>> [no_genre(name, ["Cher"]) for name in ("2012", "Misc", "***", "www.x.org", "Cher", "80s")]
    ['a number', 'a word for none', 'a rating', 'an address', 'the artist', '']
    """
    if all(_is_sign(letter) for letter in name):
        stars = any(letter in _RATING or letter == "*" for letter in name)
        digits = any(unicodedata.category(letter)[0] == "N" for letter in name)
        return "a rating" if stars else "a number" if digits else NO_WORD
    if _RATED.fullmatch(name):
        return "a rating"
    if _URL.search(name):
        return "an address"
    word = name.casefold().strip("<>[](){}-_.!?* ")
    if word in _NO_GENRES or text.is_none(name):
        return "a word for none"
    if word in known_genres():
        return ""
    artists = {text.clean(artist.casefold()) for artist in names}
    return "the artist" if {word, text.clean(name.casefold())} & artists else ""


def _is_sign(letter: str) -> bool:
    """Whether it is a digit, a mark or white space, not a letter of any script or a picture."""
    return letter in _RATING or unicodedata.category(letter)[0] in "NPZ" or letter in "+=<>|~^`$"


@functools.cache
def known_genres() -> frozenset[str]:
    """Genres and styles of Discogs, case-folded; they are genres even if an artist has the name."""
    return frozenset(name.casefold() for name in _discogs())


@functools.cache
def names_with_separators() -> tuple[str, ...]:
    """Genres and styles of Discogs that hold `,`, `;` or `/`; many taggers write these names."""
    return tuple(name for name in _discogs() if re.search("[,;/]", name))


@functools.cache
def _discogs() -> tuple[str, ...]:
    names = itertools.chain.from_iterable(taxonomy.discogs().pairs())
    return tuple(dict.fromkeys(name.removeprefix(GENRE) for name in names))
