"""Examples that lie on the accelerators, where batches are cut out by their indices."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpy.typing as npt
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tagjax.base.progress import Progress, silently
from tagjax.examples import frontend
from tagjax.examples.loader import Batched, Examples, batch_of
from tagjax.run.devices import AXIS

_ROWS = 256
"""Examples that go to a device at once."""


def device_room() -> int:
    """Bytes that examples may take on each local device: half of what is free, none of a CPU's."""
    if jax.default_backend() == "cpu":
        return 0
    found = [device.memory_stats() or {} for device in jax.local_devices()]
    free = [stats.get("bytes_limit", 0) - stats.get("bytes_in_use", 0) for stats in found]
    return min(free) // 2


class Pool:
    """Log-mels of all examples on every local device, where batches are cut out."""

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        """Room for log-mels of `shape` [N, frames, bands], as stored."""
        mesh = Mesh(jax.local_devices(), (AXIS,))
        whole, cut = NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(AXIS))
        lone = jax.device_count() == 1
        self._rows = jax.jit(lambda: jnp.zeros(shape, np.dtype(dtype)), out_shardings=whole)()
        self._put = jax.jit(
            lambda rows, some, start: jax.lax.dynamic_update_slice_in_dim(rows, some, start, 0),
            donate_argnums=0,
        )
        self._take = jax.jit(
            lambda rows, places: frontend.restored(rows[places]),
            out_shardings=None if lone else cut,
        )
        self._shape = (-1,) if lone else (jax.local_device_count(), -1)

    def put(self, start: int, mel: np.ndarray) -> None:
        """Writes examples [n, frames, bands] to the places from `start` on."""
        self._rows = self._put(self._rows, mel, start)

    def __call__(self, indices: np.ndarray) -> jax.Array:
        """The log-mels at `indices` [b] as the steps of `run.devices` want them.

        Returns:
          [b, frames, bands], or of several devices [local devices, b / them, frames, bands].
        """
        return self._take(self._rows, indices.astype(np.int32).reshape(self._shape))


class ResidentExamples:
    """Examples whose log-mels lie on every local device; all else is still read from disk."""

    def __init__(self, examples: Examples, progress: Progress = silently) -> None:
        """Reads all of them, and keeps the log-mels on the devices."""
        self._examples, self._pool = examples, Pool(examples.shape, examples.dtype)
        labels, rows = [], []
        what = f"read {'+'.join(examples.part_names)}"
        for place in progress(range(len(examples)), what, len(examples)):
            example = examples.read(place)
            labels.append(example["label"])
            rows.append(example["mel"])
            if len(rows) == _ROWS or place == len(examples) - 1:
                self._pool.put(place + 1 - len(rows), np.stack(rows))
                rows = []
        dealt = examples.dealt_labels
        self._labels = np.array(labels, np.int32) if dealt is None else dealt

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._examples[index]

    def batch(self, indices: np.ndarray, positions: np.ndarray, weight: np.ndarray) -> dict:
        """As `Examples.batch`, but `mel` is on the devices, as `Pool` gives it."""
        return batch_of(self._pool(indices), self._labels[indices], positions, weight)


def on_devices(
    examples: Examples, room: int | None = None, progress: Progress = silently
) -> Batched:
    """The same examples, kept on every local device if they fit.

    Args:
      examples: as opened, their labels dealt out if they are to be.
      room: bytes that they may take on each device, as stored; None: `device_room`.
      progress: passes on the examples as they are read.

    Returns:
      `ResidentExamples`; or `examples`, which are read anew in every epoch and take no memory.
    """
    size = math.prod(examples.shape) * examples.dtype.itemsize
    if size > (device_room() if room is None else room):
        return examples
    return ResidentExamples(examples, progress)
