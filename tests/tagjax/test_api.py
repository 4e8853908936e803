"""What somebody types in a notebook."""

import math
import subprocess
import sys

import matplotlib
import pytest
from matplotlib.figure import Figure

import tagjax

LIGHT = """
import sys
import tagjax
heavy = {"jax", "numpy", "pandas", "matplotlib", "tensorflow_datasets"} & sys.modules.keys()
assert not heavy, heavy
tagjax.InputError
assert not {"jax", "numpy"} & sys.modules.keys()
assert set(tagjax.__all__) <= set(dir(tagjax))
"""


@pytest.mark.parametrize("name", tagjax.__all__)
def test_every_name_of_the_api_is_there(name):
    value = getattr(tagjax, name)
    # The name is that of the thing itself, wherever it lives.
    assert name in ("__version__", "tasks", "PRESETS") or callable(value)


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        tagjax.nonsense  # noqa: B018


def test_importing_it_imports_neither_numpy_nor_jax():
    subprocess.run([sys.executable, "-c", LIGHT], check=True, timeout=60)


def test_what_the_readme_types_works_on_a_run(notebook_folder, monkeypatch):
    pandas = pytest.importorskip("pandas")
    matplotlib.use("agg")
    monkeypatch.chdir(notebook_folder)
    run = tagjax.load_run("runs/tiny")
    heard = run.predict("low.wav")
    assert {tag for tag, _ in heard} == {"low", "middle", "high"}
    assert [p for _, p in heard] == sorted((p for _, p in heard), reverse=True)
    assert math.isclose(sum(p for _, p in heard), 1, abs_tol=1e-4)
    sim = run.similarity("fc")
    others = sim.nearest("low", 5)
    assert {tag for tag, _ in others} == {"middle", "high"}
    frame = sim.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.loc["low", others[0][0]] == others[0][1]
    ax = Figure().subplots()
    assert tagjax.plot_map(sim, ax) is ax
    assert sorted(text.get_text() for text in ax.texts) == ["high", "low", "middle"]
    again = tagjax.Similarity.from_predictions(run.predictions.probabilities, run.vocabulary)
    assert dict(again.nearest("low", 2)) == pytest.approx(dict(others))


def test_what_a_run_predicts_is_translated(notebook_folder):
    run = tagjax.load_run(notebook_folder / "runs" / "tiny")
    excerpts = run.predictions.excerpts
    annotations = {
        track: [tag] for track, tag in zip(excerpts["sng_id"], excerpts["tags"], strict=True)
    }
    sim = run.with_new_tags(annotations, system="x:")["fm"]
    truth = tagjax.Truth(translation=(tagjax.Relation("x:low", "low"),))
    result = tagjax.tasks.translate(sim, truth)
    frame = result.to_frame()
    # The new tag has the very excerpts of the old one, so nothing is nearer.
    low = frame[frame["query"] == "x:low"].set_index("candidate")
    assert low.loc["low", "rank"] == 1
    assert low.loc["low", "similarity"] == pytest.approx(1)
    assert low.loc["low", "relevant"]
    assert set(low.index) == {"low", "middle", "high"}
