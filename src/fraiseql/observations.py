"""What happened, as values: sessions, programs and pools emit them, runtimes log, count and trace them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "AcceptFailed",
    "ConnectionLost",
    "ConnectionOpened",
    "EventsDelayed",
    "InternalErrorMasked",
    "Observation",
    "Observer",
    "OperationCompleted",
    "OutboxPurgeFailed",
    "OutboxPurged",
    "ReconnectFailed",
    "RequestCompleted",
    "RequestRefused",
    "TlsFailed",
    "WebSocketClosed",
]


@dataclass(slots=True)  # not frozen: made for each request, in a third of the time
class RequestCompleted:
    """An HTTP request was answered; `seconds` from its complete head to its answer."""

    request_id: str
    method: str
    path: str
    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A client broke the protocol, or was too slow."""

    connection_id: str
    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class AcceptFailed:
    """Clients cannot be accepted, say since there are too many open files; it is tried again until it goes well."""

    reason: str


@dataclass(frozen=True, slots=True)
class TlsFailed:
    """A client could not agree with us on TLS, or broke it; the connection is closed."""

    connection_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class OperationCompleted:
    """An operation over WebSocket has ended.

    `outcome` names a member of Outcome, or is COMPLETED, CANCELLED by the client, or SLOW_CONSUMER.
    """

    request_id: str
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class WebSocketClosed:
    """A WebSocket has ended; 1006 where it ended without a closing handshake (RFC 6455 §7.1.5)."""

    connection_id: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class InternalErrorMasked:
    """An error whose cause the client was not shown; the log has it under the request's id."""

    request_id: str
    error: BaseException


@dataclass(frozen=True, slots=True)
class ConnectionOpened:
    """A database connection was made."""

    backend_pid: int


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """A database connection was discarded."""

    backend_pid: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReconnectFailed:
    """PostgreSQL could not be reached; the next attempt is in `retry_in` seconds."""

    reason: str
    retry_in: float


@dataclass(frozen=True, slots=True)
class EventsDelayed:
    """Committed events have waited for `seconds`: a transaction older than theirs is open, in some database there."""

    seconds: float


@dataclass(frozen=True, slots=True)
class OutboxPurged:
    """Old events were removed."""

    events: int


@dataclass(frozen=True, slots=True)
class OutboxPurgeFailed:
    """Old events could not be removed; the next attempt comes later."""

    reason: str


Observation: TypeAlias = (
    RequestCompleted
    | RequestRefused
    | AcceptFailed
    | TlsFailed
    | OperationCompleted
    | WebSocketClosed
    | InternalErrorMasked
    | ConnectionOpened
    | ConnectionLost
    | ReconnectFailed
    | EventsDelayed
    | OutboxPurged
    | OutboxPurgeFailed
)
Observer: TypeAlias = Callable[[Observation], None]
