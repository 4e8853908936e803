"""SIGTERM and SIGINT: work is left where the same command can go on with it."""

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

    It is no `Exception`, as `KeyboardInterrupt` is none: libraries catch those and rename them.
    """

    def __init__(self, number: int, note: str = "") -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}{note and f' {note}'}")
        self.exit_code = 128 + number


class Stop:
    """Knows whether the process was asked to stop.

    As a context it takes the signals over: each raises `InterruptedRunError` where the program
    is, but inside `deferred()` the first is only noted, for the program to look at `asked`, and
    the second ends the process as it stands, which loses what a kill does: nothing.
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
        if self.asked:  # Unwinding would wait for threads that write; this ends as a kill does.
            stopped = InterruptedRunError(number, "at once; the same command goes on")
            print(f"\n{stopped}", file=sys.stderr, flush=True)
            os._exit(stopped.exit_code)
        self.asked = number

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """Inside, the first signal is noted and no more."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
