"""A build from start to report: on this machine or on Apache Beam, interrupted or not."""

import collections
import contextlib
import hashlib
import io
import json
import pathlib
import shutil
import warnings
from typing import Any

import tensorflow_datasets as tfds

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.examples import journal
from tagjax.examples.builder import EmptyPartError, ManifestBuilder

_WORTH_KEEPING = 2048 // journal.ROWS
"""Files of a journal."""


def _journal(builder: ManifestBuilder) -> pathlib.Path:
    """Folder for what is computed; other excerpts, audio or configuration have another one."""
    source = builder._source
    made_of = {
        **builder.info.metadata,
        "manifest": None,  # How its folder is spelt; `jobs` and `digest` are what is in it.
        "left_out": builder.left_out,
        "folder": source.folder,
        "provenance": source.provenance,
        "jobs": [source.jobs(part) for part in source.parts],
    }
    metadata = json.dumps(made_of, sort_keys=True, default=str)
    digest = hashlib.sha256(metadata.encode()).hexdigest()[:16]
    return pathlib.Path(builder.data_dir).parent / f".unfinished_{digest}"


def _clear(folder: pathlib.Path) -> None:
    """Removes what a killed build left beside the place of `folder`."""
    for path in folder.parent.glob("*incomplete*"):
        shutil.rmtree(path)


def _attempt(builder: ManifestBuilder, config: Any) -> None:
    """Builds; a part that comes out empty and may be missing is then one of `left_out`."""
    builder.journal = _journal(builder)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # TFDS would speak of a download.
            builder.download_and_prepare(download_config=config)
    except EmptyPartError as part:
        warnings.warn(f"nothing of the part {part} can be decoded; it is left out", stacklevel=3)


def _leave(left: pathlib.Path, mistaken: bool) -> None:
    """Removes a journal that a mistake of the user's left, unless there is much to go on with."""
    if mistaken and len(list(left.glob("*"))) < _WORTH_KEEPING:
        shutil.rmtree(left, ignore_errors=True)
    for path in (left, *list(left.parents)[:2]):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def prepare(builder: ManifestBuilder, beam: Any = None) -> None:
    """Builds and reports, or says that it is built.

    An interrupted build goes on: what it had computed lies beside the place of the examples
    until they are there.

    Args:
      builder: of the data set.
      beam: (runner, options) of Apache Beam to build on; None: this machine's cores.

    Raises:
      InputError: as the builder; or another process is building it.
    """
    folder = pathlib.Path(builder.data_dir)
    if folder.exists():
        print(f"{builder.info.full_name} is built already: {folder}")
        return
    for part in builder.missing_parts:
        warnings.warn(f"the manifest has no {part}.csv; launch.train needs one", stacklevel=2)
    tfds.disable_progress_bar()
    builder.on_beam = beam is not None
    config = None
    if beam is not None:
        config = tfds.download.DownloadConfig(beam_runner=beam[0], beam_options=beam[1])
    with files.locked(folder.parent, "wait for it"):
        try:
            _clear(folder)
            while not folder.exists():
                _attempt(builder, config)
            for left in folder.parent.glob(".unfinished_*"):
                shutil.rmtree(left)
        except BaseException as error:
            _leave(_journal(builder), isinstance(error, InputError))
            raise
    _report(builder, folder)


def _report(builder: ManifestBuilder, folder: pathlib.Path) -> None:
    for part, counts in builder.counts.items():
        print(
            f"{part:<22} {counts['written']:>8} written {counts['padded']:>6} padded "
            f"{counts['skipped']:>6} skipped"
        )
    if builder.from_elsewhere:
        print(
            f"{builder.from_elsewhere} excerpts are of previews: they begin where the preview "
            "does, whatever seg_start says (the feature provenance tells them)"
        )
    reasons = collections.Counter(reason for *_, reason in builder.skipped)
    for reason, count in reasons.most_common(10):
        print(f"skipped {count}: {reason}")
    if builder.skipped:
        print(f"skipped excerpts are listed in {folder / 'skipped.csv'}")
        print(f"what that leaves of each tag is in {folder / 'coverage.csv'}")
    print(f"written: {folder}")
