"""Resolvers: what a user's generator yields, projected in Python, or by SQL where relations are selected."""

from __future__ import annotations

import orjson

from fraiseql.effects import Absent, Program, ResolverSource, emit, next_item, open_source
from fraiseql.errors import DatabaseError
from fraiseql.limits import SubscriptionLimits
from fraiseql.pipeline.misfits import Checks
from fraiseql.pipeline.plan import Selection
from fraiseql.pipeline.records import lacks_relations, record_of
from fraiseql.pipeline.response import GraphQLResponse
from fraiseql.pipeline.streams.ending import broke_off, fetch_checked, not_started
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
        source = ResolverSource(field.function, arguments, field.takes_info, field.name, subscription.caller)
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
        selection = subscription.root.selection
        is_list = subscription.field.type.item is not None
        values = (value if isinstance(value, (list, tuple)) else ()) if is_list else (value,)
        rows = [each for each in values if each is not None]
        if subscription.statement is None or selection is None or not self._lack(selection, rows):
            return (yield from subscription.projected(value, self._hint))
        failure = subscription.own_failure(value, self._hint)
        if failure is not None:
            return failure
        try:
            found, checks = yield from self._shown(selection, rows)
        except DatabaseError as error:
            if error.unavailable:
                raise
            return subscription.failure(error, self._hint)
        except Exception as error:  # a property of a value is a user's code
            return subscription.failure(error, self._hint)
        shown = iter(found)
        texts = ["null" if each is None else next(shown) for each in values]
        text = f"[{','.join(texts)}]" if is_list else texts[0]
        return (yield from subscription.computed(text.encode(), self._hint, native=value, checks=checks))

    @staticmethod
    def _lack(selection: Selection, rows: list[object]) -> bool:
        try:
            return any(lacks_relations(selection, row) for row in rows)
        except Exception:  # a property's, which the projection meets again
            return False

    def _shown(self, selection: Selection, rows: list[object]) -> Program[tuple[list[str], Checks | None]]:
        subscription = self._subscription
        records = b"[" + b",".join(record_of(subscription.model, selection, row) for row in rows) + b"]"
        row, checks = yield from fetch_checked(
            subscription, (*subscription.parameters, records), self._limits, self._request_id
        )
        shown: list[str] = orjson.loads(row[0] or b"")
        return shown, checks and checks()
