"""The common part of the three tasks, which ranks the candidates of queries and sums up."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tagjax.similarity.matrix import Similarity
from tagjax.tasks import metrics
from tagjax.tasks.results import TaskTable
from tagjax.vocabulary.vocabulary import Vocabulary

RANKED = ("query", "rank", "candidate", "similarity", "relevant")
OUTCOME = (
    "query",
    "found",
    "similarity",
    "truth",
    "truth_rank",
    "truth_similarity",
    "second_is_truth",
)


@dataclasses.dataclass(frozen=True)
class Query:
    """A tag for which other tags are ranked.

    Attributes:
      tag: its index in the similarity.
      candidates: indices, int [M]; the tag itself does not count. Queries may share the array.
      relevant: indices of the right candidates, int [R], without the tag itself.
    """

    tag: int
    candidates: npt.NDArray[np.int64]
    relevant: npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Ranked queries; those without relevant candidates are only listed.

    Attributes:
      answered: tags of the Q queries that have a relevant candidate.
      first_rank: float [Q], rank of the first relevant candidate, infinite if never found.
      precision: float [Q], average precision.
      unanswerable: tags of the other queries.
      ranked: the nearest candidates of every query, in the order of rank. Of equal ones, the
        irrelevant come first, then the names decide. A NaN has the similarity and rank None.
      outcomes: one row for each answered query: its first candidate, and the first right one.
    """

    answered: tuple[str, ...]
    first_rank: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]
    unanswerable: tuple[str, ...]
    ranked: TaskTable
    outcomes: TaskTable

    def summary(
        self, among: set[str] | None = None, pairs: Sequence[str] | None = None
    ) -> dict[str, metrics.Summary]:
        """HR@1, HR@2, MAP and MRR of all answered queries, or of those among some tags.

        Args:
          among: the tags to count; None for all.
          pairs: for each answered query the pair to which it belongs; see `metrics.hit_rate`.
        """
        keep = np.array([among is None or tag in among for tag in self.answered], dtype=bool)
        kept = None if pairs is None else np.array(pairs, dtype=np.str_)[keep]
        return metrics.summarise(self.first_rank[keep], self.precision[keep], pairs=kept)

    def errors(self) -> TaskTable:
        """The outcomes whose first candidate is not a right one."""
        rank = OUTCOME.index("truth_rank")
        return TaskTable(OUTCOME, tuple(row for row in self.outcomes.rows if row[rank] != 1))


def by_system(
    vocabulary: Vocabulary, summary: Callable[[set[str]], dict[str, metrics.Summary]]
) -> dict[str, dict[str, metrics.Summary]]:
    """{tag system: summary of its tags}; empty for a single system."""
    if len(vocabulary.systems) < 2:
        return {}
    return {
        system: summary({vocabulary.tags[place] for place in vocabulary.members(system)})
        for system in vocabulary.systems
    }


def rank(similarity: Similarity, queries: Sequence[Query], listed: int) -> Ranking:
    """Ranks the candidates of each query by similarity.

    Args:
      similarity: similarity of N tags.
      queries: the queries, in the order in which to report them.
      listed: number of nearest candidates to list for each query.
    """
    tags = similarity.tags
    by_name = np.empty(len(tags), dtype=np.int64)
    by_name[np.array(sorted(range(len(tags)), key=tags.__getitem__), dtype=np.int64)] = np.arange(
        len(tags)
    )
    answered, ranks, precisions, unanswerable, ranked, outcomes = [], [], [], [], [], []
    for query in queries:
        scores = np.full(len(tags), np.nan)
        scores[query.candidates] = similarity.matrix[query.tag, query.candidates]
        scores[query.tag] = np.nan
        relevant = np.zeros(len(tags), dtype=bool)
        relevant[query.relevant] = True
        nearest = _nearest(query, scores, relevant, by_name, listed)
        name = tags[query.tag]
        # Lists, because NumPy is slow when numbers are taken one at a time.
        columns = (nearest.tolist(), scores[nearest].tolist(), relevant[nearest].tolist())
        for place, (i, score, true) in enumerate(zip(*columns, strict=True), start=1):
            known = not math.isnan(score)
            row = (place, tags[i], score) if known else (None, tags[i], None)
            ranked.append((name, *row, true))
        if len(query.relevant) == 0:
            unanswerable.append(name)
            continue
        first, precision = metrics.score_query(scores, query.relevant)
        answered.append(name)
        ranks.append(first)
        precisions.append(precision)
        found = nearest[0] if not np.isnan(scores[nearest[0]]) else None
        right = scores[query.relevant]
        order = np.lexsort((by_name[query.relevant], np.where(np.isnan(right), np.inf, -right)))
        truth = query.relevant[order[0]]
        hit = bool(np.isfinite(first))
        outcomes.append(
            (
                name,
                tags[found] if found is not None else None,
                float(scores[found]) if found is not None else None,
                tags[truth],
                int(first) if hit else None,
                float(scores[truth]) if hit else None,
                first == 2,
            )
        )
    return Ranking(
        tuple(answered),
        np.array(ranks, dtype=np.float64),
        np.array(precisions, dtype=np.float64),
        tuple(unanswerable),
        TaskTable(RANKED, tuple(ranked)),
        TaskTable(OUTCOME, tuple(outcomes)),
    )


def _nearest(query: Query, scores, relevant, by_name, listed: int) -> npt.NDArray[np.int64]:
    candidates = query.candidates[query.candidates != query.tag]
    key = np.where(np.isnan(scores[candidates]), np.inf, -scores[candidates])
    listed = max(listed, 1)  # the outcome needs the first one
    if len(candidates) > listed:
        near = key <= np.partition(key, listed - 1)[listed - 1]
        candidates, key = candidates[near], key[near]
    order = np.lexsort((by_name[candidates], relevant[candidates], key))
    return candidates[order[:listed]]
