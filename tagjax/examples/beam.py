"""Builds the same examples on Apache Beam, with any of its runners (an optional dependency)."""

import collections
import dataclasses
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
from etils import epath

from tagjax.examples import workers
from tagjax.examples.rows import Row, Skipped, check_mistake

REPORTS = "beam_reports"
"""Folder beside the examples with the result for each excerpt."""


@dataclasses.dataclass(frozen=True)
class _Compute:
    """Turns a row into its example and a line of the report."""

    where: str
    read: workers.Reader
    config: workers.BuildConfig

    def __call__(self, row: Row) -> Iterator[Any]:
        (outcome,) = workers.compute([row.job], self.read, self.config)
        if outcome.mel is None:
            check_mistake(self.where, row, outcome, self.config)
            skipped = row.skipped(self.where.rpartition("/")[2], outcome.reason)
        else:
            skipped = None
            yield row.key, row.example(outcome)
        report = json.dumps([row.index, outcome.kinds, skipped])
        yield beam.pvalue.TaggedOutput("report", report)


def examples(
    where: str,
    rows: Sequence[Row],
    read: workers.Reader,
    config: workers.BuildConfig,
    folder: pathlib.Path,
) -> beam.PTransform:
    """A transform that gives (key, example) for each row that can be decoded.

    Args:
      where: manifest/part, for messages.
      rows: rows of the part.
      read: function that gives the audio of an excerpt; must be picklable, and work on every
        worker.
      config: config of the build.
      folder: folder for a report of each row, for `collect`.
    """

    part = where.rpartition("/")[2]

    def expand(pipeline: beam.Pipeline) -> beam.PCollection:
        computed = (
            pipeline
            | f"{part} excerpts" >> beam.Create(rows, reshuffle=True)
            | f"{part} log-mels"
            >> beam.FlatMap(_Compute(where, read, config)).with_outputs("report", main="examples")
        )
        _ = computed.report | f"{part} report" >> beam.io.WriteToText(str(folder / part))
        return computed.examples

    return beam.ptransform_fn(lambda pipeline: expand(pipeline))()


def collect(
    folder: pathlib.Path, parts: Mapping[str, Any]
) -> tuple[dict[str, dict[str, int]], list[Skipped]]:
    """Reads `counts` and `skipped` of `ManifestBuilder` from the reports, and removes these."""
    counts, skipped = {}, []
    for part in parts:
        lines = [
            json.loads(line)
            for path in epath.Path(folder / REPORTS).glob(f"{part}-*")
            for line in path.read_text().splitlines()
        ]
        found = collections.Counter(kind for _, kinds, _ in lines for kind in kinds)
        counts[part] = {kind: found[kind] for kind in workers.KINDS}
        skipped += [Skipped(*row) for _, _, row in sorted(lines) if row is not None]
    epath.Path(folder / REPORTS).rmtree()
    return counts, skipped
