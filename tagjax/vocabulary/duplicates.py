"""The table of truth of deduplication: pairs of tags that are known to mean the same."""

from collections.abc import Sequence

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.vocabulary.pairs import read_pairs

COLUMNS = ("tag", "duplicate")


def read_duplicates(path: PathLike, systems: Sequence[str] = ("",)) -> tuple[tuple[str, str], ...]:
    """Reads a CSV file with the columns `tag,duplicate`; the tags have their prefixes.

    There may be a third column `system` with the prefix, with or without its colon. The tags then
    have no prefix.

    Args:
      path: the file.
      systems: prefixes of the tag systems.

    Raises:
      InputError: as `read_pairs`; an unknown system.

    >>> with open("duplicates.csv", "w") as file:
    ...     print("tag,duplicate", "bossa nova,bossanova", sep="\\n", file=file)
    >>> read_duplicates("duplicates.csv")
    (('bossa nova', 'bossanova'),)

    Reference: section 3.2 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
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
