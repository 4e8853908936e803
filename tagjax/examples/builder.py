"""Examples: excerpts of a manifest as log-mel tensors in a TFDS data set.

`ManifestBuilder` is the base of the builders under `datasets/`. It computes the parts of a manifest
on all cores, and skips and counts excerpts that cannot be decoded.
"""

import dataclasses
import functools
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from array_record.python import array_record_module
from tensorflow_datasets.core import shuffle
from tensorflow_datasets.core import writer as tfds_writer

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.progress import Progress, silently
from tagjax.examples import journal, reports, workers
from tagjax.examples.rows import Skipped, check_mistake, rows_of
from tagjax.examples.source import ExcerptSource, folder_source
from tagjax.manifest.lists import Manifest
from tagjax.vocabulary.vocabulary import EXPERIMENTS

_SHUFFLED_IN_MEMORY = 1 << 28
"""In bytes of examples. TFDS shuffles more on disk, in the same order. Its own limit is 1 GB."""


def features(
    tags: tuple[str, ...], frames: int, config: workers.BuildConfig
) -> tfds.features.FeaturesDict:
    """Features of an example; `mel` is stored as raw bytes, which is written and read fastest."""
    return tfds.features.FeaturesDict(
        {
            "mel": tfds.features.Tensor(
                shape=(frames, config.front.n_mels),
                dtype=workers.MEL_DTYPES[config.mel_dtype],
                encoding=tfds.features.Encoding.BYTES,
            ),
            "label": tfds.features.ClassLabel(names=list(tags)),
            "sng_id": tfds.features.Text(),
            "artist_id": tfds.features.Text(),
            "album_id": tfds.features.Text(),
            "tags": tfds.features.Text(),
            "seg_start": np.float32,
            "provenance": tfds.features.Text(),
            "padded": np.bool_,
        }
    )


class EmptyPartError(Exception):
    """No excerpt of an optional part could be decoded; the message is the name of the part."""


class _PlainWriter(tfds_writer.ExampleWriter):
    """Writes ArrayRecord without compression, which would save an eighth and read 5 x slower."""

    def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> None:
        writer = array_record_module.ArrayRecordWriter(os.fspath(path), "group_size:1,uncompressed")
        for _, example in examples:
            writer.write(example)
        writer.close()


class ManifestBuilder(  # type: ignore[call-arg]
    tfds.core.GeneratorBasedBuilder, skip_registration=True
):
    """Base of the builders. A subclass defines `source()`.

    The lists of `reports.write` are written beside the examples.

    Attributes:
      build: how the examples are made.
      left_out: parts that are not built, because none of their excerpts can be decoded.
      journal: folder for the results of an interrupted build; None keeps none.
      on_beam: whether Apache Beam computes the examples.
      progress: passes on the excerpts of each part.
      skipped: excerpts that could not be decoded, once built.
      counts: {part: number of excerpts of each of `workers.KINDS`}, once built.
    """

    VERSION = tfds.core.Version("1.0.0")
    HOMEPAGE = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.pkg_dir_path = None  # Otherwise TFDS would take the README of a base class.

    def __init__(self, *, build: workers.BuildConfig | None = None, **kwargs: Any) -> None:
        self.build = build or workers.BuildConfig()
        self.journal: pathlib.Path | None = None
        self.on_beam = False
        self.progress: Progress = silently
        self.skipped: list[Skipped] = []
        self.counts: dict[str, dict[str, int]] = {}
        self.left_out: list[str] = []
        kwargs.setdefault("file_format", "array_record")
        super().__init__(**kwargs)

    def source(self) -> ExcerptSource:
        """The excerpts to build.

        Raises:
          InputError: there are none; the message says how to get them.
        """
        raise InputError(f"{self.name}: this builder has no source")

    @functools.cached_property
    def excerpts(self) -> ExcerptSource:
        """The result of `source()`, which is called once."""
        return self.source()

    @property
    def missing_parts(self) -> list[str]:
        """Parts that training needs and that the manifest does not have."""
        parts = self.excerpts.parts
        folds = any(part.startswith("fold_") for part in parts)
        return [p for p in ("train", "validation", "test") if p not in parts and not folds]

    @property
    def _parts(self) -> list[str]:
        return [part for part in self.excerpts.parts if part not in self.left_out]

    def _example_writer(self) -> tfds_writer.ExampleWriter:
        file_format = self.info.file_format
        plain = file_format == tfds.core.FileFormat.ARRAY_RECORD
        return (_PlainWriter if plain else tfds_writer.ExampleWriter)(file_format)

    def _info(self) -> tfds.core.DatasetInfo:
        source = self.excerpts
        frames = self.build.front.frames(source.duration)
        made_with = dataclasses.asdict(self.build)
        del made_with["strict"]
        # Fields that change no example are null, as in existing data sets.
        made_with |= dict.fromkeys(("workers", "skip_missing", "file_seconds"))
        metadata = {**source.metadata, "build": made_with}
        _check_same(pathlib.Path(self.data_path), metadata)
        return self.dataset_info_from_configs(
            features=features(source.vocabulary.tags, frames, self.build),
            homepage=self.HOMEPAGE,
            disable_shuffling=False,
            metadata=tfds.core.MetadataDict(metadata),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager
        source = self.excerpts
        # Of an earlier attempt, only the results for parts that are left out are still valid.
        self.skipped = [row for row in self.skipped if row.part in self.left_out]
        self.counts = {part: self.counts[part] for part in self.left_out}
        if self.on_beam:
            from tagjax.examples import beam

            folder = pathlib.Path(self.data_path) / beam.REPORTS
            return {
                part: beam.examples(
                    f"{source.name}/{part}", rows_of(source, part), source.read, self.build, folder
                )
                for part in self._parts
            }
        # One stream for all parts, because TFDS reads them one after the other.
        everything = [job for part in self._parts for job in source.jobs(part)]
        outcomes = (
            workers.log_mels(everything, source.read, self.build)
            if self.journal is None
            else journal.log_mels(self.journal, everything, source.read, self.build)
        )
        return {part: self._generate_examples(part, outcomes) for part in self._parts}

    def _generate_examples(self, part: str, outcomes: Iterator[workers.Outcome]) -> Iterator:
        rows = rows_of(self.excerpts, part)
        counts = self.counts[part] = dict.fromkeys(workers.KINDS, 0)
        for row in self.progress(rows, f"build {part}", len(rows)):
            outcome = next(outcomes)
            for kind in outcome.kinds:
                counts[kind] += 1
            if outcome.mel is None:
                check_mistake(f"{self.excerpts.name}/{part}", row, outcome, self.build)
                self.skipped.append(row.skipped(part, outcome.reason))
                continue
            yield row.key, row.example(outcome)
        if not counts["written"]:
            self._refuse_empty(part)

    def _refuse_empty(self, part: str) -> None:
        """Ends an attempt in which no excerpt of a part could be decoded."""
        if part.endswith(("_upsampled", "_downsampled", "overlap")):
            self.left_out.append(part)
            raise EmptyPartError(part)
        first = next(row for row in self.skipped if row.part == part)
        raise InputError(
            f"{self.excerpts.name}/{part}.csv:2: neither this excerpt nor any other of the part "
            f"could be decoded: {first.path}: {first.reason}"
        )

    def _download_and_prepare(self, dl_manager: Any, download_config: Any = None) -> None:
        """Builds, and writes the reports before the folder is renamed to its final name."""
        usual, shuffle.MAX_MEM_BUFFER_SIZE = shuffle.MAX_MEM_BUFFER_SIZE, _SHUFFLED_IN_MEMORY
        try:
            super()._download_and_prepare(dl_manager, download_config)
        finally:
            shuffle.MAX_MEM_BUFFER_SIZE = usual
        folder = pathlib.Path(self.data_path)
        if self.on_beam:
            from tagjax.examples import beam

            self.counts, self.skipped = beam.collect(folder, self.excerpts.parts)
        reports.write(folder, self.excerpts, self.counts, self.skipped)


class FolderBuilder(ManifestBuilder, skip_registration=True):
    """Base of the builders whose manifest and audio are folders on disk.

    The constructor takes `manifest_dir` (a folder, or a manifest in memory) and `audio_dir`, by
    default `data/manifests/NAME/CONFIG` and `data/audio/NAME`; further `build` and TFDS' arguments.
    """

    def __init__(
        self,
        *,
        manifest_dir: files.PathLike | Manifest | None = None,
        audio_dir: files.PathLike | None = None,
        **kwargs: Any,
    ) -> None:
        self._manifest, self._audio_dir = manifest_dir, audio_dir
        super().__init__(**kwargs)

    def source(self) -> ExcerptSource:
        """The manifest with its audio folder.

        Raises:
          InputError: one of them is missing; the message says what to do.
        """
        config = self.builder_config.name if self.builder_config else "default"
        manifest = self._manifest
        if not isinstance(manifest, Manifest):
            manifest = pathlib.Path(manifest or f"data/manifests/{self.name}/{config}")
            if not manifest.is_dir():
                raise InputError(
                    f"{manifest}: no such folder; put the lists train.csv, validation.csv, test.csv"
                    " there, make them by launch.split, or name another folder by --manifest_dir"
                )
        source = folder_source(manifest, self._audio_dir or f"data/audio/{self.name}", self.build)
        experiment = source.metadata["experiment"] or (config if config in EXPERIMENTS else "")
        metadata = {**source.metadata, "experiment": experiment}
        return dataclasses.replace(source, metadata=metadata)


class CatalogueBuilder(FolderBuilder, skip_registration=True):
    """Any manifest of `launch.split` with the folder that holds its audio.

    The user may choose any name for the config.
    """

    def __init__(
        self,
        *,
        config: str | tfds.core.BuilderConfig | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Also takes a `name` for the builder, in place of that of its class."""
        if name is not None:
            self.name = name
        if isinstance(config, str):
            config = tfds.core.BuilderConfig(name=config)
        super().__init__(config=config, **kwargs)

    def _create_builder_config(self, builder_config: Any, version: Any) -> Any:
        del version
        return builder_config  # TFDS would warn that it is not in a list.


def _known(new: Any, old: Any) -> Any:
    """The new record without the fields that the old one lacks, at any depth."""
    if not (isinstance(new, dict) and isinstance(old, dict)):
        return new
    return {key: _known(value, old[key]) for key, value in new.items() if key in old}


def _check_same(folder: pathlib.Path, metadata: Mapping[str, Any]) -> None:
    """Refuses a folder whose examples were built with other metadata.

    Fields that an older build did not record are ignored.
    """
    if not (folder / "metadata.json").exists():
        return
    old, new = files.read_json(folder / "metadata.json"), json.loads(json.dumps(metadata))
    for key in new:
        if key != "manifest" and key in old and old[key] != _known(new[key], old[key]):
            what = {"digest": "another manifest", "build": "another --mel_dtype or configuration"}
            raise InputError(
                f"{folder}: was built from {what.get(key, f'another {key!r} in the manifest')}; "
                "remove this folder to build anew, or choose another --data_dir"
            )
