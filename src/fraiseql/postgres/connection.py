"""One connection to PostgreSQL and what must be remembered about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import pq
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from fraiseql.errors import DatabaseError
from fraiseql.postgres.errors import connection_lost

if TYPE_CHECKING:
    from fraiseql.postgres.exchange import Exchange

__all__ = ["CLOSES_BY_MESSAGE", "Connection", "broken"]

# Whether libpq has a message to close a prepared statement by; else it takes DEALLOCATE, which can fail.
CLOSES_BY_MESSAGE = pq.version() >= 170_000
_LONGEST_PREPARED = 16_384  # bytes of SQL; a backend needs some forty times that for as long as it is prepared


class Connection:
    """An open connection.

    Attributes:
        pgconn: libpq's own.
        fd: the socket's descriptor, which libpq no longer tells once the connection is lost.
        backend_pid: the process that serves it.
        max_prepared: how many statements are kept prepared; 0 prepares none, for poolers that cannot, and once
            SQL of a user's has deallocated ours within a transaction.
        prepared: the name of each prepared statement by its SQL, the least recently used first.
        obsolete: names of prepared statements that are of no use any more, to be closed.
        settings: what the session had to be told to be ours, after it was made: RESET ALL undoes it.
        outgrown: whether an answer made libpq's buffers, which never shrink, too large to keep.
        unanswered: in libpq's pipeline mode, how many Syncs are still to be answered; else 0.
        unclean: whether SQL of a user ran since the session was last proved to be as it was made.
        cleaning: the exchange in which the cleaning goes out behind a user's SQL.
        may_prepare: whether that SQL may have prepared statements of its own.
        fault: why it is of no use any more, where that is known.
        half: the result of a statement whose end was not read yet; see `quick`.
    """

    __slots__ = (
        "_names",
        "backend_pid",
        "cleaning",
        "fault",
        "fd",
        "half",
        "max_prepared",
        "may_prepare",
        "obsolete",
        "outgrown",
        "pgconn",
        "prepared",
        "settings",
        "unanswered",
        "unclean",
    )

    def __init__(self, pgconn: PGconn, *, max_prepared: int) -> None:
        self.pgconn = pgconn
        self.fd = pgconn.socket
        self.backend_pid = pgconn.backend_pid
        self.max_prepared = max_prepared
        self.prepared: dict[bytes, bytes] = {}
        self.obsolete: list[bytes] = []
        self.settings: list[tuple[bytes, bytes]] = []
        self.outgrown = False
        self.unanswered = 0
        self.unclean = False
        self.cleaning: Exchange | None = None
        self.may_prepare = False
        self.fault = ""
        self.half: PGresult | None = None
        self._names = 0

    def new_name(self) -> bytes:
        """A name that no statement of this connection ever had."""
        self._names += 1
        return b"fraiseql_%d" % self._names

    def keeps(self, sql: bytes) -> bool:
        """Whether a statement is kept prepared."""
        return self.max_prepared > 0 and len(sql) <= _LONGEST_PREPARED

    @property
    def is_idle(self) -> bool:
        """Whether the last conversation came to its end, outside of any transaction."""
        return (
            self.pgconn.transaction_status == TransactionStatus.IDLE
            and self.pgconn.status == ConnStatus.OK
            and not self.unanswered
        )

    @property
    def is_busy(self) -> bool:
        """Whether a conversation was left half way: the server may still work on it."""
        return self.unanswered > 0 or self.pgconn.transaction_status == TransactionStatus.ACTIVE

    @property
    def awaits_cleaning(self) -> bool:
        """Whether nothing but the answers of the cleaning is outstanding."""
        return self.cleaning is not None and self.cleaning.awaits_cleaning

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, be it a failed one."""
        return self.pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    @property
    def is_lost(self) -> bool:
        """Whether the connection broke."""
        return self.pgconn.status == ConnStatus.BAD

    def is_open(self) -> bool:
        """Whether a connection without a conversation is still open on the server's side; never blocks, sends nothing.

        A server that ends a connection sends an error and closes: the first read takes the error, the second meets
        the end.
        """
        try:
            self.pgconn.consume_input()
            self.pgconn.consume_input()
        except psycopg.Error:
            return False
        return self.pgconn.status == ConnStatus.OK

    def is_alive(self) -> bool:
        """Whether an idle connection can be used."""
        return self.is_open() and self.is_idle

    def close(self) -> None:
        """Close it; whoever waits for its descriptor must be told before."""
        self.pgconn.finish()


def broken(connection: Connection, error: psycopg.Error) -> DatabaseError:
    """What an error of libpq's own means."""
    if connection.pgconn.status == ConnStatus.BAD:
        return connection_lost(str(error))
    return DatabaseError(str(error), sqlstate="XX000")
