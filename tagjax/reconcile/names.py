"""The names of tags as other programs know them: without prefix, and without regard to case."""

import collections
import dataclasses
import pathlib
import re
from collections.abc import Callable, Mapping

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, write_text
from tagjax.base.text import clean
from tagjax.reconcile.decisions import Decisions, TwoSenses
from tagjax.vocabulary.vocabulary import Vocabulary

SPLITTERS = {
    ";": "Navidrome splits it, and so do Lyrion and Jellyfin as most people set them",
    "/": "Navidrome splits it, and so does Jellyfin with its usual delimiters",
    ",": "Navidrome splits it, and so do Lyrion and Jellyfin where the comma is a delimiter",
}
"""{sign in a genre's name: the players that take it for the border between two genres}."""

_SHOWN = 5
_SEPARATORS = re.compile(r"\s*[;,/|]\s*")


@dataclasses.dataclass(frozen=True)
class Exported:
    """The files of an export, and what a person has to know of them.

    Attributes:
      files: {name of the file: its text}.
      notes: a sentence each, on what the other program cannot express.
    """

    files: Mapping[str, str]
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Genres:
    """The tags of one system for programs that ignore case. Names are clean and in lower case.

    Attributes:
      target: {each name: the name that stands for it}; a target is its own target.
      shown: {each target: how its tag is spelt}.
      parent: {target: the likeliest target that is broader}, without circles.
      blocked: {name: why it is no genre}; these are neither targets of others nor parents.
      notes: what is lost, a sentence each.
    """

    target: Mapping[str, str]
    shown: Mapping[str, str]
    parent: Mapping[str, str]
    blocked: Mapping[str, str]
    notes: tuple[str, ...]

    def sources(self) -> dict[str, list[str]]:
        """{target: all names that it stands for, its own first}."""
        found = {name: [name] for name in sorted(self.shown)}
        for name, target in self.target.items():
            if name != target:
                found[target].append(name)
        return found


def write(folder: PathLike, exported: Exported) -> list[pathlib.Path]:
    """Writes the files of an export into a folder, each atomically; returns their paths."""
    paths = []
    for name, text in exported.files.items():
        paths.append(pathlib.Path(folder, name))
        write_text(paths[-1], text)
    return paths


def bare(vocabulary: Vocabulary, tag: str) -> str:
    """A tag without the prefix of its system; halves of a split tag keep their numbers."""
    return tag[len(vocabulary.system_of(tag)) :]


def chosen_system(vocabulary: Vocabulary, system: str | None) -> str:
    """The tag system of an export.

    Raises:
      InputError: there is no such system, or there are several and none is chosen.
    """
    if system is None and len(vocabulary.systems) == 1:
        return vocabulary.systems[0]
    if system is None or system not in vocabulary.systems:
        asked = "several tag systems" if system is None else f"no tag system {system!r}"
        raise InputError(f"{asked}: choose one of {', '.join(map(repr, vocabulary.systems))}")
    return system


def sense_names(decisions: Decisions, senses: TwoSenses) -> tuple[str, str]:
    """New tags for the two senses of a tag, named after the tag that each sounds most like.

    The tag `hardcore` becomes `hardcore (punk)` and `hardcore (techno)`. To call one of them `punk`
    would be a guess: it is near to it, and no more is known.

    >>> tags = Vocabulary.of(["a:hardcore", "a:punk", "a:techno"], ["a:"])
    >>> decisions = Decisions(tags, {}, {}, (), {tag: tag for tag in tags.tags}, {})
    >>> sense_names(decisions, TwoSenses("a:hardcore", (("x",), ("y",)), ("a:punk", "a:techno")))
    ('a:hardcore (punk)', 'a:hardcore (techno)')
    """
    vocabulary, name = decisions.vocabulary, decisions.name_of(senses.tag)
    near = [clean(_SEPARATORS.sub(" ", bare(vocabulary, tag))) for tag in senses.nearest]
    if near[0].lower() == near[1].lower() or not all(near):
        near = [f"{near[0]} 1".strip(), f"{near[1]} 2".strip()]
    return f"{name} ({near[0]})", f"{name} ({near[1]})"


def called(decisions: Decisions, tag: str) -> str:
    """The name by which a tag goes outside, clean and without prefix."""
    return clean(decisions.name_of(tag)[len(decisions.vocabulary.system_of(tag)) :])


def genres(decisions: Decisions, system: str | None = None) -> Genres:
    """The decisions on the tags of one system, for programs that ignore case.

    If two tags differ in case alone and stand for different things, neither is replaced: these
    programs cannot tell them apart.

    Raises:
      InputError: as `chosen_system`.
    """
    vocabulary, notes = decisions.vocabulary, list[str]()
    tags = [
        vocabulary.tags[place] for place in vocabulary.members(chosen_system(vocabulary, system))
    ]
    lower = {tag: clean(bare(vocabulary, tag)).lower() for tag in tags}
    groups: dict[str, list[str]] = collections.defaultdict(list)
    for tag, name in lower.items():
        groups[name].append(tag)
    goal = {tag: called(decisions, tag).lower() for tag in tags}
    new = {
        goal[tag]: tag for tag in decisions.called if tag in goal and tag not in decisions.blocked
    }
    blocked = {
        name: reasons[0]
        for name, alike in groups.items()
        if name not in new and all(reasons := [_why_blocked(decisions, tag) for tag in alike])
    }
    target = {}
    for name, alike in groups.items():
        targets = {goal[tag] for tag in alike}
        if len(targets) > 1:
            notes.append(
                f"{' and '.join(map(repr, alike))} differ in case alone and stand for different "
                "genres: neither is replaced"
            )
        apart = [tag for tag in alike if decisions.canonical[tag] == tag]
        if len(targets) == 1 and len(apart) > 1:
            both = " and ".join(map(repr, apart))
            notes.append(f"{both} are apart by the decisions, but one where case does not count")
        target[name] = name if len(targets) > 1 or name in blocked else targets.pop()
    chosen = {
        name: new[name] if name in new else max(groups[name], key=_rank(decisions))
        for name in {*target.values()}
    }
    target |= {name: name for name in chosen}
    shown = {name: clean(bare(vocabulary, tag)) for name, tag in sorted(chosen.items())}
    shown |= {name: called(decisions, new[name]) for name in new.keys() & shown.keys()}
    parent = _parents(decisions, chosen, goal, blocked, notes)
    return Genres(target, shown, parent, blocked, tuple(notes))


def _why_blocked(decisions: Decisions, tag: str) -> str:
    """Why a tag, or the one that stands for it, is no genre; "" if it is one."""
    return decisions.blocked.get(tag) or decisions.blocked.get(decisions.canonical[tag], "")


def _rank(decisions: Decisions) -> Callable[[str], tuple[bool, int, str]]:
    """Orders tags that differ in case alone; the last one is shown."""
    return lambda tag: (decisions.canonical[tag] == tag, decisions.tracks.get(tag, 0), tag)


def _parents(
    decisions: Decisions,
    chosen: Mapping[str, str],
    lower: Mapping[str, str],
    blocked: Mapping[str, str],
    notes: list[str],
) -> dict[str, str]:
    """{name: name of its likeliest parent}; appends to the notes what is left out."""
    parent: dict[str, str] = {}
    for name in sorted(chosen):
        broader = _unblocked(decisions, chosen[name], {chosen[name]})
        names = [n for n in dict.fromkeys(lower[tag] for tag in broader) if n in chosen]
        names = [n for n in names if n != name and n not in blocked]
        if name in blocked or not names:
            continue
        if len(names) > 1:
            rest = ", ".join(map(repr, names[1:]))
            notes.append(
                f"{name!r} is below {names[0]!r} and {rest}; beets' tree has only the first"
            )
        above: str | None = names[0]
        while above is not None and above != name:
            above = parent.get(above)
        if above == name:
            notes.append(f"{name!r} is not put below {names[0]!r}, which is below it")
        else:
            parent[name] = names[0]
    return parent


def _unblocked(decisions: Decisions, tag: str, seen: set[str]) -> list[str]:
    """The parents of a tag; those of a blocked parent in its place."""
    found = []
    for broader in decisions.parents.get(tag, ()):
        if broader in seen:
            continue
        seen.add(broader)
        is_blocked = broader in decisions.blocked
        found += _unblocked(decisions, broader, seen) if is_blocked else [broader]
    return found


def split_warnings(decisions: Decisions) -> list[str]:
    """Warns of canonical names that players would tear apart, a sentence for each sign.

    >>> vocabulary = Vocabulary.of(["Funk / Soul", "Dub"])
    >>> same = {tag: tag for tag in vocabulary.tags}
    >>> print(*split_warnings(Decisions(vocabulary, {}, {}, (), same, {})))
    1 genre holds '/' ('Funk / Soul'): Navidrome splits it, and so does Jellyfin with its usual \
delimiters; in Navidrome, Tags.Genre.Split=[";"] ends that

    Reference: https://www.navidrome.org/docs/usage/customtags/
    """
    names = [
        called(decisions, tag)
        for tag in decisions.vocabulary.tags
        if decisions.canonical[tag] == tag and tag not in decisions.blocked
    ]
    found = []
    for sign, players in SPLITTERS.items():
        holding = [name for name in dict.fromkeys(names) if sign in name]
        if not holding:
            continue
        some = ", ".join(map(repr, holding[:_SHOWN])) + ", ..." * (len(holding) > _SHOWN)
        count = f"{len(holding)} genre{'s' * (len(holding) > 1)} hold{'s' * (len(holding) == 1)}"
        kept = "[]" if sign == ";" or any(";" in name for name in names) else '[";"]'
        remedy = f"in Navidrome, Tags.Genre.Split={kept} ends that"
        found.append(f"{count} {sign!r} ({some}): {players}; {remedy}")
    return found
