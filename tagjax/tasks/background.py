"""What a run knows beside its similarities, for whoever reads a task's figures."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tagjax.tasks import metrics
from tagjax.tasks.results import TaskResult, TaskTable, some

if TYPE_CHECKING:
    from tagjax.similarity.halves import Recovery
    from tagjax.similarity.observations import Observations
    from tagjax.similarity.run import Run

Counts = Mapping[str, tuple[int, int | None]]

PAIRS = {
    "ranked": ("query", "candidate"),
    "errors": ("query", "found"),
    "suspected": ("tag", "other"),
    "listed": ("tag", "duplicate"),
    "nearest": ("source", "target"),
    "same_name": ("source", "target"),
    "one_sided": ("source", "target"),
}
"""The columns with tags of each list of pairs."""


@dataclasses.dataclass(frozen=True)
class Background:
    """What is known of the tags and the model; all of it may be unknown.

    Attributes:
      counts: {tag: (tracks, artists)} that its figures rest on; artists None if unknown.
      labelled: {tag: (excerpts, artists)} with it as their label that the model was trained on.
      accuracy: of the model on what was held out: `metrics.hit_rate`, and as `chance` the share
        of one who guesses among all tags, as `commonest_share` that of one who always answers
        the `commonest` label.
      observed: the run's tracks, and
      recovery: how well halves of its tags find each other; None of similarities alone.
      single_label: whether each excerpt has its label alone, so that fm is a mean over these.
      untrained: tags that the model does not know, of which a note speaks.
      notes: what is to be said beforehand, a sentence each.

    >>> from tagjax.similarity.run import load_run
    >>> background = Background.of(load_run("runs/catalogue_split/mine"))
    >>> background.counts["dub"], background.labelled["dub"]
    ((2, 2), (2, 2))

    Reference: section 2.3 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    counts: Counts = dataclasses.field(default_factory=dict)
    labelled: Counts = dataclasses.field(default_factory=dict)
    accuracy: metrics.Summary | None = None
    observed: "Observations | None" = None
    recovery: "Recovery | None" = None
    single_label: bool = False
    untrained: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, run: "Run") -> "Background":
        """What a run knows."""
        found, accuracy = run.accuracy(), None
        if found is not None:
            accuracy = metrics.hit_rate(found.hits) | {
                "chance": 1 / found.tags,
                "commonest": found.commonest,
                "commonest_share": found.commonest_share,
            }
        return cls(
            run.counts,
            run.labelled,
            accuracy,
            run.observed if run.recovery.ranks else None,
            run.recovery,
            not run.multi_label,
            tuple(run.untrained),
            (*_of_labels(run), *_of_untrained(run), *_of_ridge(run)),
        )

    @functools.cached_property
    def halves(self) -> Mapping[str, Mapping[str, metrics.Summary]]:
        """{embedding: metrics of its recovered halves}; empty if no tag has enough artists."""
        ranks = self.recovery.ranks if self.recovery else {}
        if not ranks:
            return {}
        from tagjax.tasks import halves  # SciPy comes with it.

        known = [name for name in ranks if not name.endswith(halves.OWN) and len(ranks[name].tag)]
        return {name: halves.summarise(ranks[name]) for name in known}

    def completed(self, result: TaskResult) -> TaskResult:
        """A result whose lists of pairs have tracks and artists of both tags, where known.

        Suspected pairs with a tag of one artist come last. The list of tags without data has what
        the model was trained on.
        """
        if not self.counts:
            return result
        lists = {
            kind: _counted(table, PAIRS[kind], self.counts) if kind in PAIRS else table
            for kind, table in result.lists().items()
        }
        if "suspected" in lists:
            lists["suspected"] = _single_artists_last(lists["suspected"])
        if self.labelled and "without_data" in lists:
            rows = lists["without_data"].rows
            header = ("tag", "trained_excerpts", "trained_artists")
            known = tuple((*row, *self.labelled.get(row[0], (None, None))) for row in rows)
            lists["without_data"] = TaskTable(header, known)
        return dataclasses.replace(
            result, ranked=lists.pop("ranked"), errors=lists.pop("errors"), tables=lists
        )


def _counted(table: TaskTable, columns: tuple[str, str], counts: Counts) -> TaskTable:
    """A table with tracks and artists of the tags of two columns."""
    places = [table.header.index(column) for column in columns]
    more = [f"{column}_{what}" for column in columns for what in ("tracks", "artists")]
    unknown = (None, None)
    rows = (
        (*row, *(value for place in places for value in counts.get(row[place], unknown)))
        for row in table.rows
    )
    return TaskTable((*table.header, *more), tuple(rows))


def _single_artists_last(table: TaskTable) -> TaskTable:
    """The pairs with a tag of one artist behind the others: tag and artist sound the same there."""
    places = [k for k, column in enumerate(table.header) if column.endswith("_artists")]
    rows = sorted(table.rows, key=lambda row: any(row[place] == 1 for place in places))
    return TaskTable(table.header, tuple(rows))


def _of_labels(run: "Run") -> tuple[str, ...]:
    """Says what lists without a column `tags` cannot tell."""
    if run.multi_label:
        return ()
    return (
        "The data set has one label an excerpt and no other tags (its lists have no column tags), "
        "so nothing says which tags go together: fdist is not computed, and fm is single-label, "
        "the mean output over the excerpts labelled so; fr likewise.",
    )


def _of_untrained(run: "Run") -> tuple[str, ...]:
    """Says which tags the model does not know."""
    if not run.untrained:
        return ()
    least, folds = run.trained, len(run.predictions.labels) > 1
    of_fold = ", or the fold's model that predicts their tracks has none" if folds else ""
    labels, artists = _number(least.least_labels, "excerpt"), _number(least.least_artists, "artist")
    have = "has" if len(run.untrained) == 1 else "have"
    return (
        f"{len(run.untrained)} of {len(run.predictions.tags)} tags {have} no direction in fw and "
        f"fc, as too little was trained on: fewer than {labels} labelled so (least_labels) or "
        f"{artists} (least_artists){of_fold}: {some(run.untrained)} (all in *_without_data.csv).",
    )


def _of_ridge(run: "Run") -> tuple[str, ...]:
    """Says where the ridge of fr comes from."""
    found = run.recovery
    if found.chosen:
        return (f"fr's ridge, {found.ridge:g} tracks, is the one that recovers halves best here.",)
    return (
        f"fr's ridge is the default, {found.ridge:g} tracks: no tag has enough artists to be split "
        "in two, so the data could not choose it.",
    )


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
