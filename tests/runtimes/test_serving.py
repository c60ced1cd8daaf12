"""`serve` as a process: started, signalled, stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

import fraiseql
from fraiseql.errors import ConfigurationError, StartupError
from fraiseql.runtimes.anyio import FraiseQLApp, serve
from fraiseql.runtimes.config import FraiseQLConfig
from fraiseql.testing.embedded import EmbeddedPostgres

PROGRAM = """
import sys
import anyio
import fraiseql
from fraiseql.runtimes.anyio import serve

@fraiseql.type(sql_source="slow_things", jsonb_column=None)
class SlowThing:
    id: int
    name: str

@fraiseql.query
def slow_things() -> list[SlowThing]: ...

schema = fraiseql.Schema(types=[SlowThing], queries=[slow_things])
anyio.run(serve, schema, backend=sys.argv[1])
print("ended")
"""
NAP = "{ slowThings(where: {id: {eq: 1}}) { name } }"
SLEEP = "{ slowThings(where: {id: {eq: 600}}) { name } }"


@contextmanager
def serving(folder: Path, url: str, backend: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process, and the port it listens on."""
    (folder / "program.py").write_text(PROGRAM)
    environ = {**os.environ, "FRAISEQL_DATABASE_URL": url, "FRAISEQL_PORT": "0"}
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(folder / "program.py"), backend],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"serving http://127\.0\.0\.1:([0-9]+)/graphql", line)
        assert found, line + process.stderr.read()
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[str, str, int]:
    output, errors = process.communicate(timeout=10)
    return output, errors, process.returncode


async def until_sleeping(postgres: EmbeddedPostgres) -> None:
    with anyio.fail_after(10):
        while not postgres.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
            await anyio.sleep(0.01)


@pytest.mark.anyio
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_lets_requests_finish(
    tmp_path: Path,
    things_url: str,
    postgres: EmbeddedPostgres,
    connected: Any,
    anyio_backend: str,
    number: signal.Signals,
) -> None:
    with serving(tmp_path, things_url, anyio_backend) as (process, port):
        async with connected(port) as client:
            await client.send(NAP)
            await until_sleeping(postgres)
            process.send_signal(number)
            assert (await client.receive())[2] == {"data": {"slowThings": [{"name": ""}]}}
        output, errors, code = ended(process)
        assert (output, code) == ("ended\n", 0)
        assert "Traceback" not in errors


@pytest.mark.anyio
async def test_the_second_signal_stops_at_once(
    tmp_path: Path, things_url: str, postgres: EmbeddedPostgres, connected: Any, anyio_backend: str
) -> None:
    with serving(tmp_path, things_url, anyio_backend) as (process, port):
        async with connected(port) as client:
            await client.send(SLEEP)
            await until_sleeping(postgres)
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            while "stopping" not in process.stderr.readline():
                pass
            process.send_signal(signal.SIGINT)
            output, errors, code = ended(process)
        assert (output, code) == ("ended\n", 0)
        assert "Traceback" not in errors
        assert not postgres.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'")


@pytest.mark.anyio
async def test_cancelled_it_stops(schema: fraiseql.Schema, things_url: str, connected: Any) -> None:
    async with anyio.create_task_group() as group:

        async def start(*, task_status: Any) -> None:
            await serve(schema, database_url=things_url, port=0, task_status=task_status)

        app: FraiseQLApp = await group.start(start)
        async with connected(app.port) as client:
            assert (await client.ask("{ things { id } }"))["data"]
        group.cancel_scope.cancel()
    assert not app.is_running


@pytest.mark.anyio
async def test_what_goes_wrong_at_the_start_is_one_plain_error(
    schema: fraiseql.Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FRAISEQL_DATABASE_URL", raising=False)
    with pytest.raises(ConfigurationError, match="database_url is not set"):
        await serve(schema)
    with pytest.raises(ConfigurationError, match="prot is not a setting"):
        await serve(schema, prot=1)
    with pytest.raises(StartupError, match="cannot connect to the database"):
        await serve(schema, config=FraiseQLConfig(port=0), database_url="host=127.0.0.1 port=1")


def test_it_runs_outside_of_the_main_thread(schema: fraiseql.Schema, things_url: str) -> None:
    """No signals are received there; it is cancelled."""
    ends: list[str] = []

    async def main() -> None:
        async with anyio.create_task_group() as group:

            async def start(*, task_status: Any) -> None:
                await serve(schema, database_url=things_url, port=0, task_status=task_status)

            app = await group.start(start)
            ends.append(str(app.is_running))
            group.cancel_scope.cancel()

    thread = threading.Thread(target=anyio.run, args=(main,))
    thread.start()
    thread.join(10)
    assert ends == ["True"]
