"""How far a run has come, and how it is reported."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

_STEP_PASSES = 3
"""A step of training takes about as long as three forward passes."""


@dataclasses.dataclass(frozen=True)
class TrainingProgress:
    """How far a run has come.

    Attributes:
      phase: "read" (examples go to an accelerator's memory), "train", "validate" or "predict";
        "epoch" when an epoch has ended.
      fold: the fold whose model is trained, from 0 on; None for a data set without folds.
      folds: number of folds; 0 for a data set without folds.
      epoch: number, from 1 on, of the current epoch or the one that just ended.
      max_epochs: number of epochs, unless training stops early.
      step: number of batches done in this phase.
      steps: number of batches in this phase.
      batch_size: excerpts in a batch; 1 while they are read.
      excerpts_per_second: speed in this phase; 0 until its second batch.
      seconds_left: time left for the whole run with all its folds, if no training stops early;
        None while it is not known.
      metrics: metrics of the last epoch that ended, as in `metrics.jsonl`.
    """

    phase: str = "train"
    fold: int | None = None
    folds: int = 0
    epoch: int = 1
    max_epochs: int = 1
    step: int = 0
    steps: int = 1
    batch_size: int = 1
    excerpts_per_second: float = 0.0
    seconds_left: float | None = None
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)


OnProgress = Callable[[TrainingProgress], None]


@dataclasses.dataclass(frozen=True)
class Workload:
    """Numbers of batches that one model takes.

    Attributes:
      epochs: the largest number of epochs.
      train: batches of training in each epoch.
      validate: batches of validation in each epoch.
      predict: batches of the prediction at the end.
    """

    epochs: int
    train: int
    validate: int
    predict: int

    def left(self, now: TrainingProgress | None = None) -> int:
        """The work that is left, in forward passes of a batch.

        >>> Workload(epochs=2, train=10, validate=4, predict=6).left()
        74
        """
        epoch = _STEP_PASSES * self.train + self.validate
        if now is None or now.phase == "read":
            return self.epochs * epoch + self.predict
        if now.phase == "predict":
            return self.predict - now.step
        epoch_left = {
            "train": _STEP_PASSES * (self.train - now.step) + self.validate,
            "validate": self.validate - now.step,
            "epoch": 0,
        }
        return epoch_left[now.phase] + (self.epochs - now.epoch) * epoch + self.predict


class Reporter:
    """Measures the time of a run's phases and calls `on_progress` at each batch."""

    def __init__(
        self,
        on_progress: OnProgress | None = None,
        workloads: Sequence[Workload] = (),
        batch_size: int = 1,
    ) -> None:
        """Starts with nothing done.

        Args:
          on_progress: called at the beginning of each phase and after each of its batches.
          workloads: those of the run's models, in their order.
          batch_size: excerpts in a batch.
        """
        self._on_progress, self._workloads = on_progress, tuple(workloads)
        self._batch_size = batch_size
        self._now = TrainingProgress()
        self._model = 0
        self._batch_done = math.nan
        self._phase_seconds = self._seconds = 0.0
        self._phase_batches = self._passes = 0

    def model(self, number: int, fold: int | None, folds: int) -> None:
        """Says that the model with the workload of this number comes next."""
        self._model = number
        epochs = self._workloads[number].epochs
        self._now = TrainingProgress(fold=fold, folds=folds, max_epochs=epochs)

    def begin(self, phase: str, steps: int, step: int = 0, epoch: int | None = None) -> None:
        """Says that a phase of `steps` batches begins, of which `step` are done already."""
        self._now = dataclasses.replace(
            self._now,
            phase=phase,
            epoch=epoch or self._now.epoch,
            step=step,
            steps=steps,
            batch_size=1 if phase == "read" else self._batch_size,
        )
        self._batch_done, self._phase_seconds, self._phase_batches = math.nan, 0.0, 0
        self._report()

    def advance(self) -> None:
        """Says that a batch of the phase is done."""
        done, before = time.monotonic(), self._batch_done
        self._batch_done = done
        if not math.isnan(before):  # The first batch's time goes into compilation.
            self._phase_seconds += done - before
            self._phase_batches += 1
            if self._now.phase != "read":
                self._seconds += done - before
                self._passes += _STEP_PASSES if self._now.phase == "train" else 1
        self._now = dataclasses.replace(self._now, step=self._now.step + 1)
        self._report()

    def reading(
        self, items: Iterable[Any], what: str = "", total: int | None = None
    ) -> Iterable[Any]:
        """Passes items on and reports them as a phase; it is a `base.progress.Progress`."""
        del what
        self.begin("read", total or 0)
        for item in items:
            yield item
            self.advance()

    def end_epoch(self, metrics: Mapping[str, float]) -> None:
        """Says that an epoch has ended with these metrics."""
        self._now = dataclasses.replace(self._now, phase="epoch", metrics=dict(metrics))
        self._report()

    def _report(self) -> None:
        if self._on_progress is None:
            return
        rate = self._phase_batches * self._now.batch_size / (self._phase_seconds or math.inf)
        self._now = dataclasses.replace(
            self._now, excerpts_per_second=rate, seconds_left=self._seconds_left()
        )
        self._on_progress(self._now)

    def _seconds_left(self) -> float | None:
        if not (self._passes and self._workloads):
            return None
        later = sum(workload.left() for workload in self._workloads[self._model + 1 :])
        left = self._workloads[self._model].left(self._now) + later
        return left * self._seconds / self._passes
