"""What a client may send to `ServerConnection`: anything.

The first byte of an input says how the server is set up and answers, the second how the rest is cut into reads.
"""

from __future__ import annotations

from typing import Any

from fraiseql.protocol import http11
from fuzz.http11_watch import SMALL, USUAL, Watch, cut, encode_body, encode_fields, require

__all__ = ["EARLY", "EOF", "SMALL_LIMITS", "STREAMED", "check"]

# Bits of the first byte
SMALL_LIMITS, EOF, STREAMED, EARLY = 1, 2, 4, 8

Transcript = list[tuple[Any, ...]]


def check(data: bytes) -> None:
    """The verdict does not depend on the cuts, what was read reads back, and so does what was answered."""
    flags, seed, raw = data[0] if data else 0, data[1] if len(data) > 1 else 0, data[2:]
    whole, sent = _serve([raw], flags)
    in_pieces, sent_in_pieces = _serve(cut(raw, seed), flags)
    require(whole == in_pieces, f"the cuts have changed the verdict:\n{whole}\n{in_pieces}")
    require(sent == sent_in_pieces, f"the cuts have changed the answers:\n{sent!r}\n{sent_in_pieces!r}")
    for position, entry in enumerate(whole):
        if entry[0] == "request" and position + 1 < len(whole) and whole[position + 1][0] == "end":
            _, body, trailers = whole[position + 1]
            _check_encoding(entry[1], body, trailers, flags)
            _check_answer(entry[1], sent.pop(0))


def _serve(pieces: list[bytes], flags: int) -> tuple[Transcript, list[bytes]]:
    """What a connection gives, each body in one, and the answers to the requests that were read to their end."""
    server = _Server(flags)
    try:
        for piece in pieces:
            server.watch.receive(piece)
            server.drain()
        if flags & EOF:
            server.watch.receive_eof()
            server.drain()
    except http11.RemoteProtocolError as error:
        server.transcript.append(("refused", error.status, str(error)))
        if server.conn.our_state is http11.State.SEND_RESPONSE:
            require(server.watch.send_response(error.status, (), b"").startswith(b"HTTP/1.1 "), "a fault is answered")
    return server.transcript, server.answers


class _Server:
    def __init__(self, flags: int) -> None:
        limits = SMALL if flags & SMALL_LIMITS else USUAL
        self.conn = http11.ServerConnection(limits)
        self.watch = Watch(self.conn, limits)
        self.flags = flags
        self.transcript: Transcript = []
        self.answers: list[bytes] = []
        self._answer = self._body = b""

    def drain(self) -> None:
        while not isinstance(event := self.watch.next_event(), http11.Signal):
            if isinstance(event, http11.Request):
                self.transcript.append(("request", event, event.authority, event.path, event.query))
                self._body = b""
                self._answer = self._respond(event) if self.flags & EARLY else b""
            elif isinstance(event, http11.Data):
                self._body += event.data
            elif isinstance(event, http11.EndOfMessage):
                self.transcript.append(("end", self._body, event.trailers))
                self.answers.append(self._answer if self.flags & EARLY else self._respond(self.transcript[-2][1]))
                if self.conn.keep_alive:
                    self.watch.start_next_cycle()
            else:
                self.transcript.append(("closed",))
                return

    def _respond(self, request: http11.Request) -> bytes:
        watch, body = self.watch, request.target
        if not self.flags & STREAMED:
            return watch.send_response(200, ((b"content-type", b"text/plain"),), body)
        sent = watch.send(http11.InformationalResponse(103)) if request.http_version == b"1.1" else b""
        sent += watch.send(http11.Response(200)) + watch.send(http11.Data(body[:1])) + watch.send(http11.Data(body[1:]))
        return sent + watch.send(http11.EndOfMessage())


def _check_encoding(request: http11.Request, body: bytes, trailers: http11.Headers, flags: int) -> None:
    line = b"%b %b HTTP/%b\r\n" % (request.method, request.target, request.http_version)
    raw = line + encode_fields(request.headers) + b"\r\n" + encode_body(request, body, trailers)
    again, _ = _serve([raw], flags & ~EOF)
    require([entry[1:] for entry in again] == [(request, *again[0][2:]), (body, trailers)], f"{again} from {raw!r}")


def _check_answer(request: http11.Request, answer: bytes) -> None:
    client = http11.ClientConnection()
    client.send_request(b"HEAD" if request.method == b"HEAD" else b"GET", b"/", ((b"host", b""),))
    client.receive_data(answer)
    client.receive_eof()
    events = []
    while not isinstance(event := client.next_event(), http11.Signal | http11.ConnectionClosed):
        events.append(event)
    answers = [event for event in events if isinstance(event, http11.Response)]
    require([event.status for event in answers] == [200], f"{events} for one answer")
    body = b"".join([event.data for event in events if isinstance(event, http11.Data)])
    require(body == (b"" if request.method == b"HEAD" else request.target), f"the answer has another body: {body!r}")
