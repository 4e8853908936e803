"""Decisions read from their folder, and applied to tables."""

import decided
import pytest

from tagjax.base.errors import InputError
from tagjax.base.tables import read_table, write_table
from tagjax.catalogue.annotations import read_catalogue
from tagjax.reconcile import apply
from tagjax.reconcile.decisions import Decisions
from tagjax.vocabulary.vocabulary import Vocabulary


@pytest.fixture
def folder(tmp_path):
    """The decisions on two tag systems, as a reconciliation writes them."""
    decisions = decided.library("lib:")
    rows = [(tag, to, "0.9") for tag, to in decisions.canonical.items()]
    rows.append(("b:dnb", "b:dnb", "1"))
    write_table(tmp_path / "vocabulary.csv", ("tag", "canonical", "confidence"), rows)
    write_table(tmp_path / "blocked.csv", ("tag", "why"), decisions.blocked.items())
    write_table(tmp_path / "senses.csv", apply.SENSES, apply.sense_rows(decisions))
    return tmp_path


TABLE = """\
track_id,artist_id,album_id,tags,annotates,year
t1,Minor Threat,l1,Hardcore|DnB,track,1981
t2,Rotterdam Terror Corps,,Hardcore| techno |Techno,track,
t3,Air,"l, 3",1980|Rock|Rock,track,"19""98"
t4,Nobody,l4,1980,track,
t5,Nobody,l4,new tag|Hardcore,track,
"""


def table(folder, text=TABLE):
    path = folder / "a.csv"
    path.write_text(text)
    return path


def test_a_table_keeps_all_but_the_tags_that_are_replaced(folder):
    edits = apply.read_edits(folder, "lib:")
    done = apply.apply_to_table(table(folder), folder / "b.csv", edits)
    assert (folder / "b.csv").read_text() == (
        TABLE.replace("DnB", "Drum & Bass").replace("Hardcore| techno |Techno", "Hardcore|Techno")
    )
    assert (done.tracks, done.changed, done.left_out) == (5, 2, 0)
    assert done.replaced == {("DnB", "Drum & Bass"): 1, ("techno", "Techno"): 1}
    read_catalogue(folder / "b.csv")
    again = apply.apply_to_table(folder / "b.csv", folder / "c.csv", edits)
    assert again.changed == 0
    assert (folder / "c.csv").read_bytes() == (folder / "b.csv").read_bytes()


def test_senses_by_artist_and_blocked_tags(folder):
    edits = apply.read_edits(folder, "lib:", drop_blocked=True, split_senses=True)
    done = apply.apply_to_table(table(folder), folder / "b.csv", edits)
    found = read_table(folder / "b.csv", ())
    assert dict(zip(found["track_id"], found["tags"], strict=True)) == {
        "t1": "Hardcore (Punk)|Drum & Bass",
        "t2": "Hardcore (Techno)|Techno",
        "t3": "Rock",
        "t5": "new tag|Hardcore",
    }
    assert (done.left_out, done.replaced["1980", None]) == (1, 2)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("vocabulary.csv", "tag\n", "column 'canonical' is missing"),
        ("vocabulary.csv", "tag,canonical\na,\n", ":2: a tag or canonical is empty"),
        ("vocabulary.csv", "tag,canonical\na,b\na,c\n", ":3: 'a' is 'b' in a row above"),
        ("vocabulary.csv", "tag,canonical\nlib:a,lib:b|c\n", ":2: canonical='lib:b|c' holds a |"),
        (
            "vocabulary.csv",
            "tag,canonical\nlib:a,lib:b\nlib:b,lib:c\n",
            ":2: canonical='lib:b' is itself replaced by 'lib:c'; write 'lib:c'",
        ),
        ("vocabulary.csv", "tag,canonical\nlib:a,b\n", "'lib:a' is replaced by a tag without p"),
        ("vocabulary.csv", "tag,canonical\nx:a,x:a\n", "no tag begins with the prefix 'lib:'"),
        ("blocked.csv", "tag\n", "column 'why' is missing"),
        ("senses.csv", "tag,sense\n", "column 'artist' is missing"),
        ("senses.csv", "tag,sense,artist\nlib:a,b,r\n", ":2: sense='b' lacks the prefix"),
    ],
)
def test_decisions_edited_into_nonsense(folder, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(InputError) as error:
        apply.read_edits(folder, "lib:", True, True)
    assert message in str(error.value)
    assert str(error.value).startswith(str(folder / name))


def test_what_is_not_there_or_does_not_fit(folder, tmp_path):
    with pytest.raises(
        InputError, match=r"vocabulary.csv: no such file; --decisions names a folder"
    ):
        apply.read_edits(tmp_path / "none")
    edits = apply.read_edits(folder, "b:")
    with pytest.raises(InputError, match=r"none of its tags is in the vocabulary.csv; see --pref"):
        apply.apply_to_table(table(folder), folder / "b.csv", edits)
    assert not (folder / "b.csv").exists()
    with pytest.raises(InputError, match="is the table itself"):
        apply.apply_to_table(table(folder), folder / "a.csv", edits)


def test_rows_of_senses():
    tags = Vocabulary.of(["a:x", "a:y"], ["a:"])
    made = Decisions(tags, {}, {}, (), {"a:x": "a:x", "a:y": "a:y"}, {})
    assert list(apply.sense_rows(made)) == []
    rows = list(apply.sense_rows(decided.library()))
    assert rows[0] == ("Hardcore", "Hardcore (Punk)", "minor threat")
    assert len(rows) == 3
