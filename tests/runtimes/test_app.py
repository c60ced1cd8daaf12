"""The whole server under asyncio and trio, on a real PostgreSQL, as its clients see it."""

from __future__ import annotations

import random
import re
import socket
from typing import Any

import anyio
import pytest

import fraiseql
from fraiseql.errors import ConfigurationError, StartupError
from fraiseql.observations import ConnectionLost, Observation, RequestCompleted
from fraiseql.runtimes.anyio import FraiseQLApp, create_fraiseql_app
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres

pytestmark = pytest.mark.anyio

THINGS = "{ things { id name } }"
ANSWER = {"data": {"things": [{"id": n, "name": f"thing {n}"} for n in (1, 2, 3)]}}
NAP = "{ slowThings(where: {id: {eq: 1}}) { id name } }"
NAPPED = {"data": {"slowThings": [{"id": 1, "name": ""}]}}
SLEEP = "{ slowThings(where: {id: {eq: 600}}) { id name } }"


def make(
    schema: fraiseql.Schema, url: str | None, seen: list[Observation] | None = None, **settings: Any
) -> FraiseQLApp:
    config = FraiseQLConfig(port=0, **settings)
    return FraiseQLApp(schema, url, config, observe=[].append if seen is None else seen.append)


def sleeping(postgres: EmbeddedPostgres) -> list[int]:
    return [pid for (pid,) in postgres.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'")]


async def until_sleeping(postgres: EmbeddedPostgres, number: int = 1) -> list[int]:
    with anyio.fail_after(10):
        while len(pids := sleeping(postgres)) != number:
            await anyio.sleep(0.01)
    return pids


async def test_it_starts_answers_and_stops(schema: fraiseql.Schema, things_url: str, connected: Any) -> None:
    seen: list[Observation] = []
    app = make(schema, things_url, seen)
    assert not app.is_running
    await app.start()
    try:
        assert app.is_running
        assert app.addresses == [("127.0.0.1", app.port)]
        assert app.url == f"http://127.0.0.1:{app.port}/graphql"
        async with connected(app.port) as client:
            for _ in range(3):
                assert await client.ask(THINGS) == ANSWER
            assert app.active_connections == 1
        async with connected(app.port) as client:
            await client.stream.send(b"GET /health HTTP/1.1\r\nhost: test\r\n\r\n" * 2)
            assert [(await client.receive())[2] for _ in range(2)] == [{"status": "ok"}] * 2
    finally:
        await app.shutdown()
    assert not app.is_running
    assert app.active_connections == 0
    assert app.database.pool.size == 0
    assert [type(o) for o in seen].count(RequestCompleted) == 5
    with pytest.raises(OSError):
        await anyio.connect_tcp("127.0.0.1", app.port)
    await app.shutdown()
    with pytest.raises(StartupError, match="started already"):
        await app.start()


async def test_it_outlives_the_scope_that_started_it(schema: fraiseql.Schema, things_url: str, connected: Any) -> None:
    app = make(schema, things_url)
    with anyio.CancelScope() as scope:
        await app.start()
        scope.cancel()
        await anyio.sleep(0)
    try:
        async with connected(app.port) as client:
            assert await client.ask(THINGS) == ANSWER
    finally:
        await app.shutdown()


async def test_many_clients_at_once(schema: fraiseql.Schema, things_url: str, connected: Any) -> None:
    async def visit() -> None:
        async with connected(app.port) as client:
            for _ in range(5):
                assert await client.ask(THINGS) == ANSWER

    async with make(schema, things_url, pool_max_size=3) as app, anyio.create_task_group() as group:
        for _ in range(40):
            group.start_soon(visit)


async def test_a_port_in_use_is_one_sentence_and_leaves_nothing(schema: fraiseql.Schema, things_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        app = FraiseQLApp(schema, things_url, FraiseQLConfig(port=port))
        with pytest.raises(StartupError) as caught:
            await app.start()
        assert str(caught.value) == f"port {port} on 127.0.0.1 is in use by another program"
        assert not app.is_running


@pytest.mark.parametrize(
    ("host", "message"),
    [("no-such-host.invalid", "cannot be resolved"), ("192.0.2.1", "is no address of this machine")],
)
async def test_a_host_that_cannot_be_listened_on(schema: fraiseql.Schema, host: str, message: str) -> None:
    with pytest.raises(StartupError, match=message):
        await make(schema, "", host=host).start()


async def test_a_name_with_two_addresses_has_one_port(schema: fraiseql.Schema, things_url: str) -> None:
    async with make(schema, things_url, host="localhost") as app:
        assert {port for _, port in app.addresses} == {app.port}


async def test_a_database_that_is_away_at_the_start(schema: fraiseql.Schema) -> None:
    url = "postgresql://me:secret@127.0.0.1:1/db"
    seen: list[Observation] = []
    app = make(schema, url, seen)
    with pytest.raises(
        StartupError, match=r"cannot connect to the database at 127\.0\.0\.1 port 1: .*refused"
    ) as caught:
        await app.start()
    assert "secret" not in str(caught.value)
    assert seen == [], "the error says it all, and there is no next attempt"
    with pytest.raises(OSError):
        await anyio.connect_tcp("127.0.0.1", app.port)


@pytest.mark.parametrize(
    ("url", "settings", "reason"),
    [
        ("host=no-such-host.invalid", {}, "the name no-such-host.invalid cannot be resolved"),
        ("host=127.0.0.1 port={port}", {"pool_connect_timeout": 0.1}, "no answer within 0.1 s"),
    ],
)
async def test_where_the_database_is_not_is_said_once(
    schema: fraiseql.Schema, url: str, settings: dict[str, Any], reason: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(StartupError) as caught:
        await make(schema, url.format(port=silent.getsockname()[1]), **settings).start()
    host = url.split()[0].removeprefix("host=")
    assert re.match(rf"cannot connect to the database at {host} port \d+: {reason}", str(caught.value))


async def test_a_database_that_need_not_be_there(schema: fraiseql.Schema, connected: Any) -> None:
    url = "host=127.0.0.1 port=1"
    async with (
        make(schema, url, wait_for_database=True, pool_acquire_timeout=0.2) as app,
        connected(app.port) as client,
    ):
        answer = await client.ask(THINGS)
        assert "refused" not in str(answer), "the log says why, not the client"
        assert answer["errors"]


def test_no_database_url_is_a_configuration_error(schema: fraiseql.Schema, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAISEQL_DATABASE_URL", raising=False)
    with pytest.raises(ConfigurationError, match="FRAISEQL_DATABASE_URL"):
        create_fraiseql_app(schema=schema)
    monkeypatch.setenv("FRAISEQL_DATABASE_URL", "host=a")
    with pytest.raises(ConfigurationError, match="FRAISEQL_DATABASE_URL"):
        create_fraiseql_app(schema=schema, config=FraiseQLConfig())
    app = create_fraiseql_app(schema=schema, port=1234)
    assert (app.database.description, app.port) == ("a port 5432", 1234)
    app = create_fraiseql_app(schema=schema, database_url="host=b", config=FraiseQLConfig(port=5), pool_max_size=2)
    assert (app.database.description, app.port) == ("b port 5432", 5)


async def test_a_client_that_leaves_takes_its_sql_with_it(
    schema: fraiseql.Schema, things_url: str, postgres: EmbeddedPostgres, connected: Any
) -> None:
    async with make(schema, things_url, pool_max_size=1) as app:
        async with connected(app.port) as client:
            await client.send(SLEEP)
            await until_sleeping(postgres)
        await until_sleeping(postgres, 0)
        async with connected(app.port) as client:
            assert await client.ask(THINGS) == ANSWER
        assert app.database.pool.size == 1


async def test_a_request_that_takes_too_long(
    schema: fraiseql.Schema, things_url: str, postgres: EmbeddedPostgres, connected: Any
) -> None:
    async with make(schema, things_url, query_request_timeout=0.1) as app, connected(app.port) as client:
        answer = await client.ask(SLEEP)
        assert answer["errors"][0]["extensions"]["code"] == "REQUEST_TIMEOUT"
        await until_sleeping(postgres, 0)
        assert await client.ask(THINGS) == ANSWER


async def test_a_killed_backend_is_an_error_for_its_request_only(
    schema: fraiseql.Schema, things_url: str, postgres: EmbeddedPostgres, connected: Any
) -> None:
    seen: list[Observation] = []
    async with make(schema, things_url, seen) as app, connected(app.port) as client, connected(app.port) as other:
        assert await other.ask(THINGS) == ANSWER
        await client.send(SLEEP)
        (pid,) = await until_sleeping(postgres)
        postgres.kill_backend(pid)
        _, _, answer = await client.receive()
        assert answer["errors"]
        assert await other.ask(THINGS) == ANSWER
        assert await client.ask(THINGS) == ANSWER
        assert any(isinstance(o, ConnectionLost) for o in seen)


async def test_a_restart_of_the_database_is_an_error_for_the_requests_in_flight_only(
    schema: fraiseql.Schema, things_url: str, postgres: EmbeddedPostgres, connected: Any
) -> None:
    async with make(schema, things_url) as app, connected(app.port) as client, connected(app.port) as other:
        assert await other.ask(THINGS) == ANSWER
        await client.send(SLEEP)
        await until_sleeping(postgres)
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, postgres.restart)
            _, _, answer = await client.receive()
            assert answer["errors"]
            assert await other.ask(THINGS) == ANSWER, "it waits for the database"


async def test_shutdown_lets_running_requests_finish(
    schema: fraiseql.Schema, things_url: str, postgres: EmbeddedPostgres, connected: Any
) -> None:
    app = make(schema, things_url)
    await app.start()
    async with connected(app.port) as client, connected(app.port) as idle:
        assert await idle.ask(THINGS) == ANSWER
        await client.send(NAP)
        await until_sleeping(postgres)
        async with anyio.create_task_group() as group:
            group.start_soon(app.shutdown)
            assert await idle.at_end()
            status, fields, answer = await client.receive()
            assert (status, answer, fields["connection"]) == (200, NAPPED, "close")
            assert await client.at_end()
            await client.stream.aclose()
    assert app.database.pool.size == 0


@pytest.mark.parametrize("transport", ["auto", "anyio"])
async def test_a_request_that_comes_as_the_server_stops_meets_an_end_and_no_reset(
    schema: fraiseql.Schema, things_url: str, transport: str
) -> None:
    app = make(schema, things_url, transport=transport)
    await app.start()
    request = b"GET /health HTTP/1.1\r\nhost: test\r\n\r\n"
    with socket.create_connection(("127.0.0.1", app.port), timeout=10) as client:
        client.sendall(request)
        assert (await anyio.to_thread.run_sync(client.recv, 65_536)).startswith(b"HTTP/1.1 200")
        client.sendall(request)  # the server has not read it when it is told to stop, since this is its thread
        await app.shutdown()
        assert client.recv(65_536) == b""


async def test_shutdown_waits_no_longer_than_its_grace(
    schema: fraiseql.Schema, things_url: str, postgres: EmbeddedPostgres, connected: Any
) -> None:
    app = make(schema, things_url)
    await app.start()
    async with connected(app.port) as client:
        await client.send(SLEEP)
        await until_sleeping(postgres)
        with anyio.fail_after(3):
            await app.shutdown(grace=0.1)
        assert await client.at_end()
        await until_sleeping(postgres, 0)


async def test_no_more_clients_than_allowed(schema: fraiseql.Schema, things_url: str, connected: Any) -> None:
    async with (
        make(schema, things_url, max_connections=2, retry_after=7) as app,
        connected(app.port) as one,
        connected(app.port) as two,
        connected(app.port) as three,
    ):
        assert await one.ask(THINGS) == ANSWER
        assert await two.ask(THINGS) == ANSWER
        await three.send(THINGS)
        status, headers, answer = await three.receive()
        assert (status, headers["retry-after"], answer["errors"][0]["extensions"]["code"]) == (503, "7", "SERVER_BUSY")
        assert app.active_connections == 2
        await one.stream.aclose()
        while app.active_connections == 2:
            await anyio.sleep(0.01)
        async with connected(app.port) as four:
            assert await four.ask(THINGS) == ANSWER


async def test_nothing_is_lost_in_a_storm_of_leaving_clients(
    schema: fraiseql.Schema, things_url: str, postgres: EmbeddedPostgres, connected: Any
) -> None:
    chance = random.Random(7)

    async def visit(patience: float, query: str, expected: Any) -> None:
        with anyio.move_on_after(patience):
            async with connected(app.port) as client:
                assert await client.ask(query) == expected

    async with make(schema, things_url, pool_max_size=4, pool_recovery_timeout=5.0) as app:
        async with anyio.create_task_group() as group:
            for _ in range(200):
                query, expected = chance.choice([(THINGS, ANSWER), (NAP, NAPPED)])
                group.start_soon(visit, chance.expovariate(5), query, expected)
                await anyio.sleep(chance.random() / 200)
        with anyio.fail_after(10):
            while app.active_connections or app.database.pool.granted:
                await anyio.sleep(0.01)
        async with connected(app.port) as client:
            assert await client.ask(THINGS) == ANSWER
        assert app.database.pool.size <= 4
    name = things_url.rpartition("=")[2]
    with anyio.fail_after(5):
        while postgres.backend_pids(name):
            await anyio.sleep(0.01)
