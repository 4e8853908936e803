"""Every `>>>` in a docstring runs as a test, and what a notebook calls has one and its source."""

import doctest
import importlib
import inspect
import pathlib
import re
import shutil

import pytest

import tagjax
from tagjax import tasks
from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.similarity import embeddings
from tagjax.similarity.matrix import Similarity
from tagjax.similarity.run import Run
from tagjax.tasks import metrics
from tagjax.tasks.results import TaskResult
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.vocabulary import Vocabulary

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXTRAS = {"apache_beam", "mutagen", "pandas", "tensorflow"}
"""Packages that a module or its examples may need, and an installation may lack."""


def modules_with_examples():
    """Names of the modules of tagjax that have a `>>>`."""
    paths = sorted((ROOT / "tagjax").rglob("*.py"))
    found = [path for path in paths if ">>>" in path.read_text(encoding="utf-8")]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in found]


@pytest.mark.parametrize("name", modules_with_examples())
def test_an_example_says_what_comes_out(name, notebook_folder, tmp_path, monkeypatch):
    for extra in sorted(EXTRAS):
        if re.search(rf"^ *(>>> )?import {extra}\b", inspect.getsource(module(name)), re.M):
            pytest.importorskip(extra)
    shutil.copytree(notebook_folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    result = doctest.testmod(module(name))
    assert result.attempted > 0
    assert result.failed == 0


def module(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if error.name in EXTRAS:
            pytest.skip(f"needs {error.name}")
        raise


def functions(owner, names):
    return {f"{owner.__name__}.{name}": getattr(owner, name) for name in names}


def for_a_notebook():
    """{name: function} of what a notebook calls."""
    api = {name: getattr(tagjax, name) for name in tagjax.__all__}
    return {
        **{name: value for name, value in api.items() if inspect.isfunction(value)},
        **functions(Run, ("predict", "similarity", "similarities", "embedding", "with_new_tags")),
        **functions(Similarity, ("from_predictions", "nearest", "reordered", "to_frame")),
        **functions(Catalogue, ("from_frame",)),
        **functions(Tracks, ("from_frame",)),
        **functions(Vocabulary, ("of", "guess")),
        **functions(Taxonomy, ("of",)),
        **functions(TaskResult, ("lists", "to_frame")),
        **functions(tasks, ("translate", "deduplicate", "learn_taxonomy", "evaluate")),
        **functions(metrics, [n for n, _ in inspect.getmembers(metrics, inspect.isfunction)]),
        **functions(embeddings, ("fw", "fc", "fm", "fdist", "cosine")),
    }


SOURCE = re.compile(
    r"https://|\b[Ss]ections? \d|\bTables? \d|\bFigure \d|\bequation \d|\(eq\. \d\)"
)
WITHOUT_SOURCE = {
    *("Similarity.reordered", "Similarity.to_frame", "TaskResult.lists", "TaskResult.to_frame"),
    "Vocabulary.guess",
}
"""These only change the form of what another function has computed, or are our own."""


@pytest.mark.parametrize("name", sorted(for_a_notebook()))
def test_what_a_notebook_calls_has_an_example_and_names_its_source(name):
    text = inspect.getdoc(for_a_notebook()[name])
    assert ">>> " in text
    if name not in WITHOUT_SOURCE:
        assert SOURCE.search(text)
