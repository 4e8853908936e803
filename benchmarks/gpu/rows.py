"""The one table of `benchmarks.gpu`, and its JSON."""

import dataclasses
import datetime
import pathlib
from collections.abc import Iterable
from typing import Any

from tagjax.base import files

_HEADER = ("part", "what", "precision", "batch", "value", "unit", "of ceiling", "ratio", "note")


@dataclasses.dataclass(frozen=True)
class Row:
    """A measurement.

    Attributes:
      part: of the benchmark.
      what: was measured.
      precision: `float32`, `tf32`, `bfloat16`, or "" where it has none.
      batch: examples of a step; 0 where there are none.
      value: None where there is none, and `note` says why.
      unit: of the value.
      ceiling: share of what the card was measured to reach.
      ratio: tagjax to this one; more than 1 means that tagjax is faster.
      note: whatever else a reader must know.
    """

    part: str
    what: str
    precision: str
    batch: int
    value: float | None
    unit: str
    ceiling: float | None = None
    ratio: float | None = None
    note: str = ""

    def cells(self) -> tuple[str, ...]:
        """The row as text."""
        value = "-" if self.value is None else f"{self.value:,.{_digits(self.value)}f}"
        ceiling = "" if self.ceiling is None else f"{100 * self.ceiling:.1f} %"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        batch = str(self.batch or "")
        return (
            self.part,
            self.what,
            self.precision,
            batch,
            value,
            self.unit,
            ceiling,
            ratio,
            self.note,
        )


def _digits(value: float) -> int:
    return 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 4


class Report:
    """Rows and further values, written after each part, so that a kill loses one part."""

    def __init__(self, path: pathlib.Path, about: dict[str, Any]) -> None:
        """Goes on with what the file holds of the same machine: other parts, earlier commands."""
        self._path = path
        self._content: dict[str, Any] = {"about": about, "rows": [], "parts": {}}
        if path.exists():
            held = files.read_json(path)
            if held.get("about", {}).get("devices") == about["devices"]:
                self._content |= {"rows": held["rows"], "parts": held["parts"]}

    def put(self, part: str, rows: Iterable[Row], more: dict[str, Any] | None = None) -> None:
        """Replaces a part, and writes the file."""
        kept = [row for row in self._content["rows"] if row["part"] != part]
        self._content["rows"] = [*kept, *map(dataclasses.asdict, rows)]
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._content["parts"][part] = {"at": now, "about": self._content["about"], **(more or {})}
        files.write_json(self._path, self._content)

    def part(self, part: str) -> dict[str, Any]:
        """What was put beside a part's rows; empty where it was not measured."""
        return self._content["parts"].get(part, {})

    def rows(self) -> list[Row]:
        """All rows."""
        return [Row(**row) for row in self._content["rows"]]

    def table(self) -> str:
        """All rows as text."""
        lines = [_HEADER, *(row.cells() for row in self.rows())]
        widths = [max(len(line[i]) for line in lines) for i in range(len(_HEADER))]
        right = {_HEADER.index(name) for name in ("batch", "value", "of ceiling", "ratio")}
        return "\n".join(
            "  ".join(
                cell.rjust(width) if i in right else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )
