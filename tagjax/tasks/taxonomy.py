"""Taxonomy learning (section 3.1, Table 2): find each style's genre by similarity.

The styles are the queries. The candidates are the genres of the style's own tag system. Relevant
are the genres that the taxonomy gives the style; there is a hit at k if any of them is among the k
nearest. A style that has no genre in the taxonomy is unanswerable; the table `without_parent`
lists it. The table `without_style` lists the genres that have no style. They remain candidates.
"""

import numpy as np

from tagjax.similarity.matrix import Similarity
from tagjax.tasks import ranking
from tagjax.tasks.results import TaskConfig, TaskResult, TaskTable, some
from tagjax.vocabulary import taxonomy
from tagjax.vocabulary.truth import Truth


def learn_taxonomy(
    similarity: Similarity,
    truth: Truth = Truth(),  # noqa: B008 (frozen)
    config: TaskConfig = TaskConfig(),  # noqa: B008 (frozen)
) -> TaskResult:
    """Ranks the genres for each style.

    Args:
      similarity: similarity of styles and genres of one or more tag systems. With several, the
        metrics are over the styles of all, and `systems` of the result is over each alone.
      truth: its taxonomy is used, or that of Discogs if it has none. `taxonomy.place` says how
        names match, and what a genre is.
      config: see `TaskConfig`.

    Returns:
      Result with the tables `without_parent` (style) and `without_style` (genre).

    >>> truth = Truth(taxonomy.Taxonomy.of([("dub", "reggae"), ("house", "electronic")]))
    >>> tags = ["dub", "house", "reggae", "electronic"]
    >>> matrix = [[1, 0.2, 0.9, 0.3], [0.2, 1, 0.1, 0.8], [0.9, 0.1, 1, 0], [0.3, 0.8, 0, 1]]
    >>> learn_taxonomy(Similarity(tags, matrix), truth).metrics["hr@1"]["mean"]
    1.0

    Reference: Hennequin, Royo-Letelier, Moussallam, ISMIR 2018,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    vocabulary = similarity.vocabulary
    placement = taxonomy.place(truth.taxonomy or taxonomy.discogs(), vocabulary)
    index = vocabulary.index
    part = {tag: (vocabulary.system[i], vocabulary.half[i]) for tag, i in index.items()}
    genres: dict[tuple[str, int], list[int]] = {}
    for genre in placement.genres:
        genres.setdefault(part[genre], []).append(index[genre])
    candidates = {key: np.array(places, dtype=np.int64) for key, places in genres.items()}
    queries = [
        ranking.Query(
            index[style],
            candidates.get(part[style], np.empty(0, dtype=np.int64)),
            np.array([index[g] for g in placement.parents.get(style, ())], dtype=np.int64),
        )
        for style in placement.styles
    ]
    ranked = ranking.rank(similarity, queries, config.listed)
    return TaskResult(
        metrics=ranked.summary(),
        systems=ranking.by_system(vocabulary, ranked.summary),
        unanswerable=ranked.unanswerable,
        ranked=ranked.ranked,
        errors=ranked.errors(),
        tables={
            "without_parent": TaskTable(("style",), tuple((tag,) for tag in placement.orphans)),
            "without_style": TaskTable(("genre",), tuple((tag,) for tag in placement.childless)),
        },
        notes=_notes(placement),
    )


def _notes(placement: taxonomy.Placement) -> tuple[str, ...]:
    listed = {
        "Styles without genre in the taxonomy, left out": placement.orphans,
        "Genres without style, which remain candidates": placement.childless,
        "Genres of the taxonomy that are not among the tags": placement.absent,
    }
    return tuple(f"{what} ({len(t)}): {some(t)}." for what, t in listed.items() if t)
