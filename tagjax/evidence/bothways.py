"""One probability a pair, when both of its tags were asked.

A query chooses among the candidates. A candidate that is nearer to another query is taken, so each
candidate chooses among the queries too. The logarithms of both answers are added, and what the sum
is worth is learnt on the same questions.
"""

import dataclasses
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt
import scipy.special

from tagjax.evidence import choice

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_PENALTY = 0.01
"""Of the one weight of the sum, which hundreds of questions teach."""


def totals(model: choice.ChoiceModel, evidence: Array) -> Array:
    """Logarithm of what all queries, and none, are to each candidate.

    Args:
      model: of the evidence.
      evidence: of all queries, float64 [Q, C, F].

    Returns:
      float64 [C].
    """
    return np.logaddexp(0.0, scipy.special.logsumexp(model.utilities(evidence), axis=0))


@dataclasses.dataclass(frozen=True, eq=False)
class Round:
    """Questions among the same candidates.

    Attributes:
      totals: of all queries, by a model of the evidence; see `totals`.
      asked: yields that of queries with a known answer, the place of each one's partner [q] or -1
        for none, and the tags that ask [q].
    """

    totals: Callable[[choice.ChoiceModel], Array]
    asked: Callable[[], Iterable[tuple[Array, Ints, Ints]]]


@dataclasses.dataclass(frozen=True, eq=False)
class BothWays:
    """What speaks for a pair, and what it is worth if both sides say so.

    Attributes:
      one: of the evidence.
      both: of the sum of both answers' logarithms.
    """

    one: choice.ChoiceModel
    both: choice.ChoiceModel

    @property
    def prior(self) -> float:
        """See `choice.ChoiceModel.prior`."""
        return self.both.prior

    def sums(self, evidence: Array, totals: Array) -> Array:
        """Logarithms of both answers, added: [Q, C, F] and [C] to float64 [Q, C, 1]."""
        utilities = self.one.utilities(evidence)
        own = np.logaddexp(0.0, scipy.special.logsumexp(utilities, axis=1, keepdims=True))
        return (2 * utilities - own - totals)[..., None]

    def probabilities(self, evidence: Array, totals: Array) -> Array:
        """P(candidate), and P(none) in the last column.

        Args:
          evidence: float64 [Q, C, F].
          totals: float64 [C], of all queries; see `totals`.

        Returns:
          float64 [Q, C + 1].
        """
        return self.both.probabilities(self.sums(evidence, totals))


@dataclasses.dataclass(frozen=True, eq=False)
class Tested:
    """A model, and what it said of questions that did not teach it.

    Attributes:
      model: the model.
      known: float64 [K], probability of the first candidate of each query, and
      right: bool [K], whether that is the partner, and
      tag: int64 [K], the tag that asked.
    """

    model: BothWays
    known: Array
    right: npt.NDArray[np.bool_]
    tag: Ints


def fit(
    rounds: Sequence[Round], penalty: float = 0.1, decided: Sequence[choice.Question] = ()
) -> BothWays:
    """Learns to choose, first one way and then both ways.

    Args:
      rounds: with their answers.
      penalty: see `choice.fit`.
      decided: questions beside, which teach one way alone.

    Raises:
      ValueError: no question.

    >>> evidence = np.array([[[3.0], [2.0]], [[2.0], [0.0]], [[0.0], [0.0]]])
    >>> asked = evidence, np.array([0, 1, -1]), np.arange(3)
    >>> part = Round(lambda model: totals(model, evidence), lambda: [asked])
    >>> model = fit([part], penalty=0.01)
    >>> model.one.probabilities(evidence)[1].argmax()
    np.int64(0)
    >>> model.probabilities(evidence, totals(model.one, evidence)).shape
    (3, 3)

    Reference: the product of both answers is the dual softmax of Sun et al. 2021, section 3.3,
    https://arxiv.org/abs/2104.00680
    """
    blocks = [list(part.asked()) for part in rounds]
    questions = [block[:2] for part in blocks for block in part]
    one = choice.fit([*questions, *decided], penalty)
    model = BothWays(one, one)
    sums = [
        (model.sums(evidence, everyone), partner)
        for part, known in zip(rounds, blocks, strict=True)
        for everyone in [part.totals(one)]
        for evidence, partner, _ in known
    ]
    return BothWays(one, choice.fit(sums, _PENALTY))


def test(model: BothWays, rounds: Iterable[Round]) -> Tested:
    """Asks a model what it did not learn."""
    known, right, tags = [], [], []
    for part in rounds:
        everyone = part.totals(model.one)
        for evidence, partner, tag in part.asked():
            found = model.probabilities(evidence, everyone)[:, :-1]
            known.append(found.max(axis=1))
            right.append(found.argmax(axis=1) == partner)
            tags.append(tag)
    return Tested(model, np.concatenate(known), np.concatenate(right), np.concatenate(tags))
