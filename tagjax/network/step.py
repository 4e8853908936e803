"""The steps of training, evaluation and prediction: pure functions of state and batch.

Without `axis_name` a step runs on one device. With `axis_name` it is one device's share of a larger
step, which `tagjax.run.devices` maps over devices. Sums are added up over the devices before they
are divided, so the result does not depend on how the batch is cut.

A batch is a dictionary:

- `mel`: float [b, frames, bands], log-mels;
- `label`: int32 [b], indices of the true tags;
- `weight`: float32 [b], 0 for padding and 1 for an example;
- `position`: int32 [b], places in the global batch.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import flax
import jax
import jax.numpy as jnp
import optax

from tagjax.base.errors import InputError
from tagjax.network import augment as augmentation
from tagjax.network.model import ModelConfig, TagClassifier, init

Batch = dict[str, jax.Array]
PRECISIONS = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class StepConfig:
    """The choices that a training step leaves open.

    Attributes:
      model: shape of the network.
      augment: random changes of the input.
      precision: dtype of the computation, `float32` or `bfloat16`.
      learning_rate: learning rate of Adadelta.
      rho: decay of Adadelta's averages.
      epsilon: epsilon of Adadelta, which sets the size of its first steps.
      label_smoothing: share of the target that is spread over all tags.
      seed: seed of everything random.
    """

    model: ModelConfig = ModelConfig()
    augment: augmentation.AugmentConfig = augmentation.AugmentConfig()
    precision: str = "float32"
    learning_rate: float = 1.0
    rho: float = 0.95
    epsilon: float = 1e-7
    label_smoothing: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise InputError(
                f"precision {self.precision!r} is unknown; one of {', '.join(PRECISIONS)}"
            )
        if not 0 <= self.label_smoothing < 1:
            raise InputError(f"label_smoothing {self.label_smoothing} must be in [0, 1)")


@flax.struct.dataclass
class TrainState:
    """Everything that training changes.

    Attributes:
      step: int32 [], number of steps done.
      params: parameters of the network, float32.
      batch_stats: running means and variances of its batch normalisation, float32.
      opt_state: Adadelta's averages, float32.
    """

    step: jax.Array
    params: Any
    batch_stats: Any
    opt_state: Any


def optimiser(config: StepConfig, decay_steps: int = 0) -> optax.GradientTransformation:
    """Adadelta (Zeiler 2012, https://arxiv.org/abs/1212.5701), the paper's optimiser.

    Args:
      config: holds `learning_rate`, `rho` and `epsilon`. Optax has no default learning rate for
        Adadelta, and climbs the loss if it is given none.
      decay_steps: number of steps over which the learning rate falls to 0, as half a cosine; with
        0 it stays the same.
    """
    rate: float | optax.Schedule = config.learning_rate
    if decay_steps:
        rate = optax.cosine_decay_schedule(config.learning_rate, decay_steps)
    return optax.adadelta(rate, rho=config.rho, eps=config.epsilon)


def initial_state(
    config: StepConfig,
    num_tags: int,
    input_shape: tuple[int, int] = (646, 96),
    decay_steps: int = 0,
) -> TrainState:
    """The state at step 0, which depends on `config.seed`.

    Args:
      config: configuration of the steps that will change it.
      num_tags: N_c.
      input_shape: (frames, mel bands) of the network's input.
      decay_steps: as in `train_step`.

    Raises:
      InputError: the input is too small for the network's poolings.
    """

    def fresh(key: jax.Array) -> TrainState:
        variables = init(key, num_tags, config.model, input_shape)
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=variables["params"],
            batch_stats=variables.get("batch_stats", {}),
            opt_state=optimiser(config, decay_steps).init(variables["params"]),
        )

    # The compiled function only fills the network's variables. It runs once, so optimising it
    # would take longer than it saves. (JAX accepts compiler options at the top level only.)
    key = jax.random.key(config.seed)
    options = None if isinstance(key, jax.core.Tracer) else {"xla_backend_optimization_level": 0}
    return jax.jit(fresh, compiler_options=options)(key)


def network(state: TrainState, config: StepConfig, axis_name: str | None = None) -> TagClassifier:
    """The Flax module whose variables a state holds."""
    num_tags = state.params["tags"]["bias"].shape[0]
    return TagClassifier(num_tags, config.model, jnp.dtype(config.precision), axis_name)


def _sum_over(axis_name: str | None, tree: Any) -> Any:
    return tree if axis_name is None else jax.lax.psum(tree, axis_name)


def _cross_entropy(logits: jax.Array, labels: jax.Array, smoothing: float) -> jax.Array:
    """float32 [b] categorical cross-entropy."""
    if smoothing:
        targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), smoothing)
        return optax.softmax_cross_entropy(logits, targets)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


def _counts(logits: jax.Array, losses: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """Weighted sums of loss, correct answers and examples."""
    weight = batch["weight"]
    correct = (jnp.argmax(logits, axis=-1) == batch["label"]).astype(jnp.float32)
    return {
        "loss": jnp.sum(losses * weight),
        "correct": jnp.sum(correct * weight),
        "examples": jnp.sum(weight),
    }


def gradients(
    state: TrainState, batch: Batch, config: StepConfig, axis_name: str | None = None
) -> tuple[Any, Any, dict[str, jax.Array]]:
    """Gradient of the mean cross-entropy of the global batch.

    Args:
      state: the same on every device.
      batch: this device's share.
      config: the step's configuration.
      axis_name: device axis; None on one device.

    Returns:
      (gradients as `state.params`, new batch statistics, sums `loss`, `correct`,
      `examples` over the global batch), the same on every device.
    """
    key = jax.random.fold_in(jax.random.key(config.seed + 1), state.step)
    augment_key, dropout_key = jax.random.split(key)
    positions = batch["position"]
    mel = augmentation.augment(augment_key, batch["mel"], positions, config.augment)
    examples = _sum_over(axis_name, jnp.sum(batch["weight"]))

    def loss(params: Any) -> tuple[jax.Array, tuple[Any, dict[str, jax.Array]]]:
        logits, updated = network(state, config, axis_name).apply(
            {"params": params, "batch_stats": state.batch_stats},
            mel,
            positions,
            mutable=["batch_stats"],
            rngs={"dropout": dropout_key},
        )
        losses = _cross_entropy(logits, batch["label"], config.label_smoothing)
        counts = _counts(logits, losses, batch)
        return counts["loss"] / examples, (updated.get("batch_stats", {}), counts)

    gradient, (batch_stats, counts) = jax.grad(loss, has_aux=True)(state.params)
    gradient, counts = _sum_over(axis_name, (gradient, counts))
    return gradient, batch_stats, counts


def train_step(
    state: TrainState,
    batch: Batch,
    config: StepConfig,
    axis_name: str | None = None,
    decay_steps: int = 0,
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One step of Adadelta on the categorical cross-entropy (section 2.3).

    Args:
      state: the same on every device.
      batch: this device's share.
      config: the step's configuration.
      axis_name: device axis; None on one device.
      decay_steps: number of steps over which the learning rate falls to 0; with 0 it stays.

    Returns:
      (state after the step, sums `loss`, `correct`, `examples` over the global batch), the same
      on every device.
    """
    gradient, batch_stats, counts = gradients(state, batch, config, axis_name)
    updates, opt_state = optimiser(config, decay_steps).update(
        gradient, state.opt_state, state.params
    )
    params = optax.apply_updates(state.params, updates)
    return TrainState(state.step + 1, params, batch_stats, opt_state), counts


def _logits(state: TrainState, batch: Batch, config: StepConfig) -> jax.Array:
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    logits = network(state, config).apply(variables, batch["mel"])
    assert isinstance(logits, jax.Array)  # `apply` returns a pair only for mutable collections.
    return logits


def eval_step(
    state: TrainState, batch: Batch, config: StepConfig, axis_name: str | None = None
) -> dict[str, jax.Array]:
    """Sums `loss`, `correct` and `examples` over the global batch; padding does not count."""
    logits = _logits(state, batch, config)
    losses = _cross_entropy(logits, batch["label"], 0.0)
    return _sum_over(axis_name, _counts(logits, losses, batch))


def predict_step(state: TrainState, batch: Batch, config: StepConfig) -> jax.Array:
    """Probabilities p_k of section 2.4.2, float32 [b, N_c]; each row sums to 1."""
    return jax.nn.softmax(_logits(state, batch, config), axis=-1)


@functools.lru_cache(maxsize=8)
def jitted(name: str, config: StepConfig) -> Any:
    """Returns a compiled step for one device.

    Args:
      name: `train_step`, `eval_step` or `predict_step`.
      config: the step's configuration.
    """
    steps: dict[str, Callable[..., Any]] = {
        "train_step": train_step,
        "eval_step": eval_step,
        "predict_step": predict_step,
    }
    return jax.jit(functools.partial(steps[name], config=config))
