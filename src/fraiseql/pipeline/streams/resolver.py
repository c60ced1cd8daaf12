"""Resolvers: what a user's generator yields, projected in Python, or by SQL where relations are selected."""

from __future__ import annotations

from fraiseql.effects import Absent, Program, ResolverSource, Row, emit, next_item, open_source
from fraiseql.errors import DatabaseError
from fraiseql.limits import SubscriptionLimits
from fraiseql.pipeline.computed.roots import GivenRows, show
from fraiseql.pipeline.misfits import Checks, may_be_misfit
from fraiseql.pipeline.response import GraphQLResponse
from fraiseql.pipeline.streams.ending import broke_off, fetch_again, not_started
from fraiseql.pipeline.subscription import PreparedSubscription, emission_of

__all__ = ["resolver_stream"]


def resolver_stream(
    subscription: PreparedSubscription, limits: SubscriptionLimits, request_id: str
) -> Program[GraphQLResponse | None]:
    """Emit the selection over each value that the generator yields."""
    return _ResolverStream(subscription, limits, request_id).run()


class _ResolverStream:
    def __init__(self, subscription: PreparedSubscription, limits: SubscriptionLimits, request_id: str) -> None:
        self._subscription = subscription
        self._limits = limits
        self._request_id = request_id
        self._hint = {"requestId": request_id}

    def run(self) -> Program[GraphQLResponse | None]:
        subscription = self._subscription
        field = subscription.field
        # What is not given and has no default is None: a parameter cannot be absent.
        arguments = dict.fromkeys(argument.target for argument in field.arguments.values())
        arguments.update(subscription.arguments)
        caller, access = subscription.caller, subscription.access
        source = ResolverSource(field.function, arguments, field.takes_info, field.name, caller, access)
        end = not_started
        try:
            handle = yield from open_source(source)
            while True:
                value = yield from next_item(handle)
                if value is Absent.ENDED:
                    return None
                end = broke_off
                response = yield from self._respond(value)
                yield from emit(emission_of(response, self._request_id))
        except Exception as error:  # a user's code raises anything
            return end(subscription, error, self._request_id)

    def _respond(self, value: object) -> Program[GraphQLResponse]:
        subscription = self._subscription
        if not subscription.given:
            return (yield from subscription.projected(value, self._hint))
        resolution = subscription.resolution(self._hint)
        assert resolution is not None
        served = yield from show(
            resolution, subscription.model, subscription.root, value, subscription.given, self._fetch_given
        )
        yield from resolution.run()
        return subscription.result(served.value, self._hint, resolution, checks=served.checks)

    def _fetch_given(self, given: GivenRows, records: bytes) -> Program[tuple[Row, Checks | None]]:
        subscription, parameters = self._subscription, (*given.parameters, records)
        try:
            return (yield from fetch_again(given.statement, parameters, self._limits, subscription.settings)), None
        except DatabaseError as error:
            if not may_be_misfit(error, given.bindings):
                raise
            first = error
        try:
            row = yield from fetch_again(given.checking(), parameters, self._limits, subscription.settings)
        except DatabaseError as error:
            raise error if error.unavailable else first from None
        return row, Checks(subscription.model, self._hint)
