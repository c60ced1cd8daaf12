"""Many clients of one server, in this process: WebSockets with a subscription each, or connections that only stay."""

from __future__ import annotations

import json
import resource
import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.server import request_bytes

__all__ = ["INSERT", "NEXT", "Crowd", "opened", "raise_descriptor_limit", "stay", "subscribe"]

SUBSCRIPTION = "subscription { commentAdded { id body } }"
INSERT = "insert into comments (post_id, body) values (1, 'measured')"
NEXT = b'"next"'
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
        """Add so many clients, each of which says a greeting and is sent an answer with this word."""
        while count:
            batch = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(min(count, _AT_ONCE))]
            self.clients += batch
            for client in batch:
                client.setblocking(False)
                client.sendall(greeting)
                self._selector.register(client, selectors.EVENT_READ)
            count -= len(batch)
            self.wait_for(answer, batch)

    def say(self, data: bytes, clients: list[socket.socket] | None = None) -> None:
        """Have all clients, or some, send something small."""
        for client in self.clients if clients is None else clients:
            client.sendall(data)

    def wait_for(self, word: bytes, clients: list[socket.socket] | None = None) -> None:
        """Read until all clients, or some, have been sent this word; raises RuntimeError where they are not."""
        waiting = set(self.clients if clients is None else clients)
        give_up = time.perf_counter() + _PATIENCE
        while waiting:
            waiting -= self._sent(word, 1.0)
            if time.perf_counter() > give_up:
                raise RuntimeError(f"{len(waiting)} clients were not sent {word!r}")

    def listen(self, publish: Callable[[], object]) -> None:
        """Publish until somebody is sent it, since nothing tells when a stream begins; then wait for all others."""
        heard: set[socket.socket] = set()
        give_up = time.perf_counter() + _PATIENCE
        while not heard and time.perf_counter() < give_up:
            publish()
            heard = self._sent(NEXT, 2.0)
        self.wait_for(NEXT, [client for client in self.clients if client not in heard])

    def _sent(self, word: bytes, timeout: float) -> set[socket.socket]:
        """Who was sent it, of those that have been sent anything."""
        found = set()
        for key, _ in self._selector.select(timeout):
            client = key.fileobj
            assert isinstance(client, socket.socket)
            data = client.recv(65_536)
            if not data:
                raise RuntimeError("the server closed a connection")
            if word in data:
                found.add(client)
        return found

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
    before = len(crowd.clients)
    crowd.grow(count, HANDSHAKE + frame({"type": "connection_init"}), b"connection_ack")
    fresh = crowd.clients[before:]
    # The answer to the second operation says that the first was read.
    query = frame({"type": "subscribe", "id": "2", "payload": {"query": "{ __typename }"}})
    subscription = frame({"type": "subscribe", "id": "1", "payload": {"query": SUBSCRIPTION}})
    for first in range(0, len(fresh), _AT_ONCE):
        some = fresh[first : first + _AT_ONCE]
        crowd.say(subscription + query, some)
        crowd.wait_for(b'"complete"', some)


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
        For how many clients there are descriptors; fewer where the hard limit is lower. Only an administrator can raise
        that: `ulimit -Hn` in the shell of root, `LimitNOFILE=` of systemd, `--ulimit nofile=` of Docker.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + _SPARE
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(clients, soft - _SPARE)
