"""The reader that the three tables of truth share: each row is a pair of tags."""

from collections.abc import Sequence

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.tables import Table, read_table
from tagjax.base.text import clean, cleaned


def read_pairs(
    path: PathLike,
    columns: Sequence[str],
    symmetric: bool = False,
    reflexive: bool = False,
    within: str = "",
) -> tuple[Table, list[tuple[str, str]]]:
    """Reads a CSV file and the pairs of tags in two of its columns; see `pairs_of`.

    Raises:
      InputError: as `tables.read_table` and `pairs_of`.
    """
    table = read_table(path, columns)
    return table, pairs_of(table, columns, (), symmetric, reflexive, within)


def pairs_of(
    table: Table,
    columns: Sequence[str],
    required: Sequence[str] = (),
    symmetric: bool = False,
    reflexive: bool = False,
    within: str = "",
) -> list[tuple[str, str]]:
    """The pairs of tags in two columns of a table.

    Tags are cleaned (`base.text`).

    Args:
      table: the table.
      columns: names of the two columns with tags.
      required: further columns that must be filled.
      symmetric: whether (b, a) repeats (a, b).
      reflexive: whether a name may be paired with itself (Discogs has a genre and a style
        `Reggae`).
      within: an optional column; equal pairs with different cells in it are different.

    Raises:
      InputError: no rows, an empty cell, a tag paired with itself, or a pair that occurs twice.
    """
    if not table[columns[0]]:
        raise InputError(f"{table.path}: no row under the header; add some, or leave the table out")
    for name in (*columns, *required):
        for row, cell in enumerate(table[name]):
            if not clean(cell):
                raise InputError(f"{table.at(row)}: empty {name}; fill it in, or drop the row")
    first, second = (cleaned(table[name]) for name in columns)
    pairs = list(zip(first, second, strict=True))
    seen: dict[tuple[str, ...], int] = {}
    groups = table.get(within, [""] * len(pairs))
    for row, (pair, group) in enumerate(zip(pairs, groups, strict=True)):
        if pair[0] == pair[1] and not reflexive:
            raise InputError(f"{table.at(row)}: {pair[0]!r} is paired with itself; drop the row")
        earlier = seen.setdefault((group, *(sorted(pair) if symmetric else pair)), row)
        if earlier != row:
            raise InputError(
                f"{table.at(row)}: the pair {', '.join(pair)} is already in row "
                f"{table.lines[earlier]}; drop one"
            )
    return pairs
