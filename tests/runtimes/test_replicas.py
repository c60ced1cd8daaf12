"""Read replicas under asyncio and trio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest

from fraiseql.effects import Fetch, Statement
from fraiseql.errors import ConfigurationError, DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.anyio.database import Database
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres
from runtimes.replicas import ASK, CONFLICT, MISTAKE, QUERY, SCHEMA, WHO, WRITE, Freezing, away, slow, told_by, uri

pytestmark = pytest.mark.anyio


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
        assert await who(database, replace(QUERY, settings=((b"app.x", b"1"),))) == "replica_1"
        assert await who(database, Fetch(WHO, ())) == "the_primary"
        assert await who(database, replace(QUERY, primary=True)) == "the_primary"
        transaction = await database.begin()
        assert await who(database, replace(QUERY, transaction=transaction)) == "the_primary"
        await transaction.commit()


async def test_the_replica_with_the_least_to_do_is_chosen(urls: list[str]) -> None:
    async with opened(*urls) as database, anyio.create_task_group() as group:
        found: list[str] = []

        async def ask() -> None:
            found.append(await who(database, slow(0.5)))

        for _ in range(4):
            group.start_soon(ask)
            await anyio.sleep(0.02)
        await anyio.sleep(0.6)
        assert sorted(found) == ["replica_1", "replica_1", "replica_2", "replica_2"]


async def test_what_writes_after_all_runs_on_the_primary(postgres: EmbeddedPostgres, urls: list[str]) -> None:
    postgres.execute("TRUNCATE notes", "the_primary")
    async with opened(*urls[:2]) as database:
        assert await who(database, WRITE) == "kept"
        assert await who(database, WRITE) == "kept"
        assert postgres.execute("SELECT count(*) FROM notes", "the_primary") == [(2,)]
        assert await who(database) == "replica_1"
        assert database.replicas == 1


async def test_a_replica_that_is_away_is_passed_over_and_tried_again(
    postgres: EmbeddedPostgres, urls: list[str]
) -> None:
    async with opened(*urls[:2]) as database:
        assert await who(database) == "replica_1"
        with away(postgres, "replica_1"):
            for _ in range(3):
                assert await who(database) == "the_primary"
            assert database.replicas == 0
        with anyio.fail_after(10):
            while await who(database) != "replica_1":
                await anyio.sleep(0.01)


async def test_what_runs_when_a_replica_goes_runs_elsewhere(postgres: EmbeddedPostgres, urls: list[str]) -> None:
    found: list[str] = []

    async def ask() -> None:
        found.append(await who(database, slow(0.3)))

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
    async with opened(*urls[:2]) as database:
        with pytest.raises(DatabaseError) as caught:  # the primary says the same here
            await database.perform(CONFLICT)
        assert caught.value.sqlstate == "40001"
        assert database.replicas == 1
        with pytest.raises(DatabaseError) as caught:
            await database.perform(MISTAKE)
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


@asynccontextmanager
async def freezing(
    urls: list[str], monkeypatch: pytest.MonkeyPatch, **limits: Any
) -> AsyncIterator[tuple[Freezing, Database]]:
    monkeypatch.setattr("fraiseql.runtimes.routing._SILENCE", 0.05)
    limits = {"connect_timeout": 0.2, "recovery_timeout": 0.1, **limits}
    with Freezing(urls[1]) as replica:
        async with opened(urls[0], replica.conninfo, **limits) as database:
            yield replica, database


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


async def test_a_slow_query_stays_on_its_replica(urls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async with freezing(urls, monkeypatch, connect_timeout=5.0, max_size=1) as (replica, database):
        monkeypatch.setattr("fraiseql.runtimes.routing._SILENCE", 0.3)
        before = replica.connections
        assert await who(database, slow(0.5)) == "replica_1"
        assert replica.connections > before  # it was asked
        assert database.replicas == 1


async def test_a_client_that_has_written_is_answered_by_the_primary(urls: list[str], connected: Any) -> None:
    config = FraiseQLConfig(port=0, replica_urls=uri(urls[1]))
    async with FraiseQLApp(SCHEMA, urls[0], config) as app, connected(app.port) as client, connected(app.port) as other:
        with anyio.fail_after(10):
            while await client.ask(ASK) != told_by("replica_1"):
                await anyio.sleep(0.01)
        assert await client.ask("mutation { note }") == {"data": {"note": True}}
        assert await client.ask(ASK) == told_by("the_primary")
        assert await other.ask(ASK) == told_by("replica_1")


def test_the_setting_takes_uris() -> None:
    both = FraiseQLConfig(replica_urls="postgresql://a,b/app  postgres://c/app")
    assert both.replicas == ("postgresql://a,b/app", "postgres://c/app")
    assert FraiseQLConfig().replicas == ()
    with pytest.raises(ConfigurationError, match="replica_urls"):
        FraiseQLConfig(replica_urls="host=a dbname=b")
