"""The two-covariance score, against its equations in loops and a joint normal distribution."""

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
import scipy.stats
from evident import plain

from tagjax.evidence.score import ScoreConfig, log_ratios, tag_space, two_covariance

RIDGE = 5.0
CONFIG = ScoreConfig(dimensions=3, shrinkage=0.3)


def data(seed=0, tracks=120, artists=25, strength=3.0):
    """Features, tags and artists; nobody has the last tag, one artist the one before."""
    rng = np.random.default_rng(seed)
    artist = np.concatenate([np.arange(artists), rng.integers(artists, size=tracks - artists)])
    tags = (rng.random((tracks, 7)) < 0.3).astype(float)
    tags[:, 6], tags[:, 5] = 0, artist == 3
    features = strength * tags @ rng.normal(size=(7, 6)) + rng.normal(size=(artists, 6))[artist]
    features += rng.normal(size=features.shape)
    return (features - features.mean(axis=0)).astype(np.float32), tags, artist


def by_the_equations(features, tags, artist):
    """(x_ta of each tag, W, T, the mean over tags), in float64 loops."""
    g = features.astype(np.float64)
    values, vectors = np.linalg.eigh(g.T @ g)
    z = g @ vectors[:, np.argsort(-values)[: CONFIG.dimensions]]
    b = np.linalg.solve(tags.T @ tags + RIDGE * np.eye(7), tags.T @ z)
    means = {}
    for t in range(7):
        for a in np.unique(artist[tags[:, t] > 0]):
            tracks = np.flatnonzero((tags[:, t] > 0) & (artist == a))
            x = sum(z[k] - b.T @ tags[k] for k in tracks) / len(tracks) + b[t]
            means.setdefault(t, []).append(x)
    centre = {t: np.mean(x, axis=0) for t, x in means.items()}
    within = sum(np.outer(x - centre[t], x - centre[t]) for t in means for x in means[t])
    within /= sum(len(x) - 1 for x in means.values())
    mean_variance = np.trace(within) / CONFIG.dimensions
    within = 0.7 * within + 0.3 * mean_variance * np.eye(CONFIG.dimensions)
    middle = np.mean(list(centre.values()), axis=0)
    between = np.mean([np.outer(c - middle, c - middle) for c in centre.values()], axis=0)
    between -= within * np.mean([1 / len(x) for x in means.values()])
    return means, within, between, middle


def test_it_is_the_ratio_of_joint_normal_densities():
    features, tags, artist = data(seed=1)
    means, within, between, middle = by_the_equations(features, tags, artist)
    assert scipy.linalg.eigh(between, within)[0].min() > 0, "nothing is cut off at zero here"
    found = two_covariance(plain(features, artist), scipy.sparse.csr_array(tags), RIDGE, CONFIG)
    for s in range(6):
        for t in range(6):
            x = np.concatenate([np.mean(means[k], axis=0) - middle for k in (s, t)])
            one, other = (between + within / len(means[k]) for k in (s, t))
            zero = np.zeros(2 * CONFIG.dimensions)
            same = np.block([[one, between], [between, other]])
            apart = scipy.linalg.block_diag(one, other)
            ratio = [scipy.stats.multivariate_normal(zero, c).logpdf(x) for c in (same, apart)]
            if s != t:
                assert found[s, t] == pytest.approx(ratio[0] - ratio[1], abs=2e-3, rel=1e-3)
    np.testing.assert_allclose(found, found.T)


def test_a_tag_without_tracks_is_nan_and_a_tag_of_one_artist_is_not():
    features, tags, artist = data(seed=1)
    found = two_covariance(plain(features, artist), scipy.sparse.csr_array(tags), RIDGE, CONFIG)
    assert np.isnan(found[6]).all()
    assert np.isnan(found[:, 6]).all()
    assert np.isfinite(found[:6, :6]).all()


def test_the_numbers_of_artists_and_the_order_of_tracks_do_not_matter():
    features, tags, artist = data(seed=1)
    found = two_covariance(plain(features, artist), scipy.sparse.csr_array(tags), RIDGE, CONFIG)
    rng = np.random.default_rng(1)
    order, names = rng.permutation(len(artist)), rng.permutation(25)
    again = two_covariance(
        plain(features[order], names[artist][order]),
        scipy.sparse.csr_array(tags[order]),
        RIDGE,
        CONFIG,
    )
    np.testing.assert_allclose(again, found, rtol=2e-3, atol=2e-3)


def test_dimensions_are_those_in_which_artists_vary_by_one_and_tags_by_the_spread():
    features, tags, artist = data(seed=3, strength=1.0)
    space = tag_space(plain(features, artist), scipy.sparse.csr_array(tags), RIDGE, CONFIG)
    np.testing.assert_array_equal(space.count[5:], [1, 0])
    assert not space.centre[6].any()
    np.testing.assert_allclose(space.centre[:6].mean(axis=0), 0, atol=1e-6)
    for tag in range(6):
        own = space.means.vectors[space.means.tag == tag]
        np.testing.assert_allclose(own.mean(axis=0), space.centre[tag], atol=1e-6)
    _, within, between, _ = by_the_equations(features, tags, artist)
    spread = scipy.linalg.eigh(between, within)[0]
    assert spread.min() < 0 < spread.max(), "an estimate below zero is cut off"
    np.testing.assert_allclose(space.spread, np.maximum(spread, 1e-6), rtol=1e-3)


@pytest.mark.parametrize("why", ["one artist a tag", "all alike", "artists do not differ"])
def test_where_the_spread_within_a_tag_is_unknown_everything_is(why):
    tags = np.kron(np.eye(3), np.ones((4, 1)))
    features = np.kron(np.eye(3), np.ones((4, 1))).astype(np.float32)
    features -= features.mean(axis=0)
    artist = np.arange(12)
    if why == "one artist a tag":
        features += np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
        artist = np.repeat(np.arange(3), 4)
    elif why == "all alike":
        features = np.zeros((12, 3), np.float32)
    args = plain(features, artist), scipy.sparse.csr_array(tags), RIDGE
    assert tag_space(*args) is None
    assert np.isnan(two_covariance(*args)).all()


def test_the_ratio_is_that_of_two_normal_densities_in_each_dimension():
    """Also where a tag has very many artists, and where tags hardly differ."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(4, 2)), rng.normal(size=(3, 2))
    counts, others = np.array([1, 2, 50, 3000]), np.array([1, 7, 900])
    for spread in (np.array([2.0, 1e-6]), np.array([0.3, 40.0])):
        found = log_ratios((first, counts), (second, others), spread)
        for s in range(4):
            for t in range(3):
                ratio = 0.0
                for d, tau in enumerate(spread):
                    x = np.array([first[s, d], second[t, d]])
                    apart = np.diag([tau + 1 / counts[s], tau + 1 / others[t]])
                    same = apart + tau * (1 - np.eye(2))
                    ratio -= 0.5 * (x @ np.linalg.solve(same, x) - x @ np.linalg.solve(apart, x))
                    ratio -= 0.5 * (np.linalg.slogdet(same)[1] - np.linalg.slogdet(apart)[1])
                assert found[s, t] == pytest.approx(ratio, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("seed", [1, 2])
def test_sums_of_products_give_the_covariances_of_the_means_themselves(seed):
    features, tags, artist = data(seed=seed)
    heard, matrix = plain(features, artist), scipy.sparse.csr_array(tags)
    space = tag_space(heard, matrix, RIDGE, CONFIG)
    means, within, *_ = by_the_equations(features, tags, artist)
    vectors = [space.means.vectors[space.means.tag == tag] for tag in range(6)]
    for tag, own in enumerate(vectors):
        expected = np.array(means[tag])
        np.testing.assert_allclose(
            np.linalg.norm(own - own.mean(axis=0), axis=1),
            [
                np.sqrt(x @ np.linalg.solve(within, x))
                for x in expected - expected.mean(axis=0)
            ],
            rtol=1e-3, atol=1e-5,
        )  # fmt: skip
