"""A server process under measurement."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["QUERY", "RUNTIMES", "ServerProcess", "request_bytes", "running_server"]

RUNTIMES = ("asyncio", "trio")
QUERY = '{"query":"{ users(limit: 10) { id name email } }"}'
_START_LIMIT = 20.0


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """`fraiseql serve` with the sample schema; `startup` in seconds from the process's start to the first answer."""

    pid: int
    port: int
    startup: float

    def memory(self) -> tuple[float, float]:
        """Resident and proportional set size in MB (10^6 bytes), of this process alone."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as file:
            sizes = {line.split(":")[0]: line.split()[1] for line in file if line.startswith(("Rss:", "Pss:"))}
        return int(sizes["Rss"]) * 1024 / 1e6, int(sizes["Pss"]) * 1024 / 1e6

    def cpu_seconds(self) -> float:
        """The CPU time that this process has used, by all its threads, in user and kernel mode."""
        with open(f"/proc/{self.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def request_bytes(body: str = QUERY) -> bytes:
    """One POST /graphql, ready to send."""
    content = body.encode()
    head = (
        "POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Accept: application/graphql-response+json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


@contextmanager
def running_server(runtime: str, database_url: str, *options: str) -> Iterator[ServerProcess]:
    """Start a server in a process of its own, wait for its first GraphQL answer, and stop it at the end."""
    port = _free_port()
    command = [sys.executable, "-m", "fraiseql", "serve", "fraiseql.cli.demo.schema:schema"]
    command += [
        "--runtime",
        runtime,
        "--port",
        str(port),
        "--database-url",
        database_url,
        "--log-level",
        "warning",
        *options,
    ]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_for_answer(process, port)
        yield ServerProcess(process.pid, port, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for_answer(process: subprocess.Popen[bytes], port: int) -> None:
    give_up = time.perf_counter() + _START_LIMIT
    while time.perf_counter() < give_up and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=_START_LIMIT) as client:
                client.sendall(request_bytes())
                answer = client.recv(65_536)
        except ConnectionRefusedError:
            time.sleep(0.001)
            continue
        if not answer.startswith(b"HTTP/1.1 200") or b'"data"' not in answer:
            raise RuntimeError(f"the server's first answer was {answer[:500]!r}")
        return
    raise RuntimeError(f"the server did not start (exit code {process.poll()})")
