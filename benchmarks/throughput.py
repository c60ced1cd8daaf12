"""Requests per second and the server's CPU time per request: ten users by 16 keep-alive connections.

The client is a Python process on the same machine and takes its share of the cores: trust the CPU time more than
the rate.
"""

from __future__ import annotations

import selectors
import socket
import time
from contextlib import ExitStack

from benchmarks.figures import Figure, Setting
from benchmarks.server import RUNTIMES, ServerProcess, request_bytes, running_server

__all__ = ["measure"]

CONNECTIONS = 16
WARM_UP = 1.0
SECONDS = 3.0


def measure(setting: Setting) -> list[Figure]:
    figures = []
    for runtime in RUNTIMES:
        rates, costs, resident = [], [], []
        for _ in range(setting.runs):
            with running_server(runtime, setting.database_url) as server:
                _load(server, WARM_UP)
                before, started = server.cpu_seconds(), time.perf_counter()
                answers = _load(server, SECONDS)
                rates.append(answers / (time.perf_counter() - started))
                costs.append((server.cpu_seconds() - before) / answers * 1e6)
                resident.append(server.memory()[0])
        figures.append(Figure(f"requests per second, {runtime}", "1/s", tuple(rates)))
        figures.append(Figure(f"server CPU per request, {runtime}", "µs", tuple(costs)))
        figures.append(Figure(f"memory under load (RSS), {runtime}", "MB", tuple(resident)))
    return figures


def _load(server: ServerProcess, seconds: float) -> int:
    """Keep every connection busy with one request at a time; the number of answers, all of which are waited for."""
    request, answers = request_bytes(), 0
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for _ in range(CONNECTIONS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            selector.register(client, selectors.EVENT_READ, bytearray())
            client.sendall(request)
        end = time.perf_counter() + seconds
        while selector.get_map():
            for key, _ in selector.select(timeout=1):
                ready, received = key.fileobj, key.data
                assert isinstance(ready, socket.socket)
                received += ready.recv(65_536)
                if not _is_whole(received):
                    continue
                received.clear()
                answers += 1
                if time.perf_counter() < end:
                    ready.sendall(request)
                else:
                    selector.unregister(ready)
    return answers


def _is_whole(answer: bytearray) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the server answered {bytes(answer[:500])!r}")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    return len(body) >= length
