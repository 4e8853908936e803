"""Two-level taxonomies: which genres a style belongs to (section 3.1)."""

import dataclasses
import graphlib
import importlib.resources
from collections.abc import Iterable, Mapping, Sequence

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.vocabulary import tags as names
from tagjax.vocabulary.pairs import read_pairs
from tagjax.vocabulary.vocabulary import Vocabulary

COLUMNS = ("style", "genre")


@dataclasses.dataclass(frozen=True)
class Taxonomy:
    """The genres of each style; a style may have several.

    Attributes:
      parents: {style: genres}, in the spelling of their source.

    >>> Taxonomy({"dub": frozenset({"reggae"})}).pairs()
    (('dub', 'reggae'),)

    Reference: section 3.1 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    parents: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> "Taxonomy":
        """The taxonomy of (style, genre) pairs.

        >>> Taxonomy.of([("dub", "reggae"), ("dub", "electronic")]).pairs()
        (('dub', 'electronic'), ('dub', 'reggae'))

        Reference: section 3.1 of the paper,
        https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
        """
        parents: dict[str, set[str]] = {}
        for style, genre in pairs:
            parents.setdefault(style, set()).add(genre)
        return cls({style: frozenset(genres) for style, genres in parents.items()})

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(style, genre) pairs, the genres of each style sorted."""
        return tuple(
            (style, genre) for style, genres in self.parents.items() for genre in sorted(genres)
        )


@dataclasses.dataclass(frozen=True)
class Placement:
    """The tags of a similarity that a taxonomy names as styles and genres.

    Attributes:
      parents: {style tag: its genre tags}, for every style with at least one genre tag.
      genres: the tags that are genres, in the order of the vocabulary.
      styles: the tags that are styles; a tag may be both in a taxonomy of several levels.
      orphans: style tags that the taxonomy does not name, or whose genres are all missing among
        the tags.
      childless: genre tags without a style tag.
      absent: genres that the taxonomy gives to a style tag but that are not among the tags.
    """

    parents: Mapping[str, tuple[str, ...]]
    genres: tuple[str, ...]
    styles: tuple[str, ...]
    orphans: tuple[str, ...]
    childless: tuple[str, ...]
    absent: tuple[str, ...]


def read_taxonomy(path: PathLike, prefix: str = "") -> Taxonomy:
    """Reads a CSV file `style,genre`; a style with several genres has several rows.

    Args:
      path: the file.
      prefix: prefix of the tag system, put before every name.

    Raises:
      InputError: as `pairs.read_pairs`; the taxonomy has a circle.

    >>> with open("taxonomy.csv", "w") as file:
    ...     print("style,genre", "dub,reggae", sep="\\n", file=file)
    >>> read_taxonomy("taxonomy.csv", prefix="a:").pairs()
    (('a:dub', 'a:reggae'),)

    Reference: section 3.1 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    table, pairs = read_pairs(path, COLUMNS, reflexive=True)
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


def place(taxonomy: Taxonomy, vocabulary: Vocabulary) -> Placement:
    """Finds the styles and genres of a taxonomy among tags.

    A name matches a tag that differs only in case. If there is none, it matches a tag with the same
    normalised name (`tags.normalise`), and if there is none again, a tag whose non-ASCII letters
    were lost. A style and its genres are in one tag system, which the style's prefix names. A style
    without prefix is in the system "", or in every system if there is no system "". Halves of split
    tags are placed among tags of the same half.

    A name in the taxonomy's column of genres is a genre. If both `reggae` and `genre:reggae` are
    tags, the latter is meant. A tag with the mark `genre:` is also a genre, unless the taxonomy
    names it as a style.

    Args:
      taxonomy: names with or without the prefix of the system and `genre:`.
      vocabulary: the tags.

    >>> truth = Taxonomy.of([("Dub", "Reggae"), ("Ska", "Reggae")])
    >>> place(truth, Vocabulary.of(["dub", "reggae", "rock"])).parents
    {'dub': ('reggae',)}
    """
    split = {name: vocabulary.split(name) for pair in taxonomy.pairs() for name in pair}
    groups: dict[tuple[str, int], dict[str, str]] = {}
    columns = (vocabulary.tags, vocabulary.names, vocabulary.system, vocabulary.half)
    for tag, name, system, half in zip(*columns, strict=True):
        groups.setdefault((system, half), {})[tag] = name
    parents: dict[str, tuple[str, ...]] = {}
    genres: set[str] = set()
    absent: set[str] = set()
    for (system, _), members in groups.items():
        fitting = (system,) if "" in vocabulary.systems else (system, "")
        pairs = [pair for pair in taxonomy.pairs() if split[pair[0]][0] in fitting]
        found = _place(pairs, {name: bare for name, (_, bare) in split.items()}, members)
        parents |= found[0]
        genres |= found[1]
        absent |= found[2]
    styles = [tag for tag in vocabulary.tags if tag in parents or tag not in genres]
    used = {genre for found_genres in parents.values() for genre in found_genres}
    return Placement(
        {style: parents[style] for style in styles if style in parents},
        tuple(tag for tag in vocabulary.tags if tag in genres),
        tuple(styles),
        tuple(style for style in styles if style not in parents),
        tuple(tag for tag in vocabulary.tags if tag in genres - used),
        tuple(sorted(absent)),
    )


def _place(
    pairs: Sequence[tuple[str, str]], bare: Mapping[str, str], members: Mapping[str, str]
) -> tuple[dict[str, tuple[str, ...]], set[str], set[str]]:
    """Parents, genres and absent genres of the tags of one system and half.

    Args:
      pairs: (style, genre) pairs of the taxonomy that are in the system.
      bare: {name in the taxonomy: the name without prefix of the system}.
      members: {tag: its name}.
    """
    marked, plain = _by_mark(members)
    meant = {genre: marked.like(bare[genre]) or plain.like(bare[genre]) for _, genre in pairs}
    genres_of: dict[str, set[str]] = {}
    for style, genre in pairs:
        genres_of.setdefault(style, set()).add(genre)
    marked_styles, plain_styles = _by_mark({style: bare[style] for style in genres_of})
    parents: dict[str, tuple[str, ...]] = {}
    genres = {tag for tags_meant in meant.values() for tag in tags_meant}
    absent: set[str] = set()
    for tag, name in members.items():
        if name.startswith(names.GENRE):
            styles = marked_styles.like(name)
            if not styles:
                genres.add(tag)
        else:
            styles = plain_styles.like(name) or marked_styles.like(name)
        true_genres = {genre for style in styles for genre in genres_of[style]}
        absent |= {genre for genre in true_genres if not meant[genre]}
        if found := {match for genre in true_genres for match in meant[genre]} - {tag}:
            parents[tag] = tuple(sorted(found))
    return parents, genres, absent


def _by_mark(bare: Mapping[str, str]) -> tuple["_Names", "_Names"]:
    """Splits {member: name} into the names that are marked as genres, and the others."""
    marked = {member: name for member, name in bare.items() if name.startswith(names.GENRE)}
    return _Names(marked), _Names({m: name for m, name in bare.items() if m not in marked})


class _Names:
    """Finds names by spelling, by normalised name, or with non-ASCII letters lost."""

    def __init__(self, members: Mapping[str, str]):
        """Takes {member: its name without prefix}."""
        self._levels: tuple[dict[str, set[str]], ...] = ({}, {}, {})
        for member, name in members.items():
            for level, keys in zip(self._levels, self._keys(name), strict=True):
                for key in keys:
                    level.setdefault(key, set()).add(member)

    def _keys(self, name: str) -> tuple[tuple[str, ...], ...]:
        normal = names.normalise(name)
        plain = name.removeprefix(names.GENRE).strip().lower()
        return (plain,), (normal,) if normal else (), names.spellings(normal)

    def like(self, name: str) -> set[str]:
        """The members that match a name at the first level at which any does."""
        for level, keys in zip(self._levels, self._keys(name), strict=True):
            found = {member for key in keys for member in level.get(key, ())}
            if found:
                return found
        return set()
