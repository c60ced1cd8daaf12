"""What happened, as values: sessions, programs and pools emit them, runtimes log, count and trace them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "ConnectionLost",
    "ConnectionOpened",
    "InternalErrorMasked",
    "Observation",
    "Observer",
    "ReconnectFailed",
    "RequestCompleted",
    "RequestRefused",
]


@dataclass(frozen=True, slots=True)
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


Observation: TypeAlias = (
    RequestCompleted | RequestRefused | InternalErrorMasked | ConnectionOpened | ConnectionLost | ReconnectFailed
)
Observer: TypeAlias = Callable[[Observation], None]
