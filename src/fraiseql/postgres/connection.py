"""One connection to PostgreSQL and what must be remembered about it."""

from __future__ import annotations

import psycopg
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.pq.abc import PGconn

__all__ = ["Connection"]


class Connection:
    """An open connection.

    Attributes:
        pgconn: libpq's own.
        fd: the socket's descriptor, which libpq no longer tells once the connection is lost.
        backend_pid: the process that serves it.
        max_prepared: how many statements are kept prepared; 0 prepares none, for poolers that cannot.
        prepared: the name of each prepared statement by its SQL, the least recently used first.
        outgrown: whether an answer made libpq's buffers, which never shrink, too large to keep.
    """

    __slots__ = ("_names", "backend_pid", "fd", "max_prepared", "outgrown", "pgconn", "prepared")

    def __init__(self, pgconn: PGconn, *, max_prepared: int) -> None:
        self.pgconn = pgconn
        self.fd = pgconn.socket
        self.backend_pid = pgconn.backend_pid
        self.max_prepared = max_prepared
        self.prepared: dict[bytes, bytes] = {}
        self.outgrown = False
        self._names = 0

    def new_name(self) -> bytes:
        """A name that no statement of this connection ever had."""
        self._names += 1
        return b"fraiseql_%d" % self._names

    @property
    def is_idle(self) -> bool:
        """Whether the last conversation came to its end, outside of any transaction."""
        return self.pgconn.transaction_status == TransactionStatus.IDLE and self.pgconn.status == ConnStatus.OK

    @property
    def is_lost(self) -> bool:
        """Whether the connection broke."""
        return self.pgconn.status == ConnStatus.BAD

    def is_alive(self) -> bool:
        """Whether an idle connection is still open on the server's side; never blocks, and sends nothing.

        A server that ends a connection sends an error and closes: the first read takes the error, the second meets
        the end.
        """
        try:
            self.pgconn.consume_input()
            self.pgconn.consume_input()
        except psycopg.Error:
            return False
        return self.is_idle

    def close(self) -> None:
        """Close it; whoever waits for its descriptor must be told before."""
        self.pgconn.finish()
