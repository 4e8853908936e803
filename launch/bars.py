"""Progress on stderr, for programs to hand to the library."""

import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from tqdm import tqdm


def bar(items: Iterable[Any], what: str, total: int | None, delay: float = 2) -> Iterator[Any]:
    """Passes items on under a bar, if they take longer than `delay` seconds.

    An item that is a name is shown while it is under way. On a terminal the clock goes on
    meanwhile, and the bar is cleared when it is over; in a file its last text ends its line.
    """
    over = threading.Event()
    terminal = sys.stderr.isatty()
    with tqdm(desc=what, total=total, delay=delay, leave=not terminal) as shown:

        def tick() -> None:
            while not over.wait(max(delay, 0.5)):
                shown.delay = 0  # Else tqdm does not clear what it has not shown itself.
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
