"""An evaluation as text."""

import numpy as np
import pytest

from tagjax import tasks
from tagjax.report import text
from tagjax.similarity import tables
from tagjax.similarity.matrix import Similarity
from tagjax.tasks import paper
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary


@pytest.fixture
def similarities():
    near = np.eye(5)
    near[0, 3] = near[3, 0] = near[1, 3] = near[3, 1] = 0.9
    tags = ("ska", "house", "klezmer", "genre:rock", "genre:electronic")
    return {"fw": Similarity(tags, near), "fx": Similarity(tags, np.eye(5))}


TRUTH = Truth(Taxonomy.of([("Ska", "Rock"), ("House", "Electronic")]))


def test_text_is_in_percent(similarities):
    said = text.format_evaluation(tasks.evaluate("taxonomy", similarities, TRUTH))
    row = next(line for line in said.splitlines() if line.startswith("fw"))
    assert "  50.0 ± 69.3 [9.5, 90.5]  100.0 ± 0.0 [34.2, 100.0]  " in row
    assert row.endswith("75.0 ± 34.6  75.0 ± 34.6")
    assert "Note: Styles without genre in the taxonomy, left out (1): klezmer." in said


def test_printed_figures_stand_below_ours(similarities):
    evaluation = tasks.evaluate("taxonomy", similarities, TRUTH, printed=True)
    lines = text.format_evaluation(evaluation).splitlines()
    below = lines[next(i for i, line in enumerate(lines) if line.startswith("fw")) + 1]
    printed = " ".join(below.split("Table 2")[1].split())
    assert printed == "85.1 ± 4.6 91.9 ± 3.5 90.6 ± 2.9 -"
    assert sum(line.startswith("  Table 2") for line in lines) == 1  # the paper has no fx
    assert lines[-1] == f"Note: {paper.NOTES['taxonomy'][-1]}"


def test_no_query_prints_a_dash():
    similarities = {"fw": Similarity(("a", "b"), np.eye(2))}
    evaluation = tasks.evaluate("deduplication", similarities)
    assert evaluation.record()["embeddings"]["fw"]["map"]["mean"] is None
    assert " - " in text.format_evaluation(evaluation)


def test_both_forms_of_several_catalogues_are_told():
    tags = [f"{system}:{tag}_{half}" for system in "ab" for tag in "xy" for half in (1, 2)]
    matrix = np.kron(np.ones((2, 2)), np.kron(np.eye(2), np.ones((2, 2))))
    said = text.format_evaluation(
        tasks.evaluate("deduplication", {"fc": Similarity(tags, matrix)})
    ).splitlines()
    rows = {line[:18].rstrip(): line[18:].split()[:2] for line in said if line.startswith("fc")}
    assert rows == {
        "fc": ["8", "100.0"],
        "fc a:": ["4", "100.0"],
        "fc b:": ["4", "100.0"],
        "fc among all tags": ["8", "0.0"],
    }


def test_pairs_of_a_translation():
    tags = ("bop", "dub", "mumu:bebop", "mumu:dub")
    near = np.array([[1, 0, 0.9, 0.1], [0, 1, 0.2, 0.7], [0.9, 0.2, 1, 0], [0.1, 0.7, 0, 1]])
    similarities = {name: Similarity(tags, near) for name in ("fw", "fc", "fdist")}
    said = text.format_evaluation(tasks.evaluate("translation", similarities))
    lines = [line.split() for line in said.splitlines()]
    assert lines.count(["1", "mumu:bebop", "bop", "0.900"]) == 2
    assert ["1", "mumu:dub", "dub", "0.700"] in lines
    assert "nearest by fc" in said
    assert "nearest by fdist" in said
    assert "nearest by fw" not in said
    assert "same name, least similar by fc" in said
    assert "Table 4" not in said


def test_a_tag_of_many_letters_is_cut_in_a_table():
    tags = Vocabulary.of(("long " * 400, "mumu:long"), ("", "mumu:"))
    similarity = Similarity(tags, np.array([[1, 0.5], [0.5, 1]]))
    said = text.format_evaluation(tasks.evaluate("translation", {"fc": similarity}))
    (line,) = [line for line in said.splitlines() if line.endswith("0.500")]
    assert "…" in line
    assert len(line) < 120


def test_rows_are_columns_under_their_headings():
    lines = text.align([["task", "n"], ["fw", "123"], ["longer", "4"]])
    assert lines == ["task      n", "-----------", "fw      123", "longer    4"]


def test_the_authors_release_is_printed_beside_the_paper(release):
    similarities = tables.read_similarities(release / "taxonomy_learning")
    said = text.format_evaluation(tasks.evaluate("taxonomy", similarities, printed=True))
    lines = said.splitlines()
    for name, figures in paper.TABLE_2.items():
        below = lines[next(i for i, line in enumerate(lines) if line.split()[0] == name) + 1]
        printed = " ".join([*(str(figures[key]) for key in ("hr@1", "hr@2", "map")), "-"])
        assert below.split("Table 2")[1].split() == printed.split()
    assert all(f"Note: {note}" in said for note in paper.NOTES["taxonomy"])
    similarities = tables.read_similarities(release / "mumu_discogs_translation")
    said = text.format_evaluation(tasks.evaluate("translation", similarities, printed=True))
    table = said.split("nearest by fc")[1].splitlines()[2:12]
    places = {line.split("  ")[-1].strip(): line for line in table}
    assert "mumu:bebop" in places["1"]
    assert "pop punk" in places["6"]
    unprinted = [line for line in table if line.endswith(" -")]
    others = ("alternative rock", "brit pop", "chicago blues")  # RELEASE.md names them
    assert len(unprinted) == 3
    for line, other in zip(unprinted, others, strict=True):
        assert other in line
    table = said.split("nearest by fdist")[1].splitlines()[2:12]
    assert [line.split()[-1] for line in table] == [str(place) for place in range(1, 11)]


def test_a_vocabulary_of_one_system_has_no_parts(similarities):
    (result, _) = tasks.evaluate("taxonomy", similarities, TRUTH).results.values()
    assert list(text.parts_of(result)) == [""]
    tags = Vocabulary.of(("ska", "x:ska"), ("", "x:"))
    result = tasks.deduplicate(Similarity(tags, np.eye(2)))
    assert list(text.parts_of(result)) == ["", "(no prefix)", "x:", "among all tags"]


def test_suspected_duplicates_are_printed_where_nobody_knows_any():
    near = np.eye(3)
    near[0, 1] = near[1, 0] = 0.9
    similarity = Similarity(("bossa nova", "bossanova", "ska"), near)
    known = tasks.Background(counts={"bossa nova": (7, 3), "bossanova": (5, 2), "ska": (4, 4)})
    evaluation = tasks.evaluate("deduplication", {"fc": similarity}, background=known)
    lines = text.format_evaluation(evaluation).splitlines()
    place = next(i for i, line in enumerate(lines) if "suspected duplicates by fc" in line)
    assert lines[place + 2].split() == [
        "1",
        "bossa",
        "nova",
        "bossanova",
        "0.900",
        "7",
        "(3)",
        "5",
        "(2)",
    ]
