"""Augmentation: what may change, what may not, and that it is a function of the position."""

import hypothesis
import jax
import numpy as np
import pytest
from hypothesis import strategies as st

from tagjax.network.augment import AugmentConfig, augment, augment_one

FRAMES, BANDS = 40, 24
RNG = np.random.default_rng(0)
POWER = RNG.exponential(1e-3, (8, FRAMES, BANDS))
MEL = np.log1p(1e4 * POWER).astype(np.float32)


def one(seed, config):
    return np.asarray(augment_one(jax.random.key(seed), MEL[0], config))


def power(mel):
    return np.expm1(mel.astype(np.float64)) / 1e4


def test_by_default_nothing_changes():
    mel = MEL.astype(np.float16)
    assert augment(jax.random.key(0), mel, np.arange(8), AugmentConfig()) is mel


def test_what_happens_depends_on_the_position_alone():
    config = AugmentConfig(30, 6.0, 6.0, 3, 5, 5)
    run = jax.jit(augment, static_argnums=3)
    whole = np.asarray(run(jax.random.key(5), MEL, np.arange(8), config))
    half = np.asarray(run(jax.random.key(5), MEL[4:], np.arange(4, 8), config))
    assert whole.shape == (8, 30, BANDS)
    np.testing.assert_array_equal(whole[4:], half)
    other = np.asarray(run(jax.random.key(6), MEL, np.arange(8), config))
    assert (whole != other).any(axis=(1, 2)).all()
    alike = np.asarray(run(jax.random.key(5), MEL[[0] * 8], np.arange(8), config))
    assert len({each.tobytes() for each in alike}) == 8


@pytest.mark.parametrize("seed", range(4))
def test_a_crop_is_a_window_of_the_excerpt(seed):
    got = one(seed, AugmentConfig(crop_frames=17))
    windows = np.lib.stride_tricks.sliding_window_view(MEL[0], 17, axis=0).swapaxes(1, 2)
    assert (windows == got).all(axis=(1, 2)).any()


def test_a_crop_longer_than_the_excerpt_is_the_excerpt():
    np.testing.assert_array_equal(one(0, AugmentConfig(crop_frames=FRAMES + 1)), MEL[0])


def test_gain_is_one_factor_on_the_power():
    decibels = []
    for seed in range(20):
        ratio = power(one(seed, AugmentConfig(gain_db=6.0))) / POWER[0]
        np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-3)
        decibels.append(10 * np.log10(ratio.mean()))
    assert -6 <= min(decibels) < -1
    assert 1 < max(decibels) <= 6


def test_tilt_is_a_straight_line_over_the_bands():
    slopes = []
    for seed in range(20):
        decibel = 10 * np.log10(power(one(seed, AugmentConfig(tilt_db=6.0))) / POWER[0]).mean(
            axis=0
        )
        np.testing.assert_allclose(np.diff(decibel, 2), 0, atol=1e-2)
        np.testing.assert_allclose(decibel.mean(), 0, atol=1e-2)
        slopes.append(decibel[-1] - decibel[0])
    assert -6 <= min(slopes) < -1
    assert 1 < max(slopes) <= 6


def test_shift_moves_the_bands():
    seen = set()
    for seed in range(30):
        got = one(seed, AugmentConfig(shift_bands=2))
        padded = np.pad(MEL[0], ((0, 0), (2, 2)), mode="edge")
        (shift,) = [s for s in range(-2, 3) if (padded[:, 2 + s : 2 + s + BANDS] == got).all()]
        seen.add(shift)
    assert seen == {-2, -1, 0, 1, 2}


@hypothesis.given(
    st.integers(0, 10_000), st.sampled_from([0, 5, 100]), st.sampled_from([0, 7, 100])
)
@hypothesis.settings(max_examples=25, deadline=None)
def test_masks_are_runs_of_silence(seed, bands, frames):
    got = one(seed, AugmentConfig(mask_bands=bands, mask_frames=frames))
    silent = got == 0
    for axis, widest in ((1, min(frames, FRAMES)), (0, min(bands, BANDS))):
        run = np.flatnonzero(silent.all(axis=axis)) if not silent.all() else np.arange(0)
        assert len(run) <= widest
        assert len(run) == 0 or run[-1] - run[0] == len(run) - 1
    masked = silent.all(axis=1)[:, None] | silent.all(axis=0)[None]
    np.testing.assert_array_equal(got, np.where(masked, 0, MEL[0]))
