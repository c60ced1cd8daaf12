"""One graphql-transport-ws connection, seen from the client: operations in, messages out; messages in, events out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fraiseql.errors import LocalProtocolError, RemoteProtocolError
from fraiseql.protocol.graphql_transport_ws.connection import Connection, encode
from fraiseql.protocol.graphql_transport_ws.events import (
    ClientEvent,
    ConnectionAck,
    Error,
    Next,
    Operation,
    Ping,
    Pong,
)
from fraiseql.protocol.graphql_transport_ws.reading import FROM_SERVER
from fraiseql.protocol.graphql_transport_ws.state import CLIENT, Input, State

__all__ = ["ClientConnection"]


class ClientConnection(Connection):
    """The client's side of one connection.

    Send what `connect` returns, and `subscribe` once there was a ConnectionAck. Where a call raises
    RemoteProtocolError, close the WebSocket with its `status` as the code and its text as the reason.

    Attributes:
        state: where the connection is.
    """

    __slots__ = ("_last_id",)

    _TABLE = CLIENT
    _READS = FROM_SERVER

    def __init__(self) -> None:
        super().__init__()
        self._last_id = 0

    def connect(self, payload: Mapping[str, Any] | None = None) -> bytes:
        """The `connection_init` to begin with.

        Raises:
            LocalProtocolError: it was sent before, or the payload is no JSON.
        """
        data = self._send("connection_init", payload)
        self._move(Input.CONNECTION_INIT)
        return data

    def ack_timed_out(self) -> RemoteProtocolError | None:
        """The deadline of the acknowledgement has come: close with this (4504), or None where it was met."""
        try:
            self._move(Input.DEADLINE)
        except RemoteProtocolError as error:
            return error
        return None

    def subscribe(
        self,
        query: str,
        *,
        operation_name: str | None = None,
        variables: Mapping[str, Any] | None = None,
        extensions: Mapping[str, Any] | None = None,
        id: str | None = None,
    ) -> tuple[Operation, bytes]:
        """Begin an operation: the operation and the message to send.

        Args:
            id: the next number that is free, where it is not given.

        Raises:
            LocalProtocolError: the server has not acknowledged us, the id is empty or in use, or the rest is no JSON.
        """
        if id is None:
            id = self._next_id()
        if not id or id in self._operations:
            raise LocalProtocolError(f"the id {id!r} is {'in use' if id else 'empty'}")
        payload: dict[str, Any] = {"query": query}
        for key, value in (("operationName", operation_name), ("variables", variables), ("extensions", extensions)):
            if value is not None:
                payload[key] = value
        data = encode({"id": id, "type": "subscribe", "payload": payload})
        self._move(Input.SUBSCRIBE)
        operation = self._operations[id] = Operation(id)
        return operation, data

    def _next_id(self) -> str:
        while True:
            self._last_id += 1
            id_ = str(self._last_id)
            if id_ not in self._operations:
                return id_

    def complete(self, operation: Operation) -> bytes:
        """End an operation; no bytes where it was over."""
        if not operation.active:
            return b""
        self._finish(operation)
        return encode({"id": operation.id, "type": "complete"})

    def receive_text(self, text: str) -> ClientEvent | None:
        """Take one text message.

        Returns:
            What to act on; None where there is nothing to do: the message is about an operation that is over, or the
            connection is closed.

        Raises:
            RemoteProtocolError: close with its `status`, 4400. Its text fits a close frame.
        """
        if self.state is State.CLOSED:
            return None
        what, message = self._read(text)
        self._move(what)
        payload = message.get("payload")
        if what is Input.NEXT:
            operation = self._operations.get(message["id"])
            return None if operation is None else Next(operation, message["payload"])
        if what is Input.ERROR:
            ended = self._complete(message["id"])
            return None if ended is None else Error(ended.operation, message["payload"])
        if what is Input.COMPLETE:
            return self._complete(message["id"])
        if what is Input.PING:
            return Ping(payload)
        return Pong(payload) if what is Input.PONG else ConnectionAck(payload)
