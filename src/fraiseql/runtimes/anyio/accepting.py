"""Accepts clients by callbacks of an EventLoop."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from typing import Final

from fraiseql.runtimes.accepting import AcceptTrouble
from fraiseql.runtimes.listening import Listeners
from fraiseql.runtimes.loop import EventLoop, Timer

__all__ = ["Acceptor"]

_AT_ONCE: Final = 64  # clients accepted before others on the event loop have their turn


class Acceptor:
    """Accepts the clients of one listening socket.

    Args:
        listener: non-blocking.
        listeners: to which it belongs: they know of other processes that share it.
        loop: watches it.
        admit: is given each client's socket, non-blocking.
        trouble: knows what errors mean.
    """

    def __init__(
        self,
        listener: socket.socket,
        listeners: Listeners,
        loop: EventLoop,
        admit: Callable[[socket.socket], None],
        trouble: AcceptTrouble,
    ) -> None:
        self._listener = listener
        self._fd = listener.fileno()
        self._listeners = listeners
        self._loop = loop
        self._admit = admit
        self._trouble = trouble
        self._timer: Timer | None = None
        self._wanted = False

    def resume(self) -> None:
        """Accept."""
        if not self._wanted:
            self._wanted = True
            self._watch()

    def pause(self) -> None:
        """Accept nobody; who comes waits in the kernel's queue."""
        self._wanted = False
        self._loop.remove_reader(self._fd)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self) -> None:
        self._timer = None
        self._loop.add_reader(self._fd, self._readable)

    def _readable(self) -> None:
        if self._listeners.shares is None:
            for _ in range(_AT_ONCE):
                if not self._accept() or not self._wanted:
                    return
        elif (head_start := self._listeners.head_start) > 0:
            self._wait(head_start, self._take_one)
        else:
            self._accept()

    def _take_one(self) -> None:
        self._watch()
        self._accept()

    def _wait(self, seconds: float, callback: Callable[[], None]) -> None:
        self._loop.remove_reader(self._fd)
        self._timer = self._loop.call_at(self._loop.time() + seconds, callback)

    def _accept(self) -> bool:
        """Accept one client; gives whether there may be more."""
        try:
            sock, _address = self._listener.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            if not (pause := self._trouble.pause_after(error)):
                return True
            self._wait(pause, self._watch)
            return False
        sock.setblocking(False)
        with contextlib.suppress(OSError):  # not on a Unix socket
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._admit(sock)
        return True
