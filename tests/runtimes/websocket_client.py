"""A client of graphql-transport-ws for tests under asyncio and trio, made of our own machines in their client role."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import SocketStream

from fraiseql.protocol import graphql_transport_ws as graphql
from fraiseql.protocol import http11, websocket

__all__ = ["GraphQLClient", "HandshakeFailed", "opened"]

TIMEOUT = 60.0  # seconds for anything that is waited for


class HandshakeFailed(Exception):
    """The server opened no WebSocket; `status` is its answer's."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class GraphQLClient:
    """One WebSocket; whoever waits reads for all."""

    def __init__(self, stream: SocketStream, socket: websocket.ClientConnection) -> None:
        self.stream = stream
        self.socket = socket
        self.machine = graphql.ClientConnection()
        self.heard: dict[graphql.Operation, list[Any]] = {}
        self.acknowledged = False
        self.closed: websocket.Close | None = None
        self.pongs = 0

    async def say(self, text: str | bytes) -> None:
        await self.stream.send(self.socket.send_text(text))

    async def connect(self, payload: dict[str, Any] | None = None) -> None:
        """Introduce ourselves, and wait for the answer."""
        await self.say(self.machine.connect(payload))
        while not self.acknowledged and self.closed is None:
            await self.read()

    async def subscribe(self, query: str, variables: dict[str, Any] | None = None) -> graphql.Operation:
        operation, message = self.machine.subscribe(query, variables=variables)
        self.heard[operation] = []
        await self.say(message)
        return operation

    async def complete(self, operation: graphql.Operation) -> None:
        await self.say(self.machine.complete(operation))

    async def hear(self, operation: graphql.Operation, count: int = 1) -> list[Any]:
        """The next results, or errors, of an operation; fewer where it ended."""
        heard = self.heard[operation]
        with anyio.fail_after(TIMEOUT):
            while len(heard) < count and operation.active and self.closed is None:
                await self.read()
        found, self.heard[operation] = heard[:count], heard[count:]
        return found

    async def ended(self, operation: graphql.Operation) -> list[Any]:
        """What came until the operation was over."""
        with anyio.fail_after(TIMEOUT):
            while operation.active and self.closed is None:
                await self.read()
        found, self.heard[operation] = self.heard[operation], []
        return found

    async def at_end(self) -> int | None:
        """The code that the server closes with; None where it just left."""
        with anyio.fail_after(TIMEOUT):
            while self.closed is None:
                try:
                    await self.read()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    return None
        return self.closed.code

    async def read(self) -> None:
        """Take what comes next."""
        with anyio.fail_after(TIMEOUT):
            self.take(await self.stream.receive())
            if self.pongs:
                self.pongs = 0

    def take(self, data: bytes) -> None:
        self.socket.receive_data(data)
        while True:
            match self.socket.next_event():
                case websocket.Text(text):
                    self._message(self.machine.receive_text(text))
                case websocket.Close() as close:
                    self.closed = close
                case websocket.Ping():
                    self.pongs += 1
                case _:
                    return

    def _message(self, event: graphql.ClientEvent | None) -> None:
        match event:
            case graphql.ConnectionAck():
                self.acknowledged = True
            case graphql.Next(operation, result):
                self.heard[operation].append(result)
            case graphql.Error(operation, errors):
                self.heard[operation].append(errors)


@asynccontextmanager
async def opened(
    port: int, payload: dict[str, Any] | None = None, *, path: bytes = b"/graphql", connect: bool = True, **headers: str
) -> AsyncIterator[GraphQLClient]:
    """A WebSocket to a server on this machine, acknowledged unless told otherwise."""
    fields = tuple((name.encode(), value.encode()) for name, value in headers.items())
    handshake = websocket.ClientHandshake(
        b"127.0.0.1", path, secrets.token_bytes(16), subprotocols=[graphql.SUBPROTOCOL], headers=fields
    )
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        http = http11.ClientConnection()
        await stream.send(http.send(handshake.request) + http.send(http11.EndOfMessage()))
        while not isinstance(response := http.next_event(), http11.Response):
            http.receive_data(await stream.receive())
        if response.status != 101:
            raise HandshakeFailed(response.status)
        agreed = handshake.check(response)
        client = GraphQLClient(
            stream, websocket.ClientConnection(None, agreed.deflate, masking_key=lambda: secrets.token_bytes(4))
        )
        client.take(http.trailing_data)
        if connect:
            await client.connect(payload)
        yield client
