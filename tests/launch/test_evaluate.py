"""The program on folders of similarities: where results go, and what is refused."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from running import ROOT, mistake, succeed

from tagjax.base import files
from tagjax.run import predictions
from tagjax.similarity.matrix import Similarity
from tagjax.similarity.tables import similarity_path, write_similarity
from tagjax.tasks import paper
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = ("ska_1", "ska_2", "dub_1", "dub_2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluate")
    for name in ("deduplication", "mine"):
        path = similarity_path(root / "data" / name, "fc")
        write_similarity(path, Similarity(TAGS, np.kron(np.eye(2), np.ones((2, 2)))))
    return root


@pytest.mark.parametrize(
    ("given", "out"),
    [("data/deduplication", "deduplication"), ("data/mine/../mine/", "mine/deduplication")],
)
def test_results_of_a_folder_are_under_its_name(folder, given, out):
    flags = ["--task=deduplication", f"--similarity_dir={given}", "--map=fc"]
    done = succeed("evaluate", *flags, folder=folder)
    assert "100.0 ± 0.0" in done.stdout
    found = {path.name for path in (folder / "results" / out).iterdir()}
    assert {"metrics.json", "fc_map.png", "fc_map.svg", "report.html"} <= found


COLON = ("genre:Classical", "genre:Jazz", "Classical: Opera", "Classical: Lied", "Jazz: Bop")
COLON += ("Jazz: Cool", "Swing")


@pytest.fixture(scope="module")
def colon(tmp_path_factory):
    """Tags with a colon in their names, as a folder of similarities and as runs; a taxonomy."""
    root = tmp_path_factory.mktemp("colon")
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(8, 7)).astype(np.float32)
    near = kernel / np.linalg.norm(kernel, axis=0)
    matrix = near.T.astype(np.float64) @ near
    write_similarity(similarity_path(root / "sim", "fw"), Similarity(COLON, matrix))
    recorded = {"vocabulary": Vocabulary.of(COLON).record()}
    for name, metadata in (("new", recorded), ("old", {"systems": [""], "truth": {}})):
        folder = root / name
        folder.mkdir()
        record = {"dataset": "catalogue_split/colon", "metadata": metadata}
        files.write_json(folder / "config.json", record)
        np.save(folder / "fw_kernel.npy", kernel)
        with predictions.writing(folder / "predictions", COLON, 21) as writer:
            for k in range(21):
                row = rng.dirichlet(np.ones(7)).astype(np.float32)
                writer.add(row, (str(k), COLON[k % 7], "test", str(k), "", COLON[k % 7]))
    pairs = [(tag, "genre:" + tag.split(":")[0]) for tag in COLON[2:6]] + [(COLON[6], COLON[1])]
    lines = [f"{style},{genre}" for style, genre in pairs]
    (root / "tax.csv").write_text("\n".join(["style,genre", *lines]) + "\n")
    return root


UNDRAWN = """
from launch import evaluate, program
from tagjax.report import results

results._draw = lambda *arguments: []
program.run(evaluate.main)
"""


def evaluate(folder, *arguments):
    """What the program prints and the record it writes into `out`; figures take seconds."""
    done = subprocess.run(
        [sys.executable, "-c", UNDRAWN, "--out=out", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads((folder / "out" / "metrics.json").read_text())


TAXONOMY = ("--task=taxonomy", "--taxonomy=tax.csv")


def test_a_guess_is_said_aloud_and_overruled(colon):
    said, record = evaluate(colon, *TAXONOMY, "--similarity_dir=sim")
    guess = (
        "The files do not name their tag systems; taken from the tags: '' (3 tags), "
        "'Classical:' (2 tags), 'Jazz:' (2 tags); --systems= overrules."
    )
    assert f"Note: {guess}\n" in said
    assert record["notes"][0] == guess
    said, record = evaluate(colon, *TAXONOMY, "--similarity_dir=sim", "--systems=")
    assert "taken from the tags" not in said
    assert record["embeddings"]["fw"]["hr@1"]["n"] == 5
    assert record["systems"] == {}


@pytest.mark.parametrize("run", ["new", "old"])
def test_what_a_run_recorded_is_believed(colon, run):
    said, record = evaluate(colon, *TAXONOMY, f"--run_dir={run}")
    assert "taken from the tags" not in said
    queries = {name: one["hr@1"]["n"] for name, one in record["embeddings"].items()}
    assert queries == {"fw": 5, "fc": 5, "fm": 5, "fr": 5, "fdist": 5}
    _, record = evaluate(colon, *TAXONOMY, f"--run_dir={run}", "--systems=,Jazz:")
    assert list(record["systems"]["fc"]) == ["", "Jazz:"]


def test_a_run_of_labels_alone_has_no_fdist(colon):
    config = files.read_json(colon / "new" / "config.json")
    config["metadata"]["multi_label"] = False
    (colon / "alone").mkdir()
    files.write_json(colon / "alone" / "config.json", config)
    for name in ("predictions", "fw_kernel.npy"):
        (colon / "alone" / name).symlink_to(colon / "new" / name)
    said, record = evaluate(colon, *TAXONOMY, "--run_dir=alone")
    assert list(record["embeddings"]) == ["fw", "fc", "fm", "fr"]
    assert "fm (single-label)" in said
    assert record["accuracy"]["n"] == 21
    assert not list((colon / "out").glob("fdist_*"))
    flags = [*TAXONOMY, "--run_dir=alone", "--fdist_of=all"]
    assert "--fdist_of has no use" in mistake("evaluate", *flags, folder=colon)


def test_what_counts_as_trained_is_a_choice(colon):
    shutil.copytree(colon / "new", colon / "trained")
    rows = [f"0,{tag},{k},{k}" for k, tag in enumerate(COLON)]
    table = "\n".join(["model,tag,excerpts,artists", *rows]) + "\n"
    (colon / "trained" / "predictions" / "labels.csv").write_text(table)
    for flags, tags in (([], COLON[:2]), (["--least_labels=4"], COLON[:4])):
        _, record = evaluate(colon, *TAXONOMY, "--run_dir=trained", *flags)
        lines = (colon / "out" / "fc_without_data.csv").read_text("utf-8-sig").splitlines()
        assert lines == ["tag,trained_excerpts,trained_artists"] + [
            f"{tag},{k},{k}" for k, tag in enumerate(tags)
        ]
        assert f"{len(tags)} of 7 tags have no direction" in record["notes"][0]
    flags = [*TAXONOMY, "--run_dir=trained", "--least_artists=0", "--least_labels=0"]
    _, record = evaluate(colon, *flags)
    assert not (colon / "out" / "fc_without_data.csv").exists()


def test_the_case_of_the_shared_folder(shared, tmp_path):
    cases = shared / "cases" / "sim"
    flags = [f"--taxonomy={cases / 'colon_tax.csv'}", f"--similarity_dir={cases / 'colon'}"]
    _, record = evaluate(tmp_path, *flags, "--systems=")
    assert record["embeddings"]["fc"]["hr@1"]["n"] == 5


def test_the_papers_figures_are_of_the_release_alone(release, folder, tmp_path):
    task, printed = "--task=deduplication", str(paper.TABLE_3["fc"]["hr@1"])
    for flags, beside in (
        ([f"--similarity_dir={release}/deduplication"], True),
        ([f"--similarity_dir={release}/deduplication", "--nopaper"], False),
        ([f"--similarity_dir={folder}/data/mine"], False),
        ([f"--similarity_dir={folder}/data/mine", "--paper"], True),
    ):
        assert (printed in evaluate(tmp_path, task, *flags)[0]) is beside


@pytest.mark.parametrize(
    ("task", "table"),
    [
        ("taxonomy", "style,genre\nfoo,bar\n"),
        ("deduplication", "tag,duplicate\na,b\n"),
    ],
)
def test_truth_in_vain_is_refused_before_anything_is_written(folder, task, table):
    flag = {"taxonomy": "taxonomy", "deduplication": "duplicates"}[task]
    (folder / "vain.csv").write_text(table)
    flags = [f"--task={task}", "--similarity_dir=data/mine", f"--{flag}=vain.csv", "--out=vain"]
    assert "vain.csv: says nothing of the 4 tags" in mistake("evaluate", *flags, folder=folder)
    assert not (folder / "vain").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--similarity_dir=data"], "name one of the folders in it: deduplication, mine"),
        (["--similarity_dir=data/mine", "--map=fx"], "--map=fx: unknown; choose from fw, fc,"),
        (["--similarity_dir=data/mine", "--map=fw"], "no 'fw' to map; there is fc"),
        (["--similarity_dir=data/mine", "--translation=t.csv"], "--translation has no use"),
        (["--similarity_dir=data/mine", "--listed=0"], "listed=0: must be at least 1"),
        (["--similarity_dir=data/mine", "--run_dir=x"], "--run_dir has no use beside"),
        (["--similarity_dir=data/mine", "--least_labels=0"], "--least_labels has no use beside"),
        (["--run_dir=x", "--least_artists=-1"], "least_artists=-1: must be at least 0"),
        (["--similarity_dir=data/mine", "--systems=a:"], "'ska_1' is of none of the tag systems a"),
    ],
)
def test_a_mistake_is_one_line(folder, arguments, message):
    assert message in mistake("evaluate", "--task=deduplication", *arguments, folder=folder)
