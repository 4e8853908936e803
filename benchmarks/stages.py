"""Time, memory and disk of each stage at two sizes, and how they grow (Linux).

    python -m benchmarks.stages [--tracks=N] [--times=M] [--seconds=S] [--preset=P]

It makes two catalogues of N and of M N tracks, of 2 x 40 tags, and walks from annotations to
decisions, each stage a program as a user starts it. `predict` is `launch.train` of a run whose
predictions were taken away. The tracks share 160 files, so decoding reads from memory. `factor` is
the time at the larger size to that at the smaller one, in brackets that on processors, which other
work on the machine changes less; `ms a track` is what each further track takes of processors.
"""

import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import soundfile
from absl import app, flags

from benchmarks.watched import Watched, watch
from tagjax.base.tables import write_table
from tagjax.run.config import PRESETS

_TRACKS = flags.DEFINE_integer("tracks", 1500, "Tracks of the smaller size.", lower_bound=200)
_TIMES = flags.DEFINE_integer(
    "times", 4, "Ratio of the larger size to the smaller one.", lower_bound=2
)
_SECONDS = flags.DEFINE_float("seconds", 3.0, "Length of an excerpt.", lower_bound=1.0)
_PRESET = flags.DEFINE_enum("preset", "small", sorted(PRESETS), "Preset of the training.")
_EPOCHS = flags.DEFINE_integer("epochs", 2, "Epochs of the training.", lower_bound=1)
_TAGS, _FILES, _RATE = 40, 4, 22050


def _make(folder: pathlib.Path, tracks: int) -> None:
    """Two catalogues of the same styles by different artists; a tenth of the tracks is in both."""
    rng = np.random.default_rng(0)
    (folder / "audio").mkdir()
    time = np.arange(round(_SECONDS.value * _RATE)) / _RATE
    for tag in range(_TAGS):
        for k in range(_FILES):
            tone = np.sin(2 * np.pi * 110 * 2 ** (tag / 8) * time) * rng.uniform(0.05, 0.2)
            noise = rng.normal(0, 0.05, len(time))
            soundfile.write(folder / f"audio/{tag}_{k}.flac", tone + noise, _RATE)
    rows: dict[str, list[tuple]] = {"a": [], "b": []}
    where = []
    for track in range(tracks):
        tag, block = track % _TAGS, track // _TAGS
        names = (f"t{track}", f"r{block} {tag % 8}", f"l{track}", f"style {tag}")
        for system in "ab" if block % 10 == 0 else "ab"[block % 2]:
            rows[system].append(names)
        where.append((f"t{track}", f"{tag}_{track % _FILES}.flac", _SECONDS.value))
    for system, some in rows.items():
        write_table(folder / f"{system}.csv", ("track_id", "artist_id", "album_id", "tags"), some)
    write_table(folder / "tracks.csv", ("track_id", "path", "duration_s"), where)
    truth = [(f"style {tag}", f"style {tag}", "exact") for tag in range(_TAGS)]
    write_table(folder / "translation.csv", ("b_tag", "a_tag", "relation"), truth)


def _walk(folder: pathlib.Path) -> tuple[dict[str, Watched], float]:
    """({stage: what it took}, examples a second of the last epoch)."""
    run, name = folder / "run", "--dataset=catalogue_split/stages"
    data, both = f"--data_dir={folder / 'data'}", f"--run_dir={run}"
    found = {}

    def stage(what: str, module: str, *arguments: str) -> None:
        print(f"  {what} ...", file=sys.stderr)
        found[what] = watch(f"launch.{module}", *arguments, folder=folder)

    tables = [f"--annotations={folder}/a.csv,{folder}/b.csv", "--prefix=a:,b:"]
    tables += ["--annotates=track,track", f"--tracks={folder}/tracks.csv"]
    tables += [f"--translation={folder}/translation.csv", "--max_excerpts_per_track=1"]
    length = f"--seg_duration={_SECONDS.value}"
    manifest = folder / "manifest"
    stage("split", "split", "--experiment=translation", *tables, length, f"--out={manifest}")
    given = [f"--manifest_dir={manifest}", f"--audio_dir={folder / 'audio'}"]
    stage("build", "build", name, data, *given)
    preset = [f"--preset={_PRESET.value}", f"--max_epochs={_EPOCHS.value}"]
    preset += [f"--compilation_cache={folder / 'compiled'}"]
    stage("train and predict", "train", name, data, both, *preset)
    shutil.rmtree(run / "predictions")
    stage("predict", "train", name, data, both, *preset)
    stage("evaluate", "evaluate", both, "--task=translation")
    stage("evidence", "evidence", both)
    stage("reconcile", "reconcile", both, f"--out={folder / 'decided'}")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    rates = [line["examples_per_second"] for line in lines if "examples_per_second" in line]
    return found, rates[-1]


def main(argv: list[str]) -> None:
    del argv
    sizes = (_TRACKS.value, _TIMES.value * _TRACKS.value)
    walks, rates = [], []
    for tracks in sizes:
        print(f"{tracks} tracks", file=sys.stderr)
        with tempfile.TemporaryDirectory() as temporary:
            _make(pathlib.Path(temporary), tracks)
            found, rate = _walk(pathlib.Path(temporary))
        walks.append(found)
        rates.append(rate)
    print(f"excerpts of {_SECONDS.value:g} s, preset {_PRESET.value}, {_EPOCHS.value} epochs")
    print("seconds (of them on processors), peak MiB without files, MiB on disk left (peak)")
    columns = f"{'s':>14}{'MiB':>7}{'disk':>14}"
    heads = "".join(f"{f'{tracks} tracks':>35}" for tracks in sizes)
    print(f"{'':<18}{heads}\n{'':<18}{columns}{columns}{'factor':>14}{'ms a track':>12}")
    for stage, less in walks[0].items():
        more = walks[1][stage]
        factors = more.seconds / less.seconds, more.processor / less.processor
        factor = "{:.2f} ({:.2f})".format(*factors)
        slope = 1000 * (more.processor - less.processor) / (sizes[1] - sizes[0])
        print(f"{stage:<18}{_cells(less)}{_cells(more)}{factor:>14}{slope:>12.2f}")
    print(f"training, examples/s of the last epoch: {rates[0]:.1f}, {rates[1]:.1f}")


def _cells(found: Watched) -> str:
    time, disk = f"{found.seconds:.1f} ({found.processor:.1f})", f"{found.disk:.1f}"
    return f"{time:>14}{found.anonymous:>7.0f}{f'{disk} ({found.disk_peak:.1f})':>14}"


if __name__ == "__main__":
    app.run(main)
