"""One client's connection from its first byte to its last: HTTP/1.1, and a WebSocket where it asks for one."""

from __future__ import annotations

from fraiseql.session.endpoint import Endpoint
from fraiseql.session.events import Command, ConnectionMade, DataReceived, SessionEvent
from fraiseql.session.http import HttpSession
from fraiseql.session.websocket import WebSocketSession

__all__ = ["ClientSession"]


class ClientSession:
    """Serves one client.

    Args:
        endpoint: what all connections share.
        connection_id: unique in the process; request ids begin with it.
        address: the client's IP address, where there is one.
    """

    __slots__ = ("_session",)

    def __init__(self, endpoint: Endpoint, connection_id: str, address: str | None = None) -> None:
        self._session: HttpSession | WebSocketSession = HttpSession(endpoint, connection_id, address)

    @property
    def deadline(self) -> float | None:
        """When to deliver DeadlineReached, in the seconds of `now`; None where nothing is waited for."""
        return self._session.deadline

    @property
    def wants_data(self) -> bool:
        """Whether to read from the client now."""
        return self._session.wants_data

    @property
    def lasts(self) -> bool:
        """Whether the client means to stay: it has a WebSocket."""
        return isinstance(self._session, WebSocketSession)

    def handle(self, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        """Take an event and say what to do, in this order.

        Args:
            now: seconds on a clock that never goes back.
            date: the wall clock as an IMF-fixdate (RFC 9110 §5.6.7).
        """
        commands = self._session.handle(event, now, date)
        if isinstance(self._session, HttpSession) and self._session.successor is not None:
            self._session, trailing = self._session.successor
            commands += self._session.handle(ConnectionMade(), now, date)
            if trailing:
                commands += self._session.handle(DataReceived(trailing), now, date)
        return commands
