"""Examples: excerpts of a manifest as log-mel tensors in a TFDS data set.

`ManifestBuilder` is what the builders under `datasets/` share. It works through the parts
of a manifest on all cores, skips what cannot be decoded and keeps count of it.
"""

import collections
import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tqdm import tqdm

from tagjax import extraction, files, manifest
from tagjax.errors import InputError


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
        durations = {float(d) for part in self.parts.values() for d in part.seg_duration}
        if len(durations) != 1:
            raise InputError(
                f"manifest: seg_duration must be one for all excerpts, found {sorted(durations)}"
            )
        return durations.pop()


def features(
    tags: tuple[str, ...], frames: int, config: extraction.BuildConfig
) -> tfds.features.FeaturesDict:
    """Features of an example; tensors are stored as raw bytes, which writes and reads fastest."""
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
    name, `<sng_id>.<any extension>`, in `audio_dir` or any folder below it.

    Raises:
      InputError: as `manifest.read_manifest`; or `audio_dir` is no folder.
    """
    made = manifest.read_manifest(manifest_dir)
    root = pathlib.Path(audio_dir)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the one with the audio by --audio_dir")
    parts = made.parts
    if any(part.path is None for part in parts.values()):
        found = {
            path.stem: str(path.relative_to(root))
            for path in sorted(root.rglob("*"))
            if path.is_file()
        }
        parts = {
            name: dataclasses.replace(part, path=_paths(part, found))
            for name, part in parts.items()
        }
    read = functools.partial(
        extraction.read_file, root=str(root), rate=config.front.sample_rate, config=config.decode
    )
    return manifest_source(dataclasses.replace(made, parts=parts), read, str(manifest_dir))


def manifest_source(made: manifest.Manifest, read: extraction.Reader, name: str) -> Source:
    """A manifest in memory, and the function that gives the audio of its excerpts.

    The vocabulary is all labels and tags of the manifest, sorted.
    """
    tags = set(made.labels)
    for part in made.parts.values():
        tags.update(part.label, *(part.tags or ()))
    metadata = {
        "manifest": name,
        "experiment": made.experiment,
        "systems": list(made.systems),
        "multi_label": all(part.tags is not None for part in made.parts.values()),
        "truth": {table: [list(row) for row in rows] for table, rows in made.truth.items()},
        "sampling": dict(made.config),
    }
    return Source(made.parts, tuple(sorted(tags)), metadata, read)


class ManifestBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Base of the builders: a subclass says what `source()` is.

    After `download_and_prepare`, `skipped` holds (part, sng_id, seg_start, path, reason) of
    what could not be decoded, and `counts` per part how many excerpts were `written`,
    `padded` and `skipped`.
    """

    VERSION = tfds.core.Version("1.0.0")
    HOMEPAGE = "https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags"

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

    def _info(self) -> tfds.core.DatasetInfo:
        source = self._source
        frames = self.build.front.frames(source.duration)
        return self.dataset_info_from_configs(
            features=features(source.tags, frames, self.build),
            homepage=self.HOMEPAGE,
            disable_shuffling=False,
            metadata=tfds.core.MetadataDict(
                source.metadata | {"build": dataclasses.asdict(self.build) | {"workers": None}}
            ),
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
                counts["skipped"] += 1
                path = jobs[i][0]
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
            first = f"; the first: {self.skipped[-1][3]}: {self.skipped[-1][4]}" if jobs else ""
            raise InputError(f"{self.name}: no excerpt of part {part!r} could be decoded{first}")


class FolderBuilder(ManifestBuilder, skip_registration=True):
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
        return folder_source(folder, self._audio_dir or f"data/audio/{self.name}", self.build)


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
    builder.download_and_prepare()
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
