"""Decisions for tests of exports: a small messy library, and any that hypothesis can think of."""

import os
import pathlib

import hypothesis.strategies as st
import pytest

from tagjax.base.text import clean
from tagjax.reconcile.decisions import Decisions, Match, TwoSenses
from tagjax.vocabulary.vocabulary import Vocabulary

MERGED = {
    "Drum & Bass": ("drum and bass", "DnB", "Drum'n'Bass"),
    "Techno": ("techno", "TECHNO"),
    "Hip Hop": ("Hip-Hop", "hiphop"),
    "Folk, World, & Country": (),
    "Rock": (),
    "Black Metal": ("BM",),
    "Metal": ("Heavy\\Metal",),
    "Hardcore": (),
    "Punk": (),
    "5+ Wochen": ("5+ wochen (live)",),
    "1980": (),
    "no": (),
    "Game: *": (),
    "#hash": (),
    "R&B": ("R'n'B", "$R%B,(soul)"),
    "Électro": ("electro [FR]?",),
}
PARENTS = {"Black Metal": ("Metal", "Rock"), "Metal": ("Rock",), "Drum & Bass": ("Techno",)}


def library(prefix=""):
    """The decisions on a messy library, with every trap that we know of."""
    canonical = {prefix + tag: prefix + tag for tag in MERGED}
    canonical |= {prefix + tag: prefix + to for to, tags in MERGED.items() for tag in tags}
    senses = TwoSenses(
        f"{prefix}Hardcore",
        (("minor threat", "air"), ("rotterdam terror corps",)),
        (f"{prefix}Punk", f"{prefix}Techno"),
    )
    return Decisions(
        Vocabulary.of(canonical, [prefix]),
        tracks=dict.fromkeys(canonical, 3),
        artists=dict.fromkeys(canonical, 2),
        matches=(),
        canonical=canonical,
        parents={prefix + t: tuple(prefix + p for p in above) for t, above in PARENTS.items()},
        senses=(senses,),
        blocked={f"{prefix}1980": "a number", f"{prefix}Game: *": "a use"},
        called={f"{prefix}Hip Hop": f"{prefix}Rap, $Hip% (\\1)", f"{prefix}no": f"{prefix}NO"},
    )


_WORDS = st.one_of(
    st.sampled_from(["ska", "SKA", "ſka", "Ska", "σας", "σασ", "ΣΑΣ", "İ", "i̇", "no", "~", "a\\1"]),
    st.text(st.sampled_from("aB'\"\\#-+*?[](){}$%,;:/|& é😀"), min_size=1, max_size=6),
)
NAMES = _WORDS.map(clean).filter(bool)


@st.composite
def decisions(draw, systems=("",)):
    """Any decisions that keep the promises of `Decisions`, and matches that keep none."""
    tags, canonical, parents, called = [], {}, {}, {}
    for system in systems:
        own = [system + name for name in draw(st.lists(NAMES, max_size=9, unique=True))]
        heads = []
        for tag in own:
            head = draw(st.sampled_from([tag, *heads]))
            canonical[tag] = head
            if head == tag:
                above = draw(st.lists(st.sampled_from(heads), max_size=2)) if heads else []
                parents[tag] = tuple(dict.fromkeys(above))
                heads.append(tag)
        tags += own
        heads = [head for head in heads if draw(st.booleans())]
        called |= _new_names(canonical, heads, [system + name for name in draw(st.lists(NAMES))])
    lone = [tag for tag in tags if [*canonical.values()].count(tag) == 1 == (canonical[tag] == tag)]
    senses = []
    for tag in draw(st.lists(st.sampled_from(lone), max_size=2, unique=True)) if lone else ():
        near = draw(st.tuples(st.sampled_from(tags), st.sampled_from(tags)))
        senses.append(TwoSenses(tag, (("abba", "o'neil"), ("c: d",)), near))
    some = st.sampled_from(tags) if tags else st.nothing()
    relation = st.sampled_from(["exact", "close", "broad", "narrow", "related"])
    state = st.sampled_from(["accepted", "accepted", "accepted", "review"])
    match = st.builds(Match, some, some, relation, st.floats(0, 1), state)
    return Decisions(
        Vocabulary.of(tags, systems),
        tracks={},
        artists={},
        matches=tuple(draw(st.lists(match, max_size=12))) if tags else (),
        canonical=canonical,
        parents=parents,
        senses=tuple(senses),
        blocked=dict.fromkeys(draw(st.lists(some, max_size=2)), "a number") if tags else {},
        called=called,
    )


def _new_names(canonical, heads, names):
    """New names for some tags, none of which is another tag's."""
    taken, called = {tag.casefold(): head for tag, head in canonical.items()}, {}
    for head, name in zip(heads, names, strict=False):
        free = taken.setdefault(name.casefold(), head) == head
        owners = {canonical[tag] for tag in canonical if tag.casefold() == name.casefold()}
        if free and owners <= {head} and name not in canonical:
            called[head] = name
    return called


def python_of(variable, packages):
    """The Python of an environment with another program; without it, the test is skipped."""
    name = packages.split()[0]
    path = os.environ.get(variable, "")
    if not pathlib.Path(path).is_file():
        pytest.skip(
            f"needs {name}: uv venv /tmp/{name} && uv pip install --python /tmp/{name}/bin/python "
            f"{packages} && export {variable}=/tmp/{name}/bin/python"
        )
    return path
