"""Whole runs on a tiny data set: to the end, resumed, refused, in folds, in two processes."""

import collections
import dataclasses
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest

from tagjax.base.errors import InputError
from tagjax.examples import loader
from tagjax.network import step
from tagjax.network.model import ModelConfig
from tagjax.run import parts, prediction, predictions, progress, training
from tagjax.run.config import PRESETS, TrainConfig, decay_steps, replaced
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.truth import Truth, read_truth, write_truth

PARTS = {"train": 22, "validation": 10, "test": 9, "overlap": 2}
FOLDS = {"fold_0": 8, "fold_1": 8, "fold_2": 8, "fold_0_upsampled": 4, "fold_1_overlap": 2}
MODEL = ModelConfig(filters=(4,), pools=((3, 2),), gru_units=6, batch_norm_momentum=0.5)
CONFIG = TrainConfig(step.StepConfig(MODEL, epsilon=1e-4), batch_size=4, max_epochs=4, decay=True)
STEPS = 22 // 4


@pytest.fixture(scope="module")
def dataset(make_tiny, tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("data"), PARTS)


@pytest.fixture(scope="module")
def run_dir(dataset, tmp_path_factory):
    """A run that was never stopped."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    training.train_run(CONFIG, dataset, folder)
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
    mel, _ = examples.read(np.arange(11))
    wanted = step.jitted("predict_step", CONFIG.step)(state, {"mel": mel})
    np.testing.assert_allclose(got.probabilities, wanted, atol=1e-6)
    np.testing.assert_array_equal(
        np.load(run_dir / "fw_kernel.npy"), state.params["tags"]["kernel"]
    )


def counted(dataset, names):
    """(excerpts, artists) of each label in some parts, by another way than the run's."""
    examples = loader.Examples(dataset, names, loader.LoaderConfig())
    pairs = [(int(e["label"]), e["artist_id"]) for e in (examples[i] for i in range(len(examples)))]
    return [
        (
            sum(label == k for label, _ in pairs),
            len({artist for label, artist in pairs if label == k}),
        )
        for k in range(len(dataset.tags))
    ]


def told(labels):
    return list(zip(labels.excerpts.tolist(), labels.artists.tolist(), strict=True))


def test_predictions_say_what_their_model_was_trained_on(run_dir, dataset):
    (labels,) = predictions.read(run_dir / "predictions").labels
    assert told(labels) == counted(dataset, ["train"])
    assert labels.excerpts.sum() == PARTS["train"]


def test_a_finished_run_is_left_alone(run_dir, dataset, monkeypatch):
    before = {path: path.stat().st_mtime_ns for path in run_dir.rglob("*")}
    monkeypatch.setattr(loader, "train_batches", None)
    (result,) = training.train_run(CONFIG, dataset, run_dir)
    assert result == json.loads((run_dir / "result.json").read_text())
    assert {path: path.stat().st_mtime_ns for path in run_dir.rglob("*")} == before


def test_a_resumed_run_is_the_one_never_stopped(run_dir, dataset, tmp_path, monkeypatch):
    """Stopped after the third epoch's training, before it was evaluated and saved.

    The number of processes that read does not matter either.
    """
    evaluate, calls = training.evaluate, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return evaluate(*args)

    monkeypatch.setattr(training, "evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.train_run(replaced(CONFIG, {"reading_processes": 2}), dataset, tmp_path)
    assert not (tmp_path / "result.json").exists()
    assert len(metrics(tmp_path)) == 2
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 15, "epoch": 3}\n{"step": 20, "ep')  # Written, then not saved.
    training.train_run(replaced(CONFIG, {"reading_processes": 3}), dataset, tmp_path)
    assert len(calls) == 5
    assert without_speed(metrics(tmp_path)) == without_speed(metrics(run_dir))
    a, b = (predictions.read(folder / "predictions") for folder in (tmp_path, run_dir))
    np.testing.assert_array_equal(a.probabilities, b.probabilities)
    decay = decay_steps(CONFIG, dataset, parts.parts_of(dataset))
    assert decay == 4 * STEPS
    like = step.initial_state(CONFIG.step, 3, (12, 8), decay)
    states = []
    for folder in (tmp_path, run_dir):
        checkpoints = training.Checkpoints(folder / "checkpoints")
        states.append(checkpoints.restore(4 * STEPS, like)[0])
        checkpoints.close()
    jax.tree.map(np.testing.assert_array_equal, *states)


def test_a_run_killed_before_its_predictions_makes_them(run_dir, dataset, tmp_path):
    copied = tmp_path / "run"
    subprocess.run(["cp", "-r", run_dir, copied], check=True)
    (copied / "result.json").unlink()
    subprocess.run(["rm", "-r", copied / "predictions"], check=True)
    training.train_run(CONFIG, dataset, copied)
    a, b = (predictions.read(folder / "predictions") for folder in (copied, run_dir))
    np.testing.assert_array_equal(a.probabilities, b.probabilities)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 1}, "train.seed: 0 there, 1 here"),
        ({"gru_units": 7}, "train.model.gru_units: 6 there, 7 here"),
    ],
)
def test_another_configurations_run_directory_is_refused(run_dir, dataset, change, message):
    with pytest.raises(InputError, match=message):
        training.train_run(replaced(CONFIG, change), dataset, run_dir)


def test_another_data_sets_run_directory_is_refused(run_dir, dataset, make_tiny, tmp_path):
    other = make_tiny(tmp_path, {**PARTS, "test": 7})
    with pytest.raises(InputError, match=r"fingerprint.test: \[9, .*\] there, \[7, .*\] here"):
        training.train_run(CONFIG, other, run_dir)
    fewer = dataclasses.replace(dataset, vocabulary=dataset.vocabulary.select(dataset.tags[:2]))
    with pytest.raises(InputError, match=r"tags: \['blues', 'jazz', 'rock'\] there") as caught:
        training.train_run(CONFIG, fewer, run_dir)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 6}, "batch_size 6 .* 4 devices"),
        ({"pools": ((3, 9),)}, "8 mel bands .* 9"),
        ({"crop_frames": 2}, "2 frames .* 3"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing_behind(dataset, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        training.train_run(replaced(CONFIG, change), dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "bad", [{"batch_size": 0}, {"max_epochs": 0}, {"patience": 0}, {"precision": "half"}]
)
def test_an_impossible_choice_is_refused(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        replaced(CONFIG, bad)


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
    result = training.train_model(config, dataset, parts.parts_of(dataset), tmp_path)
    assert result["epochs"] == epochs
    assert result["best_epoch"] == best
    assert result["loss"] == losses[best - 1]
    assert result["step"] == best * STEPS
    state = prediction.restore(config, dataset, parts.parts_of(dataset), tmp_path)
    assert int(state.step) == best * STEPS


def test_without_early_stopping_the_last_epoch_predicts(dataset, tmp_path, monkeypatch):
    evaluated_as([0.1, 0.2, 0.3, 0.4], monkeypatch)
    config = dataclasses.replace(CONFIG, patience=1, early_stopping=False)
    result = training.train_model(config, dataset, parts.parts_of(dataset), tmp_path)
    assert result["epochs"] == 4
    assert result["step"] == 4 * STEPS


def test_a_loss_that_is_no_number_ends_the_run(dataset, tmp_path, monkeypatch):
    honest = loader.Examples.batch

    def broken(self, indices, positions, weight):
        batch = honest(self, indices, positions, weight)
        return batch | {"mel": np.full_like(batch["mel"], np.nan)}

    monkeypatch.setattr(loader.Examples, "batch", broken)
    with pytest.raises(InputError, match="the loss of step 0 is nan, of the excerpts s") as caught:
        training.train_run(CONFIG, dataset, tmp_path)
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
        training.train_run(config, folded, run_dir, fold=3)
    assert not run_dir.exists()
    training.train_run(config, folded, run_dir, fold=2)
    assert not (run_dir / "predictions").exists()
    assert len(training.train_run(config, folded, run_dir)) == 3
    got = predictions.read(run_dir / "predictions")
    # s24…s27 are the upsampled ones, s28 and s29 the overlap.
    assert sorted(got.excerpts["sng_id"]) == sorted(f"s{k}" for k in range(30) if k // 4 != 6)
    assert set(got.excerpts["part"]) == {"fold_0", "fold_1", "fold_1_overlap", "fold_2"}
    # Each fold's model is trained on the others, upsampled ones included.
    learnt = [["fold_1", "fold_2"], ["fold_0", "fold_0_upsampled", "fold_2"]]
    learnt.append(["fold_0", "fold_0_upsampled", "fold_1"])
    assert [told(some) for some in got.labels] == [counted(folded, names) for names in learnt]
    with pytest.raises(InputError, match=r"train.seed: 0 there, 1 here"):
        training.train_run(replaced(config, {"seed": 1}), folded, run_dir)


LOUD = {"train": 96, "validation": 24, "test": 60}


@pytest.fixture(scope="module")
def loud(make_tiny, tmp_path_factory):
    """Enough of the tiny excerpts to learn which band is loud with which tag."""
    return make_tiny(tmp_path_factory.mktemp("loud"), LOUD)


def learnt_from(config, dataset, run_dir, monkeypatch):
    """(accuracy of the predictions, {sng_id: (loud band, label)} of what training was shown)."""
    batch, shown = loader.Examples.batch, {}

    def watched(self, indices, positions, weight):
        given = batch(self, indices, positions, weight)
        if "test" not in self.part_names:
            for row, label in enumerate(given["label"]):
                example = self[int(indices[row])]
                band = given["mel"][row].mean(axis=0).reshape(4, 2).sum(axis=1).argmax()
                shown[example["sng_id"]] = int(band), int(label)
        return given

    monkeypatch.setattr(loader.Examples, "batch", watched)
    training.train_run(config, dataset, run_dir)
    monkeypatch.undo()
    found = predictions.read(run_dir / "predictions")
    answers = [found.tags[i] for i in found.probabilities.argmax(axis=1)]
    return np.mean([a == b for a, b in zip(answers, found.excerpts["label"], strict=True)]), shown


def test_chance_is_what_shuffled_labels_teach(loud, tmp_path, monkeypatch):
    """The same data is learnt well with its own labels, and not at all with those dealt out."""
    config = dataclasses.replace(
        replaced(CONFIG, {"epsilon": 1e-3, "gru_dropout": 0.0}), batch_size=8, decay=False
    )
    accuracy, shown = learnt_from(config, loud, tmp_path / "own", monkeypatch)
    assert len(shown) == LOUD["train"] + LOUD["validation"]
    assert all(band == label for band, label in shown.values())
    assert accuracy > 0.8
    chance = dataclasses.replace(config, shuffle_labels=True)
    accuracy, dealt = learnt_from(chance, loud, tmp_path / "dealt", monkeypatch)
    assert dealt.keys() == shown.keys()
    # Two excerpts an album, which keep one label; and every label as often as before.
    for k in range(0, len(dealt), 2):
        assert dealt[f"s{k}"][1] == dealt[f"s{k + 1}"][1]
    counts = [collections.Counter(label for _, label in each.values()) for each in (shown, dealt)]
    assert counts[0] == counts[1]
    # Independent of the band: a third agrees, with a standard deviation of 6 % for 60 albums.
    agreeing = np.mean([band == label for band, label in dealt.values()])
    assert 0.15 < agreeing < 0.52
    assert accuracy < 0.6


def test_a_run_of_chance_predicts_with_the_true_labels(dataset, tmp_path):
    config = dataclasses.replace(CONFIG, shuffle_labels=True, max_epochs=1)
    training.train_run(config, dataset, tmp_path)
    got = predictions.read(tmp_path / "predictions")
    examples = loader.Examples(dataset, ["test", "overlap"], loader.LoaderConfig())
    labels = [dataset.tags[examples[i]["label"]] for i in range(len(examples))]
    assert got.excerpts["label"] == labels


def test_progress_says_the_fold_the_epoch_and_the_time_left(make_tiny, tmp_path):
    folded = make_tiny(tmp_path / "data", FOLDS)
    config = dataclasses.replace(CONFIG, max_epochs=2, patience=9)
    heard = []
    training.train_run(config, folded, tmp_path / "run", on_progress=heard.append)
    assert [now.fold for now in heard] == sorted(now.fold for now in heard)
    assert {(now.fold, now.folds, now.max_epochs) for now in heard} == {(k, 3, 2) for k in range(3)}
    # The first fold: 8 excerpts are learnt, 8 validated, 10 predicted, in batches of 4.
    first = [(now.phase, now.epoch, now.step, now.steps) for now in heard if now.fold == 0]
    epochs = [
        [
            *(("train", epoch, step, 2) for step in range(3)),
            *(("validate", epoch, step, 2) for step in range(3)),
            ("epoch", epoch, 2, 2),
        ]
        for epoch in (1, 2)
    ]
    assert first == [*epochs[0], *epochs[1], *(("predict", 2, step, 2) for step in range(3))]
    logged = metrics(tmp_path / "run" / "fold_0")
    told = [now.metrics for now in heard if now.fold == 0 and now.phase == "epoch"]
    assert told == [{k: v for k, v in one.items() if k not in ("step", "epoch")} for one in logged]
    assert heard[0].seconds_left is None
    assert all(now.seconds_left >= 0 for now in heard[5:])
    assert heard[-1].seconds_left == 0
    ends = [now.seconds_left for now in heard if now.phase == "epoch"]
    assert ends[0] > 0.5 * ends[-1]


def test_time_left_is_work_left_over_the_rate_so_far(monkeypatch):
    """Training is counted three times as dear as a forward pass."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    workloads = [progress.Workload(2, 10, 4, 6), progress.Workload(1, 10, 0, 6)]
    heard = []
    reporter = progress.Reporter(heard.append, workloads, batch_size=8)
    reporter.model(0, 0, 2)
    reporter.begin("train", 10, epoch=1)
    for seconds in (60.0, 3.0, 3.0):  # The first batch is compiled for.
        now[0] += seconds
        reporter.advance()
    assert heard[-1].excerpts_per_second == pytest.approx(8 / 3)
    # 7 x 3 + 4 of this epoch, 34 of the next one, 6, then 36; a pass takes a second.
    assert heard[-1].seconds_left == pytest.approx(25 + 34 + 6 + 36)
    reporter.model(1, 1, 2)
    reporter.begin("predict", 6, step=0)
    assert heard[-1].seconds_left == pytest.approx(6)


OLD_RECORD = {
    "model": {
        "filters": [4],
        "pools": [[3, 2]],
        "gru_units": 6,
        "convolution": "full",
        "activation": "relu",
        "batch_norm": True,
        "batch_norm_momentum": 0.5,
        "batch_norm_epsilon": 0.001,
        "recurrent_activation": "hard_sigmoid",
        "conv_dropout": 0.0,
        "gru_dropout": 0.5,
    },
    "augment": {
        "crop_frames": 0,
        "gain_db": 0.0,
        "tilt_db": 0.0,
        "shift_bands": 0,
        "mask_bands": 0,
        "mask_frames": 0,
    },
    "batch_size": 4,
    "max_epochs": 4,
    "patience": 10,
    "min_epochs": 1,
    "early_stopping": True,
    "decay": True,
    "precision": "float32",
    "learning_rate": 1.0,
    "rho": 0.95,
    "epsilon": 0.0001,
    "label_smoothing": 0.0,
    "seed": 0,
    "shuffle_labels": False,
}
"""`train` of a `config.json` written before steps had a config of their own."""


def test_a_config_comes_back_from_its_record():
    assert json.loads(json.dumps(CONFIG.record())) == OLD_RECORD
    assert TrainConfig.from_record(OLD_RECORD) == CONFIG
    for preset in PRESETS.values():
        assert TrainConfig.from_record(json.loads(json.dumps(preset.record()))) == preset
    with pytest.raises(InputError, match="gru_unit"):
        TrainConfig.from_record({**OLD_RECORD, "gru_unit": 3})
    with pytest.raises(InputError, match="seed"):
        TrainConfig.from_record({k: v for k, v in OLD_RECORD.items() if k != "seed"})


OLD_METADATA = {
    "experiment": "taxonomy",
    "systems": [""],
    "truth": {"taxonomy": [["jazz", "rock"]]},
}
"""Of a data set and its runs, before the vocabulary was recorded and the truth was tables."""


def test_a_run_directory_of_before_is_of_the_same_run(run_dir, dataset, tmp_path):
    """The truth, and systems instead of a vocabulary, were part of what a run is."""
    shutil.copytree(run_dir, tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text())
    assert config["train"] == OLD_RECORD
    assert config["metadata"] == dataset.metadata
    assert config["metadata"].keys() == {"experiment", "vocabulary"}
    old = json.dumps({**config, "metadata": OLD_METADATA})
    path.write_text(old)
    for now in (dataset, dataclasses.replace(dataset, metadata=OLD_METADATA)):
        (result,) = training.train_run(CONFIG, now, tmp_path / "run")
        assert result["epochs"] == 4
    assert path.read_text() == old
    other = dataclasses.replace(dataset, metadata={**OLD_METADATA, "experiment": "translation"})
    with pytest.raises(InputError, match=r"metadata.experiment: 'taxonomy' there, 'translation'"):
        training.train_run(CONFIG, other, tmp_path / "run")


def test_another_vocabulary_of_the_same_tags_is_another_run(run_dir, dataset, tmp_path):
    shutil.copytree(run_dir, tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    path.write_text(path.read_text().replace('"half"', '"parts"'))
    with pytest.raises(InputError, match=r"metadata\.vocabulary\.parts: .* there, None here"):
        training.train_run(CONFIG, dataset, tmp_path / "run")


def test_a_run_keeps_the_truth_of_its_data_set_up_to_date(dataset, tmp_path, run_dir):
    """A corrected table reaches a run that is done, which is not trained again for it."""
    shutil.copytree(run_dir, tmp_path / "run")
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    for number, pairs in enumerate(([("jazz", "blues")], [("jazz", "rock")], [])):
        truth = Truth(Taxonomy.of(pairs) if pairs else None)
        (tmp_path / str(number)).mkdir()
        write_truth(tmp_path / str(number), truth)
        known = dataclasses.replace(dataset, path=tmp_path / str(number))
        training.train_run(CONFIG, known, tmp_path / "run")
        assert read_truth(tmp_path / "run" / "truth") == truth
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_a_run_directory_may_have_any_name(dataset, tmp_path):
    """Orbax took `[b]` for a pattern, and what it wrote below it was lost without a word."""
    run_dir = tmp_path / "a [b] c" / "back\\slash" / "gs:" / "音楽 🎵 %20#?*" / os.fsdecode(b"\xff")
    config = dataclasses.replace(CONFIG, max_epochs=2)
    with pytest.raises(KeyboardInterrupt):
        training.train_run(config, dataset, run_dir, on_progress=interrupted_in_epoch_2)
    (result,) = training.train_run(config, dataset, run_dir)
    assert [line["epoch"] for line in metrics(run_dir)] == [1, 2]
    assert result["epochs"] == 2
    assert len(predictions.read(run_dir / "predictions").probabilities) == 11
    assert [path.name for path in tmp_path.iterdir()] == ["a [b] c"]


def interrupted_in_epoch_2(now):
    if now.epoch == 2:
        raise KeyboardInterrupt


PROCESS = """
import json
import sys
from tagjax.examples.dataset import find
from tagjax.run import devices, parts, training
from tagjax.run.config import TrainConfig
port, number, data_dir, run_dir, record = sys.argv[1:]
config = TrainConfig.from_record(json.loads(record))
dataset = find("tiny", data_dir)
devices.initialise("localhost:" + port, 2, int(number))
import pathlib
for epochs in (2, None):  # Stopped and resumed, too.
    if epochs:
        whole, training._History.ended = training._History.ended, lambda h, c: h.epoch >= epochs
        training.train_model(config, dataset, parts.parts_of(dataset), pathlib.Path(run_dir))
        training._History.ended = whole
        if devices.is_leader():
            (pathlib.Path(run_dir) / "result.json").unlink()
        devices.barrier("unlinked")
    else:
        training.train_run(config, dataset, pathlib.Path(run_dir))
"""


def test_two_processes_are_as_one(run_dir, dataset, tmp_path):
    """Two processes of two devices, the same global batch, uneven last batches."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    flags = os.environ["XLA_FLAGS"].replace("device_count=4", "device_count=2")
    root = pathlib.Path(training.__file__).parents[2]
    arguments = [str(dataset.path.parents[2]), str(tmp_path / "run"), json.dumps(CONFIG.record())]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, port, str(number), *arguments],
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
    assert "epoch" not in "".join(outputs)  # A library prints no progress of its own.
    ours, alone = (without_speed(metrics(folder)) for folder in (tmp_path / "run", run_dir))
    assert [line["step"] for line in ours] == [line["step"] for line in alone]
    for a, b in zip(ours, alone, strict=True):
        assert a == pytest.approx(b, rel=1e-4)
    a, b = (predictions.read(folder / "predictions") for folder in (tmp_path / "run", run_dir))
    assert a.excerpts == b.excerpts
    np.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-4)
