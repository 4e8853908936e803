"""The configuration of a run, and the presets."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from tagjax.base.errors import InputError
from tagjax.examples.dataset import Dataset
from tagjax.network.augment import AugmentConfig
from tagjax.network.model import PRESETS as MODELS
from tagjax.network.step import StepConfig
from tagjax.run.parts import Parts


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Everything that defines a run, apart from its data set.

    Attributes:
      step: the training step: network, augmentation, optimiser, precision and seed.
      batch_size: excerpts in the global batch, over all devices and processes.
      max_epochs: the largest number of epochs.
      patience: epochs without a better validation loss before training stops.
      min_epochs: the number of epochs before which early stopping does nothing.
      early_stopping: whether the validation loss stops training and the best epoch predicts, as in
        the paper. Otherwise all `max_epochs` are trained and the last one predicts. Folds then
        need no validation fold, so a small catalogue loses no data to it.
      decay: whether the learning rate falls to 0 over `max_epochs` (half a cosine).
      shuffle_labels: whether the labels are dealt out at random; such a run shows what chance
        would give.
      reading_processes: processes that read a data set which does not fit on the accelerators; 0
        starts as many as are useful. It is no part of a run's identity.

    >>> PRESETS["paper"].batch_size, PRESETS["small"].max_epochs
    (32, 30)
    >>> dataclasses.replace(PRESETS["small"], max_epochs=5).patience
    5

    Reference: section 2.3 of the paper,
    https://github.com/deezer/audio_based_disambiguation_of_music_genre_tags
    """

    step: StepConfig = StepConfig()
    batch_size: int = 32
    max_epochs: int = 100
    patience: int = 10
    min_epochs: int = 1
    early_stopping: bool = True
    decay: bool = False
    shuffle_labels: bool = False
    reading_processes: int = 0

    def __post_init__(self) -> None:
        for name in ("batch_size", "max_epochs", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} {getattr(self, name)} must be at least 1")
        if self.reading_processes < 0:
            raise InputError(f"reading_processes {self.reading_processes} must not be negative")

    def record(self) -> dict[str, Any]:
        """The form that `config.json` keeps; the fields of `step` lie beside the others."""
        record = dataclasses.asdict(self)
        del record["reading_processes"]
        return {**record.pop("step"), **record}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "TrainConfig":
        """The inverse of `record`, which may have been through JSON.

        Raises:
          InputError: a field is missing, unknown or of another kind.
        """
        steps = {field.name for field in dataclasses.fields(StepConfig)}
        step = {name: value for name, value in record.items() if name in steps}
        rest = {name: value for name, value in record.items() if name not in steps}
        try:
            return _built(cls, {**rest, "step": step, "reading_processes": 0})
        except (TypeError, KeyError) as error:
            raise InputError(f"not the configuration of a training: {error}") from None


def _built(kind: Any, record: Mapping[str, Any]) -> Any:
    """Makes an instance of a config dataclass from its fields in JSON."""
    hints = typing.get_type_hints(kind)
    names = {field.name for field in dataclasses.fields(kind)}
    if names != record.keys():
        raise KeyError(", ".join(sorted(names ^ record.keys())))
    return kind(
        **{
            name: _built(hints[name], value)
            if dataclasses.is_dataclass(hints[name])
            else _as_tuple(value)
            for name, value in record.items()
        }
    )


def _as_tuple(value: Any) -> Any:
    """Turns lists, nested ones too, into tuples; returns other values unchanged."""
    return tuple(map(_as_tuple, value)) if isinstance(value, list | tuple) else value


def replaced(config: Any, changes: Mapping[str, Any]) -> Any:
    """A copy of a config with other values of some fields, also of fields of nested configs.

    Args:
      config: a config dataclass.
      changes: {field: value}; no two nested fields have the same name.

    Raises:
      InputError: a field cannot have the value.
      TypeError: there is no such field.

    >>> replaced(PRESETS["small"], {"max_epochs": 3, "gru_units": 64}).step.model.gru_units
    64
    """
    remaining, values = dict(changes), {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value) and field.name not in remaining:
            nested = {name: remaining.pop(name) for name in list(remaining) if _has(value, name)}
            if nested:
                values[field.name] = replaced(value, nested)
        elif field.name in remaining:
            values[field.name] = remaining.pop(field.name)
    if remaining:
        raise TypeError(f"{type(config).__name__} has no field {', '.join(remaining)}")
    return dataclasses.replace(config, **values)


def _has(config: Any, name: str) -> bool:
    """Whether a config, or a config nested in it, has a field."""
    return any(
        field.name == name or (dataclasses.is_dataclass(value) and _has(value, name))
        for field in dataclasses.fields(config)
        for value in [getattr(config, field.name)]
    )


def steps_per_epoch(config: TrainConfig, dataset: Dataset, parts: Parts) -> int:
    """Number of steps, at least 1, that show each example about once."""
    examples = sum(dataset.parts.get(part, 0) for part in parts.train)
    return max(1, examples // config.batch_size)


def decay_steps(config: TrainConfig, dataset: Dataset, parts: Parts) -> int:
    """Number of steps over which the learning rate falls to 0; 0 if it stays the same."""
    return config.max_epochs * steps_per_epoch(config, dataset, parts) if config.decay else 0


def shown_shape(config: TrainConfig, dataset: Dataset) -> tuple[int, int]:
    """(frames, mel bands) of the network's input in training."""
    frames, bands = dataset.input_shape
    return min(config.step.augment.crop_frames or frames, frames), bands


PRESETS = {
    "paper": TrainConfig(),
    "small": TrainConfig(
        StepConfig(MODELS["small"], epsilon=1e-6),
        max_epochs=30,
        patience=5,
    ),
    "catalogue": TrainConfig(
        StepConfig(
            MODELS["small"],
            AugmentConfig(crop_frames=216, gain_db=6.0, tilt_db=12.0, shift_bands=2, mask_bands=12),
            epsilon=1e-6,
            label_smoothing=0.1,
        ),
        max_epochs=16,
        early_stopping=False,
        decay=True,
    ),
    "demo": TrainConfig(
        StepConfig(
            MODELS["small"],
            AugmentConfig(gain_db=6.0, tilt_db=12.0, mask_bands=12, shift_bands=1),
            epsilon=1e-6,
            label_smoothing=0.1,
        ),
        max_epochs=10,
        decay=True,
    ),
}
"""`paper`; `small`, which learns on a CPU; `catalogue`, for a few thousand tracks and folds;
`demo`, for the embedded music."""
