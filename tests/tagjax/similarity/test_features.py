"""Tables of vectors by track: every form gives the same table, and every fault one line."""

import zipfile

import numpy as np
import pytest

from tagjax.base.errors import InputError
from tagjax.similarity.features import read_all_features, read_features

IDS = ["t1", "Beyoncé", "007"]
VECTORS = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def save(path, ids=IDS, vectors=VECTORS, **more):
    np.savez(path, ids=np.array(ids), vectors=vectors, **more)
    return path


LINES = "".join(f"{name}\n" for name in IDS)


def save_npy(path, vectors=VECTORS, ids=LINES, name="ids.txt"):
    np.save(path, vectors)
    (path.parent / name).write_text(ids)
    return path


def text(path, content):
    path.write_text(content)
    return path


def csv_of(ids=IDS, vectors=VECTORS, header="track,a,b,c,d"):
    rows = [f"{name},{','.join(map(str, row))}" for name, row in zip(ids, vectors, strict=True)]
    return "\n".join([header, *rows]) + "\n"


def parquet(path, **columns):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as writer

    writer.write_table(pyarrow.table(columns), path)
    return path


def zipped(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("vectors.csv", csv_of())
    return path


COLUMNS = {name: VECTORS[:, place] for place, name in enumerate("abcd")}
GOOD = {
    "npz": lambda folder: save(folder / "v.npz"),
    "npz with more in it": lambda folder: save(folder / "v.npz", recipe=np.array("x")),
    "npz, float64": lambda folder: save(folder / "v.npz", vectors=VECTORS.astype(np.float64)),
    "npz, bytes": lambda folder: save(folder / "v.npz", [name.encode() for name in IDS]),
    "npz of another name": lambda folder: save(folder / "v.npz").rename(folder / "features.bin"),
    "npy, ids.txt": lambda folder: save_npy(folder / "v.npy"),
    "npy, v.ids.txt": lambda folder: save_npy(folder / "v.npy", name="v.ids.txt"),
    "csv": lambda folder: text(folder / "v.csv", csv_of()),
    "csv as pandas writes it": lambda folder: text(folder / "v.csv", csv_of(header=",0,1,2,3")),
    "csv, CRLF and BOM": lambda folder: text(
        folder / "v.csv", "\ufeff" + csv_of().replace("\n", "\r\n")
    ),
    "csv, spaces": lambda folder: text(
        folder / "v.csv", csv_of().replace(",", ", ").replace("t1", " t1 ")
    ),
    "csv, packed": lambda folder: zipped(folder / "v.csv.zip"),
    "parquet": lambda folder: parquet(folder / "v.parquet", track=IDS, **COLUMNS),
    "parquet, lists": lambda folder: parquet(folder / "v.pq", track=IDS, v=VECTORS.tolist()),
}


@pytest.mark.parametrize("form", GOOD)
def test_every_form_gives_the_same_table(form, tmp_path):
    ids, vectors = read_features(GOOD[form](tmp_path))
    assert ids == tuple(IDS)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, VECTORS)


def test_numbers_are_names_of_tracks_too(tmp_path):
    save(tmp_path / "v.npz", ids=[3, 1, 2])
    parquet(tmp_path / "v.parquet", track=[3, 1, 2], **COLUMNS)
    for name in ("v.npz", "v.parquet"):
        assert read_features(tmp_path / name)[0] == ("3", "1", "2")


NAN, HUGE = VECTORS.copy(), VECTORS.astype(np.float64)
NAN[1, 2], HUGE[1, 2] = np.nan, 1e39
TWICE = ["t1", "x", "t1 "]
PICKLED = np.array([{"a": 1}, 2, 3], dtype=object)
BAD = {
    "no file": (lambda folder: folder / "v.npz", "v.npz: no such file"),
    "NaN": (lambda f: save(f / "v.npz", vectors=NAN), "row 1 (from 0): nan in column 2"),
    "too large": (lambda f: save(f / "v.npz", vectors=HUGE), "row 1 (from 0): 1e+39 in column 2"),
    "twice": (lambda f: save(f / "v.npz", TWICE), "v.npz: row 2 (from 0): id 't1' occurs twice"),
    "empty id": (lambda f: save(f / "v.npz", ["a", " ", "b"]), "row 1 (from 0): an empty id"),
    "fewer ids": (lambda f: save(f / "v.npz", IDS[:2]), "v.npz: 2 ids but 3 rows"),
    "no rows": (lambda f: save(f / "v.npz", np.array([], str), VECTORS[:0]), "v.npz: no rows"),
    "no columns": (lambda f: save(f / "v.npz", IDS, VECTORS[:, :0]), "no columns of numbers"),
    "vector": (lambda f: save(f / "v.npz", vectors=VECTORS[:, 0]), "float32 (3,)"),
    "texts": (lambda f: save(f / "v.npz", vectors=VECTORS.astype(str)), "give numbers"),
    "float ids": (lambda f: save(f / "v.npz", [1.5, 2, 3]), "ids is float64"),
    "pickled ids": (lambda f: save(f / "v.npz", PICKLED), "v.npz: holds pickled objects"),
    "pickled": (lambda f: save_npy(f / "v.npy", PICKLED), "v.npy: holds pickled objects"),
    "npy alone": (
        lambda f: save_npy(f / "v.npy", name="other.txt"),
        "v.npy: no v.ids.txt beside it",
    ),
    "npy, twice": (lambda f: save_npy(f / "v.npy", ids="a\nb\na\n"), "ids.txt:3: id 'a' occurs"),
    "npy, blank line": (lambda f: save_npy(f / "v.npy", ids="a\n\nb"), "ids.txt:2: an empty id"),
    "npy, NaN": (lambda f: save_npy(f / "v.npy", NAN), "ids.txt:2: nan in column 2"),
    "damaged npz": (lambda f: text(f / "v.npz", "PK\x03\x04 and no more"), "v.npz: not a table"),
    "damaged npy": (
        lambda f: text(f / "v.npy", "x").write_bytes(b"\x93NUMPY\1") and f / "v.npy",
        "v.npy: not a table",
    ),
    "damaged parquet": (
        lambda f: text(f / "v.parquet", "PAR1PAR1"),
        "not a table that can be read",
    ),
    "empty": (lambda f: text(f / "v.csv", ""), "v.csv: no columns of numbers"),
    "header alone": (lambda f: text(f / "v.csv", "track,a\n"), "v.csv: no rows"),
    "no header": (lambda f: text(f / "v.csv", "t1,1.5,2\nt2,1,2\n"), "v.csv:1: numbers in the hea"),
    "ragged": (lambda f: text(f / "v.csv", "t,a,b\nx,1,2\ny,1\n"), "v.csv:3: 2 cells, but"),
    "cell": (lambda f: text(f / "v.csv", "t,a,b\nx,1,2\ny,1,one\n"), "v.csv:3: 'one' under 'b'"),
    "empty cell": (lambda f: text(f / "v.csv", "t,a,b\nx,1,\n"), "v.csv:2: '' under 'b'"),
    "nan cell": (lambda f: text(f / "v.csv", "t,a,b\nx,nan,1\n"), "v.csv:2: 'nan' under 'a'"),
    "large cell": (lambda f: text(f / "v.csv", "t,a,b\nx,1,1e39\n"), "v.csv:2: '1e39' under 'b'"),
    "odd digits": (lambda f: text(f / "v.csv", "t,a,b\nx,1,1_000\n"), "v.csv:2: '1_000' under 'b'"),
    "csv, twice": (lambda f: text(f / "v.csv", "t,a\nx,1\n\nx,2\n"), "v.csv:4: id 'x' occurs"),
    "parquet of texts": (lambda f: parquet(f / "v.parquet", a=IDS, b=IDS), "column 'b' is string"),
    "parquet, no names": (
        lambda f: parquet(f / "v.parquet", **COLUMNS),
        "first column, 'a', names",
    ),
    "parquet, ragged": (
        lambda f: parquet(f / "v.parquet", a=IDS, b=[[1.0, 2.0], [1.0], [1.0, 2.0]]),
        "row 1 (from 0): 1 numbers, but the first has 2",
    ),
    "parquet, null": (
        lambda f: parquet(f / "v.parquet", a=IDS, b=[1.0, None, 2.0]),
        "row 1 (from 0): nan in column 0",
    ),
    "parquet, no vector": (
        lambda f: parquet(f / "v.parquet", a=IDS, b=[[1.0], None, [2.0]]),
        "row 1 (from 0): nan numbers",
    ),
    "parquet, empty": (lambda f: parquet(f / "v.parquet", a=[], b=[]), "v.parquet: no rows"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_fault_is_one_line_that_names_it(fault, tmp_path):
    make, message = BAD[fault]
    with pytest.raises(InputError) as caught:
        read_features(make(tmp_path))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path))


def test_arrays_of_other_names_are_listed(tmp_path):
    np.savez(tmp_path / "v.npz", names=np.array(IDS), x=VECTORS)
    with pytest.raises(InputError, match="needs arrays ids and vectors; has names, x"):
        read_features(tmp_path / "v.npz")


def test_tables_of_several_machines_are_one(tmp_path):
    paths = [save(tmp_path / f"{k}.npz", IDS[k:][:1], VECTORS[k:][:1]) for k in range(3)]
    ids, vectors = read_all_features(paths)
    assert ids == tuple(IDS)
    np.testing.assert_array_equal(vectors, VECTORS)


def test_tables_that_do_not_go_together_are_refused(tmp_path):
    first, again = save(tmp_path / "a.npz"), save(tmp_path / "b.npz", ["x", "007"], VECTORS[:2])
    with pytest.raises(InputError, match=r"b\.npz: id '007' is in .*a\.npz too"):
        read_all_features([first, again])
    narrow = save(tmp_path / "c.npz", ["x"], VECTORS[:1, :3])
    with pytest.raises(InputError, match=r"c\.npz: 3 numbers a track, but .*a\.npz has 4"):
        read_all_features([first, narrow])
