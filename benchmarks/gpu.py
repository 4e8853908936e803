"""Examples per second on one GPU, beside the limits of the card and beside PyTorch.

    python -m benchmarks.gpu                       # training and prediction, at all batch sizes
    python -m benchmarks.gpu --batches --train    # a run to early stopping at each precision
    python -m benchmarks.gpu --tiny --train       # a small version of each part, on any machine

It measures the `paper` preset with 250 tags. `tf32` is JAX's default for float32 on such a card;
`float32` forbids it. `resident` examples are on the card, which gathers a batch by its indices.
`fed` examples come from the memory of the host through `tagjax.examples.loader`. All contestants of
a batch size take turns of `--least` seconds, and medians are printed. FLOPs are counted by hand and
bytes by XLA. Both are compared with products and copies, which the card makes first. JAX gets 55 %
of the memory. PyTorch runs in its own process and gets 40 %.

It needs jax (with CUDA), flax, optax and numpy. tagjax need not be installed: copy the folders
tagjax/ and benchmarks/ and run it from their parent. If torch is missing, its rows say so. Each row
is printed as soon as it is known. If a command may only last ten minutes, name a part of the
`--batches` and `--precisions`.
"""

import argparse
import concurrent.futures
import dataclasses
import functools
import multiprocessing
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

KINDS = ("train, resident", "predict, resident", "train, fed", "predict, fed")
PRECISIONS = {
    "float32": ("float32", "float32"),
    "tf32": ("float32", "tensorfloat32"),
    "bfloat16": ("bfloat16", "tensorfloat32"),
}
"""{name: (dtype of the network, JAX's name for the precision of float32 products)}."""


def row(what: str, value: Any, unit="", precision="", batch: Any = "", ceiling="", note="") -> None:
    """Prints a measurement; if its value is None, `note` says why."""
    if isinstance(value, float):
        value = f"{value:,.{0 if value >= 1000 else 2}f}"
    cells = f"{what:<34}{precision:<9}{batch:>6}{value or '-':>12} {unit:<11}{ceiling:>10}  {note}"
    print(cells.rstrip(), flush=True)


@dataclasses.dataclass(frozen=True)
class Setting:
    """What all contestants share.

    Attributes:
      model: configuration of the network.
      shape: (frames, mel bands) of its input.
      tags: number of tags.
      pool: number of examples, on the device and in the host's memory.
      least: length of a turn, seconds.
      turns: number of turns of each contestant.
    """

    model: Any
    shape: tuple[int, int]
    tags: int
    pool: int
    least: float
    turns: int

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Random log-mels float16 [pool, frames, bands], and labels int32 [pool]."""
        rng = np.random.default_rng(0)
        mel = (3 * rng.random((self.pool, *self.shape), np.float32)).astype(np.float16)
        return mel, rng.integers(0, self.tags, self.pool, dtype=np.int32)

    def indices(self, batch: int) -> np.ndarray:
        """int64 [8, batch], places in the pool of the examples of eight batches."""
        return np.random.default_rng(0).integers(0, self.pool, (8, batch))


def flops(setting: Setting, train: bool) -> int:
    """Operations for an example, counted by hand; a multiply-add counts as two.

    Training adds the gradients of weights and of inputs. The first layer needs no gradient of its
    input.
    """
    model, (frames, bands) = setting.model, setting.shape
    counts, channels = [], 1
    for filters, pool in zip(model.filters, model.pools, strict=True):
        counts.append(2 * 9 * channels * filters * frames * bands)
        frames, bands, channels = frames // pool[0], bands // pool[1], filters
    inputs = bands * channels
    counts.append(2 * frames * 3 * model.gru_units * (inputs + model.gru_units))
    counts.append(2 * model.gru_units * setting.tags)
    return 3 * sum(counts) - counts[0] if train else sum(counts)


def products(precision: str) -> Any:
    """A context in which float32 products have this precision."""
    import jax

    return jax.default_matmul_precision(PRECISIONS[precision][1])


def ceilings(size: int, copied: int, least: float, turns: int) -> dict[str, float]:
    """Measures and prints the limits of the card.

    Returns:
      {precision: FLOP/s of products of matrices of `size`, "copy": bytes/s of copies of `copied`
      bytes}.
    """
    import jax
    import jax.numpy as jnp

    def calls_a_second(call: Callable[[], Any]) -> float:
        def seconds(calls: int) -> float:
            begin = time.perf_counter()
            jax.block_until_ready([call() for _ in range(calls)][-1])
            return time.perf_counter() - begin

        return rates({"": seconds}, 1, least, turns)[0][""]

    found = {}
    for precision, (dtype, _) in PRECISIONS.items():
        keys = jax.random.split(jax.random.key(0))
        pair = [jax.random.normal(key, (size, size), jnp.dtype(dtype)) for key in keys]
        with products(precision):
            product = jax.jit(jnp.matmul).lower(*pair).compile()
        found[precision] = 2 * size**3 * calls_a_second(functools.partial(product, *pair))
        row(f"ceiling: product of {size}", found[precision] / 1e12, "TFLOP/s", precision)
    array = jnp.ones(copied // 4, jnp.float32)
    found["copy"] = 2 * array.nbytes * calls_a_second(lambda: -array)
    row("ceiling: copy, read + written", found["copy"] / 1e9, "GB/s")
    host = np.ones(min(copied, 1 << 28) // 4, np.float32)
    fed = host.nbytes * calls_a_second(lambda: jax.device_put(host))
    row("ceiling: copy from the host", fed / 1e9, "GB/s")
    return found


class Steps:
    """The steps of a configuration, compiled for one device as in `tagjax.run.devices`.

    Batches are gathered from log-mels on the device, or in the memory of the host.
    """

    def __init__(
        self, config: Any, num_tags: int, precision: str, mel: np.ndarray, label: np.ndarray
    ) -> None:
        import jax

        from tagjax.network import step

        self._precision, self._compiled = precision, {}
        self._host, self._label, self._pool = mel, label, jax.device_put(mel)
        self._gather = jax.jit(lambda pool, places: pool[places])
        self.state = step.initial_state(config, num_tags, mel.shape[1:])
        self._steps = {
            "train": jax.jit(functools.partial(step.train_step, config=config), donate_argnums=0),
            "eval": jax.jit(functools.partial(step.eval_step, config=config)),
            "predict": jax.jit(functools.partial(step.predict_step, config=config)),
        }

    def batch(self, places: np.ndarray, resident: bool = True) -> dict[str, Any]:
        """The batch of examples at these places; -1 stands for padding."""
        return {
            "mel": self._gather(self._pool, places) if resident else self._host[places],
            "label": self._label[places],
            "weight": (places >= 0).astype(np.float32),
            "position": np.arange(len(places), dtype=np.int32),
        }

    def compiled(self, kind: str, batch: dict) -> Any:
        """The compiled step `train`, `eval` or `predict` for batches of this shape."""
        if kind not in self._compiled:
            with products(self._precision):
                self._compiled[kind] = self._steps[kind].lower(self.state, batch).compile()
        return self._compiled[kind]

    def __call__(self, kind: str, batch: dict) -> Any:
        """Starts a step without waiting for it; keeps the new state and returns the rest."""
        result = self.compiled(kind, batch)(self.state, batch)
        if kind == "train":
            self.state, result = result
        return result


def seconds_of(steps: Steps, indices: np.ndarray, kind: str, calls: int) -> float:
    """Seconds that this number of calls of one of `KINDS` takes."""
    import jax

    from tagjax.examples import loader

    step, _, place = kind.partition(", ")

    def load(number: int) -> dict:
        return steps.batch(indices[number % len(indices)], place == "resident")

    batches = map if place == "resident" else loader.ahead
    result, begin = None, time.perf_counter()
    for batch in batches(load, range(calls)):
        result = steps(step, batch)
    jax.block_until_ready((steps.state, result))
    taken = time.perf_counter() - begin
    if step == "train" and not np.isfinite(result["loss"]):
        raise RuntimeError(f"the loss is {result['loss']}")
    return taken


def rates(
    runs: dict[str, Callable[[int], float]], batch: int, least: float, turns: int
) -> tuple[dict[str, float], dict[str, str]]:
    """Lets runs take turns.

    A run is a function from a number of calls, each of `batch` examples, to their seconds.

    Returns:
      {name: median examples per second} of the runs that work, and {name: fault} of the others.
    """
    calls, taken, failed = {}, {name: [] for name in runs}, {}
    for turn in range(-1, turns):
        for name, run in runs.items():
            if name in failed:
                continue
            try:
                if turn < 0:
                    run(2)  # This compiles and chooses algorithms.
                    calls[name] = max(1, round(least / max(run(1), 1e-6)))
                else:
                    taken[name].append(run(calls[name]) / calls[name])
            except Exception as error:  # A run that needs too much memory must not end the others.
                text = f"{type(error).__name__}: {error}".splitlines()[0][:100]
                lacking = "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower()
                failed[name] = "out of memory" if lacking else text
    medians = {name: statistics.median(taken[name]) for name in runs if name not in failed}
    return {name: batch / seconds for name, seconds in medians.items()}, failed


def _torch(kind: str, calls: int, *twin: Any) -> float:
    """Seconds that this number of calls takes, in PyTorch's own process."""
    from benchmarks import twins_torch

    return twins_torch.resident(*twin).run(kind.partition(",")[0], calls)


def measure(flags: argparse.Namespace, setting: Setting, most: dict[str, float]) -> None:
    """Measures and prints the rows of speed; `most` is the result of `ceilings`."""
    from tagjax.network.step import StepConfig

    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, context) as process:

        def torch(kind: str, *twin: Any) -> Callable[[int], float]:
            return lambda calls: process.submit(_torch, kind, calls, setting, *twin).result()

        for batch in flags.batches:
            ours = {}
            for name in flags.precisions:
                config = StepConfig(setting.model, precision=PRECISIONS[name][0])
                ours[name] = Steps(config, setting.tags, name, *setting.data())
            variants = flags.twins if batch in flags.twin_batches else []
            for kind in KINDS:
                runs: dict[str, Callable[[int], float]] = {
                    f"tagjax {name}": functools.partial(
                        seconds_of, steps, setting.indices(batch), kind
                    )
                    for name, steps in ours.items()
                }
                if kind.endswith("resident"):
                    pairs = [(v, name) for v in variants for name in flags.precisions]
                    runs |= {f"torch {v} {name}": torch(kind, batch, v, name) for v, name in pairs}
                found, failed = rates(runs, batch, setting.least, setting.turns)
                for name in runs:
                    contestant, _, precision = name.rpartition(" ")
                    what, rate = f"{kind}, {contestant}", found.get(name)
                    if rate is None:
                        row(what, None, "", precision, batch, note=failed[name])
                        continue
                    share = rate * flops(setting, kind.startswith("train")) / most[precision]
                    if contestant == "tagjax":
                        moved = rate * _bytes(ours[precision], setting.indices(batch)[0], kind)
                        note = f"{moved / 1e9:.0f} GB/s, {100 * moved / most['copy']:.0f} %"
                    else:
                        our_rate = found.get(f"tagjax {precision}", np.nan)
                        note = f"tagjax is {our_rate / rate:.2f} times as fast"
                    row(what, rate, "examples/s", precision, batch, f"{100 * share:.1f} %", note)


def _bytes(steps: Steps, places: np.ndarray, kind: str) -> float:
    """Bytes that the compiled step moves for an example; NaN if XLA does not count them."""
    program = steps.compiled(kind.partition(",")[0], steps.batch(places))
    return (program.cost_analysis() or {}).get("bytes accessed", np.nan) / len(places)


def _flags(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add, precisions, twins = parser.add_argument, [*PRECISIONS], ["eager", "compiled"]
    add("--precisions", nargs="*", choices=precisions, default=precisions)
    add("--batches", nargs="*", type=int, default=[32, 64, 128, 256, 512, 1024, 2048])
    add(
        "--twins", nargs="*", choices=twins, default=twins, help="variants of PyTorch; may be empty"
    )
    add(
        "--twin_batches",
        nargs="*",
        type=int,
        default=[256],
        help="batch sizes at which they take part",
    )
    add("--pool", type=int, default=4096, help="examples on the device")
    add("--least", type=float, default=0.5, help="length of a turn, seconds")
    add("--turns", type=int, default=7)
    add("--train", action="store_true", help="train to early stopping")
    add("--data", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir(), "tagjax_gpu"))
    add(
        "--excerpts",
        type=int,
        default=20_000,
        help="excerpts to render to --data; 80 %% are trained on",
    )
    add("--epochs", type=int, default=100)
    add("--patience", type=int, default=5)
    add("--tiny", action="store_true", help="a tiny network and few of everything")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prints the table."""
    flags = _flags(argv)
    os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", "0.55" if flags.twins else "0.92")
    import jax

    from benchmarks import gpu_run
    from tagjax.network.model import PRESETS, ModelConfig

    model, shape, size, copied, batch = PRESETS["paper"], (646, 96), 8192, 4 << 30, 256
    if flags.tiny:
        model, shape = ModelConfig((3, 4), ((2, 2), (2, 2)), gru_units=8), (36, 96)
        size, copied, batch = 64, 1 << 16, 4
        flags.batches, flags.twin_batches, flags.pool = [4] * bool(flags.batches), [4], 8
        flags.least, flags.turns, flags.excerpts, flags.epochs = 0.01, 1, 64, 2
    setting = Setting(model, shape, 250, flags.pool, flags.least, flags.turns)
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}, {os.cpu_count()} cores")
    row("what", "value", "unit", "precision", "batch", "of ceiling", "bytes moved, of copies")
    most = ceilings(size, copied, flags.least, flags.turns)
    measure(flags, setting, most)
    if flags.train:
        gpu_run.measure(flags, setting, batch)


if __name__ == "__main__":
    main()
