"""Mutations from the client's socket to the tables, under asyncio and trio."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import anyio
import pytest

from fraiseql.observations import ConnectionLost
from fraiseql.runtimes.anyio import FraiseQLApp
from fraiseql.runtimes.config import FraiseQLConfig
from runtimes.websocket_client import opened
from scenarios.bank import schema
from scenarios.clients import Answer, connected
from scenarios.watching import Bank

pytestmark = pytest.mark.anyio

Serve = Callable[..., FraiseQLApp]

TRANSFER = """mutation ($input: TransferInput!) { transfer(input: $input) {
    __typename
    ... on Transferred { status account { owner balance entries { token amount } } }
    ... on TransferRefused { code message fields }
} }"""


def transfer(amount: int, source: int = 1, target: int = 2, token: str = "t") -> dict[str, Any]:
    return {"input": {"token": token, "source": source, "target": target, "amount": amount}}


DONE = {
    "__typename": "Transferred",
    "status": "updated",
    "account": {"owner": "bob", "balance": 130, "entries": [{"token": "t", "amount": 30}]},
}
INVALID = {
    "__typename": "TransferRefused",
    "code": "VALIDATION",
    "message": "The amount must be positive.",
    "fields": ["amount"],
}


@pytest.mark.parametrize(
    ("variables", "expected", "balances"),
    [
        pytest.param(transfer(30), DONE, (70, 130, 100), id="success, selected like a query"),
        pytest.param(transfer(0), INVALID, (100, 100, 100), id="validation"),
        pytest.param(
            transfer(101),
            {"__typename": "TransferRefused", "code": "FAILED", "message": "This could not be done."},
            (100, 100, 100),
            id="failed",
        ),
    ],
)
async def test_the_outcomes_of_a_function(
    serve: Serve, bank: Bank, variables: dict[str, Any], expected: dict[str, Any], balances: tuple[int, ...]
) -> None:
    async with serve() as app, connected(app.port) as client:
        answer = (await client.ask(TRANSFER, variables)).data["transfer"]
        assert answer.items() >= expected.items()
        assert tuple(bank.balances.values()) == balances
        await bank.until_clean(app)


@pytest.mark.parametrize(
    ("query", "code", "fields"),
    [
        ('mutation { openAccount(owner: "ann", balance: 1) { id } }', "UNIQUE_VIOLATION", ["owner"]),
        ('mutation { openAccount(owner: "", balance: 1) { id } }', "CHECK_VIOLATION", ["owner"]),
        ('mutation { openAccount(owner: "eve", balance: -1) { id } }', "CHECK_VIOLATION", ["balance"]),
        ('mutation { createAccount(input: {owner: "ann", balance: 1}) { id } }', "UNIQUE_VIOLATION", ["owner"]),
        ('mutation { createAccount(input: {owner: "eve", balance: -1}) { id } }', "CHECK_VIOLATION", ["balance"]),
        ('mutation { updateAccount(id: 1, input: {owner: "bob"}) { id } }', "UNIQUE_VIOLATION", ["owner"]),
        ('mutation { createEntry(input: {token: "a", amount: 13}) { id } }', "CHECK_VIOLATION", ["amount"]),
        ('mutation { refuse(state: "P0001", token: "a") }', "INTERNAL_SERVER_ERROR", None),
        ('mutation { refuse(state: "42501", token: "a") }', "FORBIDDEN", None),
        ('mutation { refuse(state: "57014", token: "a") }', "REQUEST_TIMEOUT", None),
    ],
)
async def test_errors_of_postgresql(serve: Serve, bank: Bank, query: str, code: str, fields: list[str] | None) -> None:
    before = bank.balances
    async with serve() as app, connected(app.port) as client:
        answer = await client.ask(query)
        (error,) = answer.json["errors"]
        assert error["extensions"]["code"] == code
        assert error["extensions"].get("fields") == fields
        assert len(error["path"]) == 1
        for secret in ("secret", "accounts", "ledger", "fn_", "insert", "plpgsql"):
            assert secret not in answer.body.decode(), secret
        assert (bank.balances, bank.tokens) == (before, [])
        await bank.until_clean(app)


async def test_a_transaction_that_takes_longer_than_the_server_lets_it(bank: Bank) -> None:
    url = f"{bank.url} options='-c transaction_timeout=200ms'"
    async with FraiseQLApp(schema, url, FraiseQLConfig(port=0), observe=bank.seen.append) as app:
        async with connected(app.port) as client:
            answer = await client.ask(
                'mutation { a: count(name: "x", token: "a") b: linger(seconds: 600, token: "b") }'
            )
        assert answer.codes == {"a": "ROLLED_BACK", "b": "REQUEST_TIMEOUT"}
        assert bank.tokens == []
        assert ["transaction timeout" in each.reason for each in bank.seen if isinstance(each, ConnectionLost)] == [
            True
        ]


async def test_an_error_at_commit_is_told(serve: Serve, bank: Bank) -> None:
    async with serve() as app, connected(app.port) as client:
        answer = await client.ask('mutation { a: count(name: "x", token: "a") b: dangle(token: "b") }')
        assert answer.json["data"] == {"a": None, "b": None}
        assert answer.codes == {"a": "FOREIGN_KEY_VIOLATION", "b": "FOREIGN_KEY_VIOLATION"}
        assert bank.tokens == []
        await bank.until_clean(app)


TABLE = """mutation {
    createAccount(input: {owner: "dan", balance: 5}) { id owner balance entries { token } }
    createAccounts(input: [{owner: "eve", balance: 6}, {owner: "fay", balance: 7}]) { owner balance }
    updateAccount(id: "1", input: {balance: 1}) { owner balance }
    gone: updateAccount(id: "99", input: {balance: 1}) { owner }
    upsertAccount(input: {owner: "bob", balance: 2}) { id owner balance }
    new: upsertAccount(input: {owner: "gus", balance: 8}) { id owner balance }
    deleteAccount(id: "3") { owner balance }
}"""


async def test_mutations_of_a_table(serve: Serve, bank: Bank) -> None:
    async with serve() as app, connected(app.port) as client:
        assert (await client.ask(TABLE)).data == {
            "createAccount": {"id": "4", "owner": "dan", "balance": 5, "entries": []},
            "createAccounts": [{"owner": "eve", "balance": 6}, {"owner": "fay", "balance": 7}],
            "updateAccount": {"owner": "ann", "balance": 1},
            "gone": None,
            "upsertAccount": {"id": "2", "owner": "bob", "balance": 2},
            "new": {"id": "8", "owner": "gus", "balance": 8},
            "deleteAccount": {"owner": "cem", "balance": 100},
        }
        assert bank.balances == {"ann": 1, "bob": 2, "dan": 5, "eve": 6, "fay": 7, "gus": 8}
        await bank.until_clean(app)


THREE = """mutation ($state: String!) {
    a: count(name: "x", token: "a")
    b: refuse(state: $state, token: "b")
    c: createEntry(input: {token: "c", amount: 1}) { token }
}"""


@pytest.mark.parametrize("state", ["P0001", "23514"])
async def test_one_field_fails_and_all_are_rolled_back(serve: Serve, bank: Bank, state: str) -> None:
    query = THREE.replace('createEntry(input: {token: "c", amount: 1}) { token }', 'count(name: "x", token: "c")')
    async with serve() as app, connected(app.port) as client:
        answer = await client.ask(query, {"state": state})
        assert answer.json["data"] == {"a": None, "b": None, "c": None}
        codes = answer.codes
        assert (codes["a"], codes["c"]) == ("ROLLED_BACK", "ROLLED_BACK")
        assert codes["b"] in ("INTERNAL_SERVER_ERROR", "CHECK_VIOLATION")
        assert bank.tokens == []
        await bank.until_clean(app)
    async with serve(mutation_transaction="field") as app, connected(app.port) as client:
        answer = await client.ask(query, {"state": state})
        assert answer.json["data"] == {"a": 1, "b": None, "c": 2}
        assert list(answer.codes) == ["b"]
        assert bank.tokens == ["a", "c"]
        await bank.until_clean(app)


async def test_a_null_that_rises_leaves_no_data(serve: Serve, bank: Bank) -> None:
    async with serve() as app, connected(app.port) as client:
        answer = await client.ask(THREE, {"state": "P0001"})
        assert answer.json["data"] is None
        assert bank.tokens == []


async def test_a_field_sees_what_those_before_it_have_written(serve: Serve, bank: Bank) -> None:
    query = """mutation {
        a: createAccount(input: {owner: "dan", balance: 9}) { id balance }
        b: updateAccount(id: "4", input: {balance: 10}) { balance }
        c: count(name: "x", token: "c")
        d: count(name: "x", token: "d")
    }"""
    async with serve() as app, connected(app.port) as client:
        expected = {"a": {"id": "4", "balance": 9}, "b": {"balance": 10}, "c": 1, "d": 2}
        assert (await client.ask(query)).data == expected


async def test_the_same_answer_for_the_same_key(serve: Serve, bank: Bank) -> None:
    query = 'mutation ($token: String!) { count(name: "x", token: $token) }'
    async with serve() as app, connected(app.port) as client:
        first = await client.ask(query, {"token": "a"}, idempotency_key="one")
        assert first.data == {"count": 1}
        for _ in range(3):
            again = await client.ask(query, {"token": "a"}, idempotency_key="one")
            assert (again.status, again.body) == (first.status, first.body)
        async with serve() as other, connected(other.port) as elsewhere:
            assert (await elsewhere.ask(query, {"token": "a"}, idempotency_key="one")).body == first.body
        assert (await client.ask(query, {"token": "b"}, idempotency_key="two")).data == {"count": 2}
        assert (await client.ask(query, {"token": "c"})).data == {"count": 3}
        kind = "application/graphql-response+json"
        reused = await client.ask(query, {"token": "d"}, idempotency_key="one", accept=kind)
        assert (reused.status, reused.codes) == (422, {"": "IDEMPOTENCY_KEY_REUSED"})
        assert bank.tokens == ["a", "b", "c"]
        await bank.until_clean(app)


async def test_two_with_the_same_key_at_once(serve: Serve, bank: Bank) -> None:
    query = 'mutation { linger(seconds: 0.2, token: "a") count(name: "x", token: "b") }'
    answers: list[Answer] = []

    async def ask(port: int) -> None:
        async with connected(port) as client:
            answers.append(await client.ask(query, idempotency_key="one"))

    async with serve() as app:
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(ask, app.port)
        assert {answer.body for answer in answers} == {b'{"data":{"linger":1,"count":1}}'}
        assert bank.tokens == ["a", "b"]
        await bank.until_clean(app)


async def test_one_key_over_several_transports(serve: Serve, bank: Bank) -> None:
    query = 'mutation { count(name: "x", token: "a") }'
    async with serve() as app, connected(app.port) as client, opened(app.port) as socket:
        assert (await client.ask(query, idempotency_key="one")).data == {"count": 1}
        operation, message = socket.machine.subscribe(query, extensions={"idempotencyKey": "one"})
        socket.heard[operation] = []
        await socket.say(message)
        assert await socket.ended(operation) == [{"data": {"count": 1}}]
        stream = await client.ask(query, idempotency_key="one", accept="text/event-stream")
        assert b'{"data":{"count":1}}' in stream.body
        assert bank.tokens == ["a"]
        await bank.until_clean(app)


async def test_without_the_table_nothing_runs_under_a_key(serve: Serve, bank: Bank) -> None:
    bank.execute("drop table fraiseql_idempotency")
    query = 'mutation { count(name: "x", token: "a") }'
    async with serve() as app, connected(app.port) as client:
        answer = await client.ask(query, idempotency_key="one")
        assert answer.codes == {"": "IDEMPOTENCY_UNAVAILABLE"}
        assert "fraiseql_idempotency" not in answer.body.decode()
        assert bank.tokens == []
        assert (await client.ask(query)).data == {"count": 1}
        await bank.until_clean(app)


async def test_a_failure_leaves_the_key_free(serve: Serve, bank: Bank) -> None:
    query = 'mutation { openAccount(owner: "dan", balance: 1) { owner } }'
    bank.execute("insert into accounts (owner) values ('dan')")
    async with serve() as app, connected(app.port) as client:
        assert (await client.ask(query, idempotency_key="one")).codes == {"openAccount": "UNIQUE_VIOLATION"}
        bank.execute("delete from accounts where owner = 'dan'")
        assert (await client.ask(query, idempotency_key="one")).data == {"openAccount": {"owner": "dan"}}


COUNT = 'mutation M { count(name: "x", token: "a") }'


@pytest.mark.parametrize("query", [COUNT, f"query Q {{ accounts {{ id }} }} {COUNT}"])
async def test_not_over_get(serve: Serve, bank: Bank, query: str) -> None:
    target = f"/graphql?operationName=M&query={quote(query)}"
    async with serve() as app, connected(app.port) as client:
        for accept in ("application/graphql-response+json", "application/json", "text/event-stream"):
            head = f"GET {target} HTTP/1.1\r\nhost: test\r\ngraphql-require-preflight: 1\r\naccept: {accept}\r\n\r\n"
            await client.stream.send(head.encode())
            answer = await client.receive()
            assert b"METHOD_NOT_ALLOWED" in answer.body
            if accept != "text/event-stream":  # which has begun before the request is looked at
                assert (answer.status, answer.fields["allow"]) == (405, "POST")  # RFC 9110 §15.5.6
        assert bank.tokens == []


async def test_over_a_websocket(serve: Serve, bank: Bank) -> None:
    async with serve() as app:
        async with opened(app.port) as client:
            done = await client.subscribe(TRANSFER, transfer(30))
            assert await client.ended(done) == [{"data": {"transfer": DONE}}]
            refused = await client.subscribe('mutation { a: count(name: "x", token: "a") b: dangle(token: "b") }')
            (answer,) = await client.ended(refused)
            codes = [error["extensions"]["code"] for error in answer["errors"]]
            assert codes == ["FOREIGN_KEY_VIOLATION"] * 2
        assert bank.tokens == ["t"]
        await bank.until_clean(app)


async def test_over_an_event_stream(serve: Serve, bank: Bank) -> None:
    async with serve() as app, connected(app.port) as client:
        answer = await client.ask(TRANSFER, transfer(30), accept="text/event-stream")
        assert answer.status == 200
        assert answer.fields["content-type"].startswith("text/event-stream")
        events = [block.split("\n") for block in answer.body.decode().replace("\r", "").split("\n\n") if block.strip()]
        told = [[line for line in block if line and not line.startswith(":")] for block in events]
        told = [block for block in told if block]
        assert told[0][0] == "event: next"
        assert json.loads(told[0][1].removeprefix("data:")) == {"data": {"transfer": DONE}}
        assert told[1][0] == "event: complete"
        assert bank.tokens == ["t"]
        await bank.until_clean(app)


async def test_two_that_lock_each_other_out_both_come_through(serve: Serve, bank: Bank) -> None:
    query = """mutation ($one: ID!, $two: ID!, $token: String!) {
        a: updateAccount(id: $one, input: {balance: 50}) { id }
        b: linger(seconds: 0.1, token: $token)
        c: updateAccount(id: $two, input: {balance: 60}) { id }
    }"""
    answers: list[Answer] = []

    async def ask(port: int, one: str, two: str) -> None:
        async with connected(port) as client:
            answers.append(await client.ask(query, {"one": one, "two": two, "token": one}))

    async with serve() as app:
        async with anyio.create_task_group() as group:
            group.start_soon(ask, app.port, "1", "2")
            group.start_soon(ask, app.port, "2", "1")
        assert [answer.data["b"] for answer in answers] == [1, 1]
        assert sorted(bank.tokens) == ["1", "2"]
        await bank.until_clean(app)


@pytest.mark.parametrize("isolation", ["read_committed", "serializable"])
async def test_many_transfers_at_once(serve: Serve, bank: Bank, isolation: str) -> None:
    name = "carelessTransfer" if isolation == "serializable" else "transfer"
    told: list[bool] = []

    async def ask(port: int, number: int) -> None:
        async with connected(port) as client:
            for count in range(5):
                source = (number + count) % 3
                variables = transfer(1, source + 1, (source + 1 + number % 2) % 3 + 1, f"{number}.{count}")
                answer = await client.ask(TRANSFER.replace(" transfer(", f" transfer: {name}("), variables)
                told.append("errors" not in answer.json)

    settings: dict[str, Any] = {"mutation_isolation": isolation, "mutation_max_attempts": 50, "pool_max_size": 4}
    async with serve(**settings) as app:
        async with anyio.create_task_group() as group:
            for number in range(8):
                group.start_soon(ask, app.port, number)
        assert told == [True] * 40
        assert len(set(bank.tokens)) == len(bank.tokens) == 40
        assert sum(bank.balances.values()) == 300
        await bank.until_clean(app)
