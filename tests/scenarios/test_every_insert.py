"""npm's graphql-ws client sees every insert once, whatever its writers and the database do meanwhile."""

from __future__ import annotations

import random
import time

import anyio
import anyio.to_thread
import psycopg
import pytest

from fraiseql.cli.demo.data import generate
from fraiseql.cli.demo.database import load
from fraiseql.cli.demo.schema import schema
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres
from peers.graphql_ws import Subscription, connect, requires_graphql_ws

pytestmark = [pytest.mark.anyio, requires_graphql_ws]


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Both event loops, other than most scenarios."""
    backend: str = request.param
    return backend


WRITERS = 4
EACH = 2_500
SUBSCRIPTION = "subscription ($after: String) { commentAdded(after: $after) { id body post { id } } }"


class Writer:
    """Writes its comments in order, in transactions of many lengths, some of them rolled back."""

    def __init__(self, url: str, name: int) -> None:
        self.url = url
        self.name = name
        self.written = 0
        self.random = random.Random(name)

    def run(self) -> None:
        while self.written < EACH:
            try:
                with psycopg.connect(self.url, autocommit=True) as connection:
                    # What a lost connection left open: the last transaction was committed, or it was not.
                    count = "select count(*) from comments where body like %s"
                    (row,) = connection.execute(count, [f"{self.name} %"]).fetchall()
                    self.written = row[0]
                    while self.written < EACH:
                        self.transact(connection)
            except psycopg.OperationalError:
                time.sleep(0.05)

    def transact(self, connection: psycopg.Connection[tuple[int]]) -> None:
        size = min(self.random.choice((1, 1, 2, 10, 50)), EACH - self.written)
        fails = self.random.random() < 0.1
        with connection.transaction(force_rollback=fails):
            for number in range(self.written, self.written + size):
                text = f"{self.name} {number}"
                connection.execute("insert into comments (post_id, body) values (1, %s)", [text])
                if self.random.random() < 0.02:
                    time.sleep(self.random.random() * 0.02)  # so that others begin later and commit earlier
        if not fails:
            self.written += size


async def test_four_writers_and_a_restart(postgres: EmbeddedPostgres, database_url: str) -> None:
    load(database_url, generate(users=3, posts=3, comments=3))
    (started,) = postgres.execute("select pg_postmaster_start_time()")
    writers = [Writer(database_url, name) for name in range(WRITERS)]
    app = FraiseQLApp(schema, database_url, FraiseQLConfig(port=0), observe=lambda seen: None)
    with anyio.fail_after(120):
        async with app, connect(f"ws://127.0.0.1:{app.port}/graphql") as client:
            subscription = await client.subscribe(SUBSCRIPTION, cursor="after")
            while not app.streams.listening:
                await anyio.sleep(0.01)
            seen: list[list[int]] = [[] for _ in writers]
            async with anyio.create_task_group() as group:
                for writer in writers:
                    group.start_soon(anyio.to_thread.run_sync, writer.run)
                group.start_soon(restart, postgres, writers)
                await read(subscription, seen)
            await anyio.sleep(0.2)
            assert subscription.pending() == 0
            await subscription.unsubscribe()
    assert seen == [list(range(EACH))] * WRITERS
    assert postgres.execute("select pg_postmaster_start_time()") != [started], "the database was restarted"


async def read(subscription: Subscription, seen: list[list[int]]) -> None:
    """Take results until all have come, in whatever order of the writers."""
    while sum(map(len, seen)) < WRITERS * EACH:
        result = await subscription.next()
        assert result["data"]["commentAdded"]["post"] == {"id": "1"}
        writer, number = map(int, result["data"]["commentAdded"]["body"].split())
        assert number == len(seen[writer]), f"writer {writer}: {number} came after {len(seen[writer])} others"
        seen[writer].append(number)


async def restart(postgres: EmbeddedPostgres, writers: list[Writer]) -> None:
    """Restart the database once half of the work is done."""
    while sum(writer.written for writer in writers) < WRITERS * EACH // 2:
        await anyio.sleep(0.01)
    await anyio.to_thread.run_sync(postgres.restart)
