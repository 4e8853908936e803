"""Halves: how well would duplicates be found here? A task for catalogues without any truth.

The artists of a finished run are dealt to two sides, so each tag falls into two halves that mean
the same (as in section 3.2, but nothing is trained again). Queries are the halves of tags with
enough artists on either side; candidates are all other halves of the same tag system. Only the
other half is relevant. Several splits are drawn. A tag counts once: its value is the mean over its
queries, two a split.

Some splits choose the ridge of fr; the figures come from the others. `extra` has the figures
without the output units of the two tags of a pair (`without_own_units`): training shared these.
"""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tagjax.evidence.score import two_covariance
from tagjax.similarity import embeddings, halves
from tagjax.similarity.halves import HalvesConfig, Ranks, Recovery
from tagjax.similarity.matrix import Similarity
from tagjax.similarity.observations import Observations
from tagjax.tasks import metrics, ranking
from tagjax.tasks.results import TaskConfig, TaskResult, TaskTable, some

OWN = " without own units"
RANKED, OUTCOME = (
    tuple(name.replace("similarity", "share") for name in columns)
    for columns in (ranking.RANKED, ranking.OUTCOME)
)
"""Columns of the lists: `share` of a tag's queries that found a tag, in place of `similarity`."""


def summarise(ranks: Ranks, among: npt.NDArray[np.int64] | None = None) -> dict:
    """HR@1, HR@2, MAP and MRR over tags, a tag once: see `metrics.hit_rate`.

    Args:
      ranks: of the tags' halves.
      among: places of tags to count; None for all.

    >>> ranks = Ranks(np.array([0, 0, 1, 1]), np.array([1.0, 1, 1, 2]), np.array([0, 0, 1, 0]))
    >>> summarise(ranks)["hr@1"]["mean"]
    0.75
    """

    def over_tags(value) -> npt.NDArray[np.float64]:
        tags, values = ranks.by_tag(value)
        return values if among is None else values[np.isin(tags, among)]

    found = {}
    for k in (1, 2):
        rate = over_tags(lambda rank, k=k: (rank <= k).astype(np.float64))
        interval = metrics.wilson95(float(rate.sum()), len(rate))
        found[f"hr@{k}"] = {**metrics.interval(rate), "wilson95": interval}
    reciprocal = metrics.interval(over_tags(lambda rank: 1 / rank))
    return {**found, "map": reciprocal, "mrr": reciprocal}


def recover_halves(
    observed: Observations,
    recovery: Recovery,
    name: str,
    config: TaskConfig = TaskConfig(),  # noqa: B008 (frozen)
) -> TaskResult:
    """What an embedding makes of halves.

    Args:
      observed: the tracks of a run, `Run.observed`.
      recovery: of their tags, `Run.recovery`.
      name: of the embedding: one of `recovery.ranks`.
      config: see `TaskConfig`.

    Returns:
      Result whose `ranked` lists, for each tag, the tags whose half was found first, and in what
      share of the queries (`share`).
    """
    vocabulary, ranks = observed.vocabulary, recovery.ranks[name]
    asked = {*ranks.tag.tolist()}
    unanswerable = tuple(tag for k, tag in enumerate(vocabulary.tags) if k not in asked)
    members = {system: np.array(vocabulary.members(system)) for system in vocabulary.systems}
    systems = {system: summarise(ranks, places) for system, places in members.items()}
    extra: dict[str, Any] = {"ridge": recovery.ridge} if name == "fr" else {}
    if name + OWN in recovery.ranks:
        extra["without_own_units"] = summarise(recovery.ranks[name + OWN])
    ranked, errors = _lists(vocabulary.tags, ranks, config.listed)
    return TaskResult(
        metrics=summarise(ranks),
        systems=systems if len(systems) > 1 else {},
        unanswerable=unanswerable,
        ranked=ranked,
        errors=errors,
        extra=extra,
        notes=_notes(observed, recovery, unanswerable),
    )


def with_score(
    observed: Observations,
    recovery: Recovery,
    config: HalvesConfig = HalvesConfig(),  # noqa: B008 (frozen)
) -> tuple[Recovery, dict[str, Similarity]]:
    """A recovery that knows the two-covariance score too, and the similarities behind it.

    Returns:
      The recovery; and {"fm", "fr", "score": similarity of the whole tags}. Of the score, it is the
      probability that two tags are the same if it were even before: 1 / (1 + exp(-score)).
    """
    found = []
    for number in range(1, config.splits, 2):
        split = halves.draw(observed, number, config)
        similarity = two_covariance(observed, split.tags, recovery.ridge)
        found.append(halves.rank_halves(observed, split, similarity))
    ranks = {**recovery.ranks, "score": halves.join(found)}
    score = two_covariance(observed, observed.tags, recovery.ridge)
    even = 1 / (1 + np.exp(-np.clip(score, -500, 500)))
    np.fill_diagonal(even, np.where(np.isnan(np.diagonal(score)), np.nan, 1))
    means = halves.mean_features(observed, observed.tags)
    added = embeddings.regress(observed.features, observed.tags, recovery.ridge)
    matrices = {"fm": embeddings.cosine(means.T), "fr": embeddings.cosine(added.T), "score": even}
    return (
        dataclasses.replace(recovery, ranks=ranks),
        {name: Similarity(observed.vocabulary, matrix) for name, matrix in matrices.items()},
    )


def _notes(
    observed: Observations, recovery: Recovery, unanswerable: tuple[str, ...]
) -> tuple[str, ...]:
    found = []
    if not observed.artists_known:
        found.append(
            "Artists are unknown, so each track counts as one: halves of a tag may share artists, "
            "and the figures are too high."
        )
    if unanswerable:
        found.append(
            "Tags with too few artists for two halves, left out "
            f"({len(unanswerable)}): {some(unanswerable)}."
        )
    return tuple(found)


def _lists(tags: tuple[str, ...], ranks: Ranks, listed: int) -> tuple[TaskTable, TaskTable]:
    """(ranked, errors): which tags' halves come first, with their share of the queries."""
    ranked, errors = [], []
    first: Mapping[int, collections.Counter[int]] = collections.defaultdict(collections.Counter)
    for tag, found in zip(ranks.tag.tolist(), ranks.found.tolist(), strict=True):
        first[tag][found] += 1
    for tag, counts in sorted(first.items()):
        own = ranks.rank[ranks.tag == tag]
        order = sorted(counts, key=lambda other: (-counts[other], other == tag, tags[other]))
        share = {other: counts[other] / len(own) for other in order}
        ranked += [
            (tags[tag], place, tags[other], share[other], other == tag)
            for place, other in enumerate(order[:listed], 1)
        ]
        if order[0] != tag:
            median = float(np.median(own))
            rank = int(np.ceil(median)) if np.isfinite(median) else None
            row = (tags[tag], tags[order[0]], share[order[0]], tags[tag], rank)
            errors.append((*row, share.get(tag, 0.0), rank == 2))
    return TaskTable(RANKED, tuple(ranked)), TaskTable(OUTCOME, tuple(errors))
