"""Cleaning of names and ids: one spelling for each, and the words that mean "none".

Every reader cleans what it reads. All other code can then compare strings as they are.
"""

import functools
import re
import sys
import unicodedata
from collections.abc import Collection, Sequence

# Category Cf, but visible: Arabic, Syriac and Kaithi signs that enclose or precede numbers.
_DRAWN = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
_DRAWN_ABOVE = frozenset("\U000110bd\U000110cd")

# Invisible, but not of category Cf: joiners, fillers and variation selectors.
_UNDRAWN = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u3164\ufe00-\ufe0f\uffa0"
_UNDRAWN += "\U000e0100-\U000e01ef"

_BRACKETS = str.maketrans("", "", "<>[](){}")
_WORDS = """
    nan none null nil n/a n.a. na \\n #n/a #ref! #name? #value! - -- --- – — ... … ? ?? ???
    undefined unspecified
    unknown unknown_album unknown_artist unknown_albumartist unknown_title unknown_genre
    unknown_album_artist unknown_artists artist_unknown album_unknown
    not_available not_specified not_set no_album no_artist no_genre no_title no_data
    unbekannt unbekannter_künstler unbekannter_interpret unbekanntes_album
    inconnu artiste_inconnu album_inconnu interprète_inconnu
    desconocido artista_desconocido intérprete_desconocido álbum_desconocido
    desconhecido artista_desconhecido álbum_desconhecido
    sconosciuto artista_sconosciuto album_sconosciuto
    onbekend onbekende_artiest onbekend_album okänd_artist okänt_album
    nieznany nieznany_wykonawca nieznany_artysta nieznany_album sin_álbum
    неизвестно неизвестен неизвестный_исполнитель неизвестный_артист неизвестный_альбом
    不明 不明なアーティスト 不明なアルバム 未知 未知艺术家 未知专辑
    알_수_없음 알_수_없는_음악가 알_수_없는_아티스트 알_수_없는_앨범
"""
NONE = frozenset({"", *(word.replace("_", " ") for word in _WORDS.split())})
"""Words for "none", case-folded and without brackets."""
_LONGEST = 80
"""Letters of the longest word, with what may be behind it."""
_JOINED = re.compile(r"(?<=\w)[-_](?=\w)")
_SLASH = re.compile(r" */ *")
LONGEST_NAME = 60
"""Letters of a name that is shown."""
_NUMBERED = re.compile(r" *\([^()]*[0-9][^()]*\)$")
"""As in `Unknown Album (24/12/2005 18:33:10)`, which Windows Media Player writes."""


@functools.cache
def _ignorable() -> re.Pattern[str]:
    """Matches invisible characters: zero-width, bidirectional and control characters.

    Control characters that are white space are not matched.
    """
    categories = ("Cf", "Cc", "Cs")
    found = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in categories
        and chr(code) not in _DRAWN | _DRAWN_ABOVE
        and not chr(code).isspace()
    ]
    return re.compile("[" + "".join(map(re.escape, found)) + _UNDRAWN + "\ufffe\uffff]+")


_DAMAGE = re.compile(r"[\0-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffd-\uffff]")


def clean(text: str) -> str:
    """A name or id in one spelling: names that look the same become the same string.

    - NFC is applied: `e` with a combining accent becomes `é`. NFKC would change some letters into
      others.
    - Zero-width characters, marks of direction, soft hyphens, variation selectors and control
      characters are removed. They are not refused: whoever pasted one cannot see it.
    - White space of any kind is dropped at both ends; a run of it inside becomes one space.

    Case and punctuation stay. Do not clean paths of files: the disk knows them as they are.
    `is_damaged` says whether a value is likely to be garbage instead of a name.

    >>> clean("  Beyonce\\u0301\\u200b \\t Knowles\\n")
    'Beyoncé Knowles'
    """
    if text.isascii() and text.isprintable():  # True for nearly all; the patterns below are slow.
        return " ".join(text.split())
    text = _ignorable().sub("", text)
    return " ".join(unicodedata.normalize("NFC", text).split())


def cleaned(cells: Sequence[str]) -> Sequence[str]:
    """The cells, each cleaned by `clean`. A clean column, as most are, takes little time.

    >>> cleaned(["a ", "b  c"])
    ['a', 'b c']
    """
    joined = ";".join(cells)  # All cells are checked at once.
    if joined.isascii() and joined.isprintable():
        odd = "  " in joined or "; " in joined or " ;" in joined or joined != joined.strip()
        if not odd:
            return cells
    known: dict[str, str] = {cell: clean(cell) for cell in set(cells)}
    return [known[cell] for cell in cells]


def is_none(text: str, words: Collection[str] = NONE) -> bool:
    """Whether a name or id means "none", in any case, with or without brackets or a date behind it.

    Args:
      text: the name or id, cleaned or not.
      words: words for "none", case-folded; a source may add its own: `NONE | {"0"}`.

    >>> [is_none(text) for text in ("NaN", " <unknown>", "Unknown Album", "", "0", "Nun")]
    [True, True, True, True, False, False]
    """
    word = clean(text).casefold()
    if word in words:
        return True
    if len(word) > _LONGEST:
        return False
    word = _NUMBERED.sub("", _SLASH.sub("/", _JOINED.sub(" ", word)))
    return word in words or word.translate(_BRACKETS).strip() in words


def known(text: str, words: Collection[str] = NONE) -> str:
    """The cleaned name or id; "" if it means "none".

    >>> known(" Kind of  Blue"), known("null")
    ('Kind of Blue', '')
    """
    text = clean(text)
    return "" if is_none(text, words) else text


def is_damaged(text: str) -> bool:
    """Whether a text was decoded wrongly: it holds control characters or U+FFFD.

    White space (tab, line ends, NEL) and a NUL at the end of the text are allowed.

    >>> is_damaged("R\\x00o\\x00c\\x00k"), is_damaged("caf\\ufffd"), is_damaged("a\\tb\\n")
    (True, True, False)
    """
    return bool(_DAMAGE.search(text.rstrip("\0")))


def short(name: str, longest: int = LONGEST_NAME) -> str:
    """A clean name of at most `longest` letters; a shortened name ends in an ellipsis.

    >>> short("music for airports", 10)
    'music for…'
    """
    name = clean(name)
    if len(name) <= longest:
        return name
    end = longest - 1
    while end > longest // 2 and unicodedata.combining(name[end]):
        end -= 1  # An accent stays with its letter.
    return name[:end].rstrip() + "…"
