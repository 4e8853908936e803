"""The 3 x 3 convolution of Table 1 with a gradient that CPUs compute fast.

What XLA's CPU backend emits for the gradient of the kernel runs at a tenth of the rate of the
convolution itself. There, and only there, it is computed as products of shifted inputs with
the gradient of the output, which is the same sum in another order.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

_FEW_CHANNELS = 16
"""Up to so many, all nine shifts are one product; of more, each row of the kernel is one."""


def convolve(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    padding: Any,
    feature_group_count: int = 1,
    **rest: Any,
) -> jax.Array:
    """`jax.lax.conv_general_dilated`, as `flax.linen.Conv` calls it.

    Args:
      x: [batch, frames, bands, channels].
      kernel: [height, width, channels / groups, filters].
      strides: of the window.
      padding: as XLA takes it.
      feature_group_count: groups.
      **rest: of `jax.lax.conv_general_dilated`.

    Returns:
      [batch, frames, bands, filters]; its gradient is the fast one where it applies: full 3 x 3
      kernels, no strides, `SAME`.
    """
    plain: Any = functools.partial(
        jax.lax.conv_general_dilated,
        window_strides=strides,
        padding=padding,
        feature_group_count=feature_group_count,
        **rest,
    )
    steps = {*strides, *(rest.get("lhs_dilation") or ()), *(rest.get("rhs_dilation") or ())}
    fits = kernel.shape[:2] == (3, 3) and steps == {1} and padding == "SAME"
    if feature_group_count != 1 or not fits:
        return plain(x, kernel)
    return _with_gradient(plain)(x, kernel)


def _with_gradient(plain: Any) -> Any:
    convolution = jax.custom_vjp(plain)

    def forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        return plain(x, kernel), (x, kernel)

    def backward(
        saved: tuple[jax.Array, jax.Array], gradient: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        x, kernel = saved

        def of_kernel(x: jax.Array, gradient: jax.Array) -> jax.Array:
            return jax.vjp(lambda kernel: plain(x, kernel), kernel)[1](gradient)[0]

        (of_x,) = jax.vjp(lambda x: plain(x, kernel), x)[1](gradient)
        return of_x, jax.lax.platform_dependent(
            x, gradient, cpu=shifted_products, default=of_kernel
        )

    convolution.defvjp(forward, backward)
    return convolution


def shifted_products(x: jax.Array, gradient: jax.Array) -> jax.Array:
    """Gradient of a 3 x 3 kernel, [3, 3, channels, filters].

    dK[i, j] = sum over examples, frames and bands of x shifted by (i - 1, j - 1), times the
    gradient of the output.

    Args:
      x: [batch, frames, bands, channels], the input.
      gradient: [batch, frames, bands, filters], of the output.
    """
    _, frames, bands, channels = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    wide = jnp.concatenate([padded[:, :, j : j + bands] for j in range(3)], axis=-1)
    rows = [wide[:, i : i + frames] for i in range(3)]
    if channels <= _FEW_CHANNELS:
        rows = [jnp.concatenate(rows, axis=-1)]
    flat = gradient.reshape(-1, gradient.shape[-1])
    products = [row.reshape(-1, row.shape[-1]).T @ flat for row in rows]
    return jnp.concatenate(products).reshape(3, 3, channels, -1)
