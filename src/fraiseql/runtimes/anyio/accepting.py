"""Accepts clients by callbacks of an EventLoop."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable
from typing import Final

from fraiseql.runtimes.loop import EventLoop, Timer

__all__ = ["Acceptor"]

_AT_ONCE: Final = 64  # clients accepted before others on the event loop have their turn

# Those of a client that left before it was accepted, and those that pass when other descriptors are closed (accept(2)).
_GONE: Final = frozenset({errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.EINTR})
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_EXHAUSTED_PAUSE: Final = 0.1


class Acceptor:
    """Accepts the clients of one listening socket.

    Args:
        listener: non-blocking; belongs to this object now.
        loop: watches it.
        admit: is given each client's socket, non-blocking.
    """

    def __init__(self, listener: socket.socket, loop: EventLoop, admit: Callable[[socket.socket], None]) -> None:
        self._listener = listener
        self._loop = loop
        self._admit = admit
        self._timer: Timer | None = None
        self._is_watching = False

    def resume(self) -> None:
        """Accept."""
        if not self._is_watching and self._listener.fileno() >= 0:
            self._is_watching = True
            self._loop.add_reader(self._listener.fileno(), self._readable)

    def pause(self) -> None:
        """Accept nobody; who comes waits in the kernel's queue."""
        if self._is_watching:
            self._is_watching = False
            self._loop.remove_reader(self._listener.fileno())

    def close(self) -> None:
        """Accept nobody any more."""
        self.pause()
        if self._timer is not None:
            self._timer.cancel()
        with contextlib.suppress(OSError):
            self._listener.close()

    def _readable(self) -> None:
        for _ in range(_AT_ONCE):
            if not self._is_watching:
                return
            try:
                sock, _address = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _GONE:
                    continue
                self.pause()
                if error.errno in _EXHAUSTED:
                    self._timer = self._loop.call_at(self._loop.time() + _EXHAUSTED_PAUSE, self.resume)
                return
            sock.setblocking(False)
            with contextlib.suppress(OSError):  # not on a Unix socket
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._admit(sock)
