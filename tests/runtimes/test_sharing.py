"""Statements that share round trips, on a real PostgreSQL: each gets its own answer, whatever befalls the others."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from fraiseql.effects import Fetch, Row, Statement
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.runtimes.anyio.database import Database
from fraiseql.testing.embedded import EmbeddedPostgres

pytestmark = pytest.mark.anyio


def read(sql: str, *parameters: bytes | None, columns: int = 1) -> Fetch:
    return Fetch(Statement(sql.encode(), columns), parameters, read_only=True)


def echo(number: int) -> Fetch:
    return read("SELECT $1::text, pg_backend_pid() || ' ' || now()", b"%d" % number, columns=2)


DIVIDE = "SELECT (6 / $1::int)::text, pg_backend_pid() || ' ' || now()"
SLEEP = "SELECT $1::text, pg_sleep($1::float8)"


@asynccontextmanager
async def opened(conninfo: str, **limits: Any) -> AsyncIterator[Database]:
    database = Database(conninfo, PoolLimits(**{"max_size": 2, "pipeline_depth": 8, **limits}))
    await database.start()
    try:
        await database.check()
        yield database
    finally:
        with anyio.fail_after(10, shield=True):
            await database.aclose()
        assert database.pool.size == 0


async def ask(database: Database, effects: Sequence[Fetch]) -> list[Row | DatabaseError]:
    """Ask for all at once; first once for each kind, so that all are known to be quick."""
    answers: list[Any] = [None] * len(effects)

    async def one(place: int, effect: Fetch) -> None:
        try:
            answers[place] = await database.perform(effect)
        except DatabaseError as error:
            answers[place] = error

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for place, effect in enumerate(effects):
                group.start_soon(one, place, effect)
    return answers


def trips(answers: Sequence[Row | DatabaseError]) -> list[int]:
    """How many of the answers came in each transaction."""
    return list(Counter(answer[1] for answer in answers if not isinstance(answer, DatabaseError)).values())


async def warm(database: Database, *effects: Fetch) -> None:
    for _ in range(20):
        await ask(database, effects * 8)


async def test_what_runs_at_once_shares_round_trips(module_database_url: str) -> None:
    async with opened(module_database_url) as database:
        await warm(database, echo(0))
        answers = await ask(database, [echo(number) for number in range(64)])
        assert [answer[0] for answer in answers if not isinstance(answer, DatabaseError)] == [
            b"%d" % number for number in range(64)
        ]
        assert max(trips(answers)) > 1
        assert max(trips(answers)) <= 8
    async with opened(module_database_url, pipeline_depth=1) as database:
        await warm(database, echo(0))
        assert set(trips(await ask(database, [echo(number) for number in range(64)]))) == {1}


async def test_an_error_is_of_its_own_statement_alone(module_database_url: str) -> None:
    async with opened(module_database_url) as database:
        await warm(database, read(DIVIDE, b"1", columns=2))
        divisors = [0 if number % 5 == 3 else 1 + number % 3 for number in range(40)]
        answers = await ask(database, [read(DIVIDE, b"%d" % divisor, columns=2) for divisor in divisors])
        found = [answer.sqlstate if isinstance(answer, DatabaseError) else int(answer[0] or 0) for answer in answers]
        assert found == [6 // divisor if divisor else "22012" for divisor in divisors]
        misfit = read("SELECT 1")
        answers = await ask(database, [echo(1)] * 4 + [Fetch(misfit.statement, (b"\0",), read_only=True)] + [echo(2)])
        assert [isinstance(answer, DatabaseError) for answer in answers] == [False] * 4 + [True, False]
        assert (database.pool.granted, database.waiting) == (0, 0)


async def test_what_writes_after_all_writes_once(postgres: EmbeddedPostgres, module_database_url: str) -> None:
    name = module_database_url.rpartition("=")[2]
    postgres.execute("CREATE TABLE IF NOT EXISTS seen (id int)", name)
    postgres.execute("TRUNCATE seen", name)
    write = "INSERT INTO seen VALUES ($1::int) RETURNING id::text, 'alone'"
    async with opened(module_database_url) as database:
        await warm(database, echo(0))
        for effect in (read(write, b"1", columns=2), read(write, b"2", columns=2)):
            answers = await ask(database, [echo(1)] * 3 + [effect] + [echo(2)] * 3)
            assert not [answer for answer in answers if isinstance(answer, DatabaseError)]
    assert postgres.execute("SELECT id FROM seen ORDER BY id", name) == [(1,), (2,)]


async def test_who_leaves_takes_nobody_along(postgres: EmbeddedPostgres, module_database_url: str) -> None:
    async with opened(module_database_url, max_size=1) as database:
        await warm(database, read(SLEEP, b"0", columns=2))
        async with anyio.create_task_group() as group:
            with anyio.move_on_after(0.1):
                async with anyio.create_task_group() as leaving:
                    leaving.start_soon(database.perform, read(SLEEP, b"0", columns=2))  # so that the others gather
                    leaving.start_soon(database.perform, read(SLEEP, b"60", columns=2))
                    group.start_soon(ask, database, [echo(number) for number in range(6)])
        assert not sleeping(postgres), "it was cancelled"
        answers = await ask(database, [echo(number) for number in range(20)])
        assert not [answer for answer in answers if isinstance(answer, DatabaseError)]
        assert (database.pool.granted, database.waiting) == (0, 0)


@pytest.mark.parametrize("seed", range(2))
async def test_a_storm_of_cancellations(module_database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    finished = 0

    async def one(number: int, patience: float, seconds: float) -> None:
        nonlocal finished
        with anyio.move_on_after(patience):
            effect = read("SELECT $1::text, pg_sleep($2::float8)", b"%d" % number, b"%f" % seconds, columns=2)
            assert await database.perform(effect) == (b"%d" % number, b""), "an answer reached somebody else"
            finished += 1

    async with opened(module_database_url, max_size=3, recovery_timeout=5.0) as database:
        await warm(database, read("SELECT $1::text, pg_sleep($2::float8)", b"0", b"0", columns=2))
        async with anyio.create_task_group() as group:
            for number in range(400):
                group.start_soon(one, number, chance.expovariate(4), chance.choice([0, 0, 0, 0.001, 0.02]))
                if chance.random() < 0.2:
                    await anyio.sleep(chance.random() / 50)
        assert (database.pool.granted, database.waiting) == (0, 0)
        assert not [answer for answer in await ask(database, [echo(1)] * 20) if isinstance(answer, DatabaseError)]
    assert finished > 100


def sleeping(postgres: EmbeddedPostgres) -> list[int]:
    return [pid for (pid,) in postgres.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'")]


async def test_a_lost_connection_fails_what_ran_on_it(postgres: EmbeddedPostgres, module_database_url: str) -> None:
    answers: list[Row | DatabaseError] = []

    async def run() -> None:
        answers.extend(await ask(database, [read(SLEEP, b"0", columns=2)] * 2 + [read(SLEEP, b"60", columns=2)] * 4))

    async with opened(module_database_url, max_size=1) as database:
        await warm(database, read(SLEEP, b"0", columns=2))
        (connection,) = database.connections
        async with anyio.create_task_group() as group:
            group.start_soon(run)
            while not sleeping(postgres):
                await anyio.sleep(0.01)
            postgres.execute(f"SELECT pg_terminate_backend({connection.backend_pid})")
            while sleeping(postgres) == [connection.backend_pid]:
                await anyio.sleep(0.01)
            await anyio.sleep(0.05)
            group.cancel_scope.cancel()
        assert not [answer for answer in await ask(database, [echo(1)] * 9) if isinstance(answer, DatabaseError)]


async def test_prepared_statements_that_are_gone_or_stale(postgres: EmbeddedPostgres, module_database_url: str) -> None:
    name = module_database_url.rpartition("=")[2]
    postgres.execute("CREATE TABLE IF NOT EXISTS shape (v int)", name)
    postgres.execute("TRUNCATE shape; INSERT INTO shape VALUES (1)", name)
    look = read("SELECT * FROM shape")
    async with opened(module_database_url, max_size=1) as database:
        await warm(database, look, echo(0))
        postgres.execute("ALTER TABLE shape ALTER v TYPE text USING 'now text'", name)
        answers = await ask(database, [look] * 10)
        assert answers == [(b"now text",)] * 10
        with pytest.raises(DatabaseError):
            await database.perform(Fetch(Statement(b"DEALLOCATE ALL", 0), ()))
        assert await ask(database, [look] * 10) == [(b"now text",)] * 10
        assert len(database.connections[0].prepared) < 10
    postgres.execute("DROP TABLE shape", name)


async def test_few_prepared_statements_are_kept(module_database_url: str) -> None:
    async with opened(module_database_url, max_size=1, max_prepared=4) as database:
        many = [read(f"SELECT '{number}'") for number in range(20)]
        for _ in range(3):
            assert await ask(database, many) == [(b"%d" % number,) for number in range(20)]
        assert len(database.connections[0].prepared) <= 4
        (count,) = await database.fetch(Statement(b"SELECT count(*) FROM pg_prepared_statements", 1), ())
        assert int(count or b"") <= 6
    async with opened(module_database_url, max_size=1, max_prepared=0) as database:
        assert await ask(database, many) == [(b"%d" % number,) for number in range(20)]


async def test_waiting_is_bounded_in_number_and_time(module_database_url: str) -> None:
    async with opened(module_database_url, max_size=1, max_waiting=3, acquire_timeout=0.2) as database:
        async with anyio.create_task_group() as group:
            group.start_soon(database.fetch, Statement(b"SELECT pg_sleep(0.5)", 1), ())
            await anyio.sleep(0.05)
            answers = await ask(database, [echo(number) for number in range(5)])
        assert sorted(str(answer) for answer in answers) == [
            "3 requests wait for a database connection already",
            "3 requests wait for a database connection already",
            *["no database connection became free within 0.2 s"] * 3,
        ]
        assert {answer.sqlstate for answer in answers if isinstance(answer, DatabaseError)} == {"53300"}
