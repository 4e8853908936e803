"""Two-level taxonomies: which genres a style belongs to (section 3.1)."""

import dataclasses
import graphlib
import importlib.resources
from collections.abc import Iterable, Mapping, Sequence

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.vocabulary import tags as names
from tagjax.vocabulary.pairs import read_pairs

COLUMNS = ("style", "genre")


@dataclasses.dataclass(frozen=True)
class Taxonomy:
    """Genres of each style; a style may have several.

    Attributes:
      parents: {style: genres}, in whatever spelling their source has.
    """

    parents: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> "Taxonomy":
        """The taxonomy of (style, genre) pairs.

        >>> Taxonomy.of([("dub", "reggae"), ("dub", "electronic")]).pairs()
        (('dub', 'electronic'), ('dub', 'reggae'))
        """
        parents: dict[str, set[str]] = {}
        for style, genre in pairs:
            parents.setdefault(style, set()).add(genre)
        return cls({style: frozenset(genres) for style, genres in parents.items()})

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(style, genre) pairs, the genres of a style in order."""
        return tuple(
            (style, genre) for style, genres in self.parents.items() for genre in sorted(genres)
        )


@dataclasses.dataclass(frozen=True)
class Placement:
    """A taxonomy found again among the tags of a similarity.

    Attributes:
      parents: {style tag: its genre tags}, for every style with at least one.
      orphans: style tags that the taxonomy does not name, or none of whose genres is a tag.
      childless: genre tags that no style tag belongs to.
      absent: genres that the taxonomy gives to one of the style tags and that are no tags.
    """

    parents: Mapping[str, tuple[str, ...]]
    orphans: tuple[str, ...]
    childless: tuple[str, ...]
    absent: tuple[str, ...]


def read_taxonomy(path: PathLike, prefix: str = "") -> Taxonomy:
    """Reads a CSV file `style,genre`; a style with several genres has several rows.

    Args:
      path: the file.
      prefix: of the tag system, put before every name.

    Raises:
      InputError: as `pairs.read_pairs`; or the rows go in a circle.
    """
    table, pairs = read_pairs(path, COLUMNS, own=True)
    graph: dict[str, set[str]] = {}
    for style, genre in pairs:
        graph.setdefault(style, set()).update({genre} - {style})
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        circle = error.args[1][::-1]
        row = pairs.index((circle[0], circle[1]))
        raise InputError(
            f"{table.at(row)}: the taxonomy goes in a circle: {' > '.join(circle)}; "
            "remove one of these pairs"
        ) from None
    return Taxonomy.of((prefix + style, prefix + genre) for style, genre in pairs)


def discogs() -> Taxonomy:
    """The Discogs taxonomy of `data/discogs_taxonomy.csv`."""
    source = importlib.resources.files("tagjax.vocabulary") / "data" / "discogs_taxonomy.csv"
    with importlib.resources.as_file(source) as path:
        return read_taxonomy(path)


def place(taxonomy: Taxonomy, tags: Sequence[str], systems: Sequence[str] = ("",)) -> Placement:
    """Finds the styles and genres of a taxonomy among tags.

    A name matches a tag of the same spelling but for case, else of the same normalised name
    (`tags.normalise`), else of the same with its non-ASCII letters lost. A style and its
    genres are of one tag system: that of the style's prefix; a style without prefix is of the
    system "", or, where there is none, of every system.

    Args:
      taxonomy: its names with or without prefixes of system and `genre:`.
      tags: of a similarity.
      systems: their prefixes.
    """
    prefixes = tuple(dict.fromkeys([*systems, ""]))
    home = {name: names.system_of(name, prefixes) for name in (*tags, *taxonomy.parents)}
    genres = [tag for tag in tags if names.is_genre(tag, systems)]
    styles = [tag for tag in tags if not names.is_genre(tag, systems)]
    parents: dict[str, tuple[str, ...]] = {}
    absent: set[str] = set()
    for system in systems:
        known = _Names([tag for tag in genres if home[tag] == system], prefixes)
        fitting = (system,) if "" in systems else (system, "")
        given = _Names([name for name in taxonomy.parents if home[name] in fitting], prefixes)
        for style in (tag for tag in styles if home[tag] == system):
            found: set[str] = set()
            for genre in {g for name in given.like(style) for g in taxonomy.parents[name]}:
                matching = known.like(genre)
                found |= matching
                if not matching:
                    absent.add(genre)
            if found:
                parents[style] = tuple(sorted(found))
    used = {genre for several in parents.values() for genre in several}
    return Placement(
        {style: parents[style] for style in styles if style in parents},
        tuple(style for style in styles if style not in parents),
        tuple(genre for genre in genres if genre not in used),
        tuple(sorted(absent)),
    )


class _Names:
    """Names to be found by spelling, by normalised name, or with letters lost."""

    def __init__(self, members: Iterable[str], prefixes: Sequence[str]):
        self._prefixes = prefixes
        self._levels: tuple[dict[str, set[str]], ...] = ({}, {}, {})
        for member in members:
            for level, keys in zip(self._levels, self._keys(member), strict=True):
                for key in keys:
                    level.setdefault(key, set()).add(member)

    def _keys(self, name: str) -> tuple[tuple[str, ...], ...]:
        plain = names.strip(name, self._prefixes).removeprefix(names.GENRE).strip().lower()
        normal = names.normalise(name, self._prefixes)
        return (plain,), (normal,) if normal else (), names.spellings(normal)

    def like(self, name: str) -> set[str]:
        """The members that a name means: those of the first level at which any agrees."""
        for level, keys in zip(self._levels, self._keys(name), strict=True):
            found = {member for key in keys for member in level.get(key, ())}
            if found:
                return found
        return set()
