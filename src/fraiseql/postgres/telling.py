"""Statements before which PostgreSQL is told settings, in the same transaction and the same round trip.

A statement of ours runs functions, views and policies of the application's. So that nothing of one caller's reaches the
next, its transaction writes nothing, and is rolled back: with it goes what it set, its role, cursors, LISTEN.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import psycopg
from psycopg.pq import DiagnosticField
from psycopg.pq.abc import PGresult

from fraiseql.effects import Fetch, Settings
from fraiseql.errors import DatabaseError, SettingRefused
from fraiseql.postgres.connection import Connection, broken
from fraiseql.postgres.errors import connection_lost, is_fatal, setting_refused, statement_failed
from fraiseql.postgres.exchange import Answers, Exchange, Purpose
from fraiseql.postgres.waits import Conversation

__all__ = ["check_parameters", "check_settings", "failure", "run_told", "tell", "undo"]


def tell(exchange: Exchange, settings: Settings) -> None:
    """Put in what tells the settings: they hold until the transaction ends (`set_config(name, value, true)`)."""
    exchange.statement(Purpose.SETTINGS, _set_config(len(settings)), [text for pair in settings for text in pair])


def check_parameters(parameters: Sequence[bytes | None]) -> None:
    """Refuse NUL bytes: libpq would read a text up to there.

    Raises:
        DatabaseError: 22021, with the parameter's number.
    """
    for number, value in enumerate(parameters, 1):
        if value is not None and 0 in value:
            raise DatabaseError("a NUL byte in a text parameter", sqlstate="22021", parameter=number)


def check_settings(settings: Settings) -> None:
    """Refuse NUL bytes, as those of parameters.

    Raises:
        SettingRefused: 22021.
    """
    for name, value in settings:
        if 0 in name or 0 in value:
            raise SettingRefused("a NUL byte in a setting", sqlstate="22021")


def run_told(connection: Connection, fetch: Fetch) -> Conversation[PGresult]:
    """Tell the settings and run the statement, in a transaction that only reads, and roll it back.

    Raises:
        DatabaseError: see `conversation.run`; SettingRefused where a setting was refused.
    """
    check_settings(fetch.settings)
    answers = yield from _attempt(connection, fetch)
    if answers.forgotten:  # nothing has happened: prepare, and run all of it again
        answers = yield from _attempt(connection, fetch)
    if (error := failure(answers)) is not None:
        raise error
    return answers.results[Purpose.STATEMENT]


def undo(connection: Connection, *commands: bytes) -> Conversation[None]:
    """Roll back, wholly or to a savepoint, after an error; raises DatabaseError."""
    try:
        exchange = Exchange(connection)
        for command in commands:
            exchange.command(Purpose.END, command)
        exchange.sync()
    except psycopg.Error as error:
        raise broken(connection, error) from None
    answers = yield from exchange.answers()
    if (failed := failure(answers)) is not None:
        raise failed


def failure(answers: Answers) -> DatabaseError | None:
    """The error that the answers hold."""
    if answers.failed is None:
        return None if answers.complete else connection_lost("the server gave no result")
    result = answers.results[answers.failed]
    if is_fatal(result) and not result.error_field(DiagnosticField.SQLSTATE):
        return connection_lost(result.get_error_message())
    return setting_refused(result) if answers.failed is Purpose.SETTINGS else statement_failed(result)


def _attempt(connection: Connection, fetch: Fetch) -> Conversation[Answers]:
    try:
        exchange = Exchange(connection)
        exchange.statement(Purpose.BEGIN, b"BEGIN READ ONLY", ())
        tell(exchange, fetch.settings)
        exchange.statement(Purpose.STATEMENT, fetch.statement.sql, fetch.parameters)
        exchange.statement(Purpose.END, b"ROLLBACK", ())
        exchange.sync()
    except psycopg.Error as error:
        raise broken(connection, error) from None
    answers = yield from exchange.answers()
    if connection.in_transaction:  # an error has passed over the ROLLBACK
        yield from undo(connection, b"ROLLBACK")
    return answers


@lru_cache(maxsize=64)
def _set_config(count: int) -> bytes:
    calls = (b"pg_catalog.set_config($%d, $%d, true)" % (2 * n + 1, 2 * n + 2) for n in range(count))
    return b"SELECT " + b", ".join(calls)
