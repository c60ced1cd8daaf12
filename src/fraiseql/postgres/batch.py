"""Statements that share one round trip: libpq's pipeline mode, one Sync, a transaction for each statement.

After an error the server passes over what follows: that never ran, and can be run again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from fraiseql.effects import Fetch
from fraiseql.postgres.connection import CLOSES_BY_MESSAGE, Connection, broken
from fraiseql.postgres.errors import is_fatal, is_stale_plan, is_unknown_statement

__all__ = ["Batch"]

_BEGIN = b"BEGIN"
_END = b"COMMIT"
_NOBODY = -1


class _Step(NamedTuple):
    """What a result is of; a number of -1 is no statement's."""

    number: int
    sql: bytes
    prepares: bool
    commits: bool  # the statement: its answer counts from here on


class Batch:
    """Several statements that were sent together, and the reading of their answers.

    `flush` must follow, and `receive` whenever the connection is readable, until `complete`; or the connection's
    recovery.

    Args:
        connection: an idle one.
        fetches: without settings, outside of any transaction, and no NUL in their parameters.

    Attributes:
        complete: whether all is answered. Where an error came the connection may be in a transaction that failed.

    Raises:
        DatabaseError: the connection was lost (08006).
    """

    __slots__ = ("_connection", "_expected", "_result", "_row", "complete")

    def __init__(self, connection: Connection, fetches: Sequence[Fetch]) -> None:
        self._connection = connection
        self._expected: deque[_Step] = deque()
        self._result: PGresult | None = None  # whose end was not read yet
        self._row: PGresult | None = None  # that is not committed yet
        self.complete = False
        try:
            connection.pgconn.enter_pipeline_mode()
            connection.unanswered = 1
            for index, fetch in enumerate(fetches):
                self._put(_BEGIN, (), _NOBODY)
                self._put(fetch.statement.sql, fetch.parameters, index)
                self._put(_END, (), index, commits=True)
            connection.pgconn.pipeline_sync()
        except psycopg.Error as error:
            raise broken(connection, error) from None

    def receive(self) -> list[tuple[int, PGresult]]:
        """Read what there is: results, each with its statement's number, once it is committed.

        A statement that failed, or whose COMMIT did, has that error for its result. Those behind were passed over, and
        have results that say so. What comes for a statement after its first result is to be ignored.

        Raises:
            DatabaseError: the connection was lost (08006).
        """
        found: list[tuple[int, PGresult]] = []
        pgconn, result = self._connection.pgconn, self._result
        try:
            pgconn.consume_input()
            while not pgconn.is_busy():
                arrived = pgconn.get_result()
                if arrived is None:
                    if result is None:
                        break
                    self._take(result, found)
                    result = None
                elif arrived.status == ExecStatus.PIPELINE_SYNC:
                    self.complete = True
                    self._connection.unanswered = 0
                    pgconn.exit_pipeline_mode()
                    break
                elif result is None:
                    result = arrived
        except psycopg.Error as error:
            raise broken(self._connection, error) from None
        finally:
            self._result = result
        return found

    def _take(self, result: PGresult, found: list[tuple[int, PGresult]]) -> None:
        step, status = self._expected.popleft(), result.status
        if status == ExecStatus.FATAL_ERROR:
            self._failed(step, result)
        if step.prepares and status in (ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED):
            self._connection.prepared.pop(step.sql, None)
        if step.number < 0 or (step.prepares and status != ExecStatus.FATAL_ERROR):
            return
        if status in (ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED):
            found.append((step.number, result))
        elif not step.commits:
            self._row = result
        elif self._row is not None:
            found.append((step.number, self._row))

    def _failed(self, step: _Step, result: PGresult) -> None:
        connection = self._connection
        if is_fatal(result):
            connection.fault = " ".join(result.get_error_message().split())
        elif is_unknown_statement(result):  # so others may be, as after DEALLOCATE ALL
            connection.obsolete += connection.prepared.values()
            connection.prepared.clear()
        elif is_stale_plan(result) and (name := connection.prepared.pop(step.sql, None)) is not None:
            connection.obsolete.append(name)

    def _put(self, sql: bytes, parameters: Sequence[bytes | None], index: int, *, commits: bool = False) -> None:
        connection, pgconn, prepared = self._connection, self._connection.pgconn, self._connection.prepared
        name = prepared.pop(sql, None)
        if name is None:
            if not connection.keeps(sql) or not (CLOSES_BY_MESSAGE or len(prepared) < connection.max_prepared):
                pgconn.send_query_params(sql, parameters)
                self._expected.append(_Step(index, sql, False, commits))
                return
            if CLOSES_BY_MESSAGE:
                self._close_some()
            name = connection.new_name()
            pgconn.send_prepare(name, sql)
            self._expected.append(_Step(index, sql, True, commits))
        prepared[sql] = name  # now the most recently used
        pgconn.send_query_prepared(name, parameters)
        self._expected.append(_Step(index, sql, False, commits))

    def _close_some(self) -> None:
        connection = self._connection
        while len(connection.prepared) >= connection.max_prepared:
            connection.obsolete.append(connection.prepared.pop(next(iter(connection.prepared))))
        obsolete, connection.obsolete = connection.obsolete, []
        for name in obsolete:  # of one that is passed over after an error nothing but memory is lost
            connection.pgconn.send_close_prepared(name)
            self._expected.append(_Step(_NOBODY, b"", False, False))
