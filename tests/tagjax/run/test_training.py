"""Whole runs on a tiny data set: to the end, resumed, refused, in folds, in two processes."""

import dataclasses
import json
import os
import pathlib
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest

from tagjax.base.errors import InputError
from tagjax.examples import loader
from tagjax.network import step
from tagjax.network.augment import AugmentConfig
from tagjax.network.model import ModelConfig
from tagjax.run import config as train_config
from tagjax.run import parts, prediction, predictions, training
from tagjax.run.config import TrainConfig

PARTS = {"train": 22, "validation": 10, "test": 9, "overlap": 2}
FOLDS = {"fold_0": 8, "fold_1": 8, "fold_2": 8, "fold_0_upsampled": 4, "fold_1_overlap": 2}
CONFIG = TrainConfig(
    model=ModelConfig(filters=(4,), pools=((3, 2),), gru_units=6, batch_norm_momentum=0.5),
    batch_size=4,
    max_epochs=4,
    epsilon=1e-4,
    decay=True,
)
STEPS = 22 // 4


@pytest.fixture(scope="module")
def dataset(make_tiny, tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("data"), PARTS)


@pytest.fixture(scope="module")
def run_dir(dataset, tmp_path_factory):
    """A run that was never stopped."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    training.run(CONFIG, dataset, folder)
    return folder


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def without_speed(lines):
    return [{k: v for k, v in line.items() if k != "examples_per_second"} for line in lines]


def content(folder):
    """The names below a folder, so that what was left behind shows."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def evaluated_as(losses, monkeypatch):
    """Validation losses as given, whatever was learnt."""
    given = iter(losses)
    monkeypatch.setattr(
        training, "evaluate", lambda *args, **kwargs: {"loss": next(given), "accuracy": 0.5}
    )


def test_a_run_leaves_what_it_says(run_dir, dataset):
    names = {path.name for path in run_dir.iterdir()}
    assert names == {
        "config.json",
        "checkpoints",
        "metrics.jsonl",
        "tensorboard",
        "result.json",
        "predictions",
        "fw_kernel.npy",
    }
    assert list((run_dir / "tensorboard").glob("events.*"))
    lines = metrics(run_dir)
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4]
    assert [line["step"] for line in lines] == [STEPS * k for k in (1, 2, 3, 4)]
    result = json.loads((run_dir / "result.json").read_text())
    best = min(lines, key=lambda line: line["validation_loss"])
    assert result["best_epoch"] == best["epoch"]
    assert result["step"] == best["step"]
    assert result["loss"] == best["validation_loss"]
    assert lines[-1]["train_loss"] < lines[0]["train_loss"]


def test_predictions_are_those_of_the_best_checkpoint(run_dir, dataset):
    got = predictions.read(run_dir / "predictions")
    assert got.tags == dataset.tags
    examples = loader.Examples(dataset, ["test", "overlap"], loader.LoaderConfig())
    assert got.excerpts["part"] == ["test"] * 9 + ["overlap"] * 2
    each = [examples[i] for i in range(11)]
    for name in ("sng_id", "artist_id", "album_id", "tags"):
        assert got.excerpts[name] == [example[name] for example in each]
    assert got.excerpts["label"] == [dataset.tags[example["label"]] for example in each]
    for row, example in zip(got.occurrences, each, strict=True):
        assert {dataset.tags[i] for i in np.flatnonzero(row)} == set(example["tags"].split("|"))
    np.testing.assert_allclose(got.probabilities.sum(axis=1), 1, rtol=1e-5)
    state = prediction.restore(CONFIG, dataset, parts.parts_of(dataset), run_dir)
    assert int(state.step) == json.loads((run_dir / "result.json").read_text())["step"]
    mel = np.stack([example["mel"] for example in each])
    run = train_config.step_config(CONFIG, 3)
    wanted = step.jitted("predict_step", run)(state, {"mel": mel})
    np.testing.assert_allclose(got.probabilities, wanted, atol=1e-6)
    np.testing.assert_array_equal(
        np.load(run_dir / "fw_kernel.npy"), state.params["tags"]["kernel"]
    )


def test_a_finished_run_is_left_alone(run_dir, dataset, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in run_dir.rglob("*")}
    monkeypatch.setattr(loader, "train_batches", None)
    (result,) = training.run(CONFIG, dataset, run_dir)
    assert result == json.loads((run_dir / "result.json").read_text())
    assert {path: path.stat().st_mtime_ns for path in run_dir.rglob("*")} == before


def test_a_resumed_run_is_the_one_never_stopped(run_dir, dataset, tmp_path, monkeypatch):
    """Stopped after the third epoch's training, before it was evaluated and saved."""
    evaluate, calls = training.evaluate, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return evaluate(*args)

    monkeypatch.setattr(training, "evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.run(CONFIG, dataset, tmp_path)
    assert not (tmp_path / "result.json").exists()
    assert len(metrics(tmp_path)) == 2
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 15, "epoch": 3}\n{"step": 20, "ep')  # Written, then not saved.
    training.run(CONFIG, dataset, tmp_path)
    assert len(calls) == 5
    assert without_speed(metrics(tmp_path)) == without_speed(metrics(run_dir))
    a, b = (predictions.read(folder / "predictions") for folder in (tmp_path, run_dir))
    np.testing.assert_array_equal(a.probabilities, b.probabilities)
    run = train_config.step_config(CONFIG, 3, STEPS)
    states = []
    for folder in (tmp_path, run_dir):
        checkpoints = training.Checkpoints(folder / "checkpoints")
        states.append(checkpoints.restore(4 * STEPS, step.initial_state(run, (12, 8)))[0])
        checkpoints.close()
    jax.tree.map(np.testing.assert_array_equal, *states)


def test_a_run_killed_before_its_predictions_makes_them(run_dir, dataset, tmp_path):
    copied = tmp_path / "run"
    subprocess.run(["cp", "-r", run_dir, copied], check=True)
    (copied / "result.json").unlink()
    subprocess.run(["rm", "-r", copied / "predictions"], check=True)
    training.run(CONFIG, dataset, copied)
    a, b = (predictions.read(folder / "predictions") for folder in (copied, run_dir))
    np.testing.assert_array_equal(a.probabilities, b.probabilities)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "train.seed: 0 there, 1 here"),
        ({"model": dataclasses.replace(CONFIG.model, gru_units=7)}, "gru_units: 6 there, 7 here"),
    ],
)
def test_another_configurations_run_directory_is_refused(run_dir, dataset, change, message):
    with pytest.raises(InputError, match=message):
        training.run(dataclasses.replace(CONFIG, **change), dataset, run_dir)


def test_another_data_sets_run_directory_is_refused(run_dir, dataset, make_tiny, tmp_path):
    other = make_tiny(tmp_path, {**PARTS, "test": 7})
    with pytest.raises(InputError, match=r"fingerprint.test: \[9, .*\] there, \[7, .*\] here"):
        training.run(CONFIG, other, run_dir)
    fewer = dataclasses.replace(dataset, tags=dataset.tags[:2])
    with pytest.raises(InputError, match=r"tags: \['blues', 'jazz', 'rock'\] there") as caught:
        training.run(CONFIG, fewer, run_dir)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 6}, "batch_size 6 .* 4 devices"),
        ({"model": dataclasses.replace(CONFIG.model, pools=((3, 9),))}, "8 mel bands .* 9"),
        ({"augment": AugmentConfig(crop_frames=2)}, "2 frames .* 3"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing_behind(dataset, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        training.run(dataclasses.replace(CONFIG, **change), dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "bad", [{"batch_size": 0}, {"max_epochs": 0}, {"patience": 0}, {"precision": "half"}]
)
def test_an_impossible_choice_is_refused(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        dataclasses.replace(CONFIG, **bad)


@pytest.mark.parametrize(
    ("losses", "min_epochs", "epochs", "best"),
    [
        ([1.0, 0.8, 0.9], 1, 3, 2),
        ([1.0, 0.8, 0.8], 1, 3, 2),  # Of equals the first.
        ([1.0, 1.1, 1.2], 3, 3, 1),
        ([1.0, 1.1, 0.5, 0.4], 3, 4, 4),
    ],
)
def test_early_stopping(dataset, tmp_path, monkeypatch, losses, min_epochs, epochs, best):
    evaluated_as(losses, monkeypatch)
    config = dataclasses.replace(CONFIG, patience=1, min_epochs=min_epochs)
    result = training.train(config, dataset, parts.parts_of(dataset), tmp_path)
    assert result["epochs"] == epochs
    assert result["best_epoch"] == best
    assert result["loss"] == losses[best - 1]
    assert result["step"] == best * STEPS
    state = prediction.restore(config, dataset, parts.parts_of(dataset), tmp_path)
    assert int(state.step) == best * STEPS


def test_without_early_stopping_the_last_epoch_predicts(dataset, tmp_path, monkeypatch):
    evaluated_as([0.1, 0.2, 0.3, 0.4], monkeypatch)
    config = dataclasses.replace(CONFIG, patience=1, early_stopping=False)
    result = training.train(config, dataset, parts.parts_of(dataset), tmp_path)
    assert result["epochs"] == 4
    assert result["step"] == 4 * STEPS


def test_a_loss_that_is_no_number_ends_the_run(dataset, tmp_path, monkeypatch):
    honest = loader.Examples.batch

    def broken(self, indices, positions, weight):
        batch = honest(self, indices, positions, weight)
        return batch | {"mel": np.full_like(batch["mel"], np.nan)}

    monkeypatch.setattr(loader.Examples, "batch", broken)
    with pytest.raises(InputError, match="the loss of step 0 is nan, of the excerpts s") as caught:
        training.run(CONFIG, dataset, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "result.json").exists()
    assert not (tmp_path / "predictions").exists()


def test_parts_of_a_fold(dataset):
    folded = dataclasses.replace(dataset, parts=FOLDS)
    assert parts.folds_of(dataset) == 0
    assert parts.folds_of(folded) == 3
    assert parts.parts_of(folded, 1) == parts.Parts(
        ("fold_0", "fold_0_upsampled"), ("fold_2",), ("fold_1", "fold_1_overlap")
    )
    assert parts.parts_of(folded, 2, early_stopping=False) == parts.Parts(
        ("fold_0", "fold_0_upsampled", "fold_1"), (), ("fold_2",)
    )
    more = {**FOLDS, "fold_0_downsampled": 3, "fold_1_downsampled": 2}
    assert parts.parts_of(dataclasses.replace(dataset, parts=more), 1) == parts.Parts(
        ("fold_0", "fold_0_upsampled"),
        ("fold_2",),
        ("fold_1", "fold_1_downsampled", "fold_1_overlap"),
    )
    two = dataclasses.replace(dataset, parts={"fold_0": 8, "fold_1": 8})
    with pytest.raises(InputError, match="2 folds, too few"):
        parts.parts_of(two, 0)
    with pytest.raises(InputError, match="no part 'test'"):
        parts.parts_of(dataclasses.replace(dataset, parts={"train": 3, "validation": 3}))


def test_folds_predict_every_excerpt_once(make_tiny, tmp_path):
    folded = make_tiny(tmp_path / "data", FOLDS)
    config = dataclasses.replace(CONFIG, max_epochs=1, early_stopping=False, decay=False)
    run_dir = tmp_path / "run"
    with pytest.raises(InputError, match=r"--fold=3: .* has 3 folds"):
        training.run(config, folded, run_dir, only=3)
    assert not run_dir.exists()
    training.run(config, folded, run_dir, only=2)
    assert not (run_dir / "predictions").exists()
    assert len(training.run(config, folded, run_dir)) == 3
    got = predictions.read(run_dir / "predictions")
    # s24…s27 are the upsampled ones, s28 and s29 the overlap.
    assert sorted(got.excerpts["sng_id"]) == sorted(f"s{k}" for k in range(30) if k // 4 != 6)
    assert set(got.excerpts["part"]) == {"fold_0", "fold_1", "fold_1_overlap", "fold_2"}
    with pytest.raises(InputError, match=r"train.seed: 0 there, 1 here"):
        training.run(dataclasses.replace(config, seed=1), folded, run_dir)


def test_chance_learns_dealt_labels_and_predicts_with_the_true_ones(dataset, tmp_path):
    config = dataclasses.replace(CONFIG, shuffle_labels=True)
    training.run(config, dataset, tmp_path)
    got = predictions.read(tmp_path / "predictions")
    examples = loader.Examples(dataset, ["test", "overlap"], loader.LoaderConfig())
    labels = [dataset.tags[examples[i]["label"]] for i in range(len(examples))]
    assert got.excerpts["label"] == labels


PROCESS = """
import sys
from tagjax.examples import loader
from tagjax.run import devices, parts, training
from tagjax.network.augment import AugmentConfig
from tagjax.network.model import ModelConfig
from tagjax.run.config import TrainConfig
port, number, data_dir, run_dir = sys.argv[1:]
dataset = loader.find("tiny", data_dir)
devices.initialise("localhost:" + port, 2, int(number))
import pathlib
for epochs in (2, None):  # Stopped and resumed, too.
    if epochs:
        whole, training._Progress.ended = training._Progress.ended, lambda p, c: p.epoch >= epochs
        training.train({config}, dataset, parts.parts_of(dataset), pathlib.Path(run_dir))
        training._Progress.ended = whole
        if devices.is_leader():
            (pathlib.Path(run_dir) / "result.json").unlink()
        devices.barrier("unlinked")
    else:
        training.run({config}, dataset, pathlib.Path(run_dir))
"""


def test_two_processes_are_as_one(run_dir, dataset, tmp_path):
    """Two processes of two devices, the same global batch, uneven last batches."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    flags = os.environ["XLA_FLAGS"].replace("device_count=4", "device_count=2")
    root = pathlib.Path(training.__file__).parents[2]
    script = PROCESS.replace("{config}", repr(CONFIG))
    arguments = [str(dataset.path.parents[2]), str(tmp_path / "run")]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, port, str(number), *arguments],
            env=os.environ | {"XLA_FLAGS": flags, "PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in (0, 1)
    ]
    try:
        outputs = [process.communicate(timeout=240)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], "\n".join(outputs)
    assert "epoch 1/4" in outputs[0]
    assert "epoch" not in outputs[1]
    ours, alone = (without_speed(metrics(folder)) for folder in (tmp_path / "run", run_dir))
    assert [line["step"] for line in ours] == [line["step"] for line in alone]
    for a, b in zip(ours, alone, strict=True):
        assert a == pytest.approx(b, rel=1e-4)
    a, b = (predictions.read(folder / "predictions") for folder in (tmp_path / "run", run_dir))
    assert a.excerpts == b.excerpts
    np.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-4)
