"""Processes that notice each other's end: whoever is left alone leaves too, and says why.

A star of sockets around process 0. Each process sends a byte a second; a socket that the kernel
closed, as it does when a process is killed, or one that was silent too long, is a process lost.
JAX's own service notices the first after its time limit only, and aborts with its own log.
"""

import atexit
import os
import secrets
import select
import socket
import sys
import threading
import time
from collections.abc import Callable

LOST = os.EX_TEMPFAIL
"""Exit code where another process was lost: the same commands go on."""

_ALIVE, _FAREWELL = 0, 255
_EVERY = 1.0
_GRACE = 5.0
_TOKEN = 16


def listen() -> tuple[socket.socket, bytes]:
    """What process 0 opens: a socket, and what each other process must know to join."""
    server = socket.create_server(("", 0))
    return server, server.getsockname()[1].to_bytes(2, "big") + secrets.token_bytes(_TOKEN)


def accept(server: socket.socket, ticket: bytes, count: int) -> dict[int, socket.socket]:
    """The sockets of processes 1 to count - 1, as they join."""
    peers: dict[int, socket.socket] = {}
    with server:
        while len(peers) < count - 1:
            peer, _ = server.accept()
            peer.settimeout(60)
            said = peer.recv(_TOKEN + 2, socket.MSG_WAITALL)
            number = int.from_bytes(said[_TOKEN:], "big")
            if secrets.compare_digest(said[:_TOKEN], ticket[2:]) and 0 < number < count:
                peers[number] = peer
            else:
                peer.close()
    return peers


def join(host: str, ticket: bytes, number: int) -> dict[int, socket.socket]:
    """The socket of process 0, for process `number`."""
    leader = socket.create_connection((host, int.from_bytes(ticket[:2], "big")), 60)
    leader.sendall(ticket[2:] + number.to_bytes(2, "big"))
    return {0: leader}


def _exit(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Pulse:
    """A thread that ends this process when another one has ended before its work was done."""

    def __init__(
        self,
        peers: dict[int, socket.socket],
        count: int,
        seconds: float,
        leave: Callable[[int], None] = _exit,
    ) -> None:
        """Starts it.

        Args:
          peers: {process: its socket}.
          count: of all processes, for messages.
          seconds: a process that was silent for so long is lost.
          leave: ends this process with an exit code.
        """
        self._peers, self._count, self._seconds, self._leave = peers, count, seconds, leave
        self._heard = dict.fromkeys(peers, time.monotonic())
        self._leaving = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="pulse", daemon=True)
        self._thread.start()

    def _tell(self, code: int) -> None:
        for peer in list(self._peers.values()):  # `_watch` may forget one meanwhile.
            try:
                peer.settimeout(_EVERY)
                peer.sendall(bytes([code]))
            except OSError:
                pass  # `_watch` hears of it.

    def _watch(self) -> None:
        while not self._leaving.is_set():
            self._tell(_ALIVE)
            began = time.monotonic()
            while (left := began + _EVERY - time.monotonic()) > 0 and not self._leaving.is_set():
                ready, _, _ = select.select(list(self._peers.values()), [], [], min(left, 0.1))
                for number, peer in list(self._peers.items()):
                    if peer in ready:
                        self._hear(number, peer)
            for number in self._peers:
                silent = time.monotonic() - self._heard[number]
                if silent > self._seconds:
                    self._end(LOST, f"nothing was heard of process {number} for {silent:.0f} s")

    def _hear(self, number: int, peer: socket.socket) -> None:
        try:
            said = peer.recv(64)
        except OSError:
            said = b""
        codes = [code for code in said if code != _ALIVE]
        self._heard[number] = time.monotonic()
        if codes == [_FAREWELL]:
            del self._peers[number]
        elif codes:
            self._end(codes[0], f"process {number} left with exit code {codes[0]}", _GRACE)
        elif not said:
            self._end(LOST, f"process {number} has ended unasked")

    def _end(self, code: int, why: str, grace: float = 0.0) -> None:
        """Leaves; first waits whether this process is just about to, by itself."""
        self._lost.set()
        if self._leaving.wait(grace):
            return
        print(
            f"\nerror: {why}, one of {self._count}; give all of them their commands again: "
            "they go on from the last checkpoint",
            file=sys.stderr,
        )
        self._tell(code)
        self._leaving.set()
        self._leave(code)

    def stop(self, code: int = 0) -> None:
        """Ends the watch: the work is done, or this process is about to leave with `code`.

        The other processes leave too if it is not 0. This one then does not wait for JAX's service
        at its end: the others may never come there.
        """
        if code == 1 and not self._leaving.is_set():  # Of a lost process JAX raises what it likes.
            self._lost.wait(_GRACE)
        self._tell(code or _FAREWELL)
        self._leaving.set()
        if code:
            atexit.register(_exit, code)
        if threading.current_thread() is not self._thread:
            self._thread.join(2 * _EVERY)
