"""The table of truth of deduplication: pairs of tags that are known to mean the same."""

from collections.abc import Sequence

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.vocabulary.pairs import read_pairs

COLUMNS = ("tag", "duplicate")


def read_duplicates(path: PathLike, systems: Sequence[str] = ("",)) -> tuple[tuple[str, str], ...]:
    """Reads a CSV file with the columns `tag,duplicate` (section 3.2), tags with their prefixes.

    With a third column `system` (a prefix, with or without its colon) tags stand without it.

    Args:
      path: the file.
      systems: prefixes of the tag systems.

    Raises:
      InputError: as `read_pairs`; an unknown system.

    >>> with open("duplicates.csv", "w") as file:
    ...     print("tag,duplicate", "bossa nova,bossanova", sep="\\n", file=file)
    >>> read_duplicates("duplicates.csv")
    (('bossa nova', 'bossanova'),)
    """
    table, pairs = read_pairs(path, COLUMNS, symmetric=True, within="system")
    prefixes = []
    for row, system in enumerate(table.get("system", [""] * len(pairs))):
        prefix = next((p for p in (system, f"{system}:") if p in systems or not p), None)
        if prefix is None:
            raise InputError(
                f"{table.at(row)}: unknown system {system!r}; the prefixes are "
                f"{', '.join(map(repr, systems))}"
            )
        prefixes.append(prefix)
    return tuple(
        (prefix + tag, prefix + duplicate)
        for prefix, (tag, duplicate) in zip(prefixes, pairs, strict=True)
    )
