"""A server that speaks the review's JSON with invented data, for tests of the page.

`python tests/browser/fake_server.py --folder=FOLDER [--port=0] [--clips=none] [--unheard]`
prints its address.
Decisions are in FOLDER/decisions.json, which is read again at each request: it outlives the server
and may be edited by hand. Names are hostile on purpose. If
there is a file FOLDER/die, the server ends after it wrote a decision, before it answers.
"""

import argparse
import dataclasses
import http.cookies
import http.server
import io
import json
import math
import os
import pathlib
import random
import re
import secrets
import struct
import threading
import urllib.parse
import wave

PAGE = pathlib.Path(__file__).resolve().parents[2] / "tagjax" / "review" / "page"
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
KINDS = ("exact", "broad", "narrow", "related", "none")
WORDS = {
    "exact": "probably the same",
    "close": "perhaps nearly the same",
    "broad": "probably a kind of",
    "narrow": "probably includes",
    "related": "perhaps related",
    "none": "probably has no counterpart",
}
BARE = (
    "dub",
    "Roots Reggae",
    "<img src=x onerror=alert(1)>",
    "</script><script>window.hacked = 1</script>",
    "ダブ・レゲエ",
    "\u202egnirts desrever",
    "موسيقى شعبية",
    "a tag whose name is far longer than anybody would reasonably type into a tagging program " * 2,
    "Thisisonewordwithoutanyspacewhichhastobebrokensomewhereorelsethepagescrollssideways",
    "Ärger & Spaß",
    "drum'n'bass",
    'quo"ted\\name',
    "chanson française",
    "électro-pop",
    "bossa nova",
    "free jazz",
    "post-punk",
    "shoegaze",
    "krautrock",
    "highlife",
)
ARTISTS = ("King Tubby", "<b>Bold & Co</b>", "Πόπη", "Scientist", 'O\'Neill "Quote"', "صباح")
RATE = 22050


@dataclasses.dataclass
class Store:
    """What is decided: a list of {"pair", "verdict", "relation"}, in a file."""

    path: pathlib.Path
    version: int = 1
    seen: str = "[]"

    def read(self) -> tuple[list[dict], str]:
        text = self.path.read_text() if self.path.exists() else "[]"
        if text != self.seen:
            self.seen, self.version = text, self.version + 1
        try:
            return json.loads(text), ""
        except ValueError:
            return [], f"{self.path.name}: line 1: this is no JSON. Mend it, or move it away."

    def write(self, decisions: list[dict]) -> None:
        self.path.write_text(json.dumps(decisions))
        self.read()


class Data:
    """Invented tags and pairs."""

    def __init__(self, clips: bool, heard: bool, size: int) -> None:
        draw = random.Random(0)
        self.clips, self.heard = clips, heard
        self.tags = []
        for index in range(size):
            system = ("a:", "b:")[index % 2]
            bare = BARE[index // 2] if index // 2 < len(BARE) else f"style {index // 2}"
            self.tags.append(
                {
                    "id": index,
                    "name": system + (bare if index % 2 == 0 else bare.upper()),
                    "system": system,
                    "tracks": draw.randrange(3, 20000),
                    "artists": draw.randrange(1, 900) if index % 7 else None,
                    "examples": [ARTISTS[(index + k) % len(ARTISTS)] for k in range(index % 4)],
                    "called": "",
                }
            )
        self.points = [
            {"tag": tag["id"], "name": tag["name"], "system": tag["system"]}
            | {"x": draw.random(), "y": draw.random(), "tracks": tag["tracks"]}
            for tag in self.tags
        ]
        self.pairs = {}
        for index in range(0, size, 2):
            for step in (1, 3, 5):
                self._add(index, None if step == 5 and index % 4 else (index + step) % size, draw)

    def _add(self, source: int, target: int | None, draw: random.Random) -> None:
        relation = "none" if target is None else KINDS[draw.choice((0, 0, 0, 1, 2, 3))]
        shares = {kind: draw.random() * 0.3 for kind in KINDS}
        shares[relation] += 0.2 + draw.random()
        total = sum(shares.values())
        chart = {kind: share / total for kind, share in shares.items()}
        self.pairs[f"{source}-{'none' if target is None else target}"] = {
            "id": f"{source}-{'none' if target is None else target}",
            "source": self.tags[source],
            "target": None if target is None else self.tags[target],
            "relation": relation,
            "confidence": chart[relation],
            "state": draw.choice(("review", "review", "candidate")),
            "by": "tagjax",
            "note": "It is <b>not</b> sure." if source % 3 == 0 else "",
            "chart": chart,
        }

    def brief(self, pair: dict, decisions: list[dict]) -> dict:
        found = {k: v for k, v in pair.items() if k != "chart"}
        for decision in decisions:
            if decision["pair"] == pair["id"]:
                verdict = decision["verdict"]
                states = {"positive": "accepted", "negative": "rejected", "unsure": "unsure"}
                found |= {"state": states[verdict], "by": "a person"}
                found["relation"] = decision["relation"]
        return found

    def clip(self, track: int, reason: str = "") -> dict:
        return {
            "track": track,
            "url": f"/clip/{track}?start=30.0",
            "artist": ARTISTS[track % len(ARTISTS)],
            "title": f"Version {track} <i>of it</i>",
            "reason": reason or ("" if self.clips else "there is no audio"),
            "tag": self.tags[track % len(self.tags)]["name"],
        }

    def whole(self, pair: dict, decisions: list[dict]) -> dict:
        source = pair["source"]["id"]
        others = [p for p in self.pairs.values() if p["source"] is pair["source"] and p is not pair]
        first = list(self.pairs).index(pair["id"]) * 6
        gone = "missing.mp3 is not in the music folder"
        return self.brief(pair, decisions) | {
            "words": WORDS[pair["relation"]],
            "chart": pair["chart"],
            "reasons": [
                {"source": "joint", "measure": "probability", "value": pair["confidence"]},
                {"source": "sound", "measure": "cosine of fr", "value": 0.7}
                if self.heard
                else {"source": "together", "measure": "cosine on common tracks", "value": 0.4},
                {"source": "spelling", "measure": "plural", "value": None},
            ][: 2 + source % 2],
            "rivals": [self.brief(other, decisions) for other in others[:3]],
            "for": [self.clip(first + k) for k in range(3)],
            "clips_by": "sound" if self.heard and source % 4 else "tag",
            "against": [self.clip(first + 3), self.clip(13), self.clip(first + 5, gone)],
        }

    def queue(self, decisions: list[dict], skip: set[str]) -> list[dict]:
        done = {decision["pair"] for decision in decisions} | skip
        left = [pair for name, pair in self.pairs.items() if name not in done]
        return sorted(left, key=lambda pair: abs(pair["confidence"] - 0.5))

    def of(self, index: int, decisions: list[dict]) -> dict:
        tag, size = self.tags[index], len(self.tags)
        near = [p for p in self.pairs.values() if tag in (p["source"], p["target"])]
        senses = [
            {"name": f"{tag['name']} ({k + 1})", "nearest": self.tags[k]["name"], "artists": 9 - k}
            | {"clips": [self.clip(index * 6 + k), self.clip(index * 6 + k + 2)]}
            for k in range(2)
        ]
        return {
            "tag": tag,
            "canonical": tag,
            "spellings": [tag, self.tags[(index + 2) % size]],
            "parents": [self.tags[(index + 4) % size]],
            "children": [self.tags[(index + k) % size] for k in (6, 8, 10)],
            "nearest": [self.brief(pair, decisions) for pair in near],
            "senses": senses if self.heard and index % 3 == 0 else [],
            "blocked": "",
            "clips": [self.clip(index * 6 + k) for k in range(3)],
        }

    def tree(self) -> list[dict]:
        size = len(self.tags)

        def node(index: int, deep: int) -> dict:
            below = range(index * 3 + 1, index * 3 + 4) if deep else ()
            doubt = self.heard and index % 5 == 4
            says = f"It sounds more like {self.tags[0]['name']}" if doubt else ""
            return {
                "tag": self.tags[index % size],
                "disagrees": says,
                "children": [node(child, deep - 1) for child in below],
            }

        return [node(index, 2) for index in range(4)]


def tone(track: int, seconds: float = 3.0) -> bytes:
    """A WAV of a sine of 220 Hz and a little more for each track."""
    count, pitch = int(RATE * seconds), 220 + 10 * (track % 40)
    values = (
        int(12000 * math.sin(2 * math.pi * pitch * k / RATE) * min(1, k / 500, (count - k) / 500))
        for k in range(count)
    )
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(b"".join(struct.pack("<h", value) for value in values))
    return buffer.getvalue()


class RefusalError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Handler(http.server.BaseHTTPRequestHandler):
    """One request. Class attributes are the server's."""

    protocol_version = "HTTP/1.1"
    data: Data
    store: Store
    token: str
    actions: list[tuple[int, str, object]]
    lock = threading.Lock()

    def log_message(self, *_args) -> None:
        pass

    def do_GET(self) -> None:
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if parts.path == "/" and query.get("token") == self.token:
            self.send_response(303)
            self.send_header("Set-Cookie", f"tagjax={self.token}; HttpOnly; SameSite=Strict")
            self.send_header("Location", "/")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self._answer(lambda: self._get(parts.path, query))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(lambda: self._post(self.path, json.loads(body)))

    def _answer(self, work) -> None:
        try:
            cookie = http.cookies.SimpleCookie(self.headers.get("Cookie", ""))
            if "tagjax" not in cookie or cookie["tagjax"].value != self.token:
                raise RefusalError(403, "open the address that the server printed")
            if self.command == "POST" and self.headers.get("X-Tagjax") != "1":
                raise RefusalError(403, "no X-Tagjax")
            with self.lock:
                answer = work()
        except RefusalError as error:
            self._send(error.status, "application/json", json.dumps({"error": str(error)}).encode())
        else:
            if isinstance(answer, bytes):
                return
            self._send(200, "application/json", json.dumps(answer).encode())

    def _send(
        self, status: int, kind: str, body: bytes, more: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        headers = {"Content-Type": kind, "Content-Length": str(len(body))}
        headers |= {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"} | (more or {})
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _get(self, path: str, query: dict[str, str]):
        decisions, _ = self.store.read()
        names = {f"/static/{file.name}": file.name for file in PAGE.iterdir()} | {"/": "index.html"}
        if name := names.get(path):
            kind = TYPES[name.rsplit(".")[-1]]
            self._send(200, f"{kind}; charset=utf-8", (PAGE / name).read_bytes())
            return b""
        if path == "/api/state":
            return self._state()
        if path == "/api/next":
            return {"pair": self._next(set(query.get("skip", "").split(",")))}
        if path == "/api/pairs":
            return self._pairs(query, decisions)
        if found := re.fullmatch(r"/api/pair/([\w-]+)", path):
            return self.data.whole(self._pair(found[1]), decisions)
        if path == "/api/tags":
            text = query.get("q", "").casefold()
            return {"tags": [t for t in self.data.tags if text in t["name"].casefold()][:50]}
        if found := re.fullmatch(r"/api/tag/(\d+)", path):
            return self._tag(int(found[1]), decisions)
        if path == "/api/map":
            note = "" if self.data.heard else "drawn by the tracks that tags have in common"
            return {"points": self.data.points, "note": note}
        if path == "/api/tree":
            return {"roots": self.data.tree()}
        if found := re.fullmatch(r"/clip/(\d+)", path):
            return self._clip(int(found[1]))
        raise RefusalError(404, "there is no such page")

    def _tag(self, index: int, decisions: list[dict]) -> dict:
        found = self.data.of(index, decisions)
        name = found["tag"]["name"]
        for tag, action, value in self.actions:
            if tag != index:
                continue
            if action == "block":
                found["blocked"] = "a person blocked it" if value else ""
            elif action == "canonical":
                name = value if value.startswith(found["tag"]["system"]) else f"a:{value}"
            else:
                found[action] = value
        return {"split": False, "name": name} | found

    def _choose(self, index: int, body: dict) -> dict:
        ((action, value),) = body.items()
        if action == "canonical" and not value.strip():
            raise RefusalError(400, "a name is needed")
        if action == "canonical" and value in {t["name"] for t in self.data.tags[8:]}:
            raise RefusalError(409, f"{value!r} is another tag; say that the two are the same")
        self.actions.append((index, action, value))
        self.store.version += 1
        return {"state": self._state(), "tag": self._tag(index, self.store.read()[0])}

    def _undo(self, decisions: list[dict]) -> dict:
        if self.actions:  # They count as the latest.
            index, action, _ = self.actions.pop()
            self.store.version += 1
            tag = self._tag(index, decisions)
            said = f"{action} of {tag['tag']['name']}"
            return {"state": self._state(), "pair": None, "tag": tag, "said": said}
        if not decisions:
            raise RefusalError(409, "there is nothing to undo")
        last = decisions.pop()
        self.store.write(decisions)
        pair = self.data.whole(self._pair(last["pair"]), decisions)
        said = f"{last['verdict']}, {last['relation']}"
        return {"state": self._state(), "pair": pair, "tag": None, "said": said}

    def _pairs(self, query: dict[str, str], decisions: list[dict]) -> dict:
        rows = [self.data.brief(pair, decisions) for pair in self.data.queue([], set())]
        for field in ("state", "relation"):
            if query.get(field):
                rows = [row for row in rows if row[field] in query[field].split(",")]
        low, high = float(query.get("low") or 0), float(query.get("high") or 1)
        if not 0 <= low <= 1 or not 0 <= high <= 1:
            raise RefusalError(400, "low, high: numbers from 0 to 1 are needed")
        rows = [row for row in rows if low <= row["confidence"] <= high]
        text = query.get("tag", "").casefold()
        both = [(row["source"], row["target"] or row["source"]) for row in rows]
        names = [f"{source['name']} {target['name']}".casefold() for source, target in both]
        rows = [row for row, name in zip(rows, names, strict=True) if text in name]
        if query.get("sort") == "confidence":
            rows.sort(key=lambda row: -row["confidence"])
        if query.get("sort") == "tag":
            rows.sort(key=lambda row: row["source"]["name"].casefold())
        first = int(query.get("offset") or 0)
        return {"total": len(rows), "pairs": rows[first : first + int(query.get("limit") or 100)]}

    def _post(self, path: str, body: dict):
        decisions, error = self.store.read()
        if error and path != "/api/many":
            raise RefusalError(409, error)
        if path == "/api/decide":
            pair = self._pair(body["pair"])
            other = [d for d in decisions if d["pair"] == pair["id"]]
            if other and other[-1].get("version", 0) > body["version"]:
                raise RefusalError(409, "somebody else decided this pair meanwhile")
            self._decide({pair["id"]: body["relation"]}, body["verdict"])
            return {"state": self._state(), "next": self._next(set())}
        if path == "/api/undo":
            return self._undo(decisions)
        if path == "/api/many":
            would = [f"{name}: {body['verdict']}, {rel}" for name, rel in body["pairs"].items()]
            if not body["preview"]:
                self._decide(body["pairs"], body["verdict"])
            return {"would": would, "refused": [], "state": self._state()}
        if found := re.fullmatch(r"/api/tag/(\d+)", path):
            return self._choose(int(found[1]), body)
        raise RefusalError(404, "there is no such page")

    def _decide(self, pairs: dict[str, str], verdict: str) -> None:
        decisions = [d for d in self.store.read()[0] if d["pair"] not in pairs]
        version = self.store.version + 1
        for name, relation in pairs.items():
            decisions.append(
                {"pair": name, "verdict": verdict, "relation": relation, "version": version}
            )
        self.store.write(decisions)
        if (self.store.path.parent / "die").exists():
            os._exit(1)

    def _pair(self, name: str) -> dict:
        if name not in self.data.pairs:
            raise RefusalError(404, "there is no such pair")
        return self.data.pairs[name]

    def _next(self, skip: set[str]) -> dict | None:
        decisions, _ = self.store.read()
        queue = self.data.queue(decisions, skip)
        return self.data.whole(queue[0], decisions) if queue else None

    def _state(self) -> dict:
        decisions, error = self.store.read()
        total, done = len(self.data.pairs), len(decisions)
        left = self.data.queue(decisions, set())
        candidates = sum(pair["state"] == "candidate" for pair in left)
        reopened = ["Open again"] * (not decisions and self.store.version > 1)
        changed = reopened + [
            f"{self.data.pairs[d['pair']]['source']['name']}: {d['verdict']}, {d['relation']}"
            for d in decisions[-2:]
        ]
        return {
            "systems": ["a:", "b:"],
            "total": total,
            "decided": done,
            "left": len(left),
            "to_review": len(left) - candidates,
            "accepted_unsure": 0,
            "candidates_unsure": candidates,
            "heard": self.data.heard,
            "clips": self.data.clips,
            "clips_note": "" if self.data.clips else "No audio was given: review goes on without.",
            "busy": False,
            "changed": changed,
            "version": self.store.version,
            "error": error,
            "can_undo": bool(decisions or self.actions),
            "undo": "what was done last" if decisions or self.actions else "",
        }

    def _clip(self, track: int) -> bytes:
        if track % 100 == 13:
            raise RefusalError(404, "13.mp3 cannot be decoded")
        whole = tone(track)
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not found:
            self._send(200, "audio/wav", whole, {"Accept-Ranges": "bytes"})
            return b""
        first, last = int(found[1]), min(int(found[2] or len(whole)), len(whole) - 1)
        span = {"Content-Range": f"bytes {first}-{last}/{len(whole)}", "Accept-Ranges": "bytes"}
        self._send(206, "audio/wav", whole[first : last + 1], span)
        return b""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--clips", choices=("tones", "none"), default="tones")
    parser.add_argument("--unheard", action="store_true")
    parser.add_argument("--tags", type=int, default=60)
    options = parser.parse_args()
    Handler.data = Data(options.clips == "tones", not options.unheard, options.tags)
    Handler.store = Store(options.folder / "decisions.json")
    Handler.token = secrets.token_urlsafe(16)
    Handler.actions = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    port = server.server_address[1]
    print(f"review: http://127.0.0.1:{port}/?token={Handler.token}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
