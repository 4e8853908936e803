"""Names of tags."""

import pytest

from tagjax.vocabulary import tags


@pytest.mark.parametrize(
    ("tag", "systems", "system", "name"),
    [
        ("jazz", ("",), "", "jazz"),
        ("mumu:jazz", ("", "mumu:"), "mumu:", "jazz"),
        ("genre:jazz", ("", "mumu:"), "", "genre:jazz"),
        ("a:genre:jazz", ("a:", "b:"), "a:", "genre:jazz"),
        ("a:b:x", ("a:", "a:b:"), "a:b:", "x"),
    ],
)
def test_the_longest_prefix_is_the_system(tag, systems, system, name):
    assert tags.system_of(tag, systems) == system
    assert tags.strip(tag, systems) == name


def test_a_tag_of_no_system_is_refused():
    with pytest.raises(ValueError, match="'c:x'"):
        tags.system_of("c:x", ("a:", "b:"))


def test_genres():
    assert tags.is_genre("genre:rock")
    assert tags.is_genre("a:genre:rock_1", ("a:", "b:"))
    assert not tags.is_genre("a:genre:rock")
    assert not tags.is_genre("rock")


@pytest.mark.parametrize(
    ("names", "systems"),
    [
        (["a:x", "a:genre:y", "b:x", "b:z"], ("a:", "b:")),
        (["x", "genre:y", "mumu:x", "mumu:z"], ("", "mumu:")),
        (["x", "genre:y", "genre:z"], ("",)),
        (["ratio 2:1", "x"], ("",)),
        (["a:x", "a:y", "lone:z"], ("", "a:")),
    ],
)
def test_detected_systems(names, systems):
    assert tags.detect_systems(names) == systems


def test_halves_are_told_by_their_ends():
    assert tags.split_duplicate("top_1_2") == ("top_1", 2)
    assert tags.split_duplicate("rock") == ("rock", 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("r&b", "r and b"),
        ("hip-hop", "genre:hip hop"),
        ("Drum & Bass", "drum and bass"),
        ("Bossa Nova", "bossanova"),
        ("Musique Concrète", "musique concrte"),
        ("Musique Concrète", "musique concrete"),
        ("musique concrte", "Musique Concre\u0300te"),
    ],
)
def test_names_that_agree(one, other):
    assert agree(one, other)
    assert agree(other, one)


@pytest.mark.parametrize(("one", "other"), [("dub", "dubstep"), ("音楽", "!?"), ("音", "楽")])
def test_names_that_differ(one, other):
    assert not agree(one, other)
    assert not agree(other, one)


def agree(one, other):
    """Whether one of them may be the other with letters lost."""
    first, second = tags.normalise(one), tags.normalise(other)
    return first in tags.spellings(second) or second in tags.spellings(first)
