"""From similarities and truth to everything a task leaves on disk."""

import contextlib
import dataclasses
import os
import pathlib
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from tagjax import tasks
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, read_json, write_json, write_text
from tagjax.catalogue import annotations
from tagjax.similarity import embeddings
from tagjax.similarity import run as runs
from tagjax.similarity import tables as similarity
from tagjax.tasks import paper
from tagjax.tasks.results import align, notes
from tagjax.vocabulary import tags
from tagjax.vocabulary import taxonomy as taxonomies

Tags = tuple[str, ...]

_WRITTEN = re.compile(rf"(?:{'|'.join(embeddings.NAMES)})_[a-z_]+\.(?:csv|png|svg)")


@dataclasses.dataclass(frozen=True)
class Source:
    """What is evaluated.

    Attributes:
      similarities: {embedding: similarity}, of the same tags.
      metadata: of the run's data set: `systems`, `truth`; empty for a folder.
      embedding: gives an embedding to be written; None where only similarities are known.
      path: of the folder or run; None where there is none.
    """

    similarities: Mapping[str, similarity.Similarity]
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    embedding: Callable[[str], np.ndarray] | None = None
    path: pathlib.Path | None = None


@dataclasses.dataclass(frozen=True)
class Truth:
    """Paths of truth tables that replace what the source knows; None keeps that."""

    taxonomy: PathLike | None = None
    translation: PathLike | None = None
    duplicates: PathLike | None = None


def from_folder(folder: PathLike) -> Source:
    """Similarities in the release's form; see `similarity.read_similarities`."""
    found = similarity.read_similarities(folder, _bar)
    return Source(found, path=pathlib.Path(folder))


def from_run(run: runs.Run, fdist_of: str, new_tags: annotations.Catalogue | None = None) -> Source:
    """Similarities of a run, or its fm and fdist with tags of another annotation."""
    if new_tags is None:
        return Source(
            runs.similarities(run, fdist_of),
            run.metadata,
            lambda name: runs.embedding(run, name, fdist_of),
            run.path,
        )
    tagged = {
        track: tuple(new_tags.prefix + tag for tag in own)
        for track, own in zip(new_tags.track_id, new_tags.tags, strict=True)
    }
    systems = run.metadata.get("systems", [""])
    metadata = dict(run.metadata) | {"systems": list(dict.fromkeys([*systems, new_tags.prefix]))}
    return Source(runs.with_new_tags(run, tagged), metadata, path=run.path)


def evaluate(
    task: str,
    source: Source,
    truth: Truth,
    out: pathlib.Path,
    systems: Sequence[str] | None = None,
    config: tasks.Config | None = None,
    echo: Callable[[str], None] = print,
    mapped: Sequence[str] = (),
) -> dict[str, tasks.TaskResult]:
    """Evaluates one task and writes all of it; progress is shown on stderr.

    Args:
      task: one of `tasks.TASKS`.
      source: similarities, and what is known beside them.
      truth: tables that replace the source's own.
      out: gets `report.html`, `metrics.json`, ranked lists and errors as CSV, figures, and of a run
        the similarities and embeddings in the release's form. `metrics.json` also has `source`, the
        source's path from here, and `files`, all that was written; those of an earlier
        evaluation that this one did not write are removed.
      systems: prefixes of the tag systems; None: the source's, or as the tags suggest.
      config: choices of the tasks.
      echo: called with each text to show.
      mapped: embeddings that Figure 1 shows side by side; none: the first.

    Returns:
      {embedding: result}.

    Raises:
      InputError: as `tasks.run`; a truth table that names none of the tags; a tag of none of the
        systems; an embedding in `mapped` that is not there.
    """
    every = next(iter(source.similarities.values())).tags
    mapped = mapped or [name for name in embeddings.NAMES if name in source.similarities][:1]
    for name in mapped:
        if name not in source.similarities:
            raise InputError(f"no {name!r} to map; there is {', '.join(source.similarities)}")
    config = config or tasks.Config()
    prefixes = _systems(systems, source.metadata, every)
    taxonomy, duplicates, relations = _read(truth, source.metadata)
    results = tasks.run(
        task,
        source.similarities,
        prefixes,
        taxonomy=taxonomy,
        duplicates=duplicates,
        translation=relations,
        config=config,
        progress=_bar,
    )
    _check(task, truth, results, every)
    bases = every
    if task == "deduplication":
        bases = tuple(dict.fromkeys(tags.split_duplicate(tag)[0] for tag in every))
    parents = taxonomies.place(taxonomy, bases, prefixes).parents
    # The authors' release is known by its 235 Discogs styles, and is no run of ours.
    theirs = source.embedding is None and len(parents) == paper.STYLES
    echo(_text(task, results, theirs, config.top))
    where = None
    if source.path is not None:
        where = os.path.relpath(source.path.resolve(), out.resolve())
    before = _before(out, where)
    told = [*notes(results), *(paper.NOTES[task] if theirs else ())]
    about = {"notes": told, "source": where}
    paths = tasks.write_results(out, task, results, about | {"files": before})
    written = list(paths.values())
    if source.embedding is not None:
        for name, each in source.similarities.items():
            similarity.write_similarity(similarity.similarity_path(out, name), each, _bar)
            path = similarity.embedding_path(out, name)
            similarity.write_embedding(path, each.tags, source.embedding(name), progress=_bar)
            written += [similarity.similarity_path(out, name), path]
    drawn = _draw(task, results, source, parents, prefixes, theirs, mapped, out, echo)
    files = {path.name for path in (*written, *drawn)} - {paths["metrics"].name}
    for name in before - files:
        (out / name).unlink(missing_ok=True)
    record = tasks.to_json(task, results) | about | {"files": sorted(files)}
    write_json(paths["metrics"], record)
    for each_path in [*drawn, paths["metrics"]]:
        echo(f"written: {each_path}")
    more = "" if source.embedding is None else ", similarities, embeddings"
    echo(f"written: {out} (ranked lists, errors{more})")
    return results


def _before(out: pathlib.Path, source: str | None) -> set[str]:
    """The names of what an earlier evaluation wrote there; warns if it was of another source."""
    try:
        record = read_json(out / "metrics.json")
    except InputError:
        return set()
    if not isinstance(record, dict):
        return set()
    was, files = record.get("source"), record.get("files")
    if isinstance(was, str) and was != source:
        path = os.path.normpath(out.resolve() / was)
        warnings.warn(f"{out}: the results of {path} there are replaced", stacklevel=3)
    found = {
        name
        for name in (files if isinstance(files, list) else [])
        if isinstance(name, str) and _WRITTEN.fullmatch(name)
    }
    if source == ".":  # What is read there is not removed.
        found = {name for name in found if "_tag_" not in name}
    return found


def _systems(
    given: Sequence[str] | None, metadata: Mapping[str, Any], every: Tags
) -> tuple[str, ...]:
    """The prefixes that the user gives, or those of the source, or those that the tags suggest."""
    recorded = metadata.get("systems", [""])
    found = tuple(given or (recorded if recorded != [""] else tags.detect_systems(every)))
    for tag in every:
        if not tag.startswith(found):
            raise InputError(
                f"tag {tag!r} is of none of the tag systems {','.join(found)}; name the prefix of "
                "each (--systems=,mumu: for tags without and with mumu:)"
            )
    return found


def _read(truth: Truth, metadata: Mapping[str, Any]):
    """Taxonomy, duplicates and translation: of the user's tables, else the source's, else ours."""
    known = metadata.get("truth", {})
    if truth.taxonomy is not None:
        taxonomy = taxonomies.read_taxonomy(truth.taxonomy)
    elif rows := known.get("taxonomy"):
        parents: dict[str, set[str]] = {}
        for style, genre in rows:
            parents.setdefault(style, set()).add(genre)
        taxonomy = taxonomies.Taxonomy({s: frozenset(several) for s, several in parents.items()})
    else:
        taxonomy = taxonomies.discogs()
    duplicates = [tuple(pair) for pair in known.get("duplicates", [])]
    if truth.duplicates is not None:
        duplicates = list(tasks.read_duplicates(truth.duplicates))
    relations = [tasks.Relation(*row) for row in known.get("translation", [])] or None
    if truth.translation is not None:
        relations = list(tasks.read_translation(truth.translation))
    return taxonomy, duplicates, relations


def _check(task: str, truth: Truth, results: Mapping[str, tasks.TaskResult], every: Tags) -> None:
    """Refuses a truth table in vain, and a task without question."""
    answered = any(result.metrics["hr@1"]["n"] for result in results.values())
    file = {"taxonomy": truth.taxonomy, "translation": truth.translation}.get(task)
    if task == "deduplication" and truth.duplicates is not None:
        file = truth.duplicates
        answered = any(result.tables["listed"].rows for result in results.values())
    if file is not None and not answered:
        raise InputError(
            f"{file}: says nothing of the {len(every)} tags here, such as {every[0]!r} and "
            f"{every[-1]!r}; give them the same names, prefixes included"
        )
    if task == "taxonomy" and not answered:
        raise InputError(
            f"taxonomy: the table of truth names none of the {len(every)} tags, such as "
            f"{every[0]!r}, as a style whose genre is a tag; give one by --taxonomy=FILE"
        )
    if not any(result.ranked.rows for result in results.values()):
        raise InputError(f"{task}: {len(every)} tags, but not one with another to rank for it")


def _text(task: str, results: Mapping[str, tasks.TaskResult], theirs: bool, top: int) -> str:
    """Metrics and notes, in translation Table 4 and like names; the printed figures beside."""
    label = paper.TABLES[task]
    text = [tasks.format_table(task, results, paper.FIGURES.get(task) if theirs else None, label)]
    if theirs:
        text += [f"Note: {note}" for note in paper.NOTES[task]]
    if task != "translation":
        return "\n".join(text)
    audio = [name for name in ("fc", *results) if name in results and name != "fdist"][:1]
    for name in [*audio, *(["fdist"] if "fdist" in results else [])]:
        rows = results[name].tables["nearest"].rows
        lines = [["", f"nearest by {name}", "", "similarity", *([f"in {label}"] if theirs else [])]]
        for rank, (one, other, score) in enumerate(rows, start=1):
            place = paper.rank_in_table_4(name, one, other) or "-"
            lines.append([str(rank), one, other, f"{score:.3f}", *([str(place)] if theirs else [])])
        text += ["", *align(lines, (1, 2))]
    for name in audio:
        rows = results[name].tables["same_name"].rows[:top]
        lines = [["", f"same name, least similar by {name}", "", "similarity"]]
        lines += [
            [str(rank), one, other, f"{score:.3f}"]
            for rank, (one, other, score) in enumerate(rows, start=1)
        ]
        text += ["", *align(lines, (1, 2))]
    return "\n".join(text)


def _draw(
    task: str,
    results: Mapping[str, tasks.TaskResult],
    source: Source,
    parents: Mapping[str, Sequence[str]],
    systems: Sequence[str],
    theirs: bool,
    mapped: Sequence[str],
    out: pathlib.Path,
    echo: Callable[[str], None],
) -> list[pathlib.Path]:
    """The report, Figure 1 of the embeddings in `mapped`, and the heat map of the paper's best."""
    with _steps("load plotting", len(source.similarities) + 4) as then:
        # They take seconds to import, and the metrics stand there without them.
        from tagjax.report import figures, interactive
        from tagjax.report import page as report

        limits = report.Config()
        best = "fc" if "fc" in source.similarities else next(iter(source.similarities))
        every = source.similarities[best].tags
        places = {}
        for name, each in source.similarities.items():
            then(f"t-SNE of {name}")
            if len(every) <= limits.mapped:
                places[name] = figures.layout(each)
        shown = interactive.parents_of(every, parents)
        then("draw map")
        written = []
        if places:
            panels = {name: (every, places[name]) for name in mapped}
            drawn = figures.draw_map(panels, shown, systems)
            written += figures.save(drawn, out / f"{'_'.join(mapped)}_map")
        then("draw heat map")
        if len(every) <= limits.heat:
            drawn = figures.draw_heat_map(source.similarities[best], shown, systems, title=best)
            written += figures.save(drawn, out / f"{best}_heat_map")
        then("write report")
        page = report.render(
            task,
            results,
            source.similarities,
            parents,
            systems,
            paper=theirs,
            places=places,
        )
        write_text(out / "report.html", page)
    for what, limit in (("map", limits.mapped), ("heat map", limits.heat)):
        if len(every) > limit:
            echo(f"no {what}: {len(every)} tags are more than the {limit} that one would see in it")
    return [out / "report.html", *written]


@contextlib.contextmanager
def _steps(first: str, number: int) -> Iterator[Callable[[str], None]]:
    """A bar on stderr over steps that take seconds; yields a function to name the next one."""
    form = "{desc}: step {n_fmt} of {total_fmt}, {elapsed}"
    over = threading.Event()
    leave = not sys.stderr.isatty()  # In a file nothing is cleared: the last text ends its line.
    with tqdm(desc=first, total=number, initial=1, leave=leave, bar_format=form) as bar:

        def tick() -> None:
            while not over.wait(1):
                bar.refresh()

        def then(step: str) -> None:
            bar.set_description_str(step, refresh=False)
            bar.n += 1
            bar.refresh()

        clock = threading.Thread(target=tick, daemon=True)
        if sys.stderr.isatty():
            clock.start()
        try:
            yield then
        finally:
            over.set()
            if clock.is_alive():
                clock.join()


def _bar(items: Iterable[Any], what: str, total: int | None) -> Iterable[Any]:
    """A bar on stderr over what takes longer than half a second; a terminal's goes when over."""
    leave = not sys.stderr.isatty()
    return tqdm(items, what, total=total, unit=" rows", delay=0.5, leave=leave)
