"""Statements that share round trips, on a real PostgreSQL: each gets its own answer, whatever befalls the others."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import psycopg
import pytest

from fraiseql.effects import Fetch, Row, Statement
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.postgres import Connection
from fraiseql.postgres.batch import Batch
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


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Fills with how many statements went together each time."""
    counts: list[int] = []

    def batch(connection: Connection, fetches: Sequence[Fetch]) -> Batch:
        counts.append(len(fetches))
        return Batch(connection, fetches)

    monkeypatch.setattr("fraiseql.runtimes.trips.Batch", batch)
    return counts


async def warm(database: Database, *effects: Fetch) -> None:
    for _ in range(20):
        await ask(database, effects * 8)


async def test_what_runs_at_once_shares_round_trips(module_database_url: str, trips: list[int]) -> None:
    async with opened(module_database_url) as database:
        await warm(database, echo(0))
        answers = await ask(database, [echo(number) for number in range(64)])
        assert [answer[0] for answer in answers if not isinstance(answer, DatabaseError)] == [
            b"%d" % number for number in range(64)
        ]
        assert len({answer[1] for answer in answers if not isinstance(answer, DatabaseError)}) == 64, "transactions"
        assert 1 < max(trips) <= 8
    trips.clear()
    async with opened(module_database_url, pipeline_depth=1) as database:
        await warm(database, echo(0))
        await ask(database, [echo(number) for number in range(64)])
    assert not trips


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


WRITER = """
CREATE TABLE IF NOT EXISTS written (id int);
TRUNCATE written;
CREATE OR REPLACE FUNCTION audit(i int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
  BEGIN INSERT INTO written VALUES (i); EXCEPTION WHEN OTHERS THEN RETURN 'lost'; END;
  PERFORM pg_notify('told', i::text);
  IF i % 9 = 5 THEN RAISE EXCEPTION 'no'; END IF;
  RETURN 'kept';
END $$;
"""


async def test_functions_that_write_tell_and_set(postgres: EmbeddedPostgres, module_database_url: str) -> None:
    """Each statement is a transaction of its own: it commits what it did, once, and what it set is gone."""
    name = module_database_url.rpartition("=")[2]
    postgres.execute(WRITER, name)
    audit = "SELECT audit($1::int)"
    who = "SELECT current_setting('app.who', true), set_config('app.who', $1, true)"
    async with opened(module_database_url) as database:
        with psycopg.connect(module_database_url, autocommit=True) as listener:
            listener.execute("LISTEN told")
            await warm(database, read(audit, b"0"), read(who, b"0", columns=2))
            postgres.execute("TRUNCATE written", name)
            list(listener.notifies(timeout=0))
            both = [[read(audit, b"%d" % n), read(who, b"%d" % n, columns=2)] for n in range(40)]
            answers = await ask(database, [effect for pair in both for effect in pair])
            heard = sorted(int(notify.payload) for notify in listener.notifies(timeout=5, stop_after=36))
    kept = [n for n in range(40) if n % 9 != 5]
    assert [getattr(answer, "sqlstate", answer) for answer in answers[::2]] == [
        (b"kept",) if n in kept else "P0001" for n in range(40)
    ]
    assert [(answer[0] or b"", answer[1]) for answer in answers[1::2] if not isinstance(answer, DatabaseError)] == [
        (b"", b"%d" % n) for n in range(40)
    ]
    assert [n for (n,) in postgres.execute("SELECT id FROM written ORDER BY id", name)] == kept == heard


async def test_a_commit_that_fails_is_its_own_statements_error(
    postgres: EmbeddedPostgres, module_database_url: str
) -> None:
    name = module_database_url.rpartition("=")[2]
    postgres.execute("DROP TABLE IF EXISTS late; CREATE TABLE late (v int UNIQUE DEFERRABLE INITIALLY DEFERRED)", name)
    put = "INSERT INTO late VALUES ($1::int) RETURNING v::text"
    async with opened(module_database_url, max_size=1) as database:
        await warm(database, echo(0))
        numbers = [1, 2, 1, 3, 3, 4]
        for number in (100, 101, 102):  # until it is known to be quick
            await ask(database, [read(put, b"%d" % number)] * 1)
        answers = await ask(database, [effect for n in numbers for effect in (echo(n), read(put, b"%d" % n), echo(n))])
        found = [getattr(answer, "sqlstate", "kept") for answer in answers]
        assert (found.count("23505"), found.count("kept")) == (2, 16)
    assert postgres.execute("SELECT v FROM late WHERE v < 100 ORDER BY v", name) == [(1,), (2,), (3,), (4,)]
    postgres.execute("DROP TABLE late", name)


async def test_nobody_waits_for_a_neighbours_lock(
    postgres: EmbeddedPostgres, module_database_url: str, trips: list[int]
) -> None:
    name = module_database_url.rpartition("=")[2]
    postgres.execute("CREATE TABLE IF NOT EXISTS locked (v int); CREATE TABLE IF NOT EXISTS counted (v int)", name)
    postgres.execute("TRUNCATE locked; TRUNCATE counted", name)
    look = read("SELECT count(*) FROM locked")
    count = "INSERT INTO counted VALUES ($1::int) RETURNING v::text"
    got: list[Row | DatabaseError] = []

    async def blocked(database: Database) -> None:
        got.extend(await ask(database, [look]))

    async with opened(module_database_url, max_size=2) as database:
        await warm(database, look, read(count, b"-1"))
        trips.clear()
        with psycopg.connect(module_database_url) as holder:
            holder.execute("LOCK TABLE locked")
            async with anyio.create_task_group() as group:
                group.start_soon(ask, database, [read(SLEEP, b"0.01", columns=2)] * 2)  # so that the others gather
                group.start_soon(ask, database, [read(count, b"%d" % n) for n in range(3)])
                group.start_soon(blocked, database)
                answers = await ask(database, [read(count, b"%d" % n) for n in range(3, 6)])
                assert answers == [(b"3",), (b"4",), (b"5",)], "while the lock is held"
                assert not got
                holder.rollback()
        assert trips, "they shared"
        assert got == [(b"0",)]
    counted = postgres.execute("SELECT v FROM counted WHERE v >= 0 ORDER BY v", name)
    assert counted == [(0,), (1,), (2,), (3,), (4,), (5,)], "each once"


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


async def test_a_deadline_is_the_statements_own(module_database_url: str) -> None:
    """One that came later than another, with which it might have gone, waits for as long as any."""
    async with opened(module_database_url, max_size=1, acquire_timeout=0.6) as database:
        await warm(database, echo(0))
        first: list[Row | DatabaseError] = []

        async def early() -> None:
            first.extend(await ask(database, [echo(1)]))

        async with anyio.create_task_group() as group:
            group.start_soon(database.fetch, Statement(b"SELECT pg_sleep(0.9)", 1), ())
            await anyio.sleep(0.05)
            group.start_soon(early)
            await anyio.sleep(0.5)
            answers = await ask(database, [echo(2), echo(3)])
        assert [str(answer) for answer in first] == ["no database connection became free within 0.6 s"]
        assert [answer[0] for answer in answers if not isinstance(answer, DatabaseError)] == [b"2", b"3"]
