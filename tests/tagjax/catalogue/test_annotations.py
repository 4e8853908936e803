import math
import re
import warnings

import numpy as np
import pandas as pd
import pytest

from tagjax.base.errors import InputError
from tagjax.catalogue import annotations
from tagjax.catalogue.annotations import Catalogue, Tracks

HEADER = "track_id,artist_id,album_id,tags\n"


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_a_catalogue_with_awkward_names(tmp_path):
    text = HEADER + 't1,ar1,al1,rock|soul\nt2,ar1,,"folk, world & country| rock |rock"\n'
    catalogue = annotations.read_catalogue(write(tmp_path / "a.csv", text), "a:")
    assert catalogue.prefix == "a:"
    assert catalogue.track_id == ("t1", "t2")
    assert catalogue.album_id == ("al1", "")
    assert catalogue.tags == (("rock", "soul"), ("folk, world & country", "rock"))


def test_reads_names_where_there_are_any(tmp_path):
    text = "title,track_id,artist_id,album_id,tags,artist\n"
    text += " Help! ,t1,r1,,rock,The Beatles\n,t2,r2,,x,\n"
    catalogue = annotations.read_catalogue(write(tmp_path / "a.csv", text))
    assert catalogue.artist == ("The Beatles", "")
    assert catalogue.title == ("Help!", "")
    plain = annotations.read_catalogue(write(tmp_path / "a.csv", HEADER + "t1,ar1,al1,rock\n"))
    assert plain.artist is None
    assert plain.title is None


def test_tracks_of_an_album_may_differ_in_tags(tmp_path):
    path = write(tmp_path / "a.csv", HEADER + "t1,ar1,al1,rock\nt2,ar1,al1,soul\n")
    assert annotations.read_catalogue(path).tags == (("rock",), ("soul",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("track_id,album_id,tags\nt1,al1,rock\n", r"a\.csv:1: column 'artist_id' is missing"),
        (HEADER, r"a\.csv: has a header but no rows"),
        (HEADER + "t1,ar1,al1,rock\nt2,ar1,al1,rock||pop\n", r"a\.csv:3: empty tag"),
        (HEADER + "t1,ar1,al1,\n", r"a\.csv:2: empty tag"),
        (HEADER + "t1,ar1,al1,rock\nt2,,al1,rock\n", r"a\.csv:3: empty artist_id"),
        (HEADER + ",ar1,al1,rock\n", r"a\.csv:2: empty track_id"),
        (HEADER + "t1,r,l,rock\nt2,r,l,rock\nt1,r,l,pop\n", r"a\.csv:4: .*'t1'.* row 2"),
    ],
)
def test_a_mistake_in_a_catalogue_is_named_with_its_row(tmp_path, text, message):
    path = write(tmp_path / "a.csv", text)
    with pytest.raises(InputError, match=message) as caught:
        annotations.read_catalogue(path)
    assert "\n" not in str(caught.value)


def test_reads_tracks_and_ignores_further_columns(tmp_path):
    text = "track_id,path,title,duration_s\nt1,x/t1.mp3,One,12.5\nt2,t2.flac,Two,\n"
    tracks = annotations.read_tracks(write(tmp_path / "t.csv", text))
    assert tracks.path == ("x/t1.mp3", "t2.flac")
    assert tracks.duration[0] == 12.5
    assert math.isnan(tracks.duration[1])


def test_durations_may_be_unknown_altogether(tmp_path):
    tracks = annotations.read_tracks(write(tmp_path / "t.csv", "track_id,path\nt1,t1.mp3\n"))
    assert math.isnan(tracks.duration[0])


@pytest.mark.parametrize("value", ["0", "-3", "nan", "inf", "3:20"])
def test_a_duration_is_a_positive_number(tmp_path, value):
    text = f"track_id,path,duration_s\nt1,t1.mp3,12.5\nt2,t2.mp3,{value}\n"
    with pytest.raises(InputError, match=r"t\.csv:3: duration_s"):
        annotations.read_tracks(write(tmp_path / "t.csv", text))


def test_reads_the_corpus(shared):
    corpus = shared / "corpus"
    sizes = [len(annotations.read_catalogue(corpus / f"annotations_{x}.csv")) for x in "ab"]
    assert sizes == [667, 664]
    assert len(annotations.read_tracks(corpus / "tracks.csv")) == 1250


# What a table annotates


@pytest.mark.parametrize("word", ["track", " Track ", "album"])
def test_a_table_says_what_it_annotates(tmp_path, word):
    head = "track_id,annotates,artist_id,album_id,tags\n"
    path = write(tmp_path / "a.csv", f"{head}t1,{word},r,l,rock\nt2,{word},r,l,pop\n")
    assert annotations.read_catalogue(path).annotates == word.strip().lower()
    assert annotations.read_catalogue(path, annotates="album").annotates == "album"


def test_a_table_that_says_nothing_annotates_albums(tmp_path):
    path = write(tmp_path / "a.csv", HEADER + "t1,r,l,rock\n")
    assert annotations.read_catalogue(path).annotates == "album"
    assert annotations.read_catalogue(path, annotates="track").annotates == "track"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["song", "song"], r"a\.csv:2: annotates='song'; write album or track"),
        (["track", ""], r"a\.csv:3: annotates=''; write album or track"),
        (["track", "album"], r"a\.csv:3: annotates='album', but 'track' in row 2"),
    ],
)
def test_a_table_annotates_one_thing(tmp_path, words, message):
    rows = "".join(f"t{k},r,l,x,{word}\n" for k, word in enumerate(words))
    path = write(tmp_path / "a.csv", HEADER.strip() + ",annotates\n" + rows)
    with pytest.raises(InputError, match=message):
        annotations.read_catalogue(path)


# Ids and names are cleaned


def test_ids_and_tags_are_cleaned(tmp_path):
    text = HEADER + "\u200bt1, a\u0308rzte,l  1,mu\u0308nchen |\ufeffska\n"
    text += "t2,\u00e4rzte ,l 1\t,m\u00fcnchen|ska|ska\u200d\n"
    catalogue = annotations.read_catalogue(write(tmp_path / "a.csv", text))
    assert catalogue.track_id == ("t1", "t2")
    assert set(catalogue.artist_id) == {"\u00e4rzte"}
    assert set(catalogue.album_id) == {"l 1"}
    assert set(catalogue.tags) == {("m\u00fcnchen", "ska")}
    text = "track_id,path\n\u200bt1 ,x/a\u0308  b.mp3\n"
    tracks = annotations.read_tracks(write(tmp_path / "t.csv", text))
    assert tracks.track_id == ("t1",)
    assert tracks.path == ("x/a\u0308  b.mp3",)  # As the disk has it.


def test_ids_that_are_one_once_cleaned_are_named(tmp_path):
    path = write(tmp_path / "a.csv", HEADER + "t\u00e4,r,l,x\nta\u0308,r,l,x\n")
    with pytest.raises(InputError, match=r"a\.csv:3: track_id 't\u00e4' was already in row 2"):
        annotations.read_catalogue(path)


@pytest.mark.parametrize("word", ["nan", "None", " NULL", "n/a", "<unknown>", "Unknown Album", "-"])
def test_words_for_no_album_are_none_and_said(tmp_path, word):
    path = write(tmp_path / "a.csv", HEADER + f"t1,r,{word},x\nt2,s,{word},x\nt3,s,,y\nt4,s,0,y\n")
    with pytest.warns(UserWarning, match=r"a\.csv: 2 tracks are on no album, as album_id is '"):
        catalogue = annotations.read_catalogue(path)
    assert catalogue.album_id == ("", "", "", "0")


@pytest.mark.parametrize("word", ["nan", "NULL", "[unknown]", "unknown artist"])
def test_words_for_no_artist_are_refused_with_their_row(tmp_path, word):
    path = write(tmp_path / "a.csv", HEADER + f"t1,r,l,x\nt2,{word},l,x\nt3,{word},l,x\n")
    message = rf"a\.csv:3: artist_id='{re.escape(word)}' is no artist; .* \(2 have none\)"
    with pytest.raises(InputError, match=message):
        annotations.read_catalogue(path)


def test_words_for_no_tag_are_said(tmp_path):
    path = write(tmp_path / "a.csv", HEADER + "t1,r,l,rock|nan\nt2,r,l,rock\n")
    with pytest.warns(UserWarning, match=r"a\.csv: 'nan' among the tags"):
        assert annotations.read_catalogue(path).tags[0] == ("rock", "nan")


@pytest.mark.parametrize(
    ("case", "parts"), [("artist_blank", 18), ("unicode", 24), ("album_nan", 18)]
)
@pytest.mark.filterwarnings("ignore:.*on no album")
def test_the_artists_of_the_cases_are_as_many_as_there_are(shared, case, parts):
    folder = next((shared / "cases").glob(f"**/{case}"))
    catalogue = annotations.read_catalogue(folder / "a.csv")
    assert len(set(catalogue.artist_id)) == parts
    if case == "album_nan":
        assert set(catalogue.album_id) == {""}
    if case == "unicode":
        assert len({tag for tags in catalogue.tags for tag in tags}) == 3


# What is too large to be one thing


def rows(tracks, artist="r{}", album="l{}"):
    lines = (f"t{k},{artist.format(k)},{album.format(k)},x\n" for k in range(tracks))
    return HEADER + "".join(lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rows(51, "r", "hits"), "album 'hits' has 51 tracks by 1 artists"),
        (rows(11, album="hits"), "album 'hits' has 11 tracks by 11 artists"),
        (rows(40) + "".join(f"u{k},mr x,m{k},y\n" for k in range(8)), "artist 'mr x' has 8 of 48"),
    ],
)
def test_what_is_too_large_is_named(tmp_path, text, message):
    with pytest.warns(UserWarning, match=rf"a\.csv: {message}"):
        annotations.read_catalogue(write(tmp_path / "a.csv", text))


@pytest.mark.parametrize(
    "text",
    [
        *(rows(50, "r", "l"), rows(10, album="l"), rows(80, "r", ""), rows(60, "r")),
        rows(40) + "".join(f"u{k},mr x,m{k},y\n" for k in range(4)),  # A tenth is 4.4.
    ],
)
def test_what_is_no_larger_than_usual_is_not(tmp_path, text):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        annotations.read_catalogue(write(tmp_path / "a.csv", text))


# Windows, milliseconds


TRACKS = "track_id,path,duration_s\n"


@pytest.mark.parametrize(
    "path",
    ["C:\\music\\1.mp3", "c:/music/1.mp3", "\\\\nas\\music\\1.mp3", "a\\..\\..\\1.mp3", "a\\1.mp3"],
)
def test_paths_of_windows_are_refused_where_they_enter(tmp_path, path):
    with pytest.raises(InputError, match=r"t\.csv:2: path=.*(is not below|as Windows writes)"):
        annotations.read_tracks(write(tmp_path / "t.csv", f"{TRACKS}1,{path},30\n2,2.mp3,30\n"))


@pytest.mark.parametrize("path", ["AC\\DC.mp3", "x/AC\\DC.mp3", "a..b/..x/1.mp3", "c:.mp3"])
def test_a_file_may_have_an_odd_name(tmp_path, path):
    text = f"{TRACKS}1,{path},30\n2,2.mp3,30\n3,3.mp3,30\n"
    assert annotations.read_tracks(write(tmp_path / "t.csv", text)).path[0] == path


def test_milliseconds_are_refused_where_they_enter(tmp_path, shared):
    text = TRACKS + "1,1.mp3,200\n2,2.mp3,45000\n3,3.mp3,\n4,4.mp3,250000\n"
    with pytest.raises(InputError, match=r"t\.csv:3: duration_s='45000' is 12\.5 hours.*millisec"):
        annotations.read_tracks(write(tmp_path / "t.csv", text))
    for case, message in (
        ("ms", r"t\.csv:2: .*milliseconds"),
        ("backslash", r"t\.csv:2: .*Windows"),
    ):
        with pytest.raises(InputError, match=message):
            annotations.read_tracks(shared / "cases" / "csv" / case / "t.csv")


def test_a_long_mix_is_asked_about(tmp_path):
    text = TRACKS + "1,1.mp3,200\n2,2.mp3,10800\n3,3.mp3,300\n"
    with pytest.warns(UserWarning, match=r"t\.csv:3: .* 3\.0 hours \(one of 1 so long\)"):
        assert annotations.read_tracks(write(tmp_path / "t.csv", text)).duration[1] == 10800


# From a notebook


def test_a_frame_is_as_its_file(tmp_path):
    text = "track_id,artist_id,album_id,tags,artist,title,annotates\n"
    text += "1,r1,7,rock|pop, The  Who,A,track\n2,r2,,jazz,,B,track\n"
    path = write(tmp_path / "a.csv", text)
    frame = pd.read_csv(path)
    assert frame["album_id"].dtype == float  # Pandas makes 7.0 of an id beside an empty cell.
    assert Catalogue.from_frame(frame, "a:") == annotations.read_catalogue(path, "a:")
    frame["tags"] = [["rock", "pop"], ("jazz",)]
    assert Catalogue.from_frame(frame, "a:") == annotations.read_catalogue(path, "a:")
    path = write(tmp_path / "t.csv", TRACKS + "1,a.mp3,3.5\n2,b.mp3,\n")
    one, other = Tracks.from_frame(pd.read_csv(path)), annotations.read_tracks(path)
    assert (one.track_id, one.path) == (other.track_id, other.path)
    np.testing.assert_array_equal(one.duration, other.duration)


FRAME = {"track_id": ["a", "b"], "artist_id": ["r", "s"], "album_id": [None, None]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({**FRAME, "tags": [["x"], []]}, "frame:1: empty tag"),
        ({**FRAME, "tags": [["x"], ["y|z"]]}, r"frame: \['y\|z'\] has a \| in a tag"),
        ({**FRAME, "tags": "x", "artist_id": ["r", None]}, "frame:1: empty artist_id"),
        ({**FRAME, "tags": "x", "track_id": ["a", "a "]}, "frame:1: track_id 'a' was already in"),
        (FRAME, "frame: column 'tags' is missing"),
        ({name: [] for name in (*FRAME, "tags")}, "frame: has a header but no rows"),
    ],
)
def test_a_mistake_in_a_frame_is_named_with_its_row(columns, message):
    with pytest.raises(InputError, match=message):
        Catalogue.from_frame(pd.DataFrame(columns))
