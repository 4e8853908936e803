"""Batches a second that one process reads, beside what training needs.

    python -m benchmarks.reading [--examples=N] [--batch=N]

A data set of random log-mels of 30 s (float16), as `launch.build` writes them, through
`tagjax.loader`: read from disk every time, kept in host memory, and kept on the device, where a
batch is cut out by its indices. On a machine without accelerator the device is the CPU.
"""

import pathlib
import tempfile
import time

import jax
import numpy as np
import tensorflow_datasets as tfds
from absl import app, flags, logging

from tagjax import examples as form
from tagjax import extraction, loader

_EXAMPLES = flags.DEFINE_integer("examples", 4096, "In the data set.", lower_bound=64)
_BATCH = flags.DEFINE_integer("batch", 64, "Examples of a batch.", lower_bound=1)
_SHAPE = (646, 96)
_PLACES = {"from disk": (0, 0), "in host memory": (0, 1 << 40), "on the device": (1 << 40, 0)}


class _Random(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Log-mels that nothing can compress."""

    name = "random"
    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = pathlib.Path(__file__).parent

    def _info(self) -> tfds.core.DatasetInfo:
        features = form.features(("a", "b"), _SHAPE[0], extraction.BuildConfig())
        return self.dataset_info_from_configs(features=features)

    def _split_generators(self, dl_manager):
        del dl_manager
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        rng = np.random.default_rng(0)
        text = dict.fromkeys((*loader.FIELDS, "provenance"), "")
        for k in range(_EXAMPLES.value):
            mel = rng.integers(0, 1 << 14, _SHAPE, np.uint16).view(np.float16)
            yield k, {"mel": mel, "label": k % 2, "seg_start": 0.0, "padded": False, **text}


def main(argv: list[str]) -> None:
    del argv
    logging.set_verbosity(logging.WARNING)
    tfds.disable_progress_bar()
    batch = _BATCH.value
    with tempfile.TemporaryDirectory() as folder:
        _Random(data_dir=folder, file_format="array_record").download_and_prepare()
        dataset = loader.find("random", folder)
        print(f"{_EXAMPLES.value} examples of {_SHAPE}, batches of {batch}, {jax.devices()[0]}")
        print(f"{'examples/s':<20}{'first':>10}{'batches':>10}")
        for where, (device_bytes, host_bytes) in _PLACES.items():
            config = loader.LoaderConfig(batch, 0, device_bytes, host_bytes)
            begin = time.perf_counter()
            read = loader.Examples(dataset, ["train"], config)
            opened = len(read) / (time.perf_counter() - begin)
            seen = 0
            begin = time.perf_counter()
            for made in loader.train_batches(
                read, config, range(len(read) // batch), slice(0, batch)
            ):
                jax.block_until_ready(made["mel"])
                seen += len(made["label"])
            rate = seen / (time.perf_counter() - begin)
            first = "" if where == "from disk" else f"{opened:.0f}"
            print(f"{where:<20}{first:>10}{rate:>10.0f}")
    print("first: while it is read and put there; batches: of each epoch after that")


if __name__ == "__main__":
    app.run(main)
