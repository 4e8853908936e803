"""Every `>>>` in a docstring runs as a test, and functions for notebooks have one."""

import doctest
import importlib
import inspect
import pathlib

import pytest
import structure

import tagjax

ROOT = pathlib.Path(__file__).resolve().parents[2]

EXTRAS = {"apache_beam", "mutagen", "pandas"}
"""Packages that a module or an example may need and an installation may lack."""


def _modules_with_examples():
    """Names of the modules of tagjax that have a `>>>`."""
    found = []
    for path in sorted((ROOT / "tagjax").rglob("*.py")):
        if ">>>" in path.read_text(encoding="utf-8"):
            found.append(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return [name.removesuffix(".__init__") for name in found]


@pytest.mark.parametrize("name", _modules_with_examples())
def test_examples_say_what_comes_out(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if error.name in EXTRAS:
            pytest.skip(f"needs {error.name}")
        raise
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert result.attempted
    assert not result.failed
