"""From annotations, and sound if there is any, to decisions on disk."""

import dataclasses
import os
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy.typing as npt

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, read_json, write_json
from tagjax.base.progress import Progress, silently
from tagjax.base.version import VERSION
from tagjax.catalogue.annotations import Catalogue
from tagjax.evidence import inputs, summary
from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.decided import Decided
from tagjax.evidence.weigh import Evidence, weigh
from tagjax.reconcile import exports, files
from tagjax.reconcile.config import ReconcileConfig
from tagjax.reconcile.decide import decide
from tagjax.reconcile.decisions import Decisions
from tagjax.reconcile.facts import Facts, gather_facts
from tagjax.reconcile.people import People, read_people
from tagjax.similarity.run import Run
from tagjax.vocabulary.taxonomy import Taxonomy
from tagjax.vocabulary.vocabulary import Vocabulary

RECORD = "reconciliation.json"
"""Where the tags come from, and the choices."""

Features = tuple[Sequence[str], npt.NDArray]
"""Track ids, and vectors float [tracks, D] by any model."""


@dataclasses.dataclass(frozen=True, eq=False)
class Reconciled:
    """Decisions with what they were made from.

    Attributes:
      decisions: on all tags.
      facts: what they were made from.
      evidence: None if there is neither sound nor a common track.
      config: how evidence became decisions.
    """

    decisions: Decisions
    facts: Facts
    evidence: Evidence | None
    config: ReconcileConfig

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The rows of EVIDENCE, as {column: cell}."""
        return self.facts.rows


def reconcile(
    catalogues: Sequence[Catalogue],
    folder: PathLike,
    run: Run | None = None,
    features: Features | None = None,
    taxonomy: Taxonomy | None = None,
    weighing: EvidenceConfig = EvidenceConfig(),  # noqa: B008 (frozen)
    deciding: ReconcileConfig = ReconcileConfig(),  # noqa: B008 (frozen)
    share: float | None = None,
    progress: Progress = silently,
) -> Reconciled:
    """Decides on all tags of some catalogues; what people decided in the folder holds.

    Args:
      catalogues: annotated tracks, one for each tag system.
      folder: has the files of people, if there are any.
      run: whose predictions let the tags be heard; or
      features: vectors by track. Without both, common tracks and spelling decide.
      taxonomy: of tags with their prefixes.
      weighing: choices of the evidence, and
      deciding: of the decisions.
      share: as `weigh`.
      progress: passes on what takes long.

    Raises:
      InputError: as `weigh`, `read_people` and `decide`.

    >>> names, tags = ("t1", "t2"), (("Techno",), ("techno",))
    >>> found = reconcile([Catalogue("", names, names, names, tags)], "reconciled")
    >>> found.decisions.canonical["techno"]
    'Techno'

    Reference: section 4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    people = read_people(folder, gather_facts(catalogues).vocabulary)
    if run is not None:
        observed, common = inputs.of_run(run)
    else:
        observed, common = inputs.of_catalogues(catalogues, features)
    evidence, weighed = None, observed or common
    if weighed is not None:
        said = decided_by(people, weighed.vocabulary)
        evidence = weigh(observed, common, weighing, share, progress, said)
    facts = gather_facts(catalogues, evidence, people, taxonomy)
    return Reconciled(decide(facts, deciding), facts, evidence, deciding)


def decided_by(people: People, vocabulary: Vocabulary) -> tuple[Decided, ...]:
    """What people said of pairs, in the form that evidence learns from."""
    found = []
    for said in people.on_pairs().values():
        source, target = (vocabulary.index.get(t) for t in (said.source, str(said.target)))
        same = said.relation in ("exact", "close")
        vague = said.verdict == "unsure" or (said.verdict == "negative" and not same)
        if source is not None and target is not None and not vague:
            found.append(Decided(source, target, same and said.verdict == "positive"))
    return tuple(found)


def check_place(folder: PathLike, origin: Mapping[str, Any]) -> None:
    """Refuses a folder with decisions on another library or other tables that still exist.

    Raises:
      InputError: the folder holds decisions on other tags.
    """
    folder = pathlib.Path(folder)
    if not (folder / RECORD).is_file():
        return
    before = read_json(folder / RECORD).get("origin", {})
    for name in ("library", "annotations", "run_dir"):
        was, now = before.get(name) or [], origin.get(name) or []
        paths = [was] if isinstance(was, str) else was
        if was != now and any(map(os.path.exists, paths)):
            raise InputError(
                f"{folder}: holds decisions on other tags ({', '.join(paths)}); choose another "
                "--out"
            )


def write(
    folder: PathLike,
    found: Reconciled,
    origin: Mapping[str, Any],
    artists: Mapping[str, Collection[str]] | None = None,
) -> list[str]:
    """Writes all that the machine decided; the files of people stay as they are.

    Args:
      folder: for the decisions; made if absent.
      found: the decisions.
      origin: where the tags come from, for `reconciliation.json`.
      artists: as `write_exports`.

    Returns:
      What a person has to know of the exports, a sentence each.
    """
    folder = pathlib.Path(folder)
    if found.evidence is not None:
        summary.write_evidence(folder / "evidence", found.evidence)
    files.write_decisions(folder, found.decisions, VERSION)
    _, notes = exports.write_exports(folder, found.decisions, artists)
    record = {"origin": dict(origin), "config": dataclasses.asdict(found.config)}
    write_json(folder / RECORD, record | {"version": VERSION})
    return notes
