"""How fast an API may be asked: a pace for all requests together, and pauses."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable


class Limiter:
    """A token bucket that holds one token, and a pause that all wait for.

    Tokens come every `per / rate` seconds, so no `per` seconds (the end excluded) see more than
    `rate` requests set off. A bucket that held more would let through twice the quota at its
    start, and again whenever a killed run is taken up.

    Attributes:
      level: refusals in a row, those of one pause counted once.
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
          rate: requests in `per` seconds.
          per: seconds; the first pause too.
          longest: seconds of a pause before jitter; pauses double up to it.
          clock: the time in seconds.
          sleep: waits for some seconds.
          draw: numbers from [0, 1); a pause is lengthened by as large a share.
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
        """Waits until the next request may set off; returns its time."""
        while True:
            now = self._clock()
            slot = max(now, self._next)
            self._next = slot + self._interval
            if slot > now:
                await self._sleep(slot - now)
            if slot >= self._resume:  # If not, a pause has begun meanwhile: queue again.
                return slot

    def refused(self, slot: float, at_least: float = 0.0) -> None:
        """The request of this time met the quota: everybody pauses, longer each time.

        Requests that had set off before the pause are part of the same refusal.
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
        """The request of this time was answered: the next pause is a first one again."""
        if slot >= self._resume:
            self.level = 0
