"""Outcomes of a build on disk as they come, so that an interrupted build goes on.

A folder with a file for each `ROWS` excerpts, written whole or not at all. Only log-mels are
kept: what could not be decoded is tried again.
"""

import itertools
import pathlib
import zipfile
from collections.abc import Iterator

import numpy as np

from tagjax import extraction, files

ROWS = 32


def _read(path: pathlib.Path, name: str) -> np.ndarray | None:
    """One array of a file; None if there is none, or it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays[name]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _stored(path: pathlib.Path) -> dict[int, extraction.Outcome]:
    """{row within the file: outcome}."""
    rows, mels, padded = (_read(path, name) for name in ("rows", "mels", "padded"))
    if rows is None or mels is None or padded is None:
        return {}
    return {
        int(row): extraction.Outcome(mel, bool(pad))
        for row, mel, pad in zip(rows, mels, padded, strict=True)
    }


def log_mels(
    folder: pathlib.Path,
    jobs: list[extraction.Job],
    read: extraction.Reader,
    config: extraction.BuildConfig,
) -> Iterator[extraction.Outcome]:
    """As `extraction.log_mels`, but what is in `folder` is not computed again.

    Args:
      folder: of these jobs and this configuration alone; made if absent.
      jobs: (path, start, duration) of all excerpts of the build.
      read: gives the audio of an excerpt.
      config: of the build.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(".*.tmp"):
        left.unlink()
    starts = range(0, len(jobs), ROWS)
    paths = {start: folder / f"{start:09d}.npz" for start in starts}
    kept = {start: frozenset(_stored(path)) for start, path in paths.items()}
    missing = [i for i in range(len(jobs)) if i % ROWS not in kept[i - i % ROWS]]
    computed = extraction.log_mels([jobs[i] for i in missing], read, config)
    for start in starts:
        count = min(ROWS, len(jobs) - start)
        outcomes = _stored(paths[start])
        if kept[start] != frozenset(outcomes):
            raise OSError(f"{paths[start]} has changed while it was read")
        new = [row for row in range(count) if row not in outcomes]
        outcomes |= dict(zip(new, itertools.islice(computed, len(new)), strict=True))
        mels = {row: one.mel for row, one in outcomes.items() if one.mel is not None}
        if mels.keys() - kept[start]:
            with files.atomic_path(paths[start]) as temporary, temporary.open("wb") as file:
                padded = np.array([outcomes[row].padded for row in mels])
                rows = np.array(list(mels))
                np.savez(file, rows=rows, mels=np.stack(list(mels.values())), padded=padded)
        yield from (outcomes[row] for row in range(count))
