import dataclasses

import pytest
from evident import catalogues

from tagjax.base.errors import InputError
from tagjax.evidence.weigh import COLUMNS
from tagjax.reconcile.apply import read_edits
from tagjax.reconcile.choices import FILE, LONGEST, WHY, Choices, read_choices
from tagjax.reconcile.decide import decide
from tagjax.reconcile.decisions import TwoSenses
from tagjax.reconcile.facts import Facts, gather_facts
from tagjax.reconcile.files import vocabulary_rows, write_decisions
from tagjax.reconcile.people import People, Said
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = Vocabulary.of(["Dub", "dub", "ska", "2012"])


def facts(**how):
    from tagjax.catalogue.annotations import Catalogue

    names = tuple("abcde")
    tags = (("Dub",), ("Dub",), ("dub",), ("ska",), ("ska", "2012"))
    found = gather_facts([Catalogue("", names, names, names, tags)])
    return Facts(found.vocabulary, found.tags, found.artist, **how)


def of_people(**choices):
    return People(choices=Choices(**choices))


def test_a_chosen_name_stands_for_its_group_alone():
    found = decide(facts(people=of_people(canonical={"Dub": "dub", "ska": "Dub"})))
    assert found.canonical == {"Dub": "dub", "dub": "dub", "ska": "ska", "2012": "2012"}


def test_what_a_person_drops_or_keeps_is_dropped_or_kept():
    said = Said("ska", "dub", "related", "positive", "x", "")
    people = People((said,), choices=Choices(block={"2012": False, "ska": True}))
    assert decide(facts(people=people)).blocked == {"ska": WHY}


@pytest.mark.parametrize("is_split", [True, False, None])
def test_a_split_tag_is_merged_with_no_other(is_split):
    choices = {} if is_split is None else {"split": {"dub": is_split}}
    senses = [TwoSenses("dub", (("a",), ("b",)), ("ska", "Dub"))]
    found = decide(facts(people=of_people(**choices), senses=senses))
    assert (found.canonical["dub"] == "dub") == (is_split is not False)
    assert bool(found.senses) == (is_split is not False)
    alone = decide(facts(people=of_people(**choices)))
    assert (alone.canonical["dub"] == "dub") == (is_split is True)


def test_a_new_name_is_cleaned_and_is_that_of_all_that_is_merged(tmp_path):
    name = "Dub \u200b  Cafe\u0301"
    (tmp_path / FILE).write_text(f"tag,action,value\ndub,canonical,{name}\ngone,block,true\n")
    choices = read_choices(tmp_path, TAGS)
    (note,) = choices.notes
    assert "tags.csv:3: 'gone' is no tag any more" in note
    found = decide(facts(people=People(choices=choices)))
    assert {tag: found.name_of(tag) for tag in found.canonical} == {
        **dict.fromkeys(("Dub", "dub"), "Dub Café"), "ska": "ska", "2012": "2012",
    }  # fmt: skip
    rows = {row[0]: row for row in vocabulary_rows(found)}
    assert rows["dub"][1] == rows["Dub"][1] == "Dub Café"


@pytest.mark.parametrize("name", ["ska", "SKA", "2012"])
def test_the_name_of_another_tag_is_no_new_name(name):
    found = decide(facts(people=of_people(canonical={"dub": name})))
    assert (found.called, found.canonical["dub"]) == ({}, "Dub")
    assert any(f"'dub' cannot be called '{name}'" in note for note in found.notes)


def test_two_groups_have_no_one_new_name_and_the_last_choice_for_a_group_holds():
    chosen = {"dub": "Music", "ska": "music", "Dub": "Sound"}
    found = decide(facts(people=of_people(canonical=chosen)))
    assert found.called == {"Dub": "Sound"}


def test_a_dropped_tag_with_a_new_name_is_dropped_with_all_that_is_merged(tmp_path):
    people = of_people(canonical={"dub": "Sound"}, block={"Dub": True})
    write_decisions(tmp_path, decide(facts(people=people)))
    edits = read_edits(tmp_path, drop_blocked=True)
    assert edits.new_tag("dub", "") is edits.new_tag("Dub", "") is None
    assert read_edits(tmp_path).new_tag("dub", "") == "Sound"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("Dub,drop,true", "action='drop' is none of"),
        ("Dub,block,yes", "value='yes': say true or false"),
        ("Dub,block,true\nDub,block,false", "'Dub' has that action already"),
        ("Dub,block", "2 cells, but the header has 3"),
        ("Dub,canonical, ", "'' is no name"),
        ("Dub,canonical,Unknown", "'Unknown' is no name; give another, or drop the tag"),
        ("Dub,canonical,a|b", "'a|b' holds '|', which stands between tags"),
        (f"Dub,canonical,{'a' * (LONGEST + 1)}", "longer than 100 letters"),
        ("Caf\xe9,block,true", "tags.csv:2: not UTF-8 (byte 20); convert it, such as with iconv"),
    ],
)
def test_nonsense_names_its_line(tmp_path, row, said):
    (tmp_path / FILE).write_text(f"tag,action,value\n{row}\n", encoding="latin1")
    with pytest.raises(InputError, match=r"tags.csv:\d") as caught:
        read_choices(tmp_path, TAGS)
    assert said in str(caught.value)


def test_catalogues_keep_their_choices_apart():
    given, _ = catalogues()
    people = of_people(canonical={"a:ska": "b:ska"})
    found = decide(gather_facts(given, people=people))
    assert found.canonical["a:ska"] == "a:ska"


def test_the_machine_does_not_overrule_a_person_on_a_tag_alone():
    given, _ = catalogues(names=(("ska", "rai"), ("dub", "emo")))
    found = gather_facts(given)
    row = dict.fromkeys(COLUMNS) | {"source": "a:ska", "target": "b:dub", "rank": 1}
    row |= {"relation": "none", "same": 0.0, "mutual": 0.0, "none": 1.0, "accepted": False}
    found = dataclasses.replace(found, rows=[row])
    said = Said("a:ska", None, "none", "negative", "x", "")
    for people, state in ((People(), "accepted"), (People((said,)), "rejected")):
        matches = decide(dataclasses.replace(found, people=people)).matches
        (match,) = (m for m in matches if m.source == "a:ska" and m.target is None)
        assert match.state == state
