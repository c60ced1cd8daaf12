"""Turns observations into records of the standard library's logging, under the logger `fraiseql`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from fraiseql.errors import DatabaseError, ValueRefused
from fraiseql.observations import (
    AcceptFailed,
    ConnectionLost,
    ConnectionOpened,
    EventsDelayed,
    InternalErrorMasked,
    Observation,
    OperationCompleted,
    OutboxPurged,
    OutboxPurgeFailed,
    ReconnectFailed,
    RequestCompleted,
    RequestRefused,
    TlsFailed,
    WebSocketClosed,
)
from fraiseql.pipeline.failures import errors_of

__all__ = ["configure_logging", "log_observation", "logger", "name_worker"]

logger = logging.getLogger("fraiseql")

_MOST_LOGGED: Final = 100  # errors of one answer, each with its traceback
# Said to each request while the database is away, or is too small for them: no traceback says more.
_NO_CONNECTION: Final = frozenset({"08001", "53300", "57P01"})


class _Handler(logging.StreamHandler[Any]):
    """Ours, where nobody has set up others."""


def log_observation(observation: Observation) -> None:
    """Log one observation; its fields are attributes of the record where they are of use to a formatter."""
    _LOGGERS[type(observation)](observation)


def configure_logging(level: str) -> None:
    """Write our records to stderr, where nobody has said yet what shall become of them.

    Args:
        level: `debug`, `info`, `warning`, `error` or `critical`.
    """
    if logger.handlers or logging.getLogger().handlers:
        return
    handler = _Handler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(level.upper())


def name_worker(number: int) -> None:
    """Say in our records which of several processes writes them; formats of others' have it as `%(processName)s`."""
    import multiprocessing  # for its name only, which logging reads

    name = multiprocessing.current_process().name = f"worker {number}"
    for handler in logger.handlers:
        if isinstance(handler, _Handler):
            handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {name}: %(message)s"))


def _completed(seen: RequestCompleted) -> None:
    if logger.isEnabledFor(logging.INFO):
        milliseconds = seen.seconds * 1_000
        extra = {"request_id": seen.request_id, "status": seen.status, "seconds": seen.seconds}
        logger.info(
            "%s %s %s %d in %.1f ms", seen.request_id, seen.method, seen.path, seen.status, milliseconds, extra=extra
        )


def _refused(seen: RequestRefused) -> None:
    logger.info("connection %s refused with %d: %s", seen.connection_id, seen.status, seen.reason)


def _accept_failed(seen: AcceptFailed) -> None:
    logger.warning("clients cannot be accepted for now: %s", seen.reason)


def _tls_failed(seen: TlsFailed) -> None:
    logger.info("connection %s has no TLS: %s", seen.connection_id, seen.reason)


def _operation_completed(seen: OperationCompleted) -> None:
    if logger.isEnabledFor(logging.INFO):
        logger.info("%s over WebSocket %s in %.1f ms", seen.request_id, seen.outcome, seen.seconds * 1_000)


def _websocket_closed(seen: WebSocketClosed) -> None:
    logger.info("WebSocket %s closed with %d: %s", seen.connection_id, seen.code, seen.reason or "no reason")


def _masked(seen: InternalErrorMasked) -> None:
    errors = errors_of(seen.error)
    for error in errors[:_MOST_LOGGED]:
        if isinstance(error, ValueRefused):
            logger.log(logging.WARNING if error.doubtful else logging.INFO, "request %s: %s", seen.request_id, error)
        elif isinstance(error, DatabaseError) and error.sqlstate in _NO_CONNECTION:
            logger.warning("request %s failed: %s", seen.request_id, error)
        else:
            logger.error("request %s failed: %s", seen.request_id, error, exc_info=error)
    if len(errors) > _MOST_LOGGED:
        logger.error("request %s failed: %d more errors", seen.request_id, len(errors) - _MOST_LOGGED)


def _opened(seen: ConnectionOpened) -> None:
    logger.debug("connected to PostgreSQL process %d", seen.backend_pid)


def _lost(seen: ConnectionLost) -> None:
    logger.warning("the connection to PostgreSQL process %d was closed: %s", seen.backend_pid, seen.reason)


def _reconnect_failed(seen: ReconnectFailed) -> None:
    logger.warning("PostgreSQL cannot be reached, next attempt in %.1f s: %s", seen.retry_in, seen.reason)


def _delayed(seen: EventsDelayed) -> None:
    logger.warning(
        "events have been held back for %.1f s by a transaction that writes and does not end (see pg_stat_activity)",
        seen.seconds,
    )


def _purged(seen: OutboxPurged) -> None:
    logger.debug("%d old events were removed from the outbox", seen.events)


def _purge_failed(seen: OutboxPurgeFailed) -> None:
    logger.warning("old events could not be removed from the outbox: %s", seen.reason)


_LOGGERS: dict[type[Observation], Callable[[Any], None]] = {
    RequestCompleted: _completed,
    RequestRefused: _refused,
    AcceptFailed: _accept_failed,
    TlsFailed: _tls_failed,
    OperationCompleted: _operation_completed,
    WebSocketClosed: _websocket_closed,
    InternalErrorMasked: _masked,
    ConnectionOpened: _opened,
    ConnectionLost: _lost,
    ReconnectFailed: _reconnect_failed,
    EventsDelayed: _delayed,
    OutboxPurged: _purged,
    OutboxPurgeFailed: _purge_failed,
}
