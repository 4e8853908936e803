"""Clips to hear: some seconds of a track as a WAV file, as loud as the others."""

import collections
import io
import os
import pathlib
import threading
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import soundfile

from tagjax.base.files import PathLike
from tagjax.base.text import clean
from tagjax.catalogue.annotations import Tracks
from tagjax.examples.audio import AudioConfig, AudioError, PastEndError, read_excerpt

SECONDS, RATE = 8.0, 22050
FADE = 0.02
"""Seconds of the fade at both ends."""
LEVEL, PEAK = 0.1, 0.9
"""RMS of a clip (-20 dB), unless its peak would be higher than that."""
_GAIN = 30.0
"""Nothing is made louder than so many times: silence stays silence."""
_CACHED = 48 << 20
"""Bytes of clips that are kept."""
_CONFIG = AudioConfig(min_coverage=0.0, skip_silent=False)
_SUFFIXES = frozenset(
    [
        ".aif",
        ".aiff",
        ".au",
        ".caf",
        ".flac",
        ".m4a",
        ".mp2",
        ".mp3",
        ".oga",
        ".ogg",
        ".opus",
        ".w64",
        ".wav",
        ".wave",
        ".wma",
    ]
)


class Audio:
    """Where the audio of tracks is.

    Attributes:
      path: {track id: its file}.
      seconds: {track id: its duration}, where it is known.
      note: why there is none; "" if there is.
    """

    def __init__(
        self,
        path: Mapping[str, pathlib.Path],
        seconds: Mapping[str, float] | None = None,
        note: str = "",
    ):
        self.path, self.seconds, self.note = path, seconds or {}, note

    def reason(self, track: str) -> str:
        """Why a track cannot be heard; "" if its file is there."""
        if self.note:
            return self.note
        path = self.path.get(track)
        if path is None:
            return "no file of this track is known"
        return "" if path.is_file() else "no such file"

    def start(self, track: str) -> float:
        """From where to hear a track, in seconds: its middle."""
        seconds = self.seconds.get(track, np.nan)
        return 30.0 if np.isnan(seconds) else max(0.0, round(seconds / 2 - SECONDS / 2, 1))


def find_audio(
    tracks: Sequence[str], folder: PathLike | None, table: Tracks | None = None
) -> Audio:
    """Finds the audio of tracks.

    Args:
      tracks: their ids.
      folder: of the audio; None if there is none.
      table: where each track is below the folder. Without it, a file is that of the track that has
        its name, with or without its folders and its suffix.

    >>> find_audio(["t1"], None).note
    'no audio is named (--audio_dir)'
    """
    if folder is None:
        return Audio({}, note="no audio is named (--audio_dir)")
    root = pathlib.Path(folder)
    if not root.is_dir():
        return Audio({}, note=f"{root}: no such folder")
    if table is not None:
        path = {
            track: root / place for track, place in zip(table.track_id, table.path, strict=True)
        }
        seconds = dict(zip(table.track_id, table.duration.tolist(), strict=True))
        found = Audio({track: path[track] for track in tracks if track in path}, seconds)
    else:
        found = Audio(_by_name({*tracks}, root))
    if not any(path.is_file() for path in found.path.values()):
        note = f"none of the {len(tracks)} tracks is in {root}; see --audio_dir and --tracks"
        return Audio({}, note=note)
    return found


def _by_name(tracks: set[str], root: pathlib.Path) -> dict[str, pathlib.Path]:
    found: dict[str, pathlib.Path] = {}
    for folder, _, names in os.walk(root):
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix.lower() not in _SUFFIXES:
                continue
            path = pathlib.Path(folder, name)
            below = str(path.relative_to(root))
            for known in (below, os.path.splitext(below)[0], name, stem):
                if clean(known) in tracks:
                    found.setdefault(clean(known), path)
    return found


class Clips:
    """Clips of tracks, the last ones of which are kept in memory."""

    def __init__(self, audio: Audio, cached: int = _CACHED):
        self.audio, self._most = audio, cached
        self._kept: collections.OrderedDict[tuple[str, float], bytes] = collections.OrderedDict()
        self._size, self._lock = 0, threading.Lock()

    def clip(self, track: str, start: float) -> bytes:
        """A WAV file of some seconds: mono, 16 bits, `RATE` Hz.

        Args:
          track: its id.
          start: in seconds; a shorter track is heard from its beginning.

        Raises:
          AudioError: it cannot be heard; the message says why.
        """
        if reason := self.audio.reason(track):
            raise AudioError(reason)
        key = (track, round(start, 1))
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = _wav(cut(self.audio.path[track], start))
        with self._lock:
            if key not in self._kept:
                self._kept[key] = found
                self._size += len(found)
            while self._size > self._most and len(self._kept) > 1:
                self._size -= len(self._kept.popitem(last=False)[1])
        return found


def cut(path: PathLike, start: float) -> npt.NDArray[np.float32]:
    """The samples of a clip, level-matched and with a short fade at both ends: float32 [n].

    Raises:
      AudioError: it cannot be decoded.
    """
    try:
        excerpt = read_excerpt(path, start, SECONDS, RATE, _CONFIG)
    except PastEndError:
        excerpt = read_excerpt(path, 0.0, SECONDS, RATE, _CONFIG)
    samples = excerpt.samples
    if excerpt.padded:
        heard = np.flatnonzero(samples)
        samples = samples[: heard[-1] + 1] if len(heard) else samples[: RATE // 10]
    samples = samples - samples.mean(dtype=np.float64).astype(np.float32)
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    peak = float(np.abs(samples).max())
    gain = min(LEVEL / rms if rms else 1.0, PEAK / peak if peak else 1.0, _GAIN)
    fade = min(round(FADE * RATE), len(samples) // 2)
    slope = np.linspace(0, 1, fade, dtype=np.float32)
    samples = samples * np.float32(gain)
    samples[:fade] *= slope
    samples[len(samples) - fade :] *= slope[::-1]
    return samples


def _wav(samples: npt.NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()
