"""Tag deduplication (section 3.2, Table 3): find each tag's artificial duplicate.

Every tag was split by artist into `_1` and `_2`. All tags are queries. The candidates of a query
are all other tags of its tag system, of both halves. Only the other half is relevant. With several
systems, a tag's translation is therefore not an error; `extra["among_all"]` has the metrics among
the tags of all systems.

There are two MAPs. The single relevant candidate has rank r among the *other* tags, so `map` is
1/r, as one would expect (it equals `mrr`). The paper prints the MAP of a list that starts with the
tag itself as a first relevant hit, (1 + 2/(r + 1)) / 2. It is called `map_self_included` here,
never falls below one half, and serves only the comparison with Table 3. HR@k leaves the tag itself
out in both.

Both halves of a tag are queries, as in the paper, and `ci95` counts them as two. They are like
each other, so Wilson's interval (`wilson95`) counts a pair once.

Two tables show real duplicates. `suspected` has the most similar pairs that are not halves of one
tag; it is the reason to run this task on a catalogue. `listed` says at which rank each of two known
duplicates (`bossa nova`, `bossanova`) finds the other. A tag's other half is left out there.
"""

from collections.abc import Sequence

import numpy as np

from tagjax.similarity.matrix import Similarity
from tagjax.tasks import metrics, ranking
from tagjax.tasks.results import TaskConfig, TaskResult, TaskTable, some
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

_ROWS = 256


def deduplicate(
    similarity: Similarity,
    truth: Truth = Truth(),  # noqa: B008 (frozen)
    config: TaskConfig = TaskConfig(),  # noqa: B008 (frozen)
) -> TaskResult:
    """Ranks, for every tag, all other tags of its system.

    Args:
      similarity: similarity of tags that were split in two halves. Other tags have no duplicate,
        so their queries are unanswerable.
      truth: its duplicates are pairs of tags, halves or whole tags, that mean the same.
      config: see `TaskConfig`.

    Returns:
      Result with the tables `suspected` (tag, other, similarity of their nearest halves) and
      `listed` (tag, duplicate, rank, similarity).

    >>> tags = ["rnb_1", "rnb_2", "r&b_1", "r&b_2"]
    >>> matrix = [[1, 0.9, 0.8, 0.7], [0.9, 1, 0.7, 0.7], [0.8, 0.7, 1, 0.9], [0.7, 0.7, 0.9, 1]]
    >>> result = deduplicate(Similarity(tags, matrix))
    >>> result.metrics["hr@1"]["mean"], result.tables["suspected"].rows
    (1.0, (('r&b', 'rnb', 0.8),))

    Reference: Hennequin, Royo-Letelier, Moussallam, ISMIR 2018,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    vocabulary = similarity.vocabulary
    pairs = min(config.pairs, len({*vocabulary.whole}))  # Of few tags, most pairs are none.
    members = {system: np.array(vocabulary.members(system)) for system in vocabulary.systems}
    within = ranking.rank(similarity, _queries(vocabulary, members), config.listed)
    extra, tables, notes = _listed(similarity, truth.duplicates)
    if len(vocabulary.systems) > 1:
        everything = dict.fromkeys(members, np.arange(len(vocabulary)))
        among_all = ranking.rank(similarity, _queries(vocabulary, everything), 1)
        extra["among_all"] = _summary(vocabulary, among_all)
        notes = ("Each tag is ranked among the tags of its own tag system.", *notes)
    return TaskResult(
        metrics=_summary(vocabulary, within),
        systems=ranking.by_system(vocabulary, lambda tags: _summary(vocabulary, within, tags)),
        unanswerable=within.unanswerable,
        ranked=within.ranked,
        errors=within.errors(),
        tables={"suspected": suspected(similarity, pairs), **tables},
        extra=extra,
        notes=(*_left_out(within), *notes),
    )


def _queries(vocabulary: Vocabulary, candidates: dict[str, np.ndarray]) -> list[ranking.Query]:
    """One query for each tag: its other half among the candidates of its system."""
    queries = []
    for place, (tag, system) in enumerate(zip(vocabulary.tags, vocabulary.system, strict=True)):
        other = vocabulary.partner(tag)
        relevant = [] if other is None else [vocabulary.index[other]]
        queries.append(ranking.Query(place, candidates[system], np.array(relevant, dtype=np.int64)))
    return queries


def _left_out(ranked: ranking.Ranking) -> tuple[str, ...]:
    """A note about the tags that have no other half."""
    if not ranked.answered:
        return (
            "No tag was split in two (_1 and _2), so there is nothing to score (launch.split "
            "--experiment=deduplication makes such); the suspected duplicates stand in the lists.",
        )
    if not ranked.unanswerable:
        return ()
    return (
        "Tags without other half (_1 and _2), left out "
        f"({len(ranked.unanswerable)}): {some(ranked.unanswerable)}.",
    )


def suspected(similarity: Similarity, pairs: int) -> TaskTable:
    """The most similar pairs of whole tags of one system: `tag, other, similarity`.

    The similarity of a pair is the highest of its (up to four) pairs of halves. Pairs of the same
    similarity are in the order of names.
    """
    vocabulary = similarity.vocabulary
    if not vocabulary.tags:
        return TaskTable(("tag", "other", "similarity"), ())
    names, group, sizes = np.unique(vocabulary.whole, return_inverse=True, return_counts=True)
    system = np.array([vocabulary.systems.index(system) for system in vocabulary.system])
    # A pair of tags occurs once for each pair of their halves.
    count = pairs * int(sizes.max()) ** 2
    scores, pairs_of = _highest(similarity.matrix, group, system, count)
    best: dict[tuple[str, str], float] = {}
    for score, number in zip(scores.tolist(), pairs_of.tolist(), strict=True):
        first, second = divmod(number, len(names))
        pair = (str(names[first]), str(names[second]))
        best[pair] = max(best.get(pair, -np.inf), score)
    rows = sorted(((*pair, score) for pair, score in best.items()), key=lambda r: (-r[2], r[:2]))
    return TaskTable(("tag", "other", "similarity"), tuple(rows[:pairs]))


def _highest(matrix, group, system, count: int):
    """The highest cells above the diagonal whose tags have one system and different groups.

    There are at most `count`. Cells of the same score are in the order of their pairs of groups.

    Returns:
      Their scores; and their pairs of groups a < b, as a * groups + b.
    """
    scores, pairs = np.empty(0), np.empty(0, dtype=np.int64)
    everything, groups = np.arange(len(matrix)), int(group.max()) + 1
    for start in range(0, len(matrix), _ROWS):
        rows = everything[start : start + _ROWS]
        block = matrix[start : start + _ROWS]
        valid = (rows[:, None] < everything) & (group[rows][:, None] != group) & ~np.isnan(block)
        valid &= system[rows][:, None] == system
        if len(scores) == count:
            valid &= block >= scores.min()
        row, column = np.nonzero(valid)
        first, second = group[rows[row]], group[column]
        scores = np.concatenate([scores, block[row, column]])
        pairs = np.concatenate(
            [pairs, np.minimum(first, second) * groups + np.maximum(first, second)]
        )
        if len(scores) > count:
            limit = np.partition(scores, -count)[-count]
            above, tied = np.flatnonzero(scores > limit), np.flatnonzero(scores == limit)
            missing = count - len(above)
            tied = tied[np.argpartition(pairs[tied], missing - 1)[:missing]]
            scores = scores[np.concatenate([above, tied])]
            pairs = pairs[np.concatenate([above, tied])]
    return scores, pairs


def _summary(
    vocabulary: Vocabulary, ranked: ranking.Ranking, among: set[str] | None = None
) -> dict[str, metrics.Summary]:
    pairs = [vocabulary.whole[vocabulary.index[tag]] for tag in ranked.answered]
    keep = [among is None or tag in among for tag in ranked.answered]
    printed = metrics.interval(metrics.self_included(ranked.first_rank[keep]))
    return {**ranked.summary(among, pairs), "map_self_included": printed}


def _listed(similarity: Similarity, duplicates: Sequence[tuple[str, str]]):
    """Ranks known duplicates; returns extra values, tables and notes."""
    if not duplicates:
        return {}, {}, ()
    vocabulary = similarity.vocabulary
    halves: dict[str, list[int]] = {}
    for place, (tag, whole) in enumerate(zip(vocabulary.tags, vocabulary.whole, strict=True)):
        for name in {tag, whole}:
            halves.setdefault(name, []).append(place)
    system = np.array(vocabulary.system)
    queries, pairs, absent = [], [], []
    for pair in duplicates:
        if not all(tag in halves for tag in pair):
            absent.append("/".join(pair))
            continue
        for tag, other in (pair, pair[::-1]):
            relevant = np.array(halves[other], dtype=np.int64)
            candidates = np.flatnonzero(system == system[relevant[0]])
            candidates = np.setdiff1d(candidates, halves[tag])
            queries += [ranking.Query(place, candidates, relevant) for place in halves[tag]]
            pairs += len(halves[tag]) * ["\0".join(pair)]
    ranked = ranking.rank(similarity, queries, 1)
    columns = [ranking.OUTCOME.index(c) for c in ("query", "truth", "truth_rank")]
    columns.append(ranking.OUTCOME.index("truth_similarity"))
    rows = tuple(tuple(row[c] for c in columns) for row in ranked.outcomes.rows)
    notes: tuple[str, ...] = ()
    if absent:
        notes = (f"Known duplicates not among the tags, left out ({len(absent)}): {some(absent)}.",)
    table = TaskTable(("tag", "duplicate", "rank", "similarity"), rows)
    return {"listed": ranked.summary(pairs=pairs)}, {"listed": table}, notes
