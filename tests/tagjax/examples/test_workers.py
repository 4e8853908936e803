import dataclasses
import functools
import os
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile

from tagjax.examples import audio, frontend, workers
from tagjax.examples.workers import BuildConfig, log_mels

JOBS = [(f"t{k}", k / 7, 0.3) for k in range(60)]


def sound(path, start, duration):
    """Noise that depends on the job; later jobs of a chunk are done sooner."""
    if path == "t13":
        raise audio.AudioError("unlucky")
    rng = np.random.default_rng(int(path[1:]))
    time.sleep(0.002 * (8 - int(path[1:]) % 8))
    return rng.normal(0, 1 + start, round(duration * 22050)).astype(np.float32), path == "t5"


def deadly(path, start, duration):
    if path == "t12":
        os._exit(11)  # As a decoder does that runs into memory which is not its own.
    return sound(path, start, duration)


def traced(path, start, duration, folder):
    (folder / path).touch()
    return sound(path, start, duration)


def same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert dataclasses.replace(one, mel=None) == dataclasses.replace(other, mel=None)
        np.testing.assert_array_equal(one.mel, other.mel)


def test_the_order_is_kept_and_results_do_not_depend_on_the_number_of_workers():
    one, two = (list(log_mels(JOBS, sound, BuildConfig(workers=n))) for n in (1, 2))
    same(one, two)
    for job, outcome in zip(JOBS, one, strict=True):
        if job[0] == "t13":
            assert outcome == workers.Outcome(None, reason="unlucky")
            continue
        samples, padded = sound(*job)
        assert outcome.padded == padded
        assert outcome.mel.dtype == np.float16
        np.testing.assert_array_equal(outcome.mel, frontend.log_mel(samples).astype(np.float16))


def test_float32_is_not_rounded():
    config = BuildConfig(mel_dtype="float32", workers=0)
    (outcome,) = log_mels(JOBS[:1], sound, config)
    np.testing.assert_array_equal(outcome.mel, frontend.log_mel(sound(*JOBS[0])[0]))


def test_a_bounded_number_is_in_flight(tmp_path):
    jobs = [(f"t{k + 100}", 0.0, 0.05) for k in range(400)]
    stream = log_mels(jobs, functools.partial(traced, folder=tmp_path), BuildConfig(workers=2))
    for _ in range(3):
        next(stream)
    time.sleep(1.0)
    started = len(list(tmp_path.iterdir()))
    assert 3 <= started <= 8 * (4 * 2 + 1)
    stream.close()
    assert len(list(tmp_path.iterdir())) <= 8 * (4 * 2 + 2)


def test_a_file_that_kills_its_worker_is_one_skipped_file():
    found = list(log_mels(JOBS[:24], deadly, BuildConfig(workers=2)))
    expected = list(log_mels(JOBS[:24], sound, BuildConfig(workers=0)))
    assert found[12] == workers.Outcome(None, reason="the decoder crashed")
    same(found[:12] + found[13:], expected[:12] + expected[13:])


def test_read_file_looks_below_the_root(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    tone = 0.25 * np.sin(0.1 * np.arange(22050))
    soundfile.write(tmp_path / "deep" / "er" / "a.wav", tone, 22050)
    read = functools.partial(
        workers.read_file, root=str(tmp_path), rate=22050, config=audio.AudioConfig()
    )
    np.testing.assert_allclose(read("deep/er/a.wav", 0.0, 1.0).samples, tone, atol=1e-4)
    with pytest.raises(audio.AudioError, match="no such file"):
        read("deep/a.wav", 0.0, 1.0)
    with pytest.raises(audio.AudioError, match="no file of this name"):
        read("", 0.0, 1.0)


def stubborn(path, start, duration):
    if path == "t12":
        time.sleep(600)
    return sound(path, start, duration)


def test_a_file_that_holds_its_worker_is_one_skipped_file():
    config = BuildConfig(workers=2, file_seconds=2.0)
    found = list(log_mels(JOBS[:24], stubborn, config))
    expected = list(log_mels(JOBS[:24], sound, BuildConfig(workers=0)))
    assert found[12] == workers.Outcome(None, reason="not decoded within 2 s")
    same(found[:12] + found[13:], expected[:12] + expected[13:])


class OddError(Exception):
    pass


ERRORS = {
    "missing": audio.MissingFileError("no such file"),
    "past": audio.AudioError("start 9 s is past the end at 3.0 s"),
    "odd": OddError("very\nodd"),
    "memory": MemoryError(),
    "system": OSError(5, "Input/output error"),
}


def failing(path, start, duration):
    if path in ERRORS:
        raise ERRORS[path]
    return audio.Excerpt(*sound("t1", start, duration), quiet="silent", loud=True)


def test_whatever_reading_one_file_raises_is_its_outcome():
    jobs = [(path, 0.0, 0.3) for path in (*ERRORS, "good", *ERRORS)]
    outcomes = list(workers.compute(jobs, failing, BuildConfig()))
    assert [outcome.reason for outcome in outcomes[:5]] == [
        "no such file",
        "start 9 s is past the end at 3.0 s",
        "OddError: very",
        "MemoryError: ",
        "OSError: [Errno 5] Input/output error",
    ]
    same(outcomes[:5], outcomes[6:])
    assert [outcome.mistaken for outcome in outcomes[:5]] == [True, False, False, False, False]
    good = outcomes[5]
    assert (good.reason, good.quiet, good.loud) == ("", "silent", True)
    assert good.mel is not None


def test_frames_that_are_clipped_are_counted():
    def read(path, start, duration):
        return np.sin(0.3 * np.arange(22050, dtype=np.float32)) * float(path), False

    jobs = [("1", 0.0, 1.0), ("32768", 0.0, 1.0)]
    one, other = workers.compute(jobs, read, BuildConfig(mel_dtype="uint8"))
    assert (one.clipped, other.clipped) == (0, 22)
    one, other = workers.compute(jobs, read, BuildConfig())
    assert (one.clipped, other.clipped) == (0, 0)


NOISY = """
import functools, sys, warnings
from tagjax.examples import audio, workers

def read(path, start, duration):
    excerpt = workers.read_file(path, start, duration, "", 22050, audio.AudioConfig())
    print("read", file=sys.stderr, flush=True)
    return excerpt

if __name__ == "__main__":
    jobs = [(sys.argv[1], 0.0, 5.0)] * 3
    config = workers.BuildConfig(workers=int(sys.argv[2]))
    print([outcome.reason for outcome in workers.log_mels(jobs, read, config)])
"""


def test_the_noise_of_c_libraries_is_not_heard_from_workers(tmp_path):
    """What our own code writes is."""
    (tmp_path / "noisy.py").write_text(NOISY)
    path = tmp_path / "a.mp3"
    soundfile.write(path, 0.3 * np.sin(0.1 * np.arange(10 * 44100)), 44100)
    content = bytearray(path.read_bytes())
    for place in range(2000, len(content) - 2000, 3000):
        content[place : place + 40] = bytes(range(40))
    path.write_bytes(content)
    written = []
    for count in "02":
        finished = subprocess.run(
            [sys.executable, tmp_path / "noisy.py", path, count],
            env={**os.environ, "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            check=True,
        )
        assert finished.stdout == "['', '', '']\n"
        written.append(finished.stderr)
    assert "libmpg123" in written[0]
    assert written[1] == "read\n" * 3
