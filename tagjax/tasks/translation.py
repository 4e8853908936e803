"""Tag translation (section 4, Table 4): find a tag of one system in another.

Queries are the tags of the source system, candidates all tags of the target system, and
relevant those that a table of truth relates to it. Without such a table string matching
stands in for it (tags of the same normalised name), which is what the paper sets out to
replace: `extra["truth"]` of the result says `table` or `string_match`.

Tables of the result, pairs of `source, target, similarity` but for the last:
- `nearest`: Table 4. For every target tag (Discogs) its nearest source tag (MuMu), without the
  pairs whose names agree, the highest first.
- `same_name`: the pairs whose names agree, the lowest first: same name, other meaning.
- `one_sided`, where a co-occurrence similarity is given: pairs which one of the two finds first
  for the source tag, and the other not among its `depth` nearest.
- `without_translation` (source): the source tags without a relevant one, left out.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.tables import read_table
from tagjax.similarity.tables import Similarity
from tagjax.tasks import ranking
from tagjax.tasks.results import RELATIONS, Config, Table, TaskResult, some
from tagjax.vocabulary import tags

PAIR = ("source", "target", "similarity")


@dataclasses.dataclass(frozen=True)
class Relation:
    """What a target tag is to a source tag: one of `RELATIONS`."""

    source: str
    target: str
    relation: str = "exact"


def read_translation(path: PathLike) -> tuple[Relation, ...]:
    """Reads a CSV file `source,target,relation` with full names of tags.

    Raises:
      InputError: as `tables.read_table`; an empty tag, or an unknown relation.
    """
    table = read_table(path, ["source", "target", "relation"])
    found = []
    rows = zip(table["source"], table["target"], table["relation"], strict=True)
    for row, (source, target, relation) in enumerate(rows, start=2):
        if not source.strip() or not target.strip():
            raise InputError(f"{path}:{row}: empty tag; name both or take the row out")
        if relation not in RELATIONS:
            raise InputError(
                f"{path}:{row}: unknown relation {relation!r}; choose from {', '.join(RELATIONS)}"
            )
        found.append(Relation(source, target, relation))
    return tuple(found)


def evaluate(
    similarity: Similarity,
    truth: Sequence[Relation] | None = None,
    systems: Sequence[str] = ("", "mumu:"),
    cooccurrence: Similarity | None = None,
    config: Config = Config(),  # noqa: B008 (frozen)
) -> TaskResult:
    """Ranks the target system's tags for every tag of the source system.

    Args:
      similarity: of both systems' tags.
      truth: relations of source to target tags; None: string matching.
      systems: prefixes of the tag systems.
      cooccurrence: the similarity of f_dist, of the same tags, to compare with.
      config: `source` and `target` name the systems; by default those of the first relation
        whose tags are both there, or else the second and the first.

    Raises:
      InputError: fewer than two systems, or source or target not among them.
    """
    known = set(similarity.tags)
    told_of = [one for one in truth or () if {one.source, one.target} <= known]
    if len(systems) < 2:
        raise InputError(_one_system(similarity.tags, systems[0]))
    source, target = _direction(told_of, systems, config)
    home = np.array([tags.system_of(tag, systems) for tag in similarity.tags])
    sources, targets = np.flatnonzero(home == source), np.flatnonzero(home == target)
    agreeing = _same_names(similarity.tags, sources, targets, systems)
    told: tuple[str, ...] = ()
    if truth is None:
        relevant = agreeing
        told = ("Without a table of truth, tags of the same name count as translations.",)
    else:
        relevant, told = _related(truth, similarity.tags, config.relations)
    among = set(targets.tolist())
    queries = [
        ranking.Query(i, targets, np.array(sorted(among & relevant.get(i, set())), dtype=np.int64))
        for i in sources.tolist()
    ]
    ranked = ranking.rank(similarity, queries, config.listed)
    if ranked.unanswerable:
        told += (
            f"Source tags without translation, left out ({len(ranked.unanswerable)}): "
            f"{some(ranked.unanswerable)} (all in *_without_translation.csv).",
        )
    cross = similarity.matrix[np.ix_(sources, targets)]
    names = ([similarity.tags[i] for i in sources], [similarity.tags[i] for i in targets])
    agree = np.zeros(cross.shape, dtype=bool)
    row_of = {i: row for row, i in enumerate(sources.tolist())}
    column_of = {i: column for column, i in enumerate(targets.tolist())}
    for i, several in agreeing.items():
        agree[row_of[i], [column_of[j] for j in several]] = True
    tables = {
        "nearest": nearest(cross, agree, names, config.top),
        "same_name": _same(cross, agree, names),
        "without_translation": Table(("source",), tuple((tag,) for tag in ranked.unanswerable)),
    }
    extra: dict = {"truth": "string_match" if truth is None else "table"}
    if cooccurrence is not None:
        order = cooccurrence.reordered(similarity.tags)
        other = order.matrix[np.ix_(sources, targets)]
        extra["agreement"] = spearman(cross, other, config.correlated)
        tables["one_sided"] = one_sided(cross, other, names, config.depth)
    return TaskResult(
        metrics=ranked.summary(),
        systems={},
        unanswerable=ranked.unanswerable,
        ranked=ranked.ranked,
        errors=ranked.errors(),
        tables=tables,
        extra=extra,
        notes=told,
    )


Matrix = npt.NDArray[np.float64]
Names = tuple[Sequence[str], Sequence[str]]


def nearest(cross: Matrix, agree: npt.NDArray[np.bool_], names: Names, top: int) -> Table:
    """Table 4: every target's nearest source, unless their names agree; the `top` highest.

    Args:
      cross: float [S, T], similarity of source to target tags.
      agree: bool [S, T], whether the names of a pair agree.
      names: of the S sources and the T targets.
      top: rows to keep.
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
    return Table(PAIR, tuple(rows[:top]))


def spearman(one: Matrix, other: Matrix, limit: int = 2_000_000) -> dict:
    """Spearman's rank correlation of two similarities over the pairs both have.

    Args:
      one: float [S, T], and
      other: the same.
      limit: of pairs; of more, so many are drawn (always the same).

    Returns:
      {"spearman": in [-1, 1], or None where one of them is constant, "pairs": their number}.
    """
    both = np.flatnonzero(~(np.isnan(one) | np.isnan(other)))
    if len(both) > limit:
        both = np.random.default_rng(0).choice(both, limit, replace=False, shuffle=False)
    x, y = _average_ranks(one.ravel()[both]), _average_ranks(other.ravel()[both])
    x, y = x - x.mean() if len(x) else x, y - y.mean() if len(y) else y
    scale = np.sqrt((x @ x) * (y @ y))
    return {"spearman": float(x @ y / scale) if scale > 0 else None, "pairs": len(both)}


def one_sided(audio: Matrix, cooccurrence: Matrix, names: Names, depth: int) -> Table:
    """Pairs that only one of two similarities finds.

    A similarity finds a pair if the target is the first for the source (tied with none), and
    misses it if `depth` or more targets score as high or higher. Pairs without a
    co-occurrence similarity (NaN) are not compared.

    Returns:
      `source, target, found_by, audio, audio_rank, cooccurrence, cooccurrence_rank`, where
      found_by is `audio` or `cooccurrence`; the highest similarity of the finder first.
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
    return Table((*header, "cooccurrence", "cooccurrence_rank"), tuple(rows))


def _one_system(names: Sequence[str], system: str) -> str:
    """What to say where there is only one; a prefix that one tag carries is not detected."""
    told = f"translation needs tags of two systems, but finds only {system or 'no prefix'!r}"
    heads = [name[: name.find(":") + 1] for name in names]
    single = next((head for head in heads if head not in ("", ":", tags.GENRE, system)), None)
    if system or single is None:
        return f"{told}; give the tags of one a prefix such as mumu:"
    return f"{told}, as {single} is of a single tag; name them: --systems=,{single}"


def _direction(
    truth: Sequence[Relation], systems: Sequence[str], config: Config
) -> tuple[str, str]:
    for system in (config.source, config.target):
        if system is not None and system not in systems:
            raise InputError(
                f"no tag system {system!r}; choose from {', '.join(map(repr, systems))}"
            )
    source, target = config.source, config.target
    if truth and source is None:
        source = tags.system_of(truth[0].source, systems)
    if truth and target is None:
        target = tags.system_of(truth[0].target, systems)
    if source is None:
        source = next(system for system in (systems[1], systems[0]) if system != target)
    if target is None:
        target = next(system for system in systems if system != source)
    if source == target:
        raise InputError(f"source and target of a translation are both {source!r}")
    return source, target


def _related(truth: Sequence[Relation], names: Sequence[str], relations: Sequence[str]):
    """{source index: target indices} of the relations that count, and notes."""
    index = {tag: i for i, tag in enumerate(names)}
    counted = [relation for relation in truth if relation.relation in relations]
    found: dict[int, set[int]] = {}
    absent: dict[str, None] = {}
    for relation in counted:
        pair = (relation.source, relation.target)
        if all(tag in index for tag in pair):
            found.setdefault(index[pair[0]], set()).add(index[pair[1]])
        absent |= {tag: None for tag in pair if tag not in index}
    if not absent:
        return found, ()
    told = f"Tags of the table of truth not among the tags ({len(absent)}): {some(list(absent))}."
    return found, (told,)


def _same_names(names: Sequence[str], sources, targets, systems) -> dict[int, set[int]]:
    """{source index: indices of the target tags whose names agree with it}."""
    exact: dict[str, set[int]] = {}
    lossy: dict[str, set[int]] = {}
    for j in targets.tolist():
        name = tags.normalise(names[j], systems)
        exact.setdefault(name, set()).add(j)
        for spelling in tags.spellings(name):
            lossy.setdefault(spelling, set()).add(j)
    found = {}
    for i in sources.tolist():
        name = tags.normalise(names[i], systems)
        agreeing = set(lossy.get(name, ()))
        for spelling in tags.spellings(name):
            agreeing |= exact.get(spelling, set())
        if name and agreeing:
            found[i] = agreeing
    return found


def _same(cross: Matrix, agree: npt.NDArray[np.bool_], names: Names) -> Table:
    rows = [
        (names[0][row], names[1][column], float(cross[row, column]))
        for row, column in np.argwhere(agree & ~np.isnan(cross)).tolist()
    ]
    return Table(PAIR, tuple(sorted(rows, key=lambda r: (r[2], r[:2]))))


def _average_ranks(values: Matrix) -> Matrix:
    """Ranks from 1, ties sharing their average."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]
