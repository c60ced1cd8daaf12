"""What a client is told for whom there is no room."""

from __future__ import annotations

import json

import pytest

from fraiseql.limits import HttpLimits
from fraiseql.observations import Observation, RequestRefused
from fraiseql.session import (
    BusySession,
    CloseConnection,
    Command,
    ConnectionMade,
    DataReceived,
    DeadlineReached,
    DrainRequested,
    EofReceived,
    SendData,
    SessionEvent,
    most_busy,
)

DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
POST = b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n"


class Played:
    def __init__(self) -> None:
        self.observations: list[Observation] = []
        self.session = BusySession("c1", HttpLimits(), 7, self.observations.append)
        assert self.handle(ConnectionMade(), 100.0) == []

    def handle(self, event: SessionEvent, now: float = 100.5) -> list[Command]:
        return self.session.handle(event, now, DATE)


def answered(commands: list[Command]) -> tuple[bytes, bytes]:
    """The head and the body of the one answer, after which the connection is closed."""
    sent, closed = commands
    assert isinstance(sent, SendData)
    assert closed == CloseConnection()
    head, _, body = sent.data.partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize("size", [1, 7, len(POST)])
def test_the_first_request_is_told_when_to_come_back(size: int) -> None:
    played = Played()
    pieces = [POST[at : at + size] for at in range(0, len(POST), size)]
    for piece in pieces[:-1]:
        assert played.handle(DataReceived(piece)) == []
    head, body = answered(played.handle(DataReceived(pieces[-1])))
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 503 Service Unavailable"
    assert {b"retry-after: 7", b"connection: close", b"date: " + DATE} <= set(lines)
    (error,) = json.loads(body)["errors"]
    assert error["extensions"] == {"code": "SERVER_BUSY"}
    assert played.observations == [RequestRefused("c1", 503, "too many clients are connected")]
    assert (played.session.wants_data, played.session.deadline, played.session.lasts) == (False, None, False)
    assert played.handle(DataReceived(b"more")) == []


@pytest.mark.parametrize(
    ("data", "status", "has_body"),
    [
        (b"HEAD /health HTTP/1.1\r\nhost: x\r\n\r\n", 503, False),
        (b"GET /health HTTP/1.0\r\n\r\n", 503, True),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, True),
        (b"\x16\x03\x01", 400, True),
        (POST[:-4] + b"\r\nexpect: 100-continue\r\n\r\n", 503, True),
    ],
)
def test_whatever_it_says(data: bytes, status: int, has_body: bool) -> None:
    head, body = answered(Played().handle(DataReceived(data)))
    assert head.split(b" ")[1] == str(status).encode()
    assert bool(body) is has_body


@pytest.mark.parametrize("event", [DeadlineReached(), DrainRequested()])
def test_who_has_begun_is_answered_and_who_says_nothing_is_not(event: SessionEvent) -> None:
    silent = Played()
    assert silent.session.deadline == 102.0
    assert silent.handle(DeadlineReached(), 101.9) == []
    assert silent.handle(event, 102.0) == [CloseConnection()]
    begun = Played()
    begun.handle(DataReceived(POST[:9]))
    assert begun.session.deadline == 102.0, "it is not moved by bytes that trickle in"
    assert b" 503 " in answered(begun.handle(event, 102.0))[0]


def test_who_leaves_is_let_go() -> None:
    played = Played()
    played.handle(DataReceived(POST[:9]))
    assert played.handle(EofReceived()) == [CloseConnection()]
    assert played.observations == []


@pytest.mark.parametrize(("clients", "busy"), [(1, 16), (256, 16), (10_000, 625)])
def test_how_many_are_told_at_once(clients: int, busy: int) -> None:
    assert most_busy(clients) == busy
