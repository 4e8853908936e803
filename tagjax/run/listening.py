"""A finished run that listens to any audio file."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
import numpy.typing as npt

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.examples.audio import AudioConfig
from tagjax.examples.excerpts import log_mels_of
from tagjax.examples.frontend import FrontendConfig
from tagjax.network import step
from tagjax.run import prediction
from tagjax.run.config import TrainConfig

SECONDS = 30.0
"""Length of an excerpt, as in the paper, where the manifest does not record it."""
_BATCH = 8
"""Excerpts predicted at once."""


@dataclasses.dataclass(frozen=True, eq=False)
class Listener:
    """The trained models of a run, and the front end that they were trained with.

    Attributes:
      tags: N_c tags, the classes.
      states: the state of the only model, or of the model of each fold.
      config: configuration of their steps.
      front: the front end.
      decode: how audio is decoded and cut.
      seconds: length of an excerpt.
    """

    tags: tuple[str, ...]
    states: tuple[step.TrainState, ...]
    config: step.StepConfig
    front: FrontendConfig
    decode: AudioConfig
    seconds: float

    def probabilities(self, path: PathLike) -> npt.NDArray[np.float64]:
        """Probabilities p_k (section 2.4.2) of the tags in each excerpt of a file.

        For a run with folds they are the mean over its models.

        Args:
          path: an audio file in any format that libsndfile knows.

        Returns:
          float64 [excerpts, N_c]; rows sum to 1.

        Raises:
          AudioError: the file cannot be used.
        """
        mels = log_mels_of(path, self.seconds, self.front, self.decode)
        blocks = [self._predicted(mels[i : i + _BATCH]) for i in range(0, len(mels), _BATCH)]
        return np.concatenate(blocks)

    def _predicted(self, mels: np.ndarray) -> npt.NDArray[np.float64]:
        predict = step.jitted("predict_step", self.config)
        padded = np.zeros((_BATCH, *mels.shape[1:]), np.float32)
        padded[: len(mels)] = mels  # All batches have one shape, so JAX compiles once.
        found = np.array([predict(state, {"mel": padded}) for state in self.states], np.float64)
        return found[:, : len(mels)].mean(axis=0)


def listener(run_dir: PathLike) -> Listener:
    """Opens the models of a run directory that `launch.train` has finished.

    Raises:
      InputError: it is no run directory, is not finished, or its checkpoints are damaged.
    """
    path = pathlib.Path(run_dir)
    record = files.read_json(path / "config.json")
    metadata: Mapping[str, Any] = record["metadata"]
    build = metadata.get("build", {})
    front = FrontendConfig(**build.get("front", {}))
    seconds = float(metadata.get("sampling", {}).get("seg_duration", SECONDS))
    config = TrainConfig.from_record(record["train"])
    folders = [path] if (path / "checkpoints").is_dir() else sorted(path.glob("fold_*"))
    if not folders:
        raise InputError(f"{path}: it has no checkpoints; train again")
    decode = AudioConfig(**build.get("decode", {}))
    shape = (front.frames(seconds), front.n_mels)
    tags = tuple(record["tags"])
    with jax.default_device(jax.local_devices()[0]):
        states = tuple(prediction.restored(folder, config, len(tags), shape) for folder in folders)
    return Listener(tags, states, config.step, front, decode, seconds)
