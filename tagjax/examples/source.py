"""The source of examples: the excerpts of a manifest, and a function that reads their audio."""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Mapping
from typing import Any

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.examples import workers
from tagjax.examples.lookup import find_by_id, on_disk
from tagjax.examples.provenance import read_provenance
from tagjax.manifest import lists
from tagjax.vocabulary.truth import Truth
from tagjax.vocabulary.vocabulary import Vocabulary

_LOOKED_AT = 100
"""Number of files; if none of the first so many exists, the folder is not the manifest's."""


@dataclasses.dataclass(frozen=True)
class ExcerptSource:
    """The source of a builder's examples.

    Attributes:
      parts: excerpts of each part; all have one duration.
      vocabulary: N_c tags, in the order of the labels.
      metadata: recorded facts about the manifest, such as its `experiment`.
      read: function that gives the audio of an excerpt; must be picklable, as workers call it.
      truth: truth tables of the manifest.
      provenance: {track: origin of its audio} for audio that is not a whole track, such as a 30 s
        preview. Its excerpt begins at 0, because `seg_start` does not apply.
      folder: absolute path of the audio folder, without links; "" if the audio is rendered.
    """

    parts: Mapping[str, lists.Excerpts]
    vocabulary: Vocabulary
    metadata: Mapping[str, Any]
    read: workers.Reader
    truth: Truth = Truth()
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
        """Name of the manifest, for messages."""
        return str(self.metadata["manifest"])

    @property
    def duration(self) -> float:
        """Duration of the excerpts in seconds.

        Raises:
          InputError: excerpts have several durations, or there are none.
        """
        first = None
        for part, excerpts in self.parts.items():
            for row, duration in enumerate(excerpts.seg_duration.tolist()):
                first = first or duration
                if duration != first:
                    raise InputError(
                        f"{self.name}/{part}.csv:{excerpts.line_of(row)}: seg_duration is "
                        f"{duration:g} s, before it {first:g} s; all excerpts must be of one "
                        "duration"
                    )
        if first is None:
            raise InputError(f"{self.name}: no excerpts; make a manifest with some by launch.split")
        return first

    @property
    def previews(self) -> int:
        """Number of excerpts to which `seg_start` does not apply; see `provenance`."""
        tracks = (track for part in self.parts.values() for track in part.sng_id)
        return sum(track in self.provenance for track in tracks)


def folder_source(
    manifest: files.PathLike | lists.Manifest,
    audio_dir: files.PathLike,
    config: workers.BuildConfig,
) -> ExcerptSource:
    """A manifest and the folder that holds its audio.

    Files are found by the manifest's `path` column, relative to `audio_dir`. Without that column
    they are found by their name, `<sng_id>.<any extension>` (see `find_by_id`). Missing files are
    skipped later.

    Args:
      manifest: folder of a manifest; or one in memory, called "manifest" in messages.
      audio_dir: folder of the audio.
      config: config of the build.

    Raises:
      InputError: as `manifest.read_manifest` and `find_by_id`; `audio_dir` is not a folder, or has
        none of the first files of the manifest; or a file is missing and the build is strict.
    """
    if isinstance(manifest, lists.Manifest):
        name, listed = "manifest", manifest
    else:
        name, listed = str(manifest), lists.read_manifest(manifest)
    root = pathlib.Path(audio_dir)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the one with the audio by --audio_dir")
    parts = _with_paths(listed.parts, root)
    check = _check_all_there if config.strict else _check_some_there
    check(parts, name, root)
    read = functools.partial(
        workers.read_file, root=str(root), rate=config.front.sample_rate, config=config.decode
    )
    source = manifest_source(dataclasses.replace(listed, parts=parts), read, name)
    origins = read_provenance(root)
    provenance = {
        track: origins[path]
        for part in parts.values()
        for track, path in zip(part.sng_id, part.path or (), strict=True)
        if path in origins
    }
    return dataclasses.replace(source, provenance=provenance, folder=str(root.resolve()))


def _with_paths(
    parts: Mapping[str, lists.Excerpts], root: pathlib.Path
) -> Mapping[str, lists.Excerpts]:
    """The parts with the path of each excerpt, from the manifest or by the track's id."""
    if all(part.path is not None for part in parts.values()):
        return parts
    tracks = (track for part in parts.values() if part.path is None for track in part.sng_id)
    found = find_by_id(root, tracks)
    return {
        name: part
        if part.path is not None
        else dataclasses.replace(part, path=tuple(found.get(track, "") for track in part.sng_id))
        for name, part in parts.items()
    }


def _check_all_there(parts: Mapping[str, lists.Excerpts], name: str, root: pathlib.Path) -> None:
    """Refuses a manifest with a row whose file does not exist."""
    for part_name, part in parts.items():
        paths = part.path or ()
        absent = [i for i, path in enumerate(paths) if not (path and on_disk(root, path).is_file())]
        if absent:
            path = paths[absent[0]] or f"{part.sng_id[absent[0]]}.*"
            raise InputError(
                f"{pathlib.Path(name) / part_name}.csv:{part.line_of(absent[0])}: no file {path} "
                f"in {root} (one of {len(absent)} rows of this part without their file); mend it, "
                "or leave out --strict"
            )


def _check_some_there(parts: Mapping[str, lists.Excerpts], name: str, root: pathlib.Path) -> None:
    """Refuses a folder that has none of the first files of a manifest: it must be a wrong folder.

    Files that were looked up by id and not found are not counted, as the folder was searched.
    """
    seen: set[str] = set()
    for path in (path for part in parts.values() for path in part.path or () if path):
        if on_disk(root, path).is_file():
            return
        seen.add(path)
        if len(seen) == _LOOKED_AT:
            break
    part_name, first = next((item for item in parts.items() if len(item[1])), ("", None))
    if first is None or first.path is None:
        return  # A manifest without rows raises another error.
    missing = first.path[0] or f"{first.sng_id[0]}.*"
    others = f"the other first {_LOOKED_AT} files" if len(seen) == _LOOKED_AT else "any other file"
    raise InputError(
        f"{pathlib.Path(name) / part_name}.csv:{first.line_of(0)}: no {missing} in {root}, nor "
        f"{others} of the manifest; is --audio_dir right?"
    )


def manifest_source(manifest: lists.Manifest, read: workers.Reader, name: str) -> ExcerptSource:
    """The source of a manifest in memory and a function that gives the audio of its excerpts.

    Parts without rows are left out, because TFDS cannot store them.

    Args:
      manifest: the manifest.
      read: function that gives the audio of an excerpt.
      name: name of the manifest, for messages.

    Raises:
      InputError: a tag has a line break, or white space at an end, which TFDS would not keep.
    """
    parts = {part: excerpts for part, excerpts in manifest.parts.items() if len(excerpts)}
    for tag in manifest.vocabulary.tags:
        if tag.strip().splitlines() != [tag]:
            raise InputError(
                f"{name}: tag {tag!r} has white space around it or a line break; remove it"
            )
    metadata = {
        "digest": _digest(parts),
        "manifest": name,
        "experiment": manifest.experiment,
        "vocabulary": manifest.vocabulary.record(),
        "multi_label": all(part.tags is not None for part in parts.values()),
        "sampling": dict(manifest.config),
    }
    return ExcerptSource(parts, manifest.vocabulary, metadata, read, manifest.truth)


def _digest(parts: Mapping[str, lists.Excerpts]) -> str:
    """Fingerprint of all rows of a manifest."""
    digest = hashlib.sha256()
    for name, part in parts.items():
        for field in dataclasses.fields(part):
            if field.name == "line":  # The line in a file is not content.
                continue
            column = getattr(part, field.name)
            values = column if column is None else list(map(str, column))
            digest.update(repr((name, field.name, values)).encode())
    return digest.hexdigest()[:16]
