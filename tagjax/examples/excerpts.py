"""All excerpts of one audio file, for the prediction of new music by a run."""

import dataclasses

import numpy as np

from tagjax.base.files import PathLike
from tagjax.examples import audio, frontend


def log_mels_of(
    path: PathLike,
    seconds: float,
    front: frontend.FrontendConfig | None = None,
    decode: audio.AudioConfig | None = None,
) -> np.ndarray:
    """Log-mels of the excerpts that follow one another in a file (section 2.3).

    An excerpt is left out if it is silent, or too short at the end of the file.

    Args:
      path: an audio file in any format that libsndfile knows.
      seconds: length of an excerpt.
      front: the front end.
      decode: how excerpts are cut.

    Returns:
      float32 [excerpts, frames, n_mels], at least one.

    Raises:
      AudioError: nothing of the file can be used; the reason is the first excerpt's.
    """
    front = front or frontend.FrontendConfig()
    heard = dataclasses.replace(decode or audio.AudioConfig(), skip_silent=False)
    mels: list[np.ndarray] = []
    reason, start = "", 0.0
    while True:
        try:
            excerpt = audio.read_excerpt(path, start, seconds, front.sample_rate, heard)
        except audio.AudioError as error:  # In most cases the end of the file.
            reason = reason or str(error)
            break
        if excerpt.quiet:
            reason = reason or excerpt.quiet
        else:
            mels.append(frontend.log_mel(excerpt.samples, front))
        start += seconds
    if not mels:
        raise audio.AudioError(reason)
    return np.stack(mels)
