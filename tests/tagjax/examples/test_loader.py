"""Batches: every example once before any twice, a function of the step, one global batch."""

import collections
import itertools

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tagjax.base.errors import InputError
from tagjax.examples import loader
from tagjax.examples.loader import Examples, LoaderConfig

PARTS = {"train": 22, "validation": 5, "test": 7}
WHOLE = slice(0, 4)


@pytest.fixture(scope="module")
def dataset(make_tiny, tmp_path_factory):
    return make_tiny(tmp_path_factory.mktemp("data"), PARTS)


@pytest.fixture(scope="module")
def train(dataset):
    return Examples(dataset, ["train"], LoaderConfig(batch_size=4))


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def joined(shares):
    return {name: np.concatenate([share[name] for share in shares]) for name in shares[0]}


def test_an_unknown_part_is_refused(dataset):
    with pytest.raises(InputError, match="no part 'overlap'; it has train, validation, test"):
        Examples(dataset, ["test", "overlap"], LoaderConfig())


def test_parts_follow_one_another(dataset):
    examples = Examples(dataset, ["test", "validation"], LoaderConfig())
    assert [examples[i]["part"] for i in range(len(examples))] == ["test"] * 7 + ["validation"] * 5
    ids = {examples[i]["sng_id"] for i in range(len(examples))}
    assert ids == {f"s{k}" for k in range(22, 34)}
    assert examples.dtype == examples.read(np.arange(1))[0].dtype == np.float16


@hypothesis.given(
    st.integers(0, 5), st.integers(1, 9), st.integers(1, 40), st.integers(1, 12), st.integers(0, 9)
)
@hypothesis.settings(max_examples=60, deadline=None)
def test_every_example_comes_once_before_any_twice(seed, batch_size, examples, steps, later):
    batches = [loader.train_indices(seed, k, batch_size, examples) for k in range(steps + later)]
    stream = np.concatenate(batches)
    for start in range(0, len(stream) - examples + 1, examples):
        assert sorted(stream[start : start + examples]) == list(range(examples))
    rest = stream[len(stream) // examples * examples :]
    assert len(set(rest)) == len(rest)
    # A function of the step: not of what was asked for before.
    np.testing.assert_array_equal(
        loader.train_indices(seed, steps - 1, batch_size, examples), batches[steps - 1]
    )


def test_epochs_and_seeds_have_orders_of_their_own():
    orders = [tuple(loader.train_indices(seed, k, 50, 50)) for seed in (0, 1) for k in (0, 1)]
    assert len(set(orders)) == 4
    assert tuple(range(50)) not in orders


def test_a_batch_goes_on_where_training_stopped(train):
    config = LoaderConfig(batch_size=4, seed=3)
    whole = list(loader.train_batches(train, config, range(0, 9), WHOLE))
    assert len(whole) == 9
    resumed = list(loader.train_batches(train, config, range(5, 9), WHOLE))
    for a, b in zip(whole[5:], resumed, strict=True):
        same(a, b)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_the_global_batch(train, processes):
    config = LoaderConfig(batch_size=4)
    size = 4 // processes
    shares = [slice(p * size, (p + 1) * size) for p in range(processes)]
    for make in (
        lambda share: loader.train_batches(train, config, range(7), share),
        lambda share: loader.eval_batches(train, config, share),
    ):
        for whole, *parts in zip(make(WHOLE), *(make(share) for share in shares), strict=True):
            same(joined(parts), whole)


def test_evaluation_covers_each_example_once_in_order(dataset):
    examples = Examples(dataset, ["test"], LoaderConfig())
    batches = list(loader.eval_batches(examples, LoaderConfig(batch_size=4), WHOLE))
    assert {batch["mel"].shape for batch in batches} == {(4, 12, 8)}
    every = joined(batches)
    real = every["weight"] == 1
    assert list(every["weight"]) == [1] * 7 + [0]
    np.testing.assert_array_equal(every["mel"][real], examples.read(np.arange(7))[0])
    np.testing.assert_array_equal(every["label"][real], [examples[i]["label"] for i in range(7)])
    assert list(every["position"]) == [0, 1, 2, 3] * 2


def test_a_batch_has_the_dtypes_of_a_step(train):
    batch = next(loader.train_batches(train, LoaderConfig(batch_size=4), range(1), WHOLE))
    dtypes = {name: array.dtype.name for name, array in batch.items()}
    assert dtypes == {
        "mel": "float16",
        "label": "int32",
        "weight": "float32",
        "position": "int32",
    }


def test_dealt_labels_keep_albums_together_and_their_numbers(dataset):
    examples = Examples(dataset, ["train"], LoaderConfig())
    everything = np.arange(22)
    true = examples.batch(everything, everything, np.ones(22))["label"]
    examples.shuffle_labels(seed=1)
    dealt = examples.batch(everything, everything, np.ones(22))["label"]
    # Two excerpts an album, so the labels of the albums can be counted by their excerpts.
    assert collections.Counter(true) == collections.Counter(dealt)
    assert (true != dealt).any()
    albums = [examples[i]["album_id"] for i in range(22)]
    assert len(set(zip(albums, dealt, strict=True))) == 11
    examples.shuffle_labels(seed=1)
    np.testing.assert_array_equal(examples.dealt_labels, dealt)
    again = Examples(dataset, ["train"], LoaderConfig())
    again.shuffle_labels(seed=2)
    assert (again.dealt_labels != dealt).any()


def test_what_cannot_be_read_is_an_error_where_it_is_used(dataset, train):
    class Broken:
        processes = 1

        def batch(self, indices, positions, weight):
            if 3 in indices:
                raise OSError("disk")
            return train.batch(indices, positions, weight)

        def __len__(self):
            return 22

    batches = loader.eval_batches(Broken(), LoaderConfig(batch_size=2), slice(0, 2))
    assert next(batches)["label"].shape == (2,)
    with pytest.raises(OSError, match="disk"):
        list(batches)


def test_a_loader_may_be_left_early(train):
    config = LoaderConfig(batch_size=4)
    batches = loader.train_batches(train, config, range(100), WHOLE)
    taken = list(itertools.islice(batches, 2))
    batches.close()
    assert len(taken) == 2
    same(taken[1], next(loader.train_batches(train, config, range(1, 2), WHOLE)))
