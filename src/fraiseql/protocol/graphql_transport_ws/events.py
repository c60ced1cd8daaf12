"""What the machines read: the messages of graphql-transport-ws as values, and the operations they are about.

Plain slots classes, not frozen: one is made for each message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import orjson

__all__ = [
    "ClientEvent",
    "Complete",
    "ConnectionAck",
    "ConnectionInit",
    "Error",
    "Next",
    "Operation",
    "Payload",
    "Ping",
    "Pong",
    "Refused",
    "ServerEvent",
    "Subscribe",
]

Payload: TypeAlias = dict[str, Any] | None
"""An object as JSON said it; None for null and for a payload that is not there."""

_NEXT: Final = b',"type":"next","payload":'


class Operation:
    """One operation, from its `subscribe` to its end; compared by identity, since ids are used again.

    Attributes:
        id: what the client calls it.
        active: whether it goes on: neither side has ended it, and the connection is not closed.
    """

    __slots__ = ("active", "id", "next_prefix")

    def __init__(self, id: str) -> None:
        self.id = id
        self.active = True
        self.next_prefix = b'{"id":' + orjson.dumps(id) + _NEXT

    def __repr__(self) -> str:
        return f"<Operation {self.id!r}, {'active' if self.active else 'over'}>"


@dataclass(slots=True)
class ConnectionInit:
    """The client introduces itself; answer with `accept` or `refuse`."""

    payload: Payload = None


@dataclass(slots=True)
class ConnectionAck:
    """The server has accepted us."""

    payload: Payload = None


@dataclass(slots=True)
class Subscribe:
    """An operation, of any kind, begins.

    Attributes:
        text: of the message, in which numbers have all their digits.
    """

    operation: Operation
    query: str
    operation_name: str | None = None
    variables: Payload = None
    extensions: Payload = None
    text: str = field(default="", compare=False, repr=False)


@dataclass(slots=True)
class Refused:
    """An operation was not begun, since the connection has too many; send the answer.

    Attributes:
        id: what the client calls it.
        answer: the `error` message, ready to be sent.
    """

    id: str
    answer: bytes


@dataclass(slots=True)
class Next:
    """One execution result of an operation that goes on."""

    operation: Operation
    result: dict[str, Any]


@dataclass(slots=True)
class Error:
    """An operation has failed; it is over."""

    operation: Operation
    errors: list[dict[str, Any]]


@dataclass(slots=True)
class Complete:
    """The other side has ended an operation, which is over."""

    operation: Operation


@dataclass(slots=True)
class Ping:
    """Answer with `send_pong(payload)`."""

    payload: Payload = None


@dataclass(slots=True)
class Pong:
    """An answer to a ping, or a sign of life."""

    payload: Payload = None


ServerEvent: TypeAlias = ConnectionInit | Subscribe | Refused | Complete | Ping | Pong
ClientEvent: TypeAlias = ConnectionAck | Next | Error | Complete | Ping | Pong
