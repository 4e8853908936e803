"""The choice among candidates and none, against Bayes by hand, scikit-learn and simulations."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import sklearn.linear_model

from tagjax.evidence import choice


def questions(seed=0, sizes=((7, 4), (5, 6)), wide=3):
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(size=(asked, answers, wide)), rng.integers(-1, answers, asked))
        for asked, answers in sizes
    ]


def naive_loss(parameters, blocks, penalty):
    weights, none = parameters[:-1], parameters[-1]
    losses = []
    for evidence, partner in blocks:
        for candidates, place in zip(evidence, partner, strict=True):
            utility = [float(weights @ x) for x in candidates] + [none]
            total = np.log(np.exp(utility).sum())
            losses.append(total - utility[place if place >= 0 else len(candidates)])
    return np.mean(losses) + 0.5 * penalty * float(weights @ weights)


def test_the_loss_is_that_of_a_loop_and_its_gradient_that_of_differences():
    rng = np.random.default_rng(1)
    for _ in range(3):
        at = rng.normal(size=4)
        loss, gradient = choice._objective(at, questions(), 0.3)
        assert loss == pytest.approx(naive_loss(at, questions(), 0.3))
        slope = scipy.optimize.approx_fprime(at, naive_loss, 1e-7, questions(), 0.3)
        np.testing.assert_allclose(gradient, slope, atol=1e-5)


def test_without_weights_all_have_equal_shares():
    model = choice.ChoiceModel(np.zeros(3), 0.0, np.zeros(3), np.ones(3), 0.5)
    found = model.probabilities(questions()[0][0])
    np.testing.assert_allclose(found, np.full((7, 5), 1 / 5))


def standardised(blocks):
    rows = np.concatenate([x.reshape(-1, x.shape[2]) for x, _ in blocks])
    return [((x - rows.mean(axis=0)) / rows.std(axis=0), partner) for x, partner in blocks]


def test_it_learns_what_a_plain_optimiser_finds():
    blocks = questions()
    model = choice.fit(blocks, 0.3)
    best = scipy.optimize.minimize(naive_loss, np.zeros(4), (standardised(blocks), 0.3), "BFGS")
    np.testing.assert_allclose(np.append(model.weights, model.none), best.x, atol=2e-3)
    assert model.share == np.mean(np.concatenate([partner for _, partner in blocks]) < 0)


def test_with_one_candidate_it_is_a_logistic_regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 1, 3)) * [1, 2, 5]
    there = x[:, 0] @ [1, 0.5, 0] + rng.logistic(size=200) > 0.3
    model = choice.fit([(x, np.where(there, 0, -1))], 0.1)
    scaled = standardised([(x, None)])[0][0][:, 0]
    peer = sklearn.linear_model.LogisticRegression(C=1 / (0.1 * 200), tol=1e-8).fit(scaled, there)
    np.testing.assert_allclose(model.weights, peer.coef_[0], atol=1e-3)
    np.testing.assert_allclose(
        model.probabilities(x)[:, 0], peer.predict_proba(scaled)[:, 1], atol=1e-3
    )


def test_a_number_that_never_changes_weighs_nothing():
    (evidence, partner), _ = questions()
    evidence[..., 1] = 7.0
    model = choice.fit([(evidence, partner)])
    assert model.weights[1] == 0
    assert np.isfinite(model.probabilities(evidence)).all()


def test_no_question_is_refused():
    with pytest.raises(ValueError, match="no question"):
        choice.fit([(np.zeros((0, 3, 2)), np.zeros(0, int))])


def posterior(likelihood, share):
    """P(partner | evidence), none last, all candidates alike before."""
    candidates = len(likelihood) - 1
    found = likelihood * np.append(np.full(candidates, (1 - share) / candidates), share)
    return found / found.sum()


@pytest.mark.parametrize("share", [0.0, 0.2, 0.9, 1.0])
def test_another_share_is_bayes_rule(share):
    likelihoods = np.random.default_rng(0).exponential(size=(6, 5))
    learnt = np.array([posterior(row, 0.3) for row in likelihoods])
    expected = [posterior(row, share) for row in likelihoods]
    np.testing.assert_allclose(choice.with_share(learnt, 0.3, share), expected)


def test_a_share_that_rules_out_everything_changes_nothing():
    sure = np.array([[0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(choice.with_share(sure, 0.3, 0.0), sure)
    without_none = np.array([[0.5, 0.5, 0.0]])
    np.testing.assert_array_equal(choice.with_share(without_none, 0.3, 1.0), without_none)


def test_no_finite_number_of_questions_is_sure_of_a_share():
    shares = [choice.ChoiceModel(np.ones(1), 0.0, *np.ones((2, 1)), s).prior for s in (0, 0.3, 1)]
    assert shares == [0.01, 0.3, 0.99]


def test_probabilities_are_those_of_the_plain_computation():
    rng = np.random.default_rng(3)
    ((evidence, _),) = questions(4, ((30, 9),))
    model = choice.ChoiceModel(rng.normal(size=3), 0.7, rng.normal(size=3), np.array([2, 5, 1]), 0)
    utility = ((evidence - model.mean) / model.scale) @ model.weights
    utility = np.append(utility, np.full((30, 1), 0.7), axis=1)
    found = model.probabilities(evidence)
    np.testing.assert_allclose(found, scipy.special.softmax(utility, axis=1), rtol=1e-12)
