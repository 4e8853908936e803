"""Runs the programs as a user does."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(program, *arguments, folder=ROOT):
    """Runs `launch.PROGRAM` in a folder and returns the finished process.

    It fails if there is a traceback in the output.
    """
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
    """As `run`, for a program that must succeed."""
    done = run(program, *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done


def mistake(program, *arguments, folder=ROOT):
    """As `run`, for a mistake of the user: the exit code must be 2. Returns the line on stderr."""
    done = run(program, *arguments, folder=folder)
    assert done.returncode == 2, done.stderr
    (line,) = filter(str.strip, done.stderr.splitlines())
    assert line.startswith("error: ")
    return line
