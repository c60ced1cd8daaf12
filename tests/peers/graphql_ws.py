"""The client of npm's graphql-ws in a process of its own, driven from asynchronous tests under asyncio and trio.

    @requires_graphql_ws
    async def test_it(anyio_backend):
        async with connect(url) as client:
            subscription = await client.subscribe("subscription { tick }", cursor="after")
            assert await subscription.next() == {"data": {"tick": 1}}
            await subscription.unsubscribe()

Everything that is waited for fails after `timeout` seconds.
"""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from peers.npm import PEERS, missing, node_command

__all__ = ["Client", "ConnectionFailed", "OperationFailed", "Subscription", "connect", "node", "requires_graphql_ws"]

MAX_LINE = 16 * 1_048_576
_MISSING = missing()

requires_graphql_ws = pytest.mark.skipif(_MISSING is not None, reason=_MISSING or "")


class OperationFailed(Exception):
    """The server ended an operation with `error`; `errors` are those of the message."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__(errors)
        self.errors = errors


class ConnectionFailed(Exception):
    """The client gave up its connection; `code` and `reason` are those of the close, None where there was none."""

    def __init__(self, code: int | None, reason: str | None, message: str | None) -> None:
        super().__init__(code, reason, message)
        self.code = code
        self.reason = reason


class _Inbox:
    """Events in the order of their arrival, without a bound: a test reads them when it likes."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._in: MemoryObjectSendStream[dict[str, Any]]
        self._out: MemoryObjectReceiveStream[dict[str, Any]]
        self._in, self._out = anyio.create_memory_object_stream[dict[str, Any]](math.inf)

    def put(self, event: dict[str, Any]) -> None:
        self._in.send_nowait(event)

    async def get(self) -> dict[str, Any]:
        """The next one; raises TimeoutError, and anyio.EndOfStream where the program has ended."""
        with anyio.fail_after(self._timeout):
            return await self._out.receive()

    def pending(self) -> int:
        return self._out.statistics().current_buffer_used

    def end(self) -> None:
        self._in.close()

    def close(self) -> None:
        self._in.close()
        self._out.close()


class Subscription:
    """One operation of the client: an asynchronous iterator over its results, which ends with `complete`."""

    def __init__(self, client: Client, name: str, inbox: _Inbox) -> None:
        self.name = name
        self._client = client
        self._inbox = inbox

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> dict[str, Any]:
        event = await self._inbox.get()
        if event["event"] == "next":
            result: dict[str, Any] = event["result"]
            return result
        if event["event"] == "error":
            raise OperationFailed(event["errors"])
        if event["event"] == "failed":
            raise ConnectionFailed(event.get("code"), event.get("reason"), event.get("message"))
        raise StopAsyncIteration

    async def next(self) -> dict[str, Any]:
        """The next result.

        Raises:
            StopAsyncIteration: the operation is complete.
            OperationFailed: it ended with `error`.
            ConnectionFailed: its connection ended, and the client does not try again.
            TimeoutError: nothing came.
        """
        return await anext(self)

    def pending(self) -> int:
        """How many events have come that nobody has read."""
        return self._inbox.pending()

    async def unsubscribe(self) -> None:
        """Send `complete`. The operation ends here with `complete` too, after the results that had come."""
        await self._client.send("unsubscribe", name=self.name)


class Client:
    """One connection of the client, which it may make again and again."""

    def __init__(self, process: Process, timeout: float) -> None:
        self._process = process
        self._timeout = timeout
        self._inboxes: dict[str, _Inbox] = {}
        self._connection = _Inbox(timeout)

    async def subscribe(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        *,
        operation_name: str | None = None,
        extensions: Mapping[str, Any] | None = None,
        cursor: str | None = None,
    ) -> Subscription:
        """Start an operation, of whatever kind.

        Args:
            cursor: a variable of `query`. Where the connection is lost and made again, it carries `extensions.cursor`
                of the last result that came.
        """
        name = str(len(self._inboxes))
        self._inboxes[name] = inbox = _Inbox(self._timeout)
        payload: dict[str, Any] = {"query": query}
        values = {"variables": variables, "operationName": operation_name, "extensions": extensions}
        payload.update((key, value) for key, value in values.items() if value is not None)
        await self.send("subscribe", name=name, payload=payload, cursor=cursor)
        return Subscription(self, name, inbox)

    async def execute(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The result of an operation that has one, once it is complete."""
        (result,) = [result async for result in await self.subscribe(query, variables)]
        return result

    async def drop(self) -> None:
        """End the TCP connection without a close frame."""
        await self.send("drop")

    async def dispose(self) -> None:
        """Close the connection with 1000, for good."""
        await self.send("dispose")

    async def wait_for(self, event: str, **values: Any) -> dict[str, Any]:
        """The next event of the connection with this name and these values; those before it are passed over.

        Events: connecting (retry), connected (payload, retry), closed (code, reason, clean), ping and pong (received,
        payload).
        """
        wanted = {"event": event, **values}
        while not wanted.items() <= (found := await self._connection.get()).items():
            pass
        return found

    async def send(self, do: str, **values: Any) -> None:
        """Write one line to the program, see client.mjs."""
        assert self._process.stdin is not None
        await self._process.stdin.send(json.dumps({"do": do, **values}).encode() + b"\n")

    async def read(self) -> None:
        """Sort what the program says, until it ends."""
        assert self._process.stdout is not None
        lines = BufferedByteReceiveStream(self._process.stdout)
        try:
            while True:
                event = json.loads(await lines.receive_until(b"\n", MAX_LINE))
                inbox = self._inboxes[event["name"]] if "name" in event else self._connection
                inbox.put(event)
        except anyio.IncompleteRead:
            for inbox in (self._connection, *self._inboxes.values()):
                inbox.end()

    def close(self) -> None:
        for inbox in (self._connection, *self._inboxes.values()):
            inbox.close()


@asynccontextmanager
async def connect(
    url: str,
    *,
    connection_params: Mapping[str, Any] | None = None,
    lazy: bool = False,
    keep_alive: float = 0,
    retry_attempts: int = 0,
    retry_wait: float = 0.05,
    timeout: float = 30,
) -> AsyncIterator[Client]:
    """A client of the server at `url` (ws://...); it connects at once, and is disposed of at the end.

    Args:
        connection_params: the payload of connection_init.
        lazy: connect with the first operation only, and close after the last.
        keep_alive: seconds between its pings; 0 for none.
        retry_attempts: how often to connect again after a loss, in a row.
        retry_wait: seconds before each.
        timeout: seconds for whatever is waited for.
    """
    options = {
        "url": url,
        "connectionParams": connection_params,
        "lazy": lazy,
        "keepAlive": round(keep_alive * 1_000),
        "retryAttempts": retry_attempts,
        "retryWait": round(retry_wait * 1_000),
    }
    async with node("client.mjs", json.dumps(options)) as process, anyio.create_task_group() as tasks:
        client = Client(process, timeout)
        tasks.start_soon(client.read)
        try:
            yield client
            assert process.stdin is not None
            await process.stdin.aclose()
            with anyio.fail_after(timeout):
                assert await process.wait() == 0
        finally:
            tasks.cancel_scope.cancel()
            client.close()


@asynccontextmanager
async def node(script: str, *arguments: str) -> AsyncIterator[Process]:
    """A program of this folder under Node.js, killed at the end where it still runs; its standard error is ours."""
    command = node_command()
    assert command is not None
    async with await anyio.open_process([*command, str(PEERS / script), *arguments], stderr=None) as process:
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
