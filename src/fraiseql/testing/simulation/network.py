"""Connections between clients and the server: bytes that are cut and late, windows that fill up, ends of all kinds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Final, Protocol

from fraiseql.testing.simulation.loop import SimulatedLoop, SimulatedTimer

__all__ = ["Listener", "NetworkFaults", "Server", "Wire"]

_LARGEST_READ: Final = 65_536


class NetworkFaults:
    """How one connection behaves; times in seconds.

    Attributes:
        latency: the longest way of a piece of bytes.
        cuts: how likely each send of the client is cut, and each piece of it again.
        window: bytes that the server's kernel takes although the client does not read.
        half_closes: whether the server's transport can close its side alone; TLS cannot.
    """

    __slots__ = ("cuts", "half_closes", "latency", "window")

    def __init__(self, latency: float, cuts: float, window: int, half_closes: bool) -> None:
        self.latency = latency
        self.cuts = cuts
        self.window = window
        self.half_closes = half_closes


class Server(Protocol):
    """What a connection tells its server: see ClientDriver."""

    def data_received(self, data: bytes) -> None: ...

    def eof_received(self) -> None: ...

    def written(self) -> None: ...

    def connection_lost(self) -> None: ...


class Listener(Protocol):
    """What a connection tells its client."""

    def received(self, data: bytes) -> None:
        """Bytes that the client was ready to read."""

    def ended(self, how: str) -> None:
        """Nothing more comes: `end`, where the server closed in order, or `reset`."""


class Wire:
    """One connection: for the server it is the Transport of runtimes/clients.py, for the client it has methods too.

    Attributes:
        name: the server's, of the connection.
        most_unsent: the largest amount that the transport had to keep.
        taken: bytes that the server has read before it began to close.
        most_taken: at once.
        answers: of HTTP, that the server has sent.
    """

    def __init__(
        self, name: str, loop: SimulatedLoop, random: Random, faults: NetworkFaults, violated: Callable[[str], None]
    ) -> None:
        self.name = name
        self._loop, self._random, self._faults, self._violated = loop, random, faults, violated
        self._server: Server | None = None
        self._client: Listener | None = None
        # Towards the server
        self._flying_in: deque[bytes | None] = deque()
        self._inward: deque[bytes | None] = deque()  # in its kernel; None is the end
        self._arrives = 0.0  # when the last piece does
        self._reading = True
        self._delivering: SimulatedTimer | None = None
        self._client_ended = False
        # Towards the client
        self._unsent = bytearray()
        self._window = faults.window
        self._flying_out: deque[bytes | None] = deque()
        self._arrived = bytearray()  # in its kernel
        self._outward_at = 0.0
        self._keeps = False  # `written` is to be told
        self._ends = False  # half closed, once all is written
        self._end_sent = False
        self._client_left = False  # it takes nothing any more
        self._closing = False
        self._gone = False  # nothing more happens
        self._end_arrived = False
        self._end_told = False
        self.reads = True
        self.most_unsent = 0
        self.taken = self.most_taken = self.answers = 0

    def attach(self, server: Server | None, client: Listener) -> None:
        """Say who is at its ends; no server where nobody is to be told."""
        self._server, self._client = server, client

    # What the server's driver wants

    @property
    def unsent(self) -> int:
        """Bytes that are kept."""
        return len(self._unsent)

    def send(self, data: bytes) -> bool:
        """Send; gives whether all is in the kernel's hands."""
        if self._closing or self._ends:
            self._violated(f"the server sends after it has closed: {data[:40]!r}")
        if self._gone or self._closing:
            return True
        self.answers += data.count(b"HTTP/1.1 ")
        self._unsent += data
        self._push()
        self.most_unsent = max(self.most_unsent, len(self._unsent))
        if self._unsent:
            self._keeps = True
        return not self._unsent

    def pause_reading(self) -> None:
        """Deliver nothing."""
        self._reading = False

    def resume_reading(self) -> None:
        """Deliver again."""
        self._reading = True
        self._deliver_soon()

    def half_close(self) -> bool:
        """Say that nothing more comes."""
        if self._gone or self._closing or not self._faults.half_closes:
            return False
        self._ends = True
        self._push()
        return True

    def close(self) -> None:
        """Close, once all is written."""
        if self._closing or self._gone:
            return
        self._closing = self._ends = True
        self._push()
        self._close_if_written()

    def abort(self) -> None:
        """Close at once."""
        if self._gone:
            return
        self._unsent.clear()
        self._closing = True
        self._vanish(tells_client=True)

    # What the client does

    def write(self, data: bytes) -> None:
        """Send bytes to the server, in pieces."""
        if self._gone or self._client_ended:
            return
        random, faults = self._random, self._faults
        while len(data) > 1 and random.random() < faults.cuts:
            size = random.randrange(1, len(data))
            self._carry(data[:size])
            data = data[size:]
        self._carry(data)

    def end(self) -> None:
        """Close the client's side, once what it has written has arrived."""
        if not self._client_ended:
            self._client_ended = True
            self._carry(None)

    def leave(self) -> None:
        """Close both sides: whatever the server sends from now on is answered by a reset."""
        self._client_left = True
        self.end()
        if self._end_arrived or self._unsent:
            self._loop.call_later(self._way(), self._reset)

    def reset(self) -> None:
        """End it without a word; what is on its way is lost."""
        self._client_left = self._client_ended = True
        self._loop.call_later(self._way(), self._reset)

    @property
    def closes_in_order(self) -> bool:
        """Whether what the server says last arrives, whatever the client sends meanwhile."""
        return self._faults.half_closes

    def read_all(self) -> None:
        """Take all that has arrived."""
        self._at_hand()

    def read(self, size: int) -> int:
        """Take so many bytes of what has arrived; gives how many there were."""
        data = bytes(self._arrived[:size])
        if data and not self._client_left:
            del self._arrived[:size]
            self._loop.call_later(self._way(), self._acknowledged, len(data))
            assert self._client is not None
            self._client.received(data)
            self._tell_end()
        return len(data)

    # What happens between

    def _way(self) -> float:
        return round(self._random.random() * self._faults.latency, 3)

    def _carry(self, data: bytes | None) -> None:
        self._arrives = max(self._arrives, self._loop.time() + self._way())
        self._flying_in.append(data)
        self._loop.call_at(self._arrives, self._at_server)

    def _at_server(self) -> None:
        data = self._flying_in.popleft()
        if self._gone:
            if data is not None:  # nobody is there to take it
                self._reset_client()
            return
        self._inward.append(data)
        self._deliver_soon()

    def _deliver_soon(self) -> None:
        if self._inward and self._reading and self._delivering is None and not self._gone:
            self._delivering = self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._delivering = None
        if self._gone or not self._reading or self._server is None or not self._inward or self._closing:
            return
        data = self._inward.popleft()
        while data is not None and self._inward and len(data) < _LARGEST_READ and self._random.random() < 0.5:
            more = self._inward[0]
            if more is None:
                break
            data += more
            self._inward.popleft()
        if data is None:
            self._server.eof_received()
        else:
            self.taken += 0 if self._ends else len(data)
            self.most_taken = max(self.most_taken, len(data))
            self._server.data_received(data)
        self._deliver_soon()

    def _push(self) -> None:
        """Give the kernel what it takes."""
        if self._client_left and (self._unsent or self._ends):
            self._window = 0 if self._unsent else self._window
            self._loop.call_later(self._way(), self._reset)
            return
        size = min(self._window, len(self._unsent))
        if size:
            data = bytes(self._unsent[:size])
            del self._unsent[:size]
            self._window -= size
            self._outward(data)
        if self._ends and not self._unsent and not self._end_sent:
            self._end_sent = True
            self._outward(None)

    def _outward(self, data: bytes | None) -> None:
        self._outward_at = max(self._outward_at, self._loop.time() + self._way())
        self._flying_out.append(data)
        self._loop.call_at(self._outward_at, self._at_client)

    def _at_client(self) -> None:
        data = self._flying_out.popleft()
        if self._client_left or self._client is None:
            return
        if data is None:
            self._end_arrived = True
        else:
            self._arrived += data
        if self.reads:
            self._at_hand()

    def _at_hand(self) -> None:
        if self._client_left or self._client is None:
            return
        if self._arrived:
            self.read(len(self._arrived))
        else:
            self._tell_end()

    def _tell_end(self) -> None:
        if self.drained() and not self._client_left and not self._end_told and self._client is not None:
            self._end_told = True
            self._client.ended("end")

    def finished(self) -> bool:
        """Whether nothing more can be read."""
        return self._client_left or self.drained() or (self._gone and not self._arrived and not self._flying_out)

    def drained(self) -> bool:
        """Whether the client has read all, up to the end; a slow reader asks."""
        return self._end_arrived and not self._arrived

    def _acknowledged(self, size: int) -> None:
        self._window += size
        if self._gone:
            return
        self._push()
        if not self._unsent and self._keeps:
            self._keeps = False
            if not self._closing and self._server is not None:
                self._server.written()
        self._close_if_written()

    def _close_if_written(self) -> None:
        if self._closing and not self._unsent and not self._gone:
            self._vanish(tells_client=False)

    def _reset(self) -> None:
        if not self._gone:
            self._vanish(tells_client=True)

    def _vanish(self, *, tells_client: bool) -> None:
        self._gone = True
        self._unsent.clear()
        unread = any(data is not None for data in self._inward)
        self._inward.clear()
        self._loop.call_soon(self._lose)
        if tells_client or unread:  # a kernel resets what is closed with bytes unread (RFC 9112 §9.6)
            self._reset_client()

    def _reset_client(self) -> None:
        self._loop.call_later(self._way(), self._tell_reset)

    def _lose(self) -> None:
        if self._server is not None:
            self._server.connection_lost()

    def _tell_reset(self) -> None:
        if not self._client_left and self._client is not None and not self._end_told:
            self._client_left = True
            self._client.ended("reset")
