"""Both sides of a pair are asked, against loops and a catalogue whose tags have rivals."""

import numpy as np
import pytest
import scipy.special

from tagjax.evidence import bothways


def round_of(evidence, partner):
    tags = np.arange(len(evidence))
    return bothways.Round(
        lambda model: bothways.totals(model, evidence), lambda: [(evidence, partner, tags)]
    )


def drawn(seed, queries=30, candidates=25):
    """Evidence of pairs, the k-th query with the k-th candidate, and partners, some gone."""
    rng = np.random.default_rng(seed)
    evidence = rng.normal(size=(queries, candidates, 2))
    evidence[np.arange(candidates), np.arange(candidates), 0] += 3
    return evidence, np.where(np.arange(queries) < candidates, np.arange(queries), -1)


@pytest.fixture(scope="module")
def model():
    return bothways.fit([round_of(*drawn(seed)) for seed in range(4)])


def test_sums_are_those_of_a_loop(model):
    evidence, _ = drawn(9)
    utility = model.one.utilities(evidence)
    sums = model.sums(evidence, bothways.totals(model.one, evidence))
    for q, c in ((0, 0), (3, 7), (29, 24)):
        row = utility[q, c] - np.log(1 + np.exp(utility[q]).sum())
        column = utility[q, c] - np.log(1 + np.exp(utility[:, c]).sum())
        assert sums[q, c, 0] == pytest.approx(row + column)


def test_one_way_is_the_softmax_of_the_first_model(model):
    evidence, _ = drawn(8)
    utility = np.append(model.one.utilities(evidence), np.zeros((30, 1)), axis=1)
    np.testing.assert_allclose(model.one.probabilities(evidence), scipy.special.softmax(utility, 1))


def test_a_candidate_that_is_nearer_to_another_query_is_taken(model):
    evidence = np.full((2, 2, 2), [-3.0, 0.0])
    evidence[0, :, 0] = 2.5, 2.4
    evidence[1, :, 0] = 4, -3
    one = model.one.probabilities(evidence)[0]
    both = model.probabilities(evidence, bothways.totals(model.one, evidence))[0]
    assert one[0] > one[1], "the first is nearer"
    assert both[1] > both[0], "but the other query is nearer to the first"


def test_rivals_that_do_not_ask_count_too(model):
    evidence, _ = drawn(6)
    alone, all_of_them = (
        model.probabilities(evidence[:1], bothways.totals(model.one, some))
        for some in (evidence[:1], evidence)
    )
    assert all_of_them[0, 3] < alone[0, 3]


def test_asking_gives_the_first_candidate_and_whether_it_is_right(model):
    evidence, partner = drawn(5)
    tested = bothways.test(model, [round_of(evidence, partner)] * 2)
    found = model.probabilities(evidence, bothways.totals(model.one, evidence))[:, :-1]
    for k, row in enumerate(found):
        assert tested.known[k] == tested.known[k + 30] == max(row)
        assert tested.right[k] == (list(row).index(max(row)) == partner[k])
    np.testing.assert_array_equal(tested.tag, [*range(30)] * 2)
    assert tested.right[:25].mean() > 0.8
    assert tested.model.prior == pytest.approx(5 / 30)


def test_no_question_is_refused():
    with pytest.raises(ValueError, match="no question"):
        bothways.fit([])
