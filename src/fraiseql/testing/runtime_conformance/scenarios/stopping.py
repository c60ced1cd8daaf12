"""Servers that stop, and servers that are full."""

from __future__ import annotations

from typing import Any

from fraiseql.observations import WebSocketClosed
from fraiseql.testing.runtime_conformance.example import SUBSCRIBED
from fraiseql.testing.runtime_conformance.exchanges import (
    ACKNOWLEDGED,
    HANDSHAKE,
    INIT,
    UPGRADED,
    answer,
    chunk,
    close_frame,
    event_head,
    frame,
    masked,
    post,
    request,
    subscribe,
)
from fraiseql.testing.runtime_conformance.scenario import SUBSCRIPTIONS, Scenario
from fraiseql.testing.runtime_conformance.steps import (
    Advance,
    Connect,
    Drain,
    Due,
    Expect,
    ExpectCut,
    ExpectEnd,
    ExpectStopped,
    HalfClose,
    Listening,
    Lock,
    Observe,
    Release,
    Rows,
    Send,
    Step,
    Waiting,
)

__all__ = ["STOPPING"]

_ASKED = post("{ note(id: 1) { body } }")
_BODY = b'{"data":{"note":{"body":"one"}}}'
_HEALTH = request(b"GET", b"/health")
_HEALTHY = answer(200, b'{"status":"ok"}')
_OUTBOX = (("event_bus", "postgresql"),)
_OPEN = (Connect(), Send(HANDSHAKE), Expect(UPGRADED), Send(INIT), Expect(ACKNOWLEDGED))


def _scenario(name: str, *steps: Step, **options: Any) -> Scenario:
    return Scenario(name=name, steps=steps, **options)


STOPPING = (
    _scenario("a server that nobody uses stops", Drain(), ExpectStopped()),
    _scenario(
        "a server that stops closes idle connections at once",
        Connect(),
        Send(_ASKED),
        Expect(answer(200, _BODY)),
        Connect("second"),
        Send(_HEALTH, "second"),
        Expect(_HEALTHY, "second"),
        Drain(),
        ExpectEnd(),
        ExpectEnd("second"),
        ExpectStopped(),
    ),
    _scenario(
        "a server that stops answers what it was asked before",
        Connect(),
        Connect("second"),
        Send(_HEALTH, "second"),
        Expect(_HEALTHY, "second"),
        Lock("note"),
        Send(_ASKED),
        Waiting(1),
        Drain(),
        ExpectEnd("second"),
        Advance(5),
        Release(),
        Expect(answer(200, _BODY, b"connection: close")),
        HalfClose(),
        ExpectEnd(),
        ExpectStopped(),
    ),
    _scenario(
        "a server that stops commits what it was told before",
        Connect(),
        Lock("tally"),
        Send(post('mutation { record(token: "a") }')),
        Waiting(1),
        Drain(),
        Due(6),
        Release(),
        Expect(answer(200, b'{"data":{"record":1}}', b"connection: close")),
        HalfClose(),
        ExpectEnd(),
        ExpectStopped(),
        Rows("select token from entry", (("a",),)),
    ),
    _scenario(
        "what takes longer than the grace is cancelled with its SQL",
        Connect(),
        Lock("note"),
        Send(_ASKED),
        Waiting(1),
        Drain(),
        Due(6),
        Advance(6),
        ExpectCut(),
        ExpectStopped(),
        Release(),
    ),
    _scenario(
        "what is written for longer than the grace is rolled back",
        Connect(),
        Lock("tally"),
        Send(post('mutation { record(token: "a") }')),
        Waiting(1),
        Drain(),
        Due(6),
        Advance(6),
        ExpectCut(),
        ExpectStopped(),
        Release(),
        Rows("select count(*) from entry", ((0,),)),
    ),
    _scenario(
        "a server that stops closes its WebSockets",
        *_OPEN,
        Drain(),
        Expect(close_frame(1001, b"Going away")),
        Send(masked((1001).to_bytes(2, "big"), 8)),
        HalfClose(),
        ExpectEnd(),
        Due(2),
        Advance(2),
        ExpectStopped(),
        Observe(WebSocketClosed, {"code": 1001}),
        schema=SUBSCRIBED,
    ),
    _scenario(
        "a server that stops lets a WebSocket's query end",
        *_OPEN,
        Lock("note"),
        Send(subscribe("1", "{note(id:1){body}}")),
        Waiting(1),
        Drain(),
        Due(2),
        Advance(2),
        Release(),
        Expect(frame(b'{"id":"1","type":"next","payload":{"data":{"note":{"body":"one"}}}}')),
        Expect(frame(b'{"id":"1","type":"complete"}') + close_frame(1001, b"Going away")),
        Send(masked((1001).to_bytes(2, "big"), 8)),
        HalfClose(),
        ExpectEnd(),
        ExpectStopped(),
        schema=SUBSCRIBED,
    ),
    _scenario(
        "a server that stops ends its subscriptions",
        *_OPEN,
        Send(subscribe("1", "subscription{entryAdded{token}}")),
        Listening(1),
        Drain(),
        Expect(close_frame(1001, b"Going away")),
        Send(masked((1001).to_bytes(2, "big"), 8)),
        HalfClose(),
        ExpectEnd(),
        Due(2),
        Advance(2),
        ExpectStopped(),
        schema=SUBSCRIBED,
        settings=_OUTBOX,
        needs=frozenset({SUBSCRIPTIONS}),
    ),
    _scenario(
        "a server that stops cuts its event streams short, so that clients come back",
        Connect(),
        Send(post("subscription { entryAdded { token } }", b"accept: text/event-stream")),
        Expect(event_head()),
        Listening(1),
        Drain(),
        Expect(chunk(b"")),
        HalfClose(),
        ExpectEnd(),
        ExpectStopped(),
        schema=SUBSCRIBED,
        settings=_OUTBOX,
        needs=frozenset({SUBSCRIPTIONS}),
    ),
)
