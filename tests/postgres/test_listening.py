"""Listening on a real PostgreSQL, waited for in the simplest way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from fraiseql.effects import Fetch, Statement
from fraiseql.errors import DatabaseError
from fraiseql.postgres import Connection, Listener, run

Open = Callable[..., Connection]
Drive = Callable[..., Any]


def notify(conninfo: str, channel: str) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute("SELECT pg_notify(%s, '')", (channel,))


@pytest.mark.parametrize("channel", ["plain", "Mixed Case", 'quo"te', "é"])
def test_a_notification_ends_the_wait(
    drive: Drive, open_connection: Open, module_database_url: str, channel: str
) -> None:
    listener = Listener(open_connection(), channel)
    drive(listener.listen())
    assert not listener.heard
    notify(module_database_url, "other")
    notify(module_database_url, channel)
    drive(listener.wait())
    assert listener.heard


def test_a_notification_while_a_statement_runs_is_heard(
    drive: Drive, open_connection: Open, module_database_url: str
) -> None:
    listener = Listener(open_connection(), "news")
    drive(listener.listen())
    notify(module_database_url, "news")
    drive(run(listener.connection, Fetch(Statement(b"SELECT 1", 1), ())))
    assert listener.heard
    drive(listener.wait())  # there is nothing to wait for


def test_a_wait_can_be_given_up_at_any_time(drive: Drive, open_connection: Open) -> None:
    listener = Listener(open_connection(), "news")
    drive(listener.listen())
    waiting = listener.wait()
    next(waiting)
    waiting.close()
    assert drive(run(listener.connection, Fetch(Statement(b"SELECT 1", 1), ()))) == (b"1",)


def test_the_end_of_the_connection_ends_the_wait(drive: Drive, open_connection: Open, module_database_url: str) -> None:
    listener = Listener(open_connection(), "news")
    drive(listener.listen())
    with psycopg.connect(module_database_url) as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (listener.connection.backend_pid,))
    with pytest.raises(DatabaseError) as caught:
        drive(listener.wait())
    assert caught.value.unavailable
    with pytest.raises(DatabaseError) as caught:
        drive(listener.listen())
    assert caught.value.unavailable


def test_a_server_that_refuses_to_listen(drive: Drive, open_connection: Open) -> None:
    """In a transaction that has failed it takes no statement."""
    connection = open_connection()
    connection.pgconn.exec_(b"BEGIN")
    connection.pgconn.exec_(b"nonsense")
    with pytest.raises(DatabaseError) as caught:
        drive(Listener(connection, "news").listen())
    assert caught.value.sqlstate == "25P02"
