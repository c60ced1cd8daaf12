"""Our server as clients of others see it: npm's graphql-ws, PyPI's gql, trio-websocket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import gql
import pytest
import trio
import trio_websocket
from gql.transport.websockets import WebsocketsTransport

from fraiseql import Caller, ClientRequest
from fraiseql.cli.demo.data import generate
from fraiseql.cli.demo.database import load
from fraiseql.cli.demo.schema import schema
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres
from peers.graphql_ws import ConnectionFailed, OperationFailed, connect, requires_graphql_ws

pytestmark = pytest.mark.anyio

ADDED = "subscription ($after: String) { commentAdded(after: $after) { body } }"
LIVE = "subscription ($id: ID!) { post(id: $id) { title comments { body } } }"


@pytest.fixture
def blog_url(database_url: str) -> str:
    load(database_url, generate(users=3, posts=3, comments=3))
    return database_url


@asynccontextmanager
async def serving(url: str, context: Any = None, **settings: Any) -> AsyncIterator[FraiseQLApp]:
    config = FraiseQLConfig(port=0, **settings)
    async with FraiseQLApp(schema, url, config, context=context, observe=lambda seen: None) as app:
        with anyio.fail_after(60):
            yield app


def address(app: FraiseQLApp) -> str:
    return f"ws://127.0.0.1:{app.port}/graphql/subscriptions"


def comment(postgres: EmbeddedPostgres, url: str, *texts: str, post: int = 1) -> None:
    values = ", ".join(f"({post}, '{text}')" for text in texts)
    postgres.execute(f"insert into comments (post_id, body) values {values}", url.rpartition("=")[2])


async def listening(app: FraiseQLApp, count: int) -> None:
    while app.streams.listening < count:
        await anyio.sleep(0.01)


@requires_graphql_ws
async def test_graphql_ws_runs_several_operations_and_ends_them(blog_url: str, postgres: EmbeddedPostgres) -> None:
    async with serving(blog_url) as app, connect(address(app), keep_alive=0.2) as client:
        added = await client.subscribe(ADDED)
        live = await client.subscribe(LIVE, {"id": "1"})
        assert len((await live.next())["data"]["post"]["comments"]) >= 0
        await listening(app, 2)
        comment(postgres, blog_url, "one", "two")
        assert [(await added.next())["data"]["commentAdded"]["body"] for _ in range(2)] == ["one", "two"]
        bodies = [each["body"] for each in (await live.next())["data"]["post"]["comments"]]
        assert bodies[-2:] == ["one", "two"]
        assert (await client.execute("{ post(id: 1) { id } }")) == {"data": {"post": {"id": "1"}}}
        await client.wait_for("pong", received=True)
        await added.unsubscribe()
        await live.unsubscribe()
        await listening(app, 0)
        while app.streams.shared:
            await anyio.sleep(0.01)


@requires_graphql_ws
async def test_graphql_ws_is_told_what_is_wrong_and_its_socket_lives_on(blog_url: str) -> None:
    async with serving(blog_url) as app, connect(address(app)) as client:
        for query, code in (
            ("nonsense", "GRAPHQL_PARSE_FAILED"),
            ("subscription { nonsense }", "GRAPHQL_VALIDATION_FAILED"),
            ("mutation { nonsense }", "GRAPHQL_VALIDATION_FAILED"),
        ):
            with pytest.raises(OperationFailed) as failed:
                await (await client.subscribe(query)).next()
            assert failed.value.errors[0]["extensions"]["code"] == code
        result = await client.execute(LIVE, {"id": {}})
        assert result["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert (await client.execute("{ post(id: 1) { id } }")) == {"data": {"post": {"id": "1"}}}


@requires_graphql_ws
async def test_graphql_ws_comes_back_and_resumes_behind_the_last_cursor(
    blog_url: str, postgres: EmbeddedPostgres
) -> None:
    async with serving(blog_url) as app, connect(address(app), retry_attempts=5, retry_wait=0.05) as client:
        added = await client.subscribe(ADDED, cursor="after")
        await listening(app, 1)
        comment(postgres, blog_url, "before")
        assert (await added.next())["data"]["commentAdded"]["body"] == "before"
        await client.drop()
        comment(postgres, blog_url, "meanwhile", "still")
        assert [(await added.next())["data"]["commentAdded"]["body"] for _ in range(2)] == ["meanwhile", "still"]


@requires_graphql_ws
async def test_graphql_ws_is_let_in_by_its_connection_parameters(blog_url: str) -> None:
    def context(request: ClientRequest) -> Caller | None:
        return Caller("me") if request.payload == {"token": "good"} else None

    query = "{ post(id: 1) { id } }"
    async with serving(blog_url, context=context) as app:
        async with connect(address(app), connection_params={"token": "good"}) as client:
            assert (await client.execute(query)) == {"data": {"post": {"id": "1"}}}
        async with connect(address(app), connection_params={"token": "bad"}, retry_attempts=0) as client:
            with pytest.raises(ConnectionFailed) as failed:
                await client.execute(query)
            assert failed.value.code == 4403


@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # gql knows no other event loop
async def test_gql_which_offers_the_legacy_protocol_first(blog_url: str, postgres: EmbeddedPostgres) -> None:
    async with (
        serving(blog_url) as app,
        gql.Client(transport=WebsocketsTransport(url=address(app), keep_alive_timeout=30)) as session,
    ):
        assert await session.execute(gql.gql("{ post(id: 1) { id } }")) == {"post": {"id": "1"}}
        results = session.subscribe(gql.gql("subscription { commentAdded { body } }"))
        async with anyio.create_task_group() as group:

            async def write() -> None:
                await listening(app, 1)
                comment(postgres, blog_url, "one")

            group.start_soon(write)
            assert await anext(results) == {"commentAdded": {"body": "one"}}
            await results.aclose()


async def test_trio_websocket_under_either_runtime(blog_url: str, postgres: EmbeddedPostgres) -> None:
    async with serving(blog_url, websocket_compression=True) as app:
        port = app.port

        async def talk() -> list[Any]:
            url = f"ws://127.0.0.1:{port}/graphql"
            async with trio_websocket.open_websocket_url(url, subprotocols=["graphql-transport-ws"]) as socket:
                assert socket.subprotocol == "graphql-transport-ws"
                await socket.ping(b"there?")
                await socket.send_message(json.dumps({"type": "connection_init"}))
                found = [json.loads(await socket.get_message())]
                payload = {"query": "subscription { post(id: 1) { id } }"}
                await socket.send_message(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
                found.append(json.loads(await socket.get_message()))
                await socket.aclose(1000, "bye")
                assert socket.closed.code == 1000
                return found

        found = await anyio.to_thread.run_sync(trio.run, talk)
        assert found == [
            {"type": "connection_ack"},
            {"id": "1", "type": "next", "payload": {"data": {"post": {"id": "1"}}}},
        ]
