"""How these tests drive a connection: a small server that answers each request once it has read all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from fraiseql.limits import HttpLimits
from fraiseql.protocol import http11

Transcript = list[tuple[Any, ...]]


class Reader:
    """Answers every request with 200 once its body was read, and writes down what happened.

    The transcript does not show how a body was cut, so it is the same however the bytes arrived.
    """

    def __init__(self, limits: HttpLimits | None = None) -> None:
        self.conn = http11.ServerConnection(limits)
        self.transcript: Transcript = []
        self.failed = False

    def feed(self, data: bytes) -> None:
        self.conn.receive_data(data)
        self.drain()

    def drain(self) -> None:
        try:
            while not self.failed and self._step():
                pass
        except http11.RemoteProtocolError as error:
            self.failed = True
            self.transcript.append(("error", error.status, error.close, str(error)))

    def _step(self) -> bool:
        event = self.conn.next_event()
        if isinstance(event, http11.Signal):
            return False
        if isinstance(event, http11.ConnectionClosed):
            self.transcript.append(("closed",))
            return False
        if isinstance(event, http11.Request):
            self.transcript.append(("request", event.method, event.target, event.headers, event.http_version))
        elif isinstance(event, http11.Data):
            assert event.data
            self._add(event.data)
        else:
            self.transcript.append(("end", event.trailers))
            self.conn.send_response(200, (), b"")
            if self.conn.keep_alive:
                self.conn.start_next_cycle()
        return True

    def _add(self, data: bytes) -> None:
        last = self.transcript[-1]
        if last[0] == "body":
            self.transcript[-1] = ("body", last[1] + data)
        else:
            self.transcript.append(("body", data))


def _read(pieces: Iterable[bytes], limits: HttpLimits | None = None, *, eof: bool = False) -> Transcript:
    reader = Reader(limits)
    for piece in pieces:
        reader.feed(piece)
    if eof:
        reader.conn.receive_eof()
        reader.drain()
    return reader.transcript


@pytest.fixture(scope="session")
def read() -> Callable[..., Transcript]:
    """`read(pieces, limits=None, eof=False)`: the transcript of a connection that got these pieces."""
    return _read


@pytest.fixture(scope="session")
def reader() -> type[Reader]:
    return Reader
