"""Computes log-mels of audio on all cores, without TFDS.

Workers import only this module and the little that it needs, so they start fast.
"""

import contextlib
import dataclasses
import functools
import multiprocessing
import types
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import threadpoolctl

from tagjax.base import sound
from tagjax.examples import audio, frontend, lookup, pool

MEL_DTYPES = {"float16": np.float16, "float32": np.float32, "uint8": np.uint8}
KINDS = ("written", "padded", "skipped", "quiet", "loud", "clipped")
"""Kinds of excerpts that a build counts; all but `skipped` are also `written`."""
_CHUNK = 4
"""Excerpts given to a worker at once."""

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


def compute(
    jobs: list[Job],
    read: Reader,
    config: BuildConfig,
    lost: Mapping[int, str] = types.MappingProxyType({}),
    tell: pool.Tell = lambda place: None,
) -> Iterator[Outcome]:
    """Computes the log-mels of some excerpts, one after the other.

    An exception for an excerpt becomes the reason why it has no log-mel.

    Args:
      jobs: (path, start, duration) of the excerpts.
      read: function that gives the audio of an excerpt.
      config: config of the build.
      lost: {place in `jobs`: why this excerpt must not be tried}.
      tell: called with the place of an excerpt before it is tried, and with None after that.
    """
    # One BLAS thread for each worker: more would compete for the cores, and may round differently.
    with threadpoolctl.threadpool_limits(1, "blas"):
        for place, job in enumerate(jobs):
            if place in lost:
                yield Outcome(None, reason=lost[place])
                continue
            tell(place)
            outcome = _outcome(job, read, config)
            tell(None)
            yield outcome


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


def log_mels(jobs: list[Job], read: Reader, config: BuildConfig) -> Iterator[Outcome]:
    """Outcomes of (path, start, duration) jobs in their order, computed on all cores.

    A file that kills a worker, or takes too long, costs only its own log-mel.

    Raises:
      InputError: as `pool.run`.
    """
    chunks = (jobs[i : i + _CHUNK] for i in range(0, len(jobs), _CHUNK))
    work = functools.partial(_chunk, read=read, config=config)
    for outcomes in pool.run(work, chunks, config.workers, config.file_seconds, __name__):
        yield from outcomes


def _chunk(
    jobs: list[Job], lost: Mapping[int, str], tell: pool.Tell, read: Reader, config: BuildConfig
) -> list[Outcome]:
    return list(compute(jobs, read, config, lost, tell))
