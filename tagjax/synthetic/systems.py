"""The two tag systems of the synthetic styles, and the truth about them.

Both systems name the same concepts (the keys of `STYLES`). All truth is derived from the two tables
of names. A tag means a set of concepts, and two tags relate as their sets do.
"""

from tagjax.synthetic.styles import GENRES, STYLES

SYSTEMS = ("a", "b")

# The tags of a concept. If there are two (planted duplicates), a coin is tossed for each album.
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

# The tag of each parent genre. B has one name for two genres of A, kinetic and tideland.
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
    """The meaning of each style tag and genre tag of a system: {tag: concepts}.

    >>> sorted(concepts_of("b")["stillwater"])
    ['haze', 'shimmer']
    """
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
    """The relation of a source tag's concepts to a target tag's; None if they share no concept.

    `exact`: they are the same; `broad`: the source has all concepts of the target and more;
    `narrow`: the source has a part of them. Otherwise, `close` if the Jaccard overlap is at least a
    half, else `related`.
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
    """Rows (source B tag, target A tag, relation), from style to style or from genre to genre."""
    rows = []
    for source, heard in concepts_of("b").items():
        for target, meant in concepts_of("a").items():
            found = relation(heard, meant)
            if found and source.startswith("genre:") == target.startswith("genre:"):
                rows.append((source, target, found))
    return tuple(rows)


def duplicates_truth() -> tuple[tuple[str, str, str], ...]:
    """Rows (system, tag, duplicate), one for each concept with two names in a system."""
    return tuple(
        (system, tags[0], tags[1])
        for system in SYSTEMS
        for tags in STYLE_TAGS[system].values()
        if len(tags) == 2
    )


def oddities_truth() -> tuple[tuple[str, str, str, str], ...]:
    """Rows (what, system, tag, senses) of tags for unrelated sounds and names with two meanings."""
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
