"""Decisions as files, and as lines for a terminal."""

import collections
import pathlib
from collections.abc import Iterator

from tagjax.base.files import PathLike
from tagjax.base.tables import write_table
from tagjax.reconcile.apply import SENSES, sense_rows
from tagjax.reconcile.decisions import MACHINE, STATES, Decisions, Match
from tagjax.reconcile.people import create_files
from tagjax.reconcile.sssom import write_mappings

VOCABULARY = (
    "tag", "canonical", "relation", "counterpart", "confidence", "state", "parents", "tracks",
    "artists", "why", "decided_by", "blocked",
)  # fmt: skip
"""Columns of vocabulary.csv. `canonical` is the name by which a tag goes, perhaps a new one that a
person gave; so are the `parents`. `relation` is what the counterpart is to the tag: the tag it was
merged into, or else its likeliest counterpart in another system; there is a row for each other
system."""

BLOCKED = ("tag", "why", "tracks", "artists")
"""Columns of blocked.csv."""

_SHOWN = 3


def write_decisions(
    folder: PathLike, decisions: Decisions, version: str = ""
) -> list[pathlib.Path]:
    """Writes the machine's files, each atomically, and creates those of people if absent.

    `predictions.sssom.tsv` leaves out what people decided; see `people`.

    Args:
      folder: made if absent.
      decisions: to be written.
      version: of tagjax.

    Returns:
      Paths of the files that were written.

    >>> from tagjax import Catalogue
    >>> from tagjax.reconcile.decide import decide
    >>> from tagjax.reconcile.facts import gather_facts
    >>> found = decide(gather_facts([Catalogue("", ("t",), ("r",), ("",), (("Dub",),))]))
    >>> [path.name for path in write_decisions("reconciliation", found)][:2]
    ['predictions.sssom.tsv', 'vocabulary.csv']
    """
    folder = pathlib.Path(folder)
    machine = [match for match in decisions.matches if match.by == MACHINE]
    predictions = folder / "predictions.sssom.tsv"
    write_mappings(predictions, machine, decisions.vocabulary, version=version)
    tables = {
        "vocabulary.csv": (VOCABULARY, vocabulary_rows(decisions)),
        "senses.csv": (SENSES, sense_rows(decisions)),
        "blocked.csv": (BLOCKED, _blocked_rows(decisions)),
    }
    for name, (columns, rows) in tables.items():
        write_table(folder / name, columns, rows)  # As they are: `launch.apply` reads them.
    created = create_files(folder, decisions.vocabulary)
    return [predictions, *(folder / name for name in tables), *created]


def vocabulary_rows(decisions: Decisions) -> Iterator[tuple]:
    """The rows of vocabulary.csv, with its columns `VOCABULARY`."""
    by_source: dict[str, list[Match]] = collections.defaultdict(list)
    for match in decisions.matches:
        by_source[match.source].append(match)
    for tag in decisions.vocabulary.tags:
        canonical, why_not = decisions.canonical[tag], decisions.blocked.get(tag, "")
        own = (
            " | ".join(map(decisions.name_of, decisions.parents.get(canonical, ()))),
            decisions.tracks.get(tag, ""),
            decisions.artists.get(tag, ""),
        )
        worth = _worth_a_row(decisions, tag, canonical, by_source[tag])
        for said in map(_cells, worth) if worth else [("",) * 6]:
            yield tag, decisions.name_of(tag), *said[:4], *own, *said[4:], why_not


def _cells(match: Match) -> tuple[str, ...]:
    confidence = f"{match.confidence:.3f}"
    relation = (match.relation, match.target or "", confidence, match.state)
    return (*relation, why(match), match.by)


def _worth_a_row(
    decisions: Decisions, tag: str, canonical: str, matches: list[Match]
) -> list[Match]:
    """The match by which a tag was merged, or its surest ones in each other system.

    A duplicate that a person has to look at counts too, if there is nothing else.
    """
    if canonical != tag:
        merged = [match for match in decisions.matches if {tag} < {match.source, match.target}]
        group = [other for other, its in decisions.canonical.items() if its == canonical]
        return [m for m in merged if {m.source, m.target} <= {*group} and m.state == "accepted"][:1]
    system_of = decisions.vocabulary.system_of
    found: dict[str | None, Match] = {}
    matches = [match for match in matches if match.state != "rejected"]
    for match in matches:  # The accepted ones are first, and the surest of each state.
        target = match.target
        if target is None or system_of(target) != system_of(tag):
            found.setdefault(target and system_of(target), match)
    none = found.pop(None, None)
    if none is not None and none.state == "accepted":
        return [none]
    alike = [m for m in matches if m.relation == "exact" and m.state in STATES[:2]]
    return [*found.values()] or alike[:1] or ([] if none is None else [none])


def why(match: Match) -> str:
    """What speaks for a match, as a reader sees it.

    >>> from tagjax.reconcile.decisions import Reason
    >>> why(Match("a", "b", "exact", 0.9, "accepted", (Reason("sound", "cosine of fr", 0.87),)))
    'sound: cosine of fr .87'
    """
    said = []
    for reason in match.reasons:
        value = "" if reason.value is None else f" {reason.value:.2f}".replace(" 0.", " .")
        said.append(f"{reason.source}: {reason.measure}{value}")
    return "; ".join([*([match.note] if match.note else []), *said])


def _blocked_rows(decisions: Decisions) -> Iterator[tuple]:
    for tag, reason in decisions.blocked.items():
        for name in dict.fromkeys((tag, decisions.called.get(tag, tag))):
            yield name, reason, decisions.tracks.get(tag, ""), decisions.artists.get(tag, "")


def lines(decisions: Decisions) -> list[str]:
    """Some ten lines that a person can act on.

    >>> from tagjax import Catalogue
    >>> from tagjax.reconcile.decide import decide
    >>> from tagjax.reconcile.facts import gather_facts
    >>> names, tags = ("t", "u"), (("Dub",), ("dub", "1999"))
    >>> for line in lines(decide(gather_facts([Catalogue("", names, names, names, tags)]))):
    ...     print(line)
    3 tags.
    1 merged: dub into Dub.
    0 below another.
    1 no genre, proposed to be dropped: 1999 (a year).
    0 to be reviewed.
    """
    tags, matches = decisions.vocabulary.tags, decisions.matches
    systems = decisions.vocabulary.systems
    merged = [f"{tag} into {its}" for tag, its in decisions.canonical.items() if tag != its]
    nested = [
        f"{tag} below {' and '.join(its[:2])}" for tag, its in decisions.parents.items() if its
    ]
    found = [f"{len(tags)} tags{f' in {len(systems)} catalogues' * (len(systems) > 1)}."]
    found.append(_line(len(merged), "merged", merged))
    found.append(_line(len(nested), "below another", nested))
    if len(systems) > 1:
        found += _across(decisions)
    untold = [m.source for m in matches if m.state == "candidate" and m.note and m.target is None]
    divided = [f"{s.tag} ({s.nearest[0]}, {s.nearest[1]})" for s in decisions.senses]
    blocked = [f"{tag} ({reason})" for tag, reason in decisions.blocked.items()]
    review = _pairs(decisions, ("review",))
    people = {match.source for match in matches if match.by != MACHINE}
    found += [_line(len(divided), "perhaps of two senses", divided)] * bool(divided)
    found += [_line(len(untold), "cannot be told", untold)] * bool(untold)
    found += [_line(len(blocked), "no genre, proposed to be dropped", blocked)] * bool(blocked)
    found.append(_line(len(review), "to be reviewed", review))
    found += [f"{len(people)} decided by people."] * bool(people)
    called = [f"{tag} is called {name}" for tag, name in decisions.called.items()]
    found += [_line(len(called), "renamed by people", called)] * bool(called)
    return [*found, *(f"Note: {note}" for note in decisions.notes)]


def _across(decisions: Decisions) -> list[str]:
    """How many tags have a counterpart in another system, and how many have none."""
    system_of = decisions.vocabulary.system_of
    accepted = [
        match
        for match in decisions.matches
        if match.state == "accepted"
        and match.target is not None
        and match.relation in ("exact", "close")
        and system_of(match.source) != system_of(match.target)
    ]
    same = {tag for match in accepted for tag in (match.source, match.target)}
    left = [tag for tag in decisions.vocabulary.tags if tag not in same]
    pairs = list(dict.fromkeys(" = ".join(sorted((m.source, str(m.target)))) for m in accepted))
    return [
        _line(len(same), "with the same tag in another catalogue", pairs),
        _line(len(left), "without a sure counterpart", left),
    ]


def _pairs(decisions: Decisions, states: tuple[str, ...]) -> list[str]:
    """Pairs of tags in some states, each once, the surest first."""
    found: dict[frozenset[str | None], str] = {}
    for match in decisions.matches:
        if match.state in states and match.target is not None:
            key = frozenset((match.source, match.target))
            relation = "" if match.relation == "exact" else f", {match.relation}"
            shown = f"{match.source} - {match.target} ({match.confidence:.2f}{relation})"
            found.setdefault(key, shown)
    return [*found.values()]


def _line(count: int, what: str, examples: list[str]) -> str:
    """`3 merged: a into b, c into d, ...`."""
    shown = ", ".join(examples[:_SHOWN]) + ", ..." * (len(examples) > _SHOWN)
    return f"{count} {what}{f': {shown}' if shown else ''}."
