"""Tracks shared by artist and title."""

import dataclasses
import string
import unicodedata

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from tagjax.catalogue import annotations, corpus, matching
from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.catalogue.matching import MatchingConfig, artist_key, title_key, unify

names = st.text(st.characters(codec="utf-8"), min_size=1)


def catalogue(prefix, rows):
    """Rows of (track_id, artist_id, album_id, artist, title)."""
    track, artist_id, album, artist, title = zip(*rows, strict=True)
    return Catalogue(prefix, track, artist_id, album, (("rock",),) * len(rows), artist, title)


def ids(*rows):
    return [(f"{name}", f"r{name}", "", "Anna", title) for name, title in rows]


@pytest.mark.parametrize(
    "several",
    [
        ["The Beatles", "Beatles, The", "BEATLES", "Beatles*", "the beatles "],
        ["Björk", "Bjork", unicodedata.normalize("NFD", "BJÖRK")],
        ["AC/DC", "ACDC", "AC⚡DC", "ac dc"],
        ["Simon & Garfunkel", "Simon and Garfunkel"],
        ["Nirvana (2)", "Nirvana", "Nirvana (12)*"],
        ["Aaliyah feat. Timbaland", "Aaliyah", "Aaliyah (ft. Timbaland)", "Aaliyah Featuring X"],
        ["Straße", "STRASSE"],
        ["Mø", "MO"],
        ["Ａｂｂａ", "ABBA"],
    ],
)
def test_spellings_of_an_artist_agree(several):
    assert len({artist_key(name) for name in several}) == 1


@pytest.mark.parametrize(
    "several",
    [
        ["The The", "Nobody Else"],
        ["Little Feat", "Little"],
        ["!!!", "+/-", "?"],
        ["かき", "がき"],
        ["किशोर", "कशर"],
        ["Blink 182", "Blink"],
        ["Theatre", "Atre"],
    ],
)
def test_different_artists_stay_so(several):
    keys = [artist_key(name) for name in several]
    assert all(keys)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", ["Various", "Various Artists", "[unknown]", "V.A.", "", "  "])
def test_no_one_is_no_artist(name):
    assert artist_key(name) == ""


@pytest.mark.parametrize(
    "title",
    [
        "Help! (Remastered 2011)",
        "HELP",
        "Help! - 2009 Remaster",
        "Help! (Mono) [Bonus Track]",
        "Help! - Single Version",
        "Help! (feat. Someone Else)",
        "Help! ft. Someone",
    ],
)
def test_versions_of_one_recording_agree(title):
    assert title_key(title) == "help"


@pytest.mark.parametrize(
    "title",
    ["Help! (Live)", "Help! (2011)", "Help! (X Remix)", "Help! - Acoustic Version", "Help! Part 2"],
)
def test_other_recordings_do_not(title):
    assert title_key(title) != "help"


@pytest.mark.parametrize("title", ["(Remastered)", "1999", "Original", "feat.", "…", "愛"])
def test_a_title_is_never_normalised_away(title):
    assert title_key(title)


@pytest.mark.parametrize(
    ("option", "key", "one", "other"),
    [
        ({"accents": False}, artist_key, "Björk", "Bjork"),
        ({"ampersand": False}, artist_key, "A & B", "A and B"),
        ({"punctuation": False}, artist_key, "AC/DC", "ACDC"),
        ({"featured": False}, artist_key, "A feat. B", "A"),
        ({"featured": False}, title_key, "A (feat. B)", "A"),
        ({"numbered": False}, artist_key, "Nirvana (2)", "Nirvana"),
        ({"articles": ()}, artist_key, "The Who", "Who"),
        ({"versions": ()}, title_key, "A (Remastered)", "A"),
        ({"nobody": ()}, artist_key, "Various", ""),
    ],
)
def test_each_rule_is_an_option(option, key, one, other):
    assert key(one) == key(other)
    assert key(one, MatchingConfig(**option)) != key(other, MatchingConfig(**option))


@hypothesis.given(names)
def test_keys_do_not_depend_on_case_or_unicode_form(name):
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert artist_key(unicodedata.normalize(form, name)) == artist_key(name)
    hypothesis.assume(name.casefold() == name.upper().casefold())
    assert title_key(name.upper()) == title_key(name)


@hypothesis.given(st.text(string.ascii_letters + " ", min_size=1).filter(str.strip))
def test_a_suffix_of_versions_is_dropped(title):
    for suffix in (" (Remastered 2011)", " [Mono Version]", " - 2009 Digital Remaster"):
        assert title_key(title + suffix) == title_key(title)


def test_the_first_catalogues_ids_are_taken():
    a = catalogue(
        "a:", [("a1", "x", "l", "The Who", "My Generation"), ("a2", "y", "", "Abba", "SOS")]
    )
    b = catalogue(
        "b:",
        [
            ("b7", "q", "", "ABBA", "S.O.S. (Remastered)"),
            ("b8", "r", "", "Who, The", "My Generation (Live)"),
            ("b9", "s", "", "Queen", "SOS"),
        ],
    )
    found = unify([a, b])
    assert found.catalogues[0] == a
    assert found.catalogues[1].track_id == ("a2", "b8", "b9")
    assert found.catalogues[1].artist_id == ("y", "x", "s")
    assert found.catalogues[1].tags == b.tags
    assert found.renamed == {"b7": "a2"}
    assert found.counts["tracks_matched_by_name"] == 1
    assert found.counts["artists_matched_by_name"] == 2
    made, _ = corpus.gather(found.catalogues, None)
    assert [made.track_id[k] for k in np.flatnonzero(made.overlap)] == ["a2"]


def test_an_ambiguous_name_is_counted_and_matched_on_the_same_album_only():
    one = catalogue("a:", ids(("a1", "Hello"), ("a2", "Hello"), ("a3", "Bye")))
    two = catalogue("b:", ids(("b1", "Hello"), ("b3", "Bye")))
    found = unify([one, two])
    assert found.renamed == {"b3": "a3"}
    assert (found.counts["names_ambiguous"], found.counts["names_settled_by_album"]) == (1, 0)
    one = dataclasses.replace(one, album_id=("l1", "l2", ""))
    found = unify([one, dataclasses.replace(two, album_id=("l2", ""))])
    assert found.renamed == {"b1": "a2", "b3": "a3"}
    assert (found.counts["names_ambiguous"], found.counts["names_settled_by_album"]) == (1, 1)


def test_a_song_listed_twice_on_its_album_is_one():
    one = catalogue("a:", ids(("a1", "Hello"), ("a2", "Hello")))
    found = unify(
        [dataclasses.replace(one, album_id=("l", "l")), catalogue("b:", ids(("b1", "Hello")))]
    )
    assert found.renamed == {"b1": "a1"}
    assert found.counts["names_ambiguous"] == 0


def test_namesakes_within_one_catalogue_are_its_own_affair():
    found = unify(
        [catalogue("a:", ids(("a1", "Hello"), ("a2", "Hello"))), catalogue("b:", ids(("b", "Y")))]
    )
    assert not found.renamed
    assert found.counts["names_ambiguous"] == 0


def test_the_same_id_is_the_same_track_whatever_it_is_called():
    one = catalogue("a:", ids(("t1", "Hello"), ("t2", "Other")))
    two = catalogue("b:", ids(("t1", "Guten Tag"), ("b2", "Hello")))
    found = unify([one, two])
    assert found.counts["tracks_matched_by_id"] == 1
    assert not found.renamed  # b2 would become a second t1
    assert len(set(found.catalogues[1].track_id)) == 2


def test_tracks_of_no_one_and_without_title_match_nothing():
    rows = [("1", "various", "", "Various Artists", "Hello"), ("2", "r", "", "Anna", "")]
    one = catalogue("a:", [(f"a{row[0]}", *row[1:]) for row in rows])
    two = catalogue("b:", [(f"b{row[0]}", "q" + row[1], *row[2:]) for row in rows])
    found = unify([one, two])
    assert not found.renamed
    assert found.counts["tracks_without_name"] == 4
    assert found.catalogues[1].artist_id == ("qvarious", "r")  # Anna is one all the same


def test_catalogues_without_names_are_left_alone():
    plain = Catalogue("a:", ("t1",), ("r",), ("",), (("rock",),))
    named = catalogue("b:", ids(("t1", "Hello")))
    found = unify([plain, named])
    assert found.catalogues == (plain, named)
    assert found.counts["tracks_without_name"] == 1
    assert found.counts["tracks_matched_by_id"] == 1


def test_an_artist_with_two_names_is_one():
    """As Discogs's name variations: one id, so all of it stays in one part."""
    one = catalogue("a:", [("a1", "7", "", "Prince", "X"), ("a2", "7", "", "The Symbol", "Y")])
    two = catalogue("b:", [("b1", "p", "", "Symbol", "Z"), ("b2", "q", "", "PRINCE", "Z")])
    assert unify([one, two]).catalogues[1].artist_id == ("7", "7")


def test_a_collection_does_not_make_its_artists_one():
    rows = [(f"a{k}", "compilations", "", f"Singer {k}", "X") for k in range(30)]
    one = catalogue("a:", rows)
    two = catalogue("b:", [(f"b{k}", f"r{k}", "", f"Singer {k}", "Y") for k in range(29)])
    found = unify([one, two])
    assert found.counts["artist_ids_of_collections"] == 1
    assert found.catalogues[1].artist_id == two.artist_id
    assert found.catalogues[0].artist_id == (*two.artist_id, "compilations")


def test_audio_follows_where_the_new_id_has_none():
    tracks = Tracks(("a1", "b1", "b2"), ("a1.mp3", "b1.mp3", "b2.mp3"), np.array([1.0, 2.0, 3.0]))
    followed = matching.follow(tracks, {"b1": "a1", "b2": "a2", "b3": "a3"})
    assert followed.track_id == ("a1", "b1", "b2", "a2")
    assert followed.path[-1] == "b2.mp3"
    assert followed.duration.tolist() == [1.0, 2.0, 3.0, 3.0]
    assert matching.follow(tracks, {"b1": "a1"}) is tracks


few = st.sampled_from(["Abba", "ABBA", "The Who", "Various", ""])
rows = st.lists(
    st.tuples(
        st.sampled_from([f"t{k}" for k in range(12)]),
        st.sampled_from("pqrs"),
        st.sampled_from(["", "l", "m"]),
        few,
        st.sampled_from(["One", "one (Mono)", "Two", ""]),
    ),
    min_size=1,
    unique_by=lambda row: row[0],
)


@hypothesis.given(rows, rows, st.randoms(use_true_random=False))
def test_whatever_is_matched_agrees_and_ids_stay_unique(first, second, random):
    second = [(f"u{row[0]}" if int(row[0][1:]) % 2 else row[0], *row[1:]) for row in second]
    tables = [catalogue("a:", first), catalogue("b:", second)]
    found = unify(tables)
    name = {row[0]: (artist_key(row[3]), title_key(row[4])) for row in (*first, *second)}
    for old, new in found.renamed.items():
        assert all(name[old])
        assert old not in {row[0] for row in first}
        assert new in {row[0] for row in first}
        # A track of both catalogues has the name of its first one.
        assert name[old] in {
            (artist_key(row[3]), title_key(row[4])) for row in (*first, *second) if row[0] == new
        }
    for table, given in zip(found.catalogues, tables, strict=True):
        assert len(set(table.track_id)) == len(given)
        assert table.tags == given.tags
    # One artist stays one: what had the same id has it still, collections and no one aside.
    heads = {}
    for table, given in zip(found.catalogues, tables, strict=True):
        for old, new in zip(given.artist_id, table.artist_id, strict=True):
            assert heads.setdefault(old, new) == new
    assert unify(found.catalogues).renamed == {}
    shuffled = random.sample(second, len(second))
    if all(row[2] == "" for row in (*first, *second)):
        assert unify([tables[0], catalogue("b:", shuffled)]).renamed == found.renamed


def test_the_corpus_without_its_ids_finds_its_overlap_again(shared):
    folder = shared / "corpus"
    tables = [annotations.read_catalogue(folder / f"annotations_{x}.csv", f"{x}:") for x in "ab"]
    listed = annotations.read_table(folder / "tracks.csv", ["track_id", "title"])
    title = dict(zip(listed["track_id"], listed["title"], strict=True))
    named = [
        dataclasses.replace(t, artist=t.artist_id, title=tuple(map(title.get, t.track_id)))
        for t in tables
    ]
    second = dataclasses.replace(
        named[1],
        track_id=tuple(f"other {track}" for track in named[1].track_id),
        artist_id=tuple(f"other {artist}" for artist in named[1].artist_id),
    )
    found = unify([named[0], second])
    right = sum(old == f"other {new}" for old, new in found.renamed.items())
    common = len(set(tables[0].track_id) & set(tables[1].track_id))
    assert common == 81
    assert right + found.counts["names_ambiguous"] >= common
    assert right >= 0.9 * common
    artists = set(named[0].artist_id) & set(named[1].artist_id)
    assert found.counts["artists_matched_by_name"] == len(artists)
