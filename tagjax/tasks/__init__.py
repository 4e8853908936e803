"""The paper's three tasks: from similarities (and truth) to metrics and lists."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tagjax.base.errors import InputError
from tagjax.base.progress import Progress, silently
from tagjax.similarity.tables import Similarity
from tagjax.tasks import deduplication as _deduplication
from tagjax.tasks import taxonomy as _taxonomy
from tagjax.tasks import translation as _translation
from tagjax.tasks.deduplication import read_duplicates
from tagjax.tasks.results import (
    Config,
    Table,
    TaskResult,
    format_table,
    some,
    to_json,
    write_results,
)
from tagjax.tasks.translation import Relation, read_translation
from tagjax.vocabulary import tags
from tagjax.vocabulary.taxonomy import Taxonomy, discogs

__all__ = [
    "TASKS",
    "Config",
    "Relation",
    "Table",
    "TaskResult",
    "format_table",
    "read_duplicates",
    "read_translation",
    "run",
    "to_json",
    "write_results",
]

TASKS = ("taxonomy", "deduplication", "translation")


def run(
    task: str,
    similarities: Mapping[str, Similarity],
    systems: Sequence[str] | None = None,
    *,
    taxonomy: Taxonomy | None = None,
    duplicates: Sequence[tuple[str, str]] = (),
    translation: Sequence[Relation] | None = None,
    config: Config = Config(),  # noqa: B008 (frozen)
    progress: Progress = silently,
) -> dict[str, TaskResult]:
    """Evaluates every embedding in one task.

    Args:
      task: one of `TASKS`.
      similarities: {embedding: similarity}, of the same tags; in translation `fdist` is also
        what the others are compared with.
      systems: prefixes of the tag systems; None: as the tags suggest (`tags.detect_systems`).
      taxonomy: truth of that task; None: Discogs's.
      duplicates: pairs of tags known to mean the same, for deduplication to look up.
      translation: truth of that task; None: string matching.
      config: see there.
      progress: gets the embeddings.

    Returns:
      {embedding: result}, in the order of `similarities`; of one that has tags without data, a
      note names them, and the table `without_data` (tag) has them all.

    Raises:
      InputError: an unknown task; translation of a single tag system.
    """
    if task not in TASKS:
        raise InputError(f"unknown task {task!r}; choose from {', '.join(TASKS)}")
    if task == "taxonomy" and taxonomy is None:
        taxonomy = discogs()
    results = {}
    for name, similarity in progress(similarities.items(), "rank", len(similarities)):
        prefixes = tuple(systems) if systems else tags.detect_systems(similarity.tags)
        if taxonomy is not None and task == "taxonomy":
            result = _taxonomy.evaluate(similarity, taxonomy, prefixes, config)
        elif task == "deduplication":
            result = _deduplication.evaluate(similarity, duplicates, prefixes, config)
        else:
            other = similarities.get("fdist") if name != "fdist" else None
            result = _translation.evaluate(similarity, translation, prefixes, other, config)
        results[name] = _with_missing(name, similarity, result)
    return results


def _with_missing(name: str, similarity: Similarity, result: TaskResult) -> TaskResult:
    absent = np.flatnonzero(np.isnan(np.diagonal(similarity.matrix))).tolist()
    if not absent:
        return result
    missing = [similarity.tags[i] for i in absent]
    table = Table(("tag",), tuple((tag,) for tag in missing))
    told = f"Tags without data in {name}, {len(missing)}: {some(missing)}."
    return dataclasses.replace(
        result,
        tables={**result.tables, "without_data": table},
        notes=(*result.notes, told),
    )
