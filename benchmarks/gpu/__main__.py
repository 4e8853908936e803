"""Examples a second on a GPU, beside its ceilings and PyTorch; a training run of the paper's size.

    python -m benchmarks.gpu                            # everything but the training run
    python -m benchmarks.gpu --train --precisions=bfloat16
    python -m benchmarks.gpu --tiny                     # each part in little, on any machine

On a machine with nothing but jax (with CUDA), flax, optax and numpy, and nothing to install from,
bring the folders tagjax/ and benchmarks/ of the checkout and run it where they lie:

    cd checkout && PYTHONPATH=. python3 -m benchmarks.gpu --out=$OUT/gpu.json

PyTorch's rows need torch, ArrayRecord's `pip install -e .`; what is missing is a row that says so.
Everything goes into one table and one JSON file, which further commands go on with: where a command
may last ten minutes only, give some `--parts` to each. `--train` renders its excerpts to `--data`
and goes on with what lies there, so that rendering and each precision can be commands of their own:

    python -m benchmarks.gpu --parts= --render --out=$OUT/gpu.json
    python -m benchmarks.gpu --parts= --train --precisions=bfloat16 --out=$OUT/gpu.json

Of the `paper` preset with 250 tags. `tf32` is what JAX takes for float32 on such a card by default;
`float32` forbids it. Contestants take turns of `--least` seconds, medians are printed. Share of
ceiling: of FLOPs counted by hand against the card's own matrix products. If PyTorch takes part, JAX
is given 55 % of the card's memory and PyTorch 40 %, so "out of memory" means of that.
"""

import argparse
import os
import pathlib
import sys
import tempfile
from typing import Any

PARTS = ("speed", "stages", "feed", "scaling")


def _numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",") if each]


def _names(text: str) -> list[str]:
    return [each for each in text.split(",") if each]


def parsed(argv: list[str]) -> argparse.Namespace:
    """Command-line arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--out", type=pathlib.Path, default=pathlib.Path("gpu.json"), help="JSON file")
    add("--parts", type=_names, default=list(PARTS), help=f"of {','.join(PARTS)}; may be empty")
    add("--precisions", type=_names, default=["float32", "tf32", "bfloat16"])
    add("--batches", type=_numbers, default=[32, 64, 128, 256, 512, 1024, 2048])
    add("--twins", type=_names, default=["eager", "compiled"], help="of PyTorch; may be empty")
    add("--twin_batches", type=_numbers, default=[256], help="sizes at which PyTorch takes part")
    add("--compile_mode", default="default", help="of torch.compile")
    add("--batch", type=int, default=256, help="of stages, feed, scaling (a device), training")
    add("--least", type=float, default=0.5, help="seconds of a turn")
    add("--turns", type=int, default=7)
    add("--pool", type=int, default=4096, help="examples on the device")
    add("--fed", type=int, default=1024, help="examples of the ArrayRecord file")
    add("--ways", type=_names, default=["profile", "prefixes"], help="of finding the stages")
    add("--prng", default="threefry2x32", help="JAX' generator: threefry2x32, rbg, unsafe_rbg")
    add("--render", action="store_true", help="render the excerpts of --train, and no more")
    add("--train", action="store_true", help="train to early stopping")
    add("--data", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir(), "tagjax_gpu"))
    add("--excerpts", type=int, default=130_000, help="80 %% of them are learnt from")
    add("--render_seconds", type=float, default=420, help="then the rest is tiled, augmented")
    add("--train_seconds", type=float, default=400, help="of a precision; then no epoch begins")
    add("--epochs", type=int, default=100)
    add("--patience", type=int, default=5)
    add("--epsilon", type=float, default=1e-6, help="of Adadelta, of --train")
    add("--workers", type=int, default=os.cpu_count(), help="processes that render")
    add("--tiny", action="store_true", help="a tiny network and few of everything")
    flags = parser.parse_args(argv)
    unknown = {*flags.parts} - {*PARTS}
    unknown |= {*flags.precisions} - {"float32", "tf32", "bfloat16"}
    unknown |= {*flags.ways} - {"profile", "prefixes"}
    unknown |= {*flags.twins} - {"eager", "compiled"}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if flags.tiny:
        _shrink(flags)
    return flags


def _shrink(flags: argparse.Namespace) -> None:
    flags.batches, flags.twin_batches, flags.batch, flags.pool, flags.fed = [4], [4], 4, 8, 16
    flags.least, flags.turns, flags.excerpts, flags.epochs, flags.workers = 0.01, 1, 96, 2, 2


def _environment(flags: argparse.Namespace) -> None:
    """What must stand before JAX is imported."""
    share = "0.55" if flags.twins and "speed" in flags.parts else "0.92"
    os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", share)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


def _about(flags: argparse.Namespace) -> dict[str, Any]:
    import flax
    import jax
    import numpy as np

    versions = {module.__name__: module.__version__ for module in (jax, flax, np)}
    return {
        "devices": [device.device_kind for device in jax.devices()],
        "cores": os.cpu_count(),
        "versions": versions | {"python": sys.version.split()[0]},
        "memory_share": os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"],
        "flags": {name: str(value) for name, value in vars(flags).items()},
    }


def _setting(flags: argparse.Namespace) -> Any:
    from benchmarks.gpu.speed import Setting
    from tagjax.network.model import PRESETS, ModelConfig

    model, shape = PRESETS["paper"], (646, 96)
    if flags.tiny:
        model, shape = ModelConfig((3, 4), ((2, 2), (2, 2)), gru_units=8), (4, 96)
    return Setting(model, shape, 250, flags.pool, flags.least, flags.turns)


def _measure(flags: argparse.Namespace, report: Any) -> None:
    """All parts but training."""
    from benchmarks.gpu import ceilings, feed, speed, stages, twin

    setting = _setting(flags)
    size, copied = (64, 1 << 16) if flags.tiny else (8192, 4 << 30)
    rows, found = ceilings.measure(size, copied, flags.least, flags.turns)
    report.put("ceiling", rows, found)
    if "speed" in flags.parts:
        wanted = [(v, p) for p in flags.precisions for v in flags.twins]
        shape = (36, 96) if flags.tiny else setting.shape  # The twin is Table 1, which pools 36.
        server = twin.Server(0.4, flags.pool, shape) if wanted else None
        rows, more = speed.measure(
            setting,
            flags.precisions,
            flags.batches,
            wanted,
            flags.twin_batches,
            flags.compile_mode,
            server,
            found,
        )
        if server is not None:
            if not server.about:
                note = f"skipped: {server.problem}"
                rows.append(speed.Row("speed", "torch", "", 0, None, "", note=note))
            server.close()
        report.put("speed", rows, more)
        report.put("count", speed.flop_rows(setting, more["cost"]))
    for part in flags.parts:
        print(f"{part} ...", flush=True)
        if part == "stages":
            several = [
                stages.measure(setting, p, flags.batch, flags.ways) for p in flags.precisions
            ]
            report.put(part, [row for one in several for row in one])
        elif part == "feed":
            report.put(part, feed.measure(setting, flags.precisions[-1], flags.batch, flags.fed))
        elif part == "scaling":
            report.put(part, speed.scaling(setting, flags.precisions[-1], flags.batch))


def _train(flags: argparse.Namespace, report: Any) -> None:
    """Renders what is missing and, if asked, trains with each precision."""
    import dataclasses

    from benchmarks.gpu import real_run, synthesis
    from benchmarks.gpu.rows import Row

    seconds = 3 * 1024 / 22050 if flags.tiny else 30.0
    done, last, first = 0, 0.0, None
    for done, gone in synthesis.generate(
        flags.data, flags.excerpts, seconds, flags.render_seconds, flags.workers
    ):
        first = done if first is None else first
        if gone - last > 10:
            last = gone
            print(f"rendered {done} of {flags.excerpts}, {gone:.0f} s", flush=True)
    if gone > 1:
        note = f"{flags.workers} processes, {done} of {flags.excerpts} there"
        rate = (done - first) / gone
        report.put("render", [Row("render", "excerpts", "", 0, rate, "a second", note=note)])
    if not flags.train:
        return
    plan = synthesis.plan(flags.excerpts, seconds)
    data, row = synthesis.load(flags.data, plan)
    setting = dataclasses.replace(_setting(flags), shape=data.shape[1:])
    schedule = real_run.Schedule(
        flags.batch,
        flags.epochs,
        flags.patience,
        flags.train_seconds,
        flags.epsilon,
        real_run.TILED if len(data) < flags.excerpts else real_run.AugmentConfig(),
    )
    for precision in flags.precisions:
        print(f"train, {precision}", flush=True)
        found = real_run.run(setting, precision, schedule, plan, data, row)
        report.put(f"train {precision}", real_run.rows_of(precision, found), found)
    runs = {name: report.part(f"train {name}") for name in ("float32", "tf32", "bfloat16")}
    rows, verdicts = [], {}
    for name in ("float32", "tf32"):
        if runs[name] and runs["bfloat16"]:
            what = f"{name} and bfloat16"
            verdict = verdicts[what] = real_run.agreement(runs[name], runs["bfloat16"])
            agreeing = 100 * (1 - len(verdict["apart"]) / max(1, verdict["compared"]))
            apart = ", ".join(" ".join(each[:3]) for each in verdict["apart"]) or "none"
            rows.append(
                Row("agreement", what, "", 0, agreeing, "% of metrics", note=f"apart: {apart}")
            )
    if rows:
        report.put("agreement", rows, verdicts)


def main(argv: list[str] | None = None) -> None:
    flags = parsed(sys.argv[1:] if argv is None else argv)
    _environment(flags)
    import jax

    from benchmarks.gpu.rows import Report

    jax.config.update("jax_default_prng_impl", flags.prng)
    about = _about(flags)
    report = Report(flags.out, about)
    if flags.parts:
        _measure(flags, report)
    if flags.train or flags.render:
        _train(flags, report)
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    print(f"{', '.join(about['devices'])}; {about['cores']} cores; {versions}")
    print(report.part("speed").get("twin") or "PyTorch not asked")
    print(report.table())
    print(f"written: {flags.out}")


if __name__ == "__main__":
    main()
