"""Clients that do not read: they stop what is done for them, and nothing that is done for others.

Each is owed more than the kernel takes for it. That it costs others nothing is seen by one who is answered all the
while; that it is held back, by what PostgreSQL, or a generator, is still asked for once all is at rest.
"""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import psycopg
import pytest
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

import fraiseql
from fraiseql.observations import Observation, RequestCompleted
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.threads import ThreadedApp
from fraiseql.testing.embedded import EmbeddedPostgres
from runtimes.websocket_client import opened

pytestmark = pytest.mark.anyio

SIZE = 400_000  # bytes of one answer
MANY = 60  # of them are far more than the kernel keeps for a client
FEW = 40  # are more than it keeps, with those that we may keep
BLOB = "{ blobs { text } }"
NUMBER = re.compile(rb'"text":"(\d+)x|"stream":"(\d+)x')


@fraiseql.type(sql_source="blobs", jsonb_column=None)
class Blob:
    """Something large, and how often it was asked for."""

    text: str


@fraiseql.type(sql_source="smalls", jsonb_column=None)
class Small:
    """Something small."""

    id: int


@fraiseql.query
def blobs() -> list[Blob]: ...


@fraiseql.query
def smalls() -> list[Small]: ...


@fraiseql.subscription
def live_blobs() -> list[Blob]: ...


yielded = 0


@fraiseql.subscription
def stream(info: Any) -> Iterator[str]:
    """Waits for nothing."""
    global yielded
    while True:
        yielded += 1
        yield str(yielded) + "x" * SIZE


SCHEMA = fraiseql.Schema(types=[Blob, Small], queries=[blobs, smalls], subscriptions=[stream, live_blobs])


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres, module_database_url: str) -> str:
    name = module_database_url.rpartition("=")[2]
    postgres.execute("CREATE SEQUENCE asked", name)
    postgres.execute(f"CREATE VIEW blobs AS SELECT nextval('asked') || repeat('x', {SIZE}) AS text", name)
    postgres.execute("CREATE TABLE smalls AS SELECT 1 AS id", name)
    return module_database_url


@pytest.fixture(scope="module", params=["asyncio", "trio", "threads"])
def runtime(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def anyio_backend(runtime: str) -> str:
    """Of the clients."""
    return "trio" if runtime == "trio" else "asyncio"


class Running:
    """A server, and what it does."""

    def __init__(
        self, app: FraiseQLApp | ThreadedApp, connected: Any, database: psycopg.Connection[Any], seen: list[Observation]
    ) -> None:
        self.port = app.port
        self._connected = connected
        self._database = database
        self.seen = seen

    def asked(self) -> int:
        """How often PostgreSQL was asked for something large."""
        row = self._database.execute("SELECT last_value FROM asked").fetchone()
        return int(row[0]) if row else 0

    async def at_rest(self, count: Callable[[], int]) -> int:
        """What a count comes to, while somebody else is served."""
        last, same = count(), 0
        async with self._connected(self.port) as other:
            while same < 20:
                assert await other.ask("{ smalls { id } }") == {"data": {"smalls": [{"id": 1}]}}
                await anyio.sleep(0.002)
                same, last = (same + 1 if count() == last else 0), count()
        return last


@pytest.fixture
def serving(url: str, connected: Any, runtime: str) -> Any:
    @asynccontextmanager
    async def serve(**settings: Any) -> AsyncIterator[Running]:
        seen: list[Observation] = []
        at_once = {"subscription_close_spread": 0.0, "shutdown_grace": 0.0}
        config = FraiseQLConfig(port=0, event_bus="memory", **at_once, **settings)
        with psycopg.connect(url, autocommit=True) as database, anyio.fail_after(60):
            if runtime == "threads":
                threaded = ThreadedApp(SCHEMA, url, config, observe=seen.append)
                await anyio.to_thread.run_sync(threaded.start)
                try:
                    yield Running(threaded, connected, database, seen)
                finally:
                    await anyio.to_thread.run_sync(threaded.shutdown)
            else:
                async with FraiseQLApp(SCHEMA, url, config, observe=seen.append) as app:
                    yield Running(app, connected, database, seen)

    return serve


def take_little(stream: SocketStream) -> None:
    """Have the kernel keep little for a client."""
    stream.extra(SocketAttribute.raw_socket).setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)


@asynccontextmanager
async def stalled(port: int, *requests: bytes) -> AsyncIterator[SocketStream]:
    """A client that has asked, as far as the server lets it, and does not read."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream, anyio.create_task_group() as group:
        take_little(stream)
        group.start_soon(stream.send, b"".join(requests))
        yield stream
        group.cancel_scope.cancel()


def post(query: str, accept: str = "application/json") -> bytes:
    body = f'{{"query":"{query}"}}'
    head = f"Host: x\r\nContent-Type: application/json\r\nAccept: {accept}\r\nContent-Length: {len(body)}"
    return f"POST /graphql HTTP/1.1\r\n{head}\r\n\r\n{body}".encode()


async def numbers(stream: SocketStream, count: int) -> list[int]:
    """The numbers of the next large things."""
    data, found = b"", list[int]()
    while len(found) < count:
        data += await stream.receive()
        matches = list(NUMBER.finditer(data))
        found += [int(match[1] or match[2]) for match in matches]
        data = data[matches[-1].end() :][-20:] if matches else data[-20:]
    return found


async def test_who_reads_no_answer_has_no_further_request_run(serving: Any) -> None:
    async with serving() as running:
        before = running.asked()
        async with stalled(running.port, *[post(BLOB)] * MANY) as stream:
            asked = await running.at_rest(running.asked)
            assert before < asked < before + FEW
            found = await numbers(stream, MANY)  # it reads: all come, in their order
            assert found == list(range(found[0], found[0] + MANY))


async def test_who_reads_no_answer_is_not_given_small_ones_without_end_either(serving: Any) -> None:
    many = 40_000
    async with serving() as running:

        def answered() -> int:
            return sum(isinstance(each, RequestCompleted) and each.path == "/health" for each in running.seen)

        async with stalled(running.port, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" * many) as stream:
            assert 0 < await running.at_rest(answered) < many
            reader = BufferedByteReceiveStream(stream)
            for _ in range(many):
                await reader.receive_until(b'{"status":"ok"}', 1_000)


async def test_who_reads_no_events_has_no_generator_running(serving: Any) -> None:
    global yielded
    yielded = 0
    async with serving() as running:
        request = post("subscription { stream }", "text/event-stream")
        async with stalled(running.port, request) as stream:
            assert 0 < await running.at_rest(lambda: yielded) < FEW
            assert await numbers(stream, MANY) == list(range(1, MANY + 1))  # nothing was lost


@pytest.mark.parametrize("transport", ["websocket", "event stream"])
async def test_who_does_not_read_a_live_query_has_no_statements_run(serving: Any, transport: str) -> None:
    query = "subscription { liveBlobs { text } }"
    fast = {"subscription_live_interval": 0.0, "subscription_live_poll": 0.001}
    async with serving(**fast) as running, anyio.create_task_group() as group:
        before = running.asked()
        async with (
            opened(running.port) as client,
            stalled(
                running.port, *([post(query, "text/event-stream")] if transport == "event stream" else [])
            ) as stream,
        ):
            if transport == "websocket":
                stream = client.stream
                take_little(stream)
                await client.subscribe(query)
            asked = await running.at_rest(running.asked)
            assert before < asked < before + FEW
            async with opened(running.port) as reader:  # the same query, for somebody who reads
                shared = await reader.subscribe(query)
                assert len(await reader.hear(shared, 5)) == 5
            await running.at_rest(running.asked)
            latest = running.asked()
            group.start_soon(stream.send, b"")
            found = await numbers(stream, 1)
            while max(found) <= latest:  # what is true now, and not all that was before
                found += await numbers(stream, 1)
            assert found == sorted(found)
            assert len(found) < FEW + 3


async def test_a_websocket_that_reads_no_answer_is_closed_before_it_is_owed_too_much(serving: Any) -> None:
    async with serving(subscription_max_unread=10 * SIZE) as running, opened(running.port) as client:
        take_little(client.stream)
        before = running.asked()
        for _ in range(MANY):
            await client.subscribe(BLOB)
        assert before < await running.at_rest(running.asked) < before + FEW
        assert await client.at_end() is None
