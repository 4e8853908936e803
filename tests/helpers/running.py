"""The programs as a user types them."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(program, *arguments, folder=ROOT):
    """Runs `launch.PROGRAM` in a folder, and tells what it said, which is never a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", f"launch.{program}", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "COLUMNS": "80", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def succeed(program, *arguments, folder=ROOT):
    """As `run`, of what must end well."""
    done = run(program, *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done


def mistake(program, *arguments, folder=ROOT):
    """The one line on stderr of what must end with 2, as the user made a mistake."""
    done = run(program, *arguments, folder=folder)
    assert done.returncode == 2, done.stderr
    (line,) = filter(str.strip, done.stderr.splitlines())
    assert line.startswith("error: ")
    return line
