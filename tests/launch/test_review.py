"""`launch.review` as a user runs it: a process, an address, and what survives its end."""

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest
from reviewed import write_reconciliation
from running import ROOT, mistake, succeed

from tagjax.reconcile.people import path_of


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("review")
    write_reconciliation(root, features=False)
    return root


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written / "out", tmp_path / "out")


@contextlib.contextmanager
def serving(folder, *words):
    """(process, lines before the address, (port, token)) of a server, which is killed."""
    command = [sys.executable, "-m", "launch.review", f"--reconciliation={folder}", "--port=0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, *words], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            lines = []
            for line in process.stdout:
                found = re.fullmatch(r"review: http://127\.0\.0\.1:(\d+)/\?token=(\S+)\n", line)
                if found:
                    break
                lines.append(line)
            yield process, lines, (int(found[1]), found[2])
        finally:
            process.kill()


class Client:
    """A connection with the cookie."""

    def __init__(self, port, token):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {}
        _, headers, _ = self.ask(f"/?token={token}")
        self.headers = {"Cookie": headers["set-cookie"].partition(";")[0]}

    def ask(self, path, body=None):
        """(status, headers, body) of an answer."""
        headers = dict(self.headers)
        if body is not None:
            headers |= {"X-Tagjax": "1", "Content-Type": "application/json"}
            body = json.dumps(body)
        self.connection.request("GET" if body is None else "POST", path, body, headers)
        answer = self.connection.getresponse()
        content = answer.read()
        return answer.status, answer.headers, json.loads(content or b"{}")


def decide(client, pair):
    body = {"pair": pair["id"], "verdict": "negative", "relation": "exact", "version": 10**6}
    return client.ask("/api/decide", body)


def test_what_was_decided_survives_a_kill_and_launch_reconcile_heeds_it(folder, written):
    with serving(folder) as (process, lines, address):
        assert lines == ["no audio is named (--audio_dir)\n"]
        client = Client(*address)
        (pair,) = client.ask("/api/pairs?limit=1&state=accepted")[2]["pairs"]
        assert decide(client, pair)[0] == 200
        process.send_signal(signal.SIGKILL)
        process.wait()
    text = path_of(folder, "negative").read_text()
    assert text.count(pair["source"]["name"] + "\t") >= 1
    with serving(folder) as (_, _, address):
        client = Client(*address)
        assert client.ask("/api/state")[2]["decided"] == 1
        assert client.ask(f"/api/pair/{pair['id']}")[2]["state"] == "rejected"
        tag = f"/api/tag/{pair['source']['id']}"
        assert client.ask(tag, {"block": True})[0] == 200
        assert client.ask(tag, {"canonical": "Renamed"})[0] == 200
    words = (f"--annotations={written}/a.csv,{written}/b.csv", "--prefix=a:,b:", f"--out={folder}")
    succeed("reconcile", *words, folder=folder.parent)
    assert path_of(folder, "negative").read_text() == text
    blocked = (folder / "blocked.csv").read_text()
    assert f"{pair['source']['name']},a person says so" in blocked
    assert f"{pair['source']['name']},a:Renamed," in (folder / "vocabulary.csv").read_text()
    with serving(folder) as (_, _, address):
        client = Client(*address)
        undone = [client.ask("/api/undo", {})[2] for _ in range(3)]
        assert [each["tag"] is None for each in undone] == [False, False, True]
        assert undone[-1]["pair"]["id"] == pair["id"]
        assert client.ask("/api/undo", {})[0] == 409
    assert (folder / "tags.csv").exists() is False


def test_a_thousand_open_connections_do_not_stop_the_page(folder):
    with serving(folder) as (_, _, (port, token)), contextlib.ExitStack() as stack:
        for k in range(1000):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            if k % 2:
                connection.sendall(b"POST /api/decide HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n")
        client = Client(port, token)
        status, _, state = client.ask("/api/state")
        assert (status, state["decided"]) == (200, 0)


def test_it_ends_at_a_signal_without_a_word(folder):
    with serving(folder) as (process, _, address):
        Client(*address).ask("/api/state")
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        assert "Traceback" not in rest


def test_a_port_in_use_is_one_line(folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = mistake("review", f"--reconciliation={folder}", f"--port={port}")
        assert f"--port={port}: Address already in use; choose another" in line


def test_a_people_file_that_does_not_parse_is_named(folder):
    path = path_of(folder, "positive")
    path.write_text(path.read_text() + "one\ttwo\n")
    before = path.read_bytes()
    with serving(folder) as (_, lines, address):
        assert "positive.sssom.tsv:" in lines[-1]
        assert "positive.sssom.tsv:" in Client(*address).ask("/api/state")[2]["error"]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name --reconciliation; see --help"),
        (("--reconciliation=nowhere",), "nowhere: no reconciliation.json"),
        (("--reconciliation={folder}", "--audio_dir=gone"), "--audio_dir=gone: no such folder"),
        (("--reconciliation={folder}", "--tracks=gone.csv"), "gone.csv: no such file"),
    ],
)
def test_a_mistake_is_one_line(folder, words, said):
    assert said in mistake("review", *(word.format(folder=folder) for word in words))


def test_another_music_folder_has_none_of_the_tracks(folder, tmp_path):
    (tmp_path / "other").mkdir()
    with serving(folder, f"--audio_dir={tmp_path / 'other'}") as (_, lines, address):
        assert "tracks is in" in lines[0]
        state = Client(*address).ask("/api/state")[2]
        assert (state["clips"], state["clips_note"] + "\n") == (False, lines[0])


def test_an_older_reconciliation_and_tables_that_are_gone(folder):
    record = json.loads((folder / "reconciliation.json").read_text())
    tables = record["origin"].pop("tables")
    (folder / "reconciliation.json").write_text(json.dumps(record))
    line = mistake("review", f"--reconciliation={folder}")
    assert "of another version of tagjax ('tables'); run launch.reconcile again" in line
    record["origin"]["tables"] = [f"{tables[0]}.gone"]
    record["origin"]["prefix"] = ["a:"]
    (folder / "reconciliation.json").write_text(json.dumps(record))
    assert "a.csv.gone: no such file" in mistake("review", f"--reconciliation={folder}")
