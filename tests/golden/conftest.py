"""The sample blog in a real PostgreSQL, a pipeline for it, and the oracle over the same rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg.waiting import wait_conn

from fraiseql.cli.demo.data import Blog, generate
from fraiseql.cli.demo.database import load
from fraiseql.cli.demo.schema import schema
from fraiseql.effects import Fetch
from fraiseql.errors import DatabaseError
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Pipeline
from fraiseql.postgres import Connection, connect, run
from fraiseql.postgres.conninfo import ConnectionString
from golden.oracle import Oracle, blog_rows


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to, and the statement it asked for."""

    response: GraphQLResponse
    fetches: tuple[Fetch, ...]

    @property
    def json(self) -> Any:
        return json.loads(self.response.body)


Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def blog() -> Blog:
    """The rows; a module may have fewer."""
    return generate()


@pytest.fixture(scope="module")
def oracle(blog: Blog) -> Oracle:
    return Oracle(schema, blog_rows(blog))


@pytest.fixture(scope="module")
def connection(module_database_url: str, blog: Blog) -> Iterator[Connection]:
    """To a database that holds the rows."""
    load(module_database_url, blog)
    string = ConnectionString(module_database_url)
    conversation = connect(string.attempts(string.hosts())[0], max_prepared=50)
    opened: Connection = wait_conn(conversation, interval=1.0, timeout=10.0)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def ask(connection: Connection) -> Ask:
    """Runs one request against the database, blocking; the pipeline is the same for the whole module."""
    pipeline = Pipeline(schema, QueryLimits(max_cost=10**9))  # random queries have many lists inside each other

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
