"""Examples on disk, read one by one in any order."""

import bisect
import dataclasses
import functools
import itertools
from typing import Any

import numpy as np

FIELDS = ("sng_id", "artist_id", "album_id", "tags")


@dataclasses.dataclass(frozen=True)
class Records:
    """The examples of some parts, one part after the other; is pickled.

    Attributes:
      sources: {part: its records}; `[index]` is an encoded example.
      shape: (frames, mel bands).
      dtype: dtype of the stored log-mels.
      features: the data set's features, or None if a log-mel is stored as its raw bytes. TFDS
        decodes all nine fields of an example, which takes as long as to read it.
    """

    sources: dict[str, Any]
    shape: tuple[int, ...]
    dtype: np.dtype
    features: Any

    @functools.cached_property
    def _ends(self) -> list[int]:
        return list(itertools.accumulate(len(source) for source in self.sources.values()))

    def __len__(self) -> int:
        return self._ends[-1]

    def read(self, index: int) -> dict[str, Any]:
        """An example: its `mel`, `label`, the text `FIELDS`, and the name of its `part`."""
        number = bisect.bisect_right(self._ends, index)
        part, source = list(self.sources.items())[number]
        record = source[index - self._ends[number] + len(source)]
        return {**self._decoded(record), "part": part}

    def _decoded(self, record: bytes) -> dict[str, Any]:
        from tensorflow_datasets.proto import tf_example_pb2

        if self.features is not None:
            example = self.features.deserialize_example_np(record)
            text = {field: example[field].decode() for field in FIELDS}
            return {"mel": example["mel"], "label": example["label"], **text}
        stored = tf_example_pb2.Example.FromString(record).features.feature
        mel = np.frombuffer(stored["mel"].bytes_list.value[0], self.dtype).reshape(self.shape)
        text = {field: stored[field].bytes_list.value[0].decode() for field in FIELDS}
        return {"mel": mel, "label": stored["label"].int64_list.value[0], **text}

    def fill(self, indices: np.ndarray, mel: np.ndarray) -> list[dict[str, Any]]:
        """Reads the examples at `indices` [n] into `mel` [n, frames, bands].

        Returns:
          Each example without its log-mel.
        """
        examples = []
        for row, index in zip(mel, indices.tolist(), strict=True):
            example = self.read(index)
            row[...] = example.pop("mel")
            examples.append(example)
        return examples
