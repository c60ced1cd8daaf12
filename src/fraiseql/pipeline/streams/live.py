"""Live queries: a statement that runs again when an event names one of its sources."""

from __future__ import annotations

from collections.abc import Iterator

from fraiseql.effects import (
    Absent,
    EventSource,
    Program,
    changed_topic,
    emit,
    next_item,
    open_source,
    sleep,
)
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.limits import SubscriptionLimits
from fraiseql.pipeline.failures import refused
from fraiseql.pipeline.plan import Selection
from fraiseql.pipeline.response import GraphQLResponse, Outcome, refuse
from fraiseql.pipeline.streams.ending import broke_off, fetch_checked, misfit, not_started
from fraiseql.pipeline.subscription import PreparedSubscription, emission_of
from fraiseql.schema.model import SchemaModel

__all__ = ["live_stream"]


def live_stream(
    subscription: PreparedSubscription, limits: SubscriptionLimits, request_id: str
) -> Program[GraphQLResponse | None]:
    """Run the statement now and after each change, and emit what it gives where the bytes are others than before."""
    assert subscription.root.selection is not None
    own = str(subscription.model.object_type(subscription.field.target).source)
    sources = subscription.argument_sources.union([own, *_sources(subscription.model, subscription.root.selection)])
    topics = frozenset(map(changed_topic, sources))
    body: bytes | None = None
    try:
        # Open before the first run, so that no change between the two is missed.
        handle = yield from open_source(EventSource(topics, subscription.caller.tenant_id))
    except (RequestError, DatabaseError) as error:
        return not_started(subscription, error, request_id)
    while True:
        try:
            row, checks = yield from fetch_checked(subscription, subscription.parameters, limits, request_id)
        except DatabaseError as error:
            if body is None and not error.unavailable:
                return _not_run(subscription, error, request_id)
            return broke_off(subscription, error, request_id)
        hint = {"requestId": request_id}
        response = yield from subscription.computed(row[0] or b"null", hint, checks=checks and checks())
        # Who has just come is given what is true now, also where that is nothing new for the others.
        yield from emit(emission_of(response, request_id), to_newcomers=response.body == body)
        body = response.body
        # What happens in this pause is read right behind it: runs are that far apart, and none comes too late.
        yield from sleep(limits.live_interval)
        try:
            item = yield from next_item(handle, limits.live_poll)
        except (RequestError, DatabaseError) as error:
            return broke_off(subscription, error, request_id)
        if item is Absent.ENDED:
            return None


def _not_run(subscription: PreparedSubscription, error: DatabaseError, request_id: str) -> GraphQLResponse:
    wrong = misfit(subscription, error)
    if wrong is not None:
        return refuse(Outcome.VARIABLES_INVALID, [wrong], refused(error))
    return subscription.failure(error, {"requestId": request_id})


def _sources(model: SchemaModel, selection: Selection) -> Iterator[str]:
    """The sources that the relations of a selection lead to, as `sql_source` names them."""
    for member in selection.members:
        yield from _sources(model, member)
    for selected in selection.fields:
        relation = None if selected.field is None else selected.field.relation
        if relation is not None:
            yield str(model.object_type(relation.target).source)
            if relation.through is not None:
                yield str(relation.through.source)
        if selected.selection is not None:
            yield from _sources(model, selected.selection)
