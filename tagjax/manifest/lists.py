"""The manifest: lists of the excerpts that the network is shown, each with a single label.

A manifest is a folder. It has a CSV file for each part (`train.csv`, `validation.csv`, `test.csv`,
`overlap.csv`; or `fold_0.csv` ... with `fold_0_upsampled.csv`, `fold_0_overlap.csv` ...), a
`split.json` with the tags and how the manifest was made, and truth tables. The authors' released
lists can be used as parts without changes.
"""

import dataclasses
import itertools
import json
import os
import pathlib
import re
import tempfile
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, read_json, write_json
from tagjax.base.tables import Table, check_paths, number, read_table, write_table
from tagjax.base.text import clean, cleaned, known
from tagjax.vocabulary import truth as truths
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import TAG_SEPARATOR, Vocabulary

_PART = re.compile(
    r"(train|validation|test)|(fold_[0-9]+)(_upsampled|_downsampled|_overlap)?|overlap"
)
_UNTRAINED = ("overlap", "_downsampled")
_REQUIRED = ("sng_id", "label", "seg_start", "seg_duration")
_OPTIONAL = ("artist_id", "album_id", "tags", "path")
_RECORD = "split.json"
_IDENTITY = ("experiment", "seed", "folds", "config")
_LATEST, _LONGEST = 1e7, 600.0
"""Largest `seg_start` and `seg_duration` in seconds; more would exceed any recording or memory."""


@dataclasses.dataclass(frozen=True, eq=False)
class Excerpts:
    """The rows of one part as columns.

    Attributes:
      sng_id: ids of the tracks.
      label: the one tag that is learnt from each excerpt.
      seg_start: float64 [n], seconds from the start of the track.
      seg_duration: float64 [n], seconds.
      artist_id: ids of the artists; None if the list has no such column, as for the fields below.
      album_id: ids of the albums; "" for a track that is not on a known album.
      tags: all tags of each track, including the label.
      path: paths of the audio files, relative to the audio folder.
      line: line on which each row begins; None if the rows are not from a file.
    """

    sng_id: tuple[str, ...]
    label: tuple[str, ...]
    seg_start: np.ndarray
    seg_duration: np.ndarray
    artist_id: tuple[str, ...] | None = None
    album_id: tuple[str, ...] | None = None
    tags: tuple[tuple[str, ...], ...] | None = None
    path: tuple[str, ...] | None = None
    line: Sequence[int] | None = None

    def line_of(self, row: int) -> int:
        """The line of a row in its file, for messages."""
        return row + 2 if self.line is None else int(self.line[row])

    def __len__(self) -> int:
        return len(self.sng_id)


@dataclasses.dataclass(frozen=True, eq=False)
class Manifest:
    """Parts of a data set, and how they were made.

    Attributes:
      parts: {name: excerpts}; `train`, `validation`, `test` and perhaps `overlap`, or for k
        from 0 `fold_k` (one excerpt of each track, for training and prediction),
        `fold_k_upsampled` (further excerpts, only for training), `fold_k_downsampled` (tracks left
        out of training by balancing) and `fold_k_overlap` (tracks in several catalogues). The last
        two are only predicted, never used for training.
      vocabulary: all labels and tags of the parts.
      experiment: "taxonomy", "translation" or "deduplication"; "" if not known.
      seed: seed of the sampling; None if not known.
      folds: number of folds; 0 for train, validation and test.
      config: the fields of the `SamplingConfig`, and other choices.
      counts: what was found, changed, dropped and made.
      truth: the known truth about the tags.

    >>> part = Excerpts(("t1",), ("dub",), np.zeros(1), np.full(1, 30.0))
    >>> Manifest({"train": part}, Vocabulary.of(["dub"])).labels
    ('dub',)

    Reference: section 2.2 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    parts: Mapping[str, Excerpts]
    vocabulary: Vocabulary
    experiment: str = ""
    seed: int | None = None
    folds: int = 0
    config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    counts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    truth: Truth = Truth()

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels of the parts that may be used for training, sorted."""
        parts = (part.label for name, part in self.parts.items() if not name.endswith(_UNTRAINED))
        return tuple(sorted(set(itertools.chain.from_iterable(parts))))


def summarise(manifest: Manifest) -> list[dict[str, Any]]:
    """Counts for each part: excerpts, tracks, artists, tags, and occurrences of the labels.

    Returns:
      Rows with `part, excerpts, tracks, artists, tags, min, median, max`. `tags` counts the tags
      that occur as a label, and the last three columns are about their occurrences. `artists` is
      None if the artists are not known.
    """
    rows = []
    for name, part in manifest.parts.items():
        counts = sorted(Counter(part.label).values()) or [0]
        rows.append(
            {
                "part": name,
                "excerpts": len(part),
                "tracks": len(set(part.sng_id)),
                "artists": None if part.artist_id is None else len(set(part.artist_id)),
                "tags": len(set(part.label)),
                "min": counts[0],
                "median": float(np.median(counts)),
                "max": counts[-1],
            }
        )
    return rows


def read_part(path: PathLike) -> Excerpts:
    """Reads one part: `sng_id,label,seg_start,seg_duration[,artist_id,album_id,tags,path]`.

    Ids and tags are cleaned (`base.text`). Rows that repeat an earlier excerpt (the released
    translation lists hold some) are left out with a warning, so that (sng_id, seg_start) is unique.
    A part may have no rows.

    Raises:
      InputError: a missing column; an empty id, label or tag; a `seg_start` that is not a number
        >= 0; a `seg_duration` that is not a number > 0 and <= 600; a label that is not among the
        track's own tags; a `path` that is not below the audio folder; or one excerpt with two
        different labels.
    """
    table = read_table(path, _REQUIRED)
    _clean(table)
    for name in ("sng_id", "label", *({"artist_id", "path"} & table.keys())):
        if not all(table[name]):
            row = table[name].index("")
            raise InputError(f"{table.at(row)}: empty {name}; fill it in, or drop the row")
    if "path" in table:
        check_paths(table)
    start = _seconds(table, "seg_start", _LATEST)
    duration = _seconds(table, "seg_duration", _LONGEST)
    if not duration.all():
        row = int(np.argmin(duration))
        raise InputError(f"{table.at(row)}: seg_duration is 0; it must be longer")
    columns: dict[str, Sequence[Any]] = {name: table[name] for name in _OPTIONAL if name in table}
    if "tags" in table:
        columns["tags"] = _annotations(table)
    keep = _first_rows(table, start)

    def column(values: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(values) if keep is None else tuple(values[row] for row in keep)

    rows = slice(None) if keep is None else keep
    return Excerpts(
        column(table["sng_id"]),
        column(table["label"]),
        start[rows],
        duration[rows],
        **{name: column(values) for name, values in columns.items()},
        line=column(table.lines),
    )


def _clean(table: Table) -> None:
    """Cleans the columns of a part in place; words for "none" become empty artists and albums."""
    for name in {"sng_id", "label", "artist_id", "album_id"} & table.keys():
        table[name] = list(cleaned(table[name]))
    for name in {"artist_id", "album_id"} & table.keys():
        names = {cell: known(cell) for cell in set(table[name])}
        table[name] = [names[cell] for cell in table[name]]


def _annotations(table: Table) -> list[tuple[str, ...]]:
    """The tags of every row; refuses a row whose label is not among its tags."""
    cells = {cell: tuple(map(clean, cell.split(TAG_SEPARATOR))) for cell in set(table["tags"])}
    annotations = [cells[cell] for cell in table["tags"]]
    for row, (label, tags) in enumerate(zip(table["label"], annotations, strict=True)):
        if label not in tags or "" in tags:
            what = "an empty tag" if "" in tags else f"not the label {label!r}"
            raise InputError(
                f"{table.at(row)}: tags={table['tags'][row]!r} has {what}; "
                "a label is one of the track's own tags"
            )
    return annotations


def write_part(path: PathLike, part: Excerpts) -> None:
    """Writes one part; `seg_start` is rounded to 1e-4 s, as in the release."""
    columns: dict[str, Iterable[Any]] = {
        "sng_id": part.sng_id,
        "label": part.label,
        "seg_start": np.round(part.seg_start, 4).tolist(),
        "seg_duration": (f"{value:.4f}".rstrip("0").rstrip(".") for value in part.seg_duration),
    }
    for name in _OPTIONAL:
        column = getattr(part, name)
        if column is not None:
            columns[name] = map(TAG_SEPARATOR.join, column) if name == "tags" else column
    write_table(path, list(columns), zip(*columns.values(), strict=True))


def read_manifest(folder: PathLike) -> Manifest:
    """Reads a folder that `write_manifest` made, or one with the authors' released lists.

    Raises:
      InputError: as `read_part`; the folder has no part, a fold is missing, or an artist is in two
        of train, validation and test, or in two folds.

    >>> part = Excerpts(("t1",), ("dub",), np.zeros(1), np.full(1, 30.0))
    >>> write_manifest("read", Manifest({"train": part}, Vocabulary.of(["dub"])))
    >>> read_manifest("read").parts["train"].label
    ('dub',)

    Reference: the authors' lists,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; launch.split makes manifests")
    found = sorted((name[:-4] for name in os.listdir(folder) if _is_part(name)), key=_order)
    parts = {name: read_part(folder / f"{name}.csv") for name in found}
    if not any(map(_group, parts)):
        raise InputError(
            f"{folder}: has neither train.csv, validation.csv, test.csv nor fold_0.csv"
        )
    folds = len({_group(name) for name in parts if name.startswith("fold_")})
    missing = [f"fold_{k}" for k in range(folds) if f"fold_{k}" not in parts]
    if missing:
        raise InputError(f"{folder}: {missing[0]}.csv is missing")
    _check_artists(folder, parts)
    record = _read_record(folder / _RECORD) if (folder / _RECORD).exists() else {}
    return Manifest(
        parts=parts,
        vocabulary=_vocabulary(folder, parts, record),
        experiment=record.get("experiment", ""),
        seed=record.get("seed"),
        folds=folds,
        config=record.get("config", {}),
        counts=record.get("counts", {}),
        truth=truths.read_truth(folder),
    )


def write_manifest(folder: PathLike, manifest: Manifest, overwrite: bool = False) -> None:
    """Writes a manifest into a temporary folder, which is then renamed to `folder`.

    A manifest with the same experiment, systems, seed, folds and config is replaced. Another
    manifest is replaced only with `overwrite`. A folder that holds anything else is never replaced.

    Raises:
      InputError: the folder exists and must not be replaced.

    >>> part = Excerpts(("t1",), ("dub",), np.zeros(1), np.full(1, 30.0))
    >>> write_manifest("written", Manifest({"train": part}, Vocabulary.of(["dub"])))
    >>> sorted(os.listdir("written"))
    ['split.json', 'train.csv']

    Reference: section 2.2 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    folder = pathlib.Path(os.path.abspath(folder))
    record = {
        "experiment": manifest.experiment,
        "seed": manifest.seed,
        "folds": manifest.folds,
        "config": json.loads(json.dumps(dict(manifest.config))),
        "vocabulary": manifest.vocabulary.record(),
    }
    _check_place(folder, record, overwrite)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        new_folder = pathlib.Path(temporary) / "made"
        new_folder.mkdir()
        for name, part in manifest.parts.items():
            write_part(new_folder / f"{name}.csv", part)
        truths.write_truth(new_folder, manifest.truth)
        write_json(new_folder / _RECORD, {**record, "counts": dict(manifest.counts)})
        if folder.exists():
            os.rename(folder, pathlib.Path(temporary) / "old")
        os.rename(new_folder, folder)


def _read_record(path: pathlib.Path) -> dict[str, Any]:
    """The `split.json` of a manifest; refuses a field of a wrong type.

    Older files have `systems` and `tags` instead of `vocabulary`.
    """
    record = read_json(path)
    kinds: dict[str, Any] = {"experiment": str, "systems": list, "seed": int | None, "folds": int}
    kinds |= {"config": dict, "counts": dict, "tags": list, "vocabulary": dict}
    for name, kind in kinds.items():
        value: Any = record.get(name) if isinstance(record, dict) else None
        if isinstance(record, dict) and name not in record:
            continue
        good = isinstance(value, kind) and not isinstance(value, bool)
        if good and kind is list:
            good = all(isinstance(text, str) for text in value) and len({*value}) == len(value)
        if not good:
            raise InputError(f"{path}: {name} is not as launch.split writes it; take the file away")
    try:
        json.dumps(record, allow_nan=False)
    except ValueError:
        raise InputError(f"{path}: a number that is not finite; take the file away") from None
    return record


def _vocabulary(
    folder: pathlib.Path, parts: Mapping[str, Excerpts], record: Mapping[str, Any]
) -> Vocabulary:
    """The vocabulary that split.json records, or a guess if it records nothing about the tags.

    Raises:
      InputError: a label or tag is not among the recorded tags; or no tags are recorded and a label
        is not among those of train.
    """
    # Excerpts share their annotations, so few of the annotations differ.
    found = {name: set(part.label).union(*set(part.tags or ())) for name, part in parts.items()}
    everything = sorted(set().union(*found.values()))
    vocabulary = _recorded(folder / _RECORD, record, everything)
    listed = "vocabulary" in record or record.get("tags")
    for name, part in parts.items():
        path = folder / f"{name}.csv"
        if listed and vocabulary is not None and not found[name] <= vocabulary.index.keys():
            _refuse(path, part, vocabulary.index, _RECORD)
        if not listed and "train" in parts:
            labels = dict.fromkeys(parts["train"].label)
            _refuse(path, dataclasses.replace(part, tags=None), labels, "train.csv")
    return _guess(folder, everything) if vocabulary is None else vocabulary


def _guess(folder: pathlib.Path, tags: Sequence[str]) -> Vocabulary:
    """Guesses the vocabulary of lists without a record; warns unless all tags are plain."""
    vocabulary = Vocabulary.guess(tags)
    if vocabulary.systems != ("",) or any(vocabulary.half):
        counts = Counter(vocabulary.system)
        systems = ", ".join(f"{s!r} ({counts[s]} tags)" for s in vocabulary.systems)
        halves = ", each tag half of one" if any(vocabulary.half) else ""
        warnings.warn(
            f"{folder}: tag systems are guessed from the tags: {systems}{halves}; a "
            'split.json with {"systems": [...]} says otherwise',
            stacklevel=4,
        )
    return vocabulary


def _recorded(
    path: pathlib.Path, record: Mapping[str, Any], found: Sequence[str]
) -> Vocabulary | None:
    """The vocabulary in a record; None if the record says nothing about the tags."""
    try:
        if "vocabulary" in record:
            return Vocabulary.from_record(record["vocabulary"])
        if "tags" in record or "systems" in record:
            tags = dict.fromkeys(map(clean, record.get("tags", ()))) or found
            halves = record.get("experiment") == "deduplication"
            return Vocabulary.of(tags, record.get("systems") or ("",), halves)
    except InputError as error:
        raise InputError(f"{path}: {error}; take the file away") from None
    return None


def _refuse(path: pathlib.Path, part: Excerpts, tags: Collection[str], source: str) -> None:
    """Refuses the first label or tag of a part that is not among the given ones."""
    annotations = part.tags or [()] * len(part)
    for row, (label, others) in enumerate(zip(part.label, annotations, strict=True)):
        wrong = next((tag for tag in (label, *others) if tag not in tags), None)
        if wrong is not None:
            raise InputError(
                f"{path}:{part.line_of(row)}: {'label' if wrong == label else 'tag'} {wrong!r} is "
                f"not among the {len(tags)} tags of {source}; correct it, or make the manifest anew"
            )


def _seconds(table: Table, name: str, most: float) -> np.ndarray:
    """The cells as float64; refuses a cell that is not a number from 0 to `most`."""
    cells = table[name]
    values = np.array([number(cell) for cell in cells], dtype=np.float64)
    good = (values >= 0.0) & (values <= most)
    if not good.all():
        row = int(np.argmin(good))
        raise InputError(
            f"{table.at(row)}: {name}={cells[row]!r} is not a number of seconds from 0 to {most:g}"
        )
    return values


def _first_rows(table: Table, start: np.ndarray) -> np.ndarray | None:
    """The first row of each (id, start rounded to 1e-4 s); None if no row repeats another."""
    labels = table["label"]
    starts = (round(second, 4) for second in start.tolist())
    keys = list(zip(table["sng_id"], starts, strict=True))
    if len(set(keys)) == len(keys):
        return None
    first: dict[tuple[str, float], int] = {}
    for row, key in enumerate(keys):
        earlier = first.setdefault(key, row)
        if labels[earlier] != labels[row]:
            raise InputError(
                f"{table.at(row)}: excerpt {key[0]} at {key[1]} s has the label {labels[row]!r}, "
                f"in row {table.lines[earlier]} {labels[earlier]!r}; keep one"
            )
    repeats = sorted(set(range(len(keys))) - set(first.values()))
    warnings.warn(
        f"{table.at(repeats[0])}: {len(repeats)} rows repeat an earlier excerpt, left out",
        stacklevel=3,
    )
    return np.array(list(first.values()), dtype=np.int64)


def _is_part(name: str) -> bool:
    return name.endswith(".csv") and _PART.fullmatch(name[:-4]) is not None


def _group(part: str) -> str | None:
    """The part or fold to which a part belongs; an artist may be in only one of these."""
    match = _PART.fullmatch(part)
    return match and (match[1] or match[2])


def _order(part: str) -> tuple[int, int]:
    """Sorts train, validation, test, overlap; or fold by fold, each followed by its other parts."""
    match = re.fullmatch(r"fold_(\d+)(.*)", part)
    if match:
        return int(match[1]), ("", "_upsampled", "_downsampled", "_overlap").index(match[2])
    return -1, ("train", "validation", "test", "overlap").index(part)


def _check_artists(folder: pathlib.Path, parts: Mapping[str, Excerpts]) -> None:
    home: dict[str, str] = {}
    for name, part in parts.items():
        group = _group(name)
        if group is None or part.artist_id is None:
            continue
        for row, artist in enumerate(part.artist_id):
            if home.setdefault(artist, group) != group:
                raise InputError(
                    f"{folder / name}.csv:{part.line_of(row)}: artist {artist!r} is also in "
                    f"{home[artist]}.csv; an artist may be in one part only"
                )


def _check_place(folder: pathlib.Path, record: Mapping[str, Any], overwrite: bool) -> None:
    """Refuses to replace anything but a manifest with this record, or any with `overwrite`."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: is a file; choose another --out")
    names = set(os.listdir(folder))
    ours = {_RECORD, *(f"{name}.csv" for name in truths.COLUMNS)}
    others = sorted(name for name in names - ours if not _is_part(name))
    if others or (names and _RECORD not in names):
        held = others[0] if others else sorted(names)[0]
        raise InputError(f"{folder}: holds {held}, not of a manifest we made; choose another --out")
    if names and not overwrite:
        old = _identity(_read_record(folder / _RECORD))
        for key, now in _identity(record).items():
            was = old.get(key)
            if was == now:
                continue
            if isinstance(was, dict) and isinstance(now, dict):
                key = next(k for k in {**was, **now} if was.get(k) != now.get(k))
                was, now = was.get(key), now.get(key)
            raise InputError(
                f"{folder}: holds a manifest made with {key}={was!r}, not {now!r}; "
                "choose another --out, or give --overwrite"
            )


def _identity(record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that make two manifests the same, from a record in the old or new form."""
    systems = record.get("vocabulary", record).get("systems")
    return {"systems": systems, **{k: record.get(k) for k in _IDENTITY}}
