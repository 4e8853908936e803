"""Evidence as files, and as lines for a terminal."""

import collections
import dataclasses
import pathlib
from typing import Any

import numpy as np

from tagjax.base.files import PathLike, write_json
from tagjax.base.tables import write_table
from tagjax.evidence.weigh import COLUMNS, Evidence

SENSES = (
    "tag", "kind", "mixture", "surprise", "same", "first_artists", "second_artists",
    "first_nearest", "second_nearest",
)  # fmt: skip
"""Columns of senses.csv; see `senses.Senses`."""


def write_evidence(folder: PathLike, evidence: Evidence) -> list[pathlib.Path]:
    """Writes `evidence.csv` (`COLUMNS`), `senses.csv` (`SENSES`) and `evidence.json`.

    Args:
      folder: made if absent.
      evidence: to be written.

    >>> from tagjax import Catalogue, evidence
    >>> names, tags = ("t1", "t2", "t3", "t4"), (("dub",), ("dub",), ("ska",), ("ska",))
    >>> catalogues = [Catalogue(name, names, names, names, tags) for name in ("a:", "b:")]
    >>> found = evidence.weigh(*evidence.of_catalogues(catalogues))
    >>> [path.name for path in write_evidence("results", found)]
    ['evidence.csv', 'senses.csv', 'evidence.json']
    """
    folder = pathlib.Path(folder)
    tags = evidence.vocabulary.tags
    senses = [
        (
            tags[found.tag],
            found.kind,
            found.mixture,
            found.surprise,
            found.same,
            *(len(group) for group in found.artists),
            *(tags[place] for place in found.nearest),
        )
        for found in evidence.senses
    ]
    write_table(folder / "evidence.csv", COLUMNS, evidence.rows(), for_people=True)
    write_table(folder / "senses.csv", SENSES, senses, for_people=True)
    write_json(folder / "evidence.json", record(evidence))
    return [folder / name for name in ("evidence.csv", "senses.csv", "evidence.json")]


def record(evidence: Evidence) -> dict[str, Any]:
    """The content of `evidence.json`: choices, counts, and what is known of their trust."""
    found = {}
    for (system, other), answers in evidence.answers.items():
        told = ~np.isnan(answers.none)
        found[f"{system}>{other}"] = {
            "tags": len(answers.queries),
            "told": int(told.sum()),
            "share_without_counterpart": answers.share,
            "accepted": int(answers.accepted(evidence.config.accept_fdr).sum()),
        }
    return {
        "config": dataclasses.asdict(evidence.config),
        "pairs_of_systems": found,
        "senses": dict(collections.Counter(senses.kind for senses in evidence.senses)),
        "notes": list(evidence.notes),
    }


def lines(evidence: Evidence, shown: int = 10) -> list[str]:
    """The surest pairs of each direction, counts, and the most divided tags."""
    found, tags = [], evidence.vocabulary.tags
    for (system, other), answers in evidence.answers.items():
        told = np.flatnonzero(~np.isnan(answers.none))
        accepted = answers.accepted(evidence.config.accept_fdr)
        name = f"{system or 'tags'} in {other or 'tags'}"
        if system == other:
            name = f"duplicates within {system or 'the tags'}"
        without = ""
        if answers.share is not None and system != other:
            without = f"; {100 * float(np.nanmean(answers.none)):.0f} % have no counterpart"
        found.append(
            f"{name}: {len(answers.queries)} tags, {len(told)} can be told, "
            f"{accepted.sum()} accepted at a false-discovery rate of "
            f"{100 * evidence.config.accept_fdr:g} % (of halves; more may be wrong here){without}."
        )
        same = answers.probability["same"]
        order = told[np.argsort(-same[told].max(axis=1), kind="stable")]
        for place in order[:shown].tolist():
            column = int(same[place].argmax())
            query, target = int(answers.queries[place]), int(answers.candidates[column])
            pair = f"{_counted(evidence, query)} - {_counted(evidence, target)}"
            found.append(f"  {same[place, column]:.2f} {pair}")
    divided = [senses for senses in evidence.senses if senses.kind == "two senses"]
    for senses in divided[:shown]:
        near = " and ".join(tags[place] for place in senses.nearest)
        found.append(f"two senses? {tags[senses.tag]}: its artists are like {near}")
    return [*found, *(f"Note: {note}" for note in evidence.notes)]


def _counted(evidence: Evidence, tag: int) -> str:
    """A tag with what speaks for it: `a:ska (12 tracks of 5 artists)`."""
    artists = f" of {evidence.artists[tag]} artists" if evidence.artists[tag] else ""
    return f"{evidence.vocabulary.tags[tag]} ({evidence.tracks[tag]} tracks{artists})"
