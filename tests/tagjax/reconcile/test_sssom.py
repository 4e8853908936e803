"""Matches in SSSOM/TSV."""

import os
import subprocess

import pytest

from tagjax.base.errors import InputError
from tagjax.reconcile.decisions import Match, Reason
from tagjax.reconcile.sssom import prefixes, read_mappings, write_mappings
from tagjax.vocabulary.vocabulary import Vocabulary

ODD = [
    "Folk, World, & Country",
    'a "b"\tc',
    "R&B|soul",
    "50%",
    "#1",
    "x:y",
    "日本",
    "Funk / Soul",
    ".",
]
TAGS = Vocabulary.of(
    ["a:dub", "a:ska", *(f"a:{name}" for name in ODD), "b:dub", "b:reggae"], ["a:", "b:"]
)
JOINT, SOUND = Reason("joint", "probability", 0.91234), Reason("sound", "cosine of fr", -0.2)
TOGETHER = Reason("together", "cosine on common tracks", 0.5)
MATCHES = (
    Match("a:dub", "b:dub", "exact", 0.91234, "accepted", (JOINT, SOUND, TOGETHER)),
    Match("a:ska", "b:reggae", "broad", 0.0001, "candidate", (JOINT,), note="two\nlines"),
    Match("a:ska", None, "none", 0.97, "accepted", (JOINT,)),
    Match("b:reggae", None, "none", 0.1, "candidate", note="cannot be told"),
    Match("a:dub", "a:ska", "exact", 1.0, "accepted", (Reason("spelling", "case, plural"),)),
    Match("a:ska", "b:dub", "exact", 1.0, "rejected", (Reason("person", ""),), "Ann"),
    *(Match(f"a:{name}", "b:dub", "related", 0.25, "review", (JOINT,)) for name in ODD),
)  # fmt: skip


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "predictions.sssom.tsv"
    write_mappings(path, MATCHES, TAGS, version="0.1.0")
    return path


def cells(path):
    return [row.cells for row in read_mappings(path).rows]


def test_the_form_is_canonical(written):
    text = written.read_text()
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert head == [
        "#curie_map:",
        "#  a: https://tagjax.invalid/a/",
        "#  b: https://tagjax.invalid/b/",
        "#  tagjax: https://tagjax.invalid/",
        "#mapping_set_id: https://tagjax.invalid/mappings/predictions",
        "#mapping_set_title: predictions",
        "#license: https://w3id.org/sssom/license/unspecified",
        "#subject_source: tagjax:a",
    ]
    rows = [line.split("\t") for line in text.splitlines()[len(head) + 1 :]]
    assert rows == sorted(rows)
    assert "\r" not in text


def test_each_reason_is_a_row_with_a_confidence(written):
    rows = [row for row in cells(written) if row["object_label"] == "b:dub"]
    rows = [row for row in rows if row["subject_label"] == "a:dub"]
    found = {
        (row["mapping_justification"], row["similarity_measure"], row["similarity_score"])
        for row in rows
    }
    assert found == {
        ("semapv:CompositeMatching", "", ""),
        ("semapv:InstanceBasedMatching", "cosine of fr", "0.0"),
        ("semapv:InstanceBasedMatching", "cosine on common tracks", "0.5"),
    }
    assert {row["predicate_id"] for row in rows} == {"skos:exactMatch"}
    assert {row["confidence"] for row in rows} == {"0.912"}
    assert all(row["confidence"] for row in cells(written))


def test_none_is_written_only_where_it_is_meant(written):
    (row,) = [row for row in cells(written) if row["object_id"] == "sssom:NoTermFound"]
    assert (row["subject_label"], row["object_source"]) == ("a:ska", "tagjax:b")


def test_what_people_rejected_is_negated_and_signed(written):
    (row,) = [row for row in cells(written) if row["predicate_modifier"]]
    assert row["predicate_modifier"] == "Not"
    assert row["author_label"] == "Ann"
    assert row["mapping_tool"] == ""
    assert row["mapping_justification"] == "semapv:ManualMappingCuration"


def test_spelling_says_what_differs(written):
    (row,) = [row for row in cells(written) if "Lexical" in row["mapping_justification"]]
    assert row["subject_preprocessing"] == "semapv:CaseNormalization|semapv:Stemming"
    assert row["comment"] == "accepted; spelling: case, plural"


def test_any_name_survives(written):
    file = read_mappings(written)
    found = {file.tag(row, "subject", TAGS) for row in file.rows}
    # A label is one line of text, so a tab is a blank.
    assert found == {match.source.replace("\t", " ") for match in MATCHES} - {"b:reggae"}
    assert all("|" not in row.cells["subject_id"] for row in file.rows)


def test_ids_count_even_if_labels_are_missing_and_prefixes_are_others(tmp_path):
    path = tmp_path / "x.sssom.tsv"
    path.write_text(
        "# curie_map:\n#   mine: 'https://tagjax.invalid/a/'\n# license: x\n"
        "subject_id\tpredicate_id\tobject_id\tobject_label\n"
        "mine:50%25\tskos:exactMatch\tother:1\tb:dub\n"
    )
    file = read_mappings(path)
    assert file.tag(file.rows[0], "subject", TAGS) == "a:50%"
    assert file.tag(file.rows[0], "object", TAGS) == "b:dub"
    assert file.rows[0].cells["license"] == "x"
    assert file.rows[0].place.endswith("x.sssom.tsv:5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("subject_id,predicate_id,object_id\n", "column 'subject_id' is missing"),
        ("", "column 'subject_id' is missing"),
        ("subject_id\tpredicate_id\tobject_id\na:x\tb\n", "2 cells, but the header has 3; .*tabs"),
        ("subject_id\tpredicate_id\tobject_id\tobject_id\n", "twice"),
        (b"subject_id\tpredicate_id\tobject_id\n\xff\tb\tc\n", "not UTF-8"),
        ("subject_id\tpredicate_id\tobject_id\n\"a\tb\tc\n", "quotes"),
        ("subject_id\tpredicate_id\tobject_id\na\0\tb\tc\n", "NUL"),
    ],
)  # fmt: skip
def test_bad_files_are_refused(tmp_path, text, message):
    path = tmp_path / "x.sssom.tsv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        read_mappings(path)


def test_a_row_whose_id_and_label_disagree_is_refused(tmp_path):
    path = tmp_path / "x.sssom.tsv"
    path.write_text(
        "#curie_map:\n#  a: https://tagjax.invalid/a/\n"
        "subject_id\tsubject_label\tpredicate_id\tobject_id\na:dub\ta:ska\tskos:exactMatch\t\n"
    )
    file = read_mappings(path)
    with pytest.raises(InputError, match=r"x.sssom.tsv:4: subject_id means 'a:dub', but"):
        file.tag(file.rows[0], "subject", TAGS)
    with pytest.raises(InputError, match="empty object_id"):
        file.tag(file.rows[0], "object", TAGS)


def test_prefixes_are_different_names_and_no_reserved_ones():
    systems = ["", "skos:", "Jazz: ", "jazz:", "1:", "é:"]
    found = prefixes(Vocabulary.of([], systems))
    assert [prefix for prefix, _ in found.values()] == [
        "tags", "skos_2", "Jazz", "jazz_2", "tags_1", "tags_2",
    ]  # fmt: skip


SSSOM = os.environ.get("TAGJAX_SSSOM")


@pytest.mark.skipif(
    not SSSOM,
    reason="python -m venv sssom && sssom/bin/pip install sssom; TAGJAX_SSSOM=sssom/bin/sssom",
)
@pytest.mark.parametrize("matches", [MATCHES, MATCHES[:1], ()])
def test_the_validator_of_sssom_takes_it(tmp_path, matches):
    path = tmp_path / "predictions.sssom.tsv"
    write_mappings(path, matches, TAGS, version="0.1.0")
    done = subprocess.run([SSSOM, "validate", path], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr  # Of no rows it warns, of one that is not there.
    assert not matches or "error" not in done.stderr.lower(), done.stderr
