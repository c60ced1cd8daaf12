"""A client's socket without a buffer of our own for what comes: what was not read yet, the kernel has."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from typing import Final

from fraiseql.runtimes.clients import ClientDriver
from fraiseql.runtimes.loop import EventLoop

__all__ = ["SocketTransport"]

_CHUNK: Final = 65_536  # bytes of one read: a request rarely has more than 4 KiB, a body up to a megabyte


class SocketTransport:
    """The Transport of one driver, over a socket that an EventLoop watches.

    Args:
        sock: connected and non-blocking; belongs to this object now.
        loop: watches it.
    """

    __slots__ = ("_driver", "_fd", "_is_reading", "_is_sending", "_loop", "_lost", "_socket", "_unsent", "unsent")

    _driver: ClientDriver

    def __init__(self, sock: socket.socket, loop: EventLoop) -> None:
        self._socket = sock
        self._fd = sock.fileno()
        self._loop = loop
        self._unsent: deque[bytes | memoryview] | None = None
        self.unsent = 0
        self._is_reading = False
        self._is_sending = False
        self._lost = False

    def start(self, driver: ClientDriver) -> None:
        """Begin to tell a driver."""
        self._driver = driver
        self.resume_reading()
        driver.start()

    def send(self, data: bytes) -> bool:
        if self._lost:
            return True
        if not self.unsent:
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self._lose()
                return True
            if sent == len(data):
                return True
            data = data[sent:]
        if self._unsent is None:
            self._unsent = deque()
        self._unsent.append(data)
        self.unsent += len(data)
        if not self._is_sending:
            self._is_sending = True
            self._loop.add_writer(self._fd, self._writable)
        return False

    def pause_reading(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        if not self._is_reading and not self._lost:
            self._is_reading = True
            self._loop.add_reader(self._fd, self._readable)

    def half_close(self) -> bool:
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        return True

    def close(self) -> None:
        self.abort()  # what the driver has sent is written before it closes

    def abort(self) -> None:
        if not self._lost:
            self._lose()

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._lose()
            return
        if data:
            self._driver.data_received(data)
        else:
            self.pause_reading()
            self._driver.eof_received()

    def _writable(self) -> None:
        unsent = self._unsent
        assert unsent is not None
        while unsent:
            data = memoryview(unsent[0])
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._lose()
                return
            self.unsent -= sent
            if sent < len(data):
                unsent[0] = data[sent:]
                return
            unsent.popleft()
        self._unsent = None
        self._is_sending = False
        self._loop.remove_writer(self._fd)
        self._driver.written()

    def _lose(self) -> None:
        """Forget the socket; the driver hears of it later, never within a call of its own."""
        self._lost = True
        self._unsent, self.unsent = None, 0
        self.pause_reading()
        if self._is_sending:
            self._is_sending = False
            self._loop.remove_writer(self._fd)
        with contextlib.suppress(OSError):
            self._socket.close()
        self._loop.call_soon(self._driver.connection_lost)
