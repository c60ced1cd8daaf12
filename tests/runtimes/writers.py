"""Functions in Python that serve queries, mutations and subscriptions, over two tables and a diary with policies.

`run`, `found`, `run_plain`, `mutate` and `mutate_plainly` do what a test puts under a name into `bodies`.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

import anyio

import fraiseql
from fraiseql import BlockingInfo, Info, RequestError
from fraiseql.observations import InternalErrorMasked, Observation

__all__ = ["DDL", "SCHEMA", "Book", "Entry", "Gate", "Mood", "Note", "Writer", "batches", "bodies", "causes"]

DDL = """
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
        batches.append(len(writers))
        sql = "select writer_id, count(*) as n from books where writer_id = any($1) group by 1"
        found = {row["writer_id"]: row["n"] for row in await info.db.fetch_all(sql, [each.id for each in writers])}
        return [found.get(each.id, 0) for each in writers]

    @fraiseql.field(needs=["id"])
    def careless(self, info: BlockingInfo) -> int | None:
        assert isinstance(info, BlockingInfo)
        return info.db.fetch_value("select 1")


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


@fraiseql.type
@dataclass
class Shelf:
    place: str
    owner: Writer | None
    books: list[Book]


@fraiseql.type
@dataclass
class Replaced:
    writer: Writer


@fraiseql.input
class Wish:
    text: str
    mood: Mood = Mood.GLAD
    tags: list[str] | None = None
    size: int | None


batches: list[int] = []
bodies: dict[str, Any] = {}


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
    return [note_of("one"), None, {"text": "two", "mood": Mood.SAD}]  # type: ignore[list-item]


def note_of(text: str) -> Note:
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
async def shelf(info: Info) -> Shelf:
    return Shelf(
        "left", await info.db.find_one(Writer, id=1), await info.db.find(Book, order_by={"id": "ASC"}, limit=2)
    )


@fraiseql.query
async def whoever(info: Info, id: int) -> Writer | Note | None:
    """A row, a note or nothing."""
    return await info.db.find_one(Writer, id=id) or (note_of("nobody") if id < 100 else None)


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
    return await bodies[name](info)


@fraiseql.query
async def found(info: Info, name: str) -> list[Writer]:
    given: list[Writer] = await bodies[name](info)
    return given


@fraiseql.query
def run_plain(info: BlockingInfo, name: str) -> fraiseql.JSON | None:
    return bodies[name](info)


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
async def replace(info: Info, id: int, name: str) -> Replaced | Note:
    found = await info.db.find_one(Writer, id=id)
    if found is None:
        return note_of(f"no writer {id}")
    await info.db.execute("update books set title = $1 where writer_id = $2", name, id)
    return Replaced(found)


@fraiseql.mutation
async def mutate(info: Info, name: str) -> fraiseql.JSON | None:
    return await bodies[name](info)


@fraiseql.mutation
def mutate_plainly(info: BlockingInfo, name: str) -> fraiseql.JSON | None:
    return bodies[name](info)


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


SCHEMA = fraiseql.Schema(
    queries=[
        writers,
        entries,
        greeting,
        plain,
        notes,
        eldest,
        made_up,
        refuses,
        fails,
        exits,
        wrong,
        shelf,
        whoever,
        rows_of,
        rows_in_thread,
        run,
        found,
        run_plain,
    ],
    mutations=[rename, rename_plainly, replace, mutate, mutate_plainly],
    subscriptions=[renamed, counted_plainly],
)


class Gate:
    """Lets a test see when a function is inside, and let it go on."""

    def __init__(self) -> None:
        self.inside, self.ended = anyio.Event(), anyio.Event()
        self.go_on = threading.Event()


def causes(observations: list[Observation]) -> str:
    """What the log has of errors that clients were not shown."""
    return " ".join(repr(each.error) for each in observations if isinstance(each, InternalErrorMasked))
