"""Training fed from the host, beside training on resident data, on all devices."""

import pathlib
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from benchmarks.gpu import resident
from benchmarks.gpu.rows import Row
from benchmarks.gpu.speed import Setting, problem
from tagjax.examples import loader
from tagjax.examples.dataset import find
from tagjax.network import step
from tagjax.run import devices
from tagjax.run import resident as on_device


def dataset(setting: Setting, folder: pathlib.Path, examples: int) -> Any:
    """Builds an ArrayRecord data set of random log-mels; its `loader.Dataset`.

    Raises:
      ImportError: TFDS, or what `tagjax.examples.builder` needs, is not installed.
    """
    import tensorflow_datasets as tfds

    from tagjax.examples import builder as form
    from tagjax.examples import workers

    tags = tuple(f"tag {i}" for i in range(setting.tags))

    class Random(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        """Random log-mels."""

        VERSION = tfds.core.Version("1.0.0")
        BUILDER_CONFIGS = (tfds.core.BuilderConfig(name="random"),)

        def _info(self) -> tfds.core.DatasetInfo:
            metadata = {"experiment": "taxonomy", "systems": [""], "truth": {}}
            return self.dataset_info_from_configs(
                features=form.features(tags, setting.shape[0], workers.BuildConfig()),
                metadata=tfds.core.MetadataDict(metadata),
            )

        def _split_generators(self, dl_manager: Any) -> dict:
            return {"train": self._generate_examples()}

        def _generate_examples(self) -> Iterator[tuple[int, dict]]:
            rng = np.random.default_rng(0)
            blank = dict.fromkeys(("artist_id", "album_id", "tags", "provenance"), "")
            for k in range(examples):
                mel = (3 * rng.random(setting.shape, np.float32)).astype(np.float16)
                fields = {"mel": mel, "label": k % setting.tags, "sng_id": f"s{k}"}
                yield k, {**blank, **fields, "seg_start": 0.0, "padded": False}

    tfds.disable_progress_bar()
    Random(config="random", data_dir=str(folder), file_format="array_record").download_and_prepare()
    return find("random", folder)


def _trained(setting: Setting, precision: str, batches: Callable[[int], Iterator[dict]]) -> float:
    """Examples a second of `parallel.train_step` on batches that come from the host."""
    config = setting.config(precision)
    state = step.initial_state(config, setting.shape)
    run = devices.train_step(config)
    with resident.products(precision):
        for batch in batches(3):
            state, sums = run(state, batch)
        jax.block_until_ready(state)
        begin, seen, sizes = time.perf_counter(), 0, 8
        while time.perf_counter() - begin < setting.least * setting.turns or not seen:
            for batch in batches(sizes):
                state, sums = run(state, batch)
                seen += len(batch["label"])
            jax.block_until_ready((state, sums))
            sizes *= 2
        taken = time.perf_counter() - begin
    assert np.isfinite(float(sums["loss"]))
    return seen / taken


def measure(setting: Setting, precision: str, batch: int, examples: int) -> list[Row]:
    """Rows of each way to feed a step, and of the loader alone."""
    rows = []
    batch -= batch % jax.device_count()

    def row(what: str, rate: float | None, note: str = "") -> None:
        rows.append(Row("feed", what, precision, batch, rate, "examples/s", note=note))

    rng = np.random.default_rng(0)
    mel = (3 * rng.random((examples, *setting.shape), np.float32)).astype(np.float16)
    label = rng.integers(0, setting.tags, examples, dtype=np.int32)
    fixed = {
        "weight": np.ones(batch, np.float32),
        "position": np.arange(batch, dtype=np.int32),
    }

    def made(number: int) -> dict:
        chosen = np.random.default_rng(number).integers(0, examples, batch)
        return {"mel": mel[chosen], "label": label[chosen], **fixed}

    on_device = jax.device_put(made(0))
    ways: dict[str, Callable[[int], Iterator[dict]]] = {
        "train, one batch on the device": lambda n: iter([on_device] * n),
        "train, from host memory": lambda n: loader.ahead(made, range(n)),
    }
    with tempfile.TemporaryDirectory() as folder:
        try:
            built = dataset(setting, pathlib.Path(folder), examples)
        except ImportError as error:
            row("ArrayRecord", None, f"skipped: {error}")
        else:
            ways |= _from_records(built, batch, row)
        for what, batches in ways.items():
            try:
                row(what, _trained(setting, precision, batches))
            except Exception as error:
                row(what, None, problem(error))
    return rows


def _from_records(
    built: Any, batch: int, row: Callable[..., None]
) -> dict[str, Callable[[int], Iterator[dict]]]:
    """Ways through `tagjax.examples.loader`: read each time, or kept on the devices."""
    ways: dict[str, Callable[[int], Iterator[dict]]] = {}
    for what, held in (("ArrayRecord", 0), ("ArrayRecord, kept on the device", 8 << 30)):
        config = loader.LoaderConfig(batch)
        examples = on_device.on_devices(loader.Examples(built, ["train"], config), held)

        def batches(count: int, examples: Any = examples, config: Any = config) -> Iterator[dict]:
            return loader.train_batches(examples, config, range(count), slice(0, batch))

        begin, seen = time.perf_counter(), 0
        for one in batches(max(2, len(examples) // batch)):
            seen += len(one["label"])
        row(f"loader alone, {what}", seen / (time.perf_counter() - begin), "one process")
        ways[f"train, {what}"] = batches
    return ways
