"""Peak memory of each program on the host at two sizes, and how much a track adds (Linux).

    python -m benchmarks.memory [--tracks=N] [--times=M] [--seconds=S] [--build_only]

It runs `launch.build`, `launch.train` (training and prediction) and `launch.evaluate` on N and on
M N generated tracks. Every 20 ms it reads the resident memory of the program and of its children,
with and without pages of files, which the system can take back. From the second number it computes
the bytes that each track adds, and the memory for the paper's 418,184 excerpts. Of a build it also
prints the disk at its peak to that of the result. For the device it
prints the memory that XLA plans for a step of the `paper` preset.
"""

import pathlib
import sys
import tempfile

import jax
import numpy as np
import soundfile
from absl import app, flags

from benchmarks.watched import Watched, watch
from tagjax.base.tables import write_table
from tagjax.network import step
from tagjax.run.config import PRESETS

_TRACKS = flags.DEFINE_integer("tracks", 3000, "Tracks of the smaller size.", lower_bound=200)
_SECONDS = flags.DEFINE_float("seconds", 2.0, "Length of an excerpt.")
_PRESET = flags.DEFINE_enum("preset", "small", sorted(PRESETS), "Preset of the training.")
_TIMES = flags.DEFINE_integer(
    "times", 4, "Ratio of the larger size to the smaller one.", lower_bound=2
)
_BUILD_ONLY = flags.DEFINE_bool("build_only", False, "Leave out training and evaluation.")
_TAGS, _PAPER = 50, 418_184


def _measured(tracks: int, folder: pathlib.Path) -> dict[str, Watched]:
    """{program: what it took} on this number of tracks, a quarter each for validation and test."""
    audio, manifest = folder / "audio", folder / "manifest"
    audio.mkdir()
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, round(22050 * _SECONDS.value)).astype(np.float32)
    soundfile.write(audio / "noise.wav", noise, 22050)
    header = ("sng_id", "label", "seg_start", "seg_duration", "path", "artist_id", "tags")
    ends = {"train": tracks // 2, "validation": 3 * tracks // 4, "test": tracks}
    begin = 0
    for part, end in ends.items():
        labels = {k: f"tag {k // 2 % _TAGS}_{k % 2 + 1}" for k in range(begin, end)}
        rows = [
            (k, label, 0, _SECONDS.value, "noise.wav", f"artist {k}", label)
            for k, label in labels.items()
        ]
        write_table(manifest / f"{part}.csv", header, rows)
        begin = end
    data = f"--data_dir={folder / 'data'}"
    name, run = "--dataset=catalogue_split/memory", f"--run_dir={folder / 'run'}"
    folders = [f"--manifest_dir={manifest}", f"--audio_dir={audio}"]
    one_epoch = [f"--preset={_PRESET.value}", "--max_epochs=1", "--compilation_cache="]
    found = {"build": watch("launch.build", name, data, *folders, folder=folder)}
    if not _BUILD_ONLY.value:
        found["train and predict"] = watch(
            "launch.train", name, data, run, *one_epoch, folder=folder
        )
        found["evaluate"] = watch("launch.evaluate", run, "--task=deduplication", folder=folder)
    return found


def _planned(batch: int) -> dict[str, float]:
    """Memory of a device, MiB, that XLA plans for steps of the paper's network."""
    config = PRESETS["paper"].step
    state = step.initial_state(config, 250)
    mel = jax.ShapeDtypeStruct((batch, 646, 96), np.float16)
    rest = {"label": np.int32, "weight": np.float32, "position": np.int32}
    batched = {name: jax.ShapeDtypeStruct((batch,), kind) for name, kind in rest.items()}
    found = {}
    for what in ("train_step", "predict_step"):
        stepped = step.jitted(what, config)
        plan = stepped.lower(state, batched | {"mel": mel}).compile().memory_analysis()
        found[what.partition("_")[0]] = (
            plan.temp_size_in_bytes + plan.argument_size_in_bytes
        ) / 2**20
    return found


def main(argv: list[str]) -> None:
    del argv
    sizes = (_TRACKS.value, _TIMES.value * _TRACKS.value)
    peaks = []
    for tracks in sizes:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{tracks} tracks ...", file=sys.stderr)
            peaks.append(_measured(tracks, pathlib.Path(folder)))
    print(f"excerpts of {_SECONDS.value:g} s, preset {_PRESET.value}; MiB, in brackets with files")
    heads = "".join(f"{f'{tracks} tracks':>20}" for tracks in sizes)
    print(f"{'':<20}{heads}{'bytes a track':>16}{f'{_PAPER} tracks':>18}")
    for name in peaks[0]:
        both = [peak[name] for peak in peaks]
        cells = "".join(f"{f'{one.anonymous:.0f} ({one.resident:.0f})':>20}" for one in both)
        least, most = (one.anonymous for one in both)
        slope = (most - least) / (sizes[1] - sizes[0])
        print(
            f"{name:<20}{cells}{slope * 2**20:>16.0f}{least + slope * (_PAPER - sizes[0]):>18.0f}"
        )
    for tracks, peak in zip(sizes, peaks, strict=True):
        disk = peak["build"]
        share = disk.disk_peak / disk.disk
        print(f"disk of the build, {tracks} tracks: {disk.disk:.1f} MiB, {share:.3f} at its peak")
    device = jax.devices()[0]
    for batch in (16, 32):
        planned = ", ".join(f"{what} {size:.0f}" for what, size in _planned(batch).items())
        print(f"planned by XLA for {device.platform}, paper preset, batch {batch}, MiB: {planned}")


if __name__ == "__main__":
    app.run(main)
