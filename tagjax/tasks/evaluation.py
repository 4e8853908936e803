"""One task over several embeddings: from similarities and truth to results, as one value."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.progress import Progress, silently
from tagjax.similarity.matrix import Similarity
from tagjax.tasks import paper
from tagjax.tasks.background import Background
from tagjax.tasks.deduplication import deduplicate
from tagjax.tasks.results import TaskConfig, TaskResult, TaskTable, some
from tagjax.tasks.taxonomy import learn_taxonomy
from tagjax.tasks.translation import translate
from tagjax.vocabulary.taxonomy import Placement, discogs, place
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

TASKS = ("taxonomy", "deduplication", "translation")
"""The paper's tasks, for which similarities are enough."""
HALVES = "halves"
"""The task that needs a run, whose artists are dealt to two sides."""


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """What a task makes of several embeddings.

    Attributes:
      task: one of `TASKS`, or `HALVES`.
      similarities: {embedding: similarity}, of the same tags.
      results: {embedding: result}, in that order.
      placement: the taxonomy among the tags, for colours and order.
      config: choices of the task.
      printed: whether the paper's printed figures stand beside.
      notes: what a reader of the figures has to know, a sentence each.
      background: what is known beside the similarities.

    >>> similarity = Similarity(["ska_1", "ska_2"], [[1, 0.9], [0.9, 1]])
    >>> evaluation = evaluate("deduplication", {"fc": similarity})
    >>> evaluation.best, evaluation.record()["embeddings"]["fc"]["map"]["n"]
    ('fc', 2)

    Reference: sections 3.1, 3.2 and 4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    task: str
    similarities: Mapping[str, Similarity]
    results: Mapping[str, TaskResult]
    placement: Placement
    config: TaskConfig
    printed: bool
    notes: tuple[str, ...]
    background: Background = Background()

    @property
    def vocabulary(self) -> Vocabulary:
        """The tags."""
        return next(iter(self.similarities.values())).vocabulary

    @property
    def parents(self) -> Mapping[str, tuple[str, ...]]:
        """{style tag: genre tags}."""
        return self.placement.parents

    @property
    def best(self) -> str:
        """The embedding to look at first: fc, as in the paper, or fr, where they are among them."""
        known = (name for name in ("fc", "fr") if name in self.results)
        return next(known, next(iter(self.results)))

    def record(self) -> dict[str, Any]:
        """The content of `metrics.json`: {"task", "embeddings": {"fc": {"hr@1": {"mean", …}}}, …}.

        Beside `embeddings`: `systems` (the same by tag system), `unanswerable` (their number),
        `extra` (what the task adds), and `notes`. Of a run also `accuracy` on what was held out:
        {"mean", "ci95", "n", "wilson95", "chance", "commonest", "commonest_share"}, `halves`
        ({embedding: metrics}), and fr's `ridge`.
        """
        results, background = self.results, self.background
        accuracy = background.accuracy
        return {
            "task": self.task,
            **({} if accuracy is None else {"accuracy": dict(accuracy)}),
            **({"ridge": background.recovery.ridge} if background.recovery else {}),
            **({"halves": dict(background.halves)} if background.halves else {}),
            "embeddings": {name: dict(result.metrics) for name, result in results.items()},
            "systems": {
                name: {system: dict(metrics) for system, metrics in result.systems.items()}
                for name, result in results.items()
                if result.systems
            },
            "unanswerable": {name: len(result.unanswerable) for name, result in results.items()},
            "extra": {name: dict(result.extra) for name, result in results.items() if result.extra},
            "notes": list(self.notes),
        }


def evaluate(
    task: str,
    similarities: Mapping[str, Similarity],
    truth: Truth = Truth(),  # noqa: B008 (frozen)
    config: TaskConfig = TaskConfig(),  # noqa: B008 (frozen)
    printed: bool = False,
    background: Background = Background(),  # noqa: B008 (frozen)
    progress: Progress = silently,
) -> Evaluation:
    """Evaluates every embedding in one task.

    Args:
      task: one of `TASKS`, or `HALVES`.
      similarities: {embedding: similarity}, of the same tags; in translation `fdist` is also
        what the others are compared with.
      truth: what is known of the tags; of taxonomies Discogs's where there is none, of
        translations string matching.
      config: see there.
      printed: whether the similarities are the authors' release, so that the paper's figures are
        shown beside.
      background: what is known beside the similarities, `Background.of(run)` of a run.
      progress: gets the names of the embeddings.

    Returns:
      The evaluation. Of an embedding that has tags without data a note names them, and its table
      `without_data` (tag) has them all.

    Raises:
      InputError: an unknown task; no similarity; translation of a single tag system; halves
        without a run.

    >>> similarity = Similarity(["ska_1", "ska_2"], [[1, 0.9], [0.9, 1]])
    >>> evaluate("deduplication", {"fc": similarity}).results["fc"].metrics["hr@1"]["mean"]
    1.0

    Reference: sections 3.1, 3.2 and 4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    if task not in (*TASKS, HALVES):
        raise InputError(f"unknown task {task!r}; choose from {', '.join((*TASKS, HALVES))}")
    if not similarities:
        raise InputError(f"{task}: no similarity to evaluate")
    results: dict[str, TaskResult] = {}
    for name in progress(list(similarities), "rank", len(similarities)):
        result = _result(task, name, similarities, truth, config, background)
        completed = _with_missing(name, similarities[name], result, background)
        results[name] = background.completed(completed)
    found = [note for result in results.values() for note in result.notes]
    book = paper.NOTES.get(task, ()) if printed else ()
    return Evaluation(
        task,
        similarities,
        results,
        place(truth.taxonomy or discogs(), next(iter(similarities.values())).vocabulary),
        config,
        printed,
        tuple(dict.fromkeys((*background.notes, *found, *book))),
        background,
    )


def _result(
    task: str,
    name: str,
    similarities: Mapping[str, Similarity],
    truth: Truth,
    config: TaskConfig,
    background: Background,
) -> TaskResult:
    """One embedding in the task."""
    similarity = similarities[name]
    if task == "taxonomy":
        return learn_taxonomy(similarity, truth, config)
    if task == "deduplication":
        return deduplicate(similarity, truth, config)
    if task == HALVES:
        return _halves(background, name, config)
    cooccurrence = similarities.get("fdist") if name != "fdist" else None
    return translate(similarity, truth, config, cooccurrence)


def _halves(background: Background, name: str, config: TaskConfig) -> TaskResult:
    if background.recovery is None or background.observed is None:
        raise InputError(
            "halves: needs a run whose tracks have tags of one system; give one by --run_dir"
        )
    from tagjax.tasks.halves import recover_halves  # SciPy comes with it.

    return recover_halves(background.observed, background.recovery, name, config)


def _with_missing(
    name: str, similarity: Similarity, result: TaskResult, background: Background
) -> TaskResult:
    """The result with a list of the tags without data; a note names them, if none did before."""
    absent = np.flatnonzero(np.isnan(np.diagonal(similarity.matrix))).tolist()
    if not absent:
        return result
    missing = [similarity.tags[i] for i in absent]
    table = TaskTable(("tag",), tuple((tag,) for tag in missing))
    note = f"Tags without data in {name}, {len(missing)}: {some(missing)}."
    notes = () if {*missing} == {*background.untrained} else (note,)
    return dataclasses.replace(
        result,
        tables={**result.tables, "without_data": table},
        notes=(*result.notes, *notes),
    )


def check_answered(evaluation: Evaluation, table: PathLike | None = None) -> None:
    """Refuses a table of truth in vain, and a task without question.

    Args:
      evaluation: to be looked at.
      table: the file of truth of its task, where the user named one.

    Raises:
      InputError: it says nothing of the tags; or no tag has another to rank for it.

    >>> evaluation = evaluate("taxonomy", {"fc": Similarity(["dub", "x"], np.eye(2))})
    >>> check_answered(evaluation)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tagjax.base.errors.InputError: taxonomy: the table of truth names none of the 2 tags...

    Reference: section 3.1 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    task, results, tags = evaluation.task, evaluation.results, evaluation.vocabulary.tags
    answered = any(result.metrics["hr@1"]["n"] for result in results.values())
    if task == "deduplication" and table is not None:
        answered = any(result.tables["listed"].rows for result in results.values())
    if table is not None and not answered:
        raise InputError(
            f"{table}: says nothing of the {len(tags)} tags here, such as {tags[0]!r} and "
            f"{tags[-1]!r}; give them the same names, prefixes included"
        )
    if task == "taxonomy" and not answered:
        raise InputError(
            f"taxonomy: the table of truth names none of the {len(tags)} tags, such as "
            f"{tags[0]!r}, as a style whose genre is a tag; give one by --taxonomy=FILE"
        )
    if not any(result.ranked.rows for result in results.values()):
        raise InputError(f"{task}: {len(tags)} tags, but not one with another to rank for it")
