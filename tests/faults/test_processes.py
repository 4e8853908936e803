"""Processes of one run: when one is lost the others leave, say why, and the run goes on."""

import json
import os
import pathlib
import signal
import socket
import sys
import threading
import time

import numpy as np
import pytest

from tagjax.run import pulse

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


def connected(count, seconds=30.0):
    """Pulses of `count` processes, in threads of this one; and the (process, code) that left."""
    server, ticket = pulse.listen()
    left = []
    joined = [pulse.join("localhost", ticket, k) for k in range(1, count)]
    peers = [pulse.accept(server, ticket, count), *joined]
    return (
        peers,
        left,
        [
            pulse.Pulse(each, count, seconds, lambda code, k=k: left.append((k, code)))
            for k, each in enumerate(peers)
        ],
    )


def until(condition, seconds=20.0):
    began = time.monotonic()
    while not condition() and time.monotonic() - began < seconds:
        time.sleep(0.01)
    assert condition()


def test_who_ends_well_takes_nobody_along():
    _, left, watches = connected(3)
    for watch in watches:
        watch.stop()
    assert left == []


def test_a_closed_socket_is_a_lost_process(capsys, monkeypatch):
    monkeypatch.setattr(pulse, "_GRACE", 0.1)
    peers, left, watches = connected(3)
    watches[2]._leaving.set()
    watches[2]._thread.join()
    peers[2][0].close()  # As the kernel does for a killed process.
    until(lambda: len(left) == 2)
    assert sorted(left) == [(0, pulse.LOST), (1, pulse.LOST)]
    said = capsys.readouterr().err
    assert "error: process 2 has ended unasked, one of 3; give all of them" in said
    assert said.count("error: ") == 2


def test_silence_is_a_loss():
    _, left, watches = connected(2, seconds=1.5)
    watches[1]._leaving.set()  # Its socket stays open.
    until(lambda: left)
    assert left == [(0, pulse.LOST)]


def test_a_code_is_passed_on(monkeypatch):
    monkeypatch.setattr(pulse, "_GRACE", 0.1)
    monkeypatch.setattr(pulse.atexit, "register", lambda *args: None)
    _, left, watches = connected(3)
    watches[1].stop(2)
    until(lambda: len(left) == 2)
    assert sorted(left) == [(0, 2), (2, 2)]


def test_strangers_are_not_let_in():
    server, ticket = pulse.listen()
    got = {}
    waiting = threading.Thread(target=lambda: got.update(pulse.accept(server, ticket, 2)))
    waiting.start()
    with socket.create_connection(("localhost", int.from_bytes(ticket[:2], "big"))) as stranger:
        stranger.sendall(bytes(18))
        assert stranger.recv(1) == b""
    joined = pulse.join("localhost", ticket, 1)
    waiting.join(10)
    assert list(got) == [1]
    for each in (got, joined):
        next(iter(each.values())).close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def together(make_tiny, folder):
    """together(run_dir, *flags): the two processes of a run, of two devices each."""
    make_tiny(folder / "data", PARTS)
    (folder / "logs").mkdir()
    programs = Programs(folder / "logs")
    started = []

    def start(run_dir, *flags):
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
            programs.start("launch.train", [*common, f"--process_id={k}"], devices=2)
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
    left = pair[1 - killed]
    code = left.wait(120)
    assert time.monotonic() - began < 30
    assert code == os.EX_TEMPFAIL, left.output()
    assert left.lines()[-1].startswith(f"error: process {killed} has ended unasked"), left.output()
    assert "Traceback" not in left.output()
    pair = together(run_dir)
    assert [child.wait() for child in pair] == [0, 0], "\n".join(c.output() for c in pair)
    assert_same_end(run_dir, undisturbed)


@pytest.mark.parametrize("which", [(0, 1), (1,)])
def test_stopped_processes_save_and_go_on(together, undisturbed, folder, trials, which):
    """SIGTERM to both, as a cluster sends it, or to one, which the other agrees with."""
    if not trials(False, True):
        pytest.skip("in the long form")
    run_dir = folder / f"stopped_{len(which)}"
    pair = together(run_dir)
    assert pair[0].reach("step", 3), pair[0].output()
    for k in which:
        pair[k].send(signal.SIGTERM)
    assert [child.wait() for child in pair] == [143, 143], "\n".join(c.output() for c in pair)
    for child in pair:
        assert "Traceback" not in child.output()
    assert "stopped by SIGTERM at step" in pair[0].lines()[-1]
    saved = sorted(int(path.name) for path in (run_dir / "checkpoints").iterdir())
    assert f"at step {saved[-1]}, which is saved" in pair[0].lines()[-1]
    pair = together(run_dir)
    assert [child.wait() for child in pair] == [0, 0], "\n".join(c.output() for c in pair)
    assert_same_end(run_dir, undisturbed)


def test_a_mistake_of_one_ends_both(together, undisturbed, folder, trials):
    if not trials(False, True):
        pytest.skip("in the long form")
    pair = together(undisturbed, "--seed=1")
    assert [child.wait(120) for child in pair] == [2, 2], "\n".join(c.output() for c in pair)
    assert "is of another run" in pair[0].output()
    assert "Traceback" not in pair[0].output() + pair[1].output()
