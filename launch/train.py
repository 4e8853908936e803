"""Trains the classifier on the examples and predicts the test split.

    python -m launch.train --dataset=synthetic_split/translation --preset=small

The same command again goes on where it stopped, or prints that it is done. A data set with folds is
trained once for each fold. To use several processes, give each the same command with --coordinator,
--num_processes and --process_id.
"""

import os
import pathlib
import shlex
import sys
from collections.abc import Mapping
from typing import Any

from absl import flags

import datasets
from launch import bars, program
from tagjax.base import interruption
from tagjax.base.errors import InputError
from tagjax.examples.dataset import Dataset, find
from tagjax.run import config as configs
from tagjax.run import devices, training

_DATASET = flags.DEFINE_string("dataset", "synthetic_split", "NAME or NAME/CONFIG, as built.")
_DATA_DIR = flags.DEFINE_string("data_dir", "data/tfds", "Folder of the built data sets.")
_RUN_DIR = flags.DEFINE_string(
    "run_dir", None, "Folder of the run; by default runs/NAME/CONFIG, after the data set."
)
_PRESET = flags.DEFINE_string(
    "preset",
    "paper",
    f"Network and training; any field has its own flag too: {', '.join(configs.PRESETS)}.",
)
_FOLD = flags.DEFINE_integer("fold", None, "Train only this fold of a data set with folds.")
_COORDINATOR = flags.DEFINE_string("coordinator", None, "host:port of process 0.")
_NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "Number of processes of the run.")
_PROCESS_ID = flags.DEFINE_integer("process_id", None, "Number of this process, from 0.")
_HEARTBEAT = flags.DEFINE_integer(
    "heartbeat_seconds",
    devices.HEARTBEAT_SECONDS,
    "With several processes: if one is silent for so long, the others end.",
    lower_bound=1,
)
_CACHE_DIR = flags.DEFINE_string(
    "compilation_cache", "~/.cache/tagjax", "Folder for compiled steps; empty: none are kept."
)
_FIELDS = program.config_flags(configs.TrainConfig, configs.PRESETS)


def config() -> configs.TrainConfig:
    """The preset, changed by the flags on the command line.

    Raises:
      InputError: no such preset, or a value that its field cannot have.
    """
    if _PRESET.value not in configs.PRESETS:
        raise InputError(f"unknown preset {_PRESET.value!r}; one of {', '.join(configs.PRESETS)}")
    return configs.replaced(configs.PRESETS[_PRESET.value], program.given(_FIELDS))


def _task(dataset: Dataset) -> str:
    """The task that a data set is for; taxonomy has to be known for its own."""
    experiment = dataset.metadata.get("experiment", "taxonomy")
    return experiment if experiment != "taxonomy" or dataset.truth.taxonomy else "deduplication"


def _outcome(result: Mapping[str, Any], early_stopping: bool) -> str:
    """Which epoch of a training predicts."""
    if not early_stopping:
        return f"the last of {result['epochs']} epochs predicts"
    return (
        f"best of {result['epochs']} epochs is {result['best_epoch']}, which predicts; its "
        f"validation loss is {result['loss']:.3f}"
    )


def main() -> None:
    """Trains the run that the flags describe."""
    train_config = config()
    dataset = find(_DATASET.value, _DATA_DIR.value, datasets.known())
    program.cache_compilations(_CACHE_DIR.value)
    devices.initialise(
        _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value, _HEARTBEAT.value
    )
    run_dir = pathlib.Path(_RUN_DIR.value or pathlib.Path("runs") / dataset.name)
    shown = devices.is_leader()
    with devices.together(), interruption.Stop() as stop, bars.TrainingBars(shown) as on_progress:
        results = training.train_run(train_config, dataset, run_dir, _FOLD.value, stop, on_progress)
    if not devices.is_leader():
        return
    for i, result in enumerate(results):
        name = f"model {i + 1}: " if len(results) > 1 else ""
        print(f"{name}{_outcome(result, train_config.early_stopping)}")
    if not (run_dir / "predictions").is_dir():  # Of one fold: predictions are of all.
        words = sys.argv[1:]
        arguments = [
            word
            for before, word in zip(["", *words], words, strict=False)
            if not word.startswith("--fold") and before != "--fold"
        ]
        print(f"trained: {run_dir}/fold_{_FOLD.value}")
        print(f"next: python -m launch.train {shlex.join(arguments)}   # the other folds")
        return
    print(f"trained and predicted: {run_dir}")
    task = _task(dataset)
    print(f"next: python -m launch.evaluate {shlex.quote(f'--run_dir={run_dir}')} --task={task}")


if __name__ == "__main__":
    os.environ.setdefault("NO_GCE_CHECK", "true")
    program.run(main)
