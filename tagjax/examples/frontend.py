"""The front end of section 2.3: computes log-compressed mel spectrograms of audio on the CPU."""

import dataclasses
import functools
from typing import Any

import numpy as np
import numpy.typing as npt

_FRAMES = 32
"""Frames transformed at once. Their data fit into a core's cache, which is twice as fast as
transforming all frames at once."""
_FILTERS = 16
"""Mel filters that are multiplied at once with the bins that they need."""
UINT8_STEP = 0.08
"""Step of log-mels stored as uint8. 255 steps reach 20.4, louder than two full-scale sines."""


@dataclasses.dataclass(frozen=True)
class FrontendConfig:
    """How audio becomes the network's input.

    The paper fixes `sample_rate`, `n_fft`, `hop_length`, `n_mels` and `log_gain`. It leaves
    open, and BUILD_NOTES.md argues: `power` of the magnitude spectrum, the edges of the
    filters (`fmin`, `fmax` in Hz; None is half the sample rate) and where the first
    window lies (centred on sample 0 with zeros before it, which alone gives 646 frames).
    """

    sample_rate: int = 22050
    n_fft: int = 1024
    hop_length: int = 1024
    n_mels: int = 96
    log_gain: float = 10_000.0
    power: float = 2.0
    fmin: float = 0.0
    fmax: float | None = None

    def samples(self, duration: float) -> int:
        """Number of samples of `duration` seconds."""
        return round(duration * self.sample_rate)

    def frames(self, duration: float) -> int:
        """Number of frames of an excerpt of `duration` seconds: 646 for 30 s."""
        return 1 + self.samples(duration) // self.hop_length


def _hz_to_mel(hz: np.ndarray) -> np.ndarray:
    """Slaney's mel scale: linear below 1 kHz, logarithmic above."""
    hz = np.asarray(hz, np.float64)
    log = 15.0 + 27.0 * np.log(np.maximum(hz, 1000.0) / 1000.0) / np.log(6.4)
    return np.where(hz < 1000.0, hz * 3.0 / 200.0, log)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    mel = np.asarray(mel, np.float64)
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * 6.4 ** ((mel - 15.0) / 27.0))


@functools.lru_cache(maxsize=8)
def mel_filters(config: FrontendConfig) -> np.ndarray:
    """Triangular mel filters of unit area (Slaney), float32 [n_mels, n_fft // 2 + 1]."""
    fmax = config.sample_rate / 2 if config.fmax is None else config.fmax
    low, high = _hz_to_mel(np.array([config.fmin, fmax]))
    edges = _mel_to_hz(np.linspace(low, high, config.n_mels + 2))
    bins = np.fft.rfftfreq(config.n_fft, 1 / config.sample_rate)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


@functools.lru_cache(maxsize=8)
def _window(n_fft: int) -> np.ndarray:
    """Periodic Hann window, float64 [n_fft]."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)


def log_mel(audio: np.ndarray, config: FrontendConfig | None = None) -> np.ndarray:
    """log(1 + C mel(|STFT|^power)), section 2.3.

    The Fourier transform is computed in float64: the rounding of a float32 one would drown
    bands that are 70 dB below the loudest.

    Args:
      audio: float32 [samples], mono at `config.sample_rate`.
      config: the front end; the paper's if None.

    Returns:
      float32 [1 + samples // hop_length, n_mels], non-negative; 646 x 96 for 30 s.
    """
    config = config or FrontendConfig()
    frames, half = 1 + len(audio) // config.hop_length, config.n_fft // 2
    power = np.empty((frames, half + 1), np.float32)
    windowed = np.empty((_FRAMES, config.n_fft))
    spectrum = np.empty((_FRAMES, half + 1), np.complex128)
    for i in range(0, frames, _FRAMES):
        count = min(_FRAMES, frames - i)
        begin = i * config.hop_length - half
        end = begin + (count - 1) * config.hop_length + config.n_fft
        windows = np.lib.stride_tricks.sliding_window_view(
            _between(audio, begin, end), config.n_fft
        )
        windowed[:count] = windows[:: config.hop_length]
        windowed[:count] *= _window(config.n_fft)
        np.fft.rfft(windowed[:count], out=spectrum[:count])
        parts = spectrum[:count].view(np.float64)
        np.multiply(parts, parts, out=parts)
        np.add(parts[:, ::2], parts[:, 1::2], out=power[i : i + count], casting="same_kind")
    if config.power != 2.0:
        power **= config.power / 2
    mel = np.empty((frames, config.n_mels), np.float32)
    for some, bins, filters in _filter_groups(config):
        np.matmul(power[:, bins], filters, out=mel[:, some])
    return np.log1p(np.float32(config.log_gain) * mel)


def _between(audio: np.ndarray, begin: int, end: int) -> np.ndarray:
    """Samples `begin` to `end`, with zeros where there is no audio."""
    inside = audio[max(begin, 0) : end]
    missing = max(-begin, 0), max(end - len(audio), 0)
    return np.pad(inside, missing) if any(missing) else inside


@functools.lru_cache(maxsize=8)
def _filter_groups(config: FrontendConfig) -> list[tuple[slice, slice, np.ndarray]]:
    """(some filters, the bins that they need, their matrix [bins, filters]) of all filters."""
    filters, groups = mel_filters(config), []
    for first in range(0, config.n_mels, _FILTERS):
        some = slice(first, min(first + _FILTERS, config.n_mels))
        (needed,) = np.nonzero(filters[some].any(axis=0))
        bins = slice(needed[0], needed[-1] + 1) if len(needed) else slice(0, 0)
        groups.append((some, bins, np.ascontiguousarray(filters[some, bins].T)))
    return groups


def stored(mel: np.ndarray, dtype: npt.DTypeLike) -> np.ndarray:
    """A log-mel as it is stored: rounded to `dtype`, or to steps of `UINT8_STEP` for uint8."""
    if np.dtype(dtype) == np.uint8:
        mel = np.minimum(np.rint(mel / UINT8_STEP), 255)
    return mel.astype(dtype)


def clipped(mel: np.ndarray, dtype: npt.DTypeLike) -> int:
    """Frames of a log-mel [frames, n_mels] that are louder than `stored` can keep in `dtype`.

    >>> clipped(np.array([[1.0, 20.0], [1.0, 21.0]]), np.uint8)
    1
    """
    if np.dtype(dtype) != np.uint8:
        return 0
    return int(np.count_nonzero(mel.max(axis=1) > 255.5 * UINT8_STEP))


def restored(mel: Any) -> Any:
    """The inverse of `stored`, for NumPy and JAX: uint8 becomes float32, floats do not change."""
    return mel.astype(np.float32) * np.float32(UINT8_STEP) if mel.dtype == np.uint8 else mel
