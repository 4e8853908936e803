"""Tags that are no genres."""

import pytest

from tagjax.reconcile.blocked import find_blocked, why_blocked
from tagjax.vocabulary.taxonomy import discogs
from tagjax.vocabulary.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("1984", "a year"),
        ("2004-2006", "a year"),
        ("80s", "a period, not a genre"),
        ("1980s", "a period, not a genre"),
        ("80's", "a period, not a genre"),
        ("'90s", "a period, not a genre"),
        ("90er", "a period, not a genre"),
        ("the 60s", "a period, not a genre"),
        ("années 80", "a period, not a genre"),
        ("Eighties", "a period, not a genre"),
        ("the eighties", "a period, not a genre"),
        ("60s & 70s", "a period, not a genre"),
        ("80s Music", "a period, not a genre"),
        ("19th century", "a period, not a genre"),
        ("17", "a number"),
        ("Other", "a word for none"),
        ("Unknown", "a word for none"),
        ("seen live", "a word for none"),
        ("favorites", "a word for none"),
        ("*****", "a rating"),
        ("4 stars", "a rating"),
        ("http://example.org", "an address"),
        ("Game", "what the music is for, not what it is"),
        ("Game-Music", "what the music is for, not what it is"),
        ("genre:Soundtrack", "what the music is for, not what it is"),
        ("Game/Soundtrack", "what the music is for, not what it is"),
        ("Original Motion Picture Soundtrack", "what the music is for, not what it is"),
        ("Film Score", "what the music is for, not what it is"),
        ("OST", "what the music is for, not what it is"),
        ("(live)", "a kind of recording, not of music"),
        ("awesome", "an opinion or a list, not a genre"),
        ("()", "signs without a word"),
    ],
)
def test_what_is_no_genre_is_blocked_with_the_reason(name, why):
    assert why_blocked(name) == why


@pytest.mark.parametrize(
    "name",
    ["Rock", "2-step", "8-bit", "50s rock", "8 beat pop", "16 beat ballad", "4th world", "Live PA",
     "Love Songs", "Score Jazz", "jazz 3/4", "Film noir jazz", "80s metal", "Eightieshop", "Banda",
     "Theme", "Original", "Music Hall", "J-Pop/Game", "80s & Rock"],
)  # fmt: skip
def test_what_may_be_a_genre_is_not(name):
    assert why_blocked(name) == ""


def test_an_artist_is_blocked_unless_it_is_a_known_genre():
    vocabulary = Vocabulary.of(["a:Cher", "a:dub", "b:CHER"], ["a:", "b:"])
    found = find_blocked(vocabulary, ["cher", "Dub"])
    assert found == {"a:Cher": "the artist", "b:CHER": "the artist"}


def test_of_the_names_of_discogs_only_uses_of_music_are_blocked():
    names = sorted({name for pair in discogs().pairs() for name in pair})
    assert {*find_blocked(Vocabulary.of(names))} <= {
        "Score", "Soundtrack", "Video Game Music", "Karaoke", "Audiobook", "Movie Effects",
    }  # fmt: skip
