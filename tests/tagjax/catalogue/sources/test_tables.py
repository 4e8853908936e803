"""MuMu, FMA and AudioSet: sources that are tables."""

import csv
import json
import shutil

import pytest

from tagjax.base.errors import InputError
from tagjax.catalogue import sources
from tagjax.catalogue.sources import audioset, fma, mumu
from tagjax.catalogue.sources.records import Annotation, Outside, Rejected, tags_of


def read(module, path, **config):
    return list(module.read(path, module.Config(**config), lambda _: None))


def taken(rows):
    return {row.track_id: row for row in rows if isinstance(row, Annotation)}


@pytest.fixture
def copy(fixtures, tmp_path):
    """copy(name): a copy of a fixture to be spoilt."""
    return lambda name: shutil.copytree(fixtures / name, tmp_path / name)


def spoil(path, old, new):
    text = path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, new, 1))


def test_mumu_is_one_system_without_levels(fixtures):
    rows = taken(read(mumu, fixtures / "MuMu_dataset"))
    row = rows["TRINVNT128F4205001"]
    assert tags_of(row) == ("R&B", "Funk")
    assert row.album_id == "B0INVENT05"
    assert (row.artist, row.title) == ("Brass Weather", "First Light & Brass")
    assert len(row.artist_id) == len(row.recording_id) == 36
    assert rows["TRINVNT128F4211000"].artist == ""  # Not in the JSON file.


def test_mumu_needs_neither_the_json_nor_further_columns(fixtures, tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text('genres,new,artist_mbid,MSD_track_id,album_mbid\n"Pop, Rock",,a,t,l\n')
    (row,) = read(mumu, table)
    assert (tags_of(row), row.album_id, row.title) == (("Pop", "Rock"), "l", "")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"MSD_track_id", b"track", r"label\.csv:1: column 'MSD_track_id' is missing; found"),
        (b"MSD_track_id", b"genres", r"label\.csv:1: column 'genres' occurs twice"),
        (b"amazon_id,album_mbid", b"amazon,album", r"label\.csv:1: column 'amazon_id' is missing"),
        (b'"Rock,Punk"', b"Rock,Punk", r"label\.csv:4: 7 cells, but the header has 6; quote"),
        (b'"Rock,Punk"', b'"Rock,Punk', r"label\.csv:\d+: .*quotes"),
        (b"Jazz", b"Chans\xf3n", r"label\.csv:10: not UTF-8 \(byte \d+\); convert it, .*iconv"),
    ],
)
def test_a_mistake_in_mumu_is_named_with_its_line(copy, tmp_path, old, new, message):
    folder = copy("MuMu_dataset")
    spoil(folder / mumu.LABELS, old, new)
    with pytest.raises(InputError, match=message) as caught:
        sources.annotate("mumu", folder, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_byte_of_a_wrong_encoding_is_the_byte_in_the_file(copy):
    folder = copy("MuMu_dataset")
    spoil(folder / mumu.LABELS, b"Jazz", b"Chans\xf3n")
    byte = (folder / mumu.LABELS).read_bytes().index(b"\xf3")
    with pytest.raises(InputError, match=rf"byte {byte}\)"):
        read(mumu, folder)


def test_mumu_metadata_that_is_none(copy):
    folder = copy("MuMu_dataset")
    (folder / mumu.METADATA).write_text('{"a": 1}')
    with pytest.raises(InputError, match=r"MuMu\.json: expected a list of albums"):
        read(mumu, folder)


def test_fma_has_the_genres_that_fma_says(fixtures):
    path = fixtures / "fma_metadata" / "tracks.csv"
    with path.open(newline="", encoding="utf-8") as file:  # As FMA's own genres_all column.
        table = list(csv.reader(file))
    column = table[1].index("genres_all")
    with (fixtures / "fma_metadata" / "genres.csv").open(newline="") as file:
        genres = {row["genre_id"]: row for row in csv.DictReader(file)}
    rows = taken(read(fma, path.parent))
    assert len(rows) == 25
    for cells in table[3:]:
        if cells[0] in rows:
            named = {
                ("genre:" if genres[str(g)]["parent"] == "0" else "") + genres[str(g)]["title"]
                for g in json.loads(cells[column])
            }
            assert set(tags_of(rows[cells[0]])) == named


def test_fma_paths_durations_subsets_and_albums(fixtures):
    folder = fixtures / "fma_metadata"
    rows = taken(read(fma, folder))
    assert rows["2"].path == "000/000002.mp3"
    assert rows["101344"].path == "101/101344.mp3"
    assert rows["2"].duration == 30.0  # A clip of 168 s.
    assert rows["307"].duration == 12.0
    assert rows["101405"].album_id == ""  # -1 in FMA.
    assert rows["2"].title == "Track, 0"
    whole = taken(read(fma, folder, subset="full"))
    assert whole.keys() == rows.keys()
    assert whole["2"].duration == 168.0
    small = read(fma, folder, subset="small")
    assert set(taken(small)) < set(taken(read(fma, folder, subset="medium"))) < set(rows)
    assert sum(isinstance(row, Outside) for row in small) == 16
    with pytest.raises(InputError, match="--subset=tiny: one of small, medium, large, full"):
        fma.Config("tiny")


def test_fma_taxonomy_leads_from_every_genre_to_the_top(fixtures):
    pairs = fma.taxonomy(fixtures / "fma_metadata", fma.Config())
    assert ("Hardcore, Loud", "Rock") in pairs  # By way of Punk.
    assert ("Techno", "Electronic") in pairs
    assert {genre for _, genre in pairs} == {"Rock", "Electronic", "Jazz"}
    assert len(pairs) == 5


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("genres.csv", b"12,7,0,Rock", b"12,7,109,Rock", r"genres\.csv:\d+: .*circle: .*Rock"),
        ("genres.csv", b"25,7,12,", b"25,7,77,", r"genres\.csv:6: 'Punk' has the parent 77"),
        ("genres.csv", b"25,7,12,", b"12,7,12,", r"genres\.csv:6: genre_id 12 was already at .*:4"),
        ("genres.csv", b"Techno", b" ", r"genres\.csv:10: empty genre_id or title"),
        ("genres.csv", b"parent", b"above", r"genres\.csv:1: column 'parent' is missing"),
        ("tracks.csv", b",genres,", b",tags,", r"tracks\.csv:1: column track/genres is missing"),
        ("tracks.csv", b"Tin Harbour", b"Tin,Harbour", r"tracks\.csv:9: 16 cells, .* has 15"),
        ("tracks.csv", b"Saltmarsh", b"Saltm\xe4rsh", r"tracks\.csv:\d+: not UTF-8"),
    ],
)
def test_a_mistake_in_fma_is_named_with_its_line(copy, tmp_path, file, old, new, message):
    folder = copy("fma_metadata")
    spoil(folder / file, old, new)
    with pytest.raises(InputError, match=message) as caught:
        sources.annotate("fma", folder, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_rows_of_fma_that_cannot_be_used_are_listed(copy):
    folder = copy("fma_metadata")
    spoil(folder / "tracks.csv", b"[97]", b"Jazz")
    rejected = [row for row in read(fma, folder) if isinstance(row, Rejected)]
    lines = (folder / "tracks.csv").read_text(encoding="utf-8").split("\n")
    assert [row.text for row in rejected] == [
        "genres are not like [21, 103]: Jazz",
        "genre is not in genres.csv: 9999",
    ]
    assert lines[rejected[1].row - 1].startswith("150001,")


def test_audioset_takes_what_is_below_the_root(fixtures):
    rows = read(audioset, fixtures / "audioset")
    found = taken(rows)
    assert len(found) == 24
    assert sum(isinstance(row, Outside) for row in rows) == 2  # A dog, and a guitar with music.
    assert tags_of(found["--inv00xyzQ_0"]) == ("genre:Rock music", "Heavy metal")
    assert set(tags_of(found["a_inv01xyzQ_10000"])) == {
        "Hardcore, fast", "Punk rock", "genre:Rock music", "genre:Vocal music",
    }  # fmt: skip
    row = found["a_inv03xyzQ_30500"]
    assert tags_of(row) == ("genre:Electronic music", "House music")  # And no guitar.
    assert row.artist_id == row.album_id == "a_inv03xyzQ"
    (bad,) = (row for row in rows if isinstance(row, Rejected))
    assert (bad.row, bad.text) == (14, "label is not in ontology.json: /m/0none")


def test_audioset_with_another_root_and_without(fixtures):
    folder = fixtures / "audioset"
    found = taken(read(audioset, folder, root="Rock music"))
    assert {tag for row in found.values() for tag in tags_of(row)} == {
        "genre:Heavy metal", "genre:Punk rock", "Hardcore, fast",
    }  # fmt: skip
    everything = taken(read(audioset, folder, root=""))
    assert tags_of(everything["zzdogdogdog_30000"]) == ("genre:Dog",)
    assert ("Guitar", "Music") in audioset.taxonomy(folder, audioset.Config(root=""))
    with pytest.raises(InputError, match=r"--root=Musik: no class of .*ontology\.json"):
        read(audioset, folder, root="Musik")


def test_audioset_taxonomy(fixtures):
    pairs = audioset.taxonomy(fixtures / "audioset", audioset.Config())
    assert ("Punk rock", "Rock music") in pairs
    assert ("Punk rock", "Vocal music") in pairs
    assert ("Hardcore, fast", "Rock music") in pairs
    assert not {style for style, _ in pairs} & {"Guitar", "Rock music", "Music genre"}


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("ontology.json", b'ids": []', b'ids": ["/m/04rlf"]', r"entry \d: .*circle: .*Guitar"),
        ("ontology.json", b'"/m/0rock", "/m/0ele"', b'"/m/0roc"', r"entry 4: .* child /m/0roc, "),
        ("ontology.json", b'"id": "/m/0hea"', b'"id": "/m/0pun"', r"entry 7: id /m/0pun occurs"),
        ("ontology.json", b'"name": "Guitar", ', b"", r"entry 3: no id, name and child_ids"),
        ("ontology.json", b"]", b"", r"ontology\.json: not JSON"),
        ("eval_segments.csv", b', "/m/0dog"', b"", r"eval_segments\.csv:12: 3 cells"),
        ("eval_segments.csv", b"zzdog", b"zz\xffdog", r"eval_segments\.csv:12: not UTF-8"),
    ],
)
def test_a_mistake_in_audioset_is_named(copy, tmp_path, file, old, new, message):
    folder = copy("audioset")
    spoil(folder / file, old, new)
    with pytest.raises(InputError, match=message) as caught:
        sources.annotate("audioset", folder, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (mumu, "MuMu_dataset_multi-label.csv: no such file"),
        (fma, "genres.csv: no such file"),
        (audioset, "ontology.json: no such file"),
    ],
)
def test_an_input_that_is_not_there(tmp_path, module, message):
    with pytest.raises(InputError, match=message):
        module.size(tmp_path)
