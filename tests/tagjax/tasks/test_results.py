"""The one entry to the tasks, and the forms of their results."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from tagjax import tasks
from tagjax.base.errors import InputError
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.truth import Truth


@pytest.fixture
def evaluation():
    tags = ("ska", "house", "klezmer", "genre:rock", "genre:electronic")
    near = np.eye(5)
    near[0, 3] = near[3, 0] = near[1, 3] = near[3, 1] = 0.9
    truth = Truth(Taxonomy.of([("Ska", "Rock"), ("House", "Electronic")]))
    similarities = {"fw": Similarity(tags, near), "fc": Similarity(tags, np.eye(5))}
    return tasks.evaluate("taxonomy", similarities, truth)


def test_json_has_the_form_the_issue_gives(evaluation):
    got = json.loads(json.dumps(evaluation.record(), allow_nan=False))
    assert got["task"] == "taxonomy"
    assert list(got["embeddings"]) == ["fw", "fc"]
    assert set(got["embeddings"]["fw"]) == {"hr@1", "hr@2", "map", "mrr"}
    assert got["embeddings"]["fw"]["hr@1"] == {
        "mean": 0.5,
        "ci95": pytest.approx(1.96 * 0.5 / 2**0.5),
        "n": 2,
        "wilson95": pytest.approx([0.0945, 0.9055], abs=1e-4),
    }
    assert got["unanswerable"] == {"fw": 1, "fc": 1}
    assert len(got["notes"]) == 1  # told once, not for each embedding


@pytest.mark.parametrize(
    "wrong", [{"listed": 0}, {"top": -1}, {"relations": ("exact", "same")}, {"relations": ()}]
)
def test_choices_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))}="):
        tasks.TaskConfig(**wrong)


def test_lists_are_data_frames(evaluation):
    result = evaluation.results["fw"]
    ranked = result.to_frame()
    assert list(ranked.columns) == ["query", "rank", "candidate", "similarity", "relevant"]
    ska = ranked[ranked["query"] == "ska"]
    assert list(ska.candidate) == ["genre:rock", "genre:electronic"]
    assert list(ska.relevant) == [True, False]
    assert list(result.to_frame("errors")["query"]) == ["house"]
    assert list(result.to_frame("without_parent")["style"]) == ["klezmer"]
    with pytest.raises(InputError, match="no table 'nearest'; one of ranked, errors, without_"):
        result.to_frame("nearest")


def test_unknown_tasks_are_refused_with_the_valid_ones():
    with pytest.raises(InputError, match="'x'; choose from taxonomy, deduplication, translation"):
        tasks.evaluate("x", {})
    with pytest.raises(InputError, match="no similarity"):
        tasks.evaluate("taxonomy", {})


@pytest.mark.parametrize("task", tasks.TASKS)
def test_tags_without_data_are_named(task):
    tags = ("ska_1", "ska_2", "genre:rock", "mumu:ska_1", "mumu:dub")
    matrix = np.eye(5)
    matrix[[1, 4]] = matrix[:, [1, 4]] = np.nan
    both = {"fc": Similarity(tags, np.eye(5)), "fdist": Similarity(tags, matrix)}
    got = tasks.evaluate(task, both, Truth(Taxonomy.of([("ska_1", "rock")])))
    assert "Tags without data in fdist, 2: ska_2, mumu:dub." in got.notes
    assert got.results["fdist"].tables["without_data"].rows == (("ska_2",), ("mumu:dub",))
    assert "without_data" not in got.results["fc"].tables


def test_systems_are_guessed_where_nothing_says_them():
    tags = ("mumu:dub", "mumu:ska", "dub", "ska")
    matrix = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]], dtype=float)
    got = tasks.evaluate("translation", {"fc": Similarity(tags, matrix)}).results["fc"]
    assert (got.metrics["hr@1"]["mean"], got.metrics["hr@1"]["n"]) == (1, 2)


@pytest.mark.parametrize("task", tasks.TASKS)
def test_the_papers_notes_stand_behind_others(task):
    similarity = Similarity(("a", "b", "x:a", "x:b"), np.eye(4))
    known = tasks.Background(notes=("First.",))
    got = tasks.evaluate(task, {"fc": similarity}, printed=True, background=known)
    assert got.notes[0] == "First."
    assert got.notes[-1] == tasks.paper.NOTES[task][-1]
    assert got.printed


def test_numpy_is_all_that_is_needed():
    code = (
        "import sys, tagjax.tasks, tagjax.similarity.embeddings, tagjax.similarity.tables\n"
        "heavy = {'jax', 'scipy', 'sklearn', 'pandas', 'matplotlib', 'tensorflow_datasets'}\n"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    root = pathlib.Path(tasks.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.returncode == 0, done.stderr
