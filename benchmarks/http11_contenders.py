"""The parsers that `benchmarks.http11` compares, each behind the same few calls.

Each reads requests, materialises method, target, version, whether the connection stays, and the fields in lower case
(ours as a dict by name, from which pairs are made only in "pairs read"; the others as pairs), and encodes an answer 200
with two fields of its own, Content-Length and Date. httptools has no encoder: its answer is joined as uvicorn does it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import h11
import httptools

from fraiseql.protocol.http11 import NEED_DATA, EndOfMessage, Request, ServerConnection

__all__ = ["BASELINES", "CONTENDERS", "OURS", "Contender", "Requests"]

BODY = b'{"data":{"users":[{"name":"Ada"}]}}'
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
TYPE = (b"content-type", b"application/json; charset=utf-8")
SERVER = (b"server", b"benchmark")
LENGTH = (b"content-length", b"%d" % len(BODY))

Requests = Sequence[Sequence[bytes]]
"""Each request as the reads that it comes in."""
Contender = Callable[[Requests], None]
"""Reads requests on one connection, and answers each."""


def ours(requests: Requests) -> None:
    conn = ServerConnection()
    headers = (TYPE, SERVER)
    for reads in requests:
        for data in reads:
            conn.receive_data(data)
            while (event := conn.next_event()) is not NEED_DATA:
                if type(event) is EndOfMessage:
                    conn.send_response(200, headers, BODY, DATE)
                    conn.start_next_cycle()
                    break


def ours_pairs_read(requests: Requests) -> None:
    """As `ours`, but the header pairs of each request are asked for."""
    conn = ServerConnection()
    headers = (TYPE, SERVER)
    for reads in requests:
        for data in reads:
            conn.receive_data(data)
            while (event := conn.next_event()) is not NEED_DATA:
                if type(event) is Request:
                    event.headers  # noqa: B018 - this makes them
                elif type(event) is EndOfMessage:
                    conn.send_response(200, headers, BODY, DATE)
                    conn.start_next_cycle()
                    break


serial = count()


def ours_new_answers(requests: Requests) -> None:
    """As `ours`, but no two answers have the same fields."""
    conn = ServerConnection()
    for reads in requests:
        for data in reads:
            conn.receive_data(data)
            while (event := conn.next_event()) is not NEED_DATA:
                if type(event) is EndOfMessage:
                    conn.send_response(200, (TYPE, (b"server", b"%09d" % next(serial))), BODY, DATE)
                    conn.start_next_cycle()
                    break


def one_each(run: Contender) -> Contender:
    """The same on a new connection for each request, so that a connection remembers nothing."""

    def run_one_each(requests: Requests) -> None:
        for request in requests:
            run((request,))

    return run_one_each


def h11_(requests: Requests) -> None:
    conn = h11.Connection(h11.SERVER)
    headers = [TYPE, SERVER, LENGTH, (b"date", DATE)]
    for reads in requests:
        for data in reads:
            conn.receive_data(data)
            while (event := conn.next_event()) is not h11.NEED_DATA:
                if type(event) is h11.EndOfMessage:
                    head = conn.send(h11.Response(status_code=200, headers=headers, reason=b"OK")) or b""
                    head + (conn.send(h11.Data(data=BODY)) or b"") + (conn.send(h11.EndOfMessage()) or b"")
                    conn.start_next_cycle()
                    break


class Callbacks:
    """What a server keeps of a request, filled by httptools' callbacks in the way of uvicorn."""

    parser: Any

    def on_message_begin(self) -> None:
        self.url = b""
        self.body = b""
        self.expects_continue = False
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expects_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.version = self.parser.get_http_version()
        self.method = self.parser.get_method()
        self.upgrades = self.parser.should_upgrade()
        self.keep_alive = self.version != "1.0" and self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


BAD_NAME = re.compile(rb'[\x00-\x1F\x7F()<>@,;:\[\]={} \t\\"]')
BAD_VALUE = re.compile(rb"[\x00-\x08\x0A-\x1F\x7F]")
STATUS_LINES = {200: b"HTTP/1.1 200 OK\r\n"}


def httptools_(requests: Requests) -> None:
    callbacks = Callbacks()
    parser = callbacks.parser = httptools.HttpRequestParser(callbacks)
    headers = [TYPE, SERVER, LENGTH, (b"date", DATE)]
    for reads in requests:
        callbacks.complete = False
        for data in reads:
            parser.feed_data(data)
        assert callbacks.complete
        head = [STATUS_LINES[200]]
        for name, value in headers:
            if BAD_NAME.search(name) or BAD_VALUE.search(value):
                raise ValueError(name)
            name = name.lower()
            if name == b"content-length":
                int(value)
            elif (name == b"transfer-encoding" and value.lower() == b"chunked") or (
                name == b"connection" and value.lower() == b"close"
            ):
                callbacks.keep_alive = False
            head += [name, b": ", value, b"\r\n"]
        head.append(b"\r\n")
        b"".join(head) + BODY


OURS = "ours"
CONTENDERS: dict[str, Contender] = {
    OURS: ours,
    "ours, pairs read": ours_pairs_read,
    "ours, new answer fields": ours_new_answers,
    "ours, new connection each": one_each(ours),
    "h11": h11_,
    "httptools": httptools_,
    "httptools, new connection each": one_each(httptools_),
}
BASELINES = {
    OURS: "httptools",
    "ours, pairs read": "httptools",
    "ours, new answer fields": "httptools",
    "ours, new connection each": "httptools, new connection each",
}
"""What each way of driving ours is compared with."""

try:
    import zttp
except ImportError:  # it has no wheel for every platform
    pass
else:

    def zttp_(requests: Requests) -> None:
        conn = zttp.Connection(zttp.SERVER)
        headers = [TYPE, SERVER, LENGTH, (b"date", DATE)]
        for reads in requests:
            for data in reads:
                event: zttp.Event = conn.receive_event(data)
                while event is not zttp.NEED_DATA:
                    if isinstance(event, zttp.Request):
                        if not isinstance(event.headers, list):
                            event.headers.to_list(lowercase_names=True)
                        if event.end_stream:
                            break
                    elif isinstance(event, zttp.EndOfMessage):
                        break
                    event = conn.next_event()
            conn.send_response(200, headers)
            conn.send_data(BODY)
            conn.end_message()
            conn.data_to_send()
            conn.start_next_cycle()

    CONTENDERS["zttp"] = zttp_
