"""What both ends do alike: the state, the operations, pings, and the end."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Final

import orjson

from fraiseql.errors import LocalProtocolError, RemoteProtocolError
from fraiseql.protocol.graphql_transport_ws.events import Complete, Operation
from fraiseql.protocol.graphql_transport_ws.reading import Message, Types, bad_message, read_message
from fraiseql.protocol.graphql_transport_ws.state import CloseCode, Input, State, Table, close_reason

__all__ = ["Connection", "encode"]

_REASONS: Final[Mapping[CloseCode, str]] = {
    CloseCode.UNAUTHORIZED: "Unauthorized",
    CloseCode.FORBIDDEN: "Forbidden",
    CloseCode.CONNECTION_INITIALISATION_TIMEOUT: "Connection initialisation timeout",
    CloseCode.TOO_MANY_INITIALISATION_REQUESTS: "Too many initialisation requests",
    CloseCode.CONNECTION_ACKNOWLEDGEMENT_TIMEOUT: "Connection acknowledgement timeout",
}


class Connection:
    """One end of a connection; `state` says where it is."""

    __slots__ = ("_operations", "state")

    _TABLE: ClassVar[Table]
    _READS: ClassVar[Types]

    def __init__(self) -> None:
        self.state = State.NEW
        self._operations: dict[str, Operation] = {}

    @property
    def operations(self) -> Collection[Operation]:
        """The active ones, in the order in which they began; none once the connection is closed."""
        return tuple(self._operations.values())

    def receive_bytes(self, data: bytes) -> None:
        """Take a binary message, which no peer sends.

        Raises:
            RemoteProtocolError: close code 4400, unless the connection is closed already.
        """
        if self.state is not State.CLOSED:
            raise self._fail(bad_message("Binary messages are not understood"))

    def send_ping(self, payload: Mapping[str, Any] | None = None) -> bytes:
        """A `ping`; no bytes once the connection is closed.

        Raises:
            LocalProtocolError: the payload cannot be JSON.
        """
        return self._send("ping", payload)

    def send_pong(self, payload: Mapping[str, Any] | None = None) -> bytes:
        """A `pong`, as the answer to a ping with the ping's payload; no bytes once the connection is closed.

        Raises:
            LocalProtocolError: the payload cannot be JSON.
        """
        return self._send("pong", payload)

    def close(self) -> None:
        """The WebSocket is closed, or is going to be: no operation is active any more, and nothing more is read."""
        self._move(Input.SOCKET_CLOSED)
        self._end()

    def _send(self, kind: str, payload: Mapping[str, Any] | None) -> bytes:
        data = encode({"type": kind} if payload is None else {"type": kind, "payload": payload})
        return b"" if self.state is State.CLOSED else data

    def _read(self, text: str) -> tuple[Input, Message]:
        """The next message, once its type and fields are checked."""
        try:
            return read_message(text, self._READS)
        except RemoteProtocolError as error:
            raise self._fail(error) from None

    def _move(self, what: Input, reason: str | None = None) -> None:
        """Go where the table says; raises LocalProtocolError where it says nothing, RemoteProtocolError for a code."""
        after = self._TABLE.get((self.state, what))
        if isinstance(after, State):
            self.state = after
        elif after is None:
            raise LocalProtocolError(f"{what.value} is not possible in state {self.state.name}")
        else:
            text = reason or _REASONS.get(after, f"Unexpected message {what.value!r}")
            raise self._fail(RemoteProtocolError(close_reason(text), status=after))

    def _fail(self, error: RemoteProtocolError) -> RemoteProtocolError:
        self._end()
        return error

    def _end(self) -> None:
        self.state = State.CLOSED
        for operation in self._operations.values():
            operation.active = False
        self._operations.clear()

    def _finish(self, operation: Operation) -> None:
        """An active operation is over."""
        operation.active = False
        del self._operations[operation.id]

    def _complete(self, id_: str) -> Complete | None:
        """The peer has ended an operation; one that is not active is none (any more)."""
        operation = self._operations.get(id_)
        if operation is None:
            return None
        self._finish(operation)
        return Complete(operation)


def encode(message: Mapping[str, Any]) -> bytes:
    """One message as JSON; raises LocalProtocolError where it cannot be."""
    try:
        data = orjson.dumps(message)
        if b"null" in data:  # orjson writes NaN and infinities so
            json.dumps(message, allow_nan=False, default=str)
    except (TypeError, ValueError) as error:
        raise LocalProtocolError(f"the payload cannot be JSON: {error}") from None
    return data
