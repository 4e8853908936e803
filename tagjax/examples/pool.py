"""Worker processes, each of which a broken file may crash or hang.

A worker does one task after another, and says when it begins and ends to read a file. If it dies
or takes too long, another worker does the task again without that file.
"""

import collections
import contextlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from concurrent import futures
from typing import Any

from tagjax.base.errors import InputError

_TRIES = 5
"""Tries to read a file if the worker is killed from outside."""
_UNGUARDED = (
    "the workers of a build end before they begin, as each of them first imports your script; put "
    'what the script does under `if __name__ == "__main__":`, or take BuildConfig(workers=0)'
)

Tell = Callable[[int | None], None]
"""Called with the number of a file in its task before it is read, and with None after that."""
Work = Callable[[Any, Mapping[int, str], Tell], Any]
"""(task, {number of a file that cannot be read: reason}, `Tell`) -> result; is pickled."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def refuse_import() -> None:
    """Ends a worker that is importing the script of its parent, and comes to a build in it.

    Raises:
      SystemExit: this process is such a worker. It says nothing, as its parent does.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(_UNGUARDED)


def run(
    work: Work, tasks: Iterable[Any], workers: int | None, seconds: float, preload: str
) -> Generator[Any]:
    """The results of tasks in their order.

    At most `4 * workers` tasks are in flight, so memory does not grow with the number of tasks.

    Args:
      work: does a task; an exception that it raises is raised here.
      tasks: must be picklable.
      workers: number of processes; None is one for each core; 0 works in this process.
      seconds: time for reading one file.
      preload: module that the workers have imported before they start.

    Raises:
      InputError: a script that is not guarded by `if __name__ == "__main__":` calls it.
    """
    if workers == 0:
        yield from (work(task, {}, lambda place: None) for task in tasks)
        return
    crew = [_Worker(work, seconds, preload) for _ in range(workers or cores())]
    idle, own = iter(crew), threading.local()

    def hire() -> None:
        own.worker = next(idle)

    with futures.ThreadPoolExecutor(len(crew), initializer=hire) as threads:
        coming = (threads.submit(lambda task: own.worker.do(task), task) for task in tasks)
        pending = collections.deque(itertools.islice(coming, 4 * len(crew)))
        try:
            while pending:
                result = pending.popleft().result()
                pending.extend(itertools.islice(coming, 1))
                yield result
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for worker in crew:
                worker.dismiss()


class _Worker:
    """A process that a thread of this process drives; it is replaced if it dies."""

    _lock = threading.Lock()  # Python polls all its children whenever it starts one.

    def __init__(self, work: Work, seconds: float, preload: str) -> None:
        self._work, self._seconds, self._preload = work, seconds, preload
        self._process: Any = None
        self._connection: Any = None
        self._dismissed = False

    def do(self, task: Any) -> Any:
        """The result of a task, without files that kill the process or hold it too long.

        A process that dies of SIGKILL was killed from outside, by a system that ran out of memory.
        The file is then tried again, but at most `_TRIES` times, because the file itself may use up
        the memory.
        """
        lost: dict[int, str] = {}
        killed: collections.Counter[int | None] = collections.Counter()
        while True:
            place = None
            try:
                if self._process is None:
                    self._start()
                self._connection.send((self._work, task, lost))
                message = None
                while not isinstance(message, tuple):
                    if not self._connection.poll(None if message is None else self._seconds):
                        raise TimeoutError
                    message = self._connection.recv()
                    place = message if isinstance(message, int) else place
                result, error = message
            except TimeoutError:
                reason, from_outside = f"not decoded within {self._seconds:g} s", False
                self._end()
            except (EOFError, ConnectionError):
                reason, from_outside = "the decoder crashed", self._end() == -signal.SIGKILL
            else:
                if error is not None:
                    raise error
                return result
            killed[place] += 1
            if self._dismissed or (place is None and killed[place] == _TRIES):
                raise OSError("the workers of the build are killed")
            if place is not None and not (from_outside and killed[place] < _TRIES):
                lost[place] = reason

    def dismiss(self) -> None:
        """Kills the process, so that the thread that drives it ends."""
        with self._lock:
            self._dismissed = True
            if self._process is not None:
                self._process.kill()

    def _start(self) -> None:
        """Starts the process; returns once it is ready.

        Raises:
          InputError: it cannot import the program's script.
          EOFError: it died before it was ready.
        """
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([self._preload])
        self._connection, its_end = context.Pipe()
        with self._lock, its_end:
            if self._dismissed:
                raise EOFError
            self._process = context.Process(target=_serve, args=(its_end,), daemon=True)
            self._process.start()
        try:
            self._connection.recv()
        except (EOFError, ConnectionError):
            if self._end() == 1:
                raise InputError(_UNGUARDED) from None
            raise

    def _end(self) -> int:
        """Kills the process unless it is dead; returns its exit code."""
        with self._lock:
            process, self._process = self._process, None
            self._connection.close()
            if process is None:
                return 0
            process.join(0.5)  # Of a pipe that is closed, the process may be about to end.
            process.kill()
            process.join()
            return process.exitcode


def _serve(connection: Any) -> None:
    """Does tasks until the parent ends; runs in a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent handles interrupts.
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    with contextlib.suppress(EOFError, ConnectionError):
        connection.send(None)
        while True:
            work, task, lost = connection.recv()
            try:
                message: tuple[Any, Any] = work(task, lost, connection.send), None
            except Exception as error:
                message = None, error
            connection.send(message)
