"""The database under asyncio and trio, on a real PostgreSQL: cancellations, losses, restarts, exhaustion."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from fraiseql.effects import Fetch, Statement
from fraiseql.errors import ConfigurationError, DatabaseError
from fraiseql.limits import PoolLimits
from fraiseql.observations import ConnectionLost, ConnectionOpened, Observation, ReconnectFailed
from fraiseql.postgres import Connection, Conversation, cancel
from fraiseql.runtimes.anyio.database import Database
from fraiseql.testing.embedded import EmbeddedPostgres

pytestmark = pytest.mark.anyio

ONE = Statement(b"SELECT 1", 1)
ECHO = Statement(b"SELECT $1::text", 1)
SLEEP = Statement(b"SELECT pg_sleep($1::float8)", 1)


@asynccontextmanager
async def opened(conninfo: str, seen: list[Observation] | None = None, **limits: float) -> AsyncIterator[Database]:
    database = Database(conninfo, PoolLimits(**limits), [].append if seen is None else seen.append)  # type: ignore[arg-type]
    await database.start()
    try:
        yield database
    finally:
        with anyio.fail_after(10, shield=True):
            await database.aclose()
        assert database.pool.size == 0


async def until_idle(database: Database) -> None:
    with anyio.fail_after(10):
        while database.pool.granted or database.pool.opening:
            await anyio.sleep(0.005)


@pytest.fixture
def server_is_clean(postgres: EmbeddedPostgres, module_database_url: str) -> AsyncIterator[None]:
    """Whatever the test did: the server has no connection left from it."""
    yield
    name = module_database_url.rpartition("=")[2]
    for _ in range(500):
        left = postgres.backend_pids(name)
        if not left:
            return
    raise AssertionError(f"{len(left)} connections left")


@pytest.fixture(autouse=True)
def _always_clean(server_is_clean: None) -> None:
    pass


async def test_answers_in_order_of_need(module_database_url: str) -> None:
    seen: list[Observation] = []
    async with opened(module_database_url, seen) as database:
        assert await database.fetch(ECHO, (b"hello",)) == (b"hello",)
        assert await database.fetch(ECHO, (None,)) == (None,)
        assert (database.pool.size, database.pool.idle) == (1, 1)
    assert [type(observation) for observation in seen] == [ConnectionOpened]


async def test_many_at_once_share_the_connections(module_database_url: str) -> None:
    answers: dict[int, bytes | None] = {}

    async def ask(number: int) -> None:
        (answers[number],) = await database.fetch(ECHO, (b"%d" % number,))

    async with opened(module_database_url, max_size=4) as database:
        async with anyio.create_task_group() as group:
            for number in range(200):
                group.start_soon(ask, number)
        assert answers == {number: b"%d" % number for number in range(200)}
        assert database.pool.size == 4


async def test_an_error_leaves_the_connection_in_the_pool(module_database_url: str) -> None:
    async with opened(module_database_url, max_size=1) as database:
        for _ in range(3):
            with pytest.raises(DatabaseError) as caught:
                await database.fetch(Statement(b"SELECT nonsense", 1), ())
            assert caught.value.sqlstate == "42703"
        assert (database.pool.size, database.pool.idle) == (1, 1)


async def test_thirty_megabytes_both_ways(module_database_url: str) -> None:
    value = os.urandom(15_000_000).hex().encode()
    seen: list[Observation] = []
    async with opened(module_database_url, seen) as database:
        assert await database.fetch(ECHO, (value,)) == (value,)
        assert database.pool.size == 0, "its buffers would stay as large"
        assert isinstance(seen[-1], ConnectionLost)
        assert await database.fetch(ONE, ()) == (b"1",)


async def test_large_answers_while_sending(module_database_url: str) -> None:
    """The server answers while it still reads: both directions must move."""
    value = b"x" * 4_000_000
    async with opened(module_database_url) as database, anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(database.fetch, Statement(b"SELECT $1::text || $2::text", 1), (value, value))


@pytest.mark.parametrize("seed", range(2))
async def test_no_connection_is_lost_in_a_storm_of_cancellations(module_database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    finished = 0

    async def ask(number: int, patience: float, seconds: float) -> None:
        nonlocal finished
        with anyio.move_on_after(patience):
            row = await database.fetch(
                Statement(b"SELECT $1::text, pg_sleep($2::float8)", 2), (b"%d" % number, b"%f" % seconds)
            )
            assert row == (b"%d" % number, b""), "an answer reached somebody else"
            finished += 1

    async with opened(module_database_url, max_size=5, recovery_timeout=5.0) as database:
        async with anyio.create_task_group() as group:
            for number in range(400):
                group.start_soon(ask, number, chance.expovariate(4), chance.choice([0, 0, 0.001, 0.02]))
                if chance.random() < 0.3:
                    await anyio.sleep(chance.random() / 50)
        assert (database.pool.granted, database.pool.waiting) == (0, 0)
        await until_idle(database)
        assert await database.fetch(ECHO, (b"after",)) == (b"after",)
        assert database.pool.size <= 5
    assert finished


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_asyncios_own_cancellation_even_twice(module_database_url: str, anyio_backend: str) -> None:
    async with opened(module_database_url, max_size=2) as database:
        await database.check()
        for again in (False, True):
            task = asyncio.create_task(database.fetch(SLEEP, (b"1",)))
            await anyio.sleep(0.02)
            task.cancel()
            await anyio.lowlevel.checkpoint()
            if again:  # in the midst of the recovery
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert database.pool.granted == 0
            assert database.pool.size == (0 if again else 1)
        assert await database.fetch(ONE, ()) == (b"1",)


async def test_cancelled_while_the_connection_is_made(module_database_url: str) -> None:
    """The opening goes on for the next request."""
    async with opened(module_database_url, max_size=3) as database:
        for _ in range(30):
            with anyio.CancelScope() as scope:
                scope.cancel()
                await database.fetch(ONE, ())
        await until_idle(database)
        assert 1 <= database.pool.size <= 3
        assert await database.fetch(ONE, ()) == (b"1",)


async def test_a_request_to_cancel_that_is_passed_over_is_sent_again(
    module_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server passes over one that comes before the statement has begun there."""
    asked = list[Connection]()

    def cancel_late(connection: Connection) -> Conversation[None]:
        asked.append(connection)
        if len(asked) > 1:
            yield from cancel(connection)

    monkeypatch.setattr("fraiseql.runtimes.links.cancel", cancel_late)
    async with opened(module_database_url, max_size=1, recovery_timeout=20.0) as database:
        await database.check()
        with anyio.move_on_after(0.05):
            await database.fetch(SLEEP, (b"600",))
        assert len(asked) == 2
        assert (database.pool.size, database.pool.granted) == (1, 0), "the connection is good for the next"
        assert await database.fetch(ONE, ()) == (b"1",)


async def test_a_cancelled_statement_stops_on_the_server(postgres: EmbeddedPostgres, module_database_url: str) -> None:
    async with opened(module_database_url, max_size=1) as database:
        await database.fetch(ONE, ())
        (pid,) = postgres.backend_pids(module_database_url.rpartition("=")[2])
        with anyio.move_on_after(0.05):
            await database.fetch(SLEEP, (b"60",))
        assert (database.pool.size, database.pool.idle) == (1, 1)
        assert postgres.execute(f"SELECT state FROM pg_stat_activity WHERE pid = {pid}") == [("idle",)]
        assert await database.fetch(ONE, ()) == (b"1",)


async def test_a_statement_that_does_not_stop_costs_its_connection_and_no_more_time(module_database_url: str) -> None:
    deaf = Statement(b"SELECT pg_temp.deaf()", 1)
    make_deaf = Statement(
        b"CREATE FUNCTION pg_temp.deaf() RETURNS text LANGUAGE plpgsql AS $$ BEGIN"
        b" WHILE clock_timestamp() < now() + '1 s' LOOP"
        b" BEGIN PERFORM pg_sleep(0.2); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; RETURN 1; END $$",
        0,
    )
    seen: list[Observation] = []
    async with opened(module_database_url, seen, max_size=1, recovery_timeout=0.2) as database:
        with pytest.raises(DatabaseError, match="COMMAND_OK"):
            await database.fetch(make_deaf, ())
        with anyio.fail_after(3):
            with anyio.move_on_after(0.05):
                await database.fetch(deaf, ())
            assert database.pool.size == 0
        assert isinstance(seen[-1], ConnectionLost)
        assert await database.fetch(ONE, ()) == (b"1",)


async def test_with_an_older_libpq_a_cancelled_statement_costs_its_connection(
    module_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its way to cancel would block the whole process."""
    monkeypatch.setattr("fraiseql.runtimes.links.CAN_CANCEL", False)
    async with opened(module_database_url, max_size=1) as database:
        with anyio.move_on_after(0.05):
            await database.fetch(SLEEP, (b"0.3",))
        assert database.pool.size == 0
        assert await database.fetch(ONE, ()) == (b"1",)


async def test_a_full_pool_refuses_in_time_and_in_number(module_database_url: str) -> None:
    refusals: list[str] = []

    async def ask() -> None:
        with pytest.raises(DatabaseError) as caught:
            await database.fetch(ONE, ())
        assert caught.value.sqlstate == "53300"
        refusals.append(str(caught.value))

    async with opened(module_database_url, max_size=1, max_waiting=2, acquire_timeout=0.15) as database:
        await database.fetch(ONE, ())
        async with anyio.create_task_group() as group:
            group.start_soon(database.fetch, SLEEP, (b"0.6",))
            await anyio.lowlevel.checkpoint()
            for _ in range(3):
                group.start_soon(ask)
        assert sorted(refusals) == [
            "2 requests wait for a database connection already",
            "no database connection became free within 0.15 s",
            "no database connection became free within 0.15 s",
        ]
        assert await database.fetch(ONE, ()) == (b"1",)


@pytest.mark.parametrize("ending", ["kill", "terminate"])
async def test_a_killed_backend(postgres: EmbeddedPostgres, module_database_url: str, ending: str) -> None:
    """An error for the statement in flight, an answer for the next."""
    errors: list[DatabaseError] = []

    async def ask() -> None:
        try:
            await database.fetch(SLEEP, (b"60",))
        except DatabaseError as error:
            errors.append(error)

    async with opened(module_database_url, max_size=3) as database:
        async with anyio.create_task_group() as group:
            assert await database.fetch(ONE, ()) == (b"1",)
            group.start_soon(ask)
            while not (pids := sleeping(postgres)):
                await anyio.sleep(0.01)
            if ending == "kill":
                postgres.kill_backend(pids[0])
            else:
                postgres.execute(f"SELECT pg_terminate_backend({pids[0]})")
        assert errors
        assert errors[0].unavailable
        assert await database.fetch(ONE, ()) == (b"1",)


def sleeping(postgres: EmbeddedPostgres) -> list[int]:
    return [pid for (pid,) in postgres.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'")]


async def test_a_restart_of_the_whole_server(postgres: EmbeddedPostgres, module_database_url: str) -> None:
    seen: list[Observation] = []
    answers: list[str] = []

    async def ask(seconds: bytes) -> None:
        try:
            await database.fetch(SLEEP, (seconds,))
            answers.append("row")
        except DatabaseError as error:
            answers.append(f"unavailable: {error.unavailable}")

    async with opened(module_database_url, seen, max_size=3) as database:
        async with anyio.create_task_group() as group:  # three connections, two of them idle afterwards
            for _ in range(3):
                group.start_soon(database.fetch, SLEEP, (b"0.05",))
        async with anyio.create_task_group() as group:
            group.start_soon(ask, b"60")
            while not sleeping(postgres):
                await anyio.sleep(0.01)
            await anyio.to_thread.run_sync(postgres.restart)
        assert answers == ["unavailable: True"]
        for _ in range(6):
            assert await database.fetch(ONE, ()) == (b"1",)
        assert [type(o) for o in seen].count(ConnectionLost) <= 2, (
            "the one in use, and one that was idle; the rest go along"
        )


async def test_requests_wait_while_the_server_is_down(postgres: EmbeddedPostgres, module_database_url: str) -> None:
    seen: list[Observation] = []
    async with opened(module_database_url, seen) as database:
        assert await database.fetch(ONE, ()) == (b"1",)
        postgres._halt()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(database.fetch, ONE, ())
                while not any(isinstance(o, ReconnectFailed) for o in seen):
                    await anyio.sleep(0.01)
                await anyio.to_thread.run_sync(postgres._launch)
        finally:
            if not postgres.is_running:
                postgres._launch()


async def test_a_server_that_stays_away_is_named_in_the_refusal() -> None:
    async with opened("host=127.0.0.1 port=1", acquire_timeout=0.3) as database:
        with pytest.raises(DatabaseError, match=r"could be made within 0\.3 s: .*refused") as caught:
            await database.fetch(ONE, ())
        assert caught.value.sqlstate == "08001"
        with pytest.raises(DatabaseError, match="refused"):
            await database.check()


async def test_what_cannot_be_mended_by_waiting_is_told_at_once(module_database_url: str) -> None:
    async with opened(f"{module_database_url} dbname=nowhere") as database:
        with anyio.fail_after(2), pytest.raises(DatabaseError) as caught:
            await database.fetch(ONE, ())
        assert caught.value.sqlstate == "3D000"


async def test_a_server_that_does_not_answer_times_out(module_database_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        async with opened(f"host=127.0.0.1 port={port}", connect_timeout=0.1, acquire_timeout=0.35) as database:
            with pytest.raises(DatabaseError, match=r"no answer within 0\.1 s"):
                await database.check()
            assert database.pool.size == 0


async def test_names_are_resolved_and_all_addresses_tried(module_database_url: str) -> None:
    async with opened("host=no-such-host.invalid,localhost port=1", acquire_timeout=5.0) as database:
        with pytest.raises(DatabaseError, match=r"127\.0\.0\.1.* refused|::1.* refused"):
            await database.check()
    async with opened("host=no-such-host.invalid") as database:
        with pytest.raises(DatabaseError, match=r"no-such-host\.invalid cannot be resolved"):
            await database.check()


async def test_closing_refuses_who_waits_and_lets_finish_what_runs(module_database_url: str) -> None:
    ends: list[str] = []

    async def ask(name: str) -> None:
        try:
            await database.fetch(SLEEP, (b"0.2",))
            ends.append(f"{name} answered")
        except DatabaseError as error:
            ends.append(f"{name} {error.sqlstate}")

    async with opened(module_database_url, max_size=1) as database:
        await database.check()
        async with anyio.create_task_group() as group:
            group.start_soon(ask, "first")
            await anyio.sleep(0.02)
            group.start_soon(ask, "second")
            await anyio.sleep(0.02)
            await database.aclose()
        assert ends == ["second 57P01", "first answered"]
        with pytest.raises(DatabaseError, match="not open"):
            await database.fetch(ONE, ())


async def test_closing_that_is_cancelled_cuts_off_what_runs(module_database_url: str) -> None:
    ends: list[str] = []

    async def ask() -> None:
        try:
            await database.fetch(SLEEP, (b"0.5",))
        except DatabaseError as error:
            ends.append(error.sqlstate)

    async with opened(module_database_url) as database:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(ask)
            while database.pool.granted < 3:
                await anyio.sleep(0.01)
            with anyio.move_on_after(0.05):
                await database.aclose()
            assert database.pool.size == 0
        assert ends == ["08006"] * 3


async def test_idle_connections_are_given_back(module_database_url: str) -> None:
    async with opened(module_database_url, max_idle=0.05) as database:
        await database.check()
        with anyio.fail_after(5):
            while database.pool.size:
                await anyio.sleep(0.01)


async def test_a_bad_connection_string_is_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigurationError, match="database_url"):
        Database("postgresql://[")
    assert Database("").description


async def test_a_statement_may_have_a_time_limit_and_its_connection_lives_on(module_database_url: str) -> None:
    async with opened(module_database_url, max_size=1) as database:
        began = anyio.current_time()
        with pytest.raises(DatabaseError, match=r"did not answer within 0\.1 s") as late:
            await database.perform(Fetch(SLEEP, (b"60",), 0.1))
        assert late.value.unavailable
        assert anyio.current_time() - began < 5
        (pid,) = await database.fetch(Statement(b"SELECT pg_backend_pid()::text", 1), ())
        assert await database.perform(Fetch(ECHO, (b"hello",), 5.0)) == (b"hello",)
        assert await database.fetch(Statement(b"SELECT pg_backend_pid()::text", 1), ()) == (pid,)


async def test_a_server_that_has_stopped_answering_is_given_up(module_database_url: str) -> None:
    seen: list[Observation] = []
    async with opened(module_database_url, seen, max_size=1, recovery_timeout=0.2) as database:
        (pid,) = await database.fetch(Statement(b"SELECT pg_backend_pid()::text", 1), ())
        os.kill(int(pid or b""), signal.SIGSTOP)
        try:
            with pytest.raises(DatabaseError, match="did not answer"):
                await database.perform(Fetch(ECHO, (b"hello",), 0.1))
            assert await database.perform(Fetch(ECHO, (b"hello",), 5.0)) == (b"hello",)
        finally:
            os.kill(int(pid or b""), signal.SIGCONT)
        assert [type(each) for each in seen] == [ConnectionOpened, ConnectionLost, ConnectionOpened]
