"""Shared fixtures."""

import os
import pathlib

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Programs and data sets are not installed. Processes that tests start find them by this path.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(ROOT), os.environ.get("PYTHONPATH", "")))
)

# This must come before JAX is imported. Four devices on the CPU let tests spread work over devices.
# Compilation without optimisation is quick, and takes most of the time of tests this small.
os.environ["XLA_FLAGS"] = " ".join(
    [
        os.environ.get("XLA_FLAGS", ""),
        "--xla_force_host_platform_device_count=4",
        "--xla_backend_optimization_level=0",
        "--xla_llvm_disable_expensive_passes=true",
    ]
).strip()


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder of shared material (paper data, corpus); without it, the test is skipped."""
    path = pathlib.Path(os.environ.get("TAGJAX_SHARED", ROOT.parent / "shared"))
    if not path.is_dir():
        pytest.skip("no shared folder beside the checkout (set TAGJAX_SHARED=folder)")
    return path


RELEASE = "https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags"


@pytest.fixture(scope="session")
def release() -> pathlib.Path:
    """The authors' released files, which anybody can get; without them, the test is skipped."""
    beside = pathlib.Path(os.environ.get("TAGJAX_SHARED", ROOT.parent / "shared")) / "release"
    path = pathlib.Path(os.environ.get("TAGJAX_RELEASE", beside))
    if not (path / "taxonomy_learning").is_dir():
        pytest.skip(f"needs the authors' files: git clone {RELEASE} and set TAGJAX_RELEASE=folder")
    return path


TINY_TAGS = ("blues", "jazz", "rock")


@pytest.fixture(scope="session")
def make_tiny():
    """make_tiny(folder, parts) builds `tiny/tiny` in the folder and returns its `Dataset`.

    Examples have 12 frames and 8 mel bands. Each of the three tags has a loud band. Each album has
    two excerpts and its own artist. Every sng_id occurs once.
    """

    def make(folder, parts, seed=0):
        import tensorflow_datasets as tfds

        from tagjax.examples import builder, dataset, frontend, workers
        from tagjax.vocabulary.vocabulary import Vocabulary

        vocabulary = Vocabulary.of(TINY_TAGS)
        build = workers.BuildConfig(front=frontend.FrontendConfig(n_mels=8))

        class Tiny(tfds.core.GeneratorBasedBuilder, skip_registration=True):
            """Tiny."""

            VERSION = tfds.core.Version("1.0.0")
            BUILDER_CONFIGS = (tfds.core.BuilderConfig(name="tiny"),)

            def _info(self):
                return self.dataset_info_from_configs(
                    features=builder.features(TINY_TAGS, 12, build),
                    metadata=tfds.core.MetadataDict(
                        {"experiment": "taxonomy", "vocabulary": vocabulary.record()}
                    ),
                )

            def _split_generators(self, dl_manager):
                starts = np.cumsum([0, *parts.values()])
                return {
                    part: self._generate_examples(range(start, start + count))
                    for (part, count), start in zip(parts.items(), starts, strict=False)
                }

            def _generate_examples(self, numbers):
                for k in numbers:
                    label = k // 2 % 3
                    mel = np.random.default_rng([seed, k]).uniform(0, 1, (12, 8))
                    mel[:, 2 * label : 2 * label + 2] += 1.5
                    yield (
                        k,
                        {
                            "mel": mel.astype(np.float16),
                            "label": label,
                            "sng_id": f"s{k}",
                            "artist_id": f"r{k // 2}",
                            "album_id": f"l{k // 2}",
                            "tags": "|".join(sorted({TINY_TAGS[label], "rock"})),
                            "seg_start": 0.0,
                            "provenance": "",
                            "padded": False,
                        },
                    )

        tfds.disable_progress_bar()
        Tiny(config="tiny", data_dir=str(folder), file_format="array_record").download_and_prepare()
        return dataset.find("tiny", folder)

    return make
