"""Examples: excerpts of a manifest as log-mel tensors in a TFDS data set.

`ManifestBuilder` is the base of the builders under `datasets/`. Its shards are written on all
cores; the metadata come last. Excerpts that cannot be decoded are skipped and counted.
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import os
import pathlib
import shutil
import warnings
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.core import dataset_builder

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.progress import Progress, silently
from tagjax.examples import pool, reports, shards, workers
from tagjax.examples.rows import Skipped, rows_of
from tagjax.examples.source import ExcerptSource, folder_source
from tagjax.manifest.lists import Manifest
from tagjax.vocabulary.vocabulary import EXPERIMENTS

SMALLEST = 2 << 20
"""Bytes of log-mels in a small shard. ArrayRecord adds some 0.1 MB to each file."""


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


def shard_size(excerpts: int, size: int) -> int:
    """Number of excerpts in each shard of a part.

    There are enough shards for many cores, but not so many that a reader opens too many files. A
    killed worker loses one shard, which at the paper's size is half a minute of MP3 or one of Opus.

    Args:
      excerpts: number of excerpts of the part.
      size: bytes of a log-mel.

    >>> shard_size(334_547, 646 * 96 * 2), shard_size(1_000, 646 * 96 * 2)
    (653, 16)
    """
    return max(1, SMALLEST // size, min(excerpts // 128, 512), excerpts // 512)


class ManifestBuilder(  # type: ignore[call-arg]
    dataset_builder.FileReaderBuilder, skip_registration=True
):
    """Base of the builders. A subclass defines `source()`.

    The lists of `reports.write` are written beside the examples.

    Attributes:
      build: how the examples are made.
      beam: (runner, options) of Apache Beam; None builds on this machine's cores.
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
        self.beam: Any = None
        self.progress: Progress = silently
        self.skipped: list[Skipped] = []
        self.counts: dict[str, dict[str, int]] = {}
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
    def unfinished(self) -> pathlib.Path:
        """Folder for the shards so far; other excerpts, audio or configuration have another one."""
        source = self.excerpts
        made_of = {
            **self.info.metadata,
            "manifest": None,  # Only how its folder is spelt; `jobs` and `digest` are its content.
            "format": self.info.file_format,
            "folder": source.folder,
            "provenance": source.provenance,
            "jobs": [source.jobs(part) for part in source.parts],
        }
        metadata = json.dumps(made_of, sort_keys=True, default=str)
        digest = hashlib.sha256(metadata.encode()).hexdigest()[:16]
        return pathlib.Path(self.data_path).parent / f".unfinished_{digest}"

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

    def _download_and_prepare(self, dl_manager: Any, download_config: Any = None) -> None:
        """Writes shards, and with the last one the reports and what TFDS records of the parts."""
        del dl_manager, download_config
        source, folder = self.excerpts, self.unfinished
        folder.mkdir(parents=True, exist_ok=True)
        write = shards.ShardWriter(
            folder,
            source.name,
            source.folder,
            source.read,
            self.build,
            self.info.features,
            self.info.file_format,
        )
        rows = {part: rows_of(source, part, self._shard_size(part)) for part in source.parts}
        tasks = (
            shards.Shard(part, number, chosen)
            for part, chunks in rows.items()
            for number, chosen in enumerate(chunks)
        )
        if self.beam is None:
            count, seconds = self.build.workers, self.build.file_seconds
            results = pool.run(write, tasks, count, seconds, shards.__name__)
        else:
            from tagjax.examples import beam

            results = beam.run(write, tasks, *self.beam)
        self.skipped, self.counts = [], {}
        splits: list[tuple[tfds.core.SplitInfo, list[pathlib.Path]]] = []
        with contextlib.closing(results):
            for part in source.parts:
                splits += self._split(part, write, results)
        for split, paths in splits:
            names = split.filename_template.sharded_filepaths(len(paths))
            for path, name in zip(paths, names, strict=True):
                _link(path, name)
        self.info.set_splits(tfds.core.SplitDict([split for split, _ in splits]))
        reports.write(pathlib.Path(self.data_path), source, self.counts, self.skipped)

    def _post_download_and_prepare_hook(self) -> None:
        self.sweep()

    def sweep(self) -> None:
        """Removes the folders of unfinished builds, once the data set is complete."""
        for left in pathlib.Path(self.data_path).parent.glob(".unfinished_*"):
            shutil.rmtree(left)

    def _split(
        self, part: str, write: shards.ShardWriter, results: Generator[shards.ShardReport]
    ) -> Iterator[tuple[tfds.core.SplitInfo, list[pathlib.Path]]]:
        """Waits for the shards of a part; yields what TFDS is told of it and their files.

        Nothing is yielded if no excerpt of an optional part could be decoded.
        """
        count, size = len(self.excerpts.parts[part]), self._shard_size(part)
        found: list[shards.ShardReport] = []

        def finished() -> Iterator[int]:
            for start in range(0, count, size):
                found.append(next(results))
                yield from range(start, min(start + size, count))

        collections.deque(self.progress(finished(), f"build {part}", count), maxlen=0)
        counts = {kind: sum(report.counts[kind] for report in found) for kind in workers.KINDS}
        skipped = {row[0]: Skipped(*row[-1]) for report in found for row in report.skipped}
        self.counts[part] = counts
        self.skipped += [skipped[index] for index in sorted(skipped)]
        if not counts["written"]:
            self._refuse_empty(part)
            return
        written = {i: n for i, report in enumerate(found) if (n := report.counts["written"])}
        yield (
            tfds.core.SplitInfo(
                name=part,
                shard_lengths=list(written.values()),
                num_bytes=sum(report.size for report in found),
                filename_template=self._get_filename_template(part),
            ),
            [write.path(part, i) for i in written],
        )

    def _shard_size(self, part: str) -> int:
        """Number of excerpts in each shard of a part."""
        mel = self.info.features["mel"]
        size = math.prod(mel.shape) * np.dtype(mel.np_dtype).itemsize
        return shard_size(len(self.excerpts.parts[part]), size)

    def _refuse_empty(self, part: str) -> None:
        """Warns of an optional part of which no excerpt could be decoded, and refuses another."""
        if part.endswith(("_upsampled", "_downsampled", "overlap")):
            warnings.warn(
                f"nothing of the part {part} can be decoded; it is left out", stacklevel=2
            )
            return
        first = next(row for row in self.skipped if row.part == part)
        raise InputError(
            f"{self.excerpts.name}/{part}.csv:2: neither this excerpt nor any other of the part "
            f"could be decoded: {first.path}: {first.reason}"
        )


def _link(path: pathlib.Path, name: Any) -> None:
    """Gives a file a second name. Its first one stays, in case the build is killed now."""
    try:
        os.link(path, name)
    except OSError:  # The file system has no hard links.
        os.replace(path, name)


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
