"""How far a training is, told to whoever asked for it."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

_LEARNING = 3
"""A step of training computes about three forward passes."""


@dataclasses.dataclass(frozen=True)
class TrainingProgress:
    """How far a run is.

    Attributes:
      phase: "read" (examples go to an accelerator's memory), "train", "validate" or "predict";
        "epoch" when an epoch has ended.
      fold: which fold's model is trained, from 0 on; None for a data set without folds.
      folds: number of folds; 0 without.
      epoch: the one begun, or just ended, from 1 on.
      max_epochs: number of epochs, unless training stops early.
      step: batches of this phase done.
      steps: batches of this phase.
      batch_size: excerpts in a batch; 1 while they are read.
      excerpts_per_second: in this phase; 0 until its second batch.
      seconds_left: of the whole run with all its folds, if no training stops early; None until
        it can be said.
      metrics: of the last epoch that ended, as in `metrics.jsonl`.
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
    """Batches that one model is trained, validated and predicted with.

    Attributes:
      epochs: at most so many.
      train: of each epoch.
      validate: of each epoch.
      predict: once.
    """

    epochs: int
    train: int
    validate: int
    predict: int

    def left(self, now: TrainingProgress | None = None) -> int:
        """Work that is left, in forward passes of a batch.

        >>> Workload(epochs=2, train=10, validate=4, predict=6).left()
        74
        """
        epoch = _LEARNING * self.train + self.validate
        if now is None or now.phase == "read":
            return self.epochs * epoch + self.predict
        if now.phase == "predict":
            return self.predict - now.step
        begun = {
            "train": _LEARNING * (self.train - now.step) + self.validate,
            "validate": self.validate - now.step,
            "epoch": 0,
        }
        return begun[now.phase] + (self.epochs - now.epoch) * epoch + self.predict


class Reporter:
    """Keeps the time of a run's phases and calls `on_progress` at each batch."""

    def __init__(
        self,
        on_progress: OnProgress | None = None,
        workloads: Sequence[Workload] = (),
        batch_size: int = 1,
    ) -> None:
        """Starts with nothing done.

        Args:
          on_progress: called at the beginning of each phase and after each of its batches.
          workloads: of the run's models, in their order.
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
        """Goes to the workload of that number; the others are done or yet to come."""
        self._model = number
        epochs = self._workloads[number].epochs
        self._now = TrainingProgress(fold=fold, folds=folds, max_epochs=epochs)

    def begin(self, phase: str, steps: int, step: int = 0, epoch: int | None = None) -> None:
        """A phase of so many batches begins; `step` of them were done before."""
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
        """A batch of the phase is done."""
        done, before = time.monotonic(), self._batch_done
        self._batch_done = done
        if not math.isnan(before):  # Until the first batch is done, time goes into compilation.
            self._phase_seconds += done - before
            self._phase_batches += 1
            if self._now.phase != "read":
                self._seconds += done - before
                self._passes += _LEARNING if self._now.phase == "train" else 1
        self._now = dataclasses.replace(self._now, step=self._now.step + 1)
        self._report()

    def reading(
        self, items: Iterable[Any], what: str = "", total: int | None = None
    ) -> Iterable[Any]:
        """Passes items on as a phase of their own: a `base.progress.Progress`."""
        del what
        self.begin("read", total or 0)
        for item in items:
            yield item
            self.advance()

    def end_epoch(self, metrics: Mapping[str, float]) -> None:
        """An epoch has ended with these metrics."""
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
