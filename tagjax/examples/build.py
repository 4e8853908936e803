"""Runs a whole build, on this machine or on Apache Beam; an interrupted build can go on."""

import contextlib
import dataclasses
import io
import pathlib
import re
import shutil
import warnings
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.progress import Progress, silently
from tagjax.examples import pool, reports
from tagjax.examples.builder import CatalogueBuilder, ManifestBuilder
from tagjax.examples.dataset import Dataset, find
from tagjax.examples.reports import BuildReport
from tagjax.examples.workers import BuildConfig
from tagjax.manifest.lists import Excerpts, Manifest
from tagjax.vocabulary.truth import write_truth

_WORTH_KEEPING = 1 << 28
"""Bytes of shards that are kept even if the user has made a mistake."""


def build(
    manifest: files.PathLike | Manifest,
    audio_dir: files.PathLike,
    data_dir: files.PathLike,
    name: str = "catalogue_split/mine",
    config: BuildConfig | None = None,
    progress: Progress = silently,
) -> Dataset:
    """Builds the log-mels of a manifest's excerpts, unless they are built already.

    `launch.build` does the same; `find` and `launch.train` find the data set by its name. A warning
    says how many excerpts were skipped. Worker processes decode the audio, and each of them first
    imports the script that calls this, so a script must call it under
    `if __name__ == "__main__":`. A notebook needs nothing.

    Args:
      manifest: a manifest's folder, or one in memory.
      audio_dir: folder of the audio that it lists.
      data_dir: TFDS' folder of data sets.
      name: name of the data set, `builder/config`.
      config: config of the examples; by default as in the paper.
      progress: passes on the excerpts of each part.

    Raises:
      InputError: the name does not have this form; the script is not guarded as above; or as
        `prepare`.

    >>> import tempfile, soundfile
    >>> from tagjax.vocabulary.vocabulary import Vocabulary
    >>> folder, parts = tempfile.mkdtemp(), {}
    >>> for part in ("train", "validation", "test"):
    ...     soundfile.write(f"{folder}/{part}.wav", np.sin(np.arange(22050)), 22050)
    ...     parts[part] = Excerpts((part,), ("rock",), np.zeros(1), np.ones(1))
    >>> manifest = Manifest(parts, Vocabulary.of(["rock"]))
    >>> build(manifest, folder, f"{folder}/tfds", config=BuildConfig(workers=0)).input_shape
    (22, 96)

    Reference: section 2.3 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*/\w[\w.+-]*", name):
        raise InputError(f"dataset {name!r}: its name must be like catalogue_split/mine")
    if isinstance(manifest, Manifest):
        parts = {part: _as_written(excerpts) for part, excerpts in manifest.parts.items()}
        manifest = dataclasses.replace(manifest, parts=parts)
    builder_name, _, config_name = name.partition("/")
    folders = {"data_dir": str(data_dir), "manifest_dir": manifest, "audio_dir": audio_dir}
    builder = CatalogueBuilder(name=builder_name, config=config_name, build=config, **folders)
    return build_with(builder, progress)


def build_with(builder: ManifestBuilder, progress: Progress = silently) -> Dataset:
    """Builds the data set of a builder unless it is built; warns if excerpts were skipped.

    Raises:
      InputError: as `prepare`.
    """
    report = prepare(builder, progress=progress)
    if report.skipped:
        warnings.warn(
            f"{report.skipped} of {report.excerpts} excerpts were skipped; "
            f"{report.folder / reports.SKIPPED} says why",
            stacklevel=3,
        )
    return find("/".join(report.folder.parts[-3:-1]), report.folder.parents[2])


def _as_written(part: Excerpts) -> Excerpts:
    """A part as it would be read back from a file, so that both give the same examples."""
    seconds = {
        column: np.round(getattr(part, column), 4) for column in ("seg_start", "seg_duration")
    }
    return dataclasses.replace(part, **seconds)


def prepare(
    builder: ManifestBuilder, beam: Any = None, progress: Progress = silently
) -> BuildReport:
    """Builds the data set of a builder, unless it is built already.

    An interrupted build goes on. Its shards are kept beside the folder of the examples until that
    is complete. The truth tables of a data set that is built already are replaced by those of the
    manifest.

    Args:
      builder: builder of the data set.
      beam: (runner, options) of Apache Beam; None builds on this machine's cores.
      progress: passes on the excerpts of each part.

    Raises:
      InputError: as the builder; or another process is building it.
    """
    pool.refuse_import()
    folder, name = pathlib.Path(builder.data_dir), builder.info.full_name
    if folder.exists():
        report = reports.read(folder, name, builder.excerpts)
        changed = write_truth(folder, builder.excerpts.truth)
        builder.sweep()  # In case the build was killed at its very end.
        return dataclasses.replace(report, built_already=True, truth_changed=changed)
    for part in builder.missing_parts:
        warnings.warn(f"the manifest has no {part}.csv; launch.train needs one", stacklevel=2)
    tfds.disable_progress_bar()
    builder.beam, builder.progress = beam, progress
    with files.locked(folder.parent, "wait for it"):
        try:
            _clear(folder)
            with contextlib.redirect_stdout(io.StringIO()):  # TFDS would print about a download.
                builder.download_and_prepare()
        except BaseException as error:
            _clear(folder)
            _leave(builder.unfinished, isinstance(error, InputError))
            raise
    return reports.read(folder, name, builder.excerpts)


def _clear(folder: pathlib.Path) -> None:
    """Removes what a killed build left half done beside `folder`."""
    for path in folder.parent.glob("*incomplete*"):
        shutil.rmtree(path)
    for path in folder.parent.glob(".unfinished_*/.*.tmp"):
        path.unlink(missing_ok=True)


def _leave(left: pathlib.Path, mistaken: bool) -> None:
    """Removes a few shards after a mistake of the user, and folders that are empty."""
    if mistaken and files.total_size(left.glob("*")) < _WORTH_KEEPING:
        shutil.rmtree(left, ignore_errors=True)
    for path in (left, *list(left.parents)[:2]):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
