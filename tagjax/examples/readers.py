"""Processes that read examples into memory which they share with this one.

The memory has no name, so nothing of it is left however the processes end. A process ends with its
parent, whose end closes the pipe that it reads.
"""

import collections
import contextlib
import ctypes
import math
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from tagjax.base.interruption import SIGNALS
from tagjax.examples.records import Records

_TRIES = 3
"""Tries to read some examples if the process dies each time."""


class Reader:
    """A process that reads examples; it starts when needed, and again if it dies."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._memory = _nameless()
        self._size = 0
        self._free: dict[int, list[tuple[int, mmap.mmap]]] = collections.defaultdict(list)
        self._process: Any = None
        self._connection: Any = None

    def read(self, indices: np.ndarray) -> tuple[np.ndarray, list[dict[str, Any]]]:
        """The log-mels [n, frames, bands] at `indices` [n], and the rest of each example.

        The log-mels lie in shared memory, which is used again once nothing refers to them.

        Raises:
          OSError: the process dies again and again.
        """
        mel, start = self._room(len(indices))
        for _ in range(_TRIES):
            try:
                if self._process is None:
                    self._start()
                self._connection.send((start, indices))
                answer = self._connection.recv()
            except (EOFError, ConnectionError):
                self._end()
            else:
                if isinstance(answer, Exception):
                    raise answer
                return mel, answer
        raise OSError(f"a process that reads the data set died {_TRIES} times")

    def _room(self, count: int) -> tuple[np.ndarray, int]:
        """Shared memory for some log-mels, and its place; freed with the last reference to it."""
        shape, dtype = (count, *self._records.shape), self._records.dtype
        size = math.prod(shape) * dtype.itemsize
        free = self._free[size]
        if free:
            start, memory = free.pop()
        else:
            start = self._size
            self._size += math.ceil(size / mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
            os.ftruncate(self._memory, self._size)
            memory = mmap.mmap(self._memory, size, offset=start)
        # NumPy's views would not keep a memoryview alive, or another array.
        owner: Any = (ctypes.c_char * size).from_buffer(memory)
        weakref.finalize(owner, free.append, (start, memory)).atexit = False
        return np.frombuffer(owner, dtype).reshape(shape), start

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._connection = Connection(ours.detach())
        passed = theirs.fileno(), self._memory
        # Blocked, as this process handles them. A handler would be installed too late.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            # Unlike those of `multiprocessing`, it does not import the user's script.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, *map(str, passed)],
                stdin=subprocess.DEVNULL,
                pass_fds=passed,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        self._connection.send(self._records)

    def _end(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.wait()
        self._process = None

    def __del__(self) -> None:
        if self._process is not None:
            self._end()
        os.close(self._memory)


def _nameless() -> int:
    """A file in memory without a name."""
    if hasattr(os, "memfd_create"):  # Linux; unlike /dev/shm, a container does not limit it.
        return os.memfd_create("mel")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _serve(connection: Connection, memory: int) -> None:
    """Reads what the parent asks for, until it ends."""
    with contextlib.suppress(EOFError, ConnectionError):
        records = connection.recv()
        known: dict[int, np.ndarray] = {}
        while True:
            start, indices = connection.recv()
            if start not in known:
                shape = (len(indices), *records.shape)
                size = math.prod(shape) * records.dtype.itemsize
                mapped = mmap.mmap(memory, size, offset=start)
                known[start] = np.frombuffer(mapped, records.dtype).reshape(shape)
            try:
                answer = records.fill(indices, known[start])
            except Exception as error:
                answer = error
            connection.send(answer)


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])), int(sys.argv[2]))
