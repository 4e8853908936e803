"""Taxonomy learning (section 3.1, Table 2): find each style's genre by similarity.

Queries are the styles, candidates the genres of the style's own tag system, and relevant the
genres the taxonomy gives it: a hit at k is any of them among the k nearest. A style without
genre in the taxonomy is unanswerable; it is listed in the table `without_parent`, and a genre
that no style has, which remains a candidate, in `without_style`.
"""

from collections.abc import Sequence

import numpy as np

from tagjax.similarity.tables import Similarity
from tagjax.tasks import ranking
from tagjax.tasks.results import Config, Table, TaskResult, some
from tagjax.vocabulary import tags, taxonomy


def evaluate(
    similarity: Similarity,
    truth: taxonomy.Taxonomy,
    systems: Sequence[str] = ("",),
    config: Config = Config(),  # noqa: B008 (frozen)
) -> TaskResult:
    """Ranks the genres for every style.

    Args:
      similarity: of styles and genres of one or more tag systems.
      truth: the taxonomy; see `taxonomy.place` for how its names match.
      systems: prefixes of the tag systems; with several, the metrics pool their styles, and
        `systems` of the result has them apart.
      config: see there.

    Returns:
      Result with the tables `without_parent` (style) and `without_style` (genre).
    """
    placement = taxonomy.place(truth, similarity.tags, systems)
    index = {tag: i for i, tag in enumerate(similarity.tags)}
    home = {tag: tags.system_of(tag, systems) for tag in similarity.tags}
    genres = {
        system: np.array(
            [i for tag, i in index.items() if home[tag] == system and tags.is_genre(tag, systems)],
            dtype=np.int64,
        )
        for system in systems
    }
    queries = [
        ranking.Query(
            index[tag],
            genres[home[tag]],
            np.array([index[genre] for genre in placement.parents.get(tag, ())], dtype=np.int64),
        )
        for tag in similarity.tags
        if not tags.is_genre(tag, systems)
    ]
    ranked = ranking.rank(similarity, queries, config.listed)
    apart = {}
    if len(systems) > 1:
        for system in systems:
            apart[system] = ranked.summary({tag for tag in home if home[tag] == system})
    return TaskResult(
        metrics=ranked.summary(),
        systems=apart,
        unanswerable=ranked.unanswerable,
        ranked=ranked.ranked,
        errors=ranked.errors(),
        tables={
            "without_parent": Table(("style",), tuple((tag,) for tag in placement.orphans)),
            "without_style": Table(("genre",), tuple((tag,) for tag in placement.childless)),
        },
        notes=_notes(placement),
    )


def _notes(placement: taxonomy.Placement) -> tuple[str, ...]:
    told = []
    if placement.orphans:
        told.append(
            f"Styles without genre in the taxonomy, left out ({len(placement.orphans)}): "
            f"{some(placement.orphans)}."
        )
    if placement.childless:
        told.append(
            f"Genres without style, which remain candidates ({len(placement.childless)}): "
            f"{some(placement.childless)}."
        )
    if placement.absent:
        told.append(
            f"Genres of the taxonomy that are no tags here ({len(placement.absent)}): "
            f"{some(placement.absent)}."
        )
    return tuple(told)
