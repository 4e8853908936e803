"""Checkpoints of a run: the newest ones to resume from, and the best one to predict with."""

import hashlib
import json
import math
import pathlib
import shutil
import warnings
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from tagjax.base.errors import InputError
from tagjax.network.step import TrainState
from tagjax.run import devices

KEEP_NEWEST = 2


def _rank(metrics: dict[str, Any]) -> tuple[float, int]:
    """The less, the better; of equal losses the first, as early stopping has it."""
    return metrics["validation_loss"], metrics["step"]


class Checkpoints:
    """Orbax checkpoints under a run directory, each with a small record of the training."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Opens or makes the folder; a checkpoint that Orbax cannot open is named and removed."""
        for path in folder.glob("[0-9]*"):
            reason = _unreadable(path) if path.name.isdigit() else ""
            if reason and devices.is_leader():
                _remove(path, f"{path}: damaged checkpoint: {reason}")
        devices.barrier("opened")
        policy = preservation_policy.AnyPreservationPolicy(
            [
                preservation_policy.LatestN(KEEP_NEWEST),
                preservation_policy.BestN(get_metric_fn=_rank, reverse=True, n=1),
            ]
        )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=policy,
            best_fn=_rank,
            best_mode="min",
            enable_async_checkpointing=False,
        )
        self._manager = ocp.CheckpointManager(folder.absolute(), options=options)

    def save(
        self, state: TrainState, record: dict[str, Any], validation_loss: float | None
    ) -> None:
        """Saves a state and its record, whole or not at all; one of the same step is replaced.

        Args:
          state: of the training.
          record: what else it remembers, JSON.
          validation_loss: of the epoch that ended; None within one, which is never the best.
        """
        step = int(state.step)
        if step in self._manager.all_steps():
            self._manager.delete(step)
        loss = math.inf if validation_loss is None else validation_loss
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(devices.to_global(state)),
                record=ocp.args.JsonSave({**record, "digest": _digest(state, record)}),
            ),
            metrics={"validation_loss": loss, "step": step},
        )

    @property
    def newest(self) -> int | None:
        """Step of the newest checkpoint; None if there is none."""
        return self._manager.latest_step()

    @property
    def best(self) -> int | None:
        """Step of the checkpoint with the least validation loss; None if there is none."""
        return self._manager.best_step()

    def resume(self, like: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """The newest whole state and its record; `like` and no record if there is none.

        A damaged checkpoint is named in a warning and removed, and the one before it is used.
        """
        while self.newest is not None:
            try:
                return self.restore(self.newest, like)
            except InputError as error:
                if devices.is_leader():
                    _remove(pathlib.Path(self._manager.directory) / str(self.newest), str(error))
                devices.barrier("removed")
                self._manager.reload()
        return like, {}

    def restore(self, step: int, like: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """The state and record saved at `step`.

        Args:
          step: as `newest` or `best` give it.
          like: a state of the same shapes.

        Raises:
          InputError: the checkpoint does not hold such a state, or not the one saved.
        """
        try:
            restored = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(devices.to_global(like)),
                    record=ocp.args.JsonRestore(),
                ),
            )
            state = jax.tree.map(jax.numpy.asarray, devices.to_local(restored["state"]))
            record = dict(restored["record"])
            reason = "" if record.pop("digest") == _digest(state, record) else "not as it was saved"
        except Exception as error:  # Of a damaged file Orbax and TensorStore raise what they like.
            reason = str(error).partition("\n")[0] or type(error).__name__
        if reason:
            raise InputError(f"{self._manager.directory}/{step}: damaged checkpoint: {reason}")
        return state, record

    def close(self) -> None:
        """Waits for what is being written."""
        self._manager.close()


def _unreadable(path: pathlib.Path) -> str:
    """Why a checkpoint's small records cannot be read; "" if they can."""
    try:
        for name in ("_CHECKPOINT_METADATA", "metrics/metrics"):
            json.loads((path / name).read_bytes())
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _remove(path: pathlib.Path, why: str) -> None:
    warnings.warn(f"{why}; removed, going on from the one before", stacklevel=3)
    shutil.rmtree(path)


def _digest(state: TrainState, record: dict[str, Any]) -> str:
    """Fingerprint of all numbers of a checkpoint."""
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for leaf in jax.tree.leaves(state):
        digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()
