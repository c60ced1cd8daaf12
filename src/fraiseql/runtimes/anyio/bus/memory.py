"""The bus within one process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from fraiseql.bus.arguments import check_source, events_of, source_of
from fraiseql.bus.fanout import Fanout
from fraiseql.effects import Event, EventSource
from fraiseql.errors import RequestError
from fraiseql.limits import SubscriptionLimits
from fraiseql.payloads import decode_payload, encode_payload
from fraiseql.runtimes.anyio.bus.streams import EventSubscription, RunningStream

__all__ = ["RunningMemoryBus"]


class RunningMemoryBus:
    """Events go to the streams that are open when they are published, and are kept nowhere."""

    def __init__(self, limits: SubscriptionLimits) -> None:
        self._max_buffered = limits.max_buffered
        self._fanout = Fanout()

    async def start(self) -> None:
        """Nothing is to be done."""

    async def check(self) -> None:
        """It always works."""

    async def aclose(self) -> None:
        """End all streams."""
        self._fanout.end()

    async def publish(
        self,
        event: str | Event | Iterable[Event],
        payload: Any = None,
        *,
        tenant: str | None = None,
        user: str | None = None,
    ) -> None:
        """Publish events; see Bus. Subscribers get payloads of their own, as they would from a database."""
        events = events_of(event, payload, tenant, user)
        self._fanout.broadcast(
            [replace(event, payload=decode_payload(encode_payload(event.payload)), cursor=None) for event in events]
        )

    async def open(self, source: EventSource) -> RunningStream:
        """Begin to listen; see Bus. There is nothing to resume."""
        check_source(source)
        if source.after is not None:
            raise RequestError(
                "this server keeps no events to resume from: `after` is not known", code="BAD_USER_INPUT"
            )
        return RunningStream(source, self._fanout, self._max_buffered)

    def subscribe(
        self, *topics: str, tenant: str | None = None, user: str | None = None, after: str | None = None
    ) -> EventSubscription:
        """The events of some topics; see Bus."""
        return EventSubscription(source_of(topics, tenant, user, after), self.open)
