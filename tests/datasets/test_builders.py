"""TFDS' own conformance suite for each builder; it needs TensorFlow, which nothing else does."""

import dataclasses
import pathlib

import numpy as np
import pytest
import soundfile

pytest.importorskip("tensorflow")
pytest.importorskip("dill")

import tensorflow_datasets as tfds

import datasets
from datasets.catalogue_split import catalogue_split_dataset_builder as catalogue_split
from datasets.discogs_split import discogs_split_dataset_builder as discogs_split
from datasets.mumu_discogs_split import mumu_discogs_split_dataset_builder as mumu_discogs_split
from datasets.synthetic_split import synthetic_split_dataset_builder as synthetic_split
from tagjax import synthetic
from tagjax.examples.workers import BuildConfig
from tagjax.manifest import lists, sampling

ROOT = pathlib.Path(datasets.__file__).parent
ONE = BuildConfig(workers=1)
SMALL = synthetic.SyntheticConfig(tracks=80, album_tracks=1, artist_albums=1, duration=(2.0, 3.0))


@pytest.fixture(scope="session")
def music(tmp_path_factory):
    """A folder with audio for every track of the dummy manifests, made on the spot."""
    folder = tmp_path_factory.mktemp("music")
    for path in ROOT.glob("*/dummy_data/*"):
        if not path.is_dir():
            continue
        for part in lists.read_manifest(path).parts.values():
            for k, track in enumerate(part.sng_id):
                file = folder / (part.path[k] if part.path else f"by/id/{track}.wav")
                file.parent.mkdir(parents=True, exist_ok=True)
                noise = np.random.default_rng(sum(map(ord, track))).normal(0, 0.1, 2 * 22050)
                soundfile.write(file, noise, 22050)
    return folder


class _Conformance(tfds.testing.DatasetBuilderTestCase):
    """TFDS reads back through tf.data, which has no ArrayRecord: here the file is a TFRecord."""

    SPLITS = {"train": 4, "validation": 2, "test": 2}  # noqa: RUF012
    CONFIG = None

    @classmethod
    def setUpClass(cls):
        if cls.DATASET_CLASS is None:
            pytest.skip("the base of the others")
        super().setUpClass()

    @pytest.fixture(autouse=True)
    def _music(self, music):
        type(self).music = music

    def _make_builder(self, config=None):
        config = config or self.CONFIG
        return self.dataset_class(
            data_dir=self.tmp_dir,
            config=config,
            version=self.VERSION,
            build=ONE,
            file_format="tfrecord",
            manifest_dir=self.dummy_data / (config if isinstance(config, str) else config.name),
            audio_dir=self.music,
        )


class DiscogsSplitTest(_Conformance):
    DATASET_CLASS = discogs_split.Builder
    CONFIG = "taxonomy"


class MumuDiscogsSplitTest(_Conformance):
    DATASET_CLASS = mumu_discogs_split.Builder
    CONFIG = "translation"


class CatalogueSplitTest(_Conformance):
    DATASET_CLASS = catalogue_split.Builder
    CONFIG = "mine"


def small_configs():
    """The configs of synthetic_split on a small catalogue of short tracks."""
    one_second = sampling.SamplingConfig(
        seg_duration=1.0, min_tracks=1, max_excerpts_per_track=1, seed=1
    )
    return [
        dataclasses.replace(
            config,
            name=f"small_{config.name}",
            experiment=config.name,
            catalogue=SMALL,
            sampling=one_second,
        )
        for config in synthetic_split.Builder.BUILDER_CONFIGS
    ]


def synthetic_builder(config, folder, **kwargs):
    return synthetic_split.Builder(data_dir=folder, config=config, build=ONE, **kwargs)


class _SyntheticConformance(_Conformance):
    DATASET_CLASS = synthetic_split.Builder
    OVERLAPPING_SPLITS = ["overlap"]  # noqa: RUF012

    @classmethod
    def setUpClass(cls):
        if cls.CONFIG is None:
            pytest.skip("the base of the others")
        config = small_configs()[cls.CONFIG]
        cls.BUILDER_CONFIG_NAMES_TO_TEST = [config]
        parts = synthetic_builder(config, "/nowhere").excerpts.parts
        cls.SPLITS = {name: len(part) for name, part in parts.items()}
        super().setUpClass()

    def _make_builder(self, config=None):
        config = config or self.BUILDER_CONFIG_NAMES_TO_TEST[0]
        return synthetic_builder(config, self.tmp_dir, file_format="tfrecord")


class SyntheticTaxonomyTest(_SyntheticConformance):
    CONFIG = 0


class SyntheticDeduplicationTest(_SyntheticConformance):
    CONFIG = 1


class SyntheticTranslationTest(_SyntheticConformance):
    CONFIG = 2


TESTED = [case.DATASET_CLASS for case in _Conformance.__subclasses__()]


def test_no_builder_is_left_out():
    assert {builder.name for builder in TESTED} == set(datasets.known())


del _Conformance, _SyntheticConformance  # Else pytest would collect them too.
