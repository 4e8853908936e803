"""Reads the variables of a TensorFlow checkpoint, without TensorFlow.

A checkpoint is two files. The index is a sorted table in the form of LevelDB: blocks of keys that
leave out what they share with the key before, with a small protocol buffer a variable (type, shape,
place in the data). The data are the bare numbers.

References: https://github.com/google/leveldb/blob/main/doc/table_format.md,
https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/protobuf/tensor_bundle.proto
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from tagjax.base.errors import InputError

_MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
_FOOTER = 48
"""Bytes at the end of an index: two places of blocks, padding, the magic number."""
_FLOAT = 1
"""TensorFlow's number of float32."""


def read_variables(name: str, index: bytes, data: bytes) -> dict[str, np.ndarray]:
    """The float32 variables of a checkpoint of one data file, by name.

    Args:
      name: of the checkpoint, for messages.
      index: content of its `.index` file.
      data: content of its `.data-00000-of-00001` file.

    Raises:
      InputError: not a checkpoint, one of another form (packed blocks, several data files, big
        endian), or a damaged one.
    """
    try:
        entries = dict(_entries(index))
        header = _fields(entries.pop(b""))
        if header.get(1) != 1 or header.get(2, 0):
            raise ValueError("several data files, or big endian")
        found = {key.decode(): _variable(_fields(value), data) for key, value in entries.items()}
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        raise InputError(
            f"{name}: not a TensorFlow checkpoint that can be read ({reason})"
        ) from None
    return {key: value for key, value in found.items() if value is not None}


def _variable(entry: dict[int, Any], data: bytes) -> np.ndarray | None:
    """The numbers of an entry; None for other types than float32."""
    if entry.get(1) != _FLOAT:
        return None
    offset, size = entry.get(4, 0), entry.get(5, 0)
    shape = tuple(_sizes(entry.get(2, b"")))
    if entry.get(3, 0) or size != 4 * math.prod(shape) or offset + size > len(data):
        raise ValueError("a variable lies outside the data")
    return np.frombuffer(data, "<f4", size // 4, offset).reshape(shape)


def _sizes(shape: bytes) -> Iterator[int]:
    """The sizes of a TensorShapeProto's dimensions."""
    at = 0
    while at < len(shape):
        tag, at = _varint(shape, at)
        size, at = _varint(shape, at)
        if tag != 2 << 3 | 2:
            raise ValueError("a shape of another form")
        yield _fields(shape[at : at + size]).get(1, 0)
        at += size


def _entries(index: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of all entries of a table."""
    footer = index[-_FOOTER:]
    if len(footer) < _FOOTER or not footer.endswith(_MAGIC):
        raise ValueError("no table of variables")
    at = _varint(footer, _varint(footer, 0)[1])[1]  # After the place of the block of metadata.
    for _, place in _block(index, footer[at:]):
        yield from _block(index, place)


def _block(index: bytes, place: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(key, value) of the entries of a block; `place` is its offset and size."""
    offset, at = _varint(place, 0)
    size, _ = _varint(place, at)
    if index[offset + size]:
        raise ValueError("its table is packed")
    block = index[offset : offset + size]
    restarts = int.from_bytes(block[-4:], "little")
    end, at, key = len(block) - 4 - 4 * restarts, 0, b""
    while at < end:
        shared, at = _varint(block, at)
        fresh, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + fresh]
        at += fresh
        yield key, block[at : at + length]
        at += length


def _fields(message: bytes) -> dict[int, Any]:
    """{number: value} of a protocol buffer's fields: bytes, or an int."""
    fields: dict[int, Any] = {}
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            fields[number], at = _varint(message, at)
        elif kind == 2:
            size, at = _varint(message, at)
            fields[number] = message[at : at + size]
            at += size
        elif kind == 5:
            fields[number] = int.from_bytes(message[at : at + 4], "little")
            at += 4
        else:
            raise ValueError("an entry of another form")
    return fields


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """(number, place after it) of a number of 7 bits a byte, the lowest first."""
    number = shift = 0
    while True:
        byte = content[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
        if shift > 63:
            raise ValueError("a number of too many bytes")
