"""synthetic_split: procedural music with planted truth, for all three experiments."""

import dataclasses
import functools

import numpy as np
import tensorflow_datasets as tfds

from tagjax import synthetic
from tagjax.catalogue import annotations
from tagjax.examples import builder, workers
from tagjax.examples import source as excerpt_source
from tagjax.manifest.sampling import SamplingConfig, make_manifest
from tagjax.vocabulary.truth import from_rows

SAMPLING = SamplingConfig(seg_duration=10.0, upsample=(), seed=1)


@dataclasses.dataclass
class SyntheticSplitConfig(tfds.core.BuilderConfig):
    """An experiment on the catalogues of a `SyntheticConfig`."""

    experiment: str = ""
    """`taxonomy`, `deduplication` or `translation`; the name of the config if it is empty."""
    catalogue: synthetic.SyntheticConfig = synthetic.SyntheticConfig()
    sampling: SamplingConfig = SAMPLING
    systems: tuple[tuple[str, str], ...] = (("a", ""),)
    """(system of the catalogue, prefix of its tags) of those that take part."""


class Builder(builder.ManifestBuilder):
    """Renders the excerpts; nothing is read or downloaded."""

    VERSION = tfds.core.Version("1.0.0")
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

    def source(self) -> excerpt_source.Source:
        """Annotations of the systems to a manifest, as `launch.split` makes one."""
        config = self.builder_config
        experiment = config.experiment or config.name
        made = synthetic.make_catalogue(config.catalogue)
        prefixes = dict(config.systems)
        catalogues = [
            annotations.Catalogue(
                prefix,
                *(
                    tuple(getattr(row, name) for row in made.annotations[system])
                    for name in ("track_id", "artist_id", "album_id", "tags")
                ),
            )
            for system, prefix in config.systems
        ]
        tracks = annotations.Tracks(
            tuple(track.track_id for track in made.tracks),
            tuple(track.track_id for track in made.tracks),
            np.array([track.duration for track in made.tracks]),
        )
        manifest = make_manifest(catalogues, tracks, config.sampling, experiment)
        truth: dict = dict(manifest.truth.rows())
        if experiment != "deduplication":
            truth["taxonomy"] = [
                (prefix + style, prefix + genre)
                for system, prefix in config.systems
                for style, genre in made.taxonomy[system]
            ]
            truth["duplicates"] = [
                (prefixes[system] + tag, prefixes[system] + duplicate)
                for system, tag, duplicate in made.duplicates
                if system in prefixes
            ]
        if experiment == "translation":
            truth["translation"] = [
                ("b:" + source, "a:" + target, relation)
                for source, target, relation in made.translation
            ]
        manifest = dataclasses.replace(manifest, truth=from_rows(truth))
        render = functools.partial(synthetic.render_excerpt, config.catalogue)
        read = functools.partial(workers.rendered, render=render)
        return excerpt_source.manifest_source(
            manifest, read, f"synthetic, seed {config.catalogue.seed}"
        )
