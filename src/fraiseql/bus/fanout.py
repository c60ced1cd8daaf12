"""Hands each event to the streams that want it; pure, and never waits.

A stream is *live* while it is given events as they are read, each put into its buffer. Where the buffer of a slow one
is full, or it begins at a place before the others, it is *behind*: it reads by itself, from its own position, and is
live again once it has seen all that the others were given. Both are places on the bus, so nothing is lost or doubled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fraiseql.bus.cursors import Cursor, expired
from fraiseql.bus.statements import Entry, Page
from fraiseql.effects import Absent, Event, EventSource
from fraiseql.errors import DatabaseError, FraiseQLError, RequestError

__all__ = ["Fanout", "StreamState"]

_MAX_TOPICS = 1_000  # of one read: they are sent with each


class StreamState:
    """One stream: what it waits for, what it was given and why it ended.

    Attributes:
        source: what it wants.
        behind: whether it must read by itself.
        position: what came up to here, it was given or does not want; None for all that the fan-out gives.
    """

    __slots__ = ("_buffer", "_failure", "_max_buffered", "_wake", "behind", "ended", "placed", "position", "source")

    def __init__(self, source: EventSource, max_buffered: int, wake: Callable[[], None]) -> None:
        self.source = source
        self.behind = False
        self.ended = False
        self.placed = False  # whether it is known from where on it is given events
        self.position: Cursor | None = None
        self._buffer: list[Event] = []
        self._failure: FraiseQLError | None = None
        self._max_buffered = max_buffered
        self._wake = wake

    @property
    def must_read(self) -> bool:
        """Whether nothing more will come unless it reads."""
        return self.behind and not self._buffer and self._failure is None and not self.ended

    def take(self) -> list[Event] | Absent | None:
        """What it was given, in order; None for nothing yet. Raises why it ended, once the rest was taken."""
        if self._buffer:
            taken, self._buffer = self._buffer, []
            return taken
        if self._failure is not None:
            raise _own(self._failure)
        return Absent.ENDED if self.ended else None

    def wants(self, event: Event) -> bool:
        """Whether an event of one of its topics is for it: nothing of another tenant or user ever is."""
        source = self.source
        return (event.tenant is None or event.tenant == source.tenant) and (
            event.user is None or source.every_user or event.user == source.user
        )

    def begin_at(self, position: Cursor) -> None:
        """Start behind the others, at a place of its own."""
        self.behind, self.position = True, position

    def caught(self, page: Page, others: Cursor | None) -> list[Event]:
        """Take a page that it read from `position`; gives the events that are for it.

        Args:
            page: what it read.
            others: how far the live streams are now.

        Raises:
            RequestError: events were lost to it.
        """
        if page.expired:
            raise expired()
        self.position = page.position
        if not page.more and others is not None and page.position >= others:
            self.behind = False  # live again: what the others are given up to `position` is passed over
        return [entry.event for entry in page.entries if self.wants(entry.event)]

    def begin_with(self, page: Page, others: Cursor | None) -> None:
        """Take the first page of a stream that begins at a place of its own; see `caught`."""
        self._buffer = self.caught(page, others)

    def give(self, event: Event, cursor: Cursor | None, before: Cursor | None) -> bool:
        """Take an event of one of its topics; `before` is the place of the one before it. Says whether it is new."""
        if self.behind or self._failure is not None or not self.wants(event):
            return False
        if cursor is not None and self.position is not None:
            if cursor <= self.position:
                return False
            self.position = None
        if len(self._buffer) >= self._max_buffered:
            self._overflow(before)
            return True
        self._buffer.append(event)
        return True

    def fail(self, error: FraiseQLError) -> None:
        """End with an error, behind what it was given before."""
        self._failure = error
        self._wake()

    def end(self) -> None:
        """End, behind what it was given before."""
        self.ended = True
        self._wake()

    def close(self) -> None:
        """End, and forget what it was given: nobody wants it any more."""
        self._buffer = []
        self.end()

    def wake(self) -> None:
        """Tell who waits for it."""
        self._wake()

    def _overflow(self, before: Cursor | None) -> None:
        if before is not None:
            self.begin_at(before)
            return
        text = f"more than {self._max_buffered} events wait for this subscription"
        self._failure = RequestError(text, code="SLOW_CONSUMER")


class Fanout:
    """All streams of one bus.

    Attributes:
        position: up to where events were handed out; None where the bus keeps none, or where it is not known yet.
    """

    def __init__(self) -> None:
        self.position: Cursor | None = None
        self._streams: dict[StreamState, None] = {}
        self._by_topic: dict[str, dict[StreamState, None]] = {}

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def topics(self) -> frozenset[str] | None:
        """What the streams wait for; None for all topics, where there are very many."""
        return frozenset(self._by_topic) if len(self._by_topic) <= _MAX_TOPICS else None

    def add(self, stream: StreamState) -> None:
        """Begin to give it what it wants."""
        self._streams[stream] = None
        for topic in stream.source.topics:
            self._by_topic.setdefault(topic, {})[stream] = None
        stream.placed = self.position is not None

    def remove(self, stream: StreamState) -> None:
        """Stop; does nothing the second time."""
        if self._streams.pop(stream, self) is self:
            return
        for topic in stream.source.topics:
            streams = self._by_topic[topic]
            del streams[stream]
            if not streams:
                del self._by_topic[topic]

    def place(self, position: Cursor) -> None:
        """Begin here: the streams there are wait for what comes next."""
        self.position = position
        for stream in self._streams:
            if not stream.placed:
                stream.placed = True
                stream.wake()

    def deliver(self, entries: Iterable[Entry], position: Cursor, topics: frozenset[str] | None = None) -> None:
        """Hand out events that come behind the present position, and go on to a new one.

        Args:
            entries: the events.
            position: the new one.
            topics: those that were asked for; None for all.
        """
        before = self.position
        touched = self._not_asked_for(topics, before, position)
        for entry in entries:
            for stream in self._by_topic.get(entry.event.topic, ()):
                if stream.give(entry.event, entry.cursor, before):
                    touched[stream] = None
            before = entry.cursor
        self.position = position
        for stream in touched:
            stream.wake()

    def _not_asked_for(
        self, topics: frozenset[str] | None, before: Cursor | None, position: Cursor
    ) -> dict[StreamState, None]:
        """Streams that came while the read was under way, with topics it leaves out: they read by themselves."""
        late: dict[StreamState, None] = {}
        if topics is None or before is None:
            return late
        for topic in self._by_topic.keys() - topics:
            for stream in self._by_topic[topic]:
                begin = before if stream.position is None else max(before, stream.position)
                if not stream.behind and begin < position:
                    stream.begin_at(begin)
                    late[stream] = None
        return late

    def broadcast(self, events: Iterable[Event]) -> None:
        """Hand out events that nobody keeps."""
        touched: dict[StreamState, None] = {}
        for event in events:
            for stream in self._by_topic.get(event.topic, ()):
                if stream.give(event, None, None):
                    touched[stream] = None
        for stream in touched:
            stream.wake()

    def fail(self, error: FraiseQLError) -> None:
        """End all streams with an error; there is no position any more."""
        streams, self._streams, self._by_topic, self.position = self._streams, {}, {}, None
        for stream in streams:
            stream.fail(error)

    def end(self) -> None:
        """End all streams."""
        streams, self._streams, self._by_topic, self.position = self._streams, {}, {}, None
        for stream in streams:
            stream.end()


def _own(error: FraiseQLError) -> FraiseQLError:
    """An error of the stream's own: it will be raised, and so changed."""
    if isinstance(error, DatabaseError):
        return DatabaseError(str(error), sqlstate=error.sqlstate, retryable=error.retryable)
    if isinstance(error, RequestError):
        return RequestError(error.message, code=error.code)
    return error
