"""Splits that lack something: defined results, or a clear refusal, in every embedding and task."""

import csv
import json
import math
import re
import warnings

import numpy as np
import pytest

from tagjax import tasks
from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.manifest.lists import Excerpts, Manifest
from tagjax.report import describe, description, results, text
from tagjax.run import predictions
from tagjax.similarity import embeddings
from tagjax.similarity import run as runs
from tagjax.similarity.matrix import Similarity
from tagjax.similarity.tables import read_similarity, similarity_path, write_similarity
from tagjax.vocabulary.truth import from_rows
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = (
    *("a:emo", "a:genre:electronic", "a:genre:rock", "a:house", "a:punk_1", "a:punk_2"),
    *("b:edm", "b:emo", "b:genre:rock", "b:house", "b:punk_1", "b:punk_2"),
)
N, ROWS = len(TAGS), 40
TRUTH = {
    "taxonomy": [["a:emo", "a:genre:rock"], ["a:house", "a:genre:electronic"]],
    "translation": [["b:emo", "a:emo", "exact"], ["b:house", "a:house", "exact"]],
}


def _whole(rng):
    """Probabilities, occurrences, kernel and labels of an ordinary split."""
    labels = np.arange(ROWS) % N
    occurrences = (rng.random((ROWS, N)) < 0.2).astype(np.uint8)
    occurrences[np.arange(ROWS), labels] = 1
    probabilities = rng.dirichlet(np.ones(N), ROWS).astype(np.float32)
    return probabilities, occurrences, rng.normal(size=(5, N)).astype(np.float32), labels


def _absent_tag(rng):
    """No test track has the first tag."""
    probabilities, occurrences, kernel, labels = _whole(rng)
    occurrences[:, 0] = 0
    labels[labels == 0] = 1
    occurrences[np.arange(ROWS), labels] = 1
    return probabilities, occurrences, kernel, labels


def _zero_columns(rng):
    """The first tag is never predicted, its weights are zero, and no track has it."""
    probabilities, occurrences, kernel, labels = _absent_tag(rng)
    probabilities[:, 0] = 0
    kernel[:, 0] = 0
    return probabilities, occurrences, kernel, labels


def _single_class(rng):
    """All tracks have the second tag and no other."""
    probabilities, occurrences, kernel, labels = _whole(rng)
    occurrences[:] = 0
    occurrences[:, 1] = 1
    return probabilities, occurrences, kernel, np.ones_like(labels)


def _constant(rng):
    """A network that learnt nothing: the same for every excerpt, and equal weights."""
    probabilities, occurrences, kernel, labels = _whole(rng)
    probabilities[:] = 1 / N
    kernel[:] = 1
    return probabilities, occurrences, kernel, labels


def _certain(rng):
    """A network that always says the third tag: all other columns are zero."""
    probabilities, occurrences, kernel, labels = _whole(rng)
    probabilities[:] = 0
    probabilities[:, 2] = 1
    return probabilities, occurrences, kernel, labels


CASES = {
    case.__name__.strip("_"): case
    for case in (_absent_tag, _zero_columns, _single_class, _constant, _certain)
}


def run_of(folder, made):
    """A finished run with these predictions."""
    probabilities, occurrences, kernel, labels = made
    metadata = {"experiment": "deduplication", "systems": ["a:", "b:"], "truth": TRUTH}
    files.write_json(folder / "config.json", {"dataset": "x", "metadata": metadata})
    np.save(folder / "fw_kernel.npy", kernel)
    with predictions.writing(folder / "predictions", TAGS, len(labels)) as writer:
        for row, own, label in zip(probabilities, occurrences, labels, strict=True):
            tags = "|".join(tag for tag, there in zip(TAGS, own, strict=True) if there)
            number = f"{len(writer.excerpts)}"
            writer.add(row, (number, TAGS[label], "test", f"r{number}", "", tags))
    return runs.load_run(folder)


def score(task, similarities, folder):
    """Results and lists alone, without figures."""
    evaluation = tasks.evaluate(task, similarities, from_rows(TRUTH))
    results.write_results(folder, evaluation)
    for name, one in similarities.items():
        write_similarity(similarity_path(folder, name), one)
    return evaluation


def visible(path):
    """The text of a page, tooltips too, without code, data and style."""
    page = re.sub(r"<(script|style)\b.*?</\1>", " ", path.read_text(), flags=re.DOTALL)
    return re.sub(r"<[^>]*>", " ", page)


@pytest.mark.parametrize("task", tasks.TASKS)
@pytest.mark.parametrize("case", CASES)
def test_every_embedding_and_task_is_defined_or_refused(case, task, tmp_path, trials):
    """Numbers are finite or absent; all lists, similarities, figures and the page are written."""
    drawn = trials((case, task) == ("certain", "translation"), True)  # Figures take seconds.
    (tmp_path / "run").mkdir()
    made = CASES[case](np.random.default_rng(0))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)  # No division by zero on the way.
        run = run_of(tmp_path / "run", made)
        similarities = run.similarities()
        for name, one in similarities.items():
            vectors = np.asarray(run.embedding(name), np.float64)
            assert np.isfinite(vectors).all()
            empty = ~vectors.any(axis=0)
            assert np.array_equal(np.isnan(np.diagonal(one.matrix)), empty), name
            assert np.isfinite(one.matrix[np.ix_(~empty, ~empty)]).all()
            assert (np.abs(one.matrix[np.ix_(~empty, ~empty)]) <= 1 + 1e-9).all()
        if drawn:
            evaluation = tasks.evaluate(task, similarities, run.truth)
            results.write_evaluation(
                tmp_path, evaluation, run.path, run.embedding, mapped=embeddings.NAMES
            )
        else:
            evaluation = score(task, similarities, tmp_path)
    assert list(evaluation.results) == list(embeddings.NAMES)
    for result in evaluation.results.values():
        for summary in result.metrics.values():
            assert (summary["mean"] is None) == (summary["n"] == 0)
            assert summary["mean"] is None or 0 <= summary["mean"] <= 1
    written = (tmp_path / "metrics.json").read_text()
    record = json.loads(written, parse_constant=pytest.fail)
    assert record.items() >= evaluation.record().items()
    for path in tmp_path.glob("f*_*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            cells = {cell.lower() for row in csv.reader(file) for cell in row}
        assert not cells & {"nan", "inf", "-inf"}, path.name
    for name, one in similarities.items():
        back = read_similarity(similarity_path(tmp_path, name))
        # Of a tag that is alone in having data, which is like nothing but itself, nothing is kept.
        alone = np.isfinite(one.matrix).sum() == 1
        np.testing.assert_array_equal(back.matrix, one.matrix * (np.nan if alone else 1))
    if not drawn:
        return
    assert "nan" not in text.format_evaluation(evaluation).lower().split()
    assert (tmp_path / "fw_fc_fm_fr_fdist_map.png").exists()
    shown = visible(tmp_path / "report.html")
    assert "b:emo" in shown
    assert not {"nan", "inf", "infinity"} & {*re.split(r"[^a-z]+", shown.lower())}


@pytest.mark.parametrize("task", tasks.TASKS)
def test_a_similarity_without_any_data_finds_nothing(task, tmp_path):
    """Every query that has a truth is a miss; the paper's own list begins with the tag itself."""
    vocabulary = Vocabulary.of(TAGS, ("a:", "b:"), halves=True)
    one = Similarity(vocabulary, np.full((N, N), np.nan))
    metrics = score(task, {"fc": one}, tmp_path).results["fc"].metrics
    assert metrics["hr@1"]["n"] > 0
    for name, summary in metrics.items():
        assert summary["mean"] == (0.5 if name == "map_self_included" else 0.0), name


def test_a_run_without_a_predicted_track_is_refused_or_has_no_data(tmp_path):
    made = _whole(np.random.default_rng(0))
    run = run_of(tmp_path, tuple(one[:1] if k != 2 else one for k, one in enumerate(made)))
    for one in run.similarities().values():
        assert not np.isinf(one.matrix).any()
    with pytest.raises(InputError, match="is among"):
        run.with_new_tags({"unknown": ("x",)})


@pytest.mark.parametrize(
    "labels",
    [("rock",) * 6, ("rock",), ("rock", "pop"), ("rock", "genre:rock", "rock", "genre:rock")],
    ids=["one tag", "one track", "two tags", "two levels"],
)
def test_a_split_of_a_single_class_is_described(tmp_path, labels, trials):
    if len(labels) > 2 and trials(True, False):
        pytest.skip("in the long form: figures take seconds")
    n = len(labels)
    ids = tuple(map(str, range(n)))
    both = tuple((label,) for label in labels)
    part = Excerpts(ids, labels, np.zeros(n), np.full(n, 30.0), ids, tags=both)
    parts = {"train": part, "test": Excerpts((), (), np.zeros(0), np.zeros(0), (), tags=())}
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        made = describe.describe(Manifest(parts, Vocabulary.of(sorted({*labels}))))
        paths = list(description.write_description(tmp_path, made, describe.genres(made), "Mine"))
    assert (tmp_path / "report.html") in paths
    for path in tmp_path.glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.reader(file):
                assert not {"nan", "inf", "-inf"} & {cell.lower() for cell in row}, path.name
    likeness = describe.likeness(made).matrix
    assert all(math.isnan(cell) or 0 <= cell <= 1 + 1e-12 for cell in likeness.flat)
