"""Batches from examples on disk: which examples a batch holds is a function of its number.

Nothing has to be remembered to resume: the batch of step k is the same whatever came
before, and whatever the number of processes that share it.
"""

import concurrent.futures
import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.examples import frontend
from tagjax.run import devices

_ROWS = 256
"""Examples that go to a device at once."""
FIELDS = ("sng_id", "artist_id", "album_id", "tags")


@dataclasses.dataclass(frozen=True)
class LoaderConfig:
    """How examples are fed.

    Attributes:
      batch_size: of the global batch.
      seed: of the order.
      device_bytes: examples that take no more, as stored, are put on every local device, where
        batches are then cut out; None: half the free memory of an accelerator, none of a CPU.
        Others are read anew in every epoch; no host memory is taken for them.
    """

    batch_size: int = 32
    seed: int = 0
    device_bytes: int | None = None


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A built data set on disk.

    Attributes:
      name: `builder/config`.
      path: its version's folder.
      tags: the vocabulary.
      input_shape: (frames, mel bands).
      parts: {part: number of examples}.
      metadata: `experiment`, `systems`, `truth` and how it was built.
      fingerprint: what tells it from another build: {part: [examples, bytes]}.
    """

    name: str
    path: pathlib.Path
    tags: tuple[str, ...]
    input_shape: tuple[int, int]
    parts: dict[str, int]
    metadata: dict[str, Any]
    fingerprint: dict[str, Any]


def find(name: str, data_dir: PathLike, known: Iterable[str] = ()) -> Dataset:
    """The built data set `builder/config`, or `builder` where it has one config.

    Args:
      name: as given by the user.
      data_dir: TFDS' folder of data sets.
      known: names of the builders that could make one, for the error's advice.

    Raises:
      InputError: unknown, or not built yet; the command that builds it is named.
    """
    import tensorflow_datasets as tfds

    builder_name, _, config = name.partition("/")
    root = pathlib.Path(data_dir)
    built = sorted(path.parent for path in root.glob("*/*/*/dataset_info.json"))
    fitting = [
        path
        for path in built
        if path.parts[-3] == builder_name and (not config or path.parts[-2] == config)
    ]
    if not fitting:
        names = sorted({*known, *("/".join(path.parts[-3:-1]) for path in built)})
        if builder_name not in {n.partition("/")[0] for n in names}:
            raise InputError(f"unknown dataset {name!r}; one of {', '.join(names)}")
        raise InputError(
            f"dataset {name!r} is not in {root}; "
            f"build it: python -m launch.build --dataset={name} --data_dir={root}"
        )
    configs = sorted({path.parts[-2] for path in fitting})
    if len(configs) > 1:
        choices = ", ".join(f"{builder_name}/{c}" for c in configs)
        raise InputError(f"dataset {name!r} has several configs; one of {choices}")
    info = tfds.builder_from_directory(fitting[-1]).info
    return Dataset(
        name=f"{builder_name}/{configs[0]}",
        path=fitting[-1],
        tags=tuple(info.features["label"].names),
        input_shape=tuple(info.features["mel"].shape),
        parts={part: split.num_examples for part, split in info.splits.items()},
        metadata=dict(info.metadata or {}),
        fingerprint={
            part: [split.num_examples, split.num_bytes] for part, split in info.splits.items()
        },
    )


class Examples:
    """Random access to some parts of a data set, one after the other."""

    def __init__(self, dataset: Dataset, parts: Sequence[str], config: LoaderConfig) -> None:
        """Opens the parts.

        Raises:
          InputError: the data set has no such part.
        """
        import tensorflow_datasets as tfds
        from tqdm import tqdm

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
        self.relabel: np.ndarray | None = None
        # A batch to be predicted is read, and then its rows are named.
        self._recent = functools.lru_cache(4 * config.batch_size)(self._read)
        self._pool: devices.Pool | None = None
        shape, dtype = dataset.input_shape, builder.info.features["mel"].np_dtype
        size = len(self) * math.prod(shape) * np.dtype(dtype).itemsize
        room = devices.device_room() if config.device_bytes is None else config.device_bytes
        if size > room:
            return
        places = tqdm(range(len(self)), f"read {'+'.join(parts)}", unit=" excerpts", leave=False)
        self._pool, labels = devices.Pool((len(self), *shape), dtype), []
        rows = []
        for place in places:
            example = self._read(place)
            labels.append(example["label"])
            rows.append(example["mel"])
            if len(rows) == _ROWS or place == len(self) - 1:
                self._pool.put(place + 1 - len(rows), np.stack(rows))
                rows = []
        self._labels = np.array(labels, np.int32)

    def __len__(self) -> int:
        return int(self._offsets[-1])

    def _read(self, index: int) -> dict[str, Any]:
        part = int(np.searchsorted(self._offsets, index, side="right")) - 1
        example = dict(self._sources[part][index - int(self._offsets[part])])
        for field in FIELDS:
            example[field] = example[field].decode()
        example["part"] = self.part_names[part]
        return example

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._recent(index)

    def shuffle_labels(self, seed: int) -> None:
        """Chance: deals the albums' labels out anew, each album keeping one label."""
        albums: list[str] = []
        first: dict[str, int] = {}
        for i in range(len(self)):
            example = self[i]
            albums.append(example["album_id"] or example["sng_id"])
            first.setdefault(albums[-1], int(example["label"]))
        order = np.random.default_rng([seed, 1]).permutation(len(first))
        dealt = dict(zip(first, np.array(list(first.values()))[order], strict=True))
        self.relabel = np.array([dealt[album] for album in albums], np.int32)

    def batch(self, indices: np.ndarray, positions: np.ndarray, weight: np.ndarray) -> dict:
        """The examples at `indices` as a batch of `step.py`; of a pool, `mel` is on the device."""
        if self._pool is not None:
            mel, labels = self._pool(indices), self._labels[indices]
        else:
            chosen = [self[int(i)] for i in indices]
            mel = frontend.restored(np.stack([example["mel"] for example in chosen]))
            labels = np.array([example["label"] for example in chosen], np.int32)
        return {
            "mel": mel,
            "label": labels if self.relabel is None else self.relabel[indices],
            "weight": weight.astype(np.float32),
            "position": positions.astype(np.int32),
        }


@functools.lru_cache(maxsize=2)
def _order(seed: int, epoch: int, examples: int) -> np.ndarray:
    return np.random.default_rng([seed, 0, epoch]).permutation(examples)


def train_indices(seed: int, step: int, batch_size: int, examples: int) -> np.ndarray:
    """Examples of the global batch of a step, int64 [batch_size].

    The stream of batches goes through one permutation of all examples after the other, so
    none is dropped and none comes twice before all have come.
    """
    places = np.arange(step * batch_size, (step + 1) * batch_size)
    return np.array([_order(seed, int(p // examples), examples)[p % examples] for p in places])


def train_batches(
    examples: Examples, config: LoaderConfig, steps: range, share: slice
) -> Iterator[dict]:
    """This process's share of the batches of `steps`, each read while the one before is used."""

    def load(step: int) -> dict:
        indices = train_indices(config.seed, step, config.batch_size, len(examples))[share]
        positions = np.arange(config.batch_size)[share]
        return examples.batch(indices, positions, np.ones(len(indices)))

    return ahead(load, steps)


def eval_batches(examples: Examples, config: LoaderConfig, share: slice) -> Iterator[dict]:
    """This process's share of all examples in order; the last batch is padded with weight 0."""

    def load(start: int) -> dict:
        places = np.arange(start, start + config.batch_size)[share]
        real = places < len(examples)
        indices = np.where(real, places, len(examples) - 1)
        return examples.batch(indices, np.arange(config.batch_size)[share], real)

    return ahead(load, range(0, len(examples), config.batch_size))


def ahead(load: Callable[[int], dict], numbers: Iterable[int]) -> Iterator[dict]:
    """The batches load(n) in the order of `numbers`, each made while the one before is used.

    `load` runs in a thread, one call at a time; what it raises comes in its batch's place.
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
