"""Mutations that are cut short: by the client, the clock, the server's end, the database; and input of every bad kind.

Each is applied as a whole or not at all, what the client was told is true, and no connection is left in a transaction.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest

from fraiseql.runtimes.anyio import FraiseQLApp
from runtimes.websocket_client import opened
from scenarios.clients import Answer, connected
from scenarios.watching import Bank

pytestmark = pytest.mark.anyio

Serve = Callable[..., FraiseQLApp]

LINGER = 'mutation { a: count(name: "x", token: "a") b: linger(seconds: 600, token: "b") }'
SHORT = 'mutation { a: count(name: "x", token: "a") b: linger(seconds: 0.3, token: "b") }'
BOTH = ["a", "b"]


@pytest.mark.parametrize("way", ["http", "sse", "websocket", "websocket complete"])
async def test_a_client_that_leaves(serve: Serve, bank: Bank, way: str) -> None:
    async with serve(pool_max_size=1) as app:
        if way.startswith("websocket"):
            async with opened(app.port) as socket:
                operation = await socket.subscribe(LINGER)
                await bank.until_lingering()
                if way.endswith("complete"):
                    await socket.complete(operation)
                    await bank.until_clean(app)
        else:
            async with connected(app.port) as client:
                accept = "text/event-stream" if way == "sse" else "application/json"
                await client.send(LINGER, accept=accept)
                await bank.until_lingering()
        await bank.until_clean(app)
        assert bank.tokens == []


async def test_a_client_that_leaves_between_two_statements(serve: Serve, bank: Bank) -> None:
    """Whenever it goes: all was applied, or nothing."""
    query = "mutation {" + " ".join(f'f{n}: count(name: "x", token: "%{n}")' for n in range(20)) + "}"
    async with serve(pool_max_size=2) as app:
        for number in range(40):
            with anyio.move_on_after(0.001 * (number % 20)):
                async with connected(app.port) as client:
                    await client.ask(query.replace("%", f"{number}."))
        await bank.until_clean(app)
    whole = bank.execute("select count(*) from ledger group by split_part(token, '.', 1)")
    assert {count for (count,) in whole} <= {20}


async def test_a_mutation_that_takes_too_long(serve: Serve, bank: Bank) -> None:
    async with serve(query_request_timeout=0.3, pool_max_size=1) as app, connected(app.port) as client:
        answer = await client.ask(LINGER)
        assert set(answer.codes.values()) == {"REQUEST_TIMEOUT"}
        await bank.until_clean(app)
        assert bank.tokens == []


async def test_a_server_that_stops_finishes_mutations(serve: Serve, bank: Bank) -> None:
    app = serve()
    await app.start()
    async with connected(app.port) as client:
        await client.send(SHORT)
        await bank.until_lingering()
        async with anyio.create_task_group() as group:
            group.start_soon(app.shutdown)
            answer = await client.receive()
            assert answer.data == {"a": 1, "b": 1}
    assert bank.tokens == BOTH
    assert app.database.pool.size == 0
    await bank.until_left()


async def test_a_server_that_stops_waits_no_longer_than_its_grace(serve: Serve, bank: Bank) -> None:
    app = serve()
    await app.start()
    async with connected(app.port) as client:
        await client.send(LINGER)
        await bank.until_lingering()
        with anyio.fail_after(10):
            await app.shutdown(grace=0.1)
    await bank.until("select 1 where not exists (select from pg_stat_activity where wait_event = 'PgSleep')")
    with anyio.fail_after(10):
        while bank.states():
            await anyio.sleep(0.01)
    assert bank.tokens == []


@pytest.mark.parametrize("how", ["kill -9", "terminate"])
@pytest.mark.parametrize("limits", [{}, {"mutation_transaction": "field"}], ids=["whole", "by field"])
async def test_a_backend_that_dies_before_the_commit_is_no_error(
    serve: Serve, bank: Bank, how: str, limits: dict[str, Any]
) -> None:
    """Nothing was committed, so that the mutation is run again: once, as the client sees it."""
    async with serve(**limits) as app, connected(app.port) as client:
        await client.send(SHORT)
        pid = await bank.until_lingering()
        if how == "terminate":
            bank.execute(f"select pg_terminate_backend({pid})")
        else:
            bank.postgres.kill_backend(pid)
        answer = await client.receive()
        assert answer.data == {"a": 1, "b": 1}
        assert bank.tokens == BOTH
        await bank.until_clean(app)


async def test_a_database_that_restarts(serve: Serve, bank: Bank) -> None:
    async with serve() as app, connected(app.port) as client:
        await client.send(SHORT)
        await bank.until_lingering()
        await anyio.to_thread.run_sync(bank.postgres.restart)
        assert (await client.receive()).data == {"a": 1, "b": 1}
        assert bank.tokens == BOTH
        await bank.until_clean(app)


async def test_a_statement_that_an_operator_cancels(serve: Serve, bank: Bank) -> None:
    async with serve() as app, connected(app.port) as client:
        await client.send(LINGER)
        pid = await bank.until_lingering()
        bank.execute(f"select pg_cancel_backend({pid})")
        answer = await client.receive()
        assert answer.codes["a"] == "ROLLED_BACK"
        assert bank.tokens == []
        await bank.until_clean(app)


async def test_a_pool_that_has_no_connection_left(serve: Serve, bank: Bank) -> None:
    async with (
        serve(pool_max_size=1, pool_acquire_timeout=0.1) as app,
        connected(app.port) as one,
        connected(app.port) as two,
    ):
        await one.send(SHORT)
        await bank.until_lingering()
        answer = await two.ask('mutation { count(name: "x", token: "c") }', accept="application/graphql-response+json")
        assert (answer.status, answer.codes) == (503, {"": "DATABASE_UNAVAILABLE"})
        assert (await one.receive()).data == {"a": 1, "b": 1}
        assert bank.tokens == BOTH
        await bank.until_clean(app)


async def test_a_transaction_that_waits_for_a_lock_and_its_client_leaves(serve: Serve, bank: Bank) -> None:
    import psycopg

    async with serve(pool_max_size=1) as app:
        with psycopg.connect(bank.url) as other:
            other.execute("select from accounts where id = 1 for update")
            async with connected(app.port) as client:
                await client.send('mutation { updateAccount(id: "1", input: {balance: 5}) { id } }')
                await bank.until("select pid from pg_stat_activity where wait_event_type = 'Lock'")
            await bank.until("select 1 where not exists (select from pg_stat_activity where wait_event_type = 'Lock')")
            other.rollback()
        await bank.until_clean(app)
        assert bank.balances["ann"] == 100


BAD: list[bytes] = [
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"query": 1}',
    b'{"query": ""}',
    *(
        json.dumps(each).encode()
        for each in (
            {"query": "mutation {"},
            {"query": "mutation { count }"},
            {"query": "mutation { nothing }"},
            {"query": "mutation { count(name: 1, token: 2) }"},
            {"query": 'mutation { count(name: "x", token: "a") { id } }'},
            {"query": 'mutation { a: count(name: "x", token: "a") b: count(name: "x") }'},
            {"query": 'mutation { a: count(name: "x", token: "a") a: count(name: "y", token: "a") }'},
            {"query": 'mutation A { a: count(name: "x", token: "a") } mutation B { refuse(state: "", token: "") }'},
            {"query": 'mutation A { a: count(name: "x", token: "a") }', "operationName": "B"},
            {"query": 'mutation ($n: String!) { count(name: "x", token: $n) }'},
            {"query": 'mutation ($n: String!) { count(name: "x", token: $n) }', "variables": {"n": 5}},
            {"query": 'mutation ($n: String!) { count(name: "x", token: $n) }', "variables": {"n": None}},
            {"query": 'mutation ($n: String!) { count(name: "x", token: $n) }', "variables": {"n": "\0"}},
            {"query": 'mutation ($n: String!) { count(name: "x", token: $n) }', "variables": {"n": "\ud800"}},
            {"query": 'mutation ($n: String!) { count(name: "x", token: $n) }', "variables": []},
            {"query": 'mutation { a: count(name: "x", token: "a") createEntry(input: {token: "b"}) { id } }'},
            {"query": 'mutation { createEntry(input: {token: "b", amount: 99999999999}) { id } }'},
            {"query": 'mutation { createEntry(input: {token: "b", amount: 1, other: 1}) { id } }'},
            {"query": 'mutation { createEntry(input: {token: "b", amount: 1}) { nothing } }'},
            {"query": 'mutation { a: count(name: "x", token: "a") updateAccount(id: "no", input: {}) { id } }'},
            {"query": 'mutation { a: count(name: "x", token: "a") updateAccount(id: "", input: {owner: "c"}) { id } }'},
            {"query": 'mutation { a: count(name: "x", token: "a") deleteAccount(id: "99999999999999999999") { id } }'},
            {"query": 'mutation { a: count(name: "x", token: "a") b: refuse(state: "what", token: "b") }'},
            {"query": 'mutation { a: count(name: "x", token: "a") b: refuse(state: "40001", token: "b") }'},
            {"query": 'mutation { a: count(name: "x", token: "a") b: refuse(state: "08006", token: "b") }'},
            {"query": 'mutation { a: count(name: "x", token: "a") b: refuse(state: "08007", token: "b") }'},
            {"query": 'mutation { a: count(name: "x", token: "a") b: refuse(state: "53300", token: "b") }'},
            {"query": 'mutation { a: count(name: "x", token: "a") b: refuse(state: "57P01", token: "b") }'},
            {"query": 'mutation { a: count(name: "x", token: "a") b: dangle(token: "b") }'},
            {
                "query": 'mutation { a: count(name: "x", token: "a") createAccount(input: {owner: "o", balance: 1}) '
                "{ id entries(limit: -1) { id } } }"
            },
            {
                "query": 'mutation ($n: Int) { a: count(name: "x", token: "a") '
                'createAccount(input: {owner: "o", balance: 1}) { id entries(limit: $n) { id } } }',
                "variables": {"n": 100000},
            },
        )
    ),
]


async def test_bad_input_of_every_kind_leaves_nothing_behind(serve: Serve, bank: Bank) -> None:
    before = bank.balances
    async with serve(pool_max_size=1, mutation_first_pause=0.001, mutation_longest_pause=0.002) as app:
        for body in BAD:
            async with connected(app.port) as client:
                await client.send_body(body)
                answer = await client.receive()
            assert answer.json.get("errors"), body
            assert not any((answer.json.get("data") or {}).values()), body
            for secret in ("secret", "ledger", "plpgsql", "insert into"):
                assert secret not in answer.body.decode(), (secret, body)
            assert set(bank.states()) <= {"idle"}, body
            assert app.database.pool.granted == 0, body
            assert (bank.tokens, bank.balances) == ([], before), body
        await bank.until_clean(app)


async def test_bad_input_beside_good_input(serve: Serve, bank: Bank) -> None:
    """Many clients at once, half of them wrong, and few connections: the others do not notice."""
    told: list[Answer] = []

    async def ask(port: int, number: int) -> None:
        async with connected(port) as client:
            for count in range(6):
                if number % 2:
                    await client.send_body(BAD[(number * 7 + count) % len(BAD)], connection="keep-alive")
                    with anyio.move_on_after(10):
                        await client.receive()
                    return
                token = f"{number}.{count}"
                told.append(await client.ask(f'mutation {{ count(name: "good", token: "{token}") }}'))

    async with serve(pool_max_size=2) as app:
        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(ask, app.port, number)
        assert sorted(answer.data["count"] for answer in told) == list(range(1, 121))
        assert len(bank.tokens) == 120
        await bank.until_clean(app)
