"""What is written to one client of a thread: at once what it takes, the rest when it takes more."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

__all__ = ["ClientSocket", "Outgoing"]

_DONTWAIT: Final = socket.MSG_DONTWAIT


class ClientSocket(Protocol):
    """What a connection needs of its socket: see socket.socket."""

    def fileno(self) -> int: ...

    def setsockopt(self, level: int, option: int, value: bytes, /) -> None: ...

    def recv(self, size: int, flags: int = 0, /) -> bytes: ...

    def send(self, data: bytes | memoryview, flags: int = 0, /) -> int: ...

    def shutdown(self, how: int, /) -> None: ...

    def close(self) -> None: ...


class Outgoing:
    """Bytes for one client.

    Args:
        sock: where to write; never waited for.
        timeout: seconds for a client that takes nothing.
        now: tells the time.

    Attributes:
        due: when a client that takes nothing is to be given up; None while nothing is unsent.
    """

    __slots__ = ("_now", "_socket", "_timeout", "_unsent", "due")

    def __init__(self, sock: ClientSocket, timeout: float, now: Callable[[], float]) -> None:
        self._socket = sock
        self._timeout = timeout
        self._now = now
        self._unsent: deque[memoryview] = deque()
        self.due: float | None = None

    @property
    def waits(self) -> bool:
        """Whether something is unsent."""
        return self.due is not None

    @property
    def size(self) -> int:
        """How many bytes are unsent."""
        return sum(map(len, self._unsent))

    def send(self, data: bytes) -> None:
        """Write, and keep what the client does not take; raises OSError where it has left."""
        if self._unsent:
            self._unsent.append(memoryview(data))
            return
        try:
            sent = self._socket.send(data, _DONTWAIT)
        except (BlockingIOError, InterruptedError):
            sent = 0
        if sent < len(data):
            self._unsent.append(memoryview(data)[sent:])
            self.due = self._now() + self._timeout

    def flush(self) -> None:
        """Write what is unsent, as far as the client takes it; raises OSError where it has left."""
        while self._unsent:
            data = self._unsent[0]
            try:
                sent = self._socket.send(data, _DONTWAIT)
            except (BlockingIOError, InterruptedError):
                return
            self.due = self._now() + self._timeout
            if sent < len(data):
                self._unsent[0] = data[sent:]
            else:
                self._unsent.popleft()
        self.due = None

    def clear(self) -> None:
        """Forget what is unsent."""
        self._unsent.clear()
        self.due = None
