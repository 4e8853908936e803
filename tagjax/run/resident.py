"""Examples that are kept on the accelerators, which gather each batch by its indices."""

import collections
import math
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tagjax.base.progress import Progress, silently
from tagjax.examples import frontend, pool
from tagjax.examples.loader import Batched, Examples, ahead, batch_of
from tagjax.run.devices import AXIS

_ROWS = 256
"""Number of examples that are sent to a device at once."""


def device_room() -> int:
    """Bytes that examples may take on each local device.

    This is half of the free memory of an accelerator, and 0 on a CPU.
    """
    if jax.default_backend() == "cpu":
        return 0
    found = [device.memory_stats() or {} for device in jax.local_devices()]
    free = [stats.get("bytes_limit", 0) - stats.get("bytes_in_use", 0) for stats in found]
    return min(free) // 2


def reading_processes(asked: int) -> int:
    """Number of processes that read a data set; 0 asks for as many as are useful.

    Each reads some 8,000 excerpts of 30 s a second. On a CPU one is enough, as it trains on far
    fewer; an accelerator may train on 25,000.
    """
    return asked or (1 if jax.default_backend() == "cpu" else min(4, pool.cores()))


class Pool:
    """The log-mels of all examples on every local device, which gathers batches from them."""

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        """Makes room for log-mels of `shape` [N, frames, bands], in their stored form."""
        mesh = Mesh(jax.local_devices(), (AXIS,))
        copied = NamedSharding(mesh, PartitionSpec())
        split = NamedSharding(mesh, PartitionSpec(AXIS))
        one_device = jax.device_count() == 1
        self._rows = jax.jit(lambda: jnp.zeros(shape, np.dtype(dtype)), out_shardings=copied)()
        self._put = jax.jit(
            lambda rows, some, start: jax.lax.dynamic_update_slice_in_dim(rows, some, start, 0),
            donate_argnums=0,
        )
        self._take = jax.jit(
            lambda rows, places: frontend.restored(rows[places]),
            out_shardings=None if one_device else split,
        )
        self._shape = (-1,) if one_device else (jax.local_device_count(), -1)

    def put(self, start: int, mel: np.ndarray) -> None:
        """Stores examples [n, frames, bands] at the places from `start` on."""
        self._rows = self._put(self._rows, mel, start)

    def __call__(self, indices: np.ndarray) -> jax.Array:
        """The log-mels at `indices` [b], in the form that the steps of `run.devices` take.

        Returns:
          [b, frames, bands]; with several devices [local devices, b / devices, frames, bands].
        """
        return self._take(self._rows, indices.astype(np.int32).reshape(self._shape))


class ResidentExamples:
    """Examples whose log-mels are on every local device; the rest is still read from disk."""

    processes = 1

    def __init__(self, examples: Examples, progress: Progress = silently) -> None:
        """Reads all examples and keeps their log-mels on the devices."""
        self._examples, self._pool = examples, Pool(examples.shape, examples.dtype)
        labels: list[int] = []

        def put() -> Iterator[int]:
            starts = range(0, len(examples), _ROWS)
            for mel, found in ahead(self._read, starts, examples.processes):
                self._pool.put(len(labels), mel)
                for example in found:
                    yield len(labels)
                    labels.append(example["label"])

        what = f"read {'+'.join(examples.part_names)}"
        collections.deque(progress(put(), what, len(examples)), maxlen=0)
        dealt = examples.dealt_labels
        self._labels = np.array(labels, np.int32) if dealt is None else dealt

    def _read(self, start: int) -> tuple[np.ndarray, list[dict[str, Any]]]:
        return self._examples.read(np.arange(start, min(start + _ROWS, len(self._examples))))

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._examples[index]

    def batch(self, indices: np.ndarray, positions: np.ndarray, weight: np.ndarray) -> dict:
        """As `Examples.batch`, but `mel` comes from the `Pool` on the devices."""
        return batch_of(self._pool(indices), self._labels[indices], positions, weight)


def on_devices(
    examples: Examples, room: int | None = None, progress: Progress = silently
) -> Batched:
    """Keeps examples on every local device, if they fit.

    Args:
      examples: the examples; shuffle their labels before, if at all.
      room: bytes that they may take on each device; None means `device_room`.
      progress: passes on the examples as they are read.

    Returns:
      `ResidentExamples`; or `examples` themselves, which every epoch reads from disk.
    """
    size = math.prod(examples.shape) * examples.dtype.itemsize
    if size > (device_room() if room is None else room):
        return examples
    return ResidentExamples(examples, progress)
