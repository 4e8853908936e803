"""The convolution's own gradient against XLA's, and against the sum written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from tagjax.network import convolution, pooling


def _plain(x, kernel, groups=1):
    dimensions = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=dimensions, feature_group_count=groups
    )


@pytest.mark.parametrize("channels", [1, 3, 16, 17, 40])
@pytest.mark.parametrize("shape", [(2, 7, 5), (1, 1, 1), (3, 12, 2)])
def test_raw_gradients_are_those_of_xla(channels, shape):
    rng = np.random.default_rng(channels)
    x = jnp.asarray(rng.normal(size=(*shape, channels)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, channels, 6)) / np.sqrt(9 * channels), jnp.float32)
    weights = jnp.asarray(rng.normal(size=(*shape, 6)), jnp.float32)

    def loss(convolve, x, kernel):
        return jnp.sum(weights * convolve(x, kernel))

    assert "custom_vjp" in str(jax.make_jaxpr(convolution.convolve)(x, kernel))
    for argument in (1, 2):
        wanted = jax.grad(loss, argument)(_plain, x, kernel)
        got = jax.jit(jax.grad(loss, argument), static_argnums=0)(convolution.convolve, x, kernel)
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-5)
    np.testing.assert_array_equal(convolution.convolve(x, kernel), _plain(x, kernel))


def _summed(x, kernel):
    """The convolution written out, in float64."""
    frames, bands = x.shape[1:3]
    padded = np.pad(np.float64(x), ((0, 0), (1, 1), (1, 1), (0, 0)))
    return sum(
        padded[:, i : i + frames, j : j + bands] @ np.float64(kernel[i, j])
        for i in range(3)
        for j in range(3)
    )


def _far(got, wanted):
    """The largest error in units of the root mean square."""
    return np.abs(np.float64(got) - wanted).max() / np.sqrt(np.mean(wanted**2))


@pytest.mark.parametrize(("channels", "filters"), [(16, 16), (24, 40), (128, 64)])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 4), (2, 9, 6), (5, 23, 12)])
def test_winograds_convolution_is_the_sum_written_out(shape, channels, filters):
    rng = np.random.default_rng(channels + shape[1])
    x = rng.normal(size=(*shape, channels)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, channels, filters)).astype(np.float32)
    gradient = rng.normal(size=(*shape, filters)).astype(np.float32)
    assert _far(jax.jit(convolution.winograd)(x, kernel), _summed(x, kernel)) < 5e-5
    of_x, of_kernel = jax.jit(convolution.winograd_gradients)(x, kernel, gradient)
    assert _far(of_x, _summed(gradient, kernel[::-1, ::-1].swapaxes(2, 3))) < 5e-5
    padded = np.pad(np.float64(x), ((0, 0), (1, 1), (1, 1), (0, 0)))
    wanted = [
        [
            np.einsum("btfc,btfo->co", padded[:, i : i + shape[1], j : j + shape[2]], gradient)
            for j in range(3)
        ]
        for i in range(3)
    ]
    assert _far(of_kernel, np.array(wanted)) < 5e-5


def test_chunks_of_examples_change_nothing(monkeypatch):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, 10, 7, 16)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 16, 20)).astype(np.float32)
    gradient = rng.normal(size=(6, 10, 7, 20)).astype(np.float32)
    whole = (
        convolution.winograd(x, kernel),
        *convolution.winograd_gradients(x, kernel, gradient),
    )
    of_one = 3 * 2 * 36 * (16 + 20) * 4
    for size in (of_one - 1, 2 * of_one, 5 * of_one):
        monkeypatch.setattr(convolution, "_CACHE", size)
        assert "scan" in str(jax.make_jaxpr(lambda x: convolution.winograd(x, kernel))(x))
        chunks = (
            convolution.winograd(x, kernel),
            *convolution.winograd_gradients(x, kernel, gradient),
        )
        for got, wanted in zip(chunks, whole, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("dtype", "fast"), [("float32", True), ("bfloat16", False)])
def test_many_channels_in_float32_take_winograds_way_on_the_cpu(dtype, fast):
    x = jnp.ones((2, 8, 8, 16), dtype)
    kernel = jnp.ones((3, 3, 16, 16), dtype)

    convolve = convolution.convolve
    for traced in (convolve, jax.grad(lambda *a: convolve(*a).sum(), (0, 1))):
        text = jax.jit(traced).lower(x, kernel).as_text()
        assert ("stablehlo.convolution" in text) != fast
        assert ("optimization_barrier" in text) == fast


def test_the_whole_networks_raw_gradients_are_those_of_plain_flax(monkeypatch):
    from tagjax.network import model, step

    config = step.StepConfig(model.ModelConfig(filters=(16, 32, 16, 24), gru_units=8))
    rng = np.random.default_rng(4)
    batch = {
        "mel": rng.uniform(0, 3, (3, 120, 96)).astype(np.float32),
        "label": np.array([1, 6, 0], np.int32),
        "weight": np.ones(3, np.float32),
        "position": np.arange(3, dtype=np.int32),
    }
    state = step.initial_state(config, 7, (120, 96))

    def of(config):
        return jax.jit(lambda state: step.gradients(state, batch, config)[0])(state)

    def plain_block(x, kernel, window, groups=1):
        y = _plain(x, kernel, groups)
        return nn.max_pool(y, window, window), (y.mean((0, 1, 2)), y.var((0, 1, 2)))

    ours = of(config)
    monkeypatch.setattr(pooling, "convolve_and_pool_with_moments", plain_block)
    plain = of(config)
    assert (ours["conv2"]["kernel"] != plain["conv2"]["kernel"]).any()  # Another way was taken.
    for name, group in plain.items():
        for kind, wanted in group.items():
            if name.startswith("conv") and kind == "bias":
                continue  # Batch norm takes it out: the gradient is rounding and nothing else.
            scale = np.sqrt(np.mean(np.square(wanted)))
            assert np.abs(ours[name][kind] - wanted).max() < 2e-3 * scale, (name, kind)


def test_the_kernels_gradient_is_the_sum_written_out():
    rng = np.random.default_rng(0)
    x, gradient = rng.normal(size=(2, 4, 5, 3)), rng.normal(size=(2, 4, 5, 2))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    wanted = np.zeros((3, 3, 3, 2))
    for i in range(3):
        for j in range(3):
            for t in range(4):
                for f in range(5):
                    wanted[i, j] += padded[:, t + i, f + j].T @ gradient[:, t, f]
    got = convolution.shifted_products(jnp.asarray(x), jnp.asarray(gradient))
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


def test_convolutions_of_several_groups_are_left_as_they_are():
    rng = np.random.default_rng(1)
    x = jnp.asarray(rng.normal(size=(2, 8, 8, 4)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, 2, 6)), jnp.float32)
    np.testing.assert_array_equal(convolution.convolve(x, kernel, 2), _plain(x, kernel, 2))
