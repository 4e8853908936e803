"""Rows of a manifest as examples without audio: everything but the log-mel."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

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
      job: path, start and duration of its audio.
      fields: all fields of the example but `mel` and `padded`.
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
        """The example of an outcome with a log-mel."""
        return {"mel": outcome.mel, **self.fields, "padded": outcome.padded}

    def skipped(self, part: str, reason: str) -> Skipped:
        """Its row of `skipped.csv`."""
        return Skipped(part, self.fields["sng_id"], self.fields["seg_start"], self.job[0], reason)


def rows_of(source: ExcerptSource, part: str) -> list[Row]:
    """The rows of a part."""
    excerpts, jobs = source.parts[part], source.jobs(part)
    blank = ("",) * len(excerpts)
    artists, albums = excerpts.artist_id or blank, excerpts.album_id or blank
    annotations = map("|".join, excerpts.tags) if excerpts.tags else blank
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
                "tags": annotation,
                "seg_start": float(excerpts.seg_start[i]),
                "provenance": source.provenance.get(excerpts.sng_id[i], ""),
            },
        )
        for i, annotation in enumerate(annotations)
    ]


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
