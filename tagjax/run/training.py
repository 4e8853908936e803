"""Training a run from its configuration to its predictions (section 2.3).

A run directory holds `config.json` (the identity of the run), `checkpoints/`, `metrics.jsonl` and
`tensorboard/`, `result.json` once training has ended, `predictions/`, and `truth/`, a copy of the
data set's tables of truth. The same call continues a run that was stopped, and does nothing if the
run is done. With folds, each fold has its own model, in a directory of this kind below the run's.
The run's own `predictions/` are then those of all folds.
"""

import contextlib
import dataclasses
import math
import pathlib
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.interruption import InterruptedRunError, Stop
from tagjax.examples import loader
from tagjax.examples.dataset import Dataset
from tagjax.network import step
from tagjax.network.model import check_input
from tagjax.run import devices, directory, prediction, predictions, resident
from tagjax.run.checkpoints import Checkpoints
from tagjax.run.config import TrainConfig, decay_steps, shown_shape, steps_per_epoch
from tagjax.run.parts import Parts, folds_of, parts_of
from tagjax.run.progress import OnProgress, Reporter, Workload
from tagjax.vocabulary.truth import write_truth


def identity(config: TrainConfig, dataset: Dataset, parts: Parts) -> dict[str, Any]:
    """The content of `config.json`: the values that tell runs apart."""
    # Older data sets have the truth in their metadata, and systems instead of a vocabulary.
    rest = {k: v for k, v in dataset.metadata.items() if k not in ("truth", "systems")}
    return {
        "dataset": dataset.name,
        "fingerprint": dataset.fingerprint,
        "tags": list(dataset.tags),
        "metadata": rest | {"vocabulary": dataset.vocabulary.record()},
        "parts": dataclasses.asdict(parts),
        "train": config.record(),
    }


class _LossError(Exception):
    """The loss of a step is not a finite number."""

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"the loss of step {step} is {loss}")
        self.step = step


@dataclasses.dataclass
class _History:
    """The record of early stopping and the sums of the current epoch, saved in each checkpoint."""

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = math.inf
    loss: float = 0.0
    correct: float = 0.0
    examples: float = 0.0

    def add(self, number: int, counts: dict[str, jax.Array]) -> None:
        """Waits for the sums of a step and adds them."""
        if not math.isfinite(float(counts["loss"])):
            raise _LossError(number, float(counts["loss"]))
        for name, value in counts.items():
            setattr(self, name, getattr(self, name) + float(value))

    def means(self) -> dict[str, float]:
        """Metrics of the current epoch."""
        return {
            "train_loss": self.loss / self.examples,
            "train_accuracy": self.correct / self.examples,
        }

    def end_epoch(self, loss: float) -> None:
        """Counts the epoch, and remembers it if its loss is the least so far."""
        self.epoch += 1
        self.loss = self.correct = self.examples = 0.0
        if loss < self.best_loss:
            self.best_epoch, self.best_loss = self.epoch, loss

    def ended(self, config: TrainConfig) -> bool:
        """Whether training is over, by the number of epochs or by early stopping."""
        waited = config.early_stopping and self.epoch - self.best_epoch >= config.patience
        return self.epoch >= config.max_epochs or (waited and self.epoch >= config.min_epochs)


def evaluate(
    state: step.TrainState,
    examples: loader.Batched,
    config: TrainConfig,
    stop: Stop,
    reporter: Reporter,
) -> dict[str, float] | None:
    """Mean `loss` and `accuracy` over all examples; None if the process was asked to stop."""
    reporter.begin("validate", math.ceil(len(examples) / config.batch_size))
    mapped = devices.eval_step(config.step)
    totals = dict.fromkeys(("loss", "correct", "examples"), 0.0)
    load = loader.LoaderConfig(batch_size=config.batch_size)
    batches = loader.eval_batches(examples, load, devices.local_share(config.batch_size))
    for number, batch in enumerate(batches):
        if devices.agree(stop.asked, number):
            return None
        for name, value in mapped(state, batch).items():
            totals[name] += float(value)
        reporter.advance()
    return {
        "loss": totals["loss"] / totals["examples"],
        "accuracy": totals["correct"] / totals["examples"],
    }


@jax.jit
def _finite(tree: Any) -> jax.Array:
    return jnp.all(jnp.array([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]))


class _Session:
    """The training of one model, while its run directory is open.

    Attributes:
      state: the state of the training.
      history: the history of its epochs.
    """

    def __init__(
        self,
        config: TrainConfig,
        dataset: Dataset,
        parts: Parts,
        run_dir: pathlib.Path,
        stop: Stop,
        reporter: Reporter,
    ) -> None:
        """Opens the data set; the arguments are those of `train_model`."""
        self._config, self._run_dir, self._stop, self._reporter = config, run_dir, stop, reporter
        self._load = loader.LoaderConfig(
            config.batch_size,
            config.step.seed,
            resident.reading_processes(config.reading_processes),
        )
        self._train_examples = self._examples(dataset, parts.train)
        self._validation_examples = (
            self._examples(dataset, parts.validation) if parts.validation else None
        )
        self._decay_steps = decay_steps(config, dataset, parts)
        self.epoch_steps = steps_per_epoch(config, dataset, parts)
        self.state = step.initial_state(
            config.step, len(dataset.tags), shown_shape(config, dataset), self._decay_steps
        )
        self.history = _History()
        self._stack = contextlib.ExitStack()

    def _examples(self, dataset: Dataset, parts: Sequence[str]) -> loader.Batched:
        """The examples of some parts, on the devices if they fit."""
        examples = loader.Examples(dataset, parts, self._load)
        if self._config.shuffle_labels:
            examples.shuffle_labels(self._config.step.seed)
        return resident.on_devices(examples, progress=self._reporter.reading)

    def __enter__(self) -> "_Session":
        """Opens the run directory and resumes its newest checkpoint."""
        with self._stack as stack:
            path = self._run_dir / "checkpoints"
            self._checkpoints = stack.enter_context(contextlib.closing(Checkpoints(path)))
            self.state, record = self._checkpoints.resume(self.state)
            self.history = _History(**record)
            log = directory.Log(self._run_dir, int(self.state.step))
            self._log = stack.enter_context(contextlib.closing(log))
            stack.enter_context(self._stop.deferred())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def epoch(self) -> None:
        """Trains to the end of the current epoch, then validates, logs and saves.

        Raises:
          InputError: a loss or a parameter is not a finite number.
          InterruptedRunError: the process was asked to stop; the state is saved.
        """
        first, began = int(self.state.step), time.time()
        self._train()
        number, seconds = int(self.state.step), time.time() - began
        metrics = self.history.means() | self._validated()
        metrics["examples_per_second"] = (number - first) * self._config.batch_size / seconds
        loss = metrics.get("validation_loss", metrics["train_loss"])
        if not (math.isfinite(loss) and _finite(self.state)):
            raise self._not_finite()
        self.history.end_epoch(loss)
        self._log.write({"step": number, "epoch": self.history.epoch, **metrics})
        self._checkpoints.save(self.state, dataclasses.asdict(self.history), loss)
        self._reporter.end_epoch(metrics)

    def _train(self) -> None:
        """Does the remaining steps of the current epoch."""
        begin = self.history.epoch * self.epoch_steps
        numbers = range(int(self.state.step), begin + self.epoch_steps)
        done = numbers.start - begin
        self._reporter.begin("train", self.epoch_steps, done, self.history.epoch + 1)
        try:
            self._steps(numbers)
        except _LossError as error:
            raise InputError(
                f"{self._run_dir}: {error}, of the excerpts {self._excerpts_of(error.step)}; "
                f"the last good checkpoint is of step {self._checkpoints.newest or 0}: "
                "look at these excerpts, or lower --learning_rate, with another --run_dir"
            ) from None
        if int(self.state.step) < numbers.stop:
            raise self._interrupted()

    def _steps(self, numbers: range) -> None:
        """Does the steps of these numbers, or fewer if the process is asked to stop."""
        mapped = devices.train_step(self._config.step, self._decay_steps)
        share = devices.local_share(self._config.batch_size)
        batches = loader.train_batches(self._train_examples, self._load, numbers, share)
        waiting: tuple[int, dict[str, jax.Array]] | None = None
        for number, batch in zip(numbers, batches, strict=True):
            self.state, counts = mapped(self.state, batch)
            if waiting is not None:  # The next batch is fetched while a step is computed.
                self.history.add(*waiting)
            waiting = number, counts
            self._reporter.advance()
            if devices.agree(self._stop.asked, number):
                break
        if waiting is not None:
            self.history.add(*waiting)

    def _excerpts_of(self, number: int) -> str:
        """Ids of the excerpts in a step's batch."""
        load = self._load
        indices = loader.train_indices(
            load.seed, number, load.batch_size, len(self._train_examples)
        )
        return ", ".join(self._train_examples[int(i)]["sng_id"] for i in indices)

    def _validated(self) -> dict[str, float]:
        """`validation_loss` and `validation_accuracy`; nothing without validation examples."""
        if self._validation_examples is None:
            return {}
        means = evaluate(
            self.state, self._validation_examples, self._config, self._stop, self._reporter
        )
        if means is None:
            raise self._interrupted()
        return {f"validation_{name}": value for name, value in means.items()}

    def _interrupted(self) -> InterruptedRunError | InputError:
        """Saves the run in the middle of an epoch, and returns the error to raise."""
        if not _finite(self.state):
            return self._not_finite()
        number = int(self.state.step)
        if self._checkpoints.newest != number:
            self._checkpoints.save(self.state, dataclasses.asdict(self.history), None)
        return InterruptedRunError(
            devices.agree(self._stop.asked),
            f"at step {number}, which is saved; the same command goes on",
        )

    def _not_finite(self) -> InputError:
        return InputError(
            f"the parameters are not finite numbers after step {int(self.state.step)}; the last "
            f"good checkpoint is of step {self._checkpoints.newest or 0}: lower --learning_rate, "
            "with another --run_dir"
        )


def train_model(
    config: TrainConfig,
    dataset: Dataset,
    parts: Parts,
    run_dir: pathlib.Path,
    stop: Stop | None = None,
    reporter: Reporter | None = None,
) -> dict[str, Any]:
    """Trains one model to its end, or goes on with it.

    Args:
      config: the run's configuration.
      dataset: the data set to train on.
      parts: the parts of it to use.
      run_dir: the directory, which is made if it does not exist. It gets the files that this
        module's docstring names, except for the predictions.
      stop: says whether the process was asked to stop.
      reporter: is told of each batch.

    Returns:
      The content of `result.json`: `epochs`, `best_epoch`, the `step` whose checkpoint
      predicts, the least `loss` (of validation, or without it of training), and `seconds` of this
      call.

    Raises:
      InputError: `run_dir` belongs to another run or is in use, a part is missing, the batch size
        cannot be divided over the devices, or a loss is not a finite number.
      InterruptedRunError: the process was asked to stop; a checkpoint was written.
    """
    devices.local_share(config.batch_size)
    directory.claim(run_dir, identity(config, dataset, parts))
    if (run_dir / "result.json").exists():
        return directory.result(run_dir)
    stop, started = stop or Stop(), time.time()
    session = _Session(config, dataset, parts, run_dir, stop, reporter or Reporter())
    with session:
        # The other processes may have passed the first check before process 0 wrote the file.
        directory.claim(run_dir, identity(config, dataset, parts))
        while not session.history.ended(config):
            session.epoch()
    history = session.history
    predicting = history.best_epoch if config.early_stopping else history.epoch
    result = {
        "epochs": history.epoch,
        "best_epoch": history.best_epoch,
        "step": predicting * session.epoch_steps,
        "loss": history.best_loss,
        "seconds": round(time.time() - started, 1),
    }
    if devices.is_leader():
        files.write_json(run_dir / "result.json", result)
    devices.barrier("trained")
    if asked := devices.agree(stop.asked):  # The signal came too late to stop training.
        raise InterruptedRunError(asked, "after training; the same command predicts")
    return result


@dataclasses.dataclass(frozen=True)
class _Model:
    """One model of a run, for the whole data set or for one fold."""

    folder: pathlib.Path
    parts: Parts
    fold: int | None = None

    def workload(self, config: TrainConfig, dataset: Dataset) -> Workload:
        """The numbers of batches that the model takes."""

        def batches(parts: Sequence[str]) -> int:
            return math.ceil(sum(dataset.parts.get(part, 0) for part in parts) / config.batch_size)

        steps = steps_per_epoch(config, dataset, self.parts)
        validate, predict = batches(self.parts.validation), batches(self.parts.predict)
        return Workload(config.max_epochs, steps, validate, predict)


def _models(
    config: TrainConfig, dataset: Dataset, run_dir: pathlib.Path, only: int | None
) -> list[_Model]:
    """The models of a run, or only the model of the fold `only`.

    Raises:
      InputError: there is no such fold, or the data set lacks a part.
    """
    count = folds_of(dataset)
    if only is not None and not 0 <= only < count:
        raise InputError(f"--fold={only}: dataset {dataset.name} has {count} folds")
    if not count:
        return [_Model(run_dir, parts_of(dataset))]
    return [
        _Model(run_dir / f"fold_{fold}", parts_of(dataset, fold, config.early_stopping), fold)
        for fold in (range(count) if only is None else [only])
    ]


def _join_folds(run_dir: pathlib.Path, count: int) -> None:
    """Joins the predictions of all folds if all of them are done."""
    folders = [run_dir / f"fold_{fold}" / "predictions" for fold in range(count)]
    if all(folder.exists() for folder in folders) and not (run_dir / "predictions").exists():
        predictions.merge(folders, run_dir / "predictions")


def train_run(
    config: TrainConfig,
    dataset: Dataset,
    run_dir: files.PathLike,
    fold: int | None = None,
    stop: Stop | None = None,
    on_progress: OnProgress | None = None,
) -> list[dict[str, Any]]:
    """Trains and predicts a run, or every fold of it.

    Args:
      config: the run's configuration.
      dataset: the data set to train on.
      run_dir: the directory, as in this module's docstring.
      fold: the only fold to train, of a data set with folds. The others may be trained elsewhere.
        The call that finds all of them done joins their predictions.
      stop: says whether the process was asked to stop.
      on_progress: called at each batch with a `TrainingProgress`.

    Returns:
      The content of `result.json` of each model.

    Raises:
      InputError: as `train_model`; or there is no such fold.
      InterruptedRunError: as `train_model`.

    >>> from tagjax.examples.dataset import find
    >>> from tagjax.run.config import PRESETS, replaced
    >>> tiny = {"filters": (2, 2, 2, 2), "gru_units": 2, "batch_size": 4, "max_epochs": 1}
    >>> config = replaced(PRESETS["small"], tiny)
    >>> dataset = find("catalogue_split/mine", "data/tfds")
    >>> train_run(config, dataset, "runs/again")[0]["epochs"]
    1

    Reference: section 2.3 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    run_dir = pathlib.Path(run_dir)
    # These checks find wrong flags before anything is written.
    devices.local_share(config.batch_size)
    check_input(config.step.model, shown_shape(config, dataset))
    models, folds = _models(config, dataset, run_dir, fold), folds_of(dataset)
    if folds:
        whole = Parts((), (), tuple(f"fold_{k}" for k in range(folds)))
        directory.claim(run_dir, identity(config, dataset, whole))
    workloads = [model.workload(config, dataset) for model in models]
    reporter = Reporter(on_progress, workloads, config.batch_size)
    results = []
    for number, model in enumerate(models):
        reporter.model(number, model.fold, folds)
        with directory.locked(model.folder):
            parts, folder = model.parts, model.folder
            results.append(train_model(config, dataset, parts, folder, stop, reporter))
            prediction.predict(config, dataset, parts, folder, stop, reporter)
    if devices.is_leader():
        if folds:
            _join_folds(run_dir, folds)
        write_truth(run_dir / "truth", dataset.truth)
    devices.barrier("all written")
    return results
