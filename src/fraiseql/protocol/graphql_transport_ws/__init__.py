"""GraphQL over WebSocket, subprotocol `graphql-transport-ws`, as a state machine without I/O.

machine = ServerConnection(max_operations=100)
match machine.receive_text(text):
    case ConnectionInit():
        send(machine.accept())
    case Subscribe(operation=operation, query=query):
        send(machine.send_next(operation, b'{"data":{"a":1}}') + ...)

Each message is the text of one WebSocket message. `ClientConnection` is the other end.
"""

from __future__ import annotations

from fraiseql.errors import LocalProtocolError, RemoteProtocolError
from fraiseql.protocol.graphql_transport_ws.client import ClientConnection
from fraiseql.protocol.graphql_transport_ws.events import (
    ClientEvent,
    Complete,
    ConnectionAck,
    ConnectionInit,
    Error,
    Next,
    Operation,
    Ping,
    Pong,
    Refused,
    ServerEvent,
    Subscribe,
)
from fraiseql.protocol.graphql_transport_ws.server import ServerConnection
from fraiseql.protocol.graphql_transport_ws.state import SUBPROTOCOL, CloseCode, State, close_reason

__all__ = [
    "SUBPROTOCOL",
    "ClientConnection",
    "ClientEvent",
    "CloseCode",
    "Complete",
    "ConnectionAck",
    "ConnectionInit",
    "Error",
    "LocalProtocolError",
    "Next",
    "Operation",
    "Ping",
    "Pong",
    "Refused",
    "RemoteProtocolError",
    "ServerConnection",
    "ServerEvent",
    "State",
    "Subscribe",
    "close_reason",
]
