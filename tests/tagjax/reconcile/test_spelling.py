"""Names that differ in spelling alone."""

import pytest

from tagjax.reconcile.spelling import KINDS, differences, find_groups, keys
from tagjax.vocabulary.vocabulary import Vocabulary


def grouped(names, tracks=None):
    """The groups, as sets."""
    return [set(group.tags) for group in find_groups(Vocabulary.of(names), tracks or {})]


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        (("Techno", "TECHNO"), ("case",)),
        (("bossa nova", "bossanova"), ("punctuation",)),
        (("Hip Hop", "hip-hop"), ("case", "punctuation")),
        (("hiphop", "hip_hop"), ("punctuation",)),
        (("Drum & Bass", "Drum and Bass"), ("ampersand",)),
        (("Drum & Bass", "Drum n Bass"), ("ampersand",)),
        (("Drum &amp; Bass", "Drum 'n' Bass"), ("ampersand",)),
        (("Drum&Bass", "Drum ’n’ Bass"), ("ampersand",)),
        (("R&B", "RnB"), ("ampersand", "punctuation")),
        (("R&B", "R'n'B"), ("ampersand",)),
        (("r&b", "r+b"), ("ampersand",)),
        (("rock n roll", "rocknroll"), ("punctuation",)),
        (("rock & roll", "rocknroll"), ("ampersand", "punctuation")),
        (("chiptune", "chiptunes"), ("plural",)),
        (("pop ballad", "pop ballads"), ("plural",)),
        (("oldie", "oldies"), ("plural",)),
        (("Metal Death", "Death Metal"), ("word order",)),
        (("Tropicália", "Tropicalia"), ("accents",)),
        (("Ｊａｚｚ", "Jazz"), ("accents",)),
        (("Folk, World, & Country", "Folk, World & Country"), ("punctuation",)),
        (("Funk / Soul", "Funk/Soul"), ("punctuation",)),
        (("Funk / Soul", "Funk, Soul"), ("punctuation",)),
        (("Pop/Rock", "Rock/Pop"), ("punctuation", "word order")),
        (("Pop & Rock", "Rock and Pop"), ("ampersand", "word order")),
        (("Black Death Metal", "Death Black Metal"), ("word order",)),
        (("Rock 'n' Roll", "Rock and Roll"), ("ampersand",)),
        (("Rock'n'Roll", "Rock N Roll"), ("ampersand",)),
        (("RnB", "R & B"), ("ampersand", "punctuation")),
        (("Chip Tune", "Chip-Tunes"), ("punctuation", "plural")),
        (("Forró", "Forro\u0301"), ("accents",)),
        (("80s", "80's"), ("punctuation",)),
        (("genre:Rock", "genre:rock"), ("case",)),
        (("Русский рок", "русский рок"), ("case",)),
    ],
)
def test_names_that_are_alike_and_in_what_they_differ(names, kinds):
    assert grouped(names) == [{*names}]
    assert differences(*names) == kinds


@pytest.mark.parametrize(
    "names",
    [
        ("80s", "90s"),
        ("80s", "80"),
        ("1980", "1990"),
        ("jazz 3/4", "jazz 34"),
        ("Top 1 0", "Top 10"),
        ("C", "C++", "C#"),
        ("blue", "blues"),
        ("bras", "brass"),
        ("house", "hous"),
        ("beat", "beats"),
        ("Funk / Soul", "Funk Soul"),
        ("genre:rock", "rock"),
        ("Klassik", "Classical"),
        ("Blues, Rock", "Blues Rock"),
        ("Orchestral/Electronic", "Orchestral Electronic"),
        ("Pop Folk", "Folk Pop"),
        ("Country Blues", "Blues Country"),
        ("Blues Country / Folk", "Country Blues / Folk"),
        ("Metal", "Punk", "Metal Punk", "Punk Metal"),
        ("Electronic", "Electronica"),
        ("Spiritual", "Spirituals"),
        ("Game", "Game Music"),
        ("й", "и"),
        ("が", "か"),
        ("!!!", "???"),
        ("R&B", "RB"),
        ("Drum & Bass", "Drum Bass"),
        ("metal", "metals industry"),
        ("क", "की"),
    ],
)
def test_names_that_are_not_alike(names):
    assert grouped(names) == []


def test_the_tag_with_the_most_tracks_stands_for_its_group():
    names = ["Chip Tune", "Chiptune", "chiptunes", "Chip-Tune"]
    (group,) = find_groups(Vocabulary.of(names), {"chiptunes": 3, "Chiptune": 2})
    assert group.tags == ("chiptunes", "Chiptune", "Chip Tune", "Chip-Tune")
    assert group.kinds[0] == ()
    assert group.kinds[1] == ("case", "plural")


def test_of_as_many_tracks_the_one_written_as_a_title_stands_for_the_group():
    (group,) = find_groups(Vocabulary.of(["TECHNO", "techno", "Techno"]), {})
    assert group.tags == ("Techno", "techno", "TECHNO")
    (group,) = find_groups(Vocabulary.of(["idm", "IDM"]), {})
    assert group.tags == ("IDM", "idm")


def test_of_as_many_tracks_a_name_of_discogs_stands_for_the_group():
    (group,) = find_groups(Vocabulary.of(["Salsas", "salsa"]), {"Salsas": 2, "salsa": 2})
    assert group.tags == ("salsa", "Salsas")


def test_tags_of_different_systems_are_never_in_one_group():
    assert find_groups(Vocabulary.of(["a:Dub", "b:dub"], ["a:", "b:"]), {}) == []


def test_of_all_names_of_discogs_only_two_pairs_are_alike():
    from tagjax.vocabulary.taxonomy import discogs

    names = sorted({name for pair in discogs().pairs() for name in pair})
    found = [set(group.tags) for group in find_groups(Vocabulary.of(names), {})]
    assert found == [{"Bossa Nova", "Bossanova"}, {"Go-Go", "Gogo"}]


def test_leaving_nothing_aside_compares_names_as_they_are():
    assert keys("Hip  Hop", ()) == {"Hip Hop"}
    assert keys("a", KINDS) == {"a"}
