import json
import warnings

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from tagjax.base.errors import InputError
from tagjax.manifest import lists
from tagjax.manifest.lists import Excerpts, Manifest

HEADER = "sng_id,label,seg_start,seg_duration\n"
FULL = "sng_id,label,seg_start,seg_duration,artist_id,album_id,tags,path\n"


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def part(ids, artists=None, label="rock"):
    n = len(ids)
    return Excerpts(
        sng_id=tuple(ids),
        label=(label,) * n,
        seg_start=np.arange(n) * 1.5,
        seg_duration=np.full(n, 30.0),
        artist_id=artists and tuple(artists),
    )


def three(**config):
    parts = {name: part(name[:2], name[:2]) for name in ("train", "xv", "yw")}
    parts = dict(zip(("train", "validation", "test"), parts.values(), strict=True))
    return Manifest(parts, "taxonomy", ("",), 1, 0, config, {"found": 3})


def test_reads_four_columns_as_the_release_has_them(tmp_path):
    text = HEADER + "4770452,Prog Rock,87.6722,30\n16060171,mumu:Salsa,0.0,30\n"
    excerpts = lists.read_part(write(tmp_path / "train.csv", text))
    assert excerpts.sng_id == ("4770452", "16060171")
    assert excerpts.label == ("Prog Rock", "mumu:Salsa")
    assert excerpts.seg_start.dtype == np.float64
    np.testing.assert_array_equal(excerpts.seg_start, [87.6722, 0.0])
    np.testing.assert_array_equal(excerpts.seg_duration, [30.0, 30.0])
    assert excerpts.tags is excerpts.artist_id is excerpts.path is None


@pytest.mark.parametrize("row", ["87.6722,30", "228.435,30", "0.0,29.5"])
def test_times_are_written_as_in_the_release(tmp_path, row):
    text = HEADER + f"1,Rock,{row}\n"
    lists.write_part(tmp_path / "out.csv", lists.read_part(write(tmp_path / "in.csv", text)))
    assert (tmp_path / "out.csv").read_text() == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sng_id,label,seg_start\n1,Rock,0\n", r"p\.csv:1: column 'seg_duration' is missing"),
        (HEADER + "1,Rock,0,30\n2,,0,30\n", r"p\.csv:3: empty label"),
        (HEADER + ",Rock,0,30\n", r"p\.csv:2: empty sng_id"),
        (HEADER + "1,Rock,0,30\n2,Rock,x,30\n", r"p\.csv:3: seg_start='x'"),
        (HEADER + "1,Rock,-0.5,30\n", r"p\.csv:2: seg_start='-0\.5'"),
        (HEADER + "1,Rock,nan,30\n", r"p\.csv:2: seg_start='nan'"),
        (HEADER + "1,Rock,inf,30\n", r"p\.csv:2: seg_start='inf'"),
        (HEADER + "1,Rock,0,30\n2,Rock,0,0\n", r"p\.csv:3: seg_duration is 0"),
        (HEADER + "1,Rock,0,-30\n", r"p\.csv:2: seg_duration='-30'"),
        (HEADER + "1,Rock,5,30\n2,Rock,5,30\n1,Pop,5.0,30\n", r"p\.csv:4: .*'Pop'.*row 2 'Rock'"),
        (FULL + "1,Rock,0,30,ar,al,Pop|Soul,p.mp3\n", r"p\.csv:2: .*not the label 'Rock'"),
        (FULL + "1,Rock,0,30,ar,al,Rock|,p.mp3\n", r"p\.csv:2: .*an empty tag"),
        (FULL + "1,Rock,0,30,,al,Rock,p.mp3\n", r"p\.csv:2: empty artist_id"),
    ],
)
def test_a_mistake_is_named_with_file_and_row(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        lists.read_part(write(tmp_path / "p.csv", text))
    assert "\n" not in str(caught.value)


def test_repeated_rows_are_left_out_with_a_warning(tmp_path):
    text = HEADER + "1,Rock,5,30\n2,Pop,5,30\n1,Rock,5.0,30\n1,Rock,6,30\n"
    with pytest.warns(UserWarning, match=r"p\.csv:4: 1 rows repeat"):
        excerpts = lists.read_part(write(tmp_path / "p.csv", text))
    assert excerpts.sng_id == ("1", "2", "1")
    np.testing.assert_array_equal(excerpts.seg_start, [5, 5, 6])


names = st.text(st.characters(codec="utf-8", exclude_characters="|\0\r\n"), min_size=1)


@hypothesis.given(st.lists(st.tuples(names, names, names, st.floats(0, 1e5)), max_size=8))
@hypothesis.settings(deadline=None, max_examples=50)
def test_what_is_written_is_read_again(tmp_path_factory, rows):
    rows = list({(row[0], round(row[3], 4)): row for row in rows}.values())
    excerpts = Excerpts(
        sng_id=tuple(row[0] for row in rows),
        label=tuple(row[1] for row in rows),
        seg_start=np.array([row[3] for row in rows], dtype=np.float64),
        seg_duration=np.full(len(rows), 30.0),
        artist_id=tuple(row[2] for row in rows),
        album_id=("",) * len(rows),
        tags=tuple((row[2], row[1]) for row in rows),
        path=tuple(f"x/{k}.mp3" for k in range(len(rows))),
    )
    path = tmp_path_factory.mktemp("part") / "train.csv"
    lists.write_part(path, excerpts)
    again = lists.read_part(path)
    for name in ("sng_id", "label", "artist_id", "album_id", "tags", "path"):
        assert getattr(again, name) == getattr(excerpts, name)
    np.testing.assert_allclose(again.seg_start, excerpts.seg_start, atol=5.1e-5)


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    made = Manifest(
        parts={
            **{"fold_0": part("ab", "xy"), "fold_0_upsampled": part("a", "x")},
            **{"fold_0_overlap": part("c", "y")},
            **{f"fold_{k}": part([f"s{k}"], [f"r{k}"]) for k in range(1, 11)},
        },
        experiment="translation",
        systems=("a:", "b:"),
        seed=3,
        folds=11,
        config={"upsample": ("train",), "top_tags": None},
        counts={"overlap_tracks": 1},
        truth={"translation": [("b:x", "a:x", "exact")], "taxonomy": [("a:x", "a:genre:y")]},
    )
    lists.write_manifest(tmp_path / "deep" / "m", made)
    again = lists.read_manifest(tmp_path / "deep" / "m")
    assert list(again.parts) == list(made.parts)
    for name in ("experiment", "systems", "seed", "folds", "counts", "labels"):
        assert getattr(again, name) == getattr(made, name)
    assert again.truth == {name: tuple(rows) for name, rows in made.truth.items()}
    assert json.loads((tmp_path / "deep" / "m" / "split.json").read_text())["systems"] == [
        "a:",
        "b:",
    ]
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["m"]


def test_labels_are_those_that_may_be_trained_on():
    parts = {"train": part("a", label="x"), "test": part("b", label="y")}
    parts["overlap"] = part("c", label="z")
    assert Manifest(parts).labels == ("x", "y")


def test_summary_counts_occurrences_of_labels():
    excerpts = Excerpts(("a", "a", "b", "c"), ("x", "x", "x", "y"), np.zeros(4), np.ones(4))
    (row,) = lists.summarise(Manifest({"train": excerpts}))
    assert row == {
        **{"part": "train", "excerpts": 4, "tracks": 3, "artists": None},
        **{"tags": 2, "min": 1, "median": 2.0, "max": 3},
    }


def test_an_artist_is_in_one_part_only(tmp_path):
    lists.write_part(tmp_path / "train.csv", part("ab", "xy"))
    lists.write_part(tmp_path / "test.csv", part("cd", "zy"))
    with pytest.raises(InputError, match=r"test\.csv:3: artist 'y' is also in train"):
        lists.read_manifest(tmp_path)


def test_an_artist_is_in_one_fold_only_but_in_all_its_parts(tmp_path):
    lists.write_part(tmp_path / "fold_0.csv", part("ab", "xy"))
    lists.write_part(tmp_path / "fold_0_upsampled.csv", part("ab", "xy"))
    lists.write_part(tmp_path / "fold_1.csv", part("c", "z"))
    assert lists.read_manifest(tmp_path).folds == 2
    lists.write_part(tmp_path / "fold_1_overlap.csv", part("d", "x"))
    with pytest.raises(InputError, match=r"fold_1_overlap\.csv:2: artist 'x' is also in fold_0"):
        lists.read_manifest(tmp_path)


def test_a_folder_without_parts_or_with_a_gap_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        lists.read_manifest(tmp_path / "none")
    with pytest.raises(InputError, match=r"has neither train\.csv"):
        lists.read_manifest(tmp_path)
    lists.write_part(tmp_path / "fold_0.csv", part("ab"))
    lists.write_part(tmp_path / "fold_2.csv", part("c"))
    with pytest.raises(InputError, match=r"fold_1\.csv is missing"):
        lists.read_manifest(tmp_path)


def test_only_the_same_manifest_is_replaced_unasked(tmp_path):
    out = tmp_path / "m"
    lists.write_manifest(out, three(top_tags=5, upsample=("train",)))
    lists.write_manifest(out, three(top_tags=5, upsample=("train",)))
    other = three(top_tags=6, upsample=("train",))
    with pytest.raises(InputError, match=r"top_tags=5, not 6.*--overwrite"):
        lists.write_manifest(out, other)
    assert lists.read_manifest(out).config["top_tags"] == 5
    lists.write_manifest(out, other, overwrite=True)
    assert lists.read_manifest(out).config["top_tags"] == 6


@pytest.mark.parametrize("name", ["notes.txt", "test.csv"])
def test_a_folder_of_somebody_else_is_never_replaced(tmp_path, name):
    write(tmp_path / name, HEADER)
    with pytest.raises(InputError, match=f"holds {name}"):
        lists.write_manifest(tmp_path, three(), overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_nothing_is_left_behind_when_writing_fails(tmp_path):
    made = three(top_tags=5)
    lists.write_manifest(tmp_path / "m", made)
    broken = Manifest({**made.parts, "overlap": part("a", "bc")}, config={"top_tags": 5})
    with pytest.raises(ValueError, match="zip"):
        lists.write_manifest(tmp_path / "m", broken, overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]
    assert set(lists.read_manifest(tmp_path / "m").parts) == {"train", "validation", "test"}


def test_reads_the_released_lists(shared):
    release = lists.read_manifest(shared / "release" / "taxonomy_learning" / "dataset")
    sizes = {name: len(excerpts) for name, excerpts in release.parts.items()}
    assert sizes["validation"] == 42_547
    assert sizes["test"] == 83_625
    assert len(set(release.parts["test"].label)) == 250
    assert len(release.labels) == 250
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mumu = lists.read_manifest(shared / "release" / "mumu_discogs_translation" / "dataset")
    assert len(set(mumu.parts["validation"].sng_id)) == 53_092
    assert len(mumu.labels) == 460


def test_a_label_that_training_never_shows_is_refused(tmp_path):
    header = "sng_id,label,seg_start,seg_duration\n"
    (tmp_path / "train.csv").write_text(header + "1,Rock,0,30\n2,Punk,0,30\n")
    (tmp_path / "test.csv").write_text(header + "3,Punk,0,30\n4,Polka,0,30\n")
    with pytest.raises(InputError, match=r"test\.csv:3: label 'Polka' is not among the 2 tags"):
        lists.read_manifest(tmp_path)
