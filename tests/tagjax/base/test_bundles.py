"""Checkpoints that TensorFlow writes are read as TensorFlow reads them."""

import numpy as np
import pretrained
import pytest

from tagjax.base import bundles
from tagjax.base.errors import InputError

VARIABLES = {
    **{f"layer_{i}/kernel": np.random.default_rng(i).normal(size=(i, 3)) for i in range(1, 200)},
    "layer/scalar": np.array(2.5),
    "ünïcode/empty": np.empty((0, 4)),
}
VARIABLES = {name: value.astype(np.float32) for name, value in VARIABLES.items()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "checkpoint"
    pretrained.write_checkpoint(folder, VARIABLES, step=np.int64(3), wide=np.ones(2))
    return tuple((folder / name).read_bytes() for name in (".index", ".data-00000-of-00001"))


def test_all_float32_variables_are_read_and_no_others(written):
    found = bundles.read_variables("w", *written)
    assert found.keys() == VARIABLES.keys()
    for name, value in VARIABLES.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == np.float32


def test_any_damage_of_the_index_is_one_line_or_harmless(written):
    """Bits of names and checksums may change what is found, but nothing else is ever raised."""
    index, data = written
    rng, messages = np.random.default_rng(0), []
    for place in rng.choice(8 * len(index), 2000, replace=False).tolist():
        damaged = bytearray(index)
        damaged[place // 8] ^= 1 << place % 8
        try:
            bundles.read_variables("w", bytes(damaged), data)
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > 200
    assert all(line.startswith("w: not a TensorFlow checkpoint that can") for line in messages)


@pytest.mark.parametrize("size", [0, 10, 47, 48, 500, -1])
def test_a_part_of_an_index_is_refused(written, size):
    with pytest.raises(InputError, match="not a TensorFlow checkpoint"):
        bundles.read_variables("w", written[0][:size], written[1])


def test_data_that_end_early_are_refused(written):
    with pytest.raises(InputError, match="lies outside the data"):
        bundles.read_variables("w", written[0], written[1][:-1])


def test_another_file_is_refused():
    with pytest.raises(InputError, match="no table of variables"):
        bundles.read_variables("w", b"x" * 1000, b"")
