"""What is in a manifest: tags, parts, annotations, before and after balancing (sections 2.1, 2.2).

Counts are of tracks unless a name says excerpts. Tracks in several catalogues are never trained on
and are counted apart, but for co-occurrence and the number of tags a track.
"""

import dataclasses
import itertools
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.manifest.lists import Excerpts, Manifest, summarise
from tagjax.manifest.sampling import EmptyPartError, SamplingConfig, make_manifest
from tagjax.similarity.matrix import Similarity
from tagjax.tasks.results import TaskTable
from tagjax.vocabulary import tags as names

Counts = npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True, eq=False)
class Description:
    """A data set in figures.

    Attributes:
      systems: prefixes of the tag systems.
      tags: N names, sorted.
      tracks: int64 [N], tracks with the tag in their annotation.
      artists: int64 [N], their artists; None where the manifest does not know them.
      labelled: int64 [N], tracks whose label the tag is, before balancing.
      shares: {part or fold: int64 [N]}, the same by part, as far as they are in the manifest.
      excerpts: {part or fold: int64 [N]}, excerpts with the label after balancing.
      overlap: int64 [N], tracks of several catalogues with the tag.
      parts: a row a part.
      cardinality: {system, and "" for all of several: int64 [most + 1]}, tracks with k tags (a
        system's from k = 1).
      together: int64 [N, N], tracks with both tags; the diagonal, those with the tag.
      full: whether whole annotations are known, not labels alone.
      totals: {what: number} of the data set.
      counts: {what: number} that its making found, dropped and made.
      notes: what to look out for, a sentence each.
    """

    systems: tuple[str, ...]
    tags: tuple[str, ...]
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
    notes: tuple[str, ...]


def sampled(
    catalogues: Sequence[Catalogue], tracks: Tracks | None, config: SamplingConfig
) -> tuple[Manifest, Manifest]:
    """What `sampling.make_manifest` makes of catalogues: (manifest, the same without balancing).

    Catalogues of too few artists for three parts are described as two folds, with a warning.

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
    """Counts what is in a manifest.

    Args:
      manifest: after balancing.
      before: the same without balancing: an excerpt of every track. None: what `manifest` shows
        of that, its tracks; tracks that balancing left out are not among them.
    """
    systems = manifest.vocabulary.systems
    source = before or manifest
    tags = tuple(sorted({*manifest.vocabulary.tags, *source.vocabulary.tags}))
    number = {tag: i for i, tag in enumerate(tags)}
    table = _tracks(source)
    full = all(part.tags is not None for part in source.parts.values())
    lists = list(table.tags)
    flat = np.fromiter(map(number.__getitem__, itertools.chain.from_iterable(lists)), np.int64)
    row = np.repeat(np.arange(len(lists)), [len(own) for own in lists])
    shared = np.array(table.overlap, bool)
    holds = scipy.sparse.csr_array(
        (np.ones(len(flat), np.int64), (row, flat)), shape=(len(lists), len(tags))
    )
    label = np.array([number[tag] for tag in table.label], np.int64)
    artists = None
    if table.artist is not None:
        artist = np.unique(np.array(table.artist), return_inverse=True)[1]
        own = ~shared[row]
        pairs = np.unique(artist[row[own]] * len(tags) + flat[own])
        artists = np.bincount(pairs % len(tags), minlength=len(tags))
    groups: dict[str, list[Excerpts]] = defaultdict(list)
    for name, part in manifest.parts.items():
        if not name.endswith("overlap"):
            groups[name.removesuffix("_upsampled")].append(part)

    def of_labels(labels: Iterable[str]) -> Counts:
        found = np.fromiter(map(number.__getitem__, labels), np.int64)
        return np.bincount(found, minlength=len(tags))

    excerpts = {
        name: of_labels(itertools.chain.from_iterable(part.label for part in parts))
        for name, parts in groups.items()
    }
    shares = {}
    for name, parts in groups.items():
        pairs_of = {p for part in parts for p in zip(part.sng_id, part.label, strict=True)}
        shares[name] = of_labels(label for _, label in pairs_of)
    made = Description(
        systems=systems,
        tags=tags,
        tracks=holds[~shared].sum(axis=0),
        artists=artists,
        labelled=np.bincount(label[~shared], minlength=len(tags)),
        shares=shares,
        excerpts=excerpts,
        overlap=holds[shared].sum(axis=0),
        parts=_parts(manifest),
        cardinality=_cardinality(tags, systems, row, flat, len(lists)),
        together=(holds.T @ holds).toarray(),
        full=full,
        totals={
            "tags": len(tags),
            "tracks": len(lists),
            **({} if table.artist is None else {"artists": len(set(table.artist))}),
            **({} if table.album is None else {"albums": len(set(table.album) - {""})}),
            "tracks in several catalogues": int(shared.sum()),
            "excerpts": sum(map(len, manifest.parts.values())),
        },
        counts={name.replace("_", " "): count for name, count in manifest.counts.items() if count},
        notes=(),
    )
    return dataclasses.replace(made, notes=tuple(_notes(made, manifest, before)))


def likeness(described: Description) -> Similarity:
    """Co-occurrence as fdist has it (eq. 4): the cosine of the tags' columns of tracks.

    Tracks with both, divided by the geometric mean of those with either; NaN for tags without
    a track.
    """
    own = np.sqrt(np.diagonal(described.together).astype(np.float64))
    scale = np.where(own > 0, own, np.nan)
    return Similarity(described.tags, described.together / scale[:, None] / scale)


def genres(
    described: Description, taxonomy: Sequence[Sequence[str]] = ()
) -> dict[str, tuple[str, ...]]:
    """{style tag: genre tags}: as the taxonomy has it, or the genre it most often comes with.

    Args:
      described: a data set.
      taxonomy: (style, genre) pairs of full names.
    """
    found: dict[str, tuple[str, ...]] = {}
    for style, genre, *_ in taxonomy:
        found[style] = (*found.get(style, ()), genre)
    if found:
        return found
    systems = described.systems
    matrix = np.nan_to_num(likeness(described).matrix)
    for system in systems:
        own = [i for i, t in enumerate(described.tags) if names.system_of(t, systems) == system]
        big = [i for i in own if names.is_genre(described.tags[i], systems)]
        for i in set(own) - set(big):
            if big and matrix[i, big].any():
                best = big[int(matrix[i, big].argmax())]
                found[described.tags[i]] = (described.tags[best],)
    return found


def tag_table(described: Description) -> TaskTable:
    """A row a tag, those of most tracks first."""
    total = sum(described.excerpts.values())
    columns: dict[str, Sequence[Any]] = {"tag": described.tags}
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
    """A row for each number of tags a track may have, with the tracks of each system and all."""
    several = described.cardinality
    heads = [name or "all" for name in several] if len(several) > 1 else ["tracks"]
    rows = zip(*(counts.tolist() for counts in several.values()), strict=True)
    kept = [(k, *row) for k, row in enumerate(rows)]
    return TaskTable(("tags", *heads), tuple(row for row in kept if any(row[1:])))


def pair_table(described: Description, limit: int | None = None) -> TaskTable:
    """Pairs of tags that occur together: tracks with both, and `likeness`; the likest first."""
    matrix = likeness(described).matrix
    one, other = np.nonzero(np.triu(described.together, 1))
    order = np.argsort(-matrix[one, other], kind="stable")[:limit]
    rows = [
        (
            described.tags[i],
            described.tags[j],
            int(described.together[i, j]),
            float(matrix[i, j]),
        )
        for i, j in zip(one[order].tolist(), other[order].tolist(), strict=True)
    ]
    return TaskTable(("tag", "other", "tracks", "co-occurrence"), tuple(rows))


def square_table(described: Description) -> TaskTable:
    """Tracks with both tags, a row and a column a tag, in the form of a similarity."""
    rows = zip(described.tags, described.together.tolist(), strict=True)
    return TaskTable(("", *described.tags), tuple((tag, *row) for tag, row in rows))


def lines(described: Description, shown: int = 12) -> Iterator[str]:
    """The description as text.

    Args:
      described: a data set.
      shown: of the commonest, and as many of the rarest tags.
    """
    yield ", ".join(f"{n:,} {what}" for what, n in described.totals.items() if n)
    yield ""
    yield from _aligned(described.parts.header, described.parts.rows)
    yield "(min, median, max: excerpts of a label; largest_artist: its tracks)"
    if described.full:
        yield ""
        yield f"tags a track: {mean_cardinality(described):.2f} in the mean"
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
    """Tags a track, mean."""
    counts = next(iter(described.cardinality.values()))
    return float(counts @ np.arange(len(counts)) / max(counts.sum(), 1))


@dataclasses.dataclass(frozen=True, eq=False)
class _Tracks:
    """Columns of tracks, each once."""

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


def _parts(manifest: Manifest) -> TaskTable:
    rows = []
    for row, part in zip(summarise(manifest), manifest.parts.values(), strict=True):
        row = {("labels" if name == "tags" else name): value for name, value in row.items()}
        row["hours"] = round(float(part.seg_duration.sum()) / 3600, 2)
        largest = None
        if part.artist_id is not None:
            pairs = set(zip(part.artist_id, part.sng_id, strict=True))
            largest = max(Counter(artist for artist, _ in pairs).values(), default=0)
        row["largest_artist"] = largest
        rows.append(row)
    return TaskTable(tuple(rows[0]), tuple(tuple(row.values()) for row in rows))


def _cardinality(
    tags: Sequence[str], systems: Sequence[str], row: Counts, flat: Counts, tracks: int
) -> dict[str, Counts]:
    of_track = {"": np.bincount(row, minlength=tracks)}
    if len(systems) > 1:
        system = np.array([systems.index(names.system_of(tag, systems)) for tag in tags])
        for k, name in enumerate(systems):
            counts = np.bincount(row[system[flat] == k], minlength=tracks)
            of_track[name or "(no prefix)"] = counts[counts > 0]
    most = int(max((counts.max(initial=0) for counts in of_track.values()), default=0))
    return {name: np.bincount(counts, minlength=most + 1) for name, counts in of_track.items()}


def _notes(made: Description, manifest: Manifest, before: Manifest | None) -> Iterator[str]:
    def told(mask: npt.NDArray[np.bool_], text: str) -> Iterator[str]:
        chosen = [tag for tag, is_so in zip(made.tags, mask, strict=True) if is_so]
        if chosen:
            more = f" and {len(chosen) - 4} more" if len(chosen) > 5 else ""
            listed = ", ".join(chosen[: 4 if more else 5])
            many = f"{len(chosen)} tags are" if len(chosen) > 1 else "1 tag is"
            yield f"{many} {text}: {listed}{more}."

    left_out = manifest.counts.get("tracks_downsampled")
    if before is None and left_out:
        yield f"Balancing left {left_out:,} tracks out; the manifest does not have them."
    if not made.full:
        yield "The list names one label a track, not its whole annotation."
    if len(made.shares) < (manifest.folds or 3):
        missing = [name for name in ("train", "validation", "test") if name not in made.shares]
        yield f"There is no {' and no '.join(missing)} part."
    used = made.labelled > 0
    yield from told(~used, "no track's label")
    if made.artists is not None:
        yield from told(used & (made.artists == 1), "of one artist, so either learnt or tested")
    for name, counts in made.shares.items():
        if name in ("train", "validation", "test"):
            yield from told(used & (counts == 0), f"no label in {name}")


def _aligned(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Columns of text, the first to the left and the others to the right."""

    def text(value: Any) -> str:
        return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)

    cells = [list(header), *([text(value) for value in row] for row in rows)]
    wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        rest = (f"  {cell:>{w}}" for cell, w in zip(row[1:], wide[1:], strict=True))
        yield f"{row[0]:<{wide[0]}}{''.join(rest)}".rstrip()
