"""Seconds from the start of Python to the end of the first training step, cold and cached.

    python -m benchmarks.start [--batch=N] [--turns=N] [--preset=NAME]

Each turn runs two processes, one after the other, with a new compilation cache. The first process
compiles. The second one finds the result in the cache, as `launch.train` does.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags

from tagjax.run.config import PRESETS

_BATCH = flags.DEFINE_integer("batch", 16, "Examples in a step.", lower_bound=1)
_TURNS = flags.DEFINE_integer("turns", 3, "Turns of both; medians count.", lower_bound=1)
_PRESET = flags.DEFINE_enum("preset", "paper", sorted(PRESETS), "Network and training.")
_CACHE = flags.DEFINE_string("cache", None, "For internal use: the cache of this process.")
_TAGS = 250


def _first_step() -> None:
    import jax
    import numpy as np

    from launch import program
    from tagjax.network import step
    from tagjax.run import devices

    program.cache_compilations(_CACHE.value)
    preset = PRESETS[_PRESET.value]
    config = step.StepConfig(preset.step.model, preset.step.augment)
    state = step.initial_state(config, _TAGS, (646, 96))
    batch = {
        "mel": np.zeros((_BATCH.value, 646, 96), np.float32),
        "label": np.zeros(_BATCH.value, np.int32),
        "weight": np.ones(_BATCH.value, np.float32),
        "position": np.arange(_BATCH.value, dtype=np.int32),
    }
    jax.block_until_ready(devices.train_step(config)(state, batch))


def main(argv: list[str]) -> None:
    del argv
    if _CACHE.value:
        _first_step()
        return
    tunables = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # As in `launch.train`.
    taken = []
    for _ in range(_TURNS.value):
        with tempfile.TemporaryDirectory() as cache:
            command = [sys.executable, "-m", "benchmarks.start", *sys.argv[1:], f"--cache={cache}"]
            turn = []
            for _ in ("cold", "cached"):
                begin = time.perf_counter()
                subprocess.run(command, check=True, env=os.environ | tunables)
                turn.append(time.perf_counter() - begin)
            taken.append(turn)
    print(f"{_PRESET.value}, batch {_BATCH.value}, {len(os.sched_getaffinity(0))} cores")
    print(f"{'seconds to the first step':<28}{'median':>8}{'least':>8}{'most':>8}")
    for name, seconds in zip(("cold", "cached"), zip(*taken, strict=True), strict=True):
        print(
            f"{name:<28}{statistics.median(seconds):>8.1f}{min(seconds):>8.1f}{max(seconds):>8.1f}"
        )


if __name__ == "__main__":
    app.run(main)
