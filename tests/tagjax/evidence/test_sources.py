"""What each source says of pairs: ranks and spread by counting."""

import numpy as np
import pytest
import scipy.sparse
from evident import QUICK, observed

from tagjax.evidence.score import two_covariance
from tagjax.evidence.sources import Sources, gather
from tagjax.similarity import embeddings, halves


def sources(seed=0, size=6):
    rng = np.random.default_rng(seed)
    similar = {"one": rng.normal(size=(size, size)), "two": 100 * rng.normal(size=(size, size))}
    similar["one"][2] = similar["one"][:, 2] = np.nan
    counts = rng.integers(0, 9, size)
    return Sources(similar, counts, counts, rng.exponential(size=size))


def test_pairs_have_similarity_ranks_both_ways_and_the_tracks_of_the_weaker_side():
    found, queries, candidates = sources(), np.array([5, 0]), np.array([1, 2, 3, 4])
    evidence = found.pairs(queries, candidates)
    assert evidence.shape == (2, 4, 7)
    for number, values in enumerate(found.similar.values()):
        block = values[np.ix_(queries, candidates)]
        block = np.where(np.isnan(block), min(0, np.nanmin(block)), block)
        for q in range(2):
            for c in range(4):
                mine = block[q, c]
                ranks = ((block[q] >= mine).sum(), (block[:, c] >= mine).sum())
                expected = [np.arcsinh(mine), *(-np.log(ranks))]
                np.testing.assert_allclose(evidence[q, c, 3 * number : 3 * number + 3], expected)
    weaker = np.minimum(found.tracks[queries][:, None], found.tracks[candidates])
    np.testing.assert_allclose(evidence[..., 6], np.log(np.maximum(weaker, 1)))


def test_what_is_unknown_counts_as_the_least_similar():
    found = sources()
    evidence = found.pairs(np.array([0, 1]), np.array([2, 3, 4, 5]))
    for number in range(3):
        assert (evidence[:, 0, number] == evidence[..., number].min(axis=1)).all()
    nothing = Sources({"one": np.full((3, 3), np.nan)}, *np.ones((2, 3), int), np.ones(3))
    assert np.isfinite(nothing.pairs(np.array([0]), np.array([1, 2]))).all()
    assert np.isfinite(nothing.contrasts(np.array([0]), np.array([1, 2]))).all()


def test_no_candidate_stands_behind_the_query_itself():
    similar = {"fm": np.array([[1, 0.9, 0.1], [0.9, 1, 0.2], [0.1, 0.2, 1]])}
    tags = np.arange(3)
    evidence = Sources(similar, tags, tags, np.ones(3)).pairs(tags, tags)
    assert (evidence[0, 1, 1:3] == 0).all(), "first both ways, as the logarithm of 1 says"
    assert (evidence[tags, tags, 1] == -np.log(3)).all()


def test_contrasts_say_how_much_more_the_candidate_spreads():
    found, queries, candidates = sources(), np.array([5, 0]), np.array([1, 3])
    contrasts = found.contrasts(queries, candidates)
    assert contrasts.shape == (2, 2, 3)
    for q, query in enumerate(queries):
        for c, candidate in enumerate(candidates):
            ratio = np.log(found.spread[candidate] / found.spread[query])
            similar = [np.arcsinh(values[query, candidate]) for values in found.similar.values()]
            np.testing.assert_allclose(contrasts[q, c], [*similar, ratio])


def test_sources_are_those_of_the_embeddings_and_the_spread_is_a_sum_of_variances():
    heard = observed(tracks=80)
    found = gather(heard, heard.tags, QUICK)
    assert list(found.similar) == ["fr 5", "fr 20", "score 5", "score 60", "fm"]
    added = embeddings.regress(heard.features, heard.tags, 20.0)
    np.testing.assert_allclose(found.similar["fr 20"], embeddings.cosine(added.T), atol=1e-12)
    score = two_covariance(heard, heard.tags, 60.0)
    np.testing.assert_array_equal(found.similar["score 60"], score)
    means = halves.mean_features(heard, heard.tags)
    np.testing.assert_allclose(found.similar["fm"], embeddings.cosine(means.T), atol=1e-12)
    for tag in range(len(heard.vocabulary)):
        rows = np.flatnonzero(heard.tags[:, [tag]].toarray()[:, 0])
        mine = heard.features[rows].astype(np.float64)
        assert found.tracks[tag] == len(rows)
        assert found.artists[tag] == len({*heard.artist[rows].tolist()})
        assert found.spread[tag] == pytest.approx(mine.var(axis=0, ddof=1).sum(), rel=1e-4)


def test_pairs_across_a_split_are_those_of_all_pairs():
    heard = observed(tracks=80)
    whole, part = (gather(heard, heard.tags, QUICK, split) for split in (0, 4))
    for name, values in part.similar.items():
        np.testing.assert_allclose(values, whole.similar[name][:4, 4:], atol=1e-12)
    queries, candidates = np.array([0, 3]), np.array([4, 6, 7])
    np.testing.assert_allclose(
        part.pairs(queries, candidates), whole.pairs(queries, candidates), atol=1e-12
    )


def test_tags_of_no_track_or_one_do_not_spread():
    heard = observed(tracks=40)
    one = scipy.sparse.csr_array(np.eye(len(heard))[:, :1])
    none = scipy.sparse.csr_array((len(heard), 1))
    tags = scipy.sparse.csr_array(scipy.sparse.hstack([heard.tags, one, none], format="csr"))
    found = gather(heard, tags, QUICK)
    assert found.spread[-1] == 0
    assert found.spread[-2] == pytest.approx(0, abs=1e-5)
    assert np.isnan(found.similar["fr 5"][-1]).all()
