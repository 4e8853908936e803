"""What is known beside the similarities, in lists, notes, JSON, text and report."""

import re

import numpy as np
import pytest

from tagjax import tasks
from tagjax.base import files
from tagjax.report import page, text
from tagjax.run import predictions
from tagjax.similarity import run as runs
from tagjax.similarity.matrix import Similarity
from tagjax.tasks.background import PAIRS
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = ("a:ska", "a:dub", "b:ska", "b:bop")
COUNTS = {tag: (10 + k, k) for k, tag in enumerate(TAGS)}
ROWS = 24


def similarity(seed=0):
    vectors = np.random.default_rng(seed).random((4, 6))
    matrix = np.round(vectors @ vectors.T / 3, 3)
    np.fill_diagonal(matrix, 1)
    return Similarity(TAGS, matrix)


def make_run(folder, labels=(), multi_label=True):
    """A run whose model knows every second label, and whose probabilities are else noise."""
    rng = np.random.default_rng(0)
    metadata = {"vocabulary": Vocabulary.of(TAGS, ("a:", "b:")).record()}
    files.write_json(
        folder / "config.json",
        {"dataset": "d/c", "metadata": metadata | {"multi_label": multi_label}},
    )
    np.save(folder / "fw_kernel.npy", rng.normal(size=(5, 4)).astype(np.float32))
    with predictions.writing(folder / "predictions", TAGS, ROWS, labels) as writer:
        for k in range(ROWS):
            label = k % 4 if k < 20 else 0
            row = np.full(4, 0.1, np.float32)
            row[label if k % 2 else (label + 1) % 4] = 0.7
            own = "|".join({TAGS[label], TAGS[(label + k) % 4]}) if multi_label else ""
            writer.add(row, (f"t{k}", TAGS[label], "test", f"r{k % 5}", "", own))
    return runs.load_run(folder)


@pytest.mark.parametrize("task", ["deduplication", "translation"])
def test_every_list_of_pairs_has_tracks_and_artists_of_both(task):
    both = {"fc": similarity(), "fdist": similarity(1)}
    truth = Truth(duplicates=(("a:ska", "a:dub"),))
    known = tasks.Background(counts=COUNTS)
    bare = tasks.evaluate(task, both, truth).results["fc"].lists()
    found = tasks.evaluate(task, both, truth, background=known).results["fc"].lists()
    assert found.keys() == bare.keys()
    pairs = found.keys() & PAIRS.keys()
    wanted = {"deduplication": {"suspected", "listed"}}
    wanted["translation"] = {"nearest", "same_name", "one_sided"}
    assert pairs == {"ranked", "errors", *wanted[task]}
    for kind, table in found.items():
        if kind not in pairs:
            assert table == bare[kind]
            continue
        columns = PAIRS[kind]
        more = [f"{column}_{what}" for column in columns for what in ("tracks", "artists")]
        assert table.header == (*bare[kind].header, *more)
        order = bare[kind].rows
        if kind == "suspected":  # Those of one artist come last.
            order = sorted(order, key=lambda row: any(COUNTS[tag][1] == 1 for tag in row[:2]))
        for row, before in zip(table.rows, order, strict=True):
            cells = dict(zip(table.header, row, strict=True))
            assert row[: len(before)] == before
            for column in columns:
                both_counts = (cells[f"{column}_tracks"], cells[f"{column}_artists"])
                assert both_counts == COUNTS[cells[column]]
    assert bare["ranked"].rows


def test_text_has_tracks_and_artists_beside_a_pair():
    known = tasks.Background(counts={**COUNTS, "a:ska": (10, None)})
    said = text.format_evaluation(
        tasks.evaluate("translation", {"fc": similarity()}, background=known)
    )
    row = next(line for line in said.splitlines() if re.match(r" *1  b:ska +a:ska ", line))
    assert row.split()[-4:] == ["12", "(2)", "10", "(?)"]
    said = text.format_evaluation(tasks.evaluate("translation", {"fc": similarity()}))
    assert "artists" not in said


def test_the_papers_table_may_stand_beside_pairs_with_counts():
    known = tasks.Background(counts=COUNTS)
    both = {"fc": similarity()}
    evaluation = tasks.evaluate("translation", both, printed=True, background=known)
    assert "in Table 4" in text.format_evaluation(evaluation)
    assert "Table 4 as printed" in page.render(evaluation)


def test_accuracy_stands_beside_chance_in_every_form(tmp_path):
    run = make_run(tmp_path)
    known = tasks.Background.of(run)
    evaluation = tasks.evaluate("translation", run.similarities(), background=known)
    accuracy = evaluation.record()["accuracy"]
    assert (accuracy["mean"], accuracy["n"], accuracy["chance"]) == (0.5, ROWS, 0.25)
    assert (accuracy["commonest"], accuracy["commonest_share"]) == ("a:ska", 9 / 24)
    wanted = (
        "Held-out accuracy: the first answer is the label of 50.0 ± 20.0 [31.4, 68.6] % of 24 "
        "excerpts; chance is 25.0 % for one of 4 tags at random, 37.5 % for always the commonest "
        "label, a:ska."
    )
    assert wanted in text.format_evaluation(evaluation).splitlines()
    assert f"<p>{wanted}</p>" in page.render(evaluation).partition("</header>")[0]
    of_a_folder = tasks.evaluate("translation", {"fc": similarity()})
    assert "accuracy" not in of_a_folder.record()
    assert "Held-out" not in text.format_evaluation(of_a_folder) + page.render(of_a_folder)


def test_untrained_tags_are_named_and_listed_with_what_they_had(tmp_path):
    counts = (np.array([9, 9, 0, 9]), np.array([3, 1, 0, 2]))
    run = make_run(tmp_path, [predictions.Labels(*counts)])
    known = tasks.Background.of(run)
    evaluation = tasks.evaluate("translation", run.similarities(), background=known)
    note, ridge = known.notes
    assert ridge.startswith("fr's ridge is the default, 5 tracks: no tag has enough artists")
    assert note.startswith(
        "2 of 4 tags have no direction in fw and fc, as too little was trained on: fewer than 1 "
        "excerpt labelled so (least_labels) or 2 artists (least_artists): a:dub, b:ska "
    )
    assert note in evaluation.notes
    assert f"Note: {note}" in text.format_evaluation(evaluation)
    for name in ("fw", "fc"):
        table = evaluation.results[name].tables["without_data"]
        assert table.header == ("tag", "trained_excerpts", "trained_artists")
        assert table.rows == (("a:dub", 9, 1), ("b:ska", 0, 0))
        assert {"b:ska"}.isdisjoint(
            row[0] for row in evaluation.results[name].tables["nearest"].rows
        )
    assert "without_data" not in evaluation.results["fm"].tables
    assert not [n for n in evaluation.notes if n.startswith("Tags without data")]  # Said once.
    folds = [predictions.Labels(*counts), predictions.Labels(counts[0], counts[1] + 1)]
    (tmp_path / "folds").mkdir()
    note, _ = tasks.Background.of(make_run(tmp_path / "folds", folds)).notes
    assert "or the fold's model that predicts their tracks has none: b:ska " in note


def test_labels_alone_are_said_to_be_that(tmp_path):
    run = make_run(tmp_path, multi_label=False)
    known = tasks.Background.of(run)
    evaluation = tasks.evaluate("translation", run.similarities(), background=known)
    assert list(evaluation.record()["embeddings"]) == ["fw", "fc", "fm", "fr"]
    note, _ = known.notes
    assert "fdist is not computed, and fm is single-label, the mean output over the" in note
    said = text.format_evaluation(evaluation)
    assert f"Note: {note}" in said
    assert re.search(r"^fm \(single-label\) +1 ", said, re.MULTILINE)
    assert "single-label: mean output over the excerpts labelled so" in page.render(evaluation)
    (tmp_path / "whole").mkdir()
    whole = make_run(tmp_path / "whole")
    known = tasks.Background.of(whole)
    said = text.format_evaluation(
        tasks.evaluate("translation", whole.similarities(), background=known)
    )
    assert [note for note in known.notes if not note.startswith("fr's ridge")] == []
    assert "single-label" not in said


def test_suspected_pairs_with_a_tag_of_one_artist_come_last():
    tags, near = ("a", "b", "c"), np.array([[1, 0.9, 0.2], [0.9, 1, 0.5], [0.2, 0.5, 1]])
    known = tasks.Background({"a": (9, 1), "b": (9, 3), "c": (9, 2)})
    result = tasks.evaluate(
        "deduplication", {"fc": Similarity(tags, near)}, background=known
    ).results["fc"]
    assert [row[:3] for row in result.tables["suspected"].rows] == [
        ("b", "c", 0.5),
        ("a", "b", 0.9),
        ("a", "c", 0.2),
    ]
