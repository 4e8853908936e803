"""An evaluation as text, for a terminal."""

from collections.abc import Collection, Mapping, Sequence

from tagjax.base.text import short
from tagjax.tasks import paper
from tagjax.tasks.background import Counts
from tagjax.tasks.evaluation import Evaluation
from tagjax.tasks.metrics import Summary
from tagjax.tasks.results import TaskResult

HEADINGS = {"hr@1": "HR@1", "hr@2": "HR@2", "map": "MAP", "mrr": "MRR"} | {
    "map_self_included": "MAP, self included"
}


def percent(summary: Summary) -> str:
    """A mean and its intervals in percent: `85.1 ± 4.6 [80.0, 89.1]`, or `-` without a mean.

    >>> percent({"mean": 0.5, "ci95": 0.25, "n": 4})
    '50.0 ± 25.0'
    """
    if summary["mean"] is None:
        return "-"
    text = f"{100 * summary['mean']:.1f} ± {100 * summary['ci95']:.1f}"
    if "wilson95" not in summary:
        return text
    low, high = summary["wilson95"]
    return f"{text} [{100 * low:.1f}, {100 * high:.1f}]"


def parts_of(result: TaskResult) -> dict[str, Mapping[str, Summary]]:
    """{part: metrics}: "" for all queries, each tag system, and "among all tags" of all systems."""
    parts: dict[str, Mapping[str, Summary]] = {"": result.metrics}
    if len(result.systems) > 1:
        parts |= {system or "(no prefix)": metrics for system, metrics in result.systems.items()}
    if "among_all" in result.extra:
        parts["among all tags"] = result.extra["among_all"]
    return parts


def title_of(name: str, evaluation: Evaluation) -> str:
    """An embedding's name, with an addition if it differs from the usual embedding."""
    single = evaluation.background.single_label and name in ("fm", "fr")
    return f"{name} (single-label)" if single else name


def accuracy_of(evaluation: Evaluation) -> str:
    """A sentence on the held-out accuracy and its chance levels; "" if the accuracy is unknown."""
    known = evaluation.background.accuracy
    if known is None:
        return ""
    tags = round(1 / known["chance"])
    return (
        f"Held-out accuracy: the first answer is the label of {percent(known)} % of {known['n']} "
        f"excerpts; chance is {100 * known['chance']:.1f} % for one of {tags} tags at random, "
        f"{100 * known['commonest_share']:.1f} % for always the commonest label, "
        f"{known['commonest']}."
    )


def halves_of(evaluation: Evaluation) -> str:
    """How well duplicates would be found among these tags, as a sentence; "" if unknown."""
    known = evaluation.background.halves
    if not known or evaluation.task == "halves":
        return ""
    found = " and ".join(f"{name} {percent(rates['hr@1'])} %" for name, rates in known.items())
    return (
        f"Would duplicates be found here? Of {known['fr']['hr@1']['n']} tags whose artists were "
        f"dealt to two sides, one half finds the other first by {found} of the time."
    )


def format_evaluation(evaluation: Evaluation) -> str:
    """Metrics in percent with their 95 % intervals, and notes; for translation also pairs.

    If the evaluation asks for them, the paper's printed figures are below those of an embedding.
    """
    results = evaluation.results
    keys = list(next(iter(results.values())).metrics)
    figures = paper.FIGURES.get(evaluation.task, {}) if evaluation.printed else {}
    label = paper.TABLES.get(evaluation.task, "")
    rows = [[evaluation.task, "queries", *(HEADINGS.get(key, key) for key in keys)]]
    for name, result in results.items():
        for part, metrics in parts_of(result).items():
            cells = [percent(metrics[key]) for key in keys]
            rows.append(
                [
                    f"{title_of(name, evaluation)} {part}".rstrip(),
                    str(metrics[keys[0]]["n"]),
                    *cells,
                ]
            )
            if not part and name in figures:
                rows.append([f"  {label}", "", *(str(figures[name].get(key, "-")) for key in keys)])
    lines = [
        *align(rows),
        *filter(None, (accuracy_of(evaluation), halves_of(evaluation))),
        *(f"Note: {note}" for note in evaluation.notes),
    ]
    if evaluation.task == "translation":
        lines += _pairs(evaluation, label)
    elif evaluation.task == "deduplication" and not evaluation.printed:
        lines += _suspected(evaluation)
    return "\n".join(lines)


def _pairs(evaluation: Evaluation, label: str) -> list[str]:
    """Pairs as in Table 4, with their places in the printed table, and pairs of the same name."""
    results, printed, lines = evaluation.results, evaluation.printed, []

    def table(title: str, pairs: Sequence[Sequence], places: Sequence[str] | None) -> list[str]:
        beside = {f"in {label}": places} if places else {}
        return _table(evaluation, title, pairs, beside)

    audio = [name for name in ("fc", *results) if name in results and name != "fdist"][:1]
    for name in [*audio, *(["fdist"] if "fdist" in results else [])]:
        pairs = results[name].tables["nearest"].rows
        places = [str(paper.rank_in_table_4(name, *pair[:2]) or "-") for pair in pairs]
        lines += table(f"nearest by {name}", pairs, places if printed else None)
    for name in audio:
        pairs = results[name].tables["same_name"].rows[: evaluation.config.top]
        lines += table(f"same name, least similar by {name}", pairs, None)
    return lines


def _suspected(evaluation: Evaluation) -> list[str]:
    """The likeliest duplicates by the embedding to look at first."""
    name = evaluation.best
    pairs = evaluation.results[name].tables["suspected"].rows[: evaluation.config.top]
    return _table(evaluation, f"suspected duplicates by {name}", pairs, {}) if pairs else []


def _table(
    evaluation: Evaluation,
    title: str,
    pairs: Sequence[Sequence],
    beside: Mapping[str, Sequence[str]],
) -> list[str]:
    """Pairs of tags with their similarity, their tracks and artists, and further columns."""
    counts = evaluation.background.counts
    heads = ["tracks (artists)", "of the other"] if counts else []
    rows = [["", title, "", "similarity", *heads, *beside]]
    for rank, (source, target, score, *_) in enumerate(pairs, 1):
        known = [_count(counts, tag) for tag in (source, target)] if counts else []
        more = [column[rank - 1] for column in beside.values()]
        rows.append([str(rank), *map(short, (source, target)), f"{score:.3f}", *known, *more])
    return ["", *align(rows, (1, 2))]


def _count(counts: Counts, tag: str) -> str:
    """A tag's numbers of tracks and artists: `12 (5)`."""
    tracks, artists = counts.get(tag, (0, None))
    return f"{tracks} ({'?' if artists is None else artists})"


def align(lines: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """Lines of aligned columns, the first a heading; only the columns `left` are flush left."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return [text[0], "-" * max(map(len, text)), *text[1:]]
