"""The steps on one device: optimiser, loss, counts, precision, and that they learn."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tagjax.base.errors import InputError
from tagjax.network import step
from tagjax.network.augment import AugmentConfig
from tagjax.network.model import ModelConfig

TAGS, SHAPE = 3, (12, 24)
NORMED = step.StepConfig(
    ModelConfig(filters=(6, 8), pools=((2, 2), (3, 4)), gru_units=8), epsilon=1e-6
)
PLAIN = step.StepConfig(dataclasses.replace(NORMED.model, batch_norm=False, gru_dropout=0.0))


def random_batch(size=12, seed=0):
    rng = np.random.default_rng(seed)
    return {
        "mel": rng.normal(size=(size, *SHAPE)).astype(np.float32),
        "label": rng.integers(0, TAGS, size).astype(np.int32),
        "weight": np.ones(size, np.float32),
        "position": np.arange(size, dtype=np.int32),
    }


def separable_batch(size=12):
    """Each tag has noise in bands of its own."""
    batch = random_batch(size, seed=1)
    batch["label"] = (np.arange(size) % TAGS).astype(np.int32)
    bands = np.arange(24) * TAGS // 24
    batch["mel"] += 2.0 * (bands == batch["label"][:, None])[:, None]
    return batch


@pytest.fixture(scope="module")
def plain():
    return jax.device_get(step.initial_state(PLAIN, TAGS, SHAPE))


@pytest.fixture(scope="module")
def normed():
    return jax.device_get(step.initial_state(NORMED, TAGS, SHAPE))


def test_adadelta_is_zeilers():
    """Algorithm 1 of Zeiler (2012), in float64."""
    config = step.StepConfig(rho=0.9, epsilon=1e-6)
    rng = np.random.default_rng(0)
    optimiser = step.optimiser(config)
    x = rng.normal(size=5)
    params = jnp.asarray(x)
    state = optimiser.init(params)
    squares, moves = np.zeros(5), np.zeros(5)
    for _ in range(20):
        gradient = rng.normal(size=5)
        squares = 0.9 * squares + 0.1 * gradient**2
        move = -np.sqrt(moves + 1e-6) / np.sqrt(squares + 1e-6) * gradient
        moves = 0.9 * moves + 0.1 * move**2
        x = x + move
        updates, state = optimiser.update(jnp.asarray(gradient), state, params)
        params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(params, x, rtol=1e-5)


def test_the_learning_rate_falls_to_zero_over_decay_steps():
    optimiser = step.optimiser(step.StepConfig(epsilon=1e-2), decay_steps=4)
    constant = step.optimiser(step.StepConfig(epsilon=1e-2))
    one = jnp.ones(())
    state, plain = optimiser.init(one), constant.init(one)
    for k in range(5):
        update, state = optimiser.update(one, state, one)
        full, plain = constant.update(one, plain, one)
        factor = 0.5 * (1 + np.cos(np.pi * k / 4))  # Loshchilov & Hutter (2017), equation 5.
        np.testing.assert_allclose(update, factor * full, atol=1e-8)


def test_the_loss_falls_on_a_separable_problem(normed):
    state, batch = normed, separable_batch()
    run = step.jitted("train_step", NORMED)
    losses = []
    for k in range(60):
        state, sums = run(state, batch)
        losses.append(float(sums["loss"] / sums["examples"]))
        assert int(state.step) == k + 1
    assert losses[0] > 0.8
    assert np.mean(losses[-5:]) < 0.5 * losses[0]
    counted = step.jitted("eval_step", NORMED)(state, batch)
    assert counted["examples"] == 12
    assert counted["correct"] >= 6


def test_randomness_is_a_function_of_the_step(normed):
    batch = random_batch()
    run = step.jitted("train_step", NORMED)
    first, sums = run(normed, batch)
    again, _ = run(normed, batch)
    jax.tree.map(np.testing.assert_array_equal, first, again)
    _, later = run(normed.replace(step=np.int32(1)), batch)  # Another dropout mask.
    assert float(later["loss"]) != float(sums["loss"])


def test_the_seed_decides_where_it_starts(normed):
    same = step.initial_state(NORMED, TAGS, SHAPE)
    jax.tree.map(np.testing.assert_array_equal, same, normed)
    other = step.initial_state(dataclasses.replace(NORMED, seed=1), TAGS, SHAPE)
    assert (np.asarray(other.params["tags"]["kernel"]) != normed.params["tags"]["kernel"]).all()


def test_augmentation_changes_what_is_trained_on_and_not_what_is_evaluated(plain):
    config = dataclasses.replace(PLAIN, augment=AugmentConfig(mask_bands=24))
    state, batch = plain, random_batch()
    losses = [
        float(jax.jit(lambda s, b, c=c: step.gradients(s, b, c)[2]["loss"])(state, batch))
        for c in (config, PLAIN)
    ]
    evaluated = float(step.jitted("eval_step", config)(state, batch)["loss"])
    assert abs(losses[0] - losses[1]) > 1e-4
    assert losses[1] == pytest.approx(evaluated, rel=1e-5)


def test_eval_leaves_padding_out(normed):
    state, batch = normed, random_batch()
    weight = np.array([1, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0], np.float32)
    sums = step.jitted("eval_step", NORMED)(state, batch | {"weight": weight})
    p = np.asarray(step.jitted("predict_step", NORMED)(state, batch), np.float64)
    real = np.flatnonzero(weight)
    label = batch["label"][real]
    np.testing.assert_allclose(sums["loss"], -np.log(p[real, label]).sum(), rtol=1e-5)
    assert sums["correct"] == (p[real].argmax(axis=1) == label).sum()
    assert sums["examples"] == 5


def test_padding_has_no_gradient(plain):
    state, batch = plain, random_batch()
    run = jax.jit(lambda state, batch: step.gradients(state, batch, PLAIN)[0])
    weight = np.float32(np.arange(12) < 7)
    a = run(state, batch | {"weight": weight})
    other = batch["mel"] * np.where(weight, 1, 3)[:, None, None].astype(np.float32)
    b = run(state, batch | {"weight": weight, "mel": other})
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-7), a, b)


def test_the_loss_trained_on_is_the_smoothed_cross_entropy(plain):
    """Szegedy et al. (2016), section 7; without dropout and batch statistics."""
    config = dataclasses.replace(PLAIN, label_smoothing=0.3)
    state, batch = plain, random_batch()
    p = np.asarray(step.jitted("predict_step", config)(state, batch), np.float64)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)
    target = 0.7 * np.eye(TAGS)[batch["label"]] + 0.3 / TAGS
    sums = jax.jit(lambda s, b: step.gradients(s, b, config)[2])(state, batch)
    np.testing.assert_allclose(sums["loss"], -(target * np.log(p)).sum(), rtol=1e-5)
    plain = step.jitted("eval_step", config)(state, batch)
    np.testing.assert_allclose(
        plain["loss"], -np.log(p[np.arange(12), batch["label"]]).sum(), rtol=1e-5
    )


def test_batch_statistics_move_as_the_momentum_says(normed):
    """The default momentum is Keras', 0.99, from means of 0 and variances of 1."""
    state = normed
    stats = step.jitted("train_step", NORMED)(state, random_batch())[0].batch_stats
    x = np.asarray(random_batch()["mel"], np.float64)
    kernel = np.asarray(state.params["conv1"]["kernel"], np.float64)[:, :, 0]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    y = np.einsum("btfij,ijc->btfc", windows, kernel)
    np.testing.assert_allclose(stats["norm1"]["mean"], 0.01 * y.mean((0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(stats["norm1"]["var"], 0.99 + 0.01 * y.var((0, 1, 2)), rtol=1e-6)


def test_bfloat16_is_near_and_keeps_float32_parameters(normed):
    half = dataclasses.replace(NORMED, precision="bfloat16")
    state, batch = normed, random_batch()
    exact = np.asarray(step.jitted("predict_step", NORMED)(state, batch))
    near = step.jitted("predict_step", half)(state, batch)
    assert near.dtype == jnp.float32
    assert (near != exact).any()
    np.testing.assert_allclose(near, exact, atol=0.02)
    after, sums = step.jitted("train_step", half)(state, batch)
    assert {leaf.dtype.name for leaf in jax.tree.leaves(after.params)} == {"float32"}
    assert {leaf.dtype.name for leaf in jax.tree.leaves(after.batch_stats)} == {"float32"}
    _, wanted = step.jitted("train_step", NORMED)(state, batch)
    np.testing.assert_allclose(sums["loss"], wanted["loss"], rtol=0.02)


@pytest.mark.parametrize(
    ("bad", "message"),
    [({"precision": "float8"}, "float32, bfloat16"), ({"label_smoothing": 1.0}, r"\[0, 1\)")],
)
def test_an_impossible_choice_is_refused(bad, message):
    with pytest.raises(InputError, match=message):
        step.StepConfig(**bad)
