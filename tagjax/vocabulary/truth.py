"""The known truth about the tags of a data set: up to three tables.

The truth is read when it is used, at evaluation. A manifest and a run keep a copy as the default.
It is not part of the identity of a build or a run: after correcting a typo in a table, only the
evaluation has to be repeated.
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
    """The known truth; tags have their prefixes.

    Attributes:
      taxonomy: genres of the styles; None without a table.
      translation: relations between two systems; None without a table.
      duplicates: pairs of tags that mean the same.

    >>> truth = Truth(Taxonomy.of([("dub", "reggae")]), (Relation("x:dub", "dub"),))
    >>> truth.rows()["translation"]
    (('x:dub', 'dub', 'exact'),)

    Reference: sections 3.1, 3.2 and 4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    taxonomy: Taxonomy | None = None
    translation: tuple[Relation, ...] | None = None
    duplicates: tuple[tuple[str, str], ...] = ()

    def rows(self) -> dict[str, tuple[tuple[str, ...], ...]]:
        """{table: rows with its `COLUMNS`}, for the tables that are not empty."""
        relations = self.translation or ()
        found = {
            "taxonomy": self.taxonomy.pairs() if self.taxonomy else (),
            "translation": tuple((r.source, r.target, r.relation) for r in relations),
            "duplicates": self.duplicates,
        }
        return {name: rows for name, rows in found.items() if rows}

    def replaced(self, other: "Truth") -> "Truth":
        """This truth, with each table that `other` has taken from `other`."""
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
    """Reads `taxonomy.csv`, `translation.csv` and `duplicates.csv`, as far as a folder has them.

    Raises:
      InputError: as the reader of each table.

    >>> write_truth(".", Truth(Taxonomy.of([("dub", "reggae")])))
    True
    >>> read_truth(".").taxonomy.pairs()
    (('dub', 'reggae'),)

    Reference: sections 3.1, 3.2 and 4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    paths = {name: pathlib.Path(folder) / f"{name}.csv" for name in COLUMNS}
    found = {name: path for name, path in paths.items() if path.exists()}
    return Truth(
        taxonomy.read_taxonomy(found["taxonomy"]) if "taxonomy" in found else None,
        translation.read_translation(found["translation"]) if "translation" in found else None,
        duplicates.read_duplicates(found["duplicates"]) if "duplicates" in found else (),
    )


def write_truth(folder: PathLike, truth: Truth) -> bool:
    """Writes the tables of a truth into a folder, and removes tables that the truth does not have.

    Returns:
      Whether anything changed.
    """
    try:
        if read_truth(folder) == truth:
            return False
    except InputError:
        pass  # A damaged table is replaced.
    rows = truth.rows()
    for name, columns in COLUMNS.items():
        path = pathlib.Path(folder) / f"{name}.csv"
        if name in rows:
            write_table(path, columns, rows[name])
        else:
            path.unlink(missing_ok=True)
    return True
