"""How the server on threads starts, stops and refuses, and that its deadlines go by the clock that it is given."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import fraiseql
from fraiseql import ClientRequest
from fraiseql.errors import ConfigurationError, StartupError
from fraiseql.runtimes.balancing import Shares
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.runtimes.threads import ThreadedApp, serve_threads
from fraiseql.runtimes.threads.pinning import processor_for
from runtimes.threads.plainly import SCHEMA, Make, bodies, connected, until

NAP = "{ slowThings(where: {id: {eq: 0.3}}) { id } }"
SLEEP = "{ slowThings(where: {id: {eq: 600}}) { id } }"
HELLO = "{ __typename }"
Sleepers = Callable[[int], None]


def test_shutdown_lets_running_requests_finish(make: Make, sleepers: Sleepers) -> None:
    app = make()
    app.start()
    with connected(app) as client, connected(app) as idle, connected(app) as fresh:
        assert idle.ask(HELLO) == {"data": {"__typename": "Query"}}
        until(lambda: app.active_connections == 3)
        client.send(NAP)
        sleepers(1)
        stopping = threading.Thread(target=app.shutdown)
        stopping.start()
        assert idle.at_end()
        assert fresh.at_end()
        status, fields, answer = client.receive()
        assert (status, fields["connection"], answer) == (200, "close", {"data": {"slowThings": [{"id": 0.3}]}})
        assert client.at_end()
        stopping.join()
    assert (app.is_running, app.active_connections, app.database.pool.size) == (False, 0, 0)
    app.shutdown()
    with pytest.raises(StartupError, match="started already"):
        app.start()


def test_a_second_shutdown_hastens_the_first(make: Make, sleepers: Sleepers) -> None:
    app = make()
    app.start()
    with connected(app) as client:
        client.send(SLEEP)
        sleepers(1)
        first = threading.Thread(target=app.shutdown, args=(600,))
        first.start()
        until(lambda: not app.is_running)
        app.shutdown(grace=0)
        first.join()
        assert client.at_end()
        sleepers(0)


def processors(info: fraiseql.BlockingInfo) -> list[int]:
    """Those that a request may run on."""
    return sorted(os.sched_getaffinity(0))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps threads on processors: run it there")
def test_pinned_threads_stay_on_one_processor_and_leave_the_program_where_it_is(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(bodies, "processors", processors)
    before = sorted(os.sched_getaffinity(0))
    ask = '{ run(name: "processors") }'
    with make() as app, connected(app) as client:
        assert client.ask(ask) == {"data": {"run": before}}
    with make(pin_threads=True) as app, connected(app) as client, connected(app) as other:
        found = client.ask(ask)["data"]["run"]
        assert len(found) == 1
        assert set(found) <= set(before)
        assert other.ask(ask)["data"]["run"] == found
    assert sorted(os.sched_getaffinity(0)) == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps threads on processors: run it there")
def test_each_worker_has_a_processor_of_its_own() -> None:
    allowed = sorted(os.sched_getaffinity(0))
    shares = Shares(len(allowed) + 1)
    found = []
    for number in range(len(allowed) + 1):
        shares.take(number)
        found.append(processor_for(shares))
    assert found == [*allowed, allowed[0]]


def test_where_threads_cannot_be_pinned_the_server_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigurationError, match="pin_threads is set, which this system cannot do"):
        processor_for(None)


class StoppedClock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self._timers: dict[object, tuple[float, Callable[[], Any]]] = {}
        self._lock = threading.Lock()

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[..., Any], *arguments: Any) -> Any:
        clock = self

        class Timer:
            def cancel(self) -> None:
                with clock._lock:
                    clock._timers.pop(self, None)

        timer = Timer()
        with self._lock:
            self._timers[timer] = (when, lambda: callback(*arguments))
        return timer

    def advance(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
            due = [callback for when, callback in self._timers.values() if when <= self.now]
        for callback in due:
            callback()


def test_deadlines_go_by_the_clock_that_is_given(make: Make, sleepers: Sleepers) -> None:
    clock = StoppedClock()
    with (
        make(clock=clock, http_idle_timeout=3_600, query_request_timeout=60) as app,
        connected(app) as client,
        connected(app) as idle,
    ):
        assert idle.ask(HELLO) == {"data": {"__typename": "Query"}}
        client.send(SLEEP)
        sleepers(1)
        clock.advance(61)
        assert client.receive()[2]["errors"][0]["extensions"]["code"] == "REQUEST_TIMEOUT"
        sleepers(0)
        clock.advance(3_600)
        assert idle.at_end()


def test_no_more_clients_than_allowed(make: Make) -> None:
    with make(max_connections=1, retry_after=7) as app, connected(app) as one, connected(app) as two:
        assert one.ask(HELLO) == {"data": {"__typename": "Query"}}
        two.send(HELLO)
        status, fields, _ = two.receive()
        assert (status, fields["retry-after"]) == (503, "7")
        one.close()
        two.close()
        until(lambda: app.active_connections == 0)
        with connected(app) as three:
            assert three.ask(HELLO) == {"data": {"__typename": "Query"}}


def test_a_client_counts_until_it_has_closed_after_its_answer(make: Make) -> None:
    with make() as app, connected(app) as client:
        client.send(HELLO, "connection: close")
        assert client.receive()[0] == 200
        assert client.at_end()  # the server has closed its side, and waits for the client's
        assert app.active_connections == 1
        client.close()
        until(lambda: app.active_connections == 0)


def test_shutdown_waits_for_a_client_that_still_reads_its_answer(make: Make) -> None:
    app = make()
    app.start()
    with connected(app) as client:
        client.send(HELLO, "connection: close")
        assert client.receive()[0] == 200
        assert client.at_end()
        stopping = threading.Thread(target=app.shutdown)
        stopping.start()
        stopping.join(0.3)
        assert stopping.is_alive()
    stopping.join(1.5)  # of the two seconds that it is given at most
    assert not stopping.is_alive()


def test_a_signal_that_comes_before_the_server_starts_ends_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    start, shutdown = ThreadedApp.start, ThreadedApp.shutdown
    apps: list[ThreadedApp] = []
    told = threading.Event()

    def late(app: ThreadedApp) -> None:
        apps.append(app)
        os.kill(os.getpid(), signal.SIGUSR2)
        told.wait()
        start(app)

    def stop(app: ThreadedApp, grace: float | None = None) -> None:
        shutdown(app, grace)
        told.set()

    monkeypatch.setattr(ThreadedApp, "start", late)
    monkeypatch.setattr(ThreadedApp, "shutdown", stop)
    config = FraiseQLConfig(database_url=url, port=0, event_bus="memory")
    serve_threads(SCHEMA, config=config, signals=(signal.SIGUSR2,))
    (app,) = apps
    assert (app.is_running, app.database.pool.size) == (False, 0)


def test_an_app_that_is_shut_down_while_it_starts_leaves_nothing_open(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make()
    begun, gone = threading.Event(), threading.Event()
    check = app._database.check

    def slow() -> None:
        check()
        begun.set()
        gone.wait()

    monkeypatch.setattr(app._database, "check", slow)
    ends: list[BaseException] = []

    def start() -> None:
        try:
            app.start()
        except BaseException as error:
            ends.append(error)

    starting = threading.Thread(target=start)
    starting.start()
    begun.wait()
    app.shutdown(grace=0)
    gone.set()
    starting.join()
    (error,) = ends
    assert isinstance(error, StartupError)
    assert (app.is_running, app.database.pool.size) == (False, 0)
    with pytest.raises(ConnectionRefusedError):
        connected(app).__enter__()


@fraiseql.query
async def server_time() -> int:
    return 1


@fraiseql.subscription
async def ticks() -> AsyncIterator[int]:
    yield 1


async def ask_later(request: ClientRequest) -> None: ...


class AskLater:
    async def __call__(self, request: ClientRequest) -> None: ...


def test_asynchronous_functions_are_refused_by_name(url: str) -> None:
    schema = fraiseql.Schema(queries=[server_time], subscriptions=[ticks])
    with pytest.raises(ConfigurationError, match=r"Query\.serverTime, Subscription\.ticks; expected plain ones"):
        serve_threads(schema, database_url=url)
    for context in (ask_later, AskLater()):
        with pytest.raises(ConfigurationError, match="asynchronous; expected a plain function"):
            ThreadedApp(SCHEMA, url, context=context)


def test_an_update_serves_the_next_request(make: Make) -> None:
    @fraiseql.query
    def other() -> int:
        return 5

    with make() as app, connected(app) as client:
        assert client.ask("{ other }")["errors"]
        app.update_schema(fraiseql.Schema(queries=[other]))
        assert client.ask("{ other }") == {"data": {"other": 5}}
        with pytest.raises(ConfigurationError, match=r"Query\.serverTime"):
            app.update_schema(fraiseql.Schema(queries=[server_time]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 2}, "fraiseql.serve_workers"),
        ({"uvloop": True}, "uvloop"),
        ({"colour": "red"}, "colour is not a setting"),
    ],
)
def test_settings_that_threads_have_not(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        serve_threads(SCHEMA, database_url="dbname=x", **settings)
    if "colour" not in settings:
        with pytest.raises(ConfigurationError, match=message):
            ThreadedApp(SCHEMA, "dbname=x", FraiseQLConfig(**settings))


def test_a_database_that_is_away_is_one_sentence() -> None:
    with pytest.raises(StartupError, match=r"cannot connect to the database at 127\.0\.0\.1 port 1: .*refused"):
        serve_threads(SCHEMA, config=FraiseQLConfig(port=0, database_url="host=127.0.0.1 port=1"))


@pytest.mark.parametrize("runtime", ["asyncio", "trio", "threads"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_start_that_waits_for_the_database(
    tmp_path: Path, runtime: str, number: signal.Signals
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-W", "error", "-m", "fraiseql", "serve", "program:schema", "--runtime", runtime]
    environ = {**os.environ, "FRAISEQL_PORT": "0", "FRAISEQL_POOL_CONNECT_TIMEOUT": "600"}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(30)
        environ["FRAISEQL_DATABASE_URL"] = f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=x"
        process = subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True)
        try:
            with silent.accept()[0]:  # who waits for an answer from then on
                process.send_signal(number)
                assert process.wait(15) == 0
            assert process.stderr is not None
            assert process.stderr.read() == ""
        finally:
            process.kill()
            process.communicate()


PROGRAM = """
import fraiseql

@fraiseql.type(sql_source="slow_things", jsonb_column=None)
class SlowThing:
    id: float

@fraiseql.query
def slow_things() -> list[SlowThing]: ...

schema = fraiseql.Schema(types=[SlowThing], queries=[slow_things])
"""


def test_the_command_line_serves_until_it_is_told_twice(url: str, tmp_path: Path, sleepers: Sleepers) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-W", "error", "-m", "fraiseql", "serve", "program:schema", "--runtime", "threads"]
    environ = {**os.environ, "FRAISEQL_DATABASE_URL": url, "FRAISEQL_PORT": "0", "FRAISEQL_SHUTDOWN_GRACE": "600"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        lines = iter(process.stderr.readline, "")
        port = next(int(found[1]) for line in lines if (found := re.search(r"serving http://127\.0\.0\.1:(\d+)", line)))

        with connected(port) as client:
            client.send(SLEEP)
            sleepers(1)
            process.send_signal(signal.SIGTERM)
            assert any("a second signal stops at once" in line for line in lines)
            process.send_signal(signal.SIGINT)
            assert client.at_end()
        sleepers(0)
        assert process.wait(15) == 0
        assert "Error" not in process.stderr.read()
    finally:
        process.kill()
        process.communicate()
