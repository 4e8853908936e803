"""A program asks for large pages by starting itself again, once; nothing else is started again."""

import json
import os
import pathlib
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone")

ROOT = pathlib.Path(__file__).resolve().parents[2]
TUNABLE = "glibc.malloc.hugetlb=1"
WITNESS = """
import json, os, sys

def tell(*what):
    with open(os.environ["WITNESS"], "a") as file:
        print(json.dumps(what), file=file)

def started_again(path, arguments, execv=os.execv):
    tell("again", "numpy" in sys.modules or "absl" in sys.modules)
    execv(path, arguments)

os.execv = started_again
tell("start", sys.orig_argv[1:], os.environ.get("GLIBC_TUNABLES"))
"""
"""Python imports `sitecustomize` whenever it starts."""


@pytest.fixture
def witnessed(tmp_path):
    """witnessed(arguments, tunables): (what Python's starts told, the process) of a command."""
    (tmp_path / "sitecustomize.py").write_text(WITNESS)

    def run(*arguments, tunables=None):
        environment = {name: text for name, text in os.environ.items() if name != "GLIBC_TUNABLES"}
        environment |= {} if tunables is None else {"GLIBC_TUNABLES": tunables}
        environment |= {"WITNESS": str(tmp_path / "starts")}
        environment |= {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = (tmp_path / "starts").read_text().splitlines()
        return [json.loads(line) for line in lines], done

    return run


@pytest.mark.parametrize(
    ("before", "after"),
    [(None, TUNABLE), ("glibc.malloc.check=3", f"glibc.malloc.check=3:{TUNABLE}")],
)
def test_a_program_is_started_again_as_it_was_before_it_imports_much(witnessed, before, after):
    arguments = ["-W", "ignore", "-m", "launch.split", "--out=x", "--no such flag"]
    told, done = witnessed(*arguments, tunables=before)
    assert told == [["start", arguments, before], ["again", False], ["start", arguments, after]]
    assert done.returncode == 2
    assert "no such flag" in done.stderr


def test_what_the_user_has_set_stays(witnessed):
    arguments = ["-m", "launch.split", "--no such flag"]
    told, done = witnessed(*arguments, tunables="glibc.malloc.hugetlb=0")
    assert told == [["start", arguments, "glibc.malloc.hugetlb=0"]]
    assert done.returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "import launch; print('went on')"],
        ["-c", "import launch.program; print('went on')", "-m", "launch.split"],
        ["-m", "other"],
        ["-m", "other.program"],
        ["-m", "other.program", "-m", "launch.split"],
        ["other/program.py", "-m", "launch.split"],
        ["-m", "launch.nothing_of_ours"],
    ],
)
def test_what_only_imports_the_package_is_not_started_again(witnessed, tmp_path, arguments):
    """Not even where Python imports the importing package on its way to what `-m` names."""
    (tmp_path / "other").mkdir()
    for name in ("__init__", "__main__", "program"):
        (tmp_path / "other" / f"{name}.py").write_text("import launch")
    with (tmp_path / "other" / "program.py").open("a") as file:
        file.write("; print('went on')")
    with (tmp_path / "other" / "__main__.py").open("a") as file:
        file.write("; print('went on')")
    told, done = witnessed(*arguments)
    assert told == [["start", arguments, None]]
    assert ("went on" in done.stdout) == (arguments[-1] != "launch.nothing_of_ours")
