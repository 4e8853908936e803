"""Checkpoints of a run: the newest ones to resume from, and the best one to predict with."""

import contextlib
import hashlib
import json
import math
import pathlib
import re
import shutil
import tempfile
import warnings
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from orbax.checkpoint.checkpoint_managers import preservation_policy

from tagjax.base.errors import InputError
from tagjax.network.step import TrainState
from tagjax.run import devices

KEEP_NEWEST = 2
_PLAIN_PATH = re.compile(r"[\w ./+=,@~%-]*")


def _rank(metrics: dict[str, Any]) -> tuple[float, int]:
    """Smaller is better. Of equal losses the first is better, as in early stopping."""
    return metrics["validation_loss"], metrics["step"]


class Checkpoints:
    """Orbax checkpoints under a run directory, each with a small record of the training."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Opens or makes the folder.

        A checkpoint that Orbax cannot open is named in a warning and removed.
        """
        self._folder = folder.absolute()
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
        self._closing = contextlib.ExitStack()
        alias = self._closing.enter_context(_plain_alias(self._folder))
        self._manager = ocp.CheckpointManager(alias, options=options)

    def save(
        self, state: TrainState, record: dict[str, Any], validation_loss: float | None
    ) -> None:
        """Saves a state and its record, whole or not at all.

        It replaces a checkpoint of the same step. The first checkpoint of a folder is read back: if
        the disk or the path cannot keep checkpoints, the first epoch shows it, not the last one.

        Args:
          state: the state of the training.
          record: whatever else the training remembers, JSON.
          validation_loss: loss of the epoch that ended; None in the middle of an epoch, whose
            checkpoint is never the best.

        Raises:
          InputError: the first checkpoint cannot be read back.
        """
        step = int(state.step)
        if step in self._manager.all_steps():
            self._manager.delete(step)
        first = self.newest is None
        loss = math.inf if validation_loss is None else validation_loss
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(_to_global(state)),
                record=ocp.args.JsonSave({**record, "digest": _digest(state, record)}),
            ),
            metrics={"validation_loss": loss, "step": step},
        )
        if first:
            try:
                self.restore(step, state)
            except InputError as error:
                raise InputError(
                    f"a checkpoint was written and cannot be read back: {error}; "
                    "name a --run_dir on another disk, with a plainer path"
                ) from None

    @property
    def newest(self) -> int | None:
        """Step of the newest checkpoint; None if there is none."""
        return self._manager.latest_step()

    @property
    def best(self) -> int | None:
        """Step of the checkpoint with the least validation loss; None if there is none."""
        return self._manager.best_step()

    def resume(self, like: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """The newest undamaged state and its record; `like` and no record if there is none.

        A damaged checkpoint is named in a warning and removed, and the one before it is used.
        """
        while self.newest is not None:
            try:
                return self.restore(self.newest, like)
            except InputError as error:
                if devices.is_leader():
                    _remove(self._folder / str(self.newest), str(error))
                devices.barrier("removed")
                self._manager.reload()
        return like, {}

    def restore(self, step: int, like: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """The state and record saved at `step`.

        Args:
          step: a step that has a checkpoint, such as `newest` or `best`.
          like: a state of the same shapes.

        Raises:
          InputError: the checkpoint holds no such state, or is not as it was saved.
        """
        try:
            restored = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(_to_global(like)),
                    record=ocp.args.JsonRestore(),
                ),
            )
            state = jax.tree.map(jax.numpy.asarray, _to_local(restored["state"]))
            record = dict(restored["record"])
            reason = "" if record.pop("digest") == _digest(state, record) else "not as it was saved"
        except Exception as error:  # Orbax and TensorStore raise anything on a damaged file.
            if devices.is_loss(error):
                raise
            reason = str(error).partition("\n")[0] or type(error).__name__
        if reason:
            raise InputError(f"{self._folder}/{step}: damaged checkpoint: {reason}")
        return state, record

    def close(self) -> None:
        """Waits until everything is written."""
        self._manager.close()
        self._closing.close()


@contextlib.contextmanager
def _plain_alias(folder: pathlib.Path) -> Any:
    """Yields a path of the folder that Orbax and TensorStore can handle.

    Orbax looks for its files by glob patterns, in which `[b]` means `b`: it would silently find
    nothing. TensorStore takes a backslash for a slash, and refuses a path that is not UTF-8.
    """
    if _PLAIN_PATH.fullmatch(str(folder)):
        yield folder
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tagjax-") as temporary:
        alias = pathlib.Path(temporary) / "checkpoints"
        if not _PLAIN_PATH.fullmatch(str(alias)):
            raise InputError(
                f"{folder}: checkpoints need a plain path, or TMPDIR to be one; it is {temporary}"
            )
        alias.symlink_to(folder, target_is_directory=True)
        yield alias


def _to_global(tree: Any) -> Any:
    """Makes each process's copies global arrays, which Orbax needs with several processes."""
    if jax.process_count() == 1:
        return tree
    everywhere = NamedSharding(Mesh(jax.devices(), ("devices",)), PartitionSpec())
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(everywhere, np.asarray(x), x.shape), tree
    )


def _to_local(tree: Any) -> Any:
    """The inverse of `_to_global`: this process's copy of each array."""
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(lambda x: x.addressable_data(0), tree)


def _unreadable(path: pathlib.Path) -> str:
    """Why a checkpoint's small records cannot be read; "" if they can."""
    try:
        for name in ("_CHECKPOINT_METADATA", "metrics/metrics"):
            json.loads((path / name).read_bytes())
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _remove(path: pathlib.Path, reason: str) -> None:
    warnings.warn(f"{reason}; it was removed, and the one before it is used", stacklevel=3)
    shutil.rmtree(path)


def _digest(state: TrainState, record: dict[str, Any]) -> str:
    """A fingerprint of all numbers in a checkpoint."""
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode())
    for leaf in jax.tree.leaves(state):
        digest.update(np.asarray(leaf).tobytes())
    return digest.hexdigest()
