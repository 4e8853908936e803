"""Charts of a data set: tags before and after balancing, parts, tags a track.

Drawn as `tagjax.report.figures` draws; the heat map is there.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from tagjax.report.figures import COLOURS

SERIES = {  # what is counted of a tag: colour, marker, points across
    "tracks with the tag": ("#9aa5b1", "o", 4.5),
    "tracks with the label, before balancing": ("#1f77b4", "|", 7),
    "excerpts with the label, after balancing": ("#ff7f0e", "D", 3.2),
}
_COLUMN = 35  # of a square's side, in tags


def draw_tags(
    names: Sequence[str], series: Mapping[str, npt.NDArray[np.int64]], title: str = ""
) -> Figure:
    """A line a tag, a dot a series on a logarithmic axis; in several columns where they are many.

    Args:
      names: N tags, from the top.
      series: {one of `SERIES`: counts int64 [N]}; 0 is not drawn.
      title: above it.
    """
    columns = max(1, round((len(names) / _COLUMN) ** 0.5))
    rows = -(-len(names) // columns)
    longest = max(map(len, names), default=1)
    figure = Figure(
        figsize=(columns * (2.6 + 0.062 * longest), 1.5 + 0.165 * max(rows, 4)),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, columns, squeeze=False, sharex=True)[0]
    every = np.stack([*series.values()], axis=1) if len(names) else np.ones((0, 1))
    low = 0.8 * min(every[every > 0].min(initial=10), 10)
    high = 1.3 * max(every.max(initial=10), 10)
    for axis, start in zip(axes, range(0, max(len(names), 1), max(rows, 1)), strict=True):
        here = slice(start, start + rows)
        values, at = every[here], np.arange(len(names[here]))
        seen = np.where(values > 0, values, np.nan)
        some = ~np.isnan(seen).all(axis=1)
        ends = [np.nanmin(seen[some], axis=1), np.nanmax(seen[some], axis=1)]
        axis.hlines(at[some], *ends, color="#d8dde2", lw=1.2, zorder=1)
        for name, column in zip(series, seen.T, strict=False):
            colour, marker, size = SERIES[name]
            look = {"marker": marker, "ms": size, "mew": 1.8 if marker == "|" else 0}
            axis.plot(column, at, ls="", color=colour, label=name, **look)
        axis.set_xscale("log")
        axis.set_xlim(low, high)
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axis.set_ylim(rows - 0.4, -0.6)
        axis.set_yticks(at, names[here], fontsize=7.5, parse_math=False)
        axis.tick_params(axis="y", length=0)
        axis.tick_params(axis="x", labelsize=8, top=True, labeltop=True)
        axis.grid(axis="x", color="#e6eaee", lw=0.6)
        axis.set_axisbelow(True)
        for side in ("left", "right", "bottom"):
            axis.spines[side].set_visible(False)
    handles, labels = axes[0].get_legend_handles_labels()
    if handles:
        figure.legend(
            handles, labels, loc="outside lower center", ncols=3 if columns > 2 else 1,
            frameon=False, fontsize=9,
        )  # fmt: skip
    figure.suptitle(title, fontsize=12)
    return figure


def draw_parts(
    parts: Sequence[str],
    counts: Mapping[str, Sequence[int | None]],
    ranges: Sequence[tuple[float, float, float]],
) -> Figure:
    """Bars of each part, and the occurrences of its labels.

    Args:
      parts: names, from the top.
      counts: {what: a number a part, or None}, a panel each.
      ranges: (least, median, most) excerpts of a label, of each part.
    """
    panels = {name: column for name, column in counts.items() if None not in column}
    figure = Figure(
        figsize=(2.2 * (len(panels) + 1) + 1.2, 1.1 + 0.27 * max(len(parts), 3)),
        layout="constrained",
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels) + 1, squeeze=False, sharey=True)[0]
    at = np.arange(len(parts))
    colours = [part_colour(name) for name in parts]
    for axis, (name, column) in zip(axes, panels.items(), strict=False):
        bars = axis.barh(at, [value or 0 for value in column], color=colours, height=0.72)
        axis.bar_label(bars, [f"{value:,}" for value in column], padding=2, fontsize=7.5)
        axis.set_title(name, fontsize=10)
        axis.margins(x=0.3)
        axis.set_xticks([])
    low, middle, high = (np.array(column, float) for column in zip(*ranges, strict=True))
    axes[-1].hlines(at, low, high, color="#9aa5b1", lw=2)
    axes[-1].plot(middle, at, "|", ms=9, mew=2, color="#1c1f23")
    axes[-1].set_title("excerpts a label", fontsize=10)
    axes[-1].set_xlabel("least, median, most", fontsize=8)
    axes[-1].set_xlim(0, max(high.max(initial=1) * 1.05, 1))
    axes[-1].xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes[-1].tick_params(axis="x", labelsize=8)
    axes[-1].grid(axis="x", color="#e6eaee", lw=0.6)
    axes[0].set_yticks(at, parts, fontsize=8, parse_math=False)
    axes[0].set_ylim(len(parts) - 0.4, -0.6)
    for axis in axes:
        axis.tick_params(axis="y", length=0)
        for side in ("left", "right", "top", "bottom"):
            axis.spines[side].set_visible(False)
    return figure


def draw_cardinality(several: Mapping[str, npt.NDArray[np.int64]]) -> Figure:
    """Bars of the share of tracks with k tags, side by side for all and each tag system.

    Args:
      several: {system, or "" for all: int64 [most + 1], tracks with k tags}.
    """
    most = max(map(len, several.values()), default=1) - 1
    figure = Figure(figsize=(min(14.0, max(5.0, 1.5 + 0.5 * most)), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    wide = 0.8 / max(len(several), 1)
    for k, (name, counts) in enumerate(several.items()):
        share = 100 * counts / max(counts.sum(), 1)
        at = np.arange(len(counts)) + (k - (len(several) - 1) / 2) * wide
        axis.bar(at, share, wide * 0.92, color=COLOURS[k % len(COLOURS)], label=name or "all")
    axis.set_xlim(0.4 if all(counts[0] == 0 for counts in several.values()) else -0.6, most + 0.6)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=20))
    axis.set_xlabel("tags a track")
    axis.set_ylabel("% of tracks")
    axis.grid(axis="y", color="#e6eaee", lw=0.6)
    axis.set_axisbelow(True)
    for side in ("left", "right", "top"):
        axis.spines[side].set_visible(False)
    if len(several) > 1:
        for text in axis.legend(frameon=False).get_texts():
            text.set_parse_math(False)
    return figure


def part_colour(name: str) -> str:
    """Of a part's bars: pale for what is only trained on or only validated, grey for overlap."""
    if name.endswith("overlap"):
        return "#c8c8c8"
    if name.endswith("_upsampled"):
        return "#aec7e8"
    return {"validation": "#aec7e8", "test": "#ffbf00"}.get(name, "#1f77b4")
