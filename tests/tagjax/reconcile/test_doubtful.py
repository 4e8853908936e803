"""Names that may be the same: put up for review, never merged."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tagjax.reconcile.doubtful import find_doubts
from tagjax.reconcile.spelling import find_groups
from tagjax.vocabulary.taxonomy import discogs
from tagjax.vocabulary.vocabulary import Vocabulary


def doubts(*names, **tracks):
    return [(doubt.kind, doubt.tag, doubt.target) for doubt in find_doubts(of(*names), tracks)]


def of(*names):
    return Vocabulary.of(names)


@pytest.mark.parametrize("short", ["DnB", "d&b", "D'n'B", "dnb"])
def test_initials_are_of_a_whole_group(short):
    found = doubts("Drum & Bass", "Drum and Bass", short, "Dub")
    assert found == [("initials", short, "Drum & Bass")]


def test_the_full_name_stands_for_its_initials_even_if_it_is_rarer():
    assert doubts("EBM", "Electronic Body Music", EBM=9)[0][2] == "Electronic Body Music"


def test_initials_of_two_names_say_nothing():
    assert doubts("Dark Metal", "Death Metal", "DM") == []


@pytest.mark.parametrize(
    ("kind", "tag", "target"),
    [
        ("word order", "Pop Folk", "Folk Pop"),
        ("word order", "genre:Pop Folk", "genre:Folk Pop"),
        ("list", "Singer/Songwriter", "Singer-Songwriter"),
        ("list", "Hip Hop, Rap", "Hip-Hop Rap"),
        ("music", "Soul Music", "Soul"),
        ("music", "Klassische Musik", "Klassische"),
        ("one letter", "Orchestra", "Orchestral"),
        ("one letter", "Psychadelic Rock", "Psychedelic Rock"),
        ("one letter", "Eletronic", "Electronic"),
        ("one letter", "Eelctronic", "Electronic"),
        ("part", "Dark/Trance", "trance"),
        ("last word", "Melodic Death Metal", "Metal"),
        ("last word", "genre:Death-Metal", "genre:Metal"),
    ],
)
def test_what_may_be_the_same(kind, tag, target):
    vocabulary = of(tag, target)
    assert find_groups(vocabulary, {}) == []
    (doubt,) = find_doubts(vocabulary, {target: 1})
    assert (doubt.kind, doubt.tag, doubt.target) == (kind, tag, target)
    assert doubt.relation == ("broad" if kind in ("part", "last word") else "exact")


@pytest.mark.parametrize(
    "names",
    [
        ("Funk Rock", "Punk Rock"),  # Another consonant.
        ("1980s Pop", "1970s Pop"),
        ("Rock", "Rocks off"),
        ("Soca", "Soco"),  # Short.
        ("R&B", "RB"),
        ("genre:Soul Music", "Soul"),
        ("New Romantic", "Neo-Romantic"),  # Both are of Discogs.
        ("Music", "Musik"),
        ("Post-Rock", "Rock"),
        ("Drum & Bass", "Bass"),
        ("Funk / Soul", "Funk"),  # One genre of Discogs.
        ("genre:Death Metal", "Metal"),
    ],
)
def test_what_is_not_even_doubtful(names):
    assert doubts(*names) == []


def test_tags_of_different_systems_are_never_paired():
    vocabulary = Vocabulary.of(["a:Soul", "b:Soul Music"], ["a:", "b:"])
    assert find_doubts(vocabulary, {}) == []


def test_the_longest_end_that_is_a_tag_counts():
    found = doubts("Melodic Death Metal", "Death Metal", "Metal")
    assert [pair[1:] for pair in found] == [
        ("Melodic Death Metal", "Death Metal"),
        ("Death Metal", "Metal"),
    ]


def test_all_genres_in_one_name_are_above_it():
    found = doubts("Orchestral/Electronic", "Electronic", "orchestral")
    assert [(kind, above) for kind, _, above in found] == [
        ("part", "orchestral"),
        ("part", "Electronic"),
    ]


def test_of_all_names_of_discogs_none_may_be_another():
    names = sorted({name for pair in discogs().pairs() for name in pair})
    assert {doubt.relation for doubt in find_doubts(of(*names), {})} == {"broad"}


WORDS = st.sampled_from(["rock", "Pop", "dub", "1", "&", "and", "n", "/", ",", "'", "-", "é"])


@settings(max_examples=300, database=None)
@given(st.lists(st.lists(WORDS, max_size=5).map(" ".join), unique=True, max_size=8))
def test_any_names(names):
    vocabulary = of(*(name.strip() for name in names if name.strip()))
    groups = find_groups(vocabulary, {})
    alike = {tag: group.tags[0] for group in groups for tag in group.tags}
    for doubt in find_doubts(vocabulary, {}):
        pair = doubt.tag, doubt.target
        assert len({alike.get(tag, tag) for tag in pair}) == 2
        assert {*pair} <= {*vocabulary.tags}
    assert all(kinds for group in groups for kinds in group.kinds[1:])
