"""Tag deduplication (section 3.2, Table 3): find each tag's artificial duplicate.

Every tag was split by artist into `_1` and `_2`. Queries are all tags, candidates all other
tags (of both halves, and of all tag systems), relevant the other half alone.

Two MAPs, which differ: with a single relevant candidate at rank r among the *other* tags,
`map` is 1/r, what one would expect (and equal to `mrr`). The paper's printed MAP is that of a
list which the tag itself opens as a first relevant hit, (1 + 2/(r + 1)) / 2; it is called
`map_self_included` here, never falls below one half, and is only for comparison with
Table 3. HR@k leaves the tag itself out in both.

Real duplicates come in two tables. `suspected` holds the most similar pairs that are not
halves of one tag, the reason to run this task on a catalogue. `listed` says for known
duplicates (`bossa nova`, `bossanova`) at which rank each finds the other, its own other half
left out.
"""

from collections.abc import Sequence

import numpy as np

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.tables import read_table
from tagjax.similarity.tables import Similarity
from tagjax.tasks import metrics, ranking
from tagjax.tasks.results import Config, Table, TaskResult, some
from tagjax.vocabulary import tags

_ROWS = 256


def read_duplicates(path: PathLike) -> tuple[tuple[str, str], ...]:
    """Reads a CSV file `tag,duplicate` of tags known to mean the same.

    Raises:
      InputError: as `tables.read_table`; an empty cell, or a tag that duplicates itself.
    """
    table = read_table(path, ["tag", "duplicate"])
    pairs = tuple(zip(table["tag"], table["duplicate"], strict=True))
    for row, (tag, duplicate) in enumerate(pairs, start=2):
        if not tag.strip() or not duplicate.strip():
            raise InputError(f"{path}:{row}: empty cell; name both tags or take the row out")
        if tag == duplicate:
            raise InputError(f"{path}:{row}: {tag!r} is given as its own duplicate")
    return pairs


def evaluate(
    similarity: Similarity,
    duplicates: Sequence[tuple[str, str]] = (),
    systems: Sequence[str] = ("",),
    config: Config = Config(),  # noqa: B008 (frozen)
) -> TaskResult:
    """Ranks all other tags for every tag.

    Args:
      similarity: of tags that end in `_1` and `_2`; others have no duplicate, and are
        unanswerable.
      duplicates: pairs of tags known to mean the same, without `_1` and `_2`.
      systems: prefixes of the tag systems, for metrics by system.
      config: see there.

    Returns:
      Result with the tables `suspected` (tag, other, similarity: of the nearest of their
      halves) and `listed` (tag, duplicate, rank, similarity).
    """
    index = {tag: i for i, tag in enumerate(similarity.tags)}
    everything = np.arange(len(index))
    queries = []
    for tag, i in index.items():
        other = index.get(tags.partner(tag) or "")
        relevant = np.array([] if other is None else [other], dtype=np.int64)
        queries.append(ranking.Query(i, everything, relevant))
    ranked = ranking.rank(similarity, queries, config.listed)
    apart = {}
    if len(systems) > 1:
        for system in systems:
            members = {tag for tag in index if tags.system_of(tag, systems) == system}
            apart[system] = _summary(ranked, members)
    extra, tables, told = _listed(similarity, duplicates)
    if len(ranked.unanswerable) == len(queries):
        told = (
            "No tag ends in _1 or _2, so there is nothing to score (launch.split "
            "--experiment=deduplication makes such); the suspected duplicates stand in the lists.",
            *told,
        )
    elif ranked.unanswerable:
        told = (
            "Tags without other half (_1 and _2), left out "
            f"({len(ranked.unanswerable)}): {some(ranked.unanswerable)}.",
            *told,
        )
    return TaskResult(
        metrics=_summary(ranked),
        systems=apart,
        unanswerable=ranked.unanswerable,
        ranked=ranked.ranked,
        errors=ranked.errors(),
        tables={"suspected": suspected(similarity, config.pairs), **tables},
        extra=extra,
        notes=told,
    )


def suspected(similarity: Similarity, pairs: int) -> Table:
    """The most similar pairs of tags, halves taken together: `tag, other, similarity`.

    A pair's similarity is the highest of its (up to four) pairs of halves; ties go by name.
    """
    bases = [tags.split_duplicate(tag)[0] for tag in similarity.tags]
    if not bases:
        return Table(("tag", "other", "similarity"), ())
    names, group, sizes = np.unique(bases, return_inverse=True, return_counts=True)
    # A pair of tags comes once for each pair of their halves.
    scores, pairs_of = _highest(similarity.matrix, group, pairs * int(sizes.max()) ** 2)
    best: dict[tuple[str, str], float] = {}
    for score, number in zip(scores.tolist(), pairs_of.tolist(), strict=True):
        one, other = divmod(number, len(names))
        pair = (str(names[one]), str(names[other]))
        best[pair] = max(best.get(pair, -np.inf), score)
    rows = sorted(((*pair, score) for pair, score in best.items()), key=lambda r: (-r[2], r[:2]))
    return Table(("tag", "other", "similarity"), tuple(rows[:pairs]))


def _highest(matrix, group, count: int):
    """The `count` highest cells above the diagonal and across groups, ties by pair of groups.

    Returns:
      Their scores, and their pairs of groups a < b as a * groups + b, both of `count` or fewer.
    """
    scores, pairs = np.empty(0), np.empty(0, dtype=np.int64)
    everything, groups = np.arange(len(matrix)), int(group.max()) + 1
    for start in range(0, len(matrix), _ROWS):
        mine = everything[start : start + _ROWS]
        block = matrix[start : start + _ROWS]
        valid = (mine[:, None] < everything) & (group[mine][:, None] != group) & ~np.isnan(block)
        if len(scores) == count:
            valid &= block >= scores.min()
        row, column = np.nonzero(valid)
        one, other = group[mine[row]], group[column]
        scores = np.concatenate([scores, block[row, column]])
        pairs = np.concatenate([pairs, np.minimum(one, other) * groups + np.maximum(one, other)])
        if len(scores) > count:
            limit = np.partition(scores, -count)[-count]
            above, tied = np.flatnonzero(scores > limit), np.flatnonzero(scores == limit)
            missing = count - len(above)
            tied = tied[np.argpartition(pairs[tied], missing - 1)[:missing]]
            scores = scores[np.concatenate([above, tied])]
            pairs = pairs[np.concatenate([above, tied])]
    return scores, pairs


def _summary(ranked: ranking.Ranking, among: set[str] | None = None) -> dict:
    keep = [among is None or tag in among for tag in ranked.answered]
    printed = metrics.interval(metrics.self_included(ranked.first_rank[keep]))
    return {**ranked.summary(among), "map_self_included": printed}


def _listed(similarity: Similarity, duplicates: Sequence[tuple[str, str]]):
    """Ranks of known duplicates: extra values, tables and notes."""
    if not duplicates:
        return {}, {}, ()
    halves: dict[str, list[int]] = {}
    for i, tag in enumerate(similarity.tags):
        for name in {tag, tags.split_duplicate(tag)[0]}:
            halves.setdefault(name, []).append(i)
    absent = [pair for pair in duplicates if not all(tag in halves for tag in pair)]
    queries = []
    for pair in duplicates:
        if pair in absent:
            continue
        for tag, other in (pair, pair[::-1]):
            candidates = np.setdiff1d(np.arange(len(similarity.tags)), halves[tag])
            relevant = np.array(halves[other], dtype=np.int64)
            queries += [ranking.Query(i, candidates, relevant) for i in halves[tag]]
    ranked = ranking.rank(similarity, queries, 1)
    columns = [ranking.OUTCOME.index(c) for c in ("query", "truth", "truth_rank")]
    columns.append(ranking.OUTCOME.index("truth_similarity"))
    rows = tuple(tuple(row[c] for c in columns) for row in ranked.outcomes.rows)
    told: tuple[str, ...] = ()
    if absent:
        told = (
            f"Known duplicates not among the tags, left out ({len(absent)}): "
            f"{some(['/'.join(pair) for pair in absent])}.",
        )
    table = Table(("tag", "duplicate", "rank", "similarity"), rows)
    return {"listed": ranked.summary()}, {"listed": table}, told
