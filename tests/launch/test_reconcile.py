"""`launch.reconcile` as a user runs it."""

import csv
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
from evident import NAMES, catalogues, write_run
from running import ROOT, mistake, succeed

from tagjax.base.tables import write_table
from tagjax.reconcile.people import VERDICTS, path_of
from tagjax.reconcile.sssom import read_mappings

BOTH = ("--annotations=a.csv,b.csv", "--prefix=a:,b:")
QUICK = ("--splits=1", "--ridges=2.5,20", "--score_ridges=5", "--dimensions=20")
SMALL = (
    "--folds=2", "--max_epochs=1", "--trained_tags=3", "--tag_artists=2", "--seg_duration=3",
)  # fmt: skip


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Two catalogues with vectors by track; `dub` is spelt in two ways in the first one."""
    root = tmp_path_factory.mktemp("reconcile")
    given, (ids, vectors) = catalogues(shared=40)
    for name, catalogue in zip("ab", given, strict=True):
        tags = list(catalogue.tags)
        if name == "a":
            tags = [
                tuple("Dub" if tag == "dub" and k % 5 == 0 else tag for tag in own)
                for k, own in enumerate(tags)
            ]
        columns = catalogue.track_id, catalogue.artist_id, catalogue.album_id
        rows = zip(*columns, map("|".join, tags), strict=True)
        write_table(root / f"{name}.csv", ("track_id", "artist_id", "album_id", "tags"), rows)
    np.savez(root / "vectors.npz", ids=ids, vectors=vectors)
    return root


def test_two_catalogues_with_vectors_become_decisions(tables):
    done = succeed("reconcile", *BOTH, "--features=vectors.npz", *QUICK, folder=tables)
    out = tables / "reconciliation" / "a+b"
    rows = {row["tag"]: row for row in table(out / "vocabulary.csv")}
    assert rows["a:Dub"]["canonical"] == "a:dub"
    found = {tag[2:]: rows[tag]["counterpart"][2:] for tag in rows if tag[2:] in NAMES}
    assert found == {name: name for name in NAMES}
    for name in ("vocabulary.ttl", "beets/a/config.yaml", "picard/b/tagger_script.txt",
                 "evidence/evidence.csv", "report.html", "reconciliation.json"):  # fmt: skip
        assert (out / name).is_file(), name
    assert "13 tags in 2 catalogues." in done.stdout
    assert "1 merged: a:Dub into a:dub." in done.stdout
    assert f"see: {out.relative_to(tables) / 'report.html'}" in done.stdout


def test_decisions_apply_to_the_table_they_came_from(tables):
    succeed("reconcile", *BOTH, "--out=applied", folder=tables)
    arguments = ("--decisions=applied", "--annotations=a.csv", "--prefix=a:", "--out=new.csv")
    succeed("apply", *arguments, folder=tables)
    tags = {tag for row in table(tables / "new.csv") for tag in row["tags"].split("|")}
    assert tags == {*NAMES}


def test_what_people_write_is_kept_and_heeded(tables):
    out = tables / "kept"
    words = (*BOTH, "--out=kept")
    succeed("reconcile", *words, folder=tables)
    rows = (out / "predictions.sssom.tsv").read_text().splitlines(keepends=True)
    head = [row for row in rows if row.startswith("#") or row.startswith("subject_id")]
    moved = [row for row in rows if "\ta:Dub\t" in row and "\ta:dub\t" in row]
    assert moved
    path_of(out, "negative").write_text("".join([*head, *moved]))
    before = {verdict: path_of(out, verdict).read_bytes() for verdict in VERDICTS}
    succeed("reconcile", *words, folder=tables)
    assert {verdict: path_of(out, verdict).read_bytes() for verdict in VERDICTS} == before
    rows = {row["tag"]: row["canonical"] for row in table(out / "vocabulary.csv")}
    assert (rows["a:Dub"], rows["a:dub"]) == ("a:Dub", "a:dub")
    left = read_mappings(out / "predictions.sssom.tsv").rows
    pairs = [{row.cell("subject_label"), row.cell("object_label")} for row in left]
    assert {"a:Dub", "a:dub"} not in pairs


def test_a_finished_run(tmp_path):
    write_run(tmp_path / "run")
    done = succeed("reconcile", "--run_dir=run", *QUICK, folder=tmp_path)
    assert "results: run/reconciliation\n" in done.stdout
    rows = table(tmp_path / "run" / "reconciliation" / "vocabulary.csv")
    assert [row["tag"] for row in rows] == [f"{s}:{n}" for s in "ab" for n in NAMES[:3]]


def test_a_dry_run_writes_nothing(tables):
    before = sorted(tables.rglob("*"))
    done = succeed("reconcile", *BOTH, "--out=nowhere", "--dry_run", folder=tables)
    assert "results: nowhere\n" in done.stdout
    assert sorted(tables.rglob("*")) == before


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """A folder of tones, whose genre is in each file."""
    root = tmp_path_factory.mktemp("library")
    (root / "music").mkdir()
    rng = np.random.default_rng(0)
    for k in range(24):
        kind = k % 3
        tone = np.sin(2 * np.pi * (200, 1000, 5000)[kind] * np.arange(4 * 22050) / 22050)
        path = root / "music" / f"t{k:02}.flac"
        soundfile.write(path, 0.3 * tone + rng.normal(0, 0.01, len(tone)), 22050)
        import mutagen

        file = mutagen.File(path)
        low = "Low" if k < 12 else "low"
        file["genre"] = [(low, "Middle", "High")[kind]] + ["2004"] * (k == 1)
        file["artist"] = [f"artist {k // 2}"]
        file.save()
    return root


def test_a_library_too_small_to_train_on_goes_by_spelling(music):
    done = succeed("reconcile", "--library=music", folder=music)
    assert "too small to train on: 2 tags have 5 artists or more, and 10 are needed" in done.stdout
    out = music / "reconciliation" / "music"
    rows = {row["tag"]: row["canonical"] for row in table(out / "vocabulary.csv")}
    assert {rows["low"], rows["Low"]} in ({"low"}, {"Low"})
    assert [(row["tag"], row["why"]) for row in table(out / "blocked.csv")] == [("2004", "a year")]
    assert "next: python -m launch.apply --decisions=reconciliation/music" in done.stdout


def test_a_library_is_trained_on_once_and_again_when_it_grows(music):
    words = ("--library=music", "--out=out", *SMALL, *QUICK)
    plan = succeed("reconcile", *words, "--dry_run", folder=music).stdout
    assert "excerpts to decode" in plan
    assert "MB in data/tfds/catalogue_split/music-" in plan
    succeed("reconcile", *words, folder=music)
    rows = table(music / "out" / "evidence" / "evidence.csv")
    assert {row["source"] for row in rows} == {"Low", "low", "Middle", "High"}
    assert all("2004" not in row["source"] for row in rows)
    again = succeed("reconcile", *words, folder=music)
    assert ", trained already" in again.stdout
    assert "epoch" not in again.stderr
    shutil.copy(music / "music" / "t00.flac", music / "music" / "t99.flac")
    plan = succeed("reconcile", *words, "--dry_run", folder=music).stdout
    assert ", trained already" not in plan
    (music / "music" / "t99.flac").unlink()


def test_it_goes_on_after_a_kill(music):
    words = ["--library=music", "--out=killed", "--name=killed", *SMALL, *QUICK]
    command = [sys.executable, "-m", "launch.reconcile", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    runs = music / "runs" / "catalogue_split"
    with subprocess.Popen(command, cwd=music, env=environment, stderr=subprocess.DEVNULL) as killed:
        while killed.poll() is None and not [*runs.glob("killed-*")]:
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
    assert not (music / "killed" / "vocabulary.csv").exists()
    succeed("reconcile", *words, folder=music)
    assert len(table(music / "killed" / "vocabulary.csv")) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name --library, --annotations or --run_dir"),
        (("--library=gone",), "--library=gone: no such folder"),
        (("--library=.", "--run_dir=x"), "--library and --run_dir cannot be used together"),
        ((*BOTH, "--audio_dir=gone", "--tracks=t.csv"), "--audio_dir=gone: no such folder"),
        ((*BOTH, "--tracks=t.csv"), "--tracks and --audio_dir belong together"),
        (("--run_dir=nowhere",), "nowhere"),
        (("--run_dir=x", "--prefix=a:"), "--prefix needs --annotations"),
        ((*BOTH, "--taxonomy=t.csv"), "--taxonomy=t.csv: name one table for each of the 2"),
        ((*BOTH, "--out=a.csv"), "a.csv"),
        ((*BOTH, "--sure=2"), "sure=2.0: must be"),
    ],
)
def test_a_mistake_is_one_line(tables, words, said):
    assert said in mistake("reconcile", *words, folder=tables)


def test_decisions_on_other_tags_are_not_replaced(tables):
    succeed("reconcile", *BOTH, "--out=mine", folder=tables)
    line = mistake("reconcile", "--annotations=a.csv", "--out=mine", folder=tables)
    assert "mine: holds decisions on other tags" in line


def test_nonsense_of_people_names_its_line(tables):
    succeed("reconcile", *BOTH, "--out=nonsense", folder=tables)
    path = path_of(tables / "nonsense", "positive")
    path.write_text(path.read_text() + "one\ttwo\n")
    before = path.read_bytes()
    line = mistake("reconcile", *BOTH, "--out=nonsense", folder=tables)
    assert "positive.sssom.tsv:" in line
    assert path.read_bytes() == before


def test_senses_are_split_by_the_tables_that_were_written(tables):
    out = tables / "split"
    succeed("reconcile", *BOTH, "--out=split", folder=tables)
    rows = [(f"{s}:dub", f"{s}:dub (ska)", f"{s}r{k}") for s in "ab" for k in range(9)]
    write_table(out / "senses.csv", ("tag", "sense", "artist"), rows)
    words = ("--decisions=split", "--annotations=a.csv", "--prefix=a:", "--out=senses_a.csv")
    succeed("apply", *words, "--split_senses", folder=tables)
    tags = {tag for row in table(tables / "senses_a.csv") for tag in row["tags"].split("|")}
    assert tags == {*NAMES, "dub (ska)"}


def test_a_rejected_candidate_makes_way_for_the_next(tables):
    words = (*BOTH, "--features=vectors.npz", *QUICK, "--out=next")
    succeed("reconcile", *words, folder=tables)
    out = tables / "next"
    lines = (out / "predictions.sssom.tsv").read_text().splitlines(keepends=True)
    head = [line for line in lines if line.startswith("#") or line.startswith("subject_id")]
    moved = [line for line in lines if "\ta:emo\t" in line and "\tb:emo\t" in line]
    path_of(out, "negative").write_text("".join([*head, moved[0]]))
    succeed("reconcile", *words, folder=tables)
    found = {row["tag"]: row["counterpart"] for row in table(out / "vocabulary.csv")}
    assert found["a:emo"] not in ("b:emo", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--annotations=a.csv,b.csv", "--prefix=a:,a:"), "prefixes are alike"),
        ((*BOTH, "--features=gone.npz"), "--features=gone.npz: no such file"),
        ((*BOTH, "--taxonomy=strange.csv,"), "none of its names, such as 'a:nope', is a tag"),
    ],
)
def test_a_mistake_is_found_before_the_plan(tables, words, said):
    (tables / "strange.csv").write_text("style,genre\nnope,nada\n")
    assert said in mistake("reconcile", *words, folder=tables)


def test_people_cannot_make_a_circle_across_catalogues(tables):
    succeed("reconcile", *BOTH, "--out=circle", folder=tables)
    path = path_of(tables / "circle", "positive")
    below = (("a:dub", "b:ska"), ("b:ska", "a:emo"), ("a:emo", "a:dub"))
    columns = (
        "subject_id\tsubject_label\tpredicate_id\tobject_id\tobject_label\tmapping_justification\n"
    )
    rows = "".join(
        f"x:{k}\t{child}\tskos:broadMatch\tx:{k + 9}\t{parent}\tsemapv:ManualMappingCuration\n"
        for k, (child, parent) in enumerate(below)
    )
    path.write_text(columns + rows)
    line = mistake("reconcile", *BOTH, "--out=circle", folder=tables)
    assert "positive.sssom.tsv:2" in line
    assert "in a circle" in line
