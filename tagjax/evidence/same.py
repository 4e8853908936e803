"""Which tags mean the same, and how sure that is.

What speaks for the same is learnt on halves of the catalogues' own tags (`questions`). Nobody
labels a pair. The model is then asked about pairs whose answers nobody knows.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tagjax.base.errors import InputError
from tagjax.base.progress import Progress, silently
from tagjax.evidence import bothways, choice, questions, relation
from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.sources import Sources
from tagjax.similarity.observations import Observations

Array = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class Judge:
    """What was learnt on halves.

    Attributes:
      choice: the model of the same and of none, tested on halves that did not teach it.
      relations: the model of the other relations.
    """

    choice: bothways.Tested
    relations: relation.RelationModel


def learn(
    observed: Observations,
    config: EvidenceConfig = EvidenceConfig(),  # noqa: B008 (frozen)
    progress: Progress = silently,
    decided: Sequence[choice.Question] = (),
) -> Judge:
    """Learns on halves what speaks for the same and for each relation.

    Args:
      observed: the tracks.
      config: see there.
      progress: gets the splits.
      decided: what people decided, as `decided.questions` gives it.

    Raises:
      InputError: no tag has enough artists for two halves.

    >>> from tagjax import Vocabulary
    >>> from tagjax.similarity.observations import observe
    >>> tags, names = np.eye(2)[np.arange(80) % 2], [f"t{k}" for k in range(80)]
    >>> sound = tags + np.random.default_rng(0).normal(0, 0.2, (80, 2))
    >>> judge = learn(observe(sound, tags, Vocabulary.of(["dub", "ska"]), names, names))
    >>> bool(judge.choice.right.mean() > 0.8)
    True

    Reference: halves are of section 3.2 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags; the model is that of
    McFadden 1974, https://eml.berkeley.edu/reprints/mcfadden/zarembka.pdf
    """
    near = questions.nearness(observed)
    teaching: list[questions.Questions] = []
    testing: list[questions.Questions] = []
    for number in progress(range(2 * config.splits), "learn from halves", 2 * config.splits):
        into = teaching if number % 2 == 0 else testing
        for side in (0, 1):
            if sum(len(part.queries) for part in into) < config.asked:
                into += questions.ask(observed, number, config, near, (side,))
    if not teaching or not testing:
        raise InputError(
            f"no tag system has tags of {2 * config.least_artists} artists, so none can be split "
            "in two halves (see least_artists): there is too little to learn from"
        )
    model = bothways.fit([_round(part) for part in teaching], config.penalty, decided)
    tested = bothways.test(model, map(_round, testing))
    return Judge(tested, relation.learn(observed, teaching))


def _round(part: questions.Questions) -> bothways.Round:
    evidence = part.sources.pairs(part.queries, part.candidates)
    return bothways.Round(
        lambda model: bothways.totals(model, evidence),
        lambda: [(evidence, part.partner, part.tag)],
    )


def hear(
    judge: Judge,
    sources: Sources,
    queries: npt.NDArray[np.int64],
    candidates: npt.NDArray[np.int64],
    config: EvidenceConfig = EvidenceConfig(),  # noqa: B008 (frozen)
) -> Array:
    """What sound alone says: P(candidate is the same), and P(none is) in the last column.

    Args:
      judge: what was learnt.
      sources: of all tags.
      queries: int64 [Q], and
      candidates: int64 [C]: places of tags; a query is no candidate of its own.
      config: see there.

    Returns:
      float64 [Q, C + 1]; NaN in the row of a tag with too few artists, and 0 for candidates that
      have too few.
    """
    enough = sources.artists >= config.least_artists
    found = np.full((len(queries), len(candidates) + 1), np.nan)
    told, rows = queries[enough[queries]], enough[queries]
    known = enough[candidates]
    if not len(told) or not known.any():
        return found
    model, evidence = judge.choice.model, sources.pairs(told, candidates[known])
    answers = model.probabilities(evidence, bothways.totals(model.one, evidence))
    answers[:, :-1][told[:, None] == candidates[known]] = 0
    found[rows] = 0.0
    found[np.ix_(rows, np.append(known, True))] = answers / answers.sum(axis=1, keepdims=True)
    return found
