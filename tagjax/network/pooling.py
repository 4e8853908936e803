"""Convolution and max-pooling of a block, in few passes over memory.

The output of the first convolutions is by far the largest array of a training step, so a block
reads and writes it as rarely as possible:

- Batch normalisation and the activation come after pooling, see `TagClassifier`.
- The gradients of pooling and of the batch's moments are added in one pass.
- On the CPU the output of a convolution of one channel is never stored. Each window is computed
  where its maximum is needed, and again for the gradient. The moments follow from those of the
  input.
"""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp

from tagjax.network.convolution import chunked, convolve, suits_winograd, winograd

Window = tuple[int, int]
Moments = tuple[jax.Array, jax.Array]
_TAPS = tuple(itertools.product(range(3), range(3)))
"""Rows and columns of a 3 x 3 kernel."""
_CACHE = 2**24
"""Bytes of a convolution's gradient at a time. With more, memory takes longer than the products."""


def convolve_and_pool(
    x: jax.Array, kernel: jax.Array, window: Window, groups: int = 1
) -> jax.Array:
    """`max_pool` of the convolution with `SAME` padding.

    Args:
      x: [batch, frames, bands, channels].
      kernel: [3, 3, channels / groups, filters].
      window: (frames, bands) of pooling.
      groups: number of groups of channels.

    Returns:
      [batch, frames // window[0], bands // window[1], filters].
    """
    if _has_one_channel(x, kernel, window):
        return _pool_of_one_channel(x, kernel, window)
    if groups == 1 and suits_winograd(x, kernel):
        return _pool_of_many_channels(x, kernel, window)
    return max_pool(convolve(x, kernel, groups), window)


def convolve_and_pool_with_moments(
    x: jax.Array, kernel: jax.Array, window: Window, groups: int = 1
) -> tuple[jax.Array, Moments]:
    """`convolve_and_pool` with (means, variances) of the convolution, float32 [filters]."""
    if _has_one_channel(x, kernel, window):
        return _pool_of_one_channel(x, kernel, window), _moments_of_one_channel(x, kernel)
    y, mean, square = _pool_with_moments(convolve(x, kernel, groups), window)
    return y, (mean, jnp.maximum(0.0, square - jnp.square(mean)))


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def max_pool(x: jax.Array, window: Window) -> jax.Array:
    """Max-pooling without overlap, remainders dropped: [b, t, f, c] -> [b, t//w0, f//w1, c].

    If several values of a window are its maximum, they share the gradient equally, as with
    `jnp.max`. The gradient compares the values with their maximum. XLA's own select-and-scatter
    took most of a step's time on the CPU.
    """
    return functools.reduce(jnp.maximum, _parts(x, window))


def _max_pool_forward(x: jax.Array, window: Window) -> tuple[jax.Array, Any]:
    y = max_pool(x, window)
    return y, (x, y)


def _max_pool_backward(window: Window, saved: Any, gradient: jax.Array) -> tuple[jax.Array]:
    x, y = saved
    share = _share([part == y for part in _parts(x, window)], gradient)
    maximal = x == _unpool(y, window, x.shape)
    return (jnp.where(maximal, _unpool(share, window, x.shape), jnp.zeros((), x.dtype)),)


max_pool.defvjp(_max_pool_forward, _max_pool_backward)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _pool_with_moments(x: jax.Array, window: Window) -> tuple[jax.Array, jax.Array, jax.Array]:
    """(`max_pool`, float32 [channels] means of all values, the same of their squares)."""
    values, axes = x.astype(jnp.float32), (0, 1, 2)
    return max_pool(x, window), jnp.mean(values, axes), jnp.mean(jnp.square(values), axes)


def _pool_with_moments_forward(x: jax.Array, window: Window) -> tuple[Any, Any]:
    results = _pool_with_moments(x, window)
    return results, (x, results[0])


def _pool_with_moments_backward(window: Window, saved: Any, gradients: Any) -> tuple[jax.Array]:
    gradient, of_mean, of_square = gradients
    x, _ = saved
    (of_maxima,) = _max_pool_backward(window, saved, gradient)
    of_moments = (of_mean + 2 * of_square * x.astype(jnp.float32)) * (x.shape[-1] / x.size)
    return ((of_maxima + of_moments).astype(x.dtype),)


_pool_with_moments.defvjp(_pool_with_moments_forward, _pool_with_moments_backward)


def _parts(x: jax.Array, window: Window) -> list[jax.Array]:
    """For each place in a window: the values of all windows there, each as the pooled shape."""
    frames, bands = (n // w * w for n, w in zip(x.shape[1:3], window, strict=True))
    return [
        x[:, i : frames : window[0], j : bands : window[1]]
        for i, j in itertools.product(*map(range, window))
    ]


def _share(maximal: list[jax.Array], gradient: jax.Array) -> jax.Array:
    """The part of a window's gradient that each of its maxima gets."""
    return gradient / functools.reduce(jnp.add, [hit.astype(gradient.dtype) for hit in maximal])


def _unpool(y: jax.Array, window: Window, shape: tuple[int, ...]) -> jax.Array:
    """Repeats each value over its window, zeros in the remainder: the shape before pooling."""
    b, t, f, c = y.shape
    y = jnp.broadcast_to(y[:, :, None, :, None], (b, t, window[0], f, window[1], c))
    y = y.reshape(b, t * window[0], f * window[1], c)
    return jnp.pad(y, ((0, 0), (0, shape[1] - y.shape[1]), (0, shape[2] - y.shape[2]), (0, 0)))


def _has_one_channel(x: jax.Array, kernel: jax.Array, window: Window) -> bool:
    """Whether `_pool_of_one_channel` may be used: a bit marks each place of a window."""
    fits = x.shape[-1] == 1 and math.prod(window) <= 32
    return fits and x.dtype == kernel.dtype == jnp.float32


def _shifts(x: jax.Array) -> list[jax.Array]:
    """For each tap of the kernel, the values of x that it meets: [..., frames, bands]."""
    frames, bands = x.shape[-2:]
    padded = jnp.pad(x, ((0, 0),) * (x.ndim - 2) + ((1, 1), (1, 1)))
    return [padded[..., i : i + frames, j : j + bands] for i, j in _TAPS]


def _moments_of_one_channel(x: jax.Array, kernel: jax.Array) -> Moments:
    """Means and variances of the convolution, from those of the input at the kernel's taps.

    Sums of products of two taps are sums along a diagonal of a product of rows of the input.
    """
    x, count = x[..., 0], x.size
    frames, bands = x.shape[1:]
    centre = jnp.mean(x)
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1))) - centre
    rows = [padded[:, i : i + frames].reshape(-1, bands + 2) for i in range(3)]
    sums = [jnp.sum(row, axis=0) for row in rows]
    mean = jnp.stack([jnp.sum(sums[i][j : j + bands]) for i, j in _TAPS]) / count
    product = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
    products = {(i, k): product(rows[i].T, rows[k]) for i in range(3) for k in range(i, 3)}

    def sum_of_products(tap: tuple[int, int], other: tuple[int, int]) -> jax.Array:
        (i, j), (k, m) = sorted((tap, other))
        return jnp.trace(products[i, k][j : j + bands, m : m + bands])

    square = jnp.stack([jnp.stack([sum_of_products(a, b) for b in _TAPS]) for a in _TAPS]) / count
    covariance = square - mean[:, None] * mean
    taps = kernel.reshape(len(_TAPS), -1)
    variance = jnp.sum(taps * product(covariance, taps), axis=0)
    return product(mean + centre, taps), variance


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _pool_of_one_channel(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """`convolve_and_pool` of one channel."""

    def directly(x: jax.Array, kernel: jax.Array) -> jax.Array:
        # Outside of a loop, XLA would compute the kernel anew for each value.
        return jax.lax.map(
            lambda x: functools.reduce(jnp.maximum, _outputs(x[None], kernel, window))[0], x
        )

    plain = functools.partial(_plain_pool, window=window)
    return jax.lax.platform_dependent(x, kernel, cpu=directly, default=plain)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _pool_of_many_channels(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """`convolve_and_pool` of many channels; on the CPU it keeps no more than the maxima."""
    pool = functools.partial(max_pool, window=window)
    plain = functools.partial(_plain_pool, window=window)
    fast = functools.partial(winograd, then=pool)
    return jax.lax.platform_dependent(x, kernel, cpu=fast, default=plain)


_pool_of_many_channels.defvjp(
    lambda x, kernel, window: jax.vjp(functools.partial(_plain_pool, window=window), x, kernel),
    lambda window, transposed, gradient: transposed(gradient),
)


def _plain_pool(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    return max_pool(convolve(x, kernel), window)


def _outputs(x: jax.Array, kernel: jax.Array, window: Window) -> list[jax.Array]:
    """For each place in a window, the convolution of one channel there.

    Each is [batch, pooled frames, pooled bands, filters].
    """
    taps = kernel.reshape(len(_TAPS), -1)
    shifts = [_parts(shift[..., None], window) for shift in _shifts(x[..., 0])]
    return [
        functools.reduce(jnp.add, [value * tap for value, tap in zip(place, taps, strict=True)])
        for place in zip(*shifts, strict=True)
    ]


def _marks(x: jax.Array, kernel: jax.Array, window: Window) -> jax.Array:
    """Which places of each window hold its maximum, a bit each: [..., filters], unsigned."""
    outputs = _outputs(x, kernel, window)
    # A maximum computed elsewhere could be rounded otherwise and equal none of the outputs.
    largest = functools.reduce(jnp.maximum, outputs)
    kind = jnp.uint8 if len(outputs) <= 8 else jnp.uint32
    bits = [kind(2**i) * (output == largest).astype(kind) for i, output in enumerate(outputs)]
    return functools.reduce(jnp.bitwise_or, bits)


def _seen(x: jax.Array, window: Window) -> jax.Array:
    """What each window sees of x [batch, frames, bands]: [values of a window, windows]."""
    high, wide = window
    frames, bands = (n // w * w for n, w in zip(x.shape[1:], window, strict=True))
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1)))
    values = [
        x[:, i : i + frames : high, j : j + bands : wide]
        for i, j in itertools.product(range(high + 2), range(wide + 2))
    ]
    return jnp.stack(values).reshape(len(values), -1)


def _pool_of_one_channel_forward(x: jax.Array, kernel: jax.Array, window: Window) -> Any:
    return _pool_of_one_channel(x, kernel, window), (x, kernel)


def _pool_of_one_channel_backward(
    window: Window, saved: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = saved
    (high, wide), filters = window, kernel.shape[-1]
    places = high * wide
    plain = functools.partial(_plain_pool, window=window)

    def of_chunk(total: jax.Array, chunk: list[jax.Array]) -> tuple[jax.Array, None]:
        x, gradient, marks = chunk
        share = gradient / jax.lax.population_count(marks).astype(gradient.dtype)
        bits = jnp.left_shift(1, jnp.arange(places, dtype=marks.dtype))
        hit = (marks[..., None, :] & bits[:, None]) != 0
        chosen = jnp.where(hit, share[..., None, :], 0.0)
        return total + _seen(x, window) @ chosen.reshape(-1, places * filters), None

    def by_products(x: jax.Array, gradient: jax.Array) -> jax.Array:
        # Were the marks not stored in a loop of their own, XLA would find them for each place anew.
        marks = jax.lax.map(lambda x: _marks(x[None], kernel, window)[0], x)
        zeros = jnp.zeros(((high + 2) * (wide + 2), places * filters), kernel.dtype)
        chunks = chunked((x[..., 0], gradient, marks), places * gradient[0].nbytes, _CACHE)
        products = jax.lax.scan(of_chunk, zeros, chunks)[0]
        products = products.reshape(high + 2, wide + 2, high, wide, 1, filters)
        at = itertools.product(range(high), range(wide))
        return functools.reduce(jnp.add, [products[i : i + 3, j : j + 3, i, j] for i, j in at])

    def plain_gradient(x: jax.Array, gradient: jax.Array) -> jax.Array:
        return jax.vjp(lambda kernel: plain(x, kernel), kernel)[1](gradient)[0]

    (x_gradient,) = jax.vjp(lambda x: plain(x, kernel), x)[1](gradient)
    return x_gradient, jax.lax.platform_dependent(
        x, gradient, cpu=by_products, default=plain_gradient
    )


_pool_of_one_channel.defvjp(_pool_of_one_channel_forward, _pool_of_one_channel_backward)
