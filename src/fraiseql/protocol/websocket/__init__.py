"""WebSocket (RFC 6455) with permessage-deflate (RFC 7692), as a state machine without I/O, in its strict reading.

handshake = accept(request, subprotocols=[b"graphql-transport-ws"])
write(http.send(handshake.response))
ws = ServerConnection(limits, handshake.deflate)
ws.receive_data(http.trailing_data + bytes_from_the_socket)
while not isinstance(event := ws.next_event(), Signal | ConnectionClosed):
    ...
write(ws.send(Text("hello")))

`ClientHandshake` and `ClientConnection` are the other end.
"""

from __future__ import annotations

from fraiseql.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from fraiseql.limits import WebSocketLimits
from fraiseql.protocol.websocket.client import ClientConnection
from fraiseql.protocol.websocket.deflate import Deflate
from fraiseql.protocol.websocket.events import (
    NEED_DATA,
    NO_STATUS,
    Bytes,
    Close,
    ConnectionClosed,
    Event,
    Ping,
    Pong,
    Sendable,
    Signal,
    Text,
)
from fraiseql.protocol.websocket.handshake import ClientHandshake, Handshake, HandshakeRefused, Origins, accept
from fraiseql.protocol.websocket.heartbeat import Heartbeat
from fraiseql.protocol.websocket.server import ServerConnection
from fraiseql.protocol.websocket.state import State

__all__ = [
    "NEED_DATA",
    "NO_STATUS",
    "Bytes",
    "ClientConnection",
    "ClientHandshake",
    "Close",
    "ConnectionClosed",
    "Deflate",
    "Event",
    "Handshake",
    "HandshakeRefused",
    "Heartbeat",
    "LimitExceeded",
    "LocalProtocolError",
    "Origins",
    "Ping",
    "Pong",
    "RemoteProtocolError",
    "Sendable",
    "ServerConnection",
    "Signal",
    "State",
    "Text",
    "WebSocketLimits",
    "accept",
]
