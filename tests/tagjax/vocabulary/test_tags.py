"""Names of tags."""

import pytest

from tagjax.vocabulary import tags


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
