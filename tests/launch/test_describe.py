import functools

import numpy as np
import pandas as pd
import pytest
from running import run

from tagjax.catalogue import annotations
from tagjax.manifest import lists
from tagjax.manifest.sampling import SamplingConfig, make_manifest

FILES = {f"{name}.{suffix}" for name in ("parts", "tags", "cardinality", "cooccurrence")
         for suffix in ("csv", "png", "svg")} | {"pairs.csv", "report.html"}  # fmt: skip
describe = functools.partial(run, "describe")


@pytest.fixture
def tables(tmp_path):
    rows = [f"t{k:02},r{k},l{k},{'rock' if k % 2 else 'soul|genre:rnb'}" for k in range(40)]
    text = "\n".join(["track_id,artist_id,album_id,tags", *rows]) + "\n"
    (tmp_path / "a.csv").write_text(text)
    lines = [f"t{k:02},secret folder/t{k:02}.mp3,200" for k in range(40)]
    (tmp_path / "tracks.csv").write_text("\n".join(["track_id,path,duration_s", *lines]) + "\n")
    return tmp_path


def test_a_manifest_from_flags_to_a_report(tables):
    catalogue = annotations.read_catalogue(tables / "a.csv")
    tracks = annotations.read_tracks(tables / "tracks.csv")
    made = make_manifest([catalogue], tracks, SamplingConfig())
    lists.write_manifest(tables / "mine", made)
    done = describe(f"--manifest_dir={tables}/mine", folder=tables)
    assert done.returncode == 0, done.stderr
    out = tables / "results" / "mine" / "describe"
    assert {path.name for path in out.iterdir()} == FILES
    assert "3 tags, 40 tracks, 40 artists, 40 albums" in done.stdout
    assert "results/mine/describe/report.html" in done.stdout
    assert "\nnext: python -m launch.build --dataset=catalogue_split/mine " in done.stdout
    together = pd.read_csv(out / "cooccurrence.csv", index_col=0)
    assert together.loc["soul", "genre:rnb"] == 20
    assert together.loc["soul", "rock"] == 0
    np.testing.assert_array_equal(together, together.T)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<title>mine</title>" in page
    for path in out.iterdir():  # no path of audio anywhere
        assert b"secret folder" not in path.read_bytes()
        assert b".mp3" not in path.read_bytes()


def test_annotations_are_described_as_split_would_sample_them(shared, tmp_path):
    corpus = shared / "corpus"
    done = describe(
        f"--annotations={corpus}/annotations_a.csv,{corpus}/annotations_b.csv",
        "--prefix=a:,b:",
        f"--tracks={corpus}/tracks.csv",
        f"--out={tmp_path}/d",
    )
    assert done.returncode == 0, done.stderr
    assert "81 tracks in several catalogues" in done.stdout
    assert "\nnext: python -m launch.split --annotations=" in done.stdout
    tags = pd.read_csv(tmp_path / "d" / "tags.csv", index_col="tag")
    assert len(tags) == 107
    electronic = tags.loc["a:genre:electronic & dance"]
    assert electronic.tracks + electronic.overlap == 156  # says the corpus
    assert (tags.excerpts == tags.train + tags.validation + tags.test).all()
    assert tags.labelled.sum() == 1250 - 81
    parts = pd.read_csv(tmp_path / "d" / "parts.csv", index_col="part")
    assert list(parts.index) == ["train", "validation", "test", "overlap"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a manifest by --manifest_dir, or tables by --annotations"),
        (["--manifest_dir=x", "--annotations=y"], "name a manifest by --manifest_dir, or tables"),
        (["--manifest_dir=x", "--tracks=y"], "--tracks has no use beside --manifest_dir"),
        (["--manifest_dir=nowhere"], "nowhere: no such folder"),
        (["--annotations=nowhere.csv"], "nowhere.csv: no such file"),
        (["--annotations=a.csv,b.csv"], "need as many prefixes"),
    ],
)
def test_a_mistake_ends_in_one_line_and_exit_code_2(tmp_path, arguments, message):
    done = describe(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
