"""One request from its text to the answer's bytes: a program, which for a query asks for at most one statement.

Only where that fails for a value in the database it asks for a second one, which finds the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fraiseql.context import ANONYMOUS, Caller
from fraiseql.effects import Fetch, Program, Settings, fetch, join
from fraiseql.errors import ConfigurationError, DatabaseError, RequestError
from fraiseql.limits import MutationLimits, QueryLimits, SubscriptionLimits
from fraiseql.pipeline.cache import Cache
from fraiseql.pipeline.called import Asked, answer_called, failed
from fraiseql.pipeline.caller_settings import settings_for
from fraiseql.pipeline.checking import answer_checked
from fraiseql.pipeline.document import prepare_document
from fraiseql.pipeline.explaining import Explanation, explained
from fraiseql.pipeline.graphql_schema import build_graphql_schema
from fraiseql.pipeline.mutations import Asking, IdempotencyKeys, first_statements, mutate
from fraiseql.pipeline.nesting import nests_too_deep
from fraiseql.pipeline.planning import Planning
from fraiseql.pipeline.prepared import Plan, PreparedOperation, plans_cache
from fraiseql.pipeline.request import GraphQLRequest
from fraiseql.pipeline.response import GraphQLResponse, Outcome, Refusal, refuse
from fraiseql.pipeline.sql import BoundStatement
from fraiseql.pipeline.streams import stream_of
from fraiseql.pipeline.streams.ending import broke_off
from fraiseql.pipeline.subscription import PreparedSubscription, prepare
from fraiseql.pipeline.variables import Variables
from fraiseql.schema import Schema

__all__ = ["Explanation", "Pipeline"]

# Characters of all documents kept; each took 125 to 265 bytes of syntax tree when that was measured.
_MAX_TEXT: Final = 524_288


class Pipeline:
    """Answers GraphQL requests for one schema; holds its cache of prepared operations.

    Args:
        schema: what is served.
        limits: bounds of each request and of the caches.
        subscriptions: bounds of the operations that go on.
        mutations: how mutations run, and their bounds.
        introspection: whether `__schema` and `__type` are served.

    Raises:
        ConfigurationError: not a Schema.
    """

    __slots__ = ("_introspection", "_keys", "_planning", "_plans", "_prepared", "limits", "mutations", "subscriptions")

    def __init__(
        self,
        schema: Schema,
        limits: QueryLimits = QueryLimits(),  # noqa: B008 - it is frozen
        subscriptions: SubscriptionLimits = SubscriptionLimits(),  # noqa: B008 - it is frozen
        mutations: MutationLimits = MutationLimits(),  # noqa: B008 - it is frozen
        *,
        introspection: bool = True,
    ) -> None:
        if not isinstance(schema, Schema):
            raise ConfigurationError(f"the schema is {schema!r}; expected a fraiseql.Schema")
        self.limits = limits
        self.subscriptions = subscriptions
        self.mutations = mutations
        self._keys = IdempotencyKeys(mutations)
        self._introspection = introspection
        self._planning = Planning.begin(schema.model, build_graphql_schema(schema.model), limits)
        self._plans = plans_cache(limits)
        self._prepared: Cache[tuple[str, str | None], PreparedOperation] = Cache(limits.max_cached_documents, _MAX_TEXT)

    def execute(self, request: GraphQLRequest, request_id: str, caller: Caller = ANONYMOUS) -> Program[GraphQLResponse]:
        """Answer one request by one answer: a query or a mutation; a subscription is refused.

        Args:
            request_id: shown to the client in place of an error's cause, which `GraphQLResponse.cause` has.
            caller: who asks: what PostgreSQL and resolvers are told.

        Returns:
            A program that for a query yields at most one Fetch, a second one where a value in the database does not fit
            its type, and a CallAll for each level of fields that Python computes, for a mutation what `mutate` does,
            and returns the answer, whatever the request or the database does.
        """
        try:
            prepared = self._prepare(request)
            if prepared.operation.is_subscription:
                raise _refused("A subscription needs a WebSocket, or a request that accepts text/event-stream.")
        except Refusal as refusal:
            return refuse(refusal.outcome, refusal.errors)
        return (yield from self._answer(prepared, request, request_id, caller))

    def operate(
        self, request: GraphQLRequest, request_id: str, caller: Caller = ANONYMOUS, after: str | None = None
    ) -> Program[GraphQLResponse | None]:
        """Answer one request, whatever its operation is.

        Args:
            request_id: as for `execute`.
            caller: who asks: whose events come, and what resolvers are told.
            after: the cursor that the transport knows, for events whose argument `after` is not given.

        Returns:
            A program that for a query or a mutation does what `execute` does, and for a subscription yields one Join
            and returns what that gives: None where the stream has ended, a response of the outcome STREAM_FAILED where
            it broke off, and any other as the last result.
        """
        try:
            prepared = self._prepare(request)
            if not prepared.operation.is_subscription:
                return (yield from self._answer(prepared, request, request_id, caller))
            subscription = self._subscription(prepared, request, caller)
            subscription.resume_behind(after)
            if subscription.statement is not None or subscription.given:
                subscription.tell(settings_for(self._planning.model, caller, request_id))
        except Refusal as refusal:
            return refuse(refusal.outcome, refusal.errors, refusal.cause)
        try:
            result: GraphQLResponse | None = yield from join(
                stream_of(subscription, self.subscriptions, request_id), caller.user_id
            )
        except (RequestError, DatabaseError) as error:
            return broke_off(subscription, error, request_id)
        return result

    def prepare_subscription(self, request: GraphQLRequest, caller: Caller = ANONYMOUS) -> PreparedSubscription:
        """Make a subscription ready, without running it.

        Raises:
            Refusal: the request is not valid, or no subscription.
        """
        prepared = self._prepare(request)
        if not prepared.operation.is_subscription:
            raise _refused("The operation is no subscription.")
        return self._subscription(prepared, request, caller)

    def _answer(
        self, prepared: PreparedOperation, request: GraphQLRequest, request_id: str, caller: Caller
    ) -> Program[GraphQLResponse]:
        if prepared.operation.is_mutation:
            return (yield from self._mutation(prepared, request, request_id, caller))
        return (yield from self._query(prepared, request, request_id, caller))

    def _mutation(
        self, prepared: PreparedOperation, request: GraphQLRequest, request_id: str, caller: Caller
    ) -> Program[GraphQLResponse]:
        try:
            settings = settings_for(self._planning.model, caller, request_id)
            asking = self._asking(prepared, request, request_id, caller, settings)
            return (yield from mutate(asking, self.mutations, self._keys))
        except Refusal as refusal:
            return refuse(refusal.outcome, refusal.errors, refusal.cause)

    def _asking(
        self,
        prepared: PreparedOperation,
        request: GraphQLRequest,
        request_id: str,
        caller: Caller,
        settings: Settings,
    ) -> Asking:
        """A mutation that is ready to run; raises Refusal."""
        try:
            variables = prepared.coerce(request)
            plan = prepared.plan(variables)
        except RecursionError:
            raise nests_too_deep(request.query, self.limits.max_depth, request.variables) from None
        return Asking(self._planning, plan, request, variables, caller, settings, {"requestId": request_id})

    def _query(
        self, prepared: PreparedOperation, request: GraphQLRequest, request_id: str, caller: Caller
    ) -> Program[GraphQLResponse]:
        try:
            plan, statement, parameters, variables = self._bound(prepared, request)
            hint = {"requestId": request_id}
            resolution = plan.resolution(variables, caller, hint)
            if plan.called_roots:
                assert resolution is not None
                if statement is not None:
                    settings_for(plan.model, caller, request_id)  # or the caller is refused
                asked = Asked(plan, statement, parameters, variables, request, caller, hint)
                return (yield from answer_called(asked, self._planning.access(caller), resolution))
            if statement is None:
                return plan.answer((), request.variables, hint)
            settings = settings_for(plan.model, caller, request_id)
            try:
                row = yield from fetch(statement.statement, parameters, settings=settings, read_only=True)
            except DatabaseError as error:
                checked = yield from answer_checked(
                    error, plan, statement, parameters, request, variables, hint, resolution, settings
                )
                return checked or failed(error, plan, statement, request, request_id)
            if resolution is None:
                return plan.answer(row, request.variables, hint)
            values = yield from resolution.complete(plan.sql_roots, row)
            return plan.answer(values, request.variables, hint, resolution)
        except Refusal as refusal:
            return refuse(refusal.outcome, refusal.errors, refusal.cause)

    def explain(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        caller: Caller | None = None,
    ) -> Explanation:
        """The SQL of a request and its parameters; no database is needed.

        Args:
            caller: of whom PostgreSQL would be told; None for the statement alone, which is the same for all.

        Raises:
            Refusal: the request would not be executed; its message says why.
        """
        request = GraphQLRequest(query, operation_name, variables or {})
        prepared = self._prepare(request)
        settings = () if caller is None else settings_for(self._planning.model, caller, "")
        plan, statements = self._statements(prepared, request)
        return explained(statements, [root.key for root in plan.called_roots], settings)

    def _statements(self, prepared: PreparedOperation, request: GraphQLRequest) -> tuple[Plan, list[Fetch]]:
        """What a request sends first: one statement, or one for each field of a mutation; raises Refusal."""
        if prepared.operation.is_mutation:
            return self._writes(prepared, request)
        if prepared.operation.is_subscription:
            subscription = self._subscription(prepared, request, ANONYMOUS)
            plan, statement, parameters = subscription.plan, subscription.statement, subscription.parameters
            parameters = (*parameters, b"[]") if plan.is_given else parameters
        else:
            plan, bound, parameters, _ = self._bound(prepared, request)
            statement = None if bound is None else bound.statement
        return plan, [] if statement is None else [Fetch(statement, parameters)]

    def _writes(self, prepared: PreparedOperation, request: GraphQLRequest) -> tuple[Plan, list[Fetch]]:
        """The statements that write for the fields of a mutation; raises Refusal."""
        asking = self._asking(prepared, request, "", ANONYMOUS, ())
        try:
            return asking.plan, list(first_statements(asking))
        except RequestError as error:
            raise Refusal(Outcome.VARIABLES_INVALID, [error]) from None

    def _subscription(
        self, prepared: PreparedOperation, request: GraphQLRequest, caller: Caller
    ) -> PreparedSubscription:
        try:
            return prepare(self._planning, prepared, request, caller)
        except RecursionError:
            raise nests_too_deep(request.query, self.limits.max_depth, request.variables) from None

    def _bound(
        self, prepared: PreparedOperation, request: GraphQLRequest
    ) -> tuple[Plan, BoundStatement | None, tuple[bytes | None, ...], Variables]:
        """The plan of a query, its statement with the parameters, where it needs one, and variables; raises Refusal."""
        try:
            variables = prepared.coerce(request)
            plan = prepared.plan(variables)
            if not plan.uses_sql:
                return plan, None, (), variables
            statement = plan.statements.of_roots(variables)
            return plan, statement, plan.statements.bind(statement, variables), variables
        except RecursionError:
            raise nests_too_deep(request.query, self.limits.max_depth, request.variables) from None

    def _prepare(self, request: GraphQLRequest) -> PreparedOperation:
        key = (request.query, request.operation_name)
        prepared = self._prepared.get(key)
        if prepared is None:
            try:
                document = prepare_document(
                    self._planning.schema, request.query, self.limits, introspection=self._introspection
                )
            except RecursionError:
                raise nests_too_deep(request.query, self.limits.max_depth) from None
            prepared = PreparedOperation(self._planning, self._plans, document.operation(request.operation_name))
            self._prepared.put(key, prepared, len(request.query))
        if request.read_only and prepared.operation.is_mutation:
            error = RequestError("A mutation needs POST.", code="METHOD_NOT_ALLOWED")
            raise Refusal(Outcome.METHOD_NOT_ALLOWED, [error])
        return prepared


def _refused(message: str) -> Refusal:
    return Refusal(Outcome.OPERATION_UNKNOWN, [RequestError(message, code="BAD_REQUEST")])
