"""A client for whom there is no room: it is told so, and when to come back."""

from __future__ import annotations

from typing import Final

from fraiseql.errors import RemoteProtocolError
from fraiseql.limits import HttpLimits
from fraiseql.observations import Observer, RequestRefused
from fraiseql.protocol.http11 import DeadlineKind, Request, ServerConnection
from fraiseql.session.events import (
    CloseConnection,
    Command,
    ConnectionMade,
    DataReceived,
    DeadlineReached,
    DrainRequested,
    EofReceived,
    SendData,
    SessionEvent,
)
from fraiseql.session.graphql_http import Answer, error_answer

__all__ = ["BusySession", "most_busy"]

_PATIENCE: Final = 2.0  # seconds for its first request: whoever says nothing is in the way of who would be told
_LEAST_BUSY: Final = 16


def most_busy(max_connections: int) -> int:
    """How many clients may be told at once that there is no room; beyond that none is accepted.

    A sixteenth of those that are served, since each has a descriptor, but at least 16. They stay for as long as one
    request takes to arrive.
    """
    return max(_LEAST_BUSY, max_connections // 16)


class BusySession:
    """Answers the first request of one client with 503, whatever it asks for, and closes (RFC 9110 §15.6.4).

    It waits for the request's head, since clients do not expect an answer before they have asked.

    Args:
        connection_id: for observations.
        http: the limits of a head.
        retry_after: whole seconds after which the client may ask again (RFC 9110 §10.2.3).
        observe: is told of the refusal.

    Attributes:
        deadline: when to deliver DeadlineReached, in the seconds of `now`; None once it is closed.
        wants_data: whether to read from the client now.
        patience: seconds for the first request, and for a handshake before it.
        lasts: False, as it means that the client stays.
    """

    __slots__ = ("_answer", "_connection_id", "_machine", "_observe", "deadline", "lasts", "patience", "wants_data")

    def __init__(self, connection_id: str, http: HttpLimits, retry_after: int, observe: Observer) -> None:
        self._connection_id = connection_id
        self._machine = ServerConnection(http)
        self._observe = observe
        self.patience = min(_PATIENCE, http.head_timeout)
        after = ((b"retry-after", b"%d" % retry_after),)
        self._answer = error_answer(503, "The server is busy: too many clients are connected.", "SERVER_BUSY", after)
        self.deadline: float | None = None
        self.wants_data = True
        self.lasts = False

    def handle(self, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        """Take an event and say what to do, in this order; see ClientSession."""
        if not self.wants_data:
            return []
        match event:
            case ConnectionMade():
                self.deadline = now + self.patience
            case DataReceived(data):
                self._machine.receive_data(data)
                return self._read(date)
            case EofReceived():
                self._machine.receive_eof()
                return self._close()
            case DeadlineReached() if self.deadline is not None and now >= self.deadline:
                return self._give_up(date)
            case DrainRequested():
                return self._give_up(date)
        return []

    def _read(self, date: bytes) -> list[Command]:
        try:
            if not isinstance(self._machine.next_event(), Request):
                return []
        except RemoteProtocolError as error:
            return self._refuse(error_answer(error.status, str(error), "BAD_REQUEST"), str(error), date)
        return self._refuse(self._answer, "too many clients are connected", date)

    def _give_up(self, date: bytes) -> list[Command]:
        """Wait no longer: a client that has begun to ask is answered."""
        if self._machine.deadline_kind is not DeadlineKind.HEAD:
            return self._close()
        return self._refuse(self._answer, "too many clients are connected", date)

    def _refuse(self, answer: Answer, reason: str, date: bytes) -> list[Command]:
        self._observe(RequestRefused(self._connection_id, answer.status, reason))
        headers = (*answer.headers, (b"connection", b"close"))
        data = self._machine.send_response(answer.status, headers, answer.body, date)
        return [SendData(data), *self._close()]

    def _close(self) -> list[Command]:
        self.wants_data, self.deadline = False, None
        return [CloseConnection()]
