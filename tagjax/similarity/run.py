"""From a run directory to similarities: the one place that knows both doors."""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.run import predictions
from tagjax.similarity import embeddings
from tagjax.similarity.tables import Similarity

ROWS = 4096
"""Rows of predictions that are in memory at once."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What a finished run knows of its tags.

    Attributes:
      path: the run directory.
      metadata: `experiment`, `systems`, `truth`, `multi_label` of its data set.
      kernels: float32 [H, N_c], the last layer of its model, or of each fold's.
      predictions: of its test split, or of all folds.
    """

    path: pathlib.Path
    metadata: Mapping[str, Any]
    kernels: tuple[np.ndarray, ...]
    predictions: predictions.Predictions


def read(path: PathLike) -> Run:
    """Opens a run directory that `training.train_run` has finished.

    Raises:
      InputError: it is none, or not finished.
    """
    path = pathlib.Path(path)
    if not (path / "config.json").exists():
        raise InputError(
            f"{path}: no run is there; make one: python -m launch.train --dataset=NAME "
            f"--run_dir={path}"
        )
    config = files.read_json(path / "config.json")
    if not (path / "predictions").is_dir():
        raise InputError(
            f"{path}: has no predictions yet; finish it: "
            f"python -m launch.train --dataset={config['dataset']} --run_dir={path}"
        )
    kernels = [path / "fw_kernel.npy"]
    if not kernels[0].exists():
        kernels = sorted(path.glob("fold_*/fw_kernel.npy"))
    return Run(
        path,
        config["metadata"],
        tuple(np.load(kernel, allow_pickle=False) for kernel in kernels),
        predictions.read(path / "predictions"),
    )


def find(runs_dir: PathLike, experiments: Sequence[str], command: str) -> pathlib.Path:
    """The newest finished run of one of some experiments.

    Args:
      runs_dir: looked through at any depth.
      experiments: as in the metadata of the run's data set.
      command: that makes such a run, for the error's advice.

    Raises:
      InputError: there is none.
    """
    fitting = [
        path.parent
        for path in pathlib.Path(runs_dir).rglob("config.json")
        if (path.parent / "predictions").is_dir()
        and not path.parent.name.startswith("fold_")
        and files.read_json(path)["metadata"].get("experiment") in experiments
    ]
    if not fitting:
        raise InputError(f"no run in {runs_dir} suits this task; make one: {command}")
    return max(fitting, key=lambda path: (path / "predictions").stat().st_mtime)


def _rows(run: Run, name: str, fdist_of: str) -> np.ndarray:
    """The rows of the predictions that an embedding is made of, int64 [n].

    fc and fm take no track whose artist the model may have heard: those in both catalogues
    count only where a fold held them out. fdist needs no model, so it takes all tracks, or
    with `fdist_of` "overlap" those in both catalogues, which alone say how their tags go
    together (section 4).
    """
    parts = np.array(run.predictions.excerpts["part"])
    if name == "fdist":
        overlap = np.flatnonzero(np.char.endswith(parts, "overlap"))
        return overlap if fdist_of == "overlap" and len(overlap) else np.arange(len(parts))
    return np.flatnonzero(parts != "overlap")


def _chunks(array: np.ndarray, rows: np.ndarray) -> Iterator[np.ndarray]:
    for i in range(0, len(rows), ROWS):
        some = rows[i : i + ROWS]
        together = some[-1] - some[0] == len(some) - 1  # Then nothing has to be copied.
        yield array[some[0] : some[-1] + 1] if together else array[some]


def similarities(run: Run, fdist_of: str = "all") -> dict[str, Similarity]:
    """Cosine similarities of fw, fc, fm and fdist (sections 2.4.1 to 2.4.5).

    Args:
      run: a finished run.
      fdist_of: "all" tracks, or those of the "overlap" of two catalogues where there are any.

    Returns:
      {embedding: similarity of the run's tags}. fc and fdist are summed as Gram matrices, so
      that no N_s x N_c array is in memory.
    """
    made = run.predictions
    rows = {name: _rows(run, name, fdist_of) for name in ("fc", "fm", "fdist")}
    fm = embeddings.fm_of(
        _chunks(made.probabilities, rows["fm"]), _chunks(made.occurrences, rows["fm"])
    )
    matrices = {
        "fw": embeddings.cosine(embeddings.fw(run.kernels)),
        "fc": embeddings.cosine_of_gram(embeddings.gram(_chunks(made.probabilities, rows["fc"]))),
        "fm": embeddings.cosine(fm),
        "fdist": embeddings.cosine_of_gram(
            embeddings.gram_of_occurrences(_chunks(made.occurrences, rows["fdist"]))
        ),
    }
    return {name: Similarity(made.tags, matrix) for name, matrix in matrices.items()}


def embedding(run: Run, name: str, fdist_of: str = "all", max_rows: int = 20_000) -> np.ndarray:
    """An embedding itself, a column a tag: float [dimensions, N_c].

    Of fc and fdist, which have a dimension an excerpt, at most `max_rows` evenly spaced ones;
    the authors' release keeps as many.
    """
    made = run.predictions
    if name == "fw":
        return embeddings.fw(run.kernels)
    rows = _rows(run, name, fdist_of)
    if name == "fm":
        return embeddings.fm_of(_chunks(made.probabilities, rows), _chunks(made.occurrences, rows))
    if len(rows) > max_rows:
        rows = rows[np.linspace(0, len(rows) - 1, max_rows).astype(np.int64)]
    return (made.probabilities if name == "fc" else made.occurrences)[rows]


def with_new_tags(run: Run, annotations: Mapping[str, Sequence[str]]) -> dict[str, Similarity]:
    """fm and fdist with tags of another annotation of the predicted tracks (section 2.4.3).

    The classifier is not trained again; fw and fc cannot have such tags.

    Args:
      run: a finished run.
      annotations: {track id: tags}; a tag that the run knows is replaced by what these say.

    Raises:
      InputError: none of these tracks was predicted.
    """
    made = run.predictions
    tags, occurrences = predictions.occurrences_of(made.excerpts["sng_id"], annotations)
    if not tags:
        raise InputError(f"none of the {len(annotations)} annotated tracks is among {run.path}'s")
    kept = [i for i, tag in enumerate(made.tags) if tag not in set(tags)]
    everything = np.concatenate([made.occurrences[:, kept], occurrences], axis=1)
    names = (*(made.tags[i] for i in kept), *tags)
    rows = _rows(run, "fm", "all")
    fm = embeddings.fm(made.probabilities[rows], everything[rows])
    return {
        "fm": Similarity(names, embeddings.cosine(fm)),
        "fdist": Similarity(names, embeddings.cosine(everything)),
    }
