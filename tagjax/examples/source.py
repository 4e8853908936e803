"""Where examples come from: the excerpts of a manifest, and what gives their audio."""

import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import soundfile

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.tables import read_table
from tagjax.examples import workers
from tagjax.manifest import lists
from tagjax.previews.ledger import LOCAL

PROVENANCE = "provenance.csv"
"""Table `path,source,...` in an audio folder: all that are not `LOCAL` are no whole tracks."""
_SUFFIXES = {"opus", "oga", "mp2", "aif", *map(str.lower, soundfile.available_formats())}
"""Of audio files; a track's cover or lyrics may have its name too."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Where a builder's examples come from.

    Attributes:
      parts: excerpts of each part; all of one duration.
      tags: the vocabulary, N_c tags.
      metadata: what is known beside the manifest: `experiment`, `systems`, `truth`.
      read: gives the audio of an excerpt; must be picklable, as workers call it.
      provenance: {track: where its audio is from} of what is no whole track, such as a
        30 s preview: there the excerpt begins at 0, as `seg_start` cannot be honoured.
      folder: of the audio, absolute and without links; "" where it is rendered.
    """

    parts: Mapping[str, lists.Excerpts]
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    read: workers.Reader
    provenance: Mapping[str, str] = dataclasses.field(default_factory=dict)
    folder: str = ""

    def jobs(self, part: str) -> list[workers.Job]:
        """(path, start, duration) of each excerpt of a part."""
        excerpts = self.parts[part]
        rows = zip(
            excerpts.sng_id,
            excerpts.path or excerpts.sng_id,
            excerpts.seg_start.tolist(),
            excerpts.seg_duration.tolist(),
            strict=True,
        )
        return [
            (path, 0.0 if track in self.provenance else start, duration)
            for track, path, start, duration in rows
        ]

    @property
    def name(self) -> str:
        """Of the manifest, for messages."""
        return str(self.metadata["manifest"])

    @property
    def duration(self) -> float:
        """Duration of the excerpts in seconds.

        Raises:
          InputError: excerpts of several durations, or none.
        """
        name, one = self.name, None
        for part, excerpts in self.parts.items():
            for row, duration in enumerate(excerpts.seg_duration.tolist()):
                one = one or duration
                if duration != one:
                    raise InputError(
                        f"{name}/{part}.csv:{excerpts.line_of(row)}: seg_duration is {duration:g} "
                        f"s, before it {one:g} s; all excerpts must be of one duration"
                    )
        if one is None:
            raise InputError(f"{name}: no excerpts; make a manifest with some by launch.split")
        return one


def _paths(excerpts: lists.Excerpts, found: Mapping[str, str] | None) -> tuple[str, ...]:
    """Path of each excerpt: as the manifest says, or by the track's id."""
    if excerpts.path is not None or found is None:
        return excerpts.path or excerpts.sng_id
    return tuple(found.get(track, "") for track in excerpts.sng_id)


def folder_source(
    manifest_dir: files.PathLike, audio_dir: files.PathLike, config: workers.BuildConfig
) -> Source:
    """A manifest folder and the folder that holds its audio.

    Files are found by the manifest's `path` column, relative to `audio_dir`; without one, by
    name, `<sng_id>.<any extension>`, in `audio_dir` or any folder below it; an extension of
    audio goes before others, then the first path in order.

    Raises:
      InputError: as `manifest.read_manifest`; `audio_dir` is no folder, or has no file of a part.
    """
    made = lists.read_manifest(manifest_dir)
    root = pathlib.Path(audio_dir)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the one with the audio by --audio_dir")
    parts = made.parts
    if any(part.path is None for part in parts.values()):
        found = _by_name(root)
        parts = {
            name: dataclasses.replace(part, path=_paths(part, found))
            for name, part in parts.items()
        }
    for name, part in parts.items():
        paths = part.path or ()
        absent = [i for i, path in enumerate(paths) if path and not (root / path).is_file()]
        if absent and len(absent) < len(paths) and not config.skip_missing:
            raise InputError(
                f"{pathlib.Path(manifest_dir) / name}.csv:{part.line_of(absent[0])}: no file "
                f"{paths[absent[0]]} in {root} (one of {len(absent)} rows of this part without "
                "their file); mend it, or go on without such by --skip_missing"
            )
        if paths and not any(path and (root / path).is_file() for path in paths):
            first = paths[0] or f"{part.sng_id[0]}.*"
            raise InputError(
                f"{pathlib.Path(manifest_dir) / name}.csv:{part.line_of(0)}: no {first} in {root}, "
                "nor any other file of this part; is --audio_dir right?"
            )
    provenance = _provenance(root, parts)
    read = functools.partial(
        workers.read_file, root=str(root), rate=config.front.sample_rate, config=config.decode
    )
    source = manifest_source(dataclasses.replace(made, parts=parts), read, str(manifest_dir))
    return dataclasses.replace(source, provenance=provenance, folder=str(root.resolve()))


def _provenance(root: pathlib.Path, parts: Mapping[str, lists.Excerpts]) -> dict[str, str]:
    """{track: where its audio is from} of what `provenance.csv` says is no whole track."""
    path = root / PROVENANCE
    if not path.exists():
        return {}
    table = read_table(path, ("path", "source"))
    rows = zip(table["path"], table["source"], strict=True)
    sources = {file: source for file, source in rows if source != LOCAL}
    return {
        track: sources[file]
        for part in parts.values()
        for track, file in zip(part.sng_id, part.path or (), strict=True)
        if file in sources
    }


def _by_name(root: pathlib.Path) -> dict[str, str]:
    """{name without extension: path relative to `root`} of all files below it."""
    files_in = (pathlib.Path(at, name) for at, _, names in os.walk(root) for name in names)
    order = sorted(files_in, key=lambda path: (path.suffix[1:].lower() not in _SUFFIXES, path))
    return {path.stem: str(path.relative_to(root)) for path in reversed(order)}


def _digest(parts: Mapping[str, lists.Excerpts]) -> str:
    """Fingerprint of all rows of a manifest."""
    digest = hashlib.sha256()
    for name, part in parts.items():
        for field in dataclasses.fields(part):
            if field.name == "line":  # Where it is in its file is not what it says.
                continue
            column = getattr(part, field.name)
            values = column if column is None else list(map(str, column))
            digest.update(repr((name, field.name, values)).encode())
    return digest.hexdigest()[:16]


def manifest_source(made: lists.Manifest, read: workers.Reader, name: str) -> Source:
    """A manifest in memory, and the function that gives the audio of its excerpts.

    The vocabulary is all labels and tags of the manifest, sorted. Parts without rows, which
    TFDS has no form for, are left out.

    Raises:
      InputError: a tag that begins or ends with white space or has a line break, which TFDS'
        list of names would not keep.
    """
    parts = {part: excerpts for part, excerpts in made.parts.items() if len(excerpts)}
    tags: set[str] = set()
    for part, excerpts in parts.items():
        for row, own in enumerate(excerpts.tags or zip(excerpts.label)):
            for tag in own:
                if tag not in tags and tag.strip().splitlines() != [tag]:
                    raise InputError(
                        f"{name}/{part}.csv:{excerpts.line_of(row)}: tag {tag!r} has white space "
                        "around it or a line break; remove it"
                    )
            tags.update(own)
    tags.update(made.vocabulary)
    metadata = {
        "digest": _digest(parts),
        "manifest": name,
        "experiment": made.experiment,
        "systems": list(made.systems),
        "multi_label": all(part.tags is not None for part in parts.values()),
        "truth": {table: [list(row) for row in rows] for table, rows in made.truth.items()},
        "sampling": dict(made.config),
    }
    return Source(parts, tuple(sorted(tags)), metadata, read)
