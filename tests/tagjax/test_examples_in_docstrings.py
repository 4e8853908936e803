"""Every `>>>` in a docstring runs as a test, and what a notebook calls has one and its source."""

import doctest
import importlib
import inspect
import pathlib
import shutil

import pytest

import tagjax
from tagjax import evidence, synthetic, tasks
from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.run.config import TrainConfig
from tagjax.similarity import embeddings
from tagjax.similarity.matrix import Similarity
from tagjax.similarity.run import Run
from tagjax.synthetic import builder as synthetic_builder
from tagjax.tasks import metrics
from tagjax.tasks.results import TaskResult
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.vocabulary import Vocabulary

ROOT = pathlib.Path(tagjax.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)
SHOWN_BY = {"PRESETS": TrainConfig}
"""A value has no docstring of its own; that of its kind shows it."""
WITHOUT_SOURCE = {"Similarity.reordered", "TaskResult.lists", "evidence.write_evidence"} | {
    f"synthetic.{name}" for name in synthetic.__all__
}
"""These only pick from what they belong to, or write it, or are of our own music."""


@pytest.mark.parametrize("name", MODULES)
def test_an_example_says_what_comes_out(name, notebook_folder, tmp_path, monkeypatch):
    shutil.copytree(notebook_folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted
    assert not result.failed


def members(owner, names):
    place = owner.__name__.removeprefix("tagjax.")
    return {f"{place}.{name}": getattr(owner, name) for name in names}


def for_a_notebook():
    """{name: function, class or module} of what a notebook uses."""
    functions = [name for name, _ in inspect.getmembers(metrics, inspect.isfunction)]
    drawn = [name for name in synthetic.__all__ if inspect.isfunction(getattr(synthetic, name))]
    return {
        **{name: SHOWN_BY.get(name, getattr(tagjax, name)) for name in tagjax._PLACES},
        **members(Run, ("predict", "similarity", "similarities", "embedding")),
        **members(Run, ("with_new_tags", "annotated")),
        **members(Similarity, ("from_predictions", "nearest", "reordered", "to_frame")),
        **members(Catalogue, ("from_frame",)),
        **members(Tracks, ("from_frame",)),
        **members(Vocabulary, ("of", "guess")),
        **members(Taxonomy, ("of",)),
        **members(TaskResult, ("lists", "to_frame")),
        **members(evidence, [name for name in evidence.__all__ if name != "COLUMNS"]),
        **members(tasks, [name for name in tasks.__all__ if callable(getattr(tasks, name))]),
        **members(metrics, functions),
        **members(embeddings, ("fw", "fc", "fm", "fdist", "cosine")),
        **members(synthetic, ("SyntheticConfig", *drawn)),
        **members(synthetic_builder, ("build",)),
    }


@pytest.mark.parametrize(("name", "value"), for_a_notebook().items(), ids=for_a_notebook())
def test_what_a_notebook_uses_has_an_example_and_names_its_source(name, value):
    finder = doctest.DocTestFinder(recurse=False)
    (found,) = finder.find(value, name)
    assert any(example.want for example in found.examples), "no `>>>` that shows what comes out"
    assert not any(doctest.SKIP in example.options for example in found.examples)
    if name not in WITHOUT_SOURCE:
        assert "https://" in found.docstring, "no link to its source"
