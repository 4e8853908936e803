"""Milliseconds of the network's convolutions, forward and both gradients, beside XLA's own.

    python -m benchmarks.convolution [--batch=N] [--turns=N]

It measures the four convolutions of Table 1 at 646 frames and 96 mel bands, in float32. Each is
compiled by itself. tagjax and XLA take turns, and medians count. On other devices than the CPU both
are the same.
"""

import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
from absl import app, flags

from tagjax.network import convolution
from tagjax.network.model import PRESETS

_BATCH = flags.DEFINE_integer("batch", 16, "Examples.", lower_bound=1)
_TURNS = flags.DEFINE_integer("turns", 7, "Turns of each.", lower_bound=1)


def _plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
    dimensions = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=dimensions)


def _ours(x: jax.Array, kernel: jax.Array) -> jax.Array:
    dimensions = jax.lax.conv_dimension_numbers(x.shape, kernel.shape, ("NHWC", "HWIO", "NHWC"))
    return convolution.convolve(x, kernel, (1, 1), "SAME", dimension_numbers=dimensions)


def _gradients(forward: Callable) -> Callable:
    return lambda x, kernel, gradient: jax.vjp(forward, x, kernel)[1](gradient)


def _milliseconds(calls: list[Callable]) -> list[float]:
    taken: list[list[float]] = [[] for _ in calls]
    for turn in range(_TURNS.value + 1):
        for call, seconds in zip(calls, taken, strict=True):
            begin = time.perf_counter()
            jax.block_until_ready(call())
            if turn:  # The first turn compiles.
                seconds.append(time.perf_counter() - begin)
    return [1000 * statistics.median(seconds) for seconds in taken]


def main(argv: list[str]) -> None:
    del argv
    model = PRESETS["paper"]
    frames, bands, channels = 646, 96, 1
    print(f"batch {_BATCH.value}, {jax.devices()[0].platform}, ms")
    heads = "".join(f"{head:>10}" for head in ("XLA", "ours", "ratio"))
    print(f"{'':<8}{'forward:':>10}{heads}{'gradients:':>14}{heads}")
    for number, (filters, pool) in enumerate(zip(model.filters, model.pools, strict=True), 1):
        keys = jax.random.split(jax.random.key(number), 3)
        x = jax.random.normal(keys[0], (_BATCH.value, frames, bands, channels))
        kernel = jax.random.normal(keys[1], (3, 3, channels, filters))
        gradient = jax.random.normal(keys[2], (_BATCH.value, frames, bands, filters))
        cells = ""
        for arguments, make in (((x, kernel), lambda f: f), ((x, kernel, gradient), _gradients)):
            compiled = [jax.jit(make(forward)) for forward in (_plain, _ours)]
            results = [jax.tree.leaves(function(*arguments)) for function in compiled]
            for plain, ours in zip(*results, strict=True):
                assert jnp.abs(plain - ours).max() < 5e-4 * jnp.abs(plain).max()
            plain, ours = _milliseconds([lambda c=c, a=arguments: c(*a) for c in compiled])
            cells += f"{plain:>{20 if not cells else 24}.1f}{ours:>10.1f}{plain / ours:>10.2f}"
        print(f"{f'conv{number}':<8}{cells}")
        frames, bands, channels = frames // pool[0], bands // pool[1], filters


if __name__ == "__main__":
    app.run(main)
