"""Proves that a session is as it was made, after SQL of a user's own ran in it.

What a session keeps beyond a transaction is undone by commands that all must succeed; see docs/explanations/
transactions.md. Our own prepared statements stay.
"""

from __future__ import annotations

import psycopg
from psycopg import generators

from fraiseql.postgres.connection import Connection, broken
from fraiseql.postgres.exchange import Exchange, Purpose, read_out
from fraiseql.postgres.telling import failure
from fraiseql.postgres.waits import Conversation, on

__all__ = ["put_cleaning", "wind_up"]

# The user first: the role is one that this user may be, and the settings are this user's.
_COMMANDS = (
    b"RESET SESSION AUTHORIZATION",
    b"RESET ROLE",
    b"RESET ALL",
    b"CLOSE ALL",
    b"UNLISTEN *",
    b"DISCARD TEMP",
    b"DISCARD SEQUENCES",
    b"SELECT pg_catalog.pg_advisory_unlock_all()",
)
_SET = b"SELECT pg_catalog.set_config($1, $2, false)"
_PREPARED = b"SELECT FROM pg_catalog.pg_prepared_statement() WHERE from_sql LIMIT 1"


def put_cleaning(exchange: Exchange, connection: Connection) -> None:
    """Put in the commands that undo what a session keeps, and a Sync; `wind_up` reads their answers."""
    for command in _COMMANDS:
        exchange.command(Purpose.CLEANING, command)
    for name, value in connection.settings:
        exchange.statement(Purpose.CLEANING, _SET, (name, value))
    if connection.may_prepare:
        exchange.command(Purpose.LEFT, _PREPARED)
    exchange.sync()
    connection.cleaning = exchange


def wind_up(connection: Connection) -> Conversation[None]:
    """Read what is unanswered, roll back what is open, and clean; what still runs must have been cancelled before.

    Afterwards `connection.unclean` is False only if the session is proved clean.

    Raises:
        DatabaseError: the connection was lost, or the server wants to COPY.
    """
    cleaning, connection.cleaning = connection.cleaning, None
    try:
        if cleaning is not None and cleaning.awaits_cleaning:
            yield from _prove(connection, cleaning)
        elif connection.is_busy:
            yield from _read_out(connection)
        if connection.unclean or connection.in_transaction:
            yield from _clean(connection)
    except psycopg.Error as error:
        raise broken(connection, error) from None


def _prove(connection: Connection, cleaning: Exchange) -> Conversation[None]:
    answers = yield from cleaning.answers()
    left = answers.results.get(Purpose.LEFT)
    if (error := failure(answers)) is not None:
        connection.fault = f"what was left in it could not be undone: {error}"
    elif not connection.may_prepare or (left is not None and not left.ntuples):
        connection.unclean, connection.may_prepare, connection.fault = False, False, ""
    elif left is not None:
        connection.fault = "a statement was prepared in it, and cannot be told to go without its name"


def _read_out(connection: Connection) -> Conversation[None]:
    if connection.unanswered:
        yield from read_out(connection)
    else:
        yield from on(connection.fd, generators.execute(connection.pgconn))


def _clean(connection: Connection) -> Conversation[None]:
    connection.unclean = True
    exchange = Exchange(connection)
    if rolls_back := connection.in_transaction:
        exchange.command(Purpose.END, b"ROLLBACK")
        exchange.sync()
    put_cleaning(exchange, connection)
    connection.cleaning = None
    if rolls_back:
        yield from exchange.answers()
    yield from _prove(connection, exchange)
