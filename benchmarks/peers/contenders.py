"""The contenders: how each is started, what it is asked, and a running one."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.database import url, variables
from benchmarks.peers.environments import ROOT, Environments
from benchmarks.peers.processes import Memory, cpu_seconds, memory
from benchmarks.peers.queries import QUERIES, body, normalise

__all__ = ["CEILING", "CONTENDERS", "OURS", "POSTGRAPHILE", "STRAWBERRY", "Contender", "Running", "Setup", "running"]

APPS = Path(__file__).parent / "apps"
OURS = ("fraiseql-uvloop", "fraiseql-asyncio", "fraiseql-trio", "fraiseql-threads")
STRAWBERRY, POSTGRAPHILE, CEILING = "strawberry", "postgraphile", "ceiling"
_START_LIMIT = 60.0
_STOP_LIMIT = 20.0


@dataclass(frozen=True, slots=True)
class Setup:
    """What they all are given: environments, the database, and the fastest statements by hand."""

    environments: Environments
    conninfo: str
    statements: dict[str, str]


Command = tuple[list[str], dict[str, str]]  # with its variables, over those of the machine


@dataclass(frozen=True, slots=True)
class Contender:
    """One server.

    Attributes:
        install: what puts all that it runs in into the environments.
        command: what starts it on a port of 127.0.0.1.
        dialect: of its queries.
        by_path: whether the path names the query.
    """

    name: str
    title: str
    install: Callable[[Environments], object]
    command: Callable[[Setup, int], Command]
    dialect: str
    by_path: bool = False

    def path(self, query: str) -> str:
        """Where a query is posted to."""
        return f"/graphql/{query}" if self.by_path else "/graphql"

    def body(self, query: str) -> str:
        """What is posted."""
        return body(QUERIES[query], self.dialect)


def _ours(*options: str) -> Callable[[Setup, int], Command]:
    def command(setup: Setup, port: int) -> Command:
        interpreter = setup.environments.interpreter("fraiseql")
        serve = [interpreter, "-m", "fraiseql", "serve", "blog:schema", *options, "--port", str(port)]
        paths = os.pathsep.join([str(ROOT / "src"), str(APPS)])
        settings = {"FRAISEQL_DATABASE_URL": setup.conninfo, "FRAISEQL_LOG_LEVEL": "warning"}
        return serve, {"PYTHONPATH": paths, **settings}

    return command


def _uvicorn(environment: str, app: str) -> Callable[[Setup, int], Command]:
    def command(setup: Setup, port: int) -> Command:
        options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--no-proxy-headers"]
        interpreter = setup.environments.interpreter(environment)
        start = [interpreter, "-m", "uvicorn", app, "--app-dir", str(APPS), "--port", str(port), *options]
        start += ["--log-level", "warning"]
        return start, {"DATABASE_URL": url(setup.conninfo), "STATEMENTS": json.dumps(setup.statements)}

    return command


def _postgraphile(setup: Setup, port: int) -> Command:
    folder = setup.environments.npm_packages()
    server = folder / "server.mjs"  # beside node_modules, where Node.js looks for what it imports
    shutil.copyfile(APPS / "postgraphile.mjs", server)
    production = {"NODE_ENV": "production", "GRAPHILE_ENV": "production", "PORT": str(port)}
    return [setup.environments.node(), str(server)], {**production, **variables(setup.conninfo)}


def _in(environment: str) -> Callable[[Environments], object]:
    return lambda environments: environments.interpreter(environment)


_OURS, _CEILING, _STRAWBERRY = _in("fraiseql"), _in("ceiling"), _in("strawberry")
_ON_UVLOOP = _ours("--runtime", "asyncio", "--uvloop")
_ON_ASYNCIO = _ours("--runtime", "asyncio")
_ON_TRIO = _ours("--runtime", "trio")
_ON_THREADS = _ours("--runtime", "threads", "--pool-max-size", "33", "--pin-threads")
_RAW, _THEIRS = _uvicorn("ceiling", "ceiling:app"), _uvicorn("strawberry", "strawberry_app:app")

CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(OURS[0], "FraiseQL, asyncio on uvloop", _OURS, _ON_UVLOOP, "fraiseql"),
        Contender(OURS[1], "FraiseQL, asyncio", _OURS, _ON_ASYNCIO, "fraiseql"),
        Contender(OURS[2], "FraiseQL, trio", _OURS, _ON_TRIO, "fraiseql"),
        Contender(OURS[3], "FraiseQL, threads", _OURS, _ON_THREADS, "fraiseql"),
        Contender(CEILING, "raw ASGI, no GraphQL", _CEILING, _RAW, "fraiseql", by_path=True),
        Contender(POSTGRAPHILE, "PostGraphile", Environments.npm_packages, _postgraphile, "postgraphile"),
        Contender(STRAWBERRY, "Strawberry", _STRAWBERRY, _THEIRS, "strawberry"),
    )
}


@dataclass(frozen=True, slots=True)
class Running:
    """A contender's server; `startup` in seconds from the process's start to its first good answer."""

    contender: Contender
    pid: int
    port: int
    startup: float

    def url(self, query: str) -> str:
        """Where a query is posted to."""
        return f"http://127.0.0.1:{self.port}{self.contender.path(query)}"

    def cpu_seconds(self) -> float:
        """The CPU time that it has used so far."""
        return cpu_seconds(self.pid)

    def memory(self) -> Memory:
        """What it holds of the machine's memory."""
        return memory(self.pid)

    def ask(self, query: str) -> tuple[Any, int]:
        """Its answer as normalised data, and the bytes of it with the head.

        Raises:
            RuntimeError: it has another status than 200.
        """
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
            content = self.contender.body(query).encode()
            head = f"POST {self.contender.path(query)} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            head += "Content-Type: application/json\r\nAccept: application/json\r\n"
            client.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
            with client.makefile("rb") as answer:
                return _read(answer, f"{self.contender.name}, {query}")


def _read(answer: Any, where: str) -> tuple[Any, int]:
    lines = [answer.readline()]
    while lines[-1].strip():
        lines.append(answer.readline())
    fields = dict(line.lower().split(b": ", 1) for line in lines[1:-1])
    content = answer.read(int(fields.get(b"content-length", b"0")))
    if lines[0].split()[1:2] != [b"200"] or not content:
        raise RuntimeError(f"{where}: the answer was {lines[0] + content[:500]!r}")
    return normalise(json.loads(content)), sum(map(len, lines)) + len(content)


@contextmanager
def running(contender: Contender, setup: Setup) -> Iterator[Running]:
    """Start a contender's server, wait for its first answer, and stop it at the end.

    Raises:
        RuntimeError: it does not start, with the last of what it printed.
    """
    port = _free_port()
    command, settings = contender.command(setup, port)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "FRAISEQL_"))}
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env={**environment, **settings}, cwd=APPS, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        server = Running(contender, process.pid, port, 0.0)
        try:
            reason = _wait_for_answer(server, process)
            if reason is not None:
                log.seek(0)
                printed = log.read().decode(errors="replace").strip()[-2_000:]
                raise RuntimeError(f"{contender.name} did not start: {reason}; it printed: {printed}")
            yield Running(contender, process.pid, port, time.perf_counter() - started)
        finally:
            _stop(process)


def _wait_for_answer(server: Running, process: subprocess.Popen[bytes]) -> str | None:
    """Ask until there is an answer; gives the reason where there is none."""
    give_up = time.perf_counter() + _START_LIMIT
    while time.perf_counter() < give_up:
        if process.poll() is not None:
            return f"it ended with {process.returncode}"
        try:
            server.ask(next(iter(QUERIES)))
        except ConnectionError:
            time.sleep(0.002)
        except RuntimeError as error:
            return str(error)
        else:
            return None
    return f"there was no answer in {_START_LIMIT:.0f} s"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
