"""The bus through PostgreSQL: one connection listens and reads for all streams of the process."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import anyio

from fraiseql.bus import PostgresqlBus
from fraiseql.bus.arguments import check_source, events_of, source_of
from fraiseql.bus.cursors import not_a_cursor, parse_cursor
from fraiseql.bus.fanout import Fanout, StreamState
from fraiseql.bus.statements import Outbox, read_page, read_place
from fraiseql.effects import Event, EventSource, Fetch, Row
from fraiseql.errors import DatabaseError, StartupError
from fraiseql.limits import SubscriptionLimits
from fraiseql.observations import Observer, OutboxPurged, OutboxPurgeFailed
from fraiseql.runtimes.anyio.background import Background
from fraiseql.runtimes.anyio.bus.reading import Reading
from fraiseql.runtimes.anyio.bus.streams import EventSubscription, RunningStream
from fraiseql.runtimes.anyio.database import Database

__all__ = ["RunningPostgresqlBus"]

_OPENING = 10.0  # seconds that a new stream waits for the database: longer than a restart of PostgreSQL takes
_RETRY_INITIAL = 0.1  # seconds between the reads of a stream that is behind, where they fail; doubled each time ...
_RETRY_MAX = 2.0  # ... up to this
_ANSWER_TIMEOUT = 10.0  # seconds for one answer: the network may swallow everything without a word
_PURGE_TIMEOUT = 60.0  # ... and for one of many rows
_PURGES = 24  # attempts within the time that events are kept ...
_PURGE_INTERVALS = (1.0, 3_600.0)  # ... but no more often, and no more seldom, in seconds


class RunningPostgresqlBus:
    """Events are rows of the outbox, read by every process that has subscribers.

    Args:
        description: which outbox.
        database: its pool serves `publish`, and streams that are behind the others.
        limits: see SubscriptionLimits.
        observe: is told of connections, delays and purges.
    """

    def __init__(
        self, description: PostgresqlBus, database: Database, limits: SubscriptionLimits, observe: Observer
    ) -> None:
        self._outbox = Outbox(description)
        self._database = database
        self._limits = limits
        self._observe = observe
        self._fanout = Fanout()
        self._reading = Reading(description, database.connector, self._outbox, self._fanout, limits, observe)
        self._background = Background()
        self._is_reading = False

    async def start(self) -> None:
        """Begin; the database is not asked yet."""
        await self._background.start()
        self._background.start_soon(self._purge_now_and_then, name="fraiseql outbox purge")

    async def check(self) -> None:
        """Make sure that the database has the outbox; see Bus."""
        (found,) = await self._ask(self._outbox.check())
        if found != b"t":
            raise StartupError(f"the database has no outbox {self._outbox.name}; {self._outbox.remedy}")
        try:
            read_place(await self._ask(self._outbox.place()))
        except DatabaseError as error:
            if error.unavailable:
                raise
            raise StartupError(str(error)) from None

    async def aclose(self) -> None:
        """End all streams and close the connection."""
        self._fanout.end()
        with anyio.CancelScope(shield=True):
            await self._background.stop()

    async def publish(
        self,
        event: str | Event | Iterable[Event],
        payload: Any = None,
        *,
        tenant: str | None = None,
        user: str | None = None,
    ) -> str | None:
        """Publish events, in a transaction of their own; see Bus."""
        events = events_of(event, payload, tenant, user)
        if not events:
            return None
        (cursor,) = await self._ask(self._outbox.publish(events))
        return (cursor or b"").decode()

    async def open(self, source: EventSource) -> RunningStream:
        """Begin to listen; see Bus."""
        check_source(source)
        after = None if source.after is None else parse_cursor(source.after)
        if not self._background.is_running:
            raise DatabaseError("the event bus is not running", sqlstate="57P01", retryable=True)
        stream = RunningStream(source, self._fanout, self._limits.max_buffered, self._catch_up)
        try:
            await self._placed(stream)
            if after is not None:
                stream.state.begin_at(after)
                fetch = self._outbox.read(after, source.topics)
                page = read_page(fetch, await self._ask(fetch))
                if not page.known:
                    raise not_a_cursor()
                stream.state.begin_with(page, self._fanout.position)
        except BaseException:
            stream.close()
            raise
        return stream

    def subscribe(
        self, *topics: str, tenant: str | None = None, user: str | None = None, after: str | None = None
    ) -> EventSubscription:
        """The events of some topics; see Bus."""
        return EventSubscription(source_of(topics, tenant, user, after), self.open)

    async def _placed(self, stream: RunningStream) -> None:
        """Wait until it is known from where on the stream is given events."""
        if not self._is_reading:
            self._is_reading = True
            self._background.start_soon(self._reading.run, name="fraiseql outbox reader")
        self._reading.wake()
        state, deadline = stream.state, anyio.current_time() + min(_OPENING, self._limits.recovery_timeout)
        while not state.placed:
            await stream.wait(deadline)
            if not state.placed:
                state.take()  # raises why not
                if state.ended or anyio.current_time() >= deadline:
                    raise self._reading.why_not()

    async def _catch_up(self, state: StreamState) -> list[Event]:
        """Read one page for a stream that is behind the others; a failure ends it once it lasts too long."""
        give_up = anyio.current_time() + self._limits.recovery_timeout
        pause = _RETRY_INITIAL
        while True:
            assert state.position is not None
            fetch = self._outbox.read(state.position, state.source.topics)
            try:
                page = read_page(fetch, await self._ask(fetch))
                return state.caught(page, self._fanout.position)
            except DatabaseError as error:
                if not error.retryable or not state.must_read or anyio.current_time() >= give_up:
                    raise
            await anyio.sleep(pause)
            pause = min(pause * 2, _RETRY_MAX)

    async def _ask(self, fetch: Fetch) -> Row:
        try:
            return await self._database.perform(replace(fetch, timeout=_ANSWER_TIMEOUT))
        except DatabaseError as error:
            raise self._outbox.explain(error) from None

    async def _purge_now_and_then(self) -> None:
        least, most = _PURGE_INTERVALS
        interval = min(max(self._limits.outbox_retention / _PURGES, least), most)
        while True:
            await anyio.sleep(interval)
            await self.purge()

    async def purge(self) -> int:
        """Remove the events that are kept no longer; gives how many. A failure is observed, not raised."""
        fetch, purged = replace(self._outbox.purge(self._limits.outbox_retention), timeout=_PURGE_TIMEOUT), 0
        try:
            while True:
                (count,) = await self._database.perform(fetch)
                if count in {None, b"0"}:
                    break
                purged += int(count or 0)
        except DatabaseError as error:
            if error.sqlstate not in {"42P01", "42883", "3F000"}:  # without an outbox there is nothing to purge
                self._observe(OutboxPurgeFailed(str(error)))
        if purged:
            self._observe(OutboxPurged(purged))
        return purged
