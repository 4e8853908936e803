"""From a messy library to decisions and a configuration of beets, by one command.

Its sound is of the rendered catalogues: TAGJAX_CORPUS names their folder. Without TAGJAX_BEETS,
beets is not asked.
"""

import csv
import json
import os
import pathlib
import subprocess

import decided
import pytest
from messy import make_messy_library
from running import succeed

from tagjax.reconcile.sssom import read_mappings

CORPUS = os.environ.get("TAGJAX_CORPUS", pathlib.Path(__file__).parents[3] / "shared/corpus")
RESOLVE = """
import json, sys
from beets import config
from beetsplug.lastgenre import LastGenrePlugin

config.read(user=False)
config.set_file(sys.argv[1])
plugin = LastGenrePlugin()
print(json.dumps([plugin._resolve_genres([name]) for name in json.load(sys.stdin)]))
"""


def table(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """(truth, folder of decisions, what was printed) of a library that nothing is trained on."""
    if not pathlib.Path(CORPUS, "annotations_a.csv").is_file():
        pytest.skip("needs the rendered catalogues: export TAGJAX_CORPUS=FOLDER")
    root = tmp_path_factory.mktemp("messy")
    truth = make_messy_library(CORPUS, root / "music", seed=3, albums=300)
    done = succeed("reconcile", "--library=music", "--trained_tags=1000", folder=root)
    return truth, root / "reconciliation" / "music", done.stdout


@pytest.fixture(scope="module")
def canonical(library):
    return {row["tag"]: row["canonical"] for row in table(library[1] / "vocabulary.csv")}


def test_the_planted_mess_is_there(library):
    truth, _, printed = library
    assert (len(truth.spelt), len(truth.junk), len(truth.doubtful)) >= (20, 5, 2)
    assert truth.untagged > 0
    assert f"{truth.untagged}: no genre" in printed


def test_every_planted_spelling_is_merged_and_nothing_else(library, canonical):
    truth = library[0]
    assert {*canonical} == truth.meaning.keys() | truth.junk
    assert [pair for pair in truth.spelt if len({canonical[tag] for tag in pair}) > 1] == []
    meaning = truth.meaning | {tag: tag for tag in truth.junk}
    assert [tag for tag in canonical if meaning[tag] != meaning[canonical[tag]]] == []


def test_what_may_be_the_same_is_put_up_for_review(library, canonical):
    truth, folder, _ = library
    rows = read_mappings(folder / "predictions.sssom.tsv").rows
    shown = {frozenset((row.cell("subject_label"), row.cell("object_label"))) for row in rows}
    assert shown.issuperset(truth.doubtful)
    assert [pair for pair in truth.doubtful if len({canonical[tag] for tag in pair}) < 2] == []


def test_what_is_below_another_is_so_in_the_catalogue(library, canonical):
    truth, folder, _ = library
    pairs = [
        (truth.meaning[row["tag"]], truth.meaning[parent])
        for row in table(folder / "vocabulary.csv")
        for parent in filter(None, row["parents"].split(" | "))
    ]
    assert len(pairs) > 30
    assert {*pairs} <= truth.below


def test_junk_is_proposed_to_be_dropped(library):
    truth, folder, _ = library
    assert {row["tag"] for row in table(folder / "blocked.csv")} == truth.junk


def test_beets_makes_of_each_genre_its_canonical_one(library, canonical, tmp_path):
    python = decided.python_of("TAGJAX_BEETS", "beets pylast pyyaml")
    truth, folder, _ = library
    done = subprocess.run(
        [python, "-c", RESOLVE, folder / "beets" / "config.yaml"],
        input=json.dumps([*canonical]),
        env={**os.environ, "BEETSDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    wanted = [[] if tag in truth.junk else [to.lower()] for tag, to in canonical.items()]
    assert json.loads(done.stdout) == wanted
