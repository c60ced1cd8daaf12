"""Several commands in one round trip, by libpq's pipeline mode (PostgreSQL, libpq §32.5).

All commands between two Syncs that are outside of a transaction block are one implicit transaction: after an error the
server passes over the rest of them, and nothing of them holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

import psycopg
from psycopg import generators
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGresult

from fraiseql.errors import DatabaseError
from fraiseql.postgres.connection import CLOSES_BY_MESSAGE, Connection, broken
from fraiseql.postgres.errors import is_fatal, is_stale_plan, is_taken_name, is_unknown_statement
from fraiseql.postgres.waits import Conversation, on

__all__ = ["Answers", "Exchange", "Purpose", "read_out"]

_COPIES = (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH)


class Purpose(Enum):
    """What a command is there for."""

    BEGIN = auto()
    SETTINGS = auto()
    SAVEPOINT = auto()
    STATEMENT = auto()
    RELEASE = auto()
    END = auto()
    CLEANING = auto()
    LEFT = auto()
    SYNC = auto()
    """The end of an implicit transaction: what is deferred can still fail."""


class Answers:
    """What came back before one Sync.

    Attributes:
        results: for each purpose the first result that was an error, or the last.
        failed: the purpose of the first error.
        forgotten: whether that error is of our prepared statement, not of what it says; it is prepared anew next time.
        complete: whether the Sync was answered; else the connection was lost meanwhile.
    """

    __slots__ = ("complete", "failed", "forgotten", "results")

    def __init__(self) -> None:
        self.results: dict[Purpose, PGresult] = {}
        self.failed: Purpose | None = None
        self.forgotten = False
        self.complete = False


class _Sent(NamedTuple):
    purpose: Purpose
    sql: bytes = b""  # of what is prepared, run prepared or closed
    prepares: bool = False
    closes: bytes = b""  # the name of a statement


class Exchange:
    """One pipeline: commands, each with its purpose, and Syncs are put in, then the answers are read Sync by Sync.

    Nothing else may be said on the connection until the last Sync is answered. Where a conversation is closed half way,
    `wind_up` must follow, or the connection's end.

    Raises:
        psycopg.Error: the connection was lost, here and when something is put in.
    """

    __slots__ = ("_connection", "_sent", "_synced")

    def __init__(self, connection: Connection) -> None:
        connection.pgconn.enter_pipeline_mode()
        connection.unanswered = 1
        self._connection = connection
        self._sent: deque[_Sent] = deque()
        self._synced = False

    def command(self, purpose: Purpose, sql: bytes) -> None:
        """Put in a command that is not kept prepared."""
        self._connection.pgconn.send_query_params(sql, [])
        self._sent.append(_Sent(purpose))

    def foreign(
        self, sql: bytes, parameters: Sequence[bytes | None], types: Sequence[int], formats: Sequence[int]
    ) -> None:
        """Put in a user's statement, with its parameters' types and formats."""
        self._connection.pgconn.send_query_params(sql, parameters, types, formats)
        self._sent.append(_Sent(Purpose.STATEMENT))

    def statement(self, purpose: Purpose, sql: bytes, parameters: Sequence[bytes | None]) -> None:
        """Put in a statement of ours, which is kept prepared where that is allowed."""
        connection = self._connection
        if not connection.keeps(sql) or not self._has_room(sql):
            connection.pgconn.send_query_params(sql, parameters)
            self._sent.append(_Sent(purpose))
            return
        name = connection.prepared.pop(sql, None)
        if name is None:
            name = self._prepare(purpose, sql)
        connection.prepared[sql] = name  # now the most recently used
        connection.pgconn.send_query_prepared(name, parameters)
        self._sent.append(_Sent(purpose, sql))

    def sync(self) -> None:
        """End what is one implicit transaction, and send."""
        if self._synced:
            self._connection.unanswered += 1
        self._synced = True
        self._connection.pgconn.pipeline_sync()
        self._sent.append(_Sent(Purpose.SYNC))

    @property
    def awaits_cleaning(self) -> bool:
        """Whether all is answered but the cleaning."""
        return bool(self._sent) and self._sent[0].purpose is Purpose.CLEANING

    def answers(self) -> Conversation[Answers]:
        """Read up to the next Sync.

        Raises:
            DatabaseError: the connection was lost before there was any answer, or the server wants to COPY (0A000).
        """
        answers = Answers()
        try:
            yield from on(self._connection.fd, generators.send(self._connection.pgconn))
            while not answers.complete:
                for result in (yield from _read(self._connection)):
                    self._take(result, answers)
                if answers.complete or self._sent[0].purpose is not Purpose.SYNC:  # an error may come before the Sync's
                    self._sent.popleft()
        except psycopg.Error as error:
            if not answers.results:
                raise broken(self._connection, error) from None
        return answers

    def _take(self, result: PGresult, answers: Answers) -> None:
        purpose, sql, prepares, closes = self._sent[0]
        status = result.status
        if status == ExecStatus.PIPELINE_SYNC:
            answers.complete = True
            return
        failed = status in (ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED)
        if failed and prepares:
            self._connection.prepared.pop(sql, None)
        if failed and closes:
            self._connection.obsolete.append(closes)
        if closes:
            return
        if status == ExecStatus.FATAL_ERROR and is_fatal(result):
            self._connection.fault = " ".join(result.get_error_message().split())
        if status == ExecStatus.FATAL_ERROR and answers.failed is None:
            answers.failed = purpose
            answers.results[purpose] = result
            answers.forgotten = bool(sql) and self._forget(result, sql, prepares)
        elif purpose is not answers.failed:
            answers.results[purpose] = result

    def _forget(self, result: PGresult, sql: bytes, prepares: bool) -> bool:
        if result.error_field(DiagnosticField.CONTEXT) is not None:
            return False  # of a statement that a function prepared
        if prepares:
            return is_taken_name(result)
        if is_stale_plan(result):
            if (name := self._connection.prepared.pop(sql, None)) is not None:
                self._connection.obsolete.append(name)
            return True
        if is_unknown_statement(result):  # so others may be, as after DEALLOCATE ALL
            self._connection.obsolete += self._connection.prepared.values()
            self._connection.prepared.clear()
            return True
        return False

    def _has_room(self, sql: bytes) -> bool:
        """Whether it is prepared or can be; without messages to close others DEALLOCATE could fail, and all with it."""
        connection = self._connection
        return CLOSES_BY_MESSAGE or sql in connection.prepared or len(connection.prepared) < connection.max_prepared

    def _prepare(self, purpose: Purpose, sql: bytes) -> bytes:
        connection = self._connection
        prepared = connection.prepared
        if CLOSES_BY_MESSAGE:
            while len(prepared) >= connection.max_prepared:
                connection.obsolete.append(prepared.pop(next(iter(prepared))))
            obsolete, connection.obsolete = connection.obsolete, []
            for name in obsolete:
                connection.pgconn.send_close_prepared(name)
                self._sent.append(_Sent(purpose, closes=name))
        name = connection.new_name()
        connection.pgconn.send_prepare(name, sql)
        self._sent.append(_Sent(purpose, sql, prepares=True))
        return name


def read_out(connection: Connection) -> Conversation[None]:
    """Read and forget all that is unanswered.

    Raises:
        psycopg.Error: the connection was lost.
        DatabaseError: the server wants to COPY.
    """
    yield from on(connection.fd, generators.send(connection.pgconn))
    while connection.unanswered:
        yield from _read(connection)


def _read(connection: Connection) -> Conversation[list[PGresult]]:
    """The results of one command, or a Sync's alone."""
    pgconn = connection.pgconn
    for _ in range(2):  # what was left half way may be at its very end
        results: list[PGresult] = yield from on(connection.fd, generators.fetch_many(pgconn))
        if results:
            break
    else:
        raise psycopg.OperationalError("the server gave no result")
    status = results[-1].status
    if status in _COPIES:
        connection.fault = "COPY moves its data beside the result: it is not possible here"
        raise DatabaseError(connection.fault, sqlstate="0A000")
    if status == ExecStatus.PIPELINE_SYNC:
        connection.unanswered -= 1
        if not connection.unanswered:
            pgconn.exit_pipeline_mode()
    elif pgconn.status == ConnStatus.BAD and status != ExecStatus.FATAL_ERROR:
        raise psycopg.OperationalError(pgconn.get_error_message())
    return results
