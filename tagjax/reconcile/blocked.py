"""Tags that are no genres, put up to be dropped. Nothing is dropped by this alone."""

import re
from collections.abc import Collection

from tagjax.base.text import clean
from tagjax.catalogue.sources.genrefields import NO_WORD, no_genre
from tagjax.vocabulary.tags import GENRE
from tagjax.vocabulary.vocabulary import Vocabulary

_YEAR = re.compile(r"(?:1[5-9]|20)[0-9]{2}(?: ?[-–/] ?(?:[0-9]{2}){1,2})?")
_PERIOD = re.compile(
    r"(?:(?:the|early|mid|late|les) )*"
    r"(?:['’]?(?:1[5-9]|20)?[0-9]0(?:['’]?s|er)|(?:ann[ée]es|años|anos|anni) ['’]?[0-9]{2,4}|"
    r"(?:fif|six|seven|eigh|nine)ties|twenties|thirties|forties|noughties|"
    r"[0-9]{1,2}(?:st|nd|rd|th) century)(?: music)?",
    re.IGNORECASE,
)
_LISTED = re.compile(r"\s*(?:[/&,+]|\band\b)\s*")
_USE = "what the music is for, not what it is"
_USES = """
    game games videogame videogames vgm gaming soundtrack soundtracks ost osts bso score scores
    anime movie movies film films cinema tv television trailer trailers advertising karaoke
    filmmusik spielemusik"""
"""Words for uses of music. A name of no others, but for these, is no genre:"""
_BESIDE = "music musik video original motion picture theme themes and the of"
_USE_WORDS = frozenset(_USES.split())
_ALL_USE_WORDS = _USE_WORDS.union(_BESIDE.split())
_REASONS = {
    _USE: """background_music production_music stock_music bande_originale colonna_sonora
        banda_sonora video videos""",
    "a kind of recording, not of music": """
        live bootleg demo demos single singles album albums ep lp compilation compilations
        podcast podcasts audiobook audiobooks hörbuch hörspiel remaster remastered
        various_artists va v.a cd dvd vinyl untitled greatest_hits best_of hits""",
    "an opinion or a list, not a genre": """
        favorite favorites_songs my_favorites my_favourites favourite_songs favorite_songs
        love loved i_love love_it best good great awesome amazing cool nice beautiful
        wishlist to_listen to_hear check_out want_to_see_live under_2000_listeners spotify
        playlist heard_on_pandora""",
}
_WHY = {word.replace("_", " "): why for why, words in _REASONS.items() for word in words.split()}
_JOINED = re.compile(r"[-_ ]+")
_WORD = re.compile(r"[^\W_]+")


def why_blocked(name: str, artists: Collection[str] = ()) -> str:
    """Why a name is put up to be dropped; "" if it may be a genre.

    Beside what `genrefields.no_genre` refuses for certain, these are names that describe music, but
    not its sound: years, decades, what it is for (`Soundtrack`, `Game`), `Live`, opinions.

    Args:
      name: a tag without the prefix of its system.
      artists: names of artists whose tracks have the tag.

    >>> [why_blocked(name) for name in ("1984", "80's", "Techno", "2-step")]
    ['a year', 'a period, not a genre', '', '']
    >>> why_blocked("Soundtrack"), why_blocked("seen live")
    ('what the music is for, not what it is', 'a word for none')
    """
    name = clean(name.removeprefix(GENRE))
    if _YEAR.fullmatch(name):
        return "a year"
    if all(map(_PERIOD.fullmatch, _LISTED.split(name))):
        return "a period, not a genre"
    word = _JOINED.sub(" ", name.casefold()).strip("<>[](){}.!?* ")
    words = {*_WORD.findall(word)}
    if words & _USE_WORDS and words <= _ALL_USE_WORDS:
        return _USE
    why = _WHY.get(word) or no_genre(name, artists)
    return "signs without a word" if why == NO_WORD else why


def find_blocked(vocabulary: Vocabulary, artists: Collection[str] = ()) -> dict[str, str]:
    """{tag: why it is put up to be dropped}.

    Args:
      vocabulary: the whole tags.
      artists: names of artists; a tag that is one of them is blocked, unless Discogs knows it as a
        genre.

    >>> find_blocked(Vocabulary.of(["Dub", "Cher", "Other"]), ["Cher"])
    {'Cher': 'the artist', 'Other': 'a word for none'}
    """
    folded = {clean(artist.casefold()) for artist in artists}
    found = {
        tag: why_blocked(name, folded & {clean(name.casefold())})
        for tag, name in zip(vocabulary.tags, vocabulary.names, strict=True)
    }
    return {tag: why for tag, why in found.items() if why}
