"""Commits that are done, and whose answer never comes: nobody is told that they failed, and a key finds them again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import anyio
import pytest

from fraiseql.runtimes.anyio import FraiseQLApp
from scenarios.clients import connected
from scenarios.watching import Bank

pytestmark = pytest.mark.anyio

Serve = Callable[..., FraiseQLApp]

STALL = 'mutation { a: count(name: "x", token: "a") b: stall(token: "b") }'
BOTH = ["a", "b"]


@pytest.fixture(autouse=True)
def stalling(bank: Bank) -> Iterator[None]:
    with bank.stalling():
        yield


def end(bank: Bank, pid: int, how: str) -> None:
    if how == "kill -9":
        bank.postgres.kill_backend(pid)
    else:
        bank.execute(f"select pg_terminate_backend({pid})")


@pytest.mark.parametrize("how", ["kill -9", "terminate"])
async def test_without_a_key_it_is_told_to_be_unknown(serve: Serve, bank: Bank, how: str) -> None:
    async with serve() as app, connected(app.port) as client:
        await client.send(STALL)
        end(bank, await bank.until_stalled(), how)
        answer = await client.receive()
        assert answer.status == 200
        assert answer.json["data"] == {"a": None, "b": None}
        assert answer.codes == {"a": "OUTCOME_UNKNOWN", "b": "OUTCOME_UNKNOWN"}
        await bank.until_clean(app)
        assert bank.tokens == BOTH, "it was done, and once"


@pytest.mark.parametrize("how", ["kill -9", "terminate"])
async def test_with_a_key_it_is_found_again(serve: Serve, bank: Bank, how: str) -> None:
    async with serve() as app, connected(app.port) as client:
        await client.send(STALL, idempotency_key="one")
        end(bank, await bank.until_stalled(), how)
        answer = await client.receive()
        assert answer.data == {"a": 1, "b": 1}
        assert (await client.ask(STALL, idempotency_key="one")).body == answer.body
        await bank.until_clean(app)
        assert bank.tokens == BOTH


async def test_by_field_only_one_is_unknown(serve: Serve, bank: Bank) -> None:
    query = 'mutation { a: count(name: "x", token: "a") b: stall(token: "b") c: count(name: "x", token: "c") }'
    async with serve(mutation_transaction="field") as app, connected(app.port) as client:
        await client.send(query)
        end(bank, await bank.until_stalled(), "terminate")
        answer = await client.receive()
        assert answer.json["data"] == {"a": 1, "b": None, "c": 2}
        assert answer.codes == {"b": "OUTCOME_UNKNOWN"}
        await bank.until_clean(app)
        assert bank.tokens == ["a", "b", "c"]


async def test_a_client_that_leaves_and_comes_back_with_its_key(serve: Serve, bank: Bank) -> None:
    async with serve(pool_max_size=2) as app:
        async with connected(app.port) as client:
            await client.send(STALL, idempotency_key="one")
            await bank.until_stalled()
        async with connected(app.port) as client:
            answer = await client.ask(STALL, idempotency_key="one")
            assert answer.data == {"a": 1, "b": 1}
        await bank.until_clean(app)
        assert bank.tokens == BOTH


async def test_a_request_that_takes_too_long_at_its_commit(serve: Serve, bank: Bank) -> None:
    """The server does not say that nothing was done; with its key the client finds out."""
    async with serve(query_request_timeout=0.5) as app, connected(app.port) as client:
        answer = await client.ask(STALL, idempotency_key="one")
        assert set(answer.codes.values()) == {"REQUEST_TIMEOUT"}
        assert (await client.ask(STALL, idempotency_key="one")).data == {"a": 1, "b": 1}
        await bank.until_clean(app)
        assert bank.tokens == BOTH


async def test_a_server_that_stops_meanwhile(serve: Serve, bank: Bank) -> None:
    app = serve()
    await app.start()
    async with connected(app.port) as client:
        await client.send(STALL)
        await bank.until_stalled()
        with anyio.fail_after(20):
            await app.shutdown(grace=0.1)
    with anyio.fail_after(20):
        while bank.states():
            await anyio.sleep(0.01)
    assert bank.tokens == BOTH
