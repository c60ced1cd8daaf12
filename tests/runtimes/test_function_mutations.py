"""Function mutations through the whole server under asyncio and trio, as callers whom PostgreSQL tells apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest

import fraiseql
from fraiseql import Caller, ClientRequest, DatabaseContext, EventBus
from fraiseql.observations import InternalErrorMasked, Observation
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig

pytestmark = pytest.mark.anyio

_DDL = """
create table notes (id int generated always as identity primary key, tenant text not null, text text not null unique);
alter table notes enable row level security;
alter table notes force row level security;
create policy own on notes using (tenant = current_setting('app.tenant')) with check (true);
do $$ begin create role note_taker; exception when duplicate_object then null; end $$;
grant all on notes, notes_id_seq to note_taker;
create function take_note(input jsonb) returns jsonb language plpgsql as $$
declare key int;
begin
    if input ->> 'text' = '' then
        return '{"status": "validation:text"}';
    end if;
    -- No `returning`: the row may be another tenant's, and hidden.
    key := nextval(pg_get_serial_sequence('notes', 'id'));
    insert into notes (id, tenant, text) overriding system value values (key, input ->> 'tenant', input ->> 'text');
    return jsonb_build_object('status', 'created', 'entity_id', key, 'entity', input || jsonb_build_object('id', key));
end $$;
"""


@fraiseql.type(sql_source="notes", jsonb_column=None)
class Note:
    id: int
    text: str


@fraiseql.input
class NoteInput:
    text: str
    tenant: str


@fraiseql.type
class NoteTaken:
    note: Note | None


@fraiseql.type
class Refused:
    code: str
    fields: list[str]


@fraiseql.mutation(function="take_note")
def take_note(input: NoteInput) -> NoteTaken | Refused: ...


@fraiseql.mutation(function="no_such_function")
def nothing_there() -> Note | Refused: ...


@fraiseql.query
def notes() -> list[Note]: ...


_SCHEMA = fraiseql.Schema(
    queries=[notes],
    mutations=[take_note, nothing_there],
    database_context=DatabaseContext(settings={"app.tenant": "tenant_id"}),
)
_TAKE = """mutation ($input: NoteInput!) { takeNote(input: $input) {
    ... on NoteTaken { note { text } } ... on Refused { code fields }
} }"""


@pytest.fixture
async def observed() -> list[Observation]:
    return []


@pytest.fixture
async def ask(database_url: str, observed: list[Observation], connected: Any) -> AsyncIterator[Callable[..., Any]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_DDL.encode())
        connection.execute("alter role note_taker login")
    config = FraiseQLConfig(database_url=f"{database_url} user=note_taker", port=0)

    def known(request: ClientRequest) -> Caller:
        return Caller("ada", tenant_id="a")

    app = FraiseQLApp(_SCHEMA, config=config, bus=EventBus.memory(), context=known, observe=observed.append)
    async with app, connected(app.port) as client:
        yield client.ask


def take(text: str, tenant: str = "a") -> str:
    return _TAKE.replace("($input: NoteInput!)", "").replace("$input", f'{{text: "{text}", tenant: "{tenant}"}}')


async def test_what_was_written_is_shown_as_far_as_the_caller_may_see_it(ask: Any) -> None:
    assert await ask(take("mine")) == {"data": {"takeNote": {"note": {"text": "mine"}}}}
    assert await ask(take("theirs", "b")) == {"data": {"takeNote": {"note": None}}}
    assert await ask("{ notes { text } }") == {"data": {"notes": [{"text": "mine"}]}}


async def test_refusals_and_errors(ask: Any) -> None:
    assert await ask(take("")) == {"data": {"takeNote": {"code": "VALIDATION", "fields": ["text"]}}}
    await ask(take("once"))
    assert await ask(take("once")) == {"data": {"takeNote": {"code": "UNIQUE_VIOLATION", "fields": ["text"]}}}
    assert await ask("{ notes { text } }") == {"data": {"notes": [{"text": "once"}]}}


async def test_a_function_that_is_not_there(ask: Any, observed: list[Observation]) -> None:
    answer = await ask("mutation { nothingThere { __typename } }")
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    (masked,) = [each for each in observed if isinstance(each, InternalErrorMasked)]
    assert "no_such_function" in str(masked.error)
    assert await ask("{ notes { text } }") == {"data": {"notes": []}}
