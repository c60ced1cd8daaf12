"""What is reached without GraphQL: raw ASGI and asyncpg, one prepared statement per query, held by each connection.

Run by `uvicorn ceiling:app --loop uvloop --http httptools`; DATABASE_URL says where PostgreSQL is, STATEMENTS is a JSON
object of the statement of each query. POST /graphql/<query> runs it; the body is what the others are sent.
"""

from __future__ import annotations

import json
import os
from asyncio import Queue
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import orjson

CONNECTIONS = 10  # as all contenders
STATEMENTS: dict[str, str] = json.loads(os.environ["STATEMENTS"])
FIELDS = {name: b'{"data":{"user":' if name == "user" else b'{"data":{"users":' for name in STATEMENTS}

Held = dict[str, Any]  # a connection's prepared statements

_idle: Queue[Held] = Queue()
_opened: list[asyncpg.Connection] = []


async def app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    name = scope["path"].removeprefix("/graphql/")
    held = await _idle.get()
    try:
        if name == "user":
            value = await held[name].fetchval(int(orjson.loads(body)["variables"]["id"]))
        else:
            value = await held[name].fetchval()
    finally:
        _idle.put_nowait(held)
    answer = b"%b%b}}" % (FIELDS[name], value)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


async def _live(
    receive: Callable[[], Awaitable[dict[str, Any]]], send: Callable[[dict[str, Any]], Awaitable[None]]
) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            for _ in range(CONNECTIONS):
                _idle.put_nowait(await _connect())
            await send({"type": "lifespan.startup.complete"})
        else:
            for connection in _opened:
                await connection.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _connect() -> Held:
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    for kind in ("json", "text"):  # bytes as they come: they go out as they are
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=_same, decoder=_same, format="binary")
    _opened.append(connection)
    return {name: await connection.prepare(text) for name, text in STATEMENTS.items()}


def _same(value: Any) -> Any:
    return value
