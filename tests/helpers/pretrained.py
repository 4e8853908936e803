"""Weights in the form of musicnn's checkpoints: random ones that TensorFlow writes, or the real."""

import os
import pathlib
import shutil

import numpy as np
import pytest

from tagjax.network import musicnn
from tagjax.run import vectors


def random_variables(seed=0):
    """Variables of the network, scaled so that every layer has something to say."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in musicnn.shapes().items():
        values = rng.normal(size=shape)
        if name.endswith("kernel"):
            values *= np.sqrt(2 / np.prod(shape[:-1]))
        elif name.endswith("variance"):
            values = np.exp(values / 2)
        elif not name.endswith("gamma"):  # A negative gamma turns maxima into minima.
            values *= 0.3
        found[name] = values.astype(np.float32)
    return found


def write_checkpoint(folder, variables, **others):
    """Writes a checkpoint as musicnn's: hidden files in a folder."""
    tf = pytest.importorskip(
        "tensorflow", reason="needs TensorFlow: pip install tensorflow-cpu", exc_type=ImportError
    )
    names, values = zip(*sorted((variables | others).items()), strict=True)
    prefix = str(folder / "written")
    folder.mkdir(parents=True)
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=[*names],
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(value) for value in values],
    )
    for name in (".index", ".data-00000-of-00001"):
        shutil.move(prefix + name, folder / name)


def write_models(folder, models=vectors.MODELS):
    """A folder as the wheel is, with random weights of each model."""
    for seed, model in enumerate(models):
        write_checkpoint(
            folder / "musicnn" / f"{model}_musicnn",
            random_variables(seed),
            beta1_power=np.float32(0.9),
            global_step=np.int64(7),
        )
    return folder


def real_weights():
    """The wheel of musicnn 0.1.0; without it, the test is skipped."""
    path = os.environ.get("TAGJAX_MUSICNN")
    if not path:
        pytest.skip(f"needs musicnn's weights: {vectors.FETCH} and set TAGJAX_MUSICNN=wheel")
    return pathlib.Path(path)
