"""Three readers of HTTP/1.1 requests behind one call: ours, h11, and httptools, which is llhttp."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import h11
import httptools

from fraiseql.protocol import http11

__all__ = ["PEERS", "Message", "Outcome", "Parser", "read_h11", "read_httptools", "read_ours"]

Fields = tuple[tuple[bytes, bytes], ...]


class Message(NamedTuple):
    """One request that was read to its end."""

    method: bytes
    target: bytes
    version: bytes
    headers: Fields
    body: bytes
    trailers: Fields


class Outcome(NamedTuple):
    """What a parser made of a stream of bytes.

    Attributes:
        messages: the requests that were read to their end.
        ending: `refused`; `idle`, between two requests; `closed`, after the last one; or `incomplete`, within one.
        reason: the parser's own words, where it refused.
    """

    messages: tuple[Message, ...]
    ending: str
    reason: str = ""


Parser = Callable[[Iterable[bytes]], Outcome]


def read_ours(pieces: Iterable[bytes]) -> Outcome:
    """What `ServerConnection` makes of it, with a server that answers each request at its end."""
    conn = http11.ServerConnection()
    messages: list[Message] = []
    request, body = http11.Request(b"", b"", ()), b""
    try:
        for piece in pieces:
            conn.receive_data(piece)
            while not isinstance(event := conn.next_event(), http11.Signal):
                if isinstance(event, http11.Request):
                    request, body = event, b""
                elif isinstance(event, http11.Data):
                    body += event.data
                elif isinstance(event, http11.EndOfMessage):
                    version = request.http_version
                    messages.append(
                        Message(request.method, request.target, version, request.headers, body, event.trailers)
                    )
                    conn.send_response(404, (), b"")
                    if conn.keep_alive:
                        conn.start_next_cycle()
    except http11.RemoteProtocolError as error:
        return Outcome(tuple(messages), "refused", str(error))
    if conn.their_state is http11.State.MUST_CLOSE:
        return Outcome(tuple(messages), "closed")
    return Outcome(tuple(messages), "idle" if conn.deadline_kind is http11.DeadlineKind.IDLE else "incomplete")


def read_h11(pieces: Iterable[bytes]) -> Outcome:
    """What h11 makes of it."""
    conn = h11.Connection(h11.SERVER)
    messages: list[Message] = []
    request, body = None, b""
    try:
        for piece in pieces:
            if conn.their_state in (h11.MUST_CLOSE, h11.CLOSED):
                break
            conn.receive_data(piece)
            while (event := conn.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if isinstance(event, h11.Request):
                    request, body = event, b""
                elif isinstance(event, h11.Data):
                    body += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    messages.append(_h11_message(request, body, event))
                    conn.send(h11.Response(status_code=404, headers=[(b"content-length", b"0")]))
                    conn.send(h11.EndOfMessage())
                    if conn.their_state is h11.MUST_CLOSE:
                        break
                    conn.start_next_cycle()
    except h11.RemoteProtocolError as error:
        return Outcome(tuple(messages), "refused", str(error))
    if conn.their_state in (h11.MUST_CLOSE, h11.CLOSED):
        return Outcome(tuple(messages), "closed")
    idle = conn.their_state is h11.IDLE and not conn.trailing_data[0]
    return Outcome(tuple(messages), "idle" if idle else "incomplete")


def _h11_message(request: h11.Request, body: bytes, end: h11.EndOfMessage) -> Message:
    headers, trailers = tuple(request.headers), tuple(end.headers)
    return Message(request.method, request.target, request.http_version, headers, body, trailers)


class _Callbacks:
    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.ending = "idle"
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self.ending = "incomplete"
        self.url = self.body = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.trailers: list[tuple[bytes, bytes]] = []
        self.fields = self.headers

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value or b""))

    def on_headers_complete(self) -> None:
        self.fields = self.trailers

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ending = "idle" if self.parser.should_keep_alive() else "closed"
        version = self.parser.get_http_version().encode()
        fields = tuple(self.headers), self.body, tuple(self.trailers)
        self.messages.append(Message(self.parser.get_method(), self.url, version, *fields))


def read_httptools(pieces: Iterable[bytes]) -> Outcome:
    """What httptools makes of it. An upgrade ends its reading, whatever follows."""
    callbacks = _Callbacks()
    try:
        for piece in pieces:
            callbacks.parser.feed_data(piece)
    except httptools.HttpParserUpgrade:
        return Outcome(tuple(callbacks.messages), "closed")
    except httptools.HttpParserError as error:
        return Outcome(tuple(callbacks.messages), "refused", str(error) or type(error).__name__)
    return Outcome(tuple(callbacks.messages), callbacks.ending)


PEERS: dict[str, Parser] = {"h11": read_h11, "httptools": read_httptools}
