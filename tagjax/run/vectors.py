"""A table of vectors by track from the pretrained networks of musicnn.

The weights are their authors' (ISC): the user fetches them, and no copy is kept here. musicnn's own
code casts mel power to float16 before its logarithm, which overflows in most loud tracks. Here all
is float32.
"""

import collections
import contextlib
import dataclasses
import functools
import hashlib
import json
import pathlib
import time
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
import numpy.typing as npt

from tagjax.base import bundles
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike, atomic_path
from tagjax.base.progress import Progress, silently
from tagjax.base.tables import write_table
from tagjax.catalogue.annotations import Tracks
from tagjax.examples import audio, patches, workers
from tagjax.network import musicnn

FETCH = "pip download --no-deps musicnn==0.1.0"
"""Gets the weights, as a wheel of 29 MB."""
MODELS = ("MSD", "MTT")
"""The networks: trained on the Million Song Dataset, and on MagnaTagATune."""
_DIGESTS = {
    "MSD": "8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6",
    "MTT": "041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab",
}
"""SHA-256 of the data of each, in musicnn 0.1.0."""
_BATCH = 10
"""Patches computed at once: those of 30 s."""
_SAVE = 60.0
"""Seconds after which what is done is saved."""


@dataclasses.dataclass(frozen=True)
class VectorsConfig:
    """How vectors are made of tracks.

    Attributes:
      seconds: of the beginning of a track that count, at least 3.
      workers: processes that decode; see `workers.BuildConfig`.
      file_seconds: a file that takes longer is skipped.
    """

    seconds: float = 30.0
    workers: int | None = None
    file_seconds: float = 30.0

    def __post_init__(self) -> None:
        if patches.FRONT.frames(self.seconds) < musicnn.FRAMES:
            raise InputError(f"seconds={self.seconds:g}: a patch takes 3; give more")


@dataclasses.dataclass(frozen=True, eq=False)
class Weights:
    """Pretrained networks.

    Attributes:
      params: {model: its parameters}.
      digest: of their numbers.
    """

    params: Mapping[str, musicnn.Params]
    digest: str


def read_weights(path: PathLike, models: Sequence[str] = MODELS) -> Weights:
    """Reads weights of musicnn 0.1.0 from its wheel, or from a folder it was unpacked into.

    Args:
      path: the wheel or the folder.
      models: of `MODELS`.

    Warns:
      UserWarning: these are not the numbers of musicnn 0.1.0.

    Raises:
      InputError: an unknown model, no such file, not a wheel with these weights, or a damaged one.
    """
    unknown = [model for model in models if model not in MODELS]
    if unknown or not models:
        raise InputError(f"model {', '.join(unknown) or 'none'}: choose from {', '.join(MODELS)}")
    params, total = {}, hashlib.sha256()
    for model in models:
        index, data = (
            _content(pathlib.Path(path), model, name) for name in (".index", ".data-00000-of-00001")
        )
        name = f"{path}: {model}"
        params[model] = musicnn.params_of(bundles.read_variables(name, index, data), name)
        if hashlib.sha256(data).hexdigest() != _DIGESTS[model]:
            warnings.warn(f"{name}: not the weights of musicnn 0.1.0", stacklevel=2)
        total.update(data)
    return Weights(params, total.hexdigest())


def _content(path: pathlib.Path, model: str, name: str) -> bytes:
    """A file of a model in the wheel or folder."""
    inside = f"{model}_musicnn/{name}"
    if path.is_dir():
        for folder in (path / "musicnn", path):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                return (folder / inside).read_bytes()
        raise InputError(f"{path}: no musicnn/{inside} in it; fetch the weights: {FETCH}")
    if not path.is_file():
        raise InputError(f"{path}: no such file; fetch the weights: {FETCH}")
    try:
        with zipfile.ZipFile(path) as wheel:
            return wheel.read(f"musicnn/{inside}")
    except KeyError:
        raise InputError(f"{path}: no musicnn/{inside} in it; fetch the weights: {FETCH}") from None
    except Exception as error:  # zipfile raises anything on a damaged archive.
        raise InputError(f"{path}: not a wheel ({error}); fetch the weights: {FETCH}") from None


class Skipped(NamedTuple):
    """A track without a vector."""

    track_id: str
    path: str
    reason: str


@dataclasses.dataclass(frozen=True)
class VectorsReport:
    """What came of it.

    Attributes:
      path: the table.
      written: tracks in it.
      new: tracks that were computed now.
      skipped: tracks without a vector.
    """

    path: pathlib.Path
    written: int
    new: int
    skipped: tuple[Skipped, ...]

    @property
    def share_skipped(self) -> float:
        """Share of the tracks that were skipped, from 0 to 1."""
        return len(self.skipped) / max(self.written + len(self.skipped), 1)

    def lines(self) -> Iterator[str]:
        """The summary for the user, as lines of text."""
        reasons = collections.Counter(row.reason for row in self.skipped)
        for reason, count in reasons.most_common(10):
            yield f"skipped {count}: {reason}"
        yield f"written: {self.path} ({self.written} tracks, {self.new} of them new)"
        if self.skipped:
            yield (
                f"skipped: {len(self.skipped)} tracks ({100 * self.share_skipped:.1f} %), listed "
                f"in {skipped_path(self.path)}"
            )


def skipped_path(out: PathLike) -> pathlib.Path:
    """The list of skipped tracks beside a table: `vectors.skipped.csv`."""
    return pathlib.Path(out).with_suffix(".skipped.csv")


def write_vectors(
    out: PathLike,
    tracks: Tracks,
    audio_dir: PathLike,
    weights: Weights,
    config: VectorsConfig = VectorsConfig(),
    progress: Progress = silently,
) -> VectorsReport:
    """Writes an `.npz` file of `ids`, str [N], and `vectors`, float32 [N, 200 for each model].

    A vector is the mean over a track's patches of the layer before the last. Tracks that cannot be
    decoded are left out and listed in `skipped_path`. What a table made with the same weights and
    seconds has already is kept, and so is what was done before a kill, but for the last minute.

    Args:
      out: the file.
      tracks: where the audio is.
      audio_dir: folder that the paths are relative to.
      weights: of `read_weights`.
      config: see there.
      progress: passes on the tracks that are computed.

    Raises:
      InputError: no such folder; `out` is something else, or was made in another way; or no track
        could be decoded.
    """
    out, root = pathlib.Path(out), pathlib.Path(audio_dir)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the one with the audio by --audio_dir")
    recipe = {"models": [*weights.params], "weights": weights.digest, "seconds": config.seconds}
    table = _Unfinished(out, json.dumps(recipe), tracks.track_id)
    missing = [row for row, track in enumerate(tracks.track_id) if track not in table.vectors]
    read = functools.partial(
        patches.read_beginning, root=str(root), config=audio.AudioConfig(min_coverage=0.0)
    )
    jobs = [(tracks.path[row], 0.0, config.seconds) for row in missing]
    build = workers.BuildConfig(
        patches.FRONT, mel_dtype="float32", workers=config.workers, file_seconds=config.file_seconds
    )
    params, skipped = jax.device_put([*weights.params.values()]), []
    outcomes = zip(missing, workers.log_mels(jobs, read, build), strict=True)
    with table.saved():
        for row, outcome in progress(outcomes, "embed", len(missing)):
            mel, reason = outcome.mel, outcome.reason
            if mel is not None and len(mel) < musicnn.FRAMES:
                reason = f"too short: no patch of {musicnn.FRAMES} frames (3 s) with sound"
            if reason:
                skipped.append(Skipped(tracks.track_id[row], tracks.path[row], reason))
            else:
                table.add(tracks.track_id[row], vector_of(params, mel))
    write_table(skipped_path(out), Skipped._fields, skipped, for_people=True)
    if not table.vectors:
        raise InputError(f"{root}: no track could be decoded; see {skipped_path(out)}")
    table.finish()
    return VectorsReport(out, len(table.vectors), len(missing) - len(skipped), tuple(skipped))


class _Unfinished:
    """A table that grows, and that a kill does not take away.

    Attributes:
      vectors: {track id: its vector}.
    """

    def __init__(self, out: pathlib.Path, recipe: str, order: Sequence[str]) -> None:
        """Opens the table at `out`, or what was saved of one; rows will be in `order`."""
        self._out, self._recipe, self._order = out, recipe, order
        self._partial = out.with_name(f"{out.name}.partial")
        self._since, self._new = time.monotonic(), False
        self.vectors: dict[str, npt.NDArray[np.float32]] = {}
        if self._out.exists():
            self._take(self._out)
        if self._partial.exists():
            with contextlib.suppress(InputError):  # It is computed again.
                self._take(self._partial)

    def _take(self, path: pathlib.Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as arrays:
                ids, vectors, recipe = (arrays[name] for name in ("ids", "vectors", "recipe"))
            rows = dict(zip(ids.tolist(), vectors, strict=True))
        except Exception:  # NumPy and zipfile raise anything on another file.
            raise InputError(f"{path}: not a table of launch.embed; name another --out") from None
        if str(recipe) != self._recipe:
            raise InputError(
                f"{path}: made with other weights, models or seconds; name another --out, or take "
                "it away"
            )
        self.vectors |= rows

    def add(self, track_id: str, vector: npt.NDArray[np.float32]) -> None:
        """Adds a row, and saves the table if that is long ago."""
        self.vectors[track_id], self._new = vector, True
        if time.monotonic() - self._since > _SAVE:
            self._write(self._partial)

    @contextlib.contextmanager
    def saved(self) -> Iterator[None]:
        """A context that saves what is new when it is left by an exception."""
        try:
            yield
        except BaseException:
            if self._new:
                self._write(self._partial)
            raise

    def finish(self) -> None:
        """Writes the table, if there is anything new."""
        if self._new or self._partial.exists():
            self._write(self._out)
        self._partial.unlink(missing_ok=True)

    def _write(self, path: pathlib.Path) -> None:
        # Listed tracks in the order of their list, then what an earlier list had.
        ids = [*dict.fromkeys((*(t for t in self._order if t in self.vectors), *self.vectors))]
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                ids=np.array(ids, dtype=np.str_),
                vectors=np.stack([self.vectors[track] for track in ids]),
                recipe=np.array(self._recipe),
            )
        self._since, self._new = time.monotonic(), False


def vector_of(params: Sequence[musicnn.Params], mel: np.ndarray) -> npt.NDArray[np.float32]:
    """The vector of a track.

    Args:
      params: of each model.
      mel: float32 [frames, 96], of `frontend.log_mel` with `patches.FRONT`, at least a patch.

    Returns:
      float32 [200 for each model].
    """
    found = patches.patches_of(mel, musicnn.FRAMES)
    # All batches have one shape, so JAX compiles once.
    padded = np.pad(found, ((0, -len(found) % _BATCH), (0, 0), (0, 0)))
    features = [
        np.concatenate(
            [_features(model, padded[i : i + _BATCH]) for i in range(0, len(padded), _BATCH)]
        )
        for model in params
    ]
    return np.concatenate([rows[: len(found)].mean(axis=0) for rows in features])


_features = jax.jit(musicnn.features)
