"""Transactions: BEGIN goes out with the first statement, and what a session keeps is undone beside COMMIT.

What is told holds until the transaction ends, unless SQL of a user's own changes it: a function, a trigger, a view's
expression, a savepoint that is rolled back. None of that can be seen from here, so each statement is told it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGresult

from fraiseql.effects import Execute, Fetch, Isolation, ResultSet, Row, Settings
from fraiseql.errors import DatabaseError
from fraiseql.postgres.cleaning import put_cleaning, wind_up
from fraiseql.postgres.connection import Connection, broken
from fraiseql.postgres.conversation import only_row
from fraiseql.postgres.errors import connection_lost, is_fatal, is_unknown_statement, outcome_unknown
from fraiseql.postgres.exchange import Answers, Exchange, Purpose
from fraiseql.postgres.executing import UserStatement
from fraiseql.postgres.telling import check_parameters, check_settings, failure, tell, undo
from fraiseql.postgres.waits import Conversation

__all__ = ["ENDED_BY_USER", "Transaction", "execute_alone"]

ENDED_BY_USER: Final = "2D000"
"""The SQLSTATE of a statement of the application's own that ended the transaction that it was in, or began another."""

_TO_SAVEPOINT = (b"ROLLBACK TO SAVEPOINT fraiseql", b"RELEASE SAVEPOINT fraiseql")


class Transaction:
    """A transaction on a connection that is its own.

    Attributes:
        connection: it is `unclean` from the first statement on.
        has_begun: whether BEGIN was sent.
        is_spoilt: whether a statement began or ended a transaction behind our back, be it in error: only this one's end
            may follow.
    """

    __slots__ = ("_isolation", "connection", "has_begun", "is_spoilt")

    def __init__(self, connection: Connection, isolation: Isolation) -> None:
        self.connection = connection
        self.has_begun = False
        self.is_spoilt = False
        self._isolation = isolation

    def fetch(self, fetch: Fetch) -> Conversation[Row]:
        """Run one statement and return its only row.

        A prepared statement that PostgreSQL does not know any more, or whose result has changed, is prepared anew where
        nothing is lost by that: for the first statement, and for a guarded one.

        Raises:
            DatabaseError: see `conversation.run`; 40001 where the statement has to be prepared anew, and the
                transaction to be run again for that.
        """
        check_parameters(fetch.parameters)
        check_settings(fetch.settings)
        sql = fetch.statement.sql

        def put(exchange: Exchange) -> None:
            exchange.statement(Purpose.STATEMENT, sql, fetch.parameters)

        result = yield from self._run(put, fetch.settings, lambda _: False, guarded=fetch.guarded)
        return only_row(self.connection, result, fetch.statement.columns)

    def execute(self, effect: Execute) -> Conversation[ResultSet]:
        """Run one statement of a user's.

        Raises:
            DatabaseError: as for `fetch`, and see UserStatement; 2D000 for a statement that begins or ends a
                transaction.
        """
        check_settings(effect.settings)
        statement = UserStatement(effect)
        guarded = effect.guarded and not statement.steers
        try:
            result = yield from self._run(statement.put_into, effect.settings, statement.is_control, guarded=guarded)
        except BaseException:
            statement.note(self.connection, None)
            raise
        statement.note(self.connection, result)
        return statement.result_set(result)

    def commit(self, settings: Settings = ()) -> Conversation[None]:
        """Commit; `wind_up` must follow, whatever comes of it, and reads how the cleaning behind the COMMIT went.

        Args:
            settings: what is deferred runs under them.

        Raises:
            DatabaseError: it is not committed, with PostgreSQL's SQLSTATE: 25P02 where a statement had failed, 08006
                where the connection was lost before; 08007 where nobody can tell.
        """
        connection = self.connection
        if not connection.is_open():
            connection.fault = "the server closed it within a transaction"
            raise connection_lost("before the transaction was committed")
        try:
            exchange = Exchange(connection)
            if settings and not self._has_failed:
                tell(exchange, settings)
            exchange.command(Purpose.END, b"COMMIT")
            exchange.sync()
            put_cleaning(exchange, connection)
            answers = yield from exchange.answers()
        except (psycopg.Error, DatabaseError) as error:  # as soon as the first byte is out, it may be committed
            raise outcome_unknown(str(error)) from None
        result = answers.results.get(answers.failed or Purpose.END)
        if result is None:
            raise outcome_unknown("the server gave no result")
        if answers.failed is not None and (failed := failure(answers)) is not None:
            if is_fatal(result):  # it may have come behind the commit
                raise outcome_unknown(str(failed))
            raise self._again(answers, failed) if answers.forgotten else failed
        if result.command_status != b"COMMIT":
            raise DatabaseError("a statement had failed: it was rolled back", sqlstate="25P02")

    @property
    def _has_failed(self) -> bool:
        """Whether nothing runs any more but what ends it, or goes back to a savepoint, to what was told before that."""
        return self.connection.pgconn.transaction_status == TransactionStatus.INERROR

    def _run(
        self,
        put: Callable[[Exchange], None],
        settings: Settings,
        is_control: Callable[[PGresult], bool],
        *,
        guarded: bool,
    ) -> Conversation[PGresult]:
        had_begun = self.has_begun
        answers = yield from self._attempt(put, settings, guarded)
        if answers.forgotten:
            if not had_begun:
                yield from undo(self.connection, b"ROLLBACK")
                self.has_begun = False
                answers = yield from self._attempt(put, settings, guarded)
            elif guarded and answers.failed is Purpose.STATEMENT:
                yield from undo(self.connection, *_TO_SAVEPOINT)
                answers = yield from self._attempt(put, settings, guarded)
        error, result = failure(answers), answers.results.get(Purpose.STATEMENT)
        if result is not None and answers.failed is not Purpose.STATEMENT and is_control(result):
            self.is_spoilt = True  # also where its savepoint is not there any more, or another transaction is
            raise _control()
        if self.is_spoilt:
            raise error or _control()
        if error is None:
            return answers.results[Purpose.STATEMENT]
        if guarded and answers.failed is Purpose.STATEMENT and answers.complete:
            yield from undo(self.connection, *_TO_SAVEPOINT)
        elif answers.forgotten:
            raise self._again(answers, error)
        raise error

    def _again(self, answers: Answers, error: DatabaseError) -> DatabaseError:
        if answers.failed is not None and is_unknown_statement(answers.results[answers.failed]):
            self.connection.max_prepared = 0  # what deallocates them in this transaction would do so again in the next
        text = f"the transaction must be run again, to prepare a statement anew: {error}"
        return DatabaseError(text, sqlstate="40001", retryable=True)

    def _attempt(self, put: Callable[[Exchange], None], settings: Settings, guarded: bool) -> Conversation[Answers]:
        connection = self.connection
        connection.unclean = True
        try:
            exchange = Exchange(connection)
            if not self.has_begun:
                exchange.command(Purpose.BEGIN, f"BEGIN ISOLATION LEVEL {self._isolation.value}".encode())
            if settings and not self._has_failed:
                tell(exchange, settings)
            if guarded:
                exchange.command(Purpose.SAVEPOINT, b"SAVEPOINT fraiseql")
            put(exchange)
            if guarded:
                exchange.command(Purpose.RELEASE, b"RELEASE SAVEPOINT fraiseql")
            exchange.sync()
            self.has_begun = True
        except psycopg.Error as error:
            raise broken(connection, error) from None
        answers = yield from exchange.answers()
        if answers.complete and not connection.in_transaction:
            self.is_spoilt = True
        return answers


def execute_alone(connection: Connection, effect: Execute) -> Conversation[ResultSet]:
    """Run one statement of a user's in a transaction of its own; `wind_up` must follow, whatever comes of it.

    The cleaning goes out behind it in the same round trip; `wind_up` reads how that went.

    Raises:
        DatabaseError: as for `Transaction.execute`; 08007 where nobody can tell whether it ran.
    """
    check_settings(effect.settings)
    statement = UserStatement(effect)
    try:
        result = yield from _run_alone(connection, effect.settings, statement)
    except BaseException:
        statement.note(connection, None)
        raise
    statement.note(connection, result)
    if statement.is_control(result):
        raise _control()
    return statement.result_set(result)


def _run_alone(connection: Connection, settings: Settings, statement: UserStatement) -> Conversation[PGresult]:
    answers = yield from _attempt_alone(connection, settings, statement)
    if answers.forgotten:  # it is what tells the settings, and the statement has not run
        yield from wind_up(connection)
        answers = yield from _attempt_alone(connection, settings, statement)
    if (failed := failure(answers)) is not None:
        if answers.failed is None or is_fatal(answers.results[answers.failed]):
            raise outcome_unknown(str(failed))
        raise failed
    return answers.results[Purpose.STATEMENT]


def _attempt_alone(connection: Connection, settings: Settings, statement: UserStatement) -> Conversation[Answers]:
    connection.unclean = True
    try:
        exchange = Exchange(connection)
        if settings:
            tell(exchange, settings)
        statement.put_into(exchange)
        exchange.sync()
        put_cleaning(exchange, connection)
        return (yield from exchange.answers())
    except psycopg.Error as error:
        raise _lost(connection, error) from None
    except DatabaseError as error:
        raise outcome_unknown(str(error)) if error.sqlstate == "08006" else error from None


def _lost(connection: Connection, error: psycopg.Error) -> DatabaseError:
    found = broken(connection, error)
    return outcome_unknown(str(found)) if connection.is_lost else found


def _control() -> DatabaseError:
    text = "the statement begins or ends a transaction: that is not its business"
    return DatabaseError(text, sqlstate=ENDED_BY_USER)
