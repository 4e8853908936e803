"""Examples: excerpts of a manifest as log-mel tensors in a TFDS data set.

`ManifestBuilder` is what the builders under `datasets/` share. It works through the parts
of a manifest on all cores, skips what cannot be decoded and keeps count of it.
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import io
import itertools
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import soundfile
import tensorflow_datasets as tfds
from array_record.python import array_record_module
from tensorflow_datasets.core import writer as tfds_writer
from tqdm import tqdm

from tagjax import extraction, files, manifest
from tagjax.errors import InputError
from tagjax.sampling import EXPERIMENTS

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
    """

    parts: Mapping[str, manifest.Excerpts]
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    read: extraction.Reader

    @property
    def duration(self) -> float:
        """Duration of the excerpts in seconds.

        Raises:
          InputError: excerpts of several durations, or none.
        """
        name, one = self.metadata["manifest"], None
        for part, excerpts in self.parts.items():
            for row, duration in enumerate(excerpts.seg_duration.tolist()):
                one = one or duration
                if duration != one:
                    raise InputError(
                        f"{name}/{part}.csv:{row + 2}: seg_duration is {duration:g} s, before it "
                        f"{one:g} s; all excerpts must be of one duration"
                    )
        if one is None:
            raise InputError(f"{name}: no excerpts; make a manifest with some by launch.split")
        return one


def features(
    tags: tuple[str, ...], frames: int, config: extraction.BuildConfig
) -> tfds.features.FeaturesDict:
    """Features of an example; `mel` is stored as raw bytes, which is written and read fastest."""
    return tfds.features.FeaturesDict(
        {
            "mel": tfds.features.Tensor(
                shape=(frames, config.front.n_mels),
                dtype=extraction.MEL_DTYPES[config.mel_dtype],
                encoding=tfds.features.Encoding.BYTES,
            ),
            "label": tfds.features.ClassLabel(names=list(tags)),
            "sng_id": tfds.features.Text(),
            "artist_id": tfds.features.Text(),
            "album_id": tfds.features.Text(),
            "tags": tfds.features.Text(),
            "seg_start": np.float32,
            "padded": np.bool_,
        }
    )


def _paths(excerpts: manifest.Excerpts, found: Mapping[str, str] | None) -> tuple[str, ...]:
    """Path of each excerpt: as the manifest says, or by the track's id."""
    if excerpts.path is not None or found is None:
        return excerpts.path or excerpts.sng_id
    return tuple(found.get(track, "") for track in excerpts.sng_id)


def folder_source(
    manifest_dir: files.PathLike, audio_dir: files.PathLike, config: extraction.BuildConfig
) -> Source:
    """A manifest folder and the folder that holds its audio.

    Files are found by the manifest's `path` column, relative to `audio_dir`; without one, by
    name, `<sng_id>.<any extension>`, in `audio_dir` or any folder below it; an extension of
    audio goes before others, then the first path in order.

    Raises:
      InputError: as `manifest.read_manifest`; `audio_dir` is no folder, or has no file of a part.
    """
    made = manifest.read_manifest(manifest_dir)
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
                f"{pathlib.Path(manifest_dir) / name}.csv:{absent[0] + 2}: no file "
                f"{paths[absent[0]]} in {root} (one of {len(absent)} rows of this part without "
                "their file); mend it, or go on without such by --skip_missing"
            )
        if paths and not any(path and (root / path).is_file() for path in paths):
            first = paths[0] or f"{part.sng_id[0]}.*"
            raise InputError(
                f"{pathlib.Path(manifest_dir) / name}.csv:2: no {first} in {root}, nor any other "
                "file of this part; is --audio_dir right?"
            )
    read = functools.partial(
        extraction.read_file, root=str(root), rate=config.front.sample_rate, config=config.decode
    )
    return manifest_source(dataclasses.replace(made, parts=parts), read, str(manifest_dir))


def _by_name(root: pathlib.Path) -> dict[str, str]:
    """{name without extension: path relative to `root`} of all files below it."""
    files_in = (pathlib.Path(at, name) for at, _, names in os.walk(root) for name in names)
    order = sorted(files_in, key=lambda path: (path.suffix[1:].lower() not in _SUFFIXES, path))
    return {path.stem: str(path.relative_to(root)) for path in reversed(order)}


def _digest(parts: Mapping[str, manifest.Excerpts]) -> str:
    """Fingerprint of all rows of a manifest."""
    digest = hashlib.sha256()
    for name, part in parts.items():
        for field in dataclasses.fields(part):
            column = getattr(part, field.name)
            values = column if column is None else list(map(str, column))
            digest.update(repr((name, field.name, values)).encode())
    return digest.hexdigest()[:16]


def manifest_source(made: manifest.Manifest, read: extraction.Reader, name: str) -> Source:
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
                        f"{name}/{part}.csv:{row + 2}: tag {tag!r} has white space around it or a "
                        "line break; remove it"
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


class _PlainWriter(tfds_writer.ExampleWriter):
    """ArrayRecord without compression, which saves an eighth of log-mels and reads 5 x slower."""

    def write(self, path: Any, examples: Iterable[tuple[Any, bytes]]) -> None:
        writer = array_record_module.ArrayRecordWriter(os.fspath(path), "group_size:1,uncompressed")
        for _, example in examples:
            writer.write(example)
        writer.close()


class ManifestBuilder(  # type: ignore[call-arg]
    tfds.core.GeneratorBasedBuilder, skip_registration=True
):
    """Base of the builders: a subclass says what `source()` is.

    After `download_and_prepare`, `skipped` holds (part, sng_id, seg_start, path, reason) of
    what could not be decoded, and `counts` per part how many excerpts were `written`,
    `padded` and `skipped`.
    """

    VERSION = tfds.core.Version("1.0.0")
    HOMEPAGE = ""

    def __init__(self, *, build: extraction.BuildConfig | None = None, **kwargs: Any) -> None:
        self.build = build or extraction.BuildConfig()
        self.skipped: list[tuple[str, str, float, str, str]] = []
        self.counts: dict[str, dict[str, int]] = {}
        kwargs.setdefault("file_format", "array_record")
        super().__init__(**kwargs)

    def source(self) -> Source:
        """The excerpts to build.

        Raises:
          InputError: there are none, and how to get them.
        """
        raise InputError(f"{self.name}: this builder has no source")

    @functools.cached_property
    def _source(self) -> Source:
        return self.source()

    def _example_writer(self) -> tfds_writer.ExampleWriter:
        file_format = self.info.file_format
        plain = file_format == tfds.core.FileFormat.ARRAY_RECORD
        return (_PlainWriter if plain else tfds_writer.ExampleWriter)(file_format)

    def _info(self) -> tfds.core.DatasetInfo:
        source = self._source
        frames = self.build.front.frames(source.duration)
        made_with = dataclasses.asdict(self.build) | {"workers": None, "skip_missing": None}
        metadata = {**source.metadata, "build": made_with}
        _check_same(pathlib.Path(self.data_path), metadata)
        return self.dataset_info_from_configs(
            features=features(source.tags, frames, self.build),
            homepage=self.HOMEPAGE,
            disable_shuffling=False,
            metadata=tfds.core.MetadataDict(metadata),
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Iterator]:
        del dl_manager
        parts = self._source.parts
        jobs = {
            part: [
                (path, float(start), float(duration))
                for path, start, duration in zip(
                    _paths(excerpts, None), excerpts.seg_start, excerpts.seg_duration, strict=True
                )
            ]
            for part, excerpts in parts.items()
        }
        # One stream for all parts, as TFDS takes them one after the other.
        everything = [job for part in parts for job in jobs[part]]
        outcomes = extraction.log_mels(everything, self._source.read, self.build)
        return {
            part: self._generate_examples(part, excerpts, jobs[part], outcomes)
            for part, excerpts in parts.items()
        }

    def _generate_examples(
        self,
        part: str,
        excerpts: manifest.Excerpts,
        jobs: list[extraction.Job],
        outcomes: Iterator[extraction.Outcome],
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        counts = self.counts[part] = {"written": 0, "padded": 0, "skipped": 0}
        blank = ("",) * len(excerpts)
        artists, albums = excerpts.artist_id or blank, excerpts.album_id or blank
        own = itertools.islice(outcomes, len(jobs))
        progress = tqdm(own, f"build {part}", total=len(jobs), unit=" excerpts", mininterval=1.0)
        for i, outcome in enumerate(progress):
            start = float(excerpts.seg_start[i])
            if outcome.mel is None:
                path = jobs[i][0]
                if outcome.mistaken and not self.build.skip_missing:
                    raise InputError(
                        f"{self._source.metadata['manifest']}/{part}.csv:{i + 2}: {path}: "
                        f"{outcome.reason}; mend the row, or go on without such by --skip_missing"
                    )
                counts["skipped"] += 1
                self.skipped.append((part, excerpts.sng_id[i], start, path, outcome.reason))
                continue
            counts["written"] += 1
            counts["padded"] += outcome.padded
            yield (
                f"{excerpts.sng_id[i]}@{start:.4f}",
                {
                    "mel": outcome.mel,
                    "label": excerpts.label[i],
                    "sng_id": excerpts.sng_id[i],
                    "artist_id": artists[i],
                    "album_id": albums[i],
                    "tags": "|".join(excerpts.tags[i]) if excerpts.tags else "",
                    "seg_start": start,
                    "padded": outcome.padded,
                },
            )
        if not counts["written"]:
            reasons = [(path, reason) for at, *_, path, reason in self.skipped if at == part]
            raise InputError(
                f"{self._source.metadata['manifest']}/{part}.csv:2: neither this excerpt nor any "
                f"other of the part could be decoded: {reasons[0][0]}: {reasons[0][1]}"
            )


class FolderBuilder(ManifestBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Base of the builders whose manifest and audio are folders on disk.

    Args of the constructor: `manifest_dir` and `audio_dir`, by default
    `data/manifests/NAME/CONFIG` and `data/audio/NAME`; `build` and TFDS' own.
    """

    VERSION = tfds.core.Version("1.0.0")
    OWN_CONFIGS = False
    """Whether a config may have any name, not only those of `BUILDER_CONFIGS`."""

    def __init__(
        self,
        *,
        config: str | tfds.core.BuilderConfig | None = None,
        manifest_dir: files.PathLike | None = None,
        audio_dir: files.PathLike | None = None,
        **kwargs: Any,
    ) -> None:
        self._manifest_dir, self._audio_dir = manifest_dir, audio_dir
        if self.OWN_CONFIGS and isinstance(config, str):
            config = tfds.core.BuilderConfig(name=config)
        super().__init__(config=config, **kwargs)

    def _create_builder_config(self, builder_config: Any, version: Any) -> Any:
        if self.OWN_CONFIGS and builder_config:
            return builder_config  # TFDS would warn that it is in no list.
        return super()._create_builder_config(builder_config, version)

    def source(self) -> Source:
        """The manifest folder with its audio folder.

        Raises:
          InputError: one is missing, and what to do about it.
        """
        config = self.builder_config.name if self.builder_config else "default"
        folder = pathlib.Path(self._manifest_dir or f"data/manifests/{self.name}/{config}")
        if not folder.is_dir():
            raise InputError(
                f"{folder}: no such folder; put the lists train.csv, validation.csv, test.csv "
                "there, make them by launch.split, or name another folder by --manifest_dir"
            )
        source = folder_source(folder, self._audio_dir or f"data/audio/{self.name}", self.build)
        known = source.metadata["experiment"] or (config if config in EXPERIMENTS else "")
        metadata = {**source.metadata, "experiment": known}
        return dataclasses.replace(source, metadata=metadata)


def _check_same(folder: pathlib.Path, metadata: Mapping[str, Any]) -> None:
    """Refuses a folder whose examples were built from something else than `metadata` says."""
    if not (folder / "metadata.json").exists():
        return
    kept, wanted = files.read_json(folder / "metadata.json"), json.loads(json.dumps(metadata))
    for key in wanted:
        if key != "manifest" and key in kept and kept[key] != wanted[key]:
            what = {"digest": "another manifest", "build": "another --mel_dtype or configuration"}
            raise InputError(
                f"{folder}: was built from {what.get(key, f'another {key!r} in the manifest')}; "
                "remove this folder to build anew, or choose another --data_dir"
            )


def prepare(builder: ManifestBuilder) -> None:
    """Builds and reports, or says that it is built.

    Beside the examples come `build.json`, the counts, and `skipped.csv`, which excerpts could
    not be decoded and why.
    """
    folder = pathlib.Path(builder.data_dir)
    if folder.exists():
        print(f"{builder.info.full_name} is built already: {folder}")
        return
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # TFDS would speak of a download.
            builder.download_and_prepare()
    except BaseException:
        for path in (folder.parent, folder.parent.parent):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        raise
    files.write_json(folder / "build.json", {"parts": builder.counts})
    header = ("part", "sng_id", "seg_start", "path", "reason")
    files.write_table(folder / "skipped.csv", header, builder.skipped)
    for part, counts in builder.counts.items():
        print(
            f"{part:<22} {counts['written']:>8} written {counts['padded']:>6} padded "
            f"{counts['skipped']:>6} skipped"
        )
    reasons = collections.Counter(reason for *_, reason in builder.skipped)
    for reason, count in reasons.most_common(10):
        print(f"skipped {count}: {reason}")
    if builder.skipped:
        print(f"skipped excerpts are listed in {folder / 'skipped.csv'}")
    print(f"written: {folder}")
