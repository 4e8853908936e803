"""The synthetic music as a data set: from catalogues over a manifest to rendered excerpts."""

import dataclasses
import functools

import numpy as np
import tensorflow_datasets as tfds

from tagjax import synthetic
from tagjax.base import files
from tagjax.base.progress import Progress, silently
from tagjax.catalogue import annotations
from tagjax.examples import builder, workers
from tagjax.examples.build import build_with
from tagjax.examples.dataset import Dataset
from tagjax.examples.source import ExcerptSource, manifest_source
from tagjax.manifest.sampling import SamplingConfig, make_manifest
from tagjax.vocabulary import truth as truths

SAMPLING = SamplingConfig(seg_duration=10.0, upsample=(), seed=1)


@dataclasses.dataclass
class SyntheticSplitConfig(tfds.core.BuilderConfig):
    """An experiment on the catalogues of a `SyntheticConfig`."""

    experiment: str = ""
    """`taxonomy`, `deduplication` or `translation`; if empty, the name of the config counts."""
    catalogue: synthetic.SyntheticConfig = synthetic.SyntheticConfig()
    sampling: SamplingConfig = SAMPLING
    systems: tuple[tuple[str, str], ...] = (("a", ""),)
    """Pairs (system of the catalogue, prefix of its tags), one for each system that takes part."""


class SyntheticBuilder(builder.ManifestBuilder, skip_registration=True):
    """Renders the excerpts; it reads and downloads nothing."""

    name = "synthetic_split"
    BUILDER_CONFIGS = [  # noqa: RUF012 (TFDS' own form)
        SyntheticSplitConfig(name="taxonomy", description="System A: styles and their genres."),
        SyntheticSplitConfig(
            name="deduplication", description="System A, every tag split in two by artist."
        ),
        SyntheticSplitConfig(
            name="translation",
            description="Systems A and B, tags prefixed, common tracks kept for fdist.",
            systems=(("a", "a:"), ("b", "b:")),
        ),
    ]

    def source(self) -> ExcerptSource:
        """Makes a manifest from the annotations of the systems, as `launch.split` does."""
        config = self.builder_config
        experiment = config.experiment or config.name
        music = synthetic.make_catalogue(config.catalogue)
        manifest = make_manifest(
            [_annotations(music, system, prefix) for system, prefix in config.systems],
            _tracks(music),
            config.sampling,
            experiment,
        )
        render = functools.partial(synthetic.render_excerpt, config.catalogue)
        read = functools.partial(workers.rendered, render=render)
        name = f"synthetic, seed {config.catalogue.seed}"
        source = manifest_source(manifest, read, name)
        planted = _planted_truth(music, dict(config.systems), experiment)
        return dataclasses.replace(source, truth=source.truth.replaced(planted))


def build(
    data_dir: files.PathLike,
    config: str | SyntheticSplitConfig = "translation",
    progress: Progress = silently,
) -> Dataset:
    """Renders the synthetic music of an experiment as a data set, unless it is built already.

    The result is what `python -m launch.build --dataset=synthetic_split/CONFIG` makes.

    Args:
      data_dir: TFDS' folder of data sets.
      config: `taxonomy`, `deduplication`, `translation`, or your own config.
      progress: passes on the excerpts of each part.

    Raises:
      InputError: as `examples.build.prepare`.

    >>> music = synthetic.SyntheticConfig(tracks=60, album_tracks=1, artist_albums=1)
    >>> shorter = dataclasses.replace(SAMPLING, seg_duration=1.0)
    >>> config = SyntheticSplitConfig(
    ...     name="tiny", experiment="taxonomy", catalogue=music, sampling=shorter
    ... )
    >>> build("data/tfds", config).input_shape
    (22, 96)

    Reference: section 2.2 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    return build_with(SyntheticBuilder(data_dir=str(data_dir), config=config), progress)


def _annotations(music: synthetic.Catalogue, system: str, prefix: str) -> annotations.Catalogue:
    """The annotations of the tracks in one tag system."""
    rows = music.annotations[system]
    return annotations.Catalogue(
        prefix,
        track_id=tuple(row.track_id for row in rows),
        artist_id=tuple(row.artist_id for row in rows),
        album_id=tuple(row.album_id for row in rows),
        tags=tuple(row.tags for row in rows),
    )


def _tracks(music: synthetic.Catalogue) -> annotations.Tracks:
    ids = tuple(track.track_id for track in music.tracks)
    return annotations.Tracks(ids, ids, np.array([track.duration for track in music.tracks]))


def _planted_truth(
    music: synthetic.Catalogue, prefixes: dict[str, str], experiment: str
) -> truths.Truth:
    """The planted truth about the tags of an experiment.

    The halves of a deduplication are not planted: the manifest knows them.
    """
    rows: dict[str, list[tuple[str, ...]]] = {}
    if experiment != "deduplication":
        rows["taxonomy"] = [
            (prefix + style, prefix + genre)
            for system, prefix in prefixes.items()
            for style, genre in music.taxonomy[system]
        ]
        rows["duplicates"] = [
            (prefixes[system] + tag, prefixes[system] + duplicate)
            for system, tag, duplicate in music.duplicates
            if system in prefixes
        ]
    if experiment == "translation":
        rows["translation"] = [
            ("b:" + source, "a:" + target, relation)
            for source, target, relation in music.translation
        ]
    return truths.from_rows(rows)
