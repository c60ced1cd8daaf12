"""Requests to the server on threads, on a real PostgreSQL, as its clients see them."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fraiseql import BlockingInfo
from fraiseql.errors import DatabaseError
from fraiseql.observations import InternalErrorMasked, Observation
from fraiseql.runtimes.threads import ThreadedApp
from fraiseql.testing.clock import FakeClock
from fraiseql.testing.embedded import EmbeddedPostgres
from runtimes.threads.plainly import Client, Make, bodies, connected, until

THINGS = "{ things(where: {id: {lte: 3}}, orderBy: [{id: ASC}]) { id name doubled } }"
ANSWER = {"data": {"things": [{"id": n, "name": f"thing {n}", "doubled": 2 * n} for n in (1, 2, 3)]}}
SLEEP = "{ slowThings(where: {id: {eq: 600}}) { id } }"

Sleepers = Callable[[int], None]


def test_queries_one_after_the_other_and_pipelined(app: ThreadedApp, client: Client) -> None:
    assert app.is_running
    assert app.addresses == [("127.0.0.1", app.port)]
    assert [client.ask(THINGS) for _ in range(3)] == [ANSWER] * 3
    for _ in range(4):
        client.send(THINGS)
    assert [client.receive()[2] for _ in range(4)] == [ANSWER] * 4
    client.socket.sendall(b"GET /health HTTP/1.1\r\nhost: test\r\n\r\n")
    assert client.receive()[2] == {"status": "ok"}
    assert client.ask(THINGS) == ANSWER


def test_a_request_in_pieces(client: Client) -> None:
    body = b'{"query": "{ __typename }"}'
    head = b"POST /graphql HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    request = head % len(body) + body
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in range(len(request)):
        client.socket.sendall(request[byte : byte + 1])
    assert client.receive()[2] == {"data": {"__typename": "Query"}}


def test_many_clients_share_few_connections(app: ThreadedApp) -> None:
    def visit(_: int) -> None:
        with connected(app) as client:
            assert [client.ask(THINGS) for _ in range(10)] == [ANSWER] * 10

    with ThreadPoolExecutor(24) as pool:
        list(pool.map(visit, range(24)))
    assert app.database.pool.size <= 2


def test_who_is_not_let_in(client: Client) -> None:
    client.send(THINGS, "x-stranger: yes")
    assert client.receive()[2]["errors"][0]["extensions"]["code"] == "FORBIDDEN"


def nested(info: BlockingInfo) -> Any:
    with info.db.transaction("repeatable read"):
        first = info.db.fetch_value("select pg_backend_pid()")
        with pytest.raises(DatabaseError), info.db.transaction():
            info.db.execute("select 1 / 0")
        return [first == info.db.fetch_value("select pg_backend_pid()"), len(info.db.fetch_all("select 1 as a"))]


def left_open(info: BlockingInfo) -> Any:
    info.db.transaction().__enter__()
    return info.db.execute("update things set name = 'lost' where id = 1")


def crossed(info: BlockingInfo) -> Any:
    outer, inner = info.db.transaction(), info.db.transaction()
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(RuntimeError, match="nesting"):
        outer.__exit__(None, None, None)
    with pytest.raises(RuntimeError, match="ended"):
        inner.__exit__(None, None, None)
    return "refused"


def elsewhere(info: BlockingInfo) -> Any:
    errors: list[str] = []

    def ask() -> None:
        try:
            info.db.fetch_value("select 1")
        except RuntimeError as error:
            errors.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return errors


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (nested, [True, 1]),
        (left_open, 1),
        (crossed, "refused"),
        (elsewhere, ["info.db belongs to the thread of the request; expected to be used there"]),
    ],
)
def test_what_functions_do_in_the_database(
    client: Client, function: Callable[[BlockingInfo], Any], expected: Any
) -> None:
    bodies["it"] = function
    assert client.ask('{ run(name: "it") }') == {"data": {"run": expected}}
    assert client.ask(THINGS) == ANSWER


def test_after_the_call_the_database_is_refused(client: Client) -> None:
    kept: list[BlockingInfo] = []
    bodies["keep"] = kept.append
    client.ask('{ run(name: "keep") }')
    with pytest.raises(RuntimeError, match="has ended"):
        kept[0].db.fetch_value("select 1")


@pytest.mark.parametrize("error", [ValueError("a secret"), SystemExit(), GeneratorExit(), StopIteration()])
def test_what_a_function_raises_is_an_error_of_its_field(
    client: Client, seen: list[Observation], error: BaseException
) -> None:
    def fail(info: BlockingInfo) -> Any:
        raise error

    bodies["fail"] = fail
    seen.clear()
    answer = client.ask('{ run(name: "fail") }')
    assert answer["errors"][0]["path"] == ["run"]
    assert "secret" not in str(answer)
    until(lambda: any(isinstance(each, InternalErrorMasked) for each in seen))


def test_what_must_be_awaited_is_an_error_that_says_so(client: Client, seen: list[Observation]) -> None:
    async def late() -> int:
        return 1

    def hand_out(info: BlockingInfo) -> Any:
        return late()

    bodies["late"] = hand_out
    seen.clear()
    assert client.ask('{ run(name: "late") }')["errors"]
    until(lambda: any("cannot" in str(getattr(each, "error", "")) for each in seen))


def test_a_mutation_is_committed_or_rolled_back_as_a_whole(client: Client) -> None:
    query = "mutation { addThing(id: 10, fails: true) { name } }"
    assert client.ask(query)["errors"]
    assert client.ask("{ things(where: {id: {eq: 10}}) { id } }") == {"data": {"things": []}}
    query = "mutation { addThing(id: 10) { name } }"
    assert client.ask(query) == {"data": {"addThing": {"name": "undone"}}}
    assert client.ask("{ things(where: {id: {eq: 10}}) { id } }") == {"data": {"things": [{"id": 10}]}}


def test_a_client_that_leaves_takes_its_sql_with_it(app: ThreadedApp, sleepers: Sleepers) -> None:
    with connected(app) as client:
        client.send(SLEEP)
        sleepers(1)
    sleepers(0)
    until(lambda: not app.database.pool.granted)
    with connected(app) as client:
        assert client.ask(THINGS) == ANSWER


def test_it_takes_the_function_with_it_that_waits_there(app: ThreadedApp, sleepers: Sleepers) -> None:
    ended = threading.Event()

    def nap(info: BlockingInfo) -> Any:
        try:
            with info.db.transaction():
                info.db.execute("select pg_sleep(600)")
        finally:
            ended.set()

    bodies["nap"] = nap
    with connected(app) as client:
        client.send('{ run(name: "nap") }')
        sleepers(1)
    assert ended.wait(10)
    sleepers(0)
    until(lambda: not app.database.pool.granted)


def test_a_request_that_takes_too_long(make: Make, sleepers: Sleepers) -> None:
    with make(query_request_timeout=0.1) as app, connected(app) as client:
        assert client.ask(SLEEP)["errors"][0]["extensions"]["code"] == "REQUEST_TIMEOUT"
        sleepers(0)
        assert client.ask("{ __typename }") == {"data": {"__typename": "Query"}}


def test_an_answer_whose_time_has_come_does_not_wait_for_a_server_that_does_not_cancel(
    make: Make, sleepers: Sleepers, postgres: EmbeddedPostgres
) -> None:
    clock = FakeClock()
    with make(clock=clock, query_request_timeout=20, pool_recovery_timeout=3_600) as app, connected(app) as client:
        client.send(SLEEP)
        sleepers(1)
        ((pid,),) = postgres.execute("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        os.kill(pid, signal.SIGSTOP)
        try:
            clock.advance(21)
            assert client.receive()[2]["errors"][0]["extensions"]["code"] == "REQUEST_TIMEOUT"
            assert app.database.pool.granted == 1, "it is being cleared"
        finally:
            os.kill(pid, signal.SIGCONT)
        until(lambda: not app.database.pool.granted)
        assert client.ask(THINGS) == ANSWER


def test_no_connection_to_be_had(make: Make, sleepers: Sleepers) -> None:
    with (
        make(pool_max_size=2, pool_acquire_timeout=0.2, pool_max_waiting=1) as app,
        connected(app) as client,
        connected(app) as other,
    ):
        client.send(SLEEP)
        sleepers(1)
        assert other.ask(THINGS)["errors"]
        assert app.database.pool.waiting == 0
        client.close()
        assert other.ask(THINGS) == ANSWER, "it has waited"


def test_a_restart_of_the_database_is_an_error_for_the_requests_in_flight_only(
    app: ThreadedApp, postgres: EmbeddedPostgres, sleepers: Sleepers
) -> None:
    with connected(app) as client, connected(app) as other:
        assert other.ask(THINGS) == ANSWER
        client.send(SLEEP)
        sleepers(1)
        restart = threading.Thread(target=postgres.restart)
        restart.start()
        assert client.receive()[2]["errors"]
        assert other.ask(THINGS) == ANSWER, "it waits for the database"
        restart.join()


def test_a_client_that_does_not_read_stops_nobody_else(make: Make) -> None:
    seen: list[Observation] = []
    large = "{ largeThings(limit: 100) { name } }"
    with (
        make(seen, http_write_timeout=0.3) as app,
        connected(app) as slow,
        connected(app) as reader,
        connected(app) as other,
    ):
        slow.send(large)
        reader.send(large)
        assert other.ask(THINGS) == ANSWER
        assert len(reader.receive()[2]["data"]["largeThings"]) == 100
        until(lambda: app.active_connections == 2)
        assert "did not read" in str(seen)
