"""`Similarity`: how alike tags are, as a square matrix with its vocabulary."""

import dataclasses
import difflib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tagjax.base.errors import InputError
from tagjax.similarity import embeddings
from tagjax.vocabulary.vocabulary import Vocabulary

if TYPE_CHECKING:
    import pandas


@dataclasses.dataclass(frozen=True, eq=False, init=False)
class Similarity:
    """How alike the tags are.

    Attributes:
      vocabulary: the N tags.
      matrix: float64 [N, N], symmetric, rows and columns in the order of the tags; the row and
        column of a tag without data are NaN.

    >>> similarity = Similarity(["bop", "ska", "x:bop", "x:ska"], np.eye(4))
    >>> similarity.vocabulary.systems
    ('', 'x:')

    Reference: section 2.4.5 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    vocabulary: Vocabulary
    matrix: npt.NDArray[np.float64]

    def __init__(self, vocabulary: Vocabulary | Sequence[str], matrix: npt.ArrayLike) -> None:
        """Takes a vocabulary, or tags whose vocabulary is guessed (`Vocabulary.guess`).

        Raises:
          ValueError: the matrix has not one row and column for each tag, or a tag occurs twice.
        """
        if not isinstance(vocabulary, Vocabulary):
            vocabulary = Vocabulary.guess(vocabulary)
        matrix = np.asarray(matrix, dtype=np.float64)
        if matrix.shape != (len(vocabulary), len(vocabulary)):
            raise ValueError(f"{len(vocabulary)} tags but a matrix {matrix.shape}")
        object.__setattr__(self, "vocabulary", vocabulary)
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def from_predictions(
        cls,
        probabilities: npt.ArrayLike,
        tags: Vocabulary | Sequence[str],
        occurrences: npt.ArrayLike | None = None,
        embedding: str = "fc",
        ridge: float = 5.0,
    ) -> "Similarity":
        """The similarity of tags by a classifier's predictions of excerpts it was not trained on.

        s(t_i, t_j) = cos(f(t_i), f(t_j)) (section 2.4.5). By default f is f_c, the columns of P
        (equation 2). With `embedding="fm"` it is the mean row of P over a tag's excerpts (eq. 3).

        Args:
          probabilities: P, float [N_s, N_c]; each row has the class probabilities of an excerpt.
          tags: names of the columns, of P for fc and of the occurrences for fm, fr and fdist.
            The latter may be tags that the classifier has never seen.
          occurrences: M, {0, 1} [N_s, N_t], whether the excerpt's track has the tag.
          embedding: a name in `embeddings.EMBEDDINGS` that needs no other inputs.
          ridge: of fr, in excerpts; a run chooses it by its data.

        Raises:
          InputError: the embedding is unknown, or needs other inputs.
          ValueError: the shapes do not agree.

        >>> probabilities = [[0.7, 0.2, 0.1], [0.4, 0.5, 0.1], [0.1, 0.1, 0.8]]
        >>> similarity = Similarity.from_predictions(probabilities, ["bop", "bebop", "ska"])
        >>> similarity.nearest("bop", 1)[0][0]
        'bebop'

        Reference: https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
        """
        inputs: dict[str, Any] = {"probabilities": np.asanyarray(probabilities), "ridge": ridge}
        if occurrences is not None:
            inputs["occurrences"] = np.asanyarray(occurrences)
        return cls(tags, embeddings.cosine(embeddings.named(embedding).of(inputs)))

    @property
    def tags(self) -> tuple[str, ...]:
        """The N tags."""
        return self.vocabulary.tags

    def reordered(self, tags: Sequence[str]) -> "Similarity":
        """The similarity of these tags, some or all of its tags, in this order.

        Raises:
          KeyError: it has no such tag.

        >>> similarity = Similarity(["a", "b", "c"], [[1, 0.2, 0.5], [0.2, 1, 0], [0.5, 0, 1]])
        >>> similarity.reordered(["c", "a"]).matrix.tolist()
        [[1.0, 0.5], [0.5, 1.0]]
        """
        if tuple(tags) == self.tags:
            return self
        places = [self.vocabulary.index[tag] for tag in tags]
        return Similarity(self.vocabulary.select(tags), self.matrix[np.ix_(places, places)])

    def nearest(self, tag: str, k: int = 10) -> list[tuple[str, float]]:
        """The tags most similar to a tag, the nearest first; equal ones are in the order of names.

        Returns:
          At most `k` pairs (tag, similarity), without tags that have no data.

        Raises:
          InputError: there is no such tag.

        >>> Similarity(["a", "b", "c"], [[1, 0.2, 0.5], [0.2, 1, 0], [0.5, 0, 1]]).nearest("a")
        [('c', 0.5), ('b', 0.2)]

        Reference: section 2.4.5 of the paper,
        https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
        """
        if tag not in self.vocabulary.index:
            close = difflib.get_close_matches(tag, self.tags, 3)
            advice = f"; there is {', '.join(map(repr, close))}" if close else ""
            raise InputError(f"no tag {tag!r} among the {len(self.tags)}{advice}")
        scores = self.matrix[self.vocabulary.index[tag]].tolist()
        others = zip(self.tags, scores, strict=True)
        found = [pair for pair in others if pair[0] != tag and not math.isnan(pair[1])]
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:k]

    def to_frame(self) -> "pandas.DataFrame":
        """The matrix as a data frame, with tags as its index and columns; it needs pandas.

        >>> Similarity(["a", "b"], [[1, 0.2], [0.2, 1]]).to_frame().loc["a", "b"].item()
        0.2

        Reference: https://pandas.pydata.org/docs/reference/api/pandas.DataFrame.html
        """
        import pandas

        names: Any = list(self.tags)
        return pandas.DataFrame(self.matrix, index=names, columns=names)
