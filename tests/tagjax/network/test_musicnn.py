"""musicnn's network against NumPy in float64, Keras, and its authors' own graph."""

import zipfile

import jax
import numpy as np
import pretrained
import pytest

from tagjax.base import bundles
from tagjax.base.errors import InputError
from tagjax.network import musicnn
from tagjax.run import vectors

MEL = np.log10(1e4 * np.random.default_rng(5).gamma(0.3, size=(2, 187, 96)) + 1).astype(np.float32)


def norm(v, name, x):
    mean, var, gamma, beta = (
        v[f"{name}/{part}"].astype(np.float64)
        for part in ("moving_mean", "moving_variance", "gamma", "beta")
    )
    return (x - mean) / np.sqrt(var + 1e-3) * gamma + beta


def convolve(kernel, bias, x, before, after):
    """[batch, frames, bands] -> [batch, frames, bands left, channels]; zeros around in time."""
    x = np.pad(x, ((0, 0), (before, after), (0, 0)))
    high, wide = kernel.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (high, wide), axis=(1, 2))
    product = windows.reshape(*windows.shape[:3], -1) @ kernel.reshape(high * wide, -1)
    return np.maximum(product + bias, 0)


def reference(v, mel):
    """The network as its description says, in float64: (features, logits)."""
    x = norm(v, "batch_normalization", mel[..., None].astype(np.float64))[..., 0]

    def convolution(i, x, before, after):
        name = f"conv2d_{i}" if i else "conv2d"
        kernel, bias = (v[f"{name}/{part}"].astype(np.float64) for part in ("kernel", "bias"))
        y = convolve(kernel[:, :, 0], bias, x, before, after)
        return norm(v, f"batch_normalization_{i + 1}", y)

    front = [convolution(i, x, 3, 3).max(axis=2) for i in (0, 1)]
    for i, long in ((2, 128), (3, 64), (4, 32)):  # "SAME" of an even length: one more after.
        front.append(convolution(i, x, long // 2 - 1, long // 2).max(axis=2))
    front = np.concatenate(front, axis=2)
    parts = [front, convolution(5, front, 3, 3)[:, :, 0]]
    for i in (6, 7):
        parts.append(parts[-1] + convolution(i, parts[-1], 3, 3)[:, :, 0])
    channels = np.concatenate(parts, axis=2)
    pooled = np.empty((len(mel), 2 * channels.shape[2]))
    pooled[:, ::2], pooled[:, 1::2] = channels.max(axis=1), channels.mean(axis=1)
    pooled = norm(v, "batch_normalization_9", pooled)
    hidden = np.maximum(pooled @ v["dense/kernel"].astype(np.float64) + v["dense/bias"], 0)
    features = norm(v, "batch_normalization_10", hidden)
    return features, features @ v["dense_1/kernel"].astype(np.float64) + v["dense_1/bias"]


def computed(variables, mel):
    params = musicnn.params_of(variables)
    features = jax.jit(musicnn.features)(params, mel)
    return np.asarray(features), np.asarray(musicnn.logits(params, features))


@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_what_its_description_says(seed):
    variables = pretrained.random_variables(seed)
    for found, expected in zip(computed(variables, MEL), reference(variables, MEL), strict=True):
        assert found.dtype == np.float32
        assert found.shape == expected.shape
        assert np.mean(expected.std(axis=0) > 0) > 0.3  # Many units have something to say.
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5 * np.abs(expected).max())


def test_every_variable_counts():
    variables = pretrained.random_variables(2)
    features = jax.jit(musicnn.features)

    def answer(variables):
        params = musicnn.params_of(variables)
        return np.asarray(musicnn.logits(params, features(params, MEL[:1])))

    before = answer(variables)
    for name, value in variables.items():
        changed = np.abs(answer(variables | {name: value + np.float32(0.5)}) - before)
        assert changed.max() > 1e-3, name


def test_the_first_convolutions_are_those_of_keras():
    keras = pytest.importorskip("keras", exc_type=ImportError)
    v = pretrained.random_variables(3)
    params = musicnn.params_of(v)
    x = np.random.default_rng(0).normal(size=(1, 187, 96, 1)).astype(np.float32)
    stems = {"timbral1": ("conv2d_1", "valid", 2), "temporal0": ("conv2d_2", "same", 3)}
    for name, (stem, padding, number) in stems.items():
        kernel = v[f"{stem}/kernel"]
        convolution = keras.layers.Conv2D(
            kernel.shape[-1], kernel.shape[:2], padding=padding, activation="relu"
        )
        normalisation = keras.layers.BatchNormalization(epsilon=1e-3)
        padded = np.pad(x, ((0, 0), (3, 3), (0, 0), (0, 0))) if padding == "valid" else x
        convolution.build(padded.shape)
        convolution.set_weights([kernel, v[f"{stem}/bias"]])
        y = convolution(padded)
        normalisation.build(y.shape)
        parts = ("gamma", "beta", "moving_mean", "moving_variance")
        normalisation.set_weights([v[f"batch_normalization_{number}/{part}"] for part in parts])
        expected = np.asarray(normalisation(y)).max(axis=2)
        found = musicnn._timbral if name.startswith("timbral") else musicnn._temporal
        np.testing.assert_allclose(found(params, name, x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("dense/bias", None, "w: not weights of musicnn 0.1.0: no variable dense/bias"),
        ("dense/bias", np.zeros(3, np.float32), r"dense/bias has shape \(3,\), not \(200,\)"),
        ("conv2d/bias", np.full(204, np.nan, np.float32), "conv2d/bias is not finite"),
    ],
)
def test_other_weights_are_refused(name, value, message):
    variables = pretrained.random_variables()
    variables.pop(name)
    if value is not None:
        variables[name] = value
    with pytest.raises(InputError, match=message):
        musicnn.params_of(variables, "w")


def graph(wheel, model):
    """The authors' graph, without what trains it."""
    from tensorflow.compat import v1

    stored = v1.MetaGraphDef()
    with zipfile.ZipFile(wheel) as archive:
        stored.ParseFromString(archive.read(f"musicnn/{model}_musicnn/.meta"))
    found = v1.GraphDef()
    training = ("gradients", "Adam", "save")
    for node in stored.graph_def.node:
        if not any(word in node.name for word in training):
            kept = found.node.add()
            kept.CopyFrom(node)
            kept.device = ""
            for name in ("_output_shapes", "_class"):
                kept.attr.pop(name, None)
            inputs = [name for name in kept.input if not any(word in name for word in training)]
            del kept.input[:]
            kept.input.extend(inputs)
    return found


def real_variables(wheel, model):
    with zipfile.ZipFile(wheel) as archive:
        contents = [
            archive.read(f"musicnn/{model}_musicnn/{name}")
            for name in (".index", ".data-00000-of-00001")
        ]
    return bundles.read_variables(model, *contents)


@pytest.mark.parametrize("model", vectors.MODELS)
def test_the_authors_own_graph_gives_the_same(model):
    wheel = pretrained.real_weights()
    tf = pytest.importorskip("tensorflow", exc_type=ImportError)
    params = vectors.read_weights(wheel, [model]).params[model]
    variables = real_variables(wheel, model)
    assert sum(array.size for array in jax.tree.leaves(params)) == 792_079
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph(wheel, model), name="")
        feed = {f"{name}/read:0": variables[name] for name in musicnn.shapes()}
        feed |= {"model/Placeholder:0": MEL, "model/Placeholder_2:0": False}
        names = ("model/batch_normalization_10/batchnorm/add_1:0", "model/dense_1/BiasAdd:0")
        expected = session.run([*names], feed)
    for found, theirs in zip(computed(variables, MEL), expected, strict=True):
        np.testing.assert_allclose(found, theirs, atol=2e-6 * np.abs(theirs).max())
