"""Tables of truth: one reader each, and all of them together."""

import re

import pytest

from tagjax.base.errors import InputError
from tagjax.vocabulary import truth as truths
from tagjax.vocabulary.duplicates import read_duplicates
from tagjax.vocabulary.taxonomy import Taxonomy, read_taxonomy
from tagjax.vocabulary.translation import Relation, read_translation
from tagjax.vocabulary.truth import Truth


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_duplicates, "tag,duplicate\na,\n", ":2: empty duplicate"),
        (read_duplicates, "tag,duplicate\na,b\na,a\n", ":3: 'a' is paired with itself"),
        (read_duplicates, "tag,duplicate\na,b\nb,a\n", ":3: the pair b, a is already in row 2"),
        (read_duplicates, "tag,other\na,b\n", "'duplicate' is missing"),
        (read_duplicates, "system,tag,duplicate\nq,a,b\n", ":2: unknown system 'q'"),
        (read_duplicates, "tag,duplicate\n", "no row under the header"),
        (read_translation, "source,target,relation\nb:x,,exact\n", ":2: empty target"),
        (read_translation, "source,target,relation\nb:x,a:x,\n", ":2: empty relation"),
        (read_translation, "source,target,relation\na,b,exact\na,c,exatc\n", ":3: .*'exatc'"),
        (read_translation, "source,target,relation\na,a,exact\n", ":2: 'a' is paired with itself"),
        (read_translation, "source,target\nb:x,a:x\n", "'relation' is missing"),
        (read_translation, "tag,relation\nx,exact\n", ":1: expected the columns source,target"),
        (read_translation, "q_tag,r_tag,relation\nx,y,exact\n", "'q_tag' is of the tag system"),
        (read_taxonomy, "style,genre\na,b\nb,c\nc,a\n", "goes in a circle"),
        (read_taxonomy, "style,genre\na,b\na,b\n", ":3: the pair a, b is already in row 2"),
    ],
)
def test_bad_tables_are_refused_with_file_and_line(tmp_path, read, text, message):
    path = write(tmp_path / "t.csv", text)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


def test_a_name_of_both_systems_is_a_pair(tmp_path):
    """Without prefixes, `ambient` of one system and `ambient` of the other."""
    path = write(tmp_path / "t.csv", "b_tag,a_tag,relation\nambient,ambient,exact\n")
    assert read_translation(path, ("a:", "b:")) == (Relation("b:ambient", "a:ambient"),)


def test_tags_are_cleaned_as_those_of_catalogues_are(tmp_path):
    path = write(tmp_path / "t.csv", "tag,duplicate\nm\u0075\u0301sica,\u200bm  b\n")
    assert read_duplicates(path) == (("m\u00fasica", "m b"),)


def test_the_tables_of_the_corpus(shared):
    corpus = shared / "corpus"
    assert len(read_taxonomy(corpus / "taxonomy_a.csv", "a:").pairs()) == 49
    relations = read_translation(corpus / "translation.csv", ["a:", "b:"])
    assert Relation("b:argentine", "a:tango") in relations
    assert {r.relation for r in relations} <= {"exact", "broad", "narrow", "close", "related"}


def test_lines_are_those_of_the_file(tmp_path):
    path = write(tmp_path / "t.csv", 'tag,duplicate\n"a\nb",c\n\nd,d\n')
    with pytest.raises(InputError, match=re.escape("t.csv:5: 'd' is paired with itself")):
        read_duplicates(path)


def test_good_tables_are_read(tmp_path):
    path = write(tmp_path / "t.csv", "tag,duplicate\na , b\n")
    assert read_duplicates(path) == (("a", "b"),)
    path = write(tmp_path / "t.csv", "system,tag,duplicate\na,x,y\nb:,x,y\n")
    assert read_duplicates(path, ("a:", "b:")) == (("a:x", "a:y"), ("b:x", "b:y"))
    path = write(tmp_path / "t.csv", "source,target,relation\nb:x,a:x,broad\n")
    assert read_translation(path) == (Relation("b:x", "a:x", "broad"),)
    path = write(tmp_path / "t.csv", "b_tag,a_tag,relation,why\nx,y,close,because\n")
    assert read_translation(path, ("a:", "b:")) == (Relation("b:x", "a:y", "close"),)
    path = write(tmp_path / "t.csv", "style,genre\nReggae,Reggae\nDub,Reggae\n")
    assert read_taxonomy(path, "a:").pairs() == (
        ("a:Reggae", "a:Reggae"),
        ("a:Dub", "a:Reggae"),
    )


WHOLE = Truth(
    Taxonomy.of([("dub", "reggae"), ("dub", "electronic")]),
    (Relation("b:x", "a:x", "narrow"),),
    (("a", "b"),),
)


@pytest.mark.parametrize("truth", [Truth(), WHOLE, Truth(duplicates=(("a", "b"),))])
def test_a_folder_keeps_what_is_known(tmp_path, truth):
    assert truths.from_rows(truth.rows()) == truth
    write(tmp_path / "taxonomy.csv", "style,genre\nold,older\n")
    assert truths.write_truth(tmp_path, truth)
    assert truths.read_truth(tmp_path) == truth
    assert not truths.write_truth(tmp_path, truth)
    assert {path.stem for path in tmp_path.iterdir()} == set(truth.rows())


def test_a_damaged_table_is_written_anew(tmp_path):
    write(tmp_path / "duplicates.csv", "tag,dupl")
    assert truths.write_truth(tmp_path, WHOLE)
    assert truths.read_truth(tmp_path) == WHOLE


def test_what_is_given_replaces_what_is_kept():
    given = Truth(duplicates=(("c", "d"),))
    assert WHOLE.replaced(given) == Truth(WHOLE.taxonomy, WHOLE.translation, given.duplicates)
    assert WHOLE.replaced(Truth()) == WHOLE
    assert Truth().replaced(WHOLE) == WHOLE
