"""Bars: what is under way; of a training, which model, how fast, and what is left."""

import dataclasses

import tqdm

from launch import bars
from tagjax.run.progress import TrainingProgress

BEGUN = TrainingProgress(fold=1, folds=5, epoch=2, max_epochs=16, steps=10, batch_size=4)


def lines(capsys):
    return [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if line]


def test_a_bar_says_the_fold_the_epoch_and_the_time_left(capsys):
    with bars.TrainingBars() as show:
        show(BEGUN)
        show(dataclasses.replace(BEGUN, step=4, seconds_left=3725.4))
    first, *_, last = lines(capsys)
    assert first.startswith("fold 2/5, epoch 2/16:   0%|")
    assert "16/40 " in last
    assert "at most 1:02:05 left in all" in last


def test_an_epoch_ends_with_its_metrics_and_prediction_has_a_bar_of_its_own(capsys):
    alone = dataclasses.replace(BEGUN, fold=None, folds=0)
    metrics = {"train_loss": 1.25, "validation_loss": 2.5, "validation_accuracy": 0.125}
    with bars.TrainingBars() as show:
        show(alone)
        show(dataclasses.replace(alone, step=10))
        show(dataclasses.replace(alone, phase="validate", step=1, steps=3))
        show(dataclasses.replace(alone, phase="epoch", step=3, steps=3, metrics=metrics))
        show(dataclasses.replace(alone, phase="predict", steps=2))
        show(dataclasses.replace(alone, phase="predict", step=2, steps=2))
    shown = lines(capsys)
    *_, ended = [line for line in shown if "epoch 2" in line]
    assert ended.startswith("epoch 2/16: 100%|")
    assert "loss 1.250, validation loss 2.500, accuracy 12.5 %" in ended
    assert shown[-1].startswith("predict: 100%|")


def test_the_other_processes_draw_nothing(capsys):
    with bars.TrainingBars(shown=False) as show:
        show(BEGUN)
    assert lines(capsys) == []


def test_a_bar_names_what_is_under_way_and_ends_its_line(capsys, monkeypatch):
    """In a file, where no terminal clears it; time is short here."""
    monkeypatch.setattr(bars, "tqdm", lambda **given: tqdm.tqdm(**{**given, "delay": 0}))
    assert list(bars.bar(["map", "report"], "draw", 2)) == ["map", "report"]
    shown = capsys.readouterr().err
    assert shown.replace("\r", "\n").split("\n")[-2].startswith("draw: report: 100%|")
    assert shown.endswith("\n")


def test_what_is_quick_has_no_bar(capsys):
    assert list(bars.bar(["map", "report"], "draw", 2)) == ["map", "report"]
    assert lines(capsys) == []
