"""The network: Table 1's shapes and parameter counts, and its layers against references."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference

from tagjax.base.errors import InputError
from tagjax.network import model
from tagjax.network.model import ModelConfig, TagClassifier

# Table 1 of the paper: layer, output shape, number of parameters.
TABLE_1 = {
    "block1": ((323, 48, 64), 640),
    "block2": ((107, 12, 128), 1280),
    "block3": ((53, 4, 256), 2560),
    "block4": ((17, 1, 512), 5120),
    "hidden": ((512,), 1_574_400),
}
TINY = ModelConfig(filters=(2, 3, 4, 5), gru_units=4)


def count(tree):
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def shapes(config, num_tags=250, frames=646):
    """Shapes of variables and of intermediate values of one batch of 3, nothing computed."""

    def everything(mel):
        classifier = TagClassifier(num_tags, config)
        variables = classifier.init(jax.random.key(0), mel)
        variables = {k: v for k, v in variables.items() if k != "intermediates"}
        logits, seen = classifier.apply(variables, mel, mutable=["intermediates"])
        return variables["params"], logits, seen["intermediates"]

    return jax.eval_shape(everything, jnp.zeros((3, frames, 96), jnp.float16))


def test_output_shapes_are_those_of_table_1():
    _, logits, seen = shapes(model.PRESETS["paper"])
    for name, (shape, _) in TABLE_1.items():
        assert seen[name][0].shape == (3, *shape)
    assert logits.shape == (3, 250)
    assert logits.dtype == jnp.float32


def test_parameter_counts_are_those_of_table_1():
    params, _, _ = shapes(ModelConfig(convolution="depthwise"))
    for i, name in enumerate(("block1", "block2", "block3", "block4")):
        assert count(params[f"conv{i + 1}"]) == TABLE_1[name][1]
    assert count(params["gru"]) == TABLE_1["hidden"][1]
    # Table 1 prints 512 N_c, the kernel; Keras' Dense adds a bias a tag.
    assert params["tags"]["kernel"].shape == (512, 250)
    assert params["tags"]["bias"].shape == (250,)


def test_the_paper_preset_has_ordinary_convolutions():
    params, _, _ = shapes(model.PRESETS["paper"])
    sizes = [count(params[f"conv{i}"]) for i in (1, 2, 3, 4)]
    inputs, filters = (1, 64, 128, 256), (64, 128, 256, 512)
    assert sizes == [9 * i * f + f for i, f in zip(inputs, filters, strict=True)]
    assert count(params["gru"]) == TABLE_1["hidden"][1]


def test_the_small_preset_has_the_same_form():
    params, logits, seen = shapes(model.PRESETS["small"])
    paper, _, _ = shapes(model.PRESETS["paper"])
    assert logits.shape == (3, 250)
    assert seen["block4"][0].shape[:3] == (3, 17, 1)
    assert jax.tree.structure(params) == jax.tree.structure(paper)
    assert count(params) < count(paper) / 10


@pytest.mark.parametrize("batch_norm", [True, False])
def test_batch_normalisation_is_a_choice(batch_norm):
    variables = model.init(
        jax.random.key(0), 3, dataclasses.replace(TINY, batch_norm=batch_norm), (36, 96)
    )
    assert ("norm1" in variables["params"]) == batch_norm
    assert ("batch_stats" in variables) == batch_norm


def dropped(rate, positions, x=None):
    x = jnp.ones((len(positions), 4000)) if x is None else x
    rngs = {"dropout": jax.random.key(3)}
    return np.asarray(model.Dropout(rate).apply({}, x, jnp.asarray(positions), rngs=rngs))


def test_dropout_depends_on_the_position_and_not_on_the_batch():
    together = dropped(0.3, np.arange(8))
    apart = np.concatenate([dropped(0.3, np.arange(8)[part]) for part in ([0, 1, 2], [3], [4])])
    np.testing.assert_array_equal(together[:5], apart)
    assert len({row.tobytes() for row in together}) == 8


def test_dropout_keeps_the_mean():
    got = dropped(0.3, np.arange(8))
    np.testing.assert_allclose(np.unique(got), [0, 1 / 0.7], rtol=1e-6)
    share = (got == 0).mean()
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / got.size)


def test_prediction_is_deterministic_and_a_row_is_its_own():
    variables = model.init(jax.random.key(0), 3, TINY, (40, 96))
    mel = np.random.default_rng(0).normal(size=(4, 40, 96)).astype(np.float32)
    predict = jax.jit(TagClassifier(3, TINY).apply)
    whole = predict(variables, mel)
    np.testing.assert_array_equal(whole, predict(variables, mel))
    np.testing.assert_allclose(whole[2:], predict(variables, mel[2:]), atol=1e-6)


def gru_in_numpy(x, kernel, recurrent, bias, gate):
    """Cho et al. (2014), reset before the product; gates z, r, then the candidate."""
    units = recurrent.shape[0]
    (wz, wr, wn), (uz, ur, un), (bz, br, bn) = (
        np.split(a.astype(np.float64), 3, axis=-1) for a in (kernel, recurrent, bias)
    )
    rows = []
    for example in x.astype(np.float64):
        h = np.zeros(units)
        for value in example:
            z = gate(value @ wz + h @ uz + bz)
            r = gate(value @ wr + h @ ur + br)
            n = np.tanh(value @ wn + (r * h) @ un + bn)
            h = z * h + (1 - z) * n
        rows.append(h)
    return np.array(rows)


GATES = {
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),  # Keras 1 and 2.
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}


@pytest.mark.parametrize("name", list(GATES))
def test_gru_against_numpy_float64(name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 7, 6)).astype(np.float32)
    variables = {
        "params": {
            "kernel": rng.normal(size=(6, 15)).astype(np.float32),
            "recurrent_kernel": rng.normal(size=(5, 15)).astype(np.float32),
            "bias": rng.normal(size=15).astype(np.float32),
        }
    }
    got = model.GRU(5, model.GATES[name]).apply(variables, x)
    np.testing.assert_allclose(
        got, gru_in_numpy(x, **rename(variables), gate=GATES[name]), atol=1e-5
    )


def rename(variables):
    params = variables["params"]
    return {
        "kernel": params["kernel"],
        "recurrent": params["recurrent_kernel"],
        "bias": params["bias"],
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [("convolution", "sparse"), ("activation", "tanh"), ("recurrent_activation", "relu")],
)
def test_an_unknown_option_is_refused_and_the_known_ones_listed(field, value):
    known = {"convolution": "depthwise", "activation": "elu", "recurrent_activation": "sigmoid"}
    with pytest.raises(InputError, match=f"{field} '{value}'.*{known[field]}"):
        ModelConfig(**{field: value})


@pytest.mark.parametrize(
    "bad",
    [{"filters": (1, 2)}, {"gru_dropout": 1.0}, {"conv_dropout": -0.1}, {"gru_units": 0}],
)
def test_an_impossible_shape_is_refused(bad):
    with pytest.raises(InputError, match=f"model: .*{next(iter(bad))}"):
        ModelConfig(**bad)


@pytest.mark.parametrize("shape", [(35, 96), (646, 95)])
def test_an_input_smaller_than_the_poolings_is_refused(shape):
    with pytest.raises(InputError, match=r"35 frames.*36|95 mel bands.*96"):
        model.init(jax.random.key(0), 3, TINY, shape)


def test_normalisation_may_turn_channels_round_before_pooling():
    """A negative scale makes the largest value the smallest: batch norm, then pooling, decides."""
    config = dataclasses.replace(TINY, gru_dropout=0.0)
    mel = np.random.default_rng(0).normal(size=(4, 40, 96)).astype(np.float32)
    variables = model.init(jax.random.key(0), 3, config, (40, 96))
    rng = np.random.default_rng(1)
    variables = jax.tree.map(lambda x: np.float32(rng.normal(x, 1.0)), variables)
    variables["batch_stats"] = jax.tree.map(np.abs, variables["batch_stats"])
    assert min(group["scale"].min() for n, group in variables["params"].items() if "norm" in n) < 0
    network = TagClassifier(3, config)
    wanted, _ = reference.logits(variables["params"], mel, config.pools, variables["batch_stats"])
    np.testing.assert_allclose(network.apply(variables, mel), wanted, atol=1e-4)
    got, moved = network.apply(
        variables, mel, np.arange(4), mutable=["batch_stats"], rngs={"dropout": jax.random.key(0)}
    )
    wanted, seen = reference.logits(variables["params"], mel, config.pools)
    np.testing.assert_allclose(got, wanted, atol=1e-4)
    for name, (mean, variance) in seen.items():
        before, after = variables["batch_stats"][name], moved["batch_stats"][name]
        np.testing.assert_allclose(after["mean"], 0.99 * before["mean"] + 0.01 * mean, atol=1e-5)
        np.testing.assert_allclose(after["var"], 0.99 * before["var"] + 0.01 * variance, rtol=1e-5)
