"""The last steps of a review, so that they can be undone, also after a restart.

A step is a line of JSON: what a person did, and what that changed in the files of people. It is
written before these change. The file is hidden, lies beside them, and forgets old steps.
"""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from tagjax.base.files import PathLike, write_text
from tagjax.review.documents import Stamp, stamp_of

FILE = ".review.jsonl"
KEPT = 100
"""Steps that can be undone at least, if they are not too large."""
MOST_BYTES = 1 << 21
"""Bytes of older steps that are kept."""

Step = Mapping[str, Any]


class Journal:
    """The journal of a folder; whoever uses it holds the folder's lock."""

    def __init__(self, folder: PathLike):
        self._path = pathlib.Path(folder, FILE)
        self._steps: list[tuple[str, Step]] = []
        self._stamp: Stamp = None
        self._whole = True
        self.refresh()

    def refresh(self) -> None:
        """Reads it again if another process wrote it."""
        stamp = stamp_of(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        text = self._path.read_text(encoding="utf-8", errors="replace") if stamp else ""
        *lines, rest = text.split("\n")
        read = [(line + "\n", _step(line)) for line in lines]
        self._steps = [(line, step) for line, step in read if step is not None]
        self._whole = not rest and len(self._steps) == len(lines)  # A kill may have cut one off.

    @property
    def last(self) -> Step | None:
        """The last step; None if there is none."""
        return self._steps[-1][1] if self._steps else None

    def append(self, step: Step) -> None:
        """Adds a step."""
        line = json.dumps(step) + "\n"
        self._steps.append((line, step))
        before = sum(len(other) for other, _ in self._steps[:-1])
        full = len(self._steps) > 2 * KEPT or before > 2 * MOST_BYTES
        if full:
            self._forget()
        if full or not self._whole or self._stamp is None:
            self._write()
        else:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
            self._stamp = stamp_of(self._path)

    def drop(self) -> None:
        """Drops the last step."""
        del self._steps[-1]
        self._write()

    def _forget(self) -> None:
        size, first = 0, len(self._steps) - 1
        while first and len(self._steps) - first < KEPT:
            size += len(self._steps[first - 1][0])
            if size > MOST_BYTES:
                break
            first -= 1
        del self._steps[:first]

    def _write(self) -> None:
        write_text(self._path, "".join(line for line, _ in self._steps))
        self._stamp, self._whole = stamp_of(self._path), True


def _step(line: str) -> Step | None:
    try:
        step = json.loads(line)
    except (ValueError, RecursionError):
        return None
    known = isinstance(step, dict) and {"said", "pairs", "tag", "files"} <= step.keys()
    return step if known else None
