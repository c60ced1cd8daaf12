"""Asks a pipeline of one's own in a real PostgreSQL, blocking."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg.waiting import wait_conn

import fraiseql
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import GraphQLRequest, Pipeline
from fraiseql.postgres import connect, run
from fraiseql.postgres.conninfo import ConnectionString

__all__ = ["Execute", "executing"]

Execute = Callable[..., Any]
"""From a query and its variables to the whole answer, parsed."""


@contextmanager
def executing(schema: fraiseql.Schema, database_url: str) -> Iterator[Execute]:
    """A connection, and a function that runs queries over it."""
    pipeline = Pipeline(schema)
    string = ConnectionString(database_url)
    connection = wait_conn(connect(string.attempts(string.hosts())[0], max_prepared=50), interval=1.0, timeout=10.0)

    def execute(query: str, variables: Mapping[str, Any] | None = None) -> Any:
        program = pipeline.execute(GraphQLRequest(query, None, variables or {}), "request-1")
        try:
            effect = next(program)
            while True:
                try:
                    row = wait_conn(run(connection, effect), interval=1.0, timeout=10.0)
                except DatabaseError as error:
                    effect = program.throw(error)
                else:
                    effect = program.send(row)
        except StopIteration as stop:
            return json.loads(stop.value.body)

    yield execute
    connection.close()
