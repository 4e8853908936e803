"""launch.apply as people use it: look, write, be killed, write again, undo."""

import csv
import json
import random
import shutil
import signal
import subprocess
import sys
import time

import mutagen
import numpy as np
import pytest
import soundfile
from running import ROOT, mistake, run, succeed

from tagjax.base.tables import write_table
from tagjax.catalogue.sources import filetags


@pytest.fixture(scope="session")
def originals(tmp_path_factory):
    """24 songs in four formats; every third has the genre that is replaced."""
    folder = tmp_path_factory.mktemp("originals") / "music"
    wave = 0.1 * np.sin(0.05 * np.arange(24000))
    for k in range(24):
        extension, subtype = (("flac", None), ("ogg", "VORBIS"), ("mp3", None), ("opus", "OPUS"))[
            k % 4
        ]
        path = folder / f"Artist {k // 2}" / f"{k:02} song.{extension}"
        path.parent.mkdir(exist_ok=True, parents=True)
        form = "OGG" if subtype else extension.upper()
        soundfile.write(path, wave, 24000, format=form, subtype=subtype)
        file = mutagen.File(path, easy=True)
        if file.tags is None:
            file.add_tags()
        file["artist"] = f"Artist {k // 2}"
        file["genre"] = ["techno; Other", "Rock, Hardcore", "Drum & Bass"][k % 3]
        file.save()
    return folder


@pytest.fixture
def music(originals, tmp_path):
    """A copy of the songs, beside the decisions on their tags."""
    shutil.copytree(originals, tmp_path / "music")
    tags = {"techno": "Techno", "Techno": "Techno", "Rock": "Rock", "Hardcore": "Hardcore"}
    tags |= {"Drum & Bass": "Drum & Bass"}
    write_table(tmp_path / "made" / "vocabulary.csv", ("tag", "canonical"), tags.items())
    write_table(tmp_path / "made" / "blocked.csv", ("tag", "why"), [("Other", "a word for none")])
    rows = [
        ("Hardcore", "Hardcore (Punk)", "artist 0"),
        ("Hardcore", "Hardcore (Rave)", "artist 2"),
    ]
    write_table(tmp_path / "made" / "senses.csv", ("tag", "sense", "artist"), rows)
    return tmp_path / "music"


def content(folder):
    """{path: bytes} of all files, hidden ones too."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def flags(music, *more):
    return [f"--decisions={music.parent}/made", f"--library={music}", *more]


def test_look_write_and_undo(music):
    before = content(music)
    out = music.parent / "changes.csv"
    done = succeed("apply", *flags(music, f"--out={out}"))
    assert done.stdout.splitlines() == [
        "     8 techno -> Techno",
        f"written: {out}",
        "to be changed: 8 files; nothing is written without --write",
    ]
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "path": "Artist 0/00 song.flac",
        "before": "techno; Other",
        "after": "Techno; Other",
    }
    assert content(music) == before
    done = succeed("apply", *flags(music, "--write"))
    assert "changed: 8 files" in done.stdout
    undo = f"--undo={music.parent}/made/undo.jsonl"
    assert done.stdout.splitlines()[-1] == f"undo: python -m launch.apply {undo}"
    after = content(music)
    assert sum(after[name] != before[name] for name in before) == 8 == len(after) - 16
    assert "changed: 0 files" in succeed("apply", *flags(music, "--write")).stdout
    more = ("--write", "--drop_blocked", "--split_senses")
    done = succeed("apply", *flags(music, *more))
    assert "     8 Other -> (dropped)\n" in done.stdout
    assert "     1 Hardcore -> Hardcore (Punk)\n" in done.stdout
    assert filetags.read(music / "Artist 0" / "01 song.ogg").genres == ("Rock, Hardcore (Punk)",)
    assert filetags.read(music / "Artist 0" / "00 song.flac").genres == ("Techno",)
    moved = music.rename(music.parent / "moved")
    line = mistake("apply", undo)
    assert line.endswith("music: no such folder; say where the music is now: --library=...")
    done = succeed("apply", undo, f"--library={moved}")
    assert done.stdout.splitlines() == ["restored byte for byte: 10 files"]
    assert content(moved) == before
    done = succeed("apply", undo, f"--library={moved}")
    assert done.stdout.splitlines()[-1] == "already as before: 10 files"


def test_what_cannot_be_written_or_restored(music):
    before = content(music)
    locked, gone = music / "Artist 1" / "03 song.opus", music / "Artist 3" / "06 song.mp3"
    locked.chmod(0o444)
    done = run("apply", *flags(music, "--write"))
    assert done.returncode == 3
    assert "not written: Artist 1/03 song.opus: the file is read-only\n" in done.stdout
    assert "changed: 7 files" in done.stdout
    gone.rename(music / "elsewhere.mp3")
    done = run("apply", f"--undo={music.parent}/made/undo.jsonl")
    assert done.returncode == 3
    line = "not restored: Artist 3/06 song.mp3: no such file; its genres were: techno; Other"
    assert done.stdout.splitlines()[0].startswith(line)
    (music / "elsewhere.mp3").rename(gone)
    succeed("apply", f"--undo={music.parent}/made/undo.jsonl")
    assert content(music) == before


def test_a_kill_leaves_each_file_old_or_new(music):
    """Killed at any moment, writing and undoing go on to what they come to without a kill."""
    before = content(music)
    rng = random.Random(0)
    undo = f"--undo={music.parent}/made/undo.jsonl"
    write = flags(music, "--write", "--drop_blocked", "--split_senses")
    succeed("apply", *write)
    after = content(music)
    began = time.monotonic()
    succeed("apply", undo)
    lasted = time.monotonic() - began
    assert content(music) == before
    kills = 0
    for command in (write, [undo]) * 2:
        for _ in range(6):
            process = subprocess.Popen(
                [sys.executable, "-m", "launch.apply", *command],
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(rng.uniform(0.3, 0.9) * lasted)
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
            found = content(music)
            for name, old in before.items():
                assert found.pop(name) in (old, after[name])
            assert len(found) <= 1
            assert all(name.rpartition("/")[2].startswith(".tagjax-") for name in found)
        began = time.monotonic()
        succeed("apply", *command)
        lasted = time.monotonic() - began
        assert content(music) == (after if command is write else before)
    assert kills >= 1  # Some programs end before they are killed, on a machine that has more to do.


def test_a_table(music, tmp_path):
    (tmp_path / "a.csv").write_text("track_id,artist_id,album_id,tags\nt,r,l,techno|Other\n")
    table = [f"--decisions={tmp_path}/made", f"--annotations={tmp_path}/a.csv"]
    done = succeed("apply", *table, f"--out={tmp_path}/b.csv")
    assert done.stdout.splitlines() == [
        "     1 techno -> Techno",
        "changed: 1 of 1 tracks",
        f"written: {tmp_path}/b.csv",
    ]
    assert (tmp_path / "b.csv").read_text().endswith("t,r,l,Techno|Other\n")


def test_mistakes(music, tmp_path):
    made = f"--decisions={tmp_path}/made"
    assert "--decisions: name a folder" in mistake("apply", f"--library={music}")
    assert "name one of --annotations and --library" in mistake("apply", made)
    assert "--out: name the new table" in mistake("apply", made, "--annotations=a.csv")
    line = mistake("apply", made, "--annotations=a.csv", "--out=b.csv", "--write")
    assert "--write is for --library" in line
    assert "no such folder" in mistake("apply", made, f"--library={tmp_path}/none")
    assert "no such folder" in mistake("apply", made, f"--library={tmp_path}/none", "--write")
    assert not (tmp_path / "none").exists()
    assert "has no use beside --undo" in mistake("apply", made, "--undo=x")
    assert "No such file" in mistake("apply", "--undo=x")
    (tmp_path / "undo").write_text(json.dumps({"library": "/"}) + "\n")
    assert "undo:1: not a line of an undo file" in mistake("apply", f"--undo={tmp_path}/undo")
