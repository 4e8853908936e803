"""The map of tags, the heat map and the charts of a data set as Plotly figures, for the report.

Plotly reads a subset of HTML in every text it draws, so names of tags are escaped here.
"""

import html
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly import subplots

from tagjax.report import charts, figures
from tagjax.similarity.matrix import Similarity
from tagjax.tasks.results import TaskTable
from tagjax.vocabulary import tags

SCALE = 10_000  # heat map cells are whole numbers of 1 / SCALE
NO_VALUE = -32_768  # of a cell without similarity

_NO_LABEL = "\u00a0"  # Plotly does not bring back a text that was empty
_LONGEST = 36  # letters of a label
_SIDE = 800  # of the heat map's square of cells, pixels
_FONT = {"family": "system-ui, sans-serif", "size": 12, "color": "#222"}
# Of the first system (tags _2: the second of each row), the second system, …
_SYMBOLS = ("circle", "diamond", "square", "star-square", "triangle-up", "triangle-down")
_LAYOUT = {
    "template": "none",
    "font": _FONT,
    "hoverlabel": {"bgcolor": "#fff", "font": _FONT, "align": "left"},
}
_BARS = {"height": 320, "barmode": "group", "margin": {"l": 60, "r": 20, "t": 20, "b": 50}}
_Parents = Mapping[str, Sequence[str]]


def parents_of(names: Sequence[str], parents: _Parents) -> dict[str, tuple[str, ...]]:
    """Genres of each style; half of a tag (`dub_1`) is in that half of the tag's genres.

    Args:
      names: tags.
      parents: {style tag: genre tags}; of halves, or of whole tags.
    """
    known = set(names)
    found = {}
    for name in names:
        base, half = tags.split_duplicate(name)
        genres = tuple(parents.get(name, ()))
        if not genres and half:
            genres = tuple(f"{genre}_{half}" for genre in parents.get(base, ()))
        genres = tuple(genre for genre in genres if genre in known)
        if genres:
            found[name] = genres
    return found


def heat_order(
    names: Sequence[str], parents: _Parents, systems: Sequence[str] = ("",)
) -> tuple[str, ...]:
    """`figures.taxonomy_order`, within a system first all halves `_1` and then all `_2`.

    So duplicates are a diagonal of their own.
    """
    ordered = figures.taxonomy_order(names, parents, systems)
    return tuple(
        sorted(ordered, key=lambda t: (tags.system_of(t, systems), tags.split_duplicate(t)[1]))
    )


def draw_map(
    similarity: Similarity,
    places: npt.NDArray[np.float64],
    parents: _Parents,
    systems: Sequence[str] = ("",),
    neighbours: int = 5,
) -> go.Figure:
    """Figure 1 with tooltips: a trace a genre, bigger with a black edge, named.

    Args:
      similarity: of N tags; the tooltips list each one's nearest.
      places: float [N, 2] from `figures.layout`; tags at NaN are left out.
      parents: {style tag: genre tags}; a style is drawn in the colour of the first.
      systems: prefixes of the tag systems, each with a marker of its own.
      neighbours: tags listed in a tooltip.
    """
    names = similarity.tags
    colours = figures.genre_colours(
        [_base(name) for name in names],
        {_base(style): [_base(genre) for genre in genres] for style, genres in parents.items()},
        systems,
    )
    groups: dict[tuple[str, str], list[int]] = {}
    for i, tag in enumerate(names):
        if not np.isnan(places[i]).any():
            genre = _base(_genre_of(tag, parents, systems))
            groups.setdefault((tags.system_of(tag, systems), genre), []).append(i)
    figure, listed = go.Figure(), set()
    titled = [i for members in groups.values() for i in members if tags.is_genre(names[i], systems)]
    titled = [i for i in titled if tags.split_duplicate(names[i])[1] != 2]
    titles = [_label(_base(names[i]), systems) for i in titled]
    sides = dict(zip(titled, _sides(places, titled, titles), strict=True))
    order = sorted(groups.items(), key=lambda group: (group[0][1] == "", group[0]))
    for big in (False, True):  # genres above styles
        for rank, ((system, genre), members) in enumerate(order, start=1):
            members = [i for i in members if tags.is_genre(names[i], systems) is big]
            if not members:
                continue
            second = [tags.split_duplicate(names[i])[1] == 2 for i in members]
            symbol = 2 * list(systems).index(system)
            key = f"{system} {genre}"
            figure.add_scatter(
                x=np.round(places[members, 0], 3).tolist(),
                y=np.round(places[members, 1], 3).tolist(),
                name=_label(genre, systems) if genre else f"{_text(system)} no genre".strip(),
                legendgroup=_text(key),
                legendrank=rank,
                showlegend=key not in listed,
                mode="markers+text",
                text=[titles[titled.index(i)] if i in sides else _NO_LABEL for i in members],
                customdata=[(names[i], _label(names[i], systems)) for i in members],
                hovertext=[_tooltip(similarity, i, parents, neighbours) for i in members],
                hoverinfo="text",
                textposition=[sides.get(i, "top center") for i in members],
                textfont={"size": 13 if big else 10},
                marker={
                    "size": 16 if big else 8,
                    "color": colours.get(genre, figures.NO_GENRE),
                    "symbol": [_SYMBOLS[(symbol + half) % len(_SYMBOLS)] for half in second],
                    "opacity": 1,
                    "line": {"color": "#000" if big else "#fff", "width": 2 if big else 0.5},
                },
            )
            listed.add(key)
    bare = {"visible": False, "showgrid": False, "zeroline": False}
    figure.update_layout(
        template="none",
        font=_FONT,
        height=800,
        margin={"l": 10, "r": 10, "t": 36, "b": 10},
        hovermode="closest",
        dragmode="pan",
        hoverlabel={"bgcolor": "#fff", "font": _FONT, "align": "left"},
        xaxis=bare,
        yaxis={**bare, "scaleanchor": "x"},
        showlegend=len(groups) > 1,
        legend={"font": {"size": 11}, "itemsizing": "constant"},
    )
    return figure


def draw_heat_map(
    similarity: Similarity,
    parents: _Parents,
    systems: Sequence[str] = ("",),
    label: str = "similarity",
) -> tuple[go.Figure, npt.NDArray[np.int16]]:
    """The similarity in the order of `heat_order`; `label` says what the colours mean.

    Returns:
      The figure without its cells, and the cells: int16 [N, N], in 1 / `SCALE`, `NO_VALUE`
      for NaN (a quarter of what they take as float64).
    """
    order = heat_order(similarity.tags, parents, systems)
    matrix = similarity.reordered(order).matrix
    known = ~np.isnan(matrix)
    cells = np.full(matrix.shape, NO_VALUE, dtype=np.int16)
    cells[known] = np.round(np.clip(matrix[known], -3, 3) * SCALE)
    off = matrix[~np.eye(len(order), dtype=bool)]
    off = off[~np.isnan(off)]
    low, high = (float(off.min()), float(np.quantile(off, 0.999))) if len(off) else (0.0, 1.0)
    names = [_text(tag) for tag in order]
    axis = {
        "type": "category",
        "showgrid": False,
        "tickfont": {"size": 9},
        "ticks": "",
        "labelalias": {name: _text(_short(tag)) for name, tag in zip(names, order, strict=True)},
    }
    figure = go.Figure(
        go.Heatmap(
            x=names,
            y=names,
            zmin=low,
            zmax=high if high > low else low + 1,
            colorscale="Magma_r",
            hovertemplate="%{y}<br>%{x}<br><b>%{z:.3f}</b><extra></extra>",
            colorbar={
                "title": {"text": label, "side": "right"},
                "len": 0.4,
                "thickness": 12,
                "x": 1.18,
            },
        )
    )
    ends = [-0.5, len(order) - 0.5]
    figure.update_layout(
        template="none",
        font=_FONT,
        width=_SIDE + 370,  # so that the cells are square
        height=_SIDE + 260,
        plot_bgcolor="#d9e3ea",  # seen where there is no similarity
        margin={"l": 150, "r": 220, "t": 120, "b": 140, "autoexpand": False},
        hoverlabel={"bgcolor": "#fff", "font": _FONT, "align": "left"},
        xaxis={**axis, "tickangle": 90, "range": ends},
        yaxis={**axis, "range": ends[::-1]},
    )
    _mark_groups(figure, order, parents, systems)
    return figure, cells


def draw_counts(names: Sequence[str], series: Mapping[str, Sequence[int]]) -> go.Figure:
    """A line a tag with a dot a series, on a logarithmic axis; as `charts.draw_tags`."""
    labels = [_text(_short(name)) for name in names]
    figure = go.Figure()
    for name, counts in series.items():
        colour, marker, size = charts.SERIES[name]
        upright = marker == "|"
        figure.add_scatter(
            x=[count or None for count in counts],
            y=list(range(len(names))),
            name=_text(name),
            mode="markers",
            marker={
                "color": colour,
                "size": size if upright else 2 * size,
                "symbol": {"o": "circle", "D": "diamond", "|": "line-ns"}[marker],
                "line": {"color": colour, "width": 2.5 if upright else 0},
            },
            text=[_text(name) for name in names],
            hovertemplate="%{text}<br><b>%{x}</b> " + _text(name) + "<extra></extra>",
        )
    high = 16 * len(names) + 20
    figure.update_layout(
        **_LAYOUT,
        height=high + 90,
        margin={"l": 230, "r": 20, "t": 80, "b": 10, "autoexpand": False},
        legend={"orientation": "h", "x": 0, "y": 1 + 30 / high, "yanchor": "bottom"},
        xaxis={"type": "log", "side": "top", "dtick": "D2", "gridcolor": "#e6eaee"},
        yaxis={
            "range": [len(names) - 0.4, -0.6],
            "tickvals": list(range(len(names))),
            "ticktext": labels,
            "tickfont": {"size": 11},
            "gridcolor": "#f3f5f7",
            "zeroline": False,
        },
    )
    return figure


def draw_parts(parts: TaskTable) -> go.Figure:
    """Excerpts, tracks and artists of each part as bars; as `charts.draw_parts`."""
    columns = {name: [row[i] for row in parts.rows] for i, name in enumerate(parts.header)}
    shown = [name for name in ("excerpts", "tracks", "artists") if None not in columns[name]]
    figure = subplots.make_subplots(
        1, len(shown), shared_yaxes=True, subplot_titles=shown, horizontal_spacing=0.03
    )
    for k, name in enumerate(shown, start=1):
        figure.add_bar(
            x=columns[name],
            y=list(range(len(parts.rows))),
            orientation="h",
            text=[f"{value:,}" for value in columns[name]],
            textposition="outside",
            cliponaxis=False,
            hoverinfo="skip",
            marker={"color": list(map(charts.part_colour, columns["part"]))},
            row=1,
            col=k,
        )
        room = [0, 1.25 * max([1, *columns[name]])]
        figure.update_xaxes(visible=False, range=room, row=1, col=k)
    figure.update_layout(
        **_LAYOUT,
        height=24 * len(parts.rows) + 75,
        margin={"l": 150, "r": 10, "t": 60, "b": 10, "autoexpand": False},
        showlegend=False,
        bargap=0.25,
    )
    figure.update_yaxes(range=[len(parts.rows) - 0.4, -0.6], showgrid=False, zeroline=False)
    figure.update_yaxes(
        tickvals=list(range(len(parts.rows))), ticktext=list(map(_text, columns["part"])), col=1
    )
    return figure


def draw_bars(several: Mapping[str, npt.NDArray[np.int64]]) -> go.Figure:
    """The share of tracks with k tags, of all and each tag system; as `charts.draw_cardinality`."""
    figure = go.Figure()
    for k, (name, counts) in enumerate(several.items()):
        figure.add_bar(
            x=list(range(len(counts))),
            y=np.round(100 * counts / max(counts.sum(), 1), 3).tolist(),
            name=_text(name or "all"),
            customdata=counts.tolist(),
            hovertemplate="%{x} tags: %{customdata} tracks, %{y:.1f} %",
            marker={"color": figures.COLOURS[k % len(figures.COLOURS)]},
        )
    figure.update_layout(**_LAYOUT, **_BARS, showlegend=len(several) > 1)
    most = max(map(len, several.values()), default=1) - 1
    least = 1 if all(counts[0] == 0 for counts in several.values()) else 0
    figure.update_xaxes(
        title="tags a track", range=[least - 0.5, most + 0.5], dtick=1 if most < 30 else None
    )
    figure.update_yaxes(title="% of tracks", gridcolor="#e6eaee")
    return figure


def _mark_groups(figure: go.Figure, order, parents: _Parents, systems: Sequence[str]) -> None:
    """Lines between genres, stronger ones between systems or halves, and the genres' names."""
    genres = [_genre_of(tag, parents, systems) for tag in order]
    parts = [(tags.system_of(tag, systems), tags.split_duplicate(tag)[1]) for tag in order]
    starts = [
        i
        for i in range(len(order))
        if i == 0 or genres[i] != genres[i - 1] or parts[i] != parts[i - 1]
    ]
    if not 0 < len(starts) <= 150:
        return
    shapes, notes, last = [], [], -np.inf
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        strong = start > 0 and parts[start] != parts[start - 1]
        line = {"color": "#1b6ca8" if strong else "#8aa", "width": 1.6 if strong else 0.5}
        if start:
            ends = {"x0": start - 0.5, "x1": start - 0.5, "y0": 0, "y1": 1, "yref": "paper"}
            shapes.append({"type": "line", "xref": "x", **ends, "line": line})
            ends = {"y0": start - 0.5, "y1": start - 0.5, "x0": 0, "x1": 1, "xref": "paper"}
            shapes.append({"type": "line", "yref": "y", **ends, "line": line})
        middle = (start + end - 1) / 2
        if middle - last < len(order) / 50:
            continue
        last = middle
        name = genres[start] or f"{parts[start][0]} no genre"
        text = _text(_short(_plain(name, systems) if genres[start] else name.strip()))
        both = {"text": text, "showarrow": False, "font": {"size": 10}}
        notes.append({**both, "x": 1, "y": middle, "xref": "paper", "xanchor": "left", "xshift": 4})
        up = {"textangle": -60, "xanchor": "left", "yanchor": "bottom", "xshift": -5}
        notes.append({**both, **up, "x": middle, "y": 1, "yref": "paper"})
    figure.update_layout(shapes=shapes, annotations=notes)


def _sides(
    places: npt.NDArray[np.float64], titled: Sequence[int], titles: Sequence[str]
) -> list[str]:
    """The side of each genre's marker where its name covers the fewest names and genres."""
    if not titled:
        return []
    low, high = np.nanmin(places, axis=0), np.nanmax(places, axis=0)
    points = (places[titled] - low) * 720 / max(*(high - low), 1e-9)  # pixels, nearly
    taken = [(x - 9, y - 9, x + 9, y + 9) for x, y in points]
    chosen = []
    for (x, y), title in zip(points, titles, strict=True):
        wide = 3.6 * len(title)
        boxes = {
            "top center": (x - wide, y + 10, x + wide, y + 26),
            "bottom center": (x - wide, y - 26, x + wide, y - 10),
            "middle right": (x + 10, y - 8, x + 10 + 2 * wide, y + 8),
            "middle left": (x - 10 - 2 * wide, y - 8, x - 10, y + 8),
        }
        others = np.array(taken)
        covered = {}
        for side, box in boxes.items():
            shared = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
            covered[side] = np.prod(np.maximum(shared, 0), axis=1).sum()
        chosen.append(min(covered, key=covered.__getitem__))
        taken.append(boxes[chosen[-1]])
    return chosen


def _tooltip(similarity: Similarity, i: int, parents: _Parents, neighbours: int) -> str:
    name, row = similarity.tags[i], similarity.matrix[i]
    key = np.where(np.isnan(row), np.inf, -row)
    key[i] = np.inf
    nearest = [j for j in np.argsort(key, kind="stable")[:neighbours] if np.isfinite(key[j])]
    lines = [f"<b>{_text(name)}</b>"]
    if parents.get(name):
        lines.append(_text("in " + ", ".join(parents[name])))
    lines += [f"{row[j]:.3f} {_text(similarity.tags[j])}" for j in nearest]
    return "<br>".join(lines)


def _genre_of(tag: str, parents: _Parents, systems: Sequence[str]) -> str:
    return tag if tags.is_genre(tag, systems) else next(iter(parents.get(tag, ())), "")


def _base(tag: str) -> str:
    return tags.split_duplicate(tag)[0]


def _label(tag: str, systems: Sequence[str]) -> str:
    return _text(_short(_plain(tag, systems)))


def _plain(tag: str, systems: Sequence[str]) -> str:
    return tag.replace(tags.GENRE, "", 1) if tags.is_genre(tag, systems) else tag


def _short(tag: str) -> str:
    return tag if len(tag) <= _LONGEST else tag[: _LONGEST - 1] + "…"


def _text(name: str) -> str:
    return html.escape(name, quote=False)
