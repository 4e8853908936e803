import dataclasses

import pytest
from evident import catalogues

from tagjax.base.errors import InputError
from tagjax.evidence.weigh import COLUMNS
from tagjax.reconcile.choices import FILE, WHY, Choices, read_choices, write_choice
from tagjax.reconcile.decide import decide
from tagjax.reconcile.decisions import TwoSenses
from tagjax.reconcile.facts import Facts, gather_facts
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


def test_a_choice_takes_the_place_of_the_one_before_and_keeps_other_cells(tmp_path):
    path = tmp_path / FILE
    path.write_text("tag,action,value,why\nDub,block,true,loud\ngone,block,true,\n")
    write_choice(tmp_path, "Dub", "split", "true")
    write_choice(tmp_path, "Dub", "block", "false")
    assert path.read_text() == (
        "tag,action,value,why\nDub,block,false,\ngone,block,true,\nDub,split,true,\n"
    )
    found = read_choices(tmp_path, TAGS)
    assert (found.block, found.split) == ({"Dub": False}, {"Dub": True})
    (note,) = found.notes
    assert "tags.csv:3: 'gone' is no tag any more" in note


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("Dub,drop,true", "action='drop' is none of"),
        ("Dub,block,yes", "value='yes': say true or false"),
        ("Dub,block,true\nDub,block,false", "'Dub' has that action already"),
        ("Dub,block", "2 cells, but the header has 3"),
    ],
)
def test_nonsense_names_its_line(tmp_path, row, said):
    (tmp_path / FILE).write_text(f"tag,action,value\n{row}\n")
    with pytest.raises(InputError, match=r"tags.csv:\d") as caught:
        read_choices(tmp_path, TAGS)
    assert said in str(caught.value)
    before = (tmp_path / FILE).read_bytes()
    if "cells" in said:
        with pytest.raises(InputError):
            write_choice(tmp_path, "ska", "block", "true")
        assert (tmp_path / FILE).read_bytes() == before


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
