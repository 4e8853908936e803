"""The front end of pretrained networks: the beginning of a track as patches of log-mels."""

import math

import numpy as np

from tagjax.examples import audio, frontend, workers

FRONT = frontend.FrontendConfig(sample_rate=16_000, n_fft=512, hop_length=256)
"""musicnn's: Slaney's 96 bands up to 8 kHz; its logarithm is `patches_of`."""


def read_beginning(
    path: str, start: float, duration: float, root: str, config: audio.AudioConfig
) -> tuple[np.ndarray]:
    """A `workers.Reader` of the mean of the channels, without zeros at the end.

    Zeros are what a short track is padded with, and a network would take them for a pause.

    Returns:
      (float32 [samples],), at most `duration` seconds at `FRONT.sample_rate`.

    Raises:
      AudioError: as `workers.read_file`.
    """
    excerpt = workers.read_file(path, start, duration, root, FRONT.sample_rate, config)
    return (np.trim_zeros(excerpt.samples, "b") / np.float32(excerpt.channels),)


def patches_of(mel: np.ndarray, frames: int) -> np.ndarray:
    """Patches of `frames` frames that follow one another; what is left at the end is dropped.

    Args:
      mel: float32 [n, bands], of `frontend.log_mel`, hence of the natural logarithm.
      frames: length of a patch.

    Returns:
      float32 [n // frames, frames, bands], log10(10,000 x + 1) of the mel power spectrum x.

    >>> patches_of(np.zeros((646, 96), np.float32), 187).shape
    (3, 187, 96)
    """
    count = len(mel) // frames
    patches = mel[: count * frames].reshape(count, frames, mel.shape[1])
    return patches / np.float32(math.log(10))
