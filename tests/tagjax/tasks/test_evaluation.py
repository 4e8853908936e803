"""All that a task leaves on disk, from a folder of similarities."""

import json
import warnings

import numpy as np
import pytest

from tagjax import tasks
from tagjax.base.errors import InputError
from tagjax.similarity import tables
from tagjax.similarity.tables import Similarity
from tagjax.tasks import evaluation, paper

TAGS = ("punk", "emo", "house", "techno", "genre:rock", "genre:electronic", "mumu:punk", "mumu:edm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Similarities fw, fc and fdist of eight tags; fdist knows nothing of emo."""
    path = tmp_path_factory.mktemp("release")
    rng = np.random.default_rng(0)
    for name in ("fw", "fc", "fdist"):
        vectors = rng.normal(size=(20, 8)) / 3
        vectors[:, [0, 1, 4, 6]] += rng.normal(size=(20, 1))
        vectors[:, [2, 3, 5, 7]] += rng.normal(size=(20, 1))
        vectors /= np.linalg.norm(vectors, axis=0)
        matrix = np.clip(vectors.T @ vectors, -1, 1)
        if name == "fdist":
            matrix[1] = matrix[:, 1] = np.nan
        one = Similarity(TAGS, (matrix + matrix.T) / 2)
        tables.write_similarity(tables.similarity_path(path, name), one)
    return path


def evaluate(folder, task, out, truth=evaluation.Truth(), **options):  # noqa: B008 (frozen)
    said = []
    source = evaluation.from_folder(folder)
    results = evaluation.evaluate(task, source, truth, out, echo=said.append, **options)
    return results, "\n".join(said)


def test_everything_is_written_and_named(folder, tmp_path):
    results, said = evaluate(folder, "translation", tmp_path, mapped=("fw", "fdist"))
    assert list(results) == ["fw", "fc", "fdist"]
    written = {path.name for path in tmp_path.iterdir()}
    kinds = ("ranked", "errors", "nearest", "same_name", "without_translation")
    expected = {f"{name}_{kind}.csv" for name in results for kind in kinds}
    expected |= {"fw_one_sided.csv", "fc_one_sided.csv", "metrics.json", "report.html"}
    expected.add("fdist_without_data.csv")
    for stem in ("fw_fdist_map", "fc_heat_map"):
        expected |= {f"{stem}.png", f"{stem}.svg"}
        assert f"{stem}.png" in said
    assert written == expected
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (tmp_path / metrics.pop("source")).resolve() == folder
    assert set(metrics.pop("files")) == written - {"metrics.json"}
    assert metrics == tasks.to_json("translation", results)
    told = "Tags without data in fdist, 1: emo."
    assert told in said
    assert told in (tmp_path / "report.html").read_text()
    svg = (tmp_path / "fw_fdist_map.svg").read_text()
    assert "fdist (1 tags without data)" in svg
    # Table 4 of the best and of co-occurrence, and like names; nothing printed to compare with.
    nearest = results["fc"].tables["nearest"].rows[0]
    lines = [line.split() for line in said.splitlines()]
    assert ["1", *" ".join(nearest[:2]).split(), f"{nearest[2]:.3f}"] in lines
    assert "nearest by fdist" in said
    assert "nearest by fw" not in said
    assert "same name, least similar by fc" in said
    assert "Table 4" not in said


def test_one_map_is_of_the_first_there_is(folder, tmp_path):
    (tmp_path / "in").mkdir()
    name = "fc_tag_similarity.csv"
    (tmp_path / "in" / name).write_bytes((folder / name).read_bytes())
    evaluate(tmp_path / "in", "taxonomy", tmp_path / "out")
    assert (tmp_path / "out" / "fc_map.png").exists()


def test_what_an_earlier_evaluation_left_is_replaced(folder, tmp_path):
    out, less = tmp_path / "out", tmp_path / "less"
    evaluate(folder, "taxonomy", out, mapped=("fw", "fdist"))
    for name in ("fc_mine.csv", "notes.txt", "fm_tag_similarity.csv"):  # of the user
        (out / name).write_text("kept")
    less.mkdir()
    (less / "fc_tag_similarity.csv").write_bytes((folder / "fc_tag_similarity.csv").read_bytes())
    with pytest.warns(UserWarning, match=f"results of {folder} there are replaced"):
        evaluate(less, "taxonomy", out)
    kept = {"fc_mine.csv", "notes.txt", "fm_tag_similarity.csv"}
    record = json.loads((out / "metrics.json").read_text())
    assert list(record["embeddings"]) == ["fc"]
    assert {path.name for path in out.iterdir()} == kept | {"metrics.json"} | set(record["files"])
    assert not [name for name in record["files"] if name.startswith(("fw", "fdist"))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(less, "taxonomy", out)


@pytest.mark.parametrize("files", [["../less/x.csv", "fc_tag_similarity.csv", 3], 7])
def test_nothing_but_own_files_is_removed(folder, tmp_path, files, monkeypatch):
    monkeypatch.setattr(evaluation, "_draw", lambda *arguments: [])
    given = (folder / "fc_tag_similarity.csv").read_bytes()
    for name in ("less/x.csv", "out/fc_tag_similarity.csv"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(given)
    (tmp_path / "out" / "metrics.json").write_text(json.dumps({"files": files, "source": "."}))
    evaluate(tmp_path / "out", "taxonomy", tmp_path / "out")
    assert (tmp_path / "less/x.csv").exists()
    assert (tmp_path / "out/fc_tag_similarity.csv").read_bytes() == given


def test_too_many_tags_are_not_drawn(tmp_path):
    tags = tuple(f"t{i // 2}_{i % 2 + 1}" for i in range(2010))
    matrix = np.eye(len(tags), dtype=np.float64)
    source = evaluation.Source({"fw": Similarity(tags, matrix)})
    said = []
    config = tasks.Config(listed=1)
    evaluation.evaluate(
        "deduplication", source, evaluation.Truth(), tmp_path, config=config, echo=said.append
    )
    assert not list(tmp_path.glob("*map*"))
    assert (tmp_path / "report.html").exists()
    assert any("no map: 2010 tags" in line for line in said)
    assert any("no heat map: 2010 tags" in line for line in said)


def test_the_authors_release_is_printed_beside_the_paper(shared, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "_draw", lambda *arguments: [])
    release = shared / "release"
    _, said = evaluate(release / "taxonomy_learning", "taxonomy", tmp_path)
    lines = said.splitlines()
    for name, figures in paper.TABLE_2.items():
        below = lines[next(i for i, line in enumerate(lines) if line.split()[0] == name) + 1]
        assert (
            below.split("Table 2")[1].split()
            == " ".join([*(str(figures[key]) for key in ("hr@1", "hr@2", "map")), "-"]).split()
        )
    assert all(f"Note: {note}" in said for note in paper.NOTES["taxonomy"])
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert set(paper.NOTES["taxonomy"]) <= set(record["notes"])
    _, said = evaluate(release / "mumu_discogs_translation", "translation", tmp_path / "4")
    table = said.split("nearest by fc")[1].splitlines()[2:12]
    places = {line.split("  ")[-1].strip(): line for line in table}
    assert "mumu:bebop" in places["1"]
    assert "pop punk" in places["6"]
    unprinted = [line for line in table if line.endswith(" -")]
    assert len(unprinted) == 3  # RELEASE.md names them
    for line, other in zip(
        unprinted, ("alternative rock", "brit pop", "chicago blues"), strict=True
    ):
        assert other in line
    table = said.split("nearest by fdist")[1].splitlines()[2:12]
    assert [line.split()[-1] for line in table] == [str(place) for place in range(1, 11)]


@pytest.mark.parametrize(
    ("task", "kind", "text", "message"),
    [
        ("taxonomy", "taxonomy", "style,genre\nfoo,bar\n", "says nothing of the 8 tags"),
        ("taxonomy", "taxonomy", "style,genre\npunk,\n", ":2: empty genre"),
        ("translation", "translation", "source,target,relation\na,b,exact\n", "says nothing of"),
        ("deduplication", "duplicates", "tag,duplicate\na,b\n", "says nothing of the 8 tags"),
    ],
)
def test_truth_in_vain_is_refused_with_its_file(folder, tmp_path, task, kind, text, message):
    path = tmp_path / "given.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        evaluate(folder, task, tmp_path / "out", evaluation.Truth(**{kind: path}))
    assert str(caught.value).startswith(str(path))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"systems": ["a:", "b:"]}, "'punk' is of none of the tag systems a:,b:"),
        ({"systems": ["mumu:"]}, "'punk' is of none of the tag systems mumu:"),
        ({"mapped": ("fm",)}, "no 'fm' to map; there is fw, fc, fdist"),
    ],
)
def test_mistakes_are_one_line(folder, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        evaluate(folder, "translation", tmp_path / "out", **options)


def test_a_taxonomy_of_nothing_advises(tmp_path):
    source = evaluation.Source({"fc": Similarity(("a", "b"), np.eye(2))})
    with pytest.raises(InputError, match="--taxonomy=FILE"):
        evaluation.evaluate("taxonomy", source, evaluation.Truth(), tmp_path)
