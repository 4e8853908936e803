"""SIGTERM and SIGINT: work stops at a point from which the same command can continue."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class InterruptedRunError(BaseException):
    """The process was asked to stop, and nothing is half done.

    Like `KeyboardInterrupt` it is not an `Exception`, because libraries catch those and raise
    others in their place.
    """

    def __init__(self, number: int, note: str = "") -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}{note and f' {note}'}")
        self.exit_code = 128 + number


class Stop:
    """Knows whether the process was asked to stop.

    As a context it handles the signals: each raises `InterruptedRunError` wherever the program is.
    Inside `deferred()` the first signal is only recorded in `asked`, which the program checks. The
    second one ends the process at once. That is as safe as a kill, which loses nothing.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._deferred = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Stop":
        self._before = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del frame
        if not self._deferred:
            raise InterruptedRunError(number)
        if self.asked:  # An exception would wait for threads that write; this ends like a kill.
            stopped = InterruptedRunError(number, "at once; the same command goes on")
            print(f"\n{stopped}", file=sys.stderr, flush=True)
            os._exit(stopped.exit_code)
        self.asked = number

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """A context in which the first signal is recorded and raises nothing."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
