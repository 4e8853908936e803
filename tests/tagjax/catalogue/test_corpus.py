import numpy as np
import pytest

from tagjax.base.errors import InputError
from tagjax.catalogue import annotations, corpus
from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.catalogue.linking import lowest_linked


def catalogue(rows, prefix="", **kwargs):
    """Rows of (track, artist, album, tags)."""
    columns = zip(*((*names, tuple(tags.split("|"))) for *names, tags in rows), strict=True)
    return Catalogue(prefix, *columns, **kwargs)


def tags_of(gathered):
    """{track: its tags}."""
    groups = gathered.group_tags()
    return {t: groups[g] for t, g in zip(gathered.track_id, gathered.group, strict=True)}


def test_tracks_of_an_album_share_the_union_of_their_tags():
    rows = [("t1", "r", "l", "rock"), ("t2", "r", "l", "soul|pop"), ("t3", "r", "m", "rock")]
    gathered, _ = corpus.gather([catalogue(rows)], None)
    union = ("pop", "rock", "soul")
    assert tags_of(gathered) == {"t1": union, "t2": union, "t3": ("rock",)}
    assert dict(zip(gathered.vocabulary.tags, gathered.popularity(), strict=True)) == {
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
    assert counts == {
        "annotated_tracks": 3,
        "tracks_without_audio": 1,
        "tracks_given_tags": 0,
    }
    with pytest.raises(InputError, match="none of the 3 annotated tracks"):
        corpus.gather([catalogue(rows)], Tracks(("x",), ("x.mp3",), np.array([1.0])))


def test_catalogues_need_prefixes_that_tell_them_apart():
    one, two = catalogue([("t1", "r", "l", "x")]), catalogue([("t2", "r", "l", "x")])
    with pytest.raises(InputError, match="its own --prefix"):
        corpus.gather([one, two], None)


def test_only_tags_that_would_be_the_same_are_refused():
    """`mumu:x` of the catalogue without prefix is a tag, as long as the other has no `x`."""
    bare = catalogue([("t1", "r", "l", "mumu:x")])
    gathered, _ = corpus.gather([bare, catalogue([("t2", "r", "l", "y")], "mumu:")], None)
    assert gathered.vocabulary.tags == ("mumu:x", "mumu:y")
    assert gathered.vocabulary.systems == ("", "mumu:")
    assert gathered.vocabulary.system == ("", "mumu:")
    assert gathered.vocabulary.names == ("mumu:x", "y")
    assert gathered.system.tolist() == [0, 1]
    with pytest.raises(InputError, match="'mumu:x' is in the catalogue with prefix '' and in that"):
        corpus.gather([bare, catalogue([("t2", "r", "l", "x")], "mumu:")], None)


def test_a_tag_with_a_colon_is_no_system_and_one_that_ends_in_1_no_half():
    rows = [("t1", "r", "", "Classical: Opera|Classical: Chamber"), ("t2", "s", "", "top_1|top_2")]
    gathered, _ = corpus.gather([catalogue(rows)], None)
    assert gathered.vocabulary.systems == ("",)
    assert gathered.vocabulary.half == (0, 0, 0, 0)


ALBUM = [
    ("t1", "r", "l", "rock"),
    ("t2", "r", "l", "pop|rock"),
    ("t3", "r", "l", "rock"),
    ("t4", "r", "m", "rock"),
]


def test_a_track_keeps_its_own_tags_where_tracks_are_annotated():
    gathered, counts = corpus.gather([catalogue(ALBUM, annotates="track")], None)
    own = {"t1": ("rock",), "t2": ("pop", "rock"), "t3": ("rock",), "t4": ("rock",)}
    assert tags_of(gathered) == own
    assert counts["tracks_given_tags"] == 0
    # Tracks of an album with the same tags are one group, and get one label.
    assert gathered.group[0] == gathered.group[2]
    assert len(set(gathered.group.tolist())) == 3


def test_tracks_that_get_tags_of_their_album_are_counted():
    _, counts = corpus.gather([catalogue(ALBUM)], None)
    assert counts["tracks_given_tags"] == 2
    heard = Tracks(("t2", "t3", "t4"), ("2", "3", "4"), np.full(3, np.nan))
    with pytest.warns(UserWarning, match="1 of 4 annotated tracks are not in"):
        assert corpus.gather([catalogue(ALBUM)], heard)[1]["tracks_given_tags"] == 1


@pytest.mark.parametrize("annotates", ["album", "track"])
@pytest.mark.parametrize("artists", ["xyz", "xxy", ["Various Artists"] * 3, ["V.A."] * 3])
def test_a_compilation_keeps_its_tracks_apart(annotates, artists):
    tags = ("dub", "ska|dub", "drone")
    rows = [(f"t{k}", artist, "l", tags[k]) for k, artist in enumerate(artists)]
    gathered, counts = corpus.gather([catalogue(rows, annotates=annotates)], None)
    assert tags_of(gathered) == {"t0": ("dub",), "t1": ("dub", "ska"), "t2": ("drone",)}
    assert counts["tracks_given_tags"] == 0


def test_the_compilation_of_the_cases(shared):
    """Six guests with a genre each keep it, and one record has one label for each genre."""
    table = annotations.read_catalogue(shared / "cases" / "compilation" / "a.csv")
    gathered, _ = corpus.gather([table], None)
    tags = tags_of(gathered)
    assert [tags[f"comp{k}"] for k in range(6)] == 2 * [("Dub",), ("Ska",), ("Drone",)]


def test_two_catalogues_may_annotate_different_things():
    other = [(f"u{track[1]}", *rest) for track, *rest in ALBUM]
    tables = [catalogue(ALBUM, "a:"), catalogue(other, "b:", annotates="track")]
    gathered, counts = corpus.gather(tables, None)
    tags = tags_of(gathered)
    assert tags["t1"] == tags["t2"] == ("a:pop", "a:rock")
    assert (tags["u1"], tags["u2"]) == (("b:rock",), ("b:pop", "b:rock"))
    assert counts["tracks_given_tags"] == 2


def test_groups_of_an_album_are_one_once_a_dropped_tag_made_the_difference():
    rows = [*ALBUM, ("t5", "r", "n", "rock")]
    gathered, _ = corpus.gather([catalogue(rows, annotates="track")], None)
    kept = corpus.select_tags(gathered, None, 2)
    assert kept.vocabulary.tags == ("rock",)
    assert kept.group.tolist() == [0, 0, 0, 1, 2]  # Not with those of other albums.
    assert kept.popularity().tolist() == [5]


def test_selects_the_commonest_tags_of_each_catalogue():
    a = [(f"a{k}", "r", "", "rock" if k < 5 else "pop" if k < 8 else "ska") for k in range(10)]
    b = [(f"b{k}", "s", "", "rock" if k < 3 else "waltz") for k in range(4)]
    gathered, _ = corpus.gather([catalogue(a, "a:"), catalogue(b, "b:")], None)
    assert corpus.select_tags(gathered, 1, 1).vocabulary.tags == ("a:rock", "b:rock")
    assert corpus.select_tags(gathered, 2, 2).vocabulary.tags == ("a:pop", "a:rock", "b:rock")
    kept = corpus.select_tags(gathered, None, 3)
    assert kept.vocabulary.tags == ("a:pop", "a:rock", "b:rock")
    assert kept.popularity().tolist() == [3, 5, 3]
    assert len(kept) == 11  # the tracks of a:ska and b:waltz are gone
    with pytest.raises(InputError, match="commonest has 5"):
        corpus.select_tags(gathered, None, 6)


def test_duplicates_follow_the_artist():
    rows = [("t1", "x", "l", "rock|pop"), ("t2", "y", "l", "pop|rock"), ("t3", "x", "m", "ska")]
    gathered, _ = corpus.gather([catalogue(rows, "a:")], None)
    assert gathered.group[0] == gathered.group[1]
    doubled, pairs = corpus.duplicate_tags(gathered, np.array([0, 1]))
    assert tags_of(doubled) == {
        "t1": ("a:pop_1", "a:rock_1"),
        "t2": ("a:pop_2", "a:rock_2"),
        "t3": ("a:ska_1",),
    }
    assert pairs == (("a:pop_1", "a:pop_2"), ("a:rock_1", "a:rock_2"))
    assert doubled.vocabulary.half == (1, 2, 1, 2, 1)
    assert doubled.vocabulary.partner("a:pop_2") == "a:pop_1"
    assert doubled.vocabulary.partner("a:ska_1") is None


def test_links_are_followed_to_the_lowest():
    links = np.random.default_rng(0).integers(40, size=(2, 25))
    expected = list(range(40))
    for _ in range(40):  # The longest chain that there can be.
        for one, other in links.T.tolist():
            expected[one] = expected[other] = min(expected[one], expected[other])
    assert len(set(expected)) not in (1, 40)
    assert lowest_linked(40, *links).tolist() == expected
    assert lowest_linked(3, [], []).tolist() == [0, 1, 2]
