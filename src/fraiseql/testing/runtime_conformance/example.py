"""What the servers of the scenarios serve: two schemas over one small database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio

from fraiseql.bus import EventBus, outbox_sql, watch_sql
from fraiseql.context import BlockingInfo, Info
from fraiseql.errors import RequestError
from fraiseql.schema import Schema, mutation, query, subscription, type

__all__ = ["ASYNCHRONOUS", "PLAIN", "SUBSCRIBED", "database_sql", "reset_sql"]

_TABLES = """
create table note (id int primary key, body text not null);
insert into note values (1, 'one'), (2, 'two');
create table entry (id int generated always as identity primary key, token text not null);
create table tally (value int not null);
insert into tally values (0);
create view large as select id, repeat('x', id) as body from (values (1000000), (8000000)) as sizes (id);
create view broken as select id, 1 / (id - 1) as value from note;

-- Writes, and then waits for whoever has locked the tally.
create function record(token text) returns int language plpgsql as $$
begin
    insert into entry (token) values (record.token);
    update tally set value = value + 1;
    if token = 'refused' then
        raise exception 'no entry of this name';
    end if;
    return 1;
end $$;

create trigger entry_added after insert on entry for each row execute function fraiseql_publish_row('entry_added');
"""

reset_sql = "delete from entry; update tally set value = 0; alter sequence entry_id_seq restart"
"""Leaves the database as it was."""


def database_sql() -> str:
    """What makes the tables, views and functions in an empty database, the outbox of events among them."""
    bus = EventBus.postgresql()
    return outbox_sql(bus) + _TABLES + watch_sql(bus, "entry")


@type(sql_source="note", jsonb_column=None)
class Note:
    """Something that never changes."""

    id: int
    body: str


@type(sql_source="large", jsonb_column=None)
class Large:
    """As many letters as its id says."""

    id: int
    body: str


@type(sql_source="broken", jsonb_column=None)
class Broken:
    """Something that the database fails on."""

    id: int
    value: int


@type(sql_source="entry", jsonb_column=None)
class Entry:
    """Something that is written."""

    id: int
    token: str


@query
def notes() -> list[Note]:
    """All of them."""


@query
def note(id: int) -> Note | None:
    """One of them."""


@query
def large(id: int) -> Large | None:
    """A large answer."""


@query
def broken() -> list[Broken]:
    """An error."""


@query
def entries() -> list[Entry]:
    """What was written."""


@query
def greeting(name: str) -> str:
    """Python, in a thread."""
    return f"Hello, {name}!"


@query
async def farewell(name: str) -> str:
    """Python, on the event loop."""
    await anyio.sleep(0)
    return f"Good bye, {name}!"


@query
def refusal() -> str:
    """What Python refuses."""
    raise RequestError("Not today.", code="NOT_TODAY")


@query
def blunder() -> str:
    """A mistake in Python."""
    raise ValueError("secret words")


@query
async def patience(info: Info) -> str:
    """Waits for whoever has locked the notes."""
    await info.db.execute("select count(*) from note")
    return "at last"


@mutation(function="record", arguments="named")
def record(token: str) -> int | None:
    """Write."""


@mutation
def write(info: BlockingInfo, token: str) -> int | None:
    """Write, in Python."""
    info.db.execute("insert into entry (token) values ($1)", token)
    return int(info.db.execute("update tally set value = value + 1"))


@subscription
def count(to: int) -> Iterator[int]:
    """Numbers, in a thread."""
    yield from range(1, to + 1)


@subscription
async def count_slowly(to: int) -> AsyncIterator[int]:
    """Numbers, and then nothing more."""
    for number in range(1, to + 1):
        yield number
    await anyio.sleep_forever()


@subscription(topic="entry_added")
def entry_added() -> Entry:
    """Each new entry."""


@subscription
def live_entries() -> list[Entry]:
    """All entries, always."""


_QUERIES: list[Callable[..., Any]] = [notes, note, large, broken, entries, greeting, refusal, blunder]
_TYPES = [Note, Large, Broken, Entry]

PLAIN = Schema(types=_TYPES, queries=_QUERIES, mutations=[record, write])
"""Without anything that is asynchronous."""

SUBSCRIBED = Schema(
    types=_TYPES, queries=_QUERIES, mutations=[record, write], subscriptions=[count, entry_added, live_entries]
)
"""With subscriptions, none of which is asynchronous Python."""

ASYNCHRONOUS = Schema(
    types=_TYPES,
    queries=[*_QUERIES, farewell, patience],
    mutations=[record, write],
    subscriptions=[count_slowly],
)
"""With asynchronous functions."""
