"""Examples: excerpts of a manifest as log-mel tensors in a TFDS data set.

`ManifestBuilder` is what the builders under `datasets/` share. It works through the parts
of a manifest on all cores, skips what cannot be decoded and keeps count of it.
"""

import collections
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
from tqdm import tqdm

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.tables import write_table
from tagjax.examples import journal, workers
from tagjax.examples.source import Source, folder_source
from tagjax.manifest.sampling import EXPERIMENTS

_SHUFFLED_IN_MEMORY = 1 << 28
"""Bytes of examples; of more, TFDS shuffles on disk, in the same order. It would take 1 GB."""


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


@dataclasses.dataclass(frozen=True)
class Row:
    """One excerpt on its way to an example.

    Attributes:
      index: of its row in the part.
      line: of that row in its file.
      job: path, start and duration of its audio.
      fields: all of the example but `mel` and `padded`.
    """

    index: int
    line: int
    job: workers.Job
    fields: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Unique in a part; TFDS orders examples by its hash."""
        return f"{self.fields['sng_id']}@{self.fields['seg_start']:.4f}"

    def example(self, outcome: workers.Outcome) -> dict[str, Any]:
        """The example, of an outcome with a log-mel."""
        return {"mel": outcome.mel, **self.fields, "padded": outcome.padded}

    def skipped(self, part: str, reason: str) -> tuple[str, str, float, str, str]:
        """Its row of `skipped.csv`."""
        return part, self.fields["sng_id"], self.fields["seg_start"], self.job[0], reason


def check_mistake(
    where: str, row: Row, outcome: workers.Outcome, config: workers.BuildConfig
) -> None:
    """Refuses an outcome that shows a mistake of the manifest.

    Raises:
      InputError: it does.
    """
    if outcome.mistaken and not config.skip_missing:
        raise InputError(
            f"{where}.csv:{row.line}: {row.job[0]}: {outcome.reason}; mend the row, or go on "
            "without such by --skip_missing"
        )


class EmptyPartError(Exception):
    """Nothing of a part that a data set can do without could be decoded; its name is the text."""


class _PlainWriter(tfds_writer.ExampleWriter):
    """ArrayRecord without compression, which saves an eighth of log-mels and reads 5 x slower."""

    def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> None:
        writer = array_record_module.ArrayRecordWriter(os.fspath(path), "group_size:1,uncompressed")
        for _, example in examples:
            writer.write(example)
        writer.close()


class ManifestBuilder(  # type: ignore[call-arg]
    tfds.core.GeneratorBasedBuilder, skip_registration=True
):
    """Base of the builders: a subclass says what `source()` is.

    Beside the examples come `build.json`, the counts, `skipped.csv`, which excerpts could not be
    decoded and why, and `coverage.csv`, what that leaves of each tag.

    Attributes:
      build: what the examples are made of.
      left_out: parts that are not built, as nothing of them can be decoded.
      journal: folder for what is computed, so that an interrupted build goes on; None: nowhere.
      on_beam: whether Apache Beam computes them.
      skipped: (part, sng_id, seg_start, path, reason) of what could not be decoded, and
      counts: per part how many excerpts were `written`, `padded` and `skipped`; once built.
    """

    VERSION = tfds.core.Version("1.0.0")
    HOMEPAGE = ""

    def __init__(self, *, build: workers.BuildConfig | None = None, **kwargs: Any) -> None:
        self.build = build or workers.BuildConfig()
        self.journal: pathlib.Path | None = None
        self.on_beam = False
        self.skipped: list[tuple[str, str, float, str, str]] = []
        self.counts: dict[str, dict[str, int]] = {}
        self.left_out: list[str] = []
        kwargs.setdefault("file_format", "array_record")
        super().__init__(**kwargs)

    def source(self) -> Source:
        """The excerpts to build.

        Raises:
          InputError: there are none, and how to get them.
        """
        raise InputError(f"{self.name}: this builder has no source")

    @functools.cached_property
    def _source(self) -> Source:
        return self.source()

    @property
    def missing_parts(self) -> list[str]:
        """Parts that training will ask for and the manifest has not."""
        there = self._source.parts
        folds = any(part.startswith("fold_") for part in there)
        return [p for p in ("train", "validation", "test") if p not in there and not folds]

    @property
    def from_elsewhere(self) -> int:
        """Excerpts whose `seg_start` cannot be honoured; see `Source.provenance`."""
        known = self._source.provenance
        return sum(track in known for part in self._source.parts.values() for track in part.sng_id)

    @property
    def _parts(self) -> list[str]:
        return [part for part in self._source.parts if part not in self.left_out]

    def _example_writer(self) -> tfds_writer.ExampleWriter:
        file_format = self.info.file_format
        plain = file_format == tfds.core.FileFormat.ARRAY_RECORD
        return (_PlainWriter if plain else tfds_writer.ExampleWriter)(file_format)

    def _info(self) -> tfds.core.DatasetInfo:
        source = self._source
        frames = self.build.front.frames(source.duration)
        made_with = dataclasses.asdict(self.build)
        made_with |= dict.fromkeys(("workers", "skip_missing", "file_seconds"))
        metadata = {**source.metadata, "build": made_with}
        _check_same(pathlib.Path(self.data_path), metadata)
        return self.dataset_info_from_configs(
            features=features(source.tags, frames, self.build),
            homepage=self.HOMEPAGE,
            disable_shuffling=False,
            metadata=tfds.core.MetadataDict(metadata),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        del dl_manager
        source = self._source
        # Of an attempt before, only what was lost with a whole part is still true.
        self.skipped = [row for row in self.skipped if row[0] in self.left_out]
        self.counts = {part: self.counts[part] for part in self.left_out}
        if self.on_beam:
            from tagjax.examples import beam

            folder = pathlib.Path(self.data_path) / beam.REPORTS
            return {
                part: beam.examples(
                    f"{source.name}/{part}", self._rows(part), source.read, self.build, folder
                )
                for part in self._parts
            }
        # One stream for all parts, as TFDS takes them one after the other.
        everything = [job for part in self._parts for job in source.jobs(part)]
        outcomes = (
            workers.log_mels(everything, source.read, self.build)
            if self.journal is None
            else journal.log_mels(self.journal, everything, source.read, self.build)
        )
        return {part: self._generate_examples(part, outcomes) for part in self._parts}

    def _rows(self, part: str) -> list[Row]:
        """The excerpts of a part with all of their examples that needs no audio."""
        source = self._source
        excerpts, jobs = source.parts[part], source.jobs(part)
        blank = ("",) * len(excerpts)
        artists, albums = excerpts.artist_id or blank, excerpts.album_id or blank
        tags = map("|".join, excerpts.tags) if excerpts.tags else blank
        return [
            Row(
                i,
                excerpts.line_of(i),
                jobs[i],
                {
                    "label": excerpts.label[i],
                    "sng_id": excerpts.sng_id[i],
                    "artist_id": artists[i],
                    "album_id": albums[i],
                    "tags": own,
                    "seg_start": float(excerpts.seg_start[i]),
                    "provenance": source.provenance.get(excerpts.sng_id[i], ""),
                },
            )
            for i, own in enumerate(tags)
        ]

    def _generate_examples(self, part: str, outcomes: Iterator[workers.Outcome]) -> Iterator:
        rows = self._rows(part)
        counts = self.counts[part] = dict.fromkeys(("written", "padded", "skipped"), 0)
        progress = tqdm(rows, f"build {part}", unit=" excerpts", mininterval=1.0)
        for row in progress:
            outcome = next(outcomes)
            if outcome.mel is None:
                check_mistake(f"{self._source.name}/{part}", row, outcome, self.build)
                counts["skipped"] += 1
                self.skipped.append(row.skipped(part, outcome.reason))
                continue
            counts["written"] += 1
            counts["padded"] += outcome.padded
            yield row.key, row.example(outcome)
        if not counts["written"] and part.endswith(("_upsampled", "overlap")):
            self.left_out.append(part)
            raise EmptyPartError(part)
        if not counts["written"]:
            _, _, _, path, reason = next(row for row in self.skipped if row[0] == part)
            raise InputError(
                f"{self._source.name}/{part}.csv:2: neither this excerpt nor any other of the part "
                f"could be decoded: {path}: {reason}"
            )

    def _download_and_prepare(self, dl_manager: Any, download_config: Any = None) -> None:
        """Builds, and reports into the folder before it is renamed to its place."""
        usual, shuffle.MAX_MEM_BUFFER_SIZE = shuffle.MAX_MEM_BUFFER_SIZE, _SHUFFLED_IN_MEMORY
        try:
            super()._download_and_prepare(dl_manager, download_config)
        finally:
            shuffle.MAX_MEM_BUFFER_SIZE = usual
        folder = pathlib.Path(self.data_path)
        if self.on_beam:
            from tagjax.examples import beam

            self.counts, self.skipped = beam.collect(folder, self._source.parts)
        files.write_json(folder / "build.json", {"parts": self.counts})
        header = ("part", "sng_id", "seg_start", "path", "reason")
        write_table(folder / "skipped.csv", header, self.skipped, for_people=True)
        columns = ("tag", "listed", "written")
        write_table(folder / "coverage.csv", columns, self._coverage(), for_people=True)

    def _coverage(self) -> Iterator[tuple[str, int, int]]:
        """(tag, excerpts with it as label in the manifest, those built) by name."""
        lost = {(part, track, start) for part, track, start, _, _ in self.skipped}
        listed: collections.Counter[str] = collections.Counter()
        written: collections.Counter[str] = collections.Counter()
        for part, excerpts in self._source.parts.items():
            rows = zip(excerpts.sng_id, excerpts.seg_start.tolist(), excerpts.label, strict=True)
            for track, start, label in rows:
                listed[label] += 1
                written[label] += (part, track, start) not in lost
        return ((tag, listed[tag], written[tag]) for tag in sorted(listed))


class FolderBuilder(ManifestBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Base of the builders whose manifest and audio are folders on disk.

    Args of the constructor: `manifest_dir` and `audio_dir`, by default
    `data/manifests/NAME/CONFIG` and `data/audio/NAME`; `build` and TFDS' own.
    """

    VERSION = tfds.core.Version("1.0.0")
    OWN_CONFIGS = False
    """Whether a config may have any name, not only those of `BUILDER_CONFIGS`."""

    def __init__(
        self,
        *,
        config: str | tfds.core.BuilderConfig | None = None,
        manifest_dir: files.PathLike | None = None,
        audio_dir: files.PathLike | None = None,
        **kwargs: Any,
    ) -> None:
        self._manifest_dir, self._audio_dir = manifest_dir, audio_dir
        if self.OWN_CONFIGS and isinstance(config, str):
            config = tfds.core.BuilderConfig(name=config)
        super().__init__(config=config, **kwargs)

    def _create_builder_config(self, builder_config: Any, version: Any) -> Any:
        if self.OWN_CONFIGS and builder_config:
            return builder_config  # TFDS would warn that it is in no list.
        return super()._create_builder_config(builder_config, version)

    def source(self) -> Source:
        """The manifest folder with its audio folder.

        Raises:
          InputError: one is missing, and what to do about it.
        """
        config = self.builder_config.name if self.builder_config else "default"
        folder = pathlib.Path(self._manifest_dir or f"data/manifests/{self.name}/{config}")
        if not folder.is_dir():
            raise InputError(
                f"{folder}: no such folder; put the lists train.csv, validation.csv, test.csv "
                "there, make them by launch.split, or name another folder by --manifest_dir"
            )
        source = folder_source(folder, self._audio_dir or f"data/audio/{self.name}", self.build)
        known = source.metadata["experiment"] or (config if config in EXPERIMENTS else "")
        metadata = {**source.metadata, "experiment": known}
        return dataclasses.replace(source, metadata=metadata)


def _check_same(folder: pathlib.Path, metadata: Mapping[str, Any]) -> None:
    """Refuses a folder whose examples were built from something else than `metadata` says."""
    if not (folder / "metadata.json").exists():
        return
    kept, wanted = files.read_json(folder / "metadata.json"), json.loads(json.dumps(metadata))
    for key in wanted:
        if key != "manifest" and key in kept and kept[key] != wanted[key]:
            what = {"digest": "another manifest", "build": "another --mel_dtype or configuration"}
            raise InputError(
                f"{folder}: was built from {what.get(key, f'another {key!r} in the manifest')}; "
                "remove this folder to build anew, or choose another --data_dir"
            )
