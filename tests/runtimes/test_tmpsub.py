"""Subscriptions through the whole server under asyncio and trio, on a real PostgreSQL, as its clients see them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import anyio
import psycopg
import pytest

import fraiseql
from fraiseql import Caller, ClientRequest, EventBus, Info
from fraiseql.bus import outbox_sql, watch_sql
from fraiseql.errors import RequestError, StartupError
from fraiseql.observations import InternalErrorMasked, Observation, WebSocketClosed
from fraiseql.protocol import sse
import sys; sys.path.insert(0,"/tmp/w"); from t_adapter import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres
from runtimes.websocket_client import HandshakeFailed, opened

pytestmark = pytest.mark.anyio

finished: list[str] = []


@fraiseql.type(sql_source="notes", jsonb_column=None)
class Note:
    """Something that somebody wrote."""

    id: int
    author: str
    text: str
    tags: list[Tag] = fraiseql.relation(on={"note_id": "id"})


@fraiseql.type(sql_source="tags", jsonb_column=None)
class Tag:
    """A word for a note."""

    id: int
    word: str


@fraiseql.query
def notes() -> list[Note]: ...


@fraiseql.subscription
async def ticks(info: Info, to: int) -> AsyncIterator[int]:
    """Counts."""
    try:
        for number in range(1, to + 1):
            yield number
        if to == 0:
            await anyio.sleep_forever()
    finally:
        finished.append(f"ticks {to} {info.caller.user_id}")


@fraiseql.subscription
def plain_ticks(to: int) -> Iterator[int]:
    """Counts, in a generator that is not asynchronous."""
    yield from range(1, to + 1)


@fraiseql.subscription
async def failing(after: int) -> AsyncIterator[int]:
    """Fails at once, or after some."""
    for number in range(after):
        yield number
    raise ValueError("a secret")


@fraiseql.subscription
async def shouts(info: Info) -> AsyncIterator[str]:
    """What is published by hand."""
    async for event in info.bus.subscribe("shouts", tenant=info.caller.tenant_id):
        if event.payload == "stop":
            raise RequestError("It was stopped.", code="STOPPED")
        yield event.payload


@fraiseql.type
class Measured:
    """What somebody measured."""

    value: float
    exact: Decimal
    all: fraiseql.JSON


@fraiseql.subscription
async def measurements(info: Info) -> AsyncIterator[Measured]:
    """What is published by hand, as it is."""
    async for event in info.bus.subscribe("measurements"):
        yield event.payload


@fraiseql.subscription
async def bitter() -> AsyncIterator[int]:
    """Fails when it is ended."""
    try:
        yield 1
        await anyio.sleep_forever()
    finally:
        raise ValueError("not like this")


@fraiseql.subscription(topic="note_changed")
def note_changed(id: int) -> Note:
    """One note."""


@fraiseql.query
def tags() -> list[Tag]: ...


@fraiseql.type(sql_source="sleepers", jsonb_column=None)
class Sleeper:
    """A row that takes a minute."""

    id: int
    slept: str


@fraiseql.query
def sleepers() -> list[Sleeper]: ...


@fraiseql.subscription(topic="note_added")
def note_added(author: str | None) -> Note:
    """Each new note."""


@fraiseql.type(sql_source="notes", jsonb_column=None)
class Priced:
    """What a note costs."""

    price: Decimal | None


@fraiseql.subscription(topic="price_added")
def price_added() -> Priced:
    """Each new price."""


@fraiseql.subscription
def live_notes(author: str | None) -> list[Note]:
    """All notes, always."""


SCHEMA = fraiseql.Schema(
    types=[Note, Tag],
    queries=[notes, tags, sleepers],
    subscriptions=[
        measurements,
        ticks,
        plain_ticks,
        failing,
        shouts,
        bitter,
        note_added,
        note_changed,
        price_added,
        live_notes,
    ],
)

TABLES = """
    create table notes (id int generated always as identity primary key, author text not null, text text not null);
    create table tags (id int generated always as identity primary key, note_id int not null, word text not null);
    create trigger note_added after insert on notes for each row execute function fraiseql_publish_row('note_added');
"""


@pytest.fixture
def url(postgres: EmbeddedPostgres, database_url: str) -> str:
    """A database with notes and an outbox."""
    name = database_url.rpartition("=")[2]
    bus = EventBus.postgresql()
    postgres.execute(outbox_sql(bus) + TABLES + watch_sql(bus, "notes") + watch_sql(bus, "tags"), name)
    return database_url


@asynccontextmanager
async def serving(
    url: str,
    *,
    bus: EventBus | None = None,
    context: Any = None,
    seen: list[Observation] | None = None,
    **settings: Any,
) -> AsyncIterator[FraiseQLApp]:
    config = FraiseQLConfig(port=0, **settings)
    observe = [].append if seen is None else seen.append
    async with FraiseQLApp(SCHEMA, url, config, bus=bus, context=context, observe=observe) as app:
        with anyio.fail_after(120):
            yield app


def insert(postgres: EmbeddedPostgres, url: str, *texts: str, author: str = "me") -> None:
    values = ", ".join(f"('{author}', '{text}')" for text in texts)
    postgres.execute(f"insert into notes (author, text) values {values}", url.rpartition("=")[2])


async def test_queries_and_generators_over_one_connection(url: str) -> None:
    async with serving(url) as app, opened(app.port) as client:
        query = await client.subscribe("{ notes { id } }")
        counting = await client.subscribe("subscription { ticks(to: 3) }")
        plain = await client.subscribe("subscription ($n: Int!) { plainTicks(to: $n) }", {"n": 2})
        assert await client.ended(query) == [{"data": {"notes": []}}]
        assert await client.ended(counting) == [{"data": {"ticks": n}} for n in (1, 2, 3)]
        assert await client.ended(plain) == [{"data": {"plainTicks": n}} for n in (1, 2)]


async def test_it_is_served_at_its_own_path_too(url: str) -> None:
    async with serving(url) as app, opened(app.port, path=b"/graphql/subscriptions") as client:
        assert await client.ended(await client.subscribe("{ notes { id } }")) == [{"data": {"notes": []}}]


def outcome(answer: Any) -> Any:
    """The data of a result, or the codes of its errors, or of those of an `error` message."""
    if isinstance(answer, dict) and answer.get("data"):
        return answer["data"]
    return [error["extensions"]["code"] for error in (answer if isinstance(answer, list) else answer["errors"])]


async def test_how_operations_fail(url: str) -> None:
    async with serving(url) as app, opened(app.port) as client:

        async def codes(query: str) -> list[Any]:
            answers = await client.ended(await client.subscribe(query))
            return [outcome(answer) for answer in answers]

        assert await codes("nonsense") == [["GRAPHQL_PARSE_FAILED"]]
        assert await codes("subscription { nothing }") == [["GRAPHQL_VALIDATION_FAILED"]]
        assert await codes("subscription { ticks(to: 1) shouts }") == [["GRAPHQL_VALIDATION_FAILED"]]
        assert await codes("subscription { failing(after: 0) }") == [["INTERNAL_SERVER_ERROR"]]
        assert await codes("subscription { failing(after: 1) }") == [{"failing": 0}, ["INTERNAL_SERVER_ERROR"]]
        assert await codes("subscription ($n: Int!) { ticks(to: $n) }") == [["BAD_USER_INPUT"]]
        assert await codes('subscription { noteAdded(after: "nonsense") { id } }') == [["BAD_USER_INPUT"]]
        # and the connection lives on
        assert await codes("subscription { ticks(to: 1) }") == [{"ticks": 1}]


async def test_each_new_row_arrives_once_with_its_relations_and_a_cursor(url: str, postgres: EmbeddedPostgres) -> None:
    async with serving(url) as app, opened(app.port) as client:
        added = await client.subscribe("subscription { noteAdded { id text tags { word } } }")
        mine = await client.subscribe('subscription { noteAdded(author: "me") { text } }')
        await client.ended(await client.subscribe("{ notes { id } }"))
        await until_streams(app, 2)
        insert(postgres, url, "one", "two", author="you")
        insert(postgres, url, "three")
        results = await client.hear(added, 3)
        assert [result["data"]["noteAdded"] for result in results] == [
            {"id": number, "text": text, "tags": []} for number, text in enumerate(("one", "two", "three"), 1)
        ]
        assert [result["data"]["noteAdded"]["text"] for result in await client.hear(mine)] == ["three"]
        cursor = results[0]["extensions"]["cursor"]
        resumed = await client.subscribe(
            "subscription ($after: String) { noteAdded(after: $after) { text } }", {"after": cursor}
        )
        assert [result["data"]["noteAdded"]["text"] for result in await client.hear(resumed, 2)] == ["two", "three"]
        insert(postgres, url, "four")
        assert [result["data"]["noteAdded"]["text"] for result in await client.hear(resumed)] == ["four"]
        assert [result["data"]["noteAdded"]["text"] for result in await client.hear(added)] == ["four"]


async def until_streams(app: FraiseQLApp, count: int) -> None:
    """Wait until so many shared streams listen."""
    with anyio.fail_after(10):
        while app.streams.listening < count:
            await anyio.sleep(0.01)


async def test_a_live_query_is_sent_when_its_rows_have_changed_and_only_then(
    url: str, postgres: EmbeddedPostgres
) -> None:
    name = url.rpartition("=")[2]
    query = 'subscription { liveNotes(author: "me", orderBy: [{id: ASC}]) { text tags { word } } }'
    async with serving(url) as app, opened(app.port) as client, opened(app.port) as other:
        live = await client.subscribe(query)
        same = await other.subscribe(query)
        assert await client.hear(live) == [{"data": {"liveNotes": []}}]
        assert await other.hear(same) == [{"data": {"liveNotes": []}}]
        assert app.streams.shared == 1
        insert(postgres, url, "theirs", author="you")  # runs it again, and changes nothing
        insert(postgres, url, "mine")
        expected: dict[str, Any] = {"data": {"liveNotes": [{"text": "mine", "tags": []}]}}
        assert await client.hear(live) == [expected]
        assert await other.hear(same) == [expected]
        postgres.execute("insert into tags (note_id, word) values (2, 'new')", name)
        expected["data"]["liveNotes"][0]["tags"] = [{"word": "new"}]
        assert await client.hear(live) == [expected]
        async with opened(app.port) as third:
            late = await third.subscribe(query)
            assert await third.hear(late) == [expected]
        await app.bus.publish(fraiseql.invalidate(Note))
        postgres.execute("delete from notes", name)
        assert await client.hear(live) == [{"data": {"liveNotes": []}}]
        await client.complete(live)
        await other.complete(same)
        with anyio.fail_after(10):
            while app.streams.shared:
                await anyio.sleep(0.01)


async def test_events_of_one_tenant_never_reach_another(url: str) -> None:
    def context(request: ClientRequest) -> Caller | None:
        assert request.payload is not None
        return Caller(tenant_id=request.payload["tenant"])

    for bus in (EventBus.memory(), EventBus.postgresql()):
        async with (
            serving(url, bus=bus, context=context) as app,
            opened(app.port, {"tenant": "a"}) as first,
            opened(app.port, {"tenant": "b"}) as second,
        ):
            ours, theirs = (
                await first.subscribe("subscription { shouts }"),
                await second.subscribe("subscription { shouts }"),
            )
            note = await first.subscribe("subscription { noteAdded { text } }")
            await until_streams(app, 3)
            await app.bus.publish("shouts", "for a", tenant="a")
            await app.bus.publish("note_added", {"id": 1, "author": "x", "text": "for b"}, tenant="b")
            await app.bus.publish("shouts", "for b", tenant="b")
            await app.bus.publish("note_added", {"id": 1, "author": "x", "text": "for all"})
            await app.bus.publish("shouts", "for all")
            assert await first.hear(ours, 2) == [{"data": {"shouts": text}} for text in ("for a", "for all")]
            assert await second.hear(theirs, 2) == [{"data": {"shouts": text}} for text in ("for b", "for all")]
            assert [result["data"]["noteAdded"]["text"] for result in await first.hear(note)] == ["for all"]
            await app.bus.publish("shouts", "stop")
            (errors,) = await first.ended(ours)
            assert errors[0]["extensions"]["code"] == "STOPPED"


async def test_events_for_one_user_reach_no_other_though_they_share_a_stream(url: str) -> None:
    def context(request: ClientRequest) -> Caller | None:
        return Caller(request.payload["user"] if request.payload else None)

    query = "subscription { noteAdded { text } }"
    async with (
        serving(url, context=context) as app,
        opened(app.port, {"user": "a"}) as first,
        opened(app.port, {"user": "b"}) as second,
    ):
        ours, theirs = await first.subscribe(query), await second.subscribe(query)
        await until_streams(app, 1)
        await second.ended(await second.subscribe("{ notes { id } }"))
        assert app.streams.shared == 1
        for user in ("a", "b", None):
            await app.bus.publish("note_added", {"id": 1, "author": "x", "text": f"for {user}"}, user=user)
        for client, operation, name in ((first, ours, "a"), (second, theirs, "b")):
            texts = [result["data"]["noteAdded"]["text"] for result in await client.hear(operation, 2)]
            assert texts == [f"for {name}", "for None"]


async def test_numbers_in_payloads_keep_all_their_digits(url: str, postgres: EmbeddedPostgres) -> None:
    name = url.rpartition("=")[2]
    postgres.execute("alter table notes add price numeric default 1.50", name)
    for bus in (EventBus.postgresql(), EventBus.memory()):
        async with serving(url, bus=bus) as app, opened(app.port) as client:
            priced = await client.subscribe("subscription { priceAdded { price } }")
            await until_streams(app, 1)
            for price in ("1.50", "12345678901234567890.123456789", "123456789012345678901234567890"):
                await app.bus.publish("price_added", {"price": Decimal(price)})
                (result,) = await client.hear(priced)
                assert result["data"] == {"priceAdded": {"price": price}}


async def test_numbers_of_payloads_are_shown_as_their_fields_declare_them(url: str) -> None:
    payload = {"value": 1.5, "exact": Decimal("0.10"), "all": {"a": [Decimal("1.50"), 2]}}
    for bus in (EventBus.postgresql(), EventBus.memory()):
        async with serving(url, bus=bus) as app, opened(app.port) as client:
            measured = await client.subscribe("subscription { measurements { value exact all } }")
            await until_streams(app, 1)
            await until_subscribed(app)
            await app.bus.publish("measurements", payload)
            shown = {"value": 1.5, "exact": "0.10", "all": {"a": [1.5, 2]}}
            assert await client.hear(measured) == [{"data": {"measurements": shown}}]


async def until_subscribed(app: FraiseQLApp) -> None:
    """Let a generator that listens to the bus come to its first event: nothing tells when it does."""
    await anyio.sleep(0.3)


async def test_complete_and_a_vanished_client_run_the_finalisers(url: str) -> None:
    finished.clear()
    async with serving(url, context=lambda request: Caller("somebody")) as app:
        async with opened(app.port) as client:
            operation = await client.subscribe("subscription { ticks(to: 0) }")
            await until_streams(app, 1)
            await client.complete(operation)
            await client.subscribe("subscription { ticks(to: 0) }")
            await until_finished(1)
            await until_streams(app, 1)
        await until_finished(2)
    assert finished == ["ticks 0 somebody"] * 2


async def until_finished(count: int) -> None:
    with anyio.fail_after(10):
        while len(finished) < count:
            await anyio.sleep(0.01)


async def test_who_is_not_let_in(url: str) -> None:
    async def context(request: ClientRequest) -> Caller | None:
        await anyio.sleep(0)
        return Caller("me") if (request.payload or {}).get("token") == "good" else None

    async with serving(url, context=context) as app:
        async with opened(app.port, {"token": "bad"}) as client:
            assert await client.at_end() == 4403
        async with opened(app.port, {"token": "good"}) as client:
            assert client.acknowledged
        with pytest.raises(HandshakeFailed) as failed:
            async with opened(app.port, origin="https://evil.example"):
                pass
        assert failed.value.status == 403


async def test_a_server_that_stops_says_so(url: str) -> None:
    seen: list[Observation] = []
    async with (
        serving(url, seen=seen, subscription_close_spread=0.05) as app,
        opened(app.port) as client,
        opened(app.port) as other,
        anyio.create_task_group() as group,
    ):
        await client.subscribe("subscription { ticks(to: 0) }")
        group.start_soon(app.shutdown)
        assert await client.at_end() == 1001
        await client.stream.aclose()
        assert await other.at_end() == 1001
        await other.stream.aclose()
    assert sum(isinstance(seen_, WebSocketClosed) for seen_ in seen) == 2


async def test_events_over_http(url: str, postgres: EmbeddedPostgres) -> None:
    body = json.dumps({"query": "subscription { noteAdded { text } }"}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    async with serving(url) as app, await anyio.connect_tcp("127.0.0.1", app.port) as stream:
        await stream.send(head.encode() + body)
        await until_streams(app, 1)
        insert(postgres, url, "one")
        received = b""
        with anyio.fail_after(10):
            while b"\n\n" not in received:
                received += await stream.receive()
        assert b"text/event-stream" in received
        assert b'data: {"data":{"noteAdded":{"text":"one"}}' in received
        assert received.count(b"event: next") == 1
        assert sse.KEEP_ALIVE not in received


async def test_a_schema_that_needs_an_outbox_says_so_at_its_start(database_url: str) -> None:
    with pytest.raises(StartupError, match="fraiseql outbox"):
        async with serving(database_url):
            pass


async def test_subscriptions_go_on_across_a_restart_of_the_database(url: str, postgres: EmbeddedPostgres) -> None:
    async with serving(url) as app, opened(app.port) as client:
        added = await client.subscribe("subscription { noteAdded { text } }")
        live = await client.subscribe("subscription { liveNotes { text } }")
        assert await client.hear(live) == [{"data": {"liveNotes": []}}]
        await until_streams(app, 2)
        insert(postgres, url, "before")
        assert len(await client.hear(live)) == 1
        await anyio.to_thread.run_sync(postgres.restart)
        insert(postgres, url, "after")
        texts = [result["data"]["noteAdded"]["text"] for result in await client.hear(added, 2)]
        assert texts == ["before", "after"]
        assert [len(result["data"]["liveNotes"]) for result in await client.hear(live)] == [2]


async def test_live_queries_that_wait_leave_connections_for_others_and_end(url: str) -> None:
    query = "subscription ($author: String) { liveNotes(author: $author) { text } }"
    limits = {"pool_max_size": 4, "subscription_statement_timeout": 0.5, "subscription_recovery_timeout": 1.0}
    async with serving(url, **limits) as app, opened(app.port) as client, opened(app.port) as other:
        with psycopg.connect(url) as locker:
            locker.execute("lock table notes in access exclusive mode")
            live = [await client.subscribe(query, {"author": str(number)}) for number in range(8)]
            for _ in range(5):
                with anyio.fail_after(2):
                    assert await other.ended(await other.subscribe("{ tags { id } }")) == [{"data": {"tags": []}}]
            (errors,) = await client.ended(live[0])
        assert errors[0]["extensions"]["code"] == "DATABASE_UNAVAILABLE"


@pytest.mark.parametrize("how", ["complete", "drop"])
async def test_what_a_client_gives_up_is_cancelled_in_the_database(
    url: str, postgres: EmbeddedPostgres, how: str
) -> None:
    name = url.rpartition("=")[2]
    postgres.execute("create view sleepers as select 1 as id, pg_sleep(60)::text as slept", name)

    def sleeping() -> int:
        sql = f"select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = '{name}'"
        ((count,),) = postgres.execute(sql)
        return int(count)

    async with serving(url) as app, opened(app.port) as client:
        query = await client.subscribe("{ sleepers { id slept } }")
        with anyio.fail_after(20):
            while not sleeping():
                await anyio.sleep(0.01)
            if how == "complete":
                await client.complete(query)
            else:
                await client.stream.aclose()
            while sleeping():
                await anyio.sleep(0.01)


async def test_one_client_does_not_take_all_connections(url: str) -> None:
    async with serving(url, pool_max_size=4) as app, opened(app.port) as greedy, opened(app.port) as other:
        with psycopg.connect(url) as locker:
            locker.execute("lock table notes in access exclusive mode")
            waiting = [await greedy.subscribe("{ notes { id } }") for _ in range(20)]
            await anyio.sleep(0.1)
            with anyio.fail_after(3):
                assert await other.ended(await other.subscribe("{ tags { id } }")) == [{"data": {"tags": []}}]
        for operation in waiting:
            assert await greedy.ended(operation) == [{"data": {"notes": []}}]


async def test_a_callers_tenant_is_a_text(url: str) -> None:
    seen: list[Observation] = []
    wrong: Any = 5
    async with (
        serving(url, context=lambda request: Caller(tenant_id=wrong), seen=seen) as app,
        opened(app.port) as client,
    ):
        assert await client.at_end() == 4500
    assert any(isinstance(each, InternalErrorMasked) for each in seen)


async def test_mistakes_of_clients_are_no_errors_of_the_server(url: str) -> None:
    seen: list[Observation] = []
    async with serving(url, seen=seen) as app, opened(app.port) as client:
        for query in (
            'subscription { noteAdded(after: "nonsense") { id } }',
            'subscription { noteChanged(id: "no number") { id } }',
            "subscription { nothing }",
        ):
            assert await client.ended(await client.subscribe(query))
    assert not [each for each in seen if isinstance(each, InternalErrorMasked)]


async def test_what_a_generator_raises_on_its_way_out_is_told(url: str) -> None:
    seen: list[Observation] = []
    async with serving(url, seen=seen) as app, opened(app.port) as client:
        operation = await client.subscribe("subscription { bitter }")
        await client.hear(operation)
        await client.complete(operation)
        with anyio.fail_after(10):
            while not any(isinstance(each, InternalErrorMasked) for each in seen):
                await anyio.sleep(0.01)


async def test_a_client_that_does_not_read_ends_with_an_error_that_says_where_to_resume(
    url: str, postgres: EmbeddedPostgres
) -> None:
    async with serving(url, subscription_max_queued=5) as app, opened(app.port) as slow, opened(app.port) as quick:
        operation = await slow.subscribe("subscription { noteAdded { id text } }")
        other = await quick.subscribe("subscription { noteAdded { id } }")
        await until_streams(app, 2)
        name = url.rpartition("=")[2]
        rows = 120  # 30 MB: more than the kernel takes for a client that does not read
        postgres.execute(
            f"insert into notes (author, text) select 'me', repeat('x', 250000) from generate_series(1, {rows})", name
        )
        assert len(await quick.hear(other, rows)) == rows
        results = await slow.ended(operation)
        assert results, "something is sent before the client is too slow"
        (error,) = results.pop()
        assert error["extensions"]["code"] == "SLOW_CONSUMER"
        resumed = await slow.subscribe(
            "subscription ($after: String) { noteAdded(after: $after) { id } }",
            {"after": error["extensions"]["cursor"]},
        )
        seen = [result["data"]["noteAdded"]["id"] for result in results]
        seen += [result["data"]["noteAdded"]["id"] for result in await slow.hear(resumed, rows - len(seen))]
        assert seen == list(range(1, rows + 1))
