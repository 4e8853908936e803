"""Decoding of excerpts: whatever libsndfile reads, only the seconds that are asked for."""

import dataclasses
import os
import stat

import numpy as np
import soundfile
import soxr

from tagjax.examples import frontend

MAX_CHANNELS = 64
SAMPLE_RATES = (2_000, 768_000)
_PREROLL = 0.1
"""Seconds decoded before an excerpt and thrown away: MP3 needs two frames to get going."""
_BLOCK = 1 << 22
"""Samples decoded at once."""
LOUDEST = 1e12
"""Larger samples, which no recording has, would overflow in a float32 power spectrum."""


class AudioError(Exception):
    """A track that cannot be used; its message is the reason, in a few words."""


class NoSuchExcerptError(AudioError):
    """There is no such file, or it says that it ends before the excerpt starts.

    The mistake is the manifest's and not the file's.
    """


@dataclasses.dataclass(frozen=True)
class AudioConfig:
    """How an excerpt is cut.

    Attributes:
      min_coverage: an excerpt with less sound than this share of its duration is refused
        as too short; with more, it is padded with zeros at the end and counted as padded.
      resampler: quality name of soxr.
    """

    min_coverage: float = 0.5
    resampler: str = "HQ"


def read_excerpt(
    path: str | os.PathLike[str],
    start: float,
    duration: float,
    sample_rate: int = 22050,
    config: AudioConfig | None = None,
) -> tuple[np.ndarray, bool]:
    """Reads an excerpt as the paper does: channels summed, resampled (section 2.3).

    Args:
      path: an audio file in any format that libsndfile knows by its content.
      start: seconds from the beginning of the track.
      duration: seconds.
      sample_rate: of the result, in Hz.
      config: what to do with short audio.

    Returns:
      (float32 [round(duration * sample_rate)], whether zeros were added at its end).

    Raises:
      AudioError: not a file, not audio, no samples, samples that are not finite or beyond
        `LOUDEST`, `start` past the end, or too little sound after it.
    """
    config = config or AudioConfig()
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: NUL
        raise NoSuchExcerptError("no such file") from None
    except OSError as error:
        raise AudioError(f"cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise AudioError("not a file")
    if not found.st_size:
        raise AudioError("empty file")
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            if not SAMPLE_RATES[0] <= rate <= SAMPLE_RATES[1] or file.channels > MAX_CHANNELS:
                raise AudioError(f"implausible header: {rate} Hz, {file.channels} channels")
            first = round(start * rate)
            early = min(first, round(_PREROLL * rate))
            if first:
                _check_start(file, first, start)
                file.seek(first - early)
            wanted = round(duration * rate)
            mono = _read_summed(file, early + wanted)[early:]
    except TypeError:  # soundfile wants to be told what is in a .raw file
        raise AudioError("not decodable: no header") from None
    except (soundfile.LibsndfileError, RuntimeError) as error:
        if not os.path.exists(path):  # It was there when the manifest was read.
            raise NoSuchExcerptError("no such file") from None
        reason = getattr(error, "error_string", str(error)).strip().rstrip(".")
        if "does not exist" in reason:  # libsndfile's word for text that is named .mp3
            reason = "Format not recognised"
        raise AudioError(f"not decodable: {reason}") from None
    if not len(mono):
        raise AudioError(f"start {start:g} s is past the end" if first else "no samples")
    if not np.abs(mono).max() <= LOUDEST:  # NaN is not <= anything
        raise AudioError("samples that are not finite numbers, or absurdly large")
    seconds = len(mono) / rate
    if seconds < config.min_coverage * duration:
        raise AudioError(f"too short: {seconds:.1f} s of sound for {duration:g} s")
    samples, short = round(duration * sample_rate), len(mono) < wanted
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate, quality=config.resampler)
    return np.pad(mono[:samples], (0, max(0, samples - len(mono)))), short


def _read_summed(file: soundfile.SoundFile, frames: int) -> np.ndarray:
    """The next frames, channels summed: float32 [at most `frames`].

    A block at a time, so that many channels need no more memory than one.
    """
    mono = np.empty(frames, np.float32)
    size, got = max(1, _BLOCK // file.channels), 0
    each = np.ones(file.channels, np.float32)
    while got < frames:
        block = file.read(min(size, frames - got), dtype="float32", always_2d=True)
        if not len(block):
            break
        mono[got : got + len(block)] = block @ each  # sum(axis=1) takes as long as decoding.
        got += len(block)
    return mono[:got]


def _check_start(file: soundfile.SoundFile, first: int, start: float) -> None:
    if file.frames <= first:
        raise NoSuchExcerptError(
            f"start {start:g} s is past the end at {file.frames / file.samplerate:.1f} s"
        )


def read_log_mel(
    path: str | os.PathLike[str],
    start: float,
    duration: float,
    front: frontend.FrontendConfig | None = None,
    config: AudioConfig | None = None,
) -> tuple[np.ndarray, bool]:
    """`read_excerpt`, then `frontend.log_mel`: (float32 [frames, n_mels], padded)."""
    front = front or frontend.FrontendConfig()
    audio, padded = read_excerpt(path, start, duration, front.sample_rate, config)
    return frontend.log_mel(audio, front), padded
