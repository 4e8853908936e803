"""The whole network against a Keras 3 twin with the same weights, at full size."""

import importlib.util
import pathlib

import jax
import numpy as np
import pytest

from tagjax.network import model

pytest.importorskip("keras")
TWIN = pathlib.Path(__file__).resolve().parents[3] / "benchmarks" / "twins_keras.py"


@pytest.fixture(scope="module")
def twins_keras():
    specification = importlib.util.spec_from_file_location("twins_keras", TWIN)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def variables():
    """Every array random, so that one in the wrong place shows."""
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), 250, model.PRESETS["paper"]))
    rng = np.random.default_rng(0)

    def value(path, leaf):
        name = path[-1].key
        if name in ("scale", "var"):
            return rng.uniform(0.5, 2.0, leaf.shape).astype(np.float32)
        size = np.sqrt(2 / np.prod(leaf.shape[:-1])) if leaf.ndim > 1 else 0.1
        return rng.normal(0, size, leaf.shape).astype(np.float32)

    return jax.tree_util.tree_map_with_path(value, shapes)


def test_the_network_is_its_keras_twin(twins_keras, variables):
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
