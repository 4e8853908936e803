"""Text from strangers: one line that refuses it, or the right answer."""

import collections
import csv
import io
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import zipfile
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, target
from hypothesis import strategies as st

from tagjax import tasks
from tagjax.base import files, tables
from tagjax.base.errors import InputError, one_line
from tagjax.base.text import clean
from tagjax.catalogue import annotations
from tagjax.examples.source import folder_source
from tagjax.examples.workers import BuildConfig
from tagjax.manifest import lists
from tagjax.report.results import write_results
from tagjax.run import predictions
from tagjax.similarity import tables as similarity
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary import taxonomy
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import parsers

ROOT = pathlib.Path(__file__).resolve().parents[2]
LONG = os.environ.get("TAGJAX_FAULTS") == "long"
SETTINGS = settings(
    max_examples=1500 if LONG else 40,
    deadline=None,
    database=None,
    derandomize=not LONG,
    suppress_health_check=list(HealthCheck),
)
EDITS = st.lists(
    st.tuples(
        st.sampled_from(parsers.KINDS), st.integers(0, 5000), st.sampled_from(parsers.TOKENS)
    ),
    min_size=1,
    max_size=3,
)


@pytest.mark.parametrize("name", parsers.PARSERS)
def test_a_valid_file_is_read(name, tmp_path):
    assert parsers.attempt(name, tmp_path, {}) == ""


@pytest.mark.parametrize("name", parsers.PARSERS)
def test_a_spoilt_file_is_read_or_refused_in_one_line(name, tmp_path):
    counted = collections.Counter()

    @SETTINGS
    @given(which=st.integers(0, 3), edits=EDITS)
    def spoil(which, edits):
        content = parsers.PARSERS[name].content
        file = sorted(content)[which % len(content)]
        data = content[file]
        for edit in edits:
            data = parsers.mutate(data, *edit)
        told = parsers.attempt(name, tmp_path, {file: data})
        counted[bool(told)] += 1
        target(float(len(told)), label="length of the refusal")

    spoil()
    if parsers.PARSERS[name].is_text:
        assert counted[True]
        assert counted[False]


NUMBERS = st.one_of(
    st.floats().map(repr),
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.from_regex(r"[+-]?[0-9_]{1,4}(\.[0-9_]{0,3})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.text("0123456789.eE+-_x xnaifNI１٣", max_size=6),
    st.sampled_from(["1e400", "NaN", "0x10", "1_000", "１２", "٣", "inf", "-Infinity", "1d5"]),
)
DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", re.ASCII)
NO_NUMBER = {"", "nan", "na", "n/a", "null", "none", "#n/a", "<na>"}


def meant(cell):
    """The number that a reader of the file would see; None for what is none."""
    cell = cell.strip()
    if cell.lower() in NO_NUMBER:
        return math.nan
    return float(Decimal(cell)) if DECIMAL.fullmatch(cell) else None


@SETTINGS
@given(cell=NUMBERS)
def test_no_number_is_misread(tmp_path_factory, cell):
    """Of a similarity, an embedding, a start: as an independent reading has it, or refused."""
    folder = tmp_path_factory.getbasetemp() / "numbers"
    folder.mkdir(exist_ok=True)
    quoted = io.StringIO()
    csv.writer(quoted, lineterminator="").writerow([cell, ""])
    quoted = quoted.getvalue()[:-1] or '""'
    expected = meant(cell)

    def read(text, reader):
        (folder / "a.csv").write_text(text, encoding="utf-8")
        try:
            return reader(folder / "a.csv")
        except InputError:
            return None

    square = read(f",a,b\na,1,{quoted}\nb,{quoted},1\n", similarity.read_similarity)
    vectors = read(f"a,b\n{quoted},2\n", similarity.read_embedding)
    if expected is None or math.isinf(expected):
        assert square is None
        assert vectors is None
    else:
        np.testing.assert_equal(vectors[1][0, 0], expected)
        if abs(expected) > 1.0001:  # No cosine.
            assert square is None
        else:
            np.testing.assert_equal(square.matrix[0, 1], expected)
    header = "sng_id,label,seg_start,seg_duration\n"
    part = read(f"{header}1,rock,{quoted},30\n", lists.read_part)
    if part is not None:
        assert part.seg_start[0] == expected >= 0
    elif expected is not None and not math.isnan(expected):
        assert not 0 <= expected <= 1e7 or cell != cell.strip(" ")


@pytest.mark.parametrize("cell", ["1e400", "1_000", "0x10", "１２", "٣", "inf", "1e", "1,5", "--1"])
def test_what_is_no_number_is_named_with_its_row(tmp_path, cell):
    path = tmp_path / "a.csv"
    path.write_text(f',a,b\na,1,0\nb,"{cell}",1\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.csv:3: .* is not a finite number"):
        similarity.read_similarity(path)
    path.write_text(f'track_id,path,duration_s\n1,a.mp3,"{cell}"\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.csv:2: duration_s=.* is not a positive number"):
        annotations.read_tracks(path)
    path.write_text(f'sng_id,label,seg_start,seg_duration\n1,x,0,"{cell}"\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.csv:2: seg_duration=.* is not a number of seconds"):
        lists.read_part(path)


def test_a_row_is_named_by_its_line_whatever_is_before_it(tmp_path):
    """Empty lines, and cells of several lines, shift no number."""
    path = tmp_path / "train.csv"
    head = 'sng_id,label,seg_start,seg_duration,artist_id\n\n1,"ro\nck",0,30,r\n\n\n'
    for row, message in (
        ("2,rock,-1,30,r\n", r"csv:7: seg_start='-1'"),
        (",rock,1,30,r\n", r"csv:7: empty sng_id"),
        ("2,rock,1,30\n", r"csv:7: 4 cells"),
        ("1,pop,0,30,r\n", r"csv:7: excerpt 1 at 0.0 s .* in row 3"),
    ):
        path.write_text(head + row)
        with pytest.raises(InputError, match=message):
            lists.read_part(path)
    path.write_text(head + "1,pop,9,30,r\n")
    (tmp_path / "test.csv").write_text(
        "sng_id,label,seg_start,seg_duration,artist_id\n5,pop,0,30,x\n5,pop,0,30,x\n\n9,pop,0,30,r\n"
    )
    with (
        pytest.warns(UserWarning, match=r"test\.csv:3: 1 rows repeat"),
        pytest.raises(InputError, match=r"test\.csv:5: artist 'r' is also in train"),
    ):
        lists.read_manifest(tmp_path)
    path.write_text("track_id,artist_id,album_id,tags\n\n1,r,l,x\n\n1,r,l,y\n")
    with pytest.raises(InputError, match=r"csv:5: track_id '1' was already in row 3"):
        annotations.read_catalogue(path)


def test_excerpts_too_near_to_be_told_apart_are_one(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("sng_id,label,seg_start,seg_duration\n1,x,0.50001,30\n1,x,0.50002,30\n")
    with pytest.warns(UserWarning, match="1 rows repeat"):
        assert len(lists.read_part(path)) == 1


@pytest.mark.parametrize("path", ["../x.mp3", "/etc/passwd", "a/../../x", "..", "a/.."])
def test_a_path_out_of_the_audio_folder_is_refused(tmp_path, path):
    (tmp_path / "train.csv").write_text(
        f"sng_id,label,seg_start,seg_duration,path\n1,x,0,30,{path}\n"
    )
    with pytest.raises(InputError, match=r"train\.csv:2: path=.* is not below the audio folder"):
        lists.read_part(tmp_path / "train.csv")
    (tmp_path / "tracks.csv").write_text(f"track_id,path\n1,{path}\n")
    with pytest.raises(InputError, match=r"tracks\.csv:2: path=.* is not below the audio folder"):
        annotations.read_tracks(tmp_path / "tracks.csv")


@pytest.mark.parametrize("track", ["../secret", "/etc/passwd", "..", "a/../../secret"])
def test_an_id_finds_no_file_outside_of_the_audio_folder(tmp_path, track):
    (tmp_path / "manifest").mkdir()
    (tmp_path / "audio").mkdir()
    (tmp_path / "secret.mp3").write_text("")
    (tmp_path / "secret").write_text("")
    (tmp_path / "audio" / "1.mp3").write_text("")
    (tmp_path / "manifest" / "train.csv").write_text(
        f"sng_id,label,seg_start,seg_duration\n1,x,0,30\n{track},x,0,30\n"
    )
    config = BuildConfig()
    source = folder_source(tmp_path / "manifest", tmp_path / "audio", config)
    assert source.parts["train"].path == ("1.mp3", "")


def test_a_very_long_cell_is_refused_or_read(tmp_path, monkeypatch):
    """10 MB in a cell over lines, then 20; then a line that would fill the memory."""
    path = tmp_path / "a.csv"
    cell = ("a" * 999 + "\n") * 10_000 + "a"
    path.write_text(f'style,genre\nx,"{cell}"\n')
    assert taxonomy.read_taxonomy(path).parents == {"x": {clean(cell)}}
    path.write_text(f'style,genre\nx,"{cell}{cell}"\n')
    with pytest.raises(InputError, match=r"field larger than field limit") as caught:
        taxonomy.read_taxonomy(path)
    assert len(str(caught.value)) < 3000
    monkeypatch.setattr(tables, "LONGEST_LINE", 1 << 20)
    with zipfile.ZipFile(tmp_path / "b.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b.csv", ",".join(["x"] * tables.LONGEST_LINE))
    with pytest.raises(InputError, match="that long"):
        similarity.read_similarity(tmp_path / "b.csv.zip")


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "1" * 10_000, "\ufeff\ufeff{}", "", "{'a': 1}"]
)
def test_json_that_is_none_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"a\.json: not JSON"):
        files.read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    "record",
    [
        *([], None, 3, {"systems": "abc"}, {"systems": [1]}, {"seed": 1.5}, {"seed": True}),
        *({"tags": ["x", "x"]}, {"tags": {"x": 1}}, {"config": []}, {"counts": {"n": math.inf}}),
        *({"experiment": 3}, {"folds": "2"}),
    ],
)
def test_a_record_of_other_types_is_refused(tmp_path, record):
    (tmp_path / "train.csv").write_text("sng_id,label,seg_start,seg_duration\n1,x,0,30\n")
    (tmp_path / "split.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"split\.json: .*take the file away"):
        lists.read_manifest(tmp_path)


def test_what_is_quoted_of_the_input_stays_on_the_line():
    """Line breaks, commands to the terminal, halves of letters, a megabyte."""
    told = str(InputError("a.csv:1: column 'x\n\x1b[2J\u2028\ud800' " + "é" * 10**6 + " end"))
    assert told.isprintable()
    assert told.startswith("a.csv:1: column 'x\\n\\x1b[2J\\u2028\\ud800' éé")
    assert told.endswith(" end")
    assert len(told) < 3000
    assert one_line("Ä 音楽 'x'") == "Ä 音楽 'x'"


FORMULAS = ("=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://e.x")')


@pytest.fixture(scope="module")
def formulas():
    """Deduplication of tags that are formulas."""
    names = [f"{tag}_{half}" for tag in FORMULAS for half in (1, 2)]
    vectors = np.random.default_rng(0).normal(size=(5, len(names)))
    vectors /= np.linalg.norm(vectors, axis=0)
    return Similarity(Vocabulary.of(names, halves=True), vectors.T @ vectors)


def cells_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return [cell for row in csv.reader(file) for cell in row]


def test_no_list_for_people_begins_a_cell_as_a_formula(formulas, tmp_path):
    truth = Truth(duplicates=(FORMULAS[:2],))
    write_results(tmp_path, tasks.evaluate("deduplication", {"fc": formulas}, truth))
    lists = sorted(tmp_path.glob("*.csv"))
    assert {path.name for path in lists} >= {"fc_ranked.csv", "fc_errors.csv", "fc_suspected.csv"}
    for path in lists:
        found = [cell for cell in cells_of(path) if cell[:1] in "=+-@\t\r" and cell]
        assert all(DECIMAL.fullmatch(cell) for cell in found), found  # Negative similarities.
    assert "'=1+1_1" in cells_of(tmp_path / "fc_ranked.csv")


def test_what_programs_read_back_keeps_every_tag(formulas, tmp_path):
    path = tmp_path / "fc_tag_similarity.csv"
    similarity.write_similarity(path, formulas)
    back = similarity.read_similarity(path)
    assert back.tags == formulas.tags
    np.testing.assert_array_equal(back.matrix, formulas.matrix)
    tags = tuple(dict.fromkeys(map(clean, FORMULAS)))
    n = len(tags)
    part = lists.Excerpts(
        tuple(map(str, range(n))), tags, np.zeros(n), np.ones(n), tags=tuple(zip(tags))
    )
    manifest = lists.Manifest({"train": part}, Vocabulary.of(sorted(tags)))
    lists.write_manifest(tmp_path / "m", manifest)
    again = lists.read_manifest(tmp_path / "m")
    assert again.parts["train"].label == tags
    assert again.vocabulary.tags == tuple(sorted(tags))


HOSTILE = {
    "pickled object": lambda: np.array([{"a": 1}, print], dtype=object),
    "structured": lambda: np.zeros((1, 2), [("a", "f4")]),
    "float64": lambda: np.zeros((1, 2)),
    "complex": lambda: np.zeros((1, 2), complex),
    "flat": lambda: np.zeros(2, np.float32),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_an_array_of_another_kind_is_refused_and_never_unpickled(tmp_path, name):
    assert parsers.attempt("predictions", tmp_path, {}) == ""
    np.save(tmp_path / "probabilities.npy", HOSTILE[name](), allow_pickle=True)
    with pytest.raises(InputError, match=r"probabilities|Python objects") as caught:
        predictions.read(tmp_path)
    assert str(caught.value).isprintable()


def test_a_zip_writes_nothing(tmp_path):
    """Names that climb, absolute ones, links: the one CSV is read as a stream, or refused."""
    square = parsers.PARSERS["similarity"].content["a.csv"]
    (tmp_path / "in").mkdir()
    for name in ("../../out.csv", "/tmp/faults_out.csv", "a\\..\\b.csv", "a.csv"):
        with zipfile.ZipFile(tmp_path / "in" / "a.csv.zip", "w") as archive:
            archive.writestr(name, square)
            archive.writestr("../evil.txt", "x")
            link = zipfile.ZipInfo("link")
            link.external_attr = 0o120777 << 16
            archive.writestr(link, "/etc")
        assert similarity.read_similarity(tmp_path / "in" / "a.csv.zip").tags == ("a", "b", "ü")
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "a.csv.zip"]
    assert not pathlib.Path("/tmp/faults_out.csv").exists()


def test_the_coverage_guided_fuzzer_finds_nothing(tmp_path, trials):
    pytest.importorskip("atheris")
    seconds = trials(3, 600)
    done = subprocess.run(
        [sys.executable, str(pathlib.Path(__file__).parent / "fuzz_parsers.py"), f"{seconds}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(re.search(r"number_of_executed_units: (\d+)", done.stderr)[1]) > 31
