"""What decisions changed, in lines for a person."""

import dataclasses
from collections.abc import Collection, Iterable, Sequence

from tagjax.reconcile.decisions import Decisions, Match
from tagjax.review.documents import Key
from tagjax.review.order import primary
from tagjax.review.views import WORDS, View

_SHOWN = 12


@dataclasses.dataclass(frozen=True)
class Reference:
    """How all was when the page was told last, before what happened since.

    Attributes:
      decisions: as the rules made them.
      open: pairs to be decided.
      said: pairs that people had decided.
    """

    decisions: Decisions
    open: Collection[Key]
    said: Collection[Key]

    def grown(self, view: View, events: Sequence[str]) -> list[str]:
        """Why there are more pairs to be decided; nothing if no pair has come in.

        Args:
          view: as all is now.
          events: what happened since.
        """
        new = view.open().keys() - {*self.open}
        again, lines = new & {*self.said}, list[str]()
        if again:
            ones = "pair is" if len(again) == 1 else "pairs are"
            what = "a decision was" if len(again) == 1 else "decisions were"
            lines.append(f"{len(again)} {ones} open again, as {what} taken back")
        if count := len(new) - len(again):
            why = "as the evidence was weighed again"
            if events:
                why = f"after {events[-1]}"
                why += f" and {len(events) - 1} more" * (len(events) > 1)
            lines.append(f"{count} pair{'s' * (count > 1)} became unsure {why}")
        return lines


def what_changed(before: Decisions, after: Decisions, keys: Iterable[Key] = ()) -> list[str]:
    """What differs between two decisions, a line each, less some pairs that a person named."""
    named, found = {*keys}, list[str]()
    for tag, to in after.canonical.items():
        old = before.canonical.get(tag, tag)
        if to != old and to != tag:
            found.append(f"{tag} is merged into {to}")
        elif to != old:
            found.append(f"{tag} stands for itself again")
    for tag in sorted({*before.called, *after.called}):
        old, new = before.called.get(tag, tag), after.called.get(tag, tag)
        found += [f"{tag} is called {new}"] * (old != new)
    one, two = primary(before.matches), primary(after.matches)
    settled = 0
    for key in sorted({*one, *two} - named):
        lines = _change(one.get(key), two.get(key))
        found += lines
        settled += not lines and key in one and one[key].state == "review" != _state(two.get(key))
    for tag in sorted(after.blocked.keys() ^ before.blocked.keys()):
        found.append(f"{tag} is {'dropped' if tag in after.blocked else 'kept'}")
    found += [f"{settled} more need no review"] * bool(settled)
    return list(dict.fromkeys(found))


def _state(match: Match | None) -> str:
    return match.state if match and match.target else ""


def _change(before: Match | None, after: Match | None) -> list[str]:
    """What became of a pair, in a line at most."""
    was, now = _state(before), _state(after)
    if now == "accepted" != was and after:
        words = WORDS.get(after.relation, WORDS["exact"])
        return [words.format(after.source, "is", after.target)]
    if was == "accepted" != now and before:
        review = ", and up for review" * (now == "review")
        return [f"{before.source} and {before.target} are not sure any more{review}"]
    if now == "review" != was and after:
        return [f"{after.source} and {after.target} are up for review"]
    return []


def shortened(lines: Sequence[str], most: int = _SHOWN) -> list[str]:
    """The first lines, and how many more there are.

    >>> shortened(["a", "b", "c"], 1)
    ['a', '2 more changes']
    """
    left = len(lines) - most
    return [*lines[:most], *([f"{left} more change{'s' * (left > 1)}"] if left > 0 else [])]
