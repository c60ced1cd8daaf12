"""Conversations that listen for notifications."""

from __future__ import annotations

import psycopg
from psycopg import generators
from psycopg.pq import ConnStatus, Escaping, ExecStatus, PGnotify

from fraiseql.postgres.connection import Connection
from fraiseql.postgres.errors import connection_lost, statement_failed
from fraiseql.postgres.waits import Conversation, Ready, Wait, on

__all__ = ["Listener"]


class Listener:
    """Listens on one channel of a connection, which may run statements beside that.

    Attributes:
        connection: it belongs to the listener from now on.
        heard: whether a notification came since somebody last set this to False, be it while a statement ran.
    """

    def __init__(self, connection: Connection, channel: str) -> None:
        self.connection = connection
        self.heard = False
        self._channel = channel.encode()
        connection.pgconn.notify_handler = self._note

    def listen(self) -> Conversation[None]:
        """Begin: what is committed from the end of this on is heard of.

        Raises:
            DatabaseError: the connection was lost, or the server refuses.
        """
        pgconn = self.connection.pgconn
        try:
            pgconn.send_query(b"LISTEN " + Escaping(pgconn).escape_identifier(self._channel))
            results = yield from on(self.connection.fd, generators.execute(pgconn))
        except psycopg.Error as error:
            raise connection_lost(str(error)) from None
        if not results or results[0].status != ExecStatus.COMMAND_OK:
            raise statement_failed(results[0]) if results else connection_lost("the server gave no result")

    def wait(self) -> Conversation[None]:
        """Wait for a notification, unless one was heard; may be closed at any time.

        Raises:
            DatabaseError: the connection was lost.
        """
        while not self.heard:
            ready = yield self.connection.fd, Wait.R
            if ready & Ready.R:
                self._receive()

    def _receive(self) -> None:
        pgconn = self.connection.pgconn
        try:
            pgconn.consume_input()
            while (notify := pgconn.notifies()) is not None:
                self._note(notify)
        except psycopg.Error as error:
            raise connection_lost(str(error)) from None
        if pgconn.status == ConnStatus.BAD:
            raise connection_lost(pgconn.get_error_message())

    def _note(self, notify: PGnotify) -> None:
        if notify.relname == self._channel:
            self.heard = True
