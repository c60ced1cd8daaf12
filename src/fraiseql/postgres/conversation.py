"""Conversations with PostgreSQL over libpq, which yield their waits: connect, run, cancel, drain.

Each is one generator for one connection; only one may be under way on a connection, `cancel` apart.
"""

from __future__ import annotations

import psycopg
from psycopg import generators, pq
from psycopg.pq import Escaping, ExecStatus
from psycopg.pq.abc import PGresult

from fraiseql.effects import Fetch, Row
from fraiseql.errors import DatabaseError
from fraiseql.postgres.connection import CLOSES_BY_MESSAGE, Connection, broken
from fraiseql.postgres.conninfo import DATE_STYLE, INTERVAL_STYLE, wanted_time_zone
from fraiseql.postgres.errors import (
    connection_failed,
    connection_lost,
    is_stale_plan,
    is_taken_name,
    is_unknown_statement,
    statement_failed,
)
from fraiseql.postgres.exchange import read_out
from fraiseql.postgres.telling import check_parameters, run_told
from fraiseql.postgres.waits import Conversation, on

__all__ = ["CAN_CANCEL", "cancel", "connect", "drain", "explain", "only_row", "resume", "run"]

# The cancel of libpq < 17 blocks, with the interpreter's lock held. There the connection is discarded instead.
CAN_CANCEL = pq.version() >= 170_000
_OUTGROWN = 8_388_608  # bytes of one row: libpq keeps twice that for the rest of the connection's life


def connect(conninfo: str, *, max_prepared: int) -> Conversation[Connection]:
    """Open a connection.

    Its time zone is the one that `conninfo` asks for, and intervals are written in ISO 8601, also where the environment
    (PGTZ) or a pooler between says otherwise: that alone costs a round trip.

    Args:
        conninfo: one attempt of a ConnectionString, its host name resolved to `hostaddr` (libpq would block).
        max_prepared: see PoolLimits; 0 prepares nothing.

    Raises:
        DatabaseError: libpq's words; `retryable` says whether another attempt may succeed.
    """
    try:
        pgconn = yield from generators.connect(conninfo)
    except psycopg.Error as error:
        # The cause holds the password.
        raise connection_failed(_without_prefix(str(error))) from None
    connection = Connection(pgconn, max_prepared=max_prepared)
    time_zone = wanted_time_zone(conninfo)
    for setting, wanted in (("TimeZone", time_zone), ("DateStyle", DATE_STYLE), ("IntervalStyle", INTERVAL_STYLE)):
        # That of dates is told with the order in which their parts are read, which does not matter: `ISO, DMY`.
        found = (pgconn.parameter_status(setting.encode()) or b"").decode().partition(",")[0]
        if found.casefold() != wanted.casefold():
            try:
                yield from _set(connection, setting, wanted)
            except BaseException:
                connection.close()
                raise
    return connection


def run(connection: Connection, fetch: Fetch) -> Conversation[Row]:
    """Run one statement outside of a transaction and return its only row, in text format.

    With settings it takes one round trip too. They and the statement are one transaction then, which only reads, and is
    rolled back.

    It is prepared at its first use on this connection, unless it is very long. When it raises, `connection.is_idle`
    says whether the connection can be used again; when it is closed half way, `cancel` and `wind_up` must follow, or
    the connection's end.

    Raises:
        DatabaseError: the statement failed (with PostgreSQL's SQLSTATE), gave anything but one row of
            `fetch.statement.columns` columns (21000), would have written where there are settings (25006), or the
            connection was lost (08006); SettingRefused where a setting was refused.
    """
    check_parameters(fetch.parameters)
    if fetch.settings:
        result = yield from run_told(connection, fetch)
    else:
        try:
            result = yield from _execute(connection, fetch)
        except psycopg.Error as error:
            raise broken(connection, error) from None
    return only_row(connection, result, fetch.statement.columns)


def resume(connection: Connection, fetch: Fetch, result: PGresult) -> Conversation[Row]:
    """Go on as `run` does once it has the result of a prepared statement; for one that was sent by `quick.send`.

    Raises:
        DatabaseError: see `run`.
    """
    try:
        result = yield from _mended(connection, fetch, result)
    except psycopg.Error as error:
        raise broken(connection, error) from None
    return only_row(connection, result, fetch.statement.columns)


def explain(connection: Connection, fetch: Fetch) -> Conversation[str]:
    """Run EXPLAIN (ANALYZE, BUFFERS) of one statement in a transaction that is rolled back, and return the plan.

    The statement is prepared, and its settings told, so that the plan is the one that `run` has.

    Raises:
        DatabaseError: as for `run`.
    """
    escaping = Escaping(connection.pgconn)
    values = [b"NULL" if value is None else escaping.escape_literal(value) for value in fetch.parameters]
    arguments = b"(%b)" % b", ".join(values) if values else b""
    try:
        yield from _command(connection, b"BEGIN")
        try:
            for setting in fetch.settings:
                literals = tuple(map(escaping.escape_literal, setting))
                yield from _command(connection, b"SELECT set_config(%b, %b, true)" % literals)
            name = connection.new_name()
            connection.pgconn.send_prepare(name, fetch.statement.sql)
            prepared = yield from _result(connection)
            if prepared.status != ExecStatus.COMMAND_OK:
                raise statement_failed(prepared)
            result = yield from _command(connection, b"EXPLAIN (ANALYZE, BUFFERS) EXECUTE " + name + arguments)
        finally:
            if connection.in_transaction:
                yield from _command(connection, b"ROLLBACK")
    except psycopg.Error as error:
        raise broken(connection, error) from None
    return "\n".join((result.get_value(row, 0) or b"").decode() for row in range(result.ntuples))


def cancel(connection: Connection) -> Conversation[None]:
    """Ask the server to cancel what runs on this connection, over a connection of its own; `drain` must follow.

    Raises:
        DatabaseError: the request did not reach the server.
    """
    try:
        cancel_conn = connection.pgconn.cancel_conn()
        cancel_conn.start()
        yield from generators.cancel(cancel_conn)
    except psycopg.Error as error:
        raise connection_failed(str(error)) from None


def drain(connection: Connection) -> Conversation[None]:
    """Send what is still to be sent, then read and forget answers until none is outstanding.

    Raises:
        DatabaseError: the connection was lost.
    """
    try:
        if connection.unanswered:
            yield from read_out(connection)
        else:
            yield from on(connection.fd, generators.execute(connection.pgconn))
    except psycopg.Error as error:
        raise broken(connection, error) from None


def _set(connection: Connection, setting: str, value: str) -> Conversation[None]:
    try:
        connection.pgconn.send_query_params(b"SELECT set_config($1, $2, false)", [setting.encode(), value.encode()])
        result = yield from _result(connection)
    except psycopg.Error as error:
        raise broken(connection, error) from None
    only_row(connection, result, 1)
    connection.settings.append((setting.encode(), value.encode()))


def _command(connection: Connection, sql: bytes) -> Conversation[PGresult]:
    connection.pgconn.send_query_params(sql, [])
    result = yield from _result(connection)
    if result.status == ExecStatus.FATAL_ERROR:
        raise statement_failed(result) if result.error_field(pq.DiagnosticField.SQLSTATE) else _lost(result)
    return result


def _execute(connection: Connection, fetch: Fetch) -> Conversation[PGresult]:
    sql, pgconn = fetch.statement.sql, connection.pgconn
    if not connection.keeps(sql):
        pgconn.send_query_params(sql, fetch.parameters)
        return (yield from _result(connection))
    prepared = connection.prepared
    name = prepared.pop(sql, None)
    if name is not None:
        prepared[sql] = name  # now the most recently used
        pgconn.send_query_prepared(name, fetch.parameters)
        result = yield from _result(connection)
        return (yield from _mended(connection, fetch, result))
    return (yield from _prepared_first(connection, fetch))


def _mended(connection: Connection, fetch: Fetch, result: PGresult) -> Conversation[PGresult]:
    """The result itself, unless it says that the statement must be prepared anew."""
    sql, prepared = fetch.statement.sql, connection.prepared
    if result.status != ExecStatus.FATAL_ERROR:
        return result
    if is_stale_plan(result):
        yield from _close(connection, prepared.pop(sql))
    elif is_unknown_statement(result):
        del prepared[sql]
    else:
        return result
    return (yield from _prepared_first(connection, fetch))


def _prepared_first(connection: Connection, fetch: Fetch) -> Conversation[PGresult]:
    name = yield from _prepare(connection, fetch.statement.sql)
    connection.pgconn.send_query_prepared(name, fetch.parameters)
    return (yield from _result(connection))


def _prepare(connection: Connection, sql: bytes) -> Conversation[bytes]:
    prepared = connection.prepared
    while len(prepared) >= connection.max_prepared:
        yield from _close(connection, prepared.pop(next(iter(prepared))))
    while connection.obsolete:
        yield from _close(connection, connection.obsolete.pop())
    # Noted before it is sent: cancelled here, it may exist or not, and its next use finds out.
    name = prepared[sql] = connection.new_name()
    connection.pgconn.send_prepare(name, sql)
    result = yield from _result(connection)
    while result.status != ExecStatus.COMMAND_OK and is_taken_name(result):
        name = prepared[sql] = connection.new_name()
        connection.pgconn.send_prepare(name, sql)
        result = yield from _result(connection)
    if result.status != ExecStatus.COMMAND_OK:
        del prepared[sql]
        raise statement_failed(result)
    return name


def _close(connection: Connection, name: bytes) -> Conversation[None]:
    if CLOSES_BY_MESSAGE:
        connection.pgconn.send_close_prepared(name)
    else:
        connection.pgconn.send_query(b"DEALLOCATE " + name)
    yield from _result(connection)  # one that the server does not know is as good as closed


def _result(connection: Connection) -> Conversation[PGresult]:
    results: list[PGresult] = yield from on(connection.fd, generators.execute(connection.pgconn))
    if not results:
        raise psycopg.InternalError("the server gave no result")
    if results[-1].status == ExecStatus.FATAL_ERROR:  # perhaps behind a row: its commit failed
        return results[-1]
    return results[0]


def only_row(connection: Connection, result: PGresult, columns: int) -> Row:
    """The only row of a result.

    Raises:
        DatabaseError: as for `run`.
    """
    if result.status != ExecStatus.TUPLES_OK:
        if result.status == ExecStatus.FATAL_ERROR:
            raise statement_failed(result) if result.error_field(pq.DiagnosticField.SQLSTATE) else _lost(result)
        raise DatabaseError(f"the statement gave {ExecStatus(result.status).name}, not a row", sqlstate="21000")
    if result.ntuples != 1 or result.nfields != columns:
        found = f"{result.ntuples} rows of {result.nfields} columns"
        raise DatabaseError(f"the statement gave {found}, not one row of {columns}", sqlstate="21000")
    row = tuple([result.get_value(0, column) for column in range(columns)])
    if sum([len(value) for value in row if value is not None]) > _OUTGROWN:
        connection.outgrown = True
    return row


def _lost(result: PGresult) -> DatabaseError:
    return connection_lost(result.get_error_message())


def _without_prefix(text: str) -> str:
    """libpq's own words, without psycopg's before them."""
    for prefix in ("connection failed: ", "connection is bad: "):
        text = text.removeprefix(prefix)
    return text
