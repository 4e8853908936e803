"""The tables of the report: their rows, order and headings."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tagjax.report import text
from tagjax.similarity.embeddings import EMBEDDINGS
from tagjax.tasks import paper
from tagjax.tasks.results import TaskResult, TaskTable
from tagjax.vocabulary.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a listing.

    Attributes:
      label: the heading.
      kind: tag, number (three decimal places), plain (a number as it is), integer or nearest.
      order: how the rows are sorted by the column: ascending, descending, or "" for not sorted.
    """

    label: str
    kind: str = "tag"
    order: str = ""


@dataclasses.dataclass(frozen=True)
class Listing:
    """A table of the page.

    Attributes:
      columns: the columns.
      rows: tuples of cells; a cell of kind nearest is [(candidate, similarity, rank, relevant)].
      total: number of all rows; `rows` has the first of them.
      about: a sentence about the table.
      file: the CSV file that has all rows, or "".
      searched: places of the columns that the search uses; None: all.
      label: caption, if a section has several tables.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    total: int
    about: str = ""
    file: str = ""
    searched: tuple[int, ...] | None = None
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Words:
    """The words for a task.

    Attributes:
      title: name of the task.
      query: word for a query, in the singular.
      truth: word for a true candidate, in the singular.
      question: the question that the task answers.
      definitions: definitions of queries, candidates and hits.
      measure: what the lists say of a candidate, a column of theirs.
    """

    title: str
    query: str
    truth: str
    question: str
    definitions: str
    measure: str = "similarity"


WORDS = {
    "taxonomy": Words(
        "Taxonomy learning",
        "style",
        "genre",
        "Is the genre most similar to a style the one that the taxonomy gives it?",
        "Queries are the styles, candidates the genres of the same tag system. A hit at k: any "
        "of the genres that the taxonomy gives the style is among its k nearest.",
    ),
    "deduplication": Words(
        "Tag deduplication",
        "tag",
        "duplicate",
        "Every tag was split by artist into two halves, _1 and _2. Is the tag most similar to "
        "a half the other half?",
        "Queries are all tags, candidates all other tags of the same tag system. A hit at k: the "
        "tag's other half is among its k nearest. “MAP, self included” is the paper's MAP. Its "
        "list begins with the tag itself as a first hit, so a duplicate at rank r gives "
        "(1 + 2/(r + 1)) / 2, and the MAP is never below 50.",
    ),
    "translation": Words(
        "Tag translation",
        "source tag",
        "translation",
        "Is the tag of one system that is most similar to a tag of another its translation?",
        "Queries are the source system's tags, candidates all tags of the target system. A hit "
        "at k: a true translation is among the k nearest.",
    ),
    "halves": Words(
        "Recovering halves",
        "tag",
        "other half",
        "How well would duplicates be found here? Artists are dealt to two sides, so every tag "
        "falls into two halves that mean the same. Is the tag most similar to a half the other?",
        "Queries are the halves of tags with enough artists on both sides, candidates all other "
        "halves of the same tag system, a tag counts once over all its queries. A hit at k: the "
        "other half is among the k nearest. In the lists, share says in how many of a tag's "
        "queries the candidate came first. Nothing is trained for it.",
        "share",
    ),
}
_COLUMNS = {
    "similarity": Column("similarity", "number"),
    "rank": Column("rank", "integer"),
    "found_by": Column("found by"),
    "audio": Column("audio", "number"),
    "audio_rank": Column("its rank", "integer"),
    "cooccurrence": Column("co-occurrence", "number"),
    "cooccurrence_rank": Column("its rank", "integer"),
}
TABLES = {  # name: (heading, text of the link, explanation)
    "nearest": (
        "Most similar pairs with different names",
        "Pairs",
        "For every target tag its nearest source tag, without pairs whose names agree. The most "
        "similar pairs come first.",
    ),
    "same_name": (
        "Same name, different meaning?",
        "Same name",
        "Pairs whose names agree. The least similar come first and may not mean the same.",
    ),
    "one_sided": (
        "Found by audio or by co-occurrence only",
        "One-sided",
        "Pairs that one similarity ranks first for the source tag, and the other far below. The "
        "most similar pairs come first.",
    ),
    "suspected": (
        "Suspected duplicates",
        "Suspected",
        "The most similar pairs of tags that are not halves of one tag. Pairs with a tag of a "
        "single artist come last: it may be the artist that sounds so, not the tag.",
    ),
    "errors": ("Error analysis", "Errors", ""),
    "ranked": ("Ranked lists", "", ""),
    "listed": (
        "Known duplicates",
        "Known",
        "The rank at which each tag finds its known duplicate.",
    ),
    "without_parent": ("Styles without genre", "", "Not named by the taxonomy; left out."),
    "without_style": ("Genres without style", "", "They remain candidates."),
    "without_translation": ("Tags without translation", "", "Source tags; left out."),
    "without_data": ("Tags without data", "", "They find nothing, and nothing finds them."),
}
DESCRIBED = {  # section of a data set's report: (heading, explanation)
    "parts": (
        "Parts",
        "Excerpts, tracks and artists of each part; smallest, median and largest number of "
        "excerpts of a label; tracks of the largest artist.",
    ),
    "tags": (
        "Tags",
        "For each tag the tracks that have it, the tracks with this label before balancing, and "
        "the excerpts after. Click a series in the legend to hide it; double-click to see only it.",
    ),
    "cardinality": ("Tags per track", "How many tags the tracks have, in all and of each system."),
    "cooccurrence": (
        "Co-occurrence",
        "Number of tracks with both tags, divided by the geometric mean of the numbers with each "
        "tag (fdist, equation 4). Tags are in the order of the taxonomy; without a taxonomy, each "
        "style is under the genre with which it occurs most often. Tags of two systems occur "
        "together only in the tracks in both catalogues. Point at a cell to see its tags. The "
        "wheel zooms, dragging moves, and a double click shows the whole figure.",
    ),
}
COUNTED = {  # column of `describe.tag_table`: series of the chart
    "tracks": "tracks with the tag",
    "labelled": "tracks with the label, before balancing",
    "excerpts": "excerpts with the label, after balancing",
}


def words(task: str, vocabulary: Vocabulary) -> Words:
    """The words for a task; those for deduplication depend on whether tags were split in two."""
    halves = [half > 0 for half in vocabulary.half]
    if task != "deduplication" or (halves and all(halves)):
        return WORDS[task]
    if any(halves):
        question = WORDS[task].question.replace("Every tag was", "Some tags were")
        return dataclasses.replace(WORDS[task], question=question)
    return dataclasses.replace(
        WORDS[task],
        question="Which tags are so alike that they may mean the same?",
        definitions="No tag was split in two, so nothing is scored. Suspected duplicates are the "
        "most similar pairs of tags of one tag system.",
    )


def meanings() -> dict[str, str]:
    """{embedding: its explanation}."""
    return {
        name: f"{embedding.title}, {embedding.equation}" for name, embedding in EMBEDDINGS.items()
    }


def summary(task: str, results: Mapping[str, TaskResult], printed: bool) -> dict[str, Any]:
    """The metrics in percent: {"header": …, "rows": [{"name", "part", "n", "cells"}]}.

    A cell is (our figure, the printed figure or ""). A row with a `part` is for a tag system, or
    for the tags of all systems.
    """
    keys = list(dict.fromkeys(key for result in results.values() for key in result.metrics))
    table = paper.FIGURES.get(task, {}) if printed else {}
    rows = []
    for name, result in results.items():
        for part, metrics in text.parts_of(result).items():
            theirs = {} if part else table.get(name, {})
            cells = [
                (text.percent(metrics[key]), str(theirs.get(key, "")))
                if key in metrics
                else ("-", "")
                for key in keys
            ]
            n = next(iter(metrics.values()))["n"] if metrics else 0
            rows.append({"name": name, "part": part or None, "n": n, "cells": cells})
    return {"header": [text.HEADINGS.get(key, key) for key in keys], "rows": rows}


def errors(task: str, results: Mapping[str, TaskResult], name: str, limit: int) -> list[Listing]:
    """Queries whose first candidate is not true; for taxonomy also the genres that are confused."""
    words, result = WORDS[task], results[name]
    measure = words.measure
    ranks = {other: _truth_ranks(results[other]) for other in results if other != name}
    rows, confused = [], collections.Counter[tuple[str, str]]()
    for error in _errors(result):
        found, truth = error[measure], error[f"truth_{measure}"]
        gap = None if found is None or truth is None else found - truth
        keys = ("query", "found", measure, "truth", "truth_rank", f"truth_{measure}")
        elsewhere = (_rank_in(ranks[other], error["query"]) for other in ranks)
        rows.append((*(error[key] for key in keys), gap, *elsewhere))
        if error["found"] is not None:
            confused[(error["truth"], error["found"])] += 1
    rows.sort(key=lambda row: np.inf if row[6] is None else -row[6])
    columns = (
        Column(words.query),
        Column("found first"),
        Column(measure, "number"),
        Column(f"true {words.truth}"),
        Column("rank", "integer"),
        Column(measure, "number"),
        Column("gap", "number", "descending"),
        *(Column(f"rank, {other}", "integer") for other in ranks),
    )
    about = _about_errors(rows, result.metrics["hr@1"]["n"], words)
    listings = [Listing(columns, tuple(rows[:limit]), len(rows), about, f"{name}_errors.csv")]
    often = [(*pair, count) for pair, count in confused.most_common() if count > 1]
    if task == "taxonomy" and often:
        columns = (Column("genre"), Column("found instead"), Column("styles", "integer"))
        label = "Confused more than once"
        listings.append(Listing(columns, tuple(often), len(often), label=label))
    return listings


def _about_errors(rows: Sequence[tuple[Any, ...]], queries: int, words: Words) -> str:
    truth = words.truth
    if not queries:
        return f"No tag has a {truth} to be found, so there are no errors."
    about = f"{len(rows)} of {queries} queries do not find their {truth} first"
    if not rows:
        return f"{about}."
    second = sum(row[4] == 2 for row in rows)
    return (
        f"{about}; {second} of them find it second. The clearest errors come first. They have the "
        f"widest gap in {words.measure} between the first candidate and a true {truth}."
    )


def ranked(task: str, result: TaskResult, name: str, candidates: int, limit: int) -> Listing:
    """One row for each query: the rank of the truth, and the nearest candidates.

    If the truth is not among the nearest, it is added at the end.
    """
    words = WORDS[task]
    truth = f"truth_{words.measure}"
    nearest: dict[str, list[tuple[str, float, int, bool]]] = {}
    for query, rank, candidate, score, relevant, *_ in result.ranked.rows:
        listed = nearest.setdefault(query, [])
        if rank is not None and len(listed) < candidates:
            listed.append((candidate, score, rank, relevant))
    late = {
        error["query"]: (error["truth"], error[truth], error["truth_rank"], True)
        for error in _errors(result)
        if error["truth_rank"] is not None
    }
    ranks, rows = _truth_ranks(result), []
    for query, listed in list(nearest.items())[:limit]:
        found = any(relevant for *_, relevant in listed)
        more = [late[query]] if query in late and not found else []
        rows.append((query, _rank_in(ranks, query), [*listed, *more]))
    columns = (
        Column(words.query),
        Column(f"rank of {words.truth}", "integer"),
        Column(f"nearest, with {words.measure}", "nearest"),
    )
    about = f"The nearest of each {words.query}; a true {words.truth} is marked."
    file = f"{name}_ranked.csv"
    return Listing(columns, tuple(rows), len(nearest), about, file, searched=(0,))


def rows_of(result: TaskResult, kind: str) -> tuple[tuple[Any, ...], ...]:
    """The rows of a further table of a result; none if there is no such table."""
    return result.tables[kind].rows if kind in result.tables else ()


def table(kind: str, result: TaskResult, name: str, printed: bool, limit: int) -> list[Listing]:
    """A further table of a result; if `printed`, with Table 4 of the paper beside it."""
    if not rows_of(result, kind):
        return []
    table = result.tables[kind]
    columns = tuple(_COLUMNS.get(key, _column(key)) for key in table.header)
    listing = Listing(columns, table.rows[:limit], len(table.rows), file=f"{name}_{kind}.csv")
    if printed and kind == "nearest" and name in paper.TABLE_4:
        return _beside_table_4(listing, name)
    return [listing]


def _column(key: str) -> Column:
    """A column of counts or tags that has no entry in `_COLUMNS`."""
    counts = key.endswith(("_tracks", "_artists", "_excerpts"))
    return Column(key.replace("_", " "), *(["integer"] if counts else []))


def _beside_table_4(listing: Listing, name: str) -> list[Listing]:
    """Pairs with their places in Table 4, and Table 4 with their places here."""
    places = [paper.rank_in_table_4(name, source, target) for source, target, *_ in listing.rows]
    number = Column("#", "integer")
    columns = (number, *listing.columns, Column("in Table 4", "integer"))
    numbered = enumerate(zip(listing.rows, places, strict=True), start=1)
    rows = tuple((rank, *row, place) for rank, (row, place) in numbered)
    ours = dataclasses.replace(listing, columns=columns, rows=rows, label="From this data")
    here = {place: rank for rank, place in enumerate(places, start=1) if place}
    pairs = enumerate(paper.TABLE_4[name], start=1)
    rows = tuple((place, *pair, here.get(place)) for place, pair in pairs)
    columns = (number, Column("MuMu tag"), Column("Discogs tag"), Column("here", "integer"))
    return [ours, Listing(columns, rows, len(rows), label="Table 4 as printed")]


def columns_of(table: TaskTable) -> dict[str, tuple[Any, ...]]:
    """{heading: cells}."""
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.header)
    return dict(zip(table.header, columns, strict=True))


def counts(counts: Mapping[str, int]) -> list[Listing]:
    """The counts from when a data set was made; empty if they are not known."""
    if not counts:
        return []
    columns = (Column("counted when the data set was made"), Column("", "integer"))
    return [Listing(columns, tuple(counts.items()), len(counts))]


def plain(table: TaskTable, file: str, limit: int) -> Listing:
    """A table as it is; the kind of each column follows from its values."""
    columns = [
        Column(name.replace("_", " "), _kind(values)) for name, values in columns_of(table).items()
    ]
    return Listing(tuple(columns), table.rows[:limit], len(table.rows), file=file)


def _kind(values: Sequence[Any]) -> str:
    """The kind of a column with these values."""
    known = [value for value in values if value is not None]
    if any(isinstance(value, str) for value in known):
        return "tag"
    if all(isinstance(value, int) for value in known):
        return "integer"
    return "plain" if all(value == round(value, 2) for value in known) else "number"


def remarks(results: Mapping[str, TaskResult]) -> list[str]:
    """Sentences about the `extra` values of the results."""
    sentences = []
    for name, result in results.items():
        agreement = result.extra.get("agreement")
        if agreement and agreement["spearman"] is not None:
            sentences.append(
                f"The similarities by {name} and by fdist (co-occurrence) have a Spearman rank "
                f"correlation of {agreement['spearman']:.3f} over {agreement['pairs']:,} pairs of "
                "tags."
            )
        listed = result.extra.get("listed")
        if listed:
            parts = [f"{text.HEADINGS[k]} {text.percent(v)}" for k, v in listed.items()]
            sentences.append(f"Known duplicates by {name}: {', '.join(parts)}.")
    return sentences


def _errors(result: TaskResult) -> list[dict[str, Any]]:
    """The rows of a result's errors, by column."""
    return [dict(zip(result.errors.header, row, strict=True)) for row in result.errors.rows]


def _truth_ranks(result: TaskResult) -> dict[str, int | str | None]:
    """Ranks of the truth other than 1: "never" if it is not found, None if there is no truth."""
    ranks = {error["query"]: error["truth_rank"] or "never" for error in _errors(result)}
    return {**ranks, **dict.fromkeys(result.unanswerable)}


def _rank_in(ranks: Mapping[str, int | str | None], query: str) -> int | str | None:
    return ranks.get(query, 1)
