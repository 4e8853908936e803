"""Examples per second that are read in batches, by one process and by several.

    python -m benchmarks.reading [--examples=N] [--batch=N] [--processes=1,2] [--turns=N]

It reads a data set of random log-mels of 30 s (float16), in files as `launch.build` writes them,
through `tagjax.examples.loader`, in the order of training. Its peer is a loop over TFDS' own data
source. The readers take turns; files are in the system's cache. In the last row examples are kept
on the device, which gathers a batch by its indices. On a machine without an accelerator the device
is the CPU.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
import tensorflow_datasets as tfds
from absl import app, flags, logging
from tensorflow_datasets.core import dataset_builder, example_serializer

from tagjax.examples import builder, loader, pool, shards, workers
from tagjax.examples.dataset import Dataset, find
from tagjax.run import resident
from tagjax.vocabulary.vocabulary import Vocabulary

_EXAMPLES = flags.DEFINE_integer("examples", 20_480, "Examples in the data set.", lower_bound=64)
_BATCH = flags.DEFINE_integer("batch", 64, "Examples in a batch.", lower_bound=1)
_PROCESSES = flags.DEFINE_list("processes", ["1", "2"], "Numbers of reading processes.")
_TURNS = flags.DEFINE_integer("turns", 5, "Turns of each reader; medians count.", lower_bound=1)
_SHAPE = (646, 96)
_TAGS = tuple(f"tag {k}" for k in range(250))
_SHARD = 160
"""Examples in a file, as of a data set of this size."""


class Random(dataset_builder.FileReaderBuilder, skip_registration=True):
    """Random log-mels."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name="random")]  # noqa: RUF012 (TFDS' own form)

    def _info(self) -> tfds.core.DatasetInfo:
        metadata = {"experiment": "taxonomy", "vocabulary": Vocabulary.of(_TAGS).record()}
        return tfds.core.DatasetInfo(
            builder=self,
            features=builder.features(_TAGS, _SHAPE[0], workers.BuildConfig()),
            metadata=tfds.core.MetadataDict(metadata),
        )

    def _download_and_prepare(self, dl_manager: Any, download_config: Any = None) -> None:
        del dl_manager, download_config
        count, template = _EXAMPLES.value, self._get_filename_template("train")
        lengths = [min(_SHARD, count - start) for start in range(0, count, _SHARD)]
        writer, rng = shards._PlainWriter(self.info.file_format), np.random.default_rng(0)
        for number, path in enumerate(template.sharded_filepaths(len(lengths))):
            writer.write(path, self._examples(number * _SHARD, lengths[number], rng))
        size = count * _SHAPE[0] * _SHAPE[1] * 2
        split = tfds.core.SplitInfo("train", lengths, size, filename_template=template)
        self.info.set_splits(tfds.core.SplitDict([split]))

    def _examples(
        self, start: int, count: int, rng: np.random.Generator
    ) -> Iterator[tuple[int, bytes]]:
        features = self.info.features
        serializer = example_serializer.ExampleSerializer(features.get_serialized_info())
        blank = dict.fromkeys(("tags", "provenance"), "")
        for k in range(start, start + count):
            mel = (3 * rng.random(_SHAPE, np.float32)).astype(np.float16)
            ids = {"sng_id": f"s{k}", "artist_id": f"r{k // 7}", "album_id": f"l{k // 3}"}
            rest = {"mel": mel, "label": k % len(_TAGS), "seg_start": 0.0, "padded": False}
            yield k, serializer.serialize_example(features.encode_example(blank | ids | rest))


def _tfds(dataset: Dataset) -> Callable[[range], Iterable[dict]]:
    """Batches of TFDS' data source, in the same order."""
    source = tfds.builder_from_directory(dataset.path).as_data_source("train")

    def batches(steps: range) -> Iterator[dict]:
        for step in steps:
            chosen = loader.train_indices(0, step, _BATCH.value, len(source))
            found = [source[int(i)] for i in chosen]
            labels = np.array([example["label"] for example in found], np.int32)
            yield {"mel": np.stack([example["mel"] for example in found]), "label": labels}

    return batches


def _ours(examples: loader.Batched, config: loader.LoaderConfig) -> Callable:
    return lambda steps: loader.train_batches(examples, config, steps, slice(0, config.batch_size))


def _rate(batches: Callable[[range], Iterable[dict]], steps: range) -> float:
    """Examples per second."""
    begin, seen = time.perf_counter(), 0
    for batch in batches(steps):
        jax.block_until_ready(batch["mel"])
        seen += len(batch["label"])
    return seen / (time.perf_counter() - begin)


def main(argv: list[str]) -> None:
    del argv
    logging.set_verbosity(logging.WARNING)
    tfds.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        Random(config="random", data_dir=folder, file_format="array_record").download_and_prepare()
        dataset = find("random", folder)
        for path in dataset.path.iterdir():
            path.read_bytes()
        _print(dataset)


def _print(dataset: Dataset) -> None:
    """Lets the readers take turns, and prints the table."""
    readers = {"TFDS' data source": _tfds(dataset)}
    for number in map(int, _PROCESSES.value):
        config = loader.LoaderConfig(_BATCH.value, processes=number)
        name = f"tagjax, {number} process{'es' * (number > 1)}"
        readers[name] = _ours(loader.Examples(dataset, ["train"], config), config)
    steps = range(max(1, _EXAMPLES.value // _BATCH.value // 2))
    taken: dict[str, list[float]] = {name: [] for name in readers}
    for turn in range(_TURNS.value + 1):  # The first one warms up.
        for name, batches in readers.items():
            rate = _rate(batches, steps)
            taken[name] += [rate] if turn else []
    medians = {name: statistics.median(rates) for name, rates in taken.items()}
    base = medians[list(medians)[1]]
    begin = time.perf_counter()
    config = loader.LoaderConfig(_BATCH.value)
    kept = resident.on_devices(loader.Examples(dataset, ["train"], config), 1 << 40)
    first = _EXAMPLES.value / (time.perf_counter() - begin)
    medians[f"on the device, put there at {first:.0f}/s"] = _rate(_ours(kept, config), steps)
    size = _SHAPE[0] * _SHAPE[1] * 2
    print(
        f"{_EXAMPLES.value} examples of {_SHAPE}, {size} bytes each, batches of {_BATCH.value}, "
        f"{_TURNS.value} turns of {len(steps)} batches, {pool.cores()} cores, {jax.devices()[0]}"
    )
    print(f"{'':<40}{'examples/s':>12}{'GB/s':>8}{'ratio':>8}")
    for name, rate in medians.items():
        print(f"{name:<40}{rate:>12.0f}{rate * size / 1e9:>8.2f}{rate / base:>8.2f}")


if __name__ == "__main__":
    app.run(main)
