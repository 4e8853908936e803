"""Predictions folders: round trips, whole or not at all, refusals."""

import numpy as np
import pytest

from tagjax.base.errors import InputError
from tagjax.run import predictions

TAGS = ("a:genre:rock", "a:jazz, cool", "b:Überrock \u2028 x")
EXCERPTS = [
    ("s1", TAGS[0], "test", "r1", "l1", f"{TAGS[0]}|{TAGS[2]}"),
    ("s2", TAGS[1], "test", "r2", "", ""),
    ("s3", TAGS[1], "overlap", "", "", TAGS[1]),
]
OCCURRENCES = [[1, 0, 1], [0, 1, 0], [0, 1, 0]]
P = np.random.default_rng(0).dirichlet(np.ones(3), 3).astype(np.float32)


LABELS = (
    predictions.Labels(np.array([3, 0, 7]), np.array([2, 0, 1])),
    predictions.Labels(np.array([1, 2, 3]), np.array([1, 1, 1])),
)


def write(folder, rows=3, tags=TAGS, shift=0, labels=()):
    with predictions.writing(folder, tags, rows, labels) as writer:
        for k in range(3):
            _, *rest = EXCERPTS[k]
            writer.add(P[k], (f"s{k + 1 + shift}", *rest))


def test_what_is_written_is_read(tmp_path):
    write(tmp_path / "p")
    got = predictions.read(tmp_path / "p")
    assert got.tags == TAGS
    np.testing.assert_array_equal(got.probabilities, P)
    assert got.probabilities.dtype == np.float32
    np.testing.assert_array_equal(got.occurrences, OCCURRENCES)
    assert got.occurrences.dtype == np.uint8
    assert list(got.excerpts) == list(predictions.COLUMNS)
    assert list(zip(*got.excerpts.values(), strict=True)) == EXCERPTS


def test_it_is_four_plain_files_and_nothing_else(tmp_path):
    write(tmp_path / "p")
    assert [path.name for path in tmp_path.iterdir()] == ["p"]
    names = ["excerpts.csv", "occurrences.npy", "probabilities.npy", "tags.txt"]
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == names


def told(labels):
    """Labels as plain values."""
    return [
        (each.excerpts.tolist(), None if each.artists is None else each.artists.tolist())
        for each in labels
    ]


def test_what_was_trained_on_is_kept(tmp_path):
    write(tmp_path / "p")
    assert predictions.read(tmp_path / "p").labels == ()
    write(tmp_path / "p", labels=LABELS)
    assert told(predictions.read(tmp_path / "p").labels) == told(LABELS)
    unknown = [predictions.Labels(LABELS[0].excerpts, None)]
    write(tmp_path / "p", labels=unknown)
    assert told(predictions.read(tmp_path / "p").labels) == [([3, 0, 7], None)]


def test_labels_of_folds_are_those_of_all_or_unknown(tmp_path):
    for k, some in enumerate(LABELS):
        write(tmp_path / f"{k}", labels=[some])
    write(tmp_path / "older")
    predictions.merge([tmp_path / "0", tmp_path / "1"], tmp_path / "all")
    assert told(predictions.read(tmp_path / "all").labels) == told(LABELS)
    predictions.merge([tmp_path / "0", tmp_path / "older"], tmp_path / "some")
    assert predictions.read(tmp_path / "some").labels == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\n1,", "\n2,"),
        ("Überrock", "Unterrock"),
        (",3,2\n", ",x,2\n"),
        (",3,2\n", ",-3,2\n"),
        (",3,2\n", ",3,\n"),
        ("0,a:genre:rock,3,2\n", ""),
        ("model,", "modell,"),
    ],
)
def test_damaged_labels_are_refused_in_one_line(tmp_path, old, new):
    write(tmp_path / "p", labels=LABELS)
    path = tmp_path / "p" / "labels.csv"
    assert old in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=r"labels.csv:") as caught:
        predictions.read(tmp_path / "p")
    assert "\n" not in str(caught.value)


def test_arrays_are_memory_mapped(tmp_path):
    write(tmp_path / "p")
    got = predictions.read(tmp_path / "p")
    assert isinstance(got.probabilities, np.memmap)
    assert isinstance(got.occurrences, np.memmap)


@pytest.mark.parametrize("rows", [2, 3, 4])
def test_a_failure_leaves_what_was_there(tmp_path, rows):
    write(tmp_path / "p")
    with pytest.raises((RuntimeError, IndexError, KeyError)):
        write(tmp_path / "p", rows, TAGS if rows != 3 else ("x", "y", "z"), shift=10)
    assert [path.name for path in tmp_path.iterdir()] == ["p"]
    assert predictions.read(tmp_path / "p").excerpts["sng_id"] == ["s1", "s2", "s3"]


def test_an_interruption_leaves_nothing(tmp_path):
    def interrupted():
        with predictions.writing(tmp_path / "p", TAGS, 3) as writer:
            writer.add(P[0], EXCERPTS[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_later_predictions_take_the_place_of_earlier_ones(tmp_path):
    write(tmp_path / "p")
    write(tmp_path / "p", shift=10)
    assert predictions.read(tmp_path / "p").excerpts["sng_id"] == ["s11", "s12", "s13"]


def bend(name, change):
    def bent(folder):
        np.save(folder / f"{name}.npy", change(np.load(folder / f"{name}.npy")))

    return bent


DAMAGES = {
    "no array": (lambda p: (p / "probabilities.npy").unlink(), "probabilities.npy"),
    "no table": (lambda p: (p / "excerpts.csv").unlink(), "excerpts.csv: no such file"),
    "no tags": (lambda p: (p / "tags.txt").unlink(), "tags.txt"),
    "rows": (bend("probabilities", lambda a: a[:2]), r"probabilities.npy: shape \(2, 3\).*3 rows"),
    "columns": (bend("occurrences", lambda a: a[:, :2]), r"occurrences.npy: shape.*3 tags"),
    "pickle": (bend("probabilities", lambda a: a.astype(object)), "Python objects"),
    "text": (lambda p: (p / "probabilities.npy").write_text("0.5 0.5"), "p: "),
    "empty": (lambda p: (p / "probabilities.npy").write_bytes(b""), "p: "),
    "cut off": (
        lambda p: (p / "probabilities.npy").write_bytes(
            (p / "probabilities.npy").read_bytes()[:-8]
        ),
        "p: ",
    ),
    "column": (
        lambda p: (p / "excerpts.csv").write_text("sng_id,label\ns1,a\n"),
        "excerpts.csv:1: column 'part' is missing",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_refused_in_one_line(tmp_path, damage):
    write(tmp_path / "p")
    bend_it, message = DAMAGES[damage]
    bend_it(tmp_path / "p")
    with pytest.raises(InputError, match=message) as caught:
        predictions.read(tmp_path / "p")
    assert "\n" not in str(caught.value)


def test_merged_predictions_are_the_rows_of_all(tmp_path):
    write(tmp_path / "a")
    write(tmp_path / "b", shift=10)
    predictions.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    got = predictions.read(tmp_path / "all")
    np.testing.assert_array_equal(got.probabilities, np.concatenate([P, P]))
    np.testing.assert_array_equal(got.occurrences, OCCURRENCES + OCCURRENCES)
    assert got.excerpts["sng_id"] == ["s1", "s2", "s3", "s11", "s12", "s13"]
    assert got.excerpts["tags"] == [excerpt[-1] for excerpt in EXCERPTS] * 2


def test_predictions_of_other_tags_are_not_merged(tmp_path):
    write(tmp_path / "a")
    write(tmp_path / "b", tags=TAGS[::-1])
    with pytest.raises(InputError, match=r"b/tags.txt differs from .*a/tags.txt"):
        predictions.merge([tmp_path / "a", tmp_path / "b"], tmp_path / "all")
    assert not (tmp_path / "all").exists()


def test_occurrences_of_another_annotation():
    annotations = {"s2": ["new", "old"], "s1": ["new"], "elsewhere": ["unheard"]}
    tags, matrix = predictions.occurrences_of(["s1", "s2", "s3", "s1"], annotations)
    assert tags == ("new", "old")
    np.testing.assert_array_equal(matrix, [[1, 0], [1, 1], [0, 0], [1, 0]])
    assert matrix.dtype == np.uint8
