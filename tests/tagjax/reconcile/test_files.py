"""Decisions as files and lines."""

import csv
import json

import numpy as np
import scipy.sparse

from tagjax import Catalogue
from tagjax.reconcile.decide import decide
from tagjax.reconcile.decisions import Decisions, Match, Reason, TwoSenses
from tagjax.reconcile.facts import gather_facts
from tagjax.reconcile.files import VOCABULARY, lines, write_decisions
from tagjax.reconcile.people import read_people
from tagjax.reconcile.sssom import read_mappings
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = Vocabulary.of(
    ["a:Dub", "a:dub", "a:reggae", "a:1999", "a:lone", "b:riddim", "b:dubs"], ["a:", "b:"]
)
JOINT = (Reason("joint", "probability", 0.9),)
ANN = (Reason("person", "positive"),)
DECISIONS = Decisions(
    TAGS,
    {tag: place for place, tag in enumerate(TAGS.tags)},
    dict.fromkeys(TAGS.tags, 1),
    (
        Match("a:dub", "a:Dub", "exact", 0.99, "accepted", (Reason("spelling", "case"),)),
        Match("a:Dub", "b:riddim", "exact", 0.9, "accepted", JOINT, note="sure"),
        Match("b:riddim", "a:Dub", "exact", 0.9, "accepted", JOINT),
        Match("a:reggae", "b:dubs", "exact", 1.0, "accepted", ANN, "Ann"),
        Match("b:dubs", "a:reggae", "exact", 0.2, "review", JOINT),
        Match("a:lone", None, "none", 0.0, "candidate", note="cannot be told from its sound"),
    ),
    {tag: "a:Dub" if tag == "a:dub" else tag for tag in TAGS.tags},
    {"a:Dub": ("a:reggae",)},
    (TwoSenses("b:riddim", (("x", "y"), ("z",)), ("a:Dub", "a:reggae")),),
    {"a:1999": "a year"},
    ("Something to know.",),
)  # fmt: skip


def table(path):
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


def test_the_tables_say_what_was_decided(tmp_path):
    paths = write_decisions(tmp_path, DECISIONS, "0.1.0")
    assert len(paths) == 8
    assert all(path.exists() for path in paths)
    rows = table(tmp_path / "vocabulary.csv")
    assert tuple(rows[0]) == VOCABULARY
    by_tag = {row["tag"]: row for row in rows}
    assert {*by_tag} == {*TAGS.tags}
    merged = by_tag["a:dub"]
    assert (merged["canonical"], merged["counterpart"], merged["state"]) == (
        "a:Dub", "a:Dub", "accepted",
    )  # fmt: skip
    assert merged["why"] == "spelling: case"
    dub = by_tag["a:Dub"]
    assert (dub["counterpart"], dub["confidence"], dub["parents"]) == (
        "b:riddim", "0.900", "a:reggae",
    )  # fmt: skip
    assert dub["why"] == "sure; joint: probability .90"
    assert by_tag["a:reggae"]["decided_by"] == "Ann"
    assert by_tag["a:1999"]["blocked"] == "a year"
    assert by_tag["a:lone"]["why"] == "cannot be told from its sound"
    assert [(row["tag"], row["artist"]) for row in table(tmp_path / "senses.csv")] == [
        ("b:riddim", "x"), ("b:riddim", "y"), ("b:riddim", "z"),
    ]  # fmt: skip
    assert table(tmp_path / "blocked.csv") == [
        {"tag": "a:1999", "why": "a year", "tracks": "3", "artists": "1"}
    ]


def test_what_people_decided_is_left_out_of_the_predictions(tmp_path):
    write_decisions(tmp_path, DECISIONS)
    rows = read_mappings(tmp_path / "predictions.sssom.tsv").rows
    assert all(row.cell("author_label") == "" for row in rows)
    pairs = {(row.cell("subject_label"), row.cell("object_label")) for row in rows}
    assert ("a:reggae", "b:dubs") not in pairs
    assert ("a:Dub", "b:riddim") in pairs
    assert not any(row.cell("object_id") == "sssom:NoTermFound" for row in rows)


def test_a_row_moved_by_hand_holds_after_a_new_run_and_its_file_stays_as_it_is(tmp_path):
    names = tuple("abc")
    catalogue = Catalogue("", names, names, names, (("Dub",), ("dub",), ("dub",)))
    facts = gather_facts([catalogue])
    write_decisions(tmp_path, decide(facts))
    predictions = (tmp_path / "predictions.sssom.tsv").read_text()
    assert "skos:exactMatch" in predictions
    (tmp_path / "negative.sssom.tsv").write_text(predictions)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.stem != "predictions.sssom"}
    again = decide(gather_facts([catalogue], people=read_people(tmp_path, facts.vocabulary)))
    write_decisions(tmp_path, again)
    assert again.canonical == {"Dub": "Dub", "dub": "dub"}
    assert [match.state for match in again.matches] == ["rejected"]
    assert "exactMatch" not in (tmp_path / "predictions.sssom.tsv").read_text()
    kept = ("positive.sssom.tsv", "negative.sssom.tsv", "unsure.sssom.tsv", "sssom-curator.json")
    for name in kept:
        assert (tmp_path / name).read_bytes() == before[name]
    assert json.loads(before["sssom-curator.json"])["predictions_path"] == "predictions.sssom.tsv"


def test_the_lines_tell_what_to_do():
    said = lines(DECISIONS)
    assert said == [
        "7 tags in 2 catalogues.",
        "1 merged: a:dub into a:Dub.",
        "1 below another: a:Dub below a:reggae.",
        "4 with the same tag in another catalogue: a:Dub = b:riddim, a:reggae = b:dubs.",
        "3 without a sure counterpart: a:dub, a:1999, a:lone.",
        "1 perhaps of two senses: b:riddim (a:Dub, a:reggae).",
        "1 cannot be told: a:lone.",
        "1 no genre, proposed to be dropped: a:1999 (a year).",
        "1 to be reviewed: b:dubs - a:reggae (0.20).",
        "1 decided by people.",
        "Note: Something to know.",
    ]


def test_a_messy_library_without_sound():
    spelt = ("Techno", "techno", "TECHNO", "Chiptune", "chiptunes", "Chip Tune", "Chip-Tune",
             "Drum & Bass", "Drum and Bass", "DnB", "Game", "Soundtrack", "Other", "2004",
             "Folk, World, & Country", "Ambient", "Death Metal", "Heavy Metal")  # fmt: skip
    ids = tuple(f"t{k}" for k in range(len(spelt)))
    found = decide(gather_facts([Catalogue("", ids, ids, ids, tuple((tag,) for tag in spelt))]))
    assert {tag for tag, its in found.canonical.items() if its == "Techno"} == {*spelt[:3]}
    assert len({found.canonical[tag] for tag in spelt[3:7]}) == 1
    assert found.canonical["Drum and Bass"] == found.canonical["Drum & Bass"]
    assert found.canonical["DnB"] == "DnB"
    assert {*found.blocked} == {"Game", "Soundtrack", "Other", "2004"}
    review = [{m.source, m.target} for m in found.matches if m.state == "review"]
    assert review == [{"DnB", found.canonical["Drum & Bass"]}]
    assert len(lines(found)) <= 10


def test_gathered_facts_count_tracks_of_all_catalogues():
    names = ("Cher", "x")
    first = Catalogue(
        "a:", ("t1", "t2"), ("r1", "r2"), ("", ""), (("cher", "pop"), ("pop",)), names
    )
    second = Catalogue("b:", ("t2",), ("r2",), ("",), (("pop",),))
    facts = gather_facts([first, second])
    assert facts.tracks == {"a:cher": 1, "a:pop": 2, "b:pop": 1}
    assert facts.artists == {"a:cher": 1, "a:pop": 2, "b:pop": 1}
    assert {*facts.artist_names} == {"Cher"}
    assert decide(facts).blocked == {"a:cher": "the artist"}
    assert isinstance(facts.tags, scipy.sparse.csr_array)
    assert np.array_equal(facts.tags.toarray(), [[1, 1, 0], [0, 1, 1]])
