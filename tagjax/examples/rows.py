"""Rows of a manifest as examples without audio: everything but the log-mel."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tensorflow_datasets.core import hashing

from tagjax.base.errors import InputError
from tagjax.examples import workers
from tagjax.examples.source import ExcerptSource


class Skipped(NamedTuple):
    """An excerpt that was skipped: a row of `skipped.csv`."""

    part: str
    sng_id: str
    seg_start: float
    path: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Row:
    """One excerpt of a manifest, with all fields of its example that need no audio.

    Attributes:
      index: index of its row in the part.
      line: line of that row in its file.
      key: unique in a part; TFDS orders examples by its hash.
      job: path, start and duration of its audio.
      fields: all fields of the example but `mel` and `padded`.
    """

    index: int
    line: int
    key: str
    job: workers.Job
    fields: Mapping[str, Any]

    def example(self, outcome: workers.Outcome) -> dict[str, Any]:
        """The example of an outcome with a log-mel."""
        return {"mel": outcome.mel, **self.fields, "padded": outcome.padded}

    def skipped(self, part: str, reason: str) -> Skipped:
        """Its row of `skipped.csv`."""
        return Skipped(part, self.fields["sng_id"], self.fields["seg_start"], self.job[0], reason)


def rows_of(source: ExcerptSource, part: str, size: int) -> Iterator[tuple[Row, ...]]:
    """The rows of a part, `size` at a time.

    The order is that in which TFDS shuffles examples, by a hash of their keys.

    Raises:
      InputError: an excerpt is there twice.
    """
    excerpts, jobs, hasher = source.parts[part], source.jobs(part), hashing.Hasher(part)
    starts = excerpts.seg_start.tolist()
    keys = [f"{track}@{start:.4f}" for track, start in zip(excerpts.sng_id, starts, strict=True)]
    hashes = list(map(hasher.hash_key, keys))
    order = sorted(range(len(keys)), key=hashes.__getitem__)
    for i, j in itertools.pairwise(order):
        if hashes[i] == hashes[j]:
            raise InputError(
                f"{source.name}/{part}.csv:{excerpts.line_of(j)}: the excerpt of track "
                f"{excerpts.sng_id[j]} at {starts[j]:g} s is there twice"
            )

    def row(i: int) -> Row:
        track = excerpts.sng_id[i]
        fields = {
            "label": excerpts.label[i],
            "sng_id": track,
            "artist_id": excerpts.artist_id[i] if excerpts.artist_id else "",
            "album_id": excerpts.album_id[i] if excerpts.album_id else "",
            "tags": "|".join(excerpts.tags[i]) if excerpts.tags else "",
            "seg_start": starts[i],
            "provenance": source.provenance.get(track, ""),
        }
        return Row(i, excerpts.line_of(i), keys[i], jobs[i], fields)

    return (tuple(map(row, order[first : first + size])) for first in range(0, len(keys), size))


def check_mistake(
    part: str, row: Row, outcome: workers.Outcome, config: workers.BuildConfig
) -> None:
    """Refuses an outcome that shows a mistake in the manifest, if the build is strict.

    Args:
      part: manifest/part, for the message.
      row: row of the excerpt.
      outcome: outcome of the excerpt.
      config: config of the build.

    Raises:
      InputError: the outcome shows a mistake.
    """
    if outcome.mistaken and config.strict:
        raise InputError(
            f"{part}.csv:{row.line}: {row.job[0]}: {outcome.reason}; mend the row, or leave out "
            "--strict"
        )
