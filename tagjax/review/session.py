"""A review: what is decided so far, what comes next, and what a decision does."""

import collections
import dataclasses
import os
import pathlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tagjax.base.errors import InputError
from tagjax.reconcile.choices import ACTIONS
from tagjax.reconcile.decide import decide
from tagjax.reconcile.decisions import RELATIONS, STATES, Decisions, Match
from tagjax.reconcile.loading import Reconciliation
from tagjax.reconcile.people import VERDICTS, People
from tagjax.reconcile.reconciling import RECORD
from tagjax.reconcile.usefulness import usefulness
from tagjax.review.clips import Clips
from tagjax.review.forms import Form, Forms, NoSuchError
from tagjax.review.map import lay_out
from tagjax.review.order import is_open
from tagjax.review.people_store import Change, ChangedError, Key, PeopleStore, Verdict, key_of
from tagjax.review.recalibrating import MOST_TRACKS, Recalibrator
from tagjax.review.views import WORDS, View, changes, contradiction, shortened

DEBOUNCE = 0.3
"""Seconds without a decision after which all is decided again."""
_MANY = 2000
_FOUND = 50


class BadRequestError(ValueError):
    """The page asks for what does not exist."""


class ConflictError(Exception):
    """A decision that cannot be taken as things are; the message says why."""


_STALE = "launch.reconcile has run meanwhile. Start launch.review again to see what it found."


def _changed_at(path: pathlib.Path) -> int:
    """When a file was changed; 0 if it is gone."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


class Session:
    """A review of a reconciliation; all methods may be called by several threads."""

    def __init__(self, found: Reconciliation, store: PeopleStore, clips: Clips, learn: bool = True):
        """Decides once.

        Args:
          found: what is reviewed.
          store: the files of people.
          clips: to hear.
          learn: whether evidence is weighed again after decisions, where that takes seconds.
        """
        self.forms = Forms(found, clips)
        self.clips = clips
        self._facts, self._config = found.facts, found.config
        self._record = found.folder / RECORD
        self._made = _changed_at(self._record)
        self._store, self._lock = store, threading.RLock()
        self._seen, self._said = store.people, store.said()
        self._problem = ""
        self._view = View(self._first())
        self._undo: list[Change] = []
        self._since: dict[Key, int] = {}
        self._version, self._changed = 1, list[str]()
        self._wake, self._closed, self._busy = threading.Event(), threading.Event(), False
        small = learn and found.heard() and found.facts.tags.shape[0] <= MOST_TRACKS
        self._recalibrator = Recalibrator(found.folder) if small else None
        self._map: Any = None
        self._map_lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()
        if self._said and self._recalibrator is not None:
            self._changed_now(())

    def _first(self) -> Decisions:
        """All decisions; without those of people if these contradict each other."""
        try:
            return self._decide(self._store.people)
        except InputError as error:
            self._problem = str(error)
            return self._decide(People())

    def close(self) -> None:
        """Ends what goes on behind the page."""
        self._closed.set()
        self._wake.set()
        if self._recalibrator is not None:
            self._recalibrator.close()
        self._thread.join(timeout=5)

    def state(self) -> Form:
        """How far the review is."""
        with self._lock:
            self._look()
            left = self._view.left()
            audio = self.clips.audio
            return {
                "systems": [*self.forms.vocabulary.systems],
                "total": len(self._said) + left,
                "decided": len(self._said),
                "left": left,
                "clips": not audio.note,
                "clips_note": audio.note,
                "busy": self._busy,
                "changed": self._changed if _changed_at(self._record) == self._made else [_STALE],
                "version": self._version,
                "error": self._store.error or self._problem,
                "can_undo": bool(self._undo),
            }

    def next(self, skip: Sequence[str] = ()) -> Form | None:
        """The pair whose decision is the most useful; None if none is left."""
        with self._lock:
            self._look()
            skipped = set()
            for text in skip:
                try:
                    skipped.add(key_of(*self.forms.pair_of(text)))
                except NoSuchError:
                    continue
            for key in self._view.order:
                match = self._view.pairs.get(key)
                if match and is_open(match) and key not in skipped:
                    return self.forms.pair(self._view, match)
            return None

    def pairs(self, query: Mapping[str, str]) -> Form:
        """A part of the list of pairs."""
        with self._lock:
            self._look()
            found = self._filtered(query)
            offset = min(_number(query, "offset", 0), len(found))
            limit = min(_number(query, "limit", 100), 500)
            shown = found[offset : offset + limit]
            return {"total": len(found), "pairs": [self.forms.brief(match) for match in shown]}

    def _filtered(self, query: Mapping[str, str]) -> list[Match]:
        found = [*self._view.pairs.values()]
        for name, known in (("state", STATES), ("relation", RELATIONS)):
            if values := {*filter(None, query.get(name, "").split(","))}:
                if not values <= {*known}:
                    raise BadRequestError(f"{name}: some of {', '.join(known)}")
                found = [match for match in found if getattr(match, name) in values]
        low, high = _share(query, "low", 0.0), _share(query, "high", 1.0)
        if low > 0 or high < 1:
            found = [match for match in found if low <= match.confidence <= high]
        if tag := query.get("tag", "").strip().casefold():
            found = [
                match
                for match in found
                if tag in match.source.casefold() or tag in (match.target or "").casefold()
            ]
        tracks = self.forms.tracks
        sorts: dict[str, Callable[[Match], Any]] = {
            "useful": lambda match: (not is_open(match), -usefulness(match, tracks)),
            "confidence": lambda match: -match.confidence,
            "tag": lambda match: (match.source.casefold(), (match.target or "").casefold()),
        }
        sort = query.get("sort") or "useful"
        if sort not in sorts:
            raise BadRequestError(f"sort: one of {', '.join(sorts)}")
        return sorted(found, key=sorts[sort])

    def pair(self, text: str) -> Form:
        """PAIR of an id."""
        with self._lock:
            self._look()
            match = self.forms.match(self._view, *self.forms.pair_of(text))
            return self.forms.pair(self._view, match)

    def decide(self, body: Mapping[str, Any]) -> Form:
        """Writes a decision; the answer comes when it is on disk."""
        with self._lock:
            self._look()
            self._check()
            verdict = self._verdict(body, body.get("pair"))
            version = body.get("version")
            if not isinstance(version, int):
                raise BadRequestError("version: a number is needed")
            key = key_of(verdict.source, verdict.target)
            if self._since.get(key, 0) > version:
                raise ConflictError("this pair was decided elsewhere meanwhile; look at it again")
            self._contradicts([verdict])
            self._write(lambda: self._store.decide([verdict]))
            return {"state": self.state(), "next": self.next()}

    def undo(self) -> Form:
        """Takes the last decision back."""
        with self._lock:
            self._look()
            if not self._undo:
                raise ConflictError("nothing is left to undo")
            if self._store.error:
                raise ConflictError(self._store.error)
            change = self._undo[-1]
            try:
                self._store.undo(change)
            except InputError as error:
                raise ConflictError(str(error)) from None
            except ChangedError as error:
                self._undo.pop()
                raise ConflictError(str(error)) from None
            self._undo.pop()
            self._look()
            first, second = change.keys[-1]
            match = self.forms.match(self._view, first, second or None)
            return {"state": self.state(), "pair": self.forms.pair(self._view, match)}

    def many(self, body: Mapping[str, Any]) -> Form:
        """Decides many pairs alike, or says what that would do."""
        with self._lock:
            self._look()
            self._check()
            named = body.get("pairs")
            if not isinstance(named, list) or len(named) > _MANY:
                raise BadRequestError(f"pairs: a list of at most {_MANY} is needed")
            kept, refused = list[Verdict](), list[str]()
            for text in dict.fromkeys(map(str, named)):
                verdict = self._verdict(body, text)
                try:
                    self._contradicts([*kept, verdict])
                except ConflictError as error:
                    refused.append(f"{verdict.source} and {verdict.target}: {error}")
                else:
                    kept.append(verdict)
            would = list[str]()
            if kept and body.get("preview", True):
                would = self._would(kept)
            elif kept:
                self._write(lambda: self._store.decide(kept))
            return {"would": would, "refused": refused, "state": self.state()}

    def _would(self, verdicts: Sequence[Verdict]) -> list[str]:
        try:
            after = self._decide(self._store.after(verdicts))
        except InputError as error:
            raise ConflictError(str(error)) from None
        return [
            *(_sentence(verdict) for verdict in verdicts),
            *changes(self._view.decisions, after, [key_of(v.source, v.target) for v in verdicts]),
        ]

    def tags(self, text: str) -> Form:
        """Tags whose name holds a text, those that begin with it first."""
        wanted = text.strip().casefold()
        names = zip(self.forms.vocabulary.tags, self.forms.vocabulary.names, strict=True)
        found = [
            (not name.casefold().startswith(wanted), -self.forms.tracks.get(tag, 0), tag)
            for tag, name in names
            if wanted in tag.casefold()
        ]
        return {"tags": [self.forms.tag(tag) for *_, tag in sorted(found)[:_FOUND]]}

    def tag(self, text: str) -> Form:
        """A tag's page."""
        with self._lock:
            self._look()
            tag = self.forms.tag_of(text)
            form = self.forms.whole_tag(self._view, tag)
            return form | {"split": self._seen.choices.split.get(tag, form["split"])}

    def choose(self, text: str, body: Mapping[str, Any]) -> Form:
        """Writes a choice for a tag."""
        with self._lock:
            self._look()
            self._check()
            tag = self.forms.tag_of(text)
            if len(body) != 1 or (action := next(iter(body))) not in ACTIONS:
                raise BadRequestError(f"one of {', '.join(ACTIONS)} is needed")
            value = body[action]
            if action == "canonical":
                value = self._canonical(tag, value)
            elif not isinstance(value, bool):
                raise BadRequestError(f"{action}: true or false is needed")
            else:
                value = str(value).lower()
            self._store.choose(tag, action, value)
            self._changed_now(())
            return {"state": self.state()}

    def _canonical(self, tag: str, value: Any) -> str:
        """The tag that shall stand for a group, by its name or with its prefix."""
        if not isinstance(value, str):
            raise BadRequestError("canonical: a name is needed")
        system = self.forms.vocabulary.system_of(tag)
        canonical = self._view.decisions.canonical
        name = value if value in canonical else system + value
        if canonical.get(name) != canonical[tag]:
            group = [other for other, to in canonical.items() if to == canonical[tag]]
            raise ConflictError(
                f"{value[:60]!r} is no spelling of {tag!r}; one of {', '.join(group[:9])}"
            )
        return name

    def map(self) -> Form:
        """The map of the tags, as in Figure 1."""
        with self._map_lock:
            if self._map is None:
                self._map = self.forms.map_tags(lay_out(self._facts))
            return {"points": self._map}

    def tree(self) -> Form:
        """The tree of the tags."""
        with self._lock:
            self._look()
            return {"roots": self.forms.tree(self._view)}

    def wait(self, seconds: float = 60.0) -> bool:
        """Waits until all is decided again; returns whether it is."""
        end = time.monotonic() + seconds
        while self._busy and time.monotonic() < end:
            time.sleep(0.01)
        return not self._busy

    def _verdict(self, body: Mapping[str, Any], pair: Any) -> Verdict:
        verdict, relation = body.get("verdict"), body.get("relation")
        if verdict not in VERDICTS or relation not in RELATIONS or not isinstance(pair, str):
            raise BadRequestError("pair, verdict and relation are needed")
        source, target = self.forms.pair_of(pair)
        if target is None:
            if relation != "none":
                raise BadRequestError("there is no other tag; the relation is none")
        elif relation == "none":  # Of a pair it says that the two are not the same.
            if verdict == "negative":
                raise BadRequestError("say what the two are to each other instead")
            verdict, relation = "negative" if verdict == "positive" else verdict, "exact"
        return Verdict(source, target, relation, verdict)

    def _check(self) -> None:
        """Refuses decisions as long as what people said is not clear."""
        if error := self._store.error or self._problem:
            raise ConflictError(error)

    def _contradicts(self, verdicts: Sequence[Verdict]) -> None:
        last = verdicts[-1]
        people = self._store.after(verdicts)
        try:
            contradiction(
                people, self.forms.vocabulary, [t for t in (last.source, last.target) if t]
            )
        except InputError as error:
            raise ConflictError(str(error)) from None

    def _write(self, write: Callable[[], Change]) -> None:
        try:
            change = write()
        except InputError as error:
            self._look()
            raise ConflictError(str(error)) from None
        self._undo.append(change)
        self._look()

    def _look(self) -> None:
        """Takes over what changed in the files of people, whoever wrote them."""
        self._store.refresh()
        people = self._store.people
        if self._store.error or people is self._seen:
            return
        said = self._store.said()
        plain = {key: [_plain(s) for s in each] for key, each in said.items()}
        before = {key: [_plain(s) for s in each] for key, each in self._said.items()}
        keys = [k for k in {*plain, *before} if plain.get(k) != before.get(k)]
        chosen = people.choices != self._seen.choices
        self._seen, self._said = people, said
        for key in keys:
            self._view.hear(key, said.get(key, ()))
        if keys or chosen or self._problem:
            self._changed_now(keys)

    def _changed_now(self, keys: Sequence[Key]) -> None:
        self._version += 1
        self._since |= dict.fromkeys(keys, self._version)
        self._busy = True
        self._wake.set()

    def _decide(self, people: People) -> Decisions:
        return decide(dataclasses.replace(self._facts, people=people), self._config)

    def _work(self) -> None:
        """Decides all again after decisions, with evidence that has learnt from them."""
        while not self._closed.is_set():
            self._wake.wait()
            while self._wake.is_set() and not self._closed.is_set():
                self._wake.clear()
                self._closed.wait(DEBOUNCE)
            if self._closed.is_set():
                return
            with self._lock:
                before = self._view.decisions
            self._again(before)
            if self._recalibrator is not None and not self._wake.is_set():
                try:
                    facts = self._recalibrator.weigh(self._facts)
                except InputError:
                    pass  # The evidence stays as it is.
                else:
                    if not self._closed.is_set():
                        self._facts = facts
                        self._again(before)
            with self._lock:
                self._busy = self._wake.is_set()

    def _again(self, before: Decisions) -> None:
        people = self._store.people
        problem, view, lines = "", None, self._changed
        try:
            after = self._decide(people)
        except InputError as error:
            problem = str(error)
        else:
            view, lines = View(after), shortened(changes(before, after, self._said))
        with self._lock:
            self._problem = problem
            self._version += 1
            if view is None:
                return
            self.forms.heed(self._facts.rows)
            self._view, self._changed = view, lines
            if self._seen is not people:
                known = collections.defaultdict(list)
                for said in people.said:
                    known[key_of(said.source, said.target)].append(said)
                for key in {*self._said, *known}:
                    if [*self._said.get(key, ())] != known.get(key, []):
                        view.hear(key, self._said.get(key, ()))


def _plain(said: Any) -> Any:
    """What is said, wherever it stands."""
    return dataclasses.replace(said, place="")


def _sentence(verdict: Verdict) -> str:
    verb = {"positive": "is", "negative": "is not", "unsure": "may be"}[verdict.verdict]
    if verdict.target is None:
        return f"{verdict.source} {verb} without a counterpart"
    return WORDS[verdict.relation].format(verdict.source, verb, verdict.target)


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) < 9):
        raise BadRequestError(f"{name}: a number is needed")
    return int(text)


def _share(query: Mapping[str, str], name: str, default: float) -> float:
    try:
        value = float(query.get(name) or default)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise BadRequestError(f"{name}: a number from 0 to 1 is needed")
    return value
