"""Several processes serve one schema: as a program starts them, and as the command line does."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

import fraiseql
from fraiseql.errors import ConfigurationError
from fraiseql.testing.embedded import EmbeddedPostgres

PROGRAM = """
import os
import sys
import fraiseql

@fraiseql.type(sql_source="slow_things", jsonb_column=None)
class SlowThing:
    id: int
    name: str

@fraiseql.query
def slow_things() -> list[SlowThing]: ...

@fraiseql.query
def process(info) -> int:
    return os.getpid()

@fraiseql.query
def loop() -> str:
    return sys.modules["uvloop"].__name__ if "uvloop" in sys.modules else "none"

schema = fraiseql.Schema(types=[SlowThing], queries=[slow_things, process, loop])
if __name__ == "__main__":
    fraiseql.serve_workers(schema, runtime=sys.argv[1])
    print("ended")
"""
NAP = "{ slowThings(where: {id: {eq: 1}}) { name } }"


class Server:
    """Processes that serve, and what they have logged."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

    def until(self, pattern: str) -> None:
        assert self.process.stderr is not None
        while not re.search(pattern, line := self.process.stderr.readline()):
            assert line, f"no {pattern}"

    def end(self) -> tuple[str, str, int]:
        output, errors = self.process.communicate(timeout=20)
        return output, errors, self.process.returncode


@contextmanager
def serving(folder: Path, url: str, *arguments: str, **environment: str) -> Iterator[Server]:
    (folder / "program.py").write_text(PROGRAM)
    environ = {**os.environ, "FRAISEQL_DATABASE_URL": url, "FRAISEQL_PORT": "0", "FRAISEQL_WORKERS": "2"}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", *arguments],
        env={**environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    try:
        assert process.stderr is not None
        log = ""
        while not (found := re.search(r"INFO 2 workers serve http://127\.0\.0\.1:([0-9]+)/graphql\n", log)):
            line = process.stderr.readline()
            assert line, log
            log += line
        yield Server(process, int(found[1]))
    finally:
        process.kill()
        process.communicate()


async def processes(connected: Any, port: int, clients: int = 6) -> set[int]:
    """Which processes serve clients that stay, each of whom asks twice."""
    found = set()
    async with anyio.create_task_group() as group:
        all_there = anyio.Event()
        there = 0

        async def visit() -> None:
            nonlocal there
            async with connected(port) as client:
                first = (await client.ask("{ process }"))["data"]["process"]
                there += 1
                if there == clients:
                    all_there.set()
                await all_there.wait()
                assert (await client.ask("{ process }"))["data"]["process"] == first
                found.add(first)

        for _ in range(clients):
            group.start_soon(visit)
    return found


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("runtime", ["asyncio", "trio", "threads"])
async def test_workers_share_a_port_are_replaced_and_drain(
    tmp_path: Path, things_url: str, postgres: EmbeddedPostgres, connected: Any, anyio_backend: str, runtime: str
) -> None:
    with serving(tmp_path, things_url, "program.py", runtime) as server:
        one, other = await processes(connected, server.port)
        assert server.process.pid not in (one, other)
        os.kill(one, signal.SIGKILL)
        server.until(rf"WARNING worker [12] \(process {one}\) died of SIGKILL; another one starts at once")
        server.until(r"INFO worker [12]: serving ")
        now = await processes(connected, server.port)
        while len(now) < 2:  # the new one says so a moment before it takes its share
            now = await processes(connected, server.port)
        assert other in now
        async with connected(server.port) as client:
            await client.send(NAP)
            with anyio.fail_after(10):
                while not postgres.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
                    await anyio.sleep(0.01)
            server.process.send_signal(signal.SIGTERM)
            assert (await client.receive())[2] == {"data": {"slowThings": [{"name": ""}]}}
        output, errors, code = server.end()
        assert (output, code) == ("ended\n", 0)
        assert "Traceback" not in errors


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_uvloop_on_the_command_line_which_fails_once_where_the_port_is_in_use(
    tmp_path: Path, things_url: str, connected: Any, anyio_backend: str
) -> None:
    command = ["-m", "fraiseql", "serve", "program:schema", "--workers", "2"]
    with serving(tmp_path, things_url, *command, "--uvloop") as server:
        async with connected(server.port) as client:
            assert (await client.ask("{ loop }"))["data"]["loop"] == "uvloop"
        done = subprocess.run(
            [sys.executable, "-W", "error", *command, "--port", str(server.port)],
            env={**os.environ, "FRAISEQL_DATABASE_URL": things_url},
            capture_output=True,
            text=True,
            cwd=tmp_path,
        )
        assert done.returncode == 1
        assert done.stderr == f"fraiseql: port {server.port} on 127.0.0.1 is in use by another program\n"
        server.process.send_signal(signal.SIGINT)
        output, errors, code = server.end()
        assert (output, code) == ("", 0)
        assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (["--database-url", "host=127.0.0.1 port=1"], "fraiseql: cannot connect to the database at "),
        ([], "fraiseql: database_url is not set: "),
    ],
)
def test_what_no_worker_can_do_is_one_error(tmp_path: Path, url: list[str], message: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = ["-m", "fraiseql", "serve", "program:schema", "--workers", "2", "--port", "0", *url]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(message)


@pytest.mark.anyio
async def test_one_process_cannot_be_several(schema: fraiseql.Schema, things_url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"workers is 2, but .* call fraiseql.serve_workers"):
        await fraiseql.serve(schema, database_url=things_url, port=0, workers=2)
    with pytest.raises(ConfigurationError, match="uvloop is set, but another event loop runs already"):
        await fraiseql.serve(schema, database_url=things_url, port=0, uvloop=True)
    with pytest.raises(ConfigurationError, match=r"call it outside of an event loop|call serve_workers first of all"):
        fraiseql.serve_workers(schema, database_url=things_url, port=0)


def test_what_workers_cannot_have(schema: fraiseql.Schema, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="uvloop is an event loop for asyncio"):
        fraiseql.serve_workers(schema, runtime="trio", uvloop=True)
    with pytest.raises(ConfigurationError, match="prot is not a setting"):
        fraiseql.serve_workers(schema, prot=1)
    with monkeypatch.context() as without:
        without.setattr(importlib.util, "find_spec", lambda name: None if name == "uvloop" else name)
        with pytest.raises(ConfigurationError, match="uvloop is not installed; install it with"):
            fraiseql.serve_workers(schema, uvloop=True)
    stop = threading.Event()
    other = threading.Thread(target=stop.wait)
    other.start()
    with pytest.raises(ConfigurationError, match="before any thread is started"):
        fraiseql.serve_workers(schema, port=0)
    stop.set()
    other.join()
    monkeypatch.delattr(os, "fork")
    with pytest.raises(ConfigurationError, match="need a system with fork"):
        fraiseql.serve_workers(schema, port=0)


@fraiseql.query
def one() -> int:
    return 1


@fraiseql.subscription
async def ticks(info: fraiseql.Info) -> AsyncIterator[int]:
    yield 1


def test_events_in_memory_would_not_reach_the_other_workers() -> None:
    schema = fraiseql.Schema(queries=[one], subscriptions=[ticks])
    for given in ({"event_bus": "memory"}, {"bus": fraiseql.EventBus.memory()}):
        with pytest.raises(ConfigurationError, match="workers have no memory in common"):
            fraiseql.serve_workers(schema, workers=2, **given)
