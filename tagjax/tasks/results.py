"""Configuration and results of the tasks."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tagjax.base.errors import InputError
from tagjax.tasks.metrics import Summary
from tagjax.vocabulary.translation import RELATIONS

if TYPE_CHECKING:
    import pandas


@dataclasses.dataclass(frozen=True)
class TaskConfig:
    """The choices that the paper leaves open.

    Attributes:
      listed: number of candidates of each query in the ranked lists.
      top: number of pairs in the table of most similar tags (the paper's Table 4 has 10).
      pairs: number of pairs in the list of suspected duplicates.
      relations: the relations of a translation table that count as a hit.
      source: the tag system to translate from; None for the second one (MuMu, after Discogs).
      target: the tag system to translate to; None for the first of the others.
      depth: a similarity misses a pair, which the other one ranks first, if the pair is not among
        this many.
      correlated: largest number of pairs for the rank correlation of two similarities; if there
        are more, this many are drawn.

    >>> TaskConfig(relations=("exact",)).listed
    50

    Reference: sections 3.1, 3.2 and 4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
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
class TaskTable:
    """Rows under a header, for a CSV file or a report; None stands for an empty cell.

    >>> TaskTable(("query", "candidate"), (("x:bebop", "bop"),)).rows[0]
    ('x:bebop', 'bop')

    Reference: Table 4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclasses.dataclass(frozen=True)
class TaskResult:
    """One embedding's result in one task.

    Attributes:
      metrics: {"hr@1", "hr@2", "map", "mrr"}, for deduplication also "map_self_included". Each
        is {"mean", "ci95", "n"} in fractions; hit rates also have "wilson95" (see
        `metrics.hit_rate`).
      systems: {system: metrics} if there are several tag systems.
      unanswerable: queries without a right candidate, which the metrics leave out.
      ranked: the nearest candidates of each query: `query, rank, candidate, similarity,
        relevant`.
      errors: the queries whose first candidate is not a right one: `query, found, similarity,
        truth, truth_rank, truth_similarity, second_is_truth`. Both have `share` for `similarity`
        in the task halves.
      tables: {name: further list}; the docstring of the task's module describes them.
      extra: {name: further value} for `metrics.json`.
      notes: sentences that a reader of the figures has to know.

    >>> ranked = TaskTable(("query", "rank", "candidate"), (("x:bebop", 1, "bop"),))
    >>> result = TaskResult({"hr@1": {"mean": 1.0, "ci95": 0.0, "n": 1}}, {}, (), ranked, ranked)
    >>> result.metrics["hr@1"]["mean"]
    1.0

    Reference: Tables 2, 3 and 4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    metrics: Mapping[str, Summary]
    systems: Mapping[str, Mapping[str, Summary]]
    unanswerable: tuple[str, ...]
    ranked: TaskTable
    errors: TaskTable
    tables: Mapping[str, TaskTable] = dataclasses.field(default_factory=dict)
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def lists(self) -> dict[str, TaskTable]:
        """{name: table} of all lists: "ranked", "errors" and those of `tables`.

        >>> empty = TaskTable(("query",), ())
        >>> list(TaskResult({}, {}, (), empty, empty, {"nearest": empty}).lists())
        ['ranked', 'errors', 'nearest']
        """
        return {"ranked": self.ranked, "errors": self.errors, **self.tables}

    def to_frame(self, table: str = "ranked") -> "pandas.DataFrame":
        """One of the lists as a data frame; it needs pandas.

        Raises:
          InputError: there is no such list.

        >>> ranked = TaskTable(("query", "candidate"), (("x:bebop", "bop"),))
        >>> TaskResult({}, {}, (), ranked, ranked).to_frame()["candidate"].tolist()
        ['bop']

        Reference: https://pandas.pydata.org/docs/reference/api/pandas.DataFrame.html
        """
        import pandas

        lists = self.lists()
        if table not in lists:
            raise InputError(f"no table {table!r}; one of {', '.join(lists)}")
        return pandas.DataFrame(list(lists[table].rows), columns=list(lists[table].header))


def some(tags: Sequence[str], limit: int = 10) -> str:
    """The first tags of a list, and how many more there are."""
    more = f" and {len(tags) - limit} more" if len(tags) > limit else ""
    return ", ".join(tags[:limit]) + more
