"""mumu_discogs_split: the paper's translation experiment, from the authors' lists (section 4)."""

import tensorflow_datasets as tfds

from tagjax.examples.builder import FolderBuilder


class Builder(FolderBuilder):
    """250 tags of Discogs and 211 of MuMu; the lists name Deezer songs."""

    HOMEPAGE = "https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags"
    BUILDER_CONFIGS = [  # noqa: RUF012 (TFDS' own form)
        tfds.core.BuilderConfig(name="translation", description="461 tags, section 4."),
    ]
