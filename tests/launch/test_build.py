import shutil

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
    (tmp_path / "some").mkdir()
    shutil.copy(tmp_path / "audio" / "0.flac", tmp_path / "some")
    return tmp_path


def test_builds_with_workers_and_says_so_the_second_time(catalogue):
    flags = ["--dataset=catalogue_split/mine", f"--manifest_dir={catalogue}/manifest"]
    flags += [f"--audio_dir={catalogue}/audio", "--workers=2", "--max_skipped=0.08"]
    done = build(catalogue, *flags)
    assert done.returncode == 0, done.stderr
    assert "skipped 1: not decodable: Format not recognised" in done.stdout
    folder = catalogue / "data" / "catalogue_split" / "mine" / "1.0.0"
    assert done.stdout.splitlines()[-2:] == [
        f"skipped: 1 of 13 excerpts (7.7 %), listed in {folder}/skipped.csv",
        f"next: python -m launch.train --dataset=catalogue_split/mine --data_dir={catalogue}/data "
        "--preset=catalogue",
    ]
    assert (folder / "skipped.csv").read_text().splitlines()[1].startswith("train,4,0.5,4.flac,")
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    done = build(catalogue, *flags)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-2].endswith(f"is built already: {folder}")
    assert before == {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    done = build(catalogue, *flags, "--mel_dtype=float32")
    assert done.returncode == 2
    assert "was built from another --mel_dtype" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_more_lost_than_allowed_is_exit_code_3_and_a_whole_data_set(catalogue):
    """Of 13 tracks one is damaged and one is gone; the same command again says the same."""
    (catalogue / "audio" / "7.flac").unlink()
    flags = [MINE, f"--manifest_dir={catalogue}/manifest", f"--audio_dir={catalogue}/audio"]
    folder = catalogue / "data" / "catalogue_split" / "mine" / "1.0.0"
    for last in (f"listed in {folder}/skipped.csv", f"is built already: {folder}"):
        done = build(catalogue, *flags, "--workers=0")
        assert done.returncode == 3
        assert done.stdout.splitlines()[-2].endswith(last)
        assert done.stderr.splitlines()[-1] == (
            "warning: 2 of 13 excerpts are skipped, more than --max_skipped=0.01 allows; "
            "the data set has all other excerpts"
        )
    reasons = [line.rpartition(",")[2] for line in (folder / "skipped.csv").open()]
    assert [reason.strip() for reason in reasons] == [
        "reason",
        "not decodable: Format not recognised",
        "no file of this name in the audio folder",
    ]
    assert build(catalogue, *flags, "--max_skipped=0.2").returncode == 0


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
        ([MINE, "--max_skipped=2"], "--max_skipped"),
        (
            [MINE, "--manifest_dir={0}/manifest", "--audio_dir={0}/some", "--strict"],
            "train.csv:3: no file 1.* in",
        ),
        ([MINE, "--manifest_dir={0}/manifest", "--audio_dir={0}/manifest"], "train.csv:2: no 0.*"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(catalogue, arguments, message):
    done = build(catalogue, *(argument.format(catalogue) for argument in arguments))
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (catalogue / "data").exists()


def test_silence_is_skipped_or_kept_and_said(catalogue):
    soundfile.write(catalogue / "audio" / "1.flac", np.zeros(40000), 22050)
    flags = [MINE, f"--manifest_dir={catalogue}/manifest", f"--audio_dir={catalogue}/audio"]
    flags += ["--workers=0", "--max_skipped=1"]
    skipped = build(catalogue, *flags).stdout.splitlines()
    assert "skipped 1: silent" in skipped
    shutil.rmtree(catalogue / "data")
    kept = build(catalogue, *flags, "--keep_silent").stdout.splitlines()
    said = "nothing can be heard of these excerpts, which are examples all the same"
    assert f"quiet 1: {said}" in kept
    assert "skipped 1: silent" not in kept
    assert kept[0].split()[:3] == ["train", "9", "written"]  # Another is no audio.


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


def test_reasons_that_differ_in_numbers_are_said_as_one(catalogue):
    for part in ("train", "test"):
        path = catalogue / "manifest" / f"{part}.csv"
        rows = path.read_text().splitlines()
        starts = (f"{row.rpartition(',0.5,')[0]},{50 + k}.5,1" for k, row in enumerate(rows[2:]))
        path.write_text("\n".join([*rows[:2], *starts, ""]))
    flags = [MINE, f"--manifest_dir={catalogue}/manifest", f"--audio_dir={catalogue}/audio"]
    done = build(catalogue, *flags, "--workers=0")
    assert done.returncode == 3
    assert [line for line in done.stdout.splitlines() if line.startswith("skipped ")] == [
        "skipped 10: such as: start 50.5 s is past the end at 1.8 s",
        "skipped 1: not decodable: Format not recognised",
    ]
