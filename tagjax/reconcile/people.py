"""What people decided, in files that only people write.

`positive.sssom.tsv`, `negative.sssom.tsv` and `unsure.sssom.tsv` lie beside the machine's
`predictions.sssom.tsv`, as in a project of sssom-curator
(https://github.com/cthoyt/sssom-curator), whose editor moves rows from the one to the others. They
are created once, without rows, and never written again. What they say of a pair of tags holds
whatever the evidence says later.
"""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, write_json
from tagjax.reconcile.choices import Choices, read_choices
from tagjax.reconcile.decisions import MACHINE, Match, Reason
from tagjax.reconcile.skos import BASE, PREDICATES
from tagjax.reconcile.sssom import (
    NO_TERM,
    NOT,
    MappingFile,
    MappingRow,
    read_mappings,
    write_mappings,
)
from tagjax.vocabulary.vocabulary import Vocabulary

VERDICTS = ("positive", "negative", "unsure")
"""What people say of a match; each has a file of its own."""

SOMEBODY = "a person"
"""Who decided, if the file does not tell."""

INVERSE = {"broad": "narrow", "narrow": "broad"}
"""What a relation is from the other side; others are the same from there."""

_STATES = {"positive": ("accepted", 1.0), "negative": ("rejected", 0.0), "unsure": ("unsure", 0.5)}
_RELATIONS = {predicate: relation for relation, predicate in PREDICATES.items()}
_WHO = ("author_label", "reviewer_label", "creator_label", "author_id", "reviewer_id", "creator_id")


@dataclasses.dataclass(frozen=True)
class Said:
    """What a person said of two tags.

    Attributes:
      source: a tag.
      target: another; None says that the source has no counterpart.
      relation: one of `decisions.RELATIONS`: what the target is to the source.
      verdict: one of `VERDICTS`.
      by: who said it.
      place: `file:line`, for messages.
    """

    source: str
    target: str | None
    relation: str
    verdict: str
    by: str
    place: str

    def of(self, first: str) -> str:
        """The relation as seen from one of the tags."""
        return self.relation if first == self.source else INVERSE.get(self.relation, self.relation)

    def match(self) -> Match:
        """What was said, as a match."""
        state, confidence = _STATES[self.verdict]
        by = self.by if self.by != MACHINE else SOMEBODY
        reasons = (Reason("person", self.verdict),)
        return Match(self.source, self.target, self.relation, confidence, state, reasons, by)


@dataclasses.dataclass(frozen=True)
class People:
    """What people decided.

    Attributes:
      said: on tags of the vocabulary, in the order of the files.
      notes: what a reader has to know, a sentence each.
      choices: what they chose for single tags.
    """

    said: tuple[Said, ...] = ()
    notes: tuple[str, ...] = ()
    choices: Choices = Choices()

    def on_pairs(self) -> dict[frozenset[str], Said]:
        """{two tags: what holds for them}; a yes counts before a no, and a no before a doubt."""
        order = sorted(self.said, key=lambda said: -VERDICTS.index(said.verdict))
        return {
            frozenset((said.source, said.target)): said for said in order if said.target is not None
        }

    def without_counterpart(self) -> dict[str, Said]:
        """{tag that has no counterpart: what was said}."""
        return {
            said.source: said
            for said in self.said
            if said.target is None and said.verdict == "positive"
        }


def path_of(folder: PathLike, verdict: str) -> pathlib.Path:
    """The file of a verdict in a folder."""
    return pathlib.Path(folder) / f"{verdict}.sssom.tsv"


def create_files(folder: PathLike, vocabulary: Vocabulary) -> list[pathlib.Path]:
    """Creates the files of people that are missing, and the project file of sssom-curator.

    Returns:
      The paths of what was created; what was there is not touched.

    >>> [path.name for path in create_files("reconciled", Vocabulary.of(["dub"]))]
    ['positive.sssom.tsv', 'negative.sssom.tsv', 'unsure.sssom.tsv', 'sssom-curator.json']
    >>> create_files("reconciled", Vocabulary.of(["dub"]))
    []
    """
    created = []
    for verdict in VERDICTS:
        path = path_of(folder, verdict)
        if not path.exists():
            write_mappings(path, (), vocabulary, verdict)
            created.append(path)
    path = pathlib.Path(folder) / "sssom-curator.json"
    if not path.exists():
        write_json(path, _project())
        created.append(path)
    return created


def _project() -> dict:
    """What sssom-curator wants to know of the folder."""
    files = {"predictions": "predictions", "positives": "positive", "negatives": "negative"}
    files |= {"unsure": "unsure"}
    return {
        **{f"{name}_path": f"{file}.sssom.tsv" for name, file in files.items()},
        "mapping_set": {
            "mapping_set_id": f"{BASE}mappings",
            "mapping_set_title": "Music genre tags",
        },
        "purl_base": BASE,
    }  # fmt: skip


def read_people(folder: PathLike, vocabulary: Vocabulary) -> People:
    """Reads the files of people that a folder has.

    Decisions on tags that are not in the vocabulary stay in the files; a note names them.

    Raises:
      InputError: as `read_mappings`; an unknown predicate, an empty id, `Not` among the positives,
        a tag with itself, or two rows that contradict each other; or as `read_choices`.

    >>> read_people("nowhere", Vocabulary.of(["dub"])).said
    ()
    """
    said = list[Said]()
    for verdict in VERDICTS:
        if path_of(folder, verdict).exists():
            file = read_mappings(path_of(folder, verdict))
            said += [said_of(file, row, verdict, vocabulary) for row in file.rows]
    return people_of(said, vocabulary, read_choices(folder, vocabulary))


def people_of(said: Sequence[Said], vocabulary: Vocabulary, choices: Choices) -> People:
    """What people decided, of the rows of their files.

    Raises:
      InputError: two rows contradict each other.
    """
    known, notes = list[Said](), list[str]()
    for each in said:
        if gone := _gone(each, vocabulary):
            notes.append(
                f"{each.place}: {gone!r} is no tag any more; the row stays, but does nothing."
            )
        else:
            known.append(each)
    _check_pairs(known)
    _check_alone(known, vocabulary)
    _check_doubts(known, notes)
    return People(tuple(dict.fromkeys(known)), (*notes, *choices.notes), choices)


def said_of(file: MappingFile, row: MappingRow, verdict: str, vocabulary: Vocabulary) -> Said:
    """What a row of a verdict's file says.

    Raises:
      InputError: as `read_people`.
    """
    predicate = row.cell("predicate_id")
    relation = _RELATIONS.get(predicate)
    if relation is None:
        raise InputError(
            f"{row.place}: predicate_id={predicate!r} is unknown; one of {', '.join(_RELATIONS)}"
        )
    negated = row.cell("predicate_modifier").lower() == NOT.lower()
    if negated and verdict == "positive":
        raise InputError(
            f"{row.place}: predicate_modifier={NOT} has no place in this file; move the row to "
            f"{path_of('', 'negative')}, or empty its predicate_modifier"
        )
    if row.cell("confidence") and not _is_share(row.cell("confidence")):
        raise InputError(
            f"{row.place}: confidence={row.cell('confidence')!r} is no number from 0 to 1; correct "
            "it, or leave it empty"
        )
    source = file.tag(row, "subject", vocabulary)
    target = None
    if row.cell("object_id") == NO_TERM:
        relation = "none"
    else:
        target = file.tag(row, "object", vocabulary)
    if source == target:
        raise InputError(f"{row.place}: {source!r} is paired with itself; drop the row")
    who = next((row.cell(column) for column in _WHO if row.cell(column)), SOMEBODY)
    return Said(source, target, relation, verdict, who, row.place)


def _is_share(cell: str) -> bool:
    try:
        return 0 <= float(cell) <= 1
    except ValueError:
        return False


def _gone(said: Said, vocabulary: Vocabulary) -> str:
    """A tag that is not in the vocabulary; "" if both are."""
    tags = (said.source, said.target)
    return next((tag for tag in tags if tag is not None and tag not in vocabulary.index), "")


def _check_pairs(known: Sequence[Said]) -> None:
    """Refuses two relations of one pair, and the same relation as right and as wrong."""
    right: dict[tuple[str, str | None], tuple[str, Said]] = {}
    for source, target, relation, said in _both_ways(known, "positive"):
        theirs, other = right.setdefault((source, target), (relation, said))
        if theirs != relation:
            raise InputError(
                f"{said.place}: {target} is {relation} to {source} here, but {theirs} in "
                f"{other.place}; drop one of the rows"
            )
    for source, target, relation, said in _both_ways(known, "negative"):
        found = right.get((source, target))
        if found and found[0] == relation:
            raise InputError(
                f"{said.place}: says that {target} is not {relation} to {source}, but "
                f"{found[1].place} says it is; drop one of the rows"
            )


def _check_alone(known: Sequence[Said], vocabulary: Vocabulary) -> None:
    """Refuses a tag without counterpart that has one."""
    alone = {said.source: said for said in known if said.target is None}
    for source, target, relation, said in _both_ways(known, "positive") if alone else ():
        other = alone.get(source)
        if target is None or other is None or other.verdict != "positive":
            continue
        apart = vocabulary.system_of(source) != vocabulary.system_of(target)
        if apart and relation in ("exact", "close"):
            raise InputError(
                f"{said.place}: {source} is {relation} to {target} here, but has no counterpart by "
                f"{other.place}; drop one of the rows"
            )


def _check_doubts(known: Sequence[Said], notes: list[str]) -> None:
    """Notes doubts about pairs that were decided."""
    decided: Mapping[frozenset[str | None], Said] = {
        frozenset((said.source, said.target)): said for said in known if said.verdict != "unsure"
    }
    for said in known:
        other = decided.get(frozenset((said.source, said.target)))
        if said.verdict == "unsure" and other:
            notes.append(f"{said.place}: a doubt that {other.place} has settled; it does nothing.")


def _both_ways(known: Sequence[Said], verdict: str) -> Iterator[tuple[str, str | None, str, Said]]:
    """(source, target, relation, what was said) with a verdict, from either side."""
    for said in known:
        if said.verdict == verdict:
            yield said.source, said.target, said.relation, said
            if said.target is not None:
                yield said.target, said.source, said.of(said.target), said
