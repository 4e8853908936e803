"""Devices and processes: the one place where `jax.pmap` and `jax.distributed` are spelled.

State has no device axis: it goes in replicated and comes out replicated. A batch is this
process's share of the global batch, on the host; it is cut over the local devices here.
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
"""Exit code where another process was lost: the same commands go on."""

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
      coordinator: `host:port` of process 0; None: this process is alone.
      num_processes: how many there are; None lets JAX ask the cluster.
      process_id: which of them this is; None likewise.
      heartbeat_seconds: JAX ends all processes when one was silent for so long, or does not come
        to the common end for so long.

    Raises:
      InputError: the three do not go together.
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
    """Inside, whatever ends this process before its work is done ends the other ones too.

    A process that fails leaves without waiting for the others, as JAX would: its connections
    close, so that the others' next exchange with it raises. Where nothing is exchanged, JAX's
    heartbeats end the others.

    Raises:
      InputError: another process was lost; the process then leaves with the code `LOST`.
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
    """Ends the process with a code before JAX waits for the others, which may never come.

    Process 0, which holds JAX's service, stays a little longer: others that end for the same
    reason would be aborted by its end before they can say why.
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
    # Gloo's errors come as bare ValueErrors, all others as JAX's own.
    known = isinstance(error, jax.errors.JaxRuntimeError | ValueError)
    ours = isinstance(error, InputError)
    return jax.process_count() > 1 and known and not ours and bool(_LOSS.search(str(error)))


def is_leader() -> bool:
    """Whether this is the process that prints and writes what only one may write."""
    return jax.process_index() == 0


def local_share(batch_size: int) -> slice:
    """Places in a global batch of `batch_size` that belong to this process.

    Raises:
      InputError: the batch cannot be divided evenly over all devices.
    """
    if batch_size % jax.device_count():
        raise InputError(
            f"batch_size {batch_size} cannot be divided over {jax.device_count()} devices; "
            f"take a multiple of it"
        )
    size = batch_size // jax.process_count()
    return slice(jax.process_index() * size, (jax.process_index() + 1) * size)


def _shard(batch: Any) -> Any:
    """[b, ...] -> [local devices, b / local devices, ...]; what is on the devices is so already."""
    count = jax.local_device_count()

    def sharded(x: Any) -> Any:
        there = isinstance(x, jax.Array) and isinstance(x.sharding, NamedSharding)
        return x if there else x.reshape(count, len(x) // count, *x.shape[1:])

    return jax.tree.map(sharded, batch)


def _over_devices(function: Callable, out_axes: Any, donate: bool = False) -> Callable:
    """Maps function(state, batch, axis_name=...) over all devices.

    A lone device needs no map: there the function is compiled as it is, which XLA's CPU
    backend runs nearly twice as fast as the same function under `pmap`.
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

    # A state on one device would be spread by `pmap` too, but be compiled for twice; and with
    # several processes JAX 0.10 deletes it, donated, although one of its copies is itself.
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
    """`step.train_step` over all devices of all processes; the state given is consumed."""
    step = functools.partial(steps.train_step, config=config, decay_steps=decay_steps)
    return _over_devices(step, (None, None), donate=True)


@functools.lru_cache(maxsize=4)
def gradients(config: steps.StepConfig) -> Callable[[steps.TrainState, dict], Any]:
    """`step.gradients` over all devices: the raw gradients of the global batch."""
    return _over_devices(functools.partial(steps.gradients, config=config), (None, None, None))


@functools.lru_cache(maxsize=4)
def eval_step(config: steps.StepConfig) -> Callable[[steps.TrainState, dict], dict]:
    """`step.eval_step` over all devices: sums over the global batch."""
    return _over_devices(functools.partial(steps.eval_step, config=config), None)


@functools.lru_cache(maxsize=4)
def predict_step(config: steps.StepConfig) -> Callable[[steps.TrainState, dict], np.ndarray]:
    """`step.predict_step` over the local devices: float32 [b, N_c] of this process's share."""

    def step(state: steps.TrainState, batch: dict, axis_name: str | None) -> jax.Array:
        del axis_name  # Rows do not depend on one another.
        return steps.predict_step(state, batch, config)

    mapped = _over_devices(step, 0)

    def predict(state: steps.TrainState, batch: dict) -> np.ndarray:
        probabilities = np.asarray(mapped(state, batch))
        return probabilities.reshape(-1, probabilities.shape[-1])

    return predict


def gather(rows: np.ndarray) -> np.ndarray:
    """This process's rows of a batch -> the rows of the global batch, on every process."""
    if jax.process_count() == 1:
        return rows
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(rows, tiled=True))


def barrier(name: str) -> None:
    """Waits until every process is here."""
    if jax.process_count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(name)


AGREE_EVERY = 16
"""Steps between two exchanges of what the processes were asked; each costs a message."""


def agree(asked: int, number: int = 0) -> int:
    """The largest `asked` of all processes: whether any of them was asked to stop.

    JAX's own preemption sync point is no help here. It hears of SIGTERM alone, not of Ctrl-C, and
    takes it from `Stop`. It is a number that a loop's counter must meet exactly, and Orbax moves
    that counter at each save: a notice that comes during a save is then missed by every loop.

    Args:
      asked: number of the signal that this process got; 0: none.
      number: of the step; with several processes only every `AGREE_EVERY`th one asks the others.
    """
    if jax.process_count() > 1 and number % AGREE_EVERY:
        return 0
    return int(gather(np.array([asked])).max())
