import json

import numpy as np
import pytest

from benchmarks.gpu import __main__ as gpu
from benchmarks.gpu import counts, real_run, resident, speed, stages, synthesis
from tagjax.network.model import PRESETS

_TINY = ["--tiny", "--precisions=bfloat16", "--twins="]


def test_each_part_has_its_rows_and_the_next_command_keeps_them(tmp_path, capsys):
    out = tmp_path / "gpu.json"
    gpu.main([*_TINY, "--parts=speed", f"--out={out}"])
    gpu.main([*_TINY, "--parts=", "--train", f"--data={tmp_path / 'mel'}", f"--out={out}"])
    found = json.loads(out.read_text())
    parts = [row["part"] for row in found["rows"]]
    assert {"ceiling", "count", "speed", "train bfloat16"} <= {*parts}
    whats = {row["what"] for row in found["rows"] if row["value"] is not None}
    assert {"train, tagjax", "predict, tagjax", "test accuracy"} <= whats
    assert {f"{task}, fm, map" for task in ("taxonomy", "deduplication", "translation")} <= whats
    curve = found["parts"]["train bfloat16"]["curve"]
    assert [epoch["epoch"] for epoch in curve] == [1, 2]
    assert all(np.isfinite(epoch["validation_loss"]) for epoch in curve)
    table = capsys.readouterr().out
    assert all(f"\n{part}  " in table for part in parts)


def test_the_count_by_hand_is_that_of_the_stack_notes():
    layers = counts.forward(PRESETS["paper"], 646, 96, 250)
    assert sum(layers.values()) == pytest.approx(3.67e9, rel=0.002)
    assert layers["conv2"] / sum(layers.values()) == pytest.approx(0.62, abs=0.005)
    assert counts.training(PRESETS["paper"], 646, 96, 250) == pytest.approx(11e9, rel=0.01)


def test_out_of_memory_is_a_row_and_no_end():
    def full(calls):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 byte.\nX")

    found, failed = speed.rates({"full": full, "fits": lambda calls: 0.5 * calls}, 4, 1.0, 1)
    assert found == {"fits": 8.0}
    assert failed == {"full": "out of memory"}


@pytest.mark.parametrize(
    ("name", "dimensions", "stage"),
    [
        ("jit(run)/jvp(TagClassifier)/conv2/conv_general_dilated", (), "conv2 block"),
        ("jit(run)/transpose(jvp(TagClassifier))/norm1/mul", (), "conv1 block"),
        ("jit(run)/jvp(TagClassifier)/max", (8, 17, 1, 512), "conv3+4 blocks"),
        ("jit(run)/jvp(TagClassifier)/gru/dot_general", (8, 512), "gru"),
        ("jit(run)/input/gather", (8, 646, 96), "input"),
        ("jit(run)/jvp(TagClassifier)/tags/dot_general", (8, 250), "softmax and loss"),
        ("jit(run)/sqrt", (3, 3, 64, 128), "optimiser and rest"),
    ],
)
def test_stage_of(name, dimensions, stage):
    assert stages.stage_of(name, dimensions, PRESETS["paper"]) == stage


def test_operations_of_a_program():
    text = """ENTRY %main.5 (a: f32[8,4]) -> f32[8,64] {
  ROOT %fusion.3 = f32[8,64]{1,0} fusion(%a), kind=kLoop, metadata={op_name="jit(r)/norm1/mul"}
}"""
    assert stages.operations(text, PRESETS["paper"]) == {"fusion.3": "conv1 block"}


def test_250_tags_with_truth_for_all_three_tasks():
    tags = synthesis.vocabulary()
    assert len(tags) == 250
    assert {*synthesis.taxonomy().parents} == {tag for tag in tags if ":genre:" not in tag}
    related = synthesis.translation()
    assert {one.source for one in related} == {tag for tag in tags if tag.startswith("b:")}
    assert {one.target for one in related} == {tag for tag in tags if tag.startswith("a:")}


def test_excerpts_not_rendered_are_tiled_in_training_alone(tmp_path):
    plan = synthesis.plan(400, 2.0)
    done = np.arange(400) % 2 == 0
    np.save(tmp_path / "done.npy", done)
    np.save(tmp_path / "mel.npy", np.arange(400, dtype=np.float16).reshape(400, 1, 1))
    mel, row = synthesis.load(tmp_path, plan)
    assert np.array_equal(mel[row[done], 0, 0], np.flatnonzero(done))
    tiled = ~done & (row >= 0)
    assert tiled.any()
    assert {*plan.part[tiled]} == {0}
    shown = mel[row[tiled], 0, 0].astype(int)
    assert np.array_equal(plan.label[shown], plan.label[tiled])


def test_agreement_is_within_an_interval():
    def run(mean):
        one = {"hr@1": {"mean": mean, "ci95": 0.05, "n": 9}}
        return {"metrics": {"taxonomy": {"fw": one, "fc": one, "fm": one, "fdist": {}}}}

    assert real_run.agreement(run(0.5), run(0.54)) == {"compared": 3, "apart": []}
    assert len(real_run.agreement(run(0.5), run(0.56))["apart"]) == 3


def test_precisions_are_those_of_the_steps():
    assert {of for of, _ in resident.PRECISIONS.values()} == {"float32", "bfloat16"}
