import numpy as np
import pytest

from tagjax.base.errors import InputError
from tagjax.catalogue import corpus
from tagjax.catalogue.annotations import Catalogue, Tracks


def catalogue(rows, prefix=""):
    """Rows of (track, artist, album, tags)."""
    columns = zip(*((*names, tuple(tags.split("|"))) for *names, tags in rows), strict=True)
    return Catalogue(prefix, *columns)


def tags_of(gathered):
    """{track: its tags}."""
    albums = gathered.album_tags()
    return {t: albums[a] for t, a in zip(gathered.track_id, gathered.album, strict=True)}


def test_tracks_of_an_album_share_the_union_of_their_tags():
    rows = [("t1", "r", "l", "rock"), ("t2", "r", "l", "soul|pop"), ("t3", "r", "m", "rock")]
    gathered, _ = corpus.gather([catalogue(rows)], None)
    union = ("pop", "rock", "soul")
    assert tags_of(gathered) == {"t1": union, "t2": union, "t3": ("rock",)}
    assert dict(zip(gathered.tags, gathered.popularity(), strict=True)) == {
        **{"pop": 2, "rock": 3, "soul": 2}
    }


def test_tracks_on_no_album_are_albums_of_their_own():
    rows = [("t1", "r", "", "rock"), ("t2", "r", "", "soul"), ("t3", "r", "t1", "pop")]
    gathered, _ = corpus.gather([catalogue(rows)], None)
    assert tags_of(gathered) == {"t1": ("rock",), "t2": ("soul",), "t3": ("pop",)}


def test_same_names_in_two_systems_stay_apart_and_common_tracks_have_both():
    a = catalogue([("t1", "r", "l", "dance"), ("t2", "r", "l", "rock")], "a:")
    b = catalogue([("t2", "r", "l", "dance"), ("t3", "r", "l", "metal")], "b:")
    gathered, counts = corpus.gather([a, b], None)
    assert counts["annotated_tracks"] == 3
    assert gathered.overlap.tolist() == [False, True, False]
    assert tags_of(gathered) == {
        "t1": ("a:dance", "a:rock"),
        "t2": ("a:dance", "a:rock", "b:dance", "b:metal"),
        "t3": ("b:dance", "b:metal"),
    }
    # Common tracks are no evidence of popularity: they are not trained on.
    assert gathered.popularity().tolist() == [1, 1, 1, 1]


def test_artists_named_differently_on_a_common_track_are_one():
    a = catalogue([("t1", "x", "", "u"), ("t2", "x", "", "u"), ("t9", "z", "", "u")], "a:")
    b = catalogue([("t2", "y", "", "u"), ("t3", "y", "", "u")], "b:")
    gathered, _ = corpus.gather([a, b], None)
    number = dict(zip(gathered.track_id, gathered.artist, strict=True))
    assert number["t1"] == number["t2"] == number["t3"] != number["t9"]
    assert gathered.artist_id[1] == "x"


def test_tracks_without_audio_are_counted_and_left_out():
    rows = [("t1", "r", "l", "rock"), ("t2", "s", "m", "soul"), ("t3", "q", "n", "pop")]
    tracks = Tracks(("t3", "t1", "t0"), ("3.mp3", "1.mp3", "0.mp3"), np.array([40.0, np.nan, 9.0]))
    gathered, counts = corpus.gather([catalogue(rows)], tracks)
    assert gathered.track_id == ["t1", "t3"]
    assert gathered.path == ["1.mp3", "3.mp3"]
    np.testing.assert_array_equal(gathered.duration, [np.nan, 40.0])
    assert counts == {"annotated_tracks": 3, "tracks_without_audio": 1}
    with pytest.raises(InputError, match="none of the 3 annotated tracks"):
        corpus.gather([catalogue(rows)], Tracks(("x",), ("x.mp3",), np.array([1.0])))


def test_catalogues_need_prefixes_that_tell_them_apart():
    one, two = catalogue([("t1", "r", "l", "x")]), catalogue([("t2", "r", "l", "x")])
    with pytest.raises(InputError, match="its own --prefix"):
        corpus.gather([one, two], None)
    rows = [("t1", "r", "l", "mumu:x")]
    with pytest.raises(InputError, match="looks like one of 'mumu:'"):
        corpus.gather([catalogue(rows), catalogue([("t2", "r", "l", "x")], "mumu:")], None)


def test_selects_the_commonest_tags_of_each_catalogue():
    a = [(f"a{k}", "r", "", "rock" if k < 5 else "pop" if k < 8 else "ska") for k in range(10)]
    b = [(f"b{k}", "s", "", "rock" if k < 3 else "waltz") for k in range(4)]
    gathered, _ = corpus.gather([catalogue(a, "a:"), catalogue(b, "b:")], None)
    assert corpus.select_tags(gathered, 1, 1).tags == ["a:rock", "b:rock"]
    assert corpus.select_tags(gathered, 2, 2).tags == ["a:pop", "a:rock", "b:rock"]
    kept = corpus.select_tags(gathered, None, 3)
    assert kept.tags == ["a:pop", "a:rock", "b:rock"]
    assert kept.popularity().tolist() == [3, 5, 3]
    assert len(kept) == 11  # the tracks of a:ska and b:waltz are gone
    with pytest.raises(InputError, match="commonest has 5"):
        corpus.select_tags(gathered, None, 6)


def test_duplicates_follow_the_artist():
    rows = [("t1", "x", "l", "rock|pop"), ("t2", "y", "l", "rock"), ("t3", "x", "m", "ska")]
    gathered, _ = corpus.gather([catalogue(rows, "a:")], None)
    doubled, pairs = corpus.duplicate_tags(gathered, np.array([0, 1]))
    assert tags_of(doubled) == {
        "t1": ("a:pop_1", "a:rock_1"),
        "t2": ("a:pop_2", "a:rock_2"),
        "t3": ("a:ska_1",),
    }
    assert pairs == [("a:pop_1", "a:pop_2"), ("a:rock_1", "a:rock_2")]
