"""From a trained model to its predictions of the parts that it was not trained on."""

import contextlib
import math
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.interruption import InterruptedRunError, Stop
from tagjax.examples import loader
from tagjax.examples.dataset import Dataset
from tagjax.network import step
from tagjax.run import devices, directory, predictions, resident
from tagjax.run.checkpoints import Checkpoints
from tagjax.run.config import TrainConfig, decay_steps
from tagjax.run.parts import Parts
from tagjax.run.progress import Reporter


def restore(
    config: TrainConfig, dataset: Dataset, parts: Parts, run_dir: pathlib.Path
) -> step.TrainState:
    """The state that a finished run predicts with, that of its best epoch or of its last one.

    Raises:
      InputError: the run is not finished, or its checkpoint is unusable.
    """
    shape, falling = dataset.input_shape, decay_steps(config, dataset, parts)
    return restored(run_dir, config, len(dataset.tags), shape, falling)


def restored(
    run_dir: pathlib.Path,
    config: TrainConfig,
    num_tags: int,
    input_shape: tuple[int, int],
    decay_steps: int = 1,
) -> step.TrainState:
    """As `restore`, for a caller without the data set.

    Args:
      run_dir: the directory of one model.
      config: the run's configuration.
      num_tags: N_c.
      input_shape: (frames, mel bands); any number of frames that the network accepts will do.
      decay_steps: decay of the learning rate. The checkpoint has the same form for any number
        above 0.
    """
    if not (run_dir / "result.json").exists():
        raise InputError(
            f"{run_dir}: training is not finished; continue it: python -m launch.train"
        )
    falling = decay_steps if config.decay else 0
    like = step.initial_state(config.step, num_tags, input_shape, falling)
    with contextlib.closing(Checkpoints(run_dir / "checkpoints")) as checkpoints:
        try:
            return checkpoints.restore(directory.result(run_dir)["step"], like)[0]
        except InputError as error:
            raise InputError(f"{error}; remove {run_dir}, and train again") from None


def predict(
    config: TrainConfig,
    dataset: Dataset,
    parts: Parts,
    run_dir: pathlib.Path,
    stop: Stop | None = None,
    reporter: Reporter | None = None,
) -> None:
    """Predicts some parts with the state of `restore`, and writes `predictions/`.

    Does nothing if that folder exists.

    Args:
      config: the run's configuration.
      dataset: the data set.
      parts: the parts to predict are its `predict`.
      run_dir: directory of a model that `training.train_model` has finished.
      stop: says whether the process was asked to stop.
      reporter: is told of each batch.

    Raises:
      InputError: as `restore`.
      InterruptedRunError: the process was asked to stop; the next call starts predicting anew.
    """
    stop, reporter = stop or Stop(), reporter or Reporter()
    folder = run_dir / "predictions"
    if folder.exists():
        return
    state = restore(config, dataset, parts, run_dir)
    # Not kept on the devices, as each is read once.
    processes = resident.reading_processes(config.reading_processes)
    load = loader.LoaderConfig(config.batch_size, processes=processes)
    examples = loader.Examples(dataset, parts.predict, load)
    reporter.begin("predict", math.ceil(len(examples) / config.batch_size))
    mapped = devices.predict_step(config.step)
    batches = loader.eval_batches(examples, load, devices.local_share(config.batch_size))
    with _writing(folder, dataset, len(examples), state, parts) as writer, stop.deferred():
        for number, batch in enumerate(batches):
            if asked := devices.agree(stop.asked, number):
                raise InterruptedRunError(
                    asked, "while predicting; the same command starts predicting again"
                )
            rows = devices.gather(mapped(state, batch))
            if writer is not None:
                places = range(number * config.batch_size, len(examples))
                for row, place in zip(rows, places, strict=False):  # The last batch is padded.
                    writer.add(row, _excerpt(examples[place], dataset))
            reporter.advance()
    devices.barrier("predicted")


@contextlib.contextmanager
def _writing(
    folder: pathlib.Path, dataset: Dataset, rows: int, state: step.TrainState, parts: Parts
) -> Iterator[predictions.Writer | None]:
    """Yields the writer of the predictions and saves the last layer's kernel.

    Only process 0 writes; the others get None.
    """
    if not devices.is_leader():
        yield None
        return
    learnt = [labels_of(dataset, parts.train)]
    with predictions.writing(folder, dataset.tags, rows, learnt) as writer:
        path = folder.with_name("fw_kernel.npy")
        with files.atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, np.asarray(state.params["tags"]["kernel"]), allow_pickle=False)
        yield writer


def labels_of(dataset: Dataset, parts: Sequence[str]) -> predictions.Labels:
    """How many excerpts and artists the labels of some parts have; read from disk once."""
    examples = loader.Examples(dataset, parts, loader.LoaderConfig())
    each = (examples[i] for i in range(len(examples)))
    pairs = ((int(example["label"]), example["artist_id"]) for example in each)
    return predictions.Labels.of(pairs, len(dataset.tags))


def _excerpt(example: dict, dataset: Dataset) -> tuple[str, ...]:
    """An example's values of `predictions.COLUMNS`."""
    label = dataset.tags[int(example["label"])]
    rest = (example[name] for name in ("part", "artist_id", "album_id", "tags"))
    return example["sng_id"], label, *rest
