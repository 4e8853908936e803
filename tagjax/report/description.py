"""The report of a data set: tables, charts, and an HTML page that opens without network."""

import pathlib
from collections.abc import Iterator

import markupsafe
import numpy as np

from tagjax.base.files import PathLike, write_text
from tagjax.base.tables import write_table
from tagjax.report import charts, describe, figures, labels, listings, page
from tagjax.report.looks import Parents
from tagjax.report.page import ReportConfig
from tagjax.report.svg import Drawing


def write_description(
    folder: PathLike,
    described: describe.Description,
    parents: Parents,
    title: str,
    config: ReportConfig = ReportConfig(),  # noqa: B008 (frozen)
) -> Iterator[pathlib.Path]:
    """Writes tables, charts and the page of `render_description`; yields each path when written.

    Args:
      folder: folder for the files; created if absent.
      described: description of the data set.
      parents: {style tag: genre tags}, for the order of the heat map.
      title: title of the page.
      config: how much to show.
    """
    folder = pathlib.Path(folder)
    for name, table in describe.tables(described).items():
        write_table(folder / f"{name}.csv", table.header, table.rows, for_people=True)
        yield folder / f"{name}.csv"
    labels.warn_of_missing(described.vocabulary.tags)
    drawn = draw_description(described, parents, title, config)
    for name, drawing in drawn.items():
        yield from figures.save(drawing, folder / name, config.layout.dots)
    text = render_description(described, parents, title, config, drawn)
    write_text(folder / "report.html", text)
    yield folder / "report.html"


def draw_description(
    described: describe.Description,
    parents: Parents,
    title: str,
    config: ReportConfig = ReportConfig(),  # noqa: B008 (frozen)
) -> dict[str, Drawing]:
    """{section of the page: its chart}; no heat map of too many tags, or with only labels."""
    parts = listings.columns_of(described.parts)
    ranges = list(zip(parts["min"], parts["median"], parts["max"], strict=True))
    counts = {name: parts[name] for name in ("excerpts", "tracks", "artists")}
    tags = listings.columns_of(describe.tag_table(described))
    series = {name: np.array(tags[key]) for key, name in listings.COUNTED.items() if key in tags}
    drawn = {
        "parts": charts.draw_parts(parts["part"], counts, ranges),
        "tags": charts.draw_tags(tags["tag"], series, title),
    }
    if described.full:
        drawn["cardinality"] = charts.draw_cardinality(described.cardinality)
        if len(described.vocabulary) <= config.heat:
            likeness = describe.likeness(described)
            drawn["cooccurrence"] = figures.draw_heat_map(
                likeness, parents, title, "co-occurrence", config.layout
            )
    return drawn


def render_description(
    described: describe.Description,
    parents: Parents,
    title: str,
    config: ReportConfig = ReportConfig(),  # noqa: B008 (frozen)
    drawn: dict[str, Drawing] | None = None,
) -> str:
    """The report of a data set as HTML.

    Args:
      described: description of the data set.
      parents: {style tag: genre tags}, for the order of the heat map.
      title: title of the page.
      config: how much to show.
      drawn: result of `draw_description`; None: it is drawn here.
    """
    if drawn is None:
        drawn = draw_description(described, parents, title, config)
    tables, sections = describe.tables(described), []
    for name, (heading, about) in listings.DESCRIBED.items():
        file = "pairs" if name == "cooccurrence" else name
        if file not in tables:
            continue
        shown = [listings.plain(tables[file], f"{file}.csv", config.rows)]
        if name == "parts":
            shown += listings.counts(described.counts)
        cells = None
        if name == "cooccurrence" and name in drawn:
            cells = page.embedded_cells(describe.likeness(described), parents)
        sections.append(
            {
                "id": name,
                "heading": heading,
                "about": about,
                "listings": shown,
                "figure": markupsafe.Markup(drawn[name].svg) if name in drawn else None,
                "cells": cells,
            }
        )
    return page.render_page(
        "describe.html.j2",
        title=title,
        totals=described.totals,
        notes=described.notes,
        method=described.method,
        sections=sections,
    )
