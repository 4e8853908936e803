"""The tutorial runs from start to end, and what its text says comes out."""

import os
import pathlib
import re
import shutil

import pytest

NOTEBOOK = pathlib.Path(__file__).resolve().parents[2] / "docs" / "tutorial.ipynb"


def translations(notebook):
    """[(tag, translation)] that the text of a notebook names in bold."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return re.findall(r"\*\*`([^`]+)` translates to `([^`]+)`\*\*", text)


def outputs(notebook):
    """The text of all outputs."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            yield output.get("text") or output.get("data", {}).get("text/plain", "")


def first_candidate(notebook, tag):
    """What the printed table of translations has for a tag, and whether it is right."""
    row = re.compile(rf"^{re.escape(tag)} +(\S.*\S) +\S+ +(True|False)$", re.MULTILINE)
    return next(match.groups() for text in outputs(notebook) if (match := row.search(text)))


def images(notebook):
    return [
        output.data["image/png"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if "image/png" in output.get("data", {})
    ]


def test_the_outputs_that_are_kept_say_what_the_text_says():
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    ((tag, translation),) = translations(notebook)
    assert first_candidate(notebook, tag) == (translation, "True")
    assert len(images(notebook)) == 2
    assert NOTEBOOK.stat().st_size < 400_000
    kept = "\n".join(outputs(notebook))
    assert not re.search(r"/(tmp|home|root|work|Users)\b|Warning|Error", kept)


def test_the_tutorial_runs_and_translates_the_tag_that_it_names(tmp_path):
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient: pip install -e .[test]")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel", reason="needs ipykernel: pip install -e .[test]")
    shutil.copy(NOTEBOOK, tmp_path)
    notebook = nbformat.read(tmp_path / NOTEBOOK.name, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    # As a user runs it: one device, and code that XLA optimises; all that it writes is under here.
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    environment |= {"TMPDIR": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython")}
    client = nbclient.NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute(env=environment)
    ((tag, translation),) = translations(notebook)
    assert first_candidate(notebook, tag) == (translation, "True")
    assert len(images(notebook)) == 2
    assert sorted(path.name for path in tmp_path.glob("*.ipynb")) == [NOTEBOOK.name]
