"""The printed tables, against the paper's text itself."""

import csv
import re

import pytest

from tagjax import tasks
from tagjax.tasks import paper

KEYS = {"HR@1": "hr@1", "HR@2": "hr@2", "MAP": "map"}


@pytest.fixture(scope="module")
def text(shared):
    return next((shared / "paper").glob("*.md")).read_text(encoding="utf-8")


def rows_before(text, caption):
    """The cells of the tab-separated table that a caption follows."""
    block = text[: text.index(caption)].rstrip().rsplit("\n\n", 2)
    lines = next(part for part in reversed(block) if "\t" in part).splitlines()
    return [[cell.strip() for cell in line.split("\t")] for line in lines]


@pytest.mark.parametrize(
    ("caption", "table", "embeddings", "map_key"),
    [
        ("**Table 2.**", paper.TABLE_2, ("fw", "fc", "fm", "fdist"), "map"),
        ("**Table 3.**", paper.TABLE_3, ("fw", "fc", "fm"), "map_self_included"),
    ],
)
def test_figures_are_those_printed(text, caption, table, embeddings, map_key):
    assert tuple(table) == embeddings
    rows = [row for row in rows_before(text, caption) if row[0] in KEYS]
    assert len(rows) == 3
    for name, *cells in rows:
        key = map_key if name == "MAP" else KEYS[name]
        for embedding, cell in zip(embeddings, cells, strict=True):
            mean, ci95 = (float(number) for number in re.split(r"\s*±\s*", cell))
            assert table[embedding][key] == paper.Printed(mean, ci95)


def test_pairs_are_those_printed_in_order(text):
    rows = [row for row in rows_before(text, "**Table 4.**") if len(row) == 4]
    rows = rows[rows.index(["Mumu tag", "Discogs tag"] * 2) + 1 :]
    assert [row[:2] for row in rows] == [list(pair) for pair in paper.TABLE_4["fc"]]
    assert [row[2:] for row in rows] == [list(pair) for pair in paper.TABLE_4["fdist"]]


def test_a_figure_reads_as_in_the_tables():
    assert str(paper.TABLE_2["fm"]["hr@1"]) == "87.7 ± 5.2"
    assert str(paper.TABLE_2["fdist"]["hr@2"]) == "100.0 ± 0.0"


def test_every_task_has_its_table():
    assert set(paper.TABLES) == set(paper.NOTES) == set(tasks.TASKS)


@pytest.mark.parametrize(
    ("pair", "rank"),
    [
        (("fc", "mumu:bebop", "bop"), 1),
        (("fc", "bebop", "bop"), 1),
        (("fc", "mumu:electric blues", "modern electric blues"), 4),  # printed abbreviated
        (("fdist", "mumu:electric blues", "genre:blues"), 8),
        (("fc", "mumu:electric blues", "genre:blues"), None),
        (("fw", "mumu:bebop", "bop"), None),
    ],
)
def test_rank_in_table_4(pair, rank):
    assert paper.rank_in_table_4(*pair) == rank


@pytest.mark.parametrize(
    ("task", "folder"),
    [
        ("taxonomy", "taxonomy_learning"),
        ("deduplication", "deduplication"),
        ("translation", "mumu_discogs_translation"),
    ],
)
def test_the_release_is_known_by_exactly_its_tags(release, task, folder):
    path = release / folder / "fc_tag_similarity.csv"
    with path.open(encoding="utf-8", newline="") as file:
        tags = next(csv.reader(file))[1:]
    assert paper.is_release(task, tags[::-1])
    assert paper.is_release(task, [tag.replace("concrte", "concr\u00e8te") for tag in tags])
    assert not paper.is_release(task, tags[1:])
    assert not paper.is_release(task, [*tags, "another"])
    assert not any(paper.is_release(other, tags) for other in {*tasks.TASKS} - {task})
