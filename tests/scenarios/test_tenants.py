"""Row-level security proved: nobody reads across organisations of the example, in whatever way the API offers."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import anyio.to_thread
import psycopg
import pytest

import fraiseql
from fraiseql import ID, BlockingInfo, Caller, ClientRequest, DatabaseContext, Info
from fraiseql.cli.rls import function_sql
from fraiseql.effects import Statement
from fraiseql.limits import MutationLimits
from fraiseql.observations import InternalErrorMasked, Observation
from fraiseql.pipeline.mutations.idempotency_table import IdempotencyTable
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.testing.embedded import EmbeddedPostgres
from runtimes.websocket_client import GraphQLClient, opened
from scenarios.tenants_desk import CURSORS, DOCUMENTS, EXAMPLES, REFUSED, Desk, desk, load, serving, tenants

pytestmark = pytest.mark.anyio
TITLES = "{ tickets { title } }"
ACME = {"tickets": [{"title": "The acme printer is on fire"}, {"title": "More acme paper"}]}
GLOBEX = {"tickets": [{"title": "The globex printer is on fire"}, {"title": "Secret globex merger"}]}
TOLD = Statement(
    b"select coalesce(current_setting('desk.organisation', true), ''), "
    b"coalesce(current_setting('desk.roles', true), ''), current_user::text",
    3,
)


@pytest.fixture
def url(postgres: EmbeddedPostgres, database_url: str) -> str:
    return load(postgres, database_url)


@pytest.fixture
def alone(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database in which acme is the only organisation."""
    postgres.execute("create database alone template template0 strategy file_copy")
    url = load(postgres, postgres.conninfo_for("alone"))
    for table in ("ticket_labels", "labels", "comments", "tickets", "members"):
        postgres.execute(f"delete from {table} where organisation_id <> 'acme'", "alone")
    postgres.execute("delete from organisations where id <> 'acme'", "alone")
    yield url
    postgres.execute("drop database alone with (force)")


def name_of(url: str) -> str:
    """The database's."""
    found = re.search(r"dbname=(\S+)", url)
    assert found is not None
    return found[1]


def test_the_example_has_the_function_as_it_is_printed() -> None:
    function = function_sql(None)
    assert function[function.index("create or replace") :] in (EXAMPLES / "tenants.sql").read_text(encoding="utf-8")


async def test_the_roles_of_the_example_are_subject_to_policies(url: str, postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.conninfo_for(name_of(url))) as connection:
        roles = connection.execute(
            "select count(*) from pg_roles where rolname like 'desk\\_%' and not rolsuper and not rolbypassrls"
        )
        assert roles.fetchone() == (3,)
        tables = connection.execute(
            "select count(*) from pg_class where relkind = 'r' and relrowsecurity and relforcerowsecurity"
        )
        assert tables.fetchone() == (6,)
        owned = connection.execute("select count(*) from pg_class where relowner::regrole::text like 'desk\\_%'")
        assert owned.fetchone() == (0,)


# Queries


@pytest.mark.parametrize("pool", [1, 4])
async def test_an_answer_does_not_depend_on_what_another_organisation_has(url: str, alone: str, pool: int) -> None:
    async with (
        serving(url, pool_max_size=pool) as both,
        serving(alone, pool_max_size=pool) as app,
        desk(both) as crowded,
        desk(app) as lonely,
    ):
        first = await crowded.data("grace", "{ ticketPages(first: 2) { pageInfo { startCursor endCursor } } }")
        cursors = first["ticketPages"]["pageInfo"].values()
        answered = DOCUMENTS + [(query, {"c": cursor}) for query in CURSORS for cursor in cursors]
        for query, variables in answered + REFUSED:
            for token in ("ada", "alan"):
                expected = await lonely.ask(token, query, variables)
                await crowded.ask("grace", query, variables)  # the same statement, on the same connection
                answer = await crowded.ask(token, query, variables)
                assert masked(answer) == masked(expected), query
                assert (b'"errors"' in answer) is ((query, variables) in REFUSED), answer
                assert b"globex" not in answer


def masked(answer: bytes) -> bytes:
    """Without what differs from request to request."""
    return re.sub(rb'"requestId":"[^"]*"', b'"requestId":""', answer)


async def test_each_organisation_reads_its_own(url: str) -> None:
    async with serving(url) as app, desk(app) as client:
        assert await client.data("ada", TITLES) == ACME
        assert await client.data("grace", TITLES) == GLOBEX
        internal = "{ comments(where: {internal: {eq: true}}) { id } }"
        assert await client.data("ada", internal) == {"comments": [{"id": "2"}]}
        assert await client.data("alan", internal) == {"comments": []}
        assert await client.data("grace", internal) == {"comments": [{"id": "4"}]}


async def test_requests_of_many_callers_share_connections_and_plans(url: str) -> None:
    expected = {"ada": ACME, "alan": ACME, "grace": GLOBEX}
    async with serving(url, pool_max_size=2) as app:

        async def work(token: str) -> None:
            async with desk(app) as client:
                for _ in range(20):
                    assert await client.data(token, TITLES) == expected[token]

        async with anyio.create_task_group() as group:
            for token in (*expected, *expected, *expected):
                group.start_soon(work, token)
        assert app.database.pool.size <= 2


async def test_what_a_policy_keeps_in_the_session_is_not_there_for_the_next_caller(
    url: str, postgres: EmbeddedPostgres
) -> None:
    postgres.execute(
        """create function kept_organisation() returns text language plpgsql as $$
        begin
            if coalesce(current_setting('desk.kept', true), '') = '' then
                perform set_config('desk.kept', fraiseql_setting('desk.organisation'), false);
            end if;
            return current_setting('desk.kept');
        end $$;
        create policy kept on tickets for select using (organisation_id = kept_organisation());
        drop policy organisation on tickets;""",
        name_of(url),
    )
    async with serving(url, pool_max_size=1) as app, desk(app) as client:
        for _ in range(2):
            assert await client.data("ada", TITLES) == ACME
            assert await client.data("grace", TITLES) == GLOBEX


async def test_pipelined_requests_of_one_connection_have_callers_of_their_own(url: str) -> None:
    async with serving(url, pool_max_size=1) as app, desk(app) as client:
        tokens = ["ada", "grace", "robot", "alan", None, "grace", "ada"]
        for token in tokens:
            await client.send(token, TITLES)
        answers = [json.loads((await client.receive())[1]) for _ in tokens]
        code = {"robot": "CONTEXT_MISSING", None: "UNAUTHENTICATED"}
        for token, answer in zip(tokens, answers, strict=True):
            if token in code:
                assert [error["extensions"]["code"] for error in answer["errors"]] == [code[token]]
            else:
                assert answer["data"] == (GLOBEX if token == "grace" else ACME)


async def test_a_statement_is_prepared_once_for_all_callers(url: str, postgres: EmbeddedPostgres) -> None:
    async with serving(url, pool_max_size=1) as app, desk(app) as client:
        # After five executions PostgreSQL keeps one plan for all values of the parameters.
        for round_ in range(8):
            for token, expected in (("ada", ACME), ("grace", GLOBEX), ("alan", ACME)):
                assert await client.data(token, TITLES) == expected, round_
        count = Statement(b"select count(*) from pg_prepared_statements where statement like '%\"' || 'tickets\"%'", 1)
        assert await app.database.fetch(count, ()) == (b"1",)


# The caller is not there


@pytest.mark.parametrize("pool_was_used", [False, True])
async def test_a_value_that_is_missing_is_an_error(url: str, pool_was_used: bool) -> None:
    async with serving(url, pool_max_size=1) as app, desk(app) as client:
        if pool_was_used:
            await client.data("grace", TITLES)
        await client.send("robot", TITLES)
        status, body = await client.receive()
        error = {
            "message": "The request has no value for 'desk.organisation'.",
            "extensions": {"code": "CONTEXT_MISSING"},
        }
        assert (status, json.loads(body)) == (403, {"errors": [error]})
        await client.send("robot", TITLES, accept="application/json")
        assert await client.receive() == (200, body)
        # What asks no database is answered.
        assert await client.data("robot", "{ __typename }") == {"__typename": "Query"}


FORGETFUL = DatabaseContext(role="roles", roles={"agent": "desk_agent"})


@pytest.mark.parametrize("pool_was_used", [False, True])
async def test_a_policy_that_was_told_nothing_is_an_error_and_no_empty_answer(url: str, pool_was_used: bool) -> None:
    schema = fraiseql.Schema(types=[tenants.Ticket], queries=[tenants.tickets], database_context=FORGETFUL)
    seen: list[Observation] = []
    async with serving(url, schema=schema, pool_max_size=1, seen=seen) as app, desk(app) as client:
        if pool_was_used:  # the setting is '' from then on
            set_once = Statement(b"select set_config('desk.organisation', 'globex', true)", 1)
            await app.database.fetch(set_once, ())
        assert await client.codes("ada", TITLES) == [403, "CONTEXT_MISSING"]
        assert "desk.organisation" in (await client.ask("ada", TITLES)).decode()
        assert any(isinstance(each, InternalErrorMasked) and "missing" in str(each.error) for each in seen)


async def test_without_a_role_the_server_reads_nothing(url: str) -> None:
    told = DatabaseContext({"desk.organisation": "tenant_id", "desk.roles": "roles"})
    schema = fraiseql.Schema(types=[tenants.Ticket], queries=[tenants.tickets], database_context=told)
    async with serving(url, schema=schema) as app, desk(app) as client:
        answer = json.loads(await client.ask("ada", TITLES))
        assert answer["data"] is None
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]


def told_by_headers(request: ClientRequest) -> Caller:
    """A context function as nobody should write it: the client says what it likes."""
    tenant, role = (request.header("authorization") or "").removeprefix("Bearer ").split("|")
    return Caller("1", tenant, {}, frozenset({role}))


@pytest.mark.parametrize(
    "role", ["desk_agent", "desk_server", "none", "postgres", "agent; set role postgres", 'agent"', "", "AGENT"]
)
async def test_only_declared_names_become_roles(url: str, role: str) -> None:
    async with serving(url, context=told_by_headers) as app, desk(app) as client:
        assert await client.codes(f"globex|{role}", TITLES) == [403, "FORBIDDEN"]
        assert await client.data("acme|agent", TITLES) == ACME


@pytest.mark.parametrize(
    "tenant", ["globex' --", "acme' or 'a' = 'a", "globex\\", "%", '{"globex"}', "acme,globex", "GLOBEX", "globex "]
)
async def test_a_value_is_never_sql(url: str, tenant: str) -> None:
    async with serving(url, context=told_by_headers) as app, desk(app) as client:
        assert await client.data(f"{tenant.strip()}|agent" if tenant != "globex " else "x|agent", TITLES) == {
            "tickets": []
        }


# Writing

GLOBEX_WRITES = [
    'mutation { updateTicket(id: "3", input: {title: "acme was here"}) { title } }',
    'mutation { deleteTicket(id: "3") { title } }',
    'mutation { updateTickets(where: {title: {contains: "globex"}}, input: {status: "acme was here"}) { title } }',
    'mutation { deleteTickets(where: {author: {name: {eq: "Grace"}}}) { title } }',
    'mutation { createComment(input: {ticketId: "3", body: "acme was here"}) { body ticket { title } } }',
    'mutation { createComments(input: [{ticketId: "1", body: "ok"}, {ticketId: "4", body: "no"}]) { ticket { id } } }',
]
EVERYTHING = "select * from tickets order by id", "select * from comments order by id"


def everything(postgres: EmbeddedPostgres, url: str) -> list[Any]:
    return [postgres.execute(statement, name_of(url)) for statement in EVERYTHING]


async def test_nobody_writes_what_is_another_organisations(url: str, postgres: EmbeddedPostgres) -> None:
    async with serving(url, pool_max_size=1) as app, desk(app) as client:
        before = everything(postgres, url)
        for document in GLOBEX_WRITES:
            body = await client.ask("ada", document)
            assert b"globex" not in body, document
            assert b"GRAPHQL_VALIDATION_FAILED" not in body
            assert everything(postgres, url) == before, document
            await assert_clean(app, client)


async def test_what_is_not_there_and_what_is_hidden_are_answered_alike(url: str) -> None:
    async with serving(url) as app, desk(app) as client:
        for document in GLOBEX_WRITES:
            missing = (
                document.replace('"3"', '"99"').replace('"4"', '"99"').replace("globex", "no").replace("Grace", "No")
            )
            assert masked(await client.ask("ada", document)) == masked(await client.ask("ada", missing))


async def test_what_somebody_writes_is_of_their_organisation(url: str, postgres: EmbeddedPostgres) -> None:
    async with serving(url, pool_max_size=1) as app, desk(app) as client:
        create = 'mutation { createTicket(input: {title: "New"}) { title author { name } } }'
        for token, name in (("ada", "Ada"), ("grace", "Grace")):
            assert await client.data(token, create) == {"createTicket": {"title": "New", "author": {"name": name}}}
        close = 'mutation { updateTickets(where: {status: {neq: "closed"}}, input: {status: "closed"}) { title } }'
        closed = await client.data("ada", close)
        assert [row["title"] for row in closed["updateTickets"]] == ["The acme printer is on fire", "New"]
        both = "mutation { a: updateTicket(id: 1, input: {hours: 9}) { hours } b: deleteTicket(id: 2) { id } }"
        assert await client.data("ada", both) == {"a": {"hours": "9"}, "b": {"id": "2"}}
        await assert_clean_apart(app)


async def test_a_role_that_may_not_write_is_refused(url: str, postgres: EmbeddedPostgres) -> None:
    async with serving(url, pool_max_size=1) as app, desk(app) as client:
        before = everything(postgres, url)
        for document in ('mutation { deleteTicket(id: "1") { id } }', GLOBEX_WRITES[0], GLOBEX_WRITES[4]):
            assert "errors" in json.loads(await client.ask("alan", document))
            assert await client.codes("robot", document) == [403, "CONTEXT_MISSING"]
        assert everything(postgres, url) == before
        await assert_clean(app, client)


async def test_an_idempotency_key_is_its_organisations(url: str, postgres: EmbeddedPostgres) -> None:
    table = MutationLimits().idempotency_table
    postgres.execute(IdempotencyTable.of(table).ddl(), name_of(url))
    postgres.execute(f"grant select, insert, update, delete on {table} to desk_server", name_of(url))
    create = 'mutation { createTicket(input: {title: "Once"}) { id author { name } } }'
    async with serving(url, pool_max_size=1) as app, desk(app) as client:
        first = json.loads(await client.ask("grace", create, key="one"))
        assert first["data"]["createTicket"]["author"] == {"name": "Grace"}
        other = json.loads(await client.ask("ada", create, key="one"))
        assert other["data"]["createTicket"]["author"] == {"name": "Ada"}
        assert json.loads(await client.ask("grace", create, key="one")) == first


SWITCH = """
create function fn_switch(input jsonb) returns integer language plpgsql as $$
begin
    if input ->> 'role' is not null then
        perform set_config('role', input ->> 'role', true);
    end if;
    perform set_config('desk.organisation', 'globex', true), set_config('desk.member', '3', true);
    return (input ->> 'ticket')::integer;
end $$;
create function fn_switching() returns trigger language plpgsql as $$
begin
    perform set_config('desk.organisation', 'globex', true), set_config('desk.member', '3', true);
    return null;
end $$;
create trigger switching after insert on comments for each row execute function fn_switching();
create table closed (organisation text default fraiseql_setting('desk.organisation'), who text default current_user);
create function fn_closed() returns trigger language plpgsql as $$
begin
    insert into closed default values;
    return null;
end $$;
create constraint trigger closed after update on tickets deferrable initially deferred
    for each row execute function fn_closed();
grant insert on closed to public;
"""


@fraiseql.mutation(function="fn_switch")
def switch(ticket: ID, role: str | None = None) -> tenants.Ticket | None: ...


@fraiseql.mutation
async def switch_in_python(info: Info) -> str:
    await info.db.execute("select set_config('desk.organisation', 'globex', true)")
    async with info.db.transaction():
        await info.db.execute("set local role desk_reader")
    return "done"


SWITCHING = fraiseql.Schema(
    types=[tenants.Ticket, tenants.Comment],
    queries=[tenants.tickets],
    mutations=[switch, switch_in_python],
    database_context=tenants.database_context,
)


@pytest.mark.parametrize(
    "changes",
    [
        'switch(ticket: "1") { id }',
        'switch(ticket: "1", role: "desk_reader") { id }',
        'createComment(input: {ticketId: "1", body: "b"}) { id }',
        "switchInPython",
    ],
)
async def test_what_sql_of_ones_own_sets_is_of_no_use_to_what_follows(
    url: str, postgres: EmbeddedPostgres, changes: str
) -> None:
    postgres.execute(SWITCH, name_of(url))
    globex = everything(postgres, url)
    async with serving(url, schema=SWITCHING, pool_max_size=1) as app, desk(app) as client:
        found = await client.data(
            "ada",
            f"mutation {{ first: {changes}"
            ' theirs: updateTicket(id: "3", input: {title: "acme was here"}) { title }'
            f" again: {changes}"
            ' switch(ticket: "3") { title author { name } }'
            ' own: updateTicket(id: "1", input: {hours: 5}) { title author { name } }'
            ' create: createTicket(input: {title: "Of acme"}) { author { name } }'
            f" last: {changes} }}",
        )
        assert found["first"] in ({"id": "1"}, {"id": "100"}, "done")
        assert (found["theirs"], found["switch"]) == (None, None)
        assert found["own"] == {"title": "The acme printer is on fire", "author": {"name": "Ada"}}
        assert found["create"] == {"author": {"name": "Ada"}}
        assert (await client.data("grace", TITLES)) == GLOBEX
        await assert_clean_apart(app)
    assert [row for row in everything(postgres, url)[0] if row[1] == "globex"] == [
        row for row in globex[0] if row[1] == "globex"
    ]
    assert postgres.execute("select * from closed", name_of(url)) == [("acme", "desk_agent")]


# Python


@fraiseql.query
async def titles(info: Info) -> list[str]:
    """By SQL of one's own."""
    return [row["title"] for row in await info.db.fetch_all("select title from tickets order by id")]


@fraiseql.query
def titles_in_thread(info: BlockingInfo) -> list[str]:
    return [row["title"] for row in info.db.fetch_all("select title from tickets order by id")]


@fraiseql.query
async def found_titles(info: Info) -> list[str]:
    return [row.title for row in await info.db.find(tenants.Ticket, fields=["title"], order_by={"id": "ASC"})]


@fraiseql.query
async def titles_at_once(info: Info) -> list[str]:
    async with info.db.transaction():
        await info.db.execute("select set_config('desk.organisation', 'nobody', true)")
        return [row["title"] for row in await info.db.fetch_all("select title from tickets order by id")]


@fraiseql.query
async def leaky(info: Info) -> str:
    """What nobody should write: it outlives the request."""
    for sql in ("set desk.organisation = 'globex'", "set role desk_agent", "set desk.roles = '{}'"):
        await info.db.execute(sql)
    return "done"


IN_PYTHON = fraiseql.Schema(
    types=[tenants.Ticket],
    queries=[tenants.tickets, titles, titles_in_thread, found_titles, titles_at_once, leaky],
    database_context=tenants.database_context,
)


@pytest.mark.parametrize("field", ["titles", "titlesInThread", "foundTitles", "titlesAtOnce"])
async def test_resolvers_ask_as_their_caller(url: str, field: str) -> None:
    async with serving(url, schema=IN_PYTHON, pool_max_size=1) as app, desk(app) as client:
        for token, expected in (("ada", ACME), ("grace", GLOBEX), ("alan", ACME)) * 2:
            found = await client.data(token, f"{{ {field} tickets {{ title }} }}")
            assert found == {field: [row["title"] for row in expected["tickets"]], **expected}
        answer = json.loads(await client.ask("robot", f"{{ {field} }}"))
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["CONTEXT_MISSING"]


async def test_what_a_resolver_does_to_its_connection_is_undone(url: str) -> None:
    async with serving(url, schema=IN_PYTHON, pool_max_size=1) as app, desk(app) as client:
        await client.ask("ada", "{ leaky }")
        await assert_clean(app, client)


# Roles that the server cannot be


@pytest.mark.parametrize("role", ["desk_nobody", "pg_monitor"])
@pytest.mark.parametrize("document", [TITLES, 'mutation { deleteTicket(id: "1") { id } }'])
async def test_a_role_that_cannot_be_had_is_the_servers_mistake(url: str, role: str, document: str) -> None:
    told = DatabaseContext(role=lambda _: role, roles=(role,))
    schema = fraiseql.Schema(types=[tenants.Ticket], queries=[tenants.tickets], database_context=told)
    seen: list[Observation] = []
    async with serving(url, schema=schema, pool_max_size=1, seen=seen) as app, desk(app) as client:
        answer = json.loads(await client.ask("ada", document))
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL_SERVER_ERROR"]
        assert role not in json.dumps(answer)
        assert any(isinstance(each, InternalErrorMasked) and role in str(each.error) for each in seen)
        await assert_clean_apart(app)


# The connection afterwards


@contextmanager
def locked(postgres: EmbeddedPostgres, url: str) -> Iterator[Callable[[], bool]]:
    """Nobody can read tickets; gives whether somebody waits to."""
    where = postgres.conninfo_for(name_of(url))
    with psycopg.connect(where) as holder, psycopg.connect(where, autocommit=True) as watcher:
        holder.execute("lock table tickets in access exclusive mode")

        def somebody_waits() -> bool:
            row = watcher.execute("select count(*) from pg_locks where not granted").fetchone()
            return row != (0,)

        yield somebody_waits
        holder.rollback()


async def until(happened: Callable[[], bool]) -> None:
    while not await anyio.to_thread.run_sync(happened):
        await anyio.sleep(0.01)


async def assert_clean_apart(app: FraiseQLApp) -> None:
    """Nothing of the last caller is left on the only connection."""
    assert await app.database.fetch(TOLD, ()) == (b"", b"", b"desk_server")


async def assert_clean(app: FraiseQLApp, client: Desk) -> None:
    """Nor does the next one get anything of it."""
    await assert_clean_apart(app)
    assert await client.codes("robot", TITLES) == [403, "CONTEXT_MISSING"]
    assert await client.data("ada", TITLES) == ACME
    assert await client.data("grace", TITLES) == GLOBEX


async def test_nothing_is_left_after_an_answer_or_an_error(url: str) -> None:
    async with serving(url, pool_max_size=1) as app, desk(app) as client:
        for token in ("grace", "ada"):
            await client.data(token, TITLES)
            await assert_clean(app, client)
            await client.ask(token, '{ tickets(where: {title: {matches: "("}}) { id } }')
            await assert_clean(app, client)


async def test_nothing_is_left_after_a_client_has_gone(url: str, postgres: EmbeddedPostgres) -> None:
    async with serving(url, pool_max_size=1) as app, desk(app) as client:
        with locked(postgres, url) as somebody_waits:
            async with desk(app) as gone:
                await gone.send("grace", TITLES)
                await until(somebody_waits)
            await until(lambda: not somebody_waits())
        await assert_clean(app, client)


async def test_nothing_is_left_after_a_request_took_too_long(url: str, postgres: EmbeddedPostgres) -> None:
    async with serving(url, pool_max_size=1, query_request_timeout=0.5) as app, desk(app) as client:
        with locked(postgres, url):
            assert await client.codes("grace", TITLES) == [504, "REQUEST_TIMEOUT"]
    async with serving(url, pool_max_size=1) as app, desk(app) as client:
        await assert_clean(app, client)


# Subscriptions


def publish(postgres: EmbeddedPostgres, url: str, *statements: str) -> None:
    for statement in statements:
        postgres.execute(statement, name_of(url))


@asynccontextmanager
async def welcome(app: FraiseQLApp, token: str) -> AsyncIterator[GraphQLClient]:
    async with opened(app.port, {"authorization": f"Bearer {token}"}) as client:
        yield client


async def until_streams(app: FraiseQLApp, count: int) -> None:
    with anyio.fail_after(30):
        while app.streams.listening < count:
            await anyio.sleep(0.01)


SNEAKY = (
    # as a trigger publishes it, and as one that says no organisation, or the wrong one
    "update tickets set hours = hours + 1 where id = 3",
    "select fraiseql_publish('ticket.changed', to_jsonb(t)) from tickets t where id = 3",
    "select fraiseql_publish('ticket.changed', to_jsonb(t), 'acme') from tickets t where id = 4",
    # a payload that says what is not so
    """select fraiseql_publish('ticket.changed', '{"id": 3, "organisation_id": "acme", "title": "globex"}', 'acme')""",
    "select fraiseql_publish('ticket.changed', to_jsonb(t) || '{\"id\": 99}', 'acme') from tickets t where id = 3",
)


async def test_events_are_shown_by_rows_that_their_subscriber_may_read(url: str, postgres: EmbeddedPostgres) -> None:
    async with serving(url) as app, welcome(app, "ada") as ada, welcome(app, "grace") as grace:
        document = "subscription { ticketChanged { id title author { name } comments { body } } }"
        theirs, hers = await ada.subscribe(document), await grace.subscribe(document)
        await until_streams(app, 2)
        publish(postgres, url, *SNEAKY, "update tickets set status = 'done' where id in (1, 4)")
        (first,) = await ada.hear(theirs)
        assert first["data"]["ticketChanged"]["title"] == "The acme printer is on fire"
        seen = await grace.hear(hers, 2)
        assert {each["data"]["ticketChanged"]["id"] for each in seen} <= {"3", "4"}
        assert "acme" not in json.dumps(seen)


async def test_a_row_that_is_hidden_is_not_told_to_be_gone(url: str, postgres: EmbeddedPostgres) -> None:
    async with serving(url) as app, welcome(app, "ada") as ada:
        document = "subscription ($id: ID!) { ticketWatched(id: $id) { title } }"
        hidden, own = await ada.subscribe(document, {"id": "3"}), await ada.subscribe(document, {"id": "2"})
        await until_streams(app, 2)
        publish(postgres, url, *SNEAKY[:2], "delete from ticket_labels", "delete from comments")
        publish(postgres, url, "delete from tickets where id = 3", "delete from tickets where id = 2")
        assert [each["data"] for each in await ada.hear(own)] == [{"ticketWatched": None}]
        # The first that is told of the hidden one is what acme itself says of it.
        with psycopg.connect(postgres.conninfo_for(name_of(url)), autocommit=True) as connection:
            row = connection.execute("""select fraiseql_publish('ticket.changed', '{"id": 3}', 'acme')""").fetchone()
        assert row is not None
        told = {"data": {"ticketWatched": None}, "extensions": {"cursor": row[0]}}
        assert await ada.hear(hidden) == [told]


async def test_live_queries_are_shared_by_those_alone_who_read_the_same(url: str, postgres: EmbeddedPostgres) -> None:
    document = "subscription { liveTickets { id comments { id } } }"
    async with (
        serving(url) as app,
        welcome(app, "ada") as ada,
        welcome(app, "ada") as again,
        welcome(app, "alan") as alan,
        welcome(app, "grace") as grace,
    ):
        clients = [ada, again, alan, grace]
        running = [await client.subscribe(document) for client in clients]
        expected = [
            [{"id": "1", "comments": [{"id": "1"}, {"id": "2"}]}, {"id": "2", "comments": []}],
            [{"id": "1", "comments": [{"id": "1"}, {"id": "2"}]}, {"id": "2", "comments": []}],
            [{"id": "1", "comments": [{"id": "1"}]}, {"id": "2", "comments": []}],
            [{"id": "3", "comments": [{"id": "3"}]}, {"id": "4", "comments": [{"id": "4"}]}],
        ]
        for client, operation, rows in zip(clients, running, expected, strict=True):
            assert await client.hear(operation) == [{"data": {"liveTickets": rows}}]
        assert app.streams.shared == 3  # Ada has one with herself
        publish(postgres, url, "delete from comments")
        for client, operation, rows in zip(clients, running, expected, strict=True):
            emptied = [{**row, "comments": []} for row in rows]
            assert await client.hear(operation) == [{"data": {"liveTickets": emptied}}]


async def test_operations_of_websockets_do_not_mix(url: str) -> None:
    async with serving(url, pool_max_size=1) as app, welcome(app, "ada") as ada, welcome(app, "grace") as grace:
        for _ in range(10):
            one = [await ada.subscribe(TITLES), await ada.subscribe(TITLES)]
            other = [await grace.subscribe(TITLES), await grace.subscribe(TITLES)]
            for operation in one:
                assert await ada.ended(operation) == [{"data": ACME}]
            for operation in other:
                assert await grace.ended(operation) == [{"data": GLOBEX}]


@pytest.mark.parametrize(
    "operation", [TITLES, "subscription { liveTickets { id } }", "subscription { ticketChanged { id } }"]
)
async def test_operations_of_a_websocket_without_an_organisation_are_refused(url: str, operation: str) -> None:
    async with serving(url) as app, welcome(app, "robot") as robot:
        ((error,),) = await robot.ended(await robot.subscribe(operation))
        assert error["extensions"]["code"] == "CONTEXT_MISSING"
        assert app.streams.listening == 0


@pytest.mark.parametrize(("token", "mark"), [("ada", b"acme"), ("grace", b"globex")])
async def test_event_streams_have_a_caller_too(url: str, postgres: EmbeddedPostgres, token: str, mark: bytes) -> None:
    async with serving(url) as app, desk(app) as client:
        await client.send(token, "subscription { ticketChanged { title } }", accept="text/event-stream")
        await until_streams(app, 1)
        publish(postgres, url, *SNEAKY[:1], "update tickets set hours = 1 where id in (1, 3)")
        received = b""
        while b"\n\n" not in received.partition(b"event: next")[2]:
            received += await client.stream.receive()
        assert mark in received
        assert (b"globex" in received) is (mark == b"globex")


async def test_a_value_that_a_client_made_up_cannot_break_a_text(url: str) -> None:
    def context(request: ClientRequest) -> Caller:
        return Caller("1", (request.payload or {})["tenant"], {}, frozenset({"agent"}))

    async with serving(url, context=context) as app:
        for tenant in ("acme\0", "\0"):
            async with opened(app.port, {"tenant": tenant}) as client:
                ((error,),) = await client.ended(await client.subscribe(TITLES))
                assert error["extensions"]["code"] == "BAD_USER_INPUT"
