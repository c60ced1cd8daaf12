"""What a peer may send to `graphql_transport_ws.ServerConnection` and `ClientConnection`: any messages, in any order.

The first byte of an input says which role is tried and how it is set up, the second how many operations may be active.
`SEPARATOR` stands between messages; one that begins with `BINARY` is binary, and one of `OURS` is a step of our own.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from fraiseql.protocol import graphql_transport_ws as ws
from fraiseql.protocol.graphql_transport_ws.state import CLIENT, SERVER

__all__ = ["BINARY", "CLIENT_ROLE", "OURS", "READY", "SEPARATOR", "check"]

# Bits of the first byte
CLIENT_ROLE, READY = 1, 2
SEPARATOR = b"\xfe"
BINARY = b"\xff"
OURS = (b"!next", b"!complete", b"!error", b"!accept", b"!refuse", b"!deadline", b"!close")

CODES = {4400, 4401, 4403, 4408, 4409, 4429, 4504}
RESULT = b'{"data":null}'
ERRORS = b'[{"message":"no"}]'


def require(condition: object, what: str) -> None:
    """Raise AssertionError unless the condition holds, also where Python strips asserts."""
    if not condition:
        raise AssertionError(what)


def check(data: bytes) -> None:
    """Only declared errors escape, operations that are over stay so, and what is sent reads back at the other end."""
    flags, bound, messages = data[0] if data else 0, data[1] % 4 if len(data) > 1 else 0, data[2:].split(SEPARATOR)
    try:
        if flags & CLIENT_ROLE:
            Client(flags).run(messages)
        else:
            Server(flags, bound).run(messages)
    except ws.RemoteProtocolError as error:
        require(error.status in CODES, f"close code {error.status}")
        require(len(str(error).encode()) <= 123, "the reason fits a close frame")


class Peer:
    """One end whose every step is checked."""

    machine: ws.ServerConnection | ws.ClientConnection

    def __init__(self) -> None:
        self.ever: list[ws.Operation] = []
        self.over: set[ws.Operation] = set()

    def run(self, messages: list[bytes]) -> None:
        """Give the machine all messages; RemoteProtocolError is the only way out but the end."""
        try:
            for message in messages:
                if message in OURS:
                    self.act(message)
                elif message.startswith(BINARY):
                    self.machine.receive_bytes(message)
                else:
                    self.read(message.decode("utf-8", "surrogatepass" if b"\xed" in message else "replace"))
                self.compare()
        except UnicodeDecodeError:
            return  # no text of a WebSocket
        except ws.RemoteProtocolError:
            require(self.machine.state is ws.State.CLOSED, "a broken connection is closed")
            self.compare()
            raise

    def compare(self) -> None:
        """What is active is listed, and what was over is not active again."""
        active = {operation for operation in self.ever if operation.active}
        require(active == set(self.machine.operations), "the active ones are listed")
        require(not active & self.over, "an operation that was over is active again")
        require(not active or self.machine.state is ws.State.READY, "operations of a connection that is not ready")
        self.over = set(self.ever) - active

    def read(self, text: str) -> None:
        table = SERVER if isinstance(self.machine, ws.ServerConnection) else CLIENT
        before = self.machine.state
        event = self.machine.receive_text(text)
        after = self.machine.state
        moves = {state for (of, _), state in table.items() if of is before}
        require(after is before or after in moves, f"{before} to {after} is no move of the table")
        require(event is None or before is not ws.State.CLOSED, "an event after the end")
        if isinstance(event, ws.Ping):
            require(json.loads(self.machine.send_pong(event.payload)).get("payload") == event.payload, "no echo")
        elif event is not None:
            self.heed(event)

    def heed(self, event: Any) -> None:
        raise NotImplementedError

    def act(self, step: bytes) -> None:
        raise NotImplementedError


class Server(Peer):
    """Subscribes read back as they were read, and nothing is sent for what is over."""

    machine: ws.ServerConnection

    def __init__(self, flags: int, bound: int) -> None:
        super().__init__()
        self.bound = bound
        self.machine = ws.ServerConnection(max_operations=bound, max_id_bytes=400)
        if flags & READY:
            self.machine.receive_text('{"type":"connection_init"}')
            self.machine.accept()

    def heed(self, event: Any) -> None:
        if isinstance(event, ws.Subscribe):
            require(len(self.machine.operations) <= self.bound, "more operations than the limit")
            require(event.operation not in self.ever, "a new operation is a new object")
            self.ever.append(event.operation)
            self._read_back(event)
        elif isinstance(event, ws.Refused):
            require(json.loads(event.answer)["id"] == event.id, "the answer to a refused operation")
        elif isinstance(event, ws.Complete):
            require(not event.operation.active, "completed, yet active")

    def _read_back(self, event: ws.Subscribe) -> None:
        client = ws.ClientConnection()
        client.connect()
        client.receive_text('{"type":"connection_ack"}')
        given = event.operation_name, event.variables, event.extensions
        operation, data = client.subscribe(
            event.query, operation_name=given[0], variables=given[1], extensions=given[2], id=event.operation.id
        )
        payload = orjson.loads(data)["payload"]
        again = payload["query"], *[payload.get(key) for key in ("operationName", "variables", "extensions")]
        require(again == (event.query, *given), f"{again} for {event}")
        result = client.receive_text(self.machine.send_next(event.operation, RESULT).decode())
        require(result == ws.Next(operation, {"data": None}), "the result reads back")

    def act(self, step: bytes) -> None:
        machine = self.machine
        for operation in self.ever[-2:]:
            active = operation.active
            sent = b""
            if step == b"!next":
                sent = machine.send_next(operation, RESULT)
            elif step == b"!complete":
                sent = machine.send_complete(operation)
            elif step == b"!error":
                sent = machine.send_error(operation, ERRORS)
            else:
                break
            require(bool(sent) is active, "something is sent exactly for what is active")
            require(not sent or json.loads(sent)["id"] == operation.id, "for its id")
        try:
            if step == b"!accept":
                machine.accept()
            elif step == b"!refuse":
                raise machine.refuse()
        except ws.LocalProtocolError:
            require(machine.state is not ws.State.INITIALISING, "who waits can be accepted and refused")
        if step == b"!deadline" and (error := machine.init_timed_out()) is not None:
            raise error
        if step == b"!close":
            machine.close()


class Client(Peer):
    """Events are about operations that were active."""

    machine: ws.ClientConnection

    def __init__(self, flags: int) -> None:
        super().__init__()
        self.machine = ws.ClientConnection()
        self.machine.connect()
        if flags & READY:
            self.machine.receive_text('{"type":"connection_ack"}')
            self.ever = [self.machine.subscribe("{a}")[0] for _ in range(2)]

    def heed(self, event: Any) -> None:
        if isinstance(event, ws.Next | ws.Error | ws.Complete):
            require(event.operation in self.ever, "an operation of ours")
            require(event.operation not in self.over, "news of an operation that was over")
            require(event.operation.active is isinstance(event, ws.Next), "only a result leaves it active")

    def act(self, step: bytes) -> None:
        machine = self.machine
        if step == b"!next" and machine.state is ws.State.READY and len(self.ever) < 8:
            self.ever.append(machine.subscribe("{a}")[0])
        elif step == b"!complete" and self.ever:
            active = self.ever[-1].active
            require(bool(machine.complete(self.ever[-1])) is active, "said once")
        elif step == b"!deadline" and (error := machine.ack_timed_out()) is not None:
            raise error
        elif step == b"!close":
            machine.close()
