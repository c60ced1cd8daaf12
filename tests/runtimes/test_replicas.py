"""Read replicas: a second database with other contents stands for one, so that each answer says who gave it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from typing import Any

import anyio
import anyio.abc
import pytest
from anyio.abc import Listener, SocketStream, TaskGroup
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from fraiseql.effects import Fetch, Statement
from fraiseql.errors import ConfigurationError, DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.runtimes.anyio.database import Database
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres

pytestmark = pytest.mark.anyio

WHO = Statement(b"SELECT name FROM who", 1)
QUERY = Fetch(WHO, (), read_only=True)


@pytest.fixture(scope="module")
def urls(postgres: EmbeddedPostgres) -> Iterator[list[str]]:
    """Of the primary and two replicas."""
    names = ["the_primary", "replica_1", "replica_2"]
    for name in names:
        postgres.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
        postgres.execute(f"CREATE TABLE who AS SELECT '{name}'::text AS name", name)
        postgres.execute("CREATE TABLE notes (id int)", name)
    for name in names[1:]:
        postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    yield [postgres.conninfo_for(name) for name in names]
    for name in names:
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def opened(primary: str, *replicas: str, well: int | None = None, **limits: Any) -> AsyncIterator[Database]:
    database = Database(primary, PoolLimits(**{"backoff_initial": 0.02, **limits}), replicas=replicas)
    await database.start()
    try:
        with anyio.fail_after(10):
            while database.replicas < (len(replicas) if well is None else well):
                await anyio.sleep(0.005)
        yield database
    finally:
        with anyio.fail_after(10, shield=True):
            await database.aclose()


async def who(database: Database, effect: Fetch = QUERY) -> str:
    (name,) = await database.perform(effect)
    return (name or b"").decode()


async def test_only_what_only_reads_runs_on_a_replica(urls: list[str]) -> None:
    async with opened(*urls[:2]) as database:
        assert await who(database) == "replica_1"
        assert await who(database, Fetch(WHO, (), read_only=True, settings=((b"app.x", b"1"),))) == "replica_1"
        assert await who(database, Fetch(WHO, ())) == "the_primary"
        assert await who(database, Fetch(WHO, (), read_only=True, primary=True)) == "the_primary"
        transaction = await database.begin()
        assert await who(database, Fetch(WHO, (), transaction=transaction, read_only=True)) == "the_primary"
        await transaction.commit()


async def test_the_replica_with_the_least_to_do_is_chosen(urls: list[str]) -> None:
    async with opened(*urls) as database, anyio.create_task_group() as group:
        busy = Fetch(Statement(b"SELECT name FROM who, pg_sleep(0.5)", 1), (), read_only=True)
        found: list[str] = []

        async def ask() -> None:
            found.append(await who(database, busy))

        for _ in range(4):
            group.start_soon(ask)
            await anyio.sleep(0.02)
        await anyio.sleep(0.6)
        assert sorted(found) == ["replica_1", "replica_1", "replica_2", "replica_2"]


async def test_what_writes_after_all_runs_on_the_primary(postgres: EmbeddedPostgres, urls: list[str]) -> None:
    write = Fetch(Statement(b"INSERT INTO notes VALUES (1) RETURNING 'kept'", 1), (), read_only=True)
    postgres.execute("TRUNCATE notes", "the_primary")
    async with opened(*urls[:2]) as database:
        assert await who(database, write) == "kept"
        assert await who(database, write) == "kept"
        assert postgres.execute("SELECT count(*) FROM notes", "the_primary") == [(2,)]
        assert await who(database) == "replica_1"
        assert database.replicas == 1


async def test_a_replica_that_is_away_is_passed_over_and_tried_again(
    postgres: EmbeddedPostgres, urls: list[str]
) -> None:
    async with opened(*urls[:2]) as database:
        assert await who(database) == "replica_1"
        postgres.execute("ALTER DATABASE replica_1 ALLOW_CONNECTIONS false")
        try:
            for pid in postgres.backend_pids("replica_1"):
                postgres.execute(f"SELECT pg_terminate_backend({pid})")
            for _ in range(3):
                assert await who(database) == "the_primary"
            assert database.replicas == 0
        finally:
            postgres.execute("ALTER DATABASE replica_1 ALLOW_CONNECTIONS true")
        with anyio.fail_after(10):
            while await who(database) != "replica_1":
                await anyio.sleep(0.01)


async def test_what_runs_when_a_replica_goes_runs_elsewhere(postgres: EmbeddedPostgres, urls: list[str]) -> None:
    found: list[str] = []

    async def ask() -> None:
        found.append(
            await who(database, Fetch(Statement(b"SELECT name FROM who, pg_sleep(0.3)", 1), (), read_only=True))
        )

    async with opened(*urls[:2]) as database:
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            while not (pids := postgres.backend_pids("replica_1")) or not database.replicas:
                await anyio.sleep(0.01)
            await anyio.sleep(0.1)
            for pid in pids:
                postgres.execute(f"SELECT pg_terminate_backend({pid})")
        assert found == ["the_primary"]


async def test_a_conflict_with_recovery_runs_on_the_primary_and_an_error_of_the_statement_does_not(
    urls: list[str],
) -> None:
    conflict = b"DO $$ BEGIN RAISE SQLSTATE '40001'; END $$"
    async with opened(*urls[:2]) as database:
        with pytest.raises(DatabaseError) as caught:  # the primary says the same here
            await database.perform(Fetch(Statement(conflict, 1), (), read_only=True))
        assert caught.value.sqlstate == "40001"
        assert database.replicas == 1
        with pytest.raises(DatabaseError) as caught:
            await database.perform(Fetch(Statement(b"SELECT nothing", 1), (), read_only=True))
        assert caught.value.sqlstate == "42703"


async def test_without_any_replica_the_primary_answers(urls: list[str]) -> None:
    async with opened(urls[0], "host=127.0.0.1 port=1", well=0) as database:
        assert await who(database) == "the_primary"


async def test_a_cancelled_query_ends_on_its_replica(postgres: EmbeddedPostgres, urls: list[str]) -> None:
    async with opened(*urls[:2]) as database:
        with anyio.move_on_after(0.1):
            await database.perform(Fetch(Statement(b"SELECT pg_sleep(60)", 1), (), read_only=True))
        assert not postgres.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        assert await who(database) == "replica_1"


class Freezing:
    """Between the server and a replica: once frozen, it takes what comes and passes on nothing, until it is thawed."""

    def __init__(self, conninfo: str, group: TaskGroup) -> None:
        self._there = conninfo_to_dict(conninfo)
        self._group = group
        self._thawed = anyio.Event()
        self._thawed.set()
        self.conninfo = ""
        self.connections = 0

    async def listen(self) -> None:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        self.conninfo = make_conninfo(**{**self._there, "host": "127.0.0.1", "port": port, "sslmode": "disable"})
        self._group.start_soon(self._serve, listener)

    async def _serve(self, listener: Listener[SocketStream]) -> None:
        async with listener:
            await listener.serve(self._pass_on)

    def freeze(self) -> None:
        self._thawed = anyio.Event()

    def thaw(self) -> None:
        self._thawed.set()

    async def _pass_on(self, here: SocketStream) -> None:
        self.connections += 1
        with closing(socket.socket(socket.AF_UNIX)) as there:
            there.connect(f"{self._there['host']}/.s.PGSQL.{self._there.get('port', 5432)}")
            async with here, anyio.create_task_group() as group:
                group.start_soon(self._to_server, here, there, group)
                group.start_soon(self._to_client, there, here, group)

    async def _to_server(self, here: SocketStream, there: socket.socket, group: TaskGroup) -> None:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, OSError):
            while True:
                data = await here.receive()
                await self._thawed.wait()
                there.sendall(data)
        group.cancel_scope.cancel()

    async def _to_client(self, there: socket.socket, here: SocketStream, group: TaskGroup) -> None:
        with suppress(anyio.BrokenResourceError, OSError):
            while True:
                await anyio.wait_readable(there)
                if not (data := there.recv(65_536)):
                    break
                await self._thawed.wait()
                await here.send(data)
        group.cancel_scope.cancel()


@asynccontextmanager
async def freezing(
    urls: list[str], monkeypatch: pytest.MonkeyPatch, **limits: Any
) -> AsyncIterator[tuple[Freezing, Database]]:
    monkeypatch.setattr("fraiseql.runtimes.replicas._SILENCE", 0.05)
    limits = {"connect_timeout": 0.2, "recovery_timeout": 0.1, **limits}
    async with anyio.create_task_group() as group:
        replica = Freezing(urls[1], group)
        await replica.listen()
        async with opened(urls[0], replica.conninfo, **limits) as database:
            yield replica, database
        group.cancel_scope.cancel()


async def test_a_frozen_replica_is_given_up_and_used_again_once_it_answers(
    urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with freezing(urls, monkeypatch, backoff_initial=0.01) as (replica, database):
        assert await who(database) == "replica_1"
        replica.freeze()
        found: list[str] = []

        async def ask() -> None:
            found.append(await who(database))

        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                for _ in range(20):
                    group.start_soon(ask)
            assert found == ["the_primary"] * 20
            before = replica.connections
            while replica.connections < before + 3:  # its connections of before seem to be open: they prove nothing
                assert database.replicas == 0
                assert await who(database) == "the_primary"
            replica.thaw()
            while await who(database) != "replica_1":
                await anyio.sleep(0.01)


async def test_queries_that_time_out_on_a_frozen_replica_count_against_it(
    urls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with freezing(urls, monkeypatch) as (replica, database):
        assert await who(database) == "replica_1"
        replica.freeze()
        with anyio.fail_after(10):
            while database.replicas:
                with anyio.move_on_after(0.02):  # sooner than anybody gives it up
                    await who(database)
            assert await who(database) == "the_primary"
        replica.thaw()


async def test_a_slow_query_stays_on_its_replica(urls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Fetch(Statement(b"SELECT name FROM who, pg_sleep(0.5)", 1), (), read_only=True)
    async with freezing(urls, monkeypatch, connect_timeout=5.0, max_size=1) as (replica, database):
        monkeypatch.setattr("fraiseql.runtimes.replicas._SILENCE", 0.3)
        before = replica.connections
        assert await who(database, slow) == "replica_1"
        assert replica.connections > before  # it was asked
        assert database.replicas == 1


def test_the_setting_takes_uris() -> None:
    both = FraiseQLConfig(replica_urls="postgresql://a,b/app  postgres://c/app")
    assert both.replicas == ("postgresql://a,b/app", "postgres://c/app")
    assert FraiseQLConfig().replicas == ()
    with pytest.raises(ConfigurationError, match="replica_urls"):
        FraiseQLConfig(replica_urls="host=a dbname=b")
