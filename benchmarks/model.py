"""Examples per second of training and prediction, beside twins in Keras 3 and PyTorch.

    python -m benchmarks.model [--batch=N] [--repeats=N] [--frames=N] [--precision=bfloat16]

It measures the `paper` preset with 250 tags in float32, on arrays in memory. Each contestant has
its own process and all cores. They take turns, so that a busy machine slows all of them, and
medians are printed. tagjax has large pages, as in `launch.train`, and its twins have the default
pages; further rows have it the other way round. A twin is left out if its package (extra `bench`)
is missing.
"""

import functools
import importlib
import importlib.metadata
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, Any, cast

import numpy as np
from absl import app, flags

_BATCH = flags.DEFINE_integer("batch", 16, "Examples in a step.", lower_bound=1)
_REPEATS = flags.DEFINE_integer("repeats", 7, "Turns of each contestant.", lower_bound=1)
_FRAMES = flags.DEFINE_integer("frames", 646, "Frames of an example; 646 are 30 s.", lower_bound=36)
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", ("float32", "bfloat16"), "Precision of tagjax; the twins have float32."
)
_CONTESTANT = flags.DEFINE_string("contestant", None, "For internal use: what this process runs.")
_TAGS = 250
_LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


class _Ours:
    def __init__(self, frames: int) -> None:
        from tagjax.network import step
        from tagjax.network.model import PRESETS
        from tagjax.run import devices

        config = step.StepConfig(PRESETS["paper"], precision=_PRECISION.value)
        self._state = step.initial_state(config, _TAGS, (frames, 96))
        self._train = devices.train_step(config)
        self._predict = devices.predict_step(config)

    def _batch(self, mel: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
        count = len(mel)
        position = np.arange(count, dtype=np.int32)
        return {
            "mel": mel,
            "label": label,
            "weight": np.ones(count, np.float32),
            "position": position,
        }

    def train(self, mel: np.ndarray, label: np.ndarray) -> float:
        import jax

        self._state, sums = self._train(self._state, self._batch(mel, label))
        jax.block_until_ready(self._state)
        return float(sums["loss"] / sums["examples"])

    def predict(self, mel: np.ndarray) -> np.ndarray:
        return self._predict(self._state, self._batch(mel, np.zeros(len(mel), np.int32)))


def _twin(package: str, *arguments: object) -> Callable:
    return functools.partial(
        importlib.import_module(f"benchmarks.twins_{package}").Twin, *arguments
    )


def _contestants(frames: int) -> dict[str, Callable]:
    """{name: function that makes the contestant}."""
    return {
        "tagjax": lambda: _Ours(frames),
        "Keras, graph": lambda: _twin("keras", _TAGS, frames, False)(),
        "Keras, XLA": lambda: _twin("keras", _TAGS, frames, True)(),
        "PyTorch, NCHW": lambda: _twin("torch", _TAGS, False)(),
        "PyTorch, channels_last": lambda: _twin("torch", _TAGS, True)(),
    }


def _compete() -> None:
    """Runs a contestant: for each line of input, prints the seconds of training and prediction."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Frameworks may print, too.
    rng = np.random.default_rng(0)
    mel = rng.uniform(0, 3, (_BATCH.value, _FRAMES.value, 96)).astype(np.float32)
    label = rng.integers(0, _TAGS, len(mel)).astype(np.int32)
    contestant: Any = None
    for _ in sys.stdin:
        begun = time.perf_counter()
        contestant = contestant or _contestants(_FRAMES.value)[_CONTESTANT.value]()
        loss = contestant.train(mel, label)
        trained = time.perf_counter()
        rows = contestant.predict(mel)
        predicted = time.perf_counter()
        if not np.isfinite(loss) or rows.shape != (len(mel), _TAGS):
            sys.exit(f"{_CONTESTANT.value}: loss {loss}, predictions {rows.shape}")
        print(trained - begun, predicted - trained, file=answers, flush=True)


def _versions() -> str:
    named = []
    for name in ("jax", "flax", "keras", "tensorflow", "tensorflow-cpu", "torch"):
        try:
            named.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(named)


class _Process:
    """A contestant in its own process."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "benchmarks.model", *sys.argv[1:], f"--contestant={name}"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | environment,
            text=True,
        )
        self._pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        self.seconds: list[tuple[float, float]] = []
        self.failure = ""

    def turn(self) -> None:
        """Takes one step and one prediction; the first turn also makes the model and compiles."""
        if self.failure:
            return
        question, answer, messages = cast(tuple[IO[str], IO[str], IO[str]], self._pipes)
        try:
            print(file=question, flush=True)
            train, predict = map(float, answer.readline().split())
            self.seconds.append((train, predict))
        except (OSError, ValueError):
            self._process.kill()
            self.failure = (messages.read().strip().splitlines() or ["died"])[-1]

    def end(self) -> None:
        """Ends the process."""
        self._process.communicate()


def main(argv: list[str]) -> None:
    del argv
    if _CONTESTANT.value:
        _compete()
        return
    names, processes = list(_contestants(0)), {}
    for usual in (True, False):
        for name in names:
            large = (name == "tagjax") == usual
            shown = name if usual else f"{name}, {'large' if large else 'small'} pages"
            processes[shown] = _Process(name, _LARGE_PAGES if large else {})
    for turn in range(_REPEATS.value + 1):
        for name, process in processes.items():
            print(f"turn {turn}/{_REPEATS.value} {name}", end=" " * 20 + "\r", flush=True)
            process.turn()
    print(" " * 60)
    print(_versions())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(
        f"{cores} cores, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}, "
        f"batch {_BATCH.value}, {_FRAMES.value} frames, {_PRECISION.value}, "
        f"median of {_REPEATS.value}"
    )
    print(f"{'examples/s':<36}{'train':>8}{'ratio':>8}{'predict':>10}{'ratio':>8}{'first, s':>10}")
    ours: tuple[float, ...] = ()
    for name, process in processes.items():
        process.end()
        if process.failure:
            print(f"{name:<36}left out: {process.failure}")
            continue
        (first, _), *turns = process.seconds
        rates = tuple(_BATCH.value / statistics.median(c) for c in zip(*turns, strict=True))
        ours = ours or rates
        cells = "".join(
            f"{rate:>{width}.2f}{our_rate / rate:>8.2f}"
            for rate, our_rate, width in zip(rates, ours, (8, 10), strict=True)
        )
        print(f"{name:<36}{cells}{first:>10.1f}")
    print("ratio: tagjax's rate to this one; more than 1 means that tagjax is faster")
    print("first: time for imports, making the model, compiling and the first step")


if __name__ == "__main__":
    app.run(main)
