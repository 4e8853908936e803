"""`launch.evidence` as a user runs it."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from evident import NAMES, catalogues, write_run
from running import succeed

from tagjax.base.tables import write_table
from tagjax.evidence.weigh import COLUMNS

TABLES = "--annotations=a.csv,b.csv"
BOTH = (TABLES, "--prefix=a:,b:")
QUICK = ("--splits=1", "--ridges=2.5,20", "--score_ridges=5", "--dimensions=20")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("evidence")
    given, (ids, vectors) = catalogues(shared=40)
    for name, catalogue in zip("ab", given, strict=True):
        columns = catalogue.track_id, catalogue.artist_id, catalogue.album_id
        rows = zip(*columns, map("|".join, catalogue.tags), strict=True)
        write_table(root / f"{name}.csv", ("track_id", "artist_id", "album_id", "tags"), rows)
    np.savez(root / "vectors.npz", ids=ids, vectors=vectors)
    (root / "nan.csv").write_text("track_id,x,y\na0,1,\na1,2,3\n")
    (root / "other.csv").write_text("track_id,x,y\nz0,1,2\nz1,2,3\n")
    write_run(root / "runs" / "mine")
    return root


def first_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    across = [row for row in rows if row["source"][:2] != row["target"][:2]]
    return {row["source"]: row for row in across if row["rank"] == "1"}


def test_vectors_by_track_and_common_tracks(folder):
    done = succeed("evidence", *BOTH, "--features=vectors.npz", *QUICK, folder=folder)
    out = folder / "results" / "a+b" / "evidence"
    assert f"written: {out.relative_to(folder) / 'evidence.csv'}\n" in done.stdout
    assert "a: in b:: 6 tags, 6 can be told, " in done.stdout
    first = first_of(out / "evidence.csv")
    assert {k[2:]: row["target"][2:] for k, row in first.items()} == {n: n for n in NAMES}
    assert all(row["for"] and row["fm"] and row["together"] for row in first.values())
    record = json.loads((out / "evidence.json").read_text())
    assert record["config"]["ridges"] == [2.5, 20.0]
    assert record["config"]["score"]["dimensions"] == 20


def test_vectors_of_two_machines_are_those_of_one(folder):
    """Which machine heard which track changes no digit."""
    with np.load(folder / "vectors.npz") as whole:
        for k in (0, 1):
            np.savez(folder / f"{k}.npz", ids=whole["ids"][k::2], vectors=whole["vectors"][k::2])
    for out, features in (("one", "vectors.npz"), ("two", "1.npz,0.npz")):
        given = f"--features={features}", f"--out={out}"
        succeed("evidence", *BOTH, *given, *QUICK, folder=folder)
    one, two = ((folder / out / "evidence.csv").read_bytes() for out in ("one", "two"))
    assert one == two


def test_common_tracks_alone(folder):
    succeed("evidence", *BOTH, "--out=alone", "--share_without=0.1", folder=folder)
    first = first_of(folder / "alone" / "evidence.csv")
    assert {k[2:]: row["target"][2:] for k, row in first.items()} == {n: n for n in NAMES}
    assert not any(row["for"] or row["fm"] or row["broad"] for row in first.values())
    record = json.loads((folder / "alone" / "evidence.json").read_text())
    assert record["pairs_of_systems"]["a:>b:"]["share_without_counterpart"] == 0.1


def test_a_run_is_the_newest_by_default(folder):
    done = succeed("evidence", *QUICK, folder=folder)
    assert "written: runs/mine/evidence/senses.csv\n" in done.stdout
    first = first_of(folder / "runs" / "mine" / "evidence" / "evidence.csv")
    assert {k[2:]: row["target"][2:] for k, row in first.items()} == {n: n for n in NAMES[:3]}


def test_help_names_the_choices(folder):
    said = succeed("evidence", "--help", folder=folder).stdout
    for text in (
        "--features",
        "--share_without",
        "--accept_fdr",
        "Default 5.0,20.0",
        "--shrinkage",
    ):
        assert text in said
    assert "python -m launch.evidence --run_dir=" in said


MISTAKES = {
    "accept_fdr=2.0: must be in [0, 1)": ["--accept_fdr=2", *BOTH],
    "flag --ridges=5,x: '5,x' is not like 5,0.5; see --help": ["--ridges=5,x"],
    "none.csv: no such file": ["--annotations=none.csv"],
    "none.npz: no such file": [*BOTH, "--features=none.npz"],
    "nan.csv:2: '' under 'y' is not a finite number": [*BOTH, "--features=nan.csv"],
    "--features: none of the 2 vectors is of an annotated track": [*BOTH, "--features=other.csv"],
    "the catalogues' prefixes are alike: a:,a:; see --prefix": [TABLES, "--prefix=a:,a:"],
    "--prefix=: 2 catalogues need as many prefixes (such as a:,b:)": [TABLES],
    "no tag has 999 tracks; see --least_tracks": [*BOTH, "--least_tracks=999"],
    "--features needs --annotations": ["--features=vectors.npz"],
    "--least_tracks needs --annotations": ["--least_tracks=2"],
    "--run_dir has no use beside --annotations; leave one out": [*BOTH, "--run_dir=runs/mine"],
    "none: no run is there; make one": ["--run_dir=none"],
    "no run in none suits this task": ["--runs_dir=none"],
    "unexpected argument 'a.csv'": ["a.csv"],
    # Said before any table is read.
    "--out=a.csv/deep: a.csv is not a folder; name": ["--annotations=none", "--out=a.csv/deep"],
    "--out=/proc/x: /proc cannot be written (": ["--annotations=none", "--out=/proc/x"],
}
EACH = """
import json, os, sys
from launch import evidence, program

for flags in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        sys.argv = ["evidence", *flags]
        try:
            program.run(evidence.main)
        except SystemExit as stop:
            sys.stderr.flush()
            os._exit(stop.code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_each_mistake_is_one_line_and_exit_code_2(folder):
    """All in one process, as the imports take the most time."""
    done = subprocess.run(
        [sys.executable, "-c", EACH, json.dumps(list(MISTAKES.values()))],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split() == ["2"] * len(MISTAKES)
    lines = done.stderr.splitlines()
    assert len(lines) == len(MISTAKES), done.stderr
    for line, expected in zip(lines, MISTAKES, strict=True):
        assert line.startswith(f"error: {expected}")
