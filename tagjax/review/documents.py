"""The files of people as rows that are added and taken away; every other byte stays.

Order, unknown columns, comments, line ends and a byte-order mark are kept.
"""

import copy
import csv
import hashlib
import io
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import quote

from tagjax.base.errors import InputError
from tagjax.base.tables import Table, read_table
from tagjax.base.text import clean
from tagjax.reconcile.choices import COLUMNS as CHOICES
from tagjax.reconcile.decisions import MACHINE
from tagjax.reconcile.people import Said, said_of
from tagjax.reconcile.skos import BASE, PREDICATES, scheme_uri
from tagjax.reconcile.sssom import (
    COLUMNS,
    NO_TERM,
    NOT,
    MappingFile,
    MappingRow,
    prefixes,
    read_mappings,
)
from tagjax.vocabulary.vocabulary import Vocabulary

Key = tuple[str, str]
"""Two tags in order; the second is "" if a tag has no counterpart."""

Stamp = tuple[int, int, int] | None
"""What changes when a file does; None if there is none."""

_CONFIDENCE = {"positive": "1.0", "negative": "1.0", "unsure": "0.5"}
_COMMENT = {"positive": "accepted", "negative": "rejected", "unsure": "unsure"}


class ChangedError(Exception):
    """What was to be undone was changed by somebody else."""


def key_of(source: str, target: str | None) -> Key:
    """The same for both directions of a pair.

    >>> key_of("b", "a"), key_of("b", None)
    (('a', 'b'), ('b', ''))
    """
    if not target:
        return source, ""
    return (source, target) if source < target else (target, source)


@dataclass(frozen=True)
class Verdict:
    """A decision to be written.

    Attributes:
      source: a tag.
      target: another; None for "no counterpart".
      relation: one of `decisions.RELATIONS`.
      verdict: one of `people.VERDICTS`.
    """

    source: str
    target: str | None
    relation: str
    verdict: str

    def replaces(self, said: Said) -> bool:
        """Whether something said before does not hold beside this decision."""
        if said.source not in (self.source, self.target):
            return False
        if key_of(said.source, said.target) != key_of(self.source, self.target):
            return False
        if "unsure" in (self.verdict, said.verdict):
            return True
        same = said.of(self.source) == self.relation
        return same or self.verdict == said.verdict == "positive"

    def replaces_row(self, row: "Row") -> bool:
        """Whether what a row says does not hold beside this decision."""
        return row.said is not None and self.replaces(row.said)


@dataclass(frozen=True)
class Row:
    """Lines of a file that belong together, with their end; `cells` below the header only."""

    text: str
    cells: tuple[str, ...] = ()
    said: Said | None = None

    @property
    def lines(self) -> int:
        """Number of its lines."""
        return sum(1 for _ in io.StringIO(self.text, newline=""))


def stamp_of(path: pathlib.Path) -> Stamp:
    """The stamp of a file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def checksum(content: bytes) -> str:
    """What tells contents apart."""
    return hashlib.sha256(content).hexdigest()


class Document:
    """A file as rows.

    Attributes:
      path: of the file.
      stamp: when it was read.
      before: its bytes then; None if there was none.
      head: the lines down to the names of the columns.
      columns: these names.
      body: the rows below.
    """

    def __init__(self, path: pathlib.Path, delimiter: str, comment: str = ""):
        self.path, self._delimiter = path, delimiter
        self.stamp = stamp_of(path)
        try:
            self.before = None if self.stamp is None else path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None
        text = (self.before or b"").decode()
        self._mark = "\ufeff" if text.startswith("\ufeff") else ""
        self.head, self.columns, self.body = list[str](), list[str](), list[Row]()
        self._end = "\r\n" if "\r\n" in text else "\n"
        self._parse(text.removeprefix(self._mark), comment)
        self._first, self._places = self, [*range(len(self.body))]

    def _parse(self, text: str, comment: str) -> None:
        lines = [*io.StringIO(text, newline="")]
        plain = ("\n" if comment and line.startswith(comment) else line for line in lines)
        reader, before = csv.reader(plain, strict=True, delimiter=self._delimiter), 0
        for cells in reader:
            own = lines[before : reader.line_num]
            if self.columns:
                self.body.append(Row("".join(own), tuple(cells)))
            else:
                self.columns = cells
                self.head += own
            before = reader.line_num

    def edited(self) -> Self:
        """A copy that may be changed."""
        other = copy.copy(self)
        other.head, other.body = [*self.head], [*self.body]
        other._first, other._places = self, [*range(len(self.body))]
        return other

    def settled(self) -> Self:
        """This document, once it is on disk."""
        self.before, self._first = self.content(), self
        self._places = [*range(len(self.body))]
        return self

    def is_changed(self) -> bool:
        """Whether it was edited."""
        return self.content() != (self.before or b"")

    def content(self) -> bytes:
        """The file as it shall be."""
        return "".join((self._mark, *self.head, *(row.text for row in self.body))).encode()

    def take(self, is_gone: Callable[[Row], bool]) -> list[Row]:
        """Takes away some rows with cells."""
        gone = [bool(row.cells) and is_gone(row) for row in self.body]
        taken = [row for row, its in zip(self.body, gone, strict=True) if its]
        if taken:
            self._places = [k for k, its in zip(self._places, gone, strict=True) if not its]
            self.body = [row for row, its in zip(self.body, gone, strict=True) if not its]
        return taken

    def put(self, cells: Mapping[str, str]) -> None:
        """Adds a row at the end."""
        if self.body and not self.body[-1].text.endswith(("\n", "\r")):
            self.body[-1] = replace(self.body[-1], text=self.body[-1].text + self._end)
        elif not self.body and not self.head[-1].endswith(("\n", "\r")):
            self.head[-1] += self._end
        buffer = io.StringIO(newline="")
        writer = csv.writer(buffer, delimiter=self._delimiter, lineterminator=self._end)
        writer.writerow([cells.get(name, "") for name in self.columns])
        text = buffer.getvalue()
        (read,) = csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter)
        self.body.append(self._row(text, read))
        self._places.append(-1)

    def _row(self, text: str, cells: Sequence[str]) -> Row:
        return Row(text, tuple(cells))

    def step(self) -> dict[str, Any]:
        """What was done, as JSON takes it; `take_back` undoes it."""
        old, kept = self._first.body, {*self._places}
        heads = ["".join(self._first.head), "".join(self.head)]
        last = len(old) - 1
        ended = last >= 0 and last in kept
        return {
            "file": self.path.name,
            "before": checksum(self.before or b""),
            "after": checksum(self.content()),
            "head": heads if heads[0] != heads[1] else None,
            "ended": ended and self.body[self._places.index(last)].text != old[last].text,
            "removed": [[k, row.text] for k, row in enumerate(old) if k not in kept],
            "added": [row.text for row, k in zip(self.body, self._places, strict=True) if k < 0],
        }

    def take_back(self, step: Mapping[str, Any]) -> None:
        """Undoes a step, if it is there to be undone; what others wrote meanwhile stays.

        Raises:
          ChangedError: its rows are not as the step left them.
        """
        now = checksum(self.before or b"")
        if now == step["before"]:
            return
        texts = [row.text for row in self.body]
        if now == step["after"]:
            del texts[len(texts) - len(step["added"]) :]
            if step["ended"]:
                texts[-1] = texts[-1].removesuffix(self._end)
            for place, text in step["removed"]:
                texts.insert(place, text)
            if step["head"]:
                self.head = [step["head"][0]]
        else:
            texts = self._without(step, texts)
        self.body = [Row(text) for text in texts]

    def _without(self, step: Mapping[str, Any], texts: list[str]) -> list[str]:
        """The rows of a file that others edited too, without a step."""
        plain = [text.rstrip("\r\n") for text in texts]
        removed = [text.rstrip("\r\n") for _, text in step["removed"]]
        for text in step["added"]:
            if text.rstrip("\r\n") not in plain:
                raise ChangedError(f"{self.path} was edited meanwhile; undo it there")
            place = len(plain) - 1 - plain[::-1].index(text.rstrip("\r\n"))
            del plain[place], texts[place]
        if {*removed} & {*plain}:
            raise ChangedError(f"{self.path} was edited meanwhile; undo it there")
        if removed and texts and not texts[-1].endswith(("\n", "\r")):
            texts[-1] += self._end
        return [*texts, *(text + self._end for text in removed)]


class Mappings(Document):
    """A file of one verdict, in SSSOM."""

    def __init__(self, path: pathlib.Path, verdict: str, vocabulary: Vocabulary):
        """Reads it.

        Raises:
          InputError: as `read_people`.
        """
        self.verdict, self._vocabulary = verdict, vocabulary
        file = read_mappings(path)
        self._prefixes, self._filled = dict(file.prefixes), file.filled
        super().__init__(path, "\t", "#")
        known = {row.place: said_of(file, row, verdict, vocabulary) for row in file.rows}
        self.body = [
            replace(row, said=known.get(f"{path}:{line}")) if row.cells else row
            for row, line in self._numbered()
        ]

    @property
    def said(self) -> list[Said]:
        """What its rows say."""
        return [row.said for row in self.body if row.said]

    def edited(self) -> Self:
        """A copy that may be changed."""
        other = super().edited()
        other._prefixes = dict(self._prefixes)
        return other

    def add(self, verdict: Verdict, by: str, alike: Mapping[str, str]) -> None:
        """Adds a decision as a row, or one for each other tag system.

        Args:
          verdict: the decision.
          by: who decided.
          alike: cells of the row before, whose unknown columns are kept.
        """
        if not any(row.cells for row in self.body):
            self._widen()
        for cells in self._cells(verdict, by):
            self.put({**alike, **cells})

    def placed(self) -> "Mappings":
        """The same, with the lines where rows stand now."""
        for k, (row, line) in enumerate(self._numbered()):
            place = f"{self.path}:{line}"
            if row.said and row.said.place != place:
                self.body[k] = replace(row, said=replace(row.said, place=place))
        return self

    def _numbered(self) -> Iterator[tuple[Row, int]]:
        """Rows, and on which line each begins."""
        line = 1 + len(self.head)
        for row in self.body:
            yield row, line
            line += row.lines

    def _row(self, text: str, cells: Sequence[str]) -> Row:
        named = {**self._filled, **dict(zip(self.columns, cells, strict=True))}
        row = MappingRow(named, f"{self.path}: this decision")
        file = MappingFile(self._prefixes, ())
        return Row(text, tuple(cells), said_of(file, row, self.verdict, self._vocabulary))

    def _widen(self) -> None:
        """Gives a file without rows all columns that a row needs."""
        wanted = [name for name in COLUMNS if not name.startswith(("mapping_tool", "similarity"))]
        wanted = [name for name in wanted if not name.endswith("_preprocessing")]
        self.columns = [*wanted, *(name for name in self.columns if name not in wanted)]
        self.head[-1] = "\t".join(self.columns) + self._end

    def _cells(self, verdict: Verdict, by: str) -> Iterator[dict[str, str]]:
        system_of = self._vocabulary.system_of
        cells = {
            "subject_id": self._curie(verdict.source),
            "subject_label": verdict.source,
            "subject_source": self._scheme(system_of(verdict.source)),
            "predicate_id": PREDICATES.get(verdict.relation, PREDICATES["exact"]),
            "predicate_modifier": NOT if verdict.verdict == "negative" else "",
            "mapping_justification": "semapv:ManualMappingCuration",
            "author_label": by,
            "confidence": _CONFIDENCE[verdict.verdict],
            "comment": _COMMENT[verdict.verdict],
        }
        if verdict.target is not None:
            yield cells | {
                "object_id": self._curie(verdict.target),
                "object_label": verdict.target,
                "object_source": self._scheme(system_of(verdict.target)),
            }
            return
        others = [s for s in self._vocabulary.systems if s != system_of(verdict.source)]
        for other in others or [system_of(verdict.source)]:
            yield cells | {"object_id": NO_TERM, "object_source": self._scheme(other)}

    def _curie(self, tag: str) -> str:
        system = self._vocabulary.system_of(tag)
        name = prefixes(self._vocabulary)[system][0]
        prefix = self._prefix(name, scheme_uri(system, BASE) + "/")
        return f"{prefix}:{quote(tag[len(system) :], safe='')}"

    def _scheme(self, system: str) -> str:
        return f"{self._prefix(MACHINE, BASE)}:{scheme_uri(system, '')}"

    def _prefix(self, name: str, uri: str) -> str:
        """The prefix of a URI in this file; declared at its head if it is new."""
        for known, its in self._prefixes.items():
            if its == uri:
                return known
        taken = {known.lower() for known in self._prefixes}
        while name.lower() in taken:
            name += "_"
        self._prefixes[name] = uri
        head = self.head
        if not any(line.strip() == "#curie_map:" for line in head):
            head.insert(0, f"#curie_map:{self._end}")
        place = 1 + next(k for k, line in enumerate(head) if line.strip() == "#curie_map:")
        declared = f"#  {name}: {uri}{self._end}"
        while head[place].startswith("#  ") and head[place] < declared:
            place += 1
        head.insert(place, declared)
        return name


class Chosen(Document):
    """`tags.csv`; it need not be there."""

    def __init__(self, path: pathlib.Path):
        """Reads it.

        Raises:
          InputError: as `read_table`.
        """
        if path.exists():
            read_table(path, CHOICES)
        super().__init__(path, ",")

    def table(self) -> Table:
        """The rows, as `choices_of` wants them."""
        rows = [row for row in self.body if row.cells]
        begins = itertools.accumulate((row.lines for row in self.body), initial=1 + len(self.head))
        lines = [line for row, line in zip(self.body, begins, strict=False) if row.cells]
        columns = self.columns or CHOICES
        cells = {name: [row.cells[k] for row in rows] for k, name in enumerate(columns)}
        return Table(self.path, cells, lines)

    def choose(self, tags: Sequence[str], action: str, value: str) -> None:
        """Writes a choice for the first of some tags; no other of them keeps one of this action."""
        if not self.columns:
            self.columns, self.head = [*CHOICES], [",".join(CHOICES) + self._end]
        place = {name: self.columns.index(name) for name in CHOICES}
        tag, does = place["tag"], place["action"]
        self.take(lambda row: clean(row.cells[does]) == action and clean(row.cells[tag]) in tags)
        self.put({"tag": tags[0], "action": action, "value": value})
