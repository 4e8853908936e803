"""A small catalogue to build: its manifest, its sound, and the content of its build."""

import pathlib

import numpy as np
import tensorflow_datasets as tfds

import datasets
from tagjax.base.tables import write_table
from tagjax.examples.workers import BuildConfig

RELEASE = ("sng_id", "label", "seg_start", "seg_duration")
FULL = (*RELEASE, "artist_id", "album_id", "tags", "path")
PARTS = {"train": range(0, 12), "validation": range(12, 15), "test": range(15, 18)}
ONE = BuildConfig(workers=0)
STRICT = BuildConfig(workers=0, strict=True)


def sound(k, seconds=3.0, rate=22050):
    rng = np.random.default_rng(k)
    time = np.arange(round(rate * seconds)) / rate
    return 0.3 * np.sin(2 * np.pi * (100 + 50 * k) * time) + rng.normal(0, 0.05, len(time))


def write_parts(folder, parts=PARTS, columns=FULL, tags="a:rock|a:genre:rock", duration="2"):
    for name, tracks in parts.items():
        cells = [
            (f"{k}", tags.split("|")[0], "0.5", duration, f"r{k}", f"l{k}", tags, f"x/{k}.flac")
            for k in tracks
        ]
        write_table(folder / f"{name}.csv", columns, [row[: len(columns)] for row in cells])


def builder(root, build=ONE, name="mine", data="data", **kwargs):
    folders = {"manifest_dir": root / "manifest", "audio_dir": root / "audio"} | kwargs
    return datasets.make_builder(
        f"catalogue_split/{name}", str(root / data), build=build, **folders
    )


def read(finished, part):
    return {
        example["sng_id"].decode(): example
        for example in tfds.builder_from_directory(finished.data_dir).as_data_source(part)
    }


def content(finished):
    """All examples of all parts in their order, and the lists beside them."""
    folder = pathlib.Path(finished.data_dir)
    parts = {part: list(tfds.builder_from_directory(folder).as_data_source(part)) for part in PARTS}
    return parts, [(folder / name).read_text() for name in ("skipped.csv", "coverage.csv")]


def same(first, second):
    assert first[1] == second[1]
    for part in PARTS:
        assert len(first[0][part]) == len(second[0][part])
        for example, other in zip(first[0][part], second[0][part], strict=True):
            for name in example:
                np.testing.assert_array_equal(example[name], other[name])
