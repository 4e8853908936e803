"""A vocabulary: what each tag is."""

import json

import pytest

from tagjax.base.errors import InputError
from tagjax.vocabulary.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("tag", "systems", "system", "name"),
    [
        ("jazz", ("",), "", "jazz"),
        ("mumu:jazz", ("", "mumu:"), "mumu:", "jazz"),
        ("genre:jazz", ("", "mumu:"), "", "genre:jazz"),
        ("a:genre:jazz", ("a:", "b:"), "a:", "genre:jazz"),
        ("a:b:x", ("a:", "a:b:"), "a:b:", "x"),
        ("Classical: Opera", ("",), "", "Classical: Opera"),
    ],
)
def test_the_longest_prefix_is_the_system(tag, systems, system, name):
    vocabulary = Vocabulary.of([tag], systems)
    assert (vocabulary.system, vocabulary.names) == ((system,), (name,))
    assert vocabulary.system_of(tag) == system
    assert vocabulary.split(tag) == (system, name)


def test_a_tag_of_no_system_is_refused():
    with pytest.raises(InputError, match="'c:x' is of none of the tag systems a:,b:"):
        Vocabulary.of(["a:x", "c:x"], ("a:", "b:"))


@pytest.mark.parametrize(
    ("names", "systems"),
    [
        (["a:x", "a:genre:y", "b:x", "b:z"], ("a:", "b:")),
        (["x", "genre:y", "mumu:x", "mumu:z"], ("", "mumu:")),
        (["x", "genre:y", "genre:z"], ("",)),
        (["ratio 2:1", "x"], ("",)),
        (["a:x", "a:y", "lone:z"], ("", "a:")),
        ([], ("",)),
    ],
)
def test_guessed_systems(names, systems):
    assert Vocabulary.guess(names).systems == systems


@pytest.mark.parametrize(
    ("names", "half"),
    [
        (["rock_1", "rock_2"], (1, 2)),
        (["rock_1", "rock"], (0, 0)),
        (["top_1_2", "x_1"], (2, 1)),
        (["_1", "x_1"], (0, 0)),
        ([], ()),
    ],
)
def test_guessed_halves(names, half):
    assert Vocabulary.guess(names).half == half


def test_halves_come_in_pairs():
    tags = ("a:genre:rock_1", "a:genre:rock_2", "top_1_2", "rock_3", "rock")
    vocabulary = Vocabulary.of(tags, ("", "a:"), halves=True)
    assert vocabulary.partner("a:genre:rock_1") == "a:genre:rock_2"
    assert vocabulary.partner("a:genre:rock_2") == "a:genre:rock_1"
    assert [vocabulary.partner(tag) for tag in tags[2:]] == [None] * 3
    assert vocabulary.whole == ("a:genre:rock", "a:genre:rock", "top_1", "rock_3", "rock")
    assert vocabulary.names == ("genre:rock", "genre:rock", "top_1", "rock_3", "rock")
    plain = Vocabulary.of(tags, ("", "a:"))
    assert plain.partner("a:genre:rock_1") is None
    assert plain.whole == tags


def test_a_record_is_read_back():
    vocabulary = Vocabulary.of(("a:x_1", "b:y", "a:x_2"), ("b:", "a:"), halves=True)
    assert Vocabulary.from_record(json.loads(json.dumps(vocabulary.record()))) == vocabulary


@pytest.mark.parametrize(
    "wrong",
    [
        {"tags": None},
        {"tags": ["x", "x"]},
        {"systems": ["q:"]},
        {"system": [1]},
        {"half": [1, 0]},
        {"half": [0]},
        {"tags": [1, 2]},
    ],
)
def test_a_record_of_another_form_is_refused(wrong):
    record = Vocabulary.of(("x", "y")).record() | wrong
    with pytest.raises(InputError, match="not a record of a vocabulary"):
        Vocabulary.from_record(record)


def test_other_systems_keep_the_halves():
    vocabulary = Vocabulary.of(("Jazz: Bop_1", "Jazz: Bop_2"), ("Jazz:",), halves=True)
    for none in ([], [""]):
        regrouped = vocabulary.regrouped(none)
        assert regrouped.systems == ("",)
        assert regrouped.names == ("Jazz: Bop", "Jazz: Bop")
        assert regrouped.half == (1, 2)
    with pytest.raises(InputError, match="of none of the tag systems x:"):
        vocabulary.regrouped(["x:"])


def test_some_tags_and_further_ones():
    vocabulary = Vocabulary.of(("a:x_1", "a:x_2", "b:y"), ("a:", "b:"), halves=True)
    some = vocabulary.select(["b:y", "a:x_2"])
    assert (some.tags, some.system, some.half) == (("b:y", "a:x_2"), ("b:", "a:"), (0, 2))
    both = some.extended(Vocabulary.of(("a:x_2", "c:z"), ("a:", "c:")))
    assert both.tags == ("b:y", "a:x_2", "c:z")
    assert both.systems == ("a:", "b:", "c:")
    assert both.half == (0, 2, 0)
    assert both.members("a:") == [1]
    assert both.index["c:z"] == 2
