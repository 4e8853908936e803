"""Which parts of a data set a run trains on, validates with and predicts."""

import dataclasses

from tagjax.base.errors import InputError
from tagjax.examples.dataset import Dataset


@dataclasses.dataclass(frozen=True)
class Parts:
    """Names of the parts that a model trains on, validates with and predicts."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    predict: tuple[str, ...]


def parts_of(dataset: Dataset, fold: int | None = None, early_stopping: bool = True) -> Parts:
    """The parts of a run, or of one fold of it.

    The model that predicts fold k of K trains on the other folds. With early stopping, it keeps
    fold k + 1 (modulo K) for validation.

    Raises:
      InputError: the data set lacks one of these parts.
    """
    names = dataset.parts
    predict: tuple[str, ...]
    if fold is None:
        missing = [part for part in ("train", "validation", "test") if part not in names]
        if missing:
            raise InputError(
                f"dataset {dataset.name} has no part {missing[0]!r}: {', '.join(names)}; "
                f"build it from a manifest with {missing[0]}.csv"
            )
        predict = tuple(part for part in ("test", "overlap") if part in names)
        return Parts(("train",), ("validation",), predict)
    count = folds_of(dataset)
    validation = [(fold + 1) % count] if early_stopping else []
    train_folds = [k for k in range(count) if k not in (fold, *validation)]
    if not train_folds:
        raise InputError(
            f"dataset {dataset.name} has {count} folds, too few to learn from: "
            "split it into more, or train without early stopping (--noearly_stopping)"
        )
    train = [f"fold_{k}{suffix}" for k in train_folds for suffix in ("", "_upsampled")]
    predict = tuple(f"fold_{fold}{suffix}" for suffix in ("", "_downsampled", "_overlap"))
    return Parts(
        tuple(part for part in train if part in names),
        tuple(f"fold_{k}" for k in validation),
        tuple(part for part in predict if part in names),
    )


def folds_of(dataset: Dataset) -> int:
    """Number of folds of a data set; 0 if it has train, validation and test instead."""
    return sum(part.removeprefix("fold_").isdigit() for part in dataset.parts)
