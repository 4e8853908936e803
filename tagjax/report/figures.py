"""Figure 1 (a map of the tags by t-SNE) and a similarity heat map.

`plot_map` and `plot_heat_map` draw on given axes. `draw_map` and `draw_heat_map` make figures of
them for files and for the report. They use the Agg canvas, which needs no display and no global
state.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
import sklearn.manifold
import threadpoolctl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tagjax.base.files import PathLike, atomic_path, write_text
from tagjax.base.text import clean, short
from tagjax.report import labels
from tagjax.report.looks import Look, Parents, genres_among, looks, taxonomy_order
from tagjax.report.svg import Drawing, Note
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary.vocabulary import Vocabulary

NO_VALUE = "#d9e3ea"  # colour of a cell without similarity
GENRE_MARKER, STYLE_MARKER = 15, 7  # diameter in points

_IN_LEGEND = 30  # longest name of a genre, in letters
_LINES, _STRONG_LINES = "#88aaaa", "#1b6ca8"  # between genres; between systems or halves


@dataclasses.dataclass(frozen=True)
class FigureConfig:
    """Settings of the figures that the paper leaves open.

    Attributes:
      perplexity: perplexity of t-SNE; clipped to a third of the number of tags.
      seed: seed of t-SNE.
      size: largest side of a map's panel in inches; with fewer tags it is the root of their number.
      dots: dots per inch of the PNG.
      font: size of a style's label in points; a genre's is larger by half.
      neighbours: number of nearest tags in a tooltip.
    """

    perplexity: float = 30
    seed: int = 0
    size: float = 16
    dots: int = 110
    font: float = 7
    neighbours: int = 5


def plot_map(
    similarity: Similarity,
    ax: Axes | None = None,
    parents: Parents | None = None,
    places: npt.NDArray[np.float64] | None = None,
    config: FigureConfig = FigureConfig(),
) -> Axes:
    """Draws Figure 1: t-SNE of tags by 1 - cosine, with styles in the colour of their genre.

    Genres are bigger and have a black edge. A style of two genres has both colours, and a style
    without genre is grey. Each tag system has its own marker. Labels cover neither markers nor each
    other as long as the axes keep their size.

    Args:
      similarity: similarity of N tags; tags without similarity are left out.
      ax: axes to draw on; None: the axes of a new figure of pyplot.
      parents: {style tag: genre tags}, such as `Placement.parents`.
      places: float [N, 2] from `layout`; None: they are computed.
      config: size of the labels; perplexity and seed.

    Returns:
      The axes.

    >>> import matplotlib; matplotlib.use("agg")
    >>> similarity = Similarity(["genre:ska", "two tone", "bop"], np.eye(3))
    >>> axes = plot_map(similarity, parents={"two tone": ["genre:ska"]})
    >>> [text.get_text() for text in axes.texts]
    ['ska', 'two tone', 'bop']

    Reference: Figure 1 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    ax = ax or _new_axes()
    labels.warn_of_missing(similarity.tags)
    if places is None:
        places = layout(similarity, config)
    _empty(ax)
    if figure := ax.get_figure(root=True):
        _lay_out(figure)  # The names are placed by the final axes.
    _draw_tags(ax, looks(similarity.vocabulary, parents or {}), places, config)
    return ax


def plot_heat_map(
    similarity: Similarity,
    ax: Axes | None = None,
    parents: Parents | None = None,
    label: str = "similarity",
) -> Axes:
    """Draws a similarity as an image, with tags in the order of the taxonomy (`taxonomy_order`).

    NaN is grey-blue. The colours end at the highest values off the diagonal. Lines separate genres,
    and stronger lines separate tag systems and halves.

    Args:
      similarity: similarity of N tags.
      ax: axes to draw on; None: the axes of a new figure of pyplot.
      parents: {style tag: genre tags}, such as `Placement.parents`.
      label: what the colours mean.

    Returns:
      The axes.

    >>> import matplotlib; matplotlib.use("agg")
    >>> axes = plot_heat_map(Similarity(["bop", "ska"], [[1, 0.2], [0.2, 1]]))
    >>> axes.images[0].get_array().shape
    (2, 2)

    Reference: https://matplotlib.org/stable/api/_as_gen/matplotlib.axes.Axes.imshow.html
    """
    ax = ax or _new_axes()
    labels.warn_of_missing(similarity.tags)
    height = ax.get_window_extent().height / ax.figure.dpi
    _draw_cells(ax, similarity, parents or {}, label, height)
    return ax


def layout(
    similarity: Similarity,
    config: FigureConfig = FigureConfig(),
) -> npt.NDArray[np.float64]:
    """2-D t-SNE of tags by cosine distance, started from classical scaling.

    The distance is 1 - cosine, as in t-SNE with metric "cosine". So the embedding itself is not
    needed, which for f_c has a row for each excerpt.

    Args:
      similarity: cosines of N tags.
      config: perplexity and seed.

    Returns:
      float64 [N, 2]; NaN for tags without similarity. For fewer than four tags it is the classical
      scaling.
    """
    place = np.full((len(similarity.tags), 2), np.nan)
    known = np.flatnonzero(~np.isnan(np.diagonal(similarity.matrix)))
    if len(known) == 0:
        return place
    distance = np.maximum(1 - similarity.matrix[np.ix_(known, known)], 0)
    np.fill_diagonal(distance, 0)
    start = _classical_scaling(distance)
    if len(known) < 4:
        place[known] = start
        return place
    scale = start[:, 0].std()
    fit = sklearn.manifold.TSNE(
        metric="precomputed",
        perplexity=min(config.perplexity, (len(known) - 1) / 3),
        init=(start / scale * 1e-4 if scale > 0 else "random"),
        random_state=config.seed,
        learning_rate="auto",
    )
    # With so few points a second thread only waits for the first, for minutes on a busy machine.
    with threadpoolctl.threadpool_limits(1):
        place[known] = fit.fit_transform(distance)
    return place


def draw_map(
    panels: Mapping[str, tuple[Similarity, npt.NDArray[np.float64]]],
    parents: Parents,
    config: FigureConfig = FigureConfig(),
) -> Drawing:
    """`plot_map` of several similarities side by side, with one legend, and tooltips.

    Args:
      panels: {title: (similarity of N tags, places float [N, 2] from `layout`)}. Tags whose place
        is NaN are left out, and their number is in the title.
      parents: {style tag: genre tags}.
      config: size, font, neighbours in the tooltips.
    """
    most_tags = max((len(similarity.tags) for similarity, _ in panels.values()), default=0)
    side = min(config.size, max(7.0, most_tags**0.5))
    figure = new_figure(side * len(panels), side + 0.6, config.dots)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    styles = [looks(similarity.vocabulary, parents) for similarity, _ in panels.values()]
    for axis, (title, (_, places)) in zip(axes, panels.items(), strict=True):
        missing = int(np.isnan(places).any(axis=1).sum())
        addition = f" ({missing} tags without data)" if missing else ""
        axis.set_title(short(title) + addition, fontsize=15, parse_math=False)
        _empty(axis)
    found = {look.genre: look.colours[0] for look in itertools.chain(*styles)}
    series = {genre: found[genre] for genre in sorted(found, key=lambda g: (not g, g))}
    notes = _draw_legend(figure, series, side * len(panels))
    _settle(figure)
    number = {genre: str(k) for k, genre in enumerate(series)}
    for k, (similarity, places) in enumerate(panels.values()):
        _draw_tags(axes[k], styles[k], places, config, f"{k}-")
        notes |= _map_notes(similarity, parents, styles[k], number, f"{k}-", config.neighbours)
    return Drawing(figure, f"map-{'-'.join(panels)}", notes)


def draw_heat_map(
    similarity: Similarity,
    parents: Parents,
    title: str = "",
    label: str = "similarity",
    config: FigureConfig = FigureConfig(),
) -> Drawing:
    """`plot_heat_map` as a figure that is large enough for all names to be legible."""
    number = len(similarity.tags)
    side = max(4.0, min(config.size * 1.6, 0.11 * number), min(config.size * 4, 0.085 * number))
    longest = max((len(short(tag)) for tag in similarity.tags), default=0)
    names = 0.65 / 72 * longest * _name_font(72 * side / max(number, 1))
    groups = 0.65 / 72 * min(longest, _IN_LEGEND) * _group_font(side)
    size = (1.15 * side + names + groups + 0.5, 1.04 * side + names + groups + 0.3)
    figure = new_figure(*size, config.dots)
    axis = figure.subplots()
    above = {"fontsize": 1.4 * _group_font(side), "parse_math": False}  # Above groups' names.
    figure.suptitle(short(title), **above)
    notes = _draw_cells(axis, similarity, parents, label, side)
    _settle(figure)
    return Drawing(figure, f"heat-{title}", notes)


def new_figure(wide: float, high: float, dots: int = FigureConfig.dots) -> Figure:
    """An empty figure, with its size in inches; names are placed at the resolution of its file."""
    figure = Figure(figsize=(wide, high), dpi=dots, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def add_legend(
    figure: Figure,
    handles: Sequence[Any],
    names: Sequence[str],
    columns: int,
    title: str = "",
) -> dict[str, Note]:
    """Draws a legend below a figure; a legend with a title is above it.

    The notes make each entry a key for its series.
    """
    legend = figure.legend(
        handles,
        names,
        loc="outside upper center" if title else "outside lower center",
        ncols=columns,
        frameon=False,
        prop={"family": labels.families(names), "size": 9},
        title=title or None,
        title_fontproperties={"family": labels.families([title]), "size": 12},
    )
    notes = {}
    for part, artists in (("symbol", legend.legend_handles), ("text", legend.texts)):
        for k, artist in enumerate(artists):
            assert artist is not None
            artist.set_gid(f"{part}-{k}")
            notes[f"{part}-{k}"] = Note(data={"series": str(k), "part": "key"})
    for text in (legend.get_title(), *legend.texts):
        text.set_parse_math(False)
    return notes


def save(drawing: Drawing, stem: PathLike, dots: int = FigureConfig.dots) -> list[pathlib.Path]:
    """Writes `stem.png` and `stem.svg`, the same bytes for the same figure. Returns the paths."""
    png, svg = (pathlib.Path(f"{stem}.{suffix}") for suffix in ("png", "svg"))
    with atomic_path(png) as temporary, labels.quietly():
        metadata: dict[str, Any] = {"Software": None}
        drawing.figure.savefig(temporary, format="png", dpi=dots, metadata=metadata)
    write_text(svg, drawing.svg)
    return [png, svg]


def _new_axes() -> Axes:
    import matplotlib.pyplot  # Imported only here because it has global state.

    return matplotlib.pyplot.subplots(figsize=(10, 10), layout="constrained")[1]


def _empty(axis: Axes) -> None:
    """Removes the ticks of the axes and leaves a frame."""
    axis.margins(0.03)
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_color("#bbbbbb")


def _lay_out(figure: Figure) -> None:
    if engine := figure.get_layout_engine():
        with labels.quietly():
            engine.execute(figure)


def _settle(figure: Figure) -> None:
    """Fixes the layout before labels are placed. Otherwise each file would compute it again."""
    _lay_out(figure)
    figure.set_layout_engine("none")


def _draw_legend(figure: Figure, series: Mapping[str, str], wide: float) -> dict[str, Note]:
    """Draws a legend of genres below the panels, if there are any genres."""
    if not any(series):
        return {}
    shown = [short(name, _IN_LEGEND) or "no genre" for name in series]
    handles = [
        Line2D([], [], marker="o", ls="", ms=9, mec="black" if name else "white", mfc=colour)
        for name, colour in series.items()
    ]
    room = int(72 * wide / (6.2 * max(map(len, shown)) + 40))
    return add_legend(figure, handles, shown, max(1, min(len(shown), room)))


def _draw_tags(
    axis: Axes,
    styles: Sequence[Look],
    places: npt.NDArray[np.float64],
    config: FigureConfig,
    prefix: str = "",
) -> None:
    """Draws markers and their names, which cover no marker and no other name."""
    known = [i for i in range(len(styles)) if not np.isnan(places[i]).any()]
    for i in known:
        look = styles[i]
        axis.plot(
            *places[i],
            ls="",
            marker=look.marker,
            ms=GENRE_MARKER if look.is_genre else STYLE_MARKER,
            mfc=look.colours[0],
            mfcalt=look.colours[-1],
            fillstyle="left" if len(look.colours) > 1 else "full",
            mec="black" if look.is_genre else "white",
            mew=1.8 if look.is_genre else 0.4,
            zorder=3 if look.is_genre else 2,  # genres above styles
            clip_on=False,
            gid=f"{prefix}marker-{i}",
        )
    if known:
        with labels.quietly():
            _draw_names(axis, [styles[i] for i in known], places[known], known, config, prefix)


def _draw_names(
    axis: Axes,
    styles: Sequence[Look],
    places: npt.NDArray[np.float64],
    numbers: Sequence[int],
    config: FigureConfig,
    prefix: str,
) -> None:
    """Names of tags; `numbers` [n] are those of their markers."""
    fonts = labels.families(look.label for look in styles)
    texts = [
        axis.annotate(
            look.label,
            place,
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=config.font * (1.5 if look.is_genre else 1),
            fontweight="bold" if look.is_genre else "normal",
            fontfamily=fonts,
            ha="center",
            va="center",
            zorder=5,
            parse_math=False,
            gid=f"{prefix}name-{i}",
        )
        for i, look, place in zip(numbers, styles, places, strict=True)
    ]
    axis.autoscale_view()
    pixels = axis.figure.dpi / 72
    points = axis.transData.transform(places)
    extents = [text.get_window_extent() for text in texts]
    sizes = np.array([(box.width, box.height) for box in extents])
    big = np.array([look.is_genre for look in styles])
    radii = np.where(big, GENRE_MARKER, STYLE_MARKER) / 2 * pixels
    x0, y0, x1, y1 = axis.bbox.extents
    offsets = labels.place_labels(points, radii, sizes, (x0, y0, x1, y1), big, pixels)
    to_data = axis.transData.inverted()
    for k, text in enumerate(texts):
        text.set_position(offsets[k] / pixels)
        gap = np.maximum(np.abs(offsets[k]) - sizes[k] / 2, 0)
        if np.hypot(*gap) > radii[k] + 5 * pixels:
            near = offsets[k] - np.clip(offsets[k], -sizes[k] / 2, sizes[k] / 2)
            line = to_data.transform([points[k], points[k] + near]).T
            gid = f"{prefix}line-{numbers[k]}"
            axis.plot(*line, color="#999999", lw=0.5, zorder=1, clip_on=False, gid=gid)


def _map_notes(
    similarity: Similarity,
    parents: Parents,
    styles: Sequence[Look],
    number: Mapping[str, str],
    prefix: str,
    neighbours: int,
) -> dict[str, Note]:
    """Notes with the tag and genre of each marker, name and line; markers have tooltips."""
    notes = {}
    for i, (tag, look) in enumerate(zip(similarity.tags, styles, strict=True)):
        genres = parents.get(tag, ())
        nearest = similarity.nearest(tag, neighbours)
        lines = [tag, *(["in " + ", ".join(genres)] if genres else [])]
        lines += [f"{score:.3f} {other}" for other, score in nearest]
        data = {"tag": tag, "series": number[look.genre]}
        data["level"] = "genre" if look.is_genre else "style"
        for part in ("marker", "name", "line"):
            tooltip = lines if part == "marker" else ()
            notes[f"{prefix}{part}-{i}"] = Note(tooltip, data | {"part": part})
    return notes


def _draw_cells(
    axis: Axes, similarity: Similarity, parents: Parents, label: str, height: float
) -> dict[str, Note]:
    """Draws the image, names beside it, lines between groups, and a colour bar.

    Args:
      axis: axes to draw on.
      similarity: similarity of the tags.
      parents: {style tag: genre tags}.
      label: label of the colour bar.
      height: approximate height of the image in inches.
    """
    order = taxonomy_order(similarity.vocabulary, parents)
    number, matrix = len(order), similarity.reordered(order).matrix
    if not number:
        return {}
    others = matrix[~np.eye(number, dtype=bool)]
    low, high = np.nanquantile(others, [0, 0.999]) if np.isfinite(others).any() else (0, 1)
    colours = matplotlib.colormaps["magma_r"].resampled(255)  # With NaN they fill a palette of 256.
    image = axis.imshow(
        matrix, vmin=low, vmax=high, cmap=colours, interpolation="none", gid="cells"
    )
    axis.set_facecolor(NO_VALUE)
    points = 72 * height / number  # height of a row
    genres = genres_among(similarity.vocabulary, parents)
    notes = {"cells": Note(data={"part": "cells"}), **_name_rows(axis, order, genres, points)}
    groups = _groups(order, similarity.vocabulary, parents)
    font, pad = _group_font(height), 0.01
    if _worth_marking(groups):
        _mark_groups(axis, groups, points)
        if not axis.figure.get_layout_engine():  # Then nothing else makes room for them.
            pad += max(len(group.name) for group in groups) * 0.65 / 72 * font / height
    bar = axis.figure.colorbar(image, ax=axis, shrink=0.5, fraction=0.03, pad=pad)
    bar.set_label(label, fontsize=font, parse_math=False)
    bar.ax.tick_params(labelsize=font)
    return notes


def _name_rows(
    axis: Axes, order: Sequence[str], genres: Collection[str], points: float
) -> dict[str, Note]:
    """Writes the tags beside rows and columns; shortened names have a tooltip."""
    notes = {}
    shown, at = [short(tag) for tag in order], range(len(order))
    look: dict[str, Any] = {"fontsize": _name_font(points), "parse_math": False}
    look["fontfamily"] = labels.families(shown)
    upright: dict[str, Any] = {"rotation": 90, "ha": "right", "va": "center"}
    axis.set_xticks(at, shown, rotation_mode="anchor", **upright, **look)
    axis.set_yticks(at, shown, **look)
    axis.tick_params(length=0, pad=2)
    for name, ticks in (("x", axis.get_xticklabels()), ("y", axis.get_yticklabels())):
        for i, (tag, tick) in enumerate(zip(order, ticks, strict=True)):
            if tag in genres:
                tick.set_fontweight("bold")
            if shown[i] != clean(tag):
                tick.set_gid(f"{name}-{i}")
                notes[f"{name}-{i}"] = Note([tag])
    return notes


def _name_font(points: float) -> float:
    """Font size in points of a name beside a row with this height in points."""
    return max(2.0, min(9.0, 0.75 * points))


def _group_font(height: float) -> float:
    """Font size in points that is legible when a page shows a whole figure of so many inches."""
    return max(9.0, 0.6 * height)


@dataclasses.dataclass(frozen=True)
class _Group:
    """Neighbouring tags of one genre: the places from `start` up to `end`."""

    start: int
    end: int
    part: tuple[str, int]  # the tags' system and half
    genre: str

    @property
    def name(self) -> str:
        """The name to write beside the group."""
        return short(self.genre, _IN_LEGEND) or "no genre"


def _groups(order: Sequence[str], vocabulary: Vocabulary, parents: Parents) -> list[_Group]:
    """The groups of tags in the order of the taxonomy."""
    look_of = dict(zip(vocabulary.tags, looks(vocabulary, parents), strict=True))
    groups, start = [], 0

    def key(tag: str) -> tuple[tuple[str, int], str]:
        place = vocabulary.index[tag]
        return (vocabulary.system[place], vocabulary.half[place]), look_of[tag].genre

    for (part, genre), tags in itertools.groupby(order, key):
        end = start + len(list(tags))
        groups.append(_Group(start, end, part, genre))
        start = end
    return groups


def _worth_marking(groups: Sequence[_Group]) -> bool:
    """Whether there are several parts or genres with styles, and not too many groups."""
    parts = {group.part for group in groups}
    wide = any(group.genre and group.end - group.start > 1 for group in groups)
    return (wide or len(parts) > 1) and 1 < len(groups) <= 150


def _mark_groups(axis: Axes, groups: Sequence[_Group], points: float) -> None:
    """Draws lines between genres, stronger ones between systems or halves, and names of genres.

    Args:
      axis: axes with the image.
      groups: groups from the top.
      points: height of a row in points.
    """
    for before, group in itertools.pairwise(groups):
        strong = before.part != group.part
        for draw_line in (axis.axhline, axis.axvline):
            colour = _STRONG_LINES if strong else _LINES
            draw_line(group.start - 0.5, color=colour, lw=1.6 if strong else 0.5)
    font, last = _group_font(points * groups[-1].end / 72), -np.inf
    look: dict[str, Any] = {"fontsize": font, "parse_math": False, "color": "#444444"}
    look["fontfamily"] = labels.families(group.name for group in groups)
    look |= {"textcoords": "offset points", "rotation_mode": "anchor"}
    right, top = axis.get_yaxis_transform(), axis.get_xaxis_transform()
    for group in groups:
        middle = (group.start + group.end - 1) / 2
        if (middle - last) * points < 1.25 * font:
            continue
        last = middle
        axis.annotate(group.name, (1, middle), (4, 0), xycoords=right, va="center", **look)
        axis.annotate(group.name, (middle, 1), (0, 4), xycoords=top, rotation=60, **look)


def _classical_scaling(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The first two principal coordinates of a distance matrix, each with a fixed sign."""
    squared = distance**2
    centred = squared - squared.mean(axis=0) - squared.mean(axis=1)[:, None] + squared.mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    values, vectors = values[::-1][:2], vectors[:, ::-1][:, :2]
    places = np.zeros((len(distance), 2))
    places[:, : len(values)] = vectors * np.sqrt(np.maximum(values, 0))
    signs = np.sign(places[np.abs(places).argmax(axis=0), [0, 1]])
    return places * np.where(signs == 0, 1, signs)
