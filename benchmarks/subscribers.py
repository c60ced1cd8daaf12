"""The server's CPU time for each message of a subscription that many clients share, sockets and all.

2,000 clients have a WebSocket each and subscribe to new comments; comments are inserted one at a time, and each of them
reaches everybody. The clients are in this process, the server in one of its own.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from contextlib import ExitStack

import psycopg

from benchmarks.figures import Figure, Setting
from benchmarks.server import RUNTIMES, ServerProcess, running_server

__all__ = ["measure"]

SUBSCRIBERS = 2_000
EVENTS = 20
TARGET = 15.0  # microseconds for each delivered message
QUERY = "subscription { commentAdded { id body } }"
INSERT = "insert into comments (post_id, body) values (1, 'measured')"
PATIENCE = 60.0

HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


def measure(setting: Setting) -> list[Figure]:
    sends = tuple(_send_alone() for _ in range(setting.runs))
    figures = [Figure("of that, socket.send alone, in this process", "us CPU", sends)]
    for runtime in RUNTIMES:
        costs, sizes = [], []
        for _ in range(setting.runs):
            with running_server(runtime, setting.database_url, "--max-connections", str(SUBSCRIBERS + 10)) as server:
                cost, size = _run(server, setting.database_url)
                costs.append(cost)
                sizes.append(size)
        name = f"one of {SUBSCRIBERS:,} subscribers with sockets, {runtime}"
        figures.append(Figure(name, "us CPU", tuple(costs), TARGET))
        figures.append(Figure(f"memory per subscriber (RSS), {runtime}", "KiB", tuple(sizes)))
    return figures


def _run(server: ServerProcess, database_url: str) -> tuple[float, float]:
    """Microseconds of the server's CPU per message, and KiB of its memory per subscriber."""
    resident = server.memory()[0]
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for _ in range(SUBSCRIBERS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            client.sendall(HANDSHAKE + _frame({"type": "connection_init"}))
            selector.register(client, selectors.EVENT_READ)
        _wait_for(selector, b"connection_ack")
        for key in selector.get_map().values():
            assert isinstance(key.fileobj, socket.socket)
            query = _frame({"type": "subscribe", "id": "2", "payload": {"query": "{ __typename }"}})
            key.fileobj.sendall(_frame({"type": "subscribe", "id": "1", "payload": {"query": QUERY}}) + query)
        _wait_for(selector, b'"complete"')
        time.sleep(1)  # nothing tells when the stream that all share listens
        size = (server.memory()[0] - resident) * 1e6 / 1024 / SUBSCRIBERS
        connection = stack.enter_context(psycopg.connect(database_url, autocommit=True))
        connection.execute(INSERT)
        _wait_for(selector, b'"next"')
        before = server.cpu_seconds()
        for _ in range(EVENTS):
            connection.execute(INSERT)
            _wait_for(selector, b'"next"')
        return (server.cpu_seconds() - before) / (EVENTS * SUBSCRIBERS) * 1e6, size


def _send_alone() -> float:
    """Microseconds of CPU that the kernel takes for one message to each of as many clients."""
    frame = bytes((0x81, 90)) + bytes(90)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        senders = []
        for _ in range(SUBSCRIBERS):
            stack.enter_context(socket.create_connection(listener.getsockname()))
            senders.append(stack.enter_context(listener.accept()[0]))
        before = time.process_time()
        for _ in range(EVENTS):
            for sender in senders:
                sender.send(frame)
        return (time.process_time() - before) / (EVENTS * SUBSCRIBERS) * 1e6


def _frame(message: dict[str, object]) -> bytes:
    """A client's text frame, masked with zeros."""
    payload = json.dumps(message).encode()
    assert len(payload) < 126
    return bytes((0x81, 0x80 | len(payload), 0, 0, 0, 0)) + payload


def _wait_for(selector: selectors.BaseSelector, word: bytes) -> None:
    """Read until each client has been sent this word once."""
    waiting = SUBSCRIBERS
    give_up = time.perf_counter() + PATIENCE
    while waiting:
        for key, _ in selector.select(timeout=1):
            assert isinstance(key.fileobj, socket.socket)
            waiting -= key.fileobj.recv(65_536).count(word)
        if time.perf_counter() > give_up:
            raise RuntimeError(f"{waiting} clients were not sent {word!r}")
