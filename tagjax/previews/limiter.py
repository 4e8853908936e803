"""Limits the pace of all requests to an API together, and pauses them."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable


class Limiter:
    """A token bucket that holds one token, and a pause that applies to all requests.

    A token comes every `per / rate` seconds. So at most `rate` requests start in any period of
    `per` seconds (without its end). A larger bucket would let through twice the quota at its start,
    and again whenever a killed run is resumed.

    Attributes:
      level: number of refusals in a row; those of one pause count once.
    """

    def __init__(
        self,
        rate: float,
        per: float,
        longest: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Makes a limiter.

        Args:
          rate: number of requests in `per` seconds.
          per: the period of `rate` and the length of the first pause, seconds.
          longest: the longest pause without jitter, seconds; pauses double up to it.
          clock: returns the time in seconds.
          sleep: waits for a number of seconds.
          draw: returns a number from [0, 1), the share by which a pause is lengthened.
        """
        self.level = 0
        self._interval = per / rate
        self._per = per
        self._longest = longest
        self._clock = clock
        self._sleep = sleep
        self._draw = draw
        self._next = 0.0
        self._resume = 0.0

    async def acquire(self) -> float:
        """Waits until the next request may start; returns its time."""
        while True:
            now = self._clock()
            slot = max(now, self._next)
            self._next = slot + self._interval
            if slot > now:
                await self._sleep(slot - now)
            if slot >= self._resume:  # Otherwise a pause has begun meanwhile: queue again.
                return slot

    def refused(self, slot: float, at_least: float = 0.0) -> None:
        """Says that the quota refused the request of this time: all requests pause.

        Each pause is longer than the one before. Requests that started before the pause belong to
        the same refusal.
        """
        if slot < self._resume:
            return
        pause = min(self._per * 2.0 ** min(self.level, 99), self._longest) * (1.0 + self._draw())
        self.level += 1
        self._resume = self._clock() + max(pause, at_least)
        self._next = max(self._next, self._resume)

    @property
    def waiting(self) -> float:
        """Seconds until the pause for the quota ends; 0 if there is none."""
        return max(0.0, self._resume - self._clock())

    def answered(self, slot: float) -> None:
        """Says that the request of this time was answered: the next pause is a first one again."""
        if slot >= self._resume:
            self.level = 0
