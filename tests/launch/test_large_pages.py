"""A program asks for large pages by starting itself again, once."""

import json
import os
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc alone")

IMPORT = """
import json, os, sys
def told(path, arguments):
    print(json.dumps([path, arguments, os.environ["GLIBC_TUNABLES"]]))
    sys.exit(0)
os.execv = told
sys.argv[0] = sys.argv[1]
import launch
print("went on")
"""


def started(how, tunables=None):
    """What comes of the import of `launch` by a process whose argv[0] is `how`."""
    environment = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    environment |= {} if tunables is None else {"GLIBC_TUNABLES": tunables}
    command = [sys.executable, "-c", IMPORT, how]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment
    ).stdout.strip()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, "glibc.malloc.hugetlb=1"),
        ("glibc.malloc.check=3", "glibc.malloc.check=3:glibc.malloc.hugetlb=1"),
    ],
)
def test_a_program_is_started_again_as_it_was(before, after):
    path, arguments, tunables = json.loads(started("-m", before))
    assert path == sys.executable
    assert arguments == [sys.executable, "-c", IMPORT, "-m"]
    assert tunables == after


def test_what_the_user_has_set_stays():
    assert started("-m", "glibc.malloc.hugetlb=0") == "went on"


def test_a_library_is_not_started_again():
    assert started("/usr/bin/anything") == "went on"


def test_it_ends_and_keeps_its_arguments_and_exit_code(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "launch.split", "--out", str(tmp_path), "--no such flag"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "no such flag" in done.stderr
