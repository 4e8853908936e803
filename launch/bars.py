"""Progress bars of the programs, drawn from what the library reports."""

import datetime
from typing import Any

from tqdm import tqdm

from tagjax.run.progress import TrainingProgress


class TrainingBars:
    """A bar for each epoch and each prediction of a run: its `on_progress`."""

    def __init__(self, shown: bool = True) -> None:
        """Draws nothing unless `shown`."""
        self._bar: tqdm | None = None
        self._key: tuple[Any, ...] = ()
        self._shown = shown

    def __enter__(self) -> "TrainingBars":
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def __call__(self, now: TrainingProgress) -> None:
        """Draws how far the training is."""
        key = (now.fold, now.epoch, now.phase == "predict")
        if self._bar is None or key != self._key:
            self._close()
            self._key = key
            self._bar = tqdm(
                total=now.steps * now.batch_size,
                initial=now.step * now.batch_size,
                desc=_title(now),
                unit=" excerpts",
                mininterval=1.0,
                disable=not self._shown,
            )
        if now.phase in ("train", "predict"):
            self._bar.update(now.step * now.batch_size - self._bar.n)
        self._bar.set_postfix_str(_state(now), refresh=now.phase == "epoch")

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _title(now: TrainingProgress) -> str:
    fold = "" if now.fold is None else f"fold {now.fold + 1}/{now.folds}, "
    return fold + ("predict" if now.phase == "predict" else f"epoch {now.epoch}/{now.max_epochs}")


def _state(now: TrainingProgress) -> str:
    """The metrics of an epoch that has ended; else the time left in all."""
    parts = []
    if now.phase == "epoch":
        parts.append(f"loss {now.metrics['train_loss']:.3f}")
        if "validation_loss" in now.metrics:
            parts.append(f"validation loss {now.metrics['validation_loss']:.3f}")
            parts.append(f"accuracy {100 * now.metrics['validation_accuracy']:.1f} %")
    elif now.phase == "validate":
        parts.append(f"validation {now.step}/{now.steps}")
    if now.seconds_left is not None:
        left = datetime.timedelta(seconds=round(now.seconds_left))
        parts.append(f"at most {left} left in all")
    return ", ".join(parts)
