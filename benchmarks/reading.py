"""Batches a second that one process reads, beside what training needs.

    python -m benchmarks.reading [--examples=N] [--batch=N]

A data set of random log-mels of 30 s (float16), as `launch.build` writes them, through
`tagjax.examples.loader`: read from disk every time, and kept on the device, where a batch is
cut out by its indices. On a machine without accelerator the device is the CPU.
"""

import pathlib
import tempfile
import time

import jax
from absl import app, flags, logging

from benchmarks.gpu import feed, speed
from tagjax.examples import loader
from tagjax.network.model import PRESETS as MODELS
from tagjax.run import resident

_EXAMPLES = flags.DEFINE_integer("examples", 4096, "In the data set.", lower_bound=64)
_BATCH = flags.DEFINE_integer("batch", 64, "Examples of a batch.", lower_bound=1)
_SHAPE = (646, 96)
_PLACES = {"from disk": 0, "on the device": 1 << 40}


def main(argv: list[str]) -> None:
    del argv
    logging.set_verbosity(logging.WARNING)
    batch = _BATCH.value
    with tempfile.TemporaryDirectory() as folder:
        setting = speed.Setting(MODELS["paper"], _SHAPE, 250, 0, 0.0, 0)
        dataset = feed.dataset(setting, pathlib.Path(folder), _EXAMPLES.value)
        print(f"{_EXAMPLES.value} examples of {_SHAPE}, batches of {batch}, {jax.devices()[0]}")
        print(f"{'examples/s':<20}{'first':>10}{'batches':>10}")
        for where, device_bytes in _PLACES.items():
            config = loader.LoaderConfig(batch)
            begin = time.perf_counter()
            read = resident.on_devices(loader.Examples(dataset, ["train"], config), device_bytes)
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
