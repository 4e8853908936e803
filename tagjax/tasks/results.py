"""What a task finds, and its printed and written forms."""

import dataclasses
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, write_json
from tagjax.base.tables import write_table
from tagjax.tasks.metrics import Summary

HEADINGS = {"hr@1": "HR@1", "hr@2": "HR@2", "map": "MAP", "mrr": "MRR"} | {
    "map_self_included": "MAP, self included"
}
RELATIONS = ("exact", "broad", "narrow", "close", "related")


@dataclasses.dataclass(frozen=True)
class Config:
    """What the paper leaves open.

    Attributes:
      listed: candidates a query in the ranked lists.
      top: pairs in the table of most similar tags (the paper's Table 4 has 10).
      pairs: pairs in the list of suspected duplicates.
      relations: those of a translation table that count as a hit.
      source: the tag system to translate from; None: the second one (MuMu's, after Discogs).
      target: the tag system to translate to; None: the first other one.
      depth: a pair that one similarity finds first counts as missed by the other if it is not
        among so many there.
      correlated: pairs for the rank correlation of two similarities; of more, so many are drawn.
    """

    listed: int = 50
    top: int = 10
    pairs: int = 50
    relations: tuple[str, ...] = ("exact", "broad", "narrow", "close")
    source: str | None = None
    target: str | None = None
    depth: int = 10
    correlated: int = 2_000_000

    def __post_init__(self):
        for name in ("listed", "top", "pairs", "depth", "correlated"):
            if getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)}: must be at least 1")
        unknown = [relation for relation in self.relations if relation not in RELATIONS]
        if unknown or not self.relations:
            raise InputError(
                f"relations={','.join(self.relations)}: choose from {', '.join(RELATIONS)}"
            )


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows under a header, for a CSV file or a report; None is an empty cell."""

    header: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclasses.dataclass(frozen=True)
class TaskResult:
    """One embedding's result in one task.

    Attributes:
      metrics: {"hr@1", "hr@2", "map", "mrr"} (deduplication also "map_self_included"), each
        {"mean", "ci95", "n"} in fractions.
      systems: the same for each tag system where there are several: {system: metrics}.
      unanswerable: queries without a true candidate, which the metrics leave out.
      ranked: `query, rank, candidate, similarity, relevant`: the nearest of each query.
      errors: the queries whose first match is not the truth: `query, found, similarity, truth,
        truth_rank, truth_similarity, second_is_truth`.
      tables: further lists by name; the task's module says which.
      extra: further values for `metrics.json` by name.
      notes: what a reader of the figures has to know, a sentence each.
    """

    metrics: Mapping[str, Summary]
    systems: Mapping[str, Mapping[str, Summary]]
    unanswerable: tuple[str, ...]
    ranked: Table
    errors: Table
    tables: Mapping[str, Table] = dataclasses.field(default_factory=dict)
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()


def to_json(task: str, results: Mapping[str, TaskResult]) -> dict[str, Any]:
    """The content of `metrics.json`: {"task", "embeddings": {"fc": {"hr@1": {"mean", …}}}, …}.

    Beside `embeddings`: `systems` (the same by tag system), `unanswerable` (their number),
    `extra` (what the task adds), and `notes`.
    """
    return {
        "task": task,
        "embeddings": {name: dict(result.metrics) for name, result in results.items()},
        "systems": {
            name: {system: dict(one) for system, one in result.systems.items()}
            for name, result in results.items()
            if result.systems
        },
        "unanswerable": {name: len(result.unanswerable) for name, result in results.items()},
        "extra": {name: dict(result.extra) for name, result in results.items() if result.extra},
        "notes": notes(results),
    }


def notes(results: Mapping[str, TaskResult]) -> list[str]:
    """The notes of all results, each once."""
    return list(dict.fromkeys(note for result in results.values() for note in result.notes))


def format_table(
    task: str,
    results: Mapping[str, TaskResult],
    printed: Mapping[str, Mapping[str, Any]] | None = None,
    label: str = "printed",
) -> str:
    """The metrics as text, in percent with their 95 % intervals, and the notes below.

    Args:
      task: named in the corner.
      results: {embedding: result}.
      printed: {embedding: {metric: figure}} to stand below an embedding's own.
      label: of those rows.
    """
    keys = list(next(iter(results.values())).metrics)
    lines = [[task, "queries", *(HEADINGS.get(key, key) for key in keys)]]
    for name, result in results.items():
        parts = (
            {"": result.metrics}
            if len(result.systems) < 2
            else {"": result.metrics}
            | {f" {system or '(no prefix)'}": one for system, one in result.systems.items()}
        )
        for part, summaries in parts.items():
            cells = [percent(summaries[key]) for key in keys]
            lines.append([name + part, str(summaries[keys[0]]["n"]), *cells])
            book = (printed or {}).get(name, {}) if not part else {}
            if book:
                lines.append([f"  {label}", "", *(str(book.get(key, "-")) for key in keys)])
    return "\n".join([*align(lines), *(f"Note: {note}" for note in notes(results))])


def align(lines: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """Rows of cells, the first a heading, as lines of text; columns of `left` flush left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return [text[0], "-" * max(map(len, text)), *text[1:]]


def percent(summary: Summary) -> str:
    """A mean and its interval in percent: `85.1 ± 4.6`, or `-` where there is none."""
    if summary["mean"] is None:
        return "-"
    return f"{100 * summary['mean']:.1f} ± {100 * summary['ci95']:.1f}"


def some(tags: tuple[str, ...] | list[str], limit: int = 10) -> str:
    """The first few of a list, in words."""
    more = f" and {len(tags) - limit} more" if len(tags) > limit else ""
    return ", ".join(tags[:limit]) + more


def write_results(
    folder: PathLike,
    task: str,
    results: Mapping[str, TaskResult],
    more: Mapping[str, Any] | None = None,
) -> dict[str, pathlib.Path]:
    """Writes `metrics.json`, and for each embedding its lists as CSV files.

    Args:
      folder: made if absent.
      task: of the results.
      results: {embedding: result}.
      more: of `metrics.json`, beside or instead of what `to_json` gives; of its `files`, the names
        of files that lie there already, the lists become part.

    Returns:
      {"metrics": metrics.json, "fc_ranked": fc_ranked.csv, "fc_errors": fc_errors.csv, …}.
    """
    folder = pathlib.Path(folder)
    paths = {}
    for name, result in results.items():
        tables = {"ranked": result.ranked, "errors": result.errors, **result.tables}
        for kind, table in tables.items():
            path = paths[f"{name}_{kind}"] = folder / f"{name}_{kind}.csv"
            write_table(path, table.header, table.rows, for_people=True)
    record = to_json(task, results) | dict(more or {})
    if "files" in record:
        record["files"] = sorted({*record["files"], *(path.name for path in paths.values())})
    write_json(folder / "metrics.json", record)
    return {"metrics": folder / "metrics.json", **paths}
