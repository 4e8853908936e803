"""The network of musicnn, whose pretrained weights anybody can fetch.

Input: log-mels. Five convolutions side by side, two over pitch and time ("timbral") and three over
time alone ("temporal"), each with the maximum over the bands; three more over time, the last two
residual; maximum and mean over time; two dense layers.

Reference: Pons and Serra, "musicnn: pre-trained convolutional neural networks for music audio
tagging", ISMIR 2019 late-breaking, https://arxiv.org/abs/1909.06654
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tagjax.base.errors import InputError

Params = dict[str, Any]

FRAMES, BANDS = 187, 96
"""Shape of a patch, 3 s."""
FEATURES = 200
"""Length of the vector before the last layer."""
TAGS = 50
_EPSILON = 1e-3
_HIGH = (38, 67)
"""Bands that a filter of each timbral convolution sees."""
_LONG = (128, 64, 32)
"""Frames that a filter of each temporal convolution sees."""
_BACK = 7
"""Frames that the other convolutions see."""
_TIMBRAL, _TEMPORAL, _CONTEXT = 204, 51, 64
"""Channels of each convolution."""
_FRONT = len(_HIGH) * _TIMBRAL + len(_LONG) * _TEMPORAL
_ALL = _FRONT + 3 * _CONTEXT


def _layers() -> dict[str, tuple[int, ...]]:
    """{layer: shape of its kernel}, in TensorFlow's order and layout."""
    kernels: dict[str, tuple[int, ...]] = {}
    kernels |= {f"timbral{i}": (_BACK, high, 1, _TIMBRAL) for i, high in enumerate(_HIGH)}
    kernels |= {f"temporal{i}": (long, 1, 1, _TEMPORAL) for i, long in enumerate(_LONG)}
    for i, wide in enumerate((_FRONT, _CONTEXT, _CONTEXT)):
        kernels[f"context{i}"] = (_BACK, wide, 1, _CONTEXT)
    return kernels


_KERNELS = _layers()
_NORMS = {"input": 1, **{name: shape[-1] for name, shape in _KERNELS.items()}}
_NORMS |= {"pooled": 2 * _ALL, "dense": FEATURES}
_DENSE = {"dense": (2 * _ALL, FEATURES), "tags": (FEATURES, TAGS)}
_STATISTICS = ("gamma", "beta", "moving_mean", "moving_variance")


def shapes() -> dict[str, tuple[int, ...]]:
    """{variable in the checkpoint: its shape}: TensorFlow numbers layers of a kind from 0.

    >>> shapes()["conv2d_5/kernel"]
    (7, 561, 1, 64)
    """
    found: dict[str, tuple[int, ...]] = {}
    for kind, kernels in (("conv2d", _KERNELS), ("dense", _DENSE)):
        for i, shape in enumerate(kernels.values()):
            found[f"{_numbered(kind, i)}/kernel"] = shape
            found[f"{_numbered(kind, i)}/bias"] = shape[-1:]
    for i, size in enumerate(_NORMS.values()):
        for name in _STATISTICS:
            found[f"{_numbered('batch_normalization', i)}/{name}"] = (size,)
    return found


def _numbered(kind: str, number: int) -> str:
    return f"{kind}_{number}" if number else kind


def params_of(variables: Mapping[str, np.ndarray], name: str = "musicnn") -> Params:
    """The parameters of the network from the variables of a checkpoint; others are left out.

    Args:
      variables: float32 arrays by their names in `shapes`.
      name: of the checkpoint, for messages.

    Raises:
      InputError: a variable is missing, of another shape, or not finite.
    """
    for variable, shape in shapes().items():
        if variable not in variables:
            raise InputError(f"{name}: not weights of musicnn 0.1.0: no variable {variable}")
        array = variables[variable]
        if array.shape != shape:
            raise InputError(f"{name}: {variable} has shape {array.shape}, not {shape}")
        if not np.isfinite(array).all():
            raise InputError(f"{name}: {variable} is not finite; fetch the weights anew")
    params: Params = {}
    for kind, kernels in (("conv2d", _KERNELS), ("dense", _DENSE)):
        for i, layer in enumerate(kernels):
            stem = _numbered(kind, i)
            params[layer] = {part: variables[f"{stem}/{part}"] for part in ("kernel", "bias")}
    for i, layer in enumerate(_NORMS):
        stem = _numbered("batch_normalization", i)
        params[f"{layer}_norm"] = {part: variables[f"{stem}/{part}"] for part in _STATISTICS}
    return params


def features(params: Params, mel: jax.Array) -> jax.Array:
    """The vectors before the last layer, normalised.

    Args:
      params: of `params_of`.
      mel: float32 [batch, FRAMES, BANDS], log10(10,000 x + 1) of mel power spectra x, of sound at
        16 kHz in windows of 512 samples, one each 256.

    Returns:
      float32 [batch, FEATURES].
    """
    x = _norm(params["input_norm"], mel[..., None])
    front = jnp.concatenate(
        [_timbral(params, f"timbral{i}", x) for i in range(len(_HIGH))]
        + [_temporal(params, f"temporal{i}", x) for i in range(len(_LONG))],
        axis=-1,
    )
    first = _context(params, "context0", front)
    second = first + _context(params, "context1", first)
    third = second + _context(params, "context2", second)
    channels = jnp.concatenate([front, first, second, third], axis=-1)
    # Each channel's maximum comes beside its mean.
    pooled = jnp.stack([channels.max(axis=1), channels.mean(axis=1)], axis=-1)
    pooled = _norm(params["pooled_norm"], pooled.reshape(len(pooled), -1))
    return _norm(params["dense_norm"], jax.nn.relu(_dense(params["dense"], pooled)))


def logits(params: Params, vectors: jax.Array) -> jax.Array:
    """Logits of the 50 tags from `features`: float32 [batch, TAGS]."""
    return _dense(params["tags"], vectors)


def _norm(statistics: Params, x: jax.Array) -> jax.Array:
    scale = statistics["gamma"] / jnp.sqrt(statistics["moving_variance"] + _EPSILON)
    return (x - statistics["moving_mean"]) * scale + statistics["beta"]


def _dense(layer: Params, x: jax.Array) -> jax.Array:
    return jnp.dot(x, layer["kernel"], precision="highest") + layer["bias"]


def _timbral(params: Params, name: str, x: jax.Array) -> jax.Array:
    """[batch, frames, bands, 1] -> [batch, frames, channels]."""
    return _convolved(params, name, x, ((_BACK // 2, _BACK // 2), (0, 0))).max(axis=2)


def _temporal(params: Params, name: str, x: jax.Array) -> jax.Array:
    """[batch, frames, bands, 1] -> [batch, frames, channels]."""
    return _convolved(params, name, x, "SAME").max(axis=2)


def _context(params: Params, name: str, x: jax.Array) -> jax.Array:
    """[batch, frames, channels] -> [batch, frames, _CONTEXT]."""
    return _convolved(params, name, x[..., None], ((_BACK // 2, _BACK // 2), (0, 0)))[:, :, 0]


def _convolved(params: Params, name: str, x: jax.Array, padding: Any) -> jax.Array:
    """Convolution, ReLU and normalisation of [batch, frames, bands, 1]."""
    layer = params[name]
    x = jax.lax.conv_general_dilated(
        x,
        layer["kernel"],
        (1, 1),
        padding,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision="highest",
    )
    return _norm(params[f"{name}_norm"], jax.nn.relu(x + layer["bias"]))
