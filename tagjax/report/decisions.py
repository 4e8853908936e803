"""The page of decisions: what is merged, the same elsewhere, nested, doubtful; one HTML file.

As the report of a task, it opens without network; see `tagjax.report.page`.
"""

import dataclasses
import itertools
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from tagjax.base.files import PathLike, write_text
from tagjax.reconcile.decisions import Decisions
from tagjax.report import labels, listings, page
from tagjax.report.looks import Parents
from tagjax.report.page import Figures, ReportConfig
from tagjax.report.verdicts import KINDS, Pair, Verdicts, percent
from tagjax.similarity.matrix import Similarity


@dataclasses.dataclass(frozen=True)
class DecisionsConfig:
    """How much goes into the page; the files beside it have everything.

    Attributes:
      rows: largest number of rows of a table.
      nodes: largest number of tags in a catalogue's tree.
      tags: largest number of tags in the list of all.
      artists: artists named for each sense of a tag.
      rivals: next candidates named for either tag of a pair.
      notes: largest number of notes.
      report: of the figures. All maps together show at most `report.mapped` tags: the names on a
        map of six hundred take half a minute to place.
    """

    rows: int = 200
    nodes: int = 600
    tags: int = 2000
    artists: int = 8
    rivals: int = 2
    notes: int = 20
    report: ReportConfig = ReportConfig(mapped=600, heat=600)


@dataclasses.dataclass(frozen=True)
class Block:
    """A table of pairs.

    Attributes:
      heads: headings of the two columns of tags.
      pairs: the rows.
      total: number of all rows; `pairs` has the first of them.
      file: the file that has all rows, or "".
      label: heading, if a section has several tables.
      about: a sentence about the table.
      signed: whether the rows differ in what the first tag is to the second.
    """

    heads: tuple[str, str]
    pairs: tuple[Pair, ...]
    total: int
    file: str
    label: str = ""
    about: str = ""
    signed: bool = False


def write_decisions_report(
    path: PathLike,
    decisions: Decisions,
    rows: Sequence[Mapping[str, Any]] = (),
    similarities: Mapping[str, Similarity] | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
) -> None:
    """Writes the page of decisions, atomically.

    Args:
      path: the HTML file.
      decisions: to be shown.
      rows: of EVIDENCE, as `reconcile.facts.named_rows` gives them; they name the nearest rivals.
      similarities: {embedding: similarity}, for maps and heat maps; may be empty.
      title: of the page.
      notes: further sentences for a reader.
      links: {label: relative path} of the files beside it.

    >>> from tagjax import Catalogue
    >>> from tagjax.reconcile.decide import decide
    >>> from tagjax.reconcile.facts import gather_facts
    >>> names, tags = tuple("abc"), (("Techno",), ("techno",), ("Techno", "2012"))
    >>> found = decide(gather_facts([Catalogue("", names, names, names, tags)]))
    >>> write_decisions_report("decisions.html", found, title="My music")
    >>> "<title>My music</title>" in open("decisions.html").read()
    True
    """
    similarities = similarities or {}
    if similarities:
        labels.warn_of_missing(decisions.vocabulary.tags)
    text = render_decisions(decisions, rows, similarities, title, notes, links or {})
    write_text(path, text)


def render_decisions(
    decisions: Decisions,
    rows: Sequence[Mapping[str, Any]],
    similarities: Mapping[str, Similarity],
    title: str,
    notes: Sequence[str],
    links: Mapping[str, str],
    config: DecisionsConfig = DecisionsConfig(),
) -> str:
    """The page of decisions as HTML; `config` says how much, see also `write_decisions_report`."""
    verdicts = Verdicts(decisions, rows, config.rivals)
    parents = tree_colours(decisions)
    drawn = draw_figures(similarities, parents, config.report)
    tally = verdicts.tally()
    all_notes = [*decisions.notes, *notes]
    if left_out := [name for name in similarities if name not in drawn]:
        all_notes.append(f"There is no room for maps of {', '.join(left_out)}.")
    return page.render_page(
        "decisions.html.j2",
        title=title or "What became of the tags",
        tally=tally,
        several=verdicts.several,
        systems=_systems(decisions) if verdicts.several else [],
        sections=[part for part in sections(verdicts, config) if part["blocks"]],
        tree=verdicts.tree(),
        senses=verdicts.senses(config.artists),
        blocked=verdicts.blocked(),
        index=[*verdicts.index()],
        notes=all_notes[: config.notes],
        more_notes=max(len(all_notes) - config.notes, 0),
        links=[(label, href(path)) for label, path in links.items()],
        hrefs={path: href(path) for path in links.values()},
        percent=percent,
        embeddings=[*drawn],
        meanings=listings.meanings(),
        chosen=0,
        tags=max((len(similarity.tags) for similarity in similarities.values()), default=0),
        drawn=[page.embedded(figures, parents) for figures in drawn.values()],
        limits=config.report,
        config=config,
    )


def sections(verdicts: Verdicts, config: DecisionsConfig) -> list[dict[str, Any]]:
    """The sections that are tables of pairs."""

    def block(heads: tuple[str, str], pairs: Sequence[Pair], file: str, **more: Any) -> list[Block]:
        shown = tuple(pairs[: config.rows])
        return [Block(heads, shown, len(pairs), file, **more)] if pairs else []

    merged = verdicts.merged()
    same, related = verdicts.same()
    none, left, untold = verdicts.alone()
    unsure: dict[str, Any] = {"label": "Nearest there, but not sure", "signed": True}
    alone = [
        *block(("tag", ""), none, "vocabulary.csv", label="Surely none"),
        *block(("tag", "nearest there"), left, "vocabulary.csv", **unsure),
        *block(("tag", ""), untold, "vocabulary.csv", label="Cannot be told"),
    ]
    found = {
        "merged": [
            part
            for kind, label in KINDS.items()
            for part in block(("tag", "merged into"), merged[kind], "vocabulary.csv", label=label)
        ],
        "same": [
            *block(("tag", "the same there"), same, "predictions.sssom.tsv"),
            *block(
                ("tag", "there"), related, "predictions.sssom.tsv", label="Related", signed=True
            ),
        ],
        "objections": block(("tag", "by its sound below"), verdicts.objections(), "vocabulary.csv"),
        "review": block(
            ("tag", "other tag"), verdicts.review(), "predictions.sssom.tsv", signed=True
        ),
        "alone": alone,
        "people": [
            part
            for (label, pairs), file in zip(
                verdicts.people().items(), ("positive", "negative", "unsure"), strict=True
            )
            for part in block(
                ("tag", "other tag"), pairs, f"{file}.sssom.tsv", label=label, signed=True
            )
        ],
    }
    return [{"id": name, "blocks": blocks} for name, blocks in found.items()]


def draw_figures(
    similarities: Mapping[str, Similarity], parents: Parents, config: ReportConfig
) -> dict[str, Figures]:
    """{embedding: map and heat map}, of the first similarities: all share `config.mapped` tags."""
    most = max((len(similarity.tags) for similarity in similarities.values()), default=0)
    kept = max(config.mapped // max(most, 1), 1)
    return {
        name: page.draw(name, similarity, parents, config)
        for name, similarity in itertools.islice(similarities.items(), kept)
    }


def tree_colours(decisions: Decisions) -> Parents:
    """{tag: the topmost tags above it}: figures have one colour for each.

    >>> from tagjax import Vocabulary
    >>> tags = Vocabulary.of(["dub", "Dub", "reggae", "world"])
    >>> canonical = {tag: tag for tag in tags.tags} | {"Dub": "dub"}
    >>> parents = {"dub": ("reggae",), "reggae": ("world",)}
    >>> tree_colours(Decisions(tags, {}, {}, (), canonical, parents))
    {'dub': ('world',), 'Dub': ('world',), 'reggae': ('world',)}
    """
    found = {}
    for tag, canonical in decisions.canonical.items():
        top = canonical
        while decisions.parents.get(top):
            top = decisions.parents[top][0]
        if top != canonical:
            found[tag] = (top,)
    return found


def href(path: str) -> str:
    """A relative path as a link that no browser takes for another host or a script.

    >>> href("a:b c.csv"), href("//example.org/x")
    ('./a%3Ab%20c.csv', './example.org/x')
    """
    return "./" + urllib.parse.quote(path.replace("\\", "/").lstrip("/"))


def _systems(decisions: Decisions) -> list[str]:
    """Numbers of tags by catalogue, in words."""
    vocabulary = decisions.vocabulary
    return [
        f"{vocabulary.system.count(system):,} in {system or 'the one without prefix'}"
        for system in vocabulary.systems
    ]
