"""The bytes of requests, answers and frames that scenarios are made of."""

from __future__ import annotations

import json
from http import HTTPStatus

__all__ = [
    "ACKNOWLEDGED",
    "CLOSED",
    "HANDSHAKE",
    "INIT",
    "UPGRADED",
    "answer",
    "chunk",
    "close_frame",
    "event_head",
    "failure",
    "frame",
    "masked",
    "not_modified",
    "post",
    "query",
    "refusal",
    "request",
    "subscribe",
]

_JSON = b"application/json; charset=utf-8"


def request(method: bytes, target: bytes, *fields: bytes, body: bytes | None = None) -> bytes:
    """A request; `fields` are whole lines without their end."""
    length = () if body is None else (b"content-length: %d" % len(body),)
    lines = (b"%b %b HTTP/1.1" % (method, target), b"host: test", *fields, *length, b"", body or b"")
    return b"\r\n".join(lines)


def post(document: str, *fields: bytes) -> bytes:
    """A GraphQL request by POST."""
    body = json.dumps({"query": document}).encode()
    return request(b"POST", b"/graphql", b"content-type: application/json", *fields, body=body)


def answer(status: int, body: bytes, *fields: bytes, kind: bytes = _JSON, length: bytes | None = None) -> bytes:
    """An answer; a `connection` field comes behind the date, as servers write it.

    Args:
        status: its code.
        body: may be none of its own, as to HEAD, where `length` says what it would have.
        fields: whole lines without their end.
        kind: the Content-Type.
        length: what Content-Length says, where that is not the length of the body.
    """
    last = tuple(line for line in fields if line.startswith(b"connection"))
    lines = (
        b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode()),
        b"content-type: " + kind,
        *(line for line in fields if line not in last),
        b"content-length: " + (b"%d" % len(body) if length is None else length),
        b"date: <date>",
        *last,
        b"",
        body,
    )
    return b"\r\n".join(lines)


def not_modified(*fields: bytes) -> bytes:
    """An answer to who holds it already (RFC 9110 §15.4.5)."""
    return b"\r\n".join((b"HTTP/1.1 304 Not Modified", *fields, b"date: <date>", b"", b""))


def refusal(status: int, message: str, code: str, *fields: bytes) -> bytes:
    """An answer from before a GraphQL response exists."""
    body = json.dumps({"errors": [{"message": message, "extensions": {"code": code}}]}, separators=(",", ":"))
    return answer(status, body.encode(), *fields)


def failure(message: str, code: str, data: bytes | None, *path: str, status: int = 200, tells: bool = True) -> bytes:
    """A GraphQL response with one error, which `tells` the request's id; `data` is None where there is none."""
    where = b',"path":' + json.dumps(path).encode() if path else b""
    told = b',"requestId":"<request>"' if tells else b""
    body = b'{"errors":[{"message":"%b"%b,"extensions":{"code":"%b"%b}}]%b}' % (
        message.encode(),
        where,
        code.encode(),
        told,
        b"" if data is None else b',"data":' + data,
    )
    return answer(status, body, length=b"<length>" if tells else None)


def event_head(*fields: bytes) -> bytes:
    """The head of an event stream."""
    lines = (
        b"HTTP/1.1 200 OK",
        b"content-type: text/event-stream; charset=utf-8",
        b"cache-control: no-cache, no-transform",
        b"x-accel-buffering: no",
        b"transfer-encoding: chunked",
        b"date: <date>",
        *fields,
        b"",
        b"",
    )
    return b"\r\n".join(lines)


def chunk(data: bytes) -> bytes:
    """One chunk of a body; of none, the end of it. What has places to fill in gives no size of its own."""
    size = b"<size>" if b"<" in data else b"%x" % len(data)
    return size + b"\r\n" + data + b"\r\n"


def query(name: str, value: bytes) -> bytes:
    """The chunk of an event with one field's value."""
    return chunk(b'event: next\ndata: {"data":{"%b":%b}}\n\n' % (name.encode(), value))


def frame(payload: bytes, opcode: int = 1) -> bytes:
    """A server's frame (RFC 6455 §5.2). One with places to fill in has a length of less than 126 bytes."""
    if b"<" in payload:
        return bytes([0x80 | opcode]) + b"<byte>" + payload
    length = bytes([len(payload)]) if len(payload) < 126 else bytes([126]) + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + payload


def masked(payload: bytes, opcode: int = 1) -> bytes:
    """A client's frame of less than 126 bytes, masked with zeros, which leave it as it is."""
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + bytes(4) + payload


def close_frame(code: int, reason: bytes = b"") -> bytes:
    """A server's close frame."""
    return frame(code.to_bytes(2, "big") + reason, 8)


def subscribe(name: str, document: str) -> bytes:
    """A client's message that starts an operation."""
    message = {"id": name, "type": "subscribe", "payload": {"query": document}}
    return masked(json.dumps(message, separators=(",", ":")).encode())


HANDSHAKE = request(
    b"GET",
    b"/graphql",
    b"upgrade: websocket",
    b"connection: upgrade",
    b"sec-websocket-version: 13",
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    b"sec-websocket-protocol: graphql-transport-ws",
)
UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
    b"Sec-WebSocket-Protocol: graphql-transport-ws\r\ndate: <date>\r\nconnection: upgrade\r\n\r\n"
)
INIT = masked(b'{"type":"connection_init"}')
ACKNOWLEDGED = frame(b'{"type":"connection_ack"}')
CLOSED = masked((1000).to_bytes(2, "big"), 8)
