"""The usual statement, prepared already, without settings: sent by one call and read by another, without a generator.

What is unusual about it goes the way of `conversation`: `run` where `send` sends nothing, `resume` where the result
holds no row.
"""

from __future__ import annotations

import psycopg
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from fraiseql.effects import Fetch
from fraiseql.postgres.connection import Connection, broken

__all__ = ["flush", "receive", "send"]

_ENDLESS = (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH)


def send(connection: Connection, fetch: Fetch) -> bool:
    """Send a statement if it is a usual one; else send nothing and say False.

    `flush` must follow, and `receive` whenever the connection is readable.

    Raises:
        DatabaseError: the connection was lost (08006).
    """
    if fetch.settings:
        return False
    sql, parameters = fetch.statement.sql, fetch.parameters
    prepared = connection.prepared
    name = prepared.pop(sql, None)
    if name is None:
        return False
    prepared[sql] = name  # now the most recently used
    for value in parameters:
        if value is not None and 0 in value:
            return False
    try:
        connection.pgconn.send_query_prepared(name, parameters)
    except psycopg.Error as error:
        raise broken(connection, error) from None
    return True


def flush(connection: Connection) -> bool:
    """Send what is not sent yet; True where all of it is, else `flush` must follow when the connection is writable.

    Raises:
        DatabaseError: the connection was lost (08006).
    """
    try:
        return connection.pgconn.flush() == 0
    except psycopg.Error as error:
        raise broken(connection, error) from None


def receive(connection: Connection) -> PGresult | None:
    """Read what there is; the result once it is there as a whole, else None.

    Raises:
        DatabaseError: the connection was lost (08006).
    """
    pgconn = connection.pgconn
    try:
        pgconn.consume_input()
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None or result.status in _ENDLESS:
                found, connection.half = connection.half or result, None
                if found is None:
                    raise psycopg.InternalError("the server gave no result")
                return found
            if connection.half is None or result.status == ExecStatus.FATAL_ERROR:  # its commit may fail behind a row
                connection.half = result
    except psycopg.Error as error:
        connection.half = None
        raise broken(connection, error) from None
    return None
