"""Examples on the devices: every batch is the one that is read from disk, bit for bit."""

import jax
import numpy as np
import pytest

from tagjax.examples import frontend, loader
from tagjax.examples.loader import Examples, LoaderConfig
from tagjax.network import step
from tagjax.network.model import ModelConfig
from tagjax.run import devices, resident

PARTS = {"train": 22, "validation": 5}
SHAPE = (12, 8)
WHOLE = slice(0, 4)
CONFIG = step.StepConfig(ModelConfig(filters=(3,), pools=((3, 4),), gru_units=4))


@pytest.fixture(scope="module")
def dataset(make_tiny, tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("data"), PARTS)


def opened(dataset, shuffled=False, processes=1):
    config = LoaderConfig(batch_size=4, processes=processes)
    examples = Examples(dataset, ["validation", "train"], config)
    if shuffled:
        examples.shuffle_labels(1)
    return examples


@pytest.mark.parametrize("dtype", [np.float16, np.uint8])
def test_batches_cut_out_on_the_devices_are_those_of_the_host(dtype):
    mel = frontend.stored(np.random.default_rng(3).uniform(0, 9, (21, *SHAPE)), dtype)
    pool = resident.Pool(mel.shape, dtype)
    for start in (14, 0, 7):
        pool.put(start, mel[start : start + 7])
    places = np.array([20, 3, 3, 0, 11, 6, 7, 13])
    cut = pool(places)
    assert {shard.data.shape for shard in cut.addressable_shards} == {(1, 2, *SHAPE)}
    assert len({shard.device for shard in cut.addressable_shards}) == 4
    host = frontend.restored(mel[places])
    np.testing.assert_array_equal(np.asarray(cut).reshape(host.shape), host)
    batch = {
        "label": np.arange(8, dtype=np.int32) % 3,
        "weight": np.ones(8, np.float32),
        "position": np.arange(8, dtype=np.int32),
    }
    gradients = devices.gradients(CONFIG)
    state = jax.device_get(step.initial_state(CONFIG, 3, SHAPE))
    there, here = (gradients(state, batch | {"mel": each}) for each in (cut, host))
    jax.tree.map(np.testing.assert_array_equal, there, here)


@pytest.mark.parametrize(("rows", "processes"), [(256, 1), (5, 1), (5, 2)])
@pytest.mark.parametrize("shuffled", [False, True])
def test_on_the_devices_or_not_batches_are_the_same(
    dataset, monkeypatch, rows, processes, shuffled
):
    """Also when examples go there in several writes, and when their labels are dealt anew."""
    monkeypatch.setattr(resident, "_ROWS", rows)
    here = opened(dataset, shuffled)
    there = resident.on_devices(opened(dataset, shuffled, processes), room=1 << 20)
    assert isinstance(there, resident.ResidentExamples)
    assert len(there) == len(here) == 27
    assert there[3]["sng_id"] == here[3]["sng_id"]
    config = LoaderConfig(batch_size=4, seed=2)
    for batches in (
        lambda examples: loader.train_batches(examples, config, range(9), WHOLE),
        lambda examples: loader.eval_batches(examples, config, WHOLE),
    ):
        for ours, wanted in zip(batches(there), batches(here), strict=True):
            assert isinstance(ours["mel"], jax.Array)
            assert ours.keys() == wanted.keys()
            # Cut over the test's four devices.
            ours["mel"] = np.asarray(ours["mel"]).reshape(wanted["mel"].shape)
            for name in wanted:
                assert ours[name].dtype == wanted[name].dtype
                np.testing.assert_array_equal(ours[name], wanted[name])


def test_examples_that_do_not_fit_are_read_from_disk(dataset):
    examples = opened(dataset)
    size = 27 * 12 * 8 * 2
    assert resident.on_devices(examples, room=size - 1) is examples
    assert resident.on_devices(examples, room=size) is not examples


def test_progress_comes_with_every_example(dataset):
    seen = []

    def counted(items, what, total):
        seen.append((what, total))
        for item in items:
            yield item
            seen.append(item)

    resident.on_devices(opened(dataset), 1 << 20, counted)
    assert seen == [("read validation+train", 27), *range(27)]


def test_as_many_processes_read_as_are_asked_for_or_useful(monkeypatch):
    assert [resident.reading_processes(asked) for asked in (0, 1, 7)] == [1, 1, 7]
    monkeypatch.setattr(resident.jax, "default_backend", lambda: "gpu")
    for cores, useful in [(1, 1), (2, 2), (64, 4)]:
        monkeypatch.setattr(resident.pool, "cores", lambda cores=cores: cores)
        assert [resident.reading_processes(asked) for asked in (0, 1, 7)] == [useful, 1, 7]


def test_a_cpu_has_no_memory_of_its_own(dataset):
    assert resident.device_room() == 0
    examples = opened(dataset)
    assert resident.on_devices(examples) is examples
