"""Resolvers: what a user's generator yields, projected in Python, or by SQL where relations are selected."""

from __future__ import annotations

from fraiseql.effects import Absent, Program, ResolverSource, emit, next_item, open_source
from fraiseql.limits import SubscriptionLimits
from fraiseql.pipeline.response import GraphQLResponse
from fraiseql.pipeline.streams.ending import broke_off, not_started
from fraiseql.pipeline.subscription import PreparedSubscription, emission_of

__all__ = ["resolver_stream"]


def resolver_stream(
    subscription: PreparedSubscription, limits: SubscriptionLimits, request_id: str
) -> Program[GraphQLResponse | None]:
    """Emit the selection over each value that the generator yields."""
    field, hint = subscription.field, {"requestId": request_id}
    arguments = dict.fromkeys(argument.target for argument in field.arguments.values())
    arguments.update(subscription.arguments)
    source = ResolverSource(field.function, arguments, field.takes_info, field.name, subscription.caller)
    started = False
    try:
        handle = yield from open_source(source)
        while True:
            value = yield from next_item(handle)
            if value is Absent.ENDED:
                return None
            started = True
            yield from emit(emission_of(subscription.project(value, hint=hint)))
    except Exception as error:  # a user's code raises anything
        end = broke_off if started else not_started
        return end(subscription, error, request_id)
