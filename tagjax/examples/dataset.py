"""Data sets on disk: finds a built data set and what is recorded about it."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tagjax.base.errors import InputError
from tagjax.base.files import PathLike
from tagjax.vocabulary.truth import COLUMNS, Truth, from_rows, read_truth
from tagjax.vocabulary.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A built data set on disk.

    Attributes:
      name: `builder/config`.
      path: folder of its version.
      vocabulary: tags, in the order of the labels.
      input_shape: (frames, mel bands).
      parts: {part: number of examples}.
      metadata: `experiment` and how it was built.
      fingerprint: {part: [examples, bytes]}, which tells it from another build.
    """

    name: str
    path: pathlib.Path
    vocabulary: Vocabulary
    input_shape: tuple[int, int]
    parts: dict[str, int]
    metadata: dict[str, Any]
    fingerprint: dict[str, Any]

    @property
    def tags(self) -> tuple[str, ...]:
        """N_c tags, in the order of the labels."""
        return self.vocabulary.tags

    @functools.cached_property
    def truth(self) -> Truth:
        """The truth tables beside the examples, read when they are first asked for.

        Raises:
          InputError: as `read_truth`.
        """
        tables = any((self.path / f"{name}.csv").exists() for name in COLUMNS)
        if tables or "truth" not in self.metadata:
            return read_truth(self.path)
        return from_rows(self.metadata["truth"])  # Older data sets have no tables.


def vocabulary_of(tags: Sequence[str], metadata: Mapping[str, Any]) -> Vocabulary:
    """The vocabulary that metadata record.

    Older metadata have `systems` and `experiment` instead. For lists without a `split.json` these
    `systems` say nothing, and the vocabulary is guessed.

    Args:
      tags: tags in the order of the labels.
      metadata: metadata of a data set.

    Raises:
      InputError: the record is damaged, or a tag is of none of the systems.

    >>> vocabulary_of(["a:dub", "b:dub"], {"systems": ["a:", "b:"]}).names
    ('dub', 'dub')
    """
    if "vocabulary" in metadata:
        return Vocabulary.from_record(metadata["vocabulary"])
    systems = metadata.get("systems", [""])
    if systems == [""] and not metadata.get("sampling"):
        systems = Vocabulary.guess(tags).systems
    return Vocabulary.of(tags, systems, metadata.get("experiment") == "deduplication")


def find(name: str, data_dir: PathLike, known: Iterable[str] = ()) -> Dataset:
    """The built data set `builder/config`, or `builder` if it has only one config.

    Args:
      name: name given by the user.
      data_dir: TFDS' folder of data sets.
      known: names of the existing builders, for the advice in the error.

    Raises:
      InputError: the name is unknown, or the data set is not built; the message names the command
        that builds it.

    >>> find("catalogue_split/mine", "data/tfds").parts
    {'train': 8, 'validation': 8, 'test': 8}

    Reference: https://www.tensorflow.org/datasets
    """
    import tensorflow_datasets as tfds

    builder_name, config, path = _place(name, pathlib.Path(data_dir), known)
    info = tfds.builder_from_directory(path).info
    metadata = dict(info.metadata or {})
    splits = info.splits.items()
    return Dataset(
        name=f"{builder_name}/{config}",
        path=path,
        vocabulary=vocabulary_of(info.features["label"].names, metadata),
        input_shape=tuple(info.features["mel"].shape),
        parts={part: split.num_examples for part, split in splits},
        metadata=metadata,
        fingerprint={part: [split.num_examples, split.num_bytes] for part, split in splits},
    )


def _place(name: str, root: pathlib.Path, known: Iterable[str]) -> tuple[str, str, pathlib.Path]:
    """(builder, config, folder of the newest version) of a data set; errors as `find`."""
    builder_name, _, config = name.partition("/")
    built = sorted(path.parent for path in root.glob("*/*/*/dataset_info.json"))
    fitting = [
        path
        for path in built
        if path.parts[-3] == builder_name and (not config or path.parts[-2] == config)
    ]
    if not fitting:
        names = sorted({*known, *("/".join(path.parts[-3:-1]) for path in built)})
        if builder_name not in {n.partition("/")[0] for n in names}:
            raise InputError(f"unknown dataset {name!r}; one of {', '.join(names)}")
        raise InputError(
            f"dataset {name!r} is not in {root}; "
            f"build it: python -m launch.build --dataset={name} --data_dir={root}"
        )
    configs = sorted({path.parts[-2] for path in fitting})
    if len(configs) > 1:
        choices = ", ".join(f"{builder_name}/{c}" for c in configs)
        raise InputError(f"dataset {name!r} has several configs; one of {choices}")
    return builder_name, configs[0], fitting[-1]
