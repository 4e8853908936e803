"""Figure 1 (a map of the tags by t-SNE) and a similarity heat map.

Drawn with Matplotlib's object interface on the Agg canvas: no display, no global state.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
import sklearn.manifold
import threadpoolctl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tagjax.base.files import PathLike, atomic_path
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary import tags

# Twenty colours a reader can tell apart, as many as genres of either released system.
COLOURS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf",
    "#bcbd22", "#0b3c6f", "#f7b6d2", "#98df8a", "#ffbf00", "#7a0177", "#aec7e8", "#636363",
    "#006d5b", "#c49c94", "#ff5e5b", "#5254a3",
)  # fmt: skip
NO_GENRE = "#c8c8c8"
GENRE_MARKER, STYLE_MARKER = 15, 7  # points across


@dataclasses.dataclass(frozen=True)
class Config:
    """What the paper leaves open of its figure.

    Attributes:
      perplexity: of t-SNE; clipped to a third of the tags.
      seed: of t-SNE.
      size: inches a side of one panel, or the root of the number of its tags if that is less.
      dots: per inch, of the PNG.
      font: size of a style's label in points; a genre's is larger by half.
    """

    perplexity: float = 30
    seed: int = 0
    size: float = 16
    dots: int = 110
    font: float = 7


def layout(
    similarity: Similarity,
    config: Config = Config(),
) -> npt.NDArray[np.float64]:
    """2-D t-SNE of tags by cosine distance, started from classical scaling.

    Args:
      similarity: of N tags, cosines; their distance is 1 - cosine, as t-SNE takes them with
        metric "cosine", so that the embedding itself (f_c has a row an excerpt) is not needed.
      config: perplexity and seed.

    Returns:
      float64 [N, 2]; NaN for tags without similarity. Fewer than four tags are not fitted but
      scaled.
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
    # A second thread only waits for the first on so few points, for minutes on a busy machine.
    with threadpoolctl.threadpool_limits(1):
        place[known] = fit.fit_transform(distance)
    return place


def draw_map(
    panels: Mapping[str, tuple[Sequence[str], npt.NDArray[np.float64]]],
    parents: Mapping[str, Sequence[str]],
    systems: Sequence[str] = ("",),
    config: Config = Config(),
) -> Figure:
    """Figure 1: styles in the colour of their genre, genres bigger with a black edge.

    A style of two genres is half and half; one without genre is grey. Both halves of a duplicated
    tag (`genre:rock_1`, `genre:rock_2`) have the same colour.

    Args:
      panels: {title: (N tags, places float [N, 2] from `layout`)}, drawn side by side. Tags
        whose place is NaN are left out, and counted in the title.
      parents: {style tag: genre tags}: `taxonomy.place(...).parents`.
      systems: prefixes of the tag systems; a second one's tags are squares, a third's
        triangles.
      config: size, font, seed.
    """
    whole = {
        tag: tags.split_duplicate(tag)[0]
        for several in (*(names for names, _ in panels.values()), *parents.values())
        for tag in several
    }
    found = genre_colours(list(whole.values()), {}, systems)
    colours = {tag: found[base] for tag, base in whole.items() if base in found}
    most = max((len(names) for names, _ in panels.values()), default=0)
    side = min(config.size, max(7.0, most**0.5))
    figure = Figure(figsize=(side * len(panels), side + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (title, (names, places)) in zip(axes, panels.items(), strict=True):
        missing = int(np.isnan(places).any(axis=1).sum())
        axis.set_title(title + (f" ({missing} tags without data)" if missing else ""), fontsize=15)
        axis.margins(0.03)
        axis.set_xticks([])
        axis.set_yticks([])
        for spine in axis.spines.values():
            spine.set_color("#bbbbbb")
        _scatter(axis, names, places, parents, colours, systems)
    if colours:
        legend_of = {_plain(tags.strip(genre, systems)): found[genre] for genre in found}
        handles = [
            Line2D([], [], marker="o", ls="", ms=9, mec="black", mfc=colour, label=name)
            for name, colour in sorted(legend_of.items())
        ]
        legend = figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=min(len(handles), int(side / 2) * len(panels)),
            frameon=False,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    _settle(figure)
    for axis, (names, places) in zip(axes, panels.values(), strict=True):
        _label(axis, names, places, systems, config)
    return figure


def draw_heat_map(
    similarity: Similarity,
    parents: Mapping[str, Sequence[str]],
    systems: Sequence[str] = ("",),
    title: str = "",
    config: Config = Config(),
    label: str = "similarity",
) -> Figure:
    """The similarity as an image, tags in the order of the taxonomy (`taxonomy_order`).

    Grey-blue where it is NaN; `label` says what the colours mean.
    """
    order = taxonomy_order(similarity.tags, parents, systems)
    matrix = similarity.reordered(order).matrix
    side = max(6.0, min(config.size * 1.6, 2 + 0.11 * len(order)))
    side = max(side, min(config.size * 4, 2 + 0.085 * len(order)))  # names stay legible
    figure = Figure(figsize=(1.07 * side, side), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    off = matrix[~np.eye(len(order), dtype=bool)]
    low, high = np.nanquantile(off, [0, 0.999]) if np.isfinite(off).any() else (0, 1)
    image = axis.imshow(matrix, vmin=low, vmax=high, cmap="magma_r", interpolation="none")
    axis.set_facecolor("#d9e3ea")
    axis.set_title(title, fontsize=15)
    font = max(2.0, min(9.0, 0.75 * 72 * (side - 2) / max(len(order), 1)))
    axis.set_xticks(range(len(order)), order, rotation=90, fontsize=font, parse_math=False)
    axis.set_yticks(range(len(order)), order, fontsize=font, parse_math=False)
    axis.tick_params(length=0, pad=1)
    for i, tag in enumerate(order):
        if tags.is_genre(tag, systems):
            axis.get_xticklabels()[i].set_fontweight("bold")
            axis.get_yticklabels()[i].set_fontweight("bold")
            axis.axhline(i - 0.5, color="#88aaaa", lw=0.5)
            axis.axvline(i - 0.5, color="#88aaaa", lw=0.5)
    figure.colorbar(image, ax=axis, shrink=0.5, fraction=0.03, pad=0.01, label=label)
    _settle(figure)
    return figure


def taxonomy_order(
    names: Sequence[str], parents: Mapping[str, Sequence[str]], systems: Sequence[str] = ("",)
) -> tuple[str, ...]:
    """Tags by system, each genre before its styles, then styles without genre, by name.

    A style of several genres follows the first of them.
    """

    def key(tag: str):
        genre = tag if tags.is_genre(tag, systems) else next(iter(parents.get(tag, ())), None)
        return (tags.system_of(tag, systems), genre is None, genre or "", tag != genre, tag)

    return tuple(sorted(names, key=key))


def genre_colours(
    names: Sequence[str] | Mapping[str, Any],
    parents: Mapping[str, Sequence[str]],
    systems: Sequence[str] = ("",),
) -> dict[str, str]:
    """A colour for each genre among some tags; the same names give the same colours.

    Genres of the same name in several systems share one. Beyond twenty, colours come again.
    """
    genres = sorted(
        {tag for tag in names if tags.is_genre(tag, systems)}
        | {genre for several in parents.values() for genre in several}
    )
    plain = sorted({tags.strip(genre, systems) for genre in genres})
    number = {name: i % len(COLOURS) for i, name in enumerate(plain)}
    return {genre: COLOURS[number[tags.strip(genre, systems)]] for genre in genres}


def save(figure: Figure, stem: PathLike, config: Config = Config()) -> list[pathlib.Path]:
    """Writes `stem.png` and `stem.svg`, the same bytes for the same figure; returns them."""
    written = []
    for suffix in ("png", "svg"):
        path = pathlib.Path(f"{stem}.{suffix}")
        metadata: dict[str, Any] = {"Date": None} if suffix == "svg" else {"Software": None}
        with atomic_path(path) as temporary, matplotlib.rc_context({"svg.hashsalt": "tagjax"}):
            figure.savefig(temporary, format=suffix, dpi=config.dots, metadata=metadata)
        written.append(path)
    return written


def _settle(figure: Figure) -> None:
    """Lays out once: before labels are placed, and not again for every file of many names."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def _classical_scaling(distance: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The two first principal coordinates of a distance matrix, each with a fixed sign."""
    squared = distance**2
    centred = squared - squared.mean(axis=0) - squared.mean(axis=1)[:, None] + squared.mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    values, vectors = values[::-1][:2], vectors[:, ::-1][:, :2]
    places = np.zeros((len(distance), 2))
    places[:, : len(values)] = vectors * np.sqrt(np.maximum(values, 0))
    signs = np.sign(places[np.abs(places).argmax(axis=0), [0, 1]])
    return places * np.where(signs == 0, 1, signs)


def _plain(tag: str) -> str:
    return tag.replace(tags.GENRE, "", 1)


def _scatter(axis, names, places, parents, colours, systems) -> None:
    markers = dict(zip(systems, "os^Dv<>", strict=False))
    for big in (False, True):  # genres above styles
        for tag, (x, y) in zip(names, places, strict=True):
            if tags.is_genre(tag, systems) is not big or np.isnan(x):
                continue
            faces = [colours[genre] for genre in ([tag] if big else parents.get(tag, ()))]
            faces = (faces or [NO_GENRE])[:2]
            axis.plot(
                x,
                y,
                ls="",
                marker=markers.get(tags.system_of(tag, systems), "o"),
                ms=GENRE_MARKER if big else STYLE_MARKER,
                mfc=faces[0],
                mfcalt=faces[-1],
                fillstyle="left" if len(faces) > 1 else "full",
                mec="black" if big else "white",
                mew=1.8 if big else 0.4,
                zorder=3 if big else 2,
            )


def _label(axis, names, places, systems, config: Config) -> None:
    """Writes every name beside its marker, where it covers no marker and no other name."""
    known = [i for i in range(len(names)) if not np.isnan(places[i, 0])]
    if not known:
        return
    points = axis.transData.transform(places[known])
    big = [tags.is_genre(names[i], systems) for i in known]
    texts = [
        axis.annotate(
            _plain(names[i]),
            places[i],
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=config.font * (1.5 if large else 1),
            fontweight="bold" if large else "normal",
            ha="center",
            va="center",
            zorder=5,
            parse_math=False,
        )
        for i, large in zip(known, big, strict=True)
    ]
    pixels = axis.figure.dpi / 72
    renderer = axis.figure.canvas.get_renderer()
    extents = [text.get_window_extent(renderer) for text in texts]
    sizes = np.array([(box.width, box.height) for box in extents])
    radii = np.array([(GENRE_MARKER if large else STYLE_MARKER) / 2 for large in big]) * pixels
    offsets = place_labels(points, radii, sizes, tuple(axis.bbox.extents), np.array(big), pixels)
    for text, point, offset, size, radius in zip(texts, points, offsets, sizes, radii, strict=True):
        text.set_position(offset / pixels)
        gap = np.maximum(np.abs(offset) - size / 2, 0)
        if np.hypot(*gap) > radius + 5 * pixels:
            end = offset - np.clip(offset, -size / 2, size / 2)  # the box's point nearest to ours
            line = axis.transData.inverted().transform([point, point + end])
            axis.plot(*line.T, color="#999999", lw=0.5, zorder=1)


def place_labels(
    points: npt.NDArray[np.float64],
    radii: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.float64],
    frame: tuple[float, float, float, float],
    first: npt.NDArray[np.bool_],
    unit: float = 1,
) -> npt.NDArray[np.float64]:
    """Places a label near each marker, so that it covers neither markers nor other labels.

    Greedy, without chance: labels choose in turn the free place nearest to their marker, those
    of `first` before the rest, and those in a crowd before those that have room.

    Args:
      points: [N, 2], markers' centres.
      radii: [N], of the markers.
      sizes: [N, 2], labels' width and height.
      frame: x0, y0, x1, y1, to stay within.
      first: bool [N], labels to place first.
      unit: the step of distance.

    Returns:
      float64 [N, 2], the offset of each label's centre from its marker's. Where no place is
      free, the one that covers least is taken.
    """
    taken = np.concatenate([points - radii[:, None], points + radii[:, None]], axis=1)
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    crowd = (apart < np.median(sizes[:, 0]) * 1.5).sum(axis=1)
    angles = np.arange(24) / 24 * 2 * np.pi
    # Beside and above rather than askew, where it is as near.
    angles = angles[np.argsort(np.minimum(np.abs(np.sin(2 * angles)), 0.5), kind="stable")]
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    sides = np.sign(np.round(directions, 9))  # of the label that face the marker
    steps = unit * np.concatenate([np.arange(2, 12), np.geomspace(12, 400, 40)])
    offsets = np.zeros_like(points)
    for i in np.lexsort((np.arange(len(points)), -crowd, ~first)):
        least = np.inf
        for step in steps:
            centres = (radii[i] + step) * directions + sides * sizes[i] / 2
            low = points[i] + centres - sizes[i] / 2 - unit
            high = points[i] + centres + sizes[i] / 2 + unit
            shared = np.minimum(high[:, None], taken[:, 2:]) - np.maximum(
                low[:, None], taken[:, :2]
            )
            covered = np.prod(np.maximum(shared, 0), axis=2).sum(axis=1)
            outside = np.maximum(frame[:2] - low, 0) + np.maximum(high - frame[2:], 0)
            covered += 1e3 * outside.sum(axis=1)
            best = int(np.argmin(covered))
            if covered[best] < least:
                least, offsets[i] = covered[best], centres[best]
            if least == 0:
                break
        box = points[i] + offsets[i] + np.array([[-0.5], [0.5]]) * sizes[i]
        taken = np.vstack([taken, box.reshape(1, 4)])
    return offsets
