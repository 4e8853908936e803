"""Decodes excerpts of any file that libsndfile reads, and only the requested seconds."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from tagjax.base import mpeg, sound, streams
from tagjax.examples import frontend

MAX_CHANNELS = 64
SAMPLE_RATES = (2_000, 768_000)
_PREROLL = 0.1
"""Seconds decoded before an excerpt and thrown away: an MP3 decoder needs some frames to start."""
_THIN = 6000
"""Bytes per second of MP3. Below it, the bits of a frame may lie many frames before the frame."""
_THIN_PREROLL = 2.5
"""Seconds decoded before an excerpt of such a file."""
_BLOCK = 1 << 16
"""Frames decoded, or looked at, at once. They fit into a core's cache."""
_PIECE = 1 << 14
"""Frames whose channels are summed at once."""
_SLACK = 4096
"""Samples in MP3 frames that are not sound: encoders pad both ends, and decoders remove that."""
_MOMENT = 0.1
"""Length in seconds of a moment, which as a whole is silent or not."""
_FOREVER = 1e9
"""In seconds. A header with a longer duration does not know it."""
LOUDEST = 1e12
"""Larger samples would overflow in a float32 power spectrum; no recording has them."""


class AudioError(Exception):
    """A track cannot be used; the message is the reason, in a few words."""


class MissingFileError(AudioError):
    """The file does not exist."""


class PastEndError(AudioError):
    """The file ends before the excerpt begins."""


@dataclasses.dataclass(frozen=True)
class AudioConfig:
    """How an excerpt is cut, and which excerpts are refused.

    Attributes:
      min_coverage: an excerpt with less sound than this share of its duration is refused as too
        short. An excerpt with more is padded with zeros at the end and counted as padded.
      resampler: quality name of soxr.
      skip_silent: whether to refuse excerpts that are silent, nearly silent, or whose channels
        cancel when they are summed.
      silence: RMS amplitude below which a moment is silent, where full scale is 1. It is -60 dB,
        the default of ffmpeg's `silencedetect`.
      min_audible: an excerpt is nearly silent if a smaller share of its moments is audible.
      min_sum: power of the summed channels divided by the sum of their powers, below which the
        channels cancel. It is 2 for mono as stereo, and 1 for unrelated channels.
      loud: an excerpt is loud if the mean of its channels has a larger amplitude. No mastering
        reaches 4 times full scale, but floats on the scale of 16-bit integers do.
    """

    min_coverage: float = 0.5
    resampler: str = "HQ"
    skip_silent: bool = True
    silence: float = 1e-3
    min_audible: float = 0.1
    min_sum: float = 0.01
    loud: float = 4.0


class Excerpt(NamedTuple):
    """Sound of an excerpt, with flags for unusual sound."""

    samples: np.ndarray
    """float32 [round(duration * sample rate)], mono."""
    padded: bool = False
    """Whether zeros were added at its end."""
    quiet: str = ""
    """Why nothing can be heard: `silent`, `nearly silent`, or `channels cancel in their sum`."""
    loud: bool = False
    """Whether the amplitude is far above full scale."""
    channels: int = 1
    """Number of channels whose sum it is."""


class _Sound(NamedTuple):
    """Decoded sound, before it is resampled."""

    mono: np.ndarray
    """float32 [samples]: the sum of the channels."""
    power: float
    """Sum of the squares of the samples of all channels, in a quarter of the time."""
    summed: float
    """The same for `mono`. Both are 0 if there is only one channel."""
    rate: int
    """Hz."""
    channels: int


def read_excerpt(
    path: str | os.PathLike[str],
    start: float,
    duration: float,
    sample_rate: int = 22050,
    config: AudioConfig | None = None,
) -> Excerpt:
    """Reads an excerpt as in the paper: the channels are summed and resampled (section 2.3).

    The length in the file's header is not believed. Padding begins where decoding finds the end.

    Args:
      path: an audio file in any format that libsndfile knows by its content.
      start: seconds from the beginning of the track.
      duration: seconds.
      sample_rate: of the result, in Hz.
      config: what to do with short and silent audio.

    Raises:
      MissingFileError: no such file.
      PastEndError: `start` is past the end.
      AudioError: not a file, not audio, no samples, samples that are not finite or beyond
        `LOUDEST`, too little sound, nothing audible, a change of the sample rate or channels within
        the excerpt, or any other error of a decoder.
    """
    config = config or AudioConfig()
    with _refusing(path):
        sound.check_file(path)
        found = _cut(path, start, duration)
        mono, samples = found.mono, round(duration * sample_rate)
        if found.rate != sample_rate:
            mono = soxr.resample(mono, found.rate, sample_rate, quality=config.resampler)
        quiet, loud = _heard(mono, sample_rate, found, config)
        seconds = len(found.mono) / found.rate
        if seconds < config.min_coverage * duration:
            raise AudioError(f"too short: {seconds:.1f} s of sound for {duration:g} s")
        if quiet and config.skip_silent:
            raise AudioError(quiet)
        if len(mono) < samples:
            mono = np.pad(mono, (0, samples - len(mono)))
        padded = len(found.mono) < round(duration * found.rate)
        return Excerpt(mono[:samples], padded, quiet, loud, found.channels)


@contextlib.contextmanager
def _refusing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turns any exception raised by reading a file into an `AudioError`."""
    try:
        yield
    except AudioError:
        raise
    except Exception as error:  # Damaged files make soundfile, soxr and NumPy raise anything.
        raise _refusal(path, error) from error


def _refusal(path: str | os.PathLike[str], error: Exception) -> AudioError:
    try:
        sound.check_file(path)  # The file may have disappeared while it was read.
    except sound.MissingFileError as problem:
        return MissingFileError(str(problem))
    except sound.SoundError as problem:
        return AudioError(str(problem))
    if isinstance(error, sound.SoundError):
        return AudioError(f"not decodable: {error}")
    return AudioError(described(error))


def described(error: Exception) -> str:
    r"""An unexpected exception as one line of text.

    >>> described(ValueError("odd\nvery odd"))
    'ValueError: odd'
    """
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _cut(path: str | os.PathLike[str], start: float, seconds: float) -> _Sound:
    """The sound of an excerpt, at least one sample; it may be shorter than requested.

    libsndfile decodes the file. If its result is known to be wrong, or ends before the excerpt
    does, the parts that `streams` finds are decoded instead.

    Raises:
      AudioError: no sound, or sound of two formats.
    """
    kind, end, plain, found, problem = "", 0.0, False, _no_sound(1, 1), None
    try:
        with sound.opened(path) as file:
            kind, end = file.format, file.frames / file.samplerate
            sections = mpeg.sections(path, start + seconds) if kind == "MP3" else []
            thin = any(section.rate_of_bytes < _THIN for section in sections)
            found = _decoded(file, start, seconds, _THIN_PREROLL if thin else _PREROLL)
            plain = streams.is_plain(path, file, sections)
    except sound.SoundError as error:
        problem = error
    if plain and len(found.mono) == round(seconds * found.rate):
        return found
    with sound.decoding():
        parts = streams.parts(path, kind)
    if parts:
        end = sum(part.seconds for part in parts)
        slack = _SLACK / parts[0].rate if kind == "MP3" else 0.0
        if not plain or start + len(found.mono) / found.rate < end - slack:
            found = _joined(parts, start, seconds)
    elif problem is not None:
        raise problem
    if not len(found.mono):
        raise _nothing(start, end)
    return found


def _no_sound(rate: int, channels: int) -> _Sound:
    return _Sound(np.empty(0, np.float32), 0.0, 0.0, rate, channels)


def _nothing(start: float, end: float) -> AudioError:
    """Why there is no sound from `start` on, in a file of `end` seconds."""
    if not start:
        return AudioError("no samples")
    known = f" at {end:.1f} s" if end < _FOREVER else ""
    return PastEndError(f"start {start:g} s is past the end{known}")


def _format(part: streams.Part) -> tuple[int, int]:
    return part.rate, part.channels


def _joined(parts: Sequence[streams.Part], start: float, seconds: float) -> _Sound:
    """The sound of an excerpt that may lie in several parts of a file.

    Raises:
      AudioError: the parts are of different formats.
    """
    chosen, begin, stop = [], 0.0, start + seconds
    for part in parts:
        if begin < stop and begin + part.seconds > start:
            chosen.append((begin, part))
        begin += part.seconds
    if not chosen:
        return _no_sound(1, 1)
    (_, first), *others = chosen
    for begin, part in others:
        if _format(part) != _format(first):
            raise AudioError(
                f"sample rate or channels change: {first.rate} Hz, {first.channels} channels; "
                f"from {begin:.1f} s on {part.rate} Hz, {part.channels} channels"
            )
    sounds, left = [], round(seconds * first.rate)
    for begin, part in chosen:
        skipped = max(0.0, start - begin)
        frames = min(left, round((part.seconds - skipped) * part.rate))
        content, at = part.cut(skipped, skipped + frames / part.rate)
        with content, sound.opened(content) as file:
            sounds.append(_decoded(file, at, frames / part.rate, _THIN_PREROLL))
        left -= len(sounds[-1].mono)
    monos, powers, summed, *_ = zip(*sounds, strict=True)
    return _Sound(np.concatenate(monos), sum(powers), sum(summed), first.rate, first.channels)


def _decoded(
    file: soundfile.SoundFile, start: float, seconds: float, preroll: float = _PREROLL
) -> _Sound:
    """The part of an excerpt that libsndfile finds; nothing if the file ends before it.

    The `preroll` seconds before it are decoded and thrown away.

    Raises:
      AudioError: an implausible header.
      Exception: see `sound.opened`.
    """
    rate, channels = file.samplerate, file.channels
    if not SAMPLE_RATES[0] <= rate <= SAMPLE_RATES[1] or channels > MAX_CHANNELS:
        raise AudioError(f"implausible header: {rate} Hz, {channels} channels")
    # Otherwise soundfile seeks after each read, which fails if the file ends too early.
    file.seekable = lambda: False
    first = round(start * rate)
    if first >= file.frames:
        return _no_sound(rate, channels)
    if first:
        early = min(first, round(preroll * rate))
        file.seek(first - early)
        _summed(file, early)
    return _Sound(*_summed(file, round(seconds * rate)), rate, channels)


def _summed(file: soundfile.SoundFile, frames: int) -> tuple[np.ndarray, float, float]:
    """At most the next `frames` frames, as the first three fields of `_Sound`.

    Several channels are read in blocks, so that they need no more memory than one.
    """
    mono, got, powers = np.empty(frames, np.float32), 0, np.zeros(2)
    block = np.empty((min(frames, _BLOCK), file.channels), np.float32)
    while got < frames:
        part = mono[got:]
        if file.channels == 1:
            part = file.read(len(part), out=part)
        else:
            part = part[:_BLOCK]
            found = file.read(len(part), out=block)
            part = part[: len(found)]
            powers += _sum_channels(found, part)
        if not len(part):
            break
        got += len(part)
    return mono[:got], float(powers[0]), float(powers[1])


def _sum_channels(block: np.ndarray, out: np.ndarray) -> tuple[float, float]:
    """Sums the channels of a block [frames, channels] into `out`, while they are in the cache.

    Returns:
      Power of all channels, and power of their sum, of the first quarter.
    """
    with np.errstate(all="ignore"):  # Of samples that are not finite: `_heard` refuses them.
        for i in range(0, len(block), _PIECE):
            piece, part = block[i : i + _PIECE], out[i : i + _PIECE]
            np.add(piece[:, 0], piece[:, 1], out=part)  # Faster than sum(axis=1) or a product.
            for channel in range(2, block.shape[1]):
                part += piece[:, channel]
    piece, part = block[: _BLOCK // 4], out[: _BLOCK // 4]
    return float(np.vdot(piece, piece)), float(np.vdot(part, part))


def _heard(mono: np.ndarray, rate: int, found: _Sound, config: AudioConfig) -> tuple[str, bool]:
    """Why nothing can be heard (or ""), and whether the sound is far above full scale.

    Args:
      mono: the sound at the rate of the result, of half as many samples in most cases.
      rate: that rate.
      found: the sound as it was decoded.
      config: the bounds.

    Raises:
      AudioError: samples that are not finite, or absurdly large.
    """
    if not len(mono):
        return "silent", False
    peak, audible = _loudness(mono, round(_MOMENT * rate), config.silence)
    if not peak <= LOUDEST:  # NaN is not <= anything.
        raise AudioError("samples that are not finite numbers, or absurdly large")
    loud = peak > config.loud * found.channels
    channels_silent = found.power < config.silence**2 * len(found.mono) / 4 * found.channels
    if not channels_silent and found.summed < config.min_sum * found.power:
        return "channels cancel in their sum", loud
    if peak < 2.0**-15:  # A step of 16 bits.
        return "silent", loud
    return "nearly silent" if audible < config.min_audible else "", loud


def _loudness(mono: np.ndarray, size: int, silence: float) -> tuple[float, float]:
    """The largest amplitude, or NaN, and the share of moments that are audible.

    A moment of `size` samples is audible if its standard deviation is above `silence`.
    """
    size = min(size, len(mono))
    peaks, audible, ones = [], 0, np.full(size, 1 / size, np.float32)
    step = max(1, _BLOCK // size) * size
    with np.errstate(all="ignore"):  # Of samples that are not finite.
        for i in range(0, len(mono), step):
            piece = mono[i : i + step]
            peaks += [piece.max(), -piece.min()]
            moments = piece[: len(piece) // size * size].reshape(-1, size)
            squares = np.vecdot(moments, moments) / size
            audible += int(np.count_nonzero(squares - (moments @ ones) ** 2 > silence**2))
    return float(np.max(peaks)), audible / (len(mono) // size)


def read_log_mel(
    path: str | os.PathLike[str],
    start: float,
    duration: float,
    front: frontend.FrontendConfig | None = None,
    config: AudioConfig | None = None,
) -> tuple[np.ndarray, bool]:
    """`read_excerpt`, then `frontend.log_mel`: (float32 [frames, n_mels], padded)."""
    front = front or frontend.FrontendConfig()
    excerpt = read_excerpt(path, start, duration, front.sample_rate, config)
    return frontend.log_mel(excerpt.samples, front), excerpt.padded
