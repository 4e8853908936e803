"""The training run of `benchmarks.gpu` on rendered excerpts, up to early stopping.

The network learns the styles of the embedded catalogues, and is tested on tracks of other artists.
The rows show whether it does so equally well at each precision.
"""

import argparse
import concurrent.futures
import functools
import math
import multiprocessing
import os
import pathlib
import time
from typing import Any

import numpy as np

from benchmarks.gpu import PRECISIONS, Setting, Steps, row
from tagjax.examples import frontend
from tagjax.network import step
from tagjax.synthetic import STYLES, Catalogue, SyntheticConfig, make_catalogue, render_excerpt


def _catalogue(excerpts: int) -> Catalogue:
    """A catalogue with a track for every two excerpts."""
    return make_catalogue(SyntheticConfig(1, -(-excerpts // 2), duration=(60.0, 180.0)))


def _rendered(k: int, excerpts: int, seconds: float) -> np.ndarray:
    catalogue = _catalogue(excerpts)
    track = catalogue.tracks[k // 2]
    start = np.random.default_rng([1, k]).uniform(0, track.duration - seconds)
    audio = render_excerpt(catalogue, track.track_id, float(start), seconds)
    return frontend.stored(frontend.log_mel(audio), np.float16)


def rendered(folder: pathlib.Path, excerpts: int, frames: int) -> np.ndarray:
    """Log-mels float16 [excerpts, frames, 96]; the folder keeps them for the next call."""
    path = folder / f"mel_{excerpts}_{frames}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["OMP_NUM_THREADS"] = "1"
        context, begin = multiprocessing.get_context("spawn"), time.perf_counter()
        seconds = (frames - 1) * 1024 / 22050
        render = functools.partial(_rendered, excerpts=excerpts, seconds=seconds)
        with concurrent.futures.ProcessPoolExecutor(os.cpu_count(), context) as processes:
            mel = np.stack([*processes.map(render, range(excerpts), chunksize=8)])
        row("run: render", excerpts / (time.perf_counter() - begin), "excerpts/s")
        np.save(path, mel)
    return np.load(path)


def evaluate(steps: Steps, places: np.ndarray, batch: int) -> tuple[float, float]:
    """(loss, accuracy) of the examples at these places; the last batch is padded."""
    padded = np.pad(places, (0, -len(places) % batch), constant_values=-1).reshape(-1, batch)
    sums = [steps("eval", steps.batch(some_places)) for some_places in padded]
    loss, correct = (sum(float(s[name]) for s in sums) for name in ("loss", "correct"))
    return loss / len(places), correct / len(places)


def train(steps: Steps, part: np.ndarray, flags: argparse.Namespace, batch: int) -> dict[str, Any]:
    """Trains until the validation loss no longer falls, and keeps the best state."""
    import jax

    train_places, validation_places = np.flatnonzero(part == 0), np.flatnonzero(part == 1)
    best, best_epoch, epochs, speeds, kept = math.inf, 0, 0, [], None
    begin = time.perf_counter()
    while epochs < flags.epochs and epochs - best_epoch < flags.patience:
        started = time.perf_counter()
        order = np.random.default_rng([0, epochs]).permutation(train_places)
        count = len(order) // batch
        for places in order[: count * batch].reshape(count, batch):
            steps("train", steps.batch(places))
        jax.block_until_ready(steps.state)
        epochs += 1
        speeds.append(count * batch / (time.perf_counter() - started))
        loss, accuracy = evaluate(steps, validation_places, batch)
        print(f"epoch {epochs}: validation loss {loss:.3f}, accuracy {accuracy:.3f}", flush=True)
        if not math.isfinite(loss):
            raise RuntimeError(f"the validation loss of epoch {epochs} is {loss}")
        if loss < best:
            best, best_epoch, kept = loss, epochs, jax.device_get(steps.state)
    steps.state = jax.device_put(kept)
    wall = time.perf_counter() - begin
    return {"seconds": wall, "epochs": epochs, "best": best_epoch, "rate": np.median(speeds)}


def measure(flags: argparse.Namespace, setting: Setting, batch: int) -> None:
    """Trains at each precision and prints its rows."""
    mel = rendered(flags.data, flags.excerpts, setting.shape[0])
    tracks = [_catalogue(flags.excerpts).tracks[k // 2] for k in range(flags.excerpts)]
    label = np.array([[*STYLES].index(track.concept) for track in tracks], np.int32)
    part = np.array([{"3": 1, "6": 2}.get(track.artist_id[-1], 0) for track in tracks])
    tested = np.flatnonzero(part == 2)
    most = np.bincount(label[tested]).max() / len(tested)
    for name in flags.precisions:
        dtype = PRECISIONS[name][0]
        config = step.StepConfig(setting.model, precision=dtype, epsilon=1e-6)
        steps = Steps(config, len(STYLES), name, mel, label)
        ran = train(steps, part, flags, batch)
        note = f"{ran['epochs']} epochs, the best {ran['best']}"
        row("run: wall", ran["seconds"], "s", name, batch, note=note)
        row("run: train", float(ran["rate"]), "examples/s", name, batch)
        note = f"the commonest style: {100 * most:.2f} %"
        row("run: test accuracy", 100 * evaluate(steps, tested, batch)[1], "%", name, note=note)
