"""synthetic_split: procedural music with planted truth, for all three experiments."""

import dataclasses
import functools

import numpy as np
import tensorflow_datasets as tfds

from tagjax import annotations, examples, sampling, synthetic

SAMPLING = sampling.SamplingConfig(seg_duration=10.0, max_excerpts_per_track=2, seed=1)


@dataclasses.dataclass
class SyntheticSplitConfig(tfds.core.BuilderConfig):
    """An experiment on the catalogues of a `SyntheticConfig`."""

    catalogue: synthetic.SyntheticConfig = synthetic.SyntheticConfig()
    sampling: sampling.SamplingConfig = SAMPLING
    systems: tuple[tuple[str, str], ...] = (("a", ""),)
    """(system of the catalogue, prefix of its tags) of those that take part."""


def _render(
    path: str, start: float, duration: float, config: synthetic.SyntheticConfig
) -> tuple[np.ndarray, bool]:
    return synthetic.render_excerpt(config, path, start, duration), False


class Builder(examples.ManifestBuilder, skip_registration=True):
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

    def source(self) -> examples.Source:
        """Annotations of the systems to a manifest, as `launch.split` makes one."""
        config = self.builder_config
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
        manifest = sampling.make_manifest(catalogues, tracks, config.sampling, config.name)
        truth = dict(manifest.truth)
        if config.name != "deduplication":
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
        if config.name == "translation":
            truth["translation"] = [
                ("b:" + source, "a:" + target, relation)
                for source, target, relation in made.translation
            ]
        manifest = dataclasses.replace(manifest, truth=truth)
        read = functools.partial(_render, config=config.catalogue)
        return examples.manifest_source(manifest, read, f"synthetic, seed {config.catalogue.seed}")
