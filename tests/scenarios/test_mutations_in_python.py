"""Mutations that functions in Python serve, beside others, from the client's socket to the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest

from fraiseql.runtimes.anyio import FraiseQLApp
from runtimes.websocket_client import opened
from scenarios.bank import WATCHED
from scenarios.clients import connected
from scenarios.watching import Bank

pytestmark = pytest.mark.anyio

Serve = Callable[..., FraiseQLApp]

ALL = """mutation ($how: String!) {
    a: note(token: "a")
    b: count(name: "x", token: "b")
    c: plainNote(token: "c")
    d: openAccount(owner: "dan", balance: 1) { owner }
    e: blunder(token: "e", how: $how) @skip(if: $well)
}""".replace("$how: String!", "$how: String!, $well: Boolean!")
PONDER = 'mutation { a: count(name: "x", token: "a") b: ponder(token: "b") }'


@pytest.fixture(autouse=True)
def watched() -> Iterator[None]:
    WATCHED.clear()
    yield
    WATCHED.clear()


async def until_watched(word: str) -> None:
    with anyio.fail_after(30):
        while word not in WATCHED:
            await anyio.sleep(0.005)


async def test_functions_of_both_languages_share_a_transaction(serve: Serve, bank: Bank) -> None:
    async with serve(pool_max_size=1) as app, connected(app.port) as client:
        answer = await client.ask(ALL, {"how": "", "well": True})
        assert answer.data == {"a": 1, "b": 1, "c": 1, "d": {"owner": "dan"}}
        assert bank.tokens == ["a", "b", "c"]
        await bank.until_clean(app)


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("request", "NOT_SO"),
        ("database", "UNIQUE_VIOLATION"),
        ("value", "INTERNAL_SERVER_ERROR"),
        ("misfit", "INTERNAL_SERVER_ERROR"),
    ],
)
async def test_what_one_raises_takes_all_back(serve: Serve, bank: Bank, how: str, code: str) -> None:
    async with serve(pool_max_size=1) as app, connected(app.port) as client:
        answer = await client.ask(ALL, {"how": how, "well": False})
        assert answer.json["data"] == dict.fromkeys("abcde")
        assert answer.codes == {**dict.fromkeys("abcd", "ROLLED_BACK"), "e": code}
        assert "secret" not in answer.body.decode()
        assert (bank.tokens, len(bank.balances)) == ([], 3)
        await bank.until_clean(app)


async def test_an_error_that_is_swallowed_undoes_its_statement_alone(serve: Serve, bank: Bank) -> None:
    async with serve(pool_max_size=1) as app, connected(app.port) as client:
        answer = await client.ask('mutation { note(token: "a") blunder(token: "b", how: "swallowed") }')
        assert answer.data == {"note": 1, "blunder": 1}
        assert bank.tokens == ["a", "b"]
        await bank.until_clean(app)


async def test_nobody_is_told_that_it_was_rolled_back_where_a_statement_committed(serve: Serve, bank: Bank) -> None:
    async with serve(pool_max_size=1) as app, connected(app.port) as client:
        answer = await client.ask('mutation { note(token: "a") blunder(token: "b", how: "ended") }')
        assert answer.json["data"] == {"note": None, "blunder": None}
        assert set(answer.codes.values()) == {"OUTCOME_UNKNOWN"}
        assert bank.tokens == ["a", "b"]
        await bank.until_clean(app)


@pytest.mark.parametrize("way", ["http", "websocket", "timeout"])
async def test_cancellation_reaches_it_and_rolls_back(serve: Serve, bank: Bank, way: str) -> None:
    settings: dict[str, Any] = {"query_request_timeout": 0.5} if way == "timeout" else {}
    async with serve(pool_max_size=1, **settings) as app:
        if way == "websocket":
            async with opened(app.port) as socket:
                operation = await socket.subscribe(PONDER)
                await until_watched("waits")
                await socket.complete(operation)
                await until_watched("cancelled")
        else:
            async with connected(app.port) as client:
                await client.send(PONDER)
                await until_watched("waits")
                if way == "timeout":
                    assert set((await client.receive()).codes.values()) == {"REQUEST_TIMEOUT"}
            await until_watched("cancelled")
        await bank.until_clean(app)
        assert bank.tokens == []


async def test_it_is_not_run_again_where_its_connection_is_lost(serve: Serve, bank: Bank) -> None:
    """It may have done more than the database knows."""
    query = 'mutation { a: note(token: "a") b: linger(seconds: 600, token: "b") }'
    async with serve() as app, connected(app.port) as client:
        await client.send(query)
        bank.execute(f"select pg_terminate_backend({await bank.until_lingering()})")
        answer = await client.receive()
        assert set(answer.codes.values()) == {"DATABASE_UNAVAILABLE"}
        assert WATCHED == ["note a"]
        await bank.until_clean(app)
        assert bank.tokens == []


async def test_it_is_run_again_where_others_are_in_the_way(serve: Serve, bank: Bank) -> None:
    query = 'mutation { a: note(token: "a") b: refuse(state: "40001", token: "b") }'
    async with serve(mutation_max_attempts=3) as app, connected(app.port) as client:
        answer = await client.ask(query)
        assert answer.codes == {"a": "ROLLED_BACK", "b": "TRANSACTION_CONFLICT"}
        assert WATCHED == ["note a"] * 3
        assert bank.tokens == []
        await bank.until_clean(app)


async def test_it_is_run_again_where_others_are_in_the_way_of_a_computed_field(serve: Serve, bank: Bank) -> None:
    query = 'mutation { createEntry(input: {token: "a", amount: 0}) { lookedAt(state: "40001") } }'
    async with serve(mutation_max_attempts=3) as app, connected(app.port) as client:
        answer = await client.ask(query)
        assert set(answer.codes.values()) == {"TRANSACTION_CONFLICT"}
        assert WATCHED == ["looked at"] * 3
        assert bank.tokens == []
        await bank.until_clean(app)


async def test_a_computed_field_is_not_computed_again_where_its_connection_is_lost(serve: Serve, bank: Bank) -> None:
    query = 'mutation { createEntry(input: {token: "a", amount: 0}) { lookedAt(state: "lost") } }'
    async with serve() as app, connected(app.port) as client:
        await client.ask(query)
        assert WATCHED == ["looked at"]
        await bank.until_clean(app)
        assert bank.tokens == []


async def test_an_unknown_commit_is_left_to_the_client_and_its_key(serve: Serve, bank: Bank) -> None:
    query = 'mutation { a: note(token: "a") b: stall(token: "b") }'
    async with serve() as app, connected(app.port) as client:
        with bank.stalling():
            await client.send(query, idempotency_key="one")
            bank.execute(f"select pg_terminate_backend({await bank.until_stalled()})")
            answer = await client.receive()
        assert answer.codes == {"a": "OUTCOME_UNKNOWN", "b": "OUTCOME_UNKNOWN"}
        assert (await client.ask(query, idempotency_key="one")).data == {"a": 1, "b": 1}
        assert WATCHED == ["note a"]
        assert bank.tokens == ["a", "b"]
        await bank.until_clean(app)
