"""The notebook runs from its first cell to its last, and finds what its text says."""

import json
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_the_tutorial_runs_and_translates_the_tag_that_it_names(tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="pip install -e .[test] brings nbclient")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    runner = nbclient.NotebookClient(
        notebook, timeout=1200, resources={"metadata": {"path": str(ROOT)}}
    )
    runner.execute()
    text = json.dumps(notebook["cells"])
    assert "`b:veranda` is `a:porchlight`" in text
    (cell,) = (c for c in notebook["cells"] if 'sim.nearest("b:veranda"' in c["source"])
    nearest = cell["outputs"][-1]["data"]["text/plain"]
    assert nearest.startswith("[('a:porchlight'"), nearest
    kinds = {
        kind for c in notebook["cells"] for o in c.get("outputs", ()) for kind in o.get("data", ())
    }
    assert "image/png" in kinds
