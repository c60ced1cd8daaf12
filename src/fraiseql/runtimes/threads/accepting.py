"""Accepts clients, in one thread for all listening sockets."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable
from threading import Thread

from fraiseql.runtimes.accepting import AcceptTrouble
from fraiseql.runtimes.listening import Listeners
from fraiseql.runtimes.threads.pinning import pin_this_thread
from fraiseql.runtimes.threads.waiting import Poller

__all__ = ["Acceptor"]


class Acceptor:
    """Accepts until it is stopped.

    Args:
        listeners: stay with who made them.
        has_room: whether to accept at all; where this changes, call `look`.
        admit: is given each client's socket, which blocks.
        trouble: knows what errors mean.
        processor: where to stay, with all threads that `admit` starts; anywhere by default.
    """

    def __init__(
        self,
        listeners: Listeners,
        has_room: Callable[[], bool],
        admit: Callable[[socket.socket], None],
        trouble: AcceptTrouble,
        processor: int | None = None,
    ) -> None:
        self._listeners = listeners
        self._has_room = has_room
        self._admit = admit
        self._trouble = trouble
        self._processor = processor
        self._poller = Poller()  # by the system's clock: nothing here is a deadline
        self._poller.can_be_woken()
        self._stopped = False
        self._is_full = False
        self._thread = Thread(target=self._run, name="fraiseql accept", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def look(self) -> None:
        """There may be room again."""
        if self._is_full:
            self._poller.wake()

    def stop(self) -> None:
        """Accept nobody any more; returns once that is so."""
        self._stopped = True
        self._poller.wake()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        if self._processor is not None:
            pin_this_thread(self._processor)
        sockets = {sock.fileno(): sock for sock in self._listeners.sockets}
        registered = False
        while not self._stopped:
            self._is_full = True  # until it is known that it is not, lest a client leave between the two
            if (has_room := self._has_room()) is not registered:
                registered = has_room
                for fd in sockets:
                    if has_room:
                        self._poller.register(fd, select.POLLIN)
                    else:
                        self._poller.unregister(fd)
            self._is_full = not has_room
            for fd, _ in self._poller.poll(None):
                if not self._stopped:
                    self._accept(sockets[fd])
        self._poller.close()

    def _accept(self, listener: socket.socket) -> None:
        """Accept one client, or leave it to another process that has fewer; see Listeners."""
        if (head_start := self._listeners.head_start) > 0:
            self._pause(head_start)
        try:
            sock, _ = listener.accept()
        except OSError as error:
            if pause := self._trouble.pause_after(error):
                self._pause(pause)
            return
        sock.setblocking(True)
        with contextlib.suppress(OSError):  # not on a Unix socket
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._admit(sock)

    def _pause(self, seconds: float) -> None:
        pause = Poller()
        pause.poll(pause.now() + seconds)
