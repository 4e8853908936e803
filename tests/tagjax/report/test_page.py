"""The report: its contents, and that nothing in a tag's name gets out of its cell.

How it behaves in a browser is in test_report_browser.py.
"""

import base64
import hashlib
import html.parser
import json
import re

import numpy as np
import pytest

from tagjax import tasks
from tagjax.manifest.lists import Excerpts, Manifest
from tagjax.report import describe, description
from tagjax.report import page as report
from tagjax.similarity import tables
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.translation import Relation
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "'\"><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "a & b &lt;i&gt;",
    "genre:<b>bold</b>",
    "genre:%{x} $x$\u2028\u202e",
)
VOID = {"meta", "link", "input", "br", "img"}
FETCHED = {"src", "href", "action", "data", "poster", "srcset", "background", "formaction"}


class Page(html.parser.HTMLParser):
    """What a browser would find in a page: elements, tables' cells, scripts, texts of figures."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.stack = [], []
        self.scripts, self.tables, self.text = [], [], ""
        self.tooltips, self.names = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.stack.append(tag)
        if tag == "script":
            self.scripts.append((dict(attributes), ""))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if "script" in self.stack:
            attributes, text = self.scripts[-1]
            self.scripts[-1] = (attributes, text + data)
        elif "svg" in self.stack:
            (self.tooltips if self.stack[-1] == "title" else self.names).append(data)
        elif "style" not in self.stack:
            self.text += data
            if {"td", "th"} & set(self.stack):
                self.tables[-1][-1][-1] += data

    def table(self, *heading):
        """Rows under the first table whose heading begins so, sort marks left out."""
        return next(t[1:] for t in self.tables if tuple(t[0][: len(heading)]) == heading)

    def parts(self, kind):
        """Attributes of the figures' parts of a kind."""
        return [given for _, given in self.elements if given.get("data-part") == kind]

    def data(self):
        """What is in the JSON of the heat maps."""
        return [
            json.loads(text)
            for kind, text in self.scripts
            if kind.get("type") == "application/json"
        ]


def cosines(n, seed=0):
    vectors = np.random.default_rng(seed).random((4, n))
    vectors /= np.linalg.norm(vectors, axis=0)
    return vectors.T @ vectors


def whole(names, task, embeddings=("fw", "fc"), nan=(), **options):
    """A small report: its page, and the results it was made from."""
    similarities = {}
    for seed, name in enumerate(embeddings):
        matrix = cosines(len(names), seed)
        matrix[list(nan)] = matrix[:, list(nan)] = np.nan
        similarities[name] = Similarity(tuple(names), matrix)
    names = similarities[embeddings[0]].vocabulary.names
    truth = Truth(Taxonomy.of((name, "a") for name in names if not name.startswith("genre:")))
    evaluation = tasks.evaluate(task, similarities, truth)
    return report.render(evaluation, **options), evaluation.results


STYLES = ("one", "two", "three", "four", "five", "genre:a", "genre:b", "genre:c")


@pytest.fixture(scope="module")
def small():
    return whole(STYLES, "taxonomy")


def test_summary_is_in_percent_with_intervals(small):
    page, results = small
    table = Page(page).table("embedding")
    for row, (name, result) in zip(table, results.items(), strict=True):
        assert row[0].startswith(name)
        figures = [result.metrics[key] for key in ("hr@1", "hr@2", "map", "mrr")]
        expected = [f"{100 * one['mean']:.1f} ± {100 * one['ci95']:.1f}" for one in figures]
        for k in (0, 1):
            low, high = figures[k]["wilson95"]
            expected[k] += f" [{100 * low:.1f}, {100 * high:.1f}]"
        assert row[1:] == [*expected, "5"]


def test_errors_are_those_of_the_result_with_the_other_embeddings_ranks(small):
    page, results = small
    rows = Page(page).table("style", "found first")
    ranks = {row[0]: row[4] for row in results["fc"].errors.rows}
    expected = {
        row[0]: (row[1], f"{row[2]:.3f}", row[3], str(row[4]), str(ranks.get(row[0], 1)))
        for row in results["fw"].errors.rows
    }
    assert expected  # or the seed is of no use
    found = {row[0]: (*row[1:5], row[7]) for row in rows}
    assert found == expected
    gaps = [float(row[6]) for row in rows]
    assert gaps == sorted(gaps, reverse=True)
    assert all(gap >= 0 for gap in gaps)


def test_ranked_lists_name_candidates_in_order(small):
    page, results = small
    rows = Page(page).table("style", "rank of genre")
    assert [row[0] for row in rows] == list(STYLES[:5])
    for row in rows:
        listed = [r for r in results["fw"].ranked.rows if r[0] == row[0]]
        assert row[2] == "".join(f"{candidate} {score:.3f}" for _, _, candidate, score, _ in listed)


def test_lists_are_cut_and_say_so():
    config = report.ReportConfig(listed=1, rows=3)
    page, _ = whole(STYLES, "taxonomy", ("fc",), config=config)
    parsed = Page(page)
    rows = parsed.table("style", "rank of genre")
    assert len(rows) == 3
    assert "the first of 5" in parsed.text
    late = [row for row in rows if row[1] != "1"]
    assert late  # the truth is named, with its rank, though it is beyond the cut
    assert all(f"{row[1]}. genre:a" in row[2] for row in late)
    assert all(row[2].count("genre:") == 1 for row in rows if row not in late)


def test_too_many_tags_for_figures_are_told():
    config = report.ReportConfig(mapped=5, heat=6)
    page, _ = whole(STYLES, "taxonomy", ("fc",), config=config)
    assert Page(page).data() == []
    assert "svg" not in {tag for tag, _ in Page(page).elements}
    assert "8 tags are too many (more than 5)" in page
    assert "8 tags are too many (more than 6)" in page


@pytest.mark.parametrize("task", tasks.TASKS)
def test_nothing_in_a_tag_gets_out_of_its_cell(task):
    names = [*HOSTILE, "plain", "genre:a"]
    if task == "deduplication":
        names = [f"{name}_{half}" for name in names for half in (1, 2)]
    if task == "translation":
        names = [*names, *(f"x:{name}" for name in names)]
    hostile, results = whole(names, task, title="</title><b>", nan=[8])
    plain, _ = whole([f"tag {i}" for i in range(len(names))], "deduplication")
    parsed, known = Page(hostile), {tag for tag, _ in Page(plain).elements} | {"li", "ol", "i", "b"}
    assert {tag for tag, _ in parsed.elements} <= known
    assert parsed.stack == []
    allowed = {"type", "data-kind", "class", "id"}
    assert all(set(given) <= allowed for tag, given in parsed.elements if tag in ("script", "td"))
    assert not any(name.startswith("on") for _, given in parsed.elements for name in given)
    code = [text for kind, text in parsed.scripts if kind.get("type") != "application/json"]
    assert len(code) == 1
    assert not any("alert(1)" in text for text in code)
    cells = {cell for table in parsed.tables for row in table for cell in row}
    assert {row[0] for row in results["fc"].ranked.rows} <= cells


def test_tooltips_and_names_in_figures_are_text():
    page, _ = whole([*HOSTILE, "plain", "genre:a"], "taxonomy", ("fc",))
    parsed = Page(page)
    markers = parsed.parts("marker")
    cleaned = [*HOSTILE[:-1], "genre:%{x} $x$", "plain", "genre:a"]
    assert sorted(marker["data-tag"] for marker in markers) == sorted(cleaned)
    assert sorted(tooltip.split("\n")[0] for tooltip in parsed.tooltips) == sorted(cleaned)
    names = [tag.removeprefix("genre:") for tag in cleaned]
    assert set(names) <= set(parsed.names)
    (heat,) = parsed.data()
    assert sorted(heat["names"]) == sorted([*HOSTILE, "plain", "genre:a"])


def cells_of(heat):
    """The square matrix in the JSON of a heat map, and its names."""
    names = heat["names"]
    cells = np.frombuffer(base64.b64decode(heat["cells"]), "<i2")
    matrix = np.zeros((len(names), len(names)))
    matrix[np.triu_indices(len(names))] = np.where(cells == -32768, np.nan, cells / heat["scale"])
    return np.maximum(matrix, matrix.T), names


def test_heat_map_has_the_similarity_in_taxonomy_order(small):
    matrix, names = cells_of(Page(small[0]).data()[1])
    assert names == ["genre:a", "five", "four", "one", "three", "two", "genre:b", "genre:c"]
    order = [STYLES.index(name) for name in names]
    np.testing.assert_allclose(matrix, cosines(8, seed=1)[np.ix_(order, order)], atol=5.1e-5)


def test_halves_are_coloured_and_ordered_by_their_whole_tags():
    names = [f"{name}_{half}" for name in STYLES for half in (1, 2)]
    page, _ = whole(names, "deduplication", ("fc",))
    wholes, _ = whole(STYLES, "taxonomy", ("fc",))
    in_order = Page(wholes).data()[0]["names"]
    expected = [f"{name}_{half}" for half in (1, 2) for name in in_order]
    assert Page(page).data()[0]["names"] == expected
    series = {marker["data-tag"]: marker["data-series"] for marker in Page(page).parts("marker")}
    assert len(set(series.values())) == 3  # a, b, c
    for name in STYLES:
        genre = name if name.startswith("genre:") else "genre:a"
        assert series[f"{name}_1"] == series[f"{name}_2"] == series[f"{genre}_1"]


def test_tags_without_similarity_are_told_and_not_drawn():
    page, _ = whole(STYLES, "taxonomy", ("fdist",), nan=[0, 6])
    parsed = Page(page)
    assert {m["data-tag"] for m in parsed.parts("marker")} == {*STYLES} - {"one", "genre:b"}
    matrix, names = cells_of(parsed.data()[0])
    assert np.isnan(matrix[names.index("one")]).all()
    (row,) = (row for row in parsed.table("style", "rank of genre") if row[0] == "one")
    assert row[1:] == ["never", "no similarity"]
    (row,) = (row for row in parsed.table("style", "found first") if row[0] == "one")
    assert row[1:] == ["–", "–", "genre:a", "–", "–", "–"]


@pytest.mark.parametrize("names", [("genre:a",), ("one",), ("one", "genre:a"), ()])
def test_hardly_any_tag(names):
    page, _ = whole(names, "taxonomy", ("fc",))
    assert Page(page).stack == []


def test_listed_and_system_figures_of_two_systems():
    names = [f"{system}:{name}" for system in "xy" for name in STYLES]
    page, results = whole(names, "taxonomy", ("fc",))
    rows = Page(page).table("embedding")
    assert [row[0] for row in rows[1:]] == ["x:", "y:"]
    assert [row[-1] for row in rows] == [
        str(one["hr@1"]["n"]) for one in (results["fc"].metrics, *results["fc"].systems.values())
    ]


def test_only_the_pages_own_scripts_may_run(small):
    parsed = Page(small[0])
    policies = [
        given["content"]
        for tag, given in parsed.elements
        if tag == "meta" and given.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    rules = dict(part.split(maxsplit=1) for part in policies[0].split("; "))
    assert rules["default-src"] == "'none'"
    assert "connect-src" not in rules
    assert not any("http" in value or "*" in value for value in rules.values())
    code = [text for kind, text in parsed.scripts if kind.get("type") != "application/json"]
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in code]
    assert set(rules["script-src"].split()) == {f"'sha256-{digest}'" for digest in digests}


def test_nothing_is_fetched(small):
    parsed = Page(small[0])
    for tag, given in parsed.elements:
        for name in FETCHED & set(given):
            assert re.match(r"#|data:", given[name]), f"<{tag} {name}={given[name]}>"
        assert re.match(r"#|data:image/png;base64,|$", given.get("xlink:href", ""))
        assert tag not in ("iframe", "object", "embed", "base", "form")
    styles = re.findall(r"<style>(.*?)</style>", small[0], re.DOTALL)
    assert not re.search(r"url\(|@import", "".join(styles))


def test_the_page_is_the_same_again():
    page, results = whole(STYLES, "taxonomy")
    assert (page, results) == whole(STYLES, "taxonomy")
    assert page.startswith("<!doctype html>")


def undrawn(evaluation):
    """No figures, which take their time, and are tested elsewhere."""
    config = report.ReportConfig(mapped=-1, heat=-1)
    return {
        name: report.draw(name, similarity, {}, config)
        for name, similarity in evaluation.similarities.items()
    }


def released(release, folder, task, **options):
    similarities = tables.read_similarities(release / folder)
    evaluation = tasks.evaluate(task, similarities, **options)
    return Page(report.render(evaluation, undrawn(evaluation)))


def test_table_2_stands_beside_its_reproduction(release):
    page = released(release, "taxonomy_learning", "taxonomy", printed=True)
    rows = {row[0].split()[0]: row for row in page.table("embedding")}
    assert rows["fw"][1] == "85.1 ± 4.6 [80.0, 89.1]" + "85.1 ± 4.6"
    assert rows["fc"][3].endswith("94.2 ± 2.2")
    assert rows["fdist"][2].startswith("100.0 ± 0.0")
    assert "Table 2 as printed" in page.text
    errors = {row[0]: row[1] for t in page.tables if t[0][0] == "style" for row in t[1:]}
    assert errors  # section 3.1 names these
    fc = [t for t in page.tables if t[0][:2] == ["style", "found first"]][1][1:]
    found = {row[0]: row[1] for row in fc}
    assert found["blues rock"] == "genre:blues"
    assert found["bossa nova"] == "genre:latin"
    assert found["rnb/swing"] == "genre:funk / soul"


def test_table_3_compares_the_map_that_includes_the_tag_itself(release):
    page = released(release, "deduplication", "deduplication", printed=True)
    heading, row = next(t for t in page.tables if t[0][0] == "embedding")
    cells = dict(zip(heading, row, strict=True))
    assert cells["MAP, self included"] == "98.2 ± 0.6" + "98.4 ± 0.5"
    assert cells["MAP"].strip() == "95.2 ± 1.5"
    assert cells["HR@1"] == "92.0 ± 2.4 [88.0, 94.8]" + "92.8 ± 2.3"
    found = {row[0]: row[1] for row in page.table("tag", "found first")}
    assert found["bossa nova_2"].startswith("bossanova_")


def test_table_4_stands_beside_its_reproduction(release):
    page = released(release, "mumu_discogs_translation", "translation", printed=True)
    fc, fdist = (t[1:] for t in page.tables if t[0][-1] == "in Table 4")
    assert [row[-1] for row in fdist] == [str(i) for i in range(1, 11)]  # exactly, in order
    assert fc[0][1:3] == ["mumu:bebop", "bop"]
    same = page.table("source", "target", "similarity")
    assert ["mumu:instrumental", "instrumental", "0.023"] in same
    assert "Spearman" in page.text


@pytest.mark.parametrize(
    ("folder", "task"), [("deduplication", "deduplication"), ("taxonomy_learning", "taxonomy")]
)
def test_printed_figures_only_if_asked(release, folder, task):
    assert "as printed" not in released(release, folder, task).text


def test_the_page_is_of_reasonable_size(small):
    assert len(small[0].encode()) < 1e5
    names = [f"tag number {i}" for i in range(500)]
    similarity = Similarity(names, cosines(500))
    evaluation = tasks.evaluate("deduplication", {"fc": similarity})
    places = np.random.default_rng(0).normal(size=(500, 2))
    drawn = {"fc": report.draw("fc", similarity, {}, places=places)}
    assert len(report.render(evaluation, drawn).encode()) < 1.6e6


def test_a_table_of_truth_has_no_place_in_table_4():
    names = ("m:x", "m:y", "x", "z")
    similarities = {"fc": Similarity(names, cosines(4))}
    truth = Truth(translation=(Relation("m:x", "x"),))
    page = Page(report.render(tasks.evaluate("translation", similarities, truth)))
    assert "Table 4" not in page.text
    assert "4 tags: 2 without prefix, 2 m:" in page.text


def test_a_report_says_of_tags_only_what_they_are():
    halves, _ = whole(("x_1", "x_2", "y_1", "y_2"), "deduplication", ("fc",))
    assert "Every tag was split by artist" in halves
    plain, _ = whole(("x", "y"), "deduplication", ("fc",))
    assert "split by artist" not in plain.split("</header>")[0]
    tags = Vocabulary.of(("x_1", "x_2"))
    evaluation = tasks.evaluate("deduplication", {"fc": Similarity(tags, cosines(2))})
    assert "split by artist" not in report.render(evaluation).split("</header>")[0]


def described(names, systems=("",), full=True, **record):
    """A data set of a track a tag, each with the next tag too: its page and its description."""
    rows = list(range(len(names)))
    both = tuple((names[k], names[k - 1]) for k in rows)
    part = Excerpts(
        sng_id=tuple(f"secret track {k}" for k in rows),
        label=tuple(names),
        seg_start=np.zeros(len(rows)),
        seg_duration=np.full(len(rows), 30.0),
        artist_id=tuple(f"secret artist {k}" for k in rows),
        tags=both if full else None,
        path=tuple(f"secret/{k}.mp3" for k in rows),
    )
    record = {"counts": {"tracks_without_audio": 3, "tags_found": len(names)}, **record}
    vocabulary = Vocabulary.of(names, systems)
    made = describe.describe(Manifest({"train": part}, vocabulary, **record))
    return description.render_description(made, describe.genres(made), "</title><b>"), made


def test_a_data_set_in_tables_and_charts():
    page, made = described(STYLES)
    parsed = Page(page)
    rows = parsed.table("tag", "tracks", "artists", "labelled", "excerpts")
    assert {row[0]: row[1:5] for row in rows} == {name: ["2", "2", "1", "1"] for name in STYLES}
    (part,) = parsed.table("part")
    assert part[:4] == ["train", "8", "8", "8"]
    assert part[-2:] == ["0.07", "1"]
    assert ["tracks without audio", "3"] in parsed.table("counted when the data set was made")
    assert parsed.table("tags", "tracks") == [["2", "8"]]
    pairs = parsed.table("tag", "other", "tracks", "co-occurrence")
    assert len(pairs) == 8
    assert {(row[2], row[3]) for row in pairs} == {("1", "0.500")}
    assert {"8", "excerpts", "tracks", "artists"} <= set(parsed.names)
    assert {f"{name}\ntracks with the tag: 2" for name in STYLES} <= set(parsed.tooltips)
    assert {f"{name}\nexcerpts with the label, after balancing: 1" for name in STYLES} <= set(
        parsed.tooltips
    )
    assert "tags per track: 2\ntracks: 8 (100.0 %)" in parsed.tooltips
    matrix, names = cells_of(parsed.data()[0])
    order = [made.vocabulary.index[name] for name in names]
    expected = describe.likeness(made).matrix[np.ix_(order, order)]
    np.testing.assert_allclose(matrix, expected, atol=5.1e-5)
    assert "no validation and no test part" in parsed.text


def test_a_description_says_only_what_was_done():
    """Of a list whose making is unknown nothing is said but what it shows."""
    page, _ = described(STYLES)
    said = page.split('<section id="definitions">')[1]
    assert "Each track has one label; “labelled” counts tracks by it." in said
    assert "An artist is in one part only." in said
    assert not any(word in said for word in ("album", "Balancing", "several catalogues"))
    levels, counts = {"annotates": ["track"]}, {"excerpts_upsampled": 3}
    page, _ = described(STYLES, config=levels, counts=counts)
    said = page.split('<section id="definitions">')[1]
    assert "drawn from its own tags with a chance" in said
    assert "Balancing took further excerpts" in said
    assert "Balancing left out" not in said


def test_a_data_set_of_labels_alone_has_no_co_occurrence():
    page, _ = described(STYLES, full=False)
    parsed = Page(page)
    assert parsed.data() == []
    assert sum(tag == "svg" for tag, _ in parsed.elements) == 2
    assert "Co-occurrence" not in parsed.text
    assert "one label for each track" in parsed.text


def test_no_track_is_named_in_the_report_of_a_data_set():
    assert "secret" not in described(STYLES)[0]


def test_nothing_in_a_data_set_gets_out_of_its_cell():
    names = [*HOSTILE, "plain", "genre:a", *(f"<x>:{name}" for name in ("<b>", "plain"))]
    page, made = described(names, ("", "<x>:"))
    parsed, known = Page(page), {tag for tag, _ in Page(described(STYLES)[0]).elements}
    assert {tag for tag, _ in parsed.elements} <= known
    assert parsed.stack == []
    assert not any(name.startswith("on") for _, given in parsed.elements for name in given)
    code = [text for kind, text in parsed.scripts if kind.get("type") != "application/json"]
    assert not any("alert(1)" in text for text in code)
    cells = {cell for table in parsed.tables for row in table for cell in row}
    assert set(made.vocabulary.tags) <= cells
    names = {name.removeprefix("genre:") for name in made.vocabulary.tags} - {HOSTILE[-1][6:]}
    assert {name for name in names if not name.startswith("<x>:")} <= {
        name.removeprefix("genre:") for name in parsed.names
    }
