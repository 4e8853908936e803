"""Examples per second of training and prediction, beside twins in Keras 3 and PyTorch.

    python -m benchmarks.model [--preset=catalogue] [--batch=N] [--turns=N] [--precision=bfloat16]

It measures the networks of the presets `paper` and `catalogue` with 250 tags, on arrays in memory,
without augmentation. Each contestant has its own process and all cores, once with the default
pages and once with large pages, for which `launch.train` asks. They take turns, so that a busy
machine slows all of them, and medians are printed. A turn begins with a step that does not count:
a process that has waited may have to fetch its memory anew, which no training does. A twin is left
out if its package (extra `bench`) is missing; `catalogue` has none in Keras.
"""

import dataclasses
import functools
import importlib
import importlib.metadata
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import IO, Any, cast

import numpy as np
from absl import app, flags

_PRESET = flags.DEFINE_enum("preset", "paper", ("paper", "catalogue"), "Whose network.")
_BATCH = flags.DEFINE_integer("batch", 16, "Examples in a step.", lower_bound=1)
_TURNS = flags.DEFINE_integer("turns", 7, "Turns of each contestant.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 3, "Steps of a turn that count.", lower_bound=1)
_FRAMES = flags.DEFINE_integer(
    "frames", None, "Frames of an example; 646 are 30 s. [646; catalogue: 216]", lower_bound=36
)
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", ("float32", "bfloat16"), "Precision of tagjax; the twins have float32."
)
_TWINS = flags.DEFINE_string(
    "twins", "", "Regular expression of the twins to run; each of their processes takes 3 GiB."
)
_CONTESTANT = flags.DEFINE_string("contestant", None, "For internal use: what this process runs.")
_TAGS = 250
_PAGES = {"small": "glibc.malloc.hugetlb=0", "large": "glibc.malloc.hugetlb=1"}


class _Ours:
    def __init__(self, frames: int) -> None:
        from tagjax.network import step
        from tagjax.network.augment import AugmentConfig
        from tagjax.run import devices
        from tagjax.run.config import PRESETS

        config = dataclasses.replace(
            PRESETS[_PRESET.value].step, augment=AugmentConfig(), precision=_PRECISION.value
        )
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


def _torch(channels_last: bool) -> Any:
    twins = importlib.import_module("benchmarks.twins_torch")
    return twins.Twin(_TAGS, channels_last, twins.SHAPES[_PRESET.value])


def _keras(compiled: bool) -> Any:
    return importlib.import_module("benchmarks.twins_keras").Twin(_TAGS, _frames(), compiled)


def _contestants() -> dict[str, Callable[[], Any]]:
    """{name: function that makes the contestant}."""
    keras: dict[str, Callable[[], Any]] = {
        "Keras, graph": lambda: _keras(False),
        "Keras, XLA": lambda: _keras(True),
    }
    twins = {
        **(keras if _PRESET.value == "paper" else {}),
        "PyTorch, NCHW": lambda: _torch(False),
        "PyTorch, channels_last": lambda: _torch(True),
    }
    chosen = {name: make for name, make in twins.items() if re.search(_TWINS.value, name)}
    return {"tagjax": lambda: _Ours(_frames()), **chosen}


def _frames() -> int:
    return _FRAMES.value or {"paper": 646, "catalogue": 216}[_PRESET.value]


def _compete() -> None:
    """Runs a contestant: for each line of input, prints the seconds of training and prediction."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Frameworks may print, too.
    rng = np.random.default_rng(0)
    mel = rng.uniform(0, 3, (_BATCH.value, _frames(), 96)).astype(np.float32)
    label = rng.integers(0, _TAGS, len(mel)).astype(np.int32)
    make = functools.lru_cache(_contestants()[_CONTESTANT.value])
    for _ in sys.stdin:
        loss, training = _timed(lambda: make().train(mel, label))
        rows, prediction = _timed(lambda: make().predict(mel))
        if not np.isfinite(loss) or rows.shape != (len(mel), _TAGS):
            sys.exit(f"{_CONTESTANT.value}: loss {loss}, predictions {rows.shape}")
        print(training, prediction, file=answers, flush=True)


def _timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """(result of a first call, seconds of each that follows)."""
    result = call()
    begun = time.perf_counter()
    for _ in range(_STEPS.value):
        call()
    return result, (time.perf_counter() - begun) / _STEPS.value


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

    def __init__(self, name: str, pages: str) -> None:
        command = [sys.executable, "-m", "benchmarks.model", *sys.argv[1:], f"--contestant={name}"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"GLIBC_TUNABLES": _PAGES[pages]},
            text=True,
        )
        self._pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        self.seconds: list[tuple[float, float]] = []
        self.failure = ""

    def turn(self) -> None:
        """Takes a turn of steps and predictions; the first one also makes the model."""
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

    def rates(self) -> tuple[float, float]:
        """Ends the process; median examples a second of (training, prediction)."""
        self._process.communicate()
        if self.failure:
            return 0.0, 0.0
        train, predict = zip(*self.seconds[1:], strict=True)
        return _BATCH.value / statistics.median(train), _BATCH.value / statistics.median(predict)


def main(argv: list[str]) -> None:
    del argv
    if _CONTESTANT.value:
        _compete()
        return
    processes = {
        (name, pages): _Process(name, pages) for name in _contestants() for pages in _PAGES
    }
    for turn in range(_TURNS.value + 1):
        for key, process in processes.items():
            print(f"turn {turn}/{_TURNS.value} {key}", end=" " * 20 + "\r", file=sys.stderr)
            process.turn()
    print(" " * 60)
    print(_versions())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(
        f"{cores} cores, {_PRESET.value}, batch {_BATCH.value}, {_frames()} frames, "
        f"{_PRECISION.value} (twins: float32), median of {_TURNS.value} turns"
    )
    rates = {key: process.rates() for key, process in processes.items()}
    heads = "".join(f"{head:>10}" for head in ("small", "large", "ratio"))
    print(f"{'examples/s':<26}{'train:':<10}{heads}    {'predict:':<10}{heads}")
    for name in _contestants():
        failure = processes[name, "small"].failure or processes[name, "large"].failure
        cells = ""
        for kind in (0, 1):
            best = {
                who: max(rates[who, pages][kind] for pages in _PAGES) for who in ("tagjax", name)
            }
            cells += " " * 12 + "".join(f"{rates[name, pages][kind]:>10.2f}" for pages in _PAGES)
            cells += f"{best['tagjax'] / (best[name] or 1):>10.2f}"
        print(f"{name:<26}left out: {failure}" if failure else f"{name:<26}{cells}")
    print("small, large: pages; ratio: tagjax's rate to this one, each with its better pages")


if __name__ == "__main__":
    app.run(main)
