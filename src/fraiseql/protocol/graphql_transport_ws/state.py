"""The states of a connection and the tables that say, for each role, what may follow: another state or a close code.

In words, in the server role:

- The client begins with `connection_init`, once, before the deadline. Until that was accepted, `subscribe` is refused.
- The connection is ready as soon as it is accepted, before the acknowledgement has left.
- An id is in use from its `subscribe` to the end of the operation, whichever side ends it. A second `subscribe` with an
  id in use closes the connection; `complete` for an id that is not in use is ignored: it crossed ours on its way.
- `ping` and `pong` may come at any time.
- What is no message of a client closes the connection.

And in the client role:

- We begin with `connection_init`. The server acknowledges it once; before that it sends nothing but `ping` and `pong`.
- `next`, `error` and `complete` for an id that is not in use are ignored: they crossed our `complete` on their way.
- What is no message of a server closes the connection.

Once a connection is closed, whatever still arrives is discarded.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import Final, TypeAlias

__all__ = [
    "CLIENT",
    "MAX_REASON",
    "SERVER",
    "SUBPROTOCOL",
    "CloseCode",
    "Input",
    "State",
    "Table",
    "close_reason",
]

SUBPROTOCOL: Final = b"graphql-transport-ws"
"""The name of the subprotocol in the handshake."""

MAX_REASON: Final = 123  # RFC 6455 §5.5: a control frame holds 125 bytes, two of which are the code


class State(Enum):
    """Where a connection is."""

    NEW = "NEW"
    INITIALISING = "INITIALISING"
    READY = "READY"
    CLOSED = "CLOSED"

    __hash__ = object.__hash__  # by identity: the tables are asked for each message

    def __repr__(self) -> str:
        return self.name


class Input(Enum):
    """What moves a connection from one state to another."""

    CONNECTION_INIT = "connection_init"
    CONNECTION_ACK = "connection_ack"
    SUBSCRIBE = "subscribe"
    SUBSCRIBE_AGAIN = "subscribe with an id in use"
    NEXT = "next"
    ERROR = "error"
    COMPLETE = "complete"
    PING = "ping"
    PONG = "pong"
    MALFORMED = "no message of the peer"
    DEADLINE = "the deadline of the other's first message"
    REFUSED = "our refusal of the client"
    SOCKET_CLOSED = "the end of the WebSocket"

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return self.name


class CloseCode(IntEnum):
    """Why a WebSocket is closed: the codes of the subprotocol."""

    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    CONNECTION_INITIALISATION_TIMEOUT = 4408
    SUBSCRIBER_ALREADY_EXISTS = 4409
    TOO_MANY_INITIALISATION_REQUESTS = 4429
    INTERNAL_SERVER_ERROR = 4500
    CONNECTION_ACKNOWLEDGEMENT_TIMEOUT = 4504

    def __repr__(self) -> str:
        return self.name


Table: TypeAlias = Mapping[tuple[State, Input], State | CloseCode]

SERVER: Table = {
    (State.NEW, Input.CONNECTION_INIT): State.INITIALISING,
    (State.NEW, Input.SUBSCRIBE): CloseCode.UNAUTHORIZED,
    (State.NEW, Input.COMPLETE): State.NEW,
    (State.NEW, Input.PING): State.NEW,
    (State.NEW, Input.PONG): State.NEW,
    (State.NEW, Input.MALFORMED): CloseCode.BAD_REQUEST,
    (State.NEW, Input.DEADLINE): CloseCode.CONNECTION_INITIALISATION_TIMEOUT,
    (State.NEW, Input.SOCKET_CLOSED): State.CLOSED,
    (State.INITIALISING, Input.CONNECTION_ACK): State.READY,
    (State.INITIALISING, Input.REFUSED): CloseCode.FORBIDDEN,
    (State.INITIALISING, Input.CONNECTION_INIT): CloseCode.TOO_MANY_INITIALISATION_REQUESTS,
    (State.INITIALISING, Input.SUBSCRIBE): CloseCode.UNAUTHORIZED,
    (State.INITIALISING, Input.COMPLETE): State.INITIALISING,
    (State.INITIALISING, Input.PING): State.INITIALISING,
    (State.INITIALISING, Input.PONG): State.INITIALISING,
    (State.INITIALISING, Input.MALFORMED): CloseCode.BAD_REQUEST,
    (State.INITIALISING, Input.DEADLINE): State.INITIALISING,
    (State.INITIALISING, Input.SOCKET_CLOSED): State.CLOSED,
    (State.READY, Input.REFUSED): CloseCode.FORBIDDEN,  # a token that expires
    (State.READY, Input.CONNECTION_INIT): CloseCode.TOO_MANY_INITIALISATION_REQUESTS,
    (State.READY, Input.SUBSCRIBE): State.READY,
    (State.READY, Input.SUBSCRIBE_AGAIN): CloseCode.SUBSCRIBER_ALREADY_EXISTS,
    (State.READY, Input.COMPLETE): State.READY,
    (State.READY, Input.PING): State.READY,
    (State.READY, Input.PONG): State.READY,
    (State.READY, Input.MALFORMED): CloseCode.BAD_REQUEST,
    (State.READY, Input.DEADLINE): State.READY,
    (State.READY, Input.SOCKET_CLOSED): State.CLOSED,
    (State.CLOSED, Input.DEADLINE): State.CLOSED,
    (State.CLOSED, Input.SOCKET_CLOSED): State.CLOSED,
}
"""The server's connection: what comes from a client, what we decide ourselves, and what becomes of it."""

CLIENT: Table = {
    (State.NEW, Input.CONNECTION_INIT): State.INITIALISING,
    (State.NEW, Input.CONNECTION_ACK): CloseCode.BAD_REQUEST,
    (State.NEW, Input.NEXT): CloseCode.BAD_REQUEST,
    (State.NEW, Input.ERROR): CloseCode.BAD_REQUEST,
    (State.NEW, Input.COMPLETE): CloseCode.BAD_REQUEST,
    (State.NEW, Input.PING): State.NEW,
    (State.NEW, Input.PONG): State.NEW,
    (State.NEW, Input.MALFORMED): CloseCode.BAD_REQUEST,
    (State.NEW, Input.DEADLINE): State.NEW,
    (State.NEW, Input.SOCKET_CLOSED): State.CLOSED,
    (State.INITIALISING, Input.CONNECTION_ACK): State.READY,
    (State.INITIALISING, Input.NEXT): CloseCode.BAD_REQUEST,
    (State.INITIALISING, Input.ERROR): CloseCode.BAD_REQUEST,
    (State.INITIALISING, Input.COMPLETE): CloseCode.BAD_REQUEST,
    (State.INITIALISING, Input.PING): State.INITIALISING,
    (State.INITIALISING, Input.PONG): State.INITIALISING,
    (State.INITIALISING, Input.MALFORMED): CloseCode.BAD_REQUEST,
    (State.INITIALISING, Input.DEADLINE): CloseCode.CONNECTION_ACKNOWLEDGEMENT_TIMEOUT,
    (State.INITIALISING, Input.SOCKET_CLOSED): State.CLOSED,
    (State.READY, Input.SUBSCRIBE): State.READY,
    (State.READY, Input.CONNECTION_ACK): CloseCode.BAD_REQUEST,
    (State.READY, Input.NEXT): State.READY,
    (State.READY, Input.ERROR): State.READY,
    (State.READY, Input.COMPLETE): State.READY,
    (State.READY, Input.PING): State.READY,
    (State.READY, Input.PONG): State.READY,
    (State.READY, Input.MALFORMED): CloseCode.BAD_REQUEST,
    (State.READY, Input.DEADLINE): State.READY,
    (State.READY, Input.SOCKET_CLOSED): State.CLOSED,
    (State.CLOSED, Input.DEADLINE): State.CLOSED,
    (State.CLOSED, Input.SOCKET_CLOSED): State.CLOSED,
}
"""The client's connection: what comes from a server, what we begin ourselves, and what becomes of it."""


def close_reason(text: str) -> str:
    """As much of a text as the reason of a close frame holds: 123 bytes of UTF-8, never half a character."""
    return text.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")
