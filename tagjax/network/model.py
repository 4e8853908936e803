"""The network of Table 1: four convolution blocks, a GRU for temporal pooling, a softmax."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from tagjax.base.errors import InputError
from tagjax.network import pooling


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Shape and free choices of the network; the defaults are the `paper` preset.

    Attributes:
      filters: output channels of the convolution blocks (Table 1).
      pools: max-pooling of each block, (frames, mel bands) (Table 1).
      gru_units: size of the last hidden layer, hence of fw (Table 1).
      convolution: `full`, or `depthwise` (each filter sees one input channel), whose parameter
        counts are those that Table 1 prints: 640, 1280, 2560, 5120.
      activation: function after each convolution: `relu` or `elu`.
      batch_norm: whether to normalise between convolution and activation.
      batch_norm_momentum: momentum of the running mean and variance.
      batch_norm_epsilon: added to the variance.
      recurrent_activation: function of the GRU's gates: `hard_sigmoid` (Keras before 3) or
        `sigmoid`.
      conv_dropout: share of values dropped after each pooling.
      gru_dropout: share of values dropped between the GRU and the softmax.
    """

    filters: tuple[int, ...] = (64, 128, 256, 512)
    pools: tuple[tuple[int, int], ...] = ((2, 2), (3, 4), (2, 3), (3, 4))
    gru_units: int = 512
    convolution: str = "full"
    activation: str = "relu"
    batch_norm: bool = True
    batch_norm_momentum: float = 0.99
    batch_norm_epsilon: float = 1e-3
    recurrent_activation: str = "hard_sigmoid"
    conv_dropout: float = 0.0
    gru_dropout: float = 0.5

    def __post_init__(self) -> None:
        if len(self.filters) != len(self.pools):
            raise InputError(
                f"model: filters has {len(self.filters)} layers but pools {len(self.pools)}; "
                "give one pool (frames x bands) a layer"
            )
        for name, value, known in (
            ("convolution", self.convolution, CONVOLUTIONS),
            ("activation", self.activation, tuple(ACTIVATIONS)),
            ("recurrent_activation", self.recurrent_activation, tuple(GATES)),
        ):
            if value not in known:
                raise InputError(f"model: {name} {value!r} is unknown; one of {', '.join(known)}")
        if min(*self.filters, self.gru_units) < 1:
            raise InputError("model: filters and gru_units must be at least 1")
        for name, rate in (("conv_dropout", self.conv_dropout), ("gru_dropout", self.gru_dropout)):
            if not 0 <= rate < 1:
                raise InputError(f"model: {name} {rate} must be in [0, 1)")


def keras_hard_sigmoid(x: jax.Array) -> jax.Array:
    """clip(0.2 x + 0.5, 0, 1), as in Keras 1 and 2; `jax.nn.hard_sigmoid` has slope 1/6."""
    return jnp.clip(0.2 * x + 0.5, 0.0, 1.0)


CONVOLUTIONS = ("full", "depthwise")
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {"relu": nn.relu, "elu": nn.elu}
GATES: dict[str, Callable[[jax.Array], jax.Array]] = {
    "hard_sigmoid": keras_hard_sigmoid,
    "sigmoid": nn.sigmoid,
}
PRESETS: dict[str, ModelConfig] = {
    "paper": ModelConfig(),
    "small": ModelConfig(
        filters=(8, 32, 64, 128),
        pools=((2, 4), (3, 4), (2, 3), (3, 2)),
        gru_units=128,
        batch_norm_momentum=0.9,
        gru_dropout=0.3,
    ),
}


class _Convolution(nn.Module):
    """Kernel and bias of a convolution, as `flax.linen.Conv` has them."""

    shape: tuple[int, ...]

    @nn.compact
    def __call__(self) -> tuple[jax.Array, jax.Array]:
        """(kernel [3, 3, channels / groups, filters], bias [filters]), float32."""
        kernel = self.param("kernel", nn.initializers.lecun_normal(), self.shape)
        return kernel, self.param("bias", nn.initializers.zeros_init(), self.shape[-1:])


class _Norm(nn.Module):
    """Batch normalisation by moments that are known: x becomes factor x + shift."""

    channels: int
    momentum: float
    epsilon: float
    axis_name: str | None

    def setup(self) -> None:
        """Makes the variables of `flax.linen.BatchNorm`."""
        shape = (self.channels,)
        self.scale = self.param("scale", nn.initializers.ones_init(), shape)
        self.bias = self.param("bias", nn.initializers.zeros_init(), shape)
        self.mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        self.var = self.variable("batch_stats", "var", jnp.ones, shape)

    def sign(self) -> jax.Array:
        """-1 for channels that normalisation turns round, else 1: float32 [channels]."""
        return jnp.where(self.scale < 0, -1.0, 1.0)

    def of_running(self) -> tuple[jax.Array, jax.Array]:
        """(factor, shift), float32 [channels], by the running moments."""
        return self._by(self.mean.value, self.var.value)

    def of_batch(
        self, mean: jax.Array, variance: jax.Array, bias: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """(factor, shift) by this device's share of a batch; the running moments follow.

        Args:
          mean: of x, float32 [channels].
          variance: of x.
          bias: what is added to x before normalisation, which takes it out again.
        """
        if self.axis_name is not None:
            own = mean
            mean = jax.lax.pmean(own, self.axis_name)
            variance = jax.lax.pmean(variance + jnp.square(own - mean), self.axis_name)
        for running, value in ((self.mean, mean + bias), (self.var, variance)):
            running.value = self.momentum * running.value + (1 - self.momentum) * value
        return self._by(mean, variance)

    def _by(self, mean: jax.Array, variance: jax.Array) -> tuple[jax.Array, jax.Array]:
        factor = self.scale * jax.lax.rsqrt(variance + self.epsilon)
        return factor, self.bias - factor * mean


class Dropout(nn.Module):
    """Inverted dropout whose mask depends on the example, not on the device that holds it.

    A row's mask comes from the key folded with the row's `position` in the global batch. So the
    masks are the same however a batch is split over devices and processes.
    """

    rate: float

    @nn.compact
    def __call__(self, x: jax.Array, positions: jax.Array | None) -> jax.Array:
        """Applies dropout.

        Args:
          x: [batch, ...].
          positions: int32 [batch], places in the global batch; None: no dropout.
        """
        if positions is None or self.rate == 0.0:
            return x
        key = self.make_rng("dropout")
        keep = 1.0 - self.rate

        def mask(position: jax.Array) -> jax.Array:
            return jax.random.bernoulli(jax.random.fold_in(key, position), keep, x.shape[1:])

        return jnp.where(jax.vmap(mask)(positions), x / keep, jnp.zeros((), x.dtype))


class GRU(nn.Module):
    """Gated recurrent unit that returns its last output alone.

    z, r = gate(W x + U h + b);  n = tanh(W x + U (r * h) + b);  h' = z h + (1 - z) n

    This is Keras' `GRU(reset_after=False)`. Each gate has one bias, so there are
    3 (in + units + 1) units parameters: 1,574,400 for 512 -> 512 (Table 1). One matrix product
    serves the input of all time steps.
    """

    units: int
    gate: Callable[[jax.Array], jax.Array]
    dtype: jnp.dtype = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[batch, time, features] -> [batch, units]."""
        units = self.units
        kernel = self.param("kernel", nn.initializers.glorot_uniform(), (x.shape[-1], 3 * units))
        recurrent = self.param("recurrent_kernel", nn.initializers.orthogonal(), (units, 3 * units))
        bias = self.param("bias", nn.initializers.zeros_init(), (3 * units,))
        kernel, recurrent, bias = (p.astype(self.dtype) for p in (kernel, recurrent, bias))
        inputs = jnp.moveaxis(x.astype(self.dtype) @ kernel + bias, 1, 0)

        def step(h: jax.Array, projected: jax.Array) -> tuple[jax.Array, None]:
            gates = self.gate(projected[:, : 2 * units] + h @ recurrent[:, : 2 * units])
            z, r = jnp.split(gates, 2, axis=-1)
            n = jnp.tanh(projected[:, 2 * units :] + (r * h) @ recurrent[:, 2 * units :])
            return z * h + (1 - z) * n, None

        h = jnp.zeros((x.shape[0], units), self.dtype)
        return jax.lax.scan(step, h, inputs, unroll=True)[0]


class TagClassifier(nn.Module):
    """The mono-label classifier (section 2.3, Table 1).

    Attributes:
      num_tags: N_c.
      config: the rest of its shape.
      dtype: type of the computation; parameters, statistics and logits are always float32.
      axis_name: device axis over which batch statistics are averaged in training.
    """

    num_tags: int
    config: ModelConfig = ModelConfig()
    dtype: jnp.dtype = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, mel: jax.Array, positions: jax.Array | None = None) -> jax.Array:
        """Logits of the tags.

        Args:
          mel: [batch, frames, mel bands], any float dtype.
          positions: int32 [batch], places in the global batch when training (batch
            statistics, dropout); None when predicting.

        Returns:
          float32 [batch, num_tags]; their softmax is the paper's p_k.
        """
        config, training = self.config, positions is not None
        x = mel[..., None].astype(self.dtype)
        for i, (filters, pool) in enumerate(zip(config.filters, config.pools, strict=True)):
            x = self._block(i + 1, x, filters, pool, training)
            self.sow("intermediates", f"block{i + 1}", x)
            x = Dropout(config.conv_dropout)(x, positions)
        x = x.reshape(x.shape[0], x.shape[1], -1)
        x = GRU(config.gru_units, GATES[config.recurrent_activation], self.dtype, name="gru")(x)
        self.sow("intermediates", "hidden", x)
        x = Dropout(config.gru_dropout)(x, positions)
        return nn.Dense(self.num_tags, dtype=jnp.float32, name="tags")(x.astype(jnp.float32))

    def _block(
        self, number: int, x: jax.Array, filters: int, pool: tuple[int, int], training: bool
    ) -> jax.Array:
        """Convolution, batch normalisation, activation and max-pooling.

        Normalisation and activation keep or turn round the order of a channel's values. So pooling
        may come first, with the kernel's sign changed where they turn it: the result is the same,
        and there is less to compute.
        """
        config = self.config
        groups = x.shape[-1] if config.convolution == "depthwise" else 1
        shape = (3, 3, x.shape[-1] // groups, filters)
        kernel, bias = _Convolution(shape, name=f"conv{number}")()
        if config.batch_norm:
            norm = _Norm(
                filters,
                config.batch_norm_momentum,
                config.batch_norm_epsilon,
                self.axis_name,
                name=f"norm{number}",
            )
            if training:
                sign = norm.sign()
                x, (mean, variance) = pooling.convolve_and_pool_with_moments(
                    x, (sign * kernel).astype(self.dtype), pool, groups
                )
                factor, shift = norm.of_batch(sign * mean, variance, bias)
                x = (sign * factor * x + shift).astype(self.dtype)
                return ACTIVATIONS[config.activation](x)
            factor, shift = norm.of_running()
            kernel, bias = factor * kernel, factor * bias + shift
        x = pooling.convolve_and_pool(x, kernel.astype(self.dtype), pool, groups)
        return ACTIVATIONS[config.activation](x + bias.astype(self.dtype))


def check_input(config: ModelConfig, input_shape: Sequence[int]) -> None:
    """Checks that an input (frames, mel bands) is large enough for the poolings.

    Raises:
      InputError: the poolings would leave nothing of it.
    """
    for axis, name in ((0, "frames"), (1, "mel bands")):
        least = math.prod(pool[axis] for pool in config.pools)
        if input_shape[axis] < least:
            raise InputError(
                f"model: {input_shape[axis]} {name} are fewer than pooling's {least}; "
                "take smaller --pools or longer excerpts"
            )


def init(
    key: jax.Array, num_tags: int, config: ModelConfig, input_shape: Sequence[int] = (646, 96)
) -> dict:
    """Fresh variables {`params`, `batch_stats`} of the network.

    Args:
      key: PRNG key.
      num_tags: N_c.
      config: the network's shape.
      input_shape: (frames, mel bands) of an example.

    Raises:
      InputError: the input is too small for the poolings.
    """
    check_input(config, input_shape)
    variables = TagClassifier(num_tags, config).init(key, jnp.zeros((1, *input_shape)))
    return {name: variables[name] for name in ("params", "batch_stats") if name in variables}
