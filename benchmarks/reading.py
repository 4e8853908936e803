"""Examples per second that one process reads in batches.

    python -m benchmarks.reading [--examples=N] [--batch=N]

It reads a data set of random log-mels of 30 s (float16), as `launch.build` writes them, through
`tagjax.examples.loader`. Examples are read from disk every time, or kept on the device, which
gathers a batch by its indices. On a machine without an accelerator the device is the CPU.
"""

import tempfile
import time
from collections.abc import Iterator

import jax
import numpy as np
import tensorflow_datasets as tfds
from absl import app, flags, logging

from tagjax.examples import builder, loader, workers
from tagjax.examples.dataset import find
from tagjax.run import resident
from tagjax.vocabulary.vocabulary import Vocabulary

_EXAMPLES = flags.DEFINE_integer("examples", 4096, "Examples in the data set.", lower_bound=64)
_BATCH = flags.DEFINE_integer("batch", 64, "Examples in a batch.", lower_bound=1)
_SHAPE = (646, 96)
_TAGS = tuple(f"tag {k}" for k in range(250))
_PLACES = {"from disk": 0, "on the device": 1 << 40}


class Random(tfds.core.GeneratorBasedBuilder, skip_registration=True):
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

    def _split_generators(self, dl_manager) -> dict:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[int, dict]]:
        rng = np.random.default_rng(0)
        blank = dict.fromkeys(("artist_id", "album_id", "tags", "provenance"), "")
        for k in range(_EXAMPLES.value):
            mel = (3 * rng.random(_SHAPE, np.float32)).astype(np.float16)
            fields = {"mel": mel, "label": k % len(_TAGS), "sng_id": f"s{k}"}
            yield k, {**blank, **fields, "seg_start": 0.0, "padded": False}


def main(argv: list[str]) -> None:
    del argv
    logging.set_verbosity(logging.WARNING)
    batch = _BATCH.value
    with tempfile.TemporaryDirectory() as folder:
        tfds.disable_progress_bar()
        Random(config="random", data_dir=folder, file_format="array_record").download_and_prepare()
        dataset = find("random", folder)
        print(f"{_EXAMPLES.value} examples of {_SHAPE}, batches of {batch}, {jax.devices()[0]}")
        print(f"{'examples/s':<20}{'first':>10}{'batches':>10}")
        for place, device_bytes in _PLACES.items():
            config = loader.LoaderConfig(batch)
            begin = time.perf_counter()
            read = resident.on_devices(loader.Examples(dataset, ["train"], config), device_bytes)
            opened = len(read) / (time.perf_counter() - begin)
            seen = 0
            begin = time.perf_counter()
            for found in loader.train_batches(
                read, config, range(len(read) // batch), slice(0, batch)
            ):
                jax.block_until_ready(found["mel"])
                seen += len(found["label"])
            rate = seen / (time.perf_counter() - begin)
            first = "" if place == "from disk" else f"{opened:.0f}"
            print(f"{place:<20}{first:>10}{rate:>10.0f}")
    print("first: while examples are read and put there; batches: in each epoch after that")


if __name__ == "__main__":
    app.run(main)
