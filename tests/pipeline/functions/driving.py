"""A pipeline over one connection to a real PostgreSQL, blocking: transactions and all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import pq

from fraiseql.effects import Begin, CallAll, Commit, Effect, Fetch, ResolverCall, Rollback
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import GraphQLRequest, GraphQLResponse, Pipeline
from fraiseql.postgres import Connection
from fraiseql.postgres.errors import statement_failed

__all__ = ["Answer", "Server"]

_DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to."""

    response: GraphQLResponse

    @property
    def json(self) -> Any:
        return json.loads(self.response.body)

    @property
    def data(self) -> Any:
        """Of an answer without errors."""
        assert "errors" not in self.json, (self.json, self.response.cause)
        return self.json["data"]

    @property
    def error(self) -> Any:
        """The only error."""
        (error,) = self.json["errors"]
        return error

    @property
    def code(self) -> str:
        code: str = self.error["extensions"]["code"]
        return code

    @property
    def told(self) -> str:
        """What the log has."""
        return str(self.response.cause)


class Server:
    """Answers requests, one after the other."""

    def __init__(self, pipeline: Pipeline, connection: Connection) -> None:
        self._pipeline = pipeline
        self._connection = connection
        self.statements: list[Fetch] = []

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> Answer:
        self.statements.clear()
        program = self._pipeline.execute(GraphQLRequest(query, None, variables or {}), "request-1")
        try:
            effect = next(program)
            while True:
                try:
                    result = self._perform(effect)
                except DatabaseError as error:
                    effect = program.throw(error)
                else:
                    effect = program.send(result)
        except StopIteration as stop:
            assert self._connection.is_idle
            return Answer(stop.value)

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement; its rows."""
        result = self._execute(sql.encode(), ())
        return [
            tuple(self._text(result, row, column) for column in range(result.nfields)) for row in range(result.ntuples)
        ]

    def _perform(self, effect: Effect) -> Any:
        if isinstance(effect, Fetch):
            return self._fetch(effect)
        if isinstance(effect, CallAll):
            return [_called(call) for call in effect.calls]
        sql = {Begin: b"begin", Commit: b"commit", Rollback: b"rollback"}[type(effect)]
        self._execute(sql, ())
        return "transaction"

    def _fetch(self, fetch: Fetch) -> Any:
        self.statements.append(fetch)
        for name, value in fetch.settings:
            self._execute(b"select set_config($1, $2, true)", (name, value))
        if fetch.guarded:
            self._execute(b"savepoint s", ())
        try:
            result = self._execute(fetch.statement.sql, fetch.parameters)
        except DatabaseError:
            if fetch.guarded:
                self._execute(b"rollback to savepoint s", ())
            raise
        assert result.ntuples == 1
        return tuple(result.get_value(0, column) for column in range(fetch.statement.columns))

    def _execute(self, sql: bytes, parameters: tuple[bytes | None, ...]) -> Any:
        result = self._connection.pgconn.exec_params(sql, list(parameters))
        if result.status not in _DONE:
            raise statement_failed(result)
        return result

    @staticmethod
    def _text(result: Any, row: int, column: int) -> str | None:
        value: bytes | None = result.get_value(row, column)
        return None if value is None else value.decode()


def _called(call: ResolverCall) -> Any:
    try:
        return call.function(*call.arguments, **call.named)
    except Exception as error:  # as the runtime gives it
        return error
