"""The whole network and its training against a Keras 3 twin with the same weights."""

import dataclasses

import jax
import numpy as np
import pytest
import twins

from tagjax.network import model, step

pytest.importorskip("keras")


@pytest.fixture(scope="module")
def twins_keras():
    return twins.loaded("twins_keras")


def random_variables(num_tags):
    """Every array random, so that one in the wrong place shows."""
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), num_tags, model.PRESETS["paper"]))
    rng = np.random.default_rng(0)

    def value(path, leaf):
        name = path[-1].key
        if name in ("scale", "var"):
            return rng.uniform(0.5, 2.0, leaf.shape).astype(np.float32)
        size = np.sqrt(2 / np.prod(leaf.shape[:-1])) if leaf.ndim > 1 else 0.1
        return rng.normal(0, size, leaf.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(value, shapes)


def test_the_network_is_its_keras_twin(twins_keras):
    variables = random_variables(250)
    twin = twins_keras.build(250)
    twins_keras.set_weights(twin, variables["params"], variables["batch_stats"])
    assert twin.count_params() == sum(leaf.size for leaf in jax.tree.leaves(variables))
    mel = np.random.default_rng(1).gamma(2.0, 1.0, (1, 646, 96)).astype(np.float32)
    wanted = twin.predict_on_batch(mel)
    logits = jax.jit(model.TagClassifier(250, model.PRESETS["paper"]).apply)(variables, mel)
    got = np.asarray(jax.nn.softmax(logits, axis=-1))
    # One tag in 250 is 0.004: the answer is neither flat nor one tag's alone.
    assert wanted.max() > 0.01
    assert wanted.max() < 0.9
    np.testing.assert_allclose(got, wanted, atol=1e-4)
    np.testing.assert_allclose(got, wanted, rtol=1e-3)


def test_training_is_that_of_its_keras_twin(twins_keras):
    """Loss, parameters and batch statistics after several whole steps of Adadelta.

    Adadelta divides a gradient by its size, but adds epsilon to the square of both, so a step moves
    a parameter by no more than its gradient's size in rounding, too. What is compared is therefore
    how far each parameter has moved, some 0.008 at most, beside how far Keras moves it. A bias
    before batch normalisation has no gradient but rounding, and must hardly move at all. Where two
    values of a window are equal but for rounding, each may have its gradient: the seed of the data
    is one with no such window.
    """
    steps, tags, shape = 4, 20, (72, 96)
    config = step.StepConfig(dataclasses.replace(model.PRESETS["paper"], gru_dropout=0.0))
    variables = random_variables(tags)
    twin = twins_keras.build(tags, shape[0], dropout=0.0)
    twins_keras.set_weights(twin, variables["params"], variables["batch_stats"])
    twins_keras.compile_twin(twin, compiled=False)
    state = step.initial_state(config, tags, shape)
    state = state.replace(params=variables["params"], batch_stats=variables["batch_stats"])
    train = step.jitted("train_step", config)
    rng = np.random.default_rng(3)
    for _ in range(steps):
        mel = rng.gamma(2.0, 1.0, (4, *shape)).astype(np.float32)
        label = rng.integers(0, tags, 4).astype(np.int32)
        batch = {"mel": mel, "label": label, "weight": np.ones(4, np.float32)}
        state, sums = train(state, batch | {"position": np.arange(4, dtype=np.int32)})
        loss = float(sums["loss"] / sums["examples"])
        assert loss == pytest.approx(float(twin.train_on_batch(mel, label)), rel=1e-4)
    params, batch_stats = twins_keras.get_weights(twin)
    before = variables["params"]
    for layer, arrays in params.items():
        for name, array in arrays.items():
            wanted = array - before[layer][name]
            moved = np.asarray(state.params[layer][name]) - before[layer][name]
            if layer.startswith("conv") and name == "bias":
                assert max(np.abs(wanted).max(), np.abs(moved).max()) < 1e-5
                continue
            assert np.abs(wanted).max() > 2e-3
            np.testing.assert_allclose(moved, wanted, atol=1e-4, err_msg=f"{layer} {name}")
            error = np.linalg.norm(moved - wanted) / np.linalg.norm(wanted)
            assert error < 5e-3, (layer, name)  # 1e-3 was seen.
    for layer, arrays in batch_stats.items():
        for name, array in arrays.items():
            np.testing.assert_allclose(state.batch_stats[layer][name], array, atol=2e-5)
