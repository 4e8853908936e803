"""All evidence of two catalogues, or of one, put together: what each tag is to each other tag.

Two independent sources may speak: how the tags sound on tracks of one catalogue each, and which
tags stand together on tracks of both. Each gives a probability, learnt on the catalogues' own tags;
their product (Bayes' rule), in which the second counts less, is the answer.
"""

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse
import threadpoolctl

from tagjax.base.errors import InputError
from tagjax.base.progress import Progress, silently
from tagjax.evidence import (
    accept,
    bothways,
    choice,
    decided,
    names,
    relation,
    same,
    senses,
    together,
)
from tagjax.evidence.config import EvidenceConfig
from tagjax.evidence.hear import clips_of
from tagjax.evidence.score import TagSpace, tag_space
from tagjax.evidence.sources import Sources, gather
from tagjax.similarity.observations import Observations, artists_of, tracks_of
from tagjax.vocabulary.vocabulary import Vocabulary

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_MOST = 1 - 1e-12
"""Share without counterpart that a share of 1 counts as, so that candidates keep their order."""
RELATIONS = ("same", *relation.OTHERS)
COLUMNS = (
    "source", "target", "rank", "relation", "same", "mutual", "broad", "narrow", "related", "none",
    "accepted", "fm", "fr", "score", "together", "common_tracks", "source_tracks",
    "source_artists", "target_tracks", "target_artists", "for", "against",
)  # fmt: skip
"""Columns of EVIDENCE, a row a pair of tags; see `Evidence.rows`."""


@dataclasses.dataclass(frozen=True, eq=False)
class Common:
    """Tracks with tags of several catalogues.

    Attributes:
      vocabulary: the N whole tags.
      tags: {0, 1} sparse [tracks, N].
      artists: int64 [N], of the tracks of each tag; unknown ones count one a track.
    """

    vocabulary: Vocabulary
    tags: scipy.sparse.csr_array
    artists: Ints

    def of(self, places: Ints) -> scipy.sparse.csr_array:
        """The columns of some tags."""
        return scipy.sparse.csr_array(self.tags[:, places])

    def evidence(self, queries: Ints, candidates: Ints, rows: Ints) -> Array:
        """What common tracks say of some queries, though all are ranked: [rows, C, 7]."""
        pair = together.Pair(self.of(queries), self.of(candidates))
        return np.concatenate([found for _, found in pair.evidence(rows)])


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """What the tags of one system are to the tags of another.

    Attributes:
      queries: int64 [Q], and
      candidates: int64 [C]: places of tags in the vocabulary.
      probability: {relation of `RELATIONS`: float64 [Q, C]}. At most one candidate is the same, so
        rows of "same" sum to at most 1. NaN for a query of which nothing can be told; for a pair
        with a tag of too few artists only "same" is known, from common tracks.
      none: float64 [Q], probability that no candidate is the same.
      p_value: float64 [Q], that the first candidate is wrong; see `accept.p_values`. It compares
        with halves of tags, or without sound with thinned copies. NaN if unknown.
      share: of the queries without counterpart: as given, or the mean of `none`; of a system with
        itself what `duplicates` leaves; None if nothing can be told.
    """

    queries: Ints
    candidates: Ints
    probability: Mapping[str, Array]
    none: Array
    p_value: Array
    share: float | None

    def accepted(self, fdr: float) -> npt.NDArray[np.bool_]:
        """Queries whose first candidate is accepted at a false-discovery rate: bool [Q]."""
        told = ~np.isnan(self.p_value)
        found = np.zeros(len(told), bool)
        found[told] = accept.accept(self.p_value[told], fdr)
        return found

    def relation(self, place: int, column: int) -> str:
        """The likeliest relation of a candidate to a query, "none" if it is likelier than all."""
        known = {name: values[place, column] for name, values in self.probability.items()}
        shares = {name: value for name, value in known.items() if not np.isnan(value)}
        best = max(shares, key=lambda name: shares[name])
        return best if shares[best] >= 1 - sum(shares.values()) else "none"


@dataclasses.dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of every pair of tags.

    Attributes:
      vocabulary: the N whole tags.
      tracks: int64 [N], and
      artists: int64 [N], that speak for each tag by their sound; without any sound, those of common
        tracks.
      answers: {(tag system, other system): answers}. Where tracks were heard, of each system with
        itself too: there "same" means a duplicate.
      heard: what single sources say of sound; None without it.
      observed: the tracks that were heard.
      common: tracks of several catalogues.
      senses: of tags with enough artists, the most divided first.
      config: the choices.
      notes: what a reader has to know, a sentence each.

    >>> from tagjax import evidence, load_run
    >>> found = evidence.weigh(*evidence.of_run(load_run("runs/catalogue_split/mine")))
    >>> found.vocabulary.tags, list(found.answers)[:2]
    (('bebop', 'dub', 'x:bop', 'x:ska'), [('', 'x:'), ('x:', '')])

    Reference: relations are those of Sanderson and Croft 1999,
    https://doi.org/10.1145/312624.312679
    """

    vocabulary: Vocabulary
    tracks: Ints
    artists: Ints
    answers: Mapping[tuple[str, str], Answers]
    heard: Sources | None
    observed: Observations | None
    common: Common | None
    senses: tuple[senses.Senses, ...]
    config: EvidenceConfig
    notes: tuple[str, ...]

    def rows(self) -> list[tuple]:
        """EVIDENCE: for each tag its likeliest counterparts, a row a pair, as `COLUMNS` says.

        `same`, `broad`, `narrow` and `related` are probabilities of what the target is to the
        source. `mutual` is the smaller `same` of both directions. `relation` is the likeliest;
        "untold" stands where too little speaks. `none` is the probability that no target is the
        same. `together` is the cosine on common tracks. `for` and `against` are tracks to hear.
        """
        found = []
        for pair, answers in self.answers.items():
            back = self._reverse(pair)
            accepted = answers.accepted(self.config.accept_fdr)
            for place in range(len(answers.queries)):
                found += self._rows_of(answers, place, back, bool(accepted[place]))
        return found

    def _reverse(self, pair: tuple[str, str]) -> Array | None:
        """`same` of the other direction, [Q, C] as this one; None if nobody asked."""
        back = self.answers.get(pair[::-1])
        return None if back is None else back.probability["same"].T

    def _rows_of(
        self, answers: Answers, place: int, back: Array | None, accepted: bool
    ) -> list[tuple]:
        query, none = int(answers.queries[place]), float(answers.none[place])
        name = self.vocabulary.tags[query]
        own = (int(self.tracks[query]), int(self.artists[query]))
        if np.isnan(none):
            return [(name, None, None, "untold", *[None] * 12, *own, *[None] * 4)]
        order = _first(answers.probability["same"][place], self.config.listed + 1)
        order = order[answers.candidates[order] != query][: self.config.listed]
        shared, rows = self._shared(query), []
        for rank, column in enumerate(order.tolist(), 1):
            target = int(answers.candidates[column])
            shares = [answers.probability[name][place, column] for name in RELATIONS]
            reverse = np.nan if back is None else back[place, column]
            clips = self._clips(query, target) if rank == 1 else (None, None)
            rows.append((
                name, self.vocabulary.tags[target], rank, answers.relation(place, column),
                float(shares[0]), _known(np.minimum(shares[0], reverse)), *map(_known, shares[1:]),
                none, accepted and rank == 1, *self._said(query, target, shared), *own,
                int(self.tracks[target]), int(self.artists[target]), *clips,
            ))  # fmt: skip
        return rows

    def _said(
        self, first: int, second: int, shared: tuple[Array, Array] | None
    ) -> tuple[float | int | None, ...]:
        """What single sources say: fm, fr, score, cosine on common tracks, their number."""
        found: list[float | int | None] = [None] * 5
        if self.heard is not None:
            ridge, other = self.config.ridges[0], self.config.score_ridges[0]
            for place, name in enumerate(("fm", f"fr {ridge:g}", f"score {other:g}")):
                found[place] = _known(self.heard.similar[name][first, second])
        if shared is not None:
            cosine, number = shared
            found[3:] = [_known(cosine[second]), int(number[second])]
        return tuple(found)

    def _shared(self, tag: int) -> tuple[Array, Array] | None:
        """(cosine, number) of the common tracks of a tag and each tag, [N] each."""
        if self._common_tracks is None:
            return None
        together, counts = self._common_tracks
        number = together[[tag]].toarray()[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            return number / np.sqrt(counts[tag] * counts), number

    @functools.cached_property
    def _common_tracks(self) -> tuple[scipy.sparse.csr_array, Array] | None:
        """Numbers of common tracks: of all pairs of tags [N, N], of each tag [N]."""
        if self.common is None:
            return None
        tags = self.common.tags
        return scipy.sparse.csr_array(tags.T @ tags), tracks_of(tags).astype(np.float64)

    def _clips(self, first: int, second: int) -> tuple[str | None, str | None]:
        if self._space is None or self.observed is None:
            return None, None
        sides = clips_of(self.observed, self._space, first, second, self.config.clips)
        best, worst = (" ".join(clip.track_id for clip in side) for side in sides)
        return best, worst

    @functools.cached_property
    def _space(self) -> TagSpace | None:
        observed, config = self.observed, self.config
        if observed is None:
            return None
        ridge = config.score_ridges[0]
        return tag_space(observed, observed.tags, ridge, config.score)


def _first(values: Array, number: int) -> Ints:
    """Places of the largest values, the largest first; equal ones in order."""
    least = np.partition(values, -number)[-number] if number < len(values) else -np.inf
    some = np.flatnonzero(values >= least)
    return some[np.argsort(-values[some], kind="stable")][:number]


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def weigh(
    observed: Observations | None,
    common: Common | None = None,
    config: EvidenceConfig = EvidenceConfig(),  # noqa: B008 (frozen)
    share: float | None = None,
    progress: Progress = silently,
    decisions: tuple[decided.Decided, ...] = (),
) -> Evidence:
    """Weighs what is heard and what common tracks say.

    Args:
      observed: tracks with their sound; None if nothing was heard.
      common: tracks with tags of several catalogues, of the same vocabulary; None if there are
        none.
      config: see there.
      share: of the tags without counterpart. None takes that of the halves that taught.
      progress: passes on what takes long.
      decisions: of people, which teach beside the halves; see `decided.read_decisions`.

    Raises:
      InputError: there is neither sound nor a common track, or share is not in [0, 1].

    >>> from tagjax import Catalogue, evidence
    >>> tags, names = [("dub",), ("ska", "pop")] * 20, [f"t{k}" for k in range(40)]
    >>> catalogues = [Catalogue(name, names, names, names, tags) for name in ("a:", "b:")]
    >>> found = weigh(*evidence.of_catalogues(catalogues))
    >>> [row[:4] for row in found.rows() if row[0] == "a:dub" and row[2] == 1]
    [('a:dub', 'b:dub', 1, 'same')]

    Reference: Brummer and de Villiers 2010,
    https://www.isca-archive.org/odyssey_2010/brummer10_odyssey.html, McFadden 1974,
    https://eml.berkeley.edu/reprints/mcfadden/zarembka.pdf, and Jin and Candes 2023,
    https://jmlr.org/papers/v24/22-1176.html
    """
    if observed is not None:
        vocabulary, tags = observed.vocabulary, observed.tags
    elif common is not None and common.tags.nnz:
        vocabulary, tags = common.vocabulary, common.tags
    else:
        raise InputError(
            "nothing to weigh: there is neither sound nor a track of both catalogues; give "
            "--run_dir, or --features beside --annotations"
        )
    if share is not None and not 0 <= share <= 1:
        raise InputError(f"share={share}: must be in [0, 1]")
    notes: list[str] = []
    heard = judge = shared = None
    found = list[senses.Senses]()
    artists = np.zeros(len(vocabulary), np.int64) if common is None else common.artists
    places = {system: np.array(vocabulary.members(system)) for system in vocabulary.systems}
    places = {system: members for system, members in places.items() if len(members)}
    if observed is not None:
        artists = artists_of(tags, observed.artist)
        with threadpoolctl.threadpool_limits(1):  # Small matrices: threads wait for each other.
            heard = gather(observed, tags, config)
            asked = decided.questions(decisions, places, heard.some_pairs, config.decision_weight)
            judge = _learn(observed, config, notes, progress, asked)
            found = senses.find_senses(observed, config, progress)
    if common is not None:
        asked = decided.questions(decisions, places, common.evidence, config.decision_weight)
        systems = [common.of(columns) for columns in places.values()]
        shared = together.learn(systems, config, asked)
    panel = _Panel(vocabulary, judge, heard, shared, common, config, share)
    pairs = list(itertools.permutations(places, 2))
    if heard is not None or not pairs:
        pairs += [(system, system) for system in places]
    answers = {(a, b): panel.answer(places[a], places[b]) for a, b in pairs}
    return Evidence(
        vocabulary, tracks_of(tags), artists, answers, heard, observed, common, tuple(found),
        config, tuple(notes),
    )  # fmt: skip


def _learn(
    observed: Observations,
    config: EvidenceConfig,
    notes: list[str],
    progress: Progress,
    asked: Sequence[choice.Question],
) -> same.Judge | None:
    """What the halves teach; None, and a note, where nothing can be split."""
    if not observed.artists_known:
        notes.append("Artists are unknown, so each track counts as an artist of its own.")
    try:
        return same.learn(observed, config, progress, asked)
    except InputError as error:
        notes.append(f"Sound says nothing here: {error}.")
        return None


def _without_partners(asked: bothways.Tested) -> bothways.Tested:
    """The wrong answers alone: what tags without a duplicate are to be compared with."""
    wrong = ~asked.right
    return bothways.Tested(asked.model, asked.known[wrong], asked.right[wrong], asked.tag[wrong])


@dataclasses.dataclass(frozen=True, eq=False)
class _Panel:
    """Whoever can answer."""

    vocabulary: Vocabulary
    judge: same.Judge | None
    heard: Sources | None
    shared: bothways.Tested | None
    common: Common | None
    config: EvidenceConfig
    share: float | None

    def answer(self, queries: Ints, candidates: Ints) -> Answers:
        """The answers of both sources, fused."""
        shape = (len(queries), len(candidates))
        found, p_value = np.full((shape[0], shape[1] + 1), np.nan), np.full(shape[0], np.nan)
        if self.judge is not None and self.heard is not None:
            found = same.hear(self.judge, self.heard, queries, candidates, self.config)
        within = np.array_equal(queries, candidates)
        asked, share = self.judge.choice if self.judge else self.shared, self.share
        if within and asked is not None:
            asked, share = _without_partners(asked), 1 - self.config.duplicates
        if asked is not None and not within:
            found = self._fused(found, queries, candidates, asked.model.prior)
        if self.config.names:
            found = self._named(found, queries, candidates)
        told = ~np.isnan(found[:, -1])
        if asked is not None and told.any():
            sure = found[:, :-1].max(axis=1)[told]
            p_value[told] = accept.p_values(sure, asked.known, asked.right, asked.tag)
            if share is None:
                share = float(found[told, -1].mean())
            else:
                found[told] = choice.with_share(found[told], asked.model.prior, min(share, _MOST))
        same_as = found[:, :-1]
        probability = {"same": same_as, **self._others(queries, candidates, same_as)}
        return Answers(queries, candidates, probability, found[:, -1], p_value, share)

    def _others(self, queries: Ints, candidates: Ints, same_as: Array) -> dict[str, Array]:
        """Probabilities of the relations that are not the same; unknown without sound."""
        if self.judge is None or self.heard is None:
            return dict.fromkeys(relation.OTHERS, np.broadcast_to(np.nan, same_as.shape))
        few = self._few(queries)[:, None] | self._few(candidates)
        said = self.judge.relations.probabilities(self.heard.contrasts(queries, candidates))
        return {name: np.where(few, np.nan, (1 - same_as) * said[name]) for name in said}

    def _named(self, found: Array, queries: Ints, candidates: Ints) -> Array:
        """Probabilities if names that are alike are likelier the same from the start."""
        first, second = (
            [self.vocabulary.names[tag] for tag in side.tolist()] for side in (queries, candidates)
        )
        weight = np.exp(self.config.names * names.alike(first, second))
        found = found * np.append(weight, np.ones((len(queries), 1)), axis=1)
        return found / found.sum(axis=1, keepdims=True)

    def _few(self, tags: Ints) -> npt.NDArray[np.bool_]:
        """Tags with too few artists, of which nothing is heard."""
        if self.heard is None:
            return np.ones(len(tags), bool)
        return self.heard.artists[tags] < self.config.least_artists

    def _fused(self, found: Array, queries: Ints, candidates: Ints, share: float) -> Array:
        """What is heard, and for tags with common tracks what these say too."""
        if self.shared is None or self.common is None:
            return found
        pair = together.Pair(self.common.of(queries), self.common.of(candidates))
        enough = self.common.artists[queries] >= self.config.least_artists
        rows = np.flatnonzero(enough & (tracks_of(pair.first) >= together.LEAST_TRACKS))
        if not len(rows) or not pair.second.nnz:
            return found
        model, few = self.shared.model, self._few(candidates)
        totals = pair.totals(model.one, rows)
        for some, evidence in pair.evidence(rows):
            said = choice.with_share(model.probabilities(evidence, totals), model.prior, share)
            heard = ~np.isnan(found[some, -1])
            both = together.with_unheard(found[some[heard]], few, share)
            weight = self.config.common_weight
            found[some[heard]] = together.fuse(both, said[heard], share, weight)
            found[some[~heard]] = said[~heard]
        return found
