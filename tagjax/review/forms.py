"""What the page is told of tags, pairs and tracks, as JSON takes it."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import scipy.sparse

from tagjax.reconcile.decide import OBJECTS
from tagjax.reconcile.decisions import Decisions, Match, TwoSenses
from tagjax.reconcile.known import Row
from tagjax.reconcile.loading import Reconciliation
from tagjax.reconcile.names import sense_names
from tagjax.review.clips import Clips
from tagjax.review.documents import Key, key_of
from tagjax.review.views import View, chart, unheard
from tagjax.vocabulary.vocabulary import Vocabulary

Form = dict[str, Any]

_RELATIONS = {
    "exact": "the same",
    "close": "nearly the same",
    "broad": "a kind of",
    "narrow": "broader than",
    "related": "related",
    "none": "without a counterpart",
}
_SURENESS = ((0.95, "almost surely"), (0.7, "probably"), (0.4, "perhaps"), (0.1, "probably not"))
_SAID = {"accepted": "a person says: ", "rejected": "a person says: not ", "unsure": "left open: "}
_CLIPS, _NEAREST, _EXAMPLES = 3, 10, 3


def words(match: Match) -> str:
    """How likely a match is, in words.

    >>> words(Match("a", "b", "exact", 0.8, "review"))
    'probably the same'
    """
    relation = _RELATIONS[match.relation]
    if match.reasons and match.reasons[0].source == "person":
        return _SAID[match.state] + relation
    sureness = next((word for least, word in _SURENESS if match.confidence >= least), "hardly")
    return f"{sureness} {relation}"


class NoSuchError(LookupError):
    """There is no such tag, pair or track."""


class Forms:
    """Tags, pairs and tracks of a reconciliation, as the page is told of them."""

    def __init__(self, found: Reconciliation, clips: Clips):
        facts = found.facts
        self.vocabulary: Vocabulary = facts.vocabulary
        self.clips = clips
        self.tracks, self._artists = facts.tracks, facts.artists
        self._tags = scipy.sparse.csc_array(facts.tags)
        self._artist = facts.artist
        names = found.tracks()
        self._ids = tuple(names)
        self._names = tuple(names.values())
        self._artist_ids: dict[str, str] = {}
        for catalogue in found.catalogues:
            for track, artist in zip(catalogue.track_id, catalogue.artist_id, strict=True):
                self._artist_ids.setdefault(track, artist)
        self._rows: dict[tuple[str, str | None], Row] = {}
        self._called: dict[str, str] = {}
        self._known_examples: dict[str, list[str]] = {}
        self.heed(facts.rows)

    @functools.cached_property
    def _place(self) -> dict[str, int]:
        return {track: place for place, track in enumerate(self._ids)}

    def heed(self, rows: Iterable[Row]) -> None:
        """Takes new evidence."""
        self._rows = {(row["source"], row["target"]): row for row in rows}
        self.heard = any(row["fr"] is not None for row in self._rows.values())

    def name(self, decisions: Decisions) -> None:
        """Takes the new names that people gave."""
        self._called = {
            tag: decisions.called[head]
            for tag, head in decisions.canonical.items()
            if head in decisions.called
        }

    def tag_of(self, text: str) -> str:
        """The tag with an id.

        Raises:
          NoSuchError: there is none.
        """
        if not (text.isascii() and text.isdecimal() and len(text) < 9):
            raise NoSuchError(f"{text[:40]!r} is no tag")
        if int(text) >= len(self.vocabulary):
            raise NoSuchError(f"there is no tag {text}")
        return self.vocabulary.tags[int(text)]

    def pair_of(self, text: str) -> tuple[str, str | None]:
        """The tags of a pair with an id.

        Raises:
          NoSuchError: there is none.
        """
        first, dash, second = text.partition("-")
        if not dash:
            raise NoSuchError(f"{text[:40]!r} is no pair")
        source, target = self.tag_of(first), None if second == "none" else self.tag_of(second)
        if source == target:
            raise NoSuchError("a tag is no pair with itself")
        return source, target

    def track_of(self, text: str) -> str:
        """The id of a track in the tables, by its place.

        Raises:
          NoSuchError: there is none.
        """
        if not (text.isascii() and text.isdecimal() and len(text) < 12):
            raise NoSuchError("there is no such track")
        if int(text) >= len(self._ids):
            raise NoSuchError("there is no such track")
        return self._ids[int(text)]

    def id_of(self, source: str, target: str | None) -> str:
        """The id of a pair."""
        index = self.vocabulary.index
        return f"{index[source]}-{'none' if target is None else index[target]}"

    def match(self, view: View, source: str, target: str | None) -> Match:
        """What is said of a pair, also of one that nobody proposed."""
        found = view.pairs.get(key_of(source, target))
        return found or unheard(source, target, self._rows.get((source, target)))

    def tag(self, tag: str) -> Form:
        """TAGBRIEF."""
        return {
            "id": self.vocabulary.index[tag],
            "name": tag,
            "system": self.vocabulary.system_of(tag),
            "called": self._called.get(tag, ""),
            "tracks": self.tracks.get(tag, 0),
            "artists": self._artists.get(tag),
            "examples": self._examples(tag),
        }

    def brief(self, match: Match) -> Form:
        """BRIEF."""
        return {
            "id": self.id_of(match.source, match.target),
            "source": self.tag(match.source),
            "target": None if match.target is None else self.tag(match.target),
            "relation": match.relation,
            "confidence": round(match.confidence, 4),
            "state": match.state,
            "by": match.by,
            "note": match.note,
        }

    def pair(self, view: View, match: Match) -> Form:
        """PAIR."""
        row = self._rows.get((match.source, match.target))
        speaks_for, speaks_against, by = self._sides(match)
        shares = {name: round(share, 4) for name, share in chart(match, row).items()}
        return self.brief(match) | {
            "words": words(match),
            "chart": shares,
            "reasons": [dataclasses.asdict(reason) for reason in match.reasons],
            "rivals": [self.brief(rival) for rival in self._rivals(view, match)],
            "for": speaks_for,
            "against": speaks_against,
            "clips_by": by,
        }

    def clip(self, track: str, tag: str = "") -> Form:
        """CLIP, with the tag that it is a clip of."""
        place, audio = self._place[track], self.clips.audio
        artist, title = self._names[place]
        url = f"/clip/{place}?start={audio.start(track):g}"
        reason = audio.reason(track)
        named = {"track": place, "url": url, "artist": artist, "title": title}
        return {**named, "reason": reason, "tag": tag}

    def whole_tag(self, view: View, tag: str) -> Form:
        """All of a tag's page."""
        decisions = view.decisions
        canonical = decisions.canonical[tag]
        near = sorted((view.pairs[key] for key in view.of_tag.get(tag, ()) if key in view.pairs),
                      key=lambda match: -match.confidence)  # fmt: skip
        kin = {*decisions.parents.get(canonical, ()), *view.children.get(canonical, ())}
        near = [m for m in near if m.target and not kin & {m.source, m.target}]
        senses = [sense for sense in decisions.senses if sense.tag == tag]
        return {
            "tag": self.tag(tag),
            "canonical": self.tag(canonical),
            "name": decisions.name_of(tag),
            "spellings": [self.tag(t) for t in view.spellings.get(canonical, ())],
            "parents": [self.tag(t) for t in decisions.parents.get(canonical, ())],
            "children": [self.tag(t) for t in view.children.get(canonical, ())],
            "nearest": [self.brief(match) for match in near[:_NEAREST]],
            "senses": [form for sense in senses for form in self._senses(decisions, sense)],
            "split": bool(senses),
            "blocked": decisions.blocked.get(tag, ""),
            "clips": [self.clip(track, tag) for track in self._tracks_of(tag)[:_CLIPS]],
        }

    def map_tags(self, places: np.ndarray) -> list[Form]:
        """The points of the map; `places` are float64 [N, 2], NaN where there is none."""
        known = ~np.isnan(places).any(axis=1)
        some = places[known]
        if not len(some):
            return []
        low, high = some.min(axis=0), some.max(axis=0)
        scaled = (places - low) / np.where(high > low, high - low, 1.0)
        return [
            {"tag": k, "name": tag, "system": self.vocabulary.system[k], "x": round(float(x), 4),
             "y": round(float(y), 4), "tracks": self.tracks.get(tag, 0)}
            for k, (tag, (x, y)) in enumerate(zip(self.vocabulary.tags, scaled, strict=True))
            if known[k]
        ]  # fmt: skip

    def tree(self, view: View) -> list[Form]:
        """The tags that are below no other, each with those below it."""
        decisions = view.decisions
        heads = sorted({*decisions.canonical.values()} - decisions.blocked.keys())
        near = "sounds more like" if self.heard else "shares more tracks with"
        doubts = {
            match.source: f"{near} {match.target}"
            for match in decisions.matches
            if match.relation == "broad" and OBJECTS in match.note
        }

        def node(tag: str, parent: str) -> Form:
            below = sorted(view.children.get(tag, ()))
            first = (decisions.parents.get(tag) or ("",))[0] == parent
            inner = [node(child, tag) for child in below] if first else []
            return {"tag": self.tag(tag), "disagrees": doubts.get(tag, ""), "children": inner}

        return [node(tag, "") for tag in heads if not decisions.parents.get(tag)]

    def _senses(self, decisions: Decisions, sense: TwoSenses) -> Iterable[Form]:
        names = sense_names(decisions, sense)
        tracks = self._tracks_of(sense.tag, every=True)
        for name, artists, nearest in zip(names, sense.artists, sense.nearest, strict=True):
            own = [track for track in tracks if self._artist_ids[track] in {*artists}]
            clips = [self.clip(track, sense.tag) for track in own[:_CLIPS]]
            yield {"name": name, "nearest": nearest, "artists": len(artists), "clips": clips}

    def _rows_of(self, tag: str) -> np.ndarray:
        """Places of a tag's tracks."""
        column = self.vocabulary.index[tag]
        return self._tags.indices[self._tags.indptr[column] : self._tags.indptr[column + 1]]

    def _tracks_of(self, tag: str, every: bool = False) -> list[str]:
        """Ids of tracks of a tag, of different artists unless `every` one is wanted."""
        rows = self._rows_of(tag)
        if not every and self._artist is not None and len(rows):
            first = np.unique(self._artist[rows], return_index=True)[1]
            rows = rows[np.sort(first)]
        ids = [self._ids[row] for row in rows.tolist()]
        audio = self.clips.audio
        heard = [track for track in ids[:64] if not audio.reason(track)]
        return ids if every else heard or ids

    def _examples(self, tag: str) -> list[str]:
        """Names of the artists with the most tracks of a tag."""
        known = self._known_examples
        if tag not in known:
            rows = self._rows_of(tag)
            if self._artist is None:
                known[tag] = []
            else:
                _, first, counts = np.unique(
                    self._artist[rows], return_index=True, return_counts=True
                )
                order = np.argsort(-counts, kind="stable")[:_EXAMPLES]
                known[tag] = [self._names[rows[first[k]]][0] for k in order.tolist()]
        return known[tag]

    def _sides(self, match: Match) -> tuple[list[Form], list[Form], str]:
        """(clips for, clips against, who chose them: "sound" or "tag")."""
        source, target = match.source, match.target
        for pair in ((source, target), (target, source)) if target else ():
            row = self._rows.get(pair)
            if row and row["for"]:
                sides = [self._split(row[side] or "") for side in ("for", "against")]
                tags = (source, target or "")
                clips = [[self.clip(t, self._whose(t, tags)) for t in side] for side in sides]
                return clips[0], clips[1], "sound"
        clips = [
            [self.clip(track, tag) for track in self._tracks_of(tag)[:_CLIPS]] if tag else []
            for tag in (source, target)
        ]
        return clips[0], clips[1], "tag"

    def _split(self, cell: str) -> list[str]:
        """The track ids in a cell of evidence; ids may hold blanks themselves."""
        found, parts = list[str](), cell.split(" ")
        while parts:
            ends = range(len(parts), 0, -1)
            end = next((e for e in ends if " ".join(parts[:e]) in self._place), 0)
            if end:
                found.append(" ".join(parts[:end]))
            parts = parts[max(end, 1) :]
        return found

    def _whose(self, track: str, tags: Sequence[str]) -> str:
        place = self._place[track]
        return next((tag for tag in tags if tag and place in self._rows_of(tag)), "")

    def _rivals(self, view: View, match: Match) -> list[Match]:
        """The likeliest other pairs of both tags, in the system of the other one."""
        ends = [(match.source, match.target), (match.target, match.source)]
        found: dict[Key, Match] = {}
        for tag, other in ends:
            if tag is None:
                continue
            for key in view.of_tag.get(tag, ()):
                near = view.pairs.get(key)
                if near is None or near.target is None or other in key:
                    continue
                if other is None or self._systems(near) == self._systems(match):
                    found[key] = near
        return sorted(found.values(), key=lambda near: -near.confidence)[:_CLIPS]

    def _systems(self, match: Match) -> set[str]:
        tags = (match.source, match.target)
        return {self.vocabulary.system_of(tag) for tag in tags if tag}
