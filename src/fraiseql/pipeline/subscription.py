"""One subscription made ready: its field, its arguments, the statement that serves it, and the form of its results."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from graphql import GraphQLObjectType

from fraiseql.context import Caller
from fraiseql.effects import Emission, Event, Program, Settings, Statement
from fraiseql.errors import RequestError
from fraiseql.pipeline.access import DatabaseAccess
from fraiseql.pipeline.arguments import Tree, given_arguments, value_of
from fraiseql.pipeline.computed.resolution import Resolution
from fraiseql.pipeline.computed.roots import GiveRows, python_arguments
from fraiseql.pipeline.database_errors import told
from fraiseql.pipeline.failures import cause_of, masked, shown
from fraiseql.pipeline.held import MISSING
from fraiseql.pipeline.misfits import Checks
from fraiseql.pipeline.planning import Planning
from fraiseql.pipeline.prepared import Plan, PreparedOperation
from fraiseql.pipeline.project import project
from fraiseql.pipeline.request import GraphQLRequest
from fraiseql.pipeline.response import GraphQLResponse, Outcome, Refusal, respond
from fraiseql.pipeline.sql.bind import Binding
from fraiseql.pipeline.variables import Variables
from fraiseql.schema.model import SchemaModel, SubscriptionField, SubscriptionKind
from fraiseql.schema.validate import AFTER_ARGUMENT

__all__ = ["PreparedSubscription", "emission_of", "prepare"]


class PreparedSubscription:
    """A validated subscription of one caller.

    Attributes:
        field: what is subscribed to.
        root: how: the response key, and what is selected.
        after: the cursor to resume behind; None to begin with what happens next.
        key: equal for an equal selection, equal arguments, the same tenant and the same settings, unless the caller
            plays a further part.
        statement: what serves the selection; None where nothing of it comes from the database.
        parameters: of the statement, without the given rows.
        bindings: where each parameter comes from.
        argument_sources: the sources that filters and orders lead to.
        settings: what PostgreSQL is told of the caller before the statement.
        given: of a resolver, what serves the relations below what it gives.
    """

    __slots__ = (
        *("_arguments", "_planning", "_variables", "after", "argument_sources", "bindings", "caller", "field"),
        *("given", "key", "parameters", "plan", "root", "settings", "statement"),
    )

    def __init__(self, planning: Planning, plan: Plan, variables: Variables, caller: Caller) -> None:
        (self.root,) = plan.roots
        assert isinstance(self.root.field, SubscriptionField)
        self.field: SubscriptionField = self.root.field
        self.plan = plan
        self.caller = caller
        self._planning = planning
        self._variables = variables
        # Those of the other kinds are read, and found right, where the statement is made.
        is_resolver = self.field.kind is SubscriptionKind.RESOLVER
        self._arguments: Mapping[str, Any] | None = self._python_arguments() if is_resolver else None
        self.after: str | None = None
        if self.field.topic is not None and AFTER_ARGUMENT in self.root.arguments:
            self.after = value_of(self._given().get(AFTER_ARGUMENT), variables)
        # Coerced variables are JSON values in the order of their declaration: equal ones are spelled alike.
        self.key: Hashable = (plan, repr(variables), caller.tenant_id)
        if plan.takes_info:
            self.key = (self.key, object())  # equal to no other: what is computed for a caller is nobody else's
        plan.resolution(variables, caller, {})  # or its arguments do not fit
        self.settings: Settings = ()
        self.statement: Statement | None = None
        self.parameters: tuple[bytes | None, ...] = ()
        self.bindings: tuple[Binding, ...] = ()
        self.argument_sources: frozenset[str] = frozenset()
        self.given: Mapping[int, GiveRows] = plan.statements.given_rows(self.root, variables) if is_resolver else {}
        if plan.uses_sql:
            bound = plan.statements.of_roots(variables)
            self.statement, self.bindings = bound.statement, bound.bindings
            self.argument_sources = bound.argument_sources
            self.parameters = plan.statements.bind(bound, variables)

    @property
    def checking_statement(self) -> Statement:
        """The one that finds what does not fit, for the same parameters."""
        return self.plan.statements.of_roots(self._variables, checking=True).statement

    def tell(self, settings: Settings) -> None:
        """Tell PostgreSQL these of the caller; only with who is told the same are results shared."""
        self.settings = settings
        self.key = (self.key, settings)

    def resume_behind(self, cursor: str | None) -> None:
        """Begin behind a cursor that the transport knows, for events whose `after` is not given."""
        if self.after is None and self.field.topic is not None:
            self.after = cursor

    @property
    def access(self) -> DatabaseAccess:
        """The database for what is called."""
        return self._planning.access(self.caller)

    @property
    def model(self) -> SchemaModel:
        """What is served."""
        return self._planning.model

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The arguments that were given, and those with a default, by their Python names, as Python objects.

        An input object is a dict by its attributes' names, an enum its member.
        """
        if self._arguments is None:
            self._arguments = self._python_arguments()
        return self._arguments

    @property
    def path(self) -> tuple[str, ...]:
        """Of the field in the response."""
        return (self.root.key,)

    def project(self, value: Any, cursor: str | None = None, hint: Mapping[str, Any] | None = None) -> GraphQLResponse:
        """The result for a Python value: a mapping or an object by the names of the type's attributes.

        Args:
            cursor: the place of the event that the value is of, where it has one.
            hint: entries for the `extensions` of masked errors.
        """
        text, errors, cause = project(self.model, self.root, value, hint or {})
        return respond(self._data(text), errors, _extensions(cursor), cause)

    def result(
        self,
        value: Any,
        hint: Mapping[str, Any],
        resolution: Resolution | None = None,
        cursor: str | None = None,
        checks: Checks | None = None,
    ) -> GraphQLResponse:
        """The result for the field's JSON, as the database gave it, or for what `resolution` made of it.

        Args:
            hint: entries for the `extensions` of errors that are not meant for the client.
            checks: where it is of the checking statement.
        """
        errors: list[RequestError] = [] if resolution is None else resolution.errors
        (complete,) = self.plan.completions
        data = self._data(complete(value, errors, hint, None if checks is None else checks.check))
        causes = [*([] if checks is None else checks.causes), *([] if resolution is None else resolution.causes)]
        return respond(data, errors, _extensions(cursor), cause_of(causes, errors))

    def resolution(self, hint: Mapping[str, Any]) -> Resolution | None:
        """What computes the fields of one result; None where none are, and no resolver gives it."""
        return self.plan.resolution(self._variables, self.caller, hint, self.access)

    def computed(
        self,
        text: bytes,
        hint: Mapping[str, Any],
        cursor: str | None = None,
        native: Any = MISSING,
        checks: Checks | None = None,
    ) -> Program[GraphQLResponse]:
        """The same with computed fields.

        Args:
            hint: entries for the `extensions` of masked errors.
            native: the Python value that the text was made from, where there is one.
        """
        resolution = self.resolution(hint) if self.plan.computed else None
        if resolution is None:
            return self.result(text, hint, None, cursor, checks)
        check = None if checks is None else checks.check
        (value,) = yield from resolution.complete([self.root], [text], native, check)
        return self.result(value, hint, resolution, cursor, checks)

    def projected(self, value: Any, hint: Mapping[str, Any], cursor: str | None = None) -> Program[GraphQLResponse]:
        """As `project`, with computed fields."""
        resolution = self.resolution(hint) if self.plan.computed else None
        if resolution is None:
            return self.project(value, cursor, hint)
        found = yield from resolution.project(self.root, value)
        return self.result(found, hint, resolution, cursor)

    def failure(self, error: Exception, hint: Mapping[str, Any], cursor: str | None = None) -> GraphQLResponse:
        """The result where there is no value for the field."""
        known, cause = told(self.model, error, hint, reading=True) or (error, masked(error))
        return self._without_value([shown(known, self.path, hint)], cursor, cause)

    def _without_value(
        self, errors: list[RequestError], cursor: str | None, cause: BaseException | None
    ) -> GraphQLResponse:
        data = self._data(b"null") if self.field.type.nullable else None
        return respond(data, errors, _extensions(cursor), cause)

    def _python_arguments(self) -> Mapping[str, Any]:
        return python_arguments(self.model, self._planning.schema, self.root, self._variables)

    def _given(self) -> dict[str, Tree]:
        owner = self._planning.schema.type_map[self.root.owner]
        assert isinstance(owner, GraphQLObjectType)
        declared = owner.fields[self.root.name].args
        return given_arguments(declared, self.root.arguments, self._variables, self.path)

    def _data(self, text: bytes | None) -> bytes | None:
        before, behind = self.plan.frame
        return None if text is None else before + text + behind


def prepare(
    planning: Planning, prepared: PreparedOperation, request: GraphQLRequest, caller: Caller
) -> PreparedSubscription:
    """Coerce a subscription's variables, plan it and bind its parameters; raises Refusal."""
    variables = prepared.coerce(request)
    plan = prepared.plan(variables)
    if len(plan.roots) != 1 or plan.roots[0].field is None:  # GraphQL §6.2.3.1; validation sees to it already
        message = "A subscription selects exactly one field, which is not skipped."
        raise Refusal(Outcome.NOT_VALID, [RequestError(message, code="GRAPHQL_VALIDATION_FAILED")])
    try:
        return PreparedSubscription(planning, plan, variables, caller)
    except RequestError as error:
        raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None


def emission_of(response: GraphQLResponse, request_id: str, event: Event | None = None) -> Emission:
    """A result as it is emitted, of an event where it is of one."""
    cursor, user = (None, None) if event is None else (event.cursor, event.user)
    return Emission(response.body, cursor, user, request_id, response.cause)


def _extensions(cursor: str | None) -> dict[str, Any] | None:
    return None if cursor is None else {"cursor": cursor}
