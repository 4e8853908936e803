import math

import pytest

from tagjax.base.errors import InputError
from tagjax.catalogue import annotations

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


def test_reads_truth_tables_with_full_names(tmp_path):
    path = write(tmp_path / "x.csv", "style,genre\nska,genre:reggae\nska,genre:rock\n")
    assert annotations.read_taxonomy(path, "a:") == (
        ("a:ska", "a:genre:reggae"),
        ("a:ska", "a:genre:rock"),
    )
    path = write(tmp_path / "x.csv", "b_tag,a_tag,relation,jaccard\nbop,bebop,exact,1.0\n")
    assert annotations.read_translation(path, ["a:", "b:"]) == (("b:bop", "a:bebop", "exact"),)
    path = write(tmp_path / "x.csv", "source,target,relation\nm:bop,bebop,close\n")
    assert annotations.read_translation(path) == (("m:bop", "bebop", "close"),)
    path = write(tmp_path / "x.csv", "system,tag,duplicate\na,bossa nova,bossanova\n")
    assert annotations.read_duplicates(path, ["a:", "b:"]) == (("a:bossa nova", "a:bossanova"),)
    path = write(tmp_path / "x.csv", "tag,duplicate\nbossa nova,bossanova\n")
    assert annotations.read_duplicates(path) == (("bossa nova", "bossanova"),)


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        ("read_taxonomy", "style,genre\nx,y\nz,\n", r"x\.csv:3: empty"),
        ("read_taxonomy", "style,genre\nx,y\nx,y\n", r"x\.csv:3: .*twice"),
        ("read_taxonomy", "style,genre\nx,y\ny,z\nz,x\n", r"x\.csv:\d: .*circle"),
        ("read_taxonomy", "style,genre\nx,x\n", r"x\.csv:2: .*circle: x > x"),
        ("read_translation", "b_tag,c_tag,relation\nx,y,exact\n", r"x\.csv:1: .*'c_tag'"),
        ("read_translation", "tag,relation\nx,exact\n", r"x\.csv:1: expected"),
        ("read_translation", "a_tag,b_tag,relation\nx,y,\n", r"x\.csv:2: empty relation"),
        ("read_duplicates", "system,tag,duplicate\na,x,y\nq,x,y2\n", r"x\.csv:3: .*'q'"),
    ],
)
def test_a_mistake_in_a_truth_table_is_named_with_its_row(tmp_path, reader, text, message):
    path = write(tmp_path / "x.csv", text)
    arguments = [] if reader == "read_taxonomy" else [["a:", "b:"]]
    with pytest.raises(InputError, match=message):
        getattr(annotations, reader)(path, *arguments)


def test_reads_the_corpus(shared):
    corpus = shared / "corpus"
    sizes = [len(annotations.read_catalogue(corpus / f"annotations_{x}.csv")) for x in "ab"]
    assert sizes == [667, 664]
    assert len(annotations.read_tracks(corpus / "tracks.csv")) == 1250
    assert len(annotations.read_taxonomy(corpus / "taxonomy_a.csv", "a:")) == 49
    translation = annotations.read_translation(corpus / "translation.csv", ["a:", "b:"])
    assert ("b:argentine", "a:tango", "exact") in translation
    relations = {relation for _, _, relation in translation}
    assert relations <= {"exact", "broad", "narrow", "close", "related"}
