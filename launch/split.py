"""Makes a manifest from annotations: the excerpts to show the network, each with one label.

    python -m launch.split --annotations=a.csv --tracks=tracks.csv --out=data/split

    python -m launch.split --experiment=translation --annotations=a.csv,b.csv --prefix=a:,b: \\
        --tracks=tracks.csv --translation=translation.csv --taxonomy=tax_a.csv,tax_b.csv \\
        --folds=5 --out=data/split

Annotations have the columns track_id,artist_id,album_id,tags (| between tags). Tracks have the
columns track_id,path,duration_s. By default a source annotates albums: all tracks of an album share
its tags and one label. If a source annotates tracks, say so by --annotates=track, or by the word
track in a column annotates. Catalogues without common ids can be matched by artist and title: add
the columns artist,title to their annotations and give --overlap_by=title. The manifest is a folder
with a CSV file for each part, split.json and the truth tables. The same command always makes the
same manifest.
"""

import dataclasses
import pathlib
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from absl import flags

from launch import program
from tagjax import tasks
from tagjax.base.errors import InputError
from tagjax.catalogue import annotations, matching
from tagjax.catalogue.annotations import Catalogue, Tracks
from tagjax.manifest import lists, sampling
from tagjax.vocabulary import duplicates, taxonomy, translation
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import EXPERIMENTS

_DEFAULT = sampling.SamplingConfig()

_EXPERIMENT = flags.DEFINE_string(
    "experiment", "taxonomy", f"What the manifest is for: {', '.join(EXPERIMENTS)}."
)
_ANNOTATIONS = flags.DEFINE_list("annotations", [], "Annotation tables, one for each catalogue.")
_PREFIX = flags.DEFINE_list("prefix", [], "Prefixes of their tags, one for each catalogue: a:,b:")
_ANNOTATES = flags.DEFINE_list(
    "annotates",
    [],
    "What each catalogue annotates, album or track; by default the word in its column annotates, "
    "or album without that column.",
)
_TRACKS = flags.DEFINE_string("tracks", None, "Table of tracks: track_id,path,duration_s.")
_TAXONOMY = flags.DEFINE_list(
    "taxonomy",
    [],
    "Truth tables style,genre, one for each catalogue; nothing between commas for none.",
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
    "How to find tracks that are in two catalogues: by id (track_id), or by title (also artist and "
    "title).",
)
_OUT = flags.DEFINE_string("out", None, "Folder for the manifest.")
_OVERWRITE = flags.DEFINE_boolean("overwrite", False, "Replace another manifest in --out.")

_CONFIG: dict[str, flags.FlagHolder] = {
    "top_tags": flags.DEFINE_integer(
        "top_tags", _DEFAULT.top_tags, "Tags kept in each catalogue, those with most tracks."
    ),
    "min_tracks": flags.DEFINE_integer(
        "min_tracks", _DEFAULT.min_tracks, "Tags with fewer tracks are dropped."
    ),
    "max_occurrences": flags.DEFINE_integer(
        "max_occurrences", _DEFAULT.max_occurrences, "Most excerpts of a label, over all parts."
    ),
    "seg_duration": flags.DEFINE_float(
        "seg_duration", _DEFAULT.seg_duration, "Length of an excerpt in seconds."
    ),
    "train": flags.DEFINE_float("train", _DEFAULT.train, "Share of the training part."),
    "validation": flags.DEFINE_float(
        "validation", _DEFAULT.validation, "Share of the validation part."
    ),
    "test": flags.DEFINE_float("test", _DEFAULT.test, "Share of the test part."),
    "seed": flags.DEFINE_integer("seed", _DEFAULT.seed, "Seed of all random choices."),
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
        "max_excerpts_per_track",
        _DEFAULT.max_excerpts_per_track,
        "Most excerpts of a track; 0: no limit.",
    ),
    "min_shift": flags.DEFINE_float(
        "min_shift", _DEFAULT.min_shift, "Least seconds between the starts of two excerpts."
    ),
}


def main() -> None:
    """Makes the manifest that the flags describe."""
    if not _OUT.value:
        raise InputError("--out: name the folder for the manifest")
    if _OVERLAP.value not in ("id", "title"):
        raise InputError(f"--overlap_by={_OVERLAP.value}: one of id, title")
    if _EXPERIMENT.value == "deduplication" and (
        any(_TAXONOMY.value) or _TRANSLATION.value or _DUPLICATES.value
    ):
        raise InputError(
            "--experiment=deduplication makes its own truth; leave out --taxonomy, "
            "--translation and --duplicates"
        )
    config = _config()
    catalogues = annotations.read_catalogues(_ANNOTATIONS.value, _PREFIX.value, _ANNOTATES.value)
    tracks = annotations.read_tracks(_TRACKS.value) if _TRACKS.value else None
    truth = _truth([catalogue.prefix for catalogue in catalogues])
    choice: dict[str, Any] = {}
    counts: Mapping[str, int] = {}
    if _OVERLAP.value == "title":
        catalogues, tracks, counts = _unified(catalogues, tracks)
        choice = {"overlap_by": "title"}
    manifest = sampling.make_manifest(catalogues, tracks, config, _EXPERIMENT.value, _FOLDS.value)
    manifest = dataclasses.replace(
        manifest,
        truth=manifest.truth.replaced(truth),
        config={**manifest.config, **choice},
        counts={**counts, **manifest.counts},
    )
    _check_truth(manifest, truth)
    lists.write_manifest(_OUT.value, manifest, _OVERWRITE.value)
    for line in _report(manifest):
        print(line)
    print(f"written: {_OUT.value}")
    name = re.sub(r"[^\w.+-]+", "_", pathlib.Path(_OUT.value).resolve().name)
    print(
        f"next: python -m launch.build --dataset=catalogue_split/{name.strip('_.+-') or 'mine'} "
        f"{shlex.quote(f'--manifest_dir={_OUT.value}')} --audio_dir=FOLDER"
    )


def _config() -> sampling.SamplingConfig:
    values: dict[str, Any] = {name: flag.value for name, flag in _CONFIG.items()}
    values["upsample"] = tuple(part for part in values["upsample"] if part)
    values["max_excerpts_per_track"] = values["max_excerpts_per_track"] or None
    return sampling.SamplingConfig(**values)


def _unified(
    catalogues: Sequence[Catalogue], tracks: Tracks | None
) -> tuple[list[Catalogue], Tracks | None, Mapping[str, int]]:
    """Catalogues and tracks with one id for tracks of the same artist and title; and counts."""
    for path, catalogue in zip(_ANNOTATIONS.value, catalogues, strict=True):
        if catalogue.artist is None or catalogue.title is None:
            raise InputError(f"{path}:1: --overlap_by=title needs the columns artist and title")
    unified = matching.unify(catalogues)
    tracks = matching.follow(tracks, unified.renamed) if tracks else None
    return list(unified.catalogues), tracks, unified.counts


def _truth(prefixes: Sequence[str]) -> Truth:
    """The truth tables that the flags name, with full tag names."""
    pairs: list[tuple[str, str]] = []
    if any(_TAXONOMY.value):
        if len(_TAXONOMY.value) != len(prefixes):
            raise InputError(
                f"--taxonomy={','.join(_TAXONOMY.value)}: name one table a catalogue, in the "
                "order of --annotations (nothing between commas for none)"
            )
        for path, prefix in zip(_TAXONOMY.value, prefixes, strict=True):
            pairs += taxonomy.read_taxonomy(path, prefix).pairs() if path else ()
    return Truth(
        taxonomy.Taxonomy.of(pairs) if pairs else None,
        translation.read_translation(_TRANSLATION.value, prefixes) if _TRANSLATION.value else None,
        duplicates.read_duplicates(_DUPLICATES.value, prefixes) if _DUPLICATES.value else (),
    )


def _found(manifest: lists.Manifest, truth: Truth) -> dict[str, tuple[int, int]]:
    """{table: (number of its pairs, number of those that are between labels)}."""
    labels = manifest.vocabulary.select(manifest.labels)
    found: dict[str, tuple[int, int]] = {}
    if truth.taxonomy:
        placement = taxonomy.place(truth.taxonomy, labels)
        inside = sum(map(len, placement.parents.values()))
        found["taxonomy"] = (len(truth.taxonomy.pairs()), inside)
    if truth.translation:
        counted = [r for r in truth.translation if r.relation in tasks.TaskConfig().relations]
        inside = sum({r.source, r.target} <= labels.index.keys() for r in counted)
        found["translation"] = (len(truth.translation), inside)
    if truth.duplicates:
        known = {*labels.tags, *labels.whole}
        inside = sum({*pair} <= known for pair in truth.duplicates)
        found["duplicates"] = (len(truth.duplicates), inside)
    return found


def _check_truth(manifest: lists.Manifest, truth: Truth) -> None:
    """Refuses a table named by a flag if none of its pairs is between labels."""
    for name, (_, inside) in _found(manifest, truth).items():
        if not inside:
            pair = truth.rows()[name][0][:2]
            raise InputError(
                f"--{name}: none of its pairs, such as {pair}, is between labels such as "
                f"{manifest.labels[0]!r}; see the order of the tables and --prefix"
            )


def _report(manifest: lists.Manifest) -> Iterator[str]:
    """The summary as lines of text."""
    rows = lists.summarise(manifest)
    names = list(rows[0])
    width = max(len(row["part"]) for row in rows)
    for row in [{name: name for name in names}, *rows]:
        numbers = (f"{'-' if row[n] is None else row[n]:>9}" for n in names[1:])
        yield f"{row['part']:<{width}}{''.join(numbers)}"
    yield "(min, median, max: excerpts of a label)"
    for name, count in manifest.counts.items():
        if name == "tracks_given_tags" and count:
            yield (
                f"{count} tracks get tags that they did not have, as others of their album have "
                "them (--annotates=track keeps them apart)"
            )
        elif count or name == "tracks_matched_by_name":
            yield f"{name.replace('_', ' ')}: {count}"
    for name, (pairs, inside) in _found(manifest, manifest.truth).items():
        yield f"{name}: {pairs} true pairs, {inside} of them between labels of this manifest"


if __name__ == "__main__":
    program.run(main)
