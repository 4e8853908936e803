"""One probability a pair, learnt from questions whose answers are known.

A query has one partner among its candidates, or none. So the model is a choice among all
candidates and "none": a conditional logit (McFadden 1974,
https://eml.berkeley.edu/reprints/mcfadden/zarembka.pdf).
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.optimize

Array = npt.NDArray[np.float64]
Question = tuple[Array, npt.NDArray[np.int64]]
"""Evidence [Q, C, F], and the place of each query's partner [Q], -1 for none."""


@dataclasses.dataclass(frozen=True, eq=False)
class ChoiceModel:
    """P(candidate) in proportion to exp(w'x), P(none) in proportion to exp(none).

    Attributes:
      weights: w, float64 [F], of standardised evidence.
      none: what speaks for none.
      mean: float64 [F], and
      scale: float64 [F], by which evidence is standardised.
      share: of the queries without partner among those it learnt from.
    """

    weights: Array
    none: float
    mean: Array
    scale: Array
    share: float

    @property
    def prior(self) -> float:
        """`share`, but neither 0 nor 1, of which no finite number of questions could be sure."""
        return min(max(self.share, 0.01), 0.99)

    def utilities(self, evidence: Array) -> Array:
        """What speaks for each candidate, where 0 speaks for none: [Q, C, F] to [Q, C]."""
        weights = self.weights / self.scale
        return evidence @ weights - (self.none + float(self.mean @ weights))

    def probabilities(self, evidence: Array) -> Array:
        """P(candidate), and P(none) in the last column: [Q, C, F] to float64 [Q, C + 1]."""
        return _shares(self.utilities(evidence))


def fit(questions: Sequence[Question], penalty: float = 0.1) -> ChoiceModel:
    """Learns to choose, by penalised maximum likelihood.

    Args:
      questions: with their answers.
      penalty: half of it times the squared weights is added to the mean negative log-likelihood.

    Raises:
      ValueError: no question.

    >>> evidence = np.array([[[3.0], [0.0]], [[0.0], [3.0]], [[0.0], [0.0]]])
    >>> model = fit([(evidence, np.array([0, 1, -1]))], penalty=0.01)
    >>> model.probabilities(evidence).argmax(axis=1).tolist()
    [0, 1, 2]

    Reference: https://eml.berkeley.edu/reprints/mcfadden/zarembka.pdf
    """
    answers = [partner for _, partner in questions]
    if not sum(map(len, answers)):
        raise ValueError("no question to learn from")
    rows = np.concatenate([x.reshape(-1, x.shape[2]) for x, _ in questions])
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    blocks = [((x - mean) / scale, partner) for x, partner in questions]
    found = scipy.optimize.minimize(
        _objective, np.zeros(len(mean) + 1), (blocks, penalty), jac=True, method="L-BFGS-B"
    )
    share = float(np.mean(np.concatenate(answers) < 0))
    return ChoiceModel(found.x[:-1], float(found.x[-1]), mean, scale, share)


def with_share(probabilities: Array, learnt: float, share: float) -> Array:
    """Probabilities if another share of the queries has no partner (Bayes' rule).

    Args:
      probabilities: float64 [Q, C + 1], none in the last column.
      learnt: share without partner among the questions that were learnt from, in (0, 1).
      share: that is expected instead, in [0, 1].

    Returns:
      float64 [Q, C + 1]; a row that the new share rules out stays as it is.

    >>> with_share(np.array([[0.5, 0.5]]), 0.5, 0.8).round(2).tolist()
    [[0.2, 0.8]]

    Reference: Saerens et al. 2002, equation 4, https://doi.org/10.1162/089976602753284446
    """
    weight = np.full(probabilities.shape[1], (1 - share) / (1 - learnt))
    weight[-1] = share / learnt
    found = probabilities * weight
    total = found.sum(axis=1, keepdims=True)
    return np.divide(found, total, out=probabilities.copy(), where=total > 0)


def _shares(utilities: Array) -> Array:
    """P(candidate), and P(none) in the last column: float64 [Q, C + 1]."""
    found = np.append(utilities, np.zeros((len(utilities), 1)), axis=1)
    found -= found.max(axis=1, keepdims=True)
    np.exp(found, out=found)
    found /= found.sum(axis=1, keepdims=True)
    return found


def _objective(
    parameters: Array, blocks: Sequence[Question], penalty: float
) -> tuple[float, Array]:
    """Penalised mean negative log-likelihood, and its gradient."""
    weights, none = parameters[:-1], parameters[-1]
    loss, count, gradient = 0.0, 0, np.zeros_like(parameters)
    for evidence, partner in blocks:
        shares = _shares(evidence @ weights - none)
        queries = np.arange(len(partner))
        loss -= float(np.log(np.maximum(shares[queries, partner], 1e-300)).sum())
        shares[queries, partner] -= 1  # None is the last column, as -1 says.
        gradient[:-1] += np.tensordot(shares[:, :-1], evidence, 2)
        gradient[-1] += shares[:, -1].sum()
        count += len(partner)
    loss = loss / count + 0.5 * penalty * float(weights @ weights)
    return loss, gradient / count + penalty * np.append(weights, 0.0)
