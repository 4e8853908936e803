"""The commands of the Makefile that could do harm."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_clean_leaves_what_people_keep(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    kept = {"data/a.array_record", "runs/mine/model", "results/report.html", "tagjax/a.py"}
    kept |= {"launch/a.py", "datasets/a.py", "tests/a.py", "benchmarks/a.py", "audio/1.mp3"}
    gone = {".venv/bin/python", "build/lib/a.py", "tagjax.egg-info/PKG-INFO", ".mypy_cache/x"}
    gone |= {"tagjax/base/__pycache__/a.pyc", ".pytest_cache/x", ".hypothesis/x", ".ruff_cache/x"}
    for name in kept | gone:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == kept | {"Makefile"}
