import collections
import csv
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest
from preview_server import PreviewServer, script

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUICK = ["--rate=50", "--per=0.02", "--backoff=0.001", "--retries=20", "--concurrency=4"]


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "launch.fetch_previews", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "NO_PROXY": "127.0.0.1", "COLUMNS": "80"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def program(*arguments):
    process = start(*arguments)
    stdout, stderr = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def listed(folder, count):
    tracks = [str(1000 + k) for k in range(count)]
    (folder / "ids.txt").write_text("\n".join(tracks) + "\n")
    flags = [*QUICK, f"--ids={folder}/ids.txt", f"--audio_dir={folder}/audio"]
    return tracks, flags


def wait_for(true, process=None):
    end = time.monotonic() + 60
    while not true() and time.monotonic() < end:
        if process and process.poll() is not None:
            break
        time.sleep(0.002)


def finished(folder):
    """Ids with a whole line in the ledger, read without our code."""
    path = folder / "previews.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return {json.loads(line)["sng_id"] for line in lines}


def test_a_manifest_to_audio_and_its_coverage(tmp_path):
    head = "sng_id,label,seg_start,seg_duration,tags"
    rows = [f"{5 + k},{'rock' if k % 2 else 'soul'},99,30,rock|soul" for k in range(6)]
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "train.csv").write_text("\n".join([head, *rows]) + "\n")
    (tmp_path / "m" / "test.csv").write_text(f"{head}\n50,jazz,0,30,jazz\n51,jazz,0,30,jazz\n")
    (tmp_path / "m" / "split.json").write_text('{"tags": ["jazz", "rock", "soul"]}')
    flags = [*QUICK, f"--manifest_dir={tmp_path}/m", f"--audio_dir={tmp_path}/audio"]
    with PreviewServer(no_data=["50"], no_preview=["5"], seconds={"6": 10.0}) as server:
        done = program(*flags, f"--api={server.url}/")
        assert done.returncode == 0, done.stderr
        assert sorted(server.asked("audio"), key=int) == ["6", "7", "8", "9", "10", "51"]
        assert (tmp_path / "audio" / "51.mp3").read_bytes() == server.audio("51")
        again = program(*flags, f"--api={server.url}")
        assert len(server.asked()) == 8
    assert "8 tracks, 0 to fetch" in again.stdout
    assert again.stdout.splitlines()[1:] == done.stdout.splitlines()[1:]
    assert "found                         6   75.0 %" in done.stdout
    assert "jazz: 1 of 2 tracks" in done.stdout
    assert "seg_start of a manifest cannot be honoured" in done.stdout
    assert "8/8" in done.stderr
    with (tmp_path / "audio" / "coverage.csv").open(newline="") as file:
        table = {row["tag"]: row for row in csv.DictReader(file)}
    assert list(table) == ["(all)", "jazz", "rock", "soul"]
    assert (table["rock"]["tracks"], table["rock"]["found"]) == ("6", "5")
    assert table["(all)"]["shorter_than_30_s"] == table["(all)"]["no_preview"] == "1"
    with (tmp_path / "audio" / "provenance.csv").open(newline="") as file:
        found = {row["sng_id"]: row for row in csv.DictReader(file)}
    assert (found["6"]["duration_s"], found["6"]["source"]) == ("10.0", "deezer preview")
    assert (found["51"]["path"], found["51"]["artist_id"]) == ("51.mp3", "2")


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_it_goes_on_and_fetches_nothing_twice(tmp_path, seed):
    tracks, flags = listed(tmp_path, 40)
    audio = tmp_path / "audio"
    api, heard = script(tracks, seed, most=1)
    draw = random.Random(seed)
    on_their_way = collections.Counter()
    with PreviewServer(
        api, heard, no_data=[tracks[3]], no_preview=[tracks[4]], delay=0.02
    ) as server:
        flags.append(f"--api={server.url}")
        for _ in range(3):
            before, known = len(server.log), finished(audio)
            process = start(*flags)
            goal = before + draw.randint(1, 30)
            wait_for(lambda goal=goal: len(server.log) >= goal, process)
            time.sleep(draw.uniform(0, 0.02))
            process.kill()
            process.communicate()
            wait_for(lambda: server.connections == 0)
            asked = {sng_id for _, _, sng_id, _ in server.log[before:]}
            assert not asked & known
            cut = asked - finished(audio)
            assert len(cut) <= 4  # Of --concurrency.
            on_their_way.update(cut)
            for path in audio.glob("[!.]*.mp3"):
                assert path.read_bytes() == server.audio(path.stem)
        known = finished(audio)
        before = len(server.log)
        done = program(*flags)
        assert done.returncode == 0, done.stderr
        assert not known & {sng_id for _, _, sng_id, _ in server.log[before:]}
        for sng_id in tracks:
            played = [fault for _, _, name, fault in server.log if name == sng_id]
            for kind in ("track", "audio"):
                good = [f for _, k, name, f in server.log if (k, name, f) == (kind, sng_id, "")]
                renewed = kind == "track" and ("expired" in played or "gone" in played)
                assert len(good) <= 1 + renewed + on_their_way[sng_id]
        there = [sng_id for sng_id in tracks if sng_id not in (tracks[3], tracks[4])]
        for sng_id in there:
            assert (audio / f"{sng_id}.mp3").read_bytes() == server.audio(sng_id)
    names = {"previews.jsonl", "coverage.csv", "provenance.csv"}
    assert {path.name for path in audio.iterdir()} == names | {f"{name}.mp3" for name in there}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_and_the_same_command_goes_on(tmp_path, number):
    tracks, flags = listed(tmp_path, 50)
    with PreviewServer({sng_id: ["slow"] for sng_id in tracks[20:]}, slow=1000) as server:
        flags += [f"--api={server.url}", "--timeout=1000"]
        process = start(*flags)
        wait_for(lambda: len(finished(tmp_path / "audio")) == 20, process)
        second = program(*flags)  # Meanwhile nobody else gets in.
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 128 + number
        assert f"stopped by {signal.Signals(number).name}" in stderr.splitlines()[-1]
        assert "with 30 of 50 tracks to go; the same command goes on" in stderr.splitlines()[-1]
        assert "Traceback" not in stderr
        assert "not fetched                  30   60.0 %" in stdout
        known = finished(tmp_path / "audio")
        assert known == set(tracks[:20])
        assert not [path for path in (tmp_path / "audio").iterdir() if path.name[0] == "."]
        server.behave()
        before = len(server.log)
        assert program(*flags).returncode == 0
        assert not known & {sng_id for _, _, sng_id, _ in server.log[before:]}
        assert finished(tmp_path / "audio") == set(tracks)
    assert second.returncode == 2
    assert "another process" in second.stderr
    assert second.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--audio_dir="], "--audio_dir"),
        (["--ids="], "--ids=FILE or by --manifest_dir=DIR"),
        (["--manifest_dir=m"], "--ids=FILE or by --manifest_dir=DIR"),
        (["--ids={0}/none.txt"], "none.txt: no such file"),
        (["--ids={0}/bad.txt"], "bad.txt:2: sng_id='../x'"),
        (["--api=api.deezer.com"], "https://"),
        (["--rate=0"], "--rate=0"),
        (["--audio_dir={0}/bad.txt"], "--audio_dir"),
    ],
)
def test_a_mistake_ends_in_one_line_and_exit_code_2(tmp_path, arguments, message):
    flags = listed(tmp_path, 1)[1]
    (tmp_path / "bad.txt").write_text("5\n../x\n")
    done = program(*flags, "--api=http://127.0.0.1:9", *(a.format(tmp_path) for a in arguments))
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_service_that_is_not_there_is_said_in_one_line(tmp_path):
    flags = [*listed(tmp_path, 60)[1], "--retries=0"]
    done = program(*flags, "--api=http://127.0.0.1:9")
    assert done.returncode == 2
    assert "tracks failed" in done.stderr.splitlines()[-1]
    assert "the same command goes on" in done.stderr.splitlines()[-1]


def test_help_says_what_lies_where():
    text = program("--help").stdout
    assert "coverage.csv" in text
    assert "--ids=ids.txt" in text
