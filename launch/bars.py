"""Progress bars on stderr for the progress that the library reports."""

import datetime
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from tqdm import tqdm

from tagjax.run.progress import TrainingProgress


def bar(items: Iterable[Any], what: str, total: int | None) -> Iterator[Any]:
    """Passes items on, and shows a bar if they take longer than 2 s (30 s if stderr is a file).

    If an item is a name, the bar shows it while it is in work. On a terminal the clock keeps
    running, and the bar is cleared at the end. In a file the last state of the bar stays.
    """
    over = threading.Event()
    terminal = sys.stderr.isatty()
    delay = 2 if terminal else 30
    with tqdm(desc=what, total=total, delay=delay, leave=not terminal) as shown:

        def tick() -> None:
            while not over.wait(max(delay, 0.5)):
                shown.delay = 0  # Otherwise tqdm does not clear a bar that it did not show itself.
                shown.refresh()

        clock = threading.Thread(target=tick, daemon=True)
        if terminal:
            clock.start()
        try:
            for item in items:
                if isinstance(item, str):
                    shown.set_description_str(f"{what}: {item}", refresh=False)
                yield item
                shown.update()
        finally:
            over.set()
            if clock.is_alive():
                clock.join()


def excerpts_bar(items: Iterable[Any], what: str, total: int | None) -> Iterable[Any]:
    """A bar with a rate over excerpts, as a `Progress`."""
    return tqdm(items, what, total, unit=" excerpts", mininterval=1.0)


class TrainingBars:
    """The `on_progress` of a run: draws a bar for each epoch and each prediction."""

    def __init__(self, shown: bool = True) -> None:
        """Makes the bars, which are drawn only if `shown`."""
        self._bar: tqdm | None = None
        self._key: tuple[Any, ...] = ()
        self._shown = shown

    def __enter__(self) -> "TrainingBars":
        return self

    def __exit__(self, *error: object) -> None:
        self._close()

    def __call__(self, now: TrainingProgress) -> None:
        """Draws the progress of the training."""
        key = (now.fold, now.epoch, *(now.phase == name for name in ("read", "predict")))
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
        if now.phase in ("read", "train", "predict"):
            self._bar.update(now.step * now.batch_size - self._bar.n)
        self._bar.set_postfix_str(_state(now), refresh=now.phase == "epoch")

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def _title(now: TrainingProgress) -> str:
    fold = "" if now.fold is None else f"fold {now.fold + 1}/{now.folds}, "
    named = now.phase if now.phase in ("read", "predict") else f"epoch {now.epoch}/{now.max_epochs}"
    return fold + named


def _state(now: TrainingProgress) -> str:
    """The metrics of an epoch that has ended, and the time left."""
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
