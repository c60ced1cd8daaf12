"""Sockets of the server's simulated threads, over the same connections as the drivers of event loops have."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from collections.abc import Callable
from random import Random
from typing import Final

from fraiseql.testing.simulation.descriptors import Descriptor, Descriptors
from fraiseql.testing.simulation.loop import SimulatedLoop
from fraiseql.testing.simulation.network import NetworkFaults, Wire

__all__ = ["SimulatedSocket", "SocketWire"]

_HEAD: Final = b"HTTP/1.1 "


def _ignore() -> None:
    """For who wants to hear of nothing."""


class SocketWire(Wire):
    """A connection whose server takes what has come when it likes to, and keeps what does not fit on the way.

    Attributes:
        changed: called when there is something to take, or room again, or the connection has broken.
        has_failed: whether it has broken: a reset.
    """

    def __init__(
        self, name: str, loop: SimulatedLoop, random: Random, faults: NetworkFaults, violated: Callable[[str], None]
    ) -> None:
        super().__init__(name, loop, random, faults, violated)
        self.changed: Callable[[], None] = _ignore
        self.has_failed = False
        self._tail = b""  # of what was sent: an answer may begin in it

    @property
    def room(self) -> int:
        """How many bytes fit on the way."""
        return self._window

    @property
    def has_come(self) -> bool:
        """Whether there is something to take, be it the end."""
        return bool(self._inward)

    @property
    def ends(self) -> bool:
        """Whether the client has closed its side, though there may be bytes before that."""
        return bool(self._inward) and self._inward[-1] is None

    def take(self, size: int) -> bytes | None:
        """At most so many bytes of what has come: b"" at the end, None where nothing has."""
        if not self._inward:
            return None
        data = self._inward[0]
        if data is None:
            return b""
        self._inward.popleft()
        while self._inward and len(data) < size and self._random.random() < 0.5:
            more = self._inward[0]
            if more is None:
                break
            data += more
            self._inward.popleft()
        if len(data) > size:
            self._inward.appendleft(data[size:])
            data = data[:size]
        self.taken += 0 if self._ends else len(data)
        self.most_taken = max(self.most_taken, len(data))
        return data

    def put(self, data: bytes) -> int:
        """Send what fits on the way, and give how much that is."""
        count = min(self._window, len(data))
        if not count:
            return 0
        self._window -= count
        sent = bytes(data[:count])
        seen = self._tail + sent
        self.answers += seen.count(_HEAD)
        self._tail = seen[-len(_HEAD) + 1 :]
        if self._client_left:  # its kernel answers by a reset
            self._loop.call_later(self._way(), self._reset)
        else:
            self._outward(sent)
        return count

    def _deliver_soon(self) -> None:
        if self._inward:
            self.changed()

    def _acknowledged(self, size: int) -> None:
        super()._acknowledged(size)
        self.changed()

    def _reset(self) -> None:
        self.has_failed = self.has_failed or not self._gone
        super()._reset()

    def _lose(self) -> None:
        self.changed()


class SimulatedSocket(Descriptor):
    """The server's end of a connection, as far as the threads use `socket.socket`: a blocking one."""

    def __init__(self, wire: SocketWire, descriptors: Descriptors, violated: Callable[[str], None]) -> None:
        super().__init__(descriptors)
        self._wire = wire
        self._violated = violated
        self._timeout: float | None = None
        self._is_deaf = False  # shut for reading
        self._is_mute = False  # and for writing
        self._was_told = False  # of the reset
        wire.changed = self.changed

    def ready(self) -> int:
        wire = self._wire
        if wire.has_failed:
            return select.POLLIN | select.POLLOUT | select.POLLERR | select.POLLHUP
        found = select.POLLIN if wire.has_come or self._is_deaf else 0
        if wire.room or self._is_mute:
            found |= select.POLLOUT
        if self._is_mute and (self._is_deaf or wire.ends):
            found |= select.POLLHUP
        return found

    def setsockopt(self, level: int, option: int, value: bytes, /) -> None:
        """SO_RCVTIMEO alone."""
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_RCVTIMEO)
        self._enter()
        seconds, microseconds = struct.unpack("@ll", value)
        self._timeout = (seconds + microseconds / 1_000_000) or None

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As that of a socket that blocks, but for MSG_DONTWAIT."""
        self._enter()
        clock = self.descriptors.baton.loop.time
        until = None if self._timeout is None else clock() + self._timeout
        while (data := self._take(size)) is None:
            left = None if until is None else until - clock()
            if flags & socket.MSG_DONTWAIT or (left is not None and left <= 0):
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            self.wait(left)
        self.descriptors.baton.step_aside()
        return data

    def send(self, data: bytes | memoryview, flags: int = 0, /) -> int:
        """With MSG_DONTWAIT: nobody may wait for a client that does not read."""
        self._enter()
        if not flags & socket.MSG_DONTWAIT:
            self._violated(f"a thread waits for {self._wire.name} to read")
        if self._wire.has_failed or self._is_mute:
            raise self._broken(errno.EPIPE)
        count = self._wire.put(bytes(data))
        if not count and data:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self.descriptors.baton.step_aside()
        return count

    def shutdown(self, how: int, /) -> None:
        """Any side, or both."""
        self.descriptors.baton.step_aside()
        if self.fileno() < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if self._wire.has_failed:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        if how in (socket.SHUT_RD, socket.SHUT_RDWR):
            self._is_deaf = True
        if how in (socket.SHUT_WR, socket.SHUT_RDWR) and not self._is_mute:
            self._is_mute = True
            self._wire.half_close()
        self.changed()
        self.descriptors.baton.step_aside()

    def close(self) -> None:
        """Close both sides; with bytes unread, that is a reset."""
        if self.fileno() < 0:
            self._violated(f"{self._wire.name} is closed twice")
        super().close()
        self._wire.close()

    def _enter(self) -> None:
        self.descriptors.baton.step_aside()
        if self.fileno() < 0:
            self._violated(f"{self._wire.name} is used after it was closed")
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def _take(self, size: int) -> bytes | None:
        if self._wire.has_failed:
            if self._was_told:
                return b""
            raise self._broken(errno.ECONNRESET)
        found = self._wire.take(size)
        return b"" if found is None and self._is_deaf else found

    def _broken(self, otherwise: int) -> OSError:
        """A reset is told once, and then as it is for everybody."""
        number = otherwise if self._was_told or not self._wire.has_failed else errno.ECONNRESET
        self._was_told = self._wire.has_failed
        return OSError(number, os.strerror(number))
