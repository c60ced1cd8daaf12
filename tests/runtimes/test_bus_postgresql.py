"""The bus through PostgreSQL, under asyncio and trio: what is delivered, in which order, and over which troubles."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import psycopg
import pytest

from fraiseql.bus import EventBus, EventStream, invalidate, statements
from fraiseql.bus.ddl import outbox_sql
from fraiseql.bus.statements import Page
from fraiseql.effects import Absent, Event, EventSource, Fetch, Row
from fraiseql.errors import DatabaseError, RequestError, StartupError
from fraiseql.limits import PoolLimits, SubscriptionLimits
from fraiseql.observations import ConnectionLost, Observation, OutboxPurged, OutboxPurgeFailed, ReconnectFailed
from fraiseql.runtimes.anyio.bus import connect_bus, outbox, reading
from fraiseql.runtimes.anyio.bus.outbox import RunningPostgresqlBus
from fraiseql.runtimes.anyio.database import Database
from fraiseql.testing.embedded import EmbeddedPostgres
from runtimes.bus_writers import Writers

pytestmark = pytest.mark.anyio

QUIET = 0.15  # seconds in which nothing may come


@pytest.fixture
def outbox_url(database_url: str) -> str:
    """A database with an empty outbox."""
    with psycopg.connect(database_url) as connection:
        connection.execute(outbox_sql(EventBus.postgresql()).encode())
    return database_url


@asynccontextmanager
async def running(
    conninfo: str,
    seen: list[Observation] | None = None,
    *,
    patience: float = 20.0,
    pool: PoolLimits | None = None,
    **limits: float,
) -> AsyncIterator[RunningPostgresqlBus]:
    observe = [].append if seen is None else seen.append
    database = Database(conninfo, pool, observe)
    await database.start()
    bus = connect_bus(EventBus.postgresql(), database, SubscriptionLimits(**limits), observe)  # type: ignore[arg-type]
    assert isinstance(bus, RunningPostgresqlBus)
    await bus.start()
    try:
        with anyio.fail_after(patience):
            yield bus
    finally:
        with anyio.fail_after(10, shield=True):
            await bus.aclose()
            await database.aclose()


def source(*topics: str, **options: Any) -> EventSource:
    return EventSource(frozenset(topics), **options)


async def take(stream: EventStream, count: int, timeout: float = 10.0) -> list[Event]:
    """So many events, or fewer where no more came in time."""
    events: list[Event] = []
    while len(events) < count:
        item = await stream.next(timeout)
        if isinstance(item, Absent):
            break
        events += item
    return events


def payloads(events: list[Event]) -> list[Any]:
    return [event.payload for event in events]


async def in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    return await anyio.to_thread.run_sync(partial(function, *arguments), abandon_on_cancel=True)


def listening_backend(postgres: EmbeddedPostgres, conninfo: str) -> int:
    name = conninfo.rpartition("=")[2]
    # A statement of the reader is the last thing that the listening connection has run.
    query = (
        "SELECT pid FROM pg_stat_activity"
        f" WHERE datname = '{name}' AND query LIKE '%pg_snapshot_xmin%' AND pid <> pg_backend_pid()"
    )
    ((pid,),) = postgres.execute(query)
    return int(pid)


async def test_what_is_published_arrives_with_its_cursor(outbox_url: str) -> None:
    async with running(outbox_url) as bus:
        await bus.check()
        stream = await bus.open(source("a", "b"))
        first = await bus.publish("a", {"n": 1})
        await bus.publish("c", {"n": 2})
        last = await bus.publish([Event("b", "two"), Event("a", [None, 1.5, "é"])])
        events = await take(stream, 3)
        assert payloads(events) == [{"n": 1}, "two", [None, 1.5, "é"]]
        assert [events[0].cursor, events[-1].cursor] == [first, last]
        assert [event.topic for event in events] == ["a", "b", "a"]
        assert await stream.next(0) is Absent.TIMED_OUT
        stream.close()
        assert await stream.next() is Absent.ENDED


async def test_what_was_committed_before_does_not_come(outbox_url: str) -> None:
    async with running(outbox_url) as bus:
        await bus.publish("a", "before")
        stream = await bus.open(source("a"))
        await bus.publish("a", "after")
        assert payloads(await take(stream, 1)) == ["after"]


async def test_several_processes_each_see_everything(outbox_url: str) -> None:
    async with running(outbox_url) as one, running(outbox_url) as two:
        streams = [await one.open(source("a")), await two.open(source("a"))]
        for n in range(10):
            await (one, two)[n % 2].publish("a", n)
        assert [payloads(await take(stream, 10)) for stream in streams] == [list(range(10))] * 2


async def test_a_subscription_gives_events_one_by_one(outbox_url: str) -> None:
    async with running(outbox_url) as bus:
        async with bus.subscribe("a", tenant="x") as events:
            await bus.publish(Event("a", 1, tenant="x"))
            await bus.publish([Event("a", 2, tenant="y"), Event("a", 3)])
            assert [(await anext(events)).payload, (await anext(events)).payload] == [1, 3]
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        resume_at = event_cursor(await bus.publish("a", 4))
        await bus.publish("a", 5)
        async for event in bus.subscribe("a", after=resume_at):
            assert event.payload == 5
            break


def event_cursor(cursor: str | None) -> str:
    assert cursor is not None
    return cursor


async def test_of_tenants_and_users_each_sees_his_own_and_everybodys(outbox_url: str) -> None:
    events = [Event("a", f"{tenant} {user}", tenant, user) for tenant in (None, "x", "y") for user in (None, "u", "v")]
    async with running(outbox_url) as bus:
        start = event_cursor(await bus.publish("a"))
        await bus.publish(events)
        for tenant in (None, "x", "y", "z"):
            for user in (None, "u"):
                stream = await bus.open(source("a", tenant=tenant, user=user, after=start))
                expected = [e.payload for e in events if e.tenant in {None, tenant} and e.user in {None, user}]
                assert payloads(await take(stream, len(expected) + 1, QUIET / 3)) == expected


async def test_every_cursor_resumes_exactly_behind_its_event(outbox_url: str) -> None:
    async with running(outbox_url) as bus:
        cursors = [event_cursor(await bus.publish("ab"[n % 2], n)) for n in range(20)]
        streams = [await bus.open(source("a", after=cursor)) for cursor in cursors]
        await bus.publish([Event("b", 20), Event("a", 21)])
        for n, stream in enumerate(streams):
            expected = [*[number for number in range(n + 1, 20) if number % 2 == 0], 21]
            assert payloads(await take(stream, len(expected))) == expected
            assert await stream.next(0) is Absent.TIMED_OUT


async def test_a_long_history_is_resumed_in_pages(outbox_url: str) -> None:
    async with running(outbox_url) as bus:
        start = event_cursor(await bus.publish("a"))
        await bus.publish([Event("ab"[n % 2], n) for n in range(5_000)])
        await bus.publish("b", "large" * 500_000)
        await bus.publish("b", "large" * 500_000)
        await bus.publish("a", "last")
        stream = await bus.open(source("a", after=start))
        assert payloads(await take(stream, 2_501)) == [*range(0, 5_000, 2), "last"]


async def test_pages_are_bounded_by_what_comes_over_the_wire(outbox_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million equal characters are stored in twelve thousand bytes."""
    sizes: list[int] = []

    def read_page(fetch: Fetch, row: Row) -> Page:
        sizes.append(len(row[0] or b""))
        return statements.read_page(fetch, row)

    monkeypatch.setattr(reading, "read_page", read_page)
    monkeypatch.setattr(outbox, "read_page", read_page)
    publish = "SELECT count(fraiseql_publish(%s, to_jsonb(repeat('a', %s)))) FROM generate_series(1, %s)"
    async with running(outbox_url) as bus:
        start = event_cursor(await bus.publish("a", "start"))
        stream = await bus.open(source("a"))
        with psycopg.connect(outbox_url) as connection:
            for row in (("a", 1_000_000, 10), ("unwanted", 1_000_000, 50), ("a", 6_000_000, 2), ("a", 1, 1)):
                connection.execute(publish, row)
        resumed = await bus.open(source("a", after=start))
        for each in (stream, resumed):
            events = await take(each, 13)
            assert [len(event.payload) for event in events] == [1_000_000] * 10 + [6_000_000] * 2 + [1]
    assert max(sizes) < 6_001_000
    assert sum(sizes) < 2 * 22_100_000


async def test_a_stream_that_is_opened_while_a_read_is_under_way_misses_nothing(
    outbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That read does not ask for its topic."""
    at_it, go_on = anyio.Event(), anyio.Event()
    ask = reading.Reading._ask

    async def slow(self: reading.Reading, fetch: Fetch) -> Row:
        at_it.set()
        await go_on.wait()
        return await ask(self, fetch)

    async with running(outbox_url) as bus:
        first = await bus.open(source("a"))
        await bus.publish("a", 0)
        assert payloads(await take(first, 1)) == [0]
        monkeypatch.setattr(reading.Reading, "_ask", slow)
        await bus.publish("a", 1)
        await at_it.wait()
        late = await bus.open(source("b"))
        resumed = await bus.open(source("b", "a", after=event_cursor(await bus.publish("b", 2))))
        await bus.publish([Event("b", 3), Event("a", 4)])
        go_on.set()
        assert payloads(await take(first, 2)) == [1, 4]
        assert payloads(await take(late, 2)) == [2, 3]
        assert payloads(await take(resumed, 2)) == [3, 4]
        await bus.publish([Event("b", 5), Event("a", 6)])
        assert payloads(await take(first, 1)) == [6]
        assert payloads(await take(late, 1)) == [5]
        assert payloads(await take(resumed, 2)) == [5, 6]


async def test_a_cursor_that_was_just_given_is_one_whoever_else_writes(outbox_url: str) -> None:
    async with running(outbox_url) as bus:
        with psycopg.connect(outbox_url) as older:
            older.execute("SELECT pg_current_xact_id()")
            first = event_cursor(await bus.publish("a", 1))
            resumed = await bus.open(source("a", after=first))
            await bus.publish("a", 2)
            assert await resumed.next(QUIET) is Absent.TIMED_OUT, "what comes before it may still be committed"
        assert payloads(await take(resumed, 1)) == [2]
        xid = int(first.partition(".")[0])
        with pytest.raises(RequestError) as caught:
            await bus.open(source("a", after=f"{xid + 1_000}.1"))
        assert caught.value.code == "BAD_USER_INPUT"


async def test_a_floor_without_its_row(outbox_url: str) -> None:
    async with running(outbox_url, outbox_poll=0.05) as bus:
        stream = await bus.open(source("a"))
        cursor = event_cursor(await bus.publish("a"))
        await take(stream, 1)
        with psycopg.connect(outbox_url) as connection:
            connection.execute("DELETE FROM fraiseql_outbox_floor")
        lost = "lost its row.* run `fraiseql outbox` again"
        with pytest.raises(DatabaseError, match=lost):
            await stream.next(5)
        for after in (None, cursor):
            with pytest.raises(DatabaseError, match=lost) as caught:
                await bus.open(source("a", after=after))
            assert not caught.value.retryable
        with pytest.raises(StartupError, match=lost):
            await bus.check()
        with psycopg.connect(outbox_url) as connection:
            connection.execute(outbox_sql(EventBus.postgresql()).encode())
        stream = await bus.open(source("a"))
        await bus.publish("a", 1)
        assert payloads(await take(stream, 1)) == [1]


@pytest.mark.parametrize(
    "cursor", ["", "x", "1", "1.", "1.2.3", "-1.2", "01.2", "1.2 ", "99999999999999999999.1", "1.9e9"]
)
async def test_what_is_no_cursor_is_refused(outbox_url: str, cursor: str) -> None:
    async with running(outbox_url) as bus:
        with pytest.raises(RequestError) as caught:
            await bus.open(source("a", after=cursor))
        assert caught.value.code == "BAD_USER_INPUT"


async def test_the_cursor_of_another_database_is_refused(outbox_url: str) -> None:
    async with running(outbox_url) as bus:
        for cursor, code in (("18446744073709551615.1", "BAD_USER_INPUT"), ("1.1", "CURSOR_EXPIRED")):
            with pytest.raises(RequestError) as caught:
                await bus.open(source("a", after=cursor))
            assert caught.value.code == code


async def test_transactions_that_commit_out_of_sequence(outbox_url: str) -> None:
    async with running(outbox_url) as bus:
        stream = await bus.open(source("a"))
        with psycopg.connect(outbox_url) as early, psycopg.connect(outbox_url) as late:
            early.execute("SELECT fraiseql_publish('a', '1')")
            late.execute("SELECT fraiseql_publish('a', '2')")
            late.commit()
            assert await stream.next(QUIET) is Absent.TIMED_OUT, "what comes before it may still be committed"
            early.commit()
        assert payloads(await take(stream, 2)) == [1, 2]


async def test_a_transaction_that_does_not_notify_ends(outbox_url: str) -> None:
    """Its end releases events, but tells nobody."""
    async with running(outbox_url, outbox_poll=60.0) as bus:
        stream = await bus.open(source("a"))
        with psycopg.connect(outbox_url) as long:
            long.execute("SELECT pg_current_xact_id()")
            await bus.publish("a", 1)
            assert await stream.next(QUIET) is Absent.TIMED_OUT
            long.rollback()
        assert payloads(await take(stream, 1, timeout=2)) == [1]


async def test_the_outbox_is_read_without_notifications_too(outbox_url: str) -> None:
    async with running(outbox_url, outbox_poll=0.05) as bus:
        stream = await bus.open(source("a"))
        with psycopg.connect(outbox_url) as connection:
            connection.execute("ALTER TABLE fraiseql_outbox DISABLE TRIGGER fraiseql_notify")
            connection.execute("SELECT fraiseql_publish('a', '1')")
        assert payloads(await take(stream, 1)) == [1]


async def test_a_slow_stream_reads_again_what_it_had_no_room_for(outbox_url: str) -> None:
    async with running(outbox_url, max_buffered=10) as bus:
        slow, fast = await bus.open(source("a")), await bus.open(source("a", "b"))
        for n in range(0, 100, 5):
            await bus.publish([Event("a", n + k) for k in range(5)])
            assert len(await take(fast, 5)) == 5
        await bus.publish("b")
        await take(fast, 1)
        assert payloads(await take(slow, 100)) == list(range(100))
        for n in range(3):  # live again
            await bus.publish("a", n)
            assert payloads(await take(slow, 1)) == [n]
        assert await slow.next(0) is Absent.TIMED_OUT


async def test_a_slow_stream_loses_nothing_while_others_write(outbox_url: str) -> None:
    """It falls behind and catches up many times."""
    writers = Writers(outbox_url)
    received: list[Event] = []

    async def receive(stream: EventStream) -> None:
        while not isinstance(events := await stream.next(5), Absent):
            received.extend(events)
            if done and len(received) >= writers.total:
                return
            await anyio.sleep(0.01)

    done = False
    async with running(outbox_url, max_buffered=3) as bus, anyio.create_task_group() as group:
        group.start_soon(receive, await bus.open(source("written")))
        async with anyio.create_task_group() as writing:
            for writer in range(2):
                writing.start_soon(in_thread, writers.write, writer, 250)
        done = True
        await bus.publish("written", [0, 0])
    writers.check([event for event in received if event.payload != [0, 0]])


def nothing(postgres: EmbeddedPostgres, conninfo: str) -> None:
    """All goes well."""


def terminate(postgres: EmbeddedPostgres, conninfo: str) -> None:
    """Somebody ends the listening connection."""
    postgres.execute(f"SELECT pg_terminate_backend({listening_backend(postgres, conninfo)})")


def kill(postgres: EmbeddedPostgres, conninfo: str) -> None:
    """Its process is killed, upon which the server cuts all connections and recovers."""
    postgres.kill_backend(listening_backend(postgres, conninfo))


def restart(postgres: EmbeddedPostgres, conninfo: str) -> None:
    """The server is restarted."""
    postgres.restart()


def crash(postgres: EmbeddedPostgres, conninfo: str) -> None:
    """The server ends without writing anything more, and is started again."""
    os.kill(int((postgres.data_directory / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
    postgres.restart()


@pytest.mark.parametrize("trouble", [nothing, terminate, kill, restart, crash])
async def test_nothing_is_lost_or_doubled_whatever_happens(
    postgres: EmbeddedPostgres, outbox_url: str, trouble: Callable[[EmbeddedPostgres, str], None]
) -> None:
    writers = Writers(outbox_url)
    received: list[Event] = []
    async with running(outbox_url) as bus:
        stream = await bus.open(source("written"))
        async with anyio.create_task_group() as writing:
            for writer in range(4):
                writing.start_soon(in_thread, writers.write, writer, 400)
            received += await take(stream, 500)
            await in_thread(trouble, postgres, outbox_url)
            received += await take(stream, 500)
        received += await take(stream, writers.total - len(received))
        assert await stream.next(QUIET) is Absent.TIMED_OUT
        writers.check(received)
        resumed = await bus.open(source("written", after=received[700].cursor))
        assert await take(resumed, len(received) - 701) == received[701:]


async def test_a_crash_does_not_move_the_position_past_numbers_that_are_given_again(
    postgres: EmbeddedPostgres, outbox_url: str
) -> None:
    """A transaction's number that never reached the disk is given to another one after the crash."""
    async with running(outbox_url, outbox_poll=0.02) as bus:
        stream = await bus.open(source("a"))
        await bus.publish("a", 1)
        assert payloads(await take(stream, 1)) == [1]
        with psycopg.connect(outbox_url, autocommit=True) as connection:
            for _ in range(50):
                connection.execute("BEGIN; SELECT pg_current_xact_id(); ROLLBACK")
        await anyio.sleep(0.1)
        await in_thread(crash, postgres, outbox_url)
        with anyio.fail_after(10):
            while True:
                try:
                    await bus.publish("a", 2)
                    break
                except DatabaseError:
                    await anyio.sleep(0.05)
        assert payloads(await take(stream, 1)) == [2]


async def test_an_outage_that_lasts_ends_the_streams_and_a_later_one_can_be_opened(
    postgres: EmbeddedPostgres, outbox_url: str
) -> None:
    seen: list[Observation] = []
    name = outbox_url.rpartition("=")[2]
    async with running(outbox_url, seen, recovery_timeout=0.5) as bus:
        stream = await bus.open(source("a"))
        postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        with pytest.raises(DatabaseError):
            await stream.next(5)
        with pytest.raises(DatabaseError):
            await bus.open(source("a"))
        postgres.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        later = await bus.open(source("a"))
        await bus.publish("a", 1)
        assert payloads(await take(later, 1)) == [1]
    assert {ConnectionLost, ReconnectFailed} <= {type(observation) for observation in seen}


async def test_a_slow_stream_catches_up_over_a_restart(postgres: EmbeddedPostgres, outbox_url: str) -> None:
    received: list[Event] = []

    async def receive() -> None:
        received.extend(await take(slow, 5_000))

    async with running(outbox_url, max_buffered=10) as bus:
        slow, fast = await bus.open(source("a")), await bus.open(source("b"))
        await bus.publish([Event("a", n) for n in range(5_000)])
        await bus.publish("b")
        await take(fast, 1)
        async with anyio.create_task_group() as group:
            group.start_soon(in_thread, postgres.restart)
            while postgres.is_running:
                await anyio.sleep(0.001)
            group.start_soon(receive)
    assert payloads(received) == list(range(5_000))


async def test_a_stream_waits_for_the_database_only_so_long(
    postgres: EmbeddedPostgres, outbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_OPENING", 0.3)
    await in_thread(postgres._halt)
    try:
        async with running(outbox_url) as bus:
            with pytest.raises(DatabaseError, match="could not be reached in time: ") as caught:
                await bus.open(source("a"))
            assert caught.value.unavailable
    finally:
        postgres.restart()


async def test_a_connection_that_answers_no_more_is_replaced(
    postgres: EmbeddedPostgres, outbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_ANSWER_TIMEOUT", 0.3)
    async with running(outbox_url, outbox_poll=0.1) as bus:
        stream = await bus.open(source("a"))
        await bus.publish("a", 1)
        assert payloads(await take(stream, 1)) == [1]
        frozen = listening_backend(postgres, outbox_url)
        os.kill(frozen, signal.SIGSTOP)
        try:
            await bus.publish("a", 2)
            assert payloads(await take(stream, 1)) == [2]
        finally:
            os.kill(frozen, signal.SIGCONT)


async def test_who_publishes_or_resumes_does_not_wait_for_ever(
    postgres: EmbeddedPostgres, outbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_ANSWER_TIMEOUT", 0.3)
    async with running(outbox_url, pool=PoolLimits(max_size=1, recovery_timeout=0.1)) as bus:
        cursor = event_cursor(await bus.publish("a", 1))
        for attempt in (partial(bus.publish, "a", 2), partial(bus.open, source("a", after=cursor))):
            await bus.publish("b")
            name = outbox_url.rpartition("=")[2]
            find = f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}' AND query LIKE '%fraiseql_publish%'"
            ((frozen,),) = postgres.execute(f"{find} AND pid <> pg_backend_pid()")
            os.kill(int(frozen), signal.SIGSTOP)
            try:
                with pytest.raises(DatabaseError, match="did not answer within") as caught:
                    await attempt()
                assert caught.value.retryable
            finally:
                os.kill(int(frozen), signal.SIGCONT)
        resumed = await bus.open(source("b", after=cursor))
        assert len(await take(resumed, 2)) == 2


async def test_a_defect_is_told_to_the_streams_and_reading_goes_on(
    outbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(outbox_url) as bus:
        stream = await bus.open(source("a"))
        monkeypatch.setattr(reading, "read_page", None)
        await bus.publish("a", 1)
        with pytest.raises(DatabaseError) as caught:
            await stream.next()
        assert caught.value.sqlstate == "XX000"
        monkeypatch.undo()
        again = await bus.open(source("a"))
        await bus.publish("a", 2)
        assert payloads(await take(again, 1)) == [2]


async def test_a_bus_that_does_not_run_takes_no_streams(outbox_url: str) -> None:
    async with running(outbox_url) as bus:
        await bus.aclose()
        with pytest.raises(DatabaseError, match="not running"):
            await bus.open(source("a"))


async def test_a_bus_starts_without_a_database_and_finds_it_later(postgres: EmbeddedPostgres, outbox_url: str) -> None:
    stopped = anyio.Event()

    async def come_back() -> None:
        await stopped.wait()
        await in_thread(postgres.restart)

    await in_thread(postgres._halt)
    try:
        async with running(outbox_url) as bus, anyio.create_task_group() as group:
            group.start_soon(come_back)
            stopped.set()
            stream = await bus.open(source("a"))
            await bus.publish("a", 1)
            assert payloads(await take(stream, 1)) == [1]
    finally:
        if not postgres.is_running:
            postgres.restart()


async def test_a_database_without_an_outbox(database_url: str) -> None:
    async with running(database_url) as bus:
        with pytest.raises(StartupError, match="no outbox fraiseql_outbox; create it with: fraiseql outbox"):
            await bus.check()
        for attempt in (bus.open(source("a")), bus.publish("a"), bus.open(source("a"))):
            with pytest.raises(DatabaseError, match="fraiseql outbox") as caught:
                await attempt
            assert not caught.value.unavailable
        assert await bus.purge() == 0
        with psycopg.connect(database_url) as connection:
            connection.execute(outbox_sql(EventBus.postgresql()).encode())
        stream = await bus.open(source("a"))
        await bus.publish("a", 1)
        assert payloads(await take(stream, 1)) == [1]


async def test_an_outbox_that_is_dropped_ends_the_streams(outbox_url: str) -> None:
    async with running(outbox_url, outbox_poll=0.05) as bus:
        stream = await bus.open(source("a"))
        with psycopg.connect(outbox_url) as connection:
            connection.execute("DROP TABLE fraiseql_outbox")
        with pytest.raises(DatabaseError, match="fraiseql outbox"):
            await stream.next(5)


async def test_old_events_are_purged_and_their_cursors_expire(outbox_url: str) -> None:
    seen: list[Observation] = []
    async with running(outbox_url, seen, outbox_retention=0.3) as bus:
        stream = await bus.open(source("a"))
        cursors = [event_cursor(await bus.publish("a", n)) for n in range(3)]
        await take(stream, 3)
        await anyio.sleep(0.35)
        cursors.append(event_cursor(await bus.publish("a", 3)))
        assert await bus.purge() == 3
        assert seen[-1] == OutboxPurged(3)
        for cursor in cursors[:2]:
            with pytest.raises(RequestError) as caught:
                await bus.open(source("a", after=cursor))
            assert caught.value.code == "CURSOR_EXPIRED"
        resumed = await bus.open(source("a", after=cursors[2]))
        assert payloads(await take(resumed, 1)) == [3]
        assert payloads(await take(stream, 1)) == [3]


async def test_purging_happens_by_itself(outbox_url: str) -> None:
    async with running(outbox_url, outbox_retention=0.05) as bus:
        await bus.publish("a")
        with psycopg.connect(outbox_url, autocommit=True) as connection:
            while connection.execute("SELECT FROM fraiseql_outbox").fetchall():
                await anyio.sleep(0.05)


async def test_a_purge_that_fails_is_told_and_nothing_more(outbox_url: str) -> None:
    seen: list[Observation] = []
    with psycopg.connect(outbox_url) as connection:
        connection.execute("ALTER TABLE fraiseql_outbox_floor ADD CHECK (id < 0) NOT VALID")
    async with running(outbox_url, seen, outbox_retention=0.0) as bus:
        await bus.publish("a")
        assert await bus.purge() == 0
    assert any(isinstance(observation, OutboxPurgeFailed) for observation in seen)


async def test_a_slow_stream_whose_events_are_gone_is_told(outbox_url: str) -> None:
    async with running(outbox_url, max_buffered=2, outbox_retention=0.0) as bus:
        slow, fast = await bus.open(source("a")), await bus.open(source("b"))
        await bus.publish([Event("a", n) for n in range(5)] + [Event("b")])
        await take(fast, 1)
        await bus.purge()
        assert payloads(await take(slow, 2)) == [0, 1]
        with pytest.raises(RequestError) as caught:
            await slow.next(5)
        assert caught.value.code == "CURSOR_EXPIRED"


async def test_an_outbox_from_a_dump_of_another_database_is_noticed(outbox_url: str) -> None:
    with psycopg.connect(outbox_url) as connection:
        connection.execute("INSERT INTO fraiseql_outbox (xid, topic) VALUES ('9000000000', 'a')")
    async with running(outbox_url) as bus:
        with pytest.raises(StartupError, match="another database"):
            await bus.check()
        with pytest.raises(DatabaseError, match="another database"):
            await bus.open(source("a"))


async def test_changes_of_what_is_beneath_a_view_are_events_of_it(outbox_url: str) -> None:
    with psycopg.connect(outbox_url, autocommit=True) as connection:
        connection.execute('CREATE TABLE tb_post (id int); CREATE VIEW "v Post" AS SELECT id FROM tb_post')
        connection.execute("SELECT fraiseql_watch('v Post')")
        async with running(outbox_url) as bus:
            (event,) = invalidate("v Post")
            stream = await bus.open(source(event.topic))
            connection.execute("INSERT INTO tb_post VALUES (1), (2)")
            assert len(await take(stream, 1)) == 1
            await bus.publish(invalidate("v Post"))
            assert len(await take(stream, 1)) == 1


@pytest.mark.parametrize("payload", [object(), {1, 2}, {"x": b"bytes"}, 2**70, {"x": [float("nan")]}])
async def test_what_json_cannot_hold_is_no_payload(outbox_url: str, payload: object) -> None:
    async with running(outbox_url) as bus:
        with pytest.raises(TypeError, match="payload"):
            await bus.publish("a", payload)


async def test_what_no_bus_can_carry_is_refused_before_the_database_sees_it(outbox_url: str) -> None:
    async with running(outbox_url) as bus:
        for event, error in (
            (b"x", TypeError),
            (["x"], TypeError),
            ("", ValueError),
            (Event("a", tenant=5), TypeError),
        ):  # type: ignore[arg-type]
            with pytest.raises(error):
                await bus.publish(event)  # type: ignore[arg-type]
        for topics, options in (((), {}), ((5,), {}), (("a",), {"after": 5}), (("a",), {"user": 5})):
            with pytest.raises(TypeError):
                bus.subscribe(*topics, **options)  # type: ignore[arg-type]
        stream = await bus.open(source("a"))
        with pytest.raises(ValueError, match="NUL"):
            await bus.open(source("b\0"))  # it would be a parameter of the read that all share
        await bus.publish("a", 1)
        assert payloads(await take(stream, 1)) == [1]


async def test_publishing_several_is_all_or_nothing(outbox_url: str) -> None:
    async with running(outbox_url) as bus:
        stream = await bus.open(source("a"))
        with pytest.raises(DatabaseError):
            await bus.publish([Event("a", 1), Event("a", "\0")])
        assert await bus.publish([]) is None
        await bus.publish("a", 2)
        assert payloads(await take(stream, 1)) == [2]


async def test_closing_ends_the_streams(outbox_url: str) -> None:
    ends: list[Any] = []

    async def wait(stream: EventStream) -> None:
        ends.append(await stream.next())

    async with running(outbox_url) as bus, anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(wait, await bus.open(source("a")))
        await anyio.sleep(0.01)
        await bus.aclose()
    assert ends == [Absent.ENDED] * 2


async def test_a_cancelled_wait_loses_nothing(outbox_url: str) -> None:
    received: list[Event] = []
    async with running(outbox_url, max_buffered=3) as bus:
        stream = await bus.open(source("a"))
        for n in range(50):
            await bus.publish([Event("a", n * 5 + k) for k in range(5)])
            with anyio.move_on_after(0.001 * (n % 5)):
                while True:
                    item = await stream.next()
                    assert not isinstance(item, Absent)
                    received += item
        received += await take(stream, 250 - len(received))
    assert payloads(received) == list(range(250))
