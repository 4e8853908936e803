"""What a task finds."""

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
class TaskTable:
    """Rows under a header, for a CSV file or a report; None is an empty cell."""

    header: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclasses.dataclass(frozen=True)
class TaskResult:
    """One embedding's result in one task.

    Attributes:
      metrics: {"hr@1", "hr@2", "map", "mrr"} (deduplication also "map_self_included"), each
        {"mean", "ci95", "n"} in fractions, of hit rates also "wilson95" (see `metrics.hit_rate`).
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
    ranked: TaskTable
    errors: TaskTable
    tables: Mapping[str, TaskTable] = dataclasses.field(default_factory=dict)
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def lists(self) -> dict[str, TaskTable]:
        """{name: table} of all lists: "ranked", "errors" and the further ones.

        >>> empty = TaskTable(("query",), ())
        >>> list(TaskResult({}, {}, (), empty, empty, {"nearest": empty}).lists())
        ['ranked', 'errors', 'nearest']
        """
        return {"ranked": self.ranked, "errors": self.errors, **self.tables}

    def to_frame(self, table: str = "ranked") -> "pandas.DataFrame":
        """One of the lists as a data frame; needs pandas.

        Raises:
          InputError: there is no such list.

        >>> ranked = TaskTable(("query", "candidate"), (("x:bebop", "bop"),))
        >>> TaskResult({}, {}, (), ranked, ranked).to_frame()["candidate"].tolist()
        ['bop']
        """
        import pandas

        lists = self.lists()
        if table not in lists:
            raise InputError(f"no table {table!r}; one of {', '.join(lists)}")
        return pandas.DataFrame(list(lists[table].rows), columns=list(lists[table].header))


def some(tags: Sequence[str], limit: int = 10) -> str:
    """The first few of a list, in words."""
    more = f" and {len(tags) - limit} more" if len(tags) > limit else ""
    return ", ".join(tags[:limit]) + more
