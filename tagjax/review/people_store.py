"""The files of people, written while others may edit them.

Whoever writes holds a lock on the folder. A file that does not parse, or that is gone, is never
written. What was done last can be undone; see `journal`.
"""

import contextlib
import fcntl
import os
import pathlib
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, atomic_path
from tagjax.reconcile import choices, people
from tagjax.reconcile.decisions import MACHINE
from tagjax.reconcile.people import SOMEBODY, VERDICTS, People, Said
from tagjax.review.documents import (
    ChangedError,
    Chosen,
    Document,
    Key,
    Mappings,
    Stamp,
    Verdict,
    key_of,
    stamp_of,
)
from tagjax.review.journal import Journal, Step
from tagjax.vocabulary.vocabulary import Vocabulary

LOCK = ".people.lock"


class PeopleStore:
    """The files of people in a folder.

    Attributes:
      people: what they say, as of the last time that they could be read.
      said: {pair: what is said of it}, as of then.
      error: why they cannot be read now; "" if they can.
      note: which of them were missing at the start, a sentence; "" if none was.
    """

    def __init__(self, folder: PathLike, vocabulary: Vocabulary, by: str = SOMEBODY):
        self.folder, self.vocabulary = pathlib.Path(folder), vocabulary
        self.by = SOMEBODY if by in ("", MACHINE) else by
        self.people, self.error, self.note = People(), "", ""
        self.said: Mapping[Key, tuple[Said, ...]] = {}
        made = [path.name for path in people.create_files(self.folder, vocabulary)]
        made = [name for name in made if name.endswith(".tsv")]
        if 0 < len(made) < len(VERDICTS):
            self.note = f"{self.folder}: there was no {' and no '.join(made)}; made without rows"
        self._lock = threading.RLock()
        self._paths = {verdict: people.path_of(self.folder, verdict) for verdict in VERDICTS}
        self._paths[choices.FILE] = self.folder / choices.FILE
        self._documents: dict[str, Document] = {}
        self._stamps: dict[str, Stamp] = {}
        self._problems: dict[str, str] = {}
        self._journal = Journal(self.folder)
        self.refresh()

    def refresh(self) -> bool:
        """Reads again what changed; returns whether anything did."""
        with self._lock:
            self._journal.refresh()
            changed = [
                name
                for name, path in self._paths.items()
                if name not in self._stamps or stamp_of(path) != self._stamps[name]
            ]
            for name in changed:
                self._read(name)
            if changed:
                self.error = next(iter(self._problems.values()), "")
            if changed and not self.error:
                try:
                    self._take_over(self._people_of(self._documents))
                except InputError as error:
                    self.error = str(error)
            return bool(changed)

    def _read(self, name: str) -> None:
        path, known = self._paths[name], self._documents.get(name)
        self._stamps[name] = stamp_of(path)
        try:
            if self._stamps[name] is None and known is not None:
                _refuse_loss(known)
            is_chosen = name == choices.FILE
            self._documents[name] = (
                Chosen(path) if is_chosen else Mappings(path, name, self.vocabulary)
            )
            self._problems.pop(name, None)
        except InputError as error:
            self._problems[name] = str(error)

    def _people_of(self, documents: Mapping[str, Document]) -> People:
        mappings = [cast(Mappings, documents[verdict]) for verdict in VERDICTS]
        table = cast(Chosen, documents[choices.FILE]).table()
        return people.people_of(
            [said for document in mappings for said in document.said],
            self.vocabulary,
            choices.choices_of(table, self.vocabulary),
        )

    def _take_over(self, found: People) -> None:
        self.people, self.said = found, by_pair(found)

    @property
    def last(self) -> str:
        """What the next undo takes back; "" if nothing."""
        step = self._journal.last
        return str(step["said"]) if step else ""

    def decide(self, verdicts: Sequence[Verdict], said: str = "") -> None:
        """Writes decisions as one step; they are on disk when it returns.

        Args:
          verdicts: the decisions; the last one on a pair holds.
          said: the step in words.

        Raises:
          InputError: a file does not parse, or the decisions contradict what is there; then
            nothing is changed.
        """
        with self._writing():
            documents = {name: cast(Mappings, self._documents[name]).edited() for name in VERDICTS}
            for verdict in verdicts:
                alike: dict[str, str] = {}
                for document in documents.values():
                    for row in document.take(verdict.replaces_row):
                        if row.said and row.said.source == verdict.source:
                            alike |= dict(zip(document.columns, row.cells, strict=True))
                documents[verdict.verdict].add(verdict, self.by, alike)
            order = dict.fromkeys([*(v.verdict for v in verdicts[-1:]), *VERDICTS])
            pairs = [(verdict.source, verdict.target) for verdict in verdicts]
            step = {"said": said, "pairs": pairs, "tag": ""}
            self._do(step, {name: documents[name].placed() for name in order})

    def choose(self, tags: Sequence[str], action: str, value: str, said: str = "") -> None:
        """Writes a choice for the first of some tags; see `Chosen.choose`.

        Raises:
          InputError: as `decide`.
        """
        with self._writing():
            document = cast(Chosen, self._documents[choices.FILE]).edited()
            document.choose(tags, action, value)
            self._do({"said": said, "pairs": [], "tag": tags[0]}, {choices.FILE: document})

    def undo(self) -> Step:
        """Takes the last step back; what others wrote meanwhile stays.

        Returns:
          The step.

        Raises:
          ChangedError: its rows are not as the step left them, or do not go with what others wrote
            since. Nothing is changed, and the step is forgotten.
          InputError: a file does not parse.
        """
        with self._writing():
            while step := self._journal.last:
                try:
                    documents = dict(map(self._without, step["files"]))
                    changed = {n: d for n, d in documents.items() if d.is_changed()}
                    if changed:
                        self._put_checked(changed)
                except ChangedError:
                    self._journal.drop()
                    raise
                self._journal.drop()
                if changed:  # A kill may have come before the step was done.
                    return step
        raise ChangedError("nothing is left to undo")

    def _without(self, change: Mapping[str, Any]) -> tuple[str, Document]:
        for name, path in self._paths.items():
            if path.name == change["file"]:
                document = self._documents[name].edited()
                document.take_back(change)
                return name, document
        raise ChangedError(f"{change['file']!r} is no file of people")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Nobody else writes meanwhile, and what is there has been read.

        Raises:
          InputError: it cannot be read.
        """
        with self._lock, open(self.folder / LOCK, "a") as lock:
            with contextlib.suppress(OSError):  # The file system has no locks.
                fcntl.flock(lock, fcntl.LOCK_EX)
            self.refresh()
            if self.error:
                raise InputError(self.error)
            yield

    def _do(self, step: Mapping[str, Any], documents: Mapping[str, Document]) -> None:
        """Checks a step, notes how to undo it, and writes it."""
        changed = {name: each for name, each in documents.items() if each.is_changed()}
        if not changed:
            return
        found = self._people_of({**self._documents, **changed})
        self._journal.append({**step, "files": [each.step() for each in changed.values()]})
        try:
            _put([*changed.values()])
        except BaseException:
            self._journal.drop()
            raise
        for name, document in changed.items():
            self._documents[name] = document.settled()
            self._stamps[name] = document.stamp
        self._take_over(found)

    def _put_checked(self, documents: Mapping[str, Document]) -> None:
        """Writes documents whose new rows were not read yet; if they do not fit, all is as before.

        Raises:
          ChangedError: they do not fit.
        """
        _put([*documents.values()])
        for name in documents:
            del self._documents[name], self._stamps[name]
        self.refresh()
        if error := self.error:
            for document in documents.values():
                _put_bytes(document.path, document.before or b"")
            self.refresh()
            raise ChangedError(error)


def by_pair(found: People) -> dict[Key, tuple[Said, ...]]:
    """{pair: what is said of it}."""
    pairs: dict[Key, tuple[Said, ...]] = {}
    for said in found.said:
        key = key_of(said.source, said.target)
        pairs[key] = (*pairs.get(key, ()), said)
    return pairs


def after(found: People, verdicts: Sequence[Verdict], by: str = SOMEBODY) -> People:
    """What people would say with some decisions more."""
    said = list(found.said)
    for verdict in verdicts:
        said = [each for each in said if not verdict.replaces(each)]
        said.append(
            Said(*(verdict.source, verdict.target, verdict.relation, verdict.verdict), by,
                 "this decision")
        )  # fmt: skip
    return People(tuple(said), found.notes, found.choices)


def _refuse_loss(document: Document) -> None:
    """Refuses that a file that held something is gone."""
    rows = sum(bool(row.cells) for row in document.body)
    if rows or isinstance(document, Mappings):
        lost = f", and with it {rows} row{'s' * (rows > 1)}" if rows else ""
        raise InputError(
            f"{document.path}: is gone{lost}; put it back, or start launch.review again to go on "
            "without"
        )


def _put(documents: Sequence[Document]) -> None:
    """Writes files; the first one is renamed first."""
    with contextlib.ExitStack() as stack:
        for document in reversed(documents):
            path = document.path.resolve()  # It may be a link to where people keep it.
            temporary = stack.enter_context(atomic_path(path))
            if document.before is not None:
                shutil.copymode(path, temporary)
            with temporary.open("wb") as file:
                file.write(document.content())
                file.flush()
                os.fsync(file.fileno())
            document.stamp = stamp_of(temporary)
    for document in documents:
        if not document.content():
            document.path.unlink()


def _put_bytes(path: pathlib.Path, content: bytes) -> None:
    with atomic_path(path.resolve()) as temporary:
        temporary.write_bytes(content)
