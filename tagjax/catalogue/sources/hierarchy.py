"""Hierarchies of genres flattened to the two levels that tags have."""

import dataclasses
import graphlib
from collections.abc import Mapping

from tagjax.base.errors import InputError


@dataclasses.dataclass(frozen=True)
class Hierarchy:
    """A directed acyclic graph of genres; what has no parent is the upper level.

    Attributes:
      title: {id: name}.
      parents: {id: ids}, of the same keys.
    """

    title: Mapping[str, str]
    parents: Mapping[str, tuple[str, ...]]

    def ancestors(self, node: str) -> tuple[str, ...]:
        """The node and all above it, nearest first, none twice."""
        found = {node: None}
        queue = [node]
        for current in queue:
            for parent in self.parents[current]:
                if parent not in found:
                    found[parent] = None
                    queue.append(parent)
        return tuple(found)

    def levels(self, nodes: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the nodes and all above them: (upper level, all below)."""
        closed = dict.fromkeys(each for node in nodes for each in self.ancestors(node))
        upper = tuple(self.title[each] for each in closed if not self.parents[each])
        lower = tuple(self.title[each] for each in closed if self.parents[each])
        return upper, lower

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(style, genre) by name: everything below with what of the upper level is above it."""
        return tuple(
            (self.title[node], self.title[each])
            for node in self.title
            if self.parents[node]
            for each in self.ancestors(node)
            if not self.parents[each]
        )


def checked(
    title: Mapping[str, str], parents: Mapping[str, tuple[str, ...]], place: Mapping[str, str]
) -> Hierarchy:
    """The hierarchy, if it is one.

    Args:
      title: {id: name}.
      parents: {id: ids}; an id that is no key of `title` is an error.
      place: {id: `file:row` where its parents are told}.

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
