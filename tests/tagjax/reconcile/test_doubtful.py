"""Names that may be the same: put up for review, never merged."""

import pytest

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
    ],
)
def test_what_may_be_the_same(kind, tag, target):
    vocabulary = of(tag, target)
    assert find_groups(vocabulary, {}) == []
    (doubt,) = find_doubts(vocabulary, {target: 1})
    assert (doubt.kind, doubt.tag, doubt.target) == (kind, tag, target)


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
    ],
)
def test_what_is_not_even_doubtful(names):
    assert doubts(*names) == []


def test_tags_of_different_systems_are_never_paired():
    vocabulary = Vocabulary.of(["a:Soul", "b:Soul Music"], ["a:", "b:"])
    assert find_doubts(vocabulary, {}) == []


def test_of_all_names_of_discogs_few_are_doubtful():
    names = sorted({name for pair in discogs().pairs() for name in pair})
    assert doubts(*names) == []
