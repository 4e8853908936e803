"""Processes of one run: when one is lost the others leave, say why, and the run goes on."""

import json
import os
import pathlib
import signal
import socket
import sys
import time

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from programs import Programs

PARTS = {"train": 22, "validation": 10, "test": 9, "overlap": 2}  # Uneven last batches.
TINY = [
    "--dataset=tiny",
    "--filters=4",
    "--pools=3x2",
    "--gru_units=6",
    "--batch_norm_momentum=0.5",
    "--batch_size=4",
    "--max_epochs=4",
    "--epsilon=1e-3",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def together(make_tiny, folder):
    """together(run_dir, *flags, each): the two processes of a run, of two devices each.

    Both get `flags`; process k gets each[k] too.
    """
    make_tiny(folder / "data", PARTS)
    (folder / "logs").mkdir()
    programs = Programs(folder / "logs")
    started = []

    def start(run_dir, *flags, each=((), ())):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            port = free.getsockname()[1]
        common = [
            *TINY,
            f"--data_dir={folder / 'data'}",
            f"--run_dir={run_dir}",
            f"--compilation_cache={folder / 'cache'}",
            f"--coordinator=localhost:{port}",
            "--num_processes=2",
            *flags,
        ]
        pair = [
            programs.start("launch.train", [*common, f"--process_id={k}", *each[k]], devices=2)
            for k in (0, 1)
        ]
        started.extend(pair)
        return pair

    yield start
    for child in started:
        child.send(signal.SIGKILL)
    programs.close()


@pytest.fixture(scope="module")
def undisturbed(together, folder):
    """The run directory of two processes left alone."""
    pair = together(folder / "whole")
    assert [child.wait() for child in pair] == [0, 0], "\n".join(c.output() for c in pair)
    return folder / "whole"


def ends(run_dir):
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        del line["examples_per_second"]
    return lines


def assert_same_end(run_dir, whole):
    assert ends(run_dir) == ends(whole)
    for name in ("fw_kernel.npy", "predictions/probabilities.npy"):
        np.testing.assert_array_equal(np.load(run_dir / name), np.load(whole / name))
    names = ("excerpts.csv", "occurrences.npy", "tags.txt")
    for name in names:
        a, b = (folder / "predictions" / name for folder in (run_dir, whole))
        assert a.read_bytes() == b.read_bytes()


LOST = "error: one of the 2 processes was lost; give all of them their commands again: they go on"
ABORTED = "Terminating process because the JAX distributed service detected fatal errors"


def assert_left(child):
    """It has ended because the other was lost: with our line, where an exchange raised.

    Where none did, or where the lost one held JAX's service, JAX may be the first to notice. It
    then aborts the process with its own message and stack.
    """
    assert child.code in (os.EX_TEMPFAIL, -signal.SIGABRT), child.output()
    if child.code == os.EX_TEMPFAIL:
        assert any(line.startswith(LOST) for line in child.lines()), child.output()
        assert "Traceback" not in child.output()
    else:
        assert ABORTED in child.output()


@pytest.mark.parametrize(
    ("killed", "phase", "number"),
    [(1, "step", 7), (0, "step", 7), (1, "save", 2), (0, "evaluate", 2), (1, "predict", 1)],
)
def test_the_loss_of_one_ends_the_other(
    together, undisturbed, folder, trials, killed, phase, number
):
    if (killed, phase) not in trials([(1, "step")], [(killed, phase)]):
        pytest.skip("in the long form")
    run_dir = folder / f"lost_{killed}_{phase}"
    pair = together(run_dir)
    assert pair[killed].reach(phase, number), pair[killed].output()
    pair[killed].send(signal.SIGKILL)
    began = time.monotonic()
    pair[1 - killed].wait(120)
    assert time.monotonic() - began < 35  # The heartbeat's 20, on a busy machine.
    assert_left(pair[1 - killed])
    pair = together(run_dir)
    assert [child.wait() for child in pair] == [0, 0], "\n".join(c.output() for c in pair)
    assert_same_end(run_dir, undisturbed)


@pytest.mark.parametrize("silent", [0, 1])
def test_the_silence_of_one_ends_the_other(together, undisturbed, folder, trials, silent):
    """Its machine hangs: its connections stay open."""
    if not trials(False, True):
        pytest.skip("in the long form")
    run_dir = folder / f"silent_{silent}"
    pair = together(run_dir, "--heartbeat_seconds=5")
    assert pair[silent].reach("step", 7), pair[silent].output()
    pair[silent].send(signal.SIGSTOP)
    began = time.monotonic()
    pair[1 - silent].wait(120)
    assert time.monotonic() - began < 15
    assert_left(pair[1 - silent])
    pair[silent].send(signal.SIGKILL)
    pair[silent].wait()
    pair = together(run_dir)
    assert [child.wait() for child in pair] == [0, 0], "\n".join(c.output() for c in pair)
    assert_same_end(run_dir, undisturbed)


@pytest.mark.parametrize(
    ("which", "number", "phase", "code"),
    [
        ((0, 1), signal.SIGTERM, "step", 143),
        ((1,), signal.SIGTERM, "step", 143),
        ((0,), signal.SIGINT, "evaluate", 130),
    ],
)
def test_stopped_processes_save_and_go_on(
    together, undisturbed, folder, trials, which, number, phase, code
):
    """SIGTERM to both, as a cluster sends it, or a signal to one, which the other agrees with."""
    if not trials(False, True):
        pytest.skip("in the long form")
    run_dir = folder / f"stopped_{len(which)}_{phase}"
    pair = together(run_dir)
    assert pair[0].reach(phase, 3 if phase == "step" else 2), pair[0].output()
    for k in which:
        pair[k].send(number)
    assert [child.wait() for child in pair] == [code, code], "\n".join(c.output() for c in pair)
    saved = sorted(int(path.name) for path in (run_dir / "checkpoints").iterdir())
    for child in pair:
        assert "Traceback" not in child.output()
        assert f"stopped by {number.name} at step {saved[-1]}, which is saved" in child.lines()[-1]
    pair = together(run_dir)
    assert [child.wait() for child in pair] == [0, 0], "\n".join(c.output() for c in pair)
    assert_same_end(run_dir, undisturbed)


def test_a_mistake_of_both_ends_both(together, undisturbed, folder, trials):
    if not trials(False, True):
        pytest.skip("in the long form")
    pair = together(undisturbed, "--seed=1")
    assert [child.wait(120) for child in pair] == [2, 2], "\n".join(c.output() for c in pair)
    for child in pair:
        assert "is of another run" in child.lines()[-1]
        assert "Traceback" not in child.output()


def test_a_mistake_of_one_ends_the_other(together, folder, trials):
    """They were given different commands; the first has no run directory to compare with yet."""
    if not trials(False, True):
        pytest.skip("in the long form")
    pair = together(folder / "mistaken", each=((), ("--seed=1",)))
    assert pair[1].wait(120) == 2, pair[1].output()
    assert "is of another run (train.seed: 0 there, 1 here)" in pair[1].lines()[-1]
    pair[0].wait(60)
    assert_left(pair[0])
