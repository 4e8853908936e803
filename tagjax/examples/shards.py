"""Shards: files of some hundred examples, each decoded and written by one worker.

The examples of a shard are known before anything is decoded. A finished shard waits in a folder of
its own, so an interrupted build goes on with the others.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow_datasets as tfds
from array_record.python import array_record_module
from tensorflow_datasets.core import example_serializer
from tensorflow_datasets.core import writer as tfds_writer

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.examples import lookup, pool, workers
from tagjax.examples.rows import Row, check_mistake


class _PlainWriter(tfds_writer.ExampleWriter):
    """Writes ArrayRecord without compression, which would save an eighth and read 5 x slower."""

    def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> None:
        writer = array_record_module.ArrayRecordWriter(os.fspath(path), "group_size:1,uncompressed")
        for _, example in examples:
            writer.write(example)
        writer.close()


@dataclasses.dataclass(frozen=True)
class Shard:
    """The excerpts of one file.

    Attributes:
      part: name of their part.
      number: number of the shard in the part.
      rows: rows of the excerpts, in the order of the data set.
    """

    part: str
    number: int
    rows: tuple[Row, ...]


@dataclasses.dataclass(frozen=True)
class ShardReport:
    """The result of a shard.

    Attributes:
      size: bytes of its examples.
      counts: number of excerpts of each of `workers.KINDS`.
      skipped: (index of the row in the part, whether it is a mistake in the manifest, time at
        which the file was changed, fields of `Skipped`) of each excerpt without an example.
    """

    size: int
    counts: Mapping[str, int]
    skipped: Sequence[tuple[int, bool, int, Sequence[Any]]]


@dataclasses.dataclass(frozen=True)
class ShardWriter:
    """Writes shards, as a `pool.Work` or for Apache Beam; is pickled.

    Attributes:
      folder: folder for the shards, which is only for these excerpts and this configuration.
      manifest: name of the manifest, for messages.
      audio: folder of the audio; "" if it is rendered.
      read: function that gives the audio of an excerpt.
      config: config of the build.
      features: features of an example.
      file_format: format of the files.
    """

    folder: pathlib.Path
    manifest: str
    audio: str
    read: workers.Reader
    config: workers.BuildConfig
    features: tfds.features.FeaturesDict
    file_format: tfds.core.FileFormat

    def __call__(
        self,
        shard: Shard,
        lost: Mapping[int, str] = types.MappingProxyType({}),
        tell: pool.Tell = lambda place: None,
    ) -> ShardReport:
        """Writes a shard unless it is there, and returns its report.

        Raises:
          InputError: a row shows a mistake in the manifest, and the build is strict.
        """
        path = self.path(shard.part, shard.number)
        report = self._finished(shard, path)
        if report is None:
            counts, skipped, sizes = dict.fromkeys(workers.KINDS, 0), [], [0]
            jobs = [row.job for row in shard.rows]
            outcomes = workers.compute(jobs, self.read, self.config, lost, tell)
            serializer = example_serializer.ExampleSerializer(self.features.get_serialized_info())

            def examples() -> Iterator[tuple[str, bytes]]:
                for row, outcome in zip(shard.rows, outcomes, strict=True):
                    for kind in outcome.kinds:
                        counts[kind] += 1
                    if outcome.mel is None:
                        check_mistake(f"{self.manifest}/{shard.part}", row, outcome, self.config)
                        listed = row.skipped(shard.part, outcome.reason)
                        skipped.append((row.index, outcome.mistaken, self._changed(row), listed))
                        continue
                    example = self.features.encode_example(row.example(outcome))
                    data = serializer.serialize_example(example)
                    sizes.append(len(data))
                    yield row.key, data

            with files.atomic_path(path) as temporary:
                self._writer().write(temporary, examples())
            report = ShardReport(sum(sizes), counts, skipped)
            record = [_digest(shard, path, report), dataclasses.astuple(report)]
            files.write_text(path.with_suffix(".json"), json.dumps(record))
        return report

    def path(self, part: str, number: int) -> pathlib.Path:
        """The file of a shard, beside which its report lies."""
        return self.folder / f"{part}-{number:05d}"

    def _writer(self) -> tfds_writer.ExampleWriter:
        plain = self.file_format == tfds.core.FileFormat.ARRAY_RECORD
        return (_PlainWriter if plain else tfds_writer.ExampleWriter)(self.file_format)

    def _finished(self, shard: Shard, path: pathlib.Path) -> ShardReport | None:
        """The report of an earlier build; None if files are missing, damaged or mended since."""
        try:
            digest, report = read_report(path)
            if digest != _digest(shard, path, report):
                return None
        except (InputError, OSError, TypeError, ValueError):
            return None
        rows = {row.index: row for row in shard.rows}
        stale = any(
            self._changed(rows[index]) != changed or (mistaken and self.config.strict)
            for index, mistaken, changed, _ in report.skipped
        )
        return None if stale else report

    def _changed(self, row: Row) -> int:
        """When the file of a row was changed, in ns; 0 if there is none."""
        try:
            known = self.audio and row.job[0]
            return lookup.on_disk(self.audio, row.job[0]).stat().st_mtime_ns if known else 0
        except (OSError, ValueError):
            return 0


def read_report(path: pathlib.Path) -> tuple[str, ShardReport]:
    """(fingerprint, report) of a shard.

    Raises:
      InputError: the report is missing, or not JSON.
    """
    digest, fields = files.read_json(path.with_suffix(".json"))
    return digest, ShardReport(*fields)


def _digest(shard: Shard, path: pathlib.Path, report: ShardReport) -> str:
    """Fingerprint of the rows of a shard, its file and its report."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    facts = [row.index for row in shard.rows], dataclasses.astuple(report)
    digest.update(json.dumps(facts).encode())
    return digest.hexdigest()
