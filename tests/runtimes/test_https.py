"""HTTPS and Unix sockets through the whole server, as the clients of Python, anyio and websockets meet them."""

from __future__ import annotations

import json
import socket
import ssl
import stat
from contextlib import closing
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import anyio
import pytest
from websockets.sync.client import connect

import fraiseql
from fraiseql.observations import Observation, TlsFailed
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from runtimes.certificates import Files
from runtimes.conftest import Client

pytestmark = pytest.mark.anyio

THINGS = "{ things { id name } }"
ANSWER = {"data": {"things": [{"id": n, "name": f"thing {n}"} for n in (1, 2, 3)]}}


def ask(app: FraiseQLApp, context: ssl.SSLContext | None = None, path: Path | None = None) -> Any:
    """The answer to a client of Python's http.client."""
    if context is not None:
        connection = HTTPSConnection("localhost", app.port, context=context, timeout=10)
    else:
        connection = HTTPConnection("localhost", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(str(path))
    with closing(connection):
        connection.request("POST", "/graphql", json.dumps({"query": THINGS}), {"content-type": "application/json"})
        return json.loads(connection.getresponse().read())


def subscribe(url: str, context: ssl.SSLContext) -> str:
    with connect(url, ssl=context, subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
        socket.send('{"type":"connection_init"}')
        return str(json.loads(socket.recv())["type"])


@pytest.mark.parametrize("transport", ["auto", "anyio"])
async def test_https_and_wss(
    schema: fraiseql.Schema, things_url: str, files: Files, transport: str, anyio_backend: str
) -> None:
    if (transport, anyio_backend) == ("anyio", "trio"):
        return  # as with auto
    seen: list[Observation] = []
    config = FraiseQLConfig(port=0, transport=transport, tls_certificate=files.certificate, tls_key=files.key)
    async with FraiseQLApp(schema, things_url, config, observe=seen.append) as app:
        assert app.url == f"https://127.0.0.1:{app.port}/graphql"
        assert await anyio.to_thread.run_sync(ask, app, files.client()) == ANSWER
        url = f"wss://localhost:{app.port}/graphql"
        assert await anyio.to_thread.run_sync(subscribe, url, files.client()) == "connection_ack"
        stream = await anyio.connect_tcp("127.0.0.1", app.port, tls_hostname="localhost", ssl_context=files.client())
        async with stream:
            client = Client(stream)  # type: ignore[arg-type]
            for _ in range(3):
                assert await client.ask(THINGS) == ANSWER
            body = json.dumps({"query": THINGS + " " * 500_000})  # many records, in and out of step with reads
            head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n"
            await stream.send(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
            assert (await client.receive())[2] == ANSWER
            with pytest.raises(anyio.EndOfStream):  # and not cut off: it was told that this is all
                await stream.receive()
        async with await anyio.connect_tcp("127.0.0.1", app.port) as plain:
            await plain.send(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            with anyio.fail_after(5):
                assert [piece async for piece in plain] == []
    assert [item.reason for item in seen if isinstance(item, TlsFailed)] == ["http request"]


async def test_a_handshake_has_its_time(schema: fraiseql.Schema, things_url: str, files: Files) -> None:
    seen: list[Observation] = []
    config = FraiseQLConfig(port=0, tls_certificate=files.both, http_head_timeout=0.05)
    async with (
        FraiseQLApp(schema, things_url, config, observe=seen.append) as app,
        await anyio.connect_tcp("127.0.0.1", app.port) as stream,
    ):
        with anyio.fail_after(5), pytest.raises(anyio.EndOfStream):
            await stream.receive()
    assert [item.reason for item in seen if isinstance(item, TlsFailed)] == ["the handshake took too long"]


async def test_who_is_too_many_is_told_over_tls(schema: fraiseql.Schema, things_url: str, files: Files) -> None:
    config = FraiseQLConfig(port=0, tls_certificate=files.both, max_connections=1)
    async with (
        FraiseQLApp(schema, things_url, config) as app,
        await anyio.connect_tcp("127.0.0.1", app.port, tls_hostname="localhost", ssl_context=files.client()),
    ):
        answer = await anyio.to_thread.run_sync(ask, app, files.client())
        assert answer["errors"][0]["extensions"]["code"] == "SERVER_BUSY"


async def test_a_unix_socket(schema: fraiseql.Schema, things_url: str, tmp_path: Path) -> None:
    path = tmp_path / "s"
    app = FraiseQLApp(schema, things_url, FraiseQLConfig(unix_socket=str(path), unix_socket_mode="600"))
    async with app:
        assert (app.url, app.port, app.addresses) == (f"http://unix:{path}:/graphql", 0, [])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await anyio.to_thread.run_sync(ask, app, None, path) == ANSWER
    assert not path.exists()
