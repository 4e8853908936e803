"""Batches of examples on disk. The number of a batch determines its examples.

No state is needed to resume. The batch of step k is always the same, whatever came before it and
however many processes share it.
"""

import collections
import dataclasses
import functools
import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from typing import Any, Protocol

import numpy as np

from tagjax.base.errors import InputError
from tagjax.examples import frontend
from tagjax.examples.dataset import Dataset
from tagjax.examples.readers import Reader
from tagjax.examples.records import Records


@dataclasses.dataclass(frozen=True)
class LoaderConfig:
    """How examples are fed.

    Attributes:
      batch_size: size of the global batch.
      seed: seed of the order.
      processes: number of processes that read. 1 is this process itself, with a thread.
    """

    batch_size: int = 32
    seed: int = 0
    processes: int = 1


class Batched(Protocol):
    """Examples that can be read as batches, from disk or from memory.

    Attributes:
      processes: number of batches that can be read at once.
    """

    processes: int

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, Any]: ...

    def batch(self, indices: np.ndarray, positions: np.ndarray, weight: np.ndarray) -> dict:
        """The examples at `indices` as a batch of `network.step`."""
        ...


class Examples:
    """Random access to some parts of a data set, one after the other, read from disk.

    Attributes:
      part_names: names of these parts.
      shape: (examples, frames, mel bands).
      dtype: dtype of the stored log-mels.
      processes: as in `LoaderConfig`.
      dealt_labels: int32 [examples], used in place of the stored labels unless None.
    """

    def __init__(self, dataset: Dataset, parts: Sequence[str], config: LoaderConfig) -> None:
        """Opens the parts.

        Raises:
          InputError: the data set has no such part.
        """
        import tensorflow_datasets as tfds

        missing = [part for part in parts if part not in dataset.parts]
        if missing:
            raise InputError(
                f"dataset {dataset.name} has no part {missing[0]!r}; "
                f"it has {', '.join(dataset.parts)}"
            )
        builder = tfds.builder_from_directory(dataset.path)
        sources = {part: builder.as_data_source(part).data_source for part in parts}
        features = builder.info.features
        raw = features["mel"].to_json_content().encoding == tfds.features.Encoding.BYTES.value
        self.dtype = np.dtype(features["mel"].np_dtype)
        self._records = Records(sources, dataset.input_shape, self.dtype, None if raw else features)
        self.part_names = tuple(parts)
        self.shape = (len(self), *dataset.input_shape)
        self.processes = config.processes
        self.dealt_labels: np.ndarray | None = None
        self._idle: queue.SimpleQueue[Reader] = queue.SimpleQueue()
        for _ in range(0 if config.processes < 2 else config.processes):
            self._idle.put(Reader(self._records))
        self._recent: tuple[dict[int, dict], ...] = ()

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """An example without its log-mel; quick after a batch that contains it."""
        for batch in self._recent:
            if index in batch:
                return batch[index]
        example = self._records.read(index)
        del example["mel"]
        return example

    def read(self, indices: np.ndarray) -> tuple[np.ndarray, list[dict[str, Any]]]:
        """The stored log-mels [n, frames, bands] at `indices` [n], and the rest of each example.

        Raises:
          OSError: they cannot be read.
        """
        if self.processes < 2:
            mel = np.empty((len(indices), *self.shape[1:]), self.dtype)
            found = self._records.fill(indices, mel)
        else:
            reader = self._idle.get()
            try:
                mel, found = reader.read(indices)
            finally:
                self._idle.put(reader)
        kept = self._recent[: self.processes + 2]  # As many as `ahead` makes before their use.
        self._recent = (dict(zip(indices.tolist(), found, strict=True)), *kept)
        return mel, found

    def shuffle_labels(self, seed: int) -> None:
        """Shuffles the labels among the albums, as a baseline of chance; an album has one label."""
        albums: list[str] = []
        first: dict[str, int] = {}
        for i in range(len(self)):
            example = self[i]
            albums.append(example["album_id"] or example["sng_id"])
            first.setdefault(albums[-1], int(example["label"]))
        order = np.random.default_rng([seed, 1]).permutation(len(first))
        dealt = dict(zip(first, np.array(list(first.values()))[order], strict=True))
        self.dealt_labels = np.array([dealt[album] for album in albums], np.int32)

    def batch(self, indices: np.ndarray, positions: np.ndarray, weight: np.ndarray) -> dict:
        """The examples at `indices` [b] as a batch of `network.step`, host arrays.

        Returns:
          `mel` [b, frames, bands], `label` int32 [b], `weight` float32 [b], `position` int32 [b].
        """
        mel, found = self.read(indices)
        if self.dealt_labels is None:
            labels = np.array([example["label"] for example in found], np.int32)
        else:
            labels = self.dealt_labels[indices]
        return batch_of(frontend.restored(mel), labels, positions, weight)


def batch_of(mel: Any, labels: np.ndarray, positions: np.ndarray, weight: np.ndarray) -> dict:
    """A batch of `network.step`, with each array of the expected type."""
    return {
        "mel": mel,
        "label": labels,
        "weight": weight.astype(np.float32),
        "position": positions.astype(np.int32),
    }


@functools.lru_cache(maxsize=2)
def _order(seed: int, epoch: int, examples: int) -> np.ndarray:
    return np.random.default_rng([seed, 0, epoch]).permutation(examples)


def train_indices(seed: int, step: int, batch_size: int, examples: int) -> np.ndarray:
    """Examples of the global batch of a step, int64 [batch_size].

    The batches go through one permutation of all examples after another. So no example is dropped,
    and none occurs twice before all have occurred.
    """
    places = np.arange(step * batch_size, (step + 1) * batch_size)
    return np.array([_order(seed, int(p // examples), examples)[p % examples] for p in places])


def train_batches(
    examples: Batched, config: LoaderConfig, steps: range, share: slice
) -> Iterator[dict]:
    """This process's share of the batches of `steps`; each is read while the last one is used."""

    def load(step: int) -> dict:
        indices = train_indices(config.seed, step, config.batch_size, len(examples))[share]
        positions = np.arange(config.batch_size)[share]
        return examples.batch(indices, positions, np.ones(len(indices)))

    return ahead(load, steps, examples.processes)


def eval_batches(examples: Batched, config: LoaderConfig, share: slice) -> Iterator[dict]:
    """This process's share of all examples in order; the last batch is padded with weight 0."""

    def load(start: int) -> dict:
        places = np.arange(start, start + config.batch_size)[share]
        real = places < len(examples)
        indices = np.where(real, places, len(examples) - 1)
        return examples.batch(indices, np.arange(config.batch_size)[share], real)

    return ahead(load, range(0, len(examples), config.batch_size), examples.processes)


def ahead(load: Callable[[int], Any], numbers: Iterable[int], threads: int = 1) -> Iterator[Any]:
    """The batches load(n) in the order of `numbers`; the next ones are made while one is used.

    `load` runs in `threads` threads. Its exceptions are raised in place of its batch.
    """
    pool = futures.ThreadPoolExecutor(threads)
    coming: collections.deque[futures.Future] = collections.deque()
    try:
        for number in numbers:
            coming.append(pool.submit(load, number))
            if len(coming) > threads:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
