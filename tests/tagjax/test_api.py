"""What somebody types in a notebook."""

import ast
import math
import subprocess
import sys

import matplotlib
import pytest
from matplotlib.figure import Figure

import tagjax

# As in DESIGN.md.
SNIPPET = """
import tagjax
run = tagjax.load_run("runs/catalogue_split/mine")
run.predict("song.mp3")                       # tags and probabilities, highest first
sim = run.similarity("fc")                    # or tagjax.read_similarity("fc_tag_similarity.csv")
sim.nearest("bebop", 5); sim.to_frame(); tagjax.plot_map(sim, ax)
tagjax.tasks.translate(sim, truth).to_frame()
tagjax.Similarity.from_predictions(probabilities, tags)
"""

LIGHT = """
import sys
import tagjax
heavy = {"jax", "numpy", "pandas", "matplotlib", "tensorflow_datasets"} & sys.modules.keys()
assert not heavy, heavy
tagjax.InputError
assert not {"jax", "numpy"} & sys.modules.keys()
"""


@pytest.mark.parametrize("name", tagjax.__all__)
def test_every_name_of_the_api_is_there(name):
    value = getattr(tagjax, name)
    assert value is not None
    assert name in ("__version__", "evidence", "tasks", "PRESETS") or callable(value)
    assert name in dir(tagjax)


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        tagjax.nonsense  # noqa: B018


def test_importing_it_imports_neither_numpy_nor_jax():
    subprocess.run([sys.executable, "-c", LIGHT], check=True, timeout=60)


def typed(code, names):
    """The values of the expressions in code that is run line by line, as in a notebook."""
    values = []
    for statement in ast.parse(code).body:
        if isinstance(statement, ast.Expr):
            expression = compile(ast.Expression(statement.value), "notebook", "eval")
            values.append(eval(expression, names))
        else:
            exec(compile(ast.Module([statement], []), "notebook", "exec"), names)
    return values


def test_what_the_design_types_works_on_a_run(notebook_folder, monkeypatch):
    pandas = pytest.importorskip("pandas")
    matplotlib.use("agg")
    monkeypatch.chdir(notebook_folder)
    predictions = tagjax.load_run("runs/catalogue_split/mine").predictions
    names = {
        "ax": Figure().subplots(),
        "truth": tagjax.Truth(translation=(tagjax.Relation("x:bop", "bebop"),)),
        "probabilities": predictions.probabilities,
        "tags": predictions.tags,
    }
    heard, nearest, frame, axes, translated, again = typed(SNIPPET, names)
    tags = {"bebop", "dub", "x:bop", "x:ska"}
    assert {tag for tag, _ in heard} == tags
    assert [p for _, p in heard] == sorted((p for _, p in heard), reverse=True)
    assert math.isclose(sum(p for _, p in heard), 1, abs_tol=1e-4)
    assert {tag for tag, _ in nearest} == tags - {"bebop"}
    assert [score for _, score in nearest] == sorted((score for _, score in nearest), reverse=True)
    assert isinstance(frame, pandas.DataFrame)
    assert frame.loc["bebop", nearest[0][0]] == nearest[0][1]
    assert axes is names["ax"]
    assert sorted(text.get_text() for text in axes.texts) == sorted(tags)
    asked = translated[translated["query"] == "x:bop"]
    assert asked["candidate"].tolist() == [tag for tag, _ in nearest_of(names["sim"], "x:bop")]
    assert asked.set_index("candidate")["relevant"].to_dict() == {"bebop": True, "dub": False}
    assert dict(again.nearest("bebop", 5)) == pytest.approx(dict(nearest))


def nearest_of(similarity, tag):
    """Tags of the first system by their similarity to a tag."""
    return [pair for pair in similarity.nearest(tag) if not pair[0].startswith("x:")]


def test_what_a_run_predicts_is_translated(notebook_folder):
    run = tagjax.load_run(notebook_folder / "runs" / "catalogue_split" / "mine")
    excerpts = run.predictions.excerpts
    annotations = {
        track: [tag] for track, tag in zip(excerpts["sng_id"], excerpts["tags"], strict=True)
    }
    sim = run.with_new_tags(annotations, system="y:")["fm"]
    truth = tagjax.Truth(translation=(tagjax.Relation("y:dub", "dub"),))
    result = tagjax.tasks.translate(sim, truth)
    frame = result.to_frame()
    # The new tag has the very excerpts of the old one, so nothing is nearer.
    dub = frame[frame["query"] == "y:dub"].set_index("candidate")
    assert dub.loc["dub", "rank"] == 1
    assert dub.loc["dub", "similarity"] == pytest.approx(1)
    assert dub.loc["dub", "relevant"]
    assert set(dub.index) == {"bebop", "dub"}
