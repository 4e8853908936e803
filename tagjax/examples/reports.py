"""The results of a build: the lists beside the examples, and the summary for the user."""

import collections
import dataclasses
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

from tagjax.base import files
from tagjax.base.tables import write_table
from tagjax.examples.rows import Skipped
from tagjax.examples.source import ExcerptSource
from tagjax.vocabulary.truth import write_truth

COUNTS, SKIPPED, COVERAGE = "build.json", "skipped.csv", "coverage.csv"
"""Names of files: counts of each part and reasons for skipping; the skipped excerpts; for each tag
the number of excerpts that are left."""

_SHOWN = 10
"""Number of kinds of reasons shown."""
_NUMBER = re.compile(r"-?\d[\d.]*")
_ODD = {
    "quiet": "nothing can be heard of these excerpts, which are examples all the same",
    "loud": "these excerpts go far above full scale; their files may hold wrongly scaled samples",
    "clipped": "these excerpts have frames too loud for uint8, which are cut down to its highest "
    "value; --mel_dtype=float16 keeps them",
}
"""Warnings about odd excerpts, shown if there are any."""


@dataclasses.dataclass(frozen=True)
class BuildReport:
    """The results of a build.

    Attributes:
      name: name of the data set, with its version.
      folder: folder of the version.
      counts: {part: number of excerpts of each of `workers.KINDS`}; an older build counted only
        `written`, `padded` and `skipped`.
      reasons: {reason: number of excerpts skipped for it}, the commonest first.
      previews: number of excerpts that begin where their preview does.
      built_already: whether nothing had to be built.
      truth_changed: whether the truth tables of an existing data set were replaced.
    """

    name: str
    folder: pathlib.Path
    counts: Mapping[str, Mapping[str, int]]
    reasons: Mapping[str, int]
    previews: int = 0
    built_already: bool = False
    truth_changed: bool = False

    @property
    def skipped(self) -> int:
        """Number of excerpts that were skipped."""
        return sum(counts["skipped"] for counts in self.counts.values())

    @property
    def excerpts(self) -> int:
        """Number of excerpts of the manifest."""
        return self.skipped + sum(counts["written"] for counts in self.counts.values())

    @property
    def share_skipped(self) -> float:
        """Share of the excerpts that were skipped, from 0 to 1."""
        return self.skipped / max(self.excerpts, 1)

    def lines(self) -> Iterator[str]:
        """The summary for the user, as lines of text."""
        if self.built_already:
            if self.truth_changed:
                yield f"truth tables taken anew from the manifest: {self.folder}"
            yield f"{self.name} is built already: {self.folder}"
            return
        for part, counts in self.counts.items():
            yield (
                f"{part:<22} {counts['written']:>8} written {counts['padded']:>6} padded "
                f"{counts['skipped']:>6} skipped"
            )
        for kind, warning in _ODD.items():
            number = sum(counts.get(kind, 0) for counts in self.counts.values())
            if number:
                yield f"{kind} {number}: {warning}"
        if self.previews:
            yield (
                f"{self.previews} excerpts are of previews: they begin where the preview "
                "does, whatever seg_start says (the feature provenance tells them)"
            )
        kinds = _kinds(self.reasons)
        for reason, count in kinds[:_SHOWN]:
            yield f"skipped {count}: {reason}"
        if kinds[_SHOWN:]:
            yield f"skipped {sum(count for _, count in kinds[_SHOWN:])}: for other reasons"
        if self.skipped:
            yield f"what that leaves of each tag is in {self.folder / COVERAGE}"
        yield f"written: {self.folder}"
        if self.skipped:
            yield (
                f"skipped: {self.skipped} of {self.excerpts} excerpts "
                f"({100 * self.share_skipped:.1f} %), listed in {self.folder / SKIPPED}"
            )


def _kinds(reasons: Mapping[str, int]) -> list[tuple[str, int]]:
    """(reason, excerpts), the commonest first; reasons that differ in numbers alone are one."""
    kinds: dict[str, list[str]] = {}
    for reason in reasons:
        kinds.setdefault(_NUMBER.sub("0", reason), []).append(reason)
    found = [
        (
            alike[0] if len(alike) == 1 else f"such as: {alike[0]}",
            sum(reasons[reason] for reason in alike),
        )
        for alike in kinds.values()
    ]
    return sorted(found, key=lambda item: -item[1])


def write(
    folder: pathlib.Path,
    source: ExcerptSource,
    counts: Mapping[str, Mapping[str, int]],
    skipped: Sequence[Skipped],
) -> None:
    """Writes the lists and the truth tables into the folder of the examples."""
    reasons = collections.Counter(row.reason for row in skipped)
    record = {"parts": counts, "reasons": dict(reasons.most_common())}
    files.write_json(folder / COUNTS, record)
    write_table(folder / SKIPPED, Skipped._fields, skipped, for_people=True)
    columns = ("tag", "listed", "written")
    rows = _coverage(source, skipped)
    write_table(folder / COVERAGE, columns, rows, for_people=True)
    write_truth(folder, source.truth)


def read(folder: pathlib.Path, name: str, source: ExcerptSource) -> BuildReport:
    """The report of a built data set.

    Args:
      folder: folder of its version.
      name: name of the data set, with its version.
      source: source of its excerpts.

    Raises:
      InputError: `build.json` is missing or damaged.
    """
    record = files.read_json(folder / COUNTS)
    reasons = record.get("reasons", {})  # Older builds did not record them.
    return BuildReport(name, folder, record["parts"], reasons, source.previews)


def _coverage(source: ExcerptSource, skipped: Sequence[Skipped]) -> Iterator[tuple[str, int, int]]:
    """(tag, number of excerpts with this label in the manifest, number built), sorted by tag."""
    lost = {(row.part, row.sng_id, row.seg_start) for row in skipped}
    listed: collections.Counter[str] = collections.Counter()
    written: collections.Counter[str] = collections.Counter()
    for part, excerpts in source.parts.items():
        rows = zip(excerpts.sng_id, excerpts.seg_start.tolist(), excerpts.label, strict=True)
        for track, start, label in rows:
            listed[label] += 1
            written[label] += (part, track, start) not in lost
    return ((tag, listed[tag], written[tag]) for tag in sorted(listed))
