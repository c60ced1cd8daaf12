"""Many clients of one server, in this process: WebSockets with a subscription each, or connections that only stay."""

from __future__ import annotations

import json
import resource
import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.server import request_bytes

__all__ = ["Crowd", "opened", "raise_descriptor_limit", "stay", "subscribe"]

SUBSCRIPTION = "subscription { commentAdded { id body } }"
HANDSHAKE = (
    b"GET /graphql HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)
_AT_ONCE = 200  # clients that come together: fewer than a server's queue of connections holds
_PATIENCE = 120.0
_SPARE = 100  # descriptors of a server that are no clients'


class Crowd:
    """Clients that do and are told the same."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.clients: list[socket.socket] = []
        self._selector = selectors.DefaultSelector()

    def grow(self, count: int, greeting: bytes, answer: bytes) -> None:
        """Add so many clients, each of which says a greeting and is answered."""
        while count:
            batch = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(min(count, _AT_ONCE))]
            for client in batch:
                client.setblocking(False)
                client.sendall(greeting)
                self._selector.register(client, selectors.EVENT_READ)
            self.clients += batch
            count -= len(batch)
            self.wait_for(answer, len(batch))

    def say(self, data: bytes, step: int = 1) -> int:
        """Have each client, or each so many-th, send something small; gives how many did."""
        speakers = self.clients[::step]
        for client in speakers:
            client.sendall(data)
        return len(speakers)

    def wait_for(self, word: bytes, count: int) -> None:
        """Read until the clients have been sent this word so often; raises RuntimeError where they are not."""
        waiting = count
        give_up = time.perf_counter() + _PATIENCE
        while waiting > 0:
            for key, _ in self._selector.select(timeout=1):
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(65_536)
                if not data:
                    raise RuntimeError(f"the server closed a connection; {waiting} clients were not sent {word!r}")
                waiting -= data.count(word)
            if time.perf_counter() > give_up:
                raise RuntimeError(f"{waiting} clients were not sent {word!r}")

    def leave(self) -> None:
        """Close all connections."""
        for client in self.clients:
            client.close()
        self.clients = []
        self._selector.close()


@contextmanager
def opened(port: int) -> Iterator[Crowd]:
    """A crowd without clients, which leave at the end."""
    crowd = Crowd(port)
    try:
        yield crowd
    finally:
        crowd.leave()


def subscribe(crowd: Crowd, count: int) -> None:
    """Add clients with a WebSocket and one subscription, which all share."""
    crowd.grow(count, HANDSHAKE + frame({"type": "connection_init"}), b"connection_ack")
    # The answer to the second operation says that the first was read.
    query = frame({"type": "subscribe", "id": "2", "payload": {"query": "{ __typename }"}})
    crowd.say(frame({"type": "subscribe", "id": "1", "payload": {"query": SUBSCRIPTION}}) + query)
    crowd.wait_for(b'"complete"', count)


def stay(crowd: Crowd, count: int) -> None:
    """Add clients that ask once, and keep their connections."""
    crowd.grow(count, request_bytes(), b"HTTP/1.1 200")


def frame(message: dict[str, object]) -> bytes:
    """A client's text frame, masked with zeros."""
    payload = json.dumps(message).encode()
    assert len(payload) < 126
    return bytes((0x81, 0x80 | len(payload), 0, 0, 0, 0)) + payload


def raise_descriptor_limit(clients: int) -> int:
    """Let this process, and those that it starts, have as many descriptors as so many clients need.

    Returns:
        for how many clients there are; fewer where the hard limit is lower. Only the system's administrator can raise
        that: `ulimit -Hn`, `LimitNOFILE=` of systemd, `--ulimit nofile=` of Docker.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + _SPARE
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft - _SPARE
