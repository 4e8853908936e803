"""The benchmark of a GPU in little, on whatever there is."""

import numpy as np
import pytest

from benchmarks import gpu
from tagjax.network.model import PRESETS

PAPER = gpu.Setting(PRESETS["paper"], (646, 96), 250, 8, 0.01, 1)


def test_every_row_of_the_table_is_printed(tmp_path, capsys):
    gpu.main(
        ["--tiny", "--train", "--precisions", "bfloat16", "--twins", "eager", f"--data={tmp_path}"]
    )
    lines = capsys.readouterr().out.splitlines()
    rows = {line[:34].strip(): line[34:].split() for line in lines}
    for what in ("product of 64", "copy, read + written", "copy from the host"):
        assert float(rows[f"ceiling: {what}"][-2].replace(",", "")) >= 0  # 0.00 under load.
    for kind in gpu.KINDS:
        precision, batch, rate, unit, *share_and_bytes = rows[f"{kind}, tagjax"]
        assert (precision, batch, unit) == ("bfloat16", "4", "examples/s")
        assert float(rate.replace(",", "")) > 0
        assert share_and_bytes[1] == "%"
        assert share_and_bytes[3] == "GB/s,"
    assert "train, resident, torch eager" in rows  # Its rate, or why there is none.
    assert {"run: render", "run: wall", "run: train", "run: test accuracy"} <= {*rows}
    assert "2 epochs" in next(line for line in lines if line.startswith("run: wall"))
    assert (tmp_path / "mel_64_36.npy").exists()


def test_the_count_by_hand_is_that_of_the_stack_notes():
    assert gpu.flops(PAPER, train=False) == pytest.approx(3.67e9, rel=0.002)
    assert gpu.flops(PAPER, train=True) == pytest.approx(11e9, rel=0.01)


def test_what_fails_is_named_and_does_not_end_the_others():
    def full(calls):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 byte.\nX")

    def broken(calls):
        raise ImportError("no torch here")

    runs = {"full": full, "fits": lambda calls: 0.5 * calls, "broken": broken}
    found, failed = gpu.rates(runs, 4, 1.0, 1)
    assert found == {"fits": 8.0}
    assert failed == {"full": "out of memory", "broken": "ImportError: no torch here"}


def test_padding_counts_for_nothing():
    from benchmarks import gpu_run
    from tagjax.network import model, step

    config = step.StepConfig(model.ModelConfig((2,), ((2, 2),), gru_units=2))
    mel = np.random.default_rng(0).random((5, 4, 8), np.float32)
    label = np.array([0, 1, 2, 0, 1], np.int32)
    padded, whole = (gpu.Steps(config, 3, "float32", mel, label) for _ in range(2))
    found = gpu_run.evaluate(padded, np.arange(5), 4)
    assert found == pytest.approx(gpu_run.evaluate(whole, np.arange(5), 5), rel=1e-4)


def test_precisions_are_those_of_the_steps():
    from tagjax.network import step

    assert {dtype for dtype, _ in gpu.PRECISIONS.values()} == {*step.PRECISIONS}
