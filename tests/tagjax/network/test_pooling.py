"""Pooling with and without a convolution before it, against Flax and float64."""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tagjax.network import pooling


@pytest.mark.parametrize("window", [(2, 2), (3, 4), (2, 3)])
@pytest.mark.parametrize("shape", [(2, 13, 25, 3), (1, 12, 12, 1)])
def test_max_pool_is_flaxs(window, shape):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.permutation(np.prod(shape)).reshape(shape), jnp.float32)  # No ties.
    y = nn.max_pool(x, window, window)
    weight = jnp.asarray(rng.normal(size=y.shape), jnp.float32)
    np.testing.assert_array_equal(pooling.max_pool(x, window), y)
    np.testing.assert_array_equal(
        jax.grad(lambda x: jnp.sum(weight * pooling.max_pool(x, window)))(x),
        jax.grad(lambda x: jnp.sum(weight * nn.max_pool(x, window, window)))(x),
    )


def test_equal_maxima_share_the_gradient():
    x = jnp.asarray([[1.0, 5.0, 0.0], [5.0, 2.0, 0.0]])[None, ..., None]
    gradient = jax.grad(lambda x: jnp.sum(6.0 * pooling.max_pool(x, (2, 2))))(x)
    np.testing.assert_array_equal(gradient[0, ..., 0], [[0, 3, 0], [3, 0, 0]])


def test_max_pool_loses_no_gradient_in_bfloat16():
    """Were the maximum rounded otherwise than its source, comparison would find none."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 24, 24, 4)), jnp.float32)

    @jax.jit
    def gradient(x):
        def total(x):
            y = x.astype(jnp.bfloat16) * jnp.bfloat16(1.37) + jnp.bfloat16(0.123)
            return jnp.sum(pooling.max_pool(y, (2, 3)).astype(jnp.float32))

        return jax.grad(total)(x)

    assert float(jnp.sum(gradient(x))) == pytest.approx(1.37 * 2 * 12 * 8 * 4, rel=0.01)


def places(array, window):
    """Views of an array [batch, frames, bands, channels], one a place in the window."""
    high, wide = window
    frames, bands = array.shape[1] // high * high, array.shape[2] // wide * wide
    starts = itertools.product(range(high), range(wide))
    return [array[:, i:frames:high, j:bands:wide] for i, j in starts]


def shifted(array, shape):
    """Views of an array with margins of 1, one a tap of the kernel."""
    starts = itertools.product(range(3), range(3))
    return [array[:, i : i + shape[1], j : j + shape[2]] for i, j in starts]


class Written:
    """A block and the gradient of its weighted results, written out in float64."""

    def __init__(self, x, kernel, window, weights):
        margins = ((0, 0), (1, 1), (1, 1), (0, 0))
        of_taps = np.float64(kernel).reshape(9, *kernel.shape[2:])
        met = shifted(np.pad(np.float64(x), margins), x.shape)
        y = sum(part @ tap for part, tap in zip(met, of_taps, strict=True))
        self.pooled = np.max(places(y, window), axis=0)
        self.mean, self.variance = y.mean((0, 1, 2)), y.var((0, 1, 2))
        gradient = (weights[1] + 2 * weights[2] * (y - self.mean)) / y[..., 0].size
        for values, part in zip(places(y, window), places(gradient, window), strict=True):
            part += weights[0] * (values == self.pooled)
        self.of_kernel = np.einsum("kbtfc,btfo->kco", met, gradient).reshape(kernel.shape)
        of_x = np.pad(np.zeros(x.shape), margins)
        for part, tap in zip(shifted(of_x, x.shape), of_taps, strict=True):
            part += gradient @ tap.T
        self.of_x = of_x[:, 1:-1, 1:-1]


def near(got, wanted, error=5e-5):
    return np.abs(np.float64(got) - wanted).max() < error * np.sqrt(np.mean(np.square(wanted)))


@pytest.mark.parametrize("channels", [1, 2, 16])
@pytest.mark.parametrize(
    ("window", "size"), [((2, 2), (14, 24)), ((2, 4), (9, 8)), ((3, 4), (11, 9))]
)
def test_a_block_is_that_written_out_in_float64(window, size, channels):
    rng = np.random.default_rng(sum(size) + channels)
    x = rng.gamma(2.0, 1.0, (3, *size, channels)).astype(np.float32)
    kernel = rng.normal(0, 0.5, (3, 3, channels, 16)).astype(np.float32)

    def block(x, kernel):
        pooled, moments = pooling.convolve_and_pool_with_moments(x, kernel, window)
        return pooled, *moments

    results = jax.jit(block)(x, kernel)
    weights = [rng.normal(size=result.shape).astype(np.float32) for result in results]
    written = Written(x, kernel, window, weights)
    for got, name in zip(results, ("pooled", "mean", "variance"), strict=True):
        assert near(got, getattr(written, name)), name

    def total(x, kernel):
        return sum(jnp.vdot(w, part) for w, part in zip(weights, block(x, kernel), strict=True))

    of_x, of_kernel = jax.jit(jax.grad(total, (0, 1)))(x, kernel)
    assert near(of_x, written.of_x)
    assert near(of_kernel, written.of_kernel)
    alone = jax.jit(lambda x, kernel: pooling.convolve_and_pool(x, kernel, window))(x, kernel)
    np.testing.assert_array_equal(alone, results[0])


def test_equal_maxima_share_the_gradient_of_one_channel():
    """In silence all windows but those at the margins hold equal values."""
    x = jnp.ones((2, 8, 8, 1))
    kernel = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3, 1, 4)), jnp.float32)

    def total(pool):
        return jax.jit(jax.grad(lambda kernel: jnp.sum(pool(kernel))))(kernel)

    of_one = total(lambda kernel: pooling.convolve_and_pool(x, kernel, (2, 2)))
    wide = jnp.concatenate([x, jnp.zeros_like(x)], axis=-1)
    of_two = total(
        lambda kernel: pooling.convolve_and_pool(
            wide, jnp.concatenate([kernel, kernel], axis=2), (2, 2)
        )
    )
    np.testing.assert_allclose(of_one, of_two, rtol=1e-5, atol=1e-5)


def test_one_channel_is_never_stored_on_the_cpu():
    x, kernel = jnp.ones((2, 24, 24, 1)), jnp.ones((3, 3, 1, 5))
    traced = jax.grad(lambda k: pooling.convolve_and_pool(x, k, (2, 2)).sum())
    assert "stablehlo.convolution" not in jax.jit(traced).lower(kernel).as_text()
