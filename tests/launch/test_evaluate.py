"""The program on folders of similarities: where results go, and what is refused."""

import numpy as np
import pytest
from running import mistake, succeed

from tagjax.similarity.tables import Similarity, similarity_path, write_similarity

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
    assert "step" in done.stderr  # what it does is told
    assert done.stderr.endswith("\n")  # and ends its line, where no terminal clears it


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--similarity_dir=data"], "name one of the folders in it: deduplication, mine"),
        (["--similarity_dir=data/mine", "--map=fx"], "--map=fx: unknown; choose from fw, fc,"),
        (["--similarity_dir=data/mine", "--map=fw"], "no 'fw' to map; there is fc"),
        (["--similarity_dir=data/mine", "--translation=t.csv"], "--translation has no use"),
        (["--similarity_dir=data/mine", "--listed=0"], "listed=0: must be at least 1"),
        (["--similarity_dir=data/mine", "--run_dir=x"], "--run_dir has no use beside"),
    ],
)
def test_a_mistake_is_one_line(folder, arguments, message):
    assert message in mistake("evaluate", "--task=deduplication", *arguments, folder=folder)
