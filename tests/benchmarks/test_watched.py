"""What a program takes is seen from outside."""

import textwrap

import pytest

from benchmarks.watched import watch

PROGRAM = """
import os, pathlib, sys, threading, time
folder = pathlib.Path(sys.argv[1])
(folder / "gone").write_bytes(b"x" * (8 << 20))
kept = bytearray(b"x" * (96 << 20))
def work():
    if os.fork() == 0:  # Its memory counts too, though a thread has started it.
        more = bytearray(b"x" * (64 << 20))
        until = time.process_time() + 0.6
        while time.process_time() < until:
            pass
        time.sleep(1)
        os._exit(0)
    os.wait()
thread = threading.Thread(target=work)
thread.start()
thread.join()
(folder / "gone").unlink()
(folder / "left").write_bytes(b"x" * (2 << 20))
os.link(folder / "left", folder / "twice")
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """program(text): the name of a module of that text."""
    (tmp_path / "modules").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))

    def make(text):
        (tmp_path / "modules" / "watched_program.py").write_text(textwrap.dedent(text))
        return "watched_program"

    return make


def test_memory_of_children_and_disk_that_is_gone_again_count(program, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "before").write_bytes(b"x" * (1 << 20))
    found = watch(program(PROGRAM), str(tmp_path / "work"), folder=tmp_path / "work")
    assert 96 + 64 < found.anonymous <= found.resident < 400
    assert found.disk == pytest.approx(2, abs=0.1)
    assert found.disk_peak == pytest.approx(8, abs=0.1)
    assert found.processor > 0.5
    assert found.seconds > 1


def test_a_program_that_fails_ends_with_what_it_said(program, tmp_path):
    with pytest.raises(SystemExit, match="no such thing"):
        watch(program("raise SystemExit('no such thing')"), folder=tmp_path)
