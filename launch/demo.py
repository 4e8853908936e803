"""Runs everything on the embedded data: music, examples, training, and all three tasks.

    python -m launch.demo

Two classifiers are trained. One learns both tag systems together, for taxonomy and translation. The
other learns a system whose tags were split in two, for deduplication. Steps that are done already
are not repeated. At the end the tags of both systems are reconciled.
"""

import dataclasses
import functools
import os
import pathlib
import time

from absl import flags

import datasets
from launch import program
from launch.bars import TrainingBars, bar, excerpts_bar
from tagjax import tasks
from tagjax.base import interruption
from tagjax.examples import build
from tagjax.examples.dataset import find
from tagjax.reconcile.listen import catalogues_of
from tagjax.reconcile.reconciling import reconcile
from tagjax.report import results, text
from tagjax.report.reconciliation import REPORT, write_reconciliation
from tagjax.run import training
from tagjax.run.config import PRESETS
from tagjax.similarity import run as runs

_DATA_DIR = flags.DEFINE_string("data_dir", "data/tfds", "Folder of the built data sets.")
_RUNS_DIR = flags.DEFINE_string("runs_dir", "runs", "Folder of the runs.")
_EPOCHS = flags.DEFINE_integer("max_epochs", 10, "Epochs of each training.")

TASKS = {
    "translation": ("taxonomy", "translation"),
    "deduplication": ("deduplication",),
}
"""{config of synthetic_split: the tasks for which its run is used}."""


def main() -> None:
    """Runs all stages in order, each as its own program would."""
    started = time.time()
    config = dataclasses.replace(PRESETS["demo"], max_epochs=_EPOCHS.value)
    program.cache_compilations("~/.cache/tagjax")
    summary: list[str] = []
    steps = len(TASKS) + 1
    for number, (name, task_names) in enumerate(TASKS.items(), 1):
        full = f"synthetic_split/{name}"
        print(f"\n[{number}/{steps}] {full}: examples", flush=True)
        builder = datasets.make_builder(full, _DATA_DIR.value)
        report = build.prepare(builder, progress=excerpts_bar)
        print("\n".join(report.lines()))
        print(f"\n[{number}/{steps}] {full}: training", flush=True)
        run_dir = pathlib.Path(_RUNS_DIR.value) / full
        dataset = find(full, _DATA_DIR.value)
        with interruption.Stop() as stop, TrainingBars() as on_progress:
            training.train_run(config, dataset, run_dir, stop=stop, on_progress=on_progress)
        for task in task_names:
            summary += ["", *_evaluate(task, runs.load_run(run_dir))]
    print(f"\n[{steps}/{steps}] decisions on the tags of both systems", flush=True)
    summary += ["", *_reconcile(runs.load_run(_RUNS_DIR.value + "/synthetic_split/translation"))]
    print("\n".join(summary))
    print(f"\nEverything took {time.time() - started:.0f} s.")


def _evaluate(task: str, run: runs.Run) -> list[str]:
    """Evaluates a task on a run and writes the results into its folder; returns a summary."""
    fdist_of = "overlap" if task == "translation" else "all"
    background = tasks.Background.of(run)
    evaluation = tasks.evaluate(
        task, run.similarities(fdist_of), run.truth, background=background, progress=bar
    )
    embedding = functools.partial(run.embedding, fdist_of=fdist_of)
    written = results.write_evaluation(
        run.path / task, evaluation, run.path, embedding, progress=bar
    )
    return [text.format_evaluation(evaluation), *(f"written: {path}" for path in written)]


def _reconcile(run: runs.Run) -> list[str]:
    """Decides on the tags of a run, writes that into its folder, and returns a summary."""
    folder, catalogues = run.path / "reconciliation", catalogues_of(run)
    found = reconcile(catalogues, folder, run, taxonomy=run.truth.taxonomy, progress=bar)
    lines = write_reconciliation(folder, found, {"run_dir": str(run.path.resolve())}, run)
    return [*lines, f"written: {folder / REPORT}"]


if __name__ == "__main__":
    os.environ.setdefault("NO_GCE_CHECK", "true")
    program.run(main)
