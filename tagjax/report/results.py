"""Writes an evaluation to disk: lists, metrics, similarities, figures and the report."""

import os
import pathlib
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, read_json, write_json, write_text
from tagjax.base.progress import Progress, silently
from tagjax.base.tables import write_table
from tagjax.report import figures, labels, page
from tagjax.report.looks import Parents
from tagjax.report.page import ReportConfig
from tagjax.report.svg import Drawing
from tagjax.similarity import embeddings, tables
from tagjax.tasks.evaluation import Evaluation

_WRITTEN = re.compile(rf"(?:{'|'.join(embeddings.NAMES)})_[a-z_]+\.(?:csv|png|svg)")


def write_evaluation(
    folder: PathLike,
    evaluation: Evaluation,
    source: PathLike | None = None,
    embedding: Callable[[str], np.ndarray] | None = None,
    mapped: Sequence[str] = (),
    config: ReportConfig = ReportConfig(),  # noqa: B008 (frozen)
    progress: Progress = silently,
) -> list[pathlib.Path]:
    """Writes all results of an evaluation.

    The folder gets `report.html`, `metrics.json`, figures, and ranked lists and errors as CSV.
    With `embedding`, it also gets similarities and embeddings in the form of the release.
    `metrics.json` records the `source` as a path relative to the folder, and the written `files`.
    Files of an earlier evaluation that this one did not write are removed.

    Args:
      folder: folder for the results.
      evaluation: the evaluation of a task.
      source: the run directory or folder whose similarities were evaluated.
      embedding: function that gives an embedding to write; None if only similarities are known.
      mapped: embeddings that Figure 1 shows side by side; none: the first of the evaluation.
      config: how much is drawn and listed.
      progress: reports the steps, and the rows that are written.

    Returns:
      The report, the figures and `metrics.json`.
    """
    folder = pathlib.Path(folder)
    start = None
    if source is not None:
        start = os.path.relpath(pathlib.Path(source).resolve(), folder.resolve())
    before = _earlier_files(folder, start)
    paths = write_results(folder, evaluation, {"source": start, "files": before})
    written = list(paths.values())
    if embedding is not None:
        for name, similarity in evaluation.similarities.items():
            path = tables.similarity_path(folder, name)
            tables.write_similarity(path, similarity, progress)
            written.append(path)
            path = tables.embedding_path(folder, name)
            tables.write_embedding(path, similarity.tags, embedding(name), progress=progress)
            written.append(path)
    mapped = mapped or list(evaluation.similarities)[:1]
    drawn = list(_draw(folder, evaluation, mapped, config, progress))
    files = {path.name for path in (*written, *drawn)} - {paths["metrics"].name}
    for name in before - files:
        (folder / name).unlink(missing_ok=True)
    record = evaluation.record() | {"source": start, "files": sorted(files)}
    write_json(paths["metrics"], record)
    drawn.sort(key=lambda path: path.suffix != ".html")  # The report comes first.
    return [*drawn, paths["metrics"]]


def write_results(
    folder: PathLike, evaluation: Evaluation, more: Mapping[str, Any] | None = None
) -> dict[str, pathlib.Path]:
    """Writes `metrics.json`, and for each embedding its lists as CSV files.

    Args:
      folder: folder for the files; created if absent.
      evaluation: the evaluation of a task.
      more: further entries of `metrics.json`, beside those of `Evaluation.record`. The names of the
        lists are added to its entry `files`, if it has one.

    Returns:
      {"metrics": metrics.json, "fc_ranked": fc_ranked.csv, "fc_errors": fc_errors.csv, …}.
    """
    folder = pathlib.Path(folder)
    paths = {}
    for name, result in evaluation.results.items():
        for kind, table in result.lists().items():
            path = paths[f"{name}_{kind}"] = folder / f"{name}_{kind}.csv"
            write_table(path, table.header, table.rows, for_people=True)
    record = evaluation.record() | dict(more or {})
    if "files" in record:
        record["files"] = sorted({*record["files"], *(path.name for path in paths.values())})
    write_json(folder / "metrics.json", record)
    return {"metrics": folder / "metrics.json", **paths}


def not_drawn(evaluation: Evaluation, config: ReportConfig = ReportConfig()) -> list[str]:  # noqa: B008
    """A sentence for each figure that is not drawn because there are too many tags."""
    number = len(evaluation.vocabulary)
    return [
        f"no {what}: it would be illegible with {number} tags, more than {limit}"
        for what, limit in (("map", config.mapped), ("heat map", config.heat))
        if number > limit
    ]


def _earlier_files(folder: pathlib.Path, source: str | None) -> set[str]:
    """Names of files that an earlier evaluation wrote; warns if it was of another source."""
    try:
        record = read_json(folder / "metrics.json")
    except InputError:
        return set()
    if not isinstance(record, dict):
        return set()
    earlier, files = record.get("source"), record.get("files")
    if isinstance(earlier, str) and earlier != source:
        path = os.path.normpath(folder.resolve() / earlier)
        warnings.warn(f"{folder}: the results of {path} there are replaced", stacklevel=3)
    found = {
        name
        for name in (files if isinstance(files, list) else [])
        if isinstance(name, str) and _WRITTEN.fullmatch(name)
    }
    if source == ".":  # The similarities were read from this folder, so they stay.
        found = {name for name in found if "_tag_" not in name}
    return found


def _draw(
    folder: pathlib.Path,
    evaluation: Evaluation,
    mapped: Sequence[str],
    config: ReportConfig,
    progress: Progress,
) -> Iterator[pathlib.Path]:
    """Draws Figure 1 of the `mapped` embeddings, one heat map, and the report; yields the paths."""
    similarities, parents, drawn = evaluation.similarities, evaluation.parents, {}
    labels.warn_of_missing(evaluation.vocabulary.tags)
    for name in progress(list(similarities), "draw", len(similarities)):
        drawn[name] = page.draw(name, similarities[name], parents, config)
    for step in progress(["map", "heat map", "report"], "write", 3):
        if step == "map" and (figure := _map(drawn, mapped, parents, config)):
            stem = folder / f"{'_'.join(mapped)}_map"
            yield from figures.save(figure, stem, config.layout.dots)
        elif step == "heat map" and (figure := drawn[evaluation.best].heat_map):
            stem = folder / f"{evaluation.best}_heat_map"
            yield from figures.save(figure, stem, config.layout.dots)
        elif step == "report":
            write_text(folder / "report.html", page.render(evaluation, drawn, config))
            yield folder / "report.html"


def _map(
    drawn: Mapping[str, page.Figures],
    mapped: Sequence[str],
    parents: Parents,
    config: ReportConfig,
) -> Drawing | None:
    """The map of one embedding, or of several side by side; None for too many tags."""
    if len(mapped) == 1:
        return drawn[mapped[0]].map
    panels = {
        name: (drawn[name].similarity, places)
        for name in mapped
        if (places := drawn[name].places) is not None
    }
    return figures.draw_map(panels, parents, config.layout) if panels else None
