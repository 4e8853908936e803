"""Taxonomies and how they are found among tags."""

import re

import pandas as pd
import pytest

from tagjax.base.errors import InputError
from tagjax.vocabulary import taxonomy
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.vocabulary import Vocabulary

TWO_PARENTS = """afrobeat, disco, dub, electro, experimental, gospel, grime, hardcore, industrial,
neofolk, new wave, noise, parody, rhythm & blues, ska, trip hop"""


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_taxonomy_is_the_table_of_facts(shared):
    table = pd.read_csv(shared / "facts/discogs_taxonomy.csv")
    assert len(table) == 519
    expected = {style: set(genres) for style, genres in table.groupby("style").genre}
    assert taxonomy.discogs().parents == expected


def test_discogs_finds_all_235_styles_and_15_genres_of_the_release(release):
    path = release / "taxonomy_learning/fw_tag_similarity.csv"
    tags = list(pd.read_csv(path, index_col=0).index)
    placement = taxonomy.place(taxonomy.discogs(), Vocabulary.guess(tags))
    assert len(placement.parents) == 235
    assert placement.orphans == ()
    assert placement.absent == ()
    named = {genre for genres in placement.parents.values() for genre in genres}
    # No Discogs style of the 235 belongs to Children's: told, not dropped.
    assert placement.childless == ("genre:children's",)
    assert len(named | set(placement.childless)) == 15
    several = sorted(style for style, genres in placement.parents.items() if len(genres) > 1)
    assert several == re.split(r",\s", TWO_PARENTS)
    assert placement.parents["musique concrte"] == ("genre:electronic",)


def test_same_spelling_comes_before_same_normalised_name():
    truth = Taxonomy({"Bossa Nova": frozenset({"Jazz"}), "Bossanova": frozenset({"Latin"})})
    tags = ["bossa nova", "bossanova", "bossa-nova", "genre:jazz", "genre:latin"]
    parents = taxonomy.place(truth, Vocabulary.of(tags)).parents
    assert parents["bossa nova"] == ("genre:jazz",)
    assert parents["bossanova"] == ("genre:latin",)
    assert parents["bossa-nova"] == ("genre:jazz", "genre:latin")


def test_a_style_named_as_a_genre_is_told_apart_from_it():
    truth = Taxonomy({"Reggae": frozenset({"Reggae"})})
    placement = taxonomy.place(truth, Vocabulary.of(["reggae", "genre:reggae", "genre:rock"]))
    assert placement.parents == {"reggae": ("genre:reggae",)}
    assert placement.childless == ("genre:rock",)


def test_each_system_has_its_own_genres():
    tags = ["a:swing", "a:genre:jazz", "b:swing", "b:genre:jazz", "b:genre:oldtime", "b:rave"]
    prefixed = Taxonomy(
        {
            "a:swing": frozenset({"a:genre:jazz"}),
            "b:swing": frozenset({"b:genre:oldtime", "b:genre:x"}),
        }
    )
    vocabulary = Vocabulary.of(tags, ("a:", "b:"))
    placement = taxonomy.place(prefixed, vocabulary)
    assert placement.parents == {"a:swing": ("a:genre:jazz",), "b:swing": ("b:genre:oldtime",)}
    assert placement.orphans == ("b:rave",)
    assert placement.childless == ("b:genre:jazz",)
    assert placement.absent == ("b:genre:x",)
    plain = Taxonomy({"Swing": frozenset({"Jazz"})})
    placement = taxonomy.place(plain, vocabulary)
    assert placement.parents == {"a:swing": ("a:genre:jazz",), "b:swing": ("b:genre:jazz",)}


def test_names_without_prefix_are_of_the_system_without_prefix():
    tags = ["swing", "genre:jazz", "mumu:swing", "mumu:genre:jazz"]
    truth = Taxonomy.of([("Swing", "Jazz")])
    placement = taxonomy.place(truth, Vocabulary.of(tags, ("", "mumu:")))
    assert placement.parents == {"swing": ("genre:jazz",)}
    assert placement.orphans == ("mumu:swing",)


def test_the_column_of_genres_says_what_is_a_genre():
    truth = Taxonomy.of([("Bop", "Jazz"), ("Opera", "Classical"), ("genre:Lied", "Classical")])
    tags = ["bop", "jazz", "opera", "lied", "classical", "genre:classical", "genre:noise"]
    placement = taxonomy.place(truth, Vocabulary.of(tags))
    # Where one of two is marked, the genre is that one; a mark alone makes a genre, too.
    assert placement.genres == ("jazz", "genre:classical", "genre:noise")
    assert placement.styles == ("bop", "opera", "lied", "classical")
    assert placement.parents == {
        "bop": ("jazz",),
        "opera": ("genre:classical",),
        "lied": ("genre:classical",),
    }
    assert placement.orphans == ("classical",)
    assert placement.childless == ("genre:noise",)


def test_a_mark_gives_way_to_the_table():
    truth = Taxonomy.of([("genre:opera", "genre:classical")])
    placement = taxonomy.place(truth, Vocabulary.of(["genre:opera", "genre:classical"]))
    assert placement.parents == {"genre:opera": ("genre:classical",)}
    assert placement.genres == ("genre:classical",)
    unmarked = Taxonomy.of([("opera", "classical")])  # Of another tag than the marked one.
    placement = taxonomy.place(unmarked, Vocabulary.of(["genre:opera", "genre:classical"]))
    assert placement.styles == ()


def test_a_tag_between_two_levels_is_both():
    truth = Taxonomy.of([("dub", "reggae"), ("reggae", "caribbean"), ("Reggae", "Reggae")])
    placement = taxonomy.place(truth, Vocabulary.of(["dub", "reggae", "caribbean"]))
    assert placement.parents == {"dub": ("reggae",), "reggae": ("caribbean",)}
    assert placement.genres == ("reggae", "caribbean")


@pytest.mark.parametrize(
    "tags",
    [
        ["a", "b", "c", "d"],
        ["genre:a", "genre:b", "c", "d"],
        ["A b", "A: b", "x", "y"],
        ["x:a", "x:b", "x:c", "x:d"],
    ],
)
def test_what_a_table_spells_as_the_tags_are_spelt_is_found(tags):
    """Each pair between tags that launch.split counts."""
    for genre in tags[:2]:
        truth = Taxonomy.of((style, genre) for style in tags if style != genre)
        placement = taxonomy.place(truth, Vocabulary.of(tags))
        assert placement.parents == {tag: (genre,) for tag in tags if tag != genre}


def test_halves_are_placed_among_their_half():
    tags = ["dub_1", "dub_2", "genre:reggae_1", "genre:reggae_2", "ska_2"]
    truth = Taxonomy.of([("Dub", "Reggae"), ("Ska", "Reggae")])
    placement = taxonomy.place(truth, Vocabulary.of(tags, halves=True))
    assert placement.parents == {
        "dub_1": ("genre:reggae_1",),
        "dub_2": ("genre:reggae_2",),
        "ska_2": ("genre:reggae_2",),
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("style,genre\na,Rock\n,Rock\n", ":3: empty style"),
        ("style,genre\na, \n", ":2: empty genre"),
        ("style,genre\n", "no row"),
        ("style,parent\na,b\n", "'genre' is missing"),
    ],
)
def test_bad_tables_are_refused(tmp_path, text, message):
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(InputError, match=message) as caught:
        taxonomy.read_taxonomy(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
