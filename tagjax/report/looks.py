"""How tags are drawn, and in which order: genres, colours, markers."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from tagjax.base.text import short
from tagjax.vocabulary.tags import GENRE
from tagjax.vocabulary.vocabulary import Vocabulary

Parents = Mapping[str, Sequence[str]]

# Twenty colours that a reader can tell apart, enough for the genres of either released system.
COLOURS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf",
    "#bcbd22", "#0b3c6f", "#f7b6d2", "#98df8a", "#ffbf00", "#7a0177", "#aec7e8", "#636363",
    "#006d5b", "#c49c94", "#ff5e5b", "#5254a3",
)  # fmt: skip
NO_GENRE = "#c8c8c8"

_MARKERS = "oDs*^vPX<>"  # Two for each system, the second for its tags _2.


@dataclasses.dataclass(frozen=True)
class Look:
    """How a tag is drawn.

    Attributes:
      label: the tag without `genre:`, shortened if it is long.
      is_genre: whether the tag is a genre and has a bigger marker with a black edge.
      genre: the name of its (first) genre; "" without genre.
      colours: colours of its genres, at most two.
      marker: Matplotlib's marker for its system and half.
    """

    label: str
    is_genre: bool
    genre: str
    colours: tuple[str, ...]
    marker: str


def looks(vocabulary: Vocabulary, parents: Parents) -> list[Look]:
    """How each tag is drawn. Halves of one tag, and genres of the same name, have the same colour.

    Args:
      vocabulary: N tags.
      parents: {style tag: genre tags}.

    >>> [look.genre for look in looks(Vocabulary.of(["genre:a", "b"]), {"b": ["genre:a"]})]
    ['a', 'a']
    """
    genres = genres_among(vocabulary, parents)
    names = [name.removeprefix(GENRE) for name in vocabulary.names]
    colours = genre_colours(names[vocabulary.index[genre]] for genre in genres)
    order = {system: 2 * place for place, system in enumerate(vocabulary.systems)}
    found = []
    for tag, system, half in zip(vocabulary.tags, vocabulary.system, vocabulary.half, strict=True):
        tags = [tag] if tag in genres else [g for g in parents.get(tag, ()) if g in genres]
        genre_names = list(dict.fromkeys(names[vocabulary.index[genre]] for genre in tags))
        found.append(
            Look(
                short(system + tag[len(system) :].removeprefix(GENRE)),
                tag in genres,
                next(iter(genre_names), ""),
                tuple(colours[name] for name in genre_names[:2]) or (NO_GENRE,),
                _MARKERS[(order[system] + (half == 2)) % len(_MARKERS)],
            )
        )
    return found


def taxonomy_order(vocabulary: Vocabulary, parents: Parents) -> tuple[str, ...]:
    """Tags sorted by system and half, then by genre, each genre before its styles.

    A style of several genres follows the first of them. Styles without genre come last. As halves
    are sorted apart, the pairs of halves form a diagonal in a heat map.
    """
    genres = genres_among(vocabulary, parents)

    def key(tag: str) -> tuple:
        known = (genre for genre in parents.get(tag, ()) if genre in genres)
        genre = tag if tag in genres else next(known, None)
        place = vocabulary.index[tag]
        group = (vocabulary.system[place], vocabulary.half[place])
        return (*group, genre is None, genre or "", tag != genre, tag)

    return tuple(sorted(vocabulary.tags, key=key))


def genres_among(vocabulary: Vocabulary, parents: Parents) -> set[str]:
    """The tags that are parents, and those with the mark `genre:` and without a parent."""
    marked = {
        tag
        for tag, name in zip(vocabulary.tags, vocabulary.names, strict=True)
        if name.startswith(GENRE) and not parents.get(tag)
    }
    found = (genre for tag in vocabulary.tags for genre in parents.get(tag, ()))
    return marked | {genre for genre in found if genre in vocabulary.index}


def genre_colours(names: Iterable[str]) -> dict[str, str]:
    """{genre: colour}; the same names get the same colours. Colours recur after twenty."""
    return {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(sorted(set(names)))}
