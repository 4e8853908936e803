"""Milliseconds of each layer beside what the machine could do, and beside Flax's own layers.

    python -m benchmarks.layers [--preset=catalogue] [--batch=N] [--turns=N]

It measures the layers of a preset in float32 and training: a block is convolution, batch
normalisation, activation and max-pooling. Each is compiled by itself, forward and with its
gradients. No layer can be faster than its bound, the longer of two times: that of its products at
the rate of a large matrix product, and that of reading its inputs and writing its results at the
rate of a copy, both measured in the same run. Products of 3 x 3 convolutions of 16 channels or more
are counted as Winograd's, a fourth. All take turns, and medians count.
"""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl import app, flags

from tagjax.network import model, pooling, step
from tagjax.run.config import PRESETS

_PRESET = flags.DEFINE_enum("preset", "paper", ("paper", "catalogue"), "Whose network.")
_BATCH = flags.DEFINE_integer("batch", 16, "Examples.", lower_bound=1)
_TURNS = flags.DEFINE_integer("turns", 7, "Turns of each.", lower_bound=1)
_TAGS, _SIDE = 250, 2048


@dataclasses.dataclass
class Layer:
    """A layer: what it computes, from what, and the least work that takes.

    Attributes:
      ours: its function of arrays.
      arrays: the arguments, the layer's input first.
      plain: the same by Flax; None if that is no different.
      products: multiplications with additions, forward.
      differentiated: numbers of the arguments that training needs gradients of.
    """

    ours: Callable[..., Any]
    arrays: tuple[Any, ...]
    plain: Callable[..., Any] | None = None
    products: float = 0.0
    differentiated: tuple[int, ...] = ()

    def calls(self) -> dict[str, Callable[[], Any]]:
        """{what: function that computes it}, compiled at the first call."""

        def compiled(function: Callable[..., Any]) -> tuple[Callable, Callable]:
            def gradients(*arrays: Any) -> Any:
                def of(*chosen: Any) -> Any:
                    given = dict(zip(self.differentiated, chosen, strict=True))
                    return function(*(given.get(i, array) for i, array in enumerate(arrays)))

                result, pull = jax.vjp(of, *(arrays[i] for i in self.differentiated))
                return result, pull(result)

            forward, backward = jax.jit(function), jax.jit(gradients)
            return lambda: forward(*self.arrays), lambda: backward(*self.arrays)

        calls = dict(zip(("forward", "training"), compiled(self.ours), strict=True))
        if self.plain:
            names = ("forward, Flax", "training, Flax")
            calls |= dict(zip(names, compiled(self.plain), strict=True))
        return calls if self.differentiated else {"training": calls["forward"]}

    def least(self, training: bool) -> tuple[float, int]:
        """(FLOPs, bytes read and written)."""
        result = _bytes(jax.eval_shape(self.ours, *self.arrays))
        if not training or not self.differentiated:
            return 2 * self.products, _bytes(self.arrays) + result
        gradients = _bytes([self.arrays[i] for i in self.differentiated])
        flops = 2 * self.products * (1 + len(self.differentiated))
        return flops, 2 * _bytes(self.arrays) + 2 * result + gradients


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _block(number: int, shape: tuple[int, ...], filters: int, pool: tuple[int, int]) -> Layer:
    """Layer `number` of the network for an input of a shape."""
    keys = jax.random.split(jax.random.key(number))
    x = jax.random.uniform(keys[0], shape, maxval=3.0)
    kernel = jax.random.normal(keys[1], (3, 3, shape[-1], filters)) / np.sqrt(9 * shape[-1])

    def ours(x: jax.Array, kernel: jax.Array) -> jax.Array:
        y, (mean, variance) = pooling.convolve_and_pool_with_moments(x, kernel, pool)
        return nn.relu((y - mean) * jax.lax.rsqrt(variance + 1e-3))

    def plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
        y = nn.Conv(filters, (3, 3), use_bias=False).apply({"params": {"kernel": kernel}}, x)
        norm = nn.BatchNorm(False, epsilon=1e-3, use_scale=False, use_bias=False)
        y, _ = norm.apply({}, y, mutable=["batch_stats"])
        return nn.max_pool(nn.relu(y), pool, pool)

    share = 0.25 if min(shape[-1], filters) >= 16 else 1.0
    products = share * 9 * shape[-1] * filters * np.prod(shape[:3])
    return Layer(ours, (x, kernel), plain, products, (1,) if number == 1 else (0, 1))


def _layers() -> dict[str, Layer]:
    config = PRESETS[_PRESET.value].step
    layers: dict[str, Layer] = {}
    frames = config.augment.crop_frames or 646
    shape: tuple[int, ...] = (_BATCH.value, frames, 96, 1)
    for i, (filters, pool) in enumerate(zip(config.model.filters, config.model.pools, strict=True)):
        layers[f"block {i + 1}"] = _block(i + 1, shape, filters, pool)
        shape = (shape[0], shape[1] // pool[0], shape[2] // pool[1], filters)
    units, x = config.model.gru_units, jnp.ones((*shape[:2], shape[2] * shape[3]))
    gru = model.GRU(units, model.keras_hard_sigmoid)
    weights = gru.init(jax.random.key(0), x)
    products = np.prod(x.shape[:2]) * 3 * units * (x.shape[2] + units)
    layers["GRU"] = Layer(lambda x, w: gru.apply(w, x), (x, weights), None, products, (0, 1))
    state = step.initial_state(config, _TAGS, (frames, 96))
    optimiser = step.optimiser(config)
    layers["Adadelta"] = Layer(optimiser.update, (state.params, state.opt_state, state.params))
    return layers


def _milliseconds(calls: dict[Any, Callable[[], Any]]) -> dict[Any, float]:
    taken: dict[Any, list[float]] = {name: [] for name in calls}
    for turn in range(_TURNS.value + 1):
        for name, call in calls.items():
            jax.block_until_ready(call())  # Compiles, and fetches memory that waiting has cost.
            begin = time.perf_counter()
            jax.block_until_ready(call())
            if turn:
                taken[name].append(time.perf_counter() - begin)
    return {name: 1000 * statistics.median(seconds) for name, seconds in taken.items()}


def main(argv: list[str]) -> None:
    del argv
    square, large = jnp.ones((_SIDE, _SIDE)), [jnp.ones(2**26)]
    product = jax.jit(jnp.matmul)
    scaled = jax.jit(lambda x: x * 0.5 + 1.0, donate_argnums=0)
    layers = _layers()
    calls: dict[Any, Callable[[], Any]] = {
        "product": lambda: product(square, square),
        "copy": lambda: large.append(scaled(large.pop())) or large[0],
    }
    calls |= {(name, kind): call for name, x in layers.items() for kind, call in x.calls().items()}
    taken = _milliseconds(calls)
    flops, speed = 2 * _SIDE**3 / taken["product"], 2 * _bytes(large) / taken["copy"]
    print(f"{_PRESET.value}, batch {_BATCH.value}, {jax.devices()[0].platform}, median of", end=" ")
    print(f"{_TURNS.value} turns; {flops / 1e6:.0f} GFLOP/s, {speed / 1e6:.1f} GB/s")
    heads = ("ms", "Flax ms", "GFLOP/s", "GB/s", "bound ms", "of bound")
    print(f"{'':<22}" + "".join(f"{head:>10}" for head in heads))
    for (name, kind), ms in ((key, ms) for key, ms in taken.items() if isinstance(key, tuple)):
        if kind.endswith("Flax"):
            continue
        work, moved = layers[name].least(kind == "training")
        bound = max(work / flops, moved / speed)
        plain = taken.get((name, f"{kind}, Flax"))
        cells = f"{ms:>10.1f}{f'{plain:.1f}' if plain else '-':>10}{work / ms / 1e6:>10.1f}"
        cells += f"{moved / ms / 1e6:>10.1f}{bound:>10.1f}{bound / ms:>10.0%}"
        print(f"{name + ', ' + kind:<22}{cells}")
    print("training: forward and gradients; of bound: 100 % would be the machine's limit")


if __name__ == "__main__":
    app.run(main)
