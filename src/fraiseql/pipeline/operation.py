"""One request from its text to the answer's bytes: a program that asks for at most one statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fraiseql.effects import Program, fetch
from fraiseql.errors import ConfigurationError, DatabaseError, RequestError
from fraiseql.limits import QueryLimits
from fraiseql.pipeline.cache import Cache
from fraiseql.pipeline.document import prepare_document
from fraiseql.pipeline.graphql_schema import build_graphql_schema
from fraiseql.pipeline.prepared import Plan, Planning, PreparedOperation
from fraiseql.pipeline.request import GraphQLRequest
from fraiseql.pipeline.response import GraphQLResponse, Outcome, Refusal, refuse
from fraiseql.pipeline.sql import BoundStatement
from fraiseql.schema import Schema

__all__ = ["Explanation", "Pipeline"]

# Characters of all documents kept; each took 125 to 265 bytes of syntax tree when that was measured.
_MAX_TEXT: Final = 524_288


@dataclass(frozen=True, slots=True)
class Explanation:
    """The statement of a request: `sql` is empty where it needs none; None among the parameters is NULL."""

    sql: str
    parameters: tuple[str | None, ...]


class Pipeline:
    """Answers GraphQL requests for one schema; holds its cache of prepared operations.

    Args:
        schema: what is served.
        limits: bounds of each request and of the caches.

    Raises:
        ConfigurationError: not a Schema.
    """

    __slots__ = ("_planning", "_prepared", "limits")

    def __init__(self, schema: Schema, limits: QueryLimits = QueryLimits()) -> None:  # noqa: B008 - it is frozen
        if not isinstance(schema, Schema):
            raise ConfigurationError(f"the schema is {schema!r}; expected a fraiseql.Schema")
        self.limits = limits
        self._planning = Planning.begin(schema.model, build_graphql_schema(schema.model), limits)
        self._prepared: Cache[tuple[str, str | None], PreparedOperation] = Cache(limits.max_cached_documents, _MAX_TEXT)

    def execute(self, request: GraphQLRequest, request_id: str) -> Program[GraphQLResponse]:
        """Answer one request.

        Args:
            request_id: shown to the client in place of an error's cause, which `GraphQLResponse.cause` has.

        Returns:
            A program that yields at most one Fetch and returns the answer, whatever the request or the database does.
        """
        try:
            plan, statement, parameters = self._bound(request)
            if statement is None:
                return plan.answer((), request.variables)
            try:
                row = yield from fetch(statement.statement, parameters)
            except DatabaseError as error:
                return _failed(error, plan, statement, request, request_id)
            return plan.answer(row, request.variables)
        except Refusal as refusal:
            return refuse(refusal.outcome, refusal.errors)

    def explain(
        self, query: str, variables: Mapping[str, Any] | None = None, operation_name: str | None = None
    ) -> Explanation:
        """The SQL of a request and its parameters; no database is needed.

        Raises:
            Refusal: the request would not be executed; its message says why.
        """
        _, statement, parameters = self._bound(GraphQLRequest(query, operation_name, variables or {}))
        if statement is None:
            return Explanation("", ())
        texts = tuple(None if value is None else value.decode() for value in parameters)
        return Explanation(statement.statement.sql.decode(), texts)

    def _bound(self, request: GraphQLRequest) -> tuple[Plan, BoundStatement | None, tuple[bytes | None, ...]]:
        """The plan of a request, and its statement with the parameters, where it needs one; raises Refusal."""
        try:
            prepared = self._prepare(request)
            variables = prepared.coerce(request.variables)
            plan = prepared.plan(variables)
            if not plan.uses_sql:
                return plan, None, ()
            statement = plan.statement(variables)
            return plan, statement, plan.bind(statement, variables)
        except RecursionError:
            # Transports bound how deep variables nest; a caller in Python may not have.
            error = RequestError("The request nests too deep.", code="QUERY_TOO_COMPLEX")
            raise Refusal(Outcome.NOT_VALID, [error]) from None

    def _prepare(self, request: GraphQLRequest) -> PreparedOperation:
        key = (request.query, request.operation_name)
        prepared = self._prepared.get(key)
        if prepared is None:
            document = prepare_document(self._planning.schema, request.query, self.limits)
            prepared = PreparedOperation(self._planning, document.operation(request.operation_name))
            self._prepared.put(key, prepared, len(request.query))
        return prepared


def _failed(
    error: DatabaseError, plan: Plan, statement: BoundStatement, request: GraphQLRequest, request_id: str
) -> GraphQLResponse:
    """Answer a request whose statement failed: the client learns whose fault it was, and no more; raises Refusal."""
    if error.parameter is not None and error.parameter <= len(statement.bindings):
        misfit = statement.bindings[error.parameter - 1].misfit()
        return refuse(Outcome.VARIABLES_INVALID, [misfit])
    hint = {"requestId": request_id}
    if error.unavailable:
        unavailable = RequestError("The database is not available.", code="DATABASE_UNAVAILABLE", extensions=hint)
        return refuse(Outcome.UNAVAILABLE, [unavailable], error)
    return plan.fail(error, hint, request.variables)
