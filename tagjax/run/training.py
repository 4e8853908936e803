"""Training a run from its configuration to its predictions (section 2.3).

A run directory holds `config.json` (what the run is), `checkpoints/`, `metrics.jsonl` and
`tensorboard/`, `result.json` once training has ended, and `predictions/`. The same call on
it goes on where it stopped, or says that it is done. With folds, each fold is such a
directory below it, and `predictions/` are those of all folds.
"""

import contextlib
import dataclasses
import math
import pathlib
import time
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
from tqdm import tqdm

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.interruption import InterruptedRunError, Stop
from tagjax.examples import loader
from tagjax.network import step
from tagjax.network.model import check_input
from tagjax.run import devices, directory, prediction, predictions, resident
from tagjax.run.checkpoints import Checkpoints
from tagjax.run.config import TrainConfig, run_step, shown, steps_per_epoch
from tagjax.run.parts import Parts, folds_of, parts_of


def identity(config: TrainConfig, dataset: loader.Dataset, parts: Parts) -> dict[str, Any]:
    """What `config.json` holds: whatever another run would differ in."""
    return {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "tags": list(dataset.tags),
        "metadata": dataset.metadata,
        "parts": dataclasses.asdict(parts),
        "train": dataclasses.asdict(config),
    }


class _LossError(Exception):
    """The loss of a step is no finite number."""

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"the loss of step {step} is {loss}")
        self.step = step


@dataclasses.dataclass
class _Progress:
    """What early stopping remembers, and the epoch begun; saved with each checkpoint."""

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf
    loss: float = 0.0
    correct: float = 0.0
    examples: float = 0.0

    def add(self, number: int, counts: dict[str, jax.Array]) -> None:
        """Adds the sums of a step, for which it waits."""
        if not math.isfinite(float(counts["loss"])):
            raise _LossError(number, float(counts["loss"]))
        for name, value in counts.items():
            setattr(self, name, getattr(self, name) + float(value))

    def means(self) -> dict[str, float]:
        """Metrics of the epoch begun."""
        return {
            "train_loss": self.loss / self.examples,
            "train_accuracy": self.correct / self.examples,
        }

    def end_epoch(self, loss: float) -> None:
        self.epoch += 1
        self.loss = self.correct = self.examples = 0.0
        if loss < self.best_loss:
            self.best_epoch, self.best_loss = self.epoch, loss

    def ended(self, config: TrainConfig) -> bool:
        waited = config.early_stopping and self.epoch - self.best_epoch >= config.patience
        return self.epoch >= config.max_epochs or (waited and self.epoch >= config.min_epochs)


def evaluate(
    state: step.TrainState,
    examples: loader.Batched,
    run: step.StepConfig,
    batch_size: int,
    stop: Stop,
) -> dict[str, float] | None:
    """Mean `loss` and `accuracy` over all examples, each counted once; None if asked to stop."""
    mapped = devices.eval_step(run)
    totals = dict.fromkeys(("loss", "correct", "examples"), 0.0)
    config = loader.LoaderConfig(batch_size=batch_size)
    batches = loader.eval_batches(examples, config, devices.local_share(batch_size))
    for number, batch in enumerate(batches):
        if devices.agree(stop.asked, number):
            return None
        for name, value in mapped(state, batch).items():
            totals[name] += float(value)
    return {
        "loss": totals["loss"] / totals["examples"],
        "accuracy": totals["correct"] / totals["examples"],
    }


def _steps(
    state: step.TrainState,
    batches: Iterable[tuple[int, dict]],
    mapped: Any,
    progress: _Progress,
    bar: tqdm,
    stop: Stop,
) -> step.TrainState:
    """Trains over (number, batch) pairs, until they end or the process is asked to stop."""
    running: tuple[int, dict[str, jax.Array]] | None = None
    for number, batch in batches:
        state, counts = mapped(state, batch)
        if running is not None:  # One step runs while the next batch is fetched.
            progress.add(*running)
        running = number, counts
        bar.update()
        if devices.agree(stop.asked, number):
            break
    if running is not None:
        progress.add(*running)
    return state


@jax.jit
def _finite(tree: Any) -> jax.Array:
    return jnp.all(jnp.array([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]))


def _no_numbers(checkpoints: Checkpoints, number: int) -> InputError:
    return InputError(
        f"the parameters are no finite numbers after step {number}; the last good checkpoint is of "
        f"step {checkpoints.newest or 0}: lower --learning_rate, with another --run_dir"
    )


def _stopped(
    checkpoints: Checkpoints, state: step.TrainState, progress: _Progress, asked: int
) -> InterruptedRunError:
    """Saves a run in the middle of an epoch."""
    if not _finite(state):
        raise _no_numbers(checkpoints, int(state.step))
    if checkpoints.newest != int(state.step):
        checkpoints.save(state, dataclasses.asdict(progress), None)
    return InterruptedRunError(
        asked, f"at step {int(state.step)}, which is saved; the same command goes on"
    )


def train(
    config: TrainConfig,
    dataset: loader.Dataset,
    parts: Parts,
    run_dir: pathlib.Path,
    stop: Stop | None = None,
) -> dict[str, Any]:
    """Trains one model to early stopping, or goes on with it.

    Args:
      config: the run's configuration.
      dataset: what it learns from.
      parts: which parts of it.
      run_dir: made if absent; gets the files named at this module's head but predictions.
      stop: says whether the process was asked to stop.

    Returns:
      The content of `result.json`: `epochs`, `best_epoch`, the `step` whose checkpoint
      predicts, the least `loss` (of validation, if there is any), `seconds` of this call.

    Raises:
      InputError: `run_dir` is of another run or in use, a part is missing, the batch size
        cannot be divided over the devices, or a loss is not a finite number.
      InterruptedRunError: asked to stop; a checkpoint was written.
    """
    share = devices.local_share(config.batch_size)
    directory.claim(run_dir, identity(config, dataset, parts))
    if (run_dir / "result.json").exists():
        return directory.result(run_dir)
    stop = stop or Stop()
    load = loader.LoaderConfig(config.batch_size, config.seed)
    learnt = _opened(config, dataset, parts.train)
    watched = _opened(config, dataset, parts.validation) if parts.validation else None
    epoch_steps = steps_per_epoch(config, dataset, parts)
    run = run_step(config, dataset, parts)
    started = time.time()
    with contextlib.ExitStack() as stack:
        checkpoints = stack.enter_context(contextlib.closing(Checkpoints(run_dir / "checkpoints")))
        state, record = checkpoints.resume(step.initial_state(run, shown(config, dataset)))
        progress = _Progress(**record)
        log = stack.enter_context(contextlib.closing(directory.Log(run_dir, int(state.step))))
        stack.enter_context(stop.deferred())
        mapped = devices.train_step(run)
        while not progress.ended(config):
            first, last = int(state.step), (progress.epoch + 1) * epoch_steps
            numbers = range(first, last)
            with tqdm(
                total=epoch_steps,
                initial=first - last + epoch_steps,
                desc=f"epoch {progress.epoch + 1}/{config.max_epochs}",
                unit=" excerpts",
                unit_scale=config.batch_size,
                disable=not devices.is_leader(),
                mininterval=1.0,
            ) as bar:
                epoch_started = time.time()
                batches = loader.train_batches(learnt, load, numbers, share)
                try:
                    numbered = zip(numbers, batches, strict=True)
                    state = _steps(state, numbered, mapped, progress, bar, stop)
                except _LossError as error:
                    raise InputError(
                        f"{run_dir}: {error}, of the excerpts {_named(learnt, load, error.step)}; "
                        f"the last good checkpoint is of step {checkpoints.newest or 0}: "
                        "look at these excerpts, or lower --learning_rate, with another --run_dir"
                    ) from None
                seconds = time.time() - epoch_started
                if int(state.step) < last:
                    raise _stopped(checkpoints, state, progress, devices.agree(stop.asked))
                metrics = progress.means()
                text = f"loss {metrics['train_loss']:.3f}"
                if watched is not None:
                    seen = evaluate(state, watched, run, config.batch_size, stop)
                    if seen is None:
                        raise _stopped(checkpoints, state, progress, devices.agree(stop.asked))
                    metrics |= {f"validation_{name}": value for name, value in seen.items()}
                    text += (
                        f", validation loss {seen['loss']:.3f}, "
                        f"accuracy {100 * seen['accuracy']:.1f} %"
                    )
                bar.set_postfix_str(text)
            loss = metrics.get("validation_loss", metrics["train_loss"])
            if not (math.isfinite(loss) and _finite(state)):
                raise _no_numbers(checkpoints, last)
            progress.end_epoch(loss)
            log.write(
                {
                    "step": last,
                    "epoch": progress.epoch,
                    **metrics,
                    "examples_per_second": len(numbers) * config.batch_size / seconds,
                }
            )
            checkpoints.save(state, dataclasses.asdict(progress), loss)
        predicting = progress.best_epoch if config.early_stopping else progress.epoch
        result = {
            "epochs": progress.epoch,
            "best_epoch": progress.best_epoch,
            "step": predicting * epoch_steps,
            "loss": progress.best_loss,
            "seconds": round(time.time() - started, 1),
        }
    if devices.is_leader():
        files.write_json(run_dir / "result.json", result)
    devices.barrier("trained")
    if asked := devices.agree(stop.asked):  # Too late to stop training.
        raise InterruptedRunError(asked, "after training; the same command predicts")
    return result


def _opened(config: TrainConfig, dataset: loader.Dataset, parts: tuple[str, ...]) -> loader.Batched:
    """The examples of some parts, on the devices if they fit."""
    examples = loader.Examples(dataset, parts, loader.LoaderConfig(config.batch_size))
    if config.shuffle_labels:
        examples.shuffle_labels(config.seed)
    return resident.on_devices(examples)


def _named(examples: loader.Batched, config: loader.LoaderConfig, number: int) -> str:
    """Ids of the excerpts of a step's batch."""
    indices = loader.train_indices(config.seed, number, config.batch_size, len(examples))
    return ", ".join(examples[int(i)]["sng_id"] for i in indices)


def run(
    config: TrainConfig,
    dataset: loader.Dataset,
    run_dir: pathlib.Path,
    only: int | None = None,
    stop: Stop | None = None,
) -> list[dict[str, Any]]:
    """Trains and predicts a run, or every fold of it.

    Args:
      config: the run's configuration.
      dataset: what it learns from.
      run_dir: see this module's head.
      only: of a data set with folds, trains this one alone; the others may be trained
        elsewhere, and the call that finds all done joins their predictions.
      stop: says whether the process was asked to stop.

    Returns:
      `result.json` of each model.

    Raises:
      InputError: as `train`; or there is no fold `only`.
      InterruptedRunError: as `train`.
    """
    # Before anything is written: what another flag would mend.
    devices.local_share(config.batch_size)
    check_input(config.model, shown(config, dataset))
    count = folds_of(dataset)
    if only is not None and not 0 <= only < count:
        raise InputError(f"--fold={only}: dataset {dataset.name} has {count} folds")

    def one(folder: pathlib.Path, parts: Parts) -> dict[str, Any]:
        with directory.locked(folder):
            result = train(config, dataset, parts, folder, stop)
            prediction.predict(config, dataset, parts, folder, stop)
        return result

    if not count:
        return [one(run_dir, parts_of(dataset))]
    parts_of(dataset, 0, config.early_stopping)
    every = Parts((), (), tuple(f"fold_{k}" for k in range(count)))
    directory.claim(run_dir, identity(config, dataset, every))
    results = [
        one(run_dir / f"fold_{fold}", parts_of(dataset, fold, config.early_stopping))
        for fold in (range(count) if only is None else [only])
    ]
    folders = [run_dir / f"fold_{fold}" / "predictions" for fold in range(count)]
    done = all(folder.exists() for folder in folders)
    if done and devices.is_leader() and not (run_dir / "predictions").exists():
        predictions.merge(folders, run_dir / "predictions")
    return results
