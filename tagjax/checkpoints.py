"""Checkpoints of a run: the newest ones to resume from, and the best one to predict with."""

import pathlib
from typing import Any

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from tagjax import parallel
from tagjax.errors import InputError
from tagjax.step import TrainState

KEEP_NEWEST = 2


def _rank(metrics: dict[str, Any]) -> tuple[float, int]:
    """The less, the better; of equal losses the first, as early stopping has it."""
    return metrics["validation_loss"], metrics["step"]


class Checkpoints:
    """Orbax checkpoints under a run directory, each with a small record of the training."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Opens or makes the folder."""
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

    def save(self, state: TrainState, record: dict[str, Any], validation_loss: float) -> None:
        """Saves a state and its record; whole or not at all."""
        self._manager.save(
            int(state.step),
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(parallel.to_global(state)),
                record=ocp.args.JsonSave(record),
            ),
            metrics={"validation_loss": validation_loss, "step": int(state.step)},
        )

    @property
    def newest(self) -> int | None:
        """Step of the newest checkpoint; None if there is none."""
        return self._manager.latest_step()

    @property
    def best(self) -> int | None:
        """Step of the checkpoint with the least validation loss; None if there is none."""
        return self._manager.best_step()

    def restore(self, step: int, like: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """The state and record saved at `step`.

        Args:
          step: as `newest` or `best` give it.
          like: a state of the same shapes.

        Raises:
          InputError: the checkpoint does not hold such a state.
        """
        try:
            restored = self._manager.restore(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardRestore(parallel.to_global(like)),
                    record=ocp.args.JsonRestore(),
                ),
            )
        except (ValueError, KeyError, FileNotFoundError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{self._manager.directory}/{step}: unusable: {reason}") from None
        state = jax.tree.map(jax.numpy.asarray, parallel.to_local(restored["state"]))
        return state, restored["record"]

    def close(self) -> None:
        """Waits for what is being written."""
        self._manager.close()
