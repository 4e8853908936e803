"""Hierarchies of genres, flattened to the two levels of our tags."""

import dataclasses
import graphlib
from collections.abc import Mapping

from tagjax.base.errors import InputError


@dataclasses.dataclass(frozen=True)
class Hierarchy:
    """A directed acyclic graph of genres; genres without parents are the upper level.

    Attributes:
      title: {id: name}.
      parents: {id: ids of its parents}, with the same keys.
    """

    title: Mapping[str, str]
    parents: Mapping[str, tuple[str, ...]]

    def ancestors(self, node: str) -> tuple[str, ...]:
        """The node and all nodes above it, nearest first, without repeats."""
        found = {node: None}
        queue = [node]
        for current in queue:
            for parent in self.parents[current]:
                if parent not in found:
                    found[parent] = None
                    queue.append(parent)
        return tuple(found)

    def levels(self, nodes: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the nodes and all nodes above them: (upper level, all lower levels)."""
        closed = dict.fromkeys(above for node in nodes for above in self.ancestors(node))
        upper = tuple(self.title[node] for node in closed if not self.parents[node])
        lower = tuple(self.title[node] for node in closed if self.parents[node])
        return upper, lower

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(style, genre) names: each node below the upper level with its upper-level ancestors."""
        return tuple(
            (self.title[node], self.title[above])
            for node in self.title
            if self.parents[node]
            for above in self.ancestors(node)
            if not self.parents[above]
        )


def checked(
    title: Mapping[str, str], parents: Mapping[str, tuple[str, ...]], place: Mapping[str, str]
) -> Hierarchy:
    """Checks a hierarchy and returns it.

    Args:
      title: {id: name}.
      parents: {id: ids of its parents}; an id that is not a key of `title` is an error.
      place: {id: `file:row` that gives its parents}.

    Raises:
      InputError: an unknown parent, or a cycle.
    """
    for node, above in parents.items():
        for parent in above:
            if parent not in title:
                raise InputError(
                    f"{place[node]}: {title[node]!r} has the parent {parent}, which is not there; "
                    "add it, or make this one a top genre"
                )
    try:
        graphlib.TopologicalSorter(parents).prepare()
    except graphlib.CycleError as error:
        cycle = error.args[1][::-1]
        raise InputError(
            f"{place[cycle[0]]}: the hierarchy goes in a circle: "
            f"{' > '.join(title[node] for node in cycle)}; remove one of these parents"
        ) from None
    return Hierarchy(title, parents)
