"""Where the time of a training step goes: by the profiler, and by timing prefixes of it.

The profiler gives each operation of the compiled step its time; its stage follows from the name
that JAX gave it or, where there is none (pooling, activation), from the number of channels of
its result. A fused operation counts for the stage of its result. Prefixes are forward and
backward passes up to a stage, whose differences are the stages; what a stage costs alone may
differ from what it costs in the whole.
"""

import collections
import itertools
import pathlib
import re
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.gpu import resident
from benchmarks.gpu.ceilings import seconds
from benchmarks.gpu.rows import Row
from benchmarks.gpu.speed import Ours, Setting, problem
from tagjax.network import step
from tagjax.network.model import ModelConfig

STAGES = ("input", "conv1 block", "conv2 block", "conv3+4 blocks", "gru", "softmax and loss")
REST = "optimiser and rest"
_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?([\w.-]+) = (.*)$")
_SCOPE = re.compile(r"\b(?:conv|norm|block)(\d)\b")


def _block(number: int) -> str:
    return STAGES[min(number, 3)]


def stage_of(name: str, dimensions: tuple[int, ...], model: ModelConfig) -> str:
    """The stage of an operation, from JAX's name of it and the dimensions of its result."""
    if "/input/" in name:
        return "input"
    if found := _SCOPE.search(name):
        return _block(int(found[1]))
    if "/gru/" in name:
        return "gru"
    if "TagClassifier" in name and "/tags/" not in name:
        for number, filters in enumerate(model.filters, start=1):
            if filters in dimensions[1:]:
                return _block(number)
        return REST
    if re.search(r"jvp|/tags/|softmax|cross_entropy", name):
        return "softmax and loss"
    return REST


def operations(text: str, model: ModelConfig) -> dict[str, str]:
    """{operation: stage} of a compiled program's text."""
    found = {}
    for line in text.splitlines():
        if match := _INSTRUCTION.match(line):
            name = re.search(r'op_name="([^"]*)"', match[2])
            shape = re.search(r"\[([\d,]+)\]", match[2])
            dimensions = tuple(map(int, shape[1].split(","))) if shape else ()
            found[match[1]] = stage_of(name[1] if name else "", dimensions, model)
    return found


def _events(folder: pathlib.Path) -> dict[str, float]:
    """{operation: seconds} of a trace."""
    total: collections.Counter[str] = collections.Counter()
    for path in folder.rglob("*.xplane.pb"):
        planes = list(jax.profiler.ProfileData.from_file(str(path)).planes)
        devices = [plane for plane in planes if plane.name.startswith("/device:")]
        for plane in devices or planes:
            for line in plane.lines:
                for event in line.events:
                    operation = dict(event.stats).get("hlo_op")
                    if operation:
                        total[str(operation)] += event.duration_ns / 1e9
    return dict(total)


def by_profile(one: Ours, model: ModelConfig, calls: int) -> dict[str, float]:
    """{stage: seconds of a step}, as far as the profiler tells."""
    stages = operations(one.compiled["train"].as_text(), model)
    one.train(1)
    with tempfile.TemporaryDirectory() as folder:
        options = jax.profiler.ProfileOptions()
        options.python_tracer_level = 0  # Else the trace is mostly of Python's calls.
        with jax.profiler.trace(folder, profiler_options=options):
            one.train(calls)
        events = _events(pathlib.Path(folder))
    total: dict[str, float] = dict.fromkeys((*STAGES, REST), 0.0)
    for operation, taken in events.items():
        if operation in stages:
            total[stages[operation]] += taken / calls
    return total


def _prefix(config: step.StepConfig, last: str) -> Callable:
    """(state, mel) -> gradients of the sum of what the stage `last` gives out."""

    def run(state: Any, mel: jax.Array) -> Any:
        positions = jnp.arange(len(mel), dtype=jnp.int32)

        def total(params: Any) -> tuple[jax.Array, Any]:
            _, updated = step.network(state, config).apply(
                {"params": params, "batch_stats": state.batch_stats},
                mel,
                positions,
                mutable=["batch_stats", "intermediates"],
                rngs={"dropout": jax.random.key(0)},
            )
            value = updated["intermediates"][last][0].astype(jnp.float32)
            # Not the plain sum: the gradient of a sum after BatchNorm is nothing.
            return jnp.sum(value**2), updated["batch_stats"]

        return jax.grad(total, has_aux=True)(state.params)

    return jax.jit(run)


def by_prefixes(
    setting: Setting, one: Ours, precision: str, data: tuple[jax.Array, jax.Array]
) -> dict[str, float]:
    """{stage: seconds}, as differences of longer and longer prefixes."""
    config, state, indices = setting.config(precision), one.state, one.indices[0]
    pool, labels = data
    mel = pool[indices]

    def batch(pool: jax.Array, labels: jax.Array, indices: jax.Array) -> dict[str, jax.Array]:
        return resident._batch(pool, labels, indices, None)

    whole = jax.block_until_ready(jax.jit(batch)(pool, labels, indices))
    last = len(setting.model.filters)
    runs: dict[str, tuple[Callable, tuple]] = {
        f"block{i}": (_prefix(config, f"block{i}"), (state, mel)) for i in (1, 2, last)
    }
    runs["hidden"] = (_prefix(config, "hidden"), (state, mel))
    runs["loss"] = (jax.jit(lambda s, b: step.gradients(s, b, config)), (state, whole))
    runs["step"] = (jax.jit(lambda s, b: step.train_step(s, b, config)), (state, whole))
    runs["input"] = (jax.jit(batch), (pool, labels, indices))
    taken = {}
    for name, (run, arguments) in runs.items():
        with resident.products(precision):
            call = run.lower(*arguments).compile()
        taken[name] = seconds(lambda c=call, a=arguments: c(*a), setting.least, setting.turns)
    order = ("block1", "block2", f"block{last}", "hidden", "loss", "step")
    ends = [0.0, *(taken[name] for name in order)]
    parts = [after - before for before, after in itertools.pairwise(ends)]
    return {"input": taken["input"], **dict(zip((*STAGES[1:], REST), parts, strict=True))}


WAYS = ("profile", "prefixes")


def measure(setting: Setting, precision: str, batch: int, ways: Sequence[str] = WAYS) -> list[Row]:
    """Rows of these ways, in milliseconds of a step and as shares of it."""
    device = jax.devices()[:1]
    data = setting.data(device)
    one = Ours(setting, precision, batch, data, device)
    one.train(2)
    calls = max(1, round(setting.least / max(one.train(1), 1e-6)))
    whole = min(one.train(calls) / calls for _ in range(setting.turns))
    rows = [Row("stages", "step", precision, batch, 1e3 * whole, "ms")]
    known: dict[str, Callable[[], dict[str, float]]] = {
        "profile": lambda: by_profile(one, setting.model, min(calls, 20)),
        "prefixes": lambda: by_prefixes(setting, one, precision, data),
    }
    for way in ways:
        try:
            taken = known[way]()
        except Exception as error:
            rows.append(Row("stages", way, precision, batch, None, "", note=problem(error)))
            continue
        for stage, value in taken.items():
            share = value / whole
            rows.append(
                Row("stages", f"{way}: {stage}", precision, batch, 1e3 * value, "ms", share)
            )
        told = sum(taken.values()) / whole
        rows.append(Row("stages", f"{way}: together", precision, batch, 100 * told, "% of a step"))
    return rows
