"""One graphql-transport-ws connection, seen from the server: messages in, events out; results in, messages out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import orjson

from fraiseql.errors import RemoteProtocolError
from fraiseql.protocol.graphql_transport_ws.connection import Connection, encode
from fraiseql.protocol.graphql_transport_ws.events import (
    ConnectionInit,
    Operation,
    Ping,
    Pong,
    Refused,
    ServerEvent,
    Subscribe,
)
from fraiseql.protocol.graphql_transport_ws.reading import FROM_CLIENT, Message
from fraiseql.protocol.graphql_transport_ws.state import MAX_REASON, SERVER, Input, State

__all__ = ["MAX_ID_BYTES", "ServerConnection"]

MAX_ID_BYTES: Final = 262_144  # of all active operations: clients use numbers and UUIDs, and each `next` repeats its id

_ALREADY: Final = "Subscriber for {} already exists"


class ServerConnection(Connection):
    """The server's side of one connection.

    Give it each message of the WebSocket with `receive_text` or `receive_bytes`, act on the event, and send what the
    other methods return, each as one text message. Where a call raises RemoteProtocolError, close the WebSocket with
    its `status` as the code and its text as the reason; no operation is active any more then.

    What is sent for an operation that is over is no bytes, so results that come too late go nowhere, not even to
    another operation with the same id.

    Args:
        max_operations: how many may be active at once; a further one is Refused.
        max_id_bytes: what the ids of all active operations may hold, in UTF-8; as before.

    Attributes:
        state: where the connection is.
    """

    __slots__ = ("_id_bytes", "_max_id_bytes", "_max_operations")

    _TABLE = SERVER
    _READS = FROM_CLIENT

    def __init__(self, *, max_operations: int, max_id_bytes: int = MAX_ID_BYTES) -> None:
        super().__init__()
        self._max_operations = max_operations
        self._max_id_bytes = max_id_bytes
        self._id_bytes = 0

    def receive_text(self, text: str) -> ServerEvent | None:
        """Take one text message.

        Returns:
            What to act on; None where there is nothing to do: an operation that is over was completed, or the
            connection is closed.

        Raises:
            RemoteProtocolError: close with its `status`: 4400, 4401, 4409 or 4429. Its text fits a close frame.
        """
        if self.state is State.CLOSED:
            return None
        what, message = self._read(text)
        if what is Input.SUBSCRIBE:
            return self._subscribe(message, text)
        self._move(what)
        if what is Input.COMPLETE:
            return self._complete(message["id"])
        payload = message.get("payload")
        if what is Input.PING:
            return Ping(payload)
        return Pong(payload) if what is Input.PONG else ConnectionInit(payload)

    def _subscribe(self, message: Message, text: str) -> Subscribe | Refused:
        id_, payload = message["id"], message["payload"]
        if id_ in self._operations:
            self._move(Input.SUBSCRIBE_AGAIN, _ALREADY.format(_shorten(id_)))
        self._move(Input.SUBSCRIBE)
        operation = Operation(id_)
        size = len(operation.next_prefix)
        if len(self._operations) >= self._max_operations:
            return _refuse(id_, f"More than {self._max_operations} operations at once.")
        if self._id_bytes + size > self._max_id_bytes:
            return _refuse(id_, "The ids of the operations are too long.")
        self._id_bytes += size
        self._operations[id_] = operation
        get = payload.get
        return Subscribe(operation, payload["query"], get("operationName"), get("variables"), get("extensions"), text)

    def init_timed_out(self) -> RemoteProtocolError | None:
        """The deadline of `connection_init` has come: close with this (4408), or None where it was met."""
        return self._verdict(Input.DEADLINE)

    def refuse(self) -> RemoteProtocolError:
        """Refuse the client after its `connection_init`, or later, as when its token expires: close with this (4403).

        Raises:
            LocalProtocolError: the client has not introduced itself, or the connection is closed already.
        """
        error = self._verdict(Input.REFUSED)
        assert error is not None
        return error

    def _verdict(self, what: Input) -> RemoteProtocolError | None:
        try:
            self._move(what)
        except RemoteProtocolError as error:
            return error
        return None

    def accept(self, payload: Mapping[str, Any] | None = None) -> bytes:
        """Accept the client: the connection is ready; no bytes where it was closed in the meantime.

        Raises:
            LocalProtocolError: the client has not introduced itself, was accepted before, or the payload is no JSON.
        """
        if self.state is State.CLOSED:
            return b""
        data = self._send("connection_ack", payload)
        self._move(Input.CONNECTION_ACK)
        return data

    def send_next(self, operation: Operation, result: bytes) -> bytes:
        """One execution result, JSON in UTF-8; no bytes where the operation is over."""
        return operation.next_prefix + result + b"}" if operation.active else b""

    def send_error(self, operation: Operation, errors: bytes) -> bytes:
        """End an operation with errors, a JSON array that is not empty; no bytes where it was over."""
        if not operation.active:
            return b""
        self._finish(operation)
        return b'{"id":%b,"type":"error","payload":%b}' % (orjson.dumps(operation.id), errors)

    def send_complete(self, operation: Operation) -> bytes:
        """End an operation; no bytes where it was over."""
        if not operation.active:
            return b""
        self._finish(operation)
        return b'{"id":%b,"type":"complete"}' % orjson.dumps(operation.id)

    def _finish(self, operation: Operation) -> None:
        super()._finish(operation)
        self._id_bytes -= len(operation.next_prefix)


def _refuse(id_: str, message: str) -> Refused:
    error = {"message": message, "extensions": {"code": "TOO_MANY_OPERATIONS"}}
    return Refused(id_, encode({"id": id_, "type": "error", "payload": [error]}))


def _shorten(id_: str) -> str:
    """As much of an id as leaves room for the words around it."""
    room = MAX_REASON - len(_ALREADY) + len("{}")
    data = id_.encode("utf-8")
    return id_ if len(data) <= room else data[: room - 3].decode("utf-8", "ignore") + "..."
