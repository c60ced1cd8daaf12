"""HTTP/1.1 (RFC 9110, RFC 9112) as a state machine without I/O, in its strict reading.

conn = ServerConnection()
conn.receive_data(bytes_from_the_socket)
while not isinstance(event := conn.next_event(), Signal | ConnectionClosed):
    ...
write(conn.send_response(200, ((b"content-type", b"text/plain"),), b"hello"))
conn.start_next_cycle()

`ClientConnection` is the other end: `send_request` and the same loop.
"""

from __future__ import annotations

from fraiseql.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from fraiseql.limits import HttpLimits
from fraiseql.protocol.http11.client import ClientConnection
from fraiseql.protocol.http11.events import (
    NEED_DATA,
    PAUSED,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    Headers,
    InformationalResponse,
    Request,
    Response,
    ResponseEvent,
    Signal,
)
from fraiseql.protocol.http11.server import ServerConnection
from fraiseql.protocol.http11.state import DeadlineKind, State

__all__ = [
    "NEED_DATA",
    "PAUSED",
    "ClientConnection",
    "ConnectionClosed",
    "Data",
    "DeadlineKind",
    "EndOfMessage",
    "Event",
    "Headers",
    "HttpLimits",
    "InformationalResponse",
    "LimitExceeded",
    "LocalProtocolError",
    "RemoteProtocolError",
    "Request",
    "Response",
    "ResponseEvent",
    "ServerConnection",
    "Signal",
    "State",
]
