"""One operation made ready: its plans, and the fixed parts of its answers.

The operation with the values of @skip and @include gives a plan, the plan with the shape of the filter variables a
statement. Both are kept, so that a request whose like was seen before is only coerced, looked up, bound and sent.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import orjson

from fraiseql.context import Caller
from fraiseql.effects import ResolverCall
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.limits import QueryLimits
from fraiseql.pipeline.access import DatabaseAccess
from fraiseql.pipeline.cache import Cache
from fraiseql.pipeline.computed.calls import read_arguments
from fraiseql.pipeline.computed.resolution import Resolution
from fraiseql.pipeline.computed.roots import Served, is_called, root_call
from fraiseql.pipeline.computed.selections import computed_fields, fetched_root
from fraiseql.pipeline.computed.slot import resolver_of
from fraiseql.pipeline.database_errors import told
from fraiseql.pipeline.document import Operation
from fraiseql.pipeline.failures import cause_of, shown
from fraiseql.pipeline.introspection import introspect
from fraiseql.pipeline.misfits import Checks
from fraiseql.pipeline.nulls import Completion
from fraiseql.pipeline.places import needs_sql
from fraiseql.pipeline.plan import RootField, Selection, plan_selection
from fraiseql.pipeline.planning import Planning
from fraiseql.pipeline.request import GraphQLRequest
from fraiseql.pipeline.response import GraphQLResponse, Outcome, Refusal, respond_with_errors
from fraiseql.pipeline.statements import Statements
from fraiseql.pipeline.variables import Variables
from fraiseql.schema.model import SchemaModel, SubscriptionField, SubscriptionKind

__all__ = ["Plan", "Plans", "PreparedOperation", "plans_cache"]

_DATA: Final = b'{"data":'
_MAX_PLAN_BYTES: Final = 16_777_216  # of all plans kept, as `Plan.weight` estimates them
_FIELD_BYTES: Final = 250  # of a selected field in a plan: 170 to 230 when that was measured


Plans: TypeAlias = "Cache[Hashable, Plan]"
"""Kept by operation and the values of its conditions."""


def plans_cache(limits: QueryLimits) -> Plans:
    """For a Pipeline: the plans of its operations."""
    return Cache(limits.max_cached_documents, _MAX_PLAN_BYTES)


class PreparedOperation:
    """A validated operation, ready for its variables.

    Args:
        plans: those of all operations.
    """

    __slots__ = ("_planning", "_plans", "operation")

    def __init__(self, planning: Planning, plans: Plans, operation: Operation) -> None:
        self._planning = planning
        self._plans = plans
        self.operation = operation

    def coerce(self, request: GraphQLRequest) -> dict[str, Any]:
        """Coerce a request's variables; raises Refusal with every error."""
        variables, errors = self.operation.coerce(request.variables, request.exact_variables)
        if not errors and self.operation.directives:
            errors = [error for each in self.operation.directives for error in each.misfits(variables)]
        if errors:
            raise Refusal(Outcome.VARIABLES_INVALID, errors)
        return variables

    def plan(self, variables: Variables) -> Plan:
        """The plan for the values that @skip and @include read; raises Refusal."""
        # One that only another operation's fragments read may be absent here.
        key = (self, *[variables.get(name) for name in self.operation.conditions])
        planning = self._planning
        plan = self._plans.get(key)
        if plan is None:
            roots = plan_selection(planning.model, self.operation, variables, planning.limits)
            plan = Plan(planning, self.operation, roots)
            self._plans.put(key, plan, plan.weight)
        return plan


class Plan:
    """What is selected, with the statements that serve it.

    Attributes:
        roots: the fields of `data`, in order.
        sql_roots: those that are served from the database, in order.
        called_roots: those that functions in Python serve, in order.
        completions: of both of these, in the order of all roots.
        uses_sql: whether the statement is needed.
        is_given: whether the statement shows rows that it is given, those of events or of a resolver.
        computed: the selected fields that Python computes, with the types that have them.
        statements: that serve it.
    """

    __slots__ = (
        "_fetched",
        "_introspection",
        "_operation",
        "_planning",
        "_segments",
        "called_roots",
        "completions",
        "computed",
        "is_given",
        "roots",
        "sql_roots",
        "statements",
        "uses_sql",
        "value_roots",
    )

    def __init__(self, planning: Planning, operation: Operation, roots: tuple[RootField, ...]) -> None:
        self._planning = planning
        self._operation = operation
        self.roots = roots
        self.value_roots = [root for root in roots if root.field is not None]
        self.sql_roots = [root for root in self.value_roots if not is_called(root.field)]
        self.called_roots = [root for root in self.value_roots if is_called(root.field)]
        self.completions = [Completion(root, planning.model) for root in self.value_roots]
        field = roots[0].field if len(roots) == 1 else None
        is_resolver = isinstance(field, SubscriptionField) and field.kind is SubscriptionKind.RESOLVER
        self.is_given = isinstance(field, SubscriptionField) and field.kind is not SubscriptionKind.LIVE
        self.uses_sql = needs_sql(roots[0].selection) if is_resolver else bool(self.sql_roots)
        self.computed = [
            each for root in self.value_roots if root.selection for each in computed_fields(root.selection)
        ]
        self._fetched = {
            root.key: fetched_root(planning.model, root, is_native=is_called(root.field)) for root in self.value_roots
        }
        served = self.roots if self.is_given else self.sql_roots
        fetched = [self._fetched[root.key] for root in served if root.field is not None]
        self.statements = Statements(planning, operation, fetched, is_given=self.is_given)
        self._introspection = [node for root in roots if root.name in ("__schema", "__type") for node in root.nodes]
        # The answer to introspection may depend on variables, and is then made for each request.
        self._segments = None if self._introspection and operation.types else self._cut({})

    @property
    def takes_info(self) -> bool:
        """Whether any method that computes a field is told who asks."""
        return any(resolver_of(selected).takes_info for _, selected in self.computed)

    @property
    def frame(self) -> tuple[bytes, bytes]:
        """What of `data` stands before and behind the value of its only field."""
        assert self._segments is not None
        before, behind = self._segments
        return before[len(_DATA) :], behind[:-1]

    @property
    def weight(self) -> int:
        """Roughly its bytes."""
        roots = [*self.roots, *(self._fetched.values() if self.computed else ())]
        fields = sum(1 if root.selection is None else _count(root.selection) for root in roots)
        return fields * _FIELD_BYTES + sum(map(len, self._segments or ()))

    @property
    def limits(self) -> QueryLimits:
        """What bounds a request."""
        return self._planning.limits

    @property
    def model(self) -> SchemaModel:
        """What is asked for."""
        return self._planning.model

    @property
    def fetched(self) -> tuple[RootField, ...]:
        """The root fields as SQL is asked for them: with what computed fields need."""
        return tuple(self._fetched.values())

    def completion(self, key: str) -> tuple[RootField, Completion]:
        """A root field as it was asked for, by its response key, and what checks its values."""
        pairs = zip(self.value_roots, self.completions, strict=True)
        return next(pair for pair in pairs if pair[0].key == key)

    def call(
        self, root: RootField, variables: Variables, caller: Caller, access: DatabaseAccess | None
    ) -> ResolverCall:
        """The call of the function behind a root field; raises Refusal where an argument does not fit."""
        try:
            return root_call(self._planning.model, self._planning.schema, root, variables, caller, access)
        except RequestError as error:
            raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None

    def resolution(
        self, variables: Variables, caller: Caller, hint: Mapping[str, Any], access: DatabaseAccess | None = None
    ) -> Resolution | None:
        """What computes the fields of one answer; None where none are, and no function serves a root field.

        Args:
            hint: entries for the `extensions` of masked errors.
            access: what `info.db` asks the database through; without one it is made.

        Raises:
            Refusal: an argument does not fit.
        """
        if not self.computed and not self.called_roots:
            return None
        planning = self._planning
        try:
            arguments = read_arguments(planning.model, planning.schema, self.computed, variables)
        except RequestError as error:
            raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None
        limit = planning.limits.max_concurrent_calls
        return Resolution(planning.model, arguments, caller, hint, limit, access or planning.access(caller))

    def answer(
        self,
        row: Sequence[Any],
        given: Mapping[str, Any],
        hint: Mapping[str, Any],
        resolution: Resolution | None = None,
        checks: Checks | None = None,
    ) -> GraphQLResponse:
        """Put the answer together; `given` are the variables as the request sent them.

        Args:
            row: the JSON texts of the root fields; or what `resolution` made of them.
            hint: entries for the `extensions` of errors that are not meant for the client.
            checks: for the row of the checking statement.

        Raises:
            Refusal: introspection beside them cannot be answered.
        """
        segments = self._segments or self._cut(given)
        errors: list[RequestError] = [] if resolution is None else resolution.errors
        check = None if checks is None else checks.check
        parts: list[bytes | None] = [segments[0]]
        for complete, value, segment in zip(self.completions, row, segments[1:], strict=True):
            parts += (complete(b"null" if value is None else value, errors, hint, check), segment)
        if not errors:
            return GraphQLResponse(Outcome.DATA, b"".join(parts))  # type: ignore[arg-type]
        causes = [*([] if checks is None else checks.causes), *([] if resolution is None else resolution.causes)]
        return _finished(parts, errors, causes)

    def answer_served(
        self, served: Sequence[Served], given: Mapping[str, Any], hint: Mapping[str, Any], resolution: Resolution
    ) -> GraphQLResponse:
        """The same where functions in Python serve root fields, for what stands for each; raises Refusal."""
        segments = self._segments or self._cut(given)
        errors, causes = resolution.errors, list[Exception]()
        parts: list[bytes | None] = [segments[0]]
        for complete, each, segment in zip(self.completions, served, segments[1:], strict=True):
            check = None if each.checks is None else each.checks.check
            parts += (complete(b"null" if each.value is None else each.value, errors, hint, check), segment)
            causes += [] if each.checks is None else each.checks.causes
        return _finished(parts, errors, [*causes, *resolution.causes])

    def fail(self, error: DatabaseError, hint: Mapping[str, Any], given: Mapping[str, Any]) -> GraphQLResponse:
        """Answer that no field that needs SQL has a value; nulls rise to `data` where a field may not be null.

        Raises:
            Refusal: introspection beside it cannot be answered.
        """
        entry, cause = told(self.model, error, hint, reading=True) or (error, error)
        errors = [shown(entry, (root.key,), hint) for root in self.sql_roots]
        data = None
        if all(root.field is None or root.field.type.nullable for root in self.roots):
            data = orjson.Fragment(b"null".join(self._segments or self._cut(given))[len(_DATA) : -1])
        return respond_with_errors(errors, data, cause)

    def _cut(self, given: Mapping[str, Any]) -> tuple[bytes, ...]:
        """The fixed bytes of the answer, cut where the columns of the row go."""
        introspected = (
            introspect(self._planning.schema, self._operation, self._introspection, given)
            if self._introspection
            else {}
        )
        segments: list[bytes] = []
        fixed = _DATA + b"{"
        for index, root in enumerate(self.roots):
            fixed += b"," * (index > 0) + orjson.dumps(root.key) + b":"
            if root.field is not None:
                segments.append(fixed)
                fixed = b""
            else:
                fixed += orjson.dumps(root.owner) if root.name == "__typename" else introspected[root.key]
        return (*segments, fixed + b"}}")


def _finished(
    parts: Sequence[bytes | None], errors: Sequence[RequestError], causes: Sequence[Exception]
) -> GraphQLResponse:
    if not errors:
        return GraphQLResponse(Outcome.DATA, b"".join(parts))  # type: ignore[arg-type]
    data = None if None in parts else orjson.Fragment(b"".join(parts)[len(_DATA) : -1])  # type: ignore[arg-type]
    return respond_with_errors(errors, data, cause_of(causes, errors))


def _count(selection: Selection) -> int:
    """The fields of a selection and of those below it."""
    below = [field.selection for field in selection.fields if field.selection is not None]
    return len(selection.fields) + sum(map(_count, (*below, *selection.members)))
