"""Halves of tags: how they are made, ranked, and what they choose."""

import numpy as np
import pytest
import scipy.sparse
import sklearn.metrics.pairwise
import sklearn.preprocessing

from tagjax.base.errors import InputError
from tagjax.similarity import embeddings, halves
from tagjax.similarity.observations import artists_of, averaged, observe
from tagjax.vocabulary.vocabulary import Vocabulary

TAGS = ("a:x", "a:y", "a:z", "b:x", "b:y")


def observations(tracks=600, artists=60, seed=0, noise=0.02):
    """Artists of one tag system each; a tag adds to one answer, an artist to all."""
    rng = np.random.default_rng(seed)
    artist = rng.integers(artists, size=tracks)
    system = artist % 2
    own = rng.dirichlet(np.ones(5), size=artists)
    tags = np.zeros((tracks, 5), np.uint8)
    for row in range(tracks):
        members = [0, 1, 2] if system[row] == 0 else [3, 4]
        tags[row, rng.choice(members, rng.integers(1, len(members)), replace=False)] = 1
    heard = tags @ np.eye(5)[[0, 1, 2, 0, 1]] + noise * 20 * own[artist]
    heard += noise * rng.random((tracks, 5))
    heard /= heard.sum(axis=1, keepdims=True)
    ids = [f"t{row}" for row in range(tracks)]
    names = [f"r{k}" for k in artist]
    return observe(heard, tags, Vocabulary.of(TAGS, ("a:", "b:")), ids, names, TAGS)


def test_no_artist_is_on_both_sides_and_no_track_is_lost():
    observed = observations()
    for number in range(4):
        split = halves.draw(observed, number)
        first, second = split.tags[:, :5], split.tags[:, 5:]
        assert (first + second != observed.tags).nnz == 0
        sides = [{*observed.artist[side.sum(axis=1) > 0]} for side in (first, second)]
        assert not sides[0] & sides[1]
        assert abs(len(sides[0]) - len(sides[1])) <= 1


def test_splits_differ_and_are_drawn_again_as_they_were():
    observed = observations()
    splits = [halves.draw(observed, number).tags for number in (0, 1, 0)]
    assert (splits[0] != splits[1]).nnz
    assert not (splits[0] != splits[2]).nnz


def test_a_tag_of_few_artists_is_not_asked_about():
    observed = observe(
        np.eye(6),
        [[1, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1]],
        Vocabulary.of(["often", "seldom"]),
        list("abcdef"),
        ["k", "l", "m", "n", "o", "o"],
    )
    found = {bool(halves.draw(observed, number).usable[1]) for number in range(20)}
    assert found == {False}


def brute_force(observed, split, similarity):
    rows = []
    for half in range(10):
        tag = half % 5
        if not split.usable[tag]:
            continue
        system = TAGS[tag][0]
        others = [k for k in range(10) if k != half and TAGS[k % 5][0] == system]
        other = (half + 5) % 10
        above = [k for k in others if similarity[half, k] >= similarity[half, other]]
        rows.append((tag, len(above), max(others, key=lambda k: similarity[half, k]) % 5))
    return sorted(rows)


def test_ranks_are_those_among_the_halves_of_the_same_system():
    observed = observations(noise=0.5)
    split = halves.draw(observed, 3)
    rows = embeddings.regress(observed.features, split.tags, 5.0)
    similarity = sklearn.metrics.pairwise.cosine_similarity(rows)
    ranks = halves.rank_halves(observed, split, similarity)
    found = sorted(zip(ranks.tag.tolist(), ranks.rank.tolist(), ranks.found.tolist(), strict=True))
    assert found == brute_force(observed, split, similarity)


def test_ties_and_unknown_similarities_count_against():
    observed = observations()
    split = halves.draw(observed, 0)
    constant = halves.rank_halves(observed, split, np.ones((10, 10)))
    assert {*constant.rank[constant.tag < 3]} == {5.0}
    assert {*constant.rank[constant.tag > 2]} == {3.0}
    unknown = halves.rank_halves(observed, split, np.full((10, 10), np.nan))
    assert np.isinf(unknown.rank).all()
    assert unknown.mrr() == 0


def test_own_units_are_left_out_pair_by_pair():
    observed = observations(noise=0.3)
    split = halves.draw(observed, 1)
    rows = halves.mean_features(observed, split.tags)
    found = halves.without_own_units(rows, observed.owner)
    for first in range(10):
        for second in range(10):
            keep = [k for k in range(5) if k not in (first % 5, second % 5)]
            pair = rows[[first, second]][:, keep]
            expected = sklearn.metrics.pairwise.cosine_similarity(pair)[0, 1]
            np.testing.assert_allclose(found[first, second], expected, atol=1e-9)


def test_duplicates_are_found_where_they_can_be_heard_and_not_where_they_cannot():
    heard = halves.recover(observations())
    assert heard.chosen
    assert heard.ranks["fr"].mrr() > 0.95
    rng = np.random.default_rng(1)
    deaf = observations()
    object.__setattr__(deaf, "features", rng.normal(size=deaf.features.shape).astype(np.float32))
    chance = halves.recover(deaf).ranks["fr"].mrr()
    assert chance < 0.65  # Of 5 and 3 candidates, chance is 0.457 and 0.611.


def test_the_ridge_is_the_best_of_the_splits_that_choose():
    observed = observations(noise=0.5)
    config = halves.HalvesConfig(splits=6)
    found = halves.recover(observed, config)
    assert found.ridge == max(found.mrr, key=found.mrr.get)
    splits = [halves.draw(observed, number, config) for number in (0, 2, 4)]
    for ridge, mrr in found.mrr.items():
        ranks = []
        for split in splits:
            rows = embeddings.regress(observed.features, split.tags, ridge)
            ranks.append(halves.rank_halves(observed, split, embeddings.cosine(rows.T)))
        assert mrr == halves.join(ranks).mrr()


def test_a_default_ridge_where_nobody_can_choose():
    observed = observe(np.eye(3), np.eye(3), Vocabulary.of(["p", "q", "r"]), list("abc"))
    found = halves.recover(observed)
    assert (found.ridge, found.chosen) == (halves.HalvesConfig().ridge, False)
    assert len(found.ranks["fr"].tag) == 0


def test_fr_of_observations_is_fr_of_predictions():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(5), size=40)
    m = rng.integers(2, size=(40, 3))
    m[m.sum(axis=1) == 0, 0] = 1
    tags = Vocabulary.of(["k", "l", "m"])
    observed = observe(
        p, m, tags, [f"t{row:02d}" for row in range(40)], None, ["k", "l", "m", "", ""]
    )
    rows = embeddings.regress(observed.features, observed.tags, 4.0)
    np.testing.assert_allclose(rows.T, embeddings.fr(p, m, 4.0), atol=1e-6)
    np.testing.assert_allclose(
        halves.mean_features(observed, observed.tags).T, embeddings.fm(p, m), atol=1e-6
    )


def test_fm_of_other_vectors_is_the_mean_of_what_was_scaled():
    vectors = np.random.default_rng(0).normal([5, -3, 100], [1, 4, 30], size=(40, 3))
    m = np.eye(2)[np.arange(40) % 2]
    tags, ids = Vocabulary.of(["k", "l"]), [f"t{row:02d}" for row in range(40)]
    observed = observe(vectors, m, tags, ids)
    scaled = sklearn.preprocessing.scale(vectors)
    expected = np.stack([scaled[::2].mean(axis=0), scaled[1::2].mean(axis=0)])
    means = halves.mean_features(observed, observed.tags)
    np.testing.assert_allclose(means, expected, atol=1e-5)


def test_excerpts_of_a_track_count_as_one():
    p = np.array([[0.8, 0.2], [0.4, 0.6], [0.1, 0.9]])
    tags = Vocabulary.of(["k", "l"])
    observed = observe(
        p, np.array([[1, 0], [1, 0], [0, 1]]), tags, ["s", "s", "t"], units=["k", "l"]
    )
    np.testing.assert_allclose(
        observed.features + observed.mean, np.sqrt([[0.6, 0.4], [0.1, 0.9]]), atol=1e-6
    )
    np.testing.assert_allclose(averaged(p, np.array(["s", "s", "t"])), [[0.6, 0.4], [0.1, 0.9]])
    assert averaged(p, np.array(["s", "r", "t"])) is p


def test_tracks_and_artists_of_two_systems_count_for_neither_or_for_one():
    tags = Vocabulary.of(["a:x", "b:x"], ("a:", "b:"))
    rows = [[1, 1], [1, 0], [0, 1], [1, 0]]
    observed = observe(np.eye(4), rows, tags, list("pqrs"), ["one", "both", "both", "two"])
    assert "p" not in observed.track_id
    assert "s" in observed.track_id
    assert len({"q", "r"} & {*observed.track_id}) == 1
    again = observe(np.eye(4), rows, tags, list("pqrs"), ["one", "both", "both", "two"])
    assert again.track_id == observed.track_id


def test_halves_of_a_split_tag_become_the_tag():
    tags = Vocabulary.of(["x_1", "x_2", "y_1", "y_2"], halves=True)
    p = np.full((4, 4), 0.25)
    observed = observe(p, np.eye(4), tags, list("pqrs"), list("klmn"), tags.whole)
    assert observed.vocabulary.tags == ("x", "y")
    assert observed.tags.toarray().tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]
    assert observed.owner.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("dense", [True, False])
def test_occurrences_may_be_sparse(dense):
    rows = np.eye(3, dtype=np.uint8)
    given = rows if dense else scipy.sparse.csr_array(rows)
    observed = observe(np.eye(3), given, Vocabulary.of(["p", "q", "r"]), list("abc"))
    np.testing.assert_array_equal(observed.tags.toarray(), rows)


def test_bad_input_is_one_line():
    tags = Vocabulary.of(["p", "q"])
    with pytest.raises(InputError, match="2 rows of features, 2 of tags, 1 track ids"):
        observe(np.eye(2), np.eye(2), tags, ["a"])
    with pytest.raises(InputError, match="features of track 'b' are not finite"):
        observe([[1, 0], [np.nan, 1]], np.eye(2), tags, ["a", "b"])
    with pytest.raises(InputError, match="no track is left"):
        observe(np.eye(2), np.zeros((2, 2)), tags, ["a", "b"])
    with pytest.raises(InputError, match="ridges and ridge must be above 0"):
        halves.HalvesConfig(ridges=(0.0,))


@pytest.mark.parametrize("rows", [1, 7, 64])
def test_sums_by_tag_in_blocks_are_those_of_one_product(rows):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 5)).astype(np.float32)
    tags = scipy.sparse.csr_array((rng.random((60, 4)) < 0.3) * 1.0)
    expected = tags.toarray().T @ features.astype(np.float64)
    np.testing.assert_allclose(embeddings.sums_by_tag(tags, features, rows=rows), expected)
    squares = embeddings.sums_by_tag(tags, features, np.square, rows)
    expected = tags.toarray().T @ np.square(features).astype(np.float64)
    np.testing.assert_allclose(squares, expected)


def test_artists_of_tags_are_counted_once():
    rng = np.random.default_rng(0)
    tags, artist = (rng.random((60, 4)) < 0.3) * 1.0, rng.integers(9, size=60)
    expected = [len(np.unique(artist[tags[:, tag] > 0])) for tag in range(4)]
    found = artists_of(scipy.sparse.csr_array(tags), artist)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.int64
    none = artists_of(scipy.sparse.csr_array((0, 4)), np.zeros(0, np.int64))
    np.testing.assert_array_equal(none, np.zeros(4))
