"""Transactions under asyncio and trio: cancellations, losses, places at a gate, connections that come back clean."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from fraiseql.effects import (
    Execute,
    Fetch,
    Program,
    Settings,
    Statement,
    begin,
    call,
    commit,
    execute,
    fetch,
    rollback,
)
from fraiseql.errors import DatabaseError
from fraiseql.limits import PoolLimits, SubscriptionLimits
from fraiseql.observations import ConnectionLost, Observation
from fraiseql.postgres import cleaning
from fraiseql.runtimes.anyio.database import Database
from fraiseql.runtimes.anyio.performing import Performer
from fraiseql.runtimes.anyio.programs import Run, run_program
from fraiseql.runtimes.operations import Gate
from fraiseql.testing.embedded import EmbeddedPostgres

pytestmark = pytest.mark.anyio

ONE = Statement(b"SELECT 1", 1)
INSERT = Statement(b"INSERT INTO notes VALUES ($1::int) RETURNING id", 1)
COUNT = Statement(b"SELECT count(*) FROM notes", 1)
SLEEP = Statement(b"SELECT pg_sleep($1::float8)", 1)
PREPARED = Statement(b"SELECT count(*) FROM pg_prepared_statements WHERE from_sql", 1)
PID = Statement(b"SELECT pg_backend_pid()", 1)
TOLD: Settings = ((b"app.tenant", b"acme"),)


class Server:
    """A database with an empty table, and what is seen of it from outside."""

    def __init__(self, postgres: EmbeddedPostgres, url: str) -> None:
        self.postgres = postgres
        self.url = url
        self.name = url.rpartition("=")[2]

    def sql(self, text: str) -> Any:
        return self.postgres.execute(text, self.name)

    def ids(self) -> list[int]:
        return [id for (id,) in self.sql("SELECT id FROM notes ORDER BY id")]

    def in_transaction(self) -> int:
        ((count,),) = self.sql(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
            " AND datname = current_database()"
        )
        return int(count)

    async def until(self, wait_event: str) -> int:
        """The backend that waits so."""
        with anyio.fail_after(10):
            while True:
                found = self.sql(
                    f"SELECT pid FROM pg_stat_activity WHERE wait_event = '{wait_event}'"
                    " AND datname = current_database() AND backend_type = 'client backend'"
                )
                if found:
                    return int(found[0][0])
                await anyio.sleep(0.005)


@pytest.fixture
def server(postgres: EmbeddedPostgres, module_database_url: str) -> Iterator[Server]:
    server = Server(postgres, module_database_url)
    server.sql("CREATE TABLE IF NOT EXISTS notes (id int PRIMARY KEY)")
    server.sql("TRUNCATE notes")
    yield server
    for _ in range(500):
        if not postgres.backend_pids(server.name):
            return
    raise AssertionError("connections are left")


@asynccontextmanager
async def opened(server: Server, **limits: float) -> AsyncIterator[Database]:
    database = Database(server.url, PoolLimits(**limits))  # type: ignore[arg-type]
    await database.start()
    try:
        yield database
    finally:
        with anyio.fail_after(10, shield=True):
            await database.aclose()
        assert database.pool.size == 0


async def perform(database: Database, program: Program[Any], run: Run | None = None) -> Any:
    performer = Performer(database, None, None, SubscriptionLimits(), lambda observation: None)  # type: ignore[arg-type]
    return await run_program(program, performer, run or Run())


def insert(id: int, transaction: Any, **options: Any) -> Program[Any]:
    return (yield from fetch(INSERT, (b"%d" % id,), transaction=transaction, **options))


def inserts(*ids: int, ending: Callable[[Any], Program[None]] | None = commit) -> Program[None]:
    transaction = yield from begin()
    for id in ids:
        yield from insert(id, transaction)
    if ending is not None:
        yield from ending(transaction)


async def test_what_is_committed_stays_and_what_is_not_does_not(server: Server) -> None:
    async with opened(server, max_size=1) as database:
        await perform(database, inserts(1, 2))
        await perform(database, inserts(3, ending=rollback))
        await perform(database, inserts(4, ending=None))  # the program's end rolls it back
        with pytest.raises(DatabaseError, match="duplicate"):
            await perform(database, inserts(5, 5))
        assert server.ids() == [1, 2]
        assert (database.pool.size, database.pool.idle) == (1, 1), "the connection is kept"
        assert server.in_transaction() == 0


async def test_a_transaction_that_has_not_begun_sends_nothing(server: Server) -> None:
    async with opened(server, max_size=1) as database:
        await database.fetch(ONE, ())
        (connection,) = database.connections
        read, write = os.pipe()
        connection.pgconn.trace(write)
        for ending in (commit, rollback, None):
            await perform(database, inserts(ending=ending))
        connection.pgconn.untrace()
        os.close(write)
        with os.fdopen(read) as trace:
            assert trace.read() == ""
        assert database.pool.idle == 1


async def test_a_handle_that_has_ended(server: Server) -> None:
    async with opened(server) as database:
        for first in ("commit", "rollback"):
            transaction = await database.begin()
            await getattr(transaction, first)()
            await transaction.rollback()
            for late in (transaction.commit(), transaction.fetch(Fetch(ONE, ())), transaction.execute(Execute(""))):
                with pytest.raises(DatabaseError) as caught:
                    await late
                assert (caught.value.sqlstate, str(caught.value)) == ("25P01", "the transaction has ended")
        assert database.pool.granted == 0


async def test_statements_at_once_take_turns(server: Server) -> None:
    """Resolvers that run side by side share one transaction."""
    async with opened(server) as database:
        transaction = await database.begin()
        found = []

        async def ask(number: int) -> None:
            row = await database.perform(
                Fetch(Statement(b"SELECT $1::text, pg_sleep(0.001)", 2), (b"%d" % number,), transaction=transaction)
            )
            found.append((row[0], b"%d" % number))

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(ask, number)
        assert len(found) == 20
        assert all(got == wanted for got, wanted in found)
        await transaction.commit()
        assert database.pool.size == 1


async def test_a_users_statement_in_and_outside_of_a_transaction(server: Server) -> None:
    def program() -> Program[Any]:
        transaction = yield from begin()
        told = yield from execute(
            Execute("SELECT current_setting('app.tenant'), $1::int", (5,), settings=TOLD, transaction=transaction)
        )
        yield from execute(Execute("INSERT INTO notes VALUES ($1)", (7,), transaction=transaction))
        outside = yield from execute(Execute("SELECT count(*) FROM notes"))
        yield from commit(transaction)
        after = yield from execute(Execute("SELECT count(*), current_setting('app.tenant', true) FROM notes"))
        return told.rows, outside.rows, after.rows

    async with opened(server, max_size=2) as database:
        assert await perform(database, program()) == ([("acme", 5)], [(0,)], [(1, "")])


async def test_a_result_that_cannot_be_told_does_not_undo_its_statement(server: Server) -> None:
    async with opened(server, max_size=1) as database:
        with pytest.raises(DatabaseError, match="was carried out") as caught:
            await database.execute(Execute("INSERT INTO notes VALUES (1) RETURNING 'infinity'::timestamptz"))
        assert caught.value.sqlstate == "22000"
        assert server.ids() == [1]


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize(
    "sql", ["COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "BEGIN", "; COMMIT AND CHAIN", "/* /* */ */ COMMIT AND CHAIN"]
)
async def test_a_transaction_that_a_statement_ends_behind_our_back(server: Server, sql: str, guarded: bool) -> None:
    async with opened(server, max_size=1) as database:
        transaction = await database.begin()
        await transaction.fetch(Fetch(INSERT, (b"1",)))
        with pytest.raises(DatabaseError) as caught:
            await transaction.execute(Execute(sql, guarded=guarded))
        assert caught.value.sqlstate == "2D000"
        assert database.pool.granted == 0
        with pytest.raises(DatabaseError) as caught:
            await transaction.commit()
        assert caught.value.sqlstate == "2D000", "what went before may be committed"
        assert await database.fetch(ONE, ()) == (b"1",)
        assert server.in_transaction() == 0


@pytest.mark.parametrize("guarded", [False, True])
async def test_a_transaction_that_ends_with_an_error_is_over(server: Server, guarded: bool) -> None:
    """Its PREPARE TRANSACTION or COMMIT is refused, and the error caught: what went before is gone."""
    async with opened(server, max_size=1) as database:
        for sql in ("PREPARE TRANSACTION 'x'", "COMMIT"):
            server.sql("CREATE TABLE IF NOT EXISTS links (id int REFERENCES notes DEFERRABLE INITIALLY DEFERRED)")
            transaction = await database.begin()
            await transaction.fetch(Fetch(INSERT, (b"1",)))
            await transaction.execute(Execute("INSERT INTO links VALUES (2)"))
            with pytest.raises(DatabaseError) as refused:
                await transaction.execute(Execute(sql, guarded=guarded))
            for late in (transaction.fetch(Fetch(INSERT, (b"3",))), transaction.commit()):
                with pytest.raises(DatabaseError) as caught:
                    await late
                assert caught.value.sqlstate == "25P02"
                assert str(refused.value) in str(caught.value)
            assert server.ids() == []
        server.sql("DROP TABLE links")


async def test_what_a_user_leaves_reaches_nobody(server: Server) -> None:
    leaks = (
        "SET work_mem = '123kB'",
        "SELECT set_config('app.secret', 'x', false)",
        "SELECT pg_advisory_lock(42)",
        "LISTEN gossip",
        "CREATE TEMP TABLE mine (id int)",
        "PREPARE theirs AS SELECT 1",
        "DECLARE held CURSOR WITH HOLD FOR SELECT 1",
        "SET ROLE pg_read_all_data",
        "SET SESSION AUTHORIZATION pg_read_all_data",
    )
    look = Statement(
        b"SELECT current_setting('work_mem') <> '123kB' AND coalesce(current_setting('app.secret', true), '') = ''"
        b" AND NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())"
        b" AND NOT EXISTS (SELECT FROM pg_listening_channels()) AND to_regclass('pg_temp.mine') IS NULL"
        b" AND NOT EXISTS (SELECT FROM pg_prepared_statements WHERE from_sql)"
        b" AND NOT EXISTS (SELECT FROM pg_cursors WHERE name = 'held')"
        b" AND current_user = 'postgres' AND session_user = 'postgres'",
        1,
    )
    async with opened(server, max_size=1) as database:
        for sql in leaks:
            for ending in ("alone", "commit", "rollback", "cancelled"):
                if ending == "alone":
                    if "DECLARE" not in sql:
                        await database.execute(Execute(sql))
                elif ending == "cancelled":
                    with anyio.move_on_after(0.02):
                        transaction = await database.begin()
                        await transaction.execute(Execute(sql))
                        await transaction.fetch(Fetch(SLEEP, (b"60",)))
                else:
                    transaction = await database.begin()
                    await transaction.execute(Execute(sql))
                    await getattr(transaction, ending)()
                assert await database.fetch(look, ()) == (b"t",), (sql, ending)


@pytest.mark.parametrize("ending", ["alone", "rollback", "commit", "guarded", "cancelled"])
async def test_a_statement_that_fails_may_have_prepared_another(server: Server, ending: str) -> None:
    """PREPARE outlives the error, and the transaction."""
    fails = "DO $$ BEGIN EXECUTE 'PREPARE theirs AS SELECT 1'; PERFORM 1 / 0; END $$"
    lost: list[Observation] = []
    database = Database(server.url, PoolLimits(max_size=1), lost.append)
    await database.start()
    try:
        for sql in (fails, "DO 'BEGIN PERFORM 1 / 0; END'"):
            if ending == "alone":
                with pytest.raises(DatabaseError, match="division"):
                    await database.execute(Execute(sql))
            elif ending == "cancelled":
                async with anyio.create_task_group() as group:
                    group.start_soon(database.execute, Execute(sql.replace("1 / 0", "pg_sleep(60)")))
                    await server.until("PgSleep")
                    group.cancel_scope.cancel()
            else:
                transaction = await database.begin()
                with pytest.raises(DatabaseError, match="division"):
                    await transaction.execute(Execute(sql, guarded=ending == "guarded"))
                if ending == "rollback":
                    await transaction.rollback()
                elif ending == "guarded":
                    await transaction.commit()
                else:
                    with pytest.raises(DatabaseError):
                        await transaction.commit()
            assert await database.fetch(PREPARED, ()) == (b"0",)
    finally:
        await database.aclose()
    reasons = [each.reason for each in lost if isinstance(each, ConnectionLost)]
    assert reasons == ["a statement was prepared in it, and cannot be told to go without its name"]


@pytest.mark.parametrize("sql", ["COPY (SELECT 1) TO STDOUT", "COPY notes FROM STDIN"])
@pytest.mark.parametrize("place", ["alone", "transaction"])
async def test_copy_is_refused_and_the_log_says_why_its_connection_is_closed(
    server: Server, sql: str, place: str
) -> None:
    lost: list[Observation] = []
    database = Database(server.url, PoolLimits(max_size=1, recovery_timeout=0.2), lost.append)
    await database.start()
    try:
        effect = Execute(sql, transaction=await database.begin() if place == "transaction" else None)
        with pytest.raises(DatabaseError) as caught:
            await database.execute(effect)
        assert caught.value.sqlstate == "0A000"
        assert database.pool.size == 0
    finally:
        await database.aclose()
    assert [each.reason for each in lost if isinstance(each, ConnectionLost)] == [str(caught.value)]


async def test_the_log_says_what_ended_a_connection(server: Server) -> None:
    lost: list[Observation] = []
    database = Database(server.url, PoolLimits(max_size=1), lost.append)
    await database.start()
    try:
        transaction = await database.begin()
        with pytest.raises(DatabaseError):
            await transaction.execute(Execute("SELECT pg_terminate_backend(pg_backend_pid())"))
    finally:
        await database.aclose()
    (reason,) = [each.reason for each in lost if isinstance(each, ConnectionLost)]
    assert "terminating connection due to administrator command" in reason


async def test_a_users_statement_after_somebody_has_deallocated_ours(server: Server) -> None:
    server.sql(
        "CREATE OR REPLACE FUNCTION forget() RETURNS text LANGUAGE plpgsql AS"
        " $$ BEGIN DEALLOCATE ALL; RETURN 'done'; END $$"
    )
    forget, told = Statement(b"SELECT forget()", 1), "SELECT current_setting('app.tenant')"
    async with opened(server, max_size=1) as database:
        (pid,) = await database.fetch(PID, ())
        for _ in range(2):
            assert (await database.execute(Execute(told, settings=TOLD))).rows == [("acme",)]
            await database.fetch(forget, ())
            assert (await database.execute(Execute(told, settings=TOLD))).rows == [("acme",)]
            await database.perform(Fetch(forget, (), settings=TOLD))
            assert await database.perform(Fetch(ONE, (), settings=TOLD)) == (b"1",)
        assert await database.fetch(PID, ()) == (pid,)


async def test_a_transaction_that_deallocates_ours_succeeds_when_it_is_tried_again(server: Server) -> None:
    server.sql(
        "CREATE OR REPLACE FUNCTION forget() RETURNS text LANGUAGE plpgsql AS"
        " $$ BEGIN DEALLOCATE ALL; RETURN 'done'; END $$"
    )
    forget = Statement(b"SELECT forget()", 1)

    async def attempt(database: Database) -> None:
        transaction = await database.begin()
        try:
            await transaction.fetch(Fetch(INSERT, (b"1",), settings=TOLD))
            await transaction.fetch(Fetch(forget, (), settings=TOLD))
            await transaction.fetch(Fetch(COUNT, (), settings=TOLD))
        except BaseException:
            await transaction.rollback()
            raise
        await transaction.commit(TOLD)

    async with opened(server, max_size=1) as database:
        with pytest.raises(DatabaseError) as caught:
            await attempt(database)
        assert caught.value.sqlstate == "40001"
        await attempt(database)
        assert server.ids() == [1]


async def test_a_cleaning_that_takes_too_long_costs_the_connection_and_not_the_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaning, "_COMMANDS", (*cleaning._COMMANDS, b"SELECT pg_sleep(1)"))
    async with opened(server, max_size=1, recovery_timeout=0.2) as database:
        with anyio.fail_after(5):
            await perform(database, inserts(1))
        assert database.pool.size == 0
        assert (await database.execute(Execute("SELECT 5"))).rows == [(5,)]
        assert database.pool.size == 0
        assert server.ids() == [1]


async def test_a_cleaning_that_fails_costs_the_connection(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "_COMMANDS", (*cleaning._COMMANDS, b"SELECT 1 / 0"))
    async with opened(server, max_size=1) as database:
        await perform(database, inserts(1))
        assert database.pool.size == 0
        assert server.ids() == [1]


# -- cancellation and time ---------------------------------------------------------------------------------------------


async def test_a_program_that_is_cancelled_is_rolled_back(server: Server) -> None:
    async def nothing_happens() -> None:
        await anyio.sleep_forever()

    def sleeping() -> Program[None]:
        transaction = yield from begin()
        yield from insert(1, transaction)
        yield from fetch(SLEEP, (b"60",), transaction=transaction)

    def elsewhere() -> Program[None]:
        transaction = yield from begin()
        yield from insert(1, transaction)
        yield from call(nothing_happens)

    async with opened(server, max_size=1) as database:
        for program in (sleeping, elsewhere):
            with anyio.move_on_after(0.2):
                await perform(database, program())
            assert (database.pool.size, database.pool.idle) == (1, 1)
            assert server.in_transaction() == 0
        assert server.ids() == []


async def test_with_an_older_libpq_a_cancelled_statement_costs_its_connection(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fraiseql.runtimes.links.CAN_CANCEL", False)
    async with opened(server, max_size=1) as database:
        transaction = await database.begin()
        await transaction.fetch(Fetch(INSERT, (b"1",)))
        with anyio.move_on_after(0.05):
            await transaction.fetch(Fetch(SLEEP, (b"0.3",)))
        assert database.pool.size == 0
        await perform(database, inserts(2))
        assert database.pool.size == 1, "there is nothing to cancel at the end of a transaction"


async def test_a_statement_that_takes_too_long_ends_the_transaction(server: Server) -> None:
    async with opened(server, max_size=1) as database:
        transaction = await database.begin()
        await transaction.fetch(Fetch(INSERT, (b"1",)))
        with pytest.raises(DatabaseError, match="did not answer") as caught:
            await database.perform(Fetch(SLEEP, (b"60",), 0.05, transaction=transaction))
        assert caught.value.unavailable
        assert database.pool.granted == 0
        with pytest.raises(DatabaseError) as caught:
            await transaction.commit()
        assert (caught.value.sqlstate, caught.value.retryable) == ("08006", True)
        with pytest.raises(DatabaseError, match="did not answer") as caught:
            await database.execute(Execute("SELECT pg_sleep(60)", timeout=0.05))
        assert (caught.value.sqlstate, caught.value.retryable) == ("08007", False), "it may have been done"
        assert server.ids() == []


async def test_a_server_that_has_stopped_answering_is_given_up(server: Server) -> None:
    async with opened(server, max_size=1, recovery_timeout=0.2) as database:
        transaction = await database.begin()
        (pid,) = await transaction.fetch(Fetch(PID, ()))
        os.kill(int(pid or b""), signal.SIGSTOP)
        try:
            with anyio.fail_after(5):
                await transaction.rollback()
            assert database.pool.size == 0
            assert await database.fetch(ONE, ()) == (b"1",)
        finally:
            os.kill(int(pid or b""), signal.SIGCONT)


@pytest.mark.parametrize("seed", range(3))
async def test_a_storm_of_cancellations_leaves_no_stray_result_and_no_open_transaction(
    server: Server, seed: int
) -> None:
    chance = random.Random(seed)
    answered: set[int] = set()

    def program(number: int) -> Program[None]:
        echo = Statement(b"SELECT $1::text, current_setting('app.tenant'), pg_sleep($2::float8)", 3)
        told: Settings = ((b"app.tenant", b"%d" % number),)
        seconds = b"%f" % chance.choice([0, 0, 0.001, 0.01])
        row = yield from fetch(echo, (b"%d" % number, seconds), settings=told)
        assert row == (b"%d" % number, b"%d" % number, b"")
        transaction = yield from begin()
        yield from insert(number, transaction, settings=told, guarded=chance.random() < 0.3)
        row = yield from fetch(echo, (b"%d" % number, seconds), settings=told, transaction=transaction)
        assert row == (b"%d" % number, b"%d" % number, b"")
        result = yield from execute(Execute("SELECT $1::int", (number,), transaction=transaction))
        assert result.rows == [(number,)]
        if chance.random() < 0.2:
            yield from rollback(transaction)
        else:
            yield from commit(transaction)
            answered.add(number)
        result = yield from execute(Execute("SELECT $1::int", (number,)))
        assert result.rows == [(number,)]

    async def ask(number: int) -> None:
        with anyio.move_on_after(chance.expovariate(8)):
            await perform(database, program(number), Run(gate=gate))

    async with opened(server, max_size=5, recovery_timeout=5.0) as database:
        gate = Gate(8)
        async with anyio.create_task_group() as group:
            for number in range(250):
                group.start_soon(ask, number)
                if chance.random() < 0.3:
                    await anyio.sleep(chance.random() / 50)
        assert (database.pool.granted, database.pool.waiting, gate.free) == (0, 0, 8)
        assert server.in_transaction() == 0
        assert database.pool.size <= 5
        assert await database.fetch(ONE, ()) == (b"1",)
    assert answered <= set(server.ids()), "an acknowledged write is lost"
    assert answered


# -- the gate, and the end of the database -----------------------------------------------------------------------------


async def test_a_transaction_holds_its_place_and_its_program_waits_for_no_other(server: Server) -> None:
    def program() -> Program[None]:
        transaction = yield from begin()
        yield from insert(1, transaction)
        assert gate.free == 0
        yield from fetch(ONE, ())
        yield from execute(Execute("SELECT 1"))
        other = yield from begin()
        yield from fetch(ONE, (), transaction=other)
        yield from commit(other)
        assert gate.free == 0
        yield from commit(transaction)
        assert gate.free == 1
        yield from fetch(ONE, ())

    async with opened(server, max_size=2) as database:
        gate = Gate(1)
        with anyio.fail_after(5):
            await perform(database, program(), Run(gate=gate))
            async with anyio.create_task_group() as group:
                for number in range(2, 8):
                    group.start_soon(perform, database, inserts(number), Run(gate=gate))
        assert gate.free == 1
        assert server.ids() == list(range(1, 8))


async def test_a_place_is_free_again_where_no_connection_is_to_be_had(server: Server) -> None:
    async with opened(server, max_size=1, acquire_timeout=1.0) as database:
        gate = Gate(1)
        held = await database.begin()
        with pytest.raises(DatabaseError) as caught:
            await perform(database, inserts(1), Run(gate=gate))
        assert (caught.value.sqlstate, gate.free) == ("53300", 1)
        await held.rollback()


async def test_closing_waits_for_transactions(server: Server) -> None:
    async with opened(server) as database:
        transaction = await database.begin()
        await transaction.fetch(Fetch(INSERT, (b"1",)))
        async with anyio.create_task_group() as group:
            group.start_soon(database.aclose)
            await anyio.lowlevel.checkpoint()
            with pytest.raises(DatabaseError, match="being closed"):
                await database.begin()
            await transaction.fetch(Fetch(INSERT, (b"2",)))
            await transaction.commit()
        assert server.ids() == [1, 2]


@pytest.mark.parametrize("is_busy", [False, True])
async def test_a_cancelled_closing_cuts_transactions(server: Server, is_busy: bool) -> None:
    errors: list[str] = []

    async def sleep() -> None:
        try:
            await transaction.fetch(Fetch(SLEEP, (b"60",)))
        except DatabaseError as error:
            errors.append(error.sqlstate)

    async with opened(server) as database:
        transaction = await database.begin()
        await transaction.fetch(Fetch(INSERT, (b"1",)))
        async with anyio.create_task_group() as group:
            if is_busy:
                group.start_soon(sleep)
                await server.until("PgSleep")
            with anyio.fail_after(5), anyio.move_on_after(0.05):
                await database.aclose()
        assert database.pool.size == 0
        assert not transaction.is_open
        with pytest.raises(DatabaseError) as caught:
            await transaction.commit()
        assert caught.value.unavailable
        assert errors == (["08006"] if is_busy else [])
    assert server.ids() == []


# -- lost backends -----------------------------------------------------------------------------------------------------


@pytest.fixture
def slow_commit(server: Server) -> Iterator[None]:
    """The commit of a transaction that wrote takes a minute."""
    server.sql(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$"
    )
    server.sql(
        "CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION dawdle()"
    )
    yield
    server.sql("DROP FUNCTION dawdle CASCADE")


@pytest.mark.parametrize("ending", ["kill", "terminate"])
async def test_a_backend_that_dies_in_the_commit(server: Server, slow_commit: None, ending: str) -> None:
    errors: list[DatabaseError] = []

    async def ask() -> None:
        try:
            await perform(database, inserts(1))
        except DatabaseError as error:
            errors.append(error)

    async with opened(server, max_size=2) as database:
        async with anyio.create_task_group() as group:
            group.start_soon(ask)
            pid = await server.until("PgSleep")
            if ending == "kill":
                server.postgres.kill_backend(pid)
            else:
                server.sql(f"SELECT pg_terminate_backend({pid})")
        assert [(error.sqlstate, error.retryable) for error in errors] == [("08007", False)]
        assert await database.fetch(COUNT, ()) == (b"0",)


@pytest.mark.parametrize("what", ["commit", "statement"])
async def test_cut_off_by_the_closing_while_it_may_be_committed(server: Server, slow_commit: None, what: str) -> None:
    errors: list[DatabaseError] = []

    async def ask() -> None:
        try:
            if what == "commit":
                await perform(database, inserts(1))
            else:
                await database.execute(Execute("INSERT INTO notes VALUES (1)"))
        except DatabaseError as error:
            errors.append(error)

    async with opened(server, max_size=2) as database, anyio.create_task_group() as group:
        group.start_soon(ask)
        pid = await server.until("PgSleep")
        with anyio.move_on_after(0.05):
            await database.aclose()
    assert [(error.sqlstate, error.retryable) for error in errors] == [("08007", False)]
    server.sql(f"SELECT pg_terminate_backend({pid}, 5000)")


async def test_cancelled_in_the_commit(server: Server, slow_commit: None) -> None:
    async with opened(server, max_size=1) as database:
        async with anyio.create_task_group() as group:
            group.start_soon(perform, database, inserts(1))
            await server.until("PgSleep")
            group.cancel_scope.cancel()
        assert (database.pool.size, database.pool.idle) == (1, 1)
        assert server.ids() == []


@pytest.mark.parametrize("seed", range(2))
async def test_what_is_told_is_what_is_there_whatever_dies(server: Server, seed: int) -> None:
    """Backends are terminated at random, one is killed: what was acknowledged is there, what failed is not."""
    chance = random.Random(seed)
    told: dict[int, str] = {}

    async def write(number: int) -> None:
        try:
            await perform(database, inserts(number))
            told[number] = "yes"
        except DatabaseError as error:
            told[number] = "unknown" if error.sqlstate == "08007" else "no"

    async def ask(numbers: range) -> None:
        for number in numbers:
            await write(number)

    async with opened(server, max_size=4, backoff_initial=0.01) as database:
        async with anyio.create_task_group() as group:
            for first in range(0, 400, 100):
                group.start_soon(ask, range(first, first + 100))
            for count in range(12):
                await anyio.sleep(chance.random() / 20)
                pids = [connection.backend_pid for connection in database.connections]
                if count == 6 and pids:
                    with contextlib.suppress(ValueError):  # it has gone meanwhile
                        server.postgres.kill_backend(chance.choice(pids))
                elif pids and count < 6:
                    server.sql(f"SELECT pg_terminate_backend({chance.choice(pids)})")
        there = set(server.ids())
        assert len(told) == 400
        assert {number for number, answer in told.items() if answer == "yes"} <= there
        assert not {number for number, answer in told.items() if answer == "no"} & there
        assert list(told.values()).count("yes") > 100
        assert server.in_transaction() == 0
