"""Devices: however a global batch is divided, the raw gradients are those of the whole."""

import jax
import numpy as np
import pytest

from tagjax.base.errors import InputError
from tagjax.base.interruption import InterruptedRunError
from tagjax.network import step
from tagjax.network.augment import AugmentConfig
from tagjax.network.model import ModelConfig
from tagjax.run import devices

TAGS, SHAPE = 3, (14, 8)
CONFIG = step.StepConfig(
    ModelConfig(filters=(3, 4), pools=((2, 2), (3, 4)), gru_units=4),
    AugmentConfig(crop_frames=12, gain_db=6.0),
)


@pytest.fixture(scope="module")
def state():
    """Neither fresh statistics nor step 0, which could hide a mistake."""
    fresh = jax.device_get(step.initial_state(CONFIG, TAGS, SHAPE))
    rng = np.random.default_rng(0)
    stats = jax.tree.map(lambda x: np.float32(x + rng.uniform(size=x.shape)), fresh.batch_stats)
    return fresh.replace(step=np.int32(7), batch_stats=stats)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(1)
    return {
        "mel": rng.uniform(0, 3, (8, *SHAPE)).astype(np.float32),
        "label": rng.integers(0, TAGS, 8).astype(np.int32),
        # Uneven: on four devices, the shares weigh 2, 1, 0.5 and 0.
        "weight": np.array([1, 1, 0, 1, 0.25, 0.25, 0, 0], np.float32),
        "position": np.arange(8, dtype=np.int32),
    }


@pytest.fixture(scope="module")
def whole(state, batch):
    return jax.jit(lambda state, batch: step.gradients(state, batch, CONFIG))(state, batch)


def close(a, b, tolerance=1e-5):
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(jax.device_get(b)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=tolerance * largest), a, b)


@pytest.fixture(scope="module")
def over_four():
    return devices.gradients(CONFIG)


def test_raw_gradients_of_four_devices_are_those_of_one(state, batch, whole, over_four):
    for ours, wanted in zip(over_four(state, batch), whole, strict=True):
        close(ours, wanted)


def test_raw_gradients_of_two_devices_are_those_of_one(state, batch, whole, monkeypatch):
    monkeypatch.setattr(jax, "local_device_count", lambda: 2)
    for ours, wanted in zip(devices.gradients(CONFIG)(state, batch), whole, strict=True):
        close(ours, wanted)
        used = {shard.device for leaf in jax.tree.leaves(ours) for shard in leaf.addressable_shards}
        assert len(used) == 2


def test_gradients_are_the_slope_of_the_loss(state, batch, over_four):
    """Against differences of the loss itself; a factor of the number of devices would show."""
    gradient = jax.device_get(over_four(state, batch)[0])
    slope = sum((leaf**2).sum() for leaf in jax.tree.leaves(gradient))
    size = np.float32(1e-2 / np.sqrt(slope))

    def loss(sign):
        moved = jax.tree.map(lambda p, g: p + sign * size * g, state.params, gradient)
        sums = over_four(state.replace(params=moved), batch)[2]
        return float(sums["loss"]) / float(sums["examples"])

    assert (loss(1) - loss(-1)) / (2 * size) == pytest.approx(slope, rel=0.1)


def test_a_training_step_leaves_every_device_the_same_state(state, batch, whole):
    mapped = devices.train_step(CONFIG)
    after, sums = mapped(state, batch)
    assert int(after.step) == 8
    close(sums, whole[2])
    close(after.batch_stats, whole[1])
    for leaf in jax.tree.leaves(after):
        copies = [np.asarray(shard.data) for shard in leaf.addressable_shards]
        assert len(copies) == 4
        for copy in copies:
            np.testing.assert_array_equal(copy, copies[0])
    again, _ = mapped(after, batch)
    assert int(again.step) == 9


def test_evaluation_and_prediction_over_devices(state, batch):
    sums = devices.eval_step(CONFIG)(state, batch)
    close(sums, step.jitted("eval_step", CONFIG)(state, batch))
    got = devices.predict_step(CONFIG)(state, batch)
    assert got.shape == (8, TAGS)
    np.testing.assert_allclose(got, step.jitted("predict_step", CONFIG)(state, batch), atol=1e-6)


def test_a_batch_that_cannot_be_divided_is_refused():
    assert devices.local_share(12) == slice(0, 12)
    with pytest.raises(InputError, match=r"batch_size 10 .* 4 devices"):
        devices.local_share(10)


def test_half_a_description_of_the_processes_is_refused():
    devices.initialise(None, None, None)
    with pytest.raises(InputError, match="coordinator"):
        devices.initialise(None, 2, 0)


LOSSES = [
    ValueError("UNKNOWN: Gloo AllGather failed: pair.cc:547] Connection closed by peer"),
    jax.errors.JaxRuntimeError("UNAVAILABLE: Failed to send RPC to coordination service"),
    jax.errors.JaxRuntimeError("INTERNAL: Barrier failed because: task is set to ERROR\nmore"),
    jax.errors.JaxRuntimeError("INTERNAL: NCCL operation ncclAllReduce failed: remote error"),
]


@pytest.fixture
def leaving(monkeypatch):
    """Exit codes with which this process, one of two, would leave."""
    codes = []
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(devices, "_leave_at_exit", codes.append)
    return codes


@pytest.mark.parametrize("error", LOSSES, ids=str)
def test_an_exchange_that_fails_is_a_lost_process(leaving, error):
    message = "one of the 2 processes was lost; give all"
    with pytest.raises(InputError, match=message) as caught, devices.together():
        raise error
    assert "\n" not in str(caught.value)
    assert leaving == [devices.LOST] == [75]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InputError("a.csv:3: the barrier"), 2),
        (InterruptedRunError(15), 143),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory"), 1),
        (ValueError("a fault of ours"), 1),
        (KeyboardInterrupt(), 1),
    ],
    ids=repr,
)
def test_whoever_fails_leaves_with_its_own_reason(leaving, error, code):
    with pytest.raises(type(error)) as caught, devices.together():
        raise error
    assert caught.value is error
    assert leaving == [code]


def test_a_lone_process_ends_as_ever(monkeypatch):
    monkeypatch.setattr(devices, "_leave_at_exit", None)
    with pytest.raises(ValueError, match="Gloo"), devices.together():
        raise LOSSES[0]
    with devices.together():
        pass
