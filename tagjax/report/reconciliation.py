"""A reconciliation as a folder: tables, exports, the page, and the lines for a terminal."""

import pathlib
from collections.abc import Collection, Mapping
from typing import Any

from tagjax.base.files import PathLike
from tagjax.reconcile import files, reconciling
from tagjax.report.decisions import write_decisions_report
from tagjax.similarity.run import Run

REPORT = "report.html"
_DRAWN = ("fr", "fm")
_NOTES = 4


def write_reconciliation(
    folder: PathLike,
    found: reconciling.Reconciled,
    origin: Mapping[str, Any],
    run: Run | None = None,
    artists: Mapping[str, Collection[str]] | None = None,
) -> list[str]:
    """Writes all files of a reconciliation but those of people.

    Args:
      folder: made if absent.
      found: the decisions.
      origin: where the tags come from, for `reconciliation.json`.
      run: whose similarities the page shows; None for none.
      artists: as `write_exports`.

    Returns:
      Some ten lines that a person can act on.

    >>> from tagjax import Catalogue
    >>> names, tags = ("t1", "t2"), (("Techno",), ("techno",))
    >>> found = reconciling.reconcile([Catalogue("", names, names, names, tags)], "written")
    >>> write_reconciliation("written", found, {})[:2]
    ['2 tags.', '1 merged: techno into Techno.']

    Reference: section 4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    folder = pathlib.Path(folder)
    notes = reconciling.write(folder, found, origin, artists)
    notes.sort(key=lambda note: "beets' tree" in note)  # There may be many of these.
    drawn = {} if run is None else {name: run.similarity(name) for name in _DRAWN}
    links = {path.name: path.name for path in sorted(folder.iterdir()) if path.name != REPORT}
    page = folder / REPORT
    write_decisions_report(page, found.decisions, found.rows, drawn, notes=notes, links=links)
    lines = files.lines(found.decisions)
    lines += [f"Note: {note}" for note in notes[:_NOTES]]
    return [*lines, *[f"{len(notes) - _NOTES} more notes are in {page}"] * (len(notes) > _NOTES)]
