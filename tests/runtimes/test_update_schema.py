"""A schema swapped while the server serves: no request is dropped, and each is answered by one schema alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import fraiseql
from fraiseql.errors import ConfigurationError, SchemaError, StartupError
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres
from runtimes.websocket_client import opened

pytestmark = pytest.mark.anyio

THINGS = "{ things { id name } }"
ROWS = [{"id": n, "name": f"thing {n}"} for n in (1, 2, 3)]
NAP = "{ slowThings(where: {id: {eq: 1}}) { id name } }"


@fraiseql.type(sql_source="things", jsonb_column=None)
class Thing:
    """As it was."""

    id: int
    name: str


@fraiseql.type(sql_source="slow_things", jsonb_column=None)
class SlowThing:
    """Takes its time."""

    id: int
    name: str


@fraiseql.type(sql_source="things", jsonb_column=None, name="Thing")
class NewThing:
    """As it is now: `id` is an ID, `label` is new."""

    id: fraiseql.ID
    name: str
    label: str = fraiseql.field(column="name")


def _old() -> list[Thing]: ...
def _slow() -> list[SlowThing]: ...
def _new() -> list[NewThing]: ...


old_things = fraiseql.query(name="things")(_old)
slow_things = fraiseql.query(name="slowThings")(_slow)
new_things = fraiseql.query(name="things")(_new)


@fraiseql.subscription
async def ticks() -> AsyncIterator[int]:
    """Counts, when it is let."""
    number = 0
    while True:
        await proceed[0].wait()
        proceed[0] = anyio.Event()
        number += 1
        yield number


@fraiseql.subscription(name="ticks")
async def words() -> AsyncIterator[str]:
    """The same field, of another type."""
    yield "one"


@fraiseql.subscription
def live_things() -> list[Thing]: ...


@fraiseql.subscription(topic="changed")
def changed() -> Thing: ...


def _new_changed() -> NewThing: ...


new_changed = fraiseql.subscription(name="changed", topic="changed")(_new_changed)

proceed: list[anyio.Event] = []

OLD = fraiseql.Schema(queries=[old_things, slow_things], subscriptions=[ticks])
NEW = fraiseql.Schema(queries=[new_things], subscriptions=[words])
WITH_BUS = fraiseql.Schema(queries=[old_things], subscriptions=[live_things])

OLD_ANSWER = {"data": {"things": ROWS}}
NEW_ANSWER = {"data": {"things": [{**row, "id": str(row["id"])} for row in ROWS]}}


def make(schema: fraiseql.Schema, url: str, **settings: Any) -> FraiseQLApp:
    return FraiseQLApp(schema, url, FraiseQLConfig(port=0, **settings), observe=[].append)


async def test_new_requests_use_the_new_schema(things_url: str, connected: Any) -> None:
    async with make(OLD, things_url) as app, connected(app.port) as client:
        assert await client.ask(THINGS) == OLD_ANSWER
        await app.update_schema(NEW)
        assert await client.ask(THINGS) == NEW_ANSWER, "the same connection, and the same document"
        answer = await client.ask("{ slowThings { id } }")
        assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert (await client.ask("{ things(limit: 1) { label } }"))["data"] == {"things": [{"label": "thing 1"}]}
        assert (await client.ask('{ __type(name: "Thing") { description } }'))["data"]["__type"]["description"]
        await app.update_schema(OLD)
        assert await client.ask(THINGS) == OLD_ANSWER


async def test_a_request_under_way_ends_on_the_schema_it_began_on(
    things_url: str, postgres: EmbeddedPostgres, connected: Any
) -> None:
    async with make(OLD, things_url) as app, connected(app.port) as client, connected(app.port) as other:
        await client.send(NAP)
        with anyio.fail_after(10):
            while not postgres.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
                await anyio.sleep(0.005)
        await app.update_schema(NEW)
        assert await other.ask(THINGS) == NEW_ANSWER
        assert (await client.receive())[2] == {"data": {"slowThings": [{"id": 1, "name": ""}]}}
        assert await client.ask(THINGS) == NEW_ANSWER


async def test_nothing_is_dropped_under_load(things_url: str, connected: Any) -> None:
    """Twenty clients ask without a pause while the schema is swapped; each answer is wholly of one of the two."""
    seen: list[Any] = []
    stop = False

    async def visit(port: int) -> None:
        async with connected(port) as client:
            while not stop:
                status, _, answer = await _timed(client)
                assert status == 200
                assert answer in (OLD_ANSWER, NEW_ANSWER)
                seen.append(answer is not None and answer == NEW_ANSWER)

    async def _timed(client: Any) -> Any:
        await client.send(THINGS)
        return await client.receive()

    async with make(OLD, things_url, pool_max_size=4) as app:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(visit, app.port)
            for number in range(30):
                before = len(seen)
                await app.update_schema(NEW if number % 2 == 0 else OLD)
                while len(seen) < before + 20:
                    await anyio.sleep(0.001)
            stop = True
        assert app.database.pool.size <= 4
    assert {True, False} == set(seen)


async def test_a_subscription_goes_on_with_its_schema(things_url: str) -> None:
    proceed[:] = [anyio.Event()]
    async with make(OLD, things_url) as app, opened(app.port) as client:
        running = await client.subscribe("subscription { ticks }")
        proceed[0].set()
        assert await client.hear(running) == [{"data": {"ticks": 1}}]
        await app.update_schema(NEW)
        fresh = await client.subscribe("subscription { ticks }")
        assert await client.ended(fresh) == [{"data": {"ticks": "one"}}]
        proceed[0].set()
        assert await client.hear(running) == [{"data": {"ticks": 2}}], "its results keep the type that it was told"
        await client.complete(running)


async def test_the_same_events_are_shown_by_each_schema_in_its_own_way(things_url: str) -> None:
    old = fraiseql.Schema(queries=[old_things], subscriptions=[changed])
    new = fraiseql.Schema(queries=[new_things], subscriptions=[new_changed])
    document = "subscription { changed { id name } }"
    async with make(old, things_url, event_bus="memory") as app, opened(app.port) as client:
        before = await client.subscribe(document)
        with anyio.fail_after(10):
            while app.streams.listening < 1:
                await anyio.sleep(0.001)
        await app.update_schema(new)
        after = await client.subscribe(document)
        with anyio.fail_after(10):
            while app.streams.listening < 2:
                await anyio.sleep(0.001)
        await app.bus.publish("changed", {"id": 7, "name": "x"})
        assert await client.hear(before) == [{"data": {"changed": {"id": 7, "name": "x"}}}]
        assert await client.hear(after) == [{"data": {"changed": {"id": "7", "name": "x"}}}]


async def test_what_is_wrong_leaves_the_old_schema(things_url: str, connected: Any) -> None:
    async with make(OLD, things_url) as app, connected(app.port) as client:
        with pytest.raises(SchemaError):
            await app.update_schema(fraiseql.Schema(queries=[]))
        with pytest.raises(ConfigurationError, match=r"expected a fraiseql\.Schema"):
            await app.update_schema("schema")  # type: ignore[arg-type]
        with pytest.raises(StartupError, match="no outbox"):
            await app.update_schema(WITH_BUS)
        assert await client.ask(THINGS) == OLD_ANSWER


async def test_the_last_of_several_updates_wins(things_url: str, connected: Any) -> None:
    async with make(OLD, things_url) as app, connected(app.port) as client:
        for _ in range(5):
            async with anyio.create_task_group() as group:
                for schema in (NEW, OLD, NEW):
                    group.start_soon(app.update_schema, schema)
                    await anyio.lowlevel.checkpoint()
            assert await client.ask(THINGS) == NEW_ANSWER
            await app.update_schema(OLD)


async def test_before_the_start_it_says_what_will_be_served(things_url: str, connected: Any) -> None:
    app = make(WITH_BUS, things_url)
    await app.update_schema(NEW)  # which needs no outbox
    async with app, connected(app.port) as client:
        assert await client.ask(THINGS) == NEW_ANSWER


async def test_introspection_can_be_switched_off(things_url: str, connected: Any) -> None:
    async with make(OLD, things_url, introspection=False) as app, connected(app.port) as client:
        for schema in (OLD, OLD):
            answer = await client.ask("{ __schema { queryType { name } } }")
            assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTROSPECTION_DISABLED"]
            assert await client.ask("{ __typename }") == {"data": {"__typename": "Query"}}
            assert await client.ask(THINGS) == OLD_ANSWER
            await app.update_schema(schema)
