"""What an example holds, however it was built."""

import dataclasses
import math
import pathlib
import subprocess
import sys

import librosa
import numpy as np
import pytest
import soundfile
import tensorflow_datasets as tfds
from catalogues import PARTS, STRICT, builder, content, read, same, sound, write_parts
from tensorflow_datasets.core import shuffle

from tagjax.base.errors import InputError
from tagjax.examples import audio, frontend, loader, workers
from tagjax.examples import build as building
from tagjax.examples import builder as examples
from tagjax.examples.dataset import find
from tagjax.examples.workers import BuildConfig
from tagjax.manifest import lists
from tagjax.vocabulary.truth import from_rows
from tagjax.vocabulary.vocabulary import Vocabulary


def test_the_mel_is_librosas_of_the_file(catalogue):
    path = catalogue / "audio" / "x" / "13.flac"
    soundfile.write(path, sound(13), 22050)
    made = builder(catalogue)
    made.download_and_prepare()
    found = read(made, "validation")["13"]
    audio = soundfile.read(path, dtype="float32")[0][11025 : 11025 + 44100]
    mel = librosa.feature.melspectrogram(
        y=audio, sr=22050, n_fft=1024, hop_length=1024, n_mels=96, pad_mode="constant"
    )
    assert found["mel"].dtype == np.float16
    assert found["mel"].shape == (44, 96)
    # A float16 has 11 bits.
    np.testing.assert_allclose(found["mel"], np.log1p(1e4 * mel).T, rtol=2**-11 + 1e-4)


def test_an_example_says_what_the_manifest_says(catalogue):
    made = builder(catalogue, BuildConfig(workers=1, mel_dtype="float32"))
    made.download_and_prepare()
    found = read(made, "test")["15"]
    names = made.info.features["label"].names
    assert names == ["a:genre:rock", "a:rock"]
    assert names[found["label"]] == "a:rock"
    assert found["artist_id"] == b"r15"
    assert found["album_id"] == b"l15"
    assert found["tags"] == b"a:rock|a:genre:rock"
    assert found["seg_start"] == 0.5
    assert found["padded"] == False  # noqa: E712 (a NumPy bool)
    assert found["mel"].dtype == np.float32


def test_examples_do_not_depend_on_the_number_of_workers(catalogue):
    write_parts(catalogue / "manifest", {**PARTS, "train": range(0, 12)})
    made = [
        builder(
            catalogue,
            BuildConfig(workers=n),
            name=f"with{n}",
            audio_dir=catalogue / "audio",
        )
        for n in (1, 2)
    ]
    for each in made:
        each.download_and_prepare()
    for part in PARTS:
        one, two = (
            list(tfds.builder_from_directory(each.data_dir).as_data_source(part)) for each in made
        )
        assert len(one) == len(two) > 0
        for first, second in zip(one, two, strict=True):
            assert first.keys() == second.keys()
            for key in first:
                np.testing.assert_array_equal(first[key], second[key])


def test_short_tracks_are_padded_and_counted(catalogue):
    soundfile.write(catalogue / "audio" / "x" / "12.flac", sound(12, 2.0), 22050)
    made = builder(catalogue)
    made.download_and_prepare()
    assert made.counts["validation"] == dict.fromkeys(workers.KINDS, 0) | {
        "written": 3,
        "padded": 1,
    }
    found = read(made, "validation")
    assert [key for key in found if found[key]["padded"]] == ["12"]


def test_metadata_survive(catalogue):
    made = lists.read_manifest(catalogue / "manifest")
    truth = from_rows(
        {"taxonomy": [("a:rock", "a:genre:rock")], "translation": [("b:x", "a:y", "exact")]}
    )
    vocabulary = Vocabulary.of(made.vocabulary.tags, ("a:", "b:"))
    full = lists.Manifest(made.parts, vocabulary, "translation", 3, 0, {"k": 1}, {}, truth)
    for path in (catalogue / "manifest").iterdir():
        path.unlink()
    (catalogue / "manifest").rmdir()
    lists.write_manifest(catalogue / "manifest", full)
    first = builder(catalogue)
    first.download_and_prepare()
    metadata = tfds.builder_from_directory(first.data_dir).info.metadata
    assert metadata["experiment"] == "translation"
    assert "truth" not in metadata  # A corrected table asks for no new build.
    dataset = find("catalogue_split/mine", catalogue / "data")
    assert dataset.vocabulary == Vocabulary.of(["a:genre:rock", "a:rock"], ["a:", "b:"])
    assert dataset.truth == truth
    assert metadata["multi_label"] is True
    assert metadata["sampling"] == {"k": 1}
    assert metadata["build"]["front"]["n_mels"] == 96
    assert metadata["build"]["mel_dtype"] == "float16"


def test_an_empty_part_is_left_out(catalogue):
    write_parts(catalogue / "manifest", {"overlap": []})
    made = builder(catalogue)
    made.download_and_prepare()
    assert set(made.info.splits) == set(PARTS)


def test_builds_and_reads_without_tensorflow(catalogue):
    code = f"""
import sys
class Hiding:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, *args):
        if name.partition(".")[0] != "tensorflow":
            return self.finder.find_spec(name, *args)
sys.meta_path[:] = map(Hiding, sys.meta_path)
import datasets
from tagjax.examples import build
from tagjax.examples.dataset import find
from tagjax.examples.workers import BuildConfig
made = datasets.make_builder(
    "catalogue_split/mine", {str(catalogue / "data")!r}, {str(catalogue / "manifest")!r},
    {str(catalogue / "audio")!r}, BuildConfig(workers=1),
)
build.prepare(made)
import tensorflow_datasets as tfds
source = tfds.builder_from_directory(made.data_dir).as_data_source("train")
print(len(source), source[3]["mel"].shape, "tensorflow" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "11 (44, 96) False"


def start_past_the_end(catalogue):
    path = catalogue / "manifest" / "validation.csv"
    text = path.read_text().replace("13,a:rock,0.5", "13,a:rock,77")
    assert ",77," in text
    path.write_text(text)
    soundfile.write(catalogue / "audio" / "x" / "16.flac", sound(16), 22050)


def test_a_start_past_the_end_is_skipped_and_listed(catalogue):
    start_past_the_end(catalogue)
    made = builder(catalogue)
    building.prepare(made)
    counts = made.counts["validation"]
    assert counts == dict.fromkeys(workers.KINDS, 0) | {"written": 2, "skipped": 1}
    (row,) = (row for row in made.skipped if row.part == "validation")
    assert (row.sng_id, row.seg_start, row.path) == ("13", 77.0, "x/13.flac")
    assert row.reason.startswith("start 77 s is past")


def test_where_it_is_to_be_strict_a_start_past_the_end_stops_the_build(catalogue):
    start_past_the_end(catalogue)
    made = builder(catalogue, STRICT)
    with pytest.raises(InputError, match=r"validation\.csv:\d+: x/13\.flac: start 77 s is past"):
        building.prepare(made)
    assert not [file for file in (catalogue / "data").rglob("*") if file.is_file()]


def test_the_order_is_that_of_tfds_whatever_the_shards(catalogue, monkeypatch):
    """Data sets of before were written by TFDS' own shuffling."""
    made = [builder(catalogue, data=data) for data in ("one", "many")]
    building.prepare(made[0])
    monkeypatch.setattr(examples, "SMALLEST", 2 * 44 * 96 * 2)
    building.prepare(made[1])
    same(*map(content, made))
    assert [made[k].info.splits["train"].num_shards for k in (0, 1)] == [1, 6]
    shuffler = shuffle.Shuffler(catalogue, "train")
    for k in set(PARTS["train"]) - {3}:
        shuffler.add(f"{k}@0.5000", f"{k}".encode())
    assert list(read(made[1], "train")) == [track.decode() for _, track in shuffler]


@pytest.mark.parametrize("excerpts", [1, 500, 20_000, 83_637, 334_547, 418_184])
def test_up_to_the_paper_s_size_a_shard_is_a_minute_or_two_and_the_files_are_few(excerpts):
    slowest, size = 0.12, 646 * 96 * 2  # Seconds that an excerpt of Opus takes an older core.
    chosen = examples.shard_size(excerpts, size)
    assert chosen * slowest < 120
    assert math.ceil(excerpts / chosen) <= 513
    assert chosen * size >= examples.SMALLEST - size


def test_a_shard_of_which_nothing_can_be_decoded_is_no_file(catalogue, monkeypatch):
    monkeypatch.setattr(examples, "SMALLEST", 1 * 44 * 96 * 2)
    made = builder(catalogue)
    building.prepare(made)
    assert made.info.splits["train"].shard_lengths == [1] * 11
    files = pathlib.Path(made.data_dir).glob("*-train.array_record-*-of-00011")
    assert len(list(files)) == 11
    assert set(read(made, "train")) == {str(k) for k in range(12)} - {"3"}


def test_an_excerpt_that_is_there_twice_is_refused_before_anything_is_decoded(catalogue):
    listed = lists.read_manifest(catalogue / "manifest")
    test = dataclasses.replace(listed.parts["test"], sng_id=("15", "16", "15"))
    twice = dataclasses.replace(listed, parts={**listed.parts, "test": test})
    with pytest.raises(InputError, match=r"test\.csv:4: .* track 15 at 0\.5 s is there twice"):
        building.build(twice, catalogue / "audio", catalogue / "data")
    assert not [file for file in (catalogue / "data").rglob("*") if file.is_file()]


def test_beam_gives_the_same_examples_in_the_same_order(catalogue):
    pytest.importorskip("apache_beam")
    path = catalogue / "audio" / "x" / "1.flac"
    soundfile.write(path, np.zeros(3 * 44100), 44100)
    short = catalogue / "audio" / "x" / "12.flac"
    soundfile.write(short, soundfile.read(short)[0][: 2 * 44100], 44100)
    config = BuildConfig(workers=0, decode=audio.AudioConfig(skip_silent=False))
    here, beam = (builder(catalogue, config, data=data) for data in ("data", "beam"))
    building.prepare(here)
    # Not DirectRunner, which would ask the network for a faster one first.
    building.prepare(beam, ("apache_beam.runners.portability.fn_api_runner.FnApiRunner", None))
    same(content(here), content(beam))
    assert beam.counts == here.counts
    assert beam.counts["train"]["quiet"] == beam.counts["validation"]["padded"] == 1
    assert beam.skipped == here.skipped


def test_uint8_is_within_half_a_step_where_the_network_sees_it(catalogue):
    made = builder(catalogue, BuildConfig(workers=0, mel_dtype="uint8"))
    building.prepare(made)
    dataset = find("catalogue_split/mine", catalogue / "data")
    examples = loader.Examples(dataset, ["test"], loader.LoaderConfig())
    batch = examples.batch(np.arange(2), np.arange(2), np.ones(2))
    for i, mel in enumerate(batch["mel"]):
        path = catalogue / "audio" / "x" / f"{examples[i]['sng_id']}.flac"
        wanted, _ = audio.read_log_mel(path, 0.5, 2.0)
        assert mel.dtype == np.float32
        np.testing.assert_allclose(mel, wanted, atol=frontend.UINT8_STEP / 2 + 1e-5)
