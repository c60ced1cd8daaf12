"""The states of both sides of a connection and the tables that say what may follow, for each role.

In words, when the peer is a client (the server role):

- A request begins with its head. Its body is read until its end; then the peer is done.
- Done, it stays so until both sides are done and the next cycle begins, or until the connection ends: the exchange was
  the last one (anything more it sends is discarded), it closed its side, or another protocol took over.
- A fault of the peer is final: nothing more is read from it.
- A request's head makes us owe an answer: interim answers, then a final one, then its body to its end.
- A fault of the peer makes us owe an answer too, if none was begun; one that was begun may be finished.
- An answer may be sent before a request's head is complete (408, 503). It is the last one.
- Done, we wait for the next cycle, or must close.

And when the peer is a server (the client role):

- Our request's head makes the peer owe an answer: interim answers, then a final one, then its body to its end. It may
  begin, and end, before our request has ended.
- A change of protocol takes the place of the final answer, once our request has ended.
- What the peer sends while it owes nothing is a fault. A fault is final: nothing more is read from it, and nothing more
  is sent to it.
- We may give a request up by closing the connection.

A pair that is not in a table is refused with LocalProtocolError; the state stays as it was and nothing was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from fraiseql.protocol.tables import move

__all__ = [
    "CLIENT_OURS",
    "CLIENT_THEIRS",
    "SERVER_OURS",
    "SERVER_THEIRS",
    "DeadlineKind",
    "Input",
    "State",
    "Table",
    "move",
]


class State(Enum):
    """Where one side of the connection is."""

    IDLE = "IDLE"
    SEND_RESPONSE = "SEND_RESPONSE"
    SEND_BODY = "SEND_BODY"
    DONE = "DONE"
    MUST_CLOSE = "MUST_CLOSE"
    CLOSED = "CLOSED"
    SWITCHED_PROTOCOL = "SWITCHED_PROTOCOL"
    ERROR = "ERROR"

    __hash__ = object.__hash__  # by identity: the tables are asked several times for each request

    def __repr__(self) -> str:
        return self.name


class Input(Enum):
    """What moves a side from one state to another."""

    REQUEST = "a request"
    INFORMATIONAL_RESPONSE = "an informational response"
    RESPONSE = "a response"
    DATA = "data"
    END_OF_MESSAGE = "the end of a message"
    CONNECTION_CLOSED = "the end of the connection"
    SWITCHING = "a change of protocol"
    FAULT = "a fault of the peer"
    LAST_EXCHANGE = "the end of the last exchange"
    NEXT_CYCLE = "the next cycle"

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return self.name


class DeadlineKind(Enum):
    """Which timeout of HttpLimits runs while we wait for the peer.

    At `HEAD` and `BODY` a request has begun: answer 408. At `IDLE` none has: close without a word.
    """

    HEAD = "head"
    BODY = "body"
    IDLE = "idle"


Table: TypeAlias = Mapping[tuple[State, Input], State]

SERVER_THEIRS: Table = {
    (State.IDLE, Input.REQUEST): State.SEND_BODY,
    (State.IDLE, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.IDLE, Input.LAST_EXCHANGE): State.MUST_CLOSE,
    (State.IDLE, Input.FAULT): State.ERROR,
    (State.SEND_BODY, Input.DATA): State.SEND_BODY,
    (State.SEND_BODY, Input.END_OF_MESSAGE): State.DONE,
    (State.SEND_BODY, Input.FAULT): State.ERROR,
    (State.DONE, Input.NEXT_CYCLE): State.IDLE,
    (State.DONE, Input.LAST_EXCHANGE): State.MUST_CLOSE,
    (State.DONE, Input.SWITCHING): State.SWITCHED_PROTOCOL,
    (State.DONE, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.MUST_CLOSE, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.CLOSED, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.ERROR, Input.CONNECTION_CLOSED): State.CLOSED,
}
"""The peer's side, in the server role."""

SERVER_OURS: Table = {
    (State.IDLE, Input.REQUEST): State.SEND_RESPONSE,
    (State.IDLE, Input.RESPONSE): State.SEND_BODY,
    (State.IDLE, Input.FAULT): State.SEND_RESPONSE,
    (State.IDLE, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.SEND_RESPONSE, Input.INFORMATIONAL_RESPONSE): State.SEND_RESPONSE,
    (State.SEND_RESPONSE, Input.RESPONSE): State.SEND_BODY,
    (State.SEND_RESPONSE, Input.SWITCHING): State.SWITCHED_PROTOCOL,
    (State.SEND_RESPONSE, Input.FAULT): State.SEND_RESPONSE,
    (State.SEND_BODY, Input.DATA): State.SEND_BODY,
    (State.SEND_BODY, Input.END_OF_MESSAGE): State.DONE,
    (State.SEND_BODY, Input.FAULT): State.SEND_BODY,
    (State.DONE, Input.NEXT_CYCLE): State.IDLE,
    (State.DONE, Input.LAST_EXCHANGE): State.MUST_CLOSE,
    (State.DONE, Input.FAULT): State.MUST_CLOSE,
    (State.DONE, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.MUST_CLOSE, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.MUST_CLOSE, Input.FAULT): State.MUST_CLOSE,
    (State.CLOSED, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.CLOSED, Input.FAULT): State.CLOSED,
}
"""Our side, in the server role."""

CLIENT_THEIRS: Table = {
    (State.IDLE, Input.REQUEST): State.SEND_RESPONSE,
    (State.IDLE, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.IDLE, Input.LAST_EXCHANGE): State.MUST_CLOSE,
    (State.IDLE, Input.FAULT): State.ERROR,
    (State.SEND_RESPONSE, Input.INFORMATIONAL_RESPONSE): State.SEND_RESPONSE,
    (State.SEND_RESPONSE, Input.RESPONSE): State.SEND_BODY,
    (State.SEND_RESPONSE, Input.SWITCHING): State.SWITCHED_PROTOCOL,
    (State.SEND_RESPONSE, Input.FAULT): State.ERROR,
    (State.SEND_BODY, Input.DATA): State.SEND_BODY,
    (State.SEND_BODY, Input.END_OF_MESSAGE): State.DONE,
    (State.SEND_BODY, Input.FAULT): State.ERROR,
    (State.DONE, Input.NEXT_CYCLE): State.IDLE,
    (State.DONE, Input.LAST_EXCHANGE): State.MUST_CLOSE,
    (State.DONE, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.DONE, Input.FAULT): State.ERROR,
    (State.MUST_CLOSE, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.CLOSED, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.ERROR, Input.CONNECTION_CLOSED): State.CLOSED,
}
"""The peer's side, in the client role."""

CLIENT_OURS: Table = {
    (State.IDLE, Input.REQUEST): State.SEND_BODY,
    (State.IDLE, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.IDLE, Input.FAULT): State.MUST_CLOSE,
    (State.SEND_BODY, Input.DATA): State.SEND_BODY,
    (State.SEND_BODY, Input.END_OF_MESSAGE): State.DONE,
    (State.SEND_BODY, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.SEND_BODY, Input.FAULT): State.MUST_CLOSE,
    (State.DONE, Input.NEXT_CYCLE): State.IDLE,
    (State.DONE, Input.LAST_EXCHANGE): State.MUST_CLOSE,
    (State.DONE, Input.SWITCHING): State.SWITCHED_PROTOCOL,
    (State.DONE, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.DONE, Input.FAULT): State.MUST_CLOSE,
    (State.MUST_CLOSE, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.MUST_CLOSE, Input.FAULT): State.MUST_CLOSE,
    (State.CLOSED, Input.CONNECTION_CLOSED): State.CLOSED,
    (State.CLOSED, Input.FAULT): State.CLOSED,
}
"""Our side, in the client role."""
