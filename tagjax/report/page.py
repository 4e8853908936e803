"""The report of a task: one HTML file, which opens without network.

The file has text that Jinja escapes, JSON that cannot end its element, and SVG from
`tagjax.report.svg`. A content security policy in the page forbids network, and all scripts except
the one with the given hash.
"""

import base64
import collections
import dataclasses
import hashlib
import importlib.resources
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import markupsafe
import numpy as np
import numpy.typing as npt

from tagjax.report import figures, listings, text
from tagjax.report.looks import Parents, taxonomy_order
from tagjax.report.svg import Drawing
from tagjax.similarity.matrix import Similarity
from tagjax.tasks import paper
from tagjax.tasks.evaluation import Evaluation
from tagjax.vocabulary.vocabulary import Vocabulary

_SCALE = 10_000  # cells of a heat map are multiples of 1 / _SCALE
_NO_VALUE = -32_768  # number for a cell without similarity


@dataclasses.dataclass(frozen=True)
class ReportConfig:
    """How much goes into the page; the CSV files beside it have everything.

    Attributes:
      listed: number of candidates shown for each query.
      rows: largest number of rows of a table.
      mapped: largest number of tags for which there is a map, as SVG and t-SNE are slow.
      heat: largest number of tags for which there is a heat map.
      layout: settings of the figures.
    """

    listed: int = 20
    rows: int = 2000
    mapped: int = 2000
    heat: int = 800
    layout: figures.FigureConfig = figures.FigureConfig()


@dataclasses.dataclass(frozen=True, eq=False)
class Figures:
    """The figures of an embedding.

    Attributes:
      similarity: the similarity of N tags.
      places: float [N, 2] from `figures.layout`; None if there are too many tags.
      map: Figure 1; None if there are too many tags.
      heat_map: the heat map; None if there are too many tags.
    """

    similarity: Similarity
    places: npt.NDArray[np.float64] | None
    map: Drawing | None
    heat_map: Drawing | None


def draw(
    name: str,
    similarity: Similarity,
    parents: Parents,
    config: ReportConfig = ReportConfig(),
    places: npt.NDArray[np.float64] | None = None,
) -> Figures:
    """Draws the figures of an embedding.

    Args:
      name: name of the embedding.
      similarity: the similarity of N tags.
      parents: {style tag: genre tags}.
      config: for how many tags the figures are drawn.
      places: float [N, 2] from `figures.layout`; None: they are computed.
    """
    number, map_, heat_map = len(similarity.tags), None, None
    if number <= config.mapped:
        if places is None:
            places = figures.layout(similarity, config.layout)
        map_ = figures.draw_map({name: (similarity, places)}, parents, config.layout)
    if number <= config.heat:
        heat_map = figures.draw_heat_map(similarity, parents, name, config=config.layout)
    return Figures(similarity, places, map_, heat_map)


def render(
    evaluation: Evaluation,
    drawn: Mapping[str, Figures] | None = None,
    config: ReportConfig = ReportConfig(),
    title: str | None = None,
) -> str:
    """The report of a task as HTML.

    Args:
      evaluation: the evaluation of the task.
      drawn: {embedding: figures}; None: they are drawn here.
      config: how much to show.
      title: title of the page; None: the task's name.
    """
    task, results = evaluation.task, evaluation.results
    words = listings.words(task, evaluation.vocabulary)
    embeddings = list(results)
    if drawn is None:
        drawn = {
            name: draw(name, evaluation.similarities[name], evaluation.parents, config)
            for name in embeddings
        }
    kinds = dict.fromkeys(kind for result in results.values() for kind in result.tables)
    filled = [k for k in kinds if any(listings.rows_of(result, k) for result in results.values())]
    last = ["ranked", *(kind for kind in filled if kind.startswith("without"))]
    first = [kind for kind in filled if kind not in last]
    first.insert(len(first) if task == "translation" else 0, "errors")
    return render_page(
        "report.html.j2",
        title=title or words.title,
        words=words,
        task=task,
        embeddings=embeddings,
        meanings=_meanings(evaluation),
        chosen=embeddings.index(evaluation.best),
        tags=len(evaluation.vocabulary),
        systems=_counts(evaluation.vocabulary),
        facts=[*filter(None, (text.accuracy_of(evaluation), text.halves_of(evaluation)))],
        summary=listings.summary(task, results, evaluation.printed),
        paper=paper.TABLES[task] if evaluation.printed else "",
        notes=evaluation.notes,
        remarks=listings.remarks(results),
        sections=[_section(kind, evaluation, config) for kind in first],
        lists=[_section(kind, evaluation, config) for kind in last],
        drawn=[embedded(drawn[name], evaluation.parents) for name in embeddings],
        config=config,
    )


def _meanings(evaluation: Evaluation) -> dict[str, str]:
    """{embedding: explanation of its vectors} for this evaluation."""
    meanings = dict(listings.meanings())
    if evaluation.background.single_label:
        meanings["fm"] = "single-label: mean output over the excerpts labelled so, eq. 3"
        meanings["fr"] = "single-label: what a label adds to the output, regression"
    return meanings


def render_page(template: str, **values: Any) -> str:
    """Renders a template as a page with style and script."""
    script = _template_text("report.js")
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return _ENVIRONMENT.get_template(template).render(
        script=markupsafe.Markup(script),
        style=markupsafe.Markup(_template_text("report.css")),
        hash=f"'sha256-{base64.b64encode(digest).decode()}'",
        **values,
    )


def embedded_cells(similarity: Similarity, parents: Parents) -> markupsafe.Markup:
    """The numbers of a heat map as JSON for the tooltips of `report.js`.

    The upper triangle is given row by row as int16 multiples of 1 / `scale`. This takes a fifth of
    the space of numbers as text.
    """
    order = taxonomy_order(similarity.vocabulary, parents)
    matrix = similarity.reordered(order).matrix
    upper = matrix[np.triu_indices(len(order))]
    known = ~np.isnan(upper)
    cells = np.full(len(upper), _NO_VALUE, "<i2")
    cells[known] = np.round(np.clip(upper[known], -3, 3) * _SCALE)
    value = {"names": order, "scale": _SCALE, "cells": base64.b64encode(cells.tobytes()).decode()}
    cells_text = json.dumps(value, separators=(",", ":"))
    for letter in "<>&":  # So the text cannot end the script element or open a comment.
        cells_text = cells_text.replace(letter, f"\\u{ord(letter):04x}")
    return markupsafe.Markup(cells_text)


def embedded(drawn: Figures, parents: Parents) -> dict[str, Any]:
    """The figures of an embedding for the template."""
    cells = embedded_cells(drawn.similarity, parents) if drawn.heat_map else None
    return {
        "map": markupsafe.Markup(drawn.map.svg) if drawn.map else None,
        "heat": markupsafe.Markup(drawn.heat_map.svg) if drawn.heat_map else None,
        "cells": cells,
        "missing": int(np.isnan(np.diagonal(drawn.similarity.matrix)).sum()),
    }


def _section(kind: str, evaluation: Evaluation, config: ReportConfig) -> dict[str, Any]:
    """A section with tables of one kind: a list of tables for each embedding."""
    task, results = evaluation.task, evaluation.results
    heading, link, about = listings.TABLES.get(kind, (kind.replace("_", " "), "", ""))
    tables: list[Sequence[listings.Listing]] = []
    for name, result in results.items():
        if kind == "errors":
            tables.append(listings.errors(task, results, name, config.rows))
        elif kind == "ranked":
            tables.append([listings.ranked(task, result, name, config.listed, config.rows)])
        else:
            tables.append(listings.table(kind, result, name, evaluation.printed, config.rows))
    return {
        "id": kind,
        "heading": heading,
        "link": link or heading,
        "about": about,
        "listings": tables,
    }


def _counts(vocabulary: Vocabulary) -> list[str]:
    """Numbers of tags by system, in words; none for a single system."""
    if len(vocabulary.systems) < 2:
        return []
    counts = collections.Counter(vocabulary.system)
    return [f"{counts[system]} {system or 'without prefix'}" for system in vocabulary.systems]


def _template_text(name: str) -> str:
    source = importlib.resources.files("tagjax.report") / "templates" / name
    return source.read_text(encoding="utf-8").replace("\r\n", "\n")


_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FunctionLoader(_template_text),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
