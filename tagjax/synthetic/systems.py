"""The two tag systems over the synthetic styles, and what follows from them.

Both name the same concepts (the keys of `STYLES`). All truth is derived from the two tables
of names: what a tag means is a set of concepts, and tags relate as their sets do.
"""

from tagjax.synthetic.styles import GENRES, STYLES

SYSTEMS = ("a", "b")

# Tags of a concept: the first, or by coin toss an album one of two (planted duplicates).
STYLE_TAGS: dict[str, dict[str, tuple[str, ...]]] = {
    "a": {
        "stamp": ("stamp",),
        "ratchet": ("ratchet",),
        "splinter": ("splinter",),
        "porch": ("porchlight",),
        "trickle": ("rill",),
        "hayride": ("drover",),
        "whirl": ("whirligig", "merry-go"),
        "lull": ("lullay",),
        "emberwaltz": ("ember waltz",),
        "rally": ("flint",),
        "gallop": ("gallop",),
        "slab": ("monolith",),
        "smoulder": ("smoulder",),
        "stroll": ("boulevard",),
        "hush": ("hush",),
        "scurry": ("flint",),
        "haze": ("haze",),
        "shimmer": ("shimmer",),
        "bellfield": ("chimefield",),
        "undertow": ("undertow",),
    },
    "b": {
        "stamp": ("clockwork",),
        "ratchet": ("clockwork",),
        "splinter": ("shatterbeat",),
        "porch": ("veranda",),
        "trickle": ("brook",),
        "hayride": ("haywain",),
        "whirl": ("spinning top",),
        "lull": ("cradle",),
        "emberwaltz": ("hearth in three",),
        "rally": ("canter",),
        "gallop": ("drover",),
        "slab": ("slab",),
        "smoulder": ("slow burn",),
        "stroll": ("stroll",),
        "hush": ("after hours",),
        "scurry": ("scurry",),
        "haze": ("stillwater",),
        "shimmer": ("stillwater",),
        "bellfield": ("bellfield", "belfry"),
        "undertow": ("riptide",),
    },
}

# Genre tags of a parent genre; B has one name for A's kinetic and tideland.
GENRE_TAGS: dict[str, dict[str, str]] = {
    "a": {name: f"genre:{name}" for name in GENRES},
    "b": {
        "kinetic": "genre:current",
        "hearth": "genre:fireside",
        "carousel": "genre:threestep",
        "furnace": "genre:foundry",
        "lantern": "genre:nightfall",
        "tideland": "genre:current",
    },
}


def concepts_of(system: str) -> dict[str, frozenset[str]]:
    """What each tag of a system means: {tag: concepts}, style tags and genre tags."""
    meaning: dict[str, set[str]] = {}
    for concept, tags in STYLE_TAGS[system].items():
        genres = (GENRE_TAGS[system][genre] for genre in STYLES[concept].genres)
        for tag in (*tags, *genres):
            meaning.setdefault(tag, set()).add(concept)
    return {tag: frozenset(concepts) for tag, concepts in sorted(meaning.items())}


def taxonomy_truth(system: str) -> tuple[tuple[str, str], ...]:
    """The (style, genre) pairs of a system, sorted."""
    pairs = {
        (tag, GENRE_TAGS[system][genre])
        for concept, tags in STYLE_TAGS[system].items()
        for tag in tags
        for genre in STYLES[concept].genres
    }
    return tuple(sorted(pairs))


def relation(source: frozenset[str], target: frozenset[str]) -> str | None:
    """How a source tag's concepts relate to a target tag's; None if they share none.

    `exact` the same, `broad` all of the target's and more, `narrow` a part of the target's,
    otherwise `close` where the Jaccard overlap is at least a half and `related` below.
    """
    if not source & target:
        return None
    if source == target:
        return "exact"
    if source > target:
        return "broad"
    if source < target:
        return "narrow"
    return "close" if 2 * len(source & target) >= len(source | target) else "related"


def translation_truth() -> tuple[tuple[str, str, str], ...]:
    """(source B tag, target A tag, relation), styles to styles and genres to genres."""
    rows = []
    for source, heard in concepts_of("b").items():
        for target, meant in concepts_of("a").items():
            found = relation(heard, meant)
            if found and source.startswith("genre:") == target.startswith("genre:"):
                rows.append((source, target, found))
    return tuple(rows)


def duplicates_truth() -> tuple[tuple[str, str, str], ...]:
    """(system, tag, duplicate) of every concept with two names in a system."""
    return tuple(
        (system, tags[0], tags[1])
        for system in SYSTEMS
        for tags in STYLE_TAGS[system].values()
        if len(tags) == 2
    )


def oddities_truth() -> tuple[tuple[str, str, str, str], ...]:
    """(what, system, tag, senses): tags of unrelated sounds, names of two meanings."""
    rows = []
    meaning = {system: concepts_of(system) for system in SYSTEMS}
    for system in SYSTEMS:
        for tag, concepts in meaning[system].items():
            shared = set.intersection(*(set(STYLES[name].genres) for name in concepts))
            if not tag.startswith("genre:") and not shared:
                rows.append(("polysemous", system, tag, "|".join(sorted(concepts))))
    for tag in sorted(meaning["a"].keys() & meaning["b"].keys()):
        first, second = meaning["a"][tag], meaning["b"][tag]
        if not first & second:
            senses = "|".join((*sorted(first), *sorted(second)))
            rows.append(("same name, other meaning", "a/b", tag, senses))
    return tuple(rows)
