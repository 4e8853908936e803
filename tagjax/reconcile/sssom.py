"""Matches in SSSOM/TSV, a format for mappings between vocabularies.

A file is a header of YAML behind `#`, then a table with tabs. It is written in the canonical form
of https://mapping-commons.github.io/sssom/spec-formats-tsv/: a row for each match and
justification, so that a match which several sources support has several rows.
"""

import csv
import dataclasses
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, unquote

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, write_text
from tagjax.base.tables import lines, open_rows
from tagjax.base.text import clean
from tagjax.reconcile import names
from tagjax.reconcile.decisions import MACHINE, Match, Reason
from tagjax.reconcile.skos import BASE, PREDICATES, scheme_uri
from tagjax.vocabulary.vocabulary import Vocabulary

NO_TERM = "sssom:NoTermFound"
"""The object of a tag that has no counterpart."""

NOT = "Not"
"""The predicate modifier of a match that is rejected."""

COLUMNS = (
    "subject_id", "subject_label", "predicate_id", "predicate_modifier", "object_id",
    "object_label", "mapping_justification", "author_label", "subject_source", "object_source",
    "mapping_tool", "mapping_tool_version", "confidence", "subject_preprocessing",
    "object_preprocessing", "similarity_score", "similarity_measure", "comment",
)  # fmt: skip
"""Slots that are written, in the order of the standard; columns without a value are left out."""

_ALWAYS = ("subject_id", "predicate_id", "object_id", "mapping_justification", "confidence")
_CONDENSED = ("subject_source", "object_source", "mapping_tool", "mapping_tool_version")
"""Slots that stand in the header if they are the same in all rows."""
_LICENSE = "https://w3id.org/sssom/license/unspecified"
_SCHEMES = "tagjax"
"""The prefix of tag systems themselves."""
_JUSTIFICATIONS = {
    "joint": "semapv:CompositeMatching",
    "sound": "semapv:InstanceBasedMatching",
    "together": "semapv:InstanceBasedMatching",
    "spelling": "semapv:LexicalMatching",
    "person": "semapv:ManualMappingCuration",
}
_PREPROCESSING = {
    "case": "semapv:CaseNormalization",
    "punctuation": "semapv:PunctuationElemination",  # Its name is spelt so.
    "plural": "semapv:Stemming",
}
_TAKEN = {"owl", "rdf", "rdfs", "semapv", "skos", "sssom", "xsd", "linkml", _SCHEMES}
"""Prefixes that mean something else."""
_ENTRY = re.compile(r"(\s*)([^\s:#'\"]+|'[^']*'|\"[^\"]*\"):(?:\s+(.*))?")


def prefixes(vocabulary: Vocabulary, base: str = BASE) -> dict[str, tuple[str, str]]:
    """{tag system: (prefix of CURIEs, what the prefix stands for)}.

    >>> prefixes(Vocabulary.of(["a:dub", "dub"], ["a:", ""]))["a:"]
    ('a', 'https://tagjax.invalid/a/')
    """
    found: dict[str, tuple[str, str]] = {}
    taken = set(_TAKEN)
    for system in vocabulary.systems:
        name = re.sub(r"[^A-Za-z0-9_]+", "_", system.rstrip(":")).strip("_") or "tags"
        name = name if name[0].isalpha() else f"tags_{name}"
        choices = [name, *(f"{name}_{number}" for number in range(2, len(taken) + 2))]
        prefix = next(choice for choice in choices if choice.lower() not in taken)
        taken.add(prefix.lower())
        found[system] = (prefix, scheme_uri(system, base) + "/")
    return found


def write_mappings(
    path: PathLike,
    matches: Iterable[Match],
    vocabulary: Vocabulary,
    title: str = "predictions",
    version: str = "",
    base: str = BASE,
) -> None:
    """Writes an SSSOM file, atomically.

    A match is a row for each of its reasons; one without reasons is a row too. A tag without a
    counterpart is a row for each other tag system, but only if it is `accepted`: that it is not
    known is no reason to say that there is none.

    Args:
      path: usually `predictions.sssom.tsv`.
      matches: of tags of the vocabulary.
      vocabulary: the whole tags.
      title: of the mapping set.
      version: of tagjax.
      base: what all URIs begin with.

    >>> match = Match("a:R&B", "b:RnB", "exact", 0.9, "accepted", (Reason("joint", "", 0.9),))
    >>> tags = Vocabulary.of(["a:R&B", "b:RnB"], ["a:", "b:"])
    >>> write_mappings("predictions.sssom.tsv", [match], tags)
    >>> read_mappings("predictions.sssom.tsv").rows[0].cells["subject_id"]
    'a:R%26B'

    Reference: https://mapping-commons.github.io/sssom/spec-formats-tsv/
    """
    known = prefixes(vocabulary, base)
    rows = []
    for match in matches:
        for cells in _targets(match, vocabulary, known):
            for reason in match.reasons or (None,):
                rows.append(_row(match, reason, version) | cells)
    write_text(path, _text(rows, dict(known.values()), title, base))


def _targets(
    match: Match, vocabulary: Vocabulary, known: Mapping[str, tuple[str, str]]
) -> Iterable[dict[str, str]]:
    """The cells that name the subject and the object; several if the object is missing."""
    system = vocabulary.system_of(match.source)
    subject = {
        "subject_id": _curie(vocabulary, match.source, known),
        "subject_label": match.source,
        "subject_source": _scheme(system),
    }
    if match.target is not None:
        yield subject | {
            "object_id": _curie(vocabulary, match.target, known),
            "object_label": match.target,
            "object_source": _scheme(vocabulary.system_of(match.target)),
        }
    elif match.state == "accepted":
        for other in vocabulary.systems:
            if other != system:
                yield subject | {"object_id": NO_TERM, "object_source": _scheme(other)}


def _curie(vocabulary: Vocabulary, tag: str, known: Mapping[str, tuple[str, str]]) -> str:
    prefix = known[vocabulary.system_of(tag)][0]
    return f"{prefix}:{quote(names.bare(vocabulary, tag), safe='')}"


def _scheme(system: str) -> str:
    return f"{_SCHEMES}:{scheme_uri(system, '')}"


def _row(match: Match, reason: Reason | None, version: str) -> dict[str, str]:
    """The cells that say what a match is, and why."""
    person = match.by != MACHINE
    source = reason.source if reason else "person" if person else ""
    note = clean(f"{match.state}: {match.note}" if match.note else match.state)
    cells = {
        "predicate_id": PREDICATES.get(match.relation, PREDICATES["exact"]),
        "predicate_modifier": NOT if match.state == "rejected" else "",
        "mapping_justification": _JUSTIFICATIONS.get(source, "semapv:UnspecifiedMatching"),
        "author_label": match.by if person else "",
        "mapping_tool": "" if person else MACHINE,
        "mapping_tool_version": "" if person else version,
        "confidence": _decimal(match.confidence),
        "comment": note,
    }
    if reason and source in ("sound", "together") and reason.value is not None:
        cells["similarity_score"] = _decimal(reason.value)
        cells["similarity_measure"] = reason.measure
    if reason and source == "spelling":
        done = [
            _PREPROCESSING[kind] for kind in reason.measure.split(", ") if kind in _PREPROCESSING
        ]
        cells["subject_preprocessing"] = cells["object_preprocessing"] = "|".join(sorted(done))
        cells["comment"] = f"{note}; spelling: {reason.measure}"
    return cells


def _decimal(value: float) -> str:
    """A share in [0, 1] with three decimals at most."""
    return str(round(min(max(float(value), 0.0), 1.0), 3))


def _text(
    rows: Sequence[Mapping[str, str]], known: Mapping[str, str], title: str, base: str
) -> str:
    """The file: header, names of columns, rows in order."""
    kept = [name for name in COLUMNS if name in _ALWAYS or any(row.get(name) for row in rows)]
    header = {}
    for name in _CONDENSED:
        values = {row.get(name, "") for row in rows}
        if name in kept and len(values) == 1:
            header[name] = values.pop()
            kept.remove(name)
    cells = sorted([row.get(name, "") for name in kept] for row in rows)
    ids = {cell for row in rows for cell in (row["subject_id"], row["object_id"])}
    used = {name.partition(":")[0] for name in ids} & known.keys()
    uris = {prefix: known[prefix] for prefix in used} | ({_SCHEMES: base} if rows else {})
    head = [
        *(["curie_map:"] if uris else []),
        *(f"  {prefix}: {uris[prefix]}" for prefix in sorted(uris)),
        f"mapping_set_id: {base}mappings/{quote(title, safe='')}",
        f"mapping_set_title: {title}",
        f"license: {_LICENSE}",
        *(f"{name}: {value}" for name, value in header.items()),
    ]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter="\t", lineterminator="\n")
    writer.writerows([kept, *cells])
    return "".join(f"#{line}\n" for line in head) + buffer.getvalue()


@dataclasses.dataclass(frozen=True)
class MappingRow:
    """A row of a file.

    Attributes:
      cells: {column: cell}, with what the header says of all rows.
      place: `file:line`, for messages.
    """

    cells: Mapping[str, str]
    place: str

    def cell(self, column: str) -> str:
        """A cell, cleaned; "" if there is none."""
        return clean(self.cells.get(column, ""))


@dataclasses.dataclass(frozen=True)
class MappingFile:
    """What a file holds.

    Attributes:
      prefixes: {prefix of CURIEs: what it stands for}.
      rows: in the order of the file.
      filled: {slot: value} that the header says of all rows.
    """

    prefixes: Mapping[str, str]
    rows: tuple[MappingRow, ...]
    filled: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def tag(self, row: MappingRow, side: str, vocabulary: Vocabulary, base: str = BASE) -> str:
        """The tag that a row names.

        Its id counts if it is one of ours, its label otherwise.

        Args:
          row: of this file.
          side: "subject" or "object".
          vocabulary: the whole tags; a tag that is not among them may come back.
          base: what our URIs begin with.

        Raises:
          InputError: id and label are empty, or name different tags.
        """
        curie, label = row.cell(f"{side}_id"), row.cell(f"{side}_label")
        prefix, _, local = curie.partition(":")
        uri = self.prefixes[prefix] + local if prefix in self.prefixes else curie.strip("<>")
        for system in sorted(vocabulary.systems, key=len, reverse=True):
            start = scheme_uri(system, base) + "/"
            if uri.startswith(start):
                tag = clean(system + unquote(uri[len(start) :]))
                if label and label != tag:
                    raise InputError(
                        f"{row.place}: {side}_id means {tag!r}, but {side}_label is {label!r}; "
                        "correct one of them"
                    )
                return tag
        if not label and not curie:
            raise InputError(f"{row.place}: empty {side}_id; fill it in, or drop the row")
        return label or curie


def read_mappings(path: PathLike) -> MappingFile:
    """Reads an SSSOM file.

    Raises:
      InputError: as `tables.open_rows`; a column is missing or occurs twice.
    """
    known, filled = _header(path)
    found = []
    with open_rows(path, comment="#", delimiter="\t") as rows:
        line, columns = next(rows, (1, []))
        for name in ("subject_id", "predicate_id", "object_id"):
            if name not in columns:
                raise InputError(
                    f"{path}:{line}: column {name!r} is missing; an SSSOM file has tabs between "
                    "columns, and their names above the rows"
                )
        if len({*columns}) < len(columns):
            raise InputError(f"{path}:{line}: a column occurs twice; rename one")
        for begin, row in rows:
            cells = filled | dict(zip(columns, row, strict=True))
            found.append(MappingRow(cells, f"{path}:{begin}"))
    return MappingFile(known, tuple(found), filled)


def _header(path: PathLike) -> tuple[dict[str, str], dict[str, str]]:
    """{prefix: what it stands for}, and {slot: value} of the header of a file."""
    known: dict[str, str] = {}
    filled: dict[str, str] = {}
    inside = -1
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            for line in lines(file, path):
                if not line.startswith("#"):
                    break
                match = _ENTRY.fullmatch(line[1:].rstrip())
                if not match:
                    continue
                depth, key = len(match[1]), match[2].strip("'\"")
                value = (match[3] or "").strip().strip("'\"")
                if inside >= 0 and depth > inside:
                    known[key] = value
                    continue
                inside = depth if key == "curie_map" else -1
                if inside < 0 and value:
                    filled[key] = value
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except UnicodeDecodeError:
        return {}, {}  # `open_rows` says where.
    return known, filled
