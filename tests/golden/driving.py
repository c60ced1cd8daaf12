"""Programs driven against a real PostgreSQL, blocking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.waiting import wait_conn

from fraiseql.effects import Fetch, Program
from fraiseql.errors import DatabaseError
from fraiseql.postgres import Connection, connect, run
from fraiseql.postgres.conninfo import ConnectionString

__all__ = ["drive", "opened"]


def opened(url: str) -> Connection:
    """A connection as the server opens it."""
    string = ConnectionString(url)
    connection: Connection = wait_conn(
        connect(string.attempts(string.hosts())[0], max_prepared=50), interval=1.0, timeout=10.0
    )
    return connection


def drive(
    connection: Connection, program: Program[Any], *, instead: Sequence[DatabaseError] = ()
) -> tuple[Any, list[Fetch]]:
    """What a program returns, and the statements it asked for; the first of them fail with the errors given."""
    fetches: list[Fetch] = []
    errors = list(instead)
    try:
        effect = next(program)
        while True:
            assert isinstance(effect, Fetch)
            fetches.append(effect)
            try:
                if errors:
                    raise errors.pop(0)
                row = wait_conn(run(connection, effect), interval=1.0, timeout=10.0)
            except DatabaseError as error:
                effect = program.throw(error)
            else:
                effect = program.send(row)
    except StopIteration as stop:
        return stop.value, fetches
