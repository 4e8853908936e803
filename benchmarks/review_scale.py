"""Time and memory of the review at scale: its server, with one browser.

    python -m benchmarks.review_scale [--tracks=100000] [--tags=500] [--decisions=100]

Two catalogues are drawn, and evidence on their tags. The server is asked what comes first, clips
are heard, and decisions are made one after the other, while all is decided again behind them.
"""

import argparse
import http.client
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
import soundfile

from tagjax.base.files import write_json
from tagjax.base.tables import write_table
from tagjax.evidence.summary import SENSES
from tagjax.evidence.weigh import COLUMNS

_LISTED = 10
_FILES = 40


def draw(folder, tracks, tags, seed=0):
    """Writes annotations, audio and a reconciliation."""
    rng = np.random.default_rng(seed)
    weight = 1 / (np.arange(tags) + 10)
    tables = []
    for system in "ab":
        rows = []
        for k in range(tracks // 2):
            some = {f"t{j}" for j in rng.choice(tags, 3, p=weight / weight.sum())}
            rows.append((f"{system}{k}", f"{system}r{rng.integers(10_000)}", "", "|".join(some)))
        tables.append(str(folder / f"{system}.csv"))
        write_table(tables[-1], ("track_id", "artist_id", "album_id", "tags"), rows)
    sound = 0.3 * rng.normal(size=(180 * 44100, 1)).repeat(2, axis=1).clip(-3, 3) / 3
    (folder / "music").mkdir()
    for k in range(_FILES):
        path = folder / "music" / f"a{k}.mp3"
        if not k:
            soundfile.write(path, sound, 44100)
            first = path.read_bytes()
        path.write_bytes(first)
    out = folder / "out"
    (out / "evidence").mkdir(parents=True)
    write_table(out / "evidence" / "evidence.csv", COLUMNS, _evidence(tags, rng))
    write_table(out / "evidence" / "senses.csv", SENSES, ())
    write_json(out / "evidence" / "evidence.json", {"notes": []})
    origin = {"tables": tables, "prefix": ["a:", "b:"], "annotates": ["track", "track"]}
    write_json(out / "reconciliation.json", {"origin": origin, "config": {}})
    return out


def _evidence(tags, rng):
    """Rows for each tag, in its own system and in the other one; a name is sure of itself."""
    for own in "ab":
        for k in range(tags):
            for other in "ab":
                near = rng.choice(tags, _LISTED, replace=False)
                near = [k, *near[near != k]][:_LISTED] if other != own else near[near != k]
                sure = rng.beta(2, 1) if other != own else rng.beta(1, 8)
                shares = sure * 0.2 ** np.arange(len(near))
                for rank, (target, same) in enumerate(zip(near, shares, strict=True), 1):
                    kind, clips = (
                        ("same", ("a0 a1 a2", "a3 a4 a5")) if rank == 1 else ("none", ("", ""))
                    )
                    yield (
                        f"{own}:t{k}", f"{other}:t{target}", rank, kind, same * 0.9, same * 0.9,
                        0.05, 0.05, 0.02, 1 - sure, rank == 1 and sure > 0.9, 0.5, 0.5, 0.0, "", "",
                        9, 9, 9, 9, *clips,
                    )  # fmt: skip


class Browser:
    """One connection with the cookie."""

    def __init__(self, url):
        host, token = re.fullmatch(r"http://([\d.:]+)/\?token=(\S+)", url).groups()
        self._connection, self._headers = http.client.HTTPConnection(host), {}
        _, headers, _ = self.ask(f"/?token={token}")
        self._headers["Cookie"] = headers["set-cookie"].partition(";")[0]

    def ask(self, path, body=None):
        """(seconds, headers, body) of an answer."""
        begin, headers = time.monotonic(), dict(self._headers)
        if body is not None:
            body = json.dumps(body)
            headers |= {"X-Tagjax": "1", "Content-Type": "application/json"}
        self._connection.request("GET" if body is None else "POST", path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if "json" in answer.headers.get("content-type", ""):
            content = json.loads(content or b"{}")
        return time.monotonic() - begin, answer.headers, content


def memory(process):
    """Megabytes at most, of a process."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--tags", type=int, default=500)
    parser.add_argument("--decisions", type=int, default=100)
    flags = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        out = draw(folder, flags.tracks, flags.tags)
        command = [sys.executable, "-m", "launch.review", f"--reconciliation={out}", "--port=0"]
        begin = time.monotonic()
        with subprocess.Popen(
            [*command, f"--audio_dir={folder / 'music'}"], stdout=subprocess.PIPE, text=True
        ) as process:
            line = next(line for line in process.stdout if line.startswith("review: "))
            print(f"start {time.monotonic() - begin:.1f} s")
            measure(Browser(line.split()[1]), flags.decisions)
            print(f"memory {memory(process):.0f} MiB")
            process.terminate()


def measure(browser, decisions):
    """Prints what takes how long."""
    seconds, _, state = browser.ask("/api/state")
    took, _, found = browser.ask("/api/next")
    print(f"first decision {1000 * (seconds + took):.0f} ms; {state['left']} to be reviewed")
    clips = [browser.ask(f"/clip/{k}?start=90")[0] for k in range(_FILES)]
    print(f"clips {_spread(clips)}")
    times, verdicts = [], ("positive", "negative", "unsure")
    for k in range(decisions):
        pair = found.get("pair") or found["next"]
        body = {"pair": pair["id"], "verdict": verdicts[k % 3], "relation": pair["relation"]}
        took, _, found = browser.ask("/api/decide", body | {"version": 10**6})
        times.append(took)
        time.sleep(0.2 if k % 10 else 1.0)
    print(f"decisions {_spread(times)}")
    for path in (
        "pairs?limit=100",
        "pairs?sort=tag&low=0.2&tag=t1",
        "tags?q=1",
        "tag/3",
        "tree",
        "map",
    ):
        print(f"/api/{path} {1000 * browser.ask(f'/api/{path}')[0]:.0f} ms")


def _spread(times):
    median, late, last = (1000 * np.quantile(times, share) for share in (0.5, 0.95, 1))
    return f"{median:.0f} ms, 95 % within {late:.0f} ms, at most {last:.0f} ms"


if __name__ == "__main__":
    main()
