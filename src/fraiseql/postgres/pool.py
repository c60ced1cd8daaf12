"""The policy of the connection pool, as a pure machine: events in, commands out, a deadline beside them.

The rules:

- A request is granted the connection that was idle last, so that the others may age and be closed. Without one it
  waits, first come first served, and connections are opened on demand: no more than there are waiting requests, and
  never more than `max_size` in all, those being opened included.
- A connection belongs to one request, from `GrantConnection` to `ConnectionReleased` or `ConnectionDistrusted`.
- After a failed opening nothing is opened for a time that doubles with each further failure, then one connection as a
  probe; its success lets the others follow. Requests wait meanwhile, each until its own deadline. A failure that no
  second attempt can mend refuses all of them at once, and until the time is over those that come.
- When the server ends a connection, those that exist are not granted again: it may have crashed, and be about to end
  them too. If that cut off a statement, the next opening waits as after a failed one, since a server that has not yet
  noticed its crash would still take a connection, and then end it.
- Once closing, everything that waits is refused and whatever comes back is closed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from enum import Enum, auto
from typing import Any

from fraiseql.errors import DatabaseError, LocalProtocolError
from fraiseql.limits import PoolLimits
from fraiseql.postgres.errors import own_copy
from fraiseql.postgres.pool_events import (
    CloseConnection,
    Command,
    ConnectionDistrusted,
    ConnectionEnded,
    ConnectionOpened,
    ConnectionReleased,
    ConnectionRequested,
    DeadlineReached,
    Event,
    GrantConnection,
    OpenConnection,
    OpeningFailed,
    PoolClosing,
    RefuseRequest,
    RequestAbandoned,
)

__all__ = ["Pool"]


class _State(Enum):
    OPENING = auto()
    IDLE = auto()
    GRANTED = auto()


# In which state a connection must be for the events that name one.
_NEEDED: dict[type[Event], _State] = {
    ConnectionOpened: _State.OPENING,
    OpeningFailed: _State.OPENING,
    ConnectionReleased: _State.GRANTED,
    ConnectionDistrusted: _State.GRANTED,
}


class _Request:
    """A request that waits, or that holds a connection."""

    __slots__ = ("deadline", "patient", "waiter")

    def __init__(self, waiter: Hashable, deadline: float, patient: bool) -> None:
        self.waiter = waiter
        self.deadline = deadline
        self.patient = patient


class _Connection:
    __slots__ = ("expires", "fit", "id", "opened", "request", "state")

    def __init__(self, id: int) -> None:
        self.id = id
        self.state = _State.OPENING
        self.fit = True  # to be granted again
        self.opened = 0.0
        self.expires = 0.0  # only while idle
        self.request: _Request | None = None  # only while granted


class Pool:
    """Decides who gets which connection, and when one is opened or closed.

    Args:
        limits: see PoolLimits.
    """

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        self._connections: dict[int, _Connection] = {}
        self._idle: list[_Connection] = []  # the last used at the end
        self._waiting: OrderedDict[Hashable, _Request] = OrderedDict()
        self._opening = 0
        self._failures = 0
        self._failure: DatabaseError | None = None
        self._retry_at = 0.0
        self._idle_deadline: float | None = None
        self._next_id = 1
        self._closing = False
        self._commands: list[Command] = []

    @property
    def deadline(self) -> float | None:
        """When to deliver DeadlineReached, never later than needed, perhaps earlier; None for never."""
        times = [] if self._idle_deadline is None else [self._idle_deadline]
        if self._waiting:
            times.append(next(iter(self._waiting.values())).deadline)  # who came first leaves first
            if self._failures and not self._opening:
                times.append(self._retry_at)
        return min(times, default=None)

    @property
    def size(self) -> int:
        """How many connections there are, those being opened included."""
        return len(self._connections)

    @property
    def idle(self) -> int:
        """How many connections nobody uses."""
        return len(self._idle)

    @property
    def granted(self) -> int:
        """How many connections are in use."""
        return len(self._connections) - self._opening - len(self._idle)

    @property
    def opening(self) -> int:
        """How many connections are being opened."""
        return self._opening

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    @property
    def closing(self) -> bool:
        """Whether no connection is needed any more."""
        return self._closing

    @property
    def retry_at(self) -> float | None:
        """After a failed opening: when the next one may begin."""
        return self._retry_at if self._failures else None

    def handle(self, event: Event, now: float) -> list[Command]:
        """Take one event and give what is to be done, in this order.

        Args:
            event: what happened.
            now: seconds on a clock that never goes back.

        Raises:
            LocalProtocolError: the connection it names is not in the state that the event needs.
        """
        commands = self._commands = []
        _HANDLERS[type(event)](self, event, now)
        return commands

    def too_late(self) -> DatabaseError:
        """For a request that has waited for its whole time."""
        seconds = f"{self._limits.acquire_timeout:g} s"
        if self._failure is not None:
            text = f"no database connection could be made within {seconds}: {self._failure}"
            return DatabaseError(text, sqlstate="08001", retryable=True)
        return DatabaseError(f"no database connection became free within {seconds}", sqlstate="53300", retryable=True)

    # -- events ----------------------------------------------------------------------------------------------------

    def _on_requested(self, event: ConnectionRequested, now: float) -> None:
        if self._idle:
            self._grant(self._take_idle(), _Request(event.waiter, now + self._limits.acquire_timeout, event.patient))
        elif (error := self._why_not(now)) is not None:
            self._commands.append(RefuseRequest(event.waiter, error))
        else:
            deadline = now + self._limits.acquire_timeout
            self._waiting[event.waiter] = _Request(event.waiter, deadline, event.patient)
            self._open_for_waiting(now)

    def _on_abandoned(self, event: RequestAbandoned, now: float) -> None:
        self._waiting.pop(event.waiter, None)

    def _on_released(self, event: ConnectionReleased, now: float) -> None:
        connection = self._find(event)
        connection.request = None
        if not connection.fit or now >= connection.opened + self._limits.max_lifetime:
            self._close(connection)
            self._open_for_waiting(now)
        else:
            self._offer(connection, now)

    def _on_distrusted(self, event: ConnectionDistrusted, now: float) -> None:
        connection = self._find(event)
        request = connection.request
        self._close(connection)
        if event.lost:
            self._give_up_all()
            if not event.unused:
                self._failures = max(self._failures, 1)
                self._retry_at = max(self._retry_at, now + self._limits.backoff_initial)
        if event.unused and request is not None:
            if self._idle:
                self._grant(self._take_idle(), request)
            elif self._closing:
                self._commands.append(RefuseRequest(request.waiter, _closing()))
            else:
                self._waiting[request.waiter] = request
                self._waiting.move_to_end(request.waiter, last=False)
        self._open_for_waiting(now)

    def _on_ended(self, event: ConnectionEnded, now: float) -> None:
        connection = self._connections.get(event.id)
        if connection is not None and connection.state is _State.IDLE:
            self._give_up_all()
            self._open_for_waiting(now)

    def _on_opened(self, event: ConnectionOpened, now: float) -> None:
        connection = self._find(event)
        self._opening -= 1
        connection.opened = now
        if not connection.fit:
            self._close(connection)
        else:
            self._failures, self._failure = 0, None
            self._offer(connection, now)
        self._open_for_waiting(now)

    def _on_opening_failed(self, event: OpeningFailed, now: float) -> None:
        connection = self._find(event)
        self._opening -= 1
        del self._connections[connection.id]
        if self._closing:
            return
        self._failure = event.error
        if not self._failures or now >= self._retry_at:  # those that fail together count as one
            pause = self._limits.backoff_initial * 2.0 ** min(self._failures, 32)
            self._failures += 1
            self._retry_at = now + min(pause, self._limits.backoff_max)
        for request in list(self._waiting.values()):
            if not (event.error.retryable and request.patient):
                self._refuse(request, event.error)

    def _on_deadline(self, event: DeadlineReached, now: float) -> None:
        for request in list(self._waiting.values()):
            if request.deadline > now:
                break
            self._refuse(request, self.too_late())
        for connection in [connection for connection in self._idle if connection.expires <= now]:
            self._idle.remove(connection)
            self._close(connection)
        self._idle_deadline = min((connection.expires for connection in self._idle), default=None)
        self._open_for_waiting(now)

    def _on_closing(self, event: PoolClosing, now: float) -> None:
        self._closing = True
        for request in list(self._waiting.values()):
            self._refuse(request, _closing())
        self._give_up_all()

    # -- what they share -------------------------------------------------------------------------------------------

    def _find(self, event: ConnectionOpened | OpeningFailed | ConnectionReleased | ConnectionDistrusted) -> _Connection:
        connection = self._connections.get(event.id)
        if connection is None or connection.state is not _NEEDED[type(event)]:
            found = "not there" if connection is None else connection.state.name
            raise LocalProtocolError(f"{type(event).__name__}: connection {event.id} is {found}")
        return connection

    def _offer(self, connection: _Connection, now: float) -> None:
        if self._waiting:
            self._grant(connection, self._waiting.popitem(last=False)[1])
            return
        limits = self._limits
        connection.state = _State.IDLE
        connection.expires = expires = min(now + limits.max_idle, connection.opened + limits.max_lifetime)
        self._idle.append(connection)
        if self._idle_deadline is None or expires < self._idle_deadline:
            self._idle_deadline = expires

    def _take_idle(self) -> _Connection:
        connection = self._idle.pop()
        if not self._idle:
            self._idle_deadline = None
        return connection

    def _grant(self, connection: _Connection, request: _Request) -> None:
        connection.state = _State.GRANTED
        connection.request = request
        self._commands.append(GrantConnection(request.waiter, connection.id))

    def _refuse(self, request: _Request, error: DatabaseError) -> None:
        del self._waiting[request.waiter]
        self._commands.append(RefuseRequest(request.waiter, own_copy(error)))

    def _close(self, connection: _Connection) -> None:
        del self._connections[connection.id]
        self._commands.append(CloseConnection(connection.id))

    def _give_up_all(self) -> None:
        """Close what is idle now, and what is granted when it comes back."""
        while self._idle:
            self._close(self._take_idle())
        for connection in self._connections.values():
            connection.fit = False

    def _open_for_waiting(self, now: float) -> None:
        wanted = min(len(self._waiting) - self._opening, self._limits.max_size - len(self._connections))
        if self._failures:
            wanted = min(wanted, 1 - self._opening) if now >= self._retry_at else 0
        for _ in range(wanted):
            connection = _Connection(self._next_id)
            self._next_id += 1
            self._opening += 1
            self._connections[connection.id] = connection
            self._commands.append(OpenConnection(connection.id))

    def _why_not(self, now: float) -> DatabaseError | None:
        """Why a request cannot even wait."""
        if self._closing:
            return _closing()
        if self._failure is not None and not self._failure.retryable and now < self._retry_at:
            return own_copy(self._failure)
        if len(self._waiting) >= self._limits.max_waiting:
            text = f"{self._limits.max_waiting} requests wait for a database connection already"
            return DatabaseError(text, sqlstate="53300", retryable=True)
        return None


_HANDLERS: dict[type[Event], Callable[[Pool, Any, float], None]] = {
    ConnectionRequested: Pool._on_requested,
    RequestAbandoned: Pool._on_abandoned,
    ConnectionReleased: Pool._on_released,
    ConnectionDistrusted: Pool._on_distrusted,
    ConnectionEnded: Pool._on_ended,
    ConnectionOpened: Pool._on_opened,
    OpeningFailed: Pool._on_opening_failed,
    DeadlineReached: Pool._on_deadline,
    PoolClosing: Pool._on_closing,
}


def _closing() -> DatabaseError:
    return DatabaseError("the database connections are being closed", sqlstate="57P01", retryable=True)
