"""The files of people, written while others may edit them.

Rows are added and taken away; every other byte of a file stays: order, unknown columns, comments.
Whoever writes holds a lock on the folder. A file that no longer parses is never written.
"""

import contextlib
import csv
import dataclasses
import fcntl
import io
import os
import pathlib
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, atomic_path
from tagjax.reconcile import choices
from tagjax.reconcile.decisions import MACHINE
from tagjax.reconcile.people import (
    SOMEBODY,
    VERDICTS,
    People,
    Said,
    create_files,
    path_of,
    read_people,
)
from tagjax.reconcile.skos import BASE, scheme_uri
from tagjax.reconcile.sssom import COLUMNS, NO_TERM, NOT, PREDICATES, prefixes, read_mappings
from tagjax.vocabulary.vocabulary import Vocabulary

LOCK = ".people.lock"
Key = tuple[str, str]
"""Two tags in order; the second is "" if a tag has no counterpart."""

_CONFIDENCE = {"positive": "1.0", "negative": "1.0", "unsure": "0.5"}
_COMMENT = {"positive": "accepted", "negative": "rejected", "unsure": "unsure"}


def key_of(source: str, target: str | None) -> Key:
    """The same for both directions of a pair.

    >>> key_of("b", "a"), key_of("b", None)
    (('a', 'b'), ('b', ''))
    """
    first, second = sorted((source, target)) if target else (source, "")
    return first, second


class ChangedError(Exception):
    """What was to be undone was changed by somebody else."""


@dataclasses.dataclass(frozen=True)
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
        if key_of(said.source, said.target) != key_of(self.source, self.target):
            return False
        if "unsure" in (self.verdict, said.verdict):
            return True
        same = said.of(self.source) == self.relation
        return same or self.verdict == said.verdict == "positive"


@dataclasses.dataclass(frozen=True)
class Change:
    """What was written, so that it can be undone.

    Attributes:
      keys: the pairs.
      before: {path: bytes}, and
      after: {path: bytes} of the files that changed.
      added: {path: lines that were added}, and
      removed: {path: lines that were taken away}.
    """

    keys: tuple[Key, ...]
    before: Mapping[pathlib.Path, bytes]
    after: Mapping[pathlib.Path, bytes]
    added: Mapping[pathlib.Path, Sequence[str]]
    removed: Mapping[pathlib.Path, Sequence[str]]


@dataclasses.dataclass
class _Row:
    """Lines of a file that belong together; `cells` and `said` of rows below the header only."""

    text: str
    cells: tuple[str, ...] | None = None
    said: Said | None = None


class _Document:
    """A file as rows that can be added and taken away."""

    def __init__(self, path: pathlib.Path, vocabulary: Vocabulary, said: Sequence[Said]):
        self.path = path
        self.before = path.read_bytes()
        text = self.before.decode()
        self._mark = "\ufeff" if text.startswith("\ufeff") else ""
        self._prefixes = dict(read_mappings(path).prefixes)
        self._vocabulary = vocabulary
        self.rows: list[_Row] = []
        self.columns: list[str] = []
        self.added: list[str] = []
        self.removed: list[str] = []
        self._parse(text.removeprefix(self._mark), {each.place: each for each in said})
        self._end = "\r\n" if any(row.text.endswith("\r\n") for row in self.rows) else "\n"

    def _parse(self, text: str, said: Mapping[str, Said]) -> None:
        lines = [*io.StringIO(text, newline="")]
        reader = csv.reader(
            ("\n" if line.startswith("#") else line for line in lines), strict=True, delimiter="\t"
        )
        before = 0
        for cells in reader:
            row = _Row("".join(lines[before : reader.line_num]))
            if cells and not self.columns:
                self.columns, self._header = cells, len(self.rows)
            elif cells:
                row.cells, row.said = tuple(cells), said.get(f"{self.path}:{before + 1}")
            self.rows.append(row)
            before = reader.line_num

    def text(self) -> bytes:
        """The file as it shall be."""
        return (self._mark + "".join(row.text for row in self.rows)).encode()

    def take(self, verdict: Verdict) -> dict[str, str]:
        """Takes away the rows that a decision replaces; the cells of the last one alike."""
        kept, alike = [], dict[str, str]()
        for row in self.rows:
            if row.said is None or not verdict.replaces(row.said):
                kept.append(row)
                continue
            self.removed.append(row.text)
            if row.cells and row.said.source == verdict.source:
                alike = dict(zip(self.columns, row.cells, strict=True))
        self.rows = kept
        return alike

    def add(self, verdict: Verdict, by: str, alike: Mapping[str, str]) -> None:
        """Adds a decision as a row, or one for each other tag system."""
        if not any(row.cells for row in self.rows):
            self._widen()
        for cells in self._cells(verdict, by):
            buffer = io.StringIO(newline="")
            writer = csv.writer(buffer, delimiter="\t", lineterminator=self._end)
            every = {**alike, **cells}
            writer.writerow([every.get(name, "") for name in self.columns])
            said = Said(verdict.source, verdict.target, verdict.relation, verdict.verdict, by, "")
            self.put(_Row(buffer.getvalue(), ("",), said))

    def put(self, row: _Row) -> None:
        """Adds a row at the end."""
        if self.rows and not self.rows[-1].text.endswith(("\n", "\r")):
            self.rows[-1].text += self._end
        self.rows.append(row)
        self.added.append(row.text)

    def _widen(self) -> None:
        """Gives a file without rows all columns that a row needs."""
        wanted = [name for name in COLUMNS if not name.startswith(("mapping_tool", "similarity"))]
        wanted = [name for name in wanted if not name.endswith("_preprocessing")]
        self.columns = [*wanted, *(name for name in self.columns if name not in wanted)]
        self.rows[self._header].text = "\t".join(self.columns) + self._end

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
        place = next(
            (k for k, row in enumerate(self.rows) if row.text.strip() == "#curie_map:"), None
        )
        if place is None:
            self.rows.insert(0, _Row(f"#curie_map:{self._end}"))
            place, self._header = 0, self._header + 1
        line = f"#  {name}: {uri}{self._end}"
        place += 1
        while self.rows[place].text.startswith("#  ") and self.rows[place].text < line:
            place += 1
        self.rows.insert(place, _Row(line))
        self._header += 1
        return name


class PeopleStore:
    """The files of people in a folder.

    Attributes:
      people: what they say, as of the last time that they could be read.
      error: why they cannot be read now; "" if they can.
    """

    def __init__(self, folder: PathLike, vocabulary: Vocabulary, by: str = SOMEBODY):
        self.folder, self.vocabulary = pathlib.Path(folder), vocabulary
        self.by = SOMEBODY if by in ("", MACHINE) else by
        self.people, self.error = People(), ""
        self._lock = threading.RLock()
        self._stamp: tuple[tuple[int, int, int] | None, ...] = ()
        create_files(self.folder, vocabulary)
        self.refresh()

    def refresh(self) -> bool:
        """Reads the files again if they changed; returns whether they did."""
        with self._lock:
            stamp = tuple(map(_stamp, self._paths()))
            if stamp == self._stamp:
                return False
            self._stamp = stamp
            try:
                self.people, self.error = read_people(self.folder, self.vocabulary), ""
            except InputError as error:
                self.error = str(error)
            return True

    def said(self) -> dict[Key, tuple[Said, ...]]:
        """{pair: what is said of it}."""
        found: dict[Key, tuple[Said, ...]] = {}
        for said in self.people.said:
            key = key_of(said.source, said.target)
            found[key] = (*found.get(key, ()), said)
        return found

    def after(self, verdicts: Sequence[Verdict]) -> People:
        """What people would say with some decisions more."""
        left = list(self.people.said)
        for verdict in verdicts:
            left = [said for said in left if not verdict.replaces(said)]
            path = path_of(self.folder, verdict.verdict)
            place = f"{path}: this decision"
            left.append(Said(**dataclasses.asdict(verdict), by=self.by, place=place))
        return dataclasses.replace(self.people, said=tuple(left))

    def decide(self, verdicts: Sequence[Verdict]) -> Change:
        """Writes decisions; they are on disk when it returns.

        Raises:
          InputError: a file does not parse, now or with these decisions; then none is changed.
        """
        with self._writing():
            documents = {verdict: self._document(verdict) for verdict in VERDICTS}
            for verdict in verdicts:
                alike: dict[str, str] = {}
                for document in documents.values():
                    alike |= document.take(verdict)
                documents[verdict.verdict].add(verdict, self.by, alike)
            order = [verdicts[-1].verdict, *VERDICTS] if verdicts else []
            keys = tuple(key_of(verdict.source, verdict.target) for verdict in verdicts)
            return self._write(keys, [documents[name] for name in dict.fromkeys(order)])

    def undo(self, change: Change) -> None:
        """Takes a change back; what others wrote meanwhile stays.

        Raises:
          ChangedError: somebody changed these rows.
          InputError: a file does not parse, now or then; then none is changed.
        """
        with self._writing():
            documents = []
            for path, after in change.after.items():
                verdict = next(name for name in VERDICTS if path_of(self.folder, name) == path)
                document = self._document(verdict)
                if document.before == after:
                    document.text = lambda before=change.before[path]: before  # type: ignore[method-assign, misc]
                else:
                    _take_back(document, change)
                documents.append(document)
            self._write(change.keys, documents)

    def choose(self, tag: str, action: str, value: str) -> None:
        """Writes a choice for a tag; see `choices`."""
        with self._writing():
            choices.write_choice(self.folder, tag, action, value)
            self.refresh()

    def _paths(self) -> list[pathlib.Path]:
        files = [path_of(self.folder, verdict) for verdict in VERDICTS]
        return [*files, self.folder / choices.FILE]

    def _document(self, verdict: str) -> _Document:
        path = path_of(self.folder, verdict)
        try:
            return _Document(path, self.vocabulary, self.people.said)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: cannot be edited: {error}") from None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Nobody else writes meanwhile, and what is there has been read.

        Raises:
          InputError: it cannot be read.
        """
        with self._lock, open(self.folder / LOCK, "a") as lock:
            with contextlib.suppress(OSError):  # The file system has no locks.
                fcntl.flock(lock, fcntl.LOCK_EX)
            create_files(self.folder, self.vocabulary)
            self.refresh()
            if self.error:
                raise InputError(self.error)
            yield

    def _write(self, keys: tuple[Key, ...], documents: Sequence[_Document]) -> Change:
        """Writes what changed, and reads it; if that fails, all is as before."""
        changed = {d.path: d for d in documents if d.text() != d.before}
        with contextlib.ExitStack() as stack:
            for document in reversed(changed.values()):  # The last one entered is renamed first.
                path = document.path.resolve()  # It may be a link to where people keep it.
                temporary = stack.enter_context(atomic_path(path))
                shutil.copymode(path, temporary)
                with temporary.open("wb") as file:
                    file.write(document.text())
                    file.flush()
                    os.fsync(file.fileno())
        self.refresh()
        if self.error:
            error = self.error
            for path, document in changed.items():
                with atomic_path(path.resolve()) as temporary:
                    temporary.write_bytes(document.before)
            self.refresh()
            raise InputError(error)
        return Change(
            keys,
            {path: document.before for path, document in changed.items()},
            {path: document.text() for path, document in changed.items()},
            {path: document.added for path, document in changed.items()},
            {path: document.removed for path, document in changed.items()},
        )


def _take_back(document: _Document, change: Change) -> None:
    """Undoes a change of a file that others have changed since."""
    for line in change.added[document.path]:
        places = [k for k, row in enumerate(document.rows) if row.text == line]
        if not places:
            raise ChangedError(f"{document.path} was changed meanwhile; undo it there")
        del document.rows[places[-1]]
    for line in change.removed[document.path]:
        document.put(_Row(line))


def _stamp(path: pathlib.Path) -> tuple[int, int, int] | None:
    """What changes when a file does; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
