"""Two small schemas, their tables, and a client that speaks just enough HTTP."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import psycopg
import pytest
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

import fraiseql
from fraiseql import Caller, ClientRequest, EventBus
from fraiseql.observations import Observation
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres
from runtimes.certificates import Files
from runtimes.replicas import databases
from runtimes.writers import DDL, SCHEMA, batches


@fraiseql.type(sql_source="things", jsonb_column=None)
class Thing:
    """Something with a name."""

    id: int
    name: str


@fraiseql.type(sql_source="slow_things", jsonb_column=None)
class SlowThing:
    """Something that takes its time."""

    id: int
    name: str


@fraiseql.query
def things() -> list[Thing]:
    """All of them."""


@fraiseql.query
def slow_things() -> list[SlowThing]:
    """One row, after as many seconds as its id says."""


class Client:
    """One connection; requests one after the other."""

    def __init__(self, stream: SocketStream) -> None:
        self.stream = stream
        self._reader = BufferedByteReceiveStream(stream)

    async def send(self, query: str) -> None:
        body = json.dumps({"query": query}).encode()
        head = f"POST /graphql HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        await self.stream.send(f"{head}\r\n\r\n".encode() + body)

    async def receive(self) -> tuple[int, dict[str, str], Any]:
        """Status, fields and decoded body of the next answer; raises IncompleteRead where there is none."""
        head = (await self._reader.receive_until(b"\r\n\r\n", 65_536)).decode().split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await self._reader.receive_exactly(int(fields["content-length"]))
        return int(head[0].split()[1]), fields, json.loads(body)

    async def ask(self, query: str) -> Any:
        """The body of the answer."""
        await self.send(query)
        return (await self.receive())[2]

    async def at_end(self) -> bool:
        """Whether the server closes the connection, with nothing more to say."""
        try:
            with anyio.fail_after(5):
                return await self.stream.receive() == b""
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            return True


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        with anyio.fail_after(30):
            yield Client(stream)


@pytest.fixture(name="connected")
def connected_fixture() -> Any:
    return connected


@pytest.fixture
def schema() -> fraiseql.Schema:
    return fraiseql.Schema(types=[Thing, SlowThing], queries=[things, slow_things])


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Certificates, keys, and an authority that a client may trust."""
    return Files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def things_url(postgres: EmbeddedPostgres, module_database_url: str) -> str:
    """A database with the schema's sources."""
    name = module_database_url.rpartition("=")[2]
    for sql in (
        "CREATE TABLE things AS SELECT i AS id, 'thing ' || i AS name FROM generate_series(1, 3) i",
        "CREATE FUNCTION nap(s float8) RETURNS text VOLATILE LANGUAGE sql AS $$ SELECT pg_sleep(s)::text $$",
        "CREATE VIEW slow_things AS SELECT i AS id, nap(i) AS name FROM (VALUES (1), (600)) v(i)",
    ):
        postgres.execute(sql, name)
    return module_database_url


@pytest.fixture(scope="module")
def writers_url(postgres: EmbeddedPostgres, module_database_url: str) -> Iterator[str]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(DDL.encode())
    yield module_database_url
    with psycopg.connect(module_database_url) as connection:
        connection.execute(b"drop owned by diarist; drop role diarist")


@pytest.fixture
async def observations() -> list[Observation]:
    return []


@pytest.fixture
async def writers_app(writers_url: str, observations: list[Observation]) -> AsyncIterator[FraiseQLApp]:
    batches.clear()
    config = FraiseQLConfig(database_url=writers_url, port=0, query_max_threads=2, pool_max_size=4)
    app = FraiseQLApp(SCHEMA, config=config, bus=EventBus.memory(), context=_is_ada, observe=observations.append)
    async with app:
        yield app
        assert app.database.pool.granted == 0


def _is_ada(request: ClientRequest) -> Caller:
    return Caller("ada")


@pytest.fixture
async def ask_writers(writers_app: FraiseQLApp, connected: Any) -> AsyncIterator[Callable[..., Any]]:
    async with connected(writers_app.port) as client:
        yield client.ask


@pytest.fixture(scope="module")
def urls(postgres: EmbeddedPostgres) -> Iterator[list[str]]:
    """Of a primary and two replicas."""
    with databases(postgres) as found:
        yield found
