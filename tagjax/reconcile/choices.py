"""What people chose for single tags: which stands for its group, which is dropped, which is split.

`tags.csv` lies beside the other files of people and has the columns `tag,action,value`. The program
`launch.review` writes it; it may be edited by hand.
"""

import dataclasses
import pathlib
from collections.abc import Mapping

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.tables import read_table, write_table
from tagjax.base.text import clean
from tagjax.vocabulary.vocabulary import Vocabulary

FILE = "tags.csv"
COLUMNS = ("tag", "action", "value")
ACTIONS = ("canonical", "block", "split")
WHY = "a person says so"
"""Why a tag is blocked that a person blocked."""

_ANSWERS = {"true": True, "false": False}


@dataclasses.dataclass(frozen=True)
class Choices:
    """What people chose for tags.

    Attributes:
      canonical: {tag: the tag that stands for it and what is merged with it}.
      block: {tag: whether it is dropped}.
      split: {tag: whether it is two things, and merged with no other}.
      notes: what a reader has to know, a sentence each.
    """

    canonical: Mapping[str, str] = dataclasses.field(default_factory=dict)
    block: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    split: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def rename(self, canonical: Mapping[str, str]) -> dict[str, str]:
        """{tag: the tag that stands for it}, by people where they chose one of the same group.

        >>> Choices({"dub": "dub"}).rename({"Dub": "Dub", "dub": "Dub"})
        {'Dub': 'dub', 'dub': 'dub'}
        """
        chosen = {
            canonical[tag]: to
            for tag, to in self.canonical.items()
            if canonical.get(tag) is not None and canonical.get(to) == canonical[tag]
        }
        return {tag: chosen.get(to, to) for tag, to in canonical.items()}

    def blocked(self, found: Mapping[str, str]) -> dict[str, str]:
        """{tag: why it is dropped}, by people where they said so.

        >>> Choices(block={"2012": False, "dub": True}).blocked({"2012": "a year"})
        {'dub': 'a person says so'}
        """
        kept = {tag: why for tag, why in found.items() if self.block.get(tag, True)}
        return kept | {tag: WHY for tag, dropped in self.block.items() if dropped}


def read_choices(folder: PathLike, vocabulary: Vocabulary) -> Choices:
    """Reads `tags.csv` of a folder, if it has one.

    Rows on tags that are not in the vocabulary stay in the file; a note names them.

    Raises:
      InputError: as `read_table`; an unknown action, a value that does not fit, or a tag with two
        rows of one action.

    >>> read_choices("nowhere", Vocabulary.of(["dub"])).canonical
    {}
    """
    path = pathlib.Path(folder, FILE)
    if not path.exists():
        return Choices()
    table, notes = read_table(path, COLUMNS), list[str]()
    found: dict[str, dict[str, str]] = {action: {} for action in ACTIONS}
    for row, cells in enumerate(zip(*(table[name] for name in COLUMNS), strict=True)):
        tag, action, value = map(clean, cells)
        if action not in ACTIONS:
            raise InputError(f"{table.at(row)}: action={action!r} is none of {', '.join(ACTIONS)}")
        if tag in found[action]:
            raise InputError(f"{table.at(row)}: {tag!r} has that action already; drop a row")
        if action != "canonical" and value not in _ANSWERS:
            raise InputError(f"{table.at(row)}: value={value!r}: say true or false")
        gone = next((name for name in (tag, value) if name not in vocabulary.index), "")
        if gone and (gone == tag or action == "canonical"):
            notes.append(f"{table.at(row)}: {gone!r} is no tag any more; the row does nothing.")
            continue
        found[action][tag] = value
    block, split = (
        {tag: _ANSWERS[value] for tag, value in found[action].items()}
        for action in ("block", "split")
    )
    return Choices(found["canonical"], block, split, tuple(notes))


def write_choice(folder: PathLike, tag: str, action: str, value: str) -> None:
    """Writes one choice into `tags.csv`, atomically; it takes the place of one of that action.

    Raises:
      InputError: the file does not parse.

    >>> write_choice("reconciled", "dub", "block", "true")
    >>> read_choices("reconciled", Vocabulary.of(["dub"])).block
    {'dub': True}
    """
    path, rows = pathlib.Path(folder, FILE), list[list[str]]()
    header, new = [*COLUMNS], {"tag": tag, "action": action, "value": value}
    if path.exists():
        table = read_table(path, COLUMNS)
        header, rows = [*table], [list(cells) for cells in zip(*table.values(), strict=True)]
    key = [header.index(name) for name in ("tag", "action")]
    cells = [new.get(name, "") for name in header]
    same = [
        k for k, row in enumerate(rows) if [clean(row[place]) for place in key] == [tag, action]
    ]
    if same:
        rows[same[0]] = cells
    else:
        rows.append(cells)
    write_table(path, header, rows)
