import json
import warnings

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from tagjax.base.errors import InputError
from tagjax.base.text import clean, known
from tagjax.manifest import lists
from tagjax.manifest.lists import Excerpts, Manifest
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.translation import Relation
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

HEADER = "sng_id,label,seg_start,seg_duration\n"
FULL = "sng_id,label,seg_start,seg_duration,artist_id,album_id,tags,path\n"


ROCK = Vocabulary.of(["rock"])


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
    return Manifest(parts, ROCK, "taxonomy", 1, 0, config, {"found": 3})


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


letters = st.characters(codec="utf-8", exclude_characters="|\0\r\n")
names = st.text(letters, min_size=1).map(known).filter(bool)


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
            **{"fold_0_downsampled": part("d", "y"), "fold_0_overlap": part("c", "y")},
            **{f"fold_{k}": part([f"s{k}"], [f"r{k}"]) for k in range(1, 11)},
        },
        vocabulary=Vocabulary.of(["a:rock_1", "b:rock", "b:x_2", "rock"], ["a:", "b:", ""]),
        experiment="translation",
        seed=3,
        folds=11,
        config={"upsample": ("train",), "top_tags": None},
        counts={"overlap_tracks": 1},
        truth=Truth(Taxonomy.of([("a:x", "a:genre:y")]), (Relation("b:x", "a:x", "close"),)),
    )
    lists.write_manifest(tmp_path / "deep" / "m", made)
    again = lists.read_manifest(tmp_path / "deep" / "m")
    assert list(again.parts) == list(made.parts)
    for name in ("vocabulary", "experiment", "seed", "folds", "counts", "labels", "truth"):
        assert getattr(again, name) == getattr(made, name)
    assert again.config == {"upsample": ["train"], "top_tags": None}
    record = json.loads((tmp_path / "deep" / "m" / "split.json").read_text())
    assert record["vocabulary"] == made.vocabulary.record()
    assert not {"tags", "systems"} & record.keys()
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["m"]


def test_labels_are_those_that_may_be_trained_on():
    parts = {"train": part("a", label="x"), "test": part("b", label="y")}
    vocabulary = Vocabulary.of("vwxyz")
    assert Manifest({**parts, "overlap": part("c", label="z")}, vocabulary).labels == ("x", "y")
    folds = {"fold_0": part("a", label="x"), "fold_0_upsampled": part("a", label="y")}
    folds |= {"fold_0_downsampled": part("b", label="v"), "fold_0_overlap": part("c", label="w")}
    assert Manifest(folds, vocabulary).labels == ("x", "y")


def test_summary_counts_occurrences_of_labels():
    excerpts = Excerpts(("a", "a", "b", "c"), ("x", "x", "x", "y"), np.zeros(4), np.ones(4))
    (row,) = lists.summarise(Manifest({"train": excerpts}, Vocabulary.of("xy")))
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
    broken = Manifest({**made.parts, "overlap": part("a", "bc")}, ROCK, config={"top_tags": 5})
    with pytest.raises(ValueError, match="zip"):
        lists.write_manifest(tmp_path / "m", broken, overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]
    assert set(lists.read_manifest(tmp_path / "m").parts) == {"train", "validation", "test"}


def test_reads_the_released_lists(release):
    taxonomy = lists.read_manifest(release / "taxonomy_learning" / "dataset")
    sizes = {name: len(excerpts) for name, excerpts in taxonomy.parts.items()}
    assert sizes["validation"] == 42_547
    assert sizes["test"] == 83_625
    assert len(set(taxonomy.parts["test"].label)) == 250
    assert len(taxonomy.labels) == 250
    with pytest.warns(UserWarning, match=r"guessed from the tags: '' \(\d+ tags\), 'mumu:'"):
        mumu = lists.read_manifest(release / "mumu_discogs_translation" / "dataset")
    assert len(set(mumu.parts["validation"].sng_id)) == 53_092
    assert len(mumu.labels) == 460


def test_a_label_that_training_never_shows_is_refused(tmp_path):
    header = "sng_id,label,seg_start,seg_duration\n"
    (tmp_path / "train.csv").write_text(header + "1,Rock,0,30\n2,Punk,0,30\n")
    (tmp_path / "test.csv").write_text(header + "3,Punk,0,30\n4,Polka,0,30\n")
    with pytest.raises(InputError, match=r"test\.csv:3: label 'Polka' is not among the 2 tags"):
        lists.read_manifest(tmp_path)


# What a manifest says of its tags


def old(folder, record, labels=("a:x", "a:y")):
    """A manifest as it was written before the vocabulary was recorded."""
    rows = "".join(f"{k},{label},0,30\n" for k, label in enumerate(labels))
    write(folder / "train.csv", HEADER + rows)
    write(folder / "split.json", json.dumps(record))
    return lists.read_manifest(folder)


def test_an_old_record_is_read(tmp_path):
    record = {"experiment": "taxonomy", "systems": ["a:", "b:"], "tags": ["a:x", "a:y", "b:z_1"]}
    vocabulary = old(tmp_path, record).vocabulary
    assert vocabulary == Vocabulary.of(["a:x", "a:y", "b:z_1"], ["a:", "b:"])
    assert vocabulary.half == (0, 0, 0)


def test_the_halves_of_an_old_record_are_those_of_deduplication(tmp_path):
    record = {"experiment": "deduplication", "systems": [""], "tags": ["x_1", "x_2", "y_1"]}
    vocabulary = old(tmp_path, record, ["x_1", "x_2"]).vocabulary
    assert vocabulary.half == (1, 2, 1)
    assert vocabulary.whole == ("x", "x", "y")


@pytest.mark.parametrize(
    ("record", "systems"), [({"tags": ["a:x", "a:y"]}, ("",)), ({"systems": [""]}, ("",))]
)
def test_what_is_recorded_is_no_guess(tmp_path, record, systems):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert old(tmp_path, record).vocabulary.systems == systems


def test_what_is_not_recorded_is_guessed_and_said(tmp_path):
    with pytest.warns(UserWarning, match=r"guessed from the tags: 'a:' \(2 tags\); a split\.json"):
        assert old(tmp_path, {"seed": 3}).vocabulary.systems == ("a:",)
    with pytest.warns(UserWarning, match="each tag half of one"):
        assert old(tmp_path, {}, ["x_1", "x_2"]).vocabulary.half == (1, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        old(tmp_path, {}, ["x", "y_1"])


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"tags": ["a:x", "a:y"], "systems": ["b:"]}, r"split\.json: tag 'a:x' is of none.*away"),
        ({"vocabulary": {"tags": ["a:x"]}}, r"split\.json: not a record of a vocab.*away"),
        ({"vocabulary": ["a:x"]}, r"split\.json: vocabulary is not as launch\.split writes it"),
        ({"tags": ["a:x"]}, r"train\.csv:3: label 'a:y' is not among the 1 tags of split\.json"),
    ],
)
def test_a_record_that_does_not_fit_is_refused(tmp_path, record, message):
    with pytest.raises(InputError, match=message):
        old(tmp_path, record)


def test_a_tag_that_the_record_lacks_is_refused(tmp_path):
    rows = "1,Rock,0,30,r,l,Rock,1.mp3\n2,Rock,0,30,s,l,Rock|Pop,2.mp3\n"
    write(tmp_path / "train.csv", FULL + rows)
    write(tmp_path / "split.json", json.dumps({"vocabulary": Vocabulary.of(["Rock"]).record()}))
    with pytest.raises(InputError, match=r"train\.csv:3: tag 'Pop' is not among the 1 tags of"):
        lists.read_manifest(tmp_path)


def test_an_old_manifest_of_the_same_kind_is_replaced(tmp_path):
    made = three()
    lists.write_manifest(tmp_path / "m", made)
    path = tmp_path / "m" / "split.json"
    record = json.loads(path.read_text())
    del record["vocabulary"]
    path.write_text(json.dumps({**record, "systems": [""], "tags": ["rock"]}))
    lists.write_manifest(tmp_path / "m", made)
    assert "vocabulary" in json.loads(path.read_text())
    path.write_text(json.dumps({**record, "systems": ["a:"], "tags": ["a:rock"]}))
    with pytest.raises(InputError, match=r"made with systems=\['a:'\], not \[''\]"):
        lists.write_manifest(tmp_path / "m", made)


def test_ids_and_tags_of_lists_are_cleaned(tmp_path):
    text = FULL + "\u200b1,mu\u0308sik ,0,30,r\u00a0,nan,mu\u0308sik | pop,a  b.mp3\n"
    text += "2,m\u00fcsik,0,30,r,l,m\u00fcsik|pop,x\u0308.mp3\n"
    excerpts = lists.read_part(write(tmp_path / "train.csv", text))
    assert excerpts.sng_id == ("1", "2")
    assert set(excerpts.label) == {"m\u00fcsik"}
    assert excerpts.tags == (("m\u00fcsik", "pop"),) * 2
    assert excerpts.artist_id == ("r", "r")
    assert excerpts.album_id == ("", "l")
    assert excerpts.path == ("a  b.mp3", "x\u0308.mp3")
    text = FULL + "1,x,0,30,nan,l,x,1.mp3\n"
    with pytest.raises(InputError, match=r"train\.csv:2: empty artist_id"):
        lists.read_part(write(tmp_path / "train.csv", text))
    assert clean(excerpts.label[0]) == excerpts.label[0]
