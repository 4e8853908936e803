"""The one entry to the tasks, and the forms of their results."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from tagjax import tasks
from tagjax.base.errors import InputError
from tagjax.similarity.tables import Similarity
from tagjax.vocabulary.taxonomy import Taxonomy


@pytest.fixture
def results():
    tags = ("ska", "house", "klezmer", "genre:rock", "genre:electronic")
    near = np.eye(5)
    near[0, 3] = near[3, 0] = near[1, 3] = near[3, 1] = 0.9
    truth = Taxonomy({"Ska": frozenset({"Rock"}), "House": frozenset({"Electronic"})})
    similarities = {"fw": Similarity(tags, near), "fc": Similarity(tags, np.eye(5))}
    return tasks.run("taxonomy", similarities, taxonomy=truth)


def test_json_has_the_form_the_issue_gives(results):
    got = json.loads(json.dumps(tasks.to_json("taxonomy", results), allow_nan=False))
    assert got["task"] == "taxonomy"
    assert list(got["embeddings"]) == ["fw", "fc"]
    assert set(got["embeddings"]["fw"]) == {"hr@1", "hr@2", "map", "mrr"}
    assert got["embeddings"]["fw"]["hr@1"] == {
        "mean": 0.5,
        "ci95": pytest.approx(1.96 * 0.5 / 2**0.5),
        "n": 2,
    }
    assert got["unanswerable"] == {"fw": 1, "fc": 1}
    assert len(got["notes"]) == 1  # told once, not for each embedding


def test_text_is_in_percent(results):
    text = tasks.format_table("taxonomy", results)
    row = next(line for line in text.splitlines() if line.startswith("fw"))
    assert "50.0 ± 69.3" in row
    assert "klezmer" in text


def test_printed_figures_stand_below_ours(results):
    printed = {"fw": {"hr@1": "12.3 ± 4.5"}}
    lines = tasks.format_table("taxonomy", results, printed, "Table 2").splitlines()
    below = lines[next(i for i, line in enumerate(lines) if line.startswith("fw")) + 1]
    assert below.split() == ["Table", "2", "12.3", "±", "4.5", "-", "-", "-"]
    assert sum("Table 2" in line for line in lines) == 1


@pytest.mark.parametrize(
    "wrong", [{"listed": 0}, {"top": -1}, {"relations": ("exact", "same")}, {"relations": ()}]
)
def test_choices_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InputError, match=f"{next(iter(wrong))}="):
        tasks.Config(**wrong)


def test_no_query_prints_a_dash():
    similarities = {"fw": Similarity(("a", "b"), np.eye(2))}
    results = tasks.run("deduplication", similarities)
    assert tasks.to_json("deduplication", results)["embeddings"]["fw"]["map"]["mean"] is None
    assert " - " in tasks.format_table("deduplication", results)


def test_files_are_what_was_found(results, tmp_path):
    paths = tasks.write_results(tmp_path / "out", "taxonomy", results)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in paths.values()
    )
    assert json.loads(paths["metrics"].read_text()) == tasks.to_json("taxonomy", results)
    ranked = pd.read_csv(paths["fw_ranked"])
    assert list(ranked.columns) == ["query", "rank", "candidate", "similarity", "relevant"]
    ska = ranked[ranked["query"] == "ska"]
    assert list(ska.candidate) == ["genre:rock", "genre:electronic"]
    assert list(ska.relevant) == [True, False]
    errors = pd.read_csv(paths["fw_errors"])
    assert list(errors["query"]) == ["house"]
    assert list(errors.second_is_truth) == [True]


def test_unknown_tasks_are_refused_with_the_valid_ones():
    with pytest.raises(InputError, match="'x'; choose from taxonomy, deduplication, translation"):
        tasks.run("x", {})


@pytest.mark.parametrize("task", tasks.TASKS)
def test_tags_without_data_are_named(task):
    tags = ("ska_1", "ska_2", "genre:rock", "mumu:ska_1", "mumu:dub")
    matrix = np.eye(5)
    matrix[[1, 4]] = matrix[:, [1, 4]] = np.nan
    both = {"fc": Similarity(tags, np.eye(5)), "fdist": Similarity(tags, matrix)}
    got = tasks.run(task, both, taxonomy=Taxonomy({"ska_1": frozenset({"rock"})}))
    told = "Tags without data in fdist, 2: ska_2, mumu:dub."
    assert told in tasks.to_json(task, got)["notes"]
    assert told in tasks.format_table(task, got)
    assert got["fdist"].tables["without_data"].rows == (("ska_2",), ("mumu:dub",))
    assert "without_data" not in got["fc"].tables


def test_systems_are_detected(results):
    tags = ("mumu:dub", "mumu:ska", "dub", "ska")
    matrix = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]], dtype=float)
    got = tasks.run("translation", {"fc": Similarity(tags, matrix)})
    assert got["fc"].metrics["hr@1"] == {"mean": 1, "ci95": 0, "n": 2}


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
