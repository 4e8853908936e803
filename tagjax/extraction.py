"""Audio to log-mels on all cores: the work of a build that TFDS has no part in.

Workers import this module and what it needs, which is little, so they start fast.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import multiprocessing
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from tagjax import audio, frontend

MEL_DTYPES = {"float16": np.float16, "float32": np.float32}
_CHUNK = 8
"""Excerpts a worker is handed at once."""

Reader = Callable[[str, float, float], tuple[np.ndarray, bool]]
"""(path, start s, duration s) -> (mono float32 audio, whether it was padded)."""

Job = tuple[str, float, float]
"""Path, start and duration in seconds of an excerpt."""


@dataclasses.dataclass(frozen=True)
class BuildConfig:
    """What the examples are made of.

    Attributes:
      front: the front end.
      decode: how excerpts are cut from files.
      mel_dtype: of the stored log-mel, `float16` or `float32`.
      workers: processes that decode; None is one a core.
    """

    front: frontend.FrontendConfig = frontend.FrontendConfig()
    decode: audio.AudioConfig = audio.AudioConfig()
    mel_dtype: str = "float16"
    workers: int | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one excerpt: its log-mel, or the reason why there is none."""

    mel: np.ndarray | None
    padded: bool = False
    reason: str = ""


def read_file(
    path: str, start: float, duration: float, root: str, rate: int, config: audio.AudioConfig
) -> tuple[np.ndarray, bool]:
    """`audio.read_excerpt` of a path below `root`; "" stands for a file that was not found."""
    if not path:
        raise audio.AudioError("no file of this name in the audio folder")
    return audio.read_excerpt(pathlib.Path(root) / path, start, duration, rate, config)


def _compute(jobs: list[Job], read: Reader, config: BuildConfig) -> list[Outcome]:
    """Log-mels of some excerpts; runs in a worker."""
    outcomes = []
    for path, start, duration in jobs:
        try:
            samples, padded = read(path, start, duration)
        except audio.AudioError as error:
            outcomes.append(Outcome(None, reason=str(error)))
            continue
        mel = frontend.log_mel(samples, config.front).astype(MEL_DTYPES[config.mel_dtype])
        outcomes.append(Outcome(mel, padded))
    return outcomes


def log_mels(jobs: list[Job], read: Reader, config: BuildConfig) -> Iterator[Outcome]:
    """Outcomes of (path, start, duration) jobs in their order, computed on all cores.

    At most a few chunks a worker are in flight, so memory does not grow with the jobs.
    """
    chunks = (jobs[i : i + _CHUNK] for i in range(0, len(jobs), _CHUNK))
    compute = functools.partial(_compute, read=read, config=config)
    workers = config.workers or multiprocessing.cpu_count()
    if workers == 1 or len(jobs) <= _CHUNK:
        for chunk in chunks:
            yield from compute(chunk)
        return
    context = multiprocessing.get_context("forkserver")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        pending: collections.deque[concurrent.futures.Future] = collections.deque()
        for chunk in chunks:
            pending.append(pool.submit(compute, chunk))
            if len(pending) > 4 * workers:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()
