"""Builds that are killed, that fill the disk, whose workers die or hang: nothing is lost."""

import contextlib
import dataclasses
import functools
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import soundfile
import tensorflow_datasets as tfds

import datasets
from tagjax.base.errors import InputError
from tagjax.base.tables import write_table
from tagjax.examples import build, builder, rows, shards, workers
from tagjax.examples.workers import BuildConfig

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = {"train": range(0, 64), "validation": range(64, 80), "test": range(80, 96)}
HEADER = ("sng_id", "label", "seg_start", "seg_duration", "path")


LAUNCH = """
import runpy
from tagjax.examples import builder
builder.SMALLEST = 8 * 44 * 96 * 2
runpy.run_module("launch.build", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """96 tracks, two of them broken; `whole` is the data set that nothing disturbed.

    It has shards of 8 excerpts, as all data sets of these tests.
    """
    root = tmp_path_factory.mktemp("catalogue")
    (root / "audio").mkdir()
    for part, tracks in PARTS.items():
        rows = [(f"{k}", "rock" if k % 2 else "soul", "0.5", "2", f"{k}.flac") for k in tracks]
        write_table(root / "manifest" / f"{part}.csv", HEADER, rows)
        for k in tracks:
            noise = np.random.default_rng(k).normal(0, 0.1, 3 * 22050)
            soundfile.write(root / "audio" / f"{k}.flac", noise, 22050)
    (root / "audio" / "5.flac").write_text("no audio")
    (root / "audio" / "90.flac").write_bytes((root / "audio" / "91.flac").read_bytes()[:30000])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(builder, "SMALLEST", 8 * 44 * 96 * 2)
        build.prepare(make(root, root / "whole"))
        yield root


def make(root, data, **config):
    return datasets.make_builder(
        "catalogue_split/mine",
        str(data),
        str(root / "manifest"),
        str(root / "audio"),
        BuildConfig(**{"workers": 2, **config}),
    )


def command(root, data, *further):
    return [
        *(sys.executable, "-c", LAUNCH, "--dataset=catalogue_split/mine", "--workers=2"),
        *(f"--manifest_dir={root}/manifest", f"--audio_dir={root}/audio", f"--data_dir={data}"),
        "--max_skipped=0.03",
        *further,
    ]


def start(root, data, *further, **kwargs):
    return subprocess.Popen(
        command(root, data, *further),
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **kwargs,
    )


def folder_of(data):
    return pathlib.Path(data) / "catalogue_split" / "mine" / "1.0.0"


def check_same(data, root):
    """Every example of every part in its order, and every list, as in the undisturbed one."""
    ours, whole = folder_of(data), folder_of(root / "whole")
    assert sorted(os.listdir(ours)) == sorted(os.listdir(whole))
    for name in ("skipped.csv", "coverage.csv", "build.json"):
        assert (ours / name).read_bytes() == (whole / name).read_bytes()
    for part in PARTS:
        several = [
            list(tfds.builder_from_directory(each).as_data_source(part)) for each in (ours, whole)
        ]
        assert len(several[0]) == len(several[1]) > 0
        for one, other in zip(*several, strict=True):
            assert one.keys() == other.keys()
            for name in one:
                np.testing.assert_array_equal(one[name], other[name])
    assert os.listdir(ours.parent) == ["1.0.0"]  # No journal, no temporary folder.


def test_a_build_killed_at_random_moments_is_the_undisturbed_one(
    catalogue, tmp_path, trials, capsys
):
    """SIGKILL, workers orphaned: they end by themselves, and the same command goes on."""
    rng, kills, late = random.Random(7), 0, 0
    for trial in range(trials(5, 10)):
        if kills >= trials(1, 30):
            break
        data = tmp_path / f"{trial}"
        for _ in range(trials(1, 3)):
            process = start(catalogue, data, start_new_session=True)
            while process.poll() is None and not data.exists() and rng.random() < 0.998:
                time.sleep(0.02)  # Starting; now and then killed in that.
            try:
                process.communicate(timeout=rng.uniform(0.0, 0.5))
                late += 1
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.communicate()  # Ends when the last worker has closed the pipe.
                kills += 1
            assert process.returncode in (0, -signal.SIGKILL)
        process = start(catalogue, data)
        _, said = process.communicate()
        assert process.returncode == 0, said
        check_same(data, catalogue)
    with capsys.disabled():
        print(f"\nbuilds: {kills} kills ({late} too late), every data set the undisturbed one")
    assert kills


def test_a_build_killed_at_a_rename_or_a_link(catalogue, tmp_path, trials):
    """Killed by itself at the n-th rename or link of a file, which is where a kill could tear."""
    code = """
import os, sys
from tagjax.examples import builder
builder.SMALLEST = 8 * 44 * 96 * 2
left, replace, rename, link = [int(sys.argv[1])], os.replace, os.rename, os.link
def dying(function, *args, **kwargs):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), 9)
    return function(*args, **kwargs)
os.replace = lambda *a, **k: dying(replace, *a, **k)
os.rename = lambda *a, **k: dying(rename, *a, **k)
os.link = lambda *a, **k: dying(link, *a, **k)
import datasets
from tagjax.examples import build, workers
build.prepare(datasets.make_builder(
    "catalogue_split/mine", sys.argv[2], sys.argv[3] + "/manifest", sys.argv[3] + "/audio",
    workers.BuildConfig(workers=0)))
"""
    died = 0
    for nth in random.Random(4).sample(range(1, 46), trials(2, 45)):
        data = tmp_path / f"{nth}"
        arguments = [sys.executable, "-c", code, f"{nth}", str(data), str(catalogue)]
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, check=False)
        died += done.returncode == -9
        assert done.returncode in (0, -9), done.stderr
        build.prepare(make(catalogue, data, workers=0))
        check_same(data, catalogue)
    assert died


@pytest.fixture
def small_disk(tmp_path):
    """small_disk(MiB): a folder on a file system of that size."""
    mounted = []

    def mount(size):
        folder = tmp_path / "disk"
        folder.mkdir()
        arguments = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
        if (
            shutil.which("mount") is None
            or subprocess.run(arguments, capture_output=True, check=False).returncode
        ):
            pytest.skip("no small disk: mounting a tmpfs needs root")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("size", ["64k", "300k", "900k", "1300k"])
def test_a_full_disk_is_one_line_and_the_same_command_finishes(
    catalogue, tmp_path, small_disk, size, trials
):
    if size != "300k" and trials(True, False):
        pytest.skip("in the long form")
    disk = small_disk(size)
    process = start(catalogue, disk / "data")
    _, said = process.communicate()
    lines = [line for line in re.split(r"[\r\n]", said) if line and not line.startswith("build ")]
    assert process.returncode == 2, said
    assert lines[-1].startswith("error: No space left on device"), said
    assert "free some space" in lines[-1]
    assert len(lines) == 1, lines
    assert not folder_of(disk / "data").exists()
    subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
    process = start(catalogue, disk / "data")
    _, said = process.communicate()
    assert process.returncode == 0, said
    check_same(disk / "data", catalogue)


def test_a_full_disk_where_nothing_is_buffered_is_one_line(catalogue):
    """/dev/full: the device whose every write fails."""
    code = """
import sys
from launch import program
from tagjax.base.tables import write_table
def main():
    with open("/dev/full", "w") as file:
        file.write("x")
program.run(main)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: No space left on device; free some space")
    assert done.stderr.count("\n") == 1


def workers_of(parent):
    """Processes that decode for `parent`: children of its fork server.

    Other tests of the same process may have a browser running, which has children too.
    """
    listed = subprocess.run(
        ["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()[1:]]
    python = [(int(pid), int(above)) for pid, above, args in rows if "multiprocessing" in args]
    below = [pid for pid, above in python if above == parent]
    return [pid for pid, above in python if above in below]


def test_workers_that_are_killed_cost_nothing(catalogue, tmp_path, trials):
    """As by the kernel when memory runs out: what they had is decoded again."""
    for trial in range(trials(1, 8)):
        rng, killed, done = random.Random(trial), [], threading.Event()

        def kill(rng=rng, killed=killed, done=done):
            while not done.wait(rng.uniform(0.1, 0.5)) and len(killed) < 3:
                for pid in workers_of(os.getpid())[:1]:
                    with contextlib.suppress(ProcessLookupError):  # It had just ended.
                        os.kill(pid, signal.SIGKILL)
                        killed.append(pid)

        thread = threading.Thread(target=kill)
        made = make(catalogue, tmp_path / f"{trial}")
        read = functools.partial(slowly, read=made.excerpts.read)
        made.excerpts = dataclasses.replace(made.excerpts, read=read)
        thread.start()
        try:
            build.prepare(made)
        finally:
            done.set()
            thread.join()
        assert killed
        check_same(tmp_path / f"{trial}", catalogue)


def slowly(*job, read):
    time.sleep(0.05)
    return read(*job)


def noted(*job, read, folder):
    (folder / str(os.getpid())).touch()
    time.sleep(0.05)  # So that there is something left for the other worker.
    return read(*job)


def test_two_workers_on_beam_give_the_same_data_set(catalogue, tmp_path, monkeypatch, trials):
    """Each a process of its own, as two machines would be, that sees the same folders."""
    if trials(True, False):
        pytest.skip("in the long form")
    options = pytest.importorskip("apache_beam.options.pipeline_options")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{pathlib.Path(__file__).parent}")
    (tmp_path / "workers").mkdir()
    made = make(catalogue, tmp_path / "data")
    read = functools.partial(noted, read=made.excerpts.read, folder=tmp_path / "workers")
    made.excerpts = dataclasses.replace(made.excerpts, read=read)
    two = options.PipelineOptions(direct_num_workers=2, direct_running_mode="multi_processing")
    build.prepare(made, ("apache_beam.runners.portability.fn_api_runner.FnApiRunner", two))
    assert len(os.listdir(tmp_path / "workers")) == 2
    check_same(tmp_path / "data", catalogue)


def treacherous(path, start, duration, rate):
    """A decoder that one file kills and another holds for ever."""
    if path.startswith("dies"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if path.startswith("hangs"):
        time.sleep(3600)
    return np.full(round(duration * rate), 0.5, np.float32), False


def test_a_file_that_kills_or_holds_its_worker_is_skipped_with_the_reason(trials):
    paths = [f"{k}" for k in range(40)]
    for k, bad in {3: "dies", 4: "hangs", 19: "dies", 20: "dies"}.items():
        if k < 10 or trials(False, True):
            paths[k] = bad
    config = BuildConfig(workers=2, file_seconds=1.0)
    read = functools.partial(treacherous, rate=22050)
    outcomes = list(workers.log_mels([(path, 0.0, 0.1) for path in paths], read, config))
    assert len(outcomes) == 40
    for path, outcome in zip(paths, outcomes, strict=True):
        if path.startswith("dies"):
            assert outcome.reason == "the decoder crashed"
        elif path.startswith("hangs"):
            assert outcome.reason == "not decoded within 1 s"
        else:
            assert outcome.mel is not None, (path, outcome.reason)


def betrayed(path, *where, read):
    """As a decoder that two files of a shard kill and a third one holds for ever."""
    return treacherous(BAD[path], *where, rate=22050) if path in BAD else read(path, *where)


BAD = {"7.flac": "dies", "20.flac": "dies", "70.flac": "hangs"}


def test_a_build_loses_only_the_excerpts_that_kill_or_hold_a_worker(catalogue, tmp_path):
    made = make(catalogue, tmp_path / "data", file_seconds=2.0)
    read = functools.partial(betrayed, read=made.excerpts.read)
    made.excerpts = dataclasses.replace(made.excerpts, read=read)
    report = build.prepare(made)
    assert report.skipped == 5
    assert report.reasons["the decoder crashed"] == 2
    assert report.reasons["not decoded within 2 s"] == 1
    for part in PARTS:
        kept = tfds.builder_from_directory(folder_of(tmp_path / "data")).as_data_source(part)
        whole = tfds.builder_from_directory(folder_of(catalogue / "whole")).as_data_source(part)
        lost = {name.removesuffix(".flac").encode() for name in BAD}
        wanted = [example for example in whole if example["sng_id"] not in lost]
        for one, other in zip(kept, wanted, strict=True):
            assert one["sng_id"] == other["sng_id"]
            np.testing.assert_array_equal(one["mel"], other["mel"])


def test_audio_that_vanishes_while_it_is_read_is_listed_or_stops_a_strict_build(
    catalogue, tmp_path
):
    """Gone after the folder was searched; put back, the same build finishes as ever."""
    audio = tmp_path / "audio"
    shutil.copytree(catalogue / "audio", audio)
    shutil.copytree(catalogue / "manifest", tmp_path / "manifest")
    strict = make(tmp_path, tmp_path / "data", workers=0, strict=True)
    made = make(tmp_path, tmp_path / "listed", workers=0)
    hidden = (audio / "70.flac").rename(tmp_path / "hidden.flac")
    report = build.prepare(made)
    assert (report.skipped, report.reasons["no such file"]) == (3, 1)
    with pytest.raises(InputError, match=r"validation\.csv:8: 70\.flac: no such file; .*--strict"):
        build.prepare(strict)
    assert not folder_of(tmp_path / "data").exists()
    hidden.rename(audio / "70.flac")
    build.prepare(make(tmp_path, tmp_path / "data"))
    # The manifest has another name, so only what is in the parts is compared.
    for name in ("skipped.csv", "coverage.csv"):
        assert (folder_of(tmp_path / "data") / name).read_bytes() == (
            folder_of(catalogue / "whole") / name
        ).read_bytes()


def test_audio_that_vanishes_between_the_look_and_the_opening(catalogue, tmp_path, monkeypatch):
    from tagjax.examples import audio

    path = tmp_path / "1.flac"
    shutil.copy(catalogue / "audio" / "1.flac", path)
    honest = soundfile.SoundFile

    def late(name, *args, **kwargs):
        path.unlink()
        return honest(name, *args, **kwargs)

    monkeypatch.setattr(audio.soundfile, "SoundFile", late)
    with pytest.raises(audio.MissingFileError, match="no such file"):
        audio.read_excerpt(path, 0.0, 1.0)


def test_a_shard_that_was_tampered_with_is_not_believed(catalogue, tmp_path, trials):
    """Bits flipped, cut or zeroed, in the examples or the report: computed again, to the same."""
    made = make(catalogue, tmp_path / "data", workers=0)
    read = functools.partial(treacherous, rate=22050)
    format = made.info.file_format
    facts = "x", "", read, made.build, made.info.features, format
    chosen = next(rows.rows_of(made.excerpts, "train", 16))
    shard = shards.Shard("train", 0, chosen)
    write = shards.ShardWriter(tmp_path / "whole", *facts)
    wanted = write(shard)
    kept = {path.name: path.read_bytes() for path in write.folder.iterdir()}
    assert set(kept) == {"train-00000", "train-00000.json"}
    for seed in range(trials(30, 400)):
        rng = np.random.default_rng(seed)
        again = shards.ShardWriter(tmp_path / f"{seed}", *facts)
        again.folder.mkdir()
        for k, (name, content) in enumerate(sorted(kept.items())):
            data = bytearray(content)
            at = int(rng.integers(len(data)))
            if k == seed % 2:
                kind = seed // 2 % 3
                if kind == 0:
                    data[at] ^= 1 << int(rng.integers(8))
                elif kind == 1:
                    del data[at:]
                else:
                    data[at : at + 64] = bytes(64)
            (again.folder / name).write_bytes(data)
        assert again(shard) == wanted
        assert kept == {path.name: path.read_bytes() for path in again.folder.iterdir()}
        shutil.rmtree(again.folder)
