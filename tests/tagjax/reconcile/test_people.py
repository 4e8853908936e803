"""The files of people."""

import json
import re

import pytest

from tagjax.base.errors import InputError
from tagjax.reconcile.people import VERDICTS, create_files, path_of, read_people
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = Vocabulary.of(["a:dub", "a:ska", "b:dub", "b:reggae"], ["a:", "b:"])
HEAD = "#curie_map:\n#  a: https://tagjax.invalid/a/\n#  b: https://tagjax.invalid/b/\n"
COLUMNS = "subject_id\tpredicate_id\tpredicate_modifier\tobject_id\tauthor_label\n"
EXACT, BROAD, NARROW = "skos:exactMatch", "skos:broadMatch", "skos:narrowMatch"


def write(folder, verdict, *rows):
    """Writes rows of (subject, predicate, object, author, modifier)."""
    text = HEAD + COLUMNS
    for subject, predicate, target, who, modifier in rows:
        text += "\t".join([subject, predicate, modifier, target, who]) + "\n"
    path_of(folder, verdict).write_text(text)


def row(subject, predicate, target, who="", modifier=""):
    return subject, predicate, target, who, modifier


def test_files_are_created_once_and_never_written_again(tmp_path):
    assert len(create_files(tmp_path, TAGS)) == 4
    assert read_people(tmp_path, TAGS).said == ()
    project = json.loads((tmp_path / "sssom-curator.json").read_text())
    assert project["positives_path"] == "positive.sssom.tsv"
    assert project["unsure_path"] == "unsure.sssom.tsv"
    for verdict in VERDICTS:
        path_of(tmp_path, verdict).write_text("mine\n")
    (tmp_path / "sssom-curator.json").write_text("mine\n")
    assert create_files(tmp_path, TAGS) == []
    assert {path.read_text() for path in tmp_path.iterdir()} == {"mine\n"}


def test_each_file_is_a_verdict(tmp_path):
    write(tmp_path, "positive", row("a:dub", EXACT, "b:dub", "Ann"))
    write(tmp_path, "negative", row("a:ska", EXACT, "b:dub", modifier="Not"))
    write(tmp_path, "unsure", row("a:ska", BROAD, "b:reggae"))
    people = read_people(tmp_path, TAGS)
    assert [(said.verdict, said.relation, said.by) for said in people.said] == [
        ("positive", "exact", "Ann"),
        ("negative", "exact", "a person"),
        ("unsure", "broad", "a person"),
    ]
    assert people.said[2].of("b:reggae") == "narrow"
    assert people.notes == ()
    assert people.on_pairs()[frozenset(("b:dub", "a:dub"))].by == "Ann"


def test_a_person_may_say_that_there_is_no_counterpart(tmp_path):
    write(tmp_path, "positive", row("a:dub", EXACT, "sssom:NoTermFound"))
    people = read_people(tmp_path, TAGS)
    assert people.said[0].target is None
    assert people.said[0].relation == "none"
    assert {*people.without_counterpart()} == {"a:dub"}


def test_the_same_from_both_sides_and_not_exact_but_broader_are_no_contradictions(tmp_path):
    write(tmp_path, "positive", row("a:dub", BROAD, "b:reggae"), row("b:reggae", NARROW, "a:dub"))
    write(tmp_path, "negative", row("a:dub", EXACT, "b:reggae"))
    people = read_people(tmp_path, TAGS)
    assert len(people.said) == 3
    assert people.on_pairs()[frozenset(("a:dub", "b:reggae"))].relation in ("broad", "narrow")


def test_a_tag_that_is_gone_is_noted_and_its_row_does_nothing(tmp_path):
    write(tmp_path, "positive", row("a:gone", EXACT, "b:dub"), row("c:x", EXACT, "b:dub"))
    people = read_people(tmp_path, TAGS)
    assert people.said == ()
    assert re.search(r"positive.sssom.tsv:5: 'a:gone' is no tag any more", people.notes[0])
    assert "'c:x'" in people.notes[1]


def test_a_doubt_that_was_settled_is_noted(tmp_path):
    write(tmp_path, "positive", row("a:dub", EXACT, "b:dub"))
    write(tmp_path, "unsure", row("b:dub", EXACT, "a:dub"))
    people = read_people(tmp_path, TAGS)
    assert "positive.sssom.tsv:5 has settled" in people.notes[0]
    assert people.on_pairs()[frozenset(("a:dub", "b:dub"))].verdict == "positive"


@pytest.mark.parametrize(
    ("positive", "negative", "message"),
    [
        ([row("a:dub", "owl:sameAs", "b:dub")], [], "tsv:5: predicate_id='owl:sameAs'"),
        ([row("a:dub", EXACT, "b:dub", "", "Not")], [], "move the row to negative.sssom.tsv"),
        ([row("a:dub", EXACT, "a:dub")], [], "paired with itself"),
        ([row("a:dub", EXACT, "")], [], "positive.sssom.tsv:5: empty object_id"),
        (
            [row("a:dub", EXACT, "b:dub"), row("b:dub", BROAD, "a:dub")],
            [],
            "tsv:6: b:dub is narrow to a:dub here, but exact in .*tsv:5|"
            "tsv:6: a:dub is broad to b:dub here, but exact in .*tsv:5",
        ),
        (
            [row("a:dub", BROAD, "b:dub"), row("b:dub", BROAD, "a:dub")],
            [],
            "drop one of the rows",
        ),
        (
            [row("a:dub", EXACT, "b:dub")],
            [row("b:dub", EXACT, "a:dub")],
            "negative.sssom.tsv:5: says that a:dub is not exact to b:dub, but .*positive",
        ),
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_one_line_that_names_file_and_row(
    tmp_path, positive, negative, message
):
    write(tmp_path, "positive", *positive)
    write(tmp_path, "negative", *negative)
    with pytest.raises(InputError, match=message) as error:
        read_people(tmp_path, TAGS)
    assert "\n" not in str(error.value)
