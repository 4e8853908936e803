"""Training as users run it: one device, `jit`, full optimisation, in a process of its own.

All other tests run on four devices and with little optimisation, which is quicker to compile. The
values that are compared with are NumPy's, in float64, from a network written anew.
"""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import reference

SHAPE, TAGS, BATCH, STEPS, DECAY = (26, 17), 5, 4, 3, 20
POOLS = ((2, 2), (3, 4))
SMOOTHING, RHO, EPSILON = 0.1, 0.9, 1e-6

PROGRAM = """
import sys
import jax, numpy as np
from tagjax.network import model, step
from tagjax.run import devices

assert jax.device_count() == 1 and "optimization" not in __import__("os").environ["XLA_FLAGS"]
given = dict(np.load(sys.argv[1]))
shape, tags, pools, smoothing, rho, epsilon, decay, steps = eval(sys.argv[3])
config = step.StepConfig(
    model.ModelConfig(filters=(16, 16), pools=pools, gru_units=8, gru_dropout=0.0),
    label_smoothing=smoothing, rho=rho, epsilon=epsilon, seed=3,
)
state, found = step.initial_state(config, tags, shape, decay), {}

def keep(name, tree):
    leaves = jax.tree_util.tree_leaves_with_path(jax.device_get(tree))
    found.update({f"{name}/" + "/".join(k.key for k in path): leaf for path, leaf in leaves})

train, gradients = devices.train_step(config, decay), devices.gradients(config)
for k in range(steps):
    batch = {"mel": given["mel"][k], "label": given["label"][k],
             "weight": np.ones(len(given["label"][k]), np.float32),
             "position": np.arange(len(given["label"][k]), dtype=np.int32)}
    keep(f"{k}/params", state.params)
    keep(f"{k}/stats", state.batch_stats)
    keep(f"{k}/gradient", gradients(state, batch)[0])
    state, sums = train(state, batch)
    found[f"{k}/loss"] = sums["loss"] / sums["examples"]
keep(f"{steps}/params", state.params)
keep(f"{steps}/stats", state.batch_stats)
batch["weight"][-1] = 0
sums = devices.eval_step(config)(state, batch)
found["evaluated"] = np.array([sums[name] for name in ("loss", "correct", "examples")])
found["predicted"] = devices.predict_step(config)(state, batch)
np.savez(sys.argv[2], **found)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the process computed: {name: array}, and what it was given."""
    folder = tmp_path_factory.mktemp("user")
    rng = np.random.default_rng(0)
    given = {
        "mel": rng.gamma(2.0, 1.0, (STEPS, BATCH, *SHAPE)).astype(np.float32),
        "label": rng.integers(0, TAGS, (STEPS, BATCH)).astype(np.int32),
    }
    np.savez(folder / "given.npz", **given)
    choices = (SHAPE, TAGS, POOLS, SMOOTHING, RHO, EPSILON, DECAY, STEPS)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, folder / "given.npz", folder / "found.npz", repr(choices)],
        env={
            **os.environ,
            "XLA_FLAGS": "",
            "JAX_PLATFORMS": "cpu",
            "PYTHONPATH": str(pathlib.Path(__file__).resolve().parents[3]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return given | dict(np.load(folder / "found.npz"))


def tree(found, prefix):
    """{layer: {array: float64}} of the names that begin so."""
    nested = {}
    for name, array in found.items():
        if name.startswith(f"{prefix}/"):
            layer, leaf = name.removeprefix(f"{prefix}/").split("/")
            nested.setdefault(layer, {})[leaf] = np.asarray(array, np.float64)
    return nested


def loss(params, found, k):
    scores, _ = reference.logits(params, found["mel"][k], POOLS)
    return reference.cross_entropy(scores, found["label"][k], SMOOTHING)


@pytest.mark.parametrize("k", range(STEPS))
def test_the_loss_of_each_step(found, k):
    assert found[f"{k}/loss"] == pytest.approx(loss(tree(found, f"{k}/params"), found, k), rel=1e-5)


def test_each_gradient_is_the_slope_of_the_loss(found):
    """Central differences in float64, at places drawn at random in every array.

    Sixteen channels take `winograd` in the second convolution, and `shifted_products` in the first.
    The largest slope is 0.6; float32 was off by 4e-7.
    """
    params, gradient = tree(found, "1/params"), tree(found, "1/gradient")
    rng, step = np.random.default_rng(1), 1e-5
    for layer, arrays in params.items():
        for name, array in arrays.items():
            slopes, places = [], rng.choice(array.size, min(array.size, 24), replace=False)
            for place in places:
                before, losses = array.flat[place], []
                for side in (1, -1):
                    array.flat[place] = before + side * step
                    losses.append(loss(params, found, 1))
                array.flat[place] = before
                slopes.append((losses[0] - losses[1]) / (2 * step))
            got = gradient[layer][name].ravel()[places]
            np.testing.assert_allclose(got, slopes, atol=4e-6, err_msg=f"{layer} {name}")
            # A bias before batch normalisation changes nothing.
            assert (np.abs(slopes).max() > 1e-2) == (name != "bias" or "conv" not in layer)


def test_each_step_is_adadeltas(found):
    """The step's own gradients, by Zeiler's algorithm, with half a cosine of learning rate."""
    for layer, arrays in tree(found, "0/params").items():
        for name, wanted in arrays.items():
            adadelta = reference.Adadelta(RHO, EPSILON)
            for k in range(STEPS):
                rate = 0.5 * (1 + np.cos(np.pi * k / DECAY))
                move = rate * adadelta.move(tree(found, f"{k}/gradient")[layer][name])
                wanted = wanted + move
                got = tree(found, f"{k + 1}/params")[layer][name]
                np.testing.assert_allclose(got, wanted, atol=1e-6, err_msg=f"{layer} {name}")
                assert np.abs(move).max() > 2e-3 or (name == "bias" and "conv" in layer)


def test_batch_statistics_follow_the_batches(found):
    stats = {f"norm{i}": {"mean": 0.0, "var": 1.0} for i in (1, 2)}
    for k in range(STEPS):
        params = tree(found, f"{k}/params")
        _, seen = reference.logits(params, found["mel"][k], POOLS)
        for layer, moments in seen.items():
            for name, value in zip(("mean", "var"), moments, strict=True):
                stats[layer][name] = 0.99 * stats[layer][name] + 0.01 * value
    for layer, arrays in tree(found, f"{STEPS}/stats").items():
        for name, array in arrays.items():
            np.testing.assert_allclose(array, stats[layer][name], rtol=1e-5, atol=1e-7)


def test_evaluation_and_prediction(found):
    params, stats = (tree(found, f"{STEPS}/{name}") for name in ("params", "stats"))
    mel, label = found["mel"][-1], found["label"][-1]
    scores, _ = reference.logits(params, mel, POOLS, stats)
    wanted = reference.probabilities(scores)
    np.testing.assert_allclose(found["predicted"], wanted, rtol=1e-5)
    real = slice(0, BATCH - 1)  # The last one is padding.
    losses = -np.log(wanted[np.arange(BATCH), label])[real]
    correct = (wanted.argmax(axis=1) == label)[real].sum()
    np.testing.assert_allclose(found["evaluated"], [losses.sum(), correct, 3], rtol=1e-5)
