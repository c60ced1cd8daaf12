"""Runs requests against a database, blocking."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg.waiting import wait_conn

from fraiseql.effects import Fetch
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Pipeline
from fraiseql.postgres import Connection, connect, run
from fraiseql.postgres.conninfo import ConnectionString

__all__ = ["Answer", "Ask", "asking", "opened"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to, and the statement it asked for."""

    response: GraphQLResponse
    fetches: tuple[Fetch, ...]

    @property
    def json(self) -> Any:
        return json.loads(self.response.body)


Ask = Callable[..., Answer]


@contextmanager
def opened(conninfo: str) -> Iterator[Connection]:
    """A connection to a database."""
    string = ConnectionString(conninfo)
    conversation = connect(string.attempts(string.hosts())[0], max_prepared=50)
    connection: Connection = wait_conn(conversation, interval=1.0, timeout=10.0)
    yield connection
    connection.close()


def asking(pipeline: Pipeline, connection: Connection) -> Ask:
    """A function that runs one request after the other."""

    def ask(query: str, variables: Mapping[str, Any] | None = None, operation: str | None = None) -> Answer:
        program = pipeline.execute(GraphQLRequest(query, operation, variables or {}), "request-1")
        fetches: list[Fetch] = []
        try:
            effect = next(program)
            while True:
                fetches.append(effect)
                try:
                    row = wait_conn(run(connection, effect), interval=1.0, timeout=10.0)
                except DatabaseError as error:
                    effect = program.throw(error)
                else:
                    effect = program.send(row)
        except StopIteration as stop:
            return Answer(stop.value, tuple(fetches))

    return ask
