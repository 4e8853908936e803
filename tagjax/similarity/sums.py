"""Sums over excerpts, from which fc, fm, fr and fdist follow: machines add theirs up.

Each machine sums the predictions of its own tracks. The sums are as large as the tags squared,
whatever the number of tracks, and travel as a file; the predictions stay where they are.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tagjax.base import files
from tagjax.base.errors import InputError
from tagjax.similarity import embeddings
from tagjax.similarity.matrix import Similarity

Array = npt.NDArray[np.float64]

NAMES = ("fc", "fm", "fr", "fdist")
"""Embeddings whose similarity follows from sums; fw is the model's alone."""
_ARRAYS = ("products", "heard", "means", "roots", "together")


@dataclasses.dataclass(frozen=True, eq=False)
class Sums:
    """Sums over some excerpts; those of others are added by `+`, in any order.

    With P, M and g of `tagjax.similarity.embeddings`:

    Attributes:
      classes: the N_c tags of P.
      tags: the N_t tags of M.
      rows: number of excerpts.
      products: P'P, float64 [N_c, N_c].
      heard: sum of g(p), float64 [N_c].
      means: M'P, float64 [N_t, N_c].
      roots: M'g(P), float64 [N_t, N_c].
      together: M'M, float64 [N_t, N_t].

    >>> here = Sums.of(["dub", "ska"], [[0.75, 0.25]], [[1, 0]])
    >>> there = Sums.of(["dub", "ska"], [[0.5, 0.5], [0.25, 0.75]], [[1, 1], [0, 1]])
    >>> (here + there).similarity("fdist").matrix.round(3).tolist()
    [[1.0, 0.5], [0.5, 1.0]]

    Reference: section 2.4 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    classes: tuple[str, ...]
    tags: tuple[str, ...]
    rows: int
    products: Array
    heard: Array
    means: Array
    roots: Array
    together: Array

    @classmethod
    def of(
        cls,
        classes: Sequence[str],
        probabilities: Any,
        occurrences: Any,
        tags: Sequence[str] | None = None,
    ) -> "Sums":
        """Sums some predictions, as `tagjax.run.predictions.read` opens them.

        Args:
          classes: the N_c tags of P.
          probabilities: P, float [n, N_c]; may be a memory map.
          occurrences: M, {0, 1} [n, N_t].
          tags: the N_t tags of M; None: those of P.

        Raises:
          ValueError: an argument is not a matrix, or the numbers of rows differ or are 0.
        """
        found = embeddings.added(
            (
                p.T @ p,
                roots.sum(axis=0),
                having.T @ p,
                having.T @ roots,
                (having.T @ having).toarray(),
            )
            for p, having in embeddings.blocks(probabilities, occurrences)
            for roots in [np.sqrt(p)]
        )
        return cls(tuple(classes), tuple(tags or classes), len(probabilities), *found)

    def __add__(self, other: "Sums") -> "Sums":
        """The sums over the excerpts of both.

        Raises:
          InputError: their tags differ.
        """
        if (self.classes, self.tags) != (other.classes, other.tags):
            raise InputError("sums of different tags, which cannot be added: take one model's")
        added = (getattr(self, name) + getattr(other, name) for name in _ARRAYS)
        return Sums(self.classes, self.tags, self.rows + other.rows, *added)

    def similarity(self, embedding: str, ridge: float = 5.0) -> Similarity:
        """Cosine similarity of the tags by an embedding of `NAMES`, of all excerpts summed.

        Args:
          embedding: its name.
          ridge: of fr, in excerpts; see `embeddings.fr`.

        Raises:
          InputError: sums do not tell this embedding.
        """
        if embedding not in NAMES:
            raise InputError(f"{embedding}: sums give {', '.join(NAMES)}")
        if embedding in ("fc", "fdist"):
            products = self.products if embedding == "fc" else self.together
        else:
            vectors = self.means / np.maximum(np.diagonal(self.together), 1)[:, None]
            if embedding == "fr":
                given = self.heard, self.roots, self.together, self.rows
                vectors = embeddings.fr_of_sums(*given, ridge).T
            products = vectors @ vectors.T
        tags = self.classes if embedding == "fc" else self.tags
        return Similarity(tags, embeddings.cosine_of_gram(products))

    def write(self, path: files.PathLike) -> None:
        """Writes the sums into an .npz file, which `read` reads on another machine."""
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _ARRAYS}
        classes, tags = np.array(self.classes), np.array(self.tags)
        with files.atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(file, classes=classes, tags=tags, rows=self.rows, **arrays)


def read(path: files.PathLike) -> Sums:
    """Reads a file of `Sums.write`.

    Raises:
      InputError: it is missing or damaged.
    """
    path = pathlib.Path(path)
    try:
        with np.load(path, allow_pickle=False) as found:
            classes, tags = (tuple(found[name].tolist()) for name in ("classes", "tags"))
            arrays = {name: found[name] for name in _ARRAYS}
            return Sums(classes, tags, int(found["rows"]), **arrays)
    except Exception as error:  # NumPy and zipfile raise anything on a damaged file.
        raise InputError(f"{path}: no sums that can be read ({error})") from None
