"""A small reconciliation to be reviewed, with audio, and a browser's side of the talk."""

import warnings

import numpy as np
import soundfile
from evident import NAMES, QUICK, catalogues

from tagjax.base.tables import write_table
from tagjax.catalogue.annotations import read_catalogues
from tagjax.reconcile import reconciling
from tagjax.reconcile.loading import load_reconciliation
from tagjax.review.app import make_app
from tagjax.review.clips import Clips, find_audio
from tagjax.review.guard import Guard
from tagjax.review.people_store import PeopleStore
from tagjax.review.session import Session

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # It would like a fork of httpx.
    from starlette.testclient import TestClient

RATE = 44100
HOST = "http://127.0.0.1:8765"
EVIL = "<img src=x onerror=alert(1)>"


def tone(path, hertz=1000, seconds=20, level=0.02, rate=RATE):
    """A file with a stereo tone."""
    sound = level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    soundfile.write(path, np.stack([sound, sound], 1), rate)


def write_reconciliation(root, features=True, evil=True):
    """Two catalogues, decided on, in `root/out`; some tracks are tones in `root/music`."""
    given, (ids, vectors) = catalogues(names=(NAMES, NAMES), shared=30, noise=2.5)
    paths = []
    for name, catalogue in zip("ab", given, strict=True):
        rows = []
        for k, (track, artist, tags) in enumerate(
            zip(catalogue.track_id, catalogue.artist_id, catalogue.tags, strict=True)
        ):
            some = ["Dub" if tag == "dub" and name == "a" and k % 5 == 0 else tag for tag in tags]
            some += [EVIL] * (evil and k in (3, 4, 5))
            rows.append((track, artist, "", "|".join(some), EVIL if k == 0 else artist))
        paths.append(root / f"{name}.csv")
        write_table(paths[-1], ("track_id", "artist_id", "album_id", "tags", "artist"), rows)
    np.savez(root / "vectors.npz", ids=ids, vectors=vectors)
    (root / "music").mkdir()
    for k, track in enumerate(ids[:12]):
        tone(root / "music" / f"{track}.wav", 200 + 100 * k)
    found = read_catalogues(paths, ["a:", "b:"])
    vectors = (ids, vectors) if features else None
    decided = reconciling.reconcile(found, root / "out", features=vectors, weighing=QUICK)
    origin = {
        "tables": [str(path) for path in paths],
        "prefix": ["a:", "b:"],
        "annotates": [],
        "features": str(root / "vectors.npz") if features else None,
    }
    reconciling.write(root / "out", decided, origin)
    return root / "out"


class Review:
    """A review without a network: its session, and clients of it."""

    def __init__(self, folder, music=None, learn=False):
        self.found = load_reconciliation(folder)
        self.store = PeopleStore(folder, self.found.facts.vocabulary, "Anna")
        clips = Clips(find_audio([*self.found.tracks()], music))
        self.session = Session(self.found, self.store, clips, learn)
        self.guard = Guard(make_app(self.session), 8765, "secret")

    def window(self):
        """A window of a browser that came by the address with the token."""
        client = TestClient(self.guard, base_url=HOST, raise_server_exceptions=False)
        answer = client.get("/?token=secret", follow_redirects=False)
        assert answer.status_code == 303
        return Window(client)


class Window:
    """The page, as far as it talks to the server."""

    def __init__(self, client):
        self.client = client

    def get(self, path):
        """The answer to a question."""
        return self.client.get(path)

    def post(self, path, body, **headers):
        """The answer to a decision."""
        return self.client.post(path, json=body, headers={"X-Tagjax": "1", **headers})

    def state(self):
        return self.get("/api/state").json()

    def next(self, skip=""):
        return self.get(f"/api/next?skip={skip}").json()["pair"]

    def decide(self, pair, verdict="positive", relation="exact", version=None):
        """Decides a pair, as of the last state or of a version."""
        version = self.state()["version"] if version is None else version
        body = {"pair": pair, "verdict": verdict, "relation": relation, "version": version}
        return self.post("/api/decide", body)
