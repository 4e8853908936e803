"""Data sets on disk: found by name, with vocabulary and truth, those of before too."""

import dataclasses

import pytest

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.examples.dataset import find, vocabulary_of
from tagjax.vocabulary.truth import from_rows, write_truth
from tagjax.vocabulary.vocabulary import Vocabulary

PARTS = {"train": 6, "validation": 2, "test": 3}


@pytest.fixture(scope="module")
def dataset(make_tiny, tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("data"), PARTS)


def test_a_data_set_is_found_by_either_name(dataset):
    root = dataset.path.parents[2]
    assert find("tiny/tiny", root) == dataset
    assert dataset.name == "tiny/tiny"
    assert dataset.tags == ("blues", "jazz", "rock")
    assert dataset.input_shape == (12, 8)
    assert dataset.parts == PARTS
    assert dataset.metadata["experiment"] == "taxonomy"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nine", "unknown dataset 'nine'; one of other, tiny/tiny"),
        ("other", "launch.build --dataset=other"),
        ("tiny/huge", "launch.build --dataset=tiny/huge"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(dataset, name, message):
    with pytest.raises(InputError, match=message):
        find(name, dataset.path.parents[2], known=["other"])


def test_a_builder_with_several_configs_needs_one(tmp_path):
    for config in ("a", "b"):
        folder = tmp_path / "tiny" / config / "1.0.0"
        folder.mkdir(parents=True)
        (folder / "dataset_info.json").touch()
    with pytest.raises(InputError, match="one of tiny/a, tiny/b"):
        find("tiny", tmp_path)


def test_datasets_are_told_apart(dataset, make_tiny, tmp_path):
    other = make_tiny(tmp_path, {**PARTS, "test": 9})
    assert other.fingerprint != dataset.fingerprint


@pytest.mark.parametrize(
    ("tags", "metadata", "wanted"),
    [
        (["a:x_1", "b:y"], {"systems": ["a:", "b:"], "experiment": "translation"}, {}),
        (["x_1", "x_2"], {"systems": [""], "experiment": "deduplication"}, {"halves": True}),
        # A split.json that names one system without prefix is believed, lists without one are not.
        (["a:x", "a:y"], {"systems": [""], "sampling": {"k": 1}}, {"systems": [""]}),
        (["a:x", "a:y"], {"systems": [""], "sampling": {}}, {"systems": ["a:"]}),
        (["a:x", "a:y"], {}, {"systems": ["a:"]}),
    ],
)
def test_the_vocabulary_of_metadata_that_do_not_record_one(tags, metadata, wanted):
    systems = wanted.get("systems", metadata.get("systems"))
    halves = wanted.get("halves", False)
    assert vocabulary_of(tags, metadata) == Vocabulary.of(tags, systems, halves)


def test_a_recorded_vocabulary_is_believed():
    recorded = Vocabulary.of(["Classical: Opera", "Classical: Song", "x_1"])
    metadata = {"vocabulary": recorded.record(), "systems": ["Classical:", ""]}
    assert vocabulary_of(["ignored"], metadata) == recorded


TABLES = from_rows({"taxonomy": [("blues", "rock")], "duplicates": [("jazz", "rock")]})


def test_truth_lies_beside_the_examples(dataset, make_tiny, tmp_path):
    assert dataset.truth == from_rows({})
    other = make_tiny(tmp_path, PARTS)
    write_truth(other.path, TABLES)
    assert other.truth == TABLES
    assert find("tiny", tmp_path) == other  # Truth is no part of what a data set is.


def test_truth_in_the_metadata_of_a_data_set_of_before(dataset, tmp_path):
    rows = {"taxonomy": [["blues", "rock"]], "translation": [["a:x", "b:x", "exact"]]}
    metadata = dataset.metadata | {"truth": rows}
    old = dataclasses.replace(dataset, metadata=metadata, path=tmp_path)
    assert old.truth == from_rows(rows)
    write_truth(tmp_path, TABLES)  # As launch.build does, once its manifest has other tables.
    assert dataclasses.replace(old).truth == TABLES


def test_a_damaged_truth_table_is_named(dataset, tmp_path):
    files.write_text(tmp_path / "taxonomy.csv", "nothing\n")
    with pytest.raises(InputError, match=r"taxonomy\.csv"):
        _ = dataclasses.replace(dataset, path=tmp_path).truth
