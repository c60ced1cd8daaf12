"""Drives programs over one connection to a real PostgreSQL, an effect at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg import pq

from fraiseql.context import ANONYMOUS, Caller
from fraiseql.effects import Begin, CallAll, Commit, Fetch, Rollback, Sleep
from fraiseql.errors import DatabaseError
from fraiseql.pipeline import GraphQLRequest, Pipeline
from fraiseql.postgres.errors import statement_failed

_SAVE, _RELEASE, _BACK = b"savepoint s", b"release s", b"rollback to s"


@dataclass(slots=True)
class Database:
    """One connection; keeps the statements of the last operation."""

    conninfo: str
    statements: list[str] = field(default_factory=list)
    _connection: pq.PGconn = field(init=False)

    def __post_init__(self) -> None:
        self._connection = pq.PGconn.connect(self.conninfo.encode())
        assert self._connection.status == pq.ConnStatus.OK, self._connection.error_message
        self.run("set client_min_messages = error; set timezone = 'UTC'; set intervalstyle = 'iso_8601'")
        self.run("set plan_cache_mode = force_generic_plan")

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """Run statements; gives the texts of the last one's rows."""
        result = self._connection.exec_(sql.encode())
        ok = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
        assert result.status in ok, result.error_message.decode()
        return [
            tuple(
                None if (v := result.get_value(row, column)) is None else v.decode() for column in range(result.nfields)
            )
            for row in range(result.ntuples)
        ]

    def values(self, sql: str) -> list[Any]:
        """The first column of what a statement gives."""
        return [row[0] for row in self.run(sql)]

    def ask(
        self,
        pipeline: Pipeline,
        query: str,
        variables: Mapping[str, Any] | None = None,
        caller: Caller = ANONYMOUS,
    ) -> Any:
        """The answer to a request, decoded; its cause is under `cause` where there is one."""
        self.statements.clear()
        program = pipeline.operate(GraphQLRequest(query, None, variables or {}), "request-1", caller)
        answer: Any = None
        error: Exception | None = None
        try:
            while True:
                effect = program.send(answer) if error is None else program.throw(error)
                answer, error = None, None
                try:
                    answer = self._perform(effect)
                except DatabaseError as raised:
                    error = raised
        except StopIteration as stop:
            assert self._connection.transaction_status == pq.TransactionStatus.IDLE
            found = json.loads(stop.value.body)
            if stop.value.cause is not None:
                found["cause"] = str(stop.value.cause)
            return found

    def close(self) -> None:
        self._connection.finish()

    def _perform(self, effect: Any) -> Any:
        if isinstance(effect, Begin):
            self._execute(f"begin isolation level {effect.isolation.value}".encode())
            return "transaction"
        if isinstance(effect, (Commit, Rollback)):
            self._execute(b"commit" if isinstance(effect, Commit) else b"rollback")
            return None
        if isinstance(effect, Sleep):
            return 0.0
        if isinstance(effect, CallAll):
            return [each.function(*each.arguments, **each.named) for each in effect.calls]
        assert isinstance(effect, Fetch)
        for name, value in effect.settings:
            self._execute(b"select set_config($1, $2, true)", [name, value])
        if not effect.guarded:
            return self._fetch(effect)
        self._execute(_SAVE)
        try:
            row = self._fetch(effect)
        except DatabaseError:
            self._execute(_BACK)
            raise
        self._execute(_RELEASE)
        return row

    def _fetch(self, effect: Fetch) -> tuple[bytes | None, ...]:
        self.statements.append(effect.statement.sql.decode())
        result = self._execute(effect.statement.sql, effect.parameters)
        assert result.ntuples == 1
        return tuple(result.get_value(0, column) for column in range(effect.statement.columns))

    def _execute(self, sql: bytes, parameters: Any = ()) -> Any:
        result = self._connection.exec_params(sql, list(parameters))
        if result.status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK):
            return result
        raise statement_failed(result)
