"""The convolution's own gradient against XLA's, and against the sum written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from tagjax.network import convolution, pooling


@pytest.mark.parametrize("channels", [1, 3, 16, 17, 40])
@pytest.mark.parametrize("shape", [(2, 7, 5), (1, 1, 1), (3, 12, 2)])
def test_raw_gradients_are_those_of_plain_flax(channels, shape):
    rng = np.random.default_rng(channels)
    x = jnp.asarray(rng.normal(size=(*shape, channels)), jnp.float32)
    ours = nn.Conv(6, (3, 3), conv_general_dilated=convolution.convolve)
    plain = nn.Conv(6, (3, 3))
    variables = plain.init(jax.random.key(0), x)
    weights = jnp.asarray(rng.normal(size=(*shape, 6)), jnp.float32)

    def loss(module, variables, x):
        return jnp.sum(weights * module.apply(variables, x))

    assert "custom_vjp" in str(jax.make_jaxpr(lambda v: ours.apply(v, x))(variables))
    for argument in (1, 2):
        wanted = jax.grad(loss, argument)(plain, variables, x)
        got = jax.jit(jax.grad(loss, argument), static_argnums=0)(ours, variables, x)
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5), got, wanted
        )
    np.testing.assert_array_equal(ours.apply(variables, x), plain.apply(variables, x))


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

    def convolved(x, kernel):
        return convolution.convolve(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    for traced in (convolved, jax.grad(lambda *a: convolved(*a).sum(), (0, 1))):
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
        dimensions = ("NHWC", "HWIO", "NHWC")
        y = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=dimensions, feature_group_count=groups
        )
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


@pytest.mark.parametrize(
    "options",
    [
        {"strides": (2, 1)},
        {"kernel_dilation": (2, 2)},
        {"padding": "VALID"},
        {"feature_group_count": 2},
        {"kernel": (5, 3)},
    ],
)
def test_other_convolutions_are_left_as_they_are(options):
    options = dict(options)
    kernel = options.pop("kernel", (3, 3))
    x = jnp.asarray(np.random.default_rng(1).normal(size=(2, 8, 8, 4)), jnp.float32)
    ours = nn.Conv(6, kernel, conv_general_dilated=convolution.convolve, **options)
    plain = nn.Conv(6, kernel, **options)
    variables = plain.init(jax.random.key(0), x)
    np.testing.assert_array_equal(ours.apply(variables, x), plain.apply(variables, x))
    grads = [
        jax.grad(lambda v, m=module: jnp.sum(m.apply(v, x) ** 2))(variables)
        for module in (ours, plain)
    ]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), *grads)
