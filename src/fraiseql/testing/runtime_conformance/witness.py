"""Looks at the database from beside the server, and stands in the server's way there."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

__all__ = ["Witness"]

_PAUSE = 0.001  # seconds between two looks
_numbers = itertools.count(1)


class Witness:
    """Two connections of its own to the database of one suite.

    Args:
        database_url: of a database that is the suite's alone.
        patience: seconds for anything that is waited for.
    """

    def __init__(self, database_url: str, patience: float) -> None:
        self._url = database_url
        self._patience = patience
        self._eyes = psycopg.connect(database_url, autocommit=True)
        self._hands = psycopg.connect(database_url)

    def new_name(self) -> str:
        """For `application_name`: by it the connections of one server are known."""
        return f"conformance {next(_numbers)}"

    def url_for(self, name: str) -> str:
        """What a server of this name connects to."""
        return make_conninfo(self._url, application_name=name)

    def execute(self, text: str) -> list[tuple[Any, ...]]:
        """Run SQL in a transaction of its own; gives the rows, if any."""
        cursor = self._eyes.execute(text.encode())
        return cursor.fetchall() if cursor.description else []

    def lock(self, table: str) -> None:
        """Let whatever reads or writes a table wait."""
        self._hands.execute(sql.SQL("lock table {} in access exclusive mode").format(sql.Identifier(table)))

    def release(self) -> None:
        """Let it go on."""
        self._hands.rollback()

    def waiting(self, name: str) -> list[int]:
        """The processes of a server that wait for a lock."""
        found = self._eyes.execute(
            "select pid from pg_stat_activity where application_name = %s and wait_event_type = 'Lock'", [name]
        )
        return [pid for (pid,) in found]

    def kill(self, name: str) -> None:
        """End those."""
        for pid in self.waiting(name):
            self._eyes.execute("select pg_terminate_backend(%s)", [pid])

    def states(self, name: str) -> list[str]:
        """What the connections of a server do that are neither idle nor ending, such as `idle in transaction`."""
        found = self._eyes.execute(
            "select state, query from pg_stat_activity where application_name = %s and state <> 'idle'", [name]
        )
        return [f"{state}: {text[:100]}" for state, text in found]

    def at_work(self, name: str) -> int:
        """How many statements of a server run and wait for no lock."""
        found = self._eyes.execute(
            "select count(*) from pg_stat_activity where application_name = %s and state = 'active'"
            " and wait_event_type is distinct from 'Lock'",
            [name],
        )
        return int(found.fetchall()[0][0])

    def connections(self, name: str) -> int:
        """How many connections a server has."""
        found = self._eyes.execute("select count(*) from pg_stat_activity where application_name = %s", [name])
        return int(found.fetchall()[0][0])

    def until(self, condition: Callable[[], bool], what: Callable[[], str]) -> None:
        """Wait until something is so.

        Raises:
            AssertionError: it does not become so; says what.
        """
        give_up = time.monotonic() + self._patience
        while not condition():
            if time.monotonic() > give_up:
                raise AssertionError(what())
            time.sleep(_PAUSE)

    def close(self) -> None:
        """Let go of all."""
        self._hands.close()
        self._eyes.close()
