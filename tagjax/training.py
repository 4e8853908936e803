"""Training a run from its configuration to its predictions (section 2.3).

A run directory holds `config.json` (what the run is), `checkpoints/`, `metrics.jsonl` and
`tensorboard/`, `result.json` once training has ended, and `predictions/`. The same call on
it goes on where it stopped, or says that it is done. With folds, each fold is such a
directory below it, and `predictions/` are those of all folds.
"""

import contextlib
import dataclasses
import json
import pathlib
import time
from typing import Any

import jax
import numpy as np
from tensorboardX import SummaryWriter
from tqdm import tqdm

from tagjax import files, loader, parallel, predictions, step
from tagjax.augment import AugmentConfig
from tagjax.checkpoints import Checkpoints
from tagjax.errors import InputError
from tagjax.model import PRESETS as MODELS
from tagjax.model import ModelConfig, check_input


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """What a run is, beside its data set.

    Attributes:
      model: shape of the network.
      augment: random changes of the input.
      batch_size: of the global batch, over all devices and processes.
      max_epochs: at most so many.
      patience: epochs without a better validation loss before training stops.
      min_epochs: early stopping waits for so many epochs.
      early_stopping: stop by the validation loss and predict with the best epoch (the paper);
        if not, all `max_epochs` are trained and the last one predicts, and folds need no
        validation fold, so that a small catalogue loses no data to it.
      decay: the learning rate falls to 0 over `max_epochs` (half a cosine).
      precision: `float32` or `bfloat16`.
      learning_rate: of Adadelta.
      rho: of Adadelta.
      epsilon: of Adadelta.
      label_smoothing: share of the target spread over all tags.
      seed: of everything random.
      shuffle_labels: deal the labels out at random: a run that shows chance.
    """

    model: ModelConfig = MODELS["paper"]
    augment: AugmentConfig = AugmentConfig()
    batch_size: int = 32
    max_epochs: int = 100
    patience: int = 10
    min_epochs: int = 1
    early_stopping: bool = True
    decay: bool = False
    precision: str = "float32"
    learning_rate: float = 1.0
    rho: float = 0.95
    epsilon: float = 1e-7
    label_smoothing: float = 0.0
    seed: int = 0
    shuffle_labels: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_size", "max_epochs", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} must be at least 1")
        step_config(self, num_tags=1)  # Refuses what is wrong in the rest.


def step_config(config: TrainConfig, num_tags: int, steps_per_epoch: int = 0) -> step.StepConfig:
    """The part of a run's configuration that its steps depend on."""
    return step.StepConfig(
        num_tags=num_tags,
        decay_steps=config.max_epochs * steps_per_epoch if config.decay else 0,
        **{
            field.name: getattr(config, field.name)
            for field in dataclasses.fields(step.StepConfig)
            if field.name not in ("num_tags", "decay_steps")
        },
    )


PRESETS = {
    "paper": TrainConfig(),
    "small": TrainConfig(model=MODELS["small"], epsilon=1e-6, max_epochs=30, patience=5),
    "catalogue": TrainConfig(
        model=MODELS["small"],
        augment=AugmentConfig(
            crop_frames=216, gain_db=6.0, tilt_db=12.0, shift_bands=2, mask_bands=12
        ),
        epsilon=1e-6,
        max_epochs=16,
        early_stopping=False,
        decay=True,
        label_smoothing=0.1,
    ),
    "demo": TrainConfig(
        model=MODELS["small"],
        augment=AugmentConfig(gain_db=6.0, tilt_db=12.0, mask_bands=12, shift_bands=1),
        epsilon=1e-6,
        max_epochs=10,
        decay=True,
        label_smoothing=0.1,
    ),
}
"""`paper`; `small`, which learns on a CPU; `catalogue`, for a few thousand tracks and folds."""


@dataclasses.dataclass(frozen=True)
class Parts:
    """Which parts of the data set are learnt from, watched for early stopping, predicted."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    predict: tuple[str, ...]


def parts_of(
    dataset: loader.Dataset, fold: int | None = None, early_stopping: bool = True
) -> Parts:
    """The parts of a run, or of one fold of it.

    Fold k of K is predicted by a model that learnt from the others; of these fold k + 1
    (modulo K) is kept for early stopping, if there is to be any.

    Raises:
      InputError: the data set has not these parts.
    """
    names = dataset.parts
    predict: tuple[str, ...]
    if fold is None:
        missing = [part for part in ("train", "validation", "test") if part not in names]
        if missing:
            raise InputError(f"dataset {dataset.name} has no part {missing[0]!r}: {list(names)}")
        predict = tuple(part for part in ("test", "overlap") if part in names)
        return Parts(("train",), ("validation",), predict)
    count = folds_of(dataset)
    validation = [(fold + 1) % count] if early_stopping else []
    learnt = [k for k in range(count) if k not in (fold, *validation)]
    if not learnt:
        raise InputError(
            f"dataset {dataset.name} has {count} folds, too few to learn from: "
            "split it into more, or train without early stopping"
        )
    train = [f"fold_{k}{suffix}" for k in learnt for suffix in ("", "_upsampled")]
    predict = (f"fold_{fold}", f"fold_{fold}_overlap")
    return Parts(
        tuple(part for part in train if part in names),
        tuple(f"fold_{k}" for k in validation),
        tuple(part for part in predict if part in names),
    )


def folds_of(dataset: loader.Dataset) -> int:
    """Number of folds of a data set; 0 if it has train, validation and test instead."""
    return sum(part.removeprefix("fold_").isdigit() for part in dataset.parts)


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


def _differences(a: Any, b: Any, name: str = "") -> list[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        keys = [*a, *(key for key in b if key not in a)]
        return [
            line
            for key in keys
            for line in _differences(a.get(key), b.get(key), f"{name}.{key}" if name else key)
        ]
    if a == b:
        return []
    if isinstance(a, list) and isinstance(b, list) and len(str(a)) + len(str(b)) > 80:
        return [f"{name}: {len(a)} entries there, {len(b)} here, not the same"]
    return [f"{name}: {a!r} there, {b!r} here"]


def claim(run_dir: pathlib.Path, what: dict[str, Any]) -> None:
    """Writes `config.json`, or checks that the one there is the same.

    Raises:
      InputError: the directory is of another run; the differences are named.
    """
    path = run_dir / "config.json"
    what = json.loads(json.dumps(what))
    if path.exists():
        lines = _differences(files.read_json(path), what)
        if lines:
            shown = "; ".join(lines[:4]) + (f"; and {len(lines) - 4} more" if lines[4:] else "")
            raise InputError(f"{run_dir} is of another run ({shown}); name another --run_dir")
    elif parallel.is_leader():
        files.write_json(path, what)


class _Log:
    """Metrics of each epoch, to a plain file and to TensorBoard; the leader's alone."""

    def __init__(self, run_dir: pathlib.Path, first_step: int) -> None:
        self._path = run_dir / "metrics.jsonl"
        self._board = None
        if not parallel.is_leader():
            return
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        whole = [line for line in lines if line.endswith("}")]  # The last may be cut off.
        kept = [line for line in whole if json.loads(line)["step"] <= first_step]
        with files.atomic_path(self._path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept))
        board = str(run_dir / "tensorboard")
        self._board = SummaryWriter(board, purge_step=first_step + 1)

    def write(self, metrics: dict[str, float]) -> None:
        if self._board is None:
            return
        with self._path.open("a") as file:
            file.write(json.dumps(metrics) + "\n")
        for name, value in metrics.items():
            if name not in ("step", "epoch"):
                self._board.add_scalar(name, value, metrics["step"])

    def close(self) -> None:
        if self._board is not None:
            self._board.close()


@dataclasses.dataclass
class _Progress:
    """What early stopping remembers; saved with each checkpoint."""

    epoch: int = 0
    best_epoch: int = 0
    best_loss: float = float("inf")

    def update(self, loss: float) -> None:
        self.epoch += 1
        if loss < self.best_loss:
            self.best_epoch, self.best_loss = self.epoch, loss

    def ended(self, config: TrainConfig) -> bool:
        waited = config.early_stopping and self.epoch - self.best_epoch >= config.patience
        return self.epoch >= config.max_epochs or (waited and self.epoch >= config.min_epochs)


def evaluate(
    state: step.TrainState, examples: loader.Examples, run: step.StepConfig, batch_size: int
) -> dict[str, float]:
    """Mean `loss` and `accuracy` over all examples, each counted once."""
    mapped = parallel.eval_step(run)
    totals = dict.fromkeys(("loss", "correct", "examples"), 0.0)
    config = loader.LoaderConfig(batch_size=batch_size)
    for batch in loader.eval_batches(examples, config, parallel.local_share(batch_size)):
        for name, value in mapped(state, batch).items():
            totals[name] += float(value)
    return {
        "loss": totals["loss"] / totals["examples"],
        "accuracy": totals["correct"] / totals["examples"],
    }


def _epoch(
    state: step.TrainState,
    batches: Any,
    mapped: Any,
    bar: tqdm,
    batch_size: int,
) -> tuple[step.TrainState, dict[str, float]]:
    """Trains over `batches`; the sums stay on the device until the epoch ends."""
    sums: list[dict[str, jax.Array]] = []
    for batch in batches:
        state, counts = mapped(state, batch)
        sums.append(counts)
        if len(sums) > 1:  # One step runs while the next batch is fetched.
            jax.block_until_ready(sums[-2])
        bar.update(batch_size)
    totals = {name: sum(float(each[name]) for each in sums) for name in sums[0]}
    return state, {
        "train_loss": totals["loss"] / totals["examples"],
        "train_accuracy": totals["correct"] / totals["examples"],
    }


def train(
    config: TrainConfig, dataset: loader.Dataset, parts: Parts, run_dir: pathlib.Path
) -> dict[str, Any]:
    """Trains one model to early stopping, or goes on with it.

    Args:
      config: the run's configuration.
      dataset: what it learns from.
      parts: which parts of it.
      run_dir: made if absent; gets the files named at this module's head but predictions.

    Returns:
      The content of `result.json`: `epochs`, `best_epoch`, the `step` whose checkpoint
      predicts, the least `loss` (of validation, if there is any), `seconds` of this call.

    Raises:
      InputError: `run_dir` is of another run, a part is missing, the batch size cannot be
        divided over the devices, or a loss is not a finite number.
    """
    share = parallel.local_share(config.batch_size)
    claim(run_dir, identity(config, dataset, parts))
    if (run_dir / "result.json").exists():
        return files.read_json(run_dir / "result.json")
    load = loader.LoaderConfig(config.batch_size, config.seed)
    learnt = loader.Examples(dataset, parts.train, load)
    watched = loader.Examples(dataset, parts.validation, load) if parts.validation else None
    if config.shuffle_labels:
        learnt.shuffle_labels(config.seed)
        if watched is not None:
            watched.shuffle_labels(config.seed)
    steps_per_epoch = _steps_per_epoch(config, dataset, parts)
    run = step_config(config, len(dataset.tags), steps_per_epoch)
    state = step.initial_state(run, _shown(config, dataset))
    progress = _Progress()
    started = time.time()
    with contextlib.closing(Checkpoints(run_dir / "checkpoints")) as checkpoints:
        if checkpoints.newest is not None:
            state, record = checkpoints.restore(checkpoints.newest, state)
            progress = _Progress(**record)
        log = _Log(run_dir, int(state.step))
        mapped = parallel.train_step(run)
        while not progress.ended(config):
            first = progress.epoch * steps_per_epoch
            numbers = range(first, first + steps_per_epoch)
            with tqdm(
                total=steps_per_epoch * config.batch_size,
                desc=f"epoch {progress.epoch + 1}/{config.max_epochs}",
                unit=" excerpts",
                disable=not parallel.is_leader(),
                mininterval=1.0,
            ) as bar:
                epoch_started = time.time()
                batches = loader.train_batches(learnt, load, numbers, share)
                state, metrics = _epoch(state, batches, mapped, bar, config.batch_size)
                seconds = time.time() - epoch_started
                shown = f"loss {metrics['train_loss']:.3f}"
                if watched is not None:
                    seen = evaluate(state, watched, run, config.batch_size)
                    metrics |= {f"validation_{name}": value for name, value in seen.items()}
                    shown += f", validation {seen['loss']:.3f} ({100 * seen['accuracy']:.1f} %)"
                bar.set_postfix_str(shown)
            loss = metrics.get("validation_loss", metrics["train_loss"])
            if not np.isfinite([metrics["train_loss"], loss]).all():
                raise InputError(
                    f"{run_dir}: the loss is not finite in epoch {progress.epoch + 1}; the "
                    f"last checkpoint is of step {checkpoints.newest}"
                )
            progress.update(loss)
            log.write(
                {
                    "step": int(state.step),
                    "epoch": progress.epoch,
                    **metrics,
                    "examples_per_second": steps_per_epoch * config.batch_size / seconds,
                }
            )
            checkpoints.save(state, dataclasses.asdict(progress), loss)
        log.close()
        result = {
            "epochs": progress.epoch,
            "best_epoch": progress.best_epoch,
            "step": checkpoints.best if config.early_stopping else checkpoints.newest,
            "loss": progress.best_loss,
            "seconds": round(time.time() - started, 1),
        }
    if parallel.is_leader():
        files.write_json(run_dir / "result.json", result)
    parallel.barrier("trained")
    return result


def _shown(config: TrainConfig, dataset: loader.Dataset) -> tuple[int, int]:
    """(frames, mel bands) of what the network learns from."""
    frames, bands = dataset.input_shape
    return min(config.augment.crop_frames or frames, frames), bands


def _steps_per_epoch(config: TrainConfig, dataset: loader.Dataset, parts: Parts) -> int:
    examples = sum(dataset.parts.get(part, 0) for part in parts.train)
    return max(1, examples // config.batch_size)


def restore(
    config: TrainConfig, dataset: loader.Dataset, parts: Parts, run_dir: pathlib.Path
) -> step.TrainState:
    """The state of a finished run that predicts: of its best epoch, or of its last one.

    Raises:
      InputError: the run is not finished, or its checkpoint is unusable.
    """
    path = run_dir / "result.json"
    if not path.exists():
        raise InputError(f"{run_dir}: not trained to its end; go on: python -m launch.train")
    run = step_config(config, len(dataset.tags), _steps_per_epoch(config, dataset, parts))
    with contextlib.closing(Checkpoints(run_dir / "checkpoints")) as checkpoints:
        like = step.initial_state(run, dataset.input_shape)
        return checkpoints.restore(files.read_json(path)["step"], like)[0]


def predict(
    config: TrainConfig,
    dataset: loader.Dataset,
    parts: Parts,
    run_dir: pathlib.Path,
) -> None:
    """Writes `predictions/` of the parts to be predicted, by the best checkpoint.

    Does nothing where they are already there.
    """
    folder = run_dir / "predictions"
    if folder.exists():
        return
    state = restore(config, dataset, parts, run_dir)
    examples = loader.Examples(dataset, parts.predict, loader.LoaderConfig())
    run = step_config(config, len(dataset.tags))
    mapped = parallel.predict_step(run)
    batch_size = config.batch_size
    load = loader.LoaderConfig(batch_size=batch_size)
    batches = loader.eval_batches(examples, load, parallel.local_share(batch_size))
    with contextlib.ExitStack() as stack:
        writer = None
        if parallel.is_leader():
            writer = stack.enter_context(predictions.writing(folder, dataset.tags, len(examples)))
            kernel = np.asarray(state.params["tags"]["kernel"])
            with (
                files.atomic_path(run_dir / "fw_kernel.npy") as temporary,
                temporary.open("wb") as file,
            ):
                np.save(file, kernel, allow_pickle=False)
        bar = tqdm(
            total=len(examples),
            desc=f"predict {'+'.join(parts.predict)}",
            unit=" excerpts",
            disable=writer is None,
        )
        stack.enter_context(bar)
        for number, batch in enumerate(batches):
            rows = parallel.gather(mapped(state, batch))
            first = number * batch_size
            count = min(batch_size, len(examples) - first)
            if writer is not None:
                for i in range(count):
                    example = examples[first + i]
                    writer.add(
                        rows[i],
                        [
                            example["sng_id"],
                            dataset.tags[int(example["label"])],
                            *(example[name] for name in ("part", "artist_id", "album_id", "tags")),
                        ],
                    )
            bar.update(count)
    parallel.barrier("predicted")


def run(
    config: TrainConfig, dataset: loader.Dataset, run_dir: pathlib.Path, only: int | None = None
) -> list[dict[str, Any]]:
    """Trains and predicts a run, or every fold of it.

    Args:
      config: the run's configuration.
      dataset: what it learns from.
      run_dir: see this module's head.
      only: of a data set with folds, trains this one alone; the others may be trained
        elsewhere, and the call that finds all done joins their predictions.

    Returns:
      `result.json` of each model.

    Raises:
      InputError: as `train`; or there is no fold `only`.
    """
    # Before anything is written: what another flag would mend.
    parallel.local_share(config.batch_size)
    check_input(config.model, _shown(config, dataset))
    count = folds_of(dataset)
    if only is not None and not 0 <= only < count:
        raise InputError(f"--fold={only}: dataset {dataset.name} has {count} folds")
    if not count:
        parts = parts_of(dataset)
        result = train(config, dataset, parts, run_dir)
        predict(config, dataset, parts, run_dir)
        return [result]
    parts_of(dataset, 0, config.early_stopping)
    every = Parts((), (), tuple(f"fold_{k}" for k in range(count)))
    claim(run_dir, identity(config, dataset, every))
    results = []
    for fold in range(count) if only is None else [only]:
        folder = run_dir / f"fold_{fold}"
        parts = parts_of(dataset, fold, config.early_stopping)
        results.append(train(config, dataset, parts, folder))
        predict(config, dataset, parts, folder)
    folders = [run_dir / f"fold_{fold}" / "predictions" for fold in range(count)]
    done = all(folder.exists() for folder in folders)
    if done and parallel.is_leader() and not (run_dir / "predictions").exists():
        predictions.merge(folders, run_dir / "predictions")
    return results
