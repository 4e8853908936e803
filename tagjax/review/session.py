"""A review: what is decided so far, what comes next, and what a decision does."""

import contextlib
import dataclasses
import os
import pathlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tagjax.base.errors import InputError
from tagjax.reconcile.choices import ACTIONS, checked_name
from tagjax.reconcile.decide import decide
from tagjax.reconcile.decisions import RELATIONS, STATES, Decisions, Match
from tagjax.reconcile.facts import Facts
from tagjax.reconcile.loading import Reconciliation
from tagjax.reconcile.people import VERDICTS, People, Said
from tagjax.reconcile.reconciling import RECORD
from tagjax.reconcile.usefulness import usefulness
from tagjax.review.changes import Reference, shortened, what_changed
from tagjax.review.clips import Clips
from tagjax.review.documents import ChangedError, Key, Verdict, key_of
from tagjax.review.forms import Form, Forms, NoSuchError
from tagjax.review.map import lay_out
from tagjax.review.order import is_open
from tagjax.review.people_store import PeopleStore, after, by_pair
from tagjax.review.recalibrating import MOST_TRACKS, Recalibrator
from tagjax.review.views import WORDS, View, contradiction

DEBOUNCE = 0.3
"""Seconds without a decision after which all is decided again."""
_MANY = 2000
_FOUND = 50


class BadRequestError(ValueError):
    """The page asks for what does not exist."""


class ConflictError(Exception):
    """A decision that cannot be taken as things are; the message says why."""


_DONE = {"block": "dropped", "split": "two things"}
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
        self._store, self._lock, self._deciding = store, threading.RLock(), threading.Lock()
        self._seen, self._said = store.people, store.said
        self._problem, self._made_of = "", store.people
        self._view = View(self._first())
        self.forms.name(self._view.decisions)
        self._since: dict[Key, int] = {}
        self._version, self._changed = 1, list[str]()
        self._events, self._event, self._served = list[str](), "", True
        self._reference = self._now()
        self._wake, self._closed, self._busy = threading.Event(), threading.Event(), False
        small = learn and found.heard() and found.facts.tags.shape[0] <= MOST_TRACKS
        self._recalibrator = Recalibrator(found.folder) if small else None
        self._map: Form | None = None
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
            self._served = True
            states = [*self._view.open().values()]
            audio = self.clips.audio
            return {
                "systems": [*self.forms.vocabulary.systems],
                "total": len(self._said) + len(states),
                "decided": len(self._said),
                "left": len(states),
                "to_review": states.count("review"),
                "accepted_unsure": states.count("accepted"),
                "candidates_unsure": states.count("candidate"),
                "heard": self.forms.heard,
                "clips": not audio.note,
                "clips_note": audio.note,
                "busy": self._busy,
                "changed": self._changed if _changed_at(self._record) == self._made else [_STALE],
                "version": self._version,
                "error": self._store.error or self._problem,
                "can_undo": bool(self._store.last),
                "undo": self._store.last,
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
            key = next((key for key in self._view.open() if key not in skipped), None)
            return key and self.forms.pair(self._view, self._view.pairs[key])

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
            self._contradicts(self._store.people, [verdict])
            with self._writing(f"your decision on {_pair(verdict.source, verdict.target)}"):
                self._store.decide([verdict], _sentence(verdict))
            return {"state": self.state(), "next": self.next()}

    def undo(self) -> Form:
        """Takes the last step back; the answer shows it."""
        with self._lock:
            self._look()
            if self._store.error:
                raise ConflictError(self._store.error)
            with self._writing(f"taking back: {self._store.last}"):
                step = self._store.undo()
            known = self.forms.vocabulary.index
            pairs = [pair for pair in step["pairs"] if {*pair} - {None} <= known.keys()]
            unknown = any(key_of(*pair) not in self._view.pairs for pair in pairs)
        if unknown or step["tag"]:
            self._again()
        with self._lock:
            form: Form = {"state": self.state(), "pair": None, "tag": None, "said": step["said"]}
            if pairs:
                match = self.forms.match(self._view, *pairs[-1])
                form["pair"] = self.forms.pair(self._view, match)
            elif step["tag"] in known:
                form["tag"] = self._tag(step["tag"])
            return form

    def many(self, body: Mapping[str, Any]) -> Form:
        """Decides many pairs alike, or says what that would do."""
        with self._lock:
            self._look()
            self._check()
            named = body.get("pairs")
            if not isinstance(named, dict) or len(named) > _MANY:
                raise BadRequestError(f"pairs: at most {_MANY} with their relations are needed")
            verdicts = [
                self._verdict({**body, "relation": relation}, pair)
                for pair, relation in named.items()
            ]
            kept, refused = self._fitting(verdicts)
            would = list[str]()
            if kept and body.get("preview", True):
                would = self._would(kept)
            elif kept:
                said = _sentence(kept[0]) if len(kept) == 1 else f"{len(kept)} decisions"
                with self._writing(f"your {said}" if len(kept) > 1 else f"your decision: {said}"):
                    self._store.decide(kept, said)
            return {"would": would, "refused": refused, "state": self.state()}

    def _fitting(self, verdicts: Sequence[Verdict]) -> tuple[Sequence[Verdict], list[str]]:
        """The decisions that may be taken together, and why others may not."""
        people, refused = self._store.people, list[str]()
        with contextlib.suppress(ConflictError):
            self._contradicts(people, verdicts)
            return verdicts, refused
        kept = list[Verdict]()
        for verdict in verdicts:
            try:
                people = self._contradicts(people, [verdict])
            except ConflictError as error:
                refused.append(f"{_pair(verdict.source, verdict.target)}: {error}")
            else:
                kept.append(verdict)
        return kept, refused

    def _would(self, verdicts: Sequence[Verdict]) -> list[str]:
        try:
            found = self._decide(after(self._store.people, verdicts))
        except InputError as error:
            raise ConflictError(str(error)) from None
        named = [key_of(verdict.source, verdict.target) for verdict in verdicts]
        return [
            *(_sentence(verdict) for verdict in verdicts),
            *what_changed(self._view.decisions, found, named),
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
            return self._tag(self.forms.tag_of(text))

    def _tag(self, tag: str) -> Form:
        form = self.forms.whole_tag(self._view, tag)
        return form | {"split": self._seen.choices.split.get(tag, form["split"])}

    def choose(self, text: str, body: Mapping[str, Any]) -> Form:
        """Writes a choice for a tag; the answer shows it."""
        with self._lock:
            self._look()
            self._check()
            tag, canonical = self.forms.tag_of(text), self._view.decisions.canonical
            if len(body) != 1 or (action := next(iter(body))) not in ACTIONS:
                raise BadRequestError(f"one of {', '.join(ACTIONS)} is needed")
            value, tags = body[action], [tag]
            if action == "canonical":
                value = self._name(tag, value)
                tags += [t for t, head in canonical.items() if head == canonical[tag] and t != tag]
                said = f"{tag} is called {value}"
            elif not isinstance(value, bool):
                raise BadRequestError(f"{action}: true or false is needed")
            else:
                said = f"{tag} is {'' if value else 'not '}{_DONE[action]}"
                value = str(value).lower()
            with self._writing(f"your choice that {said}"):
                self._store.choose(tags, action, value, said)
        self._again()
        with self._lock:
            return {"state": self.state(), "tag": self._tag(tag)}

    def _name(self, tag: str, value: Any) -> str:
        """The name, with prefix, by which a tag and what is merged with it shall go."""
        if not isinstance(value, str):
            raise BadRequestError("canonical: a name is needed")
        try:
            name = checked_name(value, self.forms.vocabulary.system_of(tag))
        except InputError as error:
            raise BadRequestError(str(error)) from None
        decisions = self._view.decisions
        head, wanted = decisions.canonical[tag], name.casefold()
        for other, its in decisions.canonical.items():
            if its != head and wanted in (other.casefold(), decisions.name_of(other).casefold()):
                raise ConflictError(
                    f"{name!r} is the name of another tag; if {tag!r} and {other!r} are the same, "
                    "say so of the pair"
                )
        return name

    def map(self) -> Form:
        """The map of the tags, as in Figure 1."""
        with self._map_lock:
            if self._map is None:
                places, note = lay_out(self._facts)
                self._map = {"points": self.forms.map_tags(places), "note": note}
            return self._map

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

    def _contradicts(self, people: People, verdicts: Sequence[Verdict]) -> People:
        """What people say with some decisions; refuses those that contradict the others."""
        found = after(people, verdicts)
        tags = [tag for each in verdicts for tag in (each.source, each.target) if tag]
        try:
            contradiction(found, self.forms.vocabulary, tags)
        except InputError as error:
            raise ConflictError(str(error)) from None
        return found

    @contextlib.contextmanager
    def _writing(self, event: str) -> Iterator[None]:
        """Takes over what is written meanwhile, and why it was."""
        try:
            yield
        except (InputError, ChangedError) as error:
            self._look()
            raise ConflictError(str(error)) from None
        self._event = event
        self._look()
        self._event = ""

    def _look(self) -> None:
        """Takes over what changed in the files of people, whoever wrote them."""
        self._store.refresh()
        people, said = self._store.people, self._store.said
        if self._store.error or people is self._seen:
            return
        keys = [
            key for key in {*said, *self._said} if not _alike(said.get(key), self._said.get(key))
        ]
        chosen = people.choices != self._seen.choices
        if (keys or chosen) and self._served:
            self._reference, self._served = self._now(), False
        self._seen, self._said = people, said
        for key in keys:
            self._view.hear(key, said.get(key, ()))
        if keys or chosen or self._problem:
            self._events.append(self._event or "a change in the files of people")
            self._changed_now(keys)

    def _now(self) -> Reference:
        return Reference(self._view.decisions, {*self._view.open()}, {*self._said})

    def _changed_now(self, keys: Sequence[Key]) -> None:
        self._version += 1
        self._since |= dict.fromkeys(keys, self._version)
        if grown := self._reference.grown(self._view, self._events):
            self._changed = grown
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
            heeded = len(self._events)
            if self._made_of is not self._store.people or self._problem:
                self._again()
            if self._recalibrator is not None and not self._wake.is_set():
                with contextlib.suppress(InputError):  # The evidence stays as it is.
                    self._facts = self._recalibrator.weigh(self._facts)
                    self._again()
            with self._lock:
                del self._events[:heeded]
                self._busy = self._wake.is_set()

    def _again(self) -> None:
        """Decides all again."""
        with self._deciding:
            people, facts = self._store.people, self._facts
            problem, view = "", None
            try:
                view = View(self._decide(people))
            except InputError as error:
                problem = str(error)
            with self._lock:
                self._problem, self._made_of = problem, people
                self._version += 1
                if view is not None:
                    self._show(view, people, facts)

    def _show(self, view: View, people: People, facts: Facts) -> None:
        """Takes over decisions, and what people said since they were made."""
        self.forms.heed(facts.rows)
        self.forms.name(view.decisions)
        made = view.decisions
        self._view = view
        if self._seen is not people:
            known = by_pair(people)
            for key in {*self._said, *known}:
                if not _alike(self._said.get(key), known.get(key)):
                    view.hear(key, self._said.get(key, ()))
        lines = what_changed(self._reference.decisions, made, self._said)
        self._changed = shortened([*self._reference.grown(view, self._events), *lines])


def _alike(one: Sequence[Said] | None, other: Sequence[Said] | None) -> bool:
    """Whether the same is said, wherever it stands."""
    plain = [
        [(s.source, s.target, s.relation, s.verdict, s.by) for s in each or ()]
        for each in (one, other)
    ]
    return one is other or plain[0] == plain[1]


def _pair(source: str, target: str | None) -> str:
    return f"{source} and {target}" if target else source


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
