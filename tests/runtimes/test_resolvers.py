"""Functions in Python that serve queries and mutations, and their `info.db`, through the whole server."""

from __future__ import annotations

import contextvars
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

import anyio
import anyio.to_thread
import psycopg
import pytest

import fraiseql
from fraiseql import BlockingInfo, Caller, ClientRequest, DatabaseContext, DatabaseError, EventBus, Info, RequestError
from fraiseql.observations import InternalErrorMasked, Observation
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres
from runtimes.websocket_client import opened

pytestmark = pytest.mark.anyio

_DDL = """
create table writers (id int primary key, full_name text not null unique, born date, mood text not null);
insert into writers values (1, 'Ada', '1815-12-10', 'glad'), (2, 'Bo', null, 'sad'), (3, 'Cy', '1999-01-01', 'glad');
create table books (id int primary key, writer_id int not null, title text not null, document jsonb);
insert into books select n, 1 + n % 2, 'Book ' || n, '{"pages": 7}' from generate_series(1, 4) n;
create table diary (id int primary key, owner text not null);
insert into diary values (1, 'ada'), (2, 'bo');
alter table diary enable row level security;
alter table diary force row level security;
create policy own on diary using (owner = current_setting('app.user', true));
create role diarist;
grant all on all tables in schema public to diarist;
"""


@fraiseql.enum
class Mood(Enum):
    GLAD = "glad"
    SAD = "sad"


@fraiseql.type(sql_source="writers", jsonb_column=None)
@dataclass
class Writer:
    id: int
    full_name: str
    born: date | None
    mood: Mood
    books: list[Book] = fraiseql.relation(on={"writer_id": "id"})  # noqa: RUF009 - it is a marker

    @fraiseql.field
    def shout(self) -> str:
        return self.full_name.upper()

    @fraiseql.field(batch=True, needs=["id"])
    @staticmethod
    async def counted(writers: list[Writer], info: Info) -> list[int]:
        calls.append(("counted", len(writers)))
        sql = "select writer_id, count(*) as n from books where writer_id = any($1) group by 1"
        found = {row["writer_id"]: row["n"] for row in await info.db.fetch_all(sql, [each.id for each in writers])}
        return [found.get(each.id, 0) for each in writers]

    @fraiseql.field(needs=["id"])
    def careless(self, info: Info) -> int | None:
        return info.db.fetch_value("select 1")  # type: ignore[return-value]


@fraiseql.type(sql_source="books", jsonb_column=None)
class Book:
    id: int
    title: str
    writer_id: int
    writer: Writer | None = fraiseql.relation(on={"id": "writer_id"})


@fraiseql.type(sql_source="diary", jsonb_column=None)
class Entry:
    id: int
    owner: str


@fraiseql.type
class Note:
    text: str
    mood: Mood | None

    @fraiseql.field
    async def asked_by(self, info: Info) -> str | None:
        return info.caller.user_id


@fraiseql.input
class Wish:
    text: str
    mood: Mood = Mood.GLAD


calls: list[Any] = []
places: dict[str, Any] = {}
where_am_i: contextvars.ContextVar[str] = contextvars.ContextVar("where_am_i", default="nowhere")


class Gate:
    """Lets a test see when a function is inside, and let it go on."""

    def __init__(self) -> None:
        self.inside, self.ended = anyio.Event(), anyio.Event()
        self.go_on = threading.Event()


@fraiseql.query
def writers() -> list[Writer]: ...


@fraiseql.query
def entries() -> list[Entry]: ...


@fraiseql.query
async def greeting(info: Info, name: str = "you", wish: Wish | None = None) -> str:
    await anyio.sleep(0)
    return f"Hello {name} {wish} from {info.caller.user_id}"


@fraiseql.query
def plain() -> int:
    return 42


@fraiseql.query
async def notes() -> list[Note | None]:
    return [Note_of("one"), None, {"text": "two", "mood": Mood.SAD}]  # type: ignore[list-item]


def Note_of(text: str) -> Note:  # noqa: N802 - it makes one
    made = Note()
    made.text, made.mood = text, Mood.GLAD
    return made


@fraiseql.query
async def eldest(info: Info) -> Writer | None:
    found = await info.db.find(Writer, where={"born": {"isnull": False}}, order_by=[{"born": "ASC"}], limit=1)
    return found[0]


@fraiseql.query
async def made_up() -> list[Writer]:
    return [Writer(2, "Somebody", None, Mood.SAD), {"id": 1, "full_name": "Dict", "born": None, "mood": "glad"}]  # type: ignore[list-item,call-arg]


@fraiseql.query
async def refuses() -> int | None:
    raise RequestError("Not today.", code="CLOSED", extensions={"until": "noon"})


@fraiseql.query
async def fails() -> int | None:
    raise KeyError("a secret")


@fraiseql.query
def exits() -> int | None:
    raise SystemExit("no way out")


@fraiseql.query
async def wrong() -> int | None:
    return "no number"  # type: ignore[return-value]


@fraiseql.query
async def rows_of(info: Info, sql: str) -> fraiseql.JSON:
    return await info.db.fetch_all(sql)


@fraiseql.query
def rows_in_thread(info: BlockingInfo, sql: str) -> fraiseql.JSON:
    assert threading.current_thread() is not threading.main_thread()
    return info.db.fetch_all(sql)


@fraiseql.query
async def run(info: Info, name: str) -> fraiseql.JSON | None:
    return await places[name](info)


@fraiseql.query
def run_plain(info: BlockingInfo, name: str) -> fraiseql.JSON | None:
    return places[name](info)


@fraiseql.mutation
async def rename(info: Info, id: int, name: str) -> Writer | None:
    """Rename one."""
    await info.db.execute("update writers set full_name = $1 where id = $2", name, id)
    return await info.db.find_one(Writer, id=id)


@fraiseql.mutation
def rename_plainly(info: BlockingInfo, id: int, name: str) -> Writer | None:
    with info.db.transaction():
        info.db.execute("update writers set full_name = $1 where id = $2", name, id)
    return info.db.find_one(Writer, where={"id": {"eq": id}})


@fraiseql.mutation
async def mutate(info: Info, name: str) -> fraiseql.JSON | None:
    return await places[name](info)


@fraiseql.subscription
async def renamed(info: Info) -> AsyncIterator[Writer]:
    async with info.db.transaction():
        found = await info.db.find(Writer, limit=1, order_by={"id": "ASC"})
    yield found[0]
    await info.db.execute("select 1")
    yield found[0]


@fraiseql.subscription
def counted_plainly(info: BlockingInfo) -> Iterator[int]:
    yield info.db.fetch_value("select count(*) from books")


_SCHEMA = fraiseql.Schema(
    queries=[writers, entries, greeting, plain, notes, eldest, made_up, refuses, fails, exits, wrong]
    + [rows_of, rows_in_thread, run, run_plain],
    mutations=[rename, rename_plainly, mutate],
    subscriptions=[renamed, counted_plainly],
)


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres, module_database_url: str) -> Iterator[str]:
    with psycopg.connect(module_database_url) as connection:
        connection.execute(_DDL.encode())
    yield module_database_url
    with psycopg.connect(module_database_url) as connection:
        connection.execute(b"drop owned by diarist; drop role diarist")


@pytest.fixture
async def observed() -> list[Observation]:
    return []


@pytest.fixture
async def app(url: str, observed: list[Observation]) -> AsyncIterator[FraiseQLApp]:
    calls.clear()
    config = FraiseQLConfig(database_url=url, port=0, query_max_threads=2, pool_max_size=4)
    app = FraiseQLApp(_SCHEMA, config=config, bus=EventBus.memory(), context=_known, observe=observed.append)
    async with app:
        yield app
        assert app.database.pool.granted == 0


def _known(request: ClientRequest) -> Caller:
    return Caller("ada")


@pytest.fixture
async def ask(app: FraiseQLApp, connected: Any) -> AsyncIterator[Callable[..., Any]]:
    async with connected(app.port) as client:
        yield client.ask


def _causes(observed: list[Observation]) -> str:
    return " ".join(repr(each.error) for each in observed if isinstance(each, InternalErrorMasked))


async def test_functions_stand_beside_what_sql_serves_in_the_order_asked_for(ask: Any) -> None:
    query = """{ plain first: writers(limit: 1) { fullName } greeting(name: "Bo", wish: {text: "tea"})
                 __typename notes { text mood askedBy } }"""
    answer = await ask(query)
    assert list(answer["data"]) == ["plain", "first", "greeting", "__typename", "notes"]
    assert answer == {
        "data": {
            "plain": 42,
            "first": [{"fullName": "Ada"}],
            "greeting": "Hello Bo {'text': 'tea', 'mood': <Mood.GLAD: 'glad'>} from ada",
            "__typename": "Query",
            "notes": [
                {"text": "one", "mood": "GLAD", "askedBy": "ada"},
                None,
                {"text": "two", "mood": "SAD", "askedBy": "ada"},
            ],
        }
    }


async def test_relations_below_what_they_give_are_served_by_sql(ask: Any) -> None:
    answer = await ask(
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
    assert calls == [("counted", 2)]


async def test_found_instances_hold_python_values(ask: Any) -> None:
    assert await ask("{ eldest { id born mood books { id } } }") == {
        "data": {"eldest": {"id": 1, "born": "1815-12-10", "mood": "GLAD", "books": [{"id": 2}, {"id": 4}]}}
    }


async def test_errors_are_at_their_paths_and_the_others_are_answered(ask: Any, observed: list[Observation]) -> None:
    answer = await ask("{ refuses writers(limit: 1) { id } fails exits wrong plain }")
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
    assert "a secret" in _causes(observed)
    assert "no way out" in _causes(observed)
    assert "secret" not in json.dumps(answer)


@pytest.mark.parametrize("field", ["rowsOf", "rowsInThread"])
async def test_sql_of_ones_own_gives_dicts(field: str, ask: Any) -> None:
    answer = await ask(f'{{ {field}(sql: "select id, full_name from writers order by id limit 2") }}')
    assert answer == {"data": {field: [{"id": 1, "full_name": "Ada"}, {"id": 2, "full_name": "Bo"}]}}


@pytest.mark.parametrize("field", ["rowsOf", "rowsInThread"])
async def test_an_error_of_postgresql_is_masked(field: str, ask: Any, observed: list[Observation]) -> None:
    answer = await ask(f'{{ {field}(sql: "select nothing_there") }}')
    assert "nothing_there" not in json.dumps(answer)
    assert "nothing_there" in _causes(observed)


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
        with pytest.raises(ValueError, match=".*") as caught:
            await wrong()
        assert told in str(caught.value)
    return "done"


async def test_what_can_be_asked_for(ask: Any, observed: list[Observation]) -> None:
    places["values"] = _values
    assert (await ask('{ run(name: "values") }')) == {"data": {"run": "done"}}, _causes(observed)


async def _transactions(info: Info) -> Any:
    db = info.db
    with pytest.raises(KeyError):
        async with db.transaction():
            assert await db.execute("delete from books") == 4
            raise KeyError
    async with db.transaction("serializable"):
        assert await db.fetch_value("select current_setting('transaction_isolation')") == "serializable"
        assert await db.execute("insert into books values (100, 1, 'New', null)") == 1
        with pytest.raises(DatabaseError) as caught:
            async with db.transaction():
                await db.execute("delete from books where id = 100")
                await db.execute("insert into books values (1, 1, 'Twice', null)")
        assert caught.value.sqlstate == "23505"
        assert await db.fetch_value("select count(*) from books") == 5
        await db.execute("delete from books where id = 100")
    with pytest.raises(DatabaseError):
        async with db.transaction():
            with pytest.raises(DatabaseError):
                await db.execute("select 1 / 0")
    return await db.fetch_value("select count(*) from books")


async def test_transactions_of_queries(ask: Any, observed: list[Observation]) -> None:
    places["transactions"] = _transactions
    assert await ask('{ run(name: "transactions") }') == {"data": {"run": 4}}, _causes(observed)


def _transactions_in_thread(info: BlockingInfo) -> Any:
    db = info.db
    with pytest.raises(KeyError), db.transaction():
        db.execute("delete from books")
        raise KeyError
    with db.transaction():
        with db.transaction():
            assert db.fetch_one("select 1 as one") == {"one": 1}
        assert [each.id for each in db.find(Writer, order_by={"id": "ASC"})] == [1, 2, 3]
    assert where_am_i.get() == "here"
    return db.fetch_value("select count(*) from books")


async def test_transactions_in_a_thread_which_context_variables_reach(ask: Any, observed: list[Observation]) -> None:
    places["thread"] = _transactions_in_thread
    places["outer"] = lambda info: None
    token = where_am_i.set("here")
    try:
        from fraiseql.effects import CallAll, ResolverCall
        from fraiseql.runtimes.anyio.calling import Calls

        async def perform(effect: Any) -> Any:
            raise AssertionError(effect)

        call = ResolverCall(where_am_i.get, (), {}, takes_info=False, field_name="it", blocks=True)
        assert await Calls(None, 1).call_all(CallAll((call,), 1), perform) == ["here"]
    finally:
        where_am_i.reset(token)
    where = where_am_i.get
    places["thread"] = lambda info: _in_thread(info, where)
    assert await ask('{ runPlain(name: "thread") }') == {"data": {"runPlain": 4}}, _causes(observed)


def _in_thread(info: BlockingInfo, where: Any) -> Any:
    where_am_i.set("here")
    return _transactions_in_thread(info)


async def test_a_plain_method_on_the_event_loop_has_no_database(ask: Any, observed: list[Observation]) -> None:
    answer = await ask("{ writers(limit: 1) { careless } }")
    assert answer["data"] == {"writers": [{"careless": None}]}
    assert "make it `async def`" in _causes(observed)


async def test_after_the_call_the_database_is_refused(ask: Any, observed: list[Observation]) -> None:
    kept: list[Any] = []

    async def keep(info: Info) -> Any:
        kept.append(info.db)
        return None

    places["keep"] = keep
    assert await ask('{ run(name: "keep") }') == {"data": {"run": None}}
    with pytest.raises(RuntimeError, match="the call that it was given to has ended"):
        await kept[0].fetch_value("select 1")
    kept.clear()
    places["keep plainly"] = lambda info: kept.append(info.db)
    assert await ask('{ runPlain(name: "keep plainly") }') == {"data": {"runPlain": None}}
    with pytest.raises(RuntimeError, match="the call that it was given to has ended"):
        await anyio.to_thread.run_sync(kept[0].fetch_value, "select 1")
    with pytest.raises(RuntimeError, match="would stop the event loop"):
        kept[0].fetch_value("select 1")


async def test_a_transaction_that_is_left_open_is_rolled_back(ask: Any, observed: list[Observation]) -> None:
    async def leave(info: Info) -> Any:
        await info.db.transaction().__aenter__()
        return await info.db.execute("delete from books")

    places["leave"] = leave
    assert await ask('{ run(name: "leave") }') == {"data": {"run": 4}}
    assert await ask('{ rowsOf(sql: "select count(*) from books") }') == {"data": {"rowsOf": [{"count": 4}]}}


async def test_blocking_calls_stop_nobody_else_and_only_so_many_run(app: FraiseQLApp, connected: Any) -> None:
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

    places["block"] = block
    answers: list[Any] = []

    async def asking() -> None:
        async with connected(app.port) as client:
            answers.append(await client.ask('{ a: runPlain(name: "block") b: runPlain(name: "block") }'))

    async with anyio.create_task_group() as group:
        group.start_soon(asking)
        group.start_soon(asking)
        await gate.inside.wait()
        async with connected(app.port) as client:
            assert await client.ask("{ writers(limit: 1) { id } }") == {"data": {"writers": [{"id": 1}]}}
        gate.go_on.set()
    assert [answer["data"] for answer in answers] == [{"a": 2, "b": 2}] * 2


async def test_a_client_that_leaves_cancels_an_asynchronous_function(app: FraiseQLApp, connected: Any) -> None:
    gate = Gate()

    async def wait(info: Info) -> Any:
        try:
            async with info.db.transaction():
                await info.db.execute("delete from books")
                gate.inside.set()
                await anyio.sleep_forever()
        finally:
            gate.ended.set()

    places["wait"] = wait
    with anyio.fail_after(20):
        async with connected(app.port) as client:
            await client.send('{ run(name: "wait") }')
            await gate.inside.wait()
        await gate.ended.wait()
        async with connected(app.port) as client:
            answer = await client.ask('{ rowsOf(sql: "select count(*) from books") }')
            assert answer == {"data": {"rowsOf": [{"count": 4}]}}
        while app.database.pool.granted:
            await anyio.sleep(0)


@pytest.mark.parametrize("is_in_sql", [True, False], ids=["in SQL", "elsewhere"])
async def test_it_reaches_a_plain_function_at_its_database(is_in_sql: bool, app: FraiseQLApp, connected: Any) -> None:
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

    places["wait"] = wait
    with anyio.fail_after(20):
        async with connected(app.port) as client:
            await client.send('{ runPlain(name: "wait") }')
            await gate.inside.wait()
        while app.database.pool.granted:
            await anyio.sleep(0.01)
        gate.go_on.set()
        await gate.ended.wait()
    assert "has ended, or was cancelled" in seen[0]
    async with connected(app.port) as client:
        answer = await client.ask('{ rowsOf(sql: "select count(*) from books") }')
        assert answer == {"data": {"rowsOf": [{"count": 4}]}}


async def test_a_request_that_takes_too_long_ends_without_its_thread(url: str, connected: Any) -> None:
    gate = Gate()
    places["stuck"] = lambda info: gate.go_on.wait(20)
    config = FraiseQLConfig(database_url=url, port=0, query_request_timeout=0.2)
    with anyio.fail_after(15):
        async with FraiseQLApp(_SCHEMA, config=config, bus=EventBus.memory()) as app, connected(app.port) as client:
            answer = await client.ask('{ runPlain(name: "stuck") }')
            assert answer["errors"][0]["extensions"]["code"] == "REQUEST_TIMEOUT"
    gate.go_on.set()


@pytest.mark.parametrize("field", ["rename", "renamePlainly"])
async def test_mutations(field: str, ask: Any, observed: list[Observation]) -> None:
    query = f'mutation {{ {field}(id: 3, name: "Dee") {{ fullName shout counted books {{ id }} }} }}'
    answer = await ask(query)
    assert answer == {"data": {field: {"fullName": "Dee", "shout": "DEE", "counted": 0, "books": []}}}, _causes(
        observed
    )
    assert await ask("{ writers(where: {id: {eq: 3}}) { fullName } }") == {"data": {"writers": [{"fullName": "Dee"}]}}
    assert (await ask(f'mutation {{ {field}(id: 3, name: "Cy") {{ id }} }}'))["data"] == {field: {"id": 3}}


async def test_a_mutation_is_all_or_nothing(ask: Any, observed: list[Observation]) -> None:
    async def fail(info: Info) -> Any:
        assert await info.db.fetch_value("select full_name from writers where id = 3") == "Dee"
        raise RequestError("No.", code="NO")

    places["fail"] = fail
    answer = await ask('mutation { rename(id: 3, name: "Dee") { id } mutate(name: "fail") }')
    assert answer["data"] == {"rename": None, "mutate": None}, _causes(observed)
    assert {error["path"][0]: error["extensions"]["code"] for error in answer["errors"]} == {
        "rename": "ROLLED_BACK",
        "mutate": "NO",
    }
    assert await ask("{ writers(where: {id: {eq: 3}}) { fullName } }") == {"data": {"writers": [{"fullName": "Cy"}]}}


async def test_a_violation_that_a_mutation_lets_pass_has_its_code(ask: Any) -> None:
    answer = await ask('mutation { rename(id: 3, name: "Ada") { id } }')
    assert answer["data"] == {"rename": None}
    assert answer["errors"][0]["extensions"]["code"] == "UNIQUE_VIOLATION"


async def test_a_savepoint_keeps_the_mutation(ask: Any, observed: list[Observation]) -> None:
    async def try_twice(info: Info) -> Any:
        with pytest.raises(DatabaseError):
            async with info.db.transaction():
                await info.db.execute("update writers set full_name = 'Ada' where id = 3")
        names: list[str] = []

        async def read() -> None:
            names.append(await info.db.fetch_value("select full_name from writers where id = 3"))

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(read)
        return names

    places["try"] = try_twice
    assert await ask('mutation { mutate(name: "try") }') == {"data": {"mutate": ["Cy"] * 3}}, _causes(observed)


async def test_row_level_security_holds_for_all_of_it(url: str, connected: Any) -> None:
    async def everything(info: Info) -> Any:
        found = [each.owner for each in await info.db.find(Entry)]
        found += [row["owner"] for row in await info.db.fetch_all("select owner from diary")]
        async with info.db.transaction():
            found += [row["owner"] for row in await info.db.fetch_all("select owner from diary")]
            found += [each.owner for each in await info.db.find(Entry)]
        return found

    places["diary"] = everything
    context = DatabaseContext({"app.user": "user_id"}, role="roles", roles=("diarist",))
    schema = fraiseql.Schema(
        queries=[entries, run, run_plain, plain], mutations=[mutate], types=[Entry], database_context=context
    )

    def known(request: ClientRequest) -> Caller:
        return Caller(request.header("x-user"), roles=frozenset({"diarist"}))

    app = FraiseQLApp(
        schema,
        config=FraiseQLConfig(database_url=url, port=0),
        bus=EventBus.memory(),
        context=lambda request: Caller("bo", roles=frozenset({"diarist"})),
    )
    async with app, connected(app.port) as client:
        assert await client.ask('{ run(name: "diary") entries { owner } }') == {
            "data": {"run": ["bo"] * 4, "entries": [{"owner": "bo"}]}
        }
        assert await client.ask('mutation { mutate(name: "diary") }') == {"data": {"mutate": ["bo"] * 4}}
    app = FraiseQLApp(schema, config=FraiseQLConfig(database_url=url, port=0), bus=EventBus.memory(), context=known)
    async with app, connected(app.port) as client:
        answer = await client.ask('{ plain run(name: "diary") }')
        assert answer["data"] == {"plain": 42, "run": None}
        assert answer["errors"][0]["extensions"]["code"] == "CONTEXT_MISSING"


async def test_subscriptions_have_it_too(app: FraiseQLApp) -> None:
    async with opened(app.port) as client:
        operation = await client.subscribe("subscription { renamed { fullName books { id } counted } }")
        writer = {"fullName": "Ada", "books": [{"id": 2}, {"id": 4}], "counted": 2}
        assert await client.ended(operation) == [{"data": {"renamed": writer}}] * 2
        operation = await client.subscribe("subscription { countedPlainly }")
        assert await client.ended(operation) == [{"data": {"countedPlainly": 4}}]
