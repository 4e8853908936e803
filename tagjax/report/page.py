"""The report of a task: one HTML file, which opens without network.

What is in it is text escaped by Jinja, JSON in which nothing ends its element, and SVG written by
`tagjax.report.svg`. A content security policy in the page forbids network, and every script but
the one whose hash it names.
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

_SCALE = 10_000  # cells of a heat map are whole numbers of 1 / _SCALE
_NO_VALUE = -32_768  # of a cell without similarity


@dataclasses.dataclass(frozen=True)
class ReportConfig:
    """How much goes into the page; the CSV files beside it have everything.

    Attributes:
      listed: candidates a query.
      rows: of a table.
      mapped: tags up to which there is a map (it is drawn as SVG, and t-SNE takes its time).
      heat: tags up to which there is a heat map.
      layout: of the map.
    """

    listed: int = 20
    rows: int = 2000
    mapped: int = 2000
    heat: int = 800
    layout: figures.FigureConfig = figures.FigureConfig()


@dataclasses.dataclass(frozen=True, eq=False)
class Figures:
    """What is drawn of an embedding, each once.

    Attributes:
      similarity: of the tags.
      places: float [N, 2] of `figures.layout`; like the map None where there are too many tags.
      map: Figure 1.
      heat_map: or None where there are too many tags.
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
      name: of the embedding.
      similarity: of N tags.
      parents: {style tag: genre tags}.
      config: up to how many tags.
      places: float [N, 2] of `figures.layout`; None: computed.
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
      evaluation: of the task.
      drawn: {embedding: figures}, where the caller has them; None: drawn here.
      config: how much to show.
      title: of the page; None: the task's name.
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
        drawn=[_embedded(drawn[name], evaluation.parents) for name in embeddings],
        config=config,
    )


def _meanings(evaluation: Evaluation) -> dict[str, str]:
    """{embedding: what its vectors are}, of this evaluation."""
    meanings = dict(listings.meanings())
    if evaluation.background.single_label:
        meanings["fm"] = "single-label: mean output over the excerpts labelled so, eq. 3"
        meanings["fr"] = "single-label: what a label adds to the output, regression"
    return meanings


def render_page(template: str, **values: Any) -> str:
    """A page of a template, with our style and script in it."""
    script = _template_text("report.js")
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return _ENVIRONMENT.get_template(template).render(
        script=markupsafe.Markup(script),
        style=markupsafe.Markup(_template_text("report.css")),
        hash=f"'sha256-{base64.b64encode(digest).decode()}'",
        **values,
    )


def embedded_cells(similarity: Similarity, parents: Parents) -> markupsafe.Markup:
    """The numbers of a heat map as JSON for `report.js`, for its tooltips.

    The upper triangle, row by row, as int16 in 1 / `scale`: a fifth of the numbers as text.
    """
    order = taxonomy_order(similarity.vocabulary, parents)
    matrix = similarity.reordered(order).matrix
    upper = matrix[np.triu_indices(len(order))]
    known = ~np.isnan(upper)
    cells = np.full(len(upper), _NO_VALUE, "<i2")
    cells[known] = np.round(np.clip(upper[known], -3, 3) * _SCALE)
    value = {"names": order, "scale": _SCALE, "cells": base64.b64encode(cells.tobytes()).decode()}
    cells_text = json.dumps(value, separators=(",", ":"))
    for letter in "<>&":  # Nothing in it ends the script element or opens a comment.
        cells_text = cells_text.replace(letter, f"\\u{ord(letter):04x}")
    return markupsafe.Markup(cells_text)


def _embedded(drawn: Figures, parents: Parents) -> dict[str, Any]:
    """The figures of an embedding for the template."""
    cells = embedded_cells(drawn.similarity, parents) if drawn.heat_map else None
    return {
        "map": markupsafe.Markup(drawn.map.svg) if drawn.map else None,
        "heat": markupsafe.Markup(drawn.heat_map.svg) if drawn.heat_map else None,
        "cells": cells,
        "missing": int(np.isnan(np.diagonal(drawn.similarity.matrix)).sum()),
    }


def _section(kind: str, evaluation: Evaluation, config: ReportConfig) -> dict[str, Any]:
    """Tables of one kind, a list of them for each embedding."""
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
    """Of tags by system, in words; none for a single system."""
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
