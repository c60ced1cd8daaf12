"""Operations over WebSocket, by graphql-transport-ws."""

from __future__ import annotations

from typing import Any

from fraiseql.observations import OperationCompleted, WebSocketClosed
from fraiseql.testing.runtime_conformance.example import SUBSCRIBED
from fraiseql.testing.runtime_conformance.exchanges import (
    ACKNOWLEDGED,
    CLOSED,
    HANDSHAKE,
    INIT,
    UPGRADED,
    close_frame,
    frame,
    masked,
    refusal,
    subscribe,
)
from fraiseql.testing.runtime_conformance.scenario import SUBSCRIPTIONS, Scenario
from fraiseql.testing.runtime_conformance.steps import (
    Advance,
    Connect,
    Execute,
    Expect,
    ExpectEnd,
    HalfClose,
    Listening,
    Lock,
    Observe,
    Release,
    Reset,
    Rows,
    Send,
    SendBytewise,
    Step,
    Waiting,
)

__all__ = ["WEBSOCKETS"]

_OUTBOX = (("event_bus", "postgresql"),)
_OPEN = (Connect(), Send(HANDSHAKE), Expect(UPGRADED), Send(INIT), Expect(ACKNOWLEDGED))
_CLOSE = (Send(CLOSED), Expect(close_frame(1000)), ExpectEnd(), Observe(WebSocketClosed, {"code": 1000}))


def _message(name: str, kind: str, payload: bytes | None = None) -> bytes:
    told = b"" if payload is None else b',"payload":' + payload
    return frame(b'{"id":"%b","type":"%b"%b}' % (name.encode(), kind.encode(), told))


def _next(name: str, field: str, value: bytes) -> bytes:
    return _message(name, "next", b'{"data":{"%b":%b}}' % (field.encode(), value))


def _scenario(name: str, *steps: Step, **options: Any) -> Scenario:
    return Scenario(name=name, steps=steps, **{"schema": SUBSCRIBED, "settings": _OUTBOX, **options})


_NOTE = _next("1", "note", b'{"body":"one"}') + _message("1", "complete")

WEBSOCKETS = (
    _scenario("a WebSocket is opened and closed", *_OPEN, *_CLOSE),
    _scenario(
        "a WebSocket byte by byte",
        Connect(),
        SendBytewise(HANDSHAKE + INIT),
        Expect(UPGRADED + ACKNOWLEDGED),
        SendBytewise(subscribe("1", "{note(id:1){body}}")),
        Expect(_NOTE),
        *_CLOSE,
    ),
    _scenario(
        "a query over WebSocket",
        *_OPEN,
        Send(subscribe("1", "{note(id:1){body}}")),
        Expect(_NOTE),
        Observe(OperationCompleted, {"outcome": "DATA"}),
        *_CLOSE,
    ),
    _scenario(
        "a mutation over WebSocket",
        *_OPEN,
        Send(subscribe("1", 'mutation{record(token:"a")}')),
        Expect(_next("1", "record", b"1") + _message("1", "complete")),
        Rows("select token from entry", (("a",),)),
        *_CLOSE,
    ),
    _scenario(
        "an operation that is not valid",
        *_OPEN,
        Send(subscribe("1", "{nothing}")),
        Expect(
            _message(
                "1",
                "error",
                b'[{"message":"Cannot query field \'nothing\' on type \'Query\'.","locations":[{"line":1,'
                b'"column":2}],"path":["nothing"],"extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]',
            )
        ),
        *_CLOSE,
    ),
    _scenario(
        "a query that waits holds no other up",
        *_OPEN,
        Lock("note"),
        Send(subscribe("1", "{note(id:1){body}}")),
        Waiting(1),
        Send(subscribe("2", "{entries{id}}")),
        Expect(_next("2", "entries", b"[]") + _message("2", "complete")),
        Release(),
        Expect(_NOTE),
        *_CLOSE,
    ),
    _scenario(
        "a query that its client completes is cancelled with its SQL",
        *_OPEN,
        Lock("note"),
        Send(subscribe("1", "{note(id:1){body}}")),
        Waiting(1),
        Send(masked(b'{"id":"1","type":"complete"}')),
        Waiting(0),
        Observe(OperationCompleted, {"outcome": "CANCELLED"}),
        Release(),
        *_CLOSE,
    ),
    _scenario(
        "a client that resets its WebSocket has its queries cancelled",
        *_OPEN,
        Lock("note"),
        Send(subscribe("1", "{note(id:1){body}}") + subscribe("2", "{notes{body}}")),
        Waiting(2),
        Reset(),
        Waiting(0),
        Observe(WebSocketClosed, {"code": 1006}),
    ),
    _scenario(
        "a client that closes its side of a WebSocket has left",
        *_OPEN,
        HalfClose(),
        ExpectEnd(),
        Observe(WebSocketClosed, {"code": 1006}),
    ),
    _scenario(
        "a subscription to a generator in a thread",
        *_OPEN,
        Send(subscribe("1", "subscription{count(to:2)}")),
        Expect(_next("1", "count", b"1") + _next("1", "count", b"2") + _message("1", "complete")),
        *_CLOSE,
        needs=frozenset({SUBSCRIPTIONS}),
    ),
    _scenario(
        "a subscription to events",
        *_OPEN,
        Send(subscribe("1", "subscription{entryAdded{token}}")),
        Listening(1),
        Execute("insert into entry (token) values ('a')"),
        Expect(_message("1", "next", b'{"data":{"entryAdded":{"token":"a"}},"extensions":{"cursor":"<cursor>"}}')),
        Send(masked(b'{"id":"1","type":"complete"}')),
        Listening(0),
        *_CLOSE,
        needs=frozenset({SUBSCRIPTIONS}),
    ),
    _scenario(
        "a live query",
        *_OPEN,
        Send(subscribe("1", "subscription{liveEntries{token}}")),
        Expect(_next("1", "liveEntries", b"[]")),
        Execute("insert into entry (token) values ('a')"),
        Expect(_next("1", "liveEntries", b'[{"token":"a"}]')),
        Execute("delete from entry"),
        Expect(_next("1", "liveEntries", b"[]")),
        Reset(),
        Listening(0),
        needs=frozenset({SUBSCRIPTIONS}),
    ),
    _scenario(
        "pings of both protocols are answered",
        *_OPEN,
        Send(masked(b'{"type":"ping","payload":{"a":1}}')),
        Expect(frame(b'{"type":"pong","payload":{"a":1}}')),
        Send(masked(b"hello", 9)),
        Expect(frame(b"hello", 10)),
        *_CLOSE,
    ),
    _scenario(
        "a silent client is sent a ping, and one that answers may stay",
        *_OPEN,
        Advance(20),
        Expect(frame(b"\0\0\0\1", 9)),
        Advance(19),
        Send(masked(b"\0\0\0\1", 10) + masked(b'{"type":"ping"}')),
        Expect(frame(b'{"type":"pong"}')),
        Advance(20),
        Expect(frame(b"\0\0\0\2", 9)),
        *_CLOSE,
    ),
    _scenario(
        "a client that does not answer a ping has left",
        *_OPEN,
        Advance(20),
        Expect(frame(b"\0\0\0\1", 9)),
        Advance(20),
        ExpectEnd(),
        Observe(WebSocketClosed, {"code": 1006}),
    ),
    _scenario(
        "a client that says nothing is closed",
        Connect(),
        Send(HANDSHAKE),
        Expect(UPGRADED),
        Advance(3),
        Expect(close_frame(4408, b"Connection initialisation timeout")),
        Send(masked((4408).to_bytes(2, "big"), 8)),
        ExpectEnd(),
        Observe(WebSocketClosed, {"code": 4408}),
    ),
    _scenario(
        "a client that does not close in time is left",
        Connect(),
        Send(HANDSHAKE),
        Expect(UPGRADED),
        Send(subscribe("1", "{notes{id}}")),
        Expect(close_frame(4401, b"Unauthorized")),
        Advance(10),
        ExpectEnd(),
    ),
    _scenario(
        "a client without the subprotocol is closed",
        Connect(),
        Send(HANDSHAKE.replace(b"graphql-transport-ws", b"graphql-ws")),
        Expect(UPGRADED.replace(b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n", b"")),
        Expect(close_frame(4406, b"Subprotocol not acceptable")),
        Send(masked((4406).to_bytes(2, "big"), 8)),
        ExpectEnd(),
    ),
    _scenario(
        "a handshake from a foreign page is refused",
        Connect(),
        Send(HANDSHAKE[:-2] + b"origin: http://elsewhere\r\n\r\n"),
        Expect(refusal(403, "this origin may not connect", "BAD_REQUEST")),
    ),
)
