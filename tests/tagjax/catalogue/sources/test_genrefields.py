import pytest

from tagjax.catalogue.sources import genrefields


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((name, "a number") for name in ("2012", "12", "(17)", "1990-1995", "2012-05-01", "4/5")),
        *((name, "a number") for name in ("٢٠١٢", "#1", "1.0", "½")),
        *((name, "a rating") for name in ("***", "★★★☆☆", "5★", "⭐⭐", "* * *")),
        *((name, "a rating") for name in ("5 stars", "Rating: 4", "rated 4.5", "1 star")),
        *((name, "no word") for name in ("()", "-", "???", "!!", "...")),
        *((name, "a word for none") for name in ("Other", "OTHER", "misc", "Misc.", "Unknown")),
        *((name, "a word for none") for name in ("<Unknown>", "none", "N/A", "[unclassified]")),
        *((name, "a word for none") for name in ("Sonstige", "その他", "Unknown Genre", "Various")),
        *((name, "an address") for name in ("http://a.b", "www.mp3.xyz", "Music-Site.com")),
        *((name, "an address") for name in ("Downloaded from loopnet.de", "me@home.org")),
        *((name, "the artist") for name in ("Cher", "CHER", "Sonny & Cher", "wham!")),
    ],
)
def test_what_is_certainly_no_genre(name, reason):
    assert genrefields.no_genre(name, ["Cher", "Sonny & Cher", "Wham!"]) == reason


@pytest.mark.parametrize(
    "name",
    [
        *("Game", "Soundtrack", "Live", "Remix", "Cover", "80s", "1980s", "8-bit", "2-Step", "R&B"),
        *(
            "Drum & Bass",
            "音楽",
            "لحن",
            "🎷",
            "Other Music",
            "World",
            "New Age",
            "Mr. Com",
            "Trip.Hop",
        ),
        *(
            "Unknown Pleasures",
            "C",
            "Nu.Jazz",
            "No Wave",
            "None of the Above",
            "Cherub",
            "(un)common",
        ),
    ],
)
def test_what_may_be_one(name):
    assert genrefields.no_genre(name, ["Cher"]) == ""


def test_an_artist_may_be_named_as_a_genre():
    assert genrefields.no_genre("Techno", ["Techno"]) == ""
    assert genrefields.no_genre("Future Jazz", ["future jazz"]) == ""
    assert genrefields.no_genre("Foghat", ["foghat"]) == "the artist"


def test_without_separators_a_field_is_one_name():
    assert genrefields.split_genres(" Rock;  Pop ", ()) == ["Rock; Pop"]
    assert genrefields.split_genres("", ()) == []
