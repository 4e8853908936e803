"""`launch.embed` as a user runs it."""

import shutil

import numpy as np
import pretrained
import pytest
import soundfile
from running import mistake, run, succeed

from tagjax.similarity.features import read_features


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "music").mkdir()
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        soundfile.write(tmp_path / "music" / f"{name}.flac", rng.normal(0, 0.1, 48_000), 16_000)
    (tmp_path / "tracks.csv").write_text("track_id,path\nt1,a.flac\nt2,b.flac\n")
    return tmp_path


def test_a_table_is_made_and_what_is_skipped_is_counted(folder):
    pretrained.write_models(folder / "weights", ["MSD"])
    flags = ["--tracks=tracks.csv", "--audio_dir=music", "--weights=weights", "--model=MSD"]
    flags += ["--seconds=3", "--workers=1"]
    done = succeed("embed", *flags, folder=folder)
    assert done.stdout == "written: vectors.npz (2 tracks, 2 of them new)\n"
    assert "2/2" in done.stderr
    assert "warning: weights: MSD: not the weights of musicnn 0.1.0" in done.stderr
    ids, vectors = read_features(folder / "vectors.npz")
    assert (ids, vectors.shape) == (("t1", "t2"), (2, 200))
    shutil.copy(folder / "tracks.csv", folder / "more.csv")
    with (folder / "more.csv").open("a") as file:
        file.write("t3,c.flac\n")
    done = run("embed", "--tracks=more.csv", *flags[1:], folder=folder)
    assert done.returncode == 3
    assert "skipped 1: no such file" in done.stdout
    assert "warning: 1 of 3 tracks are skipped, more than --max_skipped=0.01 allows" in done.stderr
    assert done.stdout.endswith("skipped: 1 tracks (33.3 %), listed in vectors.skipped.csv\n")
    assert "t3,c.flac,no such file" in (folder / "vectors.skipped.csv").read_text()


def test_without_weights_one_line_names_the_command(folder):
    line = mistake("embed", "--tracks=tracks.csv", "--audio_dir=music", folder=folder)
    assert line == (
        "error: --weights: name the wheel that this fetches: pip download --no-deps musicnn==0.1.0"
    )
    assert "--tracks" in mistake("embed", folder=folder)
