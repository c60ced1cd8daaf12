"""What the pool is told and what it orders: events in the past tense, commands in the imperative."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TypeAlias

from fraiseql.errors import DatabaseError

__all__ = [
    "CloseConnection",
    "Command",
    "ConnectionDistrusted",
    "ConnectionEnded",
    "ConnectionOpened",
    "ConnectionReleased",
    "ConnectionRequested",
    "DeadlineReached",
    "Event",
    "GrantConnection",
    "OpenConnection",
    "OpeningFailed",
    "PoolClosing",
    "RefuseRequest",
    "RequestAbandoned",
]


@dataclass(slots=True)  # this and others not frozen: made for each statement, in a third of the time
class ConnectionRequested:
    """Somebody needs a connection; `patient` is False where a failed opening shall be told at once."""

    waiter: Hashable
    patient: bool = True


@dataclass(frozen=True, slots=True)
class RequestAbandoned:
    """A request that waits is not needed any more; one that was answered meanwhile is passed over."""

    waiter: Hashable


@dataclass(slots=True)
class ConnectionReleased:
    """A granted connection came back, fit for the next request."""

    id: int


@dataclass(frozen=True, slots=True)
class ConnectionDistrusted:
    """A granted connection must not be used again.

    `lost` says that the server ended it: it may be about to end all others, as after a crash or at a shutdown, so none
    that exists now is granted again. `unused` says that it was found dead when it was granted: its request then stands
    first in the queue again, with the deadline it had.
    """

    id: int
    lost: bool = False
    unused: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionEnded:
    """The server ended a connection; passed over for one that is granted, whose request meets the end itself."""

    id: int


@dataclass(frozen=True, slots=True)
class ConnectionOpened:
    """What `OpenConnection` asked for is done."""

    id: int


@dataclass(frozen=True, slots=True)
class OpeningFailed:
    """What `OpenConnection` asked for could not be done; `error.retryable` says whether it may work later."""

    id: int
    error: DatabaseError


@dataclass(frozen=True, slots=True)
class DeadlineReached:
    """`deadline` has come."""


@dataclass(frozen=True, slots=True)
class PoolClosing:
    """No connection is needed any more."""


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """Open a connection; answered by `ConnectionOpened` or `OpeningFailed`."""

    id: int


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Close this connection; there is no answer."""

    id: int


@dataclass(slots=True)
class GrantConnection:
    """Give this request its connection."""

    waiter: Hashable
    id: int


@dataclass(frozen=True, slots=True)
class RefuseRequest:
    """Tell this request that it gets none."""

    waiter: Hashable
    error: DatabaseError


Event: TypeAlias = (
    ConnectionRequested
    | RequestAbandoned
    | ConnectionReleased
    | ConnectionDistrusted
    | ConnectionEnded
    | ConnectionOpened
    | OpeningFailed
    | DeadlineReached
    | PoolClosing
)
Command: TypeAlias = OpenConnection | CloseConnection | GrantConnection | RefuseRequest
