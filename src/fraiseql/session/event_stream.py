"""One operation answered as `text/event-stream`: GraphQL over SSE, distinct connections mode."""

from __future__ import annotations

from typing import Final

from fraiseql.effects import Emission
from fraiseql.limits import SubscriptionLimits
from fraiseql.pipeline import GraphQLResponse
from fraiseql.protocol import sse
from fraiseql.protocol.http11 import Data, EndOfMessage, Response, ServerConnection
from fraiseql.session.delivery import Delivery, Unread
from fraiseql.session.events import Command, PauseOperation, ResumeOperation, SendData

__all__ = ["EventStream"]

_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),  # nginx would keep the events back
)


class EventStream:
    """The answer to one request, as it comes.

    Args:
        machine: the connection; its request is complete and not answered yet.
        limits: see SubscriptionLimits.
        timeout: seconds for the operation to end, unless it turns out to be a subscription.
        now: seconds on a clock that never goes back.

    Attributes:
        times_out: when the operation takes too long; None for a subscription.
        keep_alive: when a comment shall be sent, if nothing else was.
    """

    def __init__(self, machine: ServerConnection, limits: SubscriptionLimits, timeout: float, now: float) -> None:
        self._machine = machine
        self._interval = limits.keep_alive
        self._delivery = Delivery(limits.max_queued, Unread(limits.max_unread))
        self.times_out: float | None = now + timeout
        self.keep_alive = now + limits.keep_alive

    @property
    def deadline(self) -> float:
        """When something is to be done, even if nothing happens."""
        return self.keep_alive if self.times_out is None else min(self.keep_alive, self.times_out)

    def begin(self, date: bytes, *, close: bool) -> bytes:
        """The head of the answer; `close` says that the connection ends with it."""
        headers = (*_HEADERS, (b"connection", b"close")) if close else _HEADERS
        return self._machine.send(Response(200, headers), date)

    def emitted(
        self,
        operation_id: int,
        emission: Emission,
        is_state: bool,
        paused: bool,
        now: float,
        commands: list[Command],
    ) -> GraphQLResponse | None:
        """Send a result, or keep it while the client does not read.

        Returns:
            What to finish with where nothing more can be kept; None otherwise.
        """
        if not paused:
            self.keep_alive = now + self._interval
            commands.append(SendData(self._next(emission)))
        elif not self._delivery.keep(emission, is_state):
            return self._delivery.too_slow()
        elif self._delivery.must_pause():
            commands.append(PauseOperation(operation_id))
        return None

    def resume(self, operation_id: int, now: float, commands: list[Command]) -> None:
        """The client reads again: send what was kept for it."""
        self.keep_alive = now + self._interval
        if kept := self._kept():
            commands.append(SendData(kept))
        if self._delivery.may_resume():
            commands.append(ResumeOperation(operation_id))

    def comment(self, now: float) -> bytes:
        """Something to keep the connection open."""
        self.keep_alive = now + self._interval
        return self._machine.send(Data(sse.KEEP_ALIVE))

    def finish(self, response: GraphQLResponse | None) -> bytes:
        """What was kept, the last words, and the end of the answer."""
        last = b"" if response is None else sse.encode_next(response.body)
        return self._kept() + self._machine.send(Data(last + sse.encode_complete())) + self.cut()

    def cut(self) -> bytes:
        """The end of the answer without `complete`: the client may come back."""
        return self._machine.send(EndOfMessage())

    def _kept(self) -> bytes:
        parts = []
        while (emission := self._delivery.take()) is not None:
            parts.append(self._next(emission))
        return b"".join(parts)

    def _next(self, emission: Emission) -> bytes:
        return self._machine.send(Data(sse.encode_next(self._delivery.sent(emission), emission.cursor)))
