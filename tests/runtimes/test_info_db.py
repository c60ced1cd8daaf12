"""What `info.db` gives: SQL, typed selections, transactions, as the caller, until the call has ended."""

from __future__ import annotations

import contextlib
import contextvars
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import anyio
import anyio.to_thread
import pytest

import fraiseql
from fraiseql import (
    BlockingDatabase,
    BlockingInfo,
    Caller,
    ClientRequest,
    Database,
    DatabaseContext,
    DatabaseError,
    EventBus,
    Info,
)
from fraiseql.observations import Observation
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from runtimes.writers import Book, Entry, Mood, Note, Writer, bodies, causes, entries, mutate, plain, run, run_plain

pytestmark = pytest.mark.anyio


async def test_found_instances_hold_python_values(ask_writers: Any) -> None:
    assert await ask_writers("{ eldest { id born mood books { id } } }") == {
        "data": {"eldest": {"id": 1, "born": "1815-12-10", "mood": "GLAD", "books": [{"id": 2}, {"id": 4}]}}
    }


@pytest.mark.parametrize("field", ["rowsOf", "rowsInThread"])
async def test_sql_of_ones_own_gives_dicts(field: str, ask_writers: Any) -> None:
    answer = await ask_writers(f'{{ {field}(sql: "select id, full_name from writers order by id limit 2") }}')
    assert answer == {"data": {field: [{"id": 1, "full_name": "Ada"}, {"id": 2, "full_name": "Bo"}]}}


@pytest.mark.parametrize("field", ["rowsOf", "rowsInThread"])
async def test_an_error_of_postgresql_is_masked(field: str, ask_writers: Any, observations: list[Observation]) -> None:
    answer = await ask_writers(f'{{ {field}(sql: "select nothing_there") }}')
    assert "nothing_there" not in json.dumps(answer)
    assert "nothing_there" in causes(observations)


async def _values(info: Info) -> Any:
    db = info.db
    assert await db.fetch_one("select 1 as one where $1", False) is None
    assert await db.fetch_value("select 1 where $1", False) is None
    assert await db.fetch_value("select $1::text", "'; drop table writers") == "'; drop table writers"
    assert await db.execute("select from writers") == 3
    both = await db.find(Writer, where={"AND": [{"mood": {"eq": Mood.GLAD}}, {"born": {"gt": date(1800, 1, 1)}}]})
    assert [(type(each), each.full_name, each.mood, type(each.born)) for each in both] == [
        (Writer, "Ada", Mood.GLAD, date),
        (Writer, "Cy", Mood.GLAD, date),
    ]
    related = await db.find(Writer, where={"books": {"some": {"title": {"eq": "Book 1"}}}}, fields=["id", "books"])
    assert [(each.id, [book.title for book in each.books]) for each in related] == [(2, ["Book 1", "Book 3"])]
    assert not hasattr(related[0], "full_name")
    assert await db.find_one(Writer, id=99) is None
    assert [each.id for each in await db.find(Book, order_by=[{"writer": {"full_name": "desc"}}, {"id": "ASC"}])] == [
        *(1, 3, 2, 4)
    ]
    assert [each.id for each in await db.find(Book, order_by={"id": "ASC"}, limit=2, offset=1)] == [2, 3]
    for wrong, told in (
        (lambda: db.find(Writer, where={"nothing": {"eq": 1}}), "WriterWhereInput has no 'nothing'"),
        (lambda: db.find(Writer, where={"id": {"eq": "x"}}), "where: id.eq"),
        (lambda: db.find(Writer, limit=1_000_000), '"limit" must be between 0 and 1000'),
        (lambda: db.find(Note), "find(Note): expected a class of the schema with sql_source"),
        (lambda: db.find(Writer, fields=["shout"]), "'shout' is a method"),
        (lambda: db.find(Writer, fields=["other"]), "no attribute 'other'"),
        (lambda: db.find_one(Writer), "neither id nor where"),
    ):
        with pytest.raises(ValueError, match=re.escape(told)):
            await wrong()
    return "done"


async def test_what_can_be_asked_for(ask_writers: Any, observations: list[Observation]) -> None:
    bodies["values"] = _values
    assert (await ask_writers('{ run(name: "values") }')) == {"data": {"run": "done"}}, causes(observations)


async def _fail_after(db: Database, *statements: str) -> None:
    async with db.transaction():
        for sql in statements:
            await db.execute(sql)
        raise KeyError(statements)


async def _twice(db: Database) -> None:
    async with db.transaction():
        await db.execute("delete from books where id = 100")
        await db.execute("insert into books values (1, 1, 'Twice', null)")


async def _overlooked(db: Database) -> None:
    async with db.transaction():
        with contextlib.suppress(DatabaseError):
            await db.execute("select 1 / 0")


async def _transactions(info: Info) -> Any:
    db = info.db
    with pytest.raises(KeyError):
        await _fail_after(db, "delete from books")
    async with db.transaction("serializable"):
        assert await db.fetch_value("select current_setting('transaction_isolation')") == "serializable"
        assert await db.execute("insert into books values (100, 1, 'New', null)") == 1
        with pytest.raises(DatabaseError) as caught:
            await _twice(db)
        assert caught.value.sqlstate == "23505"
        assert await db.fetch_value("select count(*) from books") == 5
        await db.execute("delete from books where id = 100")
    with pytest.raises(DatabaseError):
        await _overlooked(db)
    return await db.fetch_value("select count(*) from books")


async def test_transactions_of_queries(ask_writers: Any, observations: list[Observation]) -> None:
    bodies["transactions"] = _transactions
    assert await ask_writers('{ run(name: "transactions") }') == {"data": {"run": 4}}, causes(observations)


def _fail_in_thread(db: BlockingDatabase) -> None:
    with db.transaction():
        db.execute("delete from books")
        raise KeyError


def _transactions_in_thread(info: BlockingInfo) -> Any:
    db = info.db
    with pytest.raises(KeyError):
        _fail_in_thread(db)
    with db.transaction():
        with db.transaction():
            assert db.fetch_one("select 1 as one") == {"one": 1}
        assert [each.id for each in db.find(Writer, order_by={"id": "ASC"})] == [1, 2, 3]
    return db.fetch_value("select count(*) from books")


async def test_transactions_in_a_thread(ask_writers: Any, observations: list[Observation]) -> None:
    bodies["thread"] = _transactions_in_thread
    assert await ask_writers('{ runPlain(name: "thread") }') == {"data": {"runPlain": 4}}, causes(observations)


async def test_a_plain_method_on_the_event_loop_has_no_database(
    ask_writers: Any, observations: list[Observation]
) -> None:
    answer = await ask_writers("{ writers(limit: 1) { careless } }")
    assert answer["data"] == {"writers": [{"careless": None}]}
    assert "make it `async def`" in causes(observations)


async def test_after_the_call_the_database_is_refused(ask_writers: Any, observations: list[Observation]) -> None:
    kept: list[Any] = []

    async def keep(info: Info) -> Any:
        kept.append(info.db)
        return None

    bodies["keep"] = keep
    assert await ask_writers('{ run(name: "keep") }') == {"data": {"run": None}}
    with pytest.raises(RuntimeError, match="the call that it was given to has ended"):
        await kept[0].fetch_value("select 1")
    kept.clear()
    bodies["keep plainly"] = lambda info: kept.append(info.db)
    assert await ask_writers('{ runPlain(name: "keep plainly") }') == {"data": {"runPlain": None}}
    with pytest.raises(RuntimeError, match="the call that it was given to has ended"):
        await anyio.to_thread.run_sync(kept[0].fetch_value, "select 1")
    with pytest.raises(RuntimeError, match="would stop the event loop"):
        kept[0].fetch_value("select 1")


async def test_a_transaction_that_is_left_open_is_rolled_back(
    ask_writers: Any, observations: list[Observation]
) -> None:
    async def leave(info: Info) -> Any:
        await info.db.transaction().__aenter__()
        return await info.db.execute("delete from books")

    bodies["leave"] = leave
    assert await ask_writers('{ run(name: "leave") }') == {"data": {"run": 4}}
    assert await ask_writers('{ rowsOf(sql: "select count(*) from books") }') == {"data": {"rowsOf": [{"count": 4}]}}


async def test_row_level_security_holds_for_all_of_it(writers_url: str, connected: Any) -> None:
    async def everything(info: Info) -> Any:
        found = [each.owner for each in await info.db.find(Entry)]
        found += [row["owner"] for row in await info.db.fetch_all("select owner from diary")]
        async with info.db.transaction():
            found += [row["owner"] for row in await info.db.fetch_all("select owner from diary")]
            found += [each.owner for each in await info.db.find(Entry)]
        return found

    bodies["diary"] = everything
    context = DatabaseContext({"app.user": "user_id"}, role="roles", roles=("diarist",))
    schema = fraiseql.Schema(
        queries=[entries, run, run_plain, plain], mutations=[mutate], types=[Entry], database_context=context
    )

    def known(request: ClientRequest) -> Caller:
        return Caller(request.header("x-user"), roles=frozenset({"diarist"}))

    app = FraiseQLApp(
        schema,
        config=FraiseQLConfig(database_url=writers_url, port=0),
        bus=EventBus.memory(),
        context=lambda request: Caller("bo", roles=frozenset({"diarist"})),
    )
    async with app, connected(app.port) as client:
        assert await client.ask('{ run(name: "diary") entries { owner } }') == {
            "data": {"run": ["bo"] * 4, "entries": [{"owner": "bo"}]}
        }
        assert await client.ask('mutation { mutate(name: "diary") }') == {"data": {"mutate": ["bo"] * 4}}
    app = FraiseQLApp(
        schema, config=FraiseQLConfig(database_url=writers_url, port=0), bus=EventBus.memory(), context=known
    )
    async with app, connected(app.port) as client:
        answer = await client.ask('{ plain run(name: "diary") }')
        assert answer["data"] == {"plain": 42, "run": None}
        assert answer["errors"][0]["extensions"]["code"] == "CONTEXT_MISSING"


async def _aside(db: Database, told: list[str]) -> None:
    """Three tasks: one fails inside of its transaction, while the others do something beside it."""
    inside, beside = anyio.Event(), anyio.Event()

    async def fail() -> None:
        with contextlib.suppress(KeyError):
            async with db.transaction():
                await db.execute("insert into books values (201, 1, 'Failed', null)")
                inside.set()
                await beside.wait()
                raise KeyError

    async def in_one_of_its_own() -> None:
        await inside.wait()
        beside.set()
        async with db.transaction():
            await db.execute("insert into books values (202, 1, 'Committed', null)")
        told.append("committed")

    async def outside() -> None:
        await inside.wait()
        beside.set()
        await db.execute("insert into books values (203, 1, 'Done', null)")
        told.append("done")

    async with anyio.create_task_group() as group:
        for each in (fail, in_one_of_its_own, outside):
            group.start_soon(each)


@pytest.mark.parametrize("operation", ["query { run", "mutation { mutate"])
async def test_what_stands_beside_a_transaction_is_not_undone_with_it(
    operation: str, ask_writers: Any, observations: list[Observation]
) -> None:
    told: list[str] = []

    async def aside(info: Info) -> Any:
        await _aside(info.db, told)
        found = [row["id"] for row in await info.db.fetch_all("select id from books where id > 200 order by id")]
        await info.db.execute("delete from books where id > 200")
        return found

    bodies["aside"] = aside
    answer = await ask_writers(f'{operation}(name: "aside") }}')
    assert list(answer["data"].values()) == [[202, 203]], causes(observations)
    assert sorted(told) == ["committed", "done"]


@pytest.mark.parametrize("operation", ["query { run", "mutation { mutate"])
async def test_transactions_of_tasks_side_by_side_wait_for_each_other(
    operation: str, ask_writers: Any, observations: list[Observation]
) -> None:
    async def many(info: Info) -> Any:
        open_ones: list[int] = []

        async def one(id: int) -> None:
            async with info.db.transaction():
                open_ones.append(id)
                await info.db.execute("insert into books values ($1, 1, 'One', null)", id)
                await anyio.sleep(0)
                assert open_ones == [id]
                async with info.db.transaction():
                    await info.db.execute("update books set title = 'Same' where id = $1", id)
                open_ones.remove(id)

        async with anyio.create_task_group() as group:
            for id in range(301, 306):
                group.start_soon(one, id)
        return await info.db.execute("delete from books where id > 300 and title = 'Same'")

    bodies["many"] = many
    answer = await ask_writers(f'{operation}(name: "many") }}')
    assert list(answer["data"].values()) == [5], causes(observations)


@pytest.mark.parametrize("operation", ["query { run", "mutation { mutate"])
async def test_tasks_that_a_transaction_starts_are_inside_of_it(
    operation: str, ask_writers: Any, observations: list[Observation]
) -> None:
    async def children(info: Info) -> Any:
        async def child(id: int) -> None:
            await info.db.execute("insert into books values ($1, 1, 'Child', null)", id)
            async with info.db.transaction():
                await info.db.execute("insert into books values ($1, 1, 'Child', null)", id + 10)

        with contextlib.suppress(KeyError):
            async with info.db.transaction():
                async with anyio.create_task_group() as group:
                    for id in range(401, 404):
                        group.start_soon(child, id)
                assert await info.db.fetch_value("select count(*) from books where id > 400") == 6
                raise KeyError
        return await info.db.fetch_value("select count(*) from books where id > 400")

    bodies["children"] = children
    answer = await ask_writers(f'{operation}(name: "children") }}')
    assert list(answer["data"].values()) == [0], causes(observations)


async def test_a_task_that_outlives_its_transaction_is_refused(
    ask_writers: Any, observations: list[Observation]
) -> None:
    async def outlive(info: Info) -> Any:
        over = anyio.Event()

        async def late() -> None:
            await over.wait()
            with pytest.raises(RuntimeError, match="was started in has ended"):
                await info.db.execute("delete from books")
            with pytest.raises(RuntimeError, match="was started in has ended"):
                await info.db.transaction().__aenter__()

        async with anyio.create_task_group() as group:
            async with info.db.transaction():
                group.start_soon(late)
                await info.db.execute("select 1")
            over.set()
        return await info.db.fetch_value("select count(*) from books")

    bodies["outlive"] = outlive
    assert await ask_writers('{ run(name: "outlive") }') == {"data": {"run": 4}}, causes(observations)


async def test_a_transaction_that_ends_before_one_inside_of_it_is_undone(
    ask_writers: Any, observations: list[Observation]
) -> None:
    async def cross(info: Info) -> None:
        async with info.db.transaction():
            await info.db.execute("delete from books")
            await info.db.transaction().__aenter__()

    async def crossed(info: Info) -> Any:
        with pytest.raises(RuntimeError, match="expected nesting"):
            await cross(info)
        return await info.db.fetch_value("select count(*) from books")

    bodies["crossed"] = crossed
    assert await ask_writers('{ run(name: "crossed") }') == {"data": {"run": 4}}, causes(observations)
    assert await ask_writers('mutation { mutate(name: "crossed") }') == {"data": {"mutate": 4}}, causes(observations)


def _in_threads(db: BlockingDatabase, *ids: int) -> None:
    def one(id: int) -> None:
        with contextlib.suppress(KeyError), db.transaction():
            db.execute("insert into books values ($1, 1, 'Thread', null)", id)
            if id % 2:
                raise KeyError

    with ThreadPoolExecutor(len(ids)) as threads:
        list(threads.map(one, ids))


@pytest.mark.parametrize("operation", ["query { runPlain", "mutation { mutatePlainly"])
async def test_transactions_of_threads_side_by_side(
    operation: str, ask_writers: Any, observations: list[Observation]
) -> None:
    def threads(info: BlockingInfo) -> Any:
        _in_threads(info.db, 501, 502, 503, 504)
        with contextlib.suppress(KeyError), info.db.transaction():
            inside = contextvars.copy_context()
            with ThreadPoolExecutor() as pool:
                pool.submit(inside.run, info.db.execute, "insert into books values (506, 1, 'In', null)").result()
            assert info.db.fetch_value("select count(*) from books where id = 506") == 1
            raise KeyError
        found = [row["id"] for row in info.db.fetch_all("select id from books where id > 500 order by id")]
        info.db.execute("delete from books where id > 500")
        return found

    bodies["threads"] = threads
    answer = await ask_writers(f'{operation}(name: "threads") }}')
    assert list(answer["data"].values()) == [[502, 504]], causes(observations)
