"""What people chose for single tags: which stands for its group, which is dropped, which is split.

`tags.csv` lies beside the other files of people and has the columns `tag,action,value`. The program
`launch.review` writes it; it may be edited by hand. The value of `canonical` is the name by which a
tag and what is merged with it shall go: one of their names, or a new one.
"""

import collections
import dataclasses
import pathlib
from collections.abc import Mapping

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.tables import Table, read_table
from tagjax.base.text import clean, is_none
from tagjax.vocabulary.vocabulary import TAG_SEPARATOR, Vocabulary

FILE = "tags.csv"
COLUMNS = ("tag", "action", "value")
ACTIONS = ("canonical", "block", "split")
WHY = "a person says so"
"""Why a tag is blocked that a person blocked."""

LONGEST = 100
"""Letters of a new name at most."""

_ANSWERS = {"true": True, "false": False}


@dataclasses.dataclass(frozen=True)
class Renamed:
    """By which names tags go.

    Attributes:
      canonical: {tag: the tag that stands for it}.
      called: {tag that stands for others or for itself: its new name}, with prefix.
      notes: what a reader has to know, a sentence each.
    """

    canonical: Mapping[str, str]
    called: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Choices:
    """What people chose for tags.

    Attributes:
      canonical: {tag: the name, with prefix, of it and what is merged with it}.
      block: {tag: whether it is dropped}.
      split: {tag: whether it is two things, and merged with no other}.
      notes: what a reader has to know, a sentence each.
    """

    canonical: Mapping[str, str] = dataclasses.field(default_factory=dict)
    block: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    split: Mapping[str, bool] = dataclasses.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def rename(self, canonical: Mapping[str, str]) -> Renamed:
        """The names by which tags go, by people where they chose one.

        What is the name of a tag of another group, in any case, is no name for this one.

        Args:
          canonical: {tag: the tag that stands for it}.

        >>> found = Choices({"dub": "dub"}).rename({"Dub": "Dub", "dub": "Dub"})
        >>> found.canonical
        {'Dub': 'dub', 'dub': 'dub'}
        >>> Choices({"dub": "Dub Music"}).rename({"dub": "dub"}).called
        {'dub': 'Dub Music'}
        """
        if not self.canonical:
            return Renamed(canonical)
        groups: dict[str, set[str]] = collections.defaultdict(set)
        for tag, head in canonical.items():
            groups[tag.casefold()].add(head)
        chosen, notes = dict[str, str](), list[str]()
        for tag, name in self.canonical.items():
            if tag not in canonical:
                continue
            head = canonical[tag]
            if groups[name.casefold()] - {head} and canonical.get(name) != head:
                notes.append(
                    f"{FILE}: {tag!r} cannot be called {name!r}, as another tag is; if the two are "
                    "the same, say so of the pair."
                )
                continue
            groups[name.casefold()].add(head)
            chosen[head] = name
        stands = {head: name for head, name in chosen.items() if name in canonical}
        called = {head: name for head, name in chosen.items() if name not in canonical}
        return Renamed(
            {tag: stands.get(head, head) for tag, head in canonical.items()}, called, tuple(notes)
        )

    def blocked(self, found: Mapping[str, str]) -> dict[str, str]:
        """{tag: why it is dropped}, by people where they said so.

        >>> Choices(block={"2012": False, "dub": True}).blocked({"2012": "a year"})
        {'dub': 'a person says so'}
        """
        kept = {tag: why for tag, why in found.items() if self.block.get(tag, True)}
        return kept | {tag: WHY for tag, dropped in self.block.items() if dropped}


def checked_name(text: str, system: str) -> str:
    """The name, with the prefix of its tag system, that a text gives to a tag.

    Raises:
      InputError: the text is empty, too long, or means "none"; or holds what stands between tags.

    >>> checked_name(" Dub  Music", "a:"), checked_name("a:Dub", "a:")
    ('a:Dub Music', 'a:Dub')
    """
    name = clean(clean(text).removeprefix(system))
    if is_none(name):
        raise InputError(f"{name!r} is no name; give another, or drop the tag")
    if len(name) > LONGEST:
        raise InputError(f"the name is longer than {LONGEST} letters; give a shorter one")
    if TAG_SEPARATOR in name:
        raise InputError(f"{name!r} holds {TAG_SEPARATOR!r}, which stands between tags")
    return system + name


def read_choices(folder: PathLike, vocabulary: Vocabulary) -> Choices:
    """Reads `tags.csv` of a folder, if it has one.

    Rows on tags that are not in the vocabulary stay in the file; a note names them.

    Raises:
      InputError: as `read_table`; an unknown action, a value that does not fit (see
        `checked_name`), or a tag with two rows of one action.

    >>> read_choices("nowhere", Vocabulary.of(["dub"])).canonical
    {}
    """
    path = pathlib.Path(folder, FILE)
    return choices_of(read_table(path, COLUMNS), vocabulary) if path.exists() else Choices()


def choices_of(table: Table, vocabulary: Vocabulary) -> Choices:
    """What people chose, of the rows of `tags.csv`.

    Raises:
      InputError: as `read_choices`.
    """
    notes = list[str]()
    found: dict[str, dict[str, str]] = {action: {} for action in ACTIONS}
    for row, cells in enumerate(zip(*(table[name] for name in COLUMNS), strict=True)):
        tag, action, value = map(clean, cells)
        if action not in ACTIONS:
            raise InputError(f"{table.at(row)}: action={action!r} is none of {', '.join(ACTIONS)}")
        if tag in found[action]:
            raise InputError(f"{table.at(row)}: {tag!r} has that action already; drop a row")
        if action != "canonical" and value not in _ANSWERS:
            raise InputError(f"{table.at(row)}: value={value!r}: say true or false")
        if tag not in vocabulary.index:
            notes.append(f"{table.at(row)}: {tag!r} is no tag any more; the row does nothing.")
            continue
        if action == "canonical" and value not in vocabulary.index:
            try:
                value = checked_name(value, vocabulary.system_of(tag))
            except InputError as error:
                raise InputError(f"{table.at(row)}: value={value!r}: {error}") from None
        found[action][tag] = value
    block, split = (
        {tag: _ANSWERS[value] for tag, value in found[action].items()}
        for action in ("block", "split")
    )
    return Choices(found["canonical"], block, split, tuple(notes))
