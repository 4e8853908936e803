import csv
import gzip
import signal
import subprocess
import sys
import time

import mutagen
import numpy as np
import pytest
import soundfile
from running import ROOT, run

from tagjax.manifest import lists

FIXTURES = ROOT / "tests" / "tagjax" / "catalogue" / "sources" / "fixtures"
INPUTS = {
    "discogs": FIXTURES / "discogs_20260101_releases.xml",
    "mumu": FIXTURES / "MuMu_dataset",
    "fma": FIXTURES / "fma_metadata",
    "audioset": FIXTURES / "audioset",
}


@pytest.fixture(scope="session")
def music(tmp_path_factory):
    """A library of 24 files by 12 artists, and three that are of no use."""
    folder = tmp_path_factory.mktemp("music")
    wave = 0.1 * np.sin(0.05 * np.arange(24000))
    for k in range(24):
        path = folder / f"Artist {k // 2}" / f"{k:02} song.ogg"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, wave, 24000, format="OGG", subtype="VORBIS")
        file = mutagen.File(path)
        file["artist"] = f"Artist {k // 2}"
        file["album"] = "Songs, all"
        file["title"] = f"Song {k}"
        file["genre"] = ["Rock; Punk; Other", "Jazz, Bop", "Drum & Bass"][k // 2 % 3]
        if k == 23:
            del file["genre"]
        if k == 22:
            del file["artist"]
        file.save()
    (folder / "broken.flac").write_bytes(b"not a flac file")
    return folder


@pytest.mark.parametrize("source", [*INPUTS, "library"])
def test_from_a_source_to_a_manifest(source, music, tmp_path):
    out = tmp_path / "out"
    done = run(
        "annotate", f"--source={source}", f"--input={INPUTS.get(source, music)}", f"--out={out}"
    )
    assert done.returncode == 0, done.stderr
    assert f"annotate {source}: 100%" in done.stderr
    assert f"written: {out}" in done.stdout
    tables = [
        name for name in ("annotations", "tracks", "taxonomy") if (out / f"{name}.csv").exists()
    ]
    flags = " ".join(f"--{name}={out}/{name}.csv" for name in tables)
    command = f"next: python -m launch.split {flags} --folds=5 --out=data/manifests/out"
    assert done.stdout.splitlines()[-1] == command
    names = {path.name for path in out.iterdir()}
    assert {"annotations.csv", "rejected.csv"} <= names
    assert ("tracks.csv" in names) == (source in ("fma", "library"))
    assert ("taxonomy.csv" in names) == (source in ("fma", "audioset"))
    with (out / "rejected.csv").open(newline="") as file:
        rejected = list(csv.DictReader(file))
    assert rejected
    assert f"left out: {len(rejected)} rows" in done.stdout
    with (out / "annotations.csv").open(newline="") as file:
        kind = "album" if source in ("discogs", "mumu") else "track"
        assert {row["annotates"] for row in csv.DictReader(file)} == {kind}
    flags = [f"--annotations={out}/annotations.csv", "--folds=3", "--seg_duration=1"]
    flags += [f"--tracks={out}/tracks.csv"] * ("tracks.csv" in names)
    flags += [f"--taxonomy={out}/taxonomy.csv"] * ("taxonomy.csv" in names)
    done = run("split", *flags, f"--out={tmp_path}/m")
    assert done.returncode == 0, done.stderr
    made = lists.read_manifest(tmp_path / "m")
    with (out / "annotations.csv").open(newline="") as file:
        table = {row["track_id"]: row for row in csv.DictReader(file)}
    found = {}
    for name in ("fold_0", "fold_1", "fold_2"):
        part = made.parts[name]
        for number, track in enumerate(part.sng_id):
            found[track] = part.artist_id[number]
            tags = set(table[track]["tags"].split("|"))
            assert set(part.tags[number]) >= tags
            assert kind == "album" or set(part.tags[number]) == tags
            if "tracks.csv" in names:
                assert part.path[number].endswith((".mp3", ".ogg"))
    assert set(found) <= set(table)
    assert len(found) >= 20
    assert (made.truth.taxonomy is not None) == ("taxonomy.csv" in names)


def test_masters_in_gzip_and_the_same_command_again(tmp_path):
    packed = tmp_path / "discogs_20260101_masters.xml.gz"
    packed.write_bytes(gzip.compress((FIXTURES / packed.stem).read_bytes()))
    flags = ["--source=discogs", f"--input={packed}", f"--out={tmp_path}/a/b"]
    texts = []
    for _ in range(2):
        assert run("annotate", *flags).returncode == 0
        texts.append({path.name: path.read_bytes() for path in (tmp_path / "a" / "b").iterdir()})
    assert texts[0] == texts[1]
    header, first, *rest = texts[0]["annotations.csv"].decode().splitlines()
    assert header == "track_id,artist_id,album_id,tags,annotates,artist,title"
    assert first == (
        "5000,100,5000,genre:Rock|Post Rock|Shoegaze,album,Lantern Choir,Second Light & Lantern"
    )
    assert len(rest) == 11
    done = run("annotate", "--source=mumu", f"--input={INPUTS['mumu']}", flags[2])
    assert done.returncode == 2
    assert "say --overwrite" in done.stderr
    done = run("annotate", "--source=mumu", f"--input={INPUTS['mumu']}", flags[2], "--overwrite")
    assert done.returncode == 0


def test_what_flags_choose(music, tmp_path):
    def tags(source, *flags):
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        path = INPUTS.get(source, music)
        done = run("annotate", f"--source={source}", f"--input={path}", f"--out={out}", *flags)
        assert done.returncode == 0, done.stderr
        with (out / "annotations.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        return len(rows), {tag for row in rows for tag in row["tags"].split("|")}

    assert tags("fma", "--subset=small")[0] < tags("fma")[0]
    assert "genre:Dog" in tags("audioset", "--root=")[1]
    assert "Rock; Punk; Other" in tags("library", "--separator=,")[1]
    assert "Other" not in tags("library")[1]
    assert "Other" in tags("library", "--keep_non_genres")[1]
    both = tags("library", "--separator=,", "--separator=;", "--whole=Jazz, Bop")[1]
    assert both == {"Rock", "Punk", "Jazz, Bop", "Drum & Bass"}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--source=None: one of discogs, mumu, fma, audioset, library"),
        (["--source=spotify"], "--source=spotify: one of discogs"),
        (["--source=fma"], "--input: name FMA's folder fma_metadata"),
        (["--source=fma", "--input=x"], "--out: name the folder"),
        (["--source=fma", "--input=x", "--out={0}/o"], "x/genres.csv: no such file"),
        (["--source=fma", "--input=x", "--out={0}/o", "--subset=tiny"], "--subset=tiny: one of"),
        (["--source=mumu", "--input=x", "--out={0}/o", "--subset=full"], "--subset: is not for"),
        (["--source=fma", "--input=x", "--out={0}/o", "--separator=,"], "--separator: is not for"),
        (
            ["--source=discogs", "--input=x", "--out={0}/o", "--keep_non_genres"],
            "--keep_non_genres: is not for --source=discogs",
        ),
    ],
)
def test_a_mistake_ends_in_one_line_and_exit_code_2(tmp_path, flags, message):
    done = run("annotate", *(flag.format(tmp_path) for flag in flags))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_broken_input_ends_in_one_line_below_the_bar(tmp_path):
    text = (FIXTURES / "discogs_20260101_releases.xml").read_bytes()
    (tmp_path / "d.xml").write_bytes(text[: len(text) // 2])
    done = run("annotate", "--source=discogs", f"--input={tmp_path}/d.xml", f"--out={tmp_path}/o")
    assert done.returncode == 2
    error = done.stderr.splitlines()[-1]
    assert error.startswith(f"error: {tmp_path}/d.xml:")
    assert "the XML is cut off; download the dump again" in error
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["d.xml"]
    flags = ["--source=mumu", f"--input={INPUTS['mumu']}", f"--out={tmp_path}/o", "--strict"]
    done = run("annotate", *flags)
    assert done.returncode == 2
    assert "label.csv:26: the track was there before, with other tags" in done.stderr
    assert not (tmp_path / "o").exists()


def test_an_interrupted_run_leaves_no_half_written_folder(tmp_path):
    release = (
        '<release id="{0}"><artists><artist><id>1</id></artist></artists>'
        "<genres><genre>Rock</genre></genres></release>\n"
    )
    with gzip.open(tmp_path / "d.xml.gz", "wt", compresslevel=1) as file:
        file.write("<releases>" + "".join(release.format(k) for k in range(1, 400_000)))
        file.write("</releases>")
    command = [sys.executable, "-m", "launch.annotate", "--source=discogs"]
    command += [f"--input={tmp_path}/d.xml.gz", f"--out={tmp_path}/o"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    while process.poll() is None and not list(tmp_path.glob(".o.*/made/annotations.csv")):
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    process.wait()
    assert process.returncode != 0
    assert not (tmp_path / "o").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["d.xml.gz"]


def test_help_says_how_and_lists_the_sources():
    text = run("annotate", "--help").stdout
    assert "--source=discogs --input=discogs_20260101_releases.xml.gz" in text
    for source in [*INPUTS, "library"]:
        assert f"{source}: " in text
