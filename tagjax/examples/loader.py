"""Batches of examples on disk. The number of a batch determines its examples.

No state is needed to resume. The batch of step k is always the same, whatever came before it and
however many processes share it.
"""

import concurrent.futures
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from tagjax.base.errors import InputError
from tagjax.examples import frontend
from tagjax.examples.dataset import Dataset

FIELDS = ("sng_id", "artist_id", "album_id", "tags")


@dataclasses.dataclass(frozen=True)
class LoaderConfig:
    """How examples are fed.

    Attributes:
      batch_size: size of the global batch.
      seed: seed of the order.
    """

    batch_size: int = 32
    seed: int = 0


class Batched(Protocol):
    """Examples that can be read as batches, from disk or from memory."""

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
        self._sources = [builder.as_data_source(part) for part in parts]
        self._offsets = np.cumsum([0, *(len(source) for source in self._sources)])
        self.part_names = tuple(parts)
        self.shape = (len(self), *dataset.input_shape)
        self.dtype = np.dtype(builder.info.features["mel"].np_dtype)
        self.dealt_labels: np.ndarray | None = None
        # Cached, because `predict` looks up each row's ids after reading its batch.
        self._recent = functools.lru_cache(4 * config.batch_size)(self.read)

    def __len__(self) -> int:
        return int(self._offsets[-1])

    def read(self, index: int) -> dict[str, Any]:
        """An example from disk, its text decoded, with the name of its `part`."""
        part = int(np.searchsorted(self._offsets, index, side="right")) - 1
        example = dict(self._sources[part][index - int(self._offsets[part])])
        for field in FIELDS:
            example[field] = example[field].decode()
        example["part"] = self.part_names[part]
        return example

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._recent(index)

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
        chosen = [self[int(i)] for i in indices]
        if self.dealt_labels is None:
            labels = np.array([example["label"] for example in chosen], np.int32)
        else:
            labels = self.dealt_labels[indices]
        mel = frontend.restored(np.stack([example["mel"] for example in chosen]))
        return batch_of(mel, labels, positions, weight)


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

    return ahead(load, steps)


def eval_batches(examples: Batched, config: LoaderConfig, share: slice) -> Iterator[dict]:
    """This process's share of all examples in order; the last batch is padded with weight 0."""

    def load(start: int) -> dict:
        places = np.arange(start, start + config.batch_size)[share]
        real = places < len(examples)
        indices = np.where(real, places, len(examples) - 1)
        return examples.batch(indices, np.arange(config.batch_size)[share], real)

    return ahead(load, range(0, len(examples), config.batch_size))


def ahead(load: Callable[[int], dict], numbers: Iterable[int]) -> Iterator[dict]:
    """The batches load(n) in the order of `numbers`; each is made while the last one is used.

    `load` runs in a thread, one call at a time. Its exceptions are raised in place of its batch.
    """
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        coming = None
        for number in numbers:
            following = pool.submit(load, number)
            if coming is not None:
                yield coming.result()
            coming = following
        if coming is not None:
            yield coming.result()
