"""What every running bus offers, whatever carries its events: the shape that a further bus has to have."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import Any, Protocol

from fraiseql.effects import Absent, Event, EventSource

__all__ = ["Bus", "EventStream", "Subscription"]


class EventStream(Protocol):
    """The events of one source, in the order of the bus, each of them once. One task at a time may wait."""

    async def next(self, timeout: float | None = None) -> list[Event] | Absent:
        """Wait for events; gives all that are there, at least one.

        Args:
            timeout: seconds to wait; None for ever. A read of kept events that is under way is not cut short.

        Returns:
            TIMED_OUT where none came, ENDED where the stream or the bus was closed.

        Raises:
            RequestError: the stream cannot go on without a gap: CURSOR_EXPIRED where the events it had not seen yet
                are not kept any more, SLOW_CONSUMER where the bus keeps none.
            DatabaseError: what carries the events has been away for too long, or refuses us.
        """

    def close(self) -> None:
        """Let go of it; who waits in `next` is given ENDED."""

    async def aclose(self) -> None:
        """`close`, for who awaits it."""


class Subscription(AsyncIterable[Event], Protocol):
    """Events one by one; `async with` opens it at once, else the first `anext` does."""

    def __aiter__(self) -> Subscription:
        """Itself."""

    async def __anext__(self) -> Event:
        """Wait for the next event."""

    async def __aenter__(self) -> Subscription:
        """Open it: what happens from now on is not missed."""

    async def __aexit__(self, *error: object) -> None:
        """Close it."""

    async def aclose(self) -> None:
        """Close it."""


class Bus(Protocol):
    """A running bus. All methods belong to the event loop that `start` was called on."""

    async def start(self) -> None:
        """Begin; succeeds also where the events cannot be reached yet."""

    async def check(self) -> None:
        """Make sure that it works.

        Raises:
            StartupError: something must be set up; one sentence says what.
            DatabaseError: what carries the events cannot be reached.
        """

    async def aclose(self) -> None:
        """End all streams, and let go of everything."""

    async def publish(
        self,
        event: str | Event | Iterable[Event],
        payload: Any = None,
        *,
        tenant: str | None = None,
        user: str | None = None,
    ) -> str | None:
        """Publish one event, or several together: all or none.

        Args:
            event: a topic, to which the other arguments belong, or whole events, without them.
            payload: what JSON can hold.
            tenant: whose it is; None for everybody's.
            user: the only user of it, where it is meant for one.

        Returns:
            The cursor of the last one; None where the bus keeps nothing.

        Raises:
            TypeError: the payload is nothing that JSON can hold, or an argument has another type.
            ValueError: the topic is empty, or a text holds a NUL character.
            DatabaseError: nothing was published, unless the connection was lost (08006): then nobody knows.
        """

    async def open(self, source: EventSource) -> EventStream:
        """Begin to listen. What is published from the return on is not missed; the last before it may come too.

        Raises:
            TypeError: the source has no topics, or something in it has another type.
            ValueError: a topic is empty, or a text holds a NUL character.
            RequestError: `after` is no cursor of this bus (BAD_USER_INPUT), or too old (CURSOR_EXPIRED).
            DatabaseError: what carries the events cannot be reached, or is not set up.
        """

    def subscribe(
        self, *topics: str, tenant: str | None = None, user: str | None = None, after: str | None = None
    ) -> Subscription:
        """The events of some topics, one by one, for a `with` and a `for`; see EventSource for the arguments.

        Raises:
            TypeError: there is no topic, or an argument has another type.
            ValueError: a topic is empty, or a text holds a NUL character.
        """
