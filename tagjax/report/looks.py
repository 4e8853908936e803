"""How tags are drawn, and in what order: genres, colours, markers."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from tagjax.report import labels
from tagjax.vocabulary.tags import GENRE
from tagjax.vocabulary.vocabulary import Vocabulary

Parents = Mapping[str, Sequence[str]]

# Twenty colours a reader can tell apart, as many as genres of either released system.
COLOURS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf",
    "#bcbd22", "#0b3c6f", "#f7b6d2", "#98df8a", "#ffbf00", "#7a0177", "#aec7e8", "#636363",
    "#006d5b", "#c49c94", "#ff5e5b", "#5254a3",
)  # fmt: skip
NO_GENRE = "#c8c8c8"

_MARKERS = "oDs*^vPX<>"  # of the first system (and of its tags _2), the second, …


@dataclasses.dataclass(frozen=True)
class Look:
    """How a tag is drawn.

    Attributes:
      label: its name, with the prefix of its system, without `genre:`, and not too long.
      is_genre: whether it is bigger, with a black edge.
      genre: the name of its (first) genre; "" without one.
      colours: of its genres, at most two.
      marker: Matplotlib's, of its system and half.
    """

    label: str
    is_genre: bool
    genre: str
    colours: tuple[str, ...]
    marker: str


def looks(vocabulary: Vocabulary, parents: Parents) -> list[Look]:
    """How each tag is drawn; both halves of a tag, and genres of one name, have one colour.

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
                labels.short(system + tag[len(system) :].removeprefix(GENRE)),
                tag in genres,
                next(iter(genre_names), ""),
                tuple(colours[name] for name in genre_names[:2]) or (NO_GENRE,),
                _MARKERS[(order[system] + (half == 2)) % len(_MARKERS)],
            )
        )
    return found


def taxonomy_order(vocabulary: Vocabulary, parents: Parents) -> tuple[str, ...]:
    """Tags by system and half, each genre before its styles, then styles without genre, by name.

    A style of several genres follows the first of them. Duplicates are a diagonal of their own.
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
    """The tags that are a parent, or that are marked as genre (`genre:`) and have no parent."""
    marked = {
        tag
        for tag, name in zip(vocabulary.tags, vocabulary.names, strict=True)
        if name.startswith(GENRE) and not parents.get(tag)
    }
    found = (genre for tag in vocabulary.tags for genre in parents.get(tag, ()))
    return marked | {genre for genre in found if genre in vocabulary.index}


def genre_colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name of a genre, the same for the same names; beyond twenty they recur."""
    return {name: COLOURS[k % len(COLOURS)] for k, name in enumerate(sorted(set(names)))}
