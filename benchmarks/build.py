"""Tracks per second of the build, beside a plain librosa loop and bare decoding.

    python -m benchmarks.build [--corpus=FOLDER] [--tracks=N] [--seconds=S] [--repeats=N]

Three contestants take turns on the same files of each format of the corpus. `tagjax` is
`launch.build` (decoding on all cores, TFDS). `librosa loop` is what one would write first:
`librosa.load`, `librosa.feature.melspectrogram` and a TFDS builder that yields the result, in one
process. `bare decoding` only decodes, sums channels and resamples, in waiting processes on all
cores. If a format has few files, they are used more than once. Each contestant first takes a few
files that do not count, so that imports are not measured. The loop has an eighth of the files: it
has nothing to start and nothing to end with, so its rate does not depend on their number.
"""

import contextlib
import functools
import io
import itertools
import multiprocessing
import pathlib
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable

import librosa
import numpy as np
import soundfile
import soxr
import tensorflow_datasets as tfds
from absl import app, flags, logging

import datasets
from datasets.catalogue_split import catalogue_split_dataset_builder as catalogue_split
from tagjax.base.tables import write_table
from tagjax.examples import build
from tagjax.examples.pool import cores

_HERE = pathlib.Path(__file__).resolve().parents[1]
_CORPUS = flags.DEFINE_string(
    "corpus", str(_HERE.parent / "shared" / "corpus"), "Folder with audio."
)
_TRACKS = flags.DEFINE_integer("tracks", 1000, "Files of each format.", lower_bound=8)
_SECONDS = flags.DEFINE_float("seconds", 30.0, "Length of an excerpt.")
_REPEATS = flags.DEFINE_integer(
    "repeats", 3, "Turns of each contestant; medians count.", lower_bound=1
)
_FORMATS = ("mp3", "flac", "opus")
_WARM_UP = 8


class LibrosaBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """The loop that one would write first."""

    name = "librosa_loop"
    VERSION = tfds.core.Version("1.0.0")
    pkg_dir_path = catalogue_split.Builder.code_path.parent

    def __init__(self, paths: list[pathlib.Path], seconds: float, **kwargs) -> None:
        self.paths, self.seconds = paths, seconds
        super().__init__(file_format="array_record", **kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        frames = 1 + round(22050 * self.seconds) // 1024
        features = {
            "mel": tfds.features.Tensor(shape=(frames, 96), dtype=np.float16),
            "sng_id": tfds.features.Text(),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        del dl_manager
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for k, path in enumerate(self.paths):
            audio, _ = librosa.load(path, sr=22050, duration=self.seconds)
            mel = librosa.feature.melspectrogram(
                y=audio, sr=22050, n_fft=1024, hop_length=1024, n_mels=96
            )
            log_mel = np.log1p(10_000 * mel).T.astype(np.float16)
            yield k, {"mel": log_mel, "sng_id": path.stem}


def _of_corpus(suffix: str) -> list[pathlib.Path]:
    """Files of a format in the corpus, repeated up to the number needed; [] if there are none."""
    found = sorted(pathlib.Path(_CORPUS.value).rglob(f"audio*/*.{suffix}"))
    return list(itertools.islice(itertools.cycle(found), _WARM_UP + _TRACKS.value))


def _noise(folder: pathlib.Path) -> list[pathlib.Path]:
    """WAV files of noise, in case there is no corpus."""
    paths = [folder / f"{k:05}.wav" for k in range(_WARM_UP + _TRACKS.value)]
    for k, path in enumerate(paths):
        noise = np.random.default_rng(k).normal(0, 0.1, round(44100 * _SECONDS.value))
        soundfile.write(path, noise.astype(np.float32), 44100)
    return paths


def _ours(folder: pathlib.Path, paths: list[pathlib.Path]) -> None:
    header = ("sng_id", "label", "seg_start", "seg_duration", "path")
    rows = [
        (k, "x", 0, _SECONDS.value, path.resolve().relative_to("/")) for k, path in enumerate(paths)
    ]
    write_table(folder / "manifest" / "train.csv", header, rows)
    builder = datasets.make_builder("catalogue_split/bench", str(folder), folder / "manifest", "/")
    build.prepare(builder)
    assert builder.counts["train"]["written"] == len(paths), builder.skipped
    shutil.rmtree(builder.data_dir)


def _librosa(folder: pathlib.Path, paths: list[pathlib.Path]) -> None:
    builder = LibrosaBuilder(paths, _SECONDS.value, data_dir=str(folder))
    with contextlib.redirect_stdout(io.StringIO()):  # TFDS would print about a download.
        builder.download_and_prepare()
    shutil.rmtree(builder.data_dir)


def _decode(path: pathlib.Path, seconds: float) -> None:
    with soundfile.SoundFile(path) as file:
        channels = file.read(round(seconds * file.samplerate), dtype="float32", always_2d=True).T
        mono = functools.reduce(np.add, channels)
        soxr.resample(mono, file.samplerate, 22050, quality="HQ")


def _rate(contestant: Callable[[list[pathlib.Path]], None], paths: list[pathlib.Path]) -> float:
    """Tracks per second."""
    begin = time.perf_counter()
    contestant(paths)
    return len(paths) / (time.perf_counter() - begin)


def main(argv: list[str]) -> None:
    del argv
    logging.set_verbosity(logging.WARNING)
    warnings.simplefilter("ignore", UserWarning)  # There are no other parts to train with.
    tfds.disable_progress_bar()
    count = cores()
    with tempfile.TemporaryDirectory() as temporary, multiprocessing.Pool(count) as pool:
        folder, decode = pathlib.Path(temporary), functools.partial(_decode, seconds=_SECONDS.value)
        contestants: dict[str, Callable[[list[pathlib.Path]], None]] = {
            "tagjax": functools.partial(_ours, folder),
            "librosa loop": functools.partial(_librosa, folder),
            "bare decoding": lambda paths: pool.map(decode, paths, 4) and None,
        }
        formats = {suffix: paths for suffix in _FORMATS if (paths := _of_corpus(suffix))}
        formats = formats or {"wav": _noise(folder)}
        rates = {}
        for suffix, paths in formats.items():
            for contestant in contestants.values():
                contestant(paths[:_WARM_UP])
            given = paths[_WARM_UP:], paths[_WARM_UP:][: _TRACKS.value // 8], paths[_WARM_UP:]
            turns = [
                [_rate(run, some) for run, some in zip(contestants.values(), given, strict=True)]
                for _ in range(_REPEATS.value)
            ]
            rates[suffix] = [statistics.median(found) for found in zip(*turns, strict=True)]
    rates["all"] = [statistics.harmonic_mean(found) for found in zip(*rates.values(), strict=True)]
    print(
        f"\n{_TRACKS.value} tracks of each format, {_SECONDS.value:g} s each, {count} cores, ",
        end="",
    )
    print(f"median of {_REPEATS.value}; librosa's loop is one process")
    print(f"{'tracks/s':<10}" + "".join(f"{name:>16}" for name in contestants), end="")
    print(f"{'to librosa':>14}{'to bare':>14}")
    for suffix, (ours, librosas, bare) in rates.items():
        cells = "".join(f"{rate:>16.2f}" for rate in (ours, librosas, bare))
        print(f"{suffix:<10}{cells}{ours / librosas:>14.2f}{ours / bare:>14.2f}")


if __name__ == "__main__":
    app.run(main)
