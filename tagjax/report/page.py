"""The report: one HTML file a task, or of a data set, which opens without network.

What is in it is text or JSON escaped by Jinja; a content security policy in the page forbids
network, and every script but the two whose hashes it names (Plotly's and ours).
"""

import base64
import collections
import dataclasses
import hashlib
import importlib.resources
import json
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jinja2
import markupsafe
import numpy as np
import numpy.typing as npt
import plotly.offline

from tagjax.base.files import PathLike, write_text
from tagjax.base.tables import write_table
from tagjax.report import charts, describe, figures, interactive, listings
from tagjax.similarity.matrix import Similarity
from tagjax.tasks import paper as printed
from tagjax.tasks.evaluation import Evaluation
from tagjax.tasks.results import TaskResult
from tagjax.vocabulary.vocabulary import Vocabulary


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
    layout: figures.Config = figures.Config()


def render(
    evaluation: Evaluation,
    places: Mapping[str, npt.NDArray[np.float64]] | None = None,
    config: ReportConfig = ReportConfig(),
    title: str | None = None,
) -> str:
    """The report of a task as HTML.

    Args:
      evaluation: of the task.
      places: {embedding: float [N, 2]} of `figures.layout`, where the caller has them; the
        others are computed.
      config: how much to show.
      title: of the page; None: the task's name.
    """
    task, results, paper = evaluation.task, evaluation.results, evaluation.printed
    words = listings.words(task, evaluation.vocabulary)
    embeddings = list(results)
    drawn = [
        _drawings(evaluation.similarities[name], (places or {}).get(name), evaluation, config)
        for name in embeddings
    ]
    named = dict.fromkeys(kind for result in results.values() for kind in result.tables)
    extra = [k for k in named if any(listings.rows_of(one, k) for one in results.values())]
    last = ["ranked", *(kind for kind in extra if kind.startswith("without"))]
    first = [kind for kind in extra if kind not in last]
    first.insert(len(first) if task == "translation" else 0, "errors")
    sections, lists = (
        [_section(kind, task, results, paper, config) for kind in part] for part in (first, last)
    )
    return _page(
        "report.html.j2",
        title=title or words.title,
        words=words,
        task=task,
        embeddings=embeddings,
        meanings=listings.meanings(),
        chosen=embeddings.index(evaluation.best),
        tags=len(evaluation.vocabulary),
        systems=_counts(evaluation.vocabulary),
        summary=listings.summary(task, results, paper),
        paper=printed.TABLES[task] if paper else "",
        notes=evaluation.notes,
        remarks=listings.remarks(results),
        sections=sections,
        lists=lists,
        drawn=drawn,
        config=config,
    )


def render_description(
    described: describe.Description,
    parents: Mapping[str, Sequence[str]],
    title: str,
    config: ReportConfig = ReportConfig(),
) -> str:
    """The report of a data set as HTML.

    Args:
      described: what is in it.
      parents: {style tag: genre tags}, for the order of the heat map.
      title: of the page.
      config: how much to show.
    """
    tag_table, parts = describe.tag_table(described), described.parts
    columns = listings.columns_of(tag_table)
    series = {name: columns[key] for key, name in listings.COUNTED.items() if key in columns}
    sections: list[dict[str, Any]] = [
        {
            "id": "parts",
            "kind": "chart",
            "figure": _json(interactive.draw_parts(parts)),
            "listings": [
                listings.plain(parts, "parts.csv", config.rows),
                *listings.counts(described.counts),
            ],
        },
        {
            "id": "tags",
            "kind": "chart",
            "figure": _json(interactive.draw_counts(columns["tag"], series)),
            "listings": [listings.plain(tag_table, "tags.csv", config.rows)],
        },
    ]
    if described.full:
        cardinality, pairs = describe.cardinality_table(described), describe.pair_table(described)
        likeness, heat = describe.likeness(described), None
        if len(described.tags) <= config.heat:
            drawn = interactive.draw_heat_map(likeness, parents, described.systems, "co-occurrence")
            heat = _packed(*drawn)
        sections += [
            {
                "id": "cardinality",
                "kind": "chart",
                "figure": _json(interactive.draw_bars(described.cardinality)),
                "listings": [listings.plain(cardinality, "cardinality.csv", config.rows)],
            },
            {
                "id": "cooccurrence",
                "kind": "heat",
                "figure": heat,
                "listings": [listings.plain(pairs, "pairs.csv", config.rows)],
            },
        ]
    for section in sections:
        section["heading"], section["about"] = listings.DESCRIBED[section["id"]]
    return _page(
        "describe.html.j2",
        title=title,
        totals=described.totals,
        notes=described.notes,
        sections=sections,
    )


def write_description(
    folder: PathLike,
    described: describe.Description,
    parents: Mapping[str, Sequence[str]],
    title: str,
    config: ReportConfig = ReportConfig(),
) -> Iterator[pathlib.Path]:
    """Writes tables, charts and the page of `render_description`; yields each path when done."""
    folder = pathlib.Path(folder)
    tables = {"parts": described.parts, "tags": describe.tag_table(described)}
    columns = listings.columns_of(tables["tags"])
    series = {
        name: np.array(columns[key]) for key, name in listings.COUNTED.items() if key in columns
    }
    parts = listings.columns_of(described.parts)
    ranges = list(zip(parts["min"], parts["median"], parts["max"], strict=True))
    counted = {name: parts[name] for name in ("excerpts", "tracks", "artists")}
    drawn: dict[str, Callable[[], Any]] = {
        "parts": lambda: charts.draw_parts(parts["part"], counted, ranges),
        "tags": lambda: charts.draw_tags(columns["tag"], series, title),
    }
    if described.full:
        likeness = describe.likeness(described)
        tables |= {
            "cardinality": describe.cardinality_table(described),
            "pairs": describe.pair_table(described),
            "cooccurrence": describe.square_table(described),
        }
        drawn["cardinality"] = lambda: charts.draw_cardinality(described.cardinality)
        if len(described.tags) <= config.heat:
            drawn["cooccurrence"] = lambda: figures.draw_heat_map(
                likeness, parents, described.systems, title, label="co-occurrence"
            )
    for name, table in tables.items():
        write_table(folder / f"{name}.csv", table.header, table.rows, for_people=True)
        yield folder / f"{name}.csv"
    for name, draw in drawn.items():
        yield from figures.save(draw(), folder / name)
    page = render_description(described, parents, title, config)
    write_text(folder / "report.html", page)
    yield folder / "report.html"


def _page(template: str, **values: Any) -> str:
    script = _template_text("report.js")
    library = plotly.offline.get_plotlyjs().replace("\r", "")
    return _ENVIRONMENT.get_template(template).render(
        script=markupsafe.Markup(script),
        library=markupsafe.Markup(library),
        style=markupsafe.Markup(_template_text("report.css")),
        hashes=[_hash(script), _hash(library)],
        **values,
    )


def _section(
    kind: str, task: str, results: Mapping[str, TaskResult], paper: bool, config: ReportConfig
) -> dict[str, Any]:
    heading, link, about = listings.TABLES.get(kind, (kind.replace("_", " "), "", ""))
    made = []
    for name, result in results.items():
        if kind == "errors":
            made.append(listings.errors(task, results, name, config.rows))
        elif kind == "ranked":
            made.append([listings.ranked(task, result, name, config.listed, config.rows)])
        else:
            made.append(listings.table(kind, result, name, paper, config.rows))
    return {
        "id": kind,
        "heading": heading,
        "link": link or heading,
        "about": about,
        "listings": made,
    }


def _counts(vocabulary: Vocabulary) -> list[str]:
    """Of tags by system, in words; none for a single system."""
    if len(vocabulary.systems) < 2:
        return []
    counts = collections.Counter(vocabulary.system)
    return [f"{counts[system]} {system or 'without prefix'}" for system in vocabulary.systems]


def _drawings(
    similarity: Similarity,
    places: npt.NDArray[np.float64] | None,
    evaluation: Evaluation,
    config: ReportConfig,
) -> dict[str, Any]:
    """Map and heat map as JSON for `report.js`, None where there are too many tags."""
    parents, systems = evaluation.parents, evaluation.vocabulary.systems
    drawn: dict[str, Any] = {"map": None, "heat": None}
    drawn["missing"] = int(np.isnan(np.diagonal(similarity.matrix)).sum())
    if len(similarity.tags) <= config.mapped:
        if places is None:
            places = figures.layout(similarity, config.layout)
        figure = interactive.draw_map(similarity, places, parents, systems)
        drawn["map"] = _json(figure)
    if len(similarity.tags) <= config.heat:
        drawn["heat"] = _packed(*interactive.draw_heat_map(similarity, parents, systems))
    return drawn


def _packed(figure: Any, cells: npt.NDArray[np.int16]) -> markupsafe.Markup:
    """A heat map for `report.js`."""
    packed = base64.b64encode(cells.astype("<i2").tobytes()).decode()
    return _json(figure, cells=packed, scale=interactive.SCALE)


def _json(figure: Any, **more: Any) -> markupsafe.Markup:
    """JSON for a script element: nothing in it ends the element or opens a comment."""
    text = json.dumps({**json.loads(figure.to_json()), **more}, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return markupsafe.Markup(text)


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


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
