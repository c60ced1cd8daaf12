"""Functions in Python that serve queries and subscriptions, through the whole server, on a real PostgreSQL."""

from __future__ import annotations

import contextvars
import json
import threading
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import pytest

from fraiseql import BlockingInfo, EventBus, Info
from fraiseql.effects import CallAll, ResolverCall
from fraiseql.observations import Observation
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.anyio.calling import Calls
from fraiseql.runtimes.config import FraiseQLConfig
from runtimes.websocket_client import opened
from runtimes.writers import SCHEMA, Gate, Writer, batches, bodies, causes

pytestmark = pytest.mark.anyio


async def test_functions_stand_beside_what_sql_serves_in_the_order_asked_for(ask_writers: Any) -> None:
    query = """{ plain first: writers(limit: 1) { fullName } greeting(name: "Bo", wish: {text: "tea"})
                 __typename notes { text mood askedBy } }"""
    answer = await ask_writers(query)
    assert list(answer["data"]) == ["plain", "first", "greeting", "__typename", "notes"]
    assert answer == {
        "data": {
            "plain": 42,
            "first": [{"fullName": "Ada"}],
            "greeting": "Hello Bo {'tags': None, 'text': 'tea', 'mood': <Mood.GLAD: 'glad'>} from ada",
            "__typename": "Query",
            "notes": [
                {"text": "one", "mood": "GLAD", "askedBy": "ada"},
                None,
                {"text": "two", "mood": "SAD", "askedBy": "ada"},
            ],
        }
    }


async def test_relations_below_what_they_give_are_served_by_sql(ask_writers: Any) -> None:
    answer = await ask_writers(
        "{ madeUp { fullName shout counted books(limit: 1, orderBy: {id: DESC}) { title writer { shout } } } }"
    )
    assert answer == {
        "data": {
            "madeUp": [
                {
                    "fullName": "Somebody",
                    "shout": "SOMEBODY",
                    "counted": 2,
                    "books": [{"title": "Book 3", "writer": {"shout": "BO"}}],
                },
                {
                    "fullName": "Dict",
                    "shout": "DICT",
                    "counted": 2,
                    "books": [{"title": "Book 4", "writer": {"shout": "ADA"}}],
                },
            ]
        }
    }
    assert batches == [2]


async def _with_books(info: Info) -> Any:
    return await info.db.find(Writer, fields=["id", "full_name", "books"], order_by={"id": "ASC"}, limit=2)


async def _with_books_of_dicts(info: Info) -> Any:
    made = {"id": 9, "title": "Made up", "writer_id": 1, "writer": {"id": 1, "full_name": "Ann"}}
    lacks, null = {"id": 2, "title": "Lacks", "writer_id": 2}, {"id": 3, "title": "Nobody's", "writer_id": 99}
    return [{"id": 5, "full_name": "Dict", "books": [made, lacks, null]}, {"id": 6, "full_name": "None", "books": []}]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            _with_books,
            {
                "Ada": {"Book 2": ("Ada", "ADA", ["Book 2", "Book 4"]), "Book 4": ("Ada", "ADA", ["Book 2", "Book 4"])},
                "Bo": {"Book 1": ("Bo", "BO", ["Book 1", "Book 3"]), "Book 3": ("Bo", "BO", ["Book 1", "Book 3"])},
            },
        ),
        (
            _with_books_of_dicts,
            {
                "Dict": {
                    "Made up": ("Ann", "ANN", ["Book 2", "Book 4"]),
                    "Lacks": ("Bo", "BO", ["Book 1", "Book 3"]),
                    "Nobody's": None,
                },
                "None": {},
            },
        ),
    ],
)
async def test_relations_below_relations_that_values_hold_are_served_by_sql(
    body: Any, shown: Any, ask_writers: Any, observations: list[Observation]
) -> None:
    bodies["found"] = body
    below = "books(orderBy: {id: ASC}) { title }"
    answer = await ask_writers(
        f'{{ found(name: "found") {{ fullName books {{ title writer {{ fullName shout {below} }} }} }} }}'
    )
    found = {
        writer["fullName"]: {
            book["title"]: book["writer"]
            and (
                book["writer"]["fullName"],
                book["writer"]["shout"],
                [other["title"] for other in book["writer"]["books"]],
            )
            for book in writer["books"]
        }
        for writer in answer["data"]["found"]
    }
    assert found == shown, causes(observations)


async def test_rows_inside_of_plain_objects_and_unions_have_relations_too(ask_writers: Any) -> None:
    shelf = "shelf { place owner { shout books { id } } books { title writer { shout counted } } }"
    parts = "... on Writer { shout books(limit: 1) { id } } ... on Note { text askedBy }"
    others = " ".join(f"{key}: whoever(id: {id}) {{ {parts} }}" for key, id in (("b", 9), ("c", 100)))
    assert await ask_writers(f"{{ {shelf} a: whoever(id: 2) {{ __typename {parts} }} {others} }}") == {
        "data": {
            "shelf": {
                "place": "left",
                "owner": {"shout": "ADA", "books": [{"id": 2}, {"id": 4}]},
                "books": [
                    {"title": "Book 1", "writer": {"shout": "BO", "counted": 2}},
                    {"title": "Book 2", "writer": {"shout": "ADA", "counted": 2}},
                ],
            },
            "a": {"__typename": "Writer", "shout": "BO", "books": [{"id": 1}]},
            "b": {"text": "nobody", "askedBy": "ada"},
            "c": None,
        }
    }


async def test_errors_are_at_their_paths_and_the_others_are_answered(
    ask_writers: Any, observations: list[Observation]
) -> None:
    answer = await ask_writers("{ refuses writers(limit: 1) { id } fails exits wrong plain }")
    assert answer["data"] == {
        "refuses": None,
        "writers": [{"id": 1}],
        "fails": None,
        "exits": None,
        "wrong": None,
        "plain": 42,
    }
    told = {error["path"][0]: (error["message"], error["extensions"]["code"]) for error in answer["errors"]}
    assert told == {
        "refuses": ("Not today.", "CLOSED"),
        "fails": ("Internal server error.", "INTERNAL_SERVER_ERROR"),
        "exits": ("Internal server error.", "INTERNAL_SERVER_ERROR"),
        "wrong": ("The value of Query.wrong does not fit its type.", "INTERNAL_SERVER_ERROR"),
    }
    assert "a secret" in causes(observations)
    assert "no way out" in causes(observations)
    assert "secret" not in json.dumps(answer)


async def test_blocking_calls_stop_nobody_else_and_only_so_many_run(writers_app: FraiseQLApp, connected: Any) -> None:
    gate, loop_thread, most = Gate(), threading.get_ident(), [0, 0]
    lock = threading.Lock()

    def block(info: BlockingInfo) -> Any:
        assert threading.get_ident() != loop_thread
        with lock:
            most[0] += 1
            most[1] = max(most)
        if most[0] == 2:
            anyio.from_thread.run_sync(gate.inside.set)
        gate.go_on.wait(20)
        with lock:
            most[0] -= 1
        return most[1]

    bodies["block"] = block
    answers: list[Any] = []

    async def asking() -> None:
        async with connected(writers_app.port) as client:
            answers.append(await client.ask('{ a: runPlain(name: "block") b: runPlain(name: "block") }'))

    async with anyio.create_task_group() as group:
        group.start_soon(asking)
        group.start_soon(asking)
        await gate.inside.wait()
        async with connected(writers_app.port) as client:
            assert await client.ask("{ writers(limit: 1) { id } }") == {"data": {"writers": [{"id": 1}]}}
        gate.go_on.set()
    assert [answer["data"] for answer in answers] == [{"a": 2, "b": 2}] * 2


async def test_context_variables_reach_the_thread() -> None:
    async def perform(effect: Any) -> Any:
        raise AssertionError(effect)

    where = contextvars.ContextVar("where", default="nowhere")
    where.set("here")
    call = ResolverCall(where.get, (), {}, takes_info=False, field_name="it", blocks=True)
    assert await Calls(None, 1).call_all(CallAll((call,), 1), perform) == ["here"]


async def test_a_client_that_leaves_cancels_an_asynchronous_function(writers_app: FraiseQLApp, connected: Any) -> None:
    gate = Gate()

    async def wait(info: Info) -> Any:
        try:
            async with info.db.transaction():
                await info.db.execute("delete from books")
                gate.inside.set()
                await anyio.sleep_forever()
        finally:
            gate.ended.set()

    bodies["wait"] = wait
    with anyio.fail_after(20):
        async with connected(writers_app.port) as client:
            await client.send('{ run(name: "wait") }')
            await gate.inside.wait()
        await gate.ended.wait()
        async with connected(writers_app.port) as client:
            answer = await client.ask('{ rowsOf(sql: "select count(*) from books") }')
            assert answer == {"data": {"rowsOf": [{"count": 4}]}}
        while writers_app.database.pool.granted:
            await anyio.sleep(0)


@pytest.mark.parametrize("is_in_sql", [True, False], ids=["in SQL", "elsewhere"])
async def test_it_reaches_a_plain_function_at_its_database(
    is_in_sql: bool, writers_app: FraiseQLApp, connected: Any
) -> None:
    gate, seen = Gate(), list[str]()
    token = anyio.lowlevel.current_token()

    def wait(info: BlockingInfo) -> Any:
        try:
            with info.db.transaction():
                info.db.execute("delete from books")
                anyio.from_thread.run_sync(gate.inside.set)
                if is_in_sql:
                    info.db.execute("select pg_sleep(60)")
                gate.go_on.wait(20)
                info.db.execute("select 1")
        except BaseException as error:
            seen.append(str(error))
            raise
        finally:
            anyio.from_thread.run_sync(gate.ended.set, token=token)

    bodies["wait"] = wait
    with anyio.fail_after(20):
        async with connected(writers_app.port) as client:
            await client.send('{ runPlain(name: "wait") }')
            await gate.inside.wait()
        while writers_app.database.pool.granted:
            await anyio.sleep(0.01)
        gate.go_on.set()
        await gate.ended.wait()
    assert "has ended, or was cancelled" in seen[0]
    async with connected(writers_app.port) as client:
        answer = await client.ask('{ rowsOf(sql: "select count(*) from books") }')
        assert answer == {"data": {"rowsOf": [{"count": 4}]}}


async def test_a_request_that_takes_too_long_ends_without_its_thread(writers_url: str, connected: Any) -> None:
    gate = Gate()
    bodies["stuck"] = lambda info: gate.go_on.wait(20)
    config = FraiseQLConfig(database_url=writers_url, port=0, query_request_timeout=0.2)
    with anyio.fail_after(15):
        async with FraiseQLApp(SCHEMA, config=config, bus=EventBus.memory()) as app, connected(app.port) as client:
            answer = await client.ask('{ runPlain(name: "stuck") }')
            assert answer["errors"][0]["extensions"]["code"] == "REQUEST_TIMEOUT"
    gate.go_on.set()


async def test_subscriptions_have_it_too(writers_app: FraiseQLApp) -> None:
    async with opened(writers_app.port) as client:
        operation = await client.subscribe("subscription { renamed { fullName books { id } counted } }")
        writer = {"fullName": "Ada", "books": [{"id": 2}, {"id": 4}], "counted": 2}
        assert await client.ended(operation) == [{"data": {"renamed": writer}}] * 2
        operation = await client.subscribe("subscription { countedPlainly }")
        assert await client.ended(operation) == [{"data": {"countedPlainly": 4}}]
