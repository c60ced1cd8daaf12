"""A schema of a test's own, served from a database of its own: requests and subscriptions, driven by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.waiting import wait_conn

import fraiseql
from fraiseql.effects import Absent, Effect, Emit, Event, Fetch, Join, Next
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Outcome, Pipeline
from fraiseql.postgres import Connection, connect, run
from fraiseql.postgres.conninfo import ConnectionString

__all__ = ["Served", "events", "served"]


class Served:
    """Runs operations; `fetches` are those of the last one."""

    def __init__(self, pipeline: Pipeline, connection: Connection) -> None:
        self.pipeline = pipeline
        self.fetches: list[Fetch] = []
        self._connection = connection

    def execute(self, query: str, **variables: Any) -> GraphQLResponse:
        """The answer to a query."""
        program = self.pipeline.execute(GraphQLRequest(query, None, variables), "r")
        result, _ = self._drive(program, [])
        assert isinstance(result, GraphQLResponse)
        return result

    def data(self, query: str, **variables: Any) -> Any:
        """The `data` of an answer without errors."""
        response = self.execute(query, **variables)
        assert response.outcome is Outcome.DATA, (response.body, response.cause)
        return json.loads(response.body)["data"]

    def subscribe(self, query: str, *items: Any, **variables: Any) -> list[Any]:
        """What a subscription emits whose source gives `items`."""
        effect = next(self.pipeline.operate(GraphQLRequest(query, None, variables), "r"))
        assert isinstance(effect, Join)
        result, emitted = self._drive(effect.stream.begin(), list(items))
        assert result is None, result
        return emitted

    def _drive(self, program: Any, items: list[Any]) -> tuple[Any, list[Any]]:
        self.fetches = []
        emitted: list[Any] = []
        try:
            effect = next(program)
            while True:
                try:
                    answer = self._answer(effect, items, emitted)
                except DatabaseError as error:
                    effect = program.throw(error)
                else:
                    effect = program.send(answer)
        except StopIteration as stop:
            return stop.value, emitted

    def _answer(self, effect: Effect, items: list[Any], emitted: list[Any]) -> Any:
        if isinstance(effect, Fetch):
            self.fetches.append(effect)
            return wait_conn(run(self._connection, effect), interval=1.0, timeout=10.0)
        if isinstance(effect, Emit):
            emitted.append(json.loads(effect.emission.body))
        return (items.pop(0) if items else Absent.ENDED) if isinstance(effect, Next) else None


@contextmanager
def served(url: str, ddl: bytes, schema: fraiseql.Schema) -> Iterator[Served]:
    """A schema over a database, for which some SQL runs first."""
    with psycopg.connect(url) as connection:
        connection.execute(ddl)
    string = ConnectionString(url)
    opened = wait_conn(connect(string.attempts(string.hosts())[0], max_prepared=50), interval=1.0, timeout=10.0)
    try:
        yield Served(Pipeline(schema), opened)
    finally:
        opened.close()


def events(topic: str, *payloads: Any) -> Sequence[Event]:
    return [Event(topic, payload) for payload in payloads]
