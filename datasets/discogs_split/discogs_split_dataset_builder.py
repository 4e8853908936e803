"""discogs_split: the paper's Discogs experiments, from the authors' lists (sections 3.1, 3.2)."""

import tensorflow_datasets as tfds

from tagjax.examples.builder import FolderBuilder


class Builder(FolderBuilder):
    """250 tags of Discogs, and their 500 halves; the lists name Deezer songs."""

    HOMEPAGE = "https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags"
    BUILDER_CONFIGS = [  # noqa: RUF012 (TFDS' own form)
        tfds.core.BuilderConfig(name="taxonomy", description="250 tags, section 3.1."),
        tfds.core.BuilderConfig(name="deduplication", description="500 tags, section 3.2."),
    ]
