import unicodedata

import hypothesis
import hypothesis.strategies as st
import pytest

from tagjax.base import text


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("plain", "plain"),
        ("  two  words\t\n", "two words"),
        ("\u3000ideographic\u00a0space\u2003", "ideographic space"),
        ("Beyonce\u0301", "Beyoncé"),
        (unicodedata.normalize("NFD", "한국어"), "한국어"),
        ("ze\u200bro\ufeff wid\u2060th", "zero width"),
        ("\u202eright to left\u202c", "right to left"),
        ("soft\u00adhyphen", "softhyphen"),
        ("persian\u200cjoiner", "persianjoiner"),
        ("heart\u2764\ufe0f", "heart\u2764"),
        ("con\x00trol\x1b \x07\x9b", "control"),
        ("\u3164", ""),  # Drawn as nothing, taken by people who want an empty name.
        ("next\x85line\u2028here", "next line here"),
        ("\ufb01x Ⅳ ½", "\ufb01x Ⅳ ½"),  # No NFKC.
        ("ก\u0e49", "ก\u0e49"),
        ("हि\u0902दी", "हि\u0902दी"),
        ("\u06dd1", "\u06dd1"),
    ],
)
def test_what_looks_the_same_is_the_same(raw, cleaned):
    assert text.clean(raw) == cleaned
    assert text.clean(cleaned) == cleaned


def test_joiners_inside_do_not_hinder_composition():
    assert text.clean("e\u200b\u0301") == text.clean("é") == "é"


def test_no_character_survives_that_is_not_drawn():
    for code in range(0x110000):
        letter = chr(code)
        if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp"):
            assert text.clean(f"a{letter}b") in ("ab", "a b")


@pytest.mark.parametrize(
    "word",
    [
        *("nan", "NaN", "None", "NULL", "n/a", "N/A", "NA", "-", "", "  ", "\u200b", "<unknown>"),
        *("Unknown Album", "[unknown]", "(none)", "Unknown  Artist", "Unbekanntes Album"),
        *(
            "unknown_album",
            "Unknown-Artist",
            "N / A",
            "\\N",
            "#REF!",
            "<NA>",
            "—",
            "...",
            "알 수 없음",
        ),
        *("Unknown Album (1/2/2004 3:45:12 PM)", "Unbekanntes Album (24.12.2005 18:33:10)"),
        *("Artist Unknown", "неизвестно", "알 수 없음", "Unknown (1)"),
    ],
)
def test_words_for_none(word):
    assert text.is_none(word)
    assert text.known(word) == ""


@pytest.mark.parametrize(
    "word", ["Nana", "0", "Unknown Pleasures", "Null + Void", "!!!", "Nun", "Nat", "None (2) More"]
)
def test_other_words_are_names(word):
    assert not text.is_none(word)
    assert text.known(f" {word} ") == word


def test_a_source_adds_its_words():
    assert text.is_none("0", text.NONE | {"0"})
    assert not text.is_none("00", text.NONE | {"0"})


@pytest.mark.parametrize("value", ["a\0b", "\x01", "\ufffd", "x\x9fy", "\x1c", "\uffff"])
def test_damage(value):
    assert text.is_damaged(value)


@pytest.mark.parametrize("value", ["", "line\r\nline\ttab", "end\0", "音楽", "\u200b", "\x85"])
def test_no_damage(value):
    assert not text.is_damaged(value)


@hypothesis.given(
    st.lists(st.sampled_from(["a", "a b", "a  b", " a", "a ", "é", "e\u0301", "\u200b"]))
)
def test_a_column_is_cleaned_cell_by_cell(cells):
    assert list(text.cleaned(cells)) == [text.clean(cell) for cell in cells]


@hypothesis.given(st.lists(st.text()))
def test_any_column_is_cleaned_cell_by_cell(cells):
    assert list(text.cleaned(cells)) == [text.clean(cell) for cell in cells]
