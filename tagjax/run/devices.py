"""Devices and processes: the only module that uses `jax.pmap` and `jax.distributed`.

The state has no device axis: it goes in replicated and comes out replicated. A batch is this
process's share of the global batch, on the host. This module cuts it over the local devices.
"""

import atexit
import contextlib
import functools
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tagjax.base.errors import InputError
from tagjax.base.interruption import InterruptedRunError
from tagjax.network import step as steps

AXIS = "devices"
LOST = os.EX_TEMPFAIL
"""Exit code of a process that lost another one; the same commands continue the run."""

HEARTBEAT_SECONDS = 20
_GRACE = 3.0
_LOSS = re.compile(r"Gloo|NCCL|UNAVAILABLE|DEADLINE_EXCEEDED|ABORTED|[Bb]arrier|heartbeat")


def initialise(
    coordinator: str | None,
    num_processes: int | None,
    process_id: int | None,
    heartbeat_seconds: int = HEARTBEAT_SECONDS,
) -> None:
    """Joins the processes of a run (`jax.distributed`), before any other use of JAX.

    Args:
      coordinator: `host:port` of process 0; None if this process is alone.
      num_processes: number of processes; None lets JAX ask the cluster.
      process_id: number of this process; None lets JAX ask the cluster.
      heartbeat_seconds: JAX ends all processes when one has been silent for this long, or is this
        late for the common end.

    Raises:
      InputError: the arguments do not fit together.
    """
    if coordinator is None:
        if num_processes is not None or process_id is not None:
            raise InputError("num_processes and process_id need a coordinator, host:port")
        return
    # The preemption service would take SIGTERM from `Stop`; see `agree`.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(
            coordinator,
            num_processes,
            process_id,
            heartbeat_timeout_seconds=heartbeat_seconds,
            shutdown_timeout_seconds=heartbeat_seconds,
        )
    except ValueError as error:
        raise InputError(f"coordinator {coordinator}: {error}") from None


@contextlib.contextmanager
def together() -> Iterator[None]:
    """A context in which a failure of this process ends the other processes too.

    JAX would let a process that fails wait for the others. Here it leaves at once: its connections
    close, and the next exchange of the others with it raises. JAX's heartbeats end those that
    exchange nothing.

    Raises:
      InputError: another process was lost; this process then exits with the code `LOST`.
    """
    try:
        yield
    except BaseException as error:
        count = jax.process_count()
        if count == 1:
            raise
        if is_loss(error):
            _leave_at_exit(LOST)
            reason = str(error).strip().partition("\n")[0]
            raise InputError(
                f"one of the {count} processes was lost; give all of them their commands again: "
                f"they go on from the last checkpoint ({reason})"
            ) from None
        if isinstance(error, InterruptedRunError):
            _leave_at_exit(error.exit_code)
        else:
            _leave_at_exit(2 if isinstance(error, InputError) else 1)
        raise


def _leave_at_exit(code: int) -> None:
    """Makes the process exit with a code before JAX waits for the others, which may never come.

    Process 0 holds JAX's service, whose end aborts the other processes. So it stays a little
    longer: others that end for the same reason can then still say why.
    """

    def leave() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        if is_leader():
            time.sleep(_GRACE)
        os._exit(code)

    atexit.register(leave)


def is_loss(error: BaseException) -> bool:
    """Whether an exchange between processes failed, as it does when one of them was lost."""
    # Gloo raises bare ValueErrors; all others are errors of JAX.
    from_jax = isinstance(error, jax.errors.JaxRuntimeError | ValueError)
    from_tagjax = isinstance(error, InputError)
    matches = bool(_LOSS.search(str(error)))
    return jax.process_count() > 1 and from_jax and not from_tagjax and matches


def is_leader() -> bool:
    """Whether this is process 0, which alone prints and writes files."""
    return jax.process_index() == 0


def local_share(batch_size: int) -> slice:
    """Places in a global batch of `batch_size` that belong to this process.

    Raises:
      InputError: the batch cannot be divided evenly over all devices.
    """
    if batch_size % jax.device_count():
        raise InputError(
            f"batch_size {batch_size} cannot be divided over {jax.device_count()} devices; "
            "take a multiple of that number"
        )
    size = batch_size // jax.process_count()
    return slice(jax.process_index() * size, (jax.process_index() + 1) * size)


def _shard(batch: Any) -> Any:
    """[b, ...] -> [local devices, b / local devices, ...]; device arrays are cut already."""
    count = jax.local_device_count()

    def sharded(x: Any) -> Any:
        on_devices = isinstance(x, jax.Array) and isinstance(x.sharding, NamedSharding)
        return x if on_devices else x.reshape(count, len(x) // count, *x.shape[1:])

    return jax.tree.map(sharded, batch)


def _over_devices(function: Callable, out_axes: Any, donate: bool = False) -> Callable:
    """Maps function(state, batch, axis_name=...) over all devices.

    A single device needs no map, and the function is compiled without one. XLA's CPU backend runs
    it nearly twice as fast as the same function under `pmap`.
    """
    donated = (0,) if donate else ()
    if jax.device_count() == 1:
        return jax.jit(functools.partial(function, axis_name=None), donate_argnums=donated)
    mapped = jax.pmap(
        functools.partial(function, axis_name=AXIS),
        axis_name=AXIS,
        in_axes=(None, 0),
        out_axes=out_axes,
        donate_argnums=donated,
    )

    # `pmap` would spread a state from one device too, but it would compile twice for it. Besides,
    # with several processes JAX 0.10 deletes a donated state although a copy shares its memory.
    spread = NamedSharding(Mesh(jax.local_devices(), (AXIS,)), PartitionSpec())

    def over_devices(state: steps.TrainState, batch: dict) -> Any:
        if getattr(state.step, "sharding", None) != spread:
            state = jax.device_put(state, spread)
        return mapped(state, _shard(batch))

    return over_devices


@functools.lru_cache(maxsize=4)
def train_step(
    config: steps.StepConfig, decay_steps: int = 0
) -> Callable[[steps.TrainState, dict], tuple[steps.TrainState, dict]]:
    """`step.train_step` over all devices of all processes; it consumes the state."""
    step = functools.partial(steps.train_step, config=config, decay_steps=decay_steps)
    return _over_devices(step, (None, None), donate=True)


@functools.lru_cache(maxsize=4)
def gradients(config: steps.StepConfig) -> Callable[[steps.TrainState, dict], Any]:
    """`step.gradients` over all devices: the raw gradients of the global batch."""
    return _over_devices(functools.partial(steps.gradients, config=config), (None, None, None))


@functools.lru_cache(maxsize=4)
def eval_step(config: steps.StepConfig) -> Callable[[steps.TrainState, dict], dict]:
    """`step.eval_step` over all devices; its sums are over the global batch."""
    return _over_devices(functools.partial(steps.eval_step, config=config), None)


@functools.lru_cache(maxsize=4)
def predict_step(config: steps.StepConfig) -> Callable[[steps.TrainState, dict], np.ndarray]:
    """`step.predict_step` over the local devices: float32 [b, N_c] for this process's share."""

    def step(state: steps.TrainState, batch: dict, axis_name: str | None) -> jax.Array:
        del axis_name  # Rows do not depend on one another.
        return steps.predict_step(state, batch, config)

    mapped = _over_devices(step, 0)

    def predict(state: steps.TrainState, batch: dict) -> np.ndarray:
        probabilities = np.asarray(mapped(state, batch))
        return probabilities.reshape(-1, probabilities.shape[-1])

    return predict


def gather(rows: np.ndarray) -> np.ndarray:
    """Collects the rows of the global batch, on every process, from the rows of each process."""
    if jax.process_count() == 1:
        return rows
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(rows, tiled=True))


def barrier(name: str) -> None:
    """Waits until every process has come to this point."""
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)


AGREE_EVERY = 16
"""Steps between two exchanges about whether to stop; each exchange costs a message."""


def agree(asked: int, number: int = 0) -> int:
    """The largest `asked` of all processes, which says whether any of them was asked to stop.

    JAX's own preemption sync point does not work here. It hears SIGTERM but not Ctrl-C, and takes
    SIGTERM away from `Stop`. It also is a number that a loop's counter must meet exactly, and Orbax
    moves that counter at each save: every loop would miss a notice that comes during a save.

    Args:
      asked: number of the signal that this process got; 0 if it got none.
      number: number of the step; several processes exchange only at every `AGREE_EVERY`th step.
    """
    if jax.process_count() > 1 and number % AGREE_EVERY:
        return 0
    return int(gather(np.array([asked])).max())
