"""Tracks a second of the build, beside a plain loop of librosa.

    python -m benchmarks.build [--corpus=FOLDER] [--tracks=N] [--seconds=S]

The same files twice, one after the other: `launch.build`'s way (decoding on all cores, TFDS) and
what one would write first: `librosa.load`, `librosa.feature.melspectrogram`, a TFDS builder that
yields the result, in one process. Without a corpus, WAV files of noise are made. Both first
process a few other files, so that neither pays for its imports or compilations.
"""

import pathlib
import shutil
import tempfile
import time

import librosa
import numpy as np
import soundfile
import tensorflow_datasets as tfds
from absl import app, flags, logging

import datasets
from datasets.catalogue_split import catalogue_split_dataset_builder as catalogue_split
from tagjax import extraction, files

_HERE = pathlib.Path(__file__).resolve().parents[1]
_CORPUS = flags.DEFINE_string(
    "corpus", str(_HERE.parent / "shared" / "corpus"), "Folder with audio."
)
_TRACKS = flags.DEFINE_integer("tracks", 100, "Number of files.", lower_bound=9)
_SECONDS = flags.DEFINE_float("seconds", 30.0, "Of an excerpt.")
_SUFFIXES = {".opus", ".ogg", ".mp3", ".flac", ".wav"}
_WARM_UP = 9


class LibrosaBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """The loop that one writes first."""

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
        for path in self.paths:
            audio, _ = librosa.load(path, sr=22050, duration=self.seconds)
            mel = librosa.feature.melspectrogram(
                y=audio, sr=22050, n_fft=1024, hop_length=1024, n_mels=96
            )
            log_mel = np.log1p(10_000 * mel).T.astype(np.float16)
            yield path.stem, {"mel": log_mel, "sng_id": path.stem}


def _files(folder: pathlib.Path, wanted: int, seconds: float) -> list[pathlib.Path]:
    corpus = pathlib.Path(_CORPUS.value)
    audio = corpus / "audio" if (corpus / "audio").is_dir() else corpus
    found = sorted(path for path in audio.rglob("*") if path.suffix in _SUFFIXES)
    if len(found) >= wanted:
        return found[:wanted]
    for k in range(wanted):
        noise = np.random.default_rng(k).normal(0, 0.1, round(44100 * seconds)).astype(np.float32)
        soundfile.write(folder / f"{k:05}.wav", noise, 44100)
    return sorted(folder.glob("*.wav"))


def _ours(paths: list[pathlib.Path], folder: pathlib.Path, seconds: float) -> float:
    rows = [(path.stem, "x", 0, seconds, str(path.resolve().relative_to("/"))) for path in paths]
    header = ("sng_id", "label", "seg_start", "seg_duration", "path")
    files.write_table(folder / "manifest" / "train.csv", header, rows)
    begin = time.perf_counter()
    builder = datasets.make_builder("catalogue_split/bench", str(folder), folder / "manifest", "/")
    builder.download_and_prepare()
    elapsed = time.perf_counter() - begin
    assert builder.counts["train"]["written"] == len(paths), builder.skipped
    shutil.rmtree(builder.data_dir)
    return elapsed


def _librosa(paths: list[pathlib.Path], folder: pathlib.Path, seconds: float) -> float:
    begin = time.perf_counter()
    builder = LibrosaBuilder(paths, seconds, data_dir=str(folder))
    builder.download_and_prepare()
    elapsed = time.perf_counter() - begin
    shutil.rmtree(builder.data_dir)
    return elapsed


def main(argv: list[str]) -> None:
    del argv
    logging.set_verbosity(logging.WARNING)
    tfds.disable_progress_bar()
    with tempfile.TemporaryDirectory() as temporary:
        folder, seconds = pathlib.Path(temporary), _SECONDS.value
        paths = _files(folder, _TRACKS.value + _WARM_UP, seconds)
        rates = {}
        for name, run in (("librosa loop", _librosa), ("tagjax", _ours)):
            run(paths[-_WARM_UP:], folder, seconds)
            rates[name] = _TRACKS.value / run(paths[: _TRACKS.value], folder, seconds)
    kinds = sorted({path.suffix for path in paths[: _TRACKS.value]})
    print(f"\n{_TRACKS.value} tracks ({' '.join(kinds)}), {seconds:g} s each, ", end="")
    print(f"{extraction.cores()} cores")
    print(f"{'build':<16}{'tracks/s':>10}{'ratio':>8}")
    for name, rate in rates.items():
        print(f"{name:<16}{rate:>10.2f}{rate / rates['librosa loop']:>8.2f}")


if __name__ == "__main__":
    app.run(main)
