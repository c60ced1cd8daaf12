"""A connection's thread by itself, with a session that is scripted."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest

from fraiseql.runtimes.threads.connection import ClientConnection
from fraiseql.session import CloseConnection, Command, DataReceived, DrainRequested, SessionEvent

PATIENCE = 10.0


class Nobody:
    """What carries out operations, of which there are none."""

    share = 1


class InTheMidst:
    """A session whose client has sent a part of a request: it ends once it has the rest."""

    deadline = None
    wants_data = True
    lasts = False

    def __init__(self) -> None:
        self.events: list[SessionEvent] = []

    def handle(self, event: SessionEvent, now: float, date: bytes) -> list[Command]:
        self.events.append(event)
        return [CloseConnection()] if isinstance(event, DataReceived) else []


@pytest.fixture
def client() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    with near, far:
        yield near, far


def connection(sock: socket.socket, session: Any) -> ClientConnection:
    nobody: Any = Nobody()
    return ClientConnection(
        sock,
        session,
        performer=nobody,
        streaming=nobody,
        date=lambda: b"",
        connection_id="c-1",
        write_timeout=PATIENCE,
        observe=nobody,
    )


def test_what_is_still_to_come_of_a_request_is_read_although_the_server_drains(
    client: tuple[socket.socket, socket.socket],
) -> None:
    near, far = client
    session = InTheMidst()
    served = connection(near, session)
    served.drain()  # while its thread does something else than to wait for the client
    far.sendall(b"the rest")
    thread = Thread(target=served.run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    told = list(session.events)
    served.cut()
    assert not thread.is_alive()
    assert told[-2:] == [DrainRequested(), DataReceived(b"the rest")]
    served.close()


def test_all_who_wait_for_the_inbox_to_be_read_are_told(client: tuple[socket.socket, socket.socket]) -> None:
    near, far = client
    session = InTheMidst()
    served = connection(near, session)
    served.drain()
    heard: list[str] = []
    served.when_read(lambda: heard.append("one"))
    served.when_read(lambda: heard.append("two"))
    far.sendall(b"the rest")
    served.run()
    served.close()
    assert heard == ["one", "two"]
