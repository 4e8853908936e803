"""Examples a second of training and prediction, resident data, beside the PyTorch twin."""

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from benchmarks.gpu import counts, resident, twin
from benchmarks.gpu.rows import Row
from tagjax.network import step
from tagjax.network.model import ModelConfig

KINDS = ("train", "predict")
_BATCHES = 8  # Different batches that are gone through.


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all parts share.

    Attributes:
      model: the network, `paper` but for trials.
      shape: (frames, mel bands).
      tags: N_c.
      pool: examples that lie on the device.
      least: seconds of a turn.
      turns: of each contestant.
    """

    model: ModelConfig
    shape: tuple[int, int]
    tags: int
    pool: int
    least: float
    turns: int

    def config(self, precision: str) -> step.StepConfig:
        """Of a step in a precision of `resident.PRECISIONS`."""
        dtype = resident.PRECISIONS[precision][0]
        return step.StepConfig(self.model, precision=dtype)

    def indices(self, batch: int) -> np.ndarray:
        """int32 [n, batch] places in the pool."""
        rng = np.random.default_rng(0)
        return rng.integers(0, self.pool, (_BATCHES, batch), dtype=np.int32)

    def data(self, devices: Sequence[jax.Device]) -> tuple[jax.Array, jax.Array]:
        """Random log-mels, float16, and labels on the devices."""
        rng = np.random.default_rng(0)
        mel = rng.random((self.pool, *self.shape), np.float32)
        labels = rng.integers(0, self.tags, self.pool, dtype=np.int32)
        return resident.put(((3 * mel).astype(np.float16), labels), devices)


class Ours:
    """One network of tagjax, trained and predicting at one batch size."""

    def __init__(
        self,
        setting: Setting,
        precision: str,
        batch: int,
        data: tuple[jax.Array, jax.Array],
        devices: Sequence[jax.Device],
    ) -> None:
        """Compiles; `compiled` holds the programs where there is one device."""
        config = setting.config(precision)
        self._precision, self._data, self._devices = precision, data, devices
        self.state = resident.put(step.initial_state(config, setting.tags, setting.shape), devices)
        self.indices = [
            resident.put(each, devices) if len(devices) == 1 else resident.shards(each, devices)
            for each in setting.indices(batch)
        ]
        self._steps: dict[str, Callable] = {
            "train": resident.train_step(config, devices),
            "predict": resident.predict_step(config, devices),
        }
        self.compiled: dict[str, Any] = {}
        self.counted: dict[str, float] = {}  # FLOPs before optimisation, which hides them.
        if len(devices) > 1:
            return
        for kind in KINDS:
            with resident.products(precision):
                lowered = self._steps[kind].lower(self.state, *data, self.indices[0])
                self.counted[kind] = _cost(lowered).get("flops", math.nan)
                self._steps[kind] = self.compiled[kind] = lowered.compile()

    def bytes(self, kind: str) -> float:
        """Bytes that the compiled step reads and writes, as XLA counts them."""
        return _cost(self.compiled[kind]).get("bytes accessed", math.nan)

    def train(self, calls: int) -> float:
        """Seconds of so many steps."""
        run, sums = self._steps["train"], None
        begin = time.perf_counter()
        with resident.products(self._precision):
            for call in range(calls):
                indices = self.indices[call % len(self.indices)]
                self.state, sums = run(self.state, *self._data, indices)
        jax.block_until_ready((self.state, sums))
        taken = time.perf_counter() - begin
        if not np.isfinite(sums["loss"]):
            raise RuntimeError(f"the loss is {sums['loss']}")
        return taken

    def predict(self, calls: int) -> float:
        """Seconds of so many batches."""
        run, last = self._steps["predict"], None
        begin = time.perf_counter()
        with resident.products(self._precision):
            for call in range(calls):
                indices = self.indices[call % len(self.indices)]
                last = run(self.state, *self._data, indices)
        jax.block_until_ready(last)
        return time.perf_counter() - begin


def _cost(program: Any) -> dict[str, float]:
    try:
        found = program.cost_analysis()
    except Exception:  # Not every back end has one.
        return {}
    found = found[0] if isinstance(found, list) else found
    return dict(found or {})


def problem(error: Exception) -> str:
    """What went wrong, in a few words."""
    text = str(error)
    if "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower():
        return "out of memory"
    return (text.strip().splitlines() or [type(error).__name__])[0][:100]


def rates(
    runs: dict[str, Callable[[int], float]], batch: int, least: float, turns: int
) -> tuple[dict[str, float], dict[str, str]]:
    """Median examples a second of runs that take turns, and what went wrong with the others.

    Args:
      runs: {name: seconds of so many calls}.
      batch: examples of a call.
      least: seconds of a turn.
      turns: of each.
    """
    calls, taken, failed = {}, {name: [] for name in runs}, {}
    for turn in range(-1, turns):
        for name, run in runs.items():
            if name in failed:
                continue
            try:
                if turn < 0:
                    run(2)  # Compiles, and chooses algorithms.
                    calls[name] = max(1, round(least / max(run(1), 1e-6)))
                else:
                    taken[name].append(run(calls[name]) / calls[name])
            except Exception as error:  # Out of memory is no end.
                failed[name] = problem(error)
    medians = {name: statistics.median(each) for name, each in taken.items() if each}
    return {n: batch / s for n, s in medians.items() if n not in failed}, failed


def measure(
    setting: Setting,
    precisions: Sequence[str],
    batches: Sequence[int],
    twins: Sequence[tuple[str, str]],
    twin_batches: Sequence[int],
    mode: str,
    server: twin.Server | None,
    ceilings: dict[str, Any],
) -> tuple[list[Row], dict[str, Any]]:
    """All batch sizes; at `twin_batches` the twins (variant, precision) take turns with us."""
    device = jax.devices()[:1]
    data, rows, full = setting.data(device), [], {}
    cost: dict[str, Any] = {}
    for batch in batches:
        ours: dict[str, Ours] = {}
        lost: dict[str, str] = {}
        for precision in precisions:
            name = f"tagjax {precision}"
            if precision in full:
                lost[name] = f"out of memory already at {full[precision]}"
                continue
            try:
                ours[name] = Ours(setting, precision, batch, data, device)
            except Exception as error:
                lost[name] = problem(error)
        theirs: dict[str, str] = {}
        if server is not None and server.about and batch in twin_batches:
            for variant, precision in twins:
                spec = {"variant": variant, "precision": precision, "mode": mode}
                spec |= {"tags": setting.tags, "indices": setting.indices(batch).astype(np.int64)}
                name = f"torch {variant} {precision}"
                try:
                    server.ask(name, "make", spec)
                    theirs[name] = precision
                except RuntimeError as error:
                    lost[name] = str(error)
        for kind in KINDS:
            runs = {name: getattr(one, kind) for name, one in ours.items()}
            for name in theirs:
                runs[name] = _asking(server, name, kind)
            found, failed = rates(runs, batch, setting.least, setting.turns)
            print(f"batch {batch} {kind}: " + ", ".join(f"{n} {r:.0f}" for n, r in found.items()))
            for name, note in {**lost, **failed}.items():
                what, precision = name.rsplit(" ", 1)
                rows.append(Row("speed", f"{kind}, {what}", precision, batch, None, "", note=note))
                if name in ours and note == "out of memory":
                    full.setdefault(precision, batch)
            for name, rate in found.items():
                one = ours.get(name)
                rows.append(_row(setting, name, kind, batch, rate, one, found, ceilings))
                if one is not None:
                    cost[f"{kind} {name} {batch}"] = _checked(setting, one, kind, batch, rate)
        for name, note in lost.items():
            if note == "out of memory" and name.startswith("tagjax"):
                full.setdefault(name.rsplit(" ", 1)[1], batch)
        if server is not None and server.about:
            server.ask("", "drop")
    return rows, {"cost": cost, "twin": server.about or server.problem if server else "not asked"}


def _asking(server: twin.Server | None, name: str, kind: str) -> Callable[[int], float]:
    assert server is not None
    return lambda calls: server.ask(name, kind, calls)


def _row(
    setting: Setting,
    name: str,
    kind: str,
    batch: int,
    rate: float,
    one: Ours | None,
    found: dict[str, float],
    ceilings: dict[str, Any],
) -> Row:
    what, precision = name.rsplit(" ", 1)
    ratio, note = None, ""
    if one is None:
        mine = found.get(f"tagjax {precision}")
        ratio = mine / rate if mine else None
    else:
        moved = one.bytes(kind) * rate / batch
        note = f"{moved / 1e9:.0f} GB/s by XLA's count, {100 * moved / ceilings['copy']:.0f} %"
    worked = rate * _by_hand(setting, kind) / ceilings["flops"][precision]
    return Row(
        "speed", f"{kind}, {what}", precision, batch, rate, "examples/s", worked, ratio, note
    )


def _by_hand(setting: Setting, kind: str) -> int:
    arguments = (setting.model, *setting.shape, setting.tags)
    if kind == "train":
        return counts.training(*arguments)
    return sum(counts.forward(*arguments).values())


def _checked(setting: Setting, one: Ours, kind: str, batch: int, rate: float) -> dict[str, Any]:
    """FLOPs of an example by hand and by XLA, its bytes, and the memory of a step."""
    by_hand = _by_hand(setting, kind)
    values = {
        "flops_by_hand": by_hand,
        "flops_by_xla": one.counted[kind] / batch,
        "xla_to_hand": one.counted[kind] / batch / by_hand,
        "bytes_by_xla": one.bytes(kind) / batch,
        "examples_per_second": rate,
    }
    memory = one.compiled[kind].memory_analysis()
    if memory is not None:  # Not every back end has one.
        values["temporary_bytes"] = memory.temp_size_in_bytes / batch
    return {name: value for name, value in values.items() if np.isfinite(value)}


def flop_rows(setting: Setting, cost: dict[str, Any]) -> list[Row]:
    """FLOPs of an example by hand, and XLA's count beside them."""
    rows = []
    for kind in KINDS:
        hand = _by_hand(setting, kind)
        xla = [
            value["xla_to_hand"]
            for name, value in cost.items()
            if name.startswith(f"{kind} ") and "xla_to_hand" in value
        ]
        note = f"XLA counts {statistics.median(xla):.2f} times that" if xla else "XLA counts none"
        rows.append(Row("count", f"{kind}, an example", "", 0, hand / 1e9, "GFLOP", note=note))
    return rows


def scaling(setting: Setting, precision: str, batch: int) -> list[Row]:
    """Training on 1, 2, 4 … all devices with the same batch on each."""
    every = jax.devices()
    numbers = sorted({2**i for i in range(len(every).bit_length())} | {len(every)})
    rows, alone = [], None
    for number in (n for n in numbers if n <= len(every)):
        devices = every[:number]
        one = Ours(setting, precision, batch * number, setting.data(devices), devices)
        found, failed = rates({"": one.train}, batch * number, setting.least, setting.turns)
        rate = found.get("")
        alone = alone or rate
        efficiency = rate / (number * alone) if rate and alone else None
        note = failed.get("", "of ceiling: of that many times one device")
        rows.append(
            Row(
                "scaling",
                f"train, {number} devices",
                precision,
                batch * number,
                rate,
                "examples/s",
                efficiency,
                note=note,
            )
        )
    return rows
