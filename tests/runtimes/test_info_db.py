"""What `info.db` gives: SQL, typed selections, transactions, as the caller, until the call has ended."""

from __future__ import annotations

import contextlib
import json
import re
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
