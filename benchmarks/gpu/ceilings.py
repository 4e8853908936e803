"""What the card reaches: matrix products, copies on it, copies to it."""

import functools
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.gpu.resident import PRECISIONS, products
from benchmarks.gpu.rows import Row


def seconds(call: Callable[[], object], least: float, repeats: int) -> float:
    """Median seconds of a call, called back to back for `least` seconds and then waited for."""
    jax.block_until_ready(call())
    begin = time.perf_counter()
    jax.block_until_ready(call())
    calls = max(1, round(least / max(time.perf_counter() - begin, 1e-6)))
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        for _ in range(calls):
            last = call()
        jax.block_until_ready(last)
        taken.append((time.perf_counter() - begin) / calls)
    return statistics.median(taken)


def measure(size: int, copied: int, least: float, repeats: int) -> tuple[list[Row], dict]:
    """Rates of the first device.

    Args:
      size: of the square matrices.
      copied: bytes that a copy reads, and writes once more.
      least: seconds of a repeat.
      repeats: of each.

    Returns:
      Rows, and {`flops`: {precision: FLOP/s}, `copy`: bytes read and written a second}.
    """
    rows, flops = [], {}
    for precision, (dtype, _) in PRECISIONS.items():
        keys = jax.random.split(jax.random.key(0))
        left, right = (jax.random.normal(key, (size, size), jnp.dtype(dtype)) for key in keys)
        with products(precision):
            product = jax.jit(jnp.matmul).lower(left, right).compile()
        flops[precision] = (
            2 * size**3 / seconds(functools.partial(product, left, right), least, repeats)
        )
        rows.append(
            Row("ceiling", f"product of {size}", precision, 0, flops[precision] / 1e12, "TFLOP/s")
        )
    array = jnp.ones(copied // 4, jnp.float32)
    copy = 2 * array.nbytes / seconds(lambda: -array, least, repeats)
    rows.append(Row("ceiling", "copy, read + written", "", 0, copy / 1e9, "GB/s"))
    host = np.ones(min(copied, 1 << 28) // 4, np.float32)
    fed = host.nbytes / seconds(lambda: jax.device_put(host), least, repeats)
    rows.append(Row("ceiling", "copy from the host", "", 0, fed / 1e9, "GB/s"))
    return rows, {"flops": flops, "copy": copy}
