"""The truth about the tags of a data set, as far as it is known: up to three tables.

It is read where it is used, at evaluation. A manifest and a run keep a copy as the default; it is
no part of what a build or a run is, so a corrected typo asks for a new evaluation alone.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.tables import write_table
from tagjax.vocabulary import duplicates, taxonomy, translation
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.translation import Relation

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "taxonomy": taxonomy.COLUMNS,
    "translation": translation.COLUMNS,
    "duplicates": duplicates.COLUMNS,
}
"""Columns of `taxonomy.csv`, `translation.csv` and `duplicates.csv`."""


@dataclasses.dataclass(frozen=True)
class Truth:
    """What is known (sections 3.1, 3.2 and 4); tags carry their prefixes.

    Attributes:
      taxonomy: genres of the styles; None where no table says.
      translation: relations between two systems; None where no table says.
      duplicates: pairs of tags that mean the same.

    >>> truth = Truth(Taxonomy.of([("dub", "reggae")]), (Relation("x:dub", "dub"),))
    >>> truth.rows()["translation"]
    (('x:dub', 'dub', 'exact'),)
    """

    taxonomy: Taxonomy | None = None
    translation: tuple[Relation, ...] | None = None
    duplicates: tuple[tuple[str, str], ...] = ()

    def rows(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """{table: rows of its `COLUMNS`} of the tables that there are."""
        relations = self.translation or ()
        found = {
            "taxonomy": self.taxonomy.pairs() if self.taxonomy else (),
            "translation": tuple((r.source, r.target, r.relation) for r in relations),
            "duplicates": self.duplicates,
        }
        return {name: rows for name, rows in found.items() if rows}

    def replaced(self, other: "Truth") -> "Truth":
        """The same, but what the other one knows is taken from there."""
        return Truth(
            other.taxonomy or self.taxonomy,
            self.translation if other.translation is None else other.translation,
            other.duplicates or self.duplicates,
        )


def from_rows(rows: Mapping[str, Sequence[Sequence[str]]]) -> Truth:
    """The inverse of `Truth.rows`."""
    relations = tuple(Relation(*row) for row in rows.get("translation", ()))
    pairs = tuple((row[0], row[1]) for row in rows.get("taxonomy", ()))
    return Truth(
        Taxonomy.of(pairs) if pairs else None,
        relations or None,
        tuple((row[0], row[1]) for row in rows.get("duplicates", ())),
    )


def read_truth(folder: PathLike) -> Truth:
    """Reads whichever of `taxonomy.csv`, `translation.csv`, `duplicates.csv` a folder holds.

    They are of sections 3.1, 4 and 3.2.

    Raises:
      InputError: as the reader of each table.

    >>> write_truth(".", Truth(Taxonomy.of([("dub", "reggae")])))
    True
    >>> read_truth(".").taxonomy.pairs()
    (('dub', 'reggae'),)
    """
    paths = {name: pathlib.Path(folder) / f"{name}.csv" for name in COLUMNS}
    there = {name: path for name, path in paths.items() if path.exists()}
    return Truth(
        taxonomy.read_taxonomy(there["taxonomy"]) if "taxonomy" in there else None,
        translation.read_translation(there["translation"]) if "translation" in there else None,
        duplicates.read_duplicates(there["duplicates"]) if "duplicates" in there else (),
    )


def write_truth(folder: PathLike, truth: Truth) -> bool:
    """Writes a folder's tables as they should be; one that is of no truth is removed.

    Returns:
      Whether anything changed.
    """
    try:
        if read_truth(folder) == truth:
            return False
    except InputError:
        pass  # What is damaged is written anew.
    rows = truth.rows()
    for name, columns in COLUMNS.items():
        path = pathlib.Path(folder) / f"{name}.csv"
        if name in rows:
            write_table(path, columns, rows[name])
        else:
            path.unlink(missing_ok=True)
    return True
