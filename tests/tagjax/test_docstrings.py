"""Every example in a docstring runs, and gives what stands there."""

import doctest
import importlib
import pathlib
import sys

import matplotlib
import pytest

import tagjax

ROOT = pathlib.Path(tagjax.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if ">>>" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name, tmp_path, monkeypatch):
    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert found.attempted
    assert not found.failed


def test_every_public_name_is_there():
    for name in tagjax.__all__:
        assert getattr(tagjax, name) is not None
    assert {*tagjax.__all__} <= {*dir(tagjax)}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tagjax.nothing  # noqa: B018


def test_importing_the_package_is_light():
    import subprocess

    code = "import sys, tagjax; sys.exit(bool({'numpy', 'jax', 'pandas'} & {*sys.modules}))"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=ROOT.parent, check=False).returncode == 0
    )
