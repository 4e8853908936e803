"""From similarities and truth to everything a task leaves on disk."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tagjax import (
    annotations,
    embeddings,
    figures,
    interactive,
    paper,
    report,
    runs,
    similarity,
    tags,
    tasks,
)
from tagjax import taxonomy as taxonomies
from tagjax.errors import InputError
from tagjax.files import PathLike

_ADVICE = {
    "taxonomy": "the table of truth names none of these styles; give one by --taxonomy=FILE",
    "deduplication": "there is no tag",
    "translation": "no pair of tag systems; name their prefixes by --systems=a:,b:",
}
"""Why a task may have nothing to ask, and what to do."""


@dataclasses.dataclass(frozen=True)
class Source:
    """What is evaluated.

    Attributes:
      similarities: {embedding: similarity}, of the same tags.
      metadata: of the run's data set: `systems`, `truth`; empty for a folder.
      embedding: gives an embedding to be written; None where only similarities are known.
    """

    similarities: Mapping[str, similarity.Similarity]
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    embedding: Callable[[str], np.ndarray] | None = None


@dataclasses.dataclass(frozen=True)
class Truth:
    """Paths of truth tables that replace what the source knows; None keeps that."""

    taxonomy: PathLike | None = None
    translation: PathLike | None = None
    duplicates: PathLike | None = None


def from_folder(folder: PathLike) -> Source:
    """Similarities in the release's form; see `similarity.read_similarities`."""
    return Source(similarity.read_similarities(folder))


def from_run(run: runs.Run, fdist_of: str, new_tags: annotations.Catalogue | None = None) -> Source:
    """Similarities of a run, or its fm and fdist with tags of another annotation."""
    if new_tags is None:
        return Source(
            runs.similarities(run, fdist_of),
            run.metadata,
            lambda name: runs.embedding(run, name, fdist_of),
        )
    tagged = {
        track: tuple(new_tags.prefix + tag for tag in own)
        for track, own in zip(new_tags.track_id, new_tags.tags, strict=True)
    }
    systems = run.metadata.get("systems", [""])
    metadata = dict(run.metadata) | {"systems": list(dict.fromkeys([*systems, new_tags.prefix]))}
    return Source(runs.with_new_tags(run, tagged), metadata)


def _taxonomy(truth: Truth, metadata: Mapping[str, Any]) -> taxonomies.Taxonomy:
    """The table the user names, or the source's, or Discogs's."""
    if truth.taxonomy is not None:
        return taxonomies.read_taxonomy(truth.taxonomy)
    rows = metadata.get("truth", {}).get("taxonomy", [])
    if not rows:
        return taxonomies.discogs()
    styles = dict.fromkeys(style for style, _ in rows)
    return taxonomies.Taxonomy(
        {style: frozenset(genre for other, genre in rows if other == style) for style in styles}
    )


def evaluate(
    task: str,
    source: Source,
    truth: Truth,
    out: pathlib.Path,
    systems: Sequence[str] | None = None,
    config: tasks.Config | None = None,
    echo: Callable[[str], None] = print,
) -> dict[str, tasks.TaskResult]:
    """Evaluates one task and writes all of it.

    Args:
      task: one of `tasks.TASKS`.
      source: similarities, and what is known beside them.
      truth: tables that replace the source's own.
      out: gets `report.html`, `metrics.json`, ranked lists and errors as CSV, figures, and of a run
        the similarities and embeddings in the release's form.
      systems: prefixes of the tag systems; None: the source's, or as the tags suggest.
      config: choices of the tasks.
      echo: called with each line to show.

    Returns:
      {embedding: result}.

    Raises:
      InputError: as `tasks.run`; a truth table that names none of the tags.
    """
    known = source.metadata.get("truth", {})
    every = next(iter(source.similarities.values())).tags
    recorded = source.metadata.get("systems", [""])
    prefixes = systems or (recorded if recorded != [""] else tags.detect_systems(every))
    taxonomy = _taxonomy(truth, source.metadata)
    pairs = [tuple(pair) for pair in known.get("duplicates", [])]
    if truth.duplicates is not None:
        pairs = list(tasks.read_duplicates(truth.duplicates))
    relations = [tasks.Relation(*row) for row in known.get("translation", [])] or None
    if truth.translation is not None:
        relations = list(tasks.read_translation(truth.translation))
    results = tasks.run(
        task,
        source.similarities,
        prefixes,
        taxonomy=taxonomy,
        duplicates=pairs,
        translation=relations,
        config=config or tasks.Config(),
    )
    if not any(result.ranked.rows for result in results.values()):
        raise InputError(f"{task}: {_ADVICE[task]}, so none of the {len(every)} tags is a query")
    echo(tasks.format_table(task, results))
    paths = tasks.write_results(out, task, results)
    if source.embedding is not None:
        for name, each in source.similarities.items():
            similarity.write_similarity(similarity.similarity_path(out, name), each)
            path = similarity.embedding_path(out, name)
            similarity.write_embedding(path, each.tags, source.embedding(name))
    bases = every
    if task == "deduplication":
        bases = tuple(dict.fromkeys(tags.split_duplicate(tag)[0] for tag in every))
    parents = taxonomies.place(taxonomy, bases, prefixes).parents
    places = {name: figures.layout(each) for name, each in source.similarities.items()}
    drawn = _draw(source.similarities, places, parents, prefixes, out)
    page = report.write_report(
        out / "report.html",
        task,
        results,
        source.similarities,
        parents,
        prefixes,
        # The authors' release is known by its 235 Discogs styles, and is no run of ours.
        paper=source.embedding is None and len(parents) == paper.STYLES,
        places=places,
    )
    for each_path in [page, paths["metrics"], *drawn]:
        echo(f"written: {each_path}")
    echo(f"written: {out} (ranked lists, errors, similarities)")
    return results


def _draw(
    similarities: Mapping[str, similarity.Similarity],
    places: Mapping[str, np.ndarray],
    parents: Mapping[str, Sequence[str]],
    systems: Sequence[str],
    out: pathlib.Path,
) -> list[pathlib.Path]:
    """Figure 1 of the first embedding, and the heat map of the paper's best."""
    names = [name for name in embeddings.NAMES if name in similarities]
    first, best = names[0], "fc" if "fc" in names else names[0]
    every = similarities[first].tags
    parents = interactive.parents_of(every, parents)
    shown = figures.draw_map({first: (every, places[first])}, parents, systems)
    heat = figures.draw_heat_map(similarities[best], parents, systems, title=best)
    return [
        *figures.save(shown, out / f"{first}_map"),
        *figures.save(heat, out / f"{best}_heat_map"),
    ]
