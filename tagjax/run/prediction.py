"""From a trained run to its predictions of the parts that it has not learnt from."""

import contextlib
import pathlib

import numpy as np
from tqdm import tqdm

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.interruption import InterruptedRunError, Stop
from tagjax.examples import loader
from tagjax.network import step
from tagjax.run import devices, directory, predictions
from tagjax.run.checkpoints import Checkpoints
from tagjax.run.config import TrainConfig, run_step, step_config
from tagjax.run.parts import Parts


def restore(
    config: TrainConfig, dataset: loader.Dataset, parts: Parts, run_dir: pathlib.Path
) -> step.TrainState:
    """The state of a finished run that predicts: of its best epoch, or of its last one.

    Raises:
      InputError: the run is not finished, or its checkpoint is unusable.
    """
    if not (run_dir / "result.json").exists():
        raise InputError(f"{run_dir}: not trained to its end; go on: python -m launch.train")
    with contextlib.closing(Checkpoints(run_dir / "checkpoints")) as checkpoints:
        like = step.initial_state(run_step(config, dataset, parts), dataset.input_shape)
        try:
            return checkpoints.restore(directory.result(run_dir)["step"], like)[0]
        except InputError as error:
            raise InputError(f"{error}; remove {run_dir}, and train again") from None


def predict(
    config: TrainConfig,
    dataset: loader.Dataset,
    parts: Parts,
    run_dir: pathlib.Path,
    stop: Stop | None = None,
) -> None:
    """Writes `predictions/` of the parts to be predicted, by the best checkpoint.

    Does nothing where they are already there.

    Raises:
      InputError: as `restore`.
      InterruptedRunError: asked to stop; the next call predicts anew.
    """
    stop = stop or Stop()
    folder = run_dir / "predictions"
    if folder.exists():
        return
    state = restore(config, dataset, parts, run_dir)
    load = loader.LoaderConfig(config.batch_size)
    examples = loader.Examples(dataset, parts.predict, load)
    mapped = devices.predict_step(step_config(config, len(dataset.tags)))
    batch_size = config.batch_size
    batches = loader.eval_batches(examples, load, devices.local_share(batch_size))
    with contextlib.ExitStack() as stack:
        writer = None
        if devices.is_leader():
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
        stack.enter_context(stop.deferred())
        for number, batch in enumerate(batches):
            if asked := devices.agree(stop.asked, number):
                raise InterruptedRunError(asked, "while predicting; the same command does it anew")
            rows = devices.gather(mapped(state, batch))
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
    devices.barrier("predicted")
