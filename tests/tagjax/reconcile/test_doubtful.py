"""Names that may be the same: put up for review, never merged."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tagjax.catalogue.annotations import Catalogue
from tagjax.reconcile.decide import decide
from tagjax.reconcile.doubtful import WHY, find_doubts
from tagjax.reconcile.facts import gather_facts
from tagjax.reconcile.spelling import find_groups
from tagjax.vocabulary.taxonomy import Taxonomy, discogs
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
        ("one letter", "Marsch", "March"),
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


def decided(*tags, taxonomy=None):
    ids = tuple(f"t{k}" for k in range(len(tags)))
    catalogue = Catalogue("", ids, ids, ids, tuple((tag,) for tag in tags))
    return decide(gather_facts([catalogue], taxonomy=taxonomy))


def test_doubts_are_put_up_for_review_and_nothing_is_merged():
    found = decided("DnB", "Drum & Bass", "Death Metal", "Metal", "Electronica", "Electronic")
    shown = {(m.source, m.target, m.relation, m.note) for m in found.matches}
    assert shown == {
        ("DnB", "Drum & Bass", "exact", WHY["initials"]),
        ("Death Metal", "Metal", "broad", WHY["last word"]),
        ("Electronica", "Electronic", "exact", WHY["one letter"]),
    }
    assert {m.state for m in found.matches} == {"review"}
    assert all(tag == its for tag, its in found.canonical.items())
    assert not any(found.parents.values())


def test_what_is_no_genre_is_not_reviewed():
    assert decided("Game", "Game Music", "J-Pop/Game").matches == ()


def test_where_there_is_a_taxonomy_names_say_nothing_on_what_is_above():
    taxonomy = Taxonomy.of([("Dub", "Reggae")])
    found = decided("Death Metal", "Metal", "Dub", "Reggae", taxonomy=taxonomy)
    assert not [match for match in found.matches if match.state == "review"]
