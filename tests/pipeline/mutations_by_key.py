"""What the tests of idempotency keys share: who asks, and a psycopg connection that carries out the programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

import fraiseql
from fraiseql.context import ANONYMOUS, Caller
from fraiseql.effects import Fetch, Program, Settings
from fraiseql.errors import DatabaseError, ErrorPlace
from fraiseql.limits import QueryLimits
from fraiseql.pipeline import GraphQLRequest
from fraiseql.pipeline.graphql_schema import build_graphql_schema
from fraiseql.pipeline.mutations.serving import Asking
from fraiseql.pipeline.planning import Planning

__all__ = ["Session", "asking"]


@fraiseql.query
def nothing() -> list[Thing]: ...


@fraiseql.type(sql_source="thing")
class Thing:
    id: fraiseql.ID


_MODEL = fraiseql.Schema(queries=[nothing]).model
_PLANNING = Planning.begin(_MODEL, build_graphql_schema(_MODEL), QueryLimits())


def asking(
    key: str | None = "k1",
    query: str = "mutation { a }",
    variables: Mapping[str, Any] | None = None,
    operation: str | None = None,
    caller: Caller = ANONYMOUS,
    settings: Settings = (),
    **more: Any,
) -> Asking:
    request = GraphQLRequest(query, operation, variables or {}, idempotency_key=key, **more)
    plan: Any = None
    return Asking(_PLANNING, plan, request, {}, caller, settings, {"requestId": "r"})


class Session:
    """A connection whose one transaction is `transaction`; settings are told as a mutation's are."""

    transaction = "transaction"

    def __init__(self, conninfo: str, **options: Any) -> None:
        self.connection = psycopg.connect(conninfo, cursor_factory=psycopg.RawCursor, **options)
        self.pid = self.connection.info.backend_pid

    def run(self, program: Program[Any]) -> Any:
        try:
            effect = next(program)
            while True:
                assert isinstance(effect, Fetch)
                assert effect.transaction == self.transaction
                try:
                    answer = self._row(effect)
                except psycopg.Error as error:
                    effect = program.throw(_error(error))
                else:
                    effect = program.send(answer)
        except StopIteration as stop:
            return stop.value

    def _row(self, fetch: Fetch) -> tuple[bytes | None, ...]:
        self._tell(fetch.settings)
        values = [None if value is None else value.decode() for value in fetch.parameters]
        cursor = self.connection.execute(fetch.statement.sql, values)
        result = cursor.pgresult
        assert result is not None
        assert result.ntuples == 1
        assert result.nfields == fetch.statement.columns
        return tuple(result.get_value(0, column) for column in range(result.nfields))

    def _tell(self, settings: Settings) -> None:
        for name, value in settings:
            self.connection.execute("select set_config($1, $2, true)", [name.decode(), value.decode()])

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a statement."""
        cursor = self.connection.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []

    def commit(self, settings: Settings = ()) -> None:
        self._tell(settings)
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()

    def close(self) -> None:
        self.connection.close()


def _error(error: psycopg.Error) -> DatabaseError:
    found = error.diag
    place = ErrorPlace(found.schema_name or "", found.table_name or "", "", found.constraint_name or "")
    return DatabaseError(str(error), sqlstate=error.sqlstate or "XX000", place=place)
