"""A blocking driver: the simplest thing that can wait for a conversation."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fraiseql.postgres import Connection, Conversation, Ready, Wait, connect
from fraiseql.postgres.conninfo import ConnectionString


def drive(conversation: Conversation[Any], *, first: tuple[int, Wait] | None = None, timeout: float = 10.0) -> Any:
    """Run a conversation to its end and give its result; `first` is its first wait, where it has begun already."""
    try:
        fd, wait = first or next(conversation)
        while True:
            poll = select.poll()
            poll.register(fd, (select.POLLIN if wait & Wait.R else 0) | (select.POLLOUT if wait & Wait.W else 0))
            events = dict(poll.poll(timeout * 1000))
            assert events, "the server did not answer in time"
            readable = bool(events[fd] & ~select.POLLOUT) and bool(wait & Wait.R)
            writable = bool(events[fd] & ~select.POLLIN) and bool(wait & Wait.W)
            fd, wait = conversation.send(Ready((Ready.R if readable else 0) | (Ready.W if writable else 0)))
    except StopIteration as stop:
        return stop.value


@pytest.fixture(name="drive")
def drive_fixture() -> Callable[..., Any]:
    return drive


@pytest.fixture
def open_connection(module_database_url: str) -> Iterator[Callable[..., Connection]]:
    """Opens connections to the test's database, closed at its end; takes further parts of the connection string."""
    opened: list[Connection] = []

    def open_(extra: str = "", *, max_prepared: int = 200) -> Connection:
        string = ConnectionString(f"{module_database_url} {extra}")
        opened.append(drive(connect(string.attempts(string.hosts())[0], max_prepared=max_prepared)))
        return opened[-1]

    yield open_
    for connection in opened:
        connection.close()
