"""A reconciliation read back from its folder: all that decisions were made from."""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, read_json
from tagjax.base.progress import Progress, silently
from tagjax.base.tables import Table, read_table
from tagjax.catalogue.annotations import Catalogue, read_catalogues
from tagjax.evidence import inputs
from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.summary import SENSES
from tagjax.evidence.weigh import COLUMNS, Common
from tagjax.reconcile import apply
from tagjax.reconcile.config import ReconcileConfig
from tagjax.reconcile.decisions import TwoSenses
from tagjax.reconcile.facts import Facts, gather_facts
from tagjax.reconcile.listen import catalogues_of
from tagjax.reconcile.reconciling import RECORD
from tagjax.similarity.features import read_all_features
from tagjax.similarity.observations import Observations
from tagjax.similarity.run import load_run
from tagjax.vocabulary.taxonomy import Taxonomy, read_taxonomy

_TEXTS = ("source", "target", "relation", "for", "against")
_COUNTS = (
    "rank", "common_tracks", "source_tracks", "source_artists", "target_tracks", "target_artists",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Reconciliation:
    """What a folder of decisions was made from.

    Attributes:
      folder: of the decisions.
      origin: where the tags come from; see `launch.reconcile`.
      catalogues: annotated tracks, one for each tag system.
      facts: without people.
      config: how evidence becomes decisions.
    """

    folder: pathlib.Path
    origin: Mapping[str, Any]
    catalogues: Sequence[Catalogue]
    facts: Facts
    config: ReconcileConfig

    def tracks(self) -> dict[str, tuple[str, str]]:
        """{track id: (artist, title)}, in the order of the rows of `facts.tags`."""
        found: dict[str, tuple[str, str]] = {}
        for catalogue in self.catalogues:
            artists = catalogue.artist or catalogue.artist_id
            titles = catalogue.title or ("",) * len(catalogue)
            names = zip(catalogue.artist_id, artists, titles, strict=True)
            for track, (known, artist, title) in zip(catalogue.track_id, names, strict=True):
                before = found.setdefault(track, (artist or known, title))
                if not before[1] and title:
                    found[track] = (before[0], title)
        return found

    def heard(self) -> bool:
        """Whether what was heard is still there, so that evidence can be weighed again."""
        paths = self.features() or [self.origin.get("heard") or ""]
        return all(map(os.path.exists, paths))

    def features(self) -> list[str]:
        """Files of vectors that were heard; earlier versions recorded one at most."""
        paths = self.origin.get("features") or []
        return [paths] if isinstance(paths, str) else list(paths)


def load_reconciliation(folder: PathLike) -> Reconciliation:
    """Reads what the decisions in a folder were made from.

    Raises:
      InputError: no such folder, or none that `launch.reconcile` of this version wrote; tables or
        a run that are gone; or evidence on tags that the tables do not have.

    >>> from tagjax import Catalogue
    >>> from tagjax.base.tables import write_table
    >>> from tagjax.reconcile.reconciling import reconcile, write
    >>> cells = ("t1", "t2"), ("r1", "r2"), ("", ""), (("Techno",), ("techno",))
    >>> header = ("track_id", "artist_id", "album_id", "tags")
    >>> rows = (("t1", "r1", "", "Techno"), ("t2", "r2", "", "techno"))
    >>> write_table("both.csv", header, rows)
    >>> lines = write("read", reconcile([Catalogue("", *cells)], "read"), {"tables": ["both.csv"]})
    >>> load_reconciliation("read").facts.vocabulary.tags
    ('Techno', 'techno')
    """
    folder = pathlib.Path(folder)
    if not (folder / RECORD).is_file():
        raise InputError(f"{folder}: no {RECORD}; name a folder that launch.reconcile wrote")
    record = read_json(folder / RECORD)
    try:
        origin, config = dict(record["origin"]), ReconcileConfig(**record["config"])
        catalogues, taxonomy = _annotations(origin, folder)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{folder / RECORD}: of another version of tagjax ({error}); run launch.reconcile again"
        ) from None
    facts = gather_facts(catalogues, taxonomy=taxonomy)
    return Reconciliation(folder, origin, catalogues, _with_evidence(facts, folder), config)


def observations_of(
    found: Reconciliation, progress: Progress = silently
) -> tuple[Observations | None, Common | None]:
    """(tracks that were heard, tracks of several catalogues), as they were weighed.

    Raises:
      InputError: what was heard is gone.
    """
    if found.origin.get("heard"):
        return inputs.of_run(load_run(found.origin["heard"]))
    paths = found.features()
    features = read_all_features(paths, progress) if paths else None
    return inputs.of_catalogues(found.catalogues, features)


def weighing_of(found: Reconciliation) -> EvidenceConfig:
    """The choices by which evidence was weighed."""
    path = found.folder / "evidence" / "evidence.json"
    config = read_json(path).get("config", {}) if path.is_file() else {}
    kinds = {field.name: getattr(EvidenceConfig(), field.name) for field in _fields()}
    values = {}
    for name, value in config.items():
        if dataclasses.is_dataclass(kinds.get(name)):
            value = type(kinds[name])(**{k: _tupled(v) for k, v in value.items()})
        values[name] = _tupled(value)
    try:
        return EvidenceConfig(**values)
    except TypeError as error:
        raise InputError(f"{path}: of another version of tagjax ({error})") from None


def _fields() -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(EvidenceConfig)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _annotations(
    origin: Mapping[str, Any], folder: pathlib.Path
) -> tuple[list[Catalogue], Taxonomy | None]:
    tables, run = origin["tables"], origin.get("run_dir")
    if not tables and not run:
        raise InputError(f"{folder / RECORD}: names neither tables nor a run")
    named = None
    if tables:
        prefixes = origin.get("prefix") or ()
        catalogues = read_catalogues(tables, prefixes, origin.get("annotates") or ())
    else:
        loaded = load_run(str(run))
        catalogues, named = catalogues_of(loaded), loaded.truth.taxonomy
    pairs = [
        pair
        for path, catalogue in zip(origin.get("taxonomy") or (), catalogues, strict=False)
        if path
        for pair in read_taxonomy(path, catalogue.prefix).pairs()
    ]
    return catalogues, Taxonomy.of(pairs) if pairs else named


def _with_evidence(facts: Facts, folder: pathlib.Path) -> Facts:
    path = folder / "evidence" / "evidence.csv"
    if not path.is_file():
        return facts
    rows, known = _rows(read_table(path, COLUMNS)), {*facts.vocabulary.tags}
    kept = [row for row in rows if known >= {row["source"], row["target"]} - {None}]
    if rows and not kept:
        raise InputError(f"{path}: on other tags than those of the tables; run launch.reconcile")
    table = read_table(path.with_name("senses.csv"), SENSES)
    columns = [table[name] for name in SENSES]
    senses = [dict(zip(SENSES, row, strict=True)) for row in zip(*columns, strict=True)]
    notes = read_json(path.with_name("evidence.json")).get("notes", ())
    return dataclasses.replace(
        facts,
        rows=kept,
        senses=[s for s in _two_senses(senses, folder) if s.tag in known],
        notes=tuple(notes),
    )


def _rows(table: Table) -> list[dict[str, Any]]:
    """The rows of EVIDENCE with numbers where there are numbers, and None for empty cells."""
    columns = {name: [_cell(name, cell) for cell in table[name]] for name in COLUMNS}
    return [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _cell(column: str, cell: str) -> Any:
    if not cell:
        return None
    if column in _TEXTS:
        return _plain(cell)
    if column == "accepted":
        return cell == "True"
    return int(cell) if column in _COUNTS else float(cell)


def _plain(cell: str) -> str:
    """The inverse of `tables.harmless`."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in {*"=+-@\t\r"} else cell


def _two_senses(rows: Sequence[Mapping[str, str]], folder: pathlib.Path) -> list[TwoSenses]:
    """The tags of two senses; their artists are known if they were not taken for one after all."""
    artists: dict[str, dict[str, list[str]]] = collections.defaultdict(dict)
    path = folder / "senses.csv"
    if path.is_file():
        table = read_table(path, apply.SENSES)
        for tag, sense, artist in zip(*(table[name] for name in apply.SENSES), strict=True):
            artists[tag].setdefault(sense, []).append(artist)
    found = []
    for row in rows:
        if row["kind"] == "two senses":
            tag = _plain(row["tag"])
            groups = [tuple(group) for group in artists.get(tag, {}).values()] + [(), ()]
            nearest = (_plain(row["first_nearest"]), _plain(row["second_nearest"]))
            found.append(TwoSenses(tag, (groups[0], groups[1]), nearest))
    return found
