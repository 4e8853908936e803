"""Reports on fetched previews: coverage, and the source of the audio."""

import collections
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tagjax.base.files import PathLike
from tagjax.base.tables import write_table
from tagjax.examples import provenance
from tagjax.previews.ledger import FAILED, FOUND, NO_DATA, NO_PREVIEW, Record

FULL_S = 29.9
"""Previews below this are counted as short: 30 s less the four frames that an MP3 may lack."""
ALL = "(all)"
COVERAGE = "coverage.csv"
_COUNTS = ("found", "shorter_than_30_s", "no_preview", "no_data", "failed", "not_fetched")
_COLUMNS = ("tag", "tracks", *_COUNTS, "coverage")

Row = Mapping[str, Any]
"""A row of `coverage`: a tag, counts of its tracks, and the share of those found."""


def coverage(
    ids: Sequence[str], records: Mapping[str, Record], tags: Mapping[str, Sequence[str]]
) -> list[Row]:
    """Counts the results of all tracks, and of the tracks of each tag.

    Args:
      ids: ids of all tracks.
      records: {id: record} of the tracks that were reached.
      tags: {tag: ids of its tracks}.

    Returns:
      A row for all tracks, then one for each tag. `found` includes `shorter_than_30_s`;
      `coverage` is the share of tracks found.
    """
    rows: list[Row] = []
    for tag, tracks in [(ALL, ids), *tags.items()]:
        reached = [record for record in map(records.get, tracks) if record is not None]
        counts = collections.Counter(record.status for record in reached)
        short = sum(record.status == FOUND and is_short(record) for record in reached)
        share = round(counts[FOUND] / len(tracks), 4) if tracks else 0.0
        others = (counts[status] for status in (NO_PREVIEW, NO_DATA, FAILED))
        numbers = (counts[FOUND], short, *others, len(tracks) - len(reached))
        cells = (tag, len(tracks), *numbers, share)
        rows.append(dict(zip(_COLUMNS, cells, strict=True)))
    return rows


def is_short(record: Record) -> bool:
    """Whether the audio is shorter than a preview should be."""
    return record.duration_s is not None and record.duration_s < FULL_S


def lines(rows: Sequence[Row], records: Iterable[Record], worst: int = 10) -> Iterator[str]:
    """Yields the coverage as text, with the commonest failures and the least covered tags."""
    whole, tags = rows[0], rows[1:]
    yield f"{'tracks':<22}{whole['tracks']:>9}"
    for name in _COUNTS:
        label = name.replace("_", " ").replace("shorter", "  shorter")
        yield f"{label:<22}{whole[name]:>9}{100 * whole[name] / max(whole['tracks'], 1):>7.1f} %"
    reasons = collections.Counter(r.reason for r in records if r.status == FAILED)
    for reason, count in reasons.most_common(3):
        yield f"failed: {count} x {reason}"
    if reasons:
        yield "failed tracks are tried again by the same command"
    poor = sorted((r for r in tags if r["found"] < r["tracks"]), key=lambda r: r["coverage"])
    for row in poor[:worst]:
        yield f"{row['tag']}: {row['found']} of {row['tracks']} tracks"
    if len(poor) > worst:
        yield f"... and {len(poor) - worst} more of {len(tags)} tags are not covered completely"
    yield "previews start where Deezer chose: seg_start of a manifest cannot be honoured on them"


def write(folder: PathLike, rows: Sequence[Row], records: Iterable[Record]) -> None:
    """Writes `coverage.csv`, and `provenance.csv` with a row for each found track."""
    listed = (list(row.values()) for row in rows)
    write_table(pathlib.Path(folder) / COVERAGE, _COLUMNS, listed, for_people=True)
    found = [record for record in records if record.status == FOUND]
    found.sort(key=lambda record: (len(record.sng_id), record.sng_id))
    cells = ([getattr(record, name) for name in provenance.COLUMNS] for record in found)
    provenance.write_provenance(folder, cells)
