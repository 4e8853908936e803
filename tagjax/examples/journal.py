"""Keeps the results of a build on disk, so that an interrupted build can go on.

The journal is a folder with a file for each `ROWS` excerpts, which is written atomically. Only
log-mels are kept. Excerpts that could not be decoded are tried again.
"""

import itertools
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from tagjax.base import files
from tagjax.examples import workers

_ODD = {"padded": "b", "quiet": "U", "loud": "b", "clipped": "i"}
"""{field of an outcome that is kept beside its log-mel: NumPy kind of its array}."""
ROWS = 32


def _stored(
    path: pathlib.Path, jobs: list[workers.Job], config: workers.BuildConfig
) -> dict[int, workers.Outcome]:
    """{row within the file: outcome} for these jobs; {} if the file is damaged or does not fit."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            rows, mels = arrays["rows"], arrays["mels"]
            odd = {name: arrays[name] for name in _ODD}
    except Exception:  # NumPy and zipfile raise anything on a damaged file. It is computed again.
        return {}
    shape = (config.front.frames(jobs[0][2]), config.front.n_mels)
    good = (
        rows.dtype == np.int64
        and rows.shape == (len(mels),)
        and all(odd[name].shape == rows.shape for name in _ODD)
        and all(odd[name].dtype.kind == kind for name, kind in _ODD.items())
        and mels.shape[1:] == shape
        and mels.dtype == workers.MEL_DTYPES[config.mel_dtype]
        and bool(((rows >= 0) & (rows < len(jobs))).all())
    )
    if not good:
        return {}
    columns = [odd[name].tolist() for name in _ODD]
    return {
        int(row): workers.Outcome(mel, **dict(zip(_ODD, values, strict=True)))
        for row, mel, *values in zip(rows, mels, *columns, strict=True)
    }


def log_mels(
    folder: pathlib.Path,
    jobs: list[workers.Job],
    read: workers.Reader,
    config: workers.BuildConfig,
) -> Iterator[workers.Outcome]:
    """As `workers.log_mels`, but results that are in `folder` are not computed again.

    Args:
      folder: folder only for these jobs and this configuration; made if absent.
      jobs: (path, start, duration) of all excerpts of the build.
      read: function that gives the audio of an excerpt.
      config: config of the build.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".*.tmp"):
        left.unlink()
    starts = range(0, len(jobs), ROWS)
    paths = {start: folder / f"{start:09d}.npz" for start in starts}
    chunks = {start: jobs[start : start + ROWS] for start in starts}
    kept = {start: frozenset(_stored(paths[start], chunks[start], config)) for start in starts}
    missing = [i for i in range(len(jobs)) if i % ROWS not in kept[i - i % ROWS]]
    computed = workers.log_mels([jobs[i] for i in missing], read, config)
    for start in starts:
        count = len(chunks[start])
        outcomes = _stored(paths[start], chunks[start], config)
        if kept[start] != frozenset(outcomes):
            raise OSError(f"{paths[start]} has changed while it was read")
        new = [row for row in range(count) if row not in outcomes]
        outcomes |= dict(zip(new, itertools.islice(computed, len(new)), strict=True))
        mels = {row: found.mel for row, found in outcomes.items() if found.mel is not None}
        if mels.keys() - kept[start]:
            with files.atomic_path(paths[start]) as temporary, temporary.open("wb") as file:
                odd: dict[str, Any] = {
                    name: np.array([getattr(outcomes[r], name) for r in mels]) for name in _ODD
                }
                rows = np.array(list(mels))
                np.savez(file, rows=rows, mels=np.stack(list(mels.values())), **odd)
        yield from (outcomes[row] for row in range(count))
