"""Checkpoints: what is kept, what is best, and exact round trips."""

import contextlib
import os
import pathlib
import shutil
import tempfile
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from damage import cut, flip

from tagjax.base.errors import InputError
from tagjax.network.step import TrainState
from tagjax.run import checkpoints as module
from tagjax.run.checkpoints import Checkpoints


def state(step, size=3, name="w"):
    rng = np.random.default_rng(step)
    return TrainState(
        step=jnp.asarray(step, jnp.int32),
        params={name: jnp.asarray(rng.normal(size=size), jnp.float32)},
        batch_stats={},
        opt_state=({"e": jnp.asarray(rng.normal(size=size), jnp.float32)},),
    )


def save_all(folder, losses):
    with contextlib.closing(Checkpoints(folder)) as checkpoints:
        for k, loss in enumerate(losses):
            checkpoints.save(state(10 * (k + 1)), {"epoch": k + 1, "best_loss": loss}, loss)


def kept(folder):
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())


def test_a_state_comes_back_to_the_last_bit(tmp_path):
    save_all(tmp_path / "c", [0.5, 0.1 + 0.2])
    with contextlib.closing(Checkpoints(tmp_path / "c")) as checkpoints:
        got, record = checkpoints.restore(20, state(0))
    wanted = state(20)
    assert int(got.step) == 20
    np.testing.assert_array_equal(got.params["w"], wanted.params["w"])
    np.testing.assert_array_equal(got.opt_state[0]["e"], wanted.opt_state[0]["e"])
    assert got.params["w"].dtype == jnp.float32
    assert record == {"epoch": 2, "best_loss": 0.1 + 0.2}


@pytest.mark.parametrize(
    ("losses", "best", "steps"),
    [
        ([3.0, 1.0, 2.0, 2.5, 2.0], 20, [20, 40, 50]),
        ([3.0, 2.0, 1.0], 30, [20, 30]),
        ([1.0, 1.0, 1.0, 1.0], 10, [10, 30, 40]),  # As early stopping: the first of equals.
    ],
)
def test_the_best_and_the_two_newest_are_kept(tmp_path, losses, best, steps):
    save_all(tmp_path / "c", losses)
    assert kept(tmp_path / "c") == steps
    with contextlib.closing(Checkpoints(tmp_path / "c")) as checkpoints:
        assert checkpoints.best == best
        assert checkpoints.newest == 10 * len(losses)


def test_the_best_is_known_when_saving_goes_on_later(tmp_path):
    save_all(tmp_path / "c", [1.0, 2.0])
    with contextlib.closing(Checkpoints(tmp_path / "c")) as checkpoints:
        for step in (30, 40, 50):
            checkpoints.save(state(step), {}, 3.0)
        assert checkpoints.best == 10
    assert kept(tmp_path / "c") == [10, 40, 50]


def test_an_empty_folder_has_none(tmp_path):
    with contextlib.closing(Checkpoints(tmp_path / "c")) as checkpoints:
        assert checkpoints.newest is None
        assert checkpoints.best is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Orbax' reads.
@pytest.mark.parametrize("like", [state(0, size=4), state(0, name="other")])
def test_another_networks_checkpoint_is_refused(tmp_path, like):
    save_all(tmp_path / "c", [1.0])
    with contextlib.closing(Checkpoints(tmp_path / "c")) as checkpoints:
        with pytest.raises(InputError, match="c/10: damaged checkpoint") as caught:
            checkpoints.restore(10, like)
        assert "\n" not in str(caught.value)


def test_a_checkpoint_that_lost_its_arrays_is_refused(tmp_path):
    save_all(tmp_path / "c", [1.0])
    shutil.rmtree(tmp_path / "c" / "10" / "state")
    checkpoints = Checkpoints(tmp_path / "c")
    with pytest.raises(InputError, match="c/10: damaged checkpoint"):
        checkpoints.restore(10, state(0))
    checkpoints.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_each_damaged_file_of_the_newest_is_noticed(tmp_path):
    """The one before is used, and nothing but what was saved is ever given back."""
    save_all(tmp_path / "c", [2.0, 1.0])
    paths = [p.relative_to(tmp_path / "c") for p in (tmp_path / "c" / "20").rglob("*")]
    damaged = 0
    for number, path in enumerate(sorted(paths)):
        copy = tmp_path / str(number)
        shutil.copytree(tmp_path / "c", copy)
        if not (copy / path).is_file() or not (copy / path).stat().st_size:
            continue
        (flip, cut, pathlib.Path.unlink)[number % 3](copy / path)
        with (
            warnings.catch_warnings(record=True) as caught,
            contextlib.closing(Checkpoints(copy)) as checkpoints,
        ):
            got, record = checkpoints.resume(state(0))
            said = [str(w.message) for w in caught if "damaged checkpoint" in str(w.message)]
            if int(got.step) == 10:
                damaged += 1
                assert "/20: damaged" in said[0]
                assert checkpoints.newest == 10
                checkpoints.save(state(20), {}, 0.5)  # And its place is free again.
        step = int(got.step)
        np.testing.assert_array_equal(got.params["w"], state(step).params["w"])
        assert record == {"epoch": step // 10, "best_loss": [2.0, 1.0][step // 10 - 1]}
    assert damaged


def test_within_an_epoch_a_checkpoint_is_the_newest_and_never_the_best(tmp_path):
    with contextlib.closing(Checkpoints(tmp_path / "c")) as checkpoints:
        checkpoints.save(state(10), {"epoch": 1}, 5.0)
        checkpoints.save(state(15), {"epoch": 1, "loss": 0.25}, None)
        assert (checkpoints.newest, checkpoints.best) == (15, 10)
        checkpoints.save(state(15), {"epoch": 2}, 4.0)  # The epoch ended with no step more.
    with contextlib.closing(Checkpoints(tmp_path / "c")) as checkpoints:
        assert (checkpoints.newest, checkpoints.best) == (15, 15)
        assert checkpoints.resume(state(0))[1] == {"epoch": 2}


ODD = ("a[b]c", "back\\slash", "gs:", "a b", "*?", "\n", "音楽 🎵", os.fsdecode(b"\xff"))


@pytest.mark.parametrize("name", ODD)
def test_a_folder_may_have_any_name(tmp_path, name):
    save_all(tmp_path / name / "c", [1.0, 2.0])
    with contextlib.closing(Checkpoints(tmp_path / name / "c")) as checkpoints:
        got, record = checkpoints.resume(state(0))
        assert checkpoints.best == 10
    np.testing.assert_array_equal(got.params["w"], state(20).params["w"])
    assert record == {"epoch": 2, "best_loss": 2.0}
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert kept(tmp_path / name / "c") == [10, 20]


def test_the_first_checkpoint_is_read_back(tmp_path, monkeypatch):
    """Orbax alone loses what it writes below `[b]`, and says so only to who reads it."""
    monkeypatch.setattr(module, "_plain_alias", contextlib.nullcontext)
    with contextlib.closing(Checkpoints(tmp_path / "a[b]c")) as checkpoints:
        message = r"cannot be read back: .*; name a --run_dir"
        with pytest.raises(InputError, match=message) as caught:
            checkpoints.save(state(10), {"epoch": 1}, 5.0)
        assert "\n" not in str(caught.value)


def test_without_any_plain_path_nothing_is_begun(tmp_path, monkeypatch):
    (tmp_path / "[tmp]").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "[tmp]"))
    with pytest.raises(InputError, match="need a plain path, or TMPDIR"):
        Checkpoints(tmp_path / "a[b]c")
    assert not list((tmp_path / "[tmp]").iterdir())


def test_a_lost_process_damages_no_checkpoint(tmp_path, monkeypatch):
    """Reading needs all processes: where one is lost, what was read says nothing of the files."""
    save_all(tmp_path / "c", [1.0])
    monkeypatch.setattr(module.devices, "is_loss", lambda error: "Gloo" in str(error))

    def lost(*args, **kwargs):
        raise ValueError("UNKNOWN: Gloo AllGather failed")

    with contextlib.closing(Checkpoints(tmp_path / "c")) as checkpoints:
        monkeypatch.setattr(checkpoints._manager, "restore", lost)
        with pytest.raises(ValueError, match="Gloo AllGather"):
            checkpoints.resume(state(0))
    assert kept(tmp_path / "c") == [10]
