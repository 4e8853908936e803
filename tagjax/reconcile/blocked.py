"""Tags that are no genres, put up to be dropped. Nothing is dropped by this alone."""

import re
from collections.abc import Collection

from tagjax.base.text import clean
from tagjax.catalogue.sources.genrefields import NO_WORD, no_genre
from tagjax.vocabulary.tags import GENRE
from tagjax.vocabulary.vocabulary import Vocabulary

_YEAR = re.compile(r"(?:1[5-9]|20)[0-9]{2}(?: ?[-–/] ?(?:[0-9]{2}){1,2})?")
_PERIOD = re.compile(
    r"(?:(?:the|early|mid|late) )*['’]?(?:1[5-9]|20)?[0-9]0(?:['’]?s|er)|"
    r"(?:les )?(?:ann[ée]es|años|anni) ['’]?[0-9]{2,4}|"
    r"(?:fif|six|seven|eigh|nine)ties|twenties|thirties|forties|noughties|"
    r"[0-9]{1,2}(?:st|nd|rd|th) century",
    re.IGNORECASE,
)
_REASONS = {
    "what the music is for, not how it sounds": """
        game games game_music video_game video_games video_game_music videogame vgm
        soundtrack soundtracks soundtrack_music original_soundtrack original_score ost bso score
        bande_originale filmmusik colonna_sonora banda_sonora movie movies film tv trailer
        advertising background_music production_music stock_music karaoke""",
    "a kind of recording, not of music": """
        live bootleg demo demos single singles album albums ep lp compilation compilations
        podcast podcasts audiobook audiobooks hörbuch hörspiel remaster remastered""",
    "an opinion or a list, not a genre": """
        favorite favorites_songs my_favorites my_favourites favourite_songs favorite_songs
        love loved i_love love_it best good great awesome amazing cool nice beautiful
        wishlist to_listen to_hear check_out want_to_see_live under_2000_listeners spotify
        playlist heard_on_pandora""",
}
_WHY = {word.replace("_", " "): why for why, words in _REASONS.items() for word in words.split()}
_JOINED = re.compile(r"[-_ ]+")


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
    ('what the music is for, not how it sounds', 'a word for none')
    """
    name = clean(name.removeprefix(GENRE))
    if _YEAR.fullmatch(name):
        return "a year"
    if _PERIOD.fullmatch(name):
        return "a period, not a genre"
    word = _JOINED.sub(" ", name.casefold()).strip("<>[](){}.!?* ")
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
