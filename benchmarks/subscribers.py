"""Many clients of one server process: what a message costs each, and what memory a connection takes.

2,000 clients keep a connection on which they asked once, and 2,000 more have a WebSocket each and subscribe to new
comments; comments are inserted one at a time, and each of them reaches every subscriber. The clients are in this
process, the server in one of its own; memory is the growth of its resident set.
"""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise

import psycopg

from benchmarks.crowd import INSERT, NEXT, opened, raise_descriptor_limit, stay, subscribe
from benchmarks.figures import Figure, Setting
from benchmarks.server import ServerProcess, running_server

__all__ = ["measure"]

CLIENTS = 2_000  # of each kind
EVENTS = 20
TARGET = 15.0  # microseconds for each delivered message
TARGET_KIB = 20.0  # for each connection
# Threads are not among them: there each connection is one.
RUNTIMES = {"asyncio": ("asyncio",), "uvloop": ("asyncio", "--uvloop"), "trio": ("trio",)}


@dataclass(slots=True)
class _Run:
    cost: float  # microseconds of CPU for each message
    idle: float  # KiB for each idle connection
    subscriber: float  # KiB for each WebSocket with a subscription


def measure(setting: Setting) -> list[Figure]:
    if raise_descriptor_limit(2 * CLIENTS) < 2 * CLIENTS:
        raise RuntimeError(f"{2 * CLIENTS:,} clients need as many file descriptors: raise the hard limit (ulimit -Hn)")
    sends = tuple(_send_alone() for _ in range(setting.runs))
    figures = [Figure("of that, socket.send alone, in this process", "us CPU", sends)]
    for name, (runtime, *options) in RUNTIMES.items():
        runs = []
        for _ in range(setting.runs):
            options = [*options, "--max-connections", str(2 * CLIENTS + 10)]
            with running_server(runtime, setting.database_url, *options) as server:
                runs.append(_run(server, setting.database_url))
        costs, idle, subscribers = zip(*((run.cost, run.idle, run.subscriber) for run in runs), strict=True)
        figures.append(Figure(f"one of {CLIENTS:,} subscribers with sockets, {name}", "us CPU", costs, TARGET))
        figures.append(Figure(f"memory per idle connection (RSS), {name}", "KiB", idle, TARGET_KIB))
        figures.append(Figure(f"memory per subscriber (RSS), {name}", "KiB", subscribers, TARGET_KIB))
    return figures


def _run(server: ServerProcess, database_url: str) -> _Run:
    with ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(database_url, autocommit=True))
        idle = stack.enter_context(opened(server.port))
        subscribers = stack.enter_context(opened(server.port))
        sizes = [server.memory()[0]]
        stay(idle, CLIENTS)
        sizes.append(server.memory()[0])
        subscribe(subscribers, CLIENTS)
        subscribers.listen(lambda: connection.execute(INSERT))
        sizes.append(server.memory()[0])
        before = server.cpu_seconds()
        for _ in range(EVENTS):
            connection.execute(INSERT)
            subscribers.wait_for(NEXT)
        cost = (server.cpu_seconds() - before) / (EVENTS * CLIENTS) * 1e6
    first, second = ((after - before) * 1e6 / 1024 / CLIENTS for before, after in pairwise(sizes))
    return _Run(cost, first, second)


def _send_alone() -> float:
    """Microseconds of CPU that the kernel takes for one message to each of as many clients."""
    frame = bytes((0x81, 90)) + bytes(90)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        senders = []
        for _ in range(CLIENTS):
            stack.enter_context(socket.create_connection(listener.getsockname()))
            senders.append(stack.enter_context(listener.accept()[0]))
        before = time.process_time()
        for _ in range(EVENTS):
            for sender in senders:
                sender.send(frame)
        return (time.process_time() - before) / (EVENTS * CLIENTS) * 1e6
