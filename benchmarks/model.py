"""Examples a second of training and prediction, beside twins in Keras 3 and PyTorch.

    python -m benchmarks.model [--batch=N] [--repeats=N] [--frames=N] [--precision=bfloat16]

The `paper` preset with 250 tags in float32, on arrays in memory. All are warmed up first; then
they take turns, so that a busy machine is busy for each, and medians are printed. A twin whose
package is missing (`pip install -e .[bench]`) is left out.
"""

import importlib
import os
import statistics
import time
from collections.abc import Callable

import jax
import numpy as np
from absl import app, flags, logging

from tagjax import parallel, step
from tagjax.model import PRESETS

_BATCH = flags.DEFINE_integer("batch", 16, "Examples of a step.", lower_bound=1)
_REPEATS = flags.DEFINE_integer("repeats", 7, "Turns of each.", lower_bound=1)
_FRAMES = flags.DEFINE_integer("frames", 646, "Of an example; 646 are 30 s.", lower_bound=36)
_PRECISION = flags.DEFINE_enum("precision", "float32", step.PRECISIONS, "Of tagjax alone.")
_TAGS = 250


class _Ours:
    def __init__(self, config: step.StepConfig, frames: int) -> None:
        self._state = step.initial_state(config, (frames, 96))
        self._train = parallel.train_step(config)
        self._predict = parallel.predict_step(config)

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
        self._state, sums = self._train(self._state, self._batch(mel, label))
        jax.block_until_ready(self._state)
        return float(sums["loss"] / sums["examples"])

    def predict(self, mel: np.ndarray) -> np.ndarray:
        return self._predict(self._state, self._batch(mel, np.zeros(len(mel), np.int32)))


def _contestants(frames: int) -> dict[str, Callable]:
    config = step.StepConfig(_TAGS, PRESETS["paper"], precision=_PRECISION.value)
    known: dict[str, Callable] = {"tagjax": lambda: _Ours(config, frames)}
    for package, module, variants in (
        ("keras", "twins_keras", {"Keras, graph": (frames, False), "Keras, XLA": (frames, True)}),
        ("torch", "twins_torch", {"PyTorch, NCHW": (False,), "PyTorch, channels_last": (True,)}),
    ):
        try:
            twin = importlib.import_module(f"benchmarks.{module}").Twin
        except ImportError as error:
            print(f"no twin in {package}: {error}")
            continue
        for name, arguments in variants.items():
            known[name] = lambda twin=twin, arguments=arguments: twin(_TAGS, *arguments)
    return known


def _versions() -> str:
    named = []
    for name in ("jax", "flax", "keras", "tensorflow", "torch"):
        try:
            named.append(f"{name} {importlib.import_module(name).__version__}")
        except ImportError:
            continue
    return ", ".join(named)


def main(argv: list[str]) -> None:
    del argv
    logging.set_verbosity(logging.WARNING)
    count, frames = _BATCH.value, _FRAMES.value
    rng = np.random.default_rng(0)
    mel = rng.uniform(0, 3, (count, frames, 96)).astype(np.float32)
    label = rng.integers(0, _TAGS, count).astype(np.int32)
    made = {name: make() for name, make in _contestants(frames).items()}
    seconds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in made}
    for turn in range(-1, _REPEATS.value):
        for name, one in made.items():
            begin = time.perf_counter()
            loss = one.train(mel, label)
            trained = time.perf_counter()
            rows = one.predict(mel)
            predicted = time.perf_counter()
            assert np.isfinite(loss), name
            assert rows.shape == (count, _TAGS), name
            print(f"turn {turn + 1}/{_REPEATS.value} {name}", end=" " * 20 + "\r", flush=True)
            if turn >= 0:
                seconds[name][0].append(trained - begin)
                seconds[name][1].append(predicted - trained)
    print(" " * 60)
    print(_versions())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(
        f"{cores} cores, {jax.devices()[0].device_kind}, "
        f"OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}, "
        f"batch {count}, {frames} frames, {_PRECISION.value}, median of {_REPEATS.value}"
    )
    print(f"{'examples/s':<24}{'train':>8}{'ratio':>8}{'predict':>10}{'ratio':>8}")
    rates = {
        name: [count / statistics.median(each) for each in both] for name, both in seconds.items()
    }
    for name, (train, predict) in rates.items():
        ratios = [ours / its for ours, its in zip(rates["tagjax"], (train, predict), strict=True)]
        print(f"{name:<24}{train:>8.2f}{ratios[0]:>8.2f}{predict:>10.2f}{ratios[1]:>8.2f}")
    print("ratio: tagjax to it; more than 1 means that tagjax is faster")


if __name__ == "__main__":
    app.run(main)
