"""The table of truth of translation: how tags of one system relate to another's (section 4)."""

import dataclasses
from collections.abc import Sequence

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.tables import read_table
from tagjax.vocabulary.pairs import pairs_of

COLUMNS = ("source", "target", "relation")
RELATIONS = ("exact", "broad", "narrow", "close", "related")


@dataclasses.dataclass(frozen=True)
class Relation:
    """How a source tag relates to a target tag.

    Attributes:
      source: a tag with its prefix.
      target: a tag of another system, with its prefix.
      relation: one of `RELATIONS`: the source is the same as the target (`exact`, `close`),
        broader, narrower, or merely related.

    >>> Relation("x:bebop", "bop").relation
    'exact'

    Reference: section 4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    source: str
    target: str
    relation: str = "exact"


def read_translation(path: PathLike, systems: Sequence[str] = ()) -> tuple[Relation, ...]:
    """Reads true relations between the tags of two systems.

    Args:
      path: a CSV file with the columns `source,target,relation`, where tags have their prefixes; or
        `X_tag,Y_tag,relation`, where tags have none, `X:` and `Y:` are the prefixes, and the first
        tag column is the source. Further columns are ignored.
      systems: prefixes of the tag systems.

    Raises:
      InputError: as `read_table` and `pairs_of`; an unknown relation, or a column named after no
        prefix.

    >>> with open("translation.csv", "w") as file:
    ...     print("source,target,relation", "x:bebop,bop,exact", sep="\\n", file=file)
    >>> read_translation("translation.csv")
    (Relation(source='x:bebop', target='bop', relation='exact'),)

    Reference: section 4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    table = read_table(path, ("relation",))
    columns, prefixes = ("source", "target"), ("", "")
    named = [name for name in table if name.endswith("_tag")]
    if not {"source", "target"} <= table.keys():
        if len(named) != 2:
            raise InputError(
                f"{path}:1: expected the columns source,target,relation or X_tag,Y_tag,relation "
                f"(X:, Y: prefixes); found {', '.join(table)}"
            )
        columns = (named[0], named[1])
        prefixes = (f"{named[0][:-4]}:", f"{named[1][:-4]}:")
        for name, prefix in zip(columns, prefixes, strict=True):
            if prefix not in systems:
                raise InputError(
                    f"{path}:1: column {name!r} is of the tag system {prefix!r}, but the "
                    f"prefixes are {', '.join(map(repr, systems)) or 'none'}"
                )
    # Without prefixes, tags of the same name are still of two systems.
    reflexive = prefixes[0] != prefixes[1]
    pairs = pairs_of(table, columns, ("relation",), reflexive=reflexive)
    relations = [cell.strip() for cell in table["relation"]]
    for row, relation in enumerate(relations):
        if relation not in RELATIONS:
            raise InputError(
                f"{table.at(row)}: unknown relation {relation!r}; one of {', '.join(RELATIONS)}"
            )
    return tuple(
        Relation(prefixes[0] + source, prefixes[1] + target, relation)
        for (source, target), relation in zip(pairs, relations, strict=True)
    )
