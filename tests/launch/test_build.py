import numpy as np
import pytest
import soundfile
from running import run


def build(root, *arguments):
    return run("build", f"--data_dir={root}/data", *arguments)


@pytest.fixture
def catalogue(tmp_path):
    (tmp_path / "manifest").mkdir()
    (tmp_path / "audio").mkdir()
    for part, tracks in {"train": range(10), "test": range(10, 13)}.items():
        rows = [f"{k},{'rock' if k % 2 else 'soul'},0.5,1" for k in tracks]
        text = "\n".join(["sng_id,label,seg_start,seg_duration", *rows]) + "\n"
        (tmp_path / "manifest" / f"{part}.csv").write_text(text)
        for k in tracks:
            noise = np.random.default_rng(k).normal(0, 0.1, 40000)
            soundfile.write(tmp_path / "audio" / f"{k}.flac", noise, 22050)
    (tmp_path / "audio" / "4.flac").write_text("no audio")
    return tmp_path


def test_builds_with_workers_and_says_so_the_second_time(catalogue):
    flags = ["--dataset=catalogue_split/mine", f"--manifest_dir={catalogue}/manifest"]
    flags += [f"--audio_dir={catalogue}/audio", "--workers=2"]
    done = build(catalogue, *flags)
    assert done.returncode == 0, done.stderr
    assert "skipped 1: not decodable: Format not recognised" in done.stdout
    folder = catalogue / "data" / "catalogue_split" / "mine" / "1.0.0"
    assert (folder / "skipped.csv").read_text().splitlines()[1].startswith("train,4,0.5,4.flac,")
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    done = build(catalogue, *flags)
    assert done.returncode == 0
    assert done.stdout.strip().endswith(f"is built already: {folder}")
    assert before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    done = build(catalogue, *flags, "--mel_dtype=float32")
    assert done.returncode == 2
    assert "was built from another --mel_dtype" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


MINE = "--dataset=catalogue_split/mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--dataset=discog"],
            "unknown dataset 'discog'; one of catalogue_split/NAME, discogs_split, mumu",
        ),
        (["--dataset=discogs_split/x"], "no config 'x'; one of taxonomy, deduplication"),
        ([MINE, "--mel_dtype=int8"], "--mel_dtype=int8: one of float16, float32"),
        ([MINE, "--workers=-1"], "--workers"),
        ([MINE, "--manifest_dir={0}/manifest", "--audio_dir={0}/manifest"], "train.csv:2: no 0.*"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(catalogue, arguments, message):
    done = build(catalogue, *(argument.format(catalogue) for argument in arguments))
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (catalogue / "data").exists()


def test_nothing_is_left_where_nothing_can_be_decoded(catalogue):
    for path in (catalogue / "audio").iterdir():
        path.write_text("no audio")
    done = build(
        catalogue, MINE, f"--manifest_dir={catalogue}/manifest", f"--audio_dir={catalogue}/audio"
    )
    assert done.returncode == 2
    assert "train.csv:2: neither this excerpt nor any other" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert [path for path in (catalogue / "data").rglob("*") if path.is_file()] == []
