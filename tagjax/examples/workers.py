"""Computes log-mels of audio on all cores, without TFDS.

Workers import only this module and the little that it needs, so they start fast.
"""

import collections
import contextlib
import dataclasses
import functools
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np
import threadpoolctl

from tagjax.base import sound
from tagjax.base.errors import InputError
from tagjax.examples import audio, frontend, lookup

MEL_DTYPES = {"float16": np.float16, "float32": np.float32, "uint8": np.uint8}
KINDS = ("written", "padded", "skipped", "quiet", "loud", "clipped")
"""Kinds of excerpts that a build counts; all but `skipped` are also `written`."""
_CHUNK = 4
"""Excerpts given to a worker at once."""
_TRIES = 5
"""Tries to decode a file if the decoder is killed from outside."""
_UNGUARDED = (
    "the workers of a build end before they begin, as each of them first imports your script; put "
    'what the script does under `if __name__ == "__main__":`, or take BuildConfig(workers=0)'
)

Reader = Callable[[str, float, float], tuple]
"""(path, start in s, duration in s) -> all fields of an `audio.Excerpt`, or only the first few."""

Job = tuple[str, float, float]
"""Path, start and duration in seconds of an excerpt."""


@dataclasses.dataclass(frozen=True)
class BuildConfig:
    """How the examples are made.

    Attributes:
      front: the front end.
      decode: how excerpts are cut from files.
      mel_dtype: type of the stored log-mel: `float16`, `float32`, or `uint8` in steps of
        `frontend.UINT8_STEP`.
      strict: whether the build ends at an excerpt whose file does not exist, or ends before the
        excerpt starts. If not, it is skipped and listed like one that cannot be decoded.
      workers: number of processes that decode. None is one for each core. 0 decodes in this
        process, which a file may then crash or hang.
      file_seconds: a file that takes longer is skipped.
    """

    front: frontend.FrontendConfig = frontend.FrontendConfig()
    decode: audio.AudioConfig = audio.AudioConfig()
    mel_dtype: str = "float16"
    strict: bool = False
    workers: int | None = None
    file_seconds: float = 30.0


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result for one excerpt: its log-mel, or the reason why there is none.

    Attributes:
      mel: [frames, n_mels] of `BuildConfig.mel_dtype`, or None.
      padded: whether zeros were added at its end.
      reason: why there is no log-mel.
      mistaken: whether the file does not exist, or ends before the excerpt starts.
      quiet: why nothing can be heard, if such excerpts are kept.
      loud: whether the amplitude is far above full scale.
      clipped: number of frames that are too loud for `BuildConfig.mel_dtype`.
    """

    mel: np.ndarray | None
    padded: bool = False
    reason: str = ""
    mistaken: bool = False
    quiet: str = ""
    loud: bool = False
    clipped: int = 0

    @property
    def kinds(self) -> tuple[str, ...]:
        """The `KINDS` that it belongs to."""
        if self.mel is None:
            return ("skipped",)
        odd = {
            "padded": self.padded,
            "quiet": bool(self.quiet),
            "loud": self.loud,
            "clipped": self.clipped > 0,
        }
        return ("written", *(kind for kind, is_so in odd.items() if is_so))


def read_file(
    path: str, start: float, duration: float, root: str, rate: int, config: audio.AudioConfig
) -> audio.Excerpt:
    """`audio.read_excerpt` of a path below `root`; "" stands for a file that was not found.

    A worker discards what C libraries write to stderr. Other processes do not, because their other
    threads may be using stderr.
    """
    if not path:
        raise audio.AudioError("no file of this name in the audio folder")
    is_worker = multiprocessing.parent_process() is not None
    with sound.quiet() if is_worker else contextlib.nullcontext():
        return audio.read_excerpt(lookup.on_disk(root, path), start, duration, rate, config)


def rendered(
    path: str, start: float, duration: float, render: Callable[[str, float, float], np.ndarray]
) -> tuple[np.ndarray, bool]:
    """A `Reader` of rendered audio: `render` gives all of an excerpt's samples."""
    return render(path, start, duration), False


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def compute(jobs: list[Job], read: Reader, config: BuildConfig) -> list[Outcome]:
    """Computes the log-mels of some excerpts, one after the other; runs in a worker.

    An exception for an excerpt becomes the reason why it has no log-mel.
    """
    # One BLAS thread for each worker: more would compete for the cores, and may round differently.
    with threadpoolctl.threadpool_limits(1, "blas"):
        return [_outcome(job, read, config) for job in jobs]


def _outcome(job: Job, read: Reader, config: BuildConfig) -> Outcome:
    try:
        excerpt = audio.Excerpt(*read(*job))
        mel, dtype = frontend.log_mel(excerpt.samples, config.front), MEL_DTYPES[config.mel_dtype]
        return Outcome(
            frontend.stored(mel, dtype),
            excerpt.padded,
            quiet=excerpt.quiet,
            loud=excerpt.loud,
            clipped=frontend.clipped(mel, dtype),
        )
    except audio.AudioError as error:
        mistaken = isinstance(error, audio.MissingFileError | audio.PastEndError)
        return Outcome(None, reason=str(error), mistaken=mistaken)
    except Exception as error:  # One file must never end a build.
        return Outcome(None, reason=audio.described(error))


def _start_worker() -> None:
    """Makes a worker ignore interrupts, which its parent handles, and end with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def refuse_import() -> None:
    """Ends a worker that is importing the script of its parent, and comes to a build in it.

    Raises:
      SystemExit: this process is such a worker. It says nothing, as its parent does.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(_UNGUARDED)


class _Pool:
    """Worker processes that can be killed at any time."""

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        self._executor = futures.ProcessPoolExecutor(workers, context, _start_worker)
        self._workers: list[Any] = []

    def submit(self, work: Callable[[list[Job]], list[Outcome]], jobs: list[Job]) -> Any:
        try:
            future = self._executor.submit(work, jobs)
            self._workers = list((self._executor._processes or {}).values())
            return future
        except BrokenProcessPool as error:
            broken: futures.Future = futures.Future()
            broken.set_exception(error)
            return broken

    def kill(self) -> bool:
        """Kills the workers; returns whether one died of SIGKILL, now or before."""
        for process in self._workers:
            process.kill()
        self._executor.shutdown(cancel_futures=True)
        return any(process.exitcode == -signal.SIGKILL for process in self._workers)

    @property
    def failed_to_start(self) -> bool:
        """Whether a worker that is gone ended by itself with an error."""
        return any(process.exitcode == 1 for process in self._workers)

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)


def _ready(work: Callable[[list[Job]], list[Outcome]]) -> _Pool:
    """A pool with one worker, returned once the worker has started.

    Raises:
      BrokenProcessPool: three workers in a row died before they had any work.
      InputError: they did so because they cannot import the program's script.
    """
    for left in (2, 1, 0):
        pool = _Pool(1)
        try:
            pool.submit(work, []).result()
            break
        except BrokenProcessPool:
            pool.kill()
            if pool.failed_to_start:
                raise InputError(_UNGUARDED) from None
            if not left:
                raise
    return pool


def _one_by_one(
    jobs: list[Job], work: Callable[[list[Job]], list[Outcome]], seconds: float
) -> list[Outcome]:
    """Computes excerpts one by one in a separate process, which is replaced if it dies.

    A process that dies of SIGKILL was killed from outside, by a system that ran out of memory. Its
    file is then tried again, but at most `_TRIES` times, because the file itself may use up the
    memory.
    """
    outcomes = []
    pool = _ready(work)
    try:
        for job in jobs:
            for left in reversed(range(_TRIES)):
                try:
                    outcomes += pool.submit(work, [job]).result(timeout=seconds)
                    break
                except BrokenProcessPool:
                    reason, last = "the decoder crashed", not left
                except TimeoutError:
                    reason, last = f"not decoded within {seconds:g} s", True
                killed = pool.kill()
                pool = _ready(work)
                if last or not killed:
                    outcomes.append(Outcome(None, reason=reason))
                    break
    finally:
        pool.kill()
    return outcomes


def log_mels(jobs: list[Job], read: Reader, config: BuildConfig) -> Iterator[Outcome]:
    """Outcomes of (path, start, duration) jobs in their order, computed on all cores.

    At most `4 * workers` chunks are in flight, so memory does not grow with the number of jobs. If
    a file kills a worker, or takes too long, its chunk is computed again, file by file, before the
    others.

    Raises:
      InputError: a script that is not guarded by `if __name__ == "__main__":` calls it.
    """
    chunks = (jobs[i : i + _CHUNK] for i in range(0, len(jobs), _CHUNK))
    work = functools.partial(compute, read=read, config=config)
    workers = cores() if config.workers is None else config.workers
    if not workers:
        for chunk in chunks:
            yield from work(chunk)
        return
    if not jobs:
        return
    workers = min(workers, -(-len(jobs) // _CHUNK))
    pool = _Pool(workers)
    try:
        pending = collections.deque(
            (chunk, pool.submit(work, chunk)) for chunk in itertools.islice(chunks, 4 * workers)
        )
        while pending:
            chunk, future = pending.popleft()
            try:
                outcomes = future.result(timeout=config.file_seconds * len(chunk))
            except (BrokenProcessPool, TimeoutError):
                pool.kill()
                outcomes = _one_by_one(chunk, work, config.file_seconds)
                pool = _Pool(workers)
                pending = collections.deque(
                    (other, was if _succeeded(was) else pool.submit(work, other))
                    for other, was in pending
                )
            pending.extend((more, pool.submit(work, more)) for more in itertools.islice(chunks, 1))
            yield from outcomes
    finally:
        pool.close()


def _succeeded(future: futures.Future) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
