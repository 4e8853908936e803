"""The PyTorch twins against the networks that they are compared with."""

import dataclasses

import jax
import numpy as np
import pytest
import twins

from tagjax.network import model, step
from tagjax.run.config import PRESETS

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def twins_torch():
    return twins.loaded("twins_torch")


@pytest.mark.parametrize("preset", ["paper", "catalogue"])
def test_the_twin_predicts_and_learns_the_same(twins_torch, preset):
    tags, frames = 20, 72
    config = PRESETS[preset].step
    config = dataclasses.replace(
        config,
        augment=step.StepConfig().augment,
        model=dataclasses.replace(config.model, gru_dropout=0.0),
    )
    rng = np.random.default_rng(3)
    shape = dataclasses.replace(twins_torch.SHAPES[preset], dropout=0.0)
    twin = twins_torch.Twin(tags, True, shape)
    variables = model.init(jax.random.key(0), tags, config.model, (frames, 96))
    variables = jax.tree.map(lambda x: np.float32(x + rng.uniform(0.01, 0.1, x.shape)), variables)
    twin.network.set_weights(**variables)
    count = sum(array.numel() for array in twin.network.parameters())
    assert count == sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    state = step.initial_state(config, tags, (frames, 96)).replace(**variables)
    mel = rng.gamma(2.0, 1.0, (4, frames, 96)).astype(np.float32)
    batch = {
        "mel": mel,
        "label": rng.integers(0, tags, 4).astype(np.int32),
        "weight": np.ones(4, np.float32),
        "position": np.arange(4, dtype=np.int32),
    }
    for _ in range(3):
        got = step.jitted("predict_step", config)(state, batch)
        np.testing.assert_allclose(got, twin.predict(mel), rtol=1e-3, atol=1e-5)
        state, sums = step.jitted("train_step", config)(state, batch)
        loss = twin.train(mel, batch["label"])
        assert float(sums["loss"] / sums["examples"]) == pytest.approx(loss, rel=1e-4)
