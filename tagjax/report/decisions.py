"""The page of decisions; for now only a list of what is merged."""

from collections.abc import Mapping, Sequence
from typing import Any

from tagjax.base.files import PathLike, write_text
from tagjax.reconcile.decisions import Decisions
from tagjax.similarity.matrix import Similarity


def write_decisions_report(
    path: PathLike,
    decisions: Decisions,
    rows: Sequence[Mapping[str, Any]] = (),
    similarities: Mapping[str, Similarity] | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    links: Mapping[str, str] | None = None,
) -> None:
    """Writes what is merged."""
    merged = (f"{tag} - {its}\n" for tag, its in decisions.canonical.items() if tag != its)
    write_text(path, "".join(merged))
