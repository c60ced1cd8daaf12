"""One operation made ready: its plans, its statements, and the fixed parts of its answers.

The operation with the values of @skip and @include gives a plan, the plan with the shape of the filter variables a
statement. Both are kept, so that a request whose like was seen before is only coerced, looked up, bound and sent.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

import orjson
from graphql import GraphQLSchema

from fraiseql.effects import Row
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.limits import QueryLimits
from fraiseql.pipeline.bind import encode
from fraiseql.pipeline.cache import Cache
from fraiseql.pipeline.document import Operation
from fraiseql.pipeline.introspection import introspect
from fraiseql.pipeline.nulls import complete
from fraiseql.pipeline.plan import RootField, plan_selection
from fraiseql.pipeline.response import GraphQLResponse, Outcome, Refusal, respond_with_errors
from fraiseql.pipeline.sql import BoundStatement, render
from fraiseql.pipeline.variables import Variables, shape_of
from fraiseql.schema.model import SchemaModel

__all__ = ["Plan", "PreparedOperation"]

_DATA: Final = b'{"data":'
_MAX_PLANS: Final = 64  # combinations of @skip and @include values kept of one operation


class PreparedOperation:
    """A validated operation with its plans.

    Args:
        model: what the operation asks of.
        schema: the same for graphql-core.
    """

    __slots__ = ("_limits", "_model", "_plans", "_schema", "operation")

    def __init__(self, model: SchemaModel, schema: GraphQLSchema, operation: Operation, limits: QueryLimits) -> None:
        self._model = model
        self._schema = schema
        self._limits = limits
        self._plans: Cache[Hashable, Plan] = Cache(_MAX_PLANS)
        self.operation = operation

    def coerce(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Coerce a request's variables; raises Refusal with every error."""
        variables, errors = self.operation.coerce(given)
        if errors:
            raise Refusal(Outcome.VARIABLES_INVALID, errors)
        return variables

    def plan(self, variables: Variables) -> Plan:
        """The plan for the values that @skip and @include read; raises Refusal."""
        # One that only another operation's fragments read may be absent here.
        key = tuple([variables.get(name) for name in self.operation.conditions])
        plan = self._plans.get(key)
        if plan is None:
            roots = plan_selection(self._model, self.operation, variables, self._limits)
            plan = Plan(self._model, self._schema, self.operation, roots, self._limits)
            self._plans.put(key, plan)
        return plan


class Plan:
    """What is selected, with the statements that serve it.

    Attributes:
        roots: the fields of `data`, in order.
        uses_sql: whether any of them is served from the database.
    """

    __slots__ = (
        "_introspection",
        "_limits",
        "_model",
        "_operation",
        "_schema",
        "_segments",
        "_shapes",
        "_sql_roots",
        "_statements",
        "roots",
        "uses_sql",
    )

    def __init__(
        self,
        model: SchemaModel,
        schema: GraphQLSchema,
        operation: Operation,
        roots: tuple[RootField, ...],
        limits: QueryLimits,
    ) -> None:
        self._model = model
        self._schema = schema
        self._operation = operation
        self._limits = limits
        self.roots = roots
        self._sql_roots = [root for root in roots if root.query is not None]
        self.uses_sql = bool(self._sql_roots)
        shapes = [(name, shape_of(declared)) for name, declared in operation.types.items()]
        self._shapes = [(name, shape) for name, shape in shapes if shape is not None]
        self._statements: Cache[Hashable, BoundStatement] = Cache(limits.max_cached_statements)
        self._introspection = [node for root in roots if root.name in ("__schema", "__type") for node in root.nodes]
        # The answer to introspection may depend on variables, and is then made for each request.
        self._segments = None if self._introspection and operation.types else self._cut({})

    def statement(self, variables: Variables) -> BoundStatement:
        """The statement for the shape of the variables; raises Refusal."""
        key = tuple([shape(variables[name]) if name in variables else ... for name, shape in self._shapes])
        statement = self._statements.get(key)
        if statement is None:
            try:
                statement = render(self._model, self._schema, self.roots, variables, self._limits)
            except RequestError as error:
                raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None
            self._statements.put(key, statement)
        return statement

    def bind(self, statement: BoundStatement, variables: Variables) -> tuple[bytes | None, ...]:
        """The parameters of one request; raises Refusal where a value is out of its range."""
        try:
            return tuple([encode(binding.get(variables)) for binding in statement.bindings])
        except RequestError as error:
            raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None

    def answer(self, row: Row, given: Mapping[str, Any]) -> GraphQLResponse:
        """Put the answer together from the row's JSON texts; `given` are the variables as the request sent them.

        Raises:
            Refusal: introspection beside them cannot be answered.
        """
        segments = self._segments or self._cut(given)
        errors: list[RequestError] = []
        parts: list[bytes | None] = [segments[0]]
        for root, value, segment in zip(self._sql_roots, row, segments[1:], strict=True):
            parts += (complete(root, value or b"null", errors), segment)
        if not errors:
            return GraphQLResponse(Outcome.DATA, b"".join(parts))  # type: ignore[arg-type]
        data = None if None in parts else orjson.Fragment(b"".join(parts)[len(_DATA) : -1])  # type: ignore[arg-type]
        return respond_with_errors(errors, data, Refusal(Outcome.DATA_AND_ERRORS, errors))

    def fail(self, error: DatabaseError, hint: Mapping[str, Any], given: Mapping[str, Any]) -> GraphQLResponse:
        """Answer that no field that needs SQL has a value; nulls rise to `data` where a field may not be null.

        Raises:
            Refusal: introspection beside it cannot be answered.
        """
        errors = [
            RequestError("Internal server error.", code="INTERNAL_SERVER_ERROR", path=(root.key,), extensions=hint)
            for root in self._sql_roots
        ]
        data = None
        if all(root.query is None or root.query.type.nullable for root in self.roots):
            data = orjson.Fragment(b"null".join(self._segments or self._cut(given))[len(_DATA) : -1])
        return respond_with_errors(errors, data, error)

    def _cut(self, given: Mapping[str, Any]) -> tuple[bytes, ...]:
        """The fixed bytes of the answer, cut where the columns of the row go."""
        introspected = (
            introspect(self._schema, self._operation, self._introspection, given) if self._introspection else {}
        )
        segments: list[bytes] = []
        fixed = _DATA + b"{"
        for index, root in enumerate(self.roots):
            fixed += b"," * (index > 0) + orjson.dumps(root.key) + b":"
            if root.query is not None:
                segments.append(fixed)
                fixed = b""
            else:
                fixed += b'"Query"' if root.name == "__typename" else introspected[root.key]
        return (*segments, fixed + b"}}")
