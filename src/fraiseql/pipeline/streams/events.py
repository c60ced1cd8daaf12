"""Event subscriptions: rows that events hold or name, shown by SQL, many in one statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import orjson

from fraiseql.effects import Absent, Event, EventSource, Program, emit, next_item, open_source
from fraiseql.errors import DatabaseError, RequestError
from fraiseql.limits import SubscriptionLimits
from fraiseql.payloads import encode_payload
from fraiseql.pipeline.misfits import Checks
from fraiseql.pipeline.response import GraphQLResponse
from fraiseql.pipeline.streams.ending import broke_off, fetch_checked, not_started
from fraiseql.pipeline.subscription import PreparedSubscription, emission_of

__all__ = ["MAX_EVENTS", "event_stream"]

MAX_EVENTS: Final = 100
"""Of one statement: what it gives is held in memory, by the database and here."""


_MakeChecks: TypeAlias = Callable[[], Checks] | None


def event_stream(
    subscription: PreparedSubscription, limits: SubscriptionLimits, request_id: str
) -> Program[GraphQLResponse | None]:
    """Emit the selection for each event of the topic that the arguments let through, in order."""
    return _EventStream(subscription, limits, request_id).run()


class _EventStream:
    def __init__(self, subscription: PreparedSubscription, limits: SubscriptionLimits, request_id: str) -> None:
        self._subscription = subscription
        self._limits = limits
        self._request_id = request_id
        self._cursor = subscription.after  # what is before it was served

    def run(self) -> Program[GraphQLResponse | None]:
        subscription, caller = self._subscription, self._subscription.caller
        assert subscription.field.topic is not None
        # Shared by all users of a tenant; what is for one of them is emitted for that one.
        topics = frozenset({subscription.field.topic})
        source = EventSource(topics, caller.tenant_id, every_user=True)
        if subscription.after is not None or subscription.plan.takes_info:
            source = EventSource(topics, caller.tenant_id, caller.user_id, subscription.after)
        try:
            handle = yield from open_source(source)
            if subscription.parameters:
                # A value that its column cannot be compared with is told at once, not with the first event.
                yield from self._fetch(b"[]")
        except (RequestError, DatabaseError) as error:
            return not_started(subscription, error, self._request_id)
        started = False
        try:
            while True:
                events = yield from next_item(handle)
                if events is Absent.ENDED:
                    return None
                started = True
                for first in range(0, len(events), MAX_EVENTS):
                    yield from self._serve(events[first : first + MAX_EVENTS])
        except (RequestError, DatabaseError) as error:
            if isinstance(error, RequestError) and not started:  # a source may look at the cursor as late as now
                return not_started(subscription, error, self._request_id)
            return broke_off(subscription, error, self._request_id, self._cursor)

    def _serve(self, events: Sequence[Event]) -> Program[None]:
        """Emit for some events; raises DatabaseError where the database stays away."""
        checks = None
        try:
            texts, checks = yield from self._texts(events)
        except DatabaseError as error:
            if error.unavailable:
                raise
            if len(events) > 1:  # only the event at fault shall fail
                middle = len(events) // 2
                yield from self._serve(events[:middle])
                yield from self._serve(events[middle:])
                return
            texts = [error]
        for event, text in zip(events, texts, strict=True):
            yield from self._emit(event, text, checks and checks())

    def _emit(self, event: Event, text: str | Exception | None, checks: Checks | None) -> Program[None]:
        if isinstance(text, Exception):
            response = self._subscription.failure(text, {"requestId": self._request_id}, event.cursor)
            yield from emit(emission_of(response, self._request_id, event))
        elif text is not None:
            hint = {"requestId": self._request_id}
            response = yield from self._subscription.computed(text.encode(), hint, event.cursor, checks=checks)
            yield from emit(emission_of(response, self._request_id, event))
        self._cursor = event.cursor or self._cursor

    def _texts(self, events: Sequence[Event]) -> Program[tuple[list[str | Exception | None], _MakeChecks]]:
        """For each event its JSON, None where the arguments leave it out, or what is wrong with its payload."""
        subscription = self._subscription
        payloads = [_payload(event, subscription.field.by) for event in events]
        rows = [payload for payload in payloads if isinstance(payload, bytes)]
        if not rows:
            return [payload for payload in payloads if isinstance(payload, Exception)], None
        texts, checks = yield from self._fetch(b"[" + b",".join(rows) + b"]")
        shown = iter(texts)
        found = [next(shown) if isinstance(payload, bytes) else payload for payload in payloads]
        if subscription.model.database_context is not None:
            found = [_unless_hidden(event, text) for event, text in zip(events, found, strict=True)]
        return found, checks

    def _fetch(self, rows: bytes) -> Program[tuple[list[str | None], _MakeChecks]]:
        subscription = self._subscription
        row, checks = yield from fetch_checked(
            subscription, (*subscription.parameters, rows), self._limits, self._request_id
        )
        texts: list[str | None] = orjson.loads(row[0] or b"")
        return texts, checks


def _unless_hidden(event: Event, text: str | Exception | None) -> str | Exception | None:
    """Of a row that a policy hides nobody is told that it is gone, unless the event says that it was the caller's."""
    return None if text == "null" and event.tenant is None and event.user is None else text


def _payload(event: Event, by: str | None) -> bytes | Exception:
    """The row that an event holds, or the column that names it."""
    if not isinstance(event.payload, dict):
        return TypeError(f"the payload of an event of {event.topic!r} is no object of columns and values")
    if by is not None and event.payload.get(by) is None:
        return KeyError(f"the payload of an event of {event.topic!r} does not hold {by!r}")
    try:
        return encode_payload(event.payload)
    except TypeError as error:
        return error
