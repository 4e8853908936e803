"""What a run is, beside its data set; and the presets."""

import dataclasses

from tagjax.base.errors import InputError
from tagjax.examples.dataset import Dataset
from tagjax.network import step
from tagjax.network.augment import AugmentConfig
from tagjax.network.model import PRESETS as MODELS
from tagjax.network.model import ModelConfig
from tagjax.run.parts import Parts


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """What a run is, beside its data set.

    Attributes:
      model: shape of the network.
      augment: random changes of the input.
      batch_size: of the global batch, over all devices and processes.
      max_epochs: at most so many.
      patience: epochs without a better validation loss before training stops.
      min_epochs: early stopping waits for so many epochs.
      early_stopping: stop by the validation loss and predict with the best epoch (the paper);
        if not, all `max_epochs` are trained and the last one predicts, and folds need no
        validation fold, so that a small catalogue loses no data to it.
      decay: the learning rate falls to 0 over `max_epochs` (half a cosine).
      precision: `float32` or `bfloat16`.
      learning_rate: of Adadelta.
      rho: of Adadelta.
      epsilon: of Adadelta.
      label_smoothing: share of the target spread over all tags.
      seed: of everything random.
      shuffle_labels: deal the labels out at random: a run that shows chance.
    """

    model: ModelConfig = MODELS["paper"]
    augment: AugmentConfig = AugmentConfig()
    batch_size: int = 32
    max_epochs: int = 100
    patience: int = 10
    min_epochs: int = 1
    early_stopping: bool = True
    decay: bool = False
    precision: str = "float32"
    learning_rate: float = 1.0
    rho: float = 0.95
    epsilon: float = 1e-7
    label_smoothing: float = 0.0
    seed: int = 0
    shuffle_labels: bool = False

    def __post_init__(self) -> None:
        for name in ("batch_size", "max_epochs", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} must be at least 1")
        step_config(self, num_tags=1)  # Refuses what is wrong in the rest.


def step_config(config: TrainConfig, num_tags: int, steps_per_epoch: int = 0) -> step.StepConfig:
    """The part of a run's configuration that its steps depend on."""
    return step.StepConfig(
        num_tags=num_tags,
        decay_steps=config.max_epochs * steps_per_epoch if config.decay else 0,
        **{
            field.name: getattr(config, field.name)
            for field in dataclasses.fields(step.StepConfig)
            if field.name not in ("num_tags", "decay_steps")
        },
    )


def steps_per_epoch(config: TrainConfig, dataset: Dataset, parts: Parts) -> int:
    """Steps that show each example about once, at least one."""
    examples = sum(dataset.parts.get(part, 0) for part in parts.train)
    return max(1, examples // config.batch_size)


def run_step(config: TrainConfig, dataset: Dataset, parts: Parts) -> step.StepConfig:
    """The configuration of the steps of a run on a data set."""
    return step_config(config, len(dataset.tags), steps_per_epoch(config, dataset, parts))


def shown(config: TrainConfig, dataset: Dataset) -> tuple[int, int]:
    """(frames, mel bands) of what the network learns from."""
    frames, bands = dataset.input_shape
    return min(config.augment.crop_frames or frames, frames), bands


PRESETS = {
    "paper": TrainConfig(),
    "small": TrainConfig(model=MODELS["small"], epsilon=1e-6, max_epochs=30, patience=5),
    "catalogue": TrainConfig(
        model=MODELS["small"],
        augment=AugmentConfig(
            crop_frames=216, gain_db=6.0, tilt_db=12.0, shift_bands=2, mask_bands=12
        ),
        epsilon=1e-6,
        max_epochs=16,
        early_stopping=False,
        decay=True,
        label_smoothing=0.1,
    ),
    "demo": TrainConfig(
        model=MODELS["small"],
        augment=AugmentConfig(gain_db=6.0, tilt_db=12.0, mask_bands=12, shift_bands=1),
        epsilon=1e-6,
        max_epochs=10,
        decay=True,
        label_smoothing=0.1,
    ),
}
"""`paper`; `small`, which learns on a CPU; `catalogue`, for a few thousand tracks and folds."""
