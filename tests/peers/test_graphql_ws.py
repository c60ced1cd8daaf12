"""The driver of npm's graphql-ws client, against the server of the same package: what it reports is what happened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from peers.graphql_ws import ConnectionFailed, OperationFailed, connect, node, requires_graphql_ws

pytestmark = [pytest.mark.anyio, requires_graphql_ws]

COUNT = """subscription Count($to: Int!, $after: String, $pause: Int) {
    count(to: $to, after: $after, pause: $pause)
}"""


@asynccontextmanager
async def reference_server() -> AsyncIterator[str]:
    async with node("reference_server.mjs") as process:
        with anyio.fail_after(30):
            url = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 100)
        yield url.decode()


async def test_operations_of_every_kind_at_once():
    async with reference_server() as url, connect(url, connection_params={"token": "t"}) as client:
        assert (await client.wait_for("connected"))["payload"] == {"asked": {"token": "t"}}
        never = await client.subscribe("subscription { never }")
        first = await client.subscribe(COUNT, {"to": 3})
        second = await client.subscribe("query Other { finished } " + COUNT, {"to": 2}, operation_name="Count")
        assert await client.execute("query ($name: String) { hello(name: $name) }", {"name": "me"}) == {
            "data": {"hello": "Hello, me"}
        }
        assert [result["data"]["count"] async for result in first] == [1, 2, 3]
        assert [result["extensions"]["cursor"] async for result in second] == ["1", "2"]
        assert never.pending() == 0
        await never.unsubscribe()
        assert [result async for result in never] == []
        while (await client.execute("{ finished }"))["data"]["finished"] == 0:
            pass


async def test_an_operation_that_fails():
    async with reference_server() as url, connect(url) as client:
        unknown = await client.subscribe("{ unknown }")
        with pytest.raises(OperationFailed, match="Cannot query field") as raised:
            await unknown.next()
        assert raised.value.errors[0]["locations"] == [{"line": 1, "column": 3}]
        assert (await client.execute("subscription { broken }"))["errors"][0]["message"] == "no source"


async def test_it_goes_on_after_the_cursor_where_the_connection_is_lost():
    async with reference_server() as url, connect(url, retry_attempts=3) as client:
        with_cursor = await client.subscribe(COUNT, {"to": 3, "pause": 1}, cursor="after")
        without = await client.subscribe(COUNT, {"to": 3, "pause": 1})
        assert (await with_cursor.next())["data"]["count"] == (await without.next())["data"]["count"] == 1
        await client.wait_for("connected", retry=False)
        await client.drop()
        assert (await client.wait_for("closed"))["code"] == 1006
        await client.wait_for("connected", retry=True)
        assert [result["data"]["count"] async for result in with_cursor] == [2, 3]
        assert (await without.next())["data"]["count"] == 1


@pytest.mark.parametrize(("code", "is_retried"), [(1001, True), (4403, True), (1011, False), (4400, False)])
async def test_which_closes_it_takes_for_final(code, is_retried):
    async with reference_server() as url, connect(url, retry_attempts=1) as client:
        never = await client.subscribe("subscription { never }")
        await client.wait_for("connected")
        await client.subscribe("mutation ($code: Int!) { close(code: $code) }", {"code": code})
        assert await client.wait_for("closed") == {"event": "closed", "code": code, "reason": "as asked", "clean": True}
        if is_retried:
            await client.wait_for("connected", retry=True)
            return
        with pytest.raises(ConnectionFailed) as raised:
            await never.next()
        assert (raised.value.code, raised.value.reason) == (code, "as asked")


async def test_a_server_that_refuses_or_is_not_there():
    async with reference_server() as url, connect(url, connection_params={"refused": True}) as client:
        assert (await client.wait_for("closed"))["code"] == 4403
    async with connect(url) as client:
        with pytest.raises(ConnectionFailed) as raised:
            await client.execute("{ hello }")
        assert raised.value.code is None


async def test_its_pings_are_answered():
    async with reference_server() as url, connect(url, keep_alive=0.01) as client:
        for _ in range(2):
            await client.wait_for("ping", received=False)
            await client.wait_for("pong", received=True)


async def test_dispose_and_a_lazy_connection():
    async with reference_server() as url:
        async with connect(url, lazy=True) as client:
            await client.execute("{ hello }")
            assert (await client.wait_for("closed"))["code"] == 1000
        async with connect(url) as client:
            await client.wait_for("connected")
            await client.dispose()
            assert (await client.wait_for("closed"))["code"] == 1000
