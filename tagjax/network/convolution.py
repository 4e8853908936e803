"""The 3 x 3 convolution of Table 1, with fast paths for CPUs.

XLA's CPU backend computes a convolution as fast as its matrix products, but the gradient of the
kernel ten times slower. This module has two faster ways, which it takes on the CPU only:

- **Winograd's minimal filtering** F(4 x 4, 3 x 3) (Lavin and Gray, "Fast algorithms for
  convolutional neural networks", 2016, https://arxiv.org/abs/1509.09308) computes float32
  convolutions of many channels, and both of their gradients, with a quarter of the
  multiplications.
- **The gradient of a kernel with few input channels** is one product of all shifts of the input
  with the gradient of the output: the same sum in another order.

All other convolutions, and all other platforms, use `jax.lax.conv_general_dilated`.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_TILE, _KERNEL = 4, 3
_SEEN = _TILE + _KERNEL - 1
"""Number of inputs along an axis that a tile of outputs depends on."""
_POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)
"""The points at which polynomials are evaluated, in addition to infinity. Rounding errors are four
times as large with Lavin and Gray's 0, 1, -1, 2, -2. Powers and sums of these points are exact in
float32."""
_CACHE = 2**26
"""Bytes of transformed tiles at a time. With more, memory takes longer than the products."""
_MANY_CHANNELS = 16
"""Transforming costs less than it saves from this many input and output channels on."""


def _toom_cook() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(A [6, 4], G [6, 3], B [6, 6]) with y = A' ((G g) * (B d)), y_i = sum_k g_k d_(i + k).

    Each row belongs to a point of evaluation, the last row to infinity. A and G evaluate
    polynomials; G is divided by the weights of Lagrange's interpolation. B has the coefficients
    of Lagrange's numerators.
    """
    points = np.array(_POINTS)
    powers = np.vander(points, _SEEN, increasing=True)
    others = [np.delete(points, i) for i in range(len(points))]
    weights = np.array([np.prod(point - rest) for point, rest in zip(points, others, strict=True)])
    last = np.eye(_SEEN)[-1]
    a = np.vstack([powers[:, :_TILE], last[-_TILE:]])
    g = np.vstack([powers[:, :_KERNEL] / weights[:, None], last[-_KERNEL:]])
    numerators = [np.append(np.poly(rest)[::-1], 0.0) for rest in others]
    b = np.vstack([*numerators, np.poly(points)[::-1]])
    return a.astype(np.float32), g.astype(np.float32), b.astype(np.float32)


_A, _G, _B = _toom_cook()
_KRONECKER_A, _KRONECKER_G = np.kron(_A, _A), np.kron(_G, _G)
"""A and G along both axes at once: [36, 16] and [36, 9]."""


def convolve(x: jax.Array, kernel: jax.Array, groups: int = 1) -> jax.Array:
    """The convolution with a 3 x 3 kernel and `SAME` padding.

    Args:
      x: [batch, frames, bands, channels].
      kernel: [3, 3, channels / groups, filters].
      groups: number of groups of channels.

    Returns:
      [batch, frames, bands, filters]. On the CPU, convolutions of one group take the fast paths,
      which round differently.
    """
    plain = functools.partial(
        jax.lax.conv_general_dilated,
        window_strides=(1, 1),
        padding="SAME",
        feature_group_count=groups,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    if groups != 1:
        return plain(x, kernel)
    return (_by_winograd if suits_winograd(x, kernel) else _by_products)(plain)(x, kernel)


def suits_winograd(x: jax.Array, kernel: jax.Array) -> bool:
    """Whether a full 3 x 3 convolution is one of many channels, and of whole tiles, in float32."""
    many = min(kernel.shape[2:]) >= _MANY_CHANNELS and min(x.shape[1:3]) >= _TILE
    return many and x.dtype == kernel.dtype == jnp.float32


def _by_winograd(plain: Any) -> Any:
    """Returns `plain`, for which `winograd` computes result and gradients on the CPU."""

    @jax.custom_vjp
    def convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
        return jax.lax.platform_dependent(x, kernel, cpu=winograd, default=plain)

    def forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        return convolution(x, kernel), (x, kernel)

    def backward(
        saved: tuple[jax.Array, jax.Array], gradient: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        def plain_gradients(
            x: jax.Array, kernel: jax.Array, gradient: jax.Array
        ) -> tuple[jax.Array, jax.Array]:
            return jax.vjp(plain, x, kernel)[1](gradient)

        return jax.lax.platform_dependent(
            *saved, gradient, cpu=winograd_gradients, default=plain_gradients
        )

    convolution.defvjp(forward, backward)
    return convolution


def _by_products(plain: Any) -> Any:
    """Returns `plain`, for which `shifted_products` computes the kernel's gradient on the CPU."""
    convolution = jax.custom_vjp(plain)

    def forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        return plain(x, kernel), (x, kernel)

    def backward(
        saved: tuple[jax.Array, jax.Array], gradient: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        x, kernel = saved

        def plain_gradient(x: jax.Array, gradient: jax.Array) -> jax.Array:
            return jax.vjp(lambda kernel: plain(x, kernel), kernel)[1](gradient)[0]

        return plain(gradient, _turned(kernel)), jax.lax.platform_dependent(
            x, gradient, cpu=shifted_products, default=plain_gradient
        )

    convolution.defvjp(forward, backward)
    return convolution


def shifted_products(x: jax.Array, gradient: jax.Array) -> jax.Array:
    """Gradient of a 3 x 3 kernel, [3, 3, channels, filters].

    dK[i, j] is the product of x, shifted by (i - 1, j - 1), and the gradient of the output, summed
    over examples, frames and bands.

    Args:
      x: [batch, frames, bands, channels], the input.
      gradient: [batch, frames, bands, filters], of the output.
    """
    _, frames, bands, channels = x.shape
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    wide = jnp.concatenate([padded[:, :, j : j + bands] for j in range(3)], axis=-1)
    shifts = jnp.concatenate([wide[:, i : i + frames] for i in range(3)], axis=-1)
    product = shifts.reshape(-1, 9 * channels).T @ gradient.reshape(-1, gradient.shape[-1])
    return product.reshape(3, 3, channels, -1)


def winograd(
    x: jax.Array, kernel: jax.Array, then: Callable[[jax.Array], jax.Array] = lambda y: y
) -> jax.Array:
    """The convolution with a 3 x 3 kernel, `SAME` padding, in float32.

    Args:
      x: [batch, frames, bands, channels].
      kernel: [3, 3, channels, filters].
      then: what is done to the output of some examples at a time, while the cache holds it.

    Returns:
      [batch, frames, bands, filters], or what `then` makes of it. The largest rounding error is
      about 1e-5 for inputs of unit variance and kernels of variance 1 / (9 channels).
    """
    transformed = _transformed(kernel)

    def process_chunk(total: None, x: jax.Array) -> tuple[None, jax.Array]:
        return total, then(_assembled(_seen(x) @ transformed, x.shape))

    return _scanned(process_chunk, None, kernel, x)[1]


def winograd_gradients(
    x: jax.Array, kernel: jax.Array, gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Gradients of `winograd`'s input and kernel.

    The gradient of x is the convolution of the output's gradient with the kernel turned round. The
    gradient of the turned kernel is a sum of products of the tiles of x with the tiles of the
    output's gradient. Both need the latter, which are transformed only once.

    Args:
      x: [batch, frames, bands, channels].
      kernel: [3, 3, channels, filters].
      gradient: [batch, frames, bands, filters], of the output.
    """
    turned = _transformed(_turned(kernel))

    def process_chunk(
        total: jax.Array, x: jax.Array, gradient: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        seen = _seen(gradient)
        total += jnp.einsum("knc,kno->kco", _tiled(x, _A, 0), seen)
        return total, _assembled(seen @ turned, x.shape)

    zeros = jnp.zeros((_SEEN * _SEEN, *kernel.shape[2:]), x.dtype)
    products, x_gradient = _scanned(process_chunk, zeros, kernel, x, gradient)
    kernel_gradient = jnp.matmul(_KRONECKER_G.T, products.reshape(len(products), -1))
    return x_gradient, kernel_gradient.reshape(kernel.shape)[::-1, ::-1]


def _scanned(
    process_chunk: Callable[..., tuple[Any, jax.Array]],
    total: Any,
    kernel: jax.Array,
    *arrays: jax.Array,
) -> tuple[Any, jax.Array]:
    """Applies `process_chunk(total, *chunks)` to chunks of examples whose tiles fit into `_CACHE`.

    Returns:
      (the last total, the results of all chunks as one array).
    """
    batch, frames, bands = arrays[0].shape[:3]
    tiles = -(-frames // _TILE) * -(-bands // _TILE)
    example = tiles * _SEEN * _SEEN * sum(kernel.shape[2:]) * arrays[0].dtype.itemsize
    parts = chunked(arrays, example, _CACHE)
    if len(parts[0]) == 1:
        return process_chunk(total, *arrays)
    total, result = jax.lax.scan(lambda total, parts: process_chunk(total, *parts), total, parts)
    return total, result.reshape(batch, *result.shape[2:])


def chunked(arrays: Sequence[jax.Array], example: int, limit: int) -> list[jax.Array]:
    """Arrays [batch, ...] as [chunks, examples of a chunk, ...], the fewest chunks within a limit.

    Args:
      arrays: of one batch.
      example: bytes that an example takes while its chunk is worked on.
      limit: bytes that a chunk may take; an example that takes more is a chunk.
    """
    batch = len(arrays[0])
    chunk = max(
        n for n in range(1, batch + 1) if batch % n == 0 and n * example <= max(limit, example)
    )
    return [array.reshape(-1, chunk, *array.shape[1:]) for array in arrays]


def _tiled(x: jax.Array, matrix: np.ndarray, before: int) -> jax.Array:
    """Transforms each tile d of x to matrix d matrix': [6 x 6, tiles, channels].

    Args:
      x: [batch, frames, bands, channels].
      matrix: [6, side of a tile]; tiles begin every 4 frames and bands.
      before: number of zeros before the first frame and band.
    """
    side = matrix.shape[1]
    margins = [(before, -size % _TILE + side - _TILE - before) for size in x.shape[1:3]]
    x = jnp.pad(x, ((0, 0), *margins, (0, 0)))
    for axis in (1, 3):  # Frames first, then bands, which the first round moved by one axis.
        parts = [
            jax.lax.slice_in_dim(x, k, x.shape[axis] - side + k + 1, _TILE, axis)
            for k in range(side)
        ]
        rows = [
            functools.reduce(
                jnp.add, [float(c) * part for c, part in zip(row, parts, strict=True) if c]
            )
            for row in matrix
        ]
        # Without the barrier, the second round would compute the first one six times.
        x = jax.lax.optimization_barrier(jnp.stack(rows, axis=0 if axis == 1 else 1))
    return x.reshape(_SEEN * _SEEN, -1, x.shape[-1])


def _seen(x: jax.Array) -> jax.Array:
    """The part of x that each tile of the output sees, transformed: [6 x 6, tiles, channels]."""
    return _tiled(x, _B, 1)


def _turned(kernel: jax.Array) -> jax.Array:
    """The kernel with which the output's gradient is convolved to that of the input."""
    return jnp.swapaxes(kernel[::-1, ::-1], 2, 3)


def _transformed(kernel: jax.Array) -> jax.Array:
    """The kernel at the points of evaluation: [6 x 6, channels, filters]."""
    transformed = jnp.matmul(_KRONECKER_G, kernel.reshape(_KERNEL * _KERNEL, -1))
    return transformed.reshape(-1, *kernel.shape[2:])


def _assembled(products: jax.Array, like: Sequence[int]) -> jax.Array:
    """Turns products [6 x 6, tiles, filters] into the output [*like[:3], filters]."""
    batch, frames, bands = like[:3]
    high, wide = -(-frames // _TILE), -(-bands // _TILE)
    products = jax.lax.optimization_barrier(products)
    tiles = jnp.matmul(_KRONECKER_A.T, products.reshape(len(products), -1))
    tiles = tiles.reshape(_TILE, _TILE, batch, high, wide, -1).transpose(2, 3, 0, 4, 1, 5)
    return tiles.reshape(batch, high * _TILE, wide * _TILE, -1)[:, :frames, :bands]
