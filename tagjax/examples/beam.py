"""Writes shards on Apache Beam, with any of its runners (an optional dependency)."""

import dataclasses
import json
from collections.abc import Generator, Iterable
from typing import Any

import apache_beam as beam

from tagjax.base import files
from tagjax.examples.rows import Row
from tagjax.examples.shards import Shard, ShardReport, ShardWriter, read_report


def run(
    write: ShardWriter, shards: Iterable[Shard], runner: Any, options: Any
) -> Generator[ShardReport]:
    """The reports of the shards in their order, once all are written.

    An element of the pipeline is the name of a file with the rows of a shard, so the graph stays
    small. The workers must see the folder of the data set.

    Args:
      write: writes a shard; must work on every worker.
      shards: shards of the build.
      runner: runner of Beam.
      options: its options.
    """
    paths = []
    for shard in shards:
        paths.append(write.path(shard.part, shard.number).with_suffix(".rows"))
        files.write_text(paths[-1], json.dumps(dataclasses.astuple(shard)))

    def written(path: str) -> None:
        part, number, rows = files.read_json(path)
        write(Shard(part, number, tuple(Row(*row) for row in rows)))

    with beam.Pipeline(runner, options) as pipeline:
        _ = pipeline | beam.Create([str(path) for path in paths]) | beam.Map(written)
    for path in paths:
        path.unlink()
        yield read_report(path)[1]
