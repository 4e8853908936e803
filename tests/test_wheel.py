"""What is installed: `tagjax` alone, whole, and of use where there is no clone."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

import tagjax

ROOT = pathlib.Path(__file__).resolve().parents[1]
SCRIPT = """
import importlib, pkgutil, sys
import tagjax
from tagjax.report import page
from tagjax.vocabulary import taxonomy

assert tagjax.__file__.startswith(sys.prefix), tagjax.__file__
for name in getattr(tagjax, "__all__", ()):
    getattr(tagjax, name)
for module in pkgutil.walk_packages(tagjax.__path__, "tagjax."):
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        assert error.name.partition(".")[0] == "apache_beam", error
assert len(taxonomy.discogs().parents) > 400
assert not {"launch", "datasets"} & {*sys.modules}
print(tagjax.__version__)
"""


def succeed(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, as setuptools leaves folders beside what it builds; nothing is fetched."""
    folder = tmp_path_factory.mktemp("wheel")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("tagjax", "launch", "datasets"):
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=ignored)
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / "source")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder))
    succeed(*pip, "wheel", *options, str(folder / "source"))
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_holds_all_of_the_library_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tagjax").rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    assert files == expected


def test_the_wheel_is_of_use_in_another_environment(wheel, tmp_path):
    succeed(sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv"))
    python = str(tmp_path / "venv" / "bin" / "python")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python)
    succeed(*pip, "install", "--no-deps", "--no-index", str(wheel))
    # What tagjax requires is lent by this environment, whose own tagjax comes after.
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    clean = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    told = succeed(python, "-c", SCRIPT, cwd=tmp_path, env=clean)
    assert told.split() == [tagjax.__version__]
