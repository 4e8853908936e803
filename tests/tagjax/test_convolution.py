"""The convolution's own gradient against XLA's, and against the sum written out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from tagjax import convolution


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
