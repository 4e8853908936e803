"""How long-running functions report their progress, without printing anything themselves."""

from collections.abc import Callable, Iterable
from typing import Any

Progress = Callable[[Iterable[Any], str, int | None], Iterable[Any]]
"""Passes items on and may show the progress: (items, what they are, their number or None)."""


def silently(items: Iterable[Any], what: str = "", total: int | None = None) -> Iterable[Any]:
    """Shows nothing: the default `Progress`.

    >>> list(silently([1, 2, 3], "count"))
    [1, 2, 3]
    """
    del what, total
    return items
