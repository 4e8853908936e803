"""Similarity and embedding files: the release's forms, round trips, and refusals."""

import zipfile

import hypothesis
import hypothesis.extra.numpy
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics.pairwise
from hypothesis import strategies as st

from tagjax.base.errors import InputError
from tagjax.similarity import tables
from tagjax.similarity.matrix import Similarity


def write(path, text):
    path.write_text(text, encoding="utf-8", newline="")
    return path


@pytest.mark.parametrize("corner", ["", "tag", '""'])
def test_index_header_and_column_order_are_free(tmp_path, corner):
    path = write(tmp_path / "s.csv", f"{corner},b,c,a\na,0.2,0.3,1\nb,1,0.4,0.2\nc,0.4,1,0.3\n")
    got = tables.read_similarity(path)
    assert got.tags == ("a", "b", "c")
    np.testing.assert_array_equal(got.matrix, [[1, 0.2, 0.3], [0.2, 1, 0.4], [0.3, 0.4, 1]])
    again = got.reordered(["c", "a"])
    np.testing.assert_array_equal(again.matrix, [[1, 0.3], [0.3, 1]])


def test_a_byte_order_mark_and_crlf_are_fine(tmp_path):
    path = write(tmp_path / "s.csv", '\ufeff,"folk, world",b\r\n"folk, world",1,0\r\nb,0,1\r\n')
    assert tables.read_similarity(path).tags == ("folk, world", "b")


@pytest.mark.parametrize("cell", ["", "nan", "NaN", "NA", "null", " "])
def test_a_tag_without_data_is_nan(tmp_path, cell):
    n = cell
    path = write(tmp_path / "s.csv", f",a,b,c\na,1,{n},0.5\nb,{n},{n},{n}\nc,0.5,{n},1\n")
    matrix = tables.read_similarity(path).matrix
    assert np.isnan(matrix[1]).all()
    assert np.isnan(matrix[:, 1]).all()
    assert matrix[0, 2] == 0.5


@pytest.mark.parametrize(
    "text",
    [
        ",a,b,c\na,1,0.3,0.5\nb,,,\nc,0.5,0.7,1\n",  # its row alone
        ",a,b,c\na,1,,0.5\nb,0.3,,0.7\nc,0.5,,1\n",  # its column alone
        ",a,b,c\na,1,,0.5\nb,,1,\nc,0.5,,1\n",  # all but itself
    ],
)
def test_a_row_or_a_column_without_number_is_a_tag_without_data(tmp_path, text):
    got = tables.read_similarity(write(tmp_path / "s.csv", text))
    nan = np.nan
    np.testing.assert_array_equal(got.matrix, [[1, nan, 0.5], [nan] * 3, [0.5, nan, 1]])


@pytest.mark.parametrize("cell", ["1", "0.9999990463"])
def test_a_single_tag_has_data(tmp_path, cell):
    got = tables.read_similarity(write(tmp_path / "s.csv", f",a\na,{cell}\n"))
    np.testing.assert_array_equal(got.matrix, [[float(cell)]])


def test_a_row_may_have_lost_letters_that_its_column_has(tmp_path):
    for one, other in (("concrte", "concrète"), ("concrète", "concrte"), ("concrete", "concrète")):
        path = write(tmp_path / "s.csv", f",a,{one}\na,1,0.5\n{other},0.5,1\n")
        assert tables.read_similarity(path).tags == ("a", one)
    path = write(tmp_path / "s.csv", ",concrte,concrete\nconcrète,1,0\nconcrete,0,1\n")
    with pytest.raises(InputError, match=":2: tag 'concrète' has a row but no column"):
        tables.read_similarity(path)  # it may be either
    path = write(tmp_path / "s.csv", ",concrète,a\nconcrte,1,0\nconcrete,0,1\n")
    with pytest.raises(InputError, match=":3: tag 'concrète' occurs twice"):
        tables.read_similarity(path)


NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1).filter(
        lambda s: s.strip()
    ),
    min_size=1,
    max_size=6,
    unique=True,
)


@hypothesis.given(NAMES, st.data())
@hypothesis.settings(max_examples=40, deadline=None)
def test_what_is_written_is_read_to_the_last_digit(tmp_path_factory, names, data):
    n = len(names)
    values = data.draw(hypothesis.extra.numpy.arrays(np.float64, (n, n), elements=st.floats(-1, 1)))
    matrix = np.triu(values) + np.triu(values, 1).T
    if n > 2:
        matrix[0] = matrix[:, 0] = np.nan
    path = tmp_path_factory.mktemp("s") / "s.csv"
    tables.write_similarity(path, Similarity(tuple(names), matrix))
    got = tables.read_similarity(path)
    assert got.tags == tuple(names)
    np.testing.assert_array_equal(got.matrix, matrix)


def test_the_releases_own_pandas_lines_read_it(tmp_path):
    matrix = np.array([[1, 0.123456789012, np.nan], [0.123456789012, 1, np.nan], [np.nan] * 3])
    tags = ("heavy metal", "thrash", "renaissance")
    tables.write_similarity(tables.similarity_path(tmp_path, "fw"), Similarity(tags, matrix))
    table = pd.read_csv(tmp_path / "fw_tag_similarity.csv", index_col=0)
    assert table.loc["heavy metal", "thrash"] == 0.123456789012
    assert table.loc["renaissance"].isna().all()
    tables.write_embedding(
        tables.embedding_path(tmp_path, "fw"), ["acid jazz", "b"], np.arange(6.0).reshape(3, 2)
    )
    table = pd.read_csv(tmp_path / "fw_tag_embedding.csv")
    assert list(table["acid jazz"]) == [0, 2, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        (",a,b\na,1,0\n", "not square: 1 rows and 2 columns"),
        (",a\na,1\nb,1\n", ":3: tag 'b' has a row but no column"),
        (",a,b\na,1,0\nc,0,1\n", ":3: tag 'c' has a row but no column"),
        (",a,a\na,1,0\na,0,1\n", ":1: tag 'a' occurs twice"),
        (",a,b\na,1,0\na,1,0\n", ":3: tag 'a' occurs twice"),
        (",a,b\na,1,0\nb,0,1\nb,0,1\n", ":4: more rows"),
        (",a,\na,1,0\n,0,1\n", ":1: an empty tag"),
        (",a,b\na,1,x\nb,0,1\n", ":2: 'x' under 'b'"),
        (",a,b\na,1,inf\nb,0,1\n", ":2: 'inf' under 'b'"),
        (",a,b,c\na,1,0\nb,0,1,0\nc,0,0,1\n", ":2: 3 cells"),
        (",a,b,c\na,1,,0\nb,0,1,0\nc,0,0,1\n", ":2: no number under 'b'"),
        (",a,b\na,1,0.5\nb,0.4,1\n", ":2: not symmetric: 0.5 under 'b'"),
        (",a,b\na,1,1.5\nb,1.5,1\n", ":2: 1.5 of 'a' and 'b' is not a cosine similarity"),
        (",a,b\na,1,-1.001\nb,-1.001,1\n", ":2: -1.001 of 'a' and 'b'"),
        ("a,b\n0.1,0.2\n0.3,0.4\n", ":2: tag '0.1' has a row but no column"),
    ],
)
def test_faulty_files_are_refused_in_one_line(tmp_path, text, message):
    path = write(tmp_path / "s.csv", text)
    with pytest.raises(InputError, match=message) as caught:
        tables.read_similarity(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_other_encodings_are_refused(tmp_path):
    path = tmp_path / "s.csv"
    path.write_bytes(",musique concrète\nmusique concrète,1\n".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        tables.read_similarity(path)
    with pytest.raises(InputError, match="no such file"):
        tables.read_similarity(tmp_path / "absent.csv")


def test_a_folder_gives_what_it_holds_in_one_order(tmp_path):
    write(tmp_path / "fdist_tag_similarity.csv", "tag,b,a\nb,1,0.5\na,0.5,1\n")
    write(tmp_path / "fw_tag_similarity.csv", ",a,b\na,1,0.25\nb,0.25,1\n")
    found = tables.read_similarities(tmp_path)
    assert list(found) == ["fw", "fdist"]
    assert found["fdist"].tags == ("a", "b")
    assert found["fdist"].matrix[0, 1] == 0.5


def test_what_tags_are_is_guessed_or_given(tmp_path):
    names = ["Jazz: Bop", "Jazz: Cool", "Swing"]
    for name in ("fw", "fc"):
        path = tables.similarity_path(tmp_path, name)
        tables.write_similarity(path, Similarity(names, np.eye(3)))
    for read in (
        lambda systems=None: tables.read_similarity(path, systems),
        lambda systems=None: tables.read_similarities(tmp_path, systems)["fc"],
    ):
        assert read().vocabulary.system == ("Jazz:", "Jazz:", "")
        for none in ([], "", [""]):
            assert read(none).vocabulary.names == tuple(names)
        with pytest.raises(InputError, match="'Swing' is of none of the tag systems Jazz:"):
            read(["Jazz:"])


@pytest.mark.parametrize(
    ("names", "half"),
    [
        (("x_1", "x_2", "y_1"), (1, 2, 1)),
        (("x_1", "x_2", "y"), (0, 0, 0)),
    ],
)
def test_tags_are_halves_if_every_one_ends_so(tmp_path, names, half):
    path = tmp_path / "fc_tag_similarity.csv"
    tables.write_similarity(path, Similarity(names, np.eye(3)))
    assert tables.read_similarity(path).vocabulary.half == half
    assert tables.read_similarity(path, [""]).vocabulary.half == half


def test_files_of_a_folder_may_differ_by_lost_letters(tmp_path):
    write(tmp_path / "fw_tag_similarity.csv", ",a,concrte\na,1,0.25\nconcrte,0.25,1\n")
    write(tmp_path / "fm_tag_similarity.csv", "tag,concrète,a\nconcrète,1,0.5\na,0.5,1\n")
    found = tables.read_similarities(tmp_path)
    assert found["fm"].tags == found["fw"].tags == ("a", "concrte")
    assert found["fm"].matrix[0, 1] == 0.5


def test_an_embedding_stands_in_for_its_similarity(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(6, 3))
    tags = ("c", "a", "b")
    expected = sklearn.metrics.pairwise.cosine_similarity(vectors.T)
    for name in ("fw", "fm"):
        tables.write_embedding(tables.embedding_path(tmp_path, name), tags, vectors)
    plain = tmp_path / "fm_tag_embedding.csv"
    with zipfile.ZipFile(tmp_path / "fm_tag_embedding.csv.zip", "w") as archive:
        archive.write(plain, plain.name)
        archive.writestr(f"__MACOSX/._{plain.name}", "not a table")
    plain.unlink()
    write(tmp_path / "fc_tag_similarity.csv", ",a,b,c\na,1,0,0\nb,0,1,0\nc,0,0,1\n")
    tables.write_embedding(tables.embedding_path(tmp_path, "fc"), tags, vectors)
    found = tables.read_similarities(tmp_path)
    assert list(found) == ["fw", "fc", "fm"]
    for name in ("fw", "fm"):
        assert found[name].tags == tags
        np.testing.assert_allclose(found[name].matrix, expected, atol=1e-12)
    np.testing.assert_array_equal(found["fc"].matrix, np.eye(3))  # its own file comes first


def test_progress_passes_every_row(tmp_path):
    seen = []

    def progress(rows, what, total):
        for row in rows:
            seen.append((what, total))
            yield row

    path = tmp_path / "s.csv"
    tables.write_similarity(path, Similarity(("a", "b"), np.eye(2)), progress)
    tables.read_similarity(path, progress=progress)
    assert seen == 2 * [("write s.csv", 2)] + 2 * [("read s.csv", 2)]


def test_a_folder_without_or_with_differing_files_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds none of fw_tag_similarity"):
        tables.read_similarities(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        tables.read_similarities(tmp_path / "absent")
    write(tmp_path / "file", "")
    with pytest.raises(InputError, match="file: not a folder"):
        tables.read_similarities(tmp_path / "file")
    (tmp_path / "below").mkdir()
    write(tmp_path / "below" / "fw_tag_similarity.csv", ",a\na,1\n")
    with pytest.raises(InputError, match="one of the folders in it: below"):
        tables.read_similarities(tmp_path)
    write(tmp_path / "fw_tag_similarity.csv", ",a,b\na,1,0\nb,0,1\n")
    write(tmp_path / "fc_tag_similarity.csv", ",a,c\na,1,0\nc,0,1\n")
    with pytest.raises(InputError, match="'b' is in one only") as caught:
        tables.read_similarities(tmp_path)
    assert "fw_tag_similarity.csv" in str(caught.value)
    assert "fc_tag_similarity.csv" in str(caught.value)


def test_embeddings_survive_in_float32_and_zipped(tmp_path):
    vectors = np.random.default_rng(0).random((5, 3), dtype=np.float32)
    vectors[:, 1] = np.nan
    path = tmp_path / "fm_tag_embedding.csv"
    tables.write_embedding(path, ["a", "b", "c"], vectors)
    tags, got = tables.read_embedding(path)
    assert tags == ("a", "b", "c")
    np.testing.assert_array_equal(got.astype(np.float32), vectors)
    with zipfile.ZipFile(tmp_path / "fm.csv.zip", "w") as archive:
        archive.write(path, path.name)
    np.testing.assert_array_equal(tables.read_embedding(tmp_path / "fm.csv.zip")[1], got)


def test_a_sample_of_rows_is_seeded_and_in_order(tmp_path):
    rows = np.arange(100.0)[:, None]
    samples = []
    for seed in (0, 0, 1):
        tables.write_embedding(tmp_path / "e.csv", ["a"], rows, max_rows=20, seed=seed)
        samples.append(tables.read_embedding(tmp_path / "e.csv")[1][:, 0])
    np.testing.assert_array_equal(samples[0], samples[1])
    assert (samples[0] != samples[2]).any()
    assert (np.diff(samples[0]) > 0).all()
    assert len(samples[0]) == 20
    tables.write_embedding(tmp_path / "e.csv", ["a"], rows, max_rows=1000)
    assert len(tables.read_embedding(tmp_path / "e.csv")[1]) == 100


@pytest.mark.parametrize(
    ("text", "message"),
    [("a,b\n", "no row"), ("a,a\n1,2\n", "'a' occurs twice"), ("a,b\n1,z\n", ":2: 'z' under 'b'")],
)
def test_faulty_embeddings_are_refused(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        tables.read_embedding(write(tmp_path / "e.csv", text))
