"""From a run directory to similarities: the one place that knows both doors."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.run import predictions
from tagjax.similarity import embeddings
from tagjax.similarity.matrix import Similarity
from tagjax.vocabulary.truth import Truth, from_rows, read_truth
from tagjax.vocabulary.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tagjax.run.listening import Listener

TRUTH = "truth"
"""Folder of a run with its copy of the tables of truth."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What a finished run knows of its tags.

    Attributes:
      path: the run directory.
      vocabulary: N_c tags, as its data set recorded them.
      kernels: float32 [H, N_c], the last layer of its model, or of each fold's.
      predictions: of its test split, or of all folds.
      truth: the tables of truth that it keeps, as a default.
      metadata: of its data set, such as `experiment` and `multi_label`.
    """

    path: pathlib.Path
    vocabulary: Vocabulary
    kernels: tuple[np.ndarray, ...]
    predictions: predictions.Predictions
    truth: Truth = Truth()
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def predict(self, path: PathLike) -> list[tuple[str, float]]:
        """Tags and probabilities (section 2.3) of an audio file, the highest first.

        They are means over the file's excerpts, and over the models of a run with folds.

        Raises:
          AudioError: the file cannot be used.
          InputError: the run's checkpoints are gone or damaged.

        >>> run = load_run("runs/tiny")
        >>> tag, probability = run.predict("low.wav")[0]
        >>> tag in run.vocabulary.tags
        True
        """
        heard = self.listener.probabilities(path).mean(axis=0)
        ranked = np.argsort(-heard, kind="stable").tolist()
        return [(self.listener.tags[place], float(heard[place])) for place in ranked]

    @functools.cached_property
    def listener(self) -> "Listener":
        """The run's models; opened at first use, as JAX is imported for them."""
        from tagjax.run.listening import listener

        return listener(self.path)

    def similarity(self, embedding: str = "fc", fdist_of: str = "all") -> Similarity:
        """Cosine similarity (section 2.4.5) of the run's tags by an embedding.

        It is summed in chunks: no N_s x N_c array is in memory.

        Args:
          embedding: a name in `embeddings.EMBEDDINGS`.
          fdist_of: excerpts that an embedding of annotations alone counts: "all", or those of
            the "overlap" of two catalogues, where there are any (section 4).

        Raises:
          InputError: an unknown embedding, or other excerpts.

        >>> run = load_run("runs/tiny")
        >>> similarity = run.similarity("fc")
        >>> similarity.tags
        ('high', 'low', 'middle')
        """
        vectors = embeddings.named(embedding).of(self._inputs(embedding, fdist_of))
        return Similarity(self.vocabulary, embeddings.cosine(vectors))

    def similarities(self, fdist_of: str = "all") -> dict[str, Similarity]:
        """{embedding: similarity} of all embeddings (section 2.4); see `similarity`.

        >>> list(load_run("runs/tiny").similarities())
        ['fw', 'fc', 'fm', 'fdist']
        """
        return {name: self.similarity(name, fdist_of) for name in embeddings.NAMES}

    def embedding(self, name: str, fdist_of: str = "all", max_rows: int = 20_000) -> np.ndarray:
        """An embedding itself (section 2.4), a column a tag: float [dimensions, N_c].

        Of fc and fdist, which have a dimension an excerpt, at most `max_rows` evenly spaced ones;
        the authors' release keeps as many.

        Raises:
          InputError: as `similarity`.

        >>> load_run("runs/tiny").embedding("fm").shape
        (3, 3)
        """
        vectors = embeddings.named(name).of(self._inputs(name, fdist_of))
        if isinstance(vectors, embeddings.Rows):
            if len(vectors) > max_rows:
                chosen = np.linspace(0, len(vectors) - 1, max_rows).astype(np.int64)
                vectors = embeddings.Rows(vectors.array, vectors.places[chosen])
            vectors = vectors[:]
        return vectors

    def with_new_tags(
        self, annotations: Mapping[str, Sequence[str]], system: str = ""
    ) -> dict[str, Similarity]:
        """fm and fdist with tags of another annotation of the predicted tracks (section 2.4.3).

        The classifier is not trained again; fw and fc cannot have such tags.

        Args:
          annotations: {track id: tags, without prefix}.
          system: prefix of their tag system; a tag that the run knows is replaced by what these
            annotations say.

        Raises:
          InputError: none of these tracks was predicted.

        >>> run = load_run("runs/tiny")
        >>> new = run.with_new_tags({"t12": ["deep"], "t15": ["deep"]}, system="x:")
        >>> list(new), new["fm"].tags[-1]
        (['fm', 'fdist'], 'x:deep')
        """
        tagged = {track: [system + tag for tag in tags] for track, tags in annotations.items()}
        tags, new = predictions.occurrences_of(self.predictions.excerpts["sng_id"], tagged)
        if not tags:
            raise InputError(
                f"none of the {len(annotations)} annotated tracks is among {self.path}'s"
            )
        kept = [i for i, tag in enumerate(self.vocabulary.tags) if tag not in {*tags}]
        old = self.vocabulary.select(self.vocabulary.tags[i] for i in kept)
        predicted = dataclasses.replace(
            self.predictions,
            occurrences=np.concatenate([self.predictions.occurrences[:, kept], new], axis=1),
        )
        extended = dataclasses.replace(
            self, vocabulary=old.extended(Vocabulary.of(tags, [system])), predictions=predicted
        )
        return {
            name: extended.similarity(name)
            for name, embedding in embeddings.EMBEDDINGS.items()
            if "occurrences" in embedding.inputs
        }

    def _inputs(self, name: str, fdist_of: str) -> dict[str, Any]:
        """What an embedding of that name is made of."""
        rows = self._rows("probabilities" in embeddings.named(name).inputs, fdist_of)
        return {
            "kernels": self.kernels,
            "probabilities": embeddings.Rows(self.predictions.probabilities, rows),
            "occurrences": embeddings.Rows(self.predictions.occurrences, rows),
        }

    def _rows(self, heard: bool, fdist_of: str) -> np.ndarray:
        """The rows of the predictions that an embedding is made of, int64 [n].

        One of what the model heard takes no track whose artist the model may have learnt from:
        those in both catalogues count only where a fold held them out. Annotations alone need no
        model, so all tracks count, or with `fdist_of` "overlap" those in both catalogues, which
        alone say how their tags go together (section 4).
        """
        if fdist_of not in ("all", "overlap"):
            raise InputError(f"fdist_of={fdist_of}: one of all, overlap")
        parts = np.array(self.predictions.excerpts["part"])
        if heard:
            return np.flatnonzero(parts != "overlap")
        overlap = np.flatnonzero(np.char.endswith(parts, "overlap"))
        return overlap if fdist_of == "overlap" and len(overlap) else np.arange(len(parts))


def load_run(path: PathLike) -> Run:
    """Opens a run directory that `launch.train` has finished (section 2.3).

    Raises:
      InputError: it is none, not finished, or damaged.

    >>> load_run("runs/tiny").metadata["experiment"]
    'taxonomy'
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
    metadata, predicted = config["metadata"], predictions.read(path / "predictions")
    return Run(
        path,
        _vocabulary(path, metadata, predicted.tags),
        tuple(np.load(kernel, allow_pickle=False) for kernel in kernels),
        predicted,
        read_truth(path / TRUTH)
        if (path / TRUTH).is_dir()
        else from_rows(metadata.get("truth", {})),
        metadata,
    )


def _vocabulary(path: pathlib.Path, metadata: Mapping[str, Any], tags: Sequence[str]) -> Vocabulary:
    """What the run recorded of its predictions' tags: older ones have their systems alone."""
    if "vocabulary" not in metadata:
        halves = metadata.get("experiment") == "deduplication"
        return Vocabulary.of(tags, metadata.get("systems") or ("",), halves)
    recorded = Vocabulary.from_record(metadata["vocabulary"])
    if {*tags} - recorded.index.keys():
        raise InputError(f"{path}/config.json: its vocabulary lacks tags of {path}/predictions")
    return recorded.select(tags)


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
