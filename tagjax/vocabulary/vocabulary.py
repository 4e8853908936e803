"""The tags of a data set, with the system, the name and the half of each.

A tag is one string: the prefix of its tag system (`mumu:`, `a:`, or none), then its name, then
`_1` or `_2` if it is half of a tag that was split in two (section 3.2). These parts are found once,
when tags are read, and recorded in a `Vocabulary`. All later code uses the `Vocabulary` and never
takes a tag apart again.
"""

import collections
import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tagjax.base.errors import InputError
from tagjax.vocabulary.tags import GENRE

TAG_SEPARATOR = "|"
"""Separates the tags of a track in our tables."""

EXPERIMENTS = ("taxonomy", "translation", "deduplication")
"""The experiments for which a data set may be made."""

_HALF = re.compile(r"(.+)_([12])", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Tags in order, with the tag system, the name and the half of each.

    Attributes:
      tags: N different tags, as they are in files.
      systems: prefixes of the tag systems, in the order of their catalogues.
      system: N prefixes, the system of each tag.
      half: N numbers: 1 or 2 for the halves of a tag that was split, 0 for a whole tag.

    >>> vocabulary = Vocabulary.of(["a:jazz_1", "a:jazz_2", "b:R&B"], ["a:", "b:"], halves=True)
    >>> vocabulary.names
    ('jazz', 'jazz', 'R&B')
    >>> vocabulary.partner("a:jazz_1")
    'a:jazz_2'

    Reference: sections 3.2 and 4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    tags: tuple[str, ...]
    systems: tuple[str, ...]
    system: tuple[str, ...]
    half: tuple[int, ...]

    def __post_init__(self) -> None:
        if len({*self.tags}) != len(self.tags):
            twice = next(tag for tag, n in collections.Counter(self.tags).items() if n > 1)
            raise ValueError(f"tag {twice!r} occurs twice")
        if not len(self.tags) == len(self.system) == len(self.half):
            raise ValueError(
                f"{len(self.tags)} tags, but {len(self.system)} systems and {len(self.half)} halves"
            )
        for tag, system, half in zip(self.tags, self.system, self.half, strict=True):
            if system not in self.systems or not tag.startswith(system):
                raise ValueError(f"tag {tag!r} is not of the tag system {system!r}")
            if half and not tag.endswith(f"_{half}"):
                raise ValueError(f"tag {tag!r} does not end in _{half}")

    @classmethod
    def of(
        cls, tags: Iterable[str], systems: Sequence[str] = ("",), halves: bool = False
    ) -> "Vocabulary":
        """The vocabulary of tags whose systems are known.

        Args:
          tags: different tags.
          systems: prefixes of the systems; the longest with which a tag begins is its system.
          halves: whether tags that end in `_1` or `_2` are halves of a split tag.

        Raises:
          InputError: a tag begins with none of the prefixes.

        >>> Vocabulary.of(["a:jazz", "b:jazz"], ["a:", "b:"]).system
        ('a:', 'b:')

        Reference: sections 3.2 and 4 of the paper,
        https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
        """
        tags, systems = tuple(tags), tuple(dict.fromkeys(systems))
        system = []
        for tag in tags:
            fitting = [prefix for prefix in systems if tag.startswith(prefix)]
            if not fitting:
                raise InputError(
                    f"tag {tag!r} is of none of the tag systems {','.join(systems)}; name the "
                    "prefix of each (--systems=,mumu: for tags without and with mumu:)"
                )
            system.append(max(fitting, key=len))
        numbers = [int(match[2]) if (match := _HALF.fullmatch(tag)) else 0 for tag in tags]
        return cls(tags, systems, tuple(system), tuple(numbers if halves else [0] * len(tags)))

    @classmethod
    def guess(cls, tags: Iterable[str]) -> "Vocabulary":
        """Guesses the vocabulary of a foreign file, which says nothing about its tags.

        A tag system is a prefix `name:` (other than `genre:`) of at least two tags. Tags without
        such a prefix are in the system "". Tags are halves if every tag ends in `_1` or `_2`.

        >>> Vocabulary.guess(["dub", "ska", "mumu:dub", "mumu:ska"]).systems
        ('', 'mumu:')

        Reference: the authors' files have such tags,
        https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
        """
        tags = tuple(tags)
        heads = [tag[: tag.find(":") + 1] for tag in tags]
        counts = collections.Counter(heads)
        prefixes = {head for head in counts if head not in ("", GENRE, ":") and counts[head] > 1}
        bare = not prefixes or any(head not in prefixes for head in heads)
        halves = bool(tags) and all(map(_HALF.fullmatch, tags))
        return cls.of(tags, sorted(prefixes | ({""} if bare else set())), halves)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Vocabulary":
        """The inverse of `record`.

        Raises:
          InputError: it is not such a record.
        """
        try:
            tags, systems = record["tags"], record["systems"]
            if not all(isinstance(text, str) for text in (*tags, *systems)):
                raise TypeError("a name is not a text")
            return cls(
                tuple(tags),
                tuple(systems),
                tuple(systems[number] for number in record["system"]),
                tuple(record["half"]),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise InputError(f"not a record of a vocabulary: {error}") from None

    def record(self) -> dict[str, list]:
        """The form in which a manifest and a run store it as JSON."""
        place = {system: number for number, system in enumerate(self.systems)}
        return {
            "tags": list(self.tags),
            "systems": list(self.systems),
            "system": [place[system] for system in self.system],
            "half": list(self.half),
        }

    def __len__(self) -> int:
        return len(self.tags)

    @functools.cached_property
    def index(self) -> dict[str, int]:
        """{tag: its place among the tags}."""
        return {tag: place for place, tag in enumerate(self.tags)}

    @functools.cached_property
    def whole(self) -> tuple[str, ...]:
        """The N tags without `_1` and `_2`: the tag itself, or the tag that was split."""
        return tuple(
            tag[: -len(f"_{half}")] if half else tag
            for tag, half in zip(self.tags, self.half, strict=True)
        )

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The N names, as their catalogue spells them: without prefix, `_1` and `_2`."""
        return tuple(
            tag[len(system) :] for tag, system in zip(self.whole, self.system, strict=True)
        )

    def system_of(self, tag: str) -> str:
        """The tag system of one of the tags."""
        return self.system[self.index[tag]]

    def members(self, system: str) -> list[int]:
        """Places of the tags in a system."""
        return [place for place, its_system in enumerate(self.system) if its_system == system]

    def partner(self, tag: str) -> str | None:
        """The other half of a split tag; None if it is not among the tags."""
        place = self.index[tag]
        other = f"{self.whole[place]}_{3 - self.half[place]}"
        return other if self.half[place] and other in self.index else None

    def select(self, tags: Iterable[str]) -> "Vocabulary":
        """The vocabulary of some of the tags, in the given order.

        Raises:
          KeyError: a tag is not in this vocabulary.
        """
        tags = tuple(tags)
        places = [self.index[tag] for tag in tags]
        return dataclasses.replace(
            self,
            tags=tags,
            system=tuple(self.system[place] for place in places),
            half=tuple(self.half[place] for place in places),
        )

    def regrouped(self, systems: Sequence[str]) -> "Vocabulary":
        """The same tags in the systems with these prefixes; no prefix means one system "".

        Raises:
          InputError: a tag begins with none of the prefixes.

        >>> Vocabulary.guess(["Jazz: Bop", "Jazz: Cool"]).regrouped([]).names
        ('Jazz: Bop', 'Jazz: Cool')
        """
        return dataclasses.replace(Vocabulary.of(self.tags, systems or ("",)), half=self.half)

    def split(self, name: str) -> tuple[str, str]:
        """The prefix that a name in a table of truth carries, and the name without it.

        >>> Vocabulary.of(["a:dub", "b:dub"], ["a:", "b:"]).split("a:ska")
        ('a:', 'ska')
        """
        fitting = [system for system in self.systems if name.startswith(system)]
        system = max(fitting, key=len, default="")
        return system, name[len(system) :]

    def extended(self, other: "Vocabulary") -> "Vocabulary":
        """This vocabulary, followed by the tags of another that it does not have."""
        new = [place for place, tag in enumerate(other.tags) if tag not in self.index]
        return Vocabulary(
            (*self.tags, *(other.tags[place] for place in new)),
            tuple(dict.fromkeys((*self.systems, *other.systems))),
            (*self.system, *(other.system[place] for place in new)),
            (*self.half, *(other.half[place] for place in new)),
        )
