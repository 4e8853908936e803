"""All that an evaluation leaves on disk."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from tagjax import tasks
from tagjax.report import figures, page, results
from tagjax.similarity import tables
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.truth import Truth

TAGS = ("punk", "emo", "house", "techno", "genre:rock", "genre:electronic", "mumu:punk", "mumu:edm")


@pytest.fixture(scope="module")
def similarities():
    """fw, fc and fdist of eight tags; fdist knows nothing of emo."""
    rng, found = np.random.default_rng(0), {}
    for name in ("fw", "fc", "fdist"):
        vectors = rng.normal(size=(20, 8)) / 3
        vectors[:, [0, 1, 4, 6]] += rng.normal(size=(20, 1))
        vectors[:, [2, 3, 5, 7]] += rng.normal(size=(20, 1))
        vectors /= np.linalg.norm(vectors, axis=0)
        matrix = np.clip(vectors.T @ vectors, -1, 1)
        if name == "fdist":
            matrix[1] = matrix[:, 1] = np.nan
        found[name] = Similarity(TAGS, (matrix + matrix.T) / 2)
    return found


@pytest.fixture
def undrawn(monkeypatch):
    monkeypatch.setattr(results, "_draw", lambda *arguments: [])


def test_everything_is_written_and_named(similarities, tmp_path):
    evaluation = tasks.evaluate("translation", similarities)
    source = tmp_path / "in"
    out = tmp_path / "out"
    paths = results.write_evaluation(out, evaluation, source, mapped=("fw", "fdist"))
    written = {path.name for path in out.iterdir()}
    kinds = ("ranked", "errors", "nearest", "same_name", "without_translation")
    expected = {f"{name}_{kind}.csv" for name in similarities for kind in kinds}
    expected |= {"fw_one_sided.csv", "fc_one_sided.csv", "fdist_without_data.csv"}
    drawn = ["report.html"]
    for stem in ("fw_fdist_map", "fc_heat_map"):
        drawn += [f"{stem}.png", f"{stem}.svg"]
    assert [path.name for path in paths] == [*drawn, "metrics.json"]
    assert written == {*expected, *drawn, "metrics.json"}
    metrics = json.loads((out / "metrics.json").read_text())
    assert (out / metrics.pop("source")).resolve() == source
    assert set(metrics.pop("files")) == written - {"metrics.json"}
    assert metrics == evaluation.record()
    assert "Tags without data in fdist, 1: emo." in (out / "report.html").read_text()
    assert "fdist (1 tags without data)" in (out / "fw_fdist_map.svg").read_text()


def test_lists_are_what_was_found(similarities, tmp_path):
    evaluation = tasks.evaluate("taxonomy", similarities, Truth(Taxonomy.of([("Emo", "Rock")])))
    paths = results.write_results(tmp_path / "out", evaluation)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {p.name for p in paths.values()}
    assert json.loads(paths["metrics"].read_text()) == evaluation.record()
    for name, result in evaluation.results.items():
        for kind in result.lists():
            frames = (pd.read_csv(paths[f"{name}_{kind}"]), result.to_frame(kind))
            got, expected = (frame.astype(object).where(frame.notna(), None) for frame in frames)
            pd.testing.assert_frame_equal(got, expected)


def test_similarities_and_embeddings_of_a_run_are_written(similarities, tmp_path, undrawn):
    evaluation = tasks.evaluate("taxonomy", similarities)
    vectors = np.arange(16.0).reshape(2, 8)
    results.write_evaluation(tmp_path, evaluation, embedding=lambda name: vectors)
    found = tables.read_similarities(tmp_path)
    assert list(found) == list(similarities)
    np.testing.assert_array_equal(found["fc"].matrix, similarities["fc"].matrix)
    tags, got = tables.read_embedding(tables.embedding_path(tmp_path, "fw"))
    assert tags == TAGS
    np.testing.assert_array_equal(got, vectors)
    files = json.loads((tmp_path / "metrics.json").read_text())["files"]
    assert {"fw_tag_embedding.csv", "fdist_tag_similarity.csv"} <= set(files)


def test_one_map_is_of_the_first_there_is(similarities, tmp_path):
    evaluation = tasks.evaluate("taxonomy", {"fc": similarities["fc"]})
    results.write_evaluation(tmp_path, evaluation)
    assert (tmp_path / "fc_map.png").exists()


def test_what_an_earlier_evaluation_left_is_replaced(similarities, tmp_path):
    out = tmp_path / "out"
    every = tasks.evaluate("taxonomy", similarities)
    less = tasks.evaluate("taxonomy", {"fc": similarities["fc"]})
    results.write_evaluation(out, every, tmp_path / "every", mapped=("fw", "fdist"))
    for name in ("fc_mine.csv", "notes.txt", "fm_tag_similarity.csv"):  # of the user
        (out / name).write_text("kept")
    with pytest.warns(UserWarning, match=f"results of {tmp_path / 'every'} there are replaced"):
        results.write_evaluation(out, less, tmp_path / "less")
    kept = {"fc_mine.csv", "notes.txt", "fm_tag_similarity.csv"}
    record = json.loads((out / "metrics.json").read_text())
    assert list(record["embeddings"]) == ["fc"]
    assert {path.name for path in out.iterdir()} == kept | {"metrics.json"} | set(record["files"])
    assert not [name for name in record["files"] if name.startswith(("fw", "fdist"))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results.write_evaluation(out, less, tmp_path / "less")


@pytest.mark.parametrize("files", [["../less/x.csv", "fc_tag_similarity.csv", 3], 7])
def test_nothing_but_own_files_is_removed(similarities, tmp_path, files, undrawn):
    for name in ("less/x.csv", "out/fc_tag_similarity.csv"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("kept")
    (tmp_path / "out" / "metrics.json").write_text(json.dumps({"files": files, "source": "."}))
    evaluation = tasks.evaluate("taxonomy", similarities)
    results.write_evaluation(tmp_path / "out", evaluation, tmp_path / "out")
    for name in ("less/x.csv", "out/fc_tag_similarity.csv"):
        assert (tmp_path / name).read_text() == "kept"


def test_too_many_tags_are_not_drawn(tmp_path):
    tags = tuple(f"t{i // 2}_{i % 2 + 1}" for i in range(2010))
    similarities = {"fw": Similarity(tags, np.eye(len(tags)))}
    evaluation = tasks.evaluate("deduplication", similarities, config=tasks.TaskConfig(listed=1))
    results.write_evaluation(tmp_path, evaluation)
    assert not list(tmp_path.glob("*map*"))
    assert (tmp_path / "report.html").exists()
    assert results.not_drawn(evaluation) == [
        "no map: it would be illegible with 2010 tags, more than 2000",
        "no heat map: it would be illegible with 2010 tags, more than 800",
    ]


def test_progress_says_what_is_drawn(similarities, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "layout", lambda *arguments: np.zeros((8, 2)))
    monkeypatch.setattr(page, "render", lambda *arguments: "")
    seen = []

    def progress(items, what, total):
        seen.append((what, list(items), total))
        return items

    evaluation = tasks.evaluate("taxonomy", similarities)
    results.write_evaluation(tmp_path, evaluation, progress=progress)
    assert seen == [
        ("draw", ["fw", "fc", "fdist"], 3),
        ("write", ["map", "heat map", "report"], 3),
    ]
