"""Tag translation (section 4, Table 4): find a tag of one system in another.

The tags of the source system are the queries. All tags of the target system are candidates.
Relevant are those that a table of truth relates to the query. Without such a table, tags of the
same normalised name are relevant. This is the string matching that the paper wants to replace.
`extra["truth"]` of the result says `table` or `string_match`.

The tables of the result; all but the last have pairs `source, target, similarity`:
- `nearest`: Table 4. It has the nearest source tag (MuMu) of each target tag (Discogs), without
  pairs whose names agree, the highest similarity first.
- `same_name`: the pairs whose names agree, the lowest similarity first. Those at the top may have
  the same name but another meaning.
- `one_sided`, if there is a similarity by co-occurrence: pairs that one of the two similarities
  ranks first for the source tag, and the other one not among its `depth` nearest.
- `without_translation` (source): the source tags without a relevant tag, which are left out.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tagjax.base.errors import InputError
from tagjax.similarity.matrix import Similarity
from tagjax.tasks import ranking
from tagjax.tasks.results import TaskConfig, TaskResult, TaskTable, some
from tagjax.vocabulary import tags
from tagjax.vocabulary.translation import Relation
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

PAIR = ("source", "target", "similarity")
_BY_NAME: tuple[str, ...] = (
    "Without a table of truth, tags of the same name count as translations.",
)


def translate(
    similarity: Similarity,
    truth: Truth = Truth(),  # noqa: B008 (frozen)
    config: TaskConfig = TaskConfig(),  # noqa: B008 (frozen)
    cooccurrence: Similarity | None = None,
) -> TaskResult:
    """Ranks the target system's tags for each tag of the source system.

    Args:
      similarity: similarity of the tags of both systems.
      truth: its translation says which target tags are right; without one, names are matched.
      config: `source` and `target` name the systems. By default they are those of the first
        relation whose two tags exist, or else the second and the first system.
      cooccurrence: the similarity of f_dist, of the same tags, to compare with.

    Raises:
      InputError: there are fewer than two systems, or source or target is not one of them.

    >>> tags = ["bop", "dub", "x:bebop", "x:ska"]
    >>> matrix = [[1, 0, 0.9, 0.1], [0, 1, 0.2, 0.7], [0.9, 0.2, 1, 0], [0.1, 0.7, 0, 1]]
    >>> truth = Truth(translation=(Relation("x:bebop", "bop"),))
    >>> translate(Similarity(tags, matrix), truth).to_frame()["candidate"][0]
    'bop'

    Reference: Hennequin, Royo-Letelier, Moussallam, ISMIR 2018,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    vocabulary, relations = similarity.vocabulary, truth.translation
    if len(vocabulary.systems) < 2:
        raise InputError(_one_system(vocabulary))
    source, target = _direction(vocabulary, relations or (), config)
    sources, targets = vocabulary.members(source), vocabulary.members(target)
    agreeing = _same_names(vocabulary, sources, targets)
    relevant, notes = agreeing, _BY_NAME
    if relations is not None:
        relevant, notes = _related(vocabulary, relations, config.relations)
    candidates, among = np.array(targets, dtype=np.int64), set(targets)
    queries = [
        ranking.Query(i, candidates, np.array(sorted(among & relevant.get(i, set())), np.int64))
        for i in sources
    ]
    ranked = ranking.rank(similarity, queries, config.listed)
    if ranked.unanswerable:
        notes += (
            f"Source tags without translation, left out ({len(ranked.unanswerable)}): "
            f"{some(ranked.unanswerable)} (all in *_without_translation.csv).",
        )
    tables, extra = _pairs(similarity, (sources, targets), agreeing, config, cooccurrence)
    without = tuple((tag,) for tag in ranked.unanswerable)
    return TaskResult(
        metrics=ranked.summary(),
        systems={},
        unanswerable=ranked.unanswerable,
        ranked=ranked.ranked,
        errors=ranked.errors(),
        tables={**tables, "without_translation": TaskTable(("source",), without)},
        extra={"truth": "string_match" if relations is None else "table", **extra},
        notes=notes,
    )


def _pairs(
    similarity: Similarity,
    places: tuple[Sequence[int], Sequence[int]],
    agreeing: dict[int, set[int]],
    config: TaskConfig,
    cooccurrence: Similarity | None,
) -> tuple[dict[str, TaskTable], dict[str, Any]]:
    """The tables of pairs of source and target tags, and the agreement of two similarities."""
    sources, targets = places
    square = np.ix_(sources, targets)
    cross = similarity.matrix[square]
    names = ([similarity.tags[i] for i in sources], [similarity.tags[i] for i in targets])
    agree = np.zeros(cross.shape, dtype=bool)
    column_of = {place: column for column, place in enumerate(targets)}
    for row, place in enumerate(sources):
        agree[row, [column_of[other] for other in agreeing.get(place, ())]] = True
    tables = {
        "nearest": nearest(cross, agree, names, config.top),
        "same_name": _same(cross, agree, names),
    }
    if cooccurrence is None:
        return tables, {}
    other = cooccurrence.reordered(similarity.tags).matrix[square]
    tables["one_sided"] = one_sided(cross, other, names, config.depth)
    return tables, {"agreement": spearman(cross, other, config.correlated)}


Matrix = npt.NDArray[np.float64]
Names = tuple[Sequence[str], Sequence[str]]


def nearest(cross: Matrix, agree: npt.NDArray[np.bool_], names: Names, top: int) -> TaskTable:
    """Table 4: the nearest source of each target, unless their names agree.

    Args:
      cross: float [S, T], similarity of source and target tags.
      agree: bool [S, T], whether the names of a pair agree.
      names: names of the S sources and of the T targets.
      top: number of rows to keep, those of the highest similarity.
    """
    rows = []
    for column, target in enumerate(names[1]):
        scores = cross[:, column]
        if np.isnan(scores).all():
            continue
        best = np.flatnonzero(scores == np.nanmax(scores)).tolist()
        row = min(best, key=lambda i: names[0][i])
        if not agree[row, column]:
            rows.append((names[0][row], target, float(scores[row])))
    rows.sort(key=lambda r: (-r[2], r[:2]))
    return TaskTable(PAIR, tuple(rows[:top]))


def spearman(first: Matrix, second: Matrix, limit: int = 2_000_000) -> dict:
    """Spearman's rank correlation of two similarities, over the pairs that both have.

    Args:
      first: float [S, T], one similarity.
      second: float [S, T], the other one.
      limit: largest number of pairs; if there are more, this many are drawn, always the same ones.

    Returns:
      {"spearman": in [-1, 1], or None if a similarity is constant, "pairs": number of pairs}.
    """
    both = np.flatnonzero(~(np.isnan(first) | np.isnan(second)))
    if len(both) > limit:
        both = np.random.default_rng(0).choice(both, limit, replace=False, shuffle=False)
    x, y = first.ravel()[both], second.ravel()[both]
    if len(both) < 2 or (x == x[0]).all() or (y == y[0]).all():
        return {"spearman": None, "pairs": len(both)}
    import scipy.stats  # Imported here because it takes a second.

    return {"spearman": float(scipy.stats.spearmanr(x, y).statistic), "pairs": len(both)}


def one_sided(audio: Matrix, cooccurrence: Matrix, names: Names, depth: int) -> TaskTable:
    """Pairs that only one of two similarities finds.

    A similarity finds a pair if the target alone has the highest score for the source. It misses
    the pair if more than `depth` targets, this one included, score at least as high. Pairs for
    which either similarity is NaN are not compared.

    Returns:
      `source, target, found_by, audio, audio_rank, cooccurrence, cooccurrence_rank`; found_by is
      `audio` or `cooccurrence`. The pairs that the finder rates highest come first.
    """
    rows = []
    for row, source in enumerate(names[0]):
        scores = {"audio": audio[row], "cooccurrence": cooccurrence[row]}
        both = ~(np.isnan(audio[row]) | np.isnan(cooccurrence[row]))
        if not both.any():
            continue
        for finder, misser in (("audio", "cooccurrence"), ("cooccurrence", "audio")):
            column = int(np.argmax(np.where(both, scores[finder], -np.inf)))
            ranks = {
                name: int(np.count_nonzero(both & (values >= values[column])))
                for name, values in scores.items()
            }
            if ranks[finder] == 1 and ranks[misser] > depth:
                cells = [
                    (float(scores[name][column]), ranks[name]) for name in ("audio", "cooccurrence")
                ]
                rows.append((source, names[1][column], finder, *cells[0], *cells[1]))
    rows.sort(key=lambda r: (r[2], -(r[3] if r[2] == "audio" else r[5]), r[:2]))
    header = ("source", "target", "found_by", "audio", "audio_rank")
    return TaskTable((*header, "cooccurrence", "cooccurrence_rank"), tuple(rows))


def _one_system(vocabulary: Vocabulary) -> str:
    """The message for tags of only one system, with advice in case that is a mistake."""
    system = vocabulary.systems[0]
    problem = f"translation needs tags of two systems, but finds only {system or 'no prefix'!r}"
    heads = [tag[: tag.find(":") + 1] for tag in vocabulary.tags]
    head = next((head for head in heads if head not in ("", ":", tags.GENRE, system)), None)
    if system or head is None:
        return f"{problem}; give the tags of one a prefix such as mumu:"
    single = f", as {head} is of a single tag" if heads.count(head) == 1 else ""
    return f"{problem}{single}; name them: --systems=,{head}"


def _direction(
    vocabulary: Vocabulary, relations: Sequence[Relation], config: TaskConfig
) -> tuple[str, str]:
    systems = vocabulary.systems
    for system in (config.source, config.target):
        if system is not None and system not in systems:
            raise InputError(
                f"no tag system {system!r}; choose from {', '.join(map(repr, systems))}"
            )
    source, target = config.source, config.target
    known = [r for r in relations if {r.source, r.target} <= vocabulary.index.keys()]
    if known and source is None:
        source = vocabulary.system_of(known[0].source)
    if known and target is None:
        target = vocabulary.system_of(known[0].target)
    if source is None:
        source = next(system for system in (systems[1], systems[0]) if system != target)
    if target is None:
        target = next(system for system in systems if system != source)
    if source == target:
        raise InputError(f"source and target of a translation are both {source!r}")
    return source, target


def _related(
    vocabulary: Vocabulary, truth: Sequence[Relation], relations: Collection[str]
) -> tuple[dict[int, set[int]], tuple[str, ...]]:
    """Returns {source index: target indices} of the relations that count, and notes."""
    index = vocabulary.index
    found: dict[int, set[int]] = {}
    absent: dict[str, None] = {}
    for relation in truth:
        if relation.relation not in relations:
            continue
        pair = (relation.source, relation.target)
        if all(tag in index for tag in pair):
            found.setdefault(index[pair[0]], set()).add(index[pair[1]])
        absent |= {tag: None for tag in pair if tag not in index}
    if not absent:
        return found, ()
    listed = some(list(absent))
    return found, (f"Tags of the table of truth not among the tags ({len(absent)}): {listed}.",)


def _same_names(
    vocabulary: Vocabulary, sources: Sequence[int], targets: Sequence[int]
) -> dict[int, set[int]]:
    """Returns {source index: indices of the target tags whose names agree with it}."""
    normal = [tags.normalise(name) for name in vocabulary.names]
    exact: dict[str, set[int]] = {}
    lossy: dict[str, set[int]] = {}
    for j in targets:
        exact.setdefault(normal[j], set()).add(j)
        for spelling in tags.spellings(normal[j]):
            lossy.setdefault(spelling, set()).add(j)
    found = {}
    for i in sources:
        agreeing = set(lossy.get(normal[i], ()))
        for spelling in tags.spellings(normal[i]):
            agreeing |= exact.get(spelling, set())
        if normal[i] and agreeing:
            found[i] = agreeing
    return found


def _same(cross: Matrix, agree: npt.NDArray[np.bool_], names: Names) -> TaskTable:
    rows = [
        (names[0][row], names[1][column], float(cross[row, column]))
        for row, column in np.argwhere(agree & ~np.isnan(cross)).tolist()
    ]
    return TaskTable(PAIR, tuple(sorted(rows, key=lambda r: (r[2], r[:2]))))
