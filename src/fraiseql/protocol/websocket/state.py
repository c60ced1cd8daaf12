"""The states of both sides of a WebSocket connection, and the tables that say what may follow (RFC 6455 §5.4, §7).

In words, for the peer's side:

- A message is one frame, or a first fragment, any number of fragments and a last one.
- Pings and pongs may stand between fragments, and so may a close frame; another message may not.
- After its close frame the peer sends nothing: what comes is discarded until the connection ends.
- A fault is final: nothing more is read from this peer.

And for ours:

- We send whole messages, pings and pongs, then a close frame, then nothing.
- After a close frame of the peer, a fault of it or its end, a close frame is all that we may send.

Both roles have the same tables. A pair that is not in the peer's is a fault of the peer (1002); one that is not in ours
is refused with LocalProtocolError: the state stays as it was and nothing was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from fraiseql.protocol.tables import move

__all__ = ["OURS", "THEIRS", "Input", "State", "Table", "move"]


class State(Enum):
    """Where one side of the connection is."""

    OPEN = "OPEN"
    IN_MESSAGE = "IN_MESSAGE"
    MUST_CLOSE = "MUST_CLOSE"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"
    ERROR = "ERROR"

    __hash__ = object.__hash__  # by identity: the tables are asked for each frame

    def __repr__(self) -> str:
        return self.name


class Input(Enum):
    """What moves a side from one state to another."""

    MESSAGE = "a message"
    FIRST_FRAGMENT = "a first fragment"
    FRAGMENT = "a fragment"
    LAST_FRAGMENT = "a last fragment"
    PING = "a ping"
    PONG = "a pong"
    CLOSE = "a close frame"
    PEER_CLOSE = "a close frame of the peer"
    FAULT = "a fault of the peer"
    CONNECTION_CLOSED = "the end of the connection"

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return self.name


Table: TypeAlias = Mapping[tuple[State, Input], State]

THEIRS: Table = {
    (State.OPEN, Input.MESSAGE): State.OPEN,
    (State.OPEN, Input.FIRST_FRAGMENT): State.IN_MESSAGE,
    (State.OPEN, Input.PING): State.OPEN,
    (State.OPEN, Input.PONG): State.OPEN,
    (State.OPEN, Input.CLOSE): State.CLOSING,
    (State.OPEN, Input.FAULT): State.ERROR,
    (State.OPEN, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.IN_MESSAGE, Input.FRAGMENT): State.IN_MESSAGE,
    (State.IN_MESSAGE, Input.LAST_FRAGMENT): State.OPEN,
    (State.IN_MESSAGE, Input.PING): State.IN_MESSAGE,
    (State.IN_MESSAGE, Input.PONG): State.IN_MESSAGE,
    (State.IN_MESSAGE, Input.CLOSE): State.CLOSING,
    (State.IN_MESSAGE, Input.FAULT): State.ERROR,
    (State.IN_MESSAGE, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.CLOSING, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.ERROR, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.CLOSED, Input.CONNECTION_CLOSED): State.CLOSED,
}
"""The peer's side."""

OURS: Table = {
    (State.OPEN, Input.MESSAGE): State.OPEN,
    (State.OPEN, Input.PING): State.OPEN,
    (State.OPEN, Input.PONG): State.OPEN,
    (State.OPEN, Input.CLOSE): State.CLOSING,
    (State.OPEN, Input.PEER_CLOSE): State.MUST_CLOSE,
    (State.OPEN, Input.FAULT): State.MUST_CLOSE,
    (State.OPEN, Input.CONNECTION_CLOSED): State.MUST_CLOSE,
    (State.MUST_CLOSE, Input.CLOSE): State.CLOSING,
    (State.MUST_CLOSE, Input.CONNECTION_CLOSED): State.MUST_CLOSE,
    (State.CLOSING, Input.PEER_CLOSE): State.CLOSING,
    (State.CLOSING, Input.FAULT): State.CLOSING,
    (State.CLOSING, Input.CONNECTION_CLOSED): State.CLOSING,
}
"""Our side."""
