"""P-values and the accept list, against counting, SciPy, and draws with known answers."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.stats

from tagjax.evidence.accept import accept, p_values

SURE = st.integers(0, 20).map(lambda k: k / 20)
KNOWN = st.lists(st.tuples(SURE, st.booleans(), st.integers(0, 5)), max_size=20)


@hypothesis.given(st.lists(SURE, max_size=8), KNOWN)
@hypothesis.settings(deadline=None)
def test_p_values_count_tags_whose_wrong_answers_are_as_sure(asked, known):
    columns = [list(column) for column in zip(*known, strict=True)] or [[], [], []]
    found = p_values(asked, *columns)
    tags = {tag for _, _, tag in known}
    assert len(found) == len(asked)
    for value, sure in zip(found, asked, strict=True):
        wrong = 0.0
        for tag in tags:
            answers = [(p, right) for p, right, whose in known if whose == tag]
            wrong += sum(p >= sure and not right for p, right in answers) / len(answers)
        assert value == pytest.approx((1 + wrong) / (1 + len(tags)))


@hypothesis.given(
    st.lists(st.integers(1, 997).map(lambda k: k / 997), max_size=30),
    st.floats(0.01, 0.9).map(lambda fdr: round(fdr, 3) + 1e-5),
)
@hypothesis.settings(deadline=None)
def test_the_list_is_that_of_benjamini_and_hochberg(p, fdr):
    expected = scipy.stats.false_discovery_control(p) <= fdr if p else np.zeros(0, bool)
    np.testing.assert_array_equal(accept(p, fdr), expected)


@pytest.mark.parametrize("fdr", [0.05, 0.2])
def test_queries_like_the_known_ones_keep_the_rate(fdr):
    rng = np.random.default_rng(0)

    def answers(count):
        right = rng.random(count) < 0.7
        return np.where(right, rng.beta(6, 2, count), rng.beta(2, 4, count)), right

    rates, found = [], 0
    for _ in range(400):
        (known, known_right), (sure, right) = answers(300), answers(60)
        taken = accept(p_values(sure, known, known_right, np.arange(300)), fdr)
        rates.append((taken & ~right).sum() / max(taken.sum(), 1))
        found += taken.sum()
    error = np.std(rates) / np.sqrt(len(rates))
    assert np.mean(rates) <= fdr + 2 * error
    assert found > 0.3 * 60 * len(rates)
