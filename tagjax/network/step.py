"""The steps of training, evaluation and prediction: pure functions of state and batch.

They run on one device as they are; with `axis_name` they are one device's share of a
larger step, as `parallel.py` maps them. Sums are reduced over devices and only then
divided, so the division of a batch over devices changes nothing.

A batch is {`mel`: float [b, frames, bands], `label`: int32 [b], `weight`: float32 [b], 0 for
padding, `position`: int32 [b], places in the global batch}.
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
    """All that a training step depends on beside state and batch.

    Attributes:
      num_tags: N_c.
      model: shape of the network.
      augment: random changes of the input.
      precision: dtype of the computation, `float32` or `bfloat16`.
      learning_rate: of Adadelta [32].
      decay_steps: the learning rate falls to 0 over so many steps, as a half cosine; 0: never.
      rho: decay of Adadelta's averages.
      epsilon: of Adadelta; it sets the size of the first steps.
      label_smoothing: share of the target that is spread over all tags.
      seed: of initialisation, dropout and augmentation.
    """

    num_tags: int
    model: ModelConfig = ModelConfig()
    augment: augmentation.AugmentConfig = augmentation.AugmentConfig()
    precision: str = "float32"
    learning_rate: float = 1.0
    decay_steps: int = 0
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
    """What training changes: a step count, parameters, batch statistics, Adadelta's averages."""

    step: jax.Array
    params: Any
    batch_stats: Any
    opt_state: Any


def network(config: StepConfig, axis_name: str | None = None) -> TagClassifier:
    """The Flax module of a configuration."""
    return TagClassifier(config.num_tags, config.model, jnp.dtype(config.precision), axis_name)


def optimiser(config: StepConfig) -> optax.GradientTransformation:
    """Adadelta; optax has no default learning rate, and without one it ascends."""
    rate: float | optax.Schedule = config.learning_rate
    if config.decay_steps:
        rate = optax.cosine_decay_schedule(config.learning_rate, config.decay_steps)
    return optax.adadelta(rate, rho=config.rho, eps=config.epsilon)


def initial_state(config: StepConfig, input_shape: tuple[int, int] = (646, 96)) -> TrainState:
    """State at step 0, a function of `config.seed`."""

    def fresh(key: jax.Array) -> TrainState:
        variables = init(key, config.num_tags, config.model, input_shape)
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=variables["params"],
            batch_stats=variables.get("batch_stats", {}),
            opt_state=optimiser(config).init(variables["params"]),
        )

    # Compiled, so that of the network nothing runs but what fills its variables; it runs once,
    # so optimising it would take longer than it saves. (JAX takes options at the top only.)
    key = jax.random.key(config.seed)
    options = None if isinstance(key, jax.core.Tracer) else {"xla_backend_optimization_level": 0}
    return jax.jit(fresh, compiler_options=options)(key)


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
        logits, updated = network(config, axis_name).apply(
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
    state: TrainState, batch: Batch, config: StepConfig, axis_name: str | None = None
) -> tuple[TrainState, dict[str, jax.Array]]:
    """One step of Adadelta on the categorical cross-entropy (section 2.3).

    Args and sums returned: as `gradients`.
    """
    gradient, batch_stats, counts = gradients(state, batch, config, axis_name)
    updates, opt_state = optimiser(config).update(gradient, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return TrainState(state.step + 1, params, batch_stats, opt_state), counts


def _logits(state: TrainState, batch: Batch, config: StepConfig) -> jax.Array:
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    logits = network(config).apply(variables, batch["mel"])
    assert isinstance(logits, jax.Array)  # Nothing is mutable.
    return logits


def eval_step(
    state: TrainState, batch: Batch, config: StepConfig, axis_name: str | None = None
) -> dict[str, jax.Array]:
    """Sums of `loss`, `correct` and `examples` over the global batch, padding left out."""
    logits = _logits(state, batch, config)
    losses = _cross_entropy(logits, batch["label"], 0.0)
    return _sum_over(axis_name, _counts(logits, losses, batch))


def predict_step(state: TrainState, batch: Batch, config: StepConfig) -> jax.Array:
    """Probabilities p_k of section 2.4.2, float32 [b, N_c]; each row sums to 1."""
    return jax.nn.softmax(_logits(state, batch, config), axis=-1)


@functools.lru_cache(maxsize=8)
def jitted(name: str, config: StepConfig) -> Any:
    """A step of this module on one device, compiled: `train_step`, `eval_step`, `predict_step`."""
    steps: dict[str, Callable[..., Any]] = {
        "train_step": train_step,
        "eval_step": eval_step,
        "predict_step": predict_step,
    }
    return jax.jit(functools.partial(steps[name], config=config))
