"""A client that speaks just enough HTTP, with fields of its own and event streams."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

__all__ = ["PATIENCE", "Answer", "Client", "connected"]

PATIENCE = 60.0  # seconds for anything that is waited for: nothing hangs


@dataclass(frozen=True, slots=True)
class Answer:
    """Attributes: the status, the fields with names in lower case, and the body."""

    status: int
    fields: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """Of an answer without errors."""
        assert "errors" not in self.json, self.json
        return self.json["data"]

    @property
    def codes(self) -> dict[str, str]:
        """Of the errors, by their paths."""
        errors = self.json.get("errors", [])
        return {".".join(map(str, error.get("path", ()))): error["extensions"]["code"] for error in errors}


class Client:
    """One connection; requests one after the other."""

    def __init__(self, stream: SocketStream) -> None:
        self.stream = stream
        self._reader = BufferedByteReceiveStream(stream)

    async def send(self, query: str, variables: Mapping[str, Any] | None = None, **fields: str) -> None:
        """Send a request; `fields` with underscores for hyphens."""
        await self.send_body(json.dumps({"query": query, "variables": variables or {}}).encode(), **fields)

    async def send_body(self, body: bytes, **fields: str) -> None:
        told = {"host": "test", "content-type": "application/json", "content-length": str(len(body))}
        told |= {name.replace("_", "-"): value for name, value in fields.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        await self.stream.send(f"POST /graphql HTTP/1.1\r\n{head}\r\n".encode() + body)

    async def receive(self) -> Answer:
        """The next answer; raises IncompleteRead or EndOfStream where there is none."""
        with anyio.fail_after(PATIENCE):
            head = (await self._reader.receive_until(b"\r\n\r\n", 65_536)).decode().split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            if fields.get("transfer-encoding") == "chunked":
                body = b"".join([chunk async for chunk in self._chunks()])
            else:
                body = await self._reader.receive_exactly(int(fields["content-length"]))
            return Answer(int(head[0].split()[1]), fields, body)

    async def _chunks(self) -> AsyncIterator[bytes]:
        while size := int(await self._reader.receive_until(b"\r\n", 100), 16):
            yield await self._reader.receive_exactly(size)
            await self._reader.receive_exactly(2)
        await self._reader.receive_exactly(2)

    async def ask(self, query: str, variables: Mapping[str, Any] | None = None, **fields: str) -> Answer:
        await self.send(query, variables, **fields)
        return await self.receive()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        yield Client(stream)
