import csv
import json

import hypothesis
import hypothesis.strategies as st
import pytest

from tagjax.base.errors import InputError
from tagjax.base.tables import stream_table
from tagjax.catalogue import annotations
from tagjax.catalogue.sources import hierarchy, records, writing
from tagjax.catalogue.sources.records import Annotation, NoGenre, Noted, Outside, Rejected
from tagjax.vocabulary.taxonomy import read_taxonomy

RECORD = {"source": "fma", "input": "in", "config": {}}


def row(number, artist="r", tags=("rock",), **more):
    return Annotation(
        "f.csv", number, f"t{number}", artist, styles=tags, path=f"{number}.mp3", **more
    )


def write(folder, rows, pairs=(), **options):
    form = writing.Form("track", ("artist", "title"), True, pairs)
    record = {**RECORD, **options.pop("record", {})}
    return writing.write(folder, iter(rows), form, record, **options)


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_tables_are_read_as_they_are(tmp_path):
    rows = [
        Annotation("f", 2, "t,1", "r1", ("Rock",), ("a|b",), "l", "N", "T", "", "x/1.mp3", 12.5),
        Annotation("f", 3, "t2", " r\n2 ", (), (" x,  y\n", "", 'say "z"', "x, y"), path="2.mp3"),
    ]
    counts = write(tmp_path / "out", rows, [("a|b", "Rock"), ("a|b", "Rock"), ("x, y", "Rock")])
    catalogue = annotations.read_catalogue(tmp_path / "out" / "annotations.csv")
    assert catalogue.track_id == ("t,1", "t2")
    assert catalogue.artist_id == ("r1", "r 2")
    assert catalogue.album_id == ("l", "")
    assert catalogue.tags == (("genre:Rock", "a/b"), ("x, y", 'say "z"'))
    tracks = annotations.read_tracks(tmp_path / "out" / "tracks.csv")
    assert tracks.path == ("x/1.mp3", "2.mp3")
    assert tracks.duration[0] == 12.5
    assert tracks.duration[1] != tracks.duration[1]
    assert read_taxonomy(tmp_path / "out" / "taxonomy.csv").pairs() == (
        ("a/b", "genre:Rock"),
        ("x, y", "genre:Rock"),
    )
    assert counts.separators == 1
    assert "tags with | in them, written with /: 1" in writing.report(counts)


def test_what_is_left_out_is_listed_and_counted(tmp_path):
    rows = [
        row(2),
        row(3, artist=" "),
        row(4, tags=("", " \n")),
        Rejected("f.csv", 5, "not so good", "x, y"),
        Outside(),
        Annotation("f.csv", 7, "", "r", ("Rock",)),
        Annotation("f.csv", 8, "t2", "r", (), ("rock",)),
        Annotation("f.csv", 9, "t2", "r", (), ("pop",)),
        Annotation("song.mp3", 0, "song.mp3", "r"),
    ]
    counts = write(tmp_path / "out", rows)
    listed = [tuple(each.values()) for each in table(tmp_path / "out" / "rejected.csv")]
    assert listed == [
        ("f.csv", "3", "no artist: track t3"),
        ("f.csv", "4", "no tag: track t4"),
        ("f.csv", "5", "not so good: x, y"),
        ("f.csv", "7", "no id"),
        (
            "f.csv",
            "8",
            "the track was there before, with the same tags; the first is kept: track t2",
        ),
        ("f.csv", "9", "the track was there before, with other tags; the first is kept: track t2"),
        ("song.mp3", "", "no tag"),
    ]
    assert (counts.tracks, counts.outside, counts.rejected["no tag"]) == (1, 1, 2)
    text = "\n".join(writing.report(counts))
    assert "left out: 7 rows, listed in rejected.csv" in text
    assert "  2: no tag" in text
    assert json.loads((tmp_path / "out" / "annotations.json").read_text())["counts"]["tracks"] == 1
    assert not (tmp_path / "out" / "taxonomy.csv").exists()


def test_strict_stops_at_the_first_row_that_is_left_out(tmp_path):
    with pytest.raises(InputError, match=r"f\.csv:3: no artist: track t3; mend it"):
        write(tmp_path / "out", [row(2), row(3, artist=""), row(4)], strict=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "^in: an empty catalogue; it has no rows"),
        ([row(2, artist="")], "^in: an empty catalogue; all 1 rows left out: 1 no artist"),
        ([Outside()], "^in: an empty catalogue; none of its 1 rows is of what was asked for"),
    ],
)
def test_an_empty_catalogue_is_a_mistake(tmp_path, rows, message):
    with pytest.raises(InputError, match=message):
        write(tmp_path / "out", rows)
    assert not list(tmp_path.iterdir())


def fails():
    yield row(2)
    raise InputError("f.csv:3: broken")


def test_a_failure_leaves_what_was_there_untouched(tmp_path):
    write(tmp_path / "out", [row(2)], [("rock", "Rock")])
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert set(before) == {
        "annotations.csv", "annotations.json", "rejected.csv", "taxonomy.csv", "tracks.csv",
    }  # fmt: skip
    with pytest.raises(InputError, match="broken"):
        write(tmp_path / "out", fails())
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_only_annotations_of_the_same_record_are_replaced(tmp_path):
    out = tmp_path / "out"
    write(out, [row(2)], [("rock", "Rock")])
    write(out, [row(2), row(3)])
    assert len(table(out / "annotations.csv")) == 2
    assert not (out / "taxonomy.csv").exists()
    with pytest.raises(InputError, match=r"holds annotations with input='in', not 'other'; "):
        write(out, [row(2)], record={"input": "other"})
    write(out, [row(2)], record={"input": "other"}, overwrite=True)
    (out / "notes.txt").touch()
    with pytest.raises(InputError, match=r"holds notes\.txt, which is not ours"):
        write(out, [row(2)], record={"input": "other"}, overwrite=True)
    with pytest.raises(InputError, match="is a file"):
        write(out / "notes.txt", [row(2)])


@hypothesis.given(st.lists(st.text(max_size=12), max_size=5), st.lists(st.text(max_size=12)))
def test_any_tags_survive_the_table(tmp_path_factory, genres, styles):
    annotation = Annotation("f", 1, "t", "r", tuple(genres), tuple(styles))
    tags = records.tags_of(annotation)
    hypothesis.assume(tags)
    try:
        "".join(tags).encode()
    except UnicodeEncodeError:
        hypothesis.reject()
    folder = tmp_path_factory.mktemp("tags") / "out"
    write(folder, [annotation])
    assert annotations.read_catalogue(folder / "annotations.csv").tags == (tags,)


def test_hierarchies_may_have_several_parents():
    tree = hierarchy.checked(
        {"a": "A", "b": "B", "c": "C", "d": "D"},
        {"a": (), "b": (), "c": ("a", "b"), "d": ("c",)},
        {},
    )
    assert tree.ancestors("d") == ("d", "c", "a", "b")
    assert tree.levels(("d",)) == (("A", "B"), ("D", "C"))
    assert set(tree.pairs()) == {("C", "A"), ("C", "B"), ("D", "A"), ("D", "B")}


def test_tables_with_marks_crlf_and_long_cells(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\r\n\r\n1,2\r\n" + b"x" * 200_000 + b",y\r\n")
    told = []
    found = list(stream_table(path, ("a",), told.append))
    assert [line for line, _ in found] == [3, 4]
    assert found[0][1] == {"a": "1", "b": "2"}
    assert sum(told) == path.stat().st_size


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty; expected a header with a"), (b"\xff\xfea\0", r"x\.csv:1: not UTF-8 \(byte 0\)")],
)
def test_files_that_are_no_tables(tmp_path, content, message):
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(stream_table(tmp_path / "x.csv", ("a",)))


def test_names_and_ids_are_cleaned_at_the_door(tmp_path):
    rows = [
        Annotation("f", 2, " t\u200b1 ", "Rene\u0301e", (), ("Mu\u0301sica", "Música"), " a  b\n"),
        Annotation("f", 3, "t2", "nan", (), ("Rock",)),
        Annotation("f", 4, "t3", "Renée ", (), ("Ro\u00adck",), "NULL", "n/a", " None"),
        Annotation("f", 5, "t1", "Renée", (), ("Música",)),
        Annotation("f", 6, "<unknown>", "", (), ()),
        Annotation("f", 7, "t7", "-", (), ("\u200b",)),
    ]
    write(tmp_path / "out", rows)
    cells = [tuple(each.values()) for each in table(tmp_path / "out" / "annotations.csv")]
    assert cells == [
        ("t1", "Renée", "a b", "Música", "track", "", ""),
        ("t3", "Renée", "", "Rock", "track", "", "None"),
    ]
    reasons = [each["reason"] for each in table(tmp_path / "out" / "rejected.csv")]
    assert reasons == [
        "no artist: track t2",
        "the track was there before, with the same tags; the first is kept: track t1",
        "no id",
        "no artist and no tag: track t7",
    ]


def test_parts_that_are_left_out_are_listed_and_counted(tmp_path):
    rows = [
        Noted("a.mp3", 0, "genre not taken", repr("=1\x07")),
        NoGenre("=1999", "a number"),
        row(2),
        NoGenre("Other", "a word for none"),
        NoGenre("Other", "a word for none"),
        Annotation("b.m4a", 0, "b.m4a", "r", (), ("rock",)),
    ]
    counts = write(tmp_path / "out", rows)
    assert [tuple(each.values()) for each in table(tmp_path / "out" / "non_genres.csv")] == [
        ("Other", "a word for none", "2"),
        ("'=1999", "a number", "1"),
    ]
    assert [each["reason"] for each in table(tmp_path / "out" / "rejected.csv")] == [
        r"genre not taken: '=1\x07'"
    ]
    assert [each["track_id"] for each in table(tmp_path / "out" / "tracks.csv")] == ["t2"]
    text = "\n".join(writing.report(counts))
    for line in [
        "tracks: 2 with 1 tags",
        "of these without audio that can be decoded, not in tracks.csv: 1",
        "but no genres: 2 texts ('Other', '=1999'), left out 3 times, listed in non_genres.csv; "
        "--keep_non_genres keeps them",
        "parts of rows left out, also listed in rejected.csv: 1\n  1: genre not taken",
    ]:
        assert line in text
    with pytest.raises(InputError, match="genre not taken"):
        write(tmp_path / "strict", rows, strict=True)


@pytest.mark.parametrize("kind", ["album", "track"])
def test_what_the_tags_are_said_of_is_in_every_row(tmp_path, kind):
    writing.write(tmp_path / "out", iter([row(2), row(3)]), writing.Form(kind), RECORD)
    cells = table(tmp_path / "out" / "annotations.csv")
    assert [each["annotates"] for each in cells] == [kind, kind]
