"""Describes a manifest: tags, parts and annotations, before and after balancing (2.1, 2.2).

Counts are numbers of tracks, except where a name says excerpts. Tracks in several catalogues are
never trained on and are counted separately. Only co-occurrence and the number of tags per track
include them.
"""

import dataclasses
import itertools
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.manifest.lists import Excerpts, Manifest, summarise
from tagjax.manifest.sampling import EmptyPartError, SamplingConfig, make_manifest
from tagjax.report.looks import Parents, genres_among
from tagjax.similarity.matrix import Similarity
from tagjax.tasks.results import TaskTable
from tagjax.vocabulary.taxonomy import place
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

Counts = npt.NDArray[np.int64]

_UNTRAINED = ("overlap", "_downsampled")


@dataclasses.dataclass(frozen=True, eq=False)
class Description:
    """A data set in numbers.

    Attributes:
      vocabulary: N tags, sorted.
      tracks: int64 [N], number of tracks with the tag in their annotation.
      artists: int64 [N], number of their artists; None if the manifest does not know them.
      labelled: int64 [N], number of tracks whose label is the tag, before balancing.
      shares: {part or fold: int64 [N]}, `labelled` by part, for the tracks in the manifest.
      excerpts: {part or fold: int64 [N]}, number of excerpts with the label, after balancing.
      overlap: int64 [N], number of tracks in several catalogues with the tag.
      parts: table with one row for each part.
      cardinality: {"" for all, or system: int64 [most + 1]}, number of tracks with k tags, for a
        system from k = 1. Systems are listed only if there are several.
      together: int64 [N, N], number of tracks with both tags; on the diagonal, with the tag.
      full: whether all tags of a track are known, and not only its label.
      totals: {what is counted: number in the data set}.
      counts: {what is counted: number found, dropped or made when the data set was made}.
      method: sentences on how the data set was made, as far as it is known.
      notes: sentences on what to look out for.
    """

    vocabulary: Vocabulary
    tracks: Counts
    artists: Counts | None
    labelled: Counts
    shares: Mapping[str, Counts]
    excerpts: Mapping[str, Counts]
    overlap: Counts
    parts: TaskTable
    cardinality: Mapping[str, Counts]
    together: Counts
    full: bool
    totals: Mapping[str, int]
    counts: Mapping[str, int]
    method: tuple[str, ...]
    notes: tuple[str, ...]


def sampled(
    catalogues: Sequence[Catalogue], tracks: Tracks | None, config: SamplingConfig
) -> tuple[Manifest, Manifest]:
    """Samples catalogues with `sampling.make_manifest`, with and without balancing.

    Catalogues with too few artists for three parts become two folds, with a warning.

    Returns:
      (manifest, the same manifest without balancing).

    Raises:
      InputError: as `make_manifest`.
    """
    experiment = "translation" if len(catalogues) > 1 else "taxonomy"
    plain = dataclasses.replace(config, upsample=(), max_occurrences=2**40)
    try:
        after = make_manifest(catalogues, tracks, config, experiment)
    except EmptyPartError as error:
        warnings.warn(f"{error}; described as two folds", stacklevel=2)
        after = make_manifest(catalogues, tracks, config, experiment, 2)
    return after, make_manifest(catalogues, tracks, plain, experiment, after.folds)


def describe(manifest: Manifest, before: Manifest | None = None) -> Description:
    """Counts the contents of a manifest.

    Args:
      manifest: the manifest after balancing.
      before: the same without balancing, with one excerpt of every track. None: the tracks are
        those of `manifest`, and tracks that balancing left out are missing.
    """
    source = before or manifest
    vocabulary = manifest.vocabulary.extended(source.vocabulary)
    vocabulary = vocabulary.select(sorted(vocabulary.tags))
    tracks = _tracks(source)
    overlap = np.array(tracks.overlap, bool)
    holds = _holds(tracks, vocabulary)
    balanced = [name for name in manifest.parts if not name.endswith(_UNTRAINED)]
    sampled_parts = [name for name in manifest.parts if not name.endswith("overlap")]
    label = [tag for tag, shared in zip(tracks.label, overlap, strict=True) if not shared]
    description = Description(
        vocabulary=vocabulary,
        tracks=holds[~overlap].sum(axis=0),
        artists=_artists(tracks, holds),
        labelled=_count(label, vocabulary),
        shares=_by_part(manifest, sampled_parts, vocabulary, of_tracks=True),
        excerpts=_by_part(manifest, balanced, vocabulary, of_tracks=False),
        overlap=holds[overlap].sum(axis=0),
        parts=_parts(manifest),
        cardinality=_cardinality(holds, vocabulary),
        together=(holds.T @ holds).toarray(),
        full=all(part.tags is not None for part in source.parts.values()),
        totals=_totals(manifest, tracks, vocabulary),
        counts={name.replace("_", " "): count for name, count in manifest.counts.items() if count},
        method=tuple(_method(manifest, bool(overlap.any()))),
        notes=(),
    )
    notes = tuple(_notes(description, manifest, before))
    return dataclasses.replace(description, notes=notes)


def likeness(described: Description) -> Similarity:
    """Co-occurrence as in fdist (eq. 4): the cosine of the columns of two tags over tracks.

    It is the number of tracks with both tags, divided by the geometric mean of the numbers with
    each tag. It is NaN for tags without a track.
    """
    alone = np.sqrt(np.diagonal(described.together).astype(np.float64))
    scale = np.where(alone > 0, alone, np.nan)
    return Similarity(described.vocabulary, described.together / scale[:, None] / scale)


def genres(described: Description, truth: Truth | None = None) -> Parents:
    """{style tag: genre tags}, from the taxonomy, or else the genre with most co-occurrence.

    Args:
      described: a data set.
      truth: the known truth about its tags.
    """
    vocabulary = described.vocabulary
    if truth and truth.taxonomy:
        return place(truth.taxonomy, vocabulary).parents
    marked = genres_among(vocabulary, {})
    matrix = np.nan_to_num(likeness(described).matrix)
    parents: dict[str, tuple[str, ...]] = {}
    for system in vocabulary.systems:
        members = vocabulary.members(system)
        candidates = [i for i in members if vocabulary.tags[i] in marked]
        for i in set(members) - set(candidates):
            if candidates and matrix[i, candidates].any():
                nearest = candidates[int(matrix[i, candidates].argmax())]
                parents[vocabulary.tags[i]] = (vocabulary.tags[nearest],)
    return parents


def tables(described: Description) -> dict[str, TaskTable]:
    """{name of its file: table}; tables of co-occurring tags only if all tags are known."""
    found = {"parts": described.parts, "tags": tag_table(described)}
    if described.full:
        found["cardinality"] = cardinality_table(described)
        found["pairs"] = pair_table(described)
        found["cooccurrence"] = square_table(described)
    return found


def tag_table(described: Description) -> TaskTable:
    """One row for each tag, sorted by its number of tracks, the largest first."""
    total = sum(described.excerpts.values())
    columns: dict[str, Sequence[Any]] = {"tag": described.vocabulary.tags}
    if described.full:
        columns["tracks"] = described.tracks.tolist()
    if described.artists is not None:
        columns["artists"] = described.artists.tolist()
    columns["labelled"] = described.labelled.tolist()
    columns["excerpts"] = np.asarray(total).tolist()
    if any(name.startswith("fold_") for name in described.shares):
        folds = np.stack(list(described.shares.values()))
        columns["fewest_in_fold"] = folds.min(axis=0).tolist()
        columns["most_in_fold"] = folds.max(axis=0).tolist()
    else:
        columns |= {name: counts.tolist() for name, counts in described.excerpts.items()}
    if described.overlap.any():
        columns["overlap"] = described.overlap.tolist()
    rows = sorted(zip(*columns.values(), strict=True), key=lambda row: (-row[1], row[0]))
    return TaskTable(tuple(columns), tuple(rows))


def cardinality_table(described: Description) -> TaskTable:
    """The number of tracks with k tags: a row for each k, a column for all and each system."""
    counts = described.cardinality
    heads = [name or "all" for name in counts] if len(counts) > 1 else ["tracks"]
    rows = zip(*(column.tolist() for column in counts.values()), strict=True)
    kept = [(k, *row) for k, row in enumerate(rows)]
    return TaskTable(("tags", *heads), tuple(row for row in kept if any(row[1:])))


def pair_table(described: Description, limit: int | None = None) -> TaskTable:
    """Pairs of tags that occur together, with `likeness`; the highest likeness first."""
    tags, matrix = described.vocabulary.tags, likeness(described).matrix
    first, second = np.nonzero(np.triu(described.together, 1))
    order = np.argsort(-matrix[first, second], kind="stable")[:limit]
    rows = [
        (tags[i], tags[j], int(described.together[i, j]), float(matrix[i, j]))
        for i, j in zip(first[order].tolist(), second[order].tolist(), strict=True)
    ]
    return TaskTable(("tag", "other", "tracks", "co-occurrence"), tuple(rows))


def square_table(described: Description) -> TaskTable:
    """Number of tracks with both tags, as a matrix in the form of a similarity."""
    tags = described.vocabulary.tags
    rows = zip(tags, described.together.tolist(), strict=True)
    return TaskTable(("", *tags), tuple((tag, *row) for tag, row in rows))


def lines(described: Description, shown: int = 12) -> Iterator[str]:
    """The description as text.

    Args:
      described: a data set.
      shown: number of the commonest tags to show, and also of the rarest.
    """
    yield ", ".join(f"{n:,} {what}" for what, n in described.totals.items() if n)
    yield ""
    yield from _aligned(described.parts.header, described.parts.rows)
    yield "(min, median, max: excerpts of a label; largest_artist: its tracks)"
    if described.full:
        yield ""
        yield f"tags per track: {mean_cardinality(described):.2f} on average"
        table = cardinality_table(described)
        yield from _aligned(table.header, table.rows)
    yield ""
    table = tag_table(described)
    rows: list[Sequence[Any]] = list(table.rows)
    if len(rows) > 2 * shown + 1:
        between = f"({len(rows) - 2 * shown} more)"
        rows = [*rows[:shown], (between, *[""] * (len(table.header) - 1)), *rows[-shown:]]
    yield from _aligned(table.header, rows)
    yield "(labelled: tracks before balancing; excerpts: after)"
    if described.notes:
        yield ""
        yield from described.notes


def mean_cardinality(described: Description) -> float:
    """Mean number of tags per track."""
    counts = next(iter(described.cardinality.values()))
    return float(counts @ np.arange(len(counts)) / max(counts.sum(), 1))


@dataclasses.dataclass(frozen=True, eq=False)
class _Tracks:
    """Columns of a table in which each track has one row."""

    label: list[str]
    tags: list[tuple[str, ...]]
    overlap: list[bool]
    artist: list[str] | None
    album: list[str] | None


def _tracks(manifest: Manifest) -> _Tracks:
    first: dict[str, tuple[Excerpts, int, bool]] = {}
    labels: dict[str, dict[str, None]] = {}
    for name, part in manifest.parts.items():
        for row, track in enumerate(part.sng_id):
            first.setdefault(track, (part, row, name.endswith("overlap")))
        if part.tags is None:
            for track, label in zip(part.sng_id, part.label, strict=True):
                labels.setdefault(track, {})[label] = None
    places = first.values()

    def column(name: str) -> list[str] | None:
        if any(getattr(part, name) is None for part in manifest.parts.values()):
            return None
        return [getattr(part, name)[row] for part, row, _ in places]

    return _Tracks(
        label=[part.label[row] for part, row, _ in places],
        tags=[
            tuple(labels[track]) if part.tags is None else part.tags[row]
            for track, (part, row, _) in first.items()
        ],
        overlap=[overlap for _, _, overlap in places],
        artist=column("artist_id"),
        album=column("album_id"),
    )


def _holds(tracks: _Tracks, vocabulary: Vocabulary) -> scipy.sparse.csr_array:
    """1 where a track has a tag: {0, 1} [number of tracks, N]."""
    column = [vocabulary.index[tag] for tag in itertools.chain.from_iterable(tracks.tags)]
    row = np.repeat(np.arange(len(tracks.tags)), [len(tags) for tags in tracks.tags])
    shape = (len(tracks.tags), len(vocabulary))
    return scipy.sparse.csr_array((np.ones(len(column), np.int64), (row, column)), shape=shape)


def _count(tags: Iterable[str], vocabulary: Vocabulary) -> Counts:
    """How often each tag of the vocabulary is among `tags`."""
    places = np.fromiter((vocabulary.index[tag] for tag in tags), np.int64)
    return np.bincount(places, minlength=len(vocabulary))


def _artists(tracks: _Tracks, holds: scipy.sparse.csr_array) -> Counts | None:
    """Number of artists of each tag, without tracks in several catalogues; None if unknown."""
    if tracks.artist is None:
        return None
    artist = np.unique(np.array(tracks.artist), return_inverse=True)[1]
    counted = ~np.array(tracks.overlap, bool)
    row, tag = holds[counted].nonzero()
    artist = artist[counted][row]
    pairs = np.unique(artist * holds.shape[1] + tag)
    return np.bincount(pairs % holds.shape[1], minlength=holds.shape[1])


def _by_part(
    manifest: Manifest, names: Sequence[str], vocabulary: Vocabulary, of_tracks: bool
) -> dict[str, Counts]:
    """{part or fold: tracks or excerpts of each label}; upsampling counts with its fold."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name in names:
        part = manifest.parts[name]
        group = groups.setdefault(name.removesuffix("_upsampled").removesuffix("_downsampled"), [])
        group += zip(part.sng_id, part.label, strict=True)
    return {
        name: _count((label for _, label in (set(pairs) if of_tracks else pairs)), vocabulary)
        for name, pairs in groups.items()
    }


def _totals(manifest: Manifest, tracks: _Tracks, vocabulary: Vocabulary) -> dict[str, int]:
    totals = {"tags": len(vocabulary), "tracks": len(tracks.tags)}
    if tracks.artist is not None:
        totals["artists"] = len(set(tracks.artist))
    if tracks.album is not None:
        totals["albums"] = len(set(tracks.album) - {""})
    totals["tracks in several catalogues"] = sum(tracks.overlap)
    totals["excerpts"] = sum(map(len, manifest.parts.values()))
    return totals


def _parts(manifest: Manifest) -> TaskTable:
    rows = []
    for summary, part in zip(summarise(manifest), manifest.parts.values(), strict=True):
        row = {("labels" if name == "tags" else name): value for name, value in summary.items()}
        row["hours"] = round(float(part.seg_duration.sum()) / 3600, 2)
        row["largest_artist"] = None
        if part.artist_id is not None:
            pairs = set(zip(part.artist_id, part.sng_id, strict=True))
            tracks_of = Counter(artist for artist, _ in pairs)
            row["largest_artist"] = max(tracks_of.values(), default=0)
        rows.append(row)
    return TaskTable(tuple(rows[0]), tuple(tuple(row.values()) for row in rows))


def _cardinality(holds: scipy.sparse.csr_array, vocabulary: Vocabulary) -> dict[str, Counts]:
    of_track = {"": holds.sum(axis=1)}
    if len(vocabulary.systems) > 1:
        for system in vocabulary.systems:
            counts = holds[:, vocabulary.members(system)].sum(axis=1)
            of_track[system or "(no prefix)"] = counts[counts > 0]
    most = int(max((counts.max(initial=0) for counts in of_track.values()), default=0))
    return {name: np.bincount(counts, minlength=most + 1) for name, counts in of_track.items()}


def _notes(described: Description, manifest: Manifest, before: Manifest | None) -> Iterator[str]:
    left_out = manifest.counts.get("tracks_downsampled")
    listed = any(name.endswith("_downsampled") for name in manifest.parts)
    if before is None and left_out and not listed:
        yield f"Balancing left out {left_out:,} tracks, which are not in the manifest."
    if not described.full:
        yield "The list has only one label for each track, not all of its tags."
    if len(described.shares) < (manifest.folds or 3):
        missing = [n for n in ("train", "validation", "test") if n not in described.shares]
        yield f"There is no {' and no '.join(missing)} part."
    tags, used = described.vocabulary.tags, described.labelled > 0
    yield from _note_on(tags, ~used, "no track's label")
    if described.artists is not None:
        single = used & (described.artists == 1)
        yield from _note_on(tags, single, "of one artist, so either learnt or tested")
    for name, counts in described.shares.items():
        if name in ("train", "validation", "test"):
            yield from _note_on(tags, used & (counts == 0), f"no label in {name}")


def _method(manifest: Manifest, overlap: bool) -> Iterator[str]:
    """Sentences on how a manifest was made, as far as it records that."""
    if manifest.config:
        levels = set(manifest.config.get("annotates", ["album"]))
        tags = {"album": "the tags of its album", "track": "its own tags"}
        source = " or, where tracks are annotated, ".join(tags[k] for k in tags if k in levels)
        yield (
            f"Each track has one label, drawn from {source} with a chance inverse to their "
            "popularity (section 2.2 of the paper); “labelled” counts tracks by it."
        )
    else:
        yield "Each track has one label; “labelled” counts tracks by it."
    if manifest.counts.get("tracks_downsampled"):
        yield "Balancing left out tracks of labels with too many tracks."
    if manifest.counts.get("excerpts_upsampled"):
        yield "Balancing took further excerpts from tracks of labels with few tracks."
    if overlap:
        yield (
            "Tracks in several catalogues are never trained on. They are counted under “overlap”, "
            "not under “tracks” or “labelled”."
        )
    if all(part.artist_id is not None for part in manifest.parts.values()):
        yield "An artist is in one part only."


def _note_on(tags: Sequence[str], mask: npt.NDArray[np.bool_], text: str) -> Iterator[str]:
    """A sentence on the tags selected by a mask, if there are any."""
    chosen = [tag for tag, is_so in zip(tags, mask, strict=True) if is_so]
    if chosen:
        more = f" and {len(chosen) - 4} more" if len(chosen) > 5 else ""
        listed = ", ".join(chosen[: 4 if more else 5])
        many = f"{len(chosen)} tags are" if len(chosen) > 1 else "1 tag is"
        yield f"{many} {text}: {listed}{more}."


def _aligned(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Lines of aligned columns, the first flush left and the others flush right."""

    def text(value: Any) -> str:
        return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

    cells = [list(header), *([text(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        rest = (f"  {cell:>{w}}" for cell, w in zip(row[1:], widths[1:], strict=True))
        yield f"{row[0]:<{widths[0]}}{''.join(rest)}".rstrip()
