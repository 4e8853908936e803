"""Annotations to a manifest: which excerpts to show the network, each with one label.

    python -m launch.split --annotations=a.csv --tracks=tracks.csv --out=data/split

    python -m launch.split --experiment=translation --annotations=a.csv,b.csv --prefix=a:,b: \\
        --tracks=tracks.csv --translation=translation.csv --taxonomy=tax_a.csv,tax_b.csv \\
        --folds=5 --out=data/split

Annotations have the columns track_id,artist_id,album_id,tags (| between tags), tracks
track_id,path,duration_s. Catalogues without ids in common share what has the same artist and title:
give their annotations the columns artist,title too, and say --overlap_by=title. The manifest is a
folder with a CSV file a part, split.json and the truth tables; the same command again makes the
same manifest.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from absl import flags

from launch import program
from tagjax.base.errors import InputError
from tagjax.catalogue import annotations, matching
from tagjax.manifest import lists, sampling

_DEFAULT = sampling.SamplingConfig()

_EXPERIMENT = flags.DEFINE_string(
    "experiment", "taxonomy", f"What the manifest is for: {', '.join(sampling.EXPERIMENTS)}."
)
_ANNOTATIONS = flags.DEFINE_list("annotations", [], "Annotation tables, one a catalogue.")
_PREFIX = flags.DEFINE_list("prefix", [], "Prefixes of their tags, one a catalogue: a:,b:")
_TRACKS = flags.DEFINE_string("tracks", None, "Table of tracks: track_id,path,duration_s.")
_TAXONOMY = flags.DEFINE_list(
    "taxonomy", [], "Truth tables style,genre, one a catalogue; nothing between commas for none."
)
_TRANSLATION = flags.DEFINE_string(
    "translation", None, "Truth table source,target,relation, or X_tag,Y_tag,relation."
)
_DUPLICATES = flags.DEFINE_string("duplicates", None, "Truth table tag,duplicate[,system].")
_FOLDS = flags.DEFINE_integer(
    "folds",
    0,
    "Folds by artist, so that every track is predicted by a model that heard none of its "
    "artist; 0: train, validation and test.",
)
_OVERLAP = flags.DEFINE_string(
    "overlap_by",
    "id",
    "What tells that a track is in two catalogues: id (track_id), or title (artist and title too).",
)
_OUT = flags.DEFINE_string("out", None, "Folder for the manifest.")
_OVERWRITE = flags.DEFINE_boolean("overwrite", False, "Replace another manifest in --out.")

_CONFIG: dict[str, flags.FlagHolder] = {
    "top_tags": flags.DEFINE_integer(
        "top_tags", _DEFAULT.top_tags, "Tags kept a catalogue, those with most tracks."
    ),
    "min_tracks": flags.DEFINE_integer(
        "min_tracks", _DEFAULT.min_tracks, "Tags with fewer tracks are dropped."
    ),
    "max_occurrences": flags.DEFINE_integer(
        "max_occurrences", _DEFAULT.max_occurrences, "Excerpts a label, over all parts."
    ),
    "seg_duration": flags.DEFINE_float(
        "seg_duration", _DEFAULT.seg_duration, "Length of an excerpt, seconds."
    ),
    "train": flags.DEFINE_float("train", _DEFAULT.train, "Share of the training part."),
    "validation": flags.DEFINE_float(
        "validation", _DEFAULT.validation, "Share of the validation part."
    ),
    "test": flags.DEFINE_float("test", _DEFAULT.test, "Share of the test part."),
    "seed": flags.DEFINE_integer("seed", _DEFAULT.seed, "Of all draws."),
    "upsample": flags.DEFINE_list(
        "upsample", list(_DEFAULT.upsample), "Parts in which rare labels get further excerpts."
    ),
    "upsample_to": flags.DEFINE_string(
        "upsample_to",
        _DEFAULT.upsample_to,
        "Up to the part's commonest label, or to its share of max_occurrences: "
        f"{', '.join(sampling.UPSAMPLE_TO)}.",
    ),
    "max_excerpts_per_track": flags.DEFINE_integer(
        "max_excerpts_per_track", _DEFAULT.max_excerpts_per_track, "0: no limit."
    ),
    "min_shift": flags.DEFINE_float(
        "min_shift", _DEFAULT.min_shift, "Seconds between two excerpts' starts, at least."
    ),
}


def main() -> None:
    """Flags to one manifest."""
    if not _OUT.value:
        raise InputError("--out: name the folder for the manifest")
    if _EXPERIMENT.value == "deduplication" and (
        any(_TAXONOMY.value) or _TRANSLATION.value or _DUPLICATES.value
    ):
        raise InputError(
            "--experiment=deduplication makes its own truth; leave out --taxonomy, "
            "--translation and --duplicates"
        )
    values: dict[str, Any] = {name: flag.value for name, flag in _CONFIG.items()}
    values["upsample"] = tuple(part for part in values["upsample"] if part)
    values["max_excerpts_per_track"] = values["max_excerpts_per_track"] or None
    config = sampling.SamplingConfig(**values)
    by_title = _by_title()
    catalogues = annotations.read_catalogues(_ANNOTATIONS.value, _PREFIX.value)
    tracks = annotations.read_tracks(_TRACKS.value) if _TRACKS.value else None
    truth = _truth([catalogue.prefix for catalogue in catalogues])
    choice: dict[str, Any] = {}
    counts: Mapping[str, int] = {}
    if by_title:
        for path, catalogue in zip(_ANNOTATIONS.value, catalogues, strict=True):
            if catalogue.artist is None or catalogue.title is None:
                raise InputError(f"{path}:1: --overlap_by=title needs the columns artist and title")
        unified = matching.unify(catalogues)
        catalogues, counts = list(unified.catalogues), unified.counts
        tracks = matching.follow(tracks, unified.renamed) if tracks else None
        choice = {"overlap_by": "title"}
    made = sampling.make_manifest(catalogues, tracks, config, _EXPERIMENT.value, _FOLDS.value)
    made = dataclasses.replace(
        made,
        truth={**made.truth, **truth},
        config={**made.config, **choice},
        counts={**counts, **made.counts},
    )
    _check_truth(made, truth)
    lists.write_manifest(_OUT.value, made, _OVERWRITE.value)
    for line in _report(made):
        print(line)
    print(f"written: {_OUT.value}")


def _by_title() -> bool:
    if _OVERLAP.value not in ("id", "title"):
        raise InputError(f"--overlap_by={_OVERLAP.value}: one of id, title")
    return _OVERLAP.value == "title"


def _truth(prefixes: Sequence[str]) -> dict[str, Sequence[tuple[str, ...]]]:
    """The truth tables that the flags name, with full tag names."""
    truth: dict[str, Sequence[tuple[str, ...]]] = {}
    if any(_TAXONOMY.value):
        if len(_TAXONOMY.value) != len(prefixes):
            raise InputError(
                f"--taxonomy={','.join(_TAXONOMY.value)}: name one table a catalogue, in the "
                "order of --annotations (nothing between commas for none)"
            )
        truth["taxonomy"] = [
            pair
            for path, prefix in zip(_TAXONOMY.value, prefixes, strict=True)
            if path
            for pair in annotations.read_taxonomy(path, prefix)
        ]
    if _TRANSLATION.value:
        truth["translation"] = annotations.read_translation(_TRANSLATION.value, prefixes)
    if _DUPLICATES.value:
        truth["duplicates"] = annotations.read_duplicates(_DUPLICATES.value, prefixes)
    return truth


def _inside(made: lists.Manifest, pairs: Sequence[tuple[str, ...]]) -> int:
    """Number of true pairs whose tags are both labels of the manifest."""
    labels = set(made.labels)
    return sum(pair[0] in labels and pair[1] in labels for pair in pairs)


def _check_truth(made: lists.Manifest, truth: dict[str, Sequence[tuple[str, ...]]]) -> None:
    for name, pairs in truth.items():
        if not _inside(made, pairs):
            raise InputError(
                f"--{name}: none of its pairs, such as {pairs[0][:2]}, is between labels such as "
                f"{made.labels[0]!r}; see the order of the tables and --prefix"
            )


def _report(made: lists.Manifest) -> Iterator[str]:
    """The summary as lines of text."""
    rows = lists.summarise(made)
    names = list(rows[0])
    width = max(len(row["part"]) for row in rows)
    for row in [{name: name for name in names}, *rows]:
        numbers = (f"{'-' if row[n] is None else row[n]:>9}" for n in names[1:])
        yield f"{row['part']:<{width}}{''.join(numbers)}"
    yield "(min, median, max: excerpts of a label)"
    for name, count in made.counts.items():
        if count or name == "tracks_matched_by_name":
            yield f"{name.replace('_', ' ')}: {count}"
    for name, pairs in made.truth.items():
        inside = _inside(made, pairs)
        yield f"{name}: {len(pairs)} true pairs, {inside} of them between labels of this manifest"


if __name__ == "__main__":
    program.run(main)
