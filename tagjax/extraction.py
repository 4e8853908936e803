"""Audio to log-mels on all cores: the work of a build that TFDS has no part in.

Workers import this module and what it needs, which is little, so they start fast.
"""

import collections
import dataclasses
import functools
import itertools
import multiprocessing
import os
import pathlib
from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import threadpoolctl

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
      skip_missing: list excerpts whose file is not there, or ends before they start, among
        the skipped; if not, the first one ends the build, as the manifest is wrong. Tracks of
        lists without a `path` column are looked up by name and may always be missing.
      workers: processes that decode; None is one a core.
    """

    front: frontend.FrontendConfig = frontend.FrontendConfig()
    decode: audio.AudioConfig = audio.AudioConfig()
    mel_dtype: str = "float16"
    skip_missing: bool = False
    workers: int | None = None


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one excerpt: its log-mel, or the reason why there is none.

    Attributes:
      mel: [frames, n_mels] of `BuildConfig.mel_dtype`, or None.
      padded: whether zeros were added at its end.
      reason: why there is none.
      mistaken: whether the manifest asks for what is not there, rather than the file being bad.
    """

    mel: np.ndarray | None
    padded: bool = False
    reason: str = ""
    mistaken: bool = False


def read_file(
    path: str, start: float, duration: float, root: str, rate: int, config: audio.AudioConfig
) -> tuple[np.ndarray, bool]:
    """`audio.read_excerpt` of a path below `root`; "" stands for a file that was not found."""
    if not path:
        raise audio.AudioError("no file of this name in the audio folder")
    return audio.read_excerpt(pathlib.Path(root) / path, start, duration, rate, config)


def rendered(
    path: str, start: float, duration: float, render: Callable[[str, float, float], np.ndarray]
) -> tuple[np.ndarray, bool]:
    """A `Reader` of what is computed: `render` gives all of an excerpt's samples."""
    return render(path, start, duration), False


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _compute(jobs: list[Job], read: Reader, config: BuildConfig) -> list[Outcome]:
    """Log-mels of some excerpts; runs in a worker."""
    outcomes = []
    # One BLAS thread a worker: more fight for the same cores, and could round otherwise.
    with threadpoolctl.threadpool_limits(1, "blas"):
        for path, start, duration in jobs:
            try:
                samples, padded = read(path, start, duration)
            except audio.AudioError as error:
                mistaken = isinstance(error, audio.NoSuchExcerptError)
                outcomes.append(Outcome(None, reason=str(error), mistaken=mistaken))
                continue
            mel = frontend.log_mel(samples, config.front).astype(MEL_DTYPES[config.mel_dtype])
            outcomes.append(Outcome(mel, padded))
    return outcomes


def _pool(workers: int) -> futures.ProcessPoolExecutor:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return futures.ProcessPoolExecutor(workers, mp_context=context)


def _one_by_one(jobs: list[Job], compute: Callable[[list[Job]], list[Outcome]]) -> list[Outcome]:
    """Excerpts after one another in a process of their own, which may die and is replaced."""
    outcomes = []
    pool = _pool(1)
    try:
        for job in jobs:
            try:
                outcomes += pool.submit(compute, [job]).result()
            except BrokenProcessPool:
                outcomes.append(Outcome(None, reason="the decoder crashed"))
                pool.shutdown()
                pool = _pool(1)
    finally:
        pool.shutdown(cancel_futures=True)
    return outcomes


def log_mels(jobs: list[Job], read: Reader, config: BuildConfig) -> Iterator[Outcome]:
    """Outcomes of (path, start, duration) jobs in their order, computed on all cores.

    At most `4 * workers` chunks are in flight, so memory does not grow with the jobs. Where a
    file kills a worker, its chunk is done again, file by file, and the others follow; with one
    worker, or a single chunk, everything happens in this process, which is then lost.
    """
    chunks = (jobs[i : i + _CHUNK] for i in range(0, len(jobs), _CHUNK))
    compute = functools.partial(_compute, read=read, config=config)
    workers = config.workers or cores()
    if workers == 1 or len(jobs) <= _CHUNK:
        for chunk in chunks:
            yield from compute(chunk)
        return
    pool = _pool(workers)

    def submit(chunk: list[Job]) -> tuple[list[Job], futures.Future]:
        try:
            return chunk, pool.submit(compute, chunk)
        except BrokenProcessPool as error:
            broken: futures.Future = futures.Future()
            broken.set_exception(error)
            return chunk, broken

    try:
        pending = collections.deque(map(submit, itertools.islice(chunks, 4 * workers)))
        while pending:
            chunk, future = pending.popleft()
            try:
                outcomes = future.result()
            except BrokenProcessPool:
                pool.shutdown()
                outcomes = _one_by_one(chunk, compute)
                pool = _pool(workers)
                pending = collections.deque(submit(other) for other, _ in pending)
            pending.extend(map(submit, itertools.islice(chunks, 1)))
            yield from outcomes
    finally:
        pool.shutdown(cancel_futures=True)
