"""One operation made ready: its plans, its statements, and the fixed parts of its answers.

The operation with the values of @skip and @include gives a plan, the plan with the shape of the filter variables a
statement. Both are kept, so that a request whose like was seen before is only coerced, looked up, bound and sent.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import orjson
from graphql import GraphQLSchema

from fraiseql.context import Caller
from fraiseql.effects import ResolverCall, Settings
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.limits import QueryLimits
from fraiseql.payloads import encode_number
from fraiseql.pipeline.access import DatabaseAccess
from fraiseql.pipeline.cache import Cache
from fraiseql.pipeline.computed.calls import read_arguments
from fraiseql.pipeline.computed.resolution import Resolution
from fraiseql.pipeline.computed.roots import GivenRows, Served, is_called, root_call
from fraiseql.pipeline.computed.selections import computed_fields, fetched_root
from fraiseql.pipeline.computed.slot import resolver_of
from fraiseql.pipeline.database_errors import ConstraintColumns, constraints_cache, told
from fraiseql.pipeline.document import Operation
from fraiseql.pipeline.failures import cause_of, shown
from fraiseql.pipeline.finding import Finder
from fraiseql.pipeline.introspection import introspect
from fraiseql.pipeline.misfits import Checks
from fraiseql.pipeline.nulls import Completion
from fraiseql.pipeline.plan import RootField, Selection, plan_selection
from fraiseql.pipeline.records import chooses_elements
from fraiseql.pipeline.request import GraphQLRequest
from fraiseql.pipeline.response import GraphQLResponse, Outcome, Refusal, respond_with_errors
from fraiseql.pipeline.sql import BoundStatement, render, render_given, render_keyed, render_shown
from fraiseql.pipeline.sql.bind import encode
from fraiseql.pipeline.variables import Variables, shape_of
from fraiseql.schema.model import Field, SchemaModel, SubscriptionField, SubscriptionKind

__all__ = ["Plan", "Planning", "PreparedOperation"]

_DATA: Final = b'{"data":'
_MAX_PLAN_BYTES: Final = 16_777_216  # of all plans kept, as `Plan.weight` estimates them
_FIELD_BYTES: Final = 250  # of a selected field in a plan: 170 to 230 when that was measured
_MAX_SQL_BYTES: Final = 4_194_304  # of all statements kept


@dataclass(frozen=True, slots=True, eq=False)
class Planning:
    """What the operations of a pipeline share.

    Attributes:
        model: what is asked for.
        schema: the same for graphql-core.
        plans: kept by operation and the values of its conditions.
        statements: kept by plan and the shape of its variables.
        constraints: the columns of constraints that were violated.
        finder: makes the selections that Python code asks for.
    """

    model: SchemaModel
    schema: GraphQLSchema
    limits: QueryLimits
    plans: Cache[Hashable, Plan]
    statements: Cache[Hashable, BoundStatement]
    constraints: ConstraintColumns
    finder: Finder

    @classmethod
    def begin(cls, model: SchemaModel, schema: GraphQLSchema, limits: QueryLimits) -> Planning:
        """With nothing kept yet."""
        plans: Cache[Hashable, Plan] = Cache(limits.max_cached_documents, _MAX_PLAN_BYTES)
        statements: Cache[Hashable, BoundStatement] = Cache(limits.max_cached_statements, _MAX_SQL_BYTES)
        return cls(model, schema, limits, plans, statements, constraints_cache(), Finder(model, limits))

    def access(self, caller: Caller, transaction: Any = None) -> DatabaseAccess:
        """The database for what is called in one operation of a caller."""
        return DatabaseAccess(self.finder, partial(_settings, self.model, caller), transaction)


class PreparedOperation:
    """A validated operation, ready for its variables."""

    __slots__ = ("_planning", "operation")

    def __init__(self, planning: Planning, operation: Operation) -> None:
        self._planning = planning
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
        plan = planning.plans.get(key)
        if plan is None:
            roots = plan_selection(planning.model, self.operation, variables, planning.limits)
            plan = Plan(planning, self.operation, roots)
            planning.plans.put(key, plan, plan.weight)
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
    """

    __slots__ = (
        "_fetched",
        "_introspection",
        "_operation",
        "_planning",
        "_segments",
        "_shapes",
        "called_roots",
        "completions",
        "computed",
        "is_given",
        "roots",
        "sql_roots",
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
        shapes = [(name, shape_of(declared)) for name, declared in operation.types.items()]
        self._shapes = [(name, shape) for name, shape in shapes if shape is not None]
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

    def keyed(
        self, selection: Selection, key: Field, variables: Variables, *, checking: bool = False
    ) -> BoundStatement:
        """The statement that shows a selection of the rows that keys name, for the shape of the variables.

        Args:
            selection: one of the plan's own: its statements are kept for this very one.
            checking: for the one that finds what does not fit.

        Raises:
            Refusal: an argument does not fit, or it costs too much.
        """
        render = partial(render_keyed, key=key, checking=checking)
        return self._selected(selection, checking, variables, render)

    def shown(self, selection: Selection, variables: Variables) -> BoundStatement:
        """The statement that shows a selection of rows that it is given; as `keyed`."""
        return self._selected(selection, "shown", variables, render_shown)

    def _selected(
        self, selection: Selection, kind: Hashable, variables: Variables, render: Callable[..., BoundStatement]
    ) -> BoundStatement:
        planning = self._planning
        place = (selection, kind, *self._shape(variables))
        statement = planning.statements.get(place)
        if statement is None:
            try:
                statement = render(
                    model=planning.model,
                    graphql_schema=planning.schema,
                    selection=selection,
                    variables=variables,
                    limits=planning.limits,
                )
            except RequestError as error:
                raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None
            planning.statements.put(place, statement, len(statement.statement.sql))
        return statement

    def _shape(self, variables: Variables) -> list[Hashable]:
        return [shape(variables[name]) if name in variables else ... for name, shape in self._shapes]

    def statement(
        self, variables: Variables, *, checking: bool = False, place: Selection | None = None
    ) -> BoundStatement:
        """The statement for the shape of the variables, or the one that finds what does not fit; raises Refusal.

        Args:
            place: what is selected of what a function in Python gives: the statement shows rows that it is given.
        """
        planning = self._planning
        shape = self._shape(variables)
        key = (self, checking, *shape) if place is None else (self, place, checking, *shape)
        statement = planning.statements.get(key)
        if statement is None:
            roots: tuple[RootField, ...]
            if place is not None:
                make, roots = _render_given, (self._given_root(place),)
            else:
                make = _render_given if self.is_given else _render
                wanted = self.roots if self.is_given else self.sql_roots
                roots = tuple(self._fetched[each.key] for each in wanted)
            try:
                statement = make(planning, roots, variables, checking)
            except RequestError as error:
                raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None
            planning.statements.put(key, statement, len(statement.statement.sql))
        return statement

    def given_rows(self, root: RootField, variables: Variables) -> Mapping[int, GivenRows]:
        """What serves the relations below what a function in Python gives, by the identity of a selection.

        Raises:
            Refusal: an argument does not fit.
        """
        return {id(place): self._given_rows(place, variables) for place in _row_places(root.selection)}

    def _given_rows(self, place: Selection, variables: Variables) -> GivenRows:
        bound = self.statement(variables, place=place)
        checking = partial(self.statement, variables, checking=True, place=place)
        parameters = self.bind(bound, variables)
        return GivenRows(bound.statement, parameters, bound.bindings, lambda: checking().statement)

    def _given_root(self, place: Selection) -> RootField:
        """A root field that shows the rows of a place, which has no arguments of its own."""
        root = next(root for root in self.called_roots if any(each is place for each in _row_places(root.selection)))
        return fetched_root(self.model, replace(root, selection=place), is_native=True)

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

    def bind(self, statement: BoundStatement, variables: Variables) -> tuple[bytes | None, ...]:
        """The parameters of one request; raises Refusal where a value is out of its range, or its pages too large."""
        try:
            if statement.cost is None:
                return tuple([encode(binding.get(variables)) for binding in statement.bindings])
            values = [binding.get(variables) for binding in statement.bindings]
        except RequestError as error:
            raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None
        statement.cost.check(values, self._planning.limits)
        return tuple(map(encode, values))

    def bind_keys(
        self, statement: BoundStatement, variables: Variables, keys: Sequence[str]
    ) -> tuple[bytes | None, ...]:
        """The parameters of a statement that `keyed` gave; raises Refusal."""
        return self._bind_many(statement, variables, len(keys), orjson.dumps(list(keys)))

    def bind_rows(
        self, statement: BoundStatement, variables: Variables, rows: Sequence[Mapping[str, Any]]
    ) -> tuple[bytes | None, ...]:
        """The parameters of a statement that `shown` gave; raises Refusal."""
        return self._bind_many(statement, variables, len(rows), orjson.dumps(list(rows), default=encode_number))

    def _bind_many(
        self, statement: BoundStatement, variables: Variables, count: int, many: bytes
    ) -> tuple[bytes | None, ...]:
        try:
            values = [binding.get(variables) for binding in statement.bindings]
        except RequestError as error:
            raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None
        if statement.cost is not None:
            statement.cost.check([*values, count], self._planning.limits)
        return (*map(encode, values), many)

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


def _render(planning: Planning, roots: tuple[RootField, ...], variables: Variables, checking: bool) -> BoundStatement:
    return render(planning.model, planning.schema, roots, variables, planning.limits, checking=checking)


def _render_given(
    planning: Planning, roots: tuple[RootField, ...], variables: Variables, checking: bool
) -> BoundStatement:
    (root,) = roots
    return render_given(planning.model, planning.schema, root, variables, planning.limits, checking=checking)


def _finished(
    parts: Sequence[bytes | None], errors: Sequence[RequestError], causes: Sequence[Exception]
) -> GraphQLResponse:
    if not errors:
        return GraphQLResponse(Outcome.DATA, b"".join(parts))  # type: ignore[arg-type]
    data = None if None in parts else orjson.Fragment(b"".join(parts)[len(_DATA) : -1])  # type: ignore[arg-type]
    return respond_with_errors(errors, data, cause_of(causes, errors))


def _settings(model: SchemaModel, caller: Caller) -> Settings:
    return () if model.database_context is None else model.database_context.settings_of(caller)


def _row_places(selection: Selection | None) -> Iterator[Selection]:
    """What is selected, with relations, of objects from Python that are rows of a source; the outermost of them."""
    if selection is None:
        return
    if selection.type.source is not None:
        if needs_sql(selection):
            yield selection
        return
    for member in selection.members:
        yield from _row_places(member)
    for each in selection.fields:
        if each.field is not None and each.field.resolver is None:
            yield from _row_places(each.selection)


def needs_sql(selection: Selection | None) -> bool:
    """Whether a Python value does not do: rows of other sources, or some elements of lists, are selected."""
    if selection is None or selection.type.source is None:
        return False
    return _has_relations(selection) or chooses_elements(selection)


def _has_relations(selection: Selection) -> bool:
    return any(map(_has_relations, selection.members)) or any(
        each.field and each.field.relation for each in selection.fields
    )


def _count(selection: Selection) -> int:
    """The fields of a selection and of those below it."""
    below = [field.selection for field in selection.fields if field.selection is not None]
    return len(selection.fields) + sum(map(_count, (*below, *selection.members)))
