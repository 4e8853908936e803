"""What people decided before: pairs whose answer is known teach beside the halves."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.base.tables import read_table
from tagjax.evidence.choice import Question
from tagjax.evidence.questions import NONE
from tagjax.vocabulary import translation
from tagjax.vocabulary.pairs import pairs_of
from tagjax.vocabulary.vocabulary import Vocabulary

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RELATIONS = (*translation.RELATIONS, "none")
_SAME = ("exact", "close")


@dataclasses.dataclass(frozen=True)
class Decided:
    """A pair of tags that a person judged.

    Attributes:
      source: place of a tag.
      target: place of another.
      same: whether they mean the same.
    """

    source: int
    target: int
    same: bool


def read_decisions(path: PathLike, vocabulary: Vocabulary) -> tuple[Decided, ...]:
    """Reads what people decided.

    Args:
      path: a CSV file with the columns `source,target,relation`: tags with their prefixes, and one
        of `RELATIONS`. `exact` and `close` mean the same, all others something else.
      vocabulary: the whole tags.

    Raises:
      InputError: as `read_table`; an empty cell, a pair that occurs twice, an unknown tag or
        relation.

    >>> from tagjax import Vocabulary
    >>> with open("decisions.csv", "w") as file:
    ...     print("source,target,relation", "a:dub,b:dub,exact", sep="\\n", file=file)
    >>> read_decisions("decisions.csv", Vocabulary.of(["a:dub", "b:dub"], ["a:", "b:"]))
    (Decided(source=0, target=1, same=True),)

    Reference: relations are those of SKOS, https://www.w3.org/TR/skos-reference/#mapping
    """
    table = read_table(path, ("source", "target", "relation"))
    pairs = pairs_of(table, ("source", "target"), ("relation",), symmetric=True)
    found = []
    for row, (pair, cell) in enumerate(zip(pairs, table["relation"], strict=True)):
        relation = cell.strip()
        if relation not in RELATIONS:
            raise InputError(
                f"{table.at(row)}: unknown relation {relation!r}; one of {', '.join(RELATIONS)}"
            )
        for tag in pair:
            if tag not in vocabulary.index:
                raise InputError(
                    f"{table.at(row)}: unknown tag {tag!r}; write it with its prefix, or drop the "
                    f"row; tags begin with {', '.join(map(repr, vocabulary.tags[:3]))}"
                )
        source, target = (vocabulary.index[tag] for tag in pair)
        found.append(Decided(source, target, relation in _SAME))
    return tuple(found)


def questions(
    decisions: Sequence[Decided],
    places: Mapping[str, Ints],
    evidence: Callable[[Ints, Ints, Ints], Array],
    weight: int = 1,
) -> list[Question]:
    """Decisions in the form of questions, each asked both ways.

    A pair that is the same asks for its partner among all candidates. Of one that is not, only that
    candidate is asked about: nobody said which other one is right.

    Args:
      decisions: of people.
      places: {tag system: places of its tags}.
      evidence: (queries [Q], candidates [C], rows of the queries [n]) to float64 [n, C, F].
      weight: how often each is asked.
    """
    system = {int(tag): name for name, tags in places.items() for tag in tags}
    between: dict[tuple[str, str], list[tuple[int, int, bool]]] = {}
    for decision in decisions:
        pair = decision.source, decision.target
        for source, target in (pair, pair[::-1]):
            asked = between.setdefault((system[source], system[target]), [])
            asked.append((source, target, decision.same))
    found: list[Question] = []
    for (one, other), asked in between.items():
        queries, candidates = places[one], places[other]
        rows = np.array([np.flatnonzero(queries == source)[0] for source, _, _ in asked])
        known = evidence(queries, candidates, rows)
        for row, (_, target, is_same) in enumerate(asked):
            column = np.flatnonzero(candidates == target)
            own = known[[row]]
            found.append((own, column) if is_same else (own[:, column], np.array([NONE])))
    return found * weight
