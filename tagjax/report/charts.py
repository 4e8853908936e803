"""Charts of a data set: tags before and after balancing, parts, and tags per track.

The heat map of co-occurrence is in `tagjax.report.figures`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from tagjax.base.text import clean, short
from tagjax.report import labels
from tagjax.report.figures import add_legend, new_figure
from tagjax.report.looks import COLOURS
from tagjax.report.svg import Drawing, Note

SERIES = {  # count of a tag: colour, marker, size of the marker in points
    "tracks with the tag": ("#9aa5b1", "o", 4.5),
    "tracks with the label, before balancing": ("#1f77b4", "|", 7),
    "excerpts with the label, after balancing": ("#ff7f0e", "D", 3.2),
}
_COLUMN = 35  # tags in a column of a square chart
_GRID = "#e6eaee"
_Counts = npt.NDArray[np.int64]


def draw_tags(names: Sequence[str], series: Mapping[str, _Counts], title: str = "") -> Drawing:
    """Draws the counts of each tag as dots on one line with a logarithmic axis.

    Many tags are drawn in several columns.

    Args:
      names: N tags, from the top.
      series: {name in `SERIES`: counts int64 [N]}; 0 is not drawn.
      title: title of the chart.
    """
    columns = max(1, round((len(names) / _COLUMN) ** 0.5))
    rows = -(-len(names) // columns)
    longest = max((len(short(name)) for name in names), default=1)
    size = columns * (2.6 + 0.062 * longest), 1.5 + 0.165 * max(rows, 4)
    figure = new_figure(*size)
    axes = figure.subplots(1, columns, squeeze=False, sharex=True)[0]
    counts = np.stack([*series.values()], axis=1) if len(names) else np.ones((0, 1), np.int64)
    fonts = labels.families(short(name) for name in names)
    notes: dict[str, Note] = {}
    for column, axis in enumerate(axes):
        chosen = slice(column * rows, (column + 1) * rows)
        notes |= _draw_column(axis, names[chosen], [*series], counts[chosen], f"{column}-")
        shown = list(map(short, names[chosen]))
        at = range(len(shown))
        axis.set_yticks(at, shown, fontsize=7.5, fontfamily=fonts, parse_math=False)
        axis.set_ylim(rows - 0.4, -0.6)
        for i, (name, tick) in enumerate(zip(names[chosen], axis.get_yticklabels(), strict=True)):
            if shown[i] != clean(name):
                tick.set_gid(f"{column}-name-{i}")
                notes[f"{column}-name-{i}"] = Note([name])
    axes[0].set_xlim(
        0.8 * min(counts[counts > 0].min(initial=10), 10), 1.3 * max(counts.max(initial=10), 10)
    )
    if len(names):
        handles = axes[0].lines[: len(series)]
        columns = 3 if columns > 2 else 1
        notes |= add_legend(figure, handles, [*series], columns, short(title))
    return Drawing(figure, "tags", notes)


def draw_parts(
    parts: Sequence[str],
    counts: Mapping[str, Sequence[int | None]],
    ranges: Sequence[tuple[float, float, float]],
) -> Drawing:
    """Draws bars for each part, and the range of the excerpts of its labels.

    Args:
      parts: names, from the top.
      counts: {title of a panel: number for each part, or None}.
      ranges: for each part (least, median, most) excerpts of a label.
    """
    panels = {name: column for name, column in counts.items() if None not in column}
    figure = new_figure(2.2 * (len(panels) + 1) + 1.2, 1.1 + 0.27 * max(len(parts), 3))
    axes = figure.subplots(1, len(panels) + 1, squeeze=False, sharey=True)[0]
    at = np.arange(len(parts))
    colours = [part_colour(name) for name in parts]
    for axis, (name, column) in zip(axes, panels.items(), strict=False):
        bars = axis.barh(at, [value or 0 for value in column], color=colours, height=0.72)
        axis.bar_label(bars, [f"{value:,}" for value in column], padding=2, fontsize=7.5)
        axis.set_title(name, fontsize=10)
        axis.margins(x=0.3)
        axis.set_xticks([])
    _draw_ranges(axes[-1], ranges)
    axes[0].set_yticks(at, parts, fontsize=8, parse_math=False)
    axes[0].set_ylim(len(parts) - 0.4, -0.6)
    for axis in axes:
        axis.tick_params(axis="y", length=0)
        axis.spines[["left", "right", "top", "bottom"]].set_visible(False)
    return Drawing(figure, "parts")


def draw_cardinality(cardinality: Mapping[str, _Counts]) -> Drawing:
    """Draws the share of tracks with k tags as bars, side by side for all and each tag system.

    Args:
      cardinality: {system, or "" for all: int64 [most + 1], number of tracks with k tags}.
    """
    most = max(map(len, cardinality.values()), default=1) - 1
    figure = new_figure(min(14.0, max(5.0, 1.5 + 0.5 * most)), 3.2)
    axis = figure.subplots()
    wide = 0.8 / max(len(cardinality), 1)
    notes, bars = {}, []
    for k, counts in enumerate(cardinality.values()):
        share = 100 * counts / max(counts.sum(), 1)
        at = np.arange(len(counts)) + (k - (len(cardinality) - 1) / 2) * wide
        bars.append(axis.bar(at, share, wide * 0.92, color=COLOURS[k % len(COLOURS)]))
        for i, bar in enumerate(bars[-1]):
            bar.set_gid(f"bar-{k}-{i}")
            lines = [f"tags per track: {i}", f"tracks: {counts[i]:,} ({share[i]:.1f} %)"]
            notes[f"bar-{k}-{i}"] = Note(lines, {"series": str(k), "part": "marker"})
    axis.set_xlim(0.4 if all(c[0] == 0 for c in cardinality.values()) else -0.6, most + 0.6)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=20))
    axis.set_xlabel("tags per track")
    axis.set_ylabel("% of tracks")
    axis.grid(axis="y", color=_GRID, lw=0.6)
    axis.set_axisbelow(True)
    axis.spines[["left", "right", "top"]].set_visible(False)
    if len(cardinality) > 1:
        names = [short(name) or "all" for name in cardinality]
        notes |= add_legend(figure, bars, names, 1)
    return Drawing(figure, "cardinality", notes)


def part_colour(name: str) -> str:
    """Colour of a part's bars: pale for upsampled folds and validation, grey for overlap."""
    if name.endswith("overlap"):
        return "#c8c8c8"
    if name.endswith("_upsampled"):
        return "#aec7e8"
    return {"validation": "#aec7e8", "test": "#ffbf00"}.get(name, "#1f77b4")


def _draw_column(
    axis: Axes, names: Sequence[str], series: Sequence[str], counts: _Counts, prefix: str
) -> dict[str, Note]:
    """Draws dots and lines of the tags of one column: counts int64 [n, number of series]."""
    notes = {}
    at, seen = np.arange(len(names)), np.where(counts > 0, counts, np.nan)
    has_dots = ~np.isnan(seen).all(axis=1)
    ends = [np.nanmin(seen[has_dots], axis=1), np.nanmax(seen[has_dots], axis=1)]
    for k, (name, column) in enumerate(zip(series, seen.T, strict=True)):
        colour, marker, size = SERIES[name]
        look: dict[str, Any] = {"marker": marker, "ms": size, "mew": 1.8 if marker == "|" else 0}
        axis.plot(column, at, ls="", color=colour, label=name, gid=f"{prefix}dots-{k}", **look)
        tooltips = [
            (tag, f"{name}: {count:,.0f}")
            for tag, count in zip(names, column, strict=True)
            if count > 0
        ]
        notes[f"{prefix}dots-{k}"] = Note((), {"series": str(k), "part": "dots"}, tooltips)
    axis.hlines(at[has_dots], *ends, color="#d8dde2", lw=1.2, zorder=1)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=8, top=True, labeltop=True)
    axis.grid(axis="x", color=_GRID, lw=0.6)
    axis.set_axisbelow(True)
    axis.spines[["left", "right", "bottom"]].set_visible(False)
    return notes


def _draw_ranges(axis: Axes, ranges: Sequence[tuple[float, float, float]]) -> None:
    low, middle, high = (np.array(column, float) for column in zip(*ranges, strict=True))
    at = np.arange(len(ranges))
    axis.hlines(at, low, high, color="#9aa5b1", lw=2)
    axis.plot(middle, at, "|", ms=9, mew=2, color="#1c1f23")
    axis.set_title("excerpts per label", fontsize=10)
    axis.set_xlabel("least, median, most", fontsize=8)
    axis.set_xlim(0, max(high.max(initial=1) * 1.05, 1))
    axis.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axis.tick_params(axis="x", labelsize=8)
    axis.grid(axis="x", color=_GRID, lw=0.6)
