"""Devices and processes: the one place where `jax.pmap` and `jax.distributed` are spelled.

State has no device axis: it goes in replicated and comes out replicated. A batch is this
process's share of the global batch, on the host; it is cut over the local devices here.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tagjax.base.errors import InputError
from tagjax.base.interruption import InterruptedRunError
from tagjax.network import step as steps
from tagjax.run import pulse

AXIS = "devices"


def initialise(coordinator: str | None, num_processes: int | None, process_id: int | None) -> None:
    """Joins the processes of a run (`jax.distributed`), before any other use of JAX.

    Args:
      coordinator: `host:port` of process 0; None: this process is alone.
      num_processes: how many there are; None lets JAX ask the cluster.
      process_id: which of them this is; None likewise.

    Raises:
      InputError: the three do not go together.
    """
    if coordinator is None:
        if num_processes is not None or process_id is not None:
            raise InputError("num_processes and process_id need a coordinator, host:port")
        return
    try:
        jax.distributed.initialize(coordinator, num_processes, process_id)
    except ValueError as error:
        raise InputError(f"coordinator {coordinator}: {error}") from None


@contextlib.contextmanager
def together(coordinator: str | None, heartbeat_seconds: float = 60.0) -> Iterator[None]:
    """Inside, a process that is lost or fails ends all others, with a line that says why.

    Args:
      coordinator: as given to `initialise`.
      heartbeat_seconds: a process that was silent for so long is lost; one that was killed is
        noticed at once.
    """
    if coordinator is None or jax.process_count() == 1:
        yield
        return
    from jax.experimental import multihost_utils

    server, ticket = pulse.listen()
    ticket = bytes(multihost_utils.broadcast_one_to_all(np.frombuffer(ticket, np.uint8)))
    count, number = jax.process_count(), jax.process_index()
    if number == 0:
        peers = pulse.accept(server, ticket, count)
    else:
        server.close()
        peers = pulse.join(coordinator.rpartition(":")[0].strip("[]"), ticket, number)
    watch = pulse.Pulse(peers, count, heartbeat_seconds)
    try:
        yield
    except InterruptedRunError as stop:
        watch.stop(stop.exit_code)
        raise
    except InputError:
        watch.stop(2)
        raise
    except BaseException:
        watch.stop(1)
        raise
    watch.stop()


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
    config: steps.StepConfig,
) -> Callable[[steps.TrainState, dict], tuple[steps.TrainState, dict]]:
    """`step.train_step` over all devices of all processes; the state given is consumed."""
    step = functools.partial(steps.train_step, config=config)
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
"""Steps between two looks at what the other processes were asked; each costs a message."""


def agree(asked: int, number: int = 0) -> int:
    """The largest `asked` of all processes: whether any was told to stop.

    Args:
      asked: of this process.
      number: of the step; with several processes only every `AGREE_EVERY`th looks.
    """
    if jax.process_count() > 1 and number % AGREE_EVERY:
        return 0
    return int(gather(np.array([asked])).max())


def to_global(tree: Any) -> Any:
    """Host-local, replicated arrays as global ones, as Orbax wants them of several processes."""
    if jax.process_count() == 1:
        return tree
    everywhere = NamedSharding(Mesh(jax.devices(), (AXIS,)), PartitionSpec())
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(everywhere, np.asarray(x), x.shape), tree
    )


def to_local(tree: Any) -> Any:
    """The inverse of `to_global`: each array as this process holds it."""
    if jax.process_count() == 1:
        return tree
    return jax.tree.map(lambda x: x.addressable_data(0), tree)
