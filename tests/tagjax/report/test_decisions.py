"""The page of decisions: what a reader finds on it, and that no name gets out of its place."""

import dataclasses
import html.parser
import re

import numpy as np
import pytest

from tagjax.catalogue.annotations import Catalogue
from tagjax.reconcile.decide import decide
from tagjax.reconcile.decisions import Decisions, Match, Reason, TwoSenses
from tagjax.reconcile.facts import gather_facts
from tagjax.reconcile.files import lines
from tagjax.reconcile.people import People, Said
from tagjax.reconcile.usefulness import usefulness
from tagjax.report.decisions import DecisionsConfig, render_decisions, write_decisions_report
from tagjax.report.page import ReportConfig
from tagjax.report.verdicts import Verdicts
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary.vocabulary import Vocabulary

HOSTILE = (
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "</bdi></table><!--",
    "{{ 7 * 7 }}{% raw %}",
    "a & b &lt;i&gt;",
    "\u0645\u0648\u0633\u064a\u0642\u0649",
)
VOID = {"meta", "link", "input", "br", "img"}


class Page(html.parser.HTMLParser):
    """Elements of a page, the cells of its tables by section, its text and its links."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.stack, self.text = [], [], ""
        self.section, self.rows, self.said = "", {}, {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.elements.append((tag, given))
        if tag not in VOID:
            self.stack.append(tag)
        if tag == "section":
            self.section = given["id"]
        if tag == "tr":
            self.rows.setdefault(self.section, []).append([])
        if tag in ("td", "th"):
            self.rows[self.section][-1].append("")

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if not {"script", "style"} & {*self.stack}:
            self.text += data
            self.said[self.section] = self.said.get(self.section, "") + data
        if {"td", "th"} & {*self.stack}:
            self.rows[self.section][-1][-1] += data

    def cells(self, section):
        """The rows of a section with white space made one space; headings are left out."""
        rows = [[" ".join(cell.split()) for cell in row] for row in self.rows.get(section, [])]
        return [row for row in rows if not row[0].startswith("tag ") and row[0] != "tag"]


def tile(page, what):
    """The number of a tile at the top."""
    return int(re.search(rf"(\d[\d,]*) {what}", " ".join(page.text.split()))[1].replace(",", ""))


def shown(tmp_path, decisions, *given, **more):
    path = tmp_path / "report.html"
    write_decisions_report(path, decisions, *given, **more)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert page.stack == []
    return page, text


def library(people=People(), extra=()):  # noqa: B008 (frozen)
    """Decisions on a library in which three spellings are of one genre, and jazz has a child."""
    own = [
        *[("Techno",)] * 5, *[("techno",)] * 3, *[("TECHNO", "1999")] * 2,
        *[("Jazz",)] * 6, *[("Bebop", "Jazz")] * 4, *[("Drum & Bass",)] * 3, *[("DnB",)] * 2,
        *[(tag,) for tag in extra for _ in range(2)],
    ]  # fmt: skip
    names = tuple(f"t{k}" for k in range(len(own)))
    artists = tuple(f"artist {k}" for k in range(len(own)))
    catalogue = Catalogue("", names, artists, names, tuple(own))
    return decide(gather_facts([catalogue], people=people))


def joined(*matches, canonical=None, parents=None, **more):
    """Decisions on the tags of two catalogues, each with ten tracks of four artists."""
    tags = Vocabulary.of(["a:dub", "a:ska", "a:rave", "b:dub", "b:ska", "b:rock"], ["a:", "b:"])
    same = {tag: tag for tag in tags.tags} | (canonical or {})
    tracks, artists = dict.fromkeys(tags.tags, 10), dict.fromkeys(tags.tags, 4)
    return Decisions(tags, tracks, artists, matches, same, parents or {}, **more)


def row(source, target, same, rank=1):
    return {"source": source, "target": target, "rank": rank, "same": same}


def test_each_merge_is_there_with_its_counts_and_kind(tmp_path):
    said = Said("Drum & Bass", "Jazz", "exact", "positive", "Ann", "positive.sssom.tsv:5")
    decisions = library(People((said,)))
    page, _ = shown(tmp_path, decisions)
    merged = {tag: its for tag, its in decisions.canonical.items() if tag != its}
    assert len(merged) == 3
    found = {each[0].split()[0]: each for each in page.cells("merged")}
    assert found["techno"][:3] == [
        "techno 3 tracks · 3 artists",
        "Techno 5 tracks · 5 artists",
        "99 %",
    ]
    assert found["TECHNO"][0] == "TECHNO 2 tracks · 2 artists"
    assert found["techno"][3] == "spelling case"
    assert found["Drum"][:3] == [
        "Drum & Bass 3 tracks · 3 artists",
        "Jazz 10 tracks · 10 artists",
        "100 %",
    ]
    assert "by Ann" in found["Drum"][3]
    assert "Decided by people" in page.said["merged"]
    assert "By spelling" in page.said["merged"]
    assert "By sound" not in page.said["merged"]


@pytest.mark.parametrize("extra", [(), HOSTILE])
def test_the_numbers_are_those_of_the_lines(tmp_path, extra):
    decisions = library(extra=extra)
    page, _ = shown(tmp_path, decisions)
    words = {
        "merged": "merged", "nested": "below another", "no genres": "no genre",
        "to be reviewed": "to be reviewed",
    }  # fmt: skip
    said = lines(decisions)
    for what, line in words.items():
        (number,) = [int(each.split()[0]) for each in said if f" {line}" in each]
        assert tile(page, what) == number > 0


def test_the_numbers_of_two_catalogues_are_those_of_the_lines(tmp_path):
    reason = (Reason("joint", "probability", 0.9),)
    decisions = joined(
        Match("a:dub", "b:dub", "exact", 0.9, "accepted", reason),
        Match("b:dub", "a:dub", "exact", 0.9, "accepted", reason),
        Match("a:ska", "b:ska", "exact", 0.6, "review", reason),
        Match("b:ska", "a:ska", "exact", 0.6, "review", reason),
        Match("b:rock", None, "none", 0.0, "candidate", note="cannot be told from its sound"),
        Match("a:rave", None, "none", 0.97, "accepted", reason),
    )
    page, _ = shown(tmp_path, decisions)
    said = " ".join(lines(decisions))
    for what, line in {
        "same elsewhere": "with the same tag in another catalogue",
        "without counterpart": "without a sure counterpart",
        "cannot be told": "cannot be told",
        "to be reviewed": "to be reviewed",
    }.items():
        assert tile(page, what) == int(re.search(rf"(\d+) {line}", said)[1]) > 0
    assert [each[:3] for each in page.cells("same")] == [
        ["a:dub 10 tracks · 4 artists", "b:dub 10 tracks · 4 artists", "90 %"]
    ]
    assert len(page.cells("review")) == 1  # a pair is there once, not once a direction
    assert [each[0].split()[0] for each in page.cells("alone")] == [
        "a:rave", "a:ska", "b:ska", "b:rock",
    ]  # fmt: skip


def test_a_pair_names_its_sources_and_its_nearest_rivals(tmp_path):
    reasons = (
        Reason("joint", "probability", 0.96),
        Reason("sound", "cosine of fr", 0.87),
        Reason("together", "cosine on common tracks", 0.43),
    )
    match = Match("a:dub", "b:dub", "exact", 0.95, "accepted", reasons, note="a note")
    rows = [
        row("a:dub", "b:dub", 0.95), row("a:dub", "b:ska", 0.03, 2),
        row("a:dub", "b:rock", 0.02, 3), row("a:dub", "a:ska", 0.4),
        row("b:dub", "a:dub", 0.95), row("b:dub", "a:rave", 0.0001, 2),
    ]  # fmt: skip
    page, _ = shown(tmp_path, joined(match), rows)
    ((*_, probability, said, rivals),) = page.cells("same")
    assert probability == "95 %"
    assert said == "a note all together 96 % sound 0.87 same tracks 0.43"
    assert rivals == "a:dub b:ska 3 %, b:rock 2 %b:dub a:rave < 0.1 %"


def test_the_most_useful_review_comes_first(tmp_path):
    matches = [
        Match("a:dub", "b:dub", "exact", 0.95, "review"),
        Match("a:ska", "b:ska", "exact", 0.55, "review"),
        Match("a:rave", "b:rock", "exact", 0.35, "review"),
    ]
    decisions = joined(*matches)
    page, _ = shown(tmp_path, decisions)
    order = [each[0].split()[0] for each in page.cells("review")]
    assert order == ["a:ska", "a:rave", "a:dub"]
    many = dataclasses.replace(decisions, tracks={**decisions.tracks, "a:dub": 1000, "b:dub": 900})
    page, _ = shown(tmp_path, many)
    assert page.cells("review")[0][0].startswith("a:dub")
    assert usefulness(matches[0], many.tracks) > usefulness(matches[1], many.tracks)


def test_a_narrower_tag_is_shown_below_the_broader_one(tmp_path):
    page, _ = shown(tmp_path, joined(Match("a:dub", "a:ska", "narrow", 0.6, "review")))
    assert [each[:4] for each in page.cells("review")] == [
        ["a:ska 10 tracks · 4 artists", "below", "a:dub 10 tracks · 4 artists", "60 %"]
    ]


def test_the_tree_nests_and_says_where_the_sound_disagrees(tmp_path):
    parents = {"a:dub": ("a:ska",), "a:ska": ("a:rave",), "b:dub": ("b:rock",)}
    share = Match("a:dub", "a:ska", "broad", 0.8, "accepted", (Reason("together", "share", 0.8),))
    against = Match("b:dub", "b:ska", "broad", 0.7, "review")
    decisions = joined(share, against, parents=parents)
    page, text = shown(tmp_path, decisions)
    nodes = Verdicts(decisions).tree()
    assert [(node.side.tag, node.level) for node in nodes["a:"]] == [
        ("a:rave", 0), ("a:ska", 1), ("a:dub", 2),
    ]  # fmt: skip
    tree = " ".join(page.said["tree"].split())
    assert "a:dub 10 · 80 %" in tree
    assert "b:dub 10 sound: below b:ska 70 %" in tree
    assert [each[0].split()[0] for each in page.cells("objections")] == ["b:dub"]
    part = text[text.index('<section id="tree"') : text.index('<section id="objections"')]
    assert part.count("<ul>") == part.count("</ul>") == 5


def test_a_long_chain_of_tags_ends(tmp_path):
    tags = Vocabulary.of([f"tag {k:03}" for k in range(400)])
    parents = {low: (high,) for high, low in zip(tags.tags, tags.tags[1:], strict=False)}
    decisions = Decisions(tags, {}, {}, (), {tag: tag for tag in tags.tags}, parents)
    page, _ = shown(tmp_path, decisions)
    assert "tag 399" in page.said["tree"]
    assert max(node.level for node in Verdicts(decisions).tree()[""]) < 20


def test_two_senses_and_non_genres_and_what_people_say(tmp_path):
    doubt = Said("Bebop", "Techno", "related", "unsure", "Ann", "u:1")
    wrong = Said("Bebop", "DnB", "exact", "negative", "Bob", "n:1")
    decisions = library(People((doubt, wrong), ("A note.",)))
    artists = (tuple(f"one {k}" for k in range(30)), ("two",))
    senses = (TwoSenses("Jazz", artists, ("Bebop", "DnB")),)
    decisions = dataclasses.replace(decisions, senses=senses)
    page, text = shown(tmp_path, decisions, notes=["Another."], links={"All": "vocabulary.csv"})
    senses = " ".join(page.said["senses"].split())
    assert "1. sounds like Bebop 30 artists: one 0, one 1" in senses
    assert "and 22 more2. sounds like DnB 1 artist: two" in senses
    assert page.cells("blocked") == [["1999 2 tracks · 2 artists", "a year"]]
    assert [each[-1] for each in page.cells("people")] == [
        "a person says no by Bob", "a person is not sure by Ann",
    ]  # fmt: skip
    assert all(f">{note}</li>" in text for note in ("A note.", "Another."))
    assert ("a", {"href": "./vocabulary.csv"}) in page.elements


def test_each_tag_is_in_the_list_of_all(tmp_path):
    decisions = library(extra=HOSTILE)
    page, _ = shown(tmp_path, decisions)
    index = {each[0].rsplit(" ", 5)[0]: each[1] for each in page.cells("index")}
    assert index.keys() == {*decisions.vocabulary.tags}
    assert index["techno"] == "merged into Techno"
    assert index["Bebop"] == "below Jazz"
    assert index["1999"] == "no genre: a year"
    assert index["DnB"] == "to be reviewed with Drum & Bass 70 %"


def test_no_name_gets_out_of_its_place(tmp_path):
    said = tuple(Said("Jazz", tag, "exact", "negative", f"{tag} by", "n:1") for tag in HOSTILE)
    hostile = library(People(said, HOSTILE), HOSTILE)
    artists = (HOSTILE, HOSTILE)
    senses = tuple(TwoSenses(tag, artists, (HOSTILE[0], HOSTILE[1])) for tag in HOSTILE)
    hostile = dataclasses.replace(hostile, senses=senses)
    links = {HOSTILE[0]: HOSTILE[1], "script": "javascript:alert(1)", "far": "//example.org/x"}
    matrix = np.eye(len(hostile.vocabulary))
    similarities = {"fr": Similarity(hostile.vocabulary, matrix)}
    page, text = shown(tmp_path, hostile, (), similarities, HOSTILE[0], HOSTILE, links)
    code = [given for tag, given in page.elements if tag == "script" and "type" not in given]
    assert len(code) == 1
    assert "img" not in {tag for tag, _ in page.elements}
    assert not any(name.startswith("on") for _, given in page.elements for name in given)
    targets = [given["href"] for tag, given in page.elements if tag == "a"]
    assert all(target.startswith(("#", "./")) for target in targets)
    assert "49" not in page.said["index"]
    for tag in HOSTILE:
        assert tag in page.said["index"]
        assert tag in page.said["senses"]
    outside = re.sub(r'xmlns(:\w+)?="[^"]*"|<!DOCTYPE svg[^>]*>', "", text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', outside)


def test_there_is_a_page_of_nothing(tmp_path):
    empty = decide(gather_facts([Catalogue("", (), (), (), ())]))
    page, _ = shown(tmp_path, empty)
    assert "0 tags" in page.text
    assert tile(page, "merged") == 0
    assert [given["href"] for tag, given in page.elements if tag == "a"] == ["#definitions"]


def large(n):
    """Decisions on n x n tags with long names, and their evidence."""
    name = "a rather long name of a genre"
    sides = [[f"{system}{name} {k}" for k in range(n)] for system in ("a:", "b:")]
    tags = Vocabulary.of([*sides[0], *sides[1]], ["a:", "b:"])
    reasons = tuple(Reason(source, "measure", 0.5) for source in ("joint", "sound", "together"))
    matches, rows, canonical = [], [], {tag: tag for tag in tags.tags}
    for k in range(n):
        state = ("accepted", "review", "candidate")[k % 3]
        for own, others in (sides, sides[::-1]):
            note = "the same name, but another sound"
            matches.append(Match(own[k], others[k], "exact", 0.5, state, reasons, note=note))
            rows += [row(own[k], others[(k + rank) % n], 0.1, rank) for rank in range(1, 20)]
        if k % 2:
            canonical[sides[0][k]] = sides[0][k - 1]
    parents = dict.fromkeys(sides[1][1:], (sides[1][0],))
    counts = dict.fromkeys(tags.tags, 1000)
    blocked = dict.fromkeys(sides[1], "a year")
    return Decisions(tags, counts, counts, tuple(matches), canonical, parents, (), blocked), rows


def test_many_tags_make_a_page_that_a_browser_bears(tmp_path):
    decisions, rows = large(500)
    matrix = np.eye(1000)
    similarities = {name: Similarity(decisions.vocabulary, matrix) for name in ("fr", "fc")}
    page, text = shown(tmp_path, decisions, rows, similarities)
    assert len(text.encode()) < 3e6
    assert max(len(page.cells(part)) for part in ("merged", "same", "review")) <= 200
    assert "the first 200 of 250; all are in vocabulary.csv" in " ".join(page.text.split())
    assert tile(page, "merged") == 250
    index = {each[0].rsplit(" ", 5)[0] for each in page.cells("index")}
    assert index == {*decisions.vocabulary.tags}
    assert "1000 tags are too many (more than 600)" in page.text


def test_figures_are_drawn_as_far_as_there_is_room():
    decisions = joined(parents={"a:dub": ("a:ska",)})
    matrix = np.random.default_rng(0).random((6, 6))
    similarity = Similarity(decisions.vocabulary, np.maximum(matrix, matrix.T))
    similarities = dict.fromkeys(("fr", "fc", "fw"), similarity)
    config = DecisionsConfig(report=ReportConfig(mapped=12))
    page = Page(render_decisions(decisions, (), similarities, "", (), {}, config))
    names = [given["data-name"] for _, given in page.elements if given.get("name") == "embedding"]
    assert names == ["fr", "fc"]
    assert "There is no room for maps of fw." in page.text
    kinds = [given.get("data-kind") for _, given in page.elements if given.get("class") == "figure"]
    assert kinds == ["map", "map", "heat", "heat"]


def test_an_older_page_stays_whole_if_the_new_one_fails(tmp_path):
    path = tmp_path / "report.html"
    write_decisions_report(path, library())
    before = path.read_bytes()
    with pytest.raises(KeyError):
        write_decisions_report(path, dataclasses.replace(library(), canonical={}))
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]
