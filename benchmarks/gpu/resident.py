"""Steps on data that lie on the device: a batch is gathered there by its indices.

An index of -1 is padding: its weight is 0. State and data are replicated, indices cut over the
devices, the steps and their reductions are those of `tagjax.network.step`, mapped as
`tagjax.run.devices` maps them.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tagjax.network import step as steps
from tagjax.run import devices as parallel

# Of the device, and JAX' name of the precision of its float32 products: by default that is tf32.
PRECISIONS: dict[str, tuple[str, str]] = {
    "float32": ("float32", "float32"),
    "tf32": ("float32", "tensorfloat32"),
    "bfloat16": ("bfloat16", "tensorfloat32"),
}


def products(precision: str) -> Any:
    """Context in which float32 products are computed as `precision` says."""
    return jax.default_matmul_precision(PRECISIONS[precision][1])


def put(tree: Any, devices: Sequence[jax.Device]) -> Any:
    """Copies of host arrays on all devices."""
    if len(devices) == 1:
        return jax.device_put(tree, devices[0])
    return jax.device_put(tree, NamedSharding(Mesh(np.array(devices), ("d",)), PartitionSpec()))


def shards(indices: np.ndarray, devices: Sequence[jax.Device]) -> np.ndarray:
    """int32 [b] -> [b] for one device, [devices, b / devices] for several."""
    indices = indices.astype(np.int32)
    return indices if len(devices) == 1 else indices.reshape(len(devices), -1)


def _batch(
    pool: jax.Array, labels: jax.Array, indices: jax.Array, axis: str | None
) -> dict[str, jax.Array]:
    with jax.named_scope("input"):
        first = 0 if axis is None else jax.lax.axis_index(axis) * len(indices)
        return {
            "mel": pool[indices],
            "label": labels[indices],
            "weight": (indices >= 0).astype(jnp.float32),
            "position": first + jnp.arange(len(indices), dtype=jnp.int32),
        }


def _mapped(
    function: Callable, devices: Sequence[jax.Device], out_axes: Any, donate: bool = False
) -> Callable:
    donated = (0,) if donate else ()
    if len(devices) == 1:
        return jax.jit(functools.partial(function, axis=None), donate_argnums=donated)
    return jax.pmap(
        functools.partial(function, axis=parallel.AXIS),
        axis_name=parallel.AXIS,
        in_axes=(None, None, None, 0),
        out_axes=out_axes,
        donate_argnums=donated,
        devices=devices,
    )


def train_step(config: steps.StepConfig, devices: Sequence[jax.Device]) -> Callable:
    """(state, pool, labels, indices) -> (state, sums); the state given is consumed."""

    def run(state: Any, pool: Any, labels: Any, indices: Any, axis: str | None) -> Any:
        return steps.train_step(state, _batch(pool, labels, indices, axis), config, axis)

    return _mapped(run, devices, (None, None), donate=True)


def eval_step(config: steps.StepConfig, devices: Sequence[jax.Device]) -> Callable:
    """(state, pool, labels, indices) -> sums."""

    def run(state: Any, pool: Any, labels: Any, indices: Any, axis: str | None) -> Any:
        return steps.eval_step(state, _batch(pool, labels, indices, axis), config, axis)

    return _mapped(run, devices, None)


def predict_step(config: steps.StepConfig, devices: Sequence[jax.Device]) -> Callable:
    """(state, pool, labels, indices) -> probabilities, [b, tags] or [devices, b/devices, tags]."""

    def run(state: Any, pool: Any, labels: Any, indices: Any, axis: str | None) -> Any:
        return steps.predict_step(state, _batch(pool, labels, indices, axis), config)

    return _mapped(run, devices, 0)
