"""Is it a kind of it, or a sibling? Relations other than the same, learnt without a label.

A half and its partner are the same. Of two tags of one catalogue, what the annotations contain in
each other is broad and narrow: x is narrower than y if most tracks with x have y, and few of the
reverse (Sanderson and Croft 1999, https://doi.org/10.1145/312624.312679). Two tags below one
broader tag are siblings, which are related. Halves on different sides share no track, so what is
learnt of such pairs is how they sound, and serves for pairs that share no track either.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import sklearn.linear_model

from tagjax.evidence.questions import Questions
from tagjax.similarity.observations import Observations, tracks_of

Array = npt.NDArray[np.float64]

OTHERS = ("broad", "narrow", "related")
"""Relations of a candidate to a query, beside the same: the candidate is broader, narrower, a
sibling."""
_KINDS = ("unrelated", "same", *OTHERS)
_KIND_OF = np.array([_KINDS.index(kind) for kind in ("unrelated", "broad", "related", "narrow")])
"""The kind of each value of `containment`; -1 is the last."""
_CONTAINED = 0.7
_UNRELATED = 4
"""So many unrelated pairs are learnt from for each related one."""


@dataclasses.dataclass(frozen=True, eq=False)
class RelationModel:
    """A multinomial logistic regression on how two tags sound.

    Attributes:
      weights: float64 [kinds, F], and
      bias: float64 [kinds], of standardised contrasts.
      mean: float64 [F], and
      scale: float64 [F].
      kinds: names of the kinds that were seen.
    """

    weights: Array
    bias: Array
    mean: Array
    scale: Array
    kinds: tuple[str, ...]

    def all_kinds(self, contrasts: Array) -> Mapping[str, Array]:
        """{kind: probability} of each pair: [Q, C, F] to float64 [Q, C]."""
        logits = (contrasts - self.mean) / self.scale @ self.weights.T + self.bias
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        zero = np.zeros(shares.shape[:-1])
        return {
            kind: shares[..., self.kinds.index(kind)] if kind in self.kinds else zero
            for kind in _KINDS
        }

    def probabilities(self, contrasts: Array) -> Mapping[str, Array]:
        """{relation of `OTHERS`: probability, if it is not the same}."""
        kinds = self.all_kinds(contrasts)
        rest = np.maximum(1 - kinds["same"], 1e-12)
        return {kind: kinds[kind] / rest for kind in OTHERS}


def containment(observed: Observations) -> npt.NDArray[np.int8]:
    """What the annotations say of pairs of tags.

    Returns:
      int8 [N, N]: 1 where the second tag is broader than the first, -1 where it is narrower, 2
      where both are below one tag and neither contains the other, 0 otherwise.
    """
    together = (observed.tags.T @ observed.tags).toarray()
    count = np.maximum(tracks_of(observed.tags), 1)
    share = together / count[:, None]
    below = (share >= _CONTAINED) & (share.T < _CONTAINED)
    np.fill_diagonal(below, False)
    siblings = (below.astype(np.int64) @ below.T.astype(np.int64)) > 0
    np.fill_diagonal(siblings, False)
    found = np.zeros(below.shape, np.int8)
    found[siblings] = 2
    found[below] = 1
    found[below.T] = -1
    return found


def learn(observed: Observations, asked: Sequence[Questions], seed: int = 0) -> RelationModel:
    """Learns how relations sound, from pairs of halves whose relation the annotations know.

    Args:
      observed: the tracks.
      asked: questions; see there.
      seed: of the draw of unrelated pairs.
    """
    known, rng = containment(observed), np.random.default_rng(seed)
    rows, kinds = [], []
    for question in asked:
        contrasts = question.sources.contrasts(question.queries, question.candidates)
        kind = _kinds(question, known)
        related = np.flatnonzero(kind)
        apart = np.flatnonzero(kind == 0)
        apart = rng.permutation(apart)[: _UNRELATED * max(len(related), 1)]
        chosen = np.concatenate([related, apart])
        rows.append(contrasts.reshape(-1, contrasts.shape[2])[chosen])
        kinds.append(kind.ravel()[chosen])
    features, labels = np.concatenate(rows), np.concatenate(kinds)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    seen = np.unique(labels)
    names = tuple(_KINDS[kind] for kind in seen.tolist())
    if len(seen) == 1:
        return RelationModel(np.zeros((1, len(mean))), np.zeros(1), mean, scale, names)
    model = sklearn.linear_model.LogisticRegression(max_iter=1000)
    model.fit((features - mean) / scale, labels)
    weights, bias = model.coef_, model.intercept_
    if len(seen) == 2:
        weights, bias = np.concatenate([-weights, weights]) / 2, np.append(-bias, bias) / 2
    return RelationModel(weights, bias, mean, scale, names)


def _kinds(question: Questions, known: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """The place in `_KINDS` of each pair, int64 [Q, C]; a merged candidate is two tags."""
    parts = np.array([(parts[0], parts[-1]) for parts in question.made_of])
    said = known[question.tag[:, None, None], parts]
    kinds = np.where(said[..., 0] == said[..., 1], _KIND_OF[said[..., 0]], 0)
    itself = question.tag[:, None, None] == parts
    kinds[itself.any(axis=2)] = _KINDS.index("broad")
    kinds[itself.all(axis=2)] = _KINDS.index("same")
    return kinds
