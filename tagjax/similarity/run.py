"""Reads a run directory and makes the similarities of its tags.

Only this module knows both the files of a run and the embeddings.
"""

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
from tagjax.similarity import embeddings, halves
from tagjax.similarity.matrix import Similarity
from tagjax.similarity.observations import NoTracksError, Observations, averaged, observe
from tagjax.vocabulary.truth import Truth, from_rows, read_truth
from tagjax.vocabulary.vocabulary import Vocabulary

if TYPE_CHECKING:
    from tagjax.run.listening import Listener

TRUTH = "truth"
"""Name of the folder of a run that has its copy of the tables of truth."""


@dataclasses.dataclass(frozen=True)
class TrainedConfig:
    """When a tag counts as trained, so that fw and fc have a direction for it.

    If a tag was never or hardly ever a label, only chance and regularisation have shaped its output
    unit.

    Attributes:
      least_labels: smallest number of training excerpts whose label is the tag. Without any, no
        excerpt moves the unit towards the tag.
      least_artists: smallest number of their artists. From a single artist, a model learns the
        artist and not the tag.

    With folds, the counts are those of the fold whose model had most. The tag must also be known to
    a model that predicts excerpts with it. A tag of one artist is not, because its artist is in one
    fold.
    """

    least_labels: int = 1
    least_artists: int = 2

    def __post_init__(self) -> None:
        for name in ("least_labels", "least_artists"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}={getattr(self, name)}: must be at least 0")


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """How often the likeliest tag is the label, for held-out excerpts.

    Attributes:
      hits: bool [n], whether the likeliest tag of each excerpt is its label.
      tags: N_c; a random guess is right with probability 1 / N_c.
      commonest: the label of most of these excerpts.
      commonest_share: the share of these excerpts that has it.
    """

    hits: np.ndarray
    tags: int
    commonest: str
    commonest_share: float


@dataclasses.dataclass(frozen=True)
class Run:
    """The results of a finished run, from which the embeddings of its tags are made.

    Attributes:
      path: the run directory.
      vocabulary: N_c tags, as the data set recorded them.
      kernels: float32 [H, N_c] each, the last layer of the model, or of each fold's model.
      predictions: predictions of the test split, or of all folds.
      truth: the copy of the tables of truth in the run, used by default.
      metadata: metadata of the data set, such as `experiment` and `multi_label`.
      trained: when a tag counts as trained.

    >>> run = load_run("runs/catalogue_split/mine")
    >>> run.vocabulary.tags
    ('bebop', 'dub', 'x:bop', 'x:ska')
    >>> run.names
    ('fw', 'fc', 'fm', 'fr', 'fdist')

    Reference: section 2.4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    path: pathlib.Path
    vocabulary: Vocabulary
    kernels: tuple[np.ndarray, ...]
    predictions: predictions.Predictions
    truth: Truth = Truth()
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    trained: TrainedConfig = TrainedConfig()

    @property
    def multi_label(self) -> bool:
        """Whether all tags of an excerpt are known; otherwise only its label is."""
        known = self.metadata.get("multi_label")
        return any(self.predictions.excerpts["tags"]) if known is None else bool(known)

    @property
    def names(self) -> tuple[str, ...]:
        """The embeddings of the run; without `multi_label` there is no fdist."""
        return tuple(name for name in embeddings.NAMES if name != "fdist" or self.multi_label)

    @functools.cached_property
    def labelled(self) -> dict[str, tuple[int, int | None]]:
        """{tag: (number of training excerpts with this label, number of their artists)}.

        With folds, each is the largest number in any fold. The number of artists is None if the
        data set does not know them. The result is empty for older runs, which did not record it.
        """
        models = self.predictions.labels
        if not models:
            return {}
        excerpts = np.max([model.excerpts for model in models], axis=0).tolist()
        known = [model.artists for model in models if model.artists is not None]
        artists = np.max(known, axis=0).tolist() if known else [None] * len(excerpts)
        return dict(zip(self.predictions.tags, zip(excerpts, artists, strict=True), strict=True))

    @functools.cached_property
    def untrained(self) -> tuple[str, ...]:
        """Tags that the model was not trained on, see `TrainedConfig`; none in an older run.

        They have no direction in fw and fc, which are made of the classifier's output units.
        """
        least, unknown = self.trained, self._unknown_to_their_folds()
        return tuple(
            tag
            for tag, (excerpts, artists) in self.labelled.items()
            if tag in unknown
            or excerpts < least.least_labels
            or (artists is not None and artists < least.least_artists)
        )

    def _unknown_to_their_folds(self) -> set[str]:
        """Tags with too few labels in each fold whose model predicts excerpts with them."""
        models = self.predictions.labels
        if len(models) < 2:
            return set()
        predicted = np.zeros((len(models), len(self.predictions.tags)), dtype=bool)
        for fold in range(len(models)):
            in_fold = self._parts == f"fold_{fold}"
            in_fold |= np.char.startswith(self._parts, f"fold_{fold}_")
            rows = embeddings.Rows(self.predictions.occurrences, np.flatnonzero(in_fold))
            for chunk in embeddings.chunks_of(rows):
                predicted[fold] |= np.asarray(chunk).any(axis=0)
        enough = np.array([model.excerpts >= self.trained.least_labels for model in models])
        unknown = predicted.any(axis=0) & ~(predicted & enough).any(axis=0)
        return {
            tag
            for tag, is_unknown in zip(self.predictions.tags, unknown, strict=True)
            if is_unknown
        }

    @functools.cached_property
    def counts(self) -> dict[str, tuple[int, int | None]]:
        """{tag: (number of predicted tracks with the tag, number of their artists)}.

        Tags that were split in two are included, beside their halves. The number of artists is None
        if the data set does not know them.
        """
        tracks, artists = (self.predictions.excerpts[name] for name in ("sng_id", "artist_id"))
        found: dict[str, tuple[set[str], set[str]]] = {}
        whole = self.vocabulary.whole
        for start in range(0, len(tracks), embeddings.ROWS):
            block = np.asarray(self.predictions.occurrences[start : start + embeddings.ROWS])
            for row, column in np.argwhere(block).tolist():
                for name in {self.vocabulary.tags[column], whole[column]}:
                    sets = found.setdefault(name, (set(), set()))
                    sets[0].add(tracks[start + row])
                    sets[1].add(artists[start + row])
        names = {*self.vocabulary.tags, *whole}
        empty: tuple[set[str], set[str]] = (set(), set())
        known = any(artists)
        return {
            name: (len(with_it[0]), len(with_it[1]) if known else None)
            for name, with_it in ((name, found.get(name, empty)) for name in sorted(names))
        }

    def accuracy(self) -> Accuracy | None:
        """How often the likeliest tag is the label; None if nothing was held out.

        Tracks in both catalogues do not count, because their label is from only one of them.
        """
        rows, labels = self._heard(), np.array(self.predictions.excerpts["label"], dtype=object)
        if not len(rows):
            return None
        chunks = embeddings.chunks_of(embeddings.Rows(self.predictions.probabilities, rows))
        answers = np.concatenate([np.asarray(chunk).argmax(axis=1) for chunk in chunks])
        hits = np.array(self.predictions.tags, dtype=object)[answers] == labels[rows]
        names, counts = np.unique(labels[rows].astype(str), return_counts=True)
        commonest = int(counts.argmax())
        share = float(counts[commonest] / len(rows))
        return Accuracy(hits.astype(bool), len(self.predictions.tags), str(names[commonest]), share)

    def predict(self, path: PathLike) -> list[tuple[str, float]]:
        """Tags and probabilities of an audio file, the likeliest first.

        The probabilities are means over the file's excerpts, and over the models of a run with
        folds.

        Raises:
          AudioError: the file cannot be used.
          InputError: the run's checkpoints are gone or damaged.

        >>> run = load_run("runs/catalogue_split/mine")
        >>> sorted(tag for tag, probability in run.predict("song.mp3"))
        ['bebop', 'dub', 'x:bop', 'x:ska']

        Reference: section 2.3 of the paper,
        https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
        """
        from tagjax.examples.audio import AudioError

        try:
            means = self.listener.probabilities(path).mean(axis=0)
        except AudioError as error:
            raise AudioError(f"{path}: {error}") from None
        ranked = np.argsort(-means, kind="stable").tolist()
        return [(self.listener.tags[place], float(means[place])) for place in ranked]

    @functools.cached_property
    def listener(self) -> "Listener":
        """The run's models. They are opened at first use, because this imports JAX."""
        from tagjax.run.listening import listener

        return listener(self.path)

    @functools.cached_property
    def observed(self) -> Observations:
        """The run's tracks as observations; those of both catalogues are left out.

        Raises:
          InputError: no track is left.
        """
        rows, excerpts = self._heard(), self.predictions.excerpts
        tracks, artists = (
            np.array(excerpts[name])[rows].tolist() for name in ("sng_id", "artist_id")
        )
        whole = dict(zip(self.vocabulary.tags, self.vocabulary.whole, strict=True))
        return observe(
            embeddings.Rows(self.predictions.probabilities, rows),
            embeddings.Rows(self.predictions.occurrences, rows),
            self.vocabulary,
            tracks,
            artists,
            [whole.get(tag, "") for tag in self.predictions.tags],
        )

    @functools.cached_property
    def recovery(self) -> halves.Recovery:
        """How well halves of the run's tags find each other, and the ridge of fr so chosen."""
        try:
            observed = self.observed
        except NoTracksError:
            return halves.Recovery(halves.HalvesConfig().ridge)
        return halves.recover(observed)

    def similarity(self, embedding: str = "fc", fdist_of: str = "all") -> Similarity:
        """Cosine similarity (section 2.4.5) of the run's tags by an embedding.

        The sums are made in chunks, so that no N_s x N_c array is in memory.

        Args:
          embedding: a name in `embeddings.EMBEDDINGS`.
          fdist_of: excerpts that fdist counts: "all", or those in the "overlap" of two catalogues
            if there are any (section 4).

        Returns:
          The similarity. It is NaN for a tag without direction: a tag that no excerpt has, and in
          fw and fc also a tag in `untrained`.

        Raises:
          InputError: an unknown embedding, an unknown value of `fdist_of`, or fdist of a run that
            knows only labels.

        >>> sim = load_run("runs/catalogue_split/mine").similarity("fc")
        >>> sorted(tag for tag, score in sim.nearest("bebop", 5))
        ['dub', 'x:bop', 'x:ska']

        Reference: section 2.4.5 of the paper,
        https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
        """
        vectors = embeddings.named(embedding).of(self._inputs(embedding, fdist_of))
        matrix = embeddings.cosine(vectors)
        absent = self._without_direction(embedding)
        matrix[absent] = np.nan
        matrix[:, absent] = np.nan
        return Similarity(self.vocabulary, matrix)

    def similarities(self, fdist_of: str = "all") -> dict[str, Similarity]:
        """{embedding: similarity} for all `names`; see `similarity`.

        >>> list(load_run("runs/catalogue_split/mine").similarities())
        ['fw', 'fc', 'fm', 'fr', 'fdist']

        Reference: section 2.4 of the paper,
        https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
        """
        return {name: self.similarity(name, fdist_of) for name in self.names}

    def embedding(self, name: str, fdist_of: str = "all", max_rows: int = 20_000) -> np.ndarray:
        """An embedding itself, with one column for each tag: float [dimensions, N_c].

        fc and fdist have one dimension for each excerpt. At most `max_rows` evenly spaced ones are
        kept, as many as in the authors' release. The column of a tag without direction may be NaN.

        Raises:
          InputError: as `similarity`.

        >>> load_run("runs/catalogue_split/mine").embedding("fm").shape
        (4, 4)

        Reference: section 2.4 of the paper,
        https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
        """
        vectors = embeddings.named(name).of(self._inputs(name, fdist_of))
        if isinstance(vectors, embeddings.Rows):
            if len(vectors) > max_rows:
                chosen = np.linspace(0, len(vectors) - 1, max_rows).astype(np.int64)
                vectors = embeddings.Rows(vectors.array, vectors.places[chosen])
            vectors = vectors[:]
        absent = self._without_direction(name)
        if absent:
            vectors = np.array(vectors)
            vectors[:, absent] = np.nan
        return vectors

    def with_new_tags(
        self, annotations: Mapping[str, Sequence[str]], system: str = ""
    ) -> dict[str, Similarity]:
        """fm, fr and fdist with other tags of the predicted tracks; see `annotated`.

        >>> run = load_run("runs/catalogue_split/mine")
        >>> new = run.with_new_tags({"test0": ["deep"], "test1": ["deep"]}, system="y:")
        >>> list(new), new["fm"].tags[-1]
        (['fm', 'fr', 'fdist'], 'y:deep')

        Reference: section 2.4.3 of the paper,
        https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
        """
        annotated = self.annotated(annotations, system)
        return {
            name: annotated.similarity(name)
            for name in annotated.names
            if "occurrences" in embeddings.named(name).inputs
        }

    def annotated(self, annotations: Mapping[str, Sequence[str]], system: str = "") -> "Run":
        """The run with further annotations of the predicted tracks (section 2.4.3).

        The classifier is not trained again. fm, fr and fdist can have new tags; fw and fc cannot.

        Args:
          annotations: {track id: tags, without prefix}.
          system: prefix of their tag system. If the run knows a tag already, the new annotations
            replace its occurrences.

        Raises:
          InputError: none of these tracks was predicted.

        >>> run = load_run("runs/catalogue_split/mine").annotated({"test0": ["deep"]}, system="y:")
        >>> run.vocabulary.tags
        ('bebop', 'dub', 'x:bop', 'x:ska', 'y:deep')

        Reference: section 2.4.3 of the paper,
        https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
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
            labels=(),  # They matter only to fw and fc.
        )
        return dataclasses.replace(
            self,
            vocabulary=old.extended(Vocabulary.of(tags, [system])),
            predictions=predicted,
            metadata={**self.metadata, "multi_label": self.multi_label or not kept},
        )

    def _inputs(self, name: str, fdist_of: str) -> dict[str, Any]:
        """The arrays from which the embedding of that name is made."""
        inputs = embeddings.named(name).inputs
        if fdist_of not in ("all", "overlap"):
            raise InputError(f"fdist_of={fdist_of}: one of all, overlap")
        if name not in self.names:
            raise InputError(
                f"{self.path}: {name} needs all tags of a track, but the data set has only labels; "
                "build one from lists with a column tags"
            )
        rows = self._heard() if "probabilities" in inputs else self._rows(fdist_of)
        found: dict[str, Any] = {
            "kernels": self.kernels,
            "probabilities": embeddings.Rows(self.predictions.probabilities, rows),
            "occurrences": embeddings.Rows(self.predictions.occurrences, rows),
        }
        if "ridge" not in inputs:
            return found
        tracks = np.array(self.predictions.excerpts["sng_id"])[rows]
        return {
            "probabilities": averaged(found["probabilities"], tracks),
            "occurrences": averaged(found["occurrences"], tracks),
            "ridge": self.recovery.ridge,
        }

    def _without_direction(self, name: str) -> list[int]:
        """Places of tags that the model was not trained on, if the embedding needs training."""
        if "occurrences" in embeddings.named(name).inputs:
            return []
        return [self.vocabulary.index[tag] for tag in self.untrained]

    @functools.cached_property
    def _parts(self) -> np.ndarray:
        return np.array(self.predictions.excerpts["part"], dtype=np.str_)

    def overlap(self) -> np.ndarray:
        """The rows of tracks in both catalogues, int64 [n]."""
        return np.flatnonzero(np.char.endswith(self._parts, "overlap"))

    def _heard(self) -> np.ndarray:
        """The rows for embeddings that use the predicted probabilities, int64 [n].

        Tracks in both catalogues have tags of both. With them, the annotations would tell an
        embedding which tags go together, but it must learn this only from the sound (section 4).
        They are left out for every task, so that an embedding is the same in all tasks.
        """
        return np.flatnonzero(~np.char.endswith(self._parts, "overlap"))

    def _rows(self, fdist_of: str) -> np.ndarray:
        """The rows for fdist, which uses only annotations, int64 [n].

        These are all tracks; with `fdist_of` "overlap", those in both catalogues. Only these show
        which tags of the two catalogues go together (section 4).
        """
        overlap = self.overlap()
        together = fdist_of == "overlap" and len(overlap)
        return overlap if together else np.arange(len(self._parts))


def load_run(path: PathLike, trained: TrainedConfig = TrainedConfig()) -> Run:
    """Opens a run directory that `launch.train` has finished.

    Args:
      path: the run directory.
      trained: when a tag counts as trained.

    Raises:
      InputError: the folder is not a run, or the run is not finished, or it is damaged.

    >>> load_run("runs/catalogue_split/mine").vocabulary.systems
    ('', 'x:')

    Reference: section 2.3 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
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
        trained,
    )


def _vocabulary(path: pathlib.Path, metadata: Mapping[str, Any], tags: Sequence[str]) -> Vocabulary:
    """The vocabulary of the predicted tags; an older run recorded only their systems."""
    if "vocabulary" not in metadata:
        halves = metadata.get("experiment") == "deduplication"
        return Vocabulary.of(tags, metadata.get("systems") or ("",), halves)
    recorded = Vocabulary.from_record(metadata["vocabulary"])
    if {*tags} - recorded.index.keys():
        raise InputError(f"{path}/config.json: its vocabulary lacks tags of {path}/predictions")
    return recorded.select(tags)


def find(runs_dir: PathLike, experiments: Sequence[str], command: str) -> pathlib.Path:
    """The newest finished run that was made for one of these experiments.

    Args:
      runs_dir: folder to search, at any depth.
      experiments: names, as in the metadata of the run's data set.
      command: a command that makes such a run, for the error message.

    Raises:
      InputError: there is no such run.
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
